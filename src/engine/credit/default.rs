//! A line's way into default: two officers, and what ends with it. Contracts are terminated, what
//! they delivered is demanded, guarantors are called.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Engine;
use super::super::billing::{Billing, Invoice, InvoiceState, Party};
use super::super::charge::{less, sum};
use super::super::command::{Answer, Stamp};
use super::super::deadline::Due;
use super::super::effect::Effects;
use super::super::event::{EventData, EventKind};
use super::super::ledger::{Account, AccountKey, EntryKind};
use super::super::order::{OrderState, Reason};
use super::super::refusal::Refusal;
use super::guarantee::Backing;
use super::line::DEFAULT;
use super::{Claim, Collection, DefaultReason, Line, LineState, Proposal};
use crate::model::id::{ContractId, InvoiceId, LineId, OrderId, OrgId, ProgramId, QuoteId, UserId};
use crate::model::{Minute, Money, SkuCode};

/// A line that is past due for so long may be declared in default for that alone.
const UNPAID_MINUTES: i64 = 60 * 24 * 60;

impl Line {
    /// Refuses a default that this reason does not carry, or not yet.
    fn may_default(&self, reason: DefaultReason, now: Minute) -> Result<(), Refusal> {
        let wrong = |needed| {
            let state = self.state.as_str();
            Err(Refusal::WrongState { kind: "credit_line", state, needed })
        };
        if !self.state.may_become(LineState::Defaulted) {
            return wrong("not defaulted");
        }
        match (reason, self.state, self.past_due_since) {
            (DefaultReason::Insolvency | DefaultReason::Fraud, _, _) => Ok(()),
            // Those that are frozen or run off do not become delinquent, and are unpaid all the
            // same.
            (
                DefaultReason::Unpaid,
                LineState::Delinquent | LineState::Frozen | LineState::RunOff,
                Some(since),
            ) => {
                let from = since.plus(UNPAID_MINUTES);
                if now < from { Err(Refusal::TooEarly { from }) } else { Ok(()) }
            }
            (DefaultReason::Unpaid, _, _) => wrong("delinquent"),
        }
    }
}

// The command.
impl Engine {
    /// Two different officers who name the same reason: the first one proposes, the second one does
    /// it. Another reason than the one that waits is a new proposal in its place.
    pub(in crate::engine) fn default_line(
        &mut self,
        at: &Stamp,
        id: LineId,
        reason: DefaultReason,
        note: String,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let (officer, line) = self.deciding_about(at, id, &note)?;
        line.may_default(reason, at.now())?;
        let first = match line.proposal {
            Some(Proposal::Default { reason: proposed, by }) if proposed == reason => Some(by),
            Some(Proposal::Default { .. } | Proposal::Limit { .. } | Proposal::Unfreeze { .. })
            | None => None,
        };
        if first == Some(officer) {
            return Err(Refusal::SameOfficer);
        }
        // From here it must succeed: every question has been asked.
        let mut line = line.clone();
        line.note = note;
        line.version += 1;
        match first {
            None => {
                line.proposal = Some(Proposal::Default { reason, by: officer });
                self.keep_line(at, line, out);
            }
            Some(first) => self.enter_default(at, line, reason, [first, officer], out),
        }
        Ok(self.line_answer(id))
    }

    /// Everything of the customer's ends, what it owes is in default, guarantors are called.
    fn enter_default(
        &mut self,
        at: &Stamp,
        mut line: Line,
        reason: DefaultReason,
        decided_by: [UserId; 2],
        out: &mut Effects,
    ) {
        let (id, org, was) = (line.id, line.org, line.state);
        line.proposal = None;
        // A line that lends no more has no limit to go to.
        line.target_limit = None;
        // First of all, so that what becomes free from here on is taken by nobody of this
        // customer's.
        line.enter(LineState::Defaulted);
        self.tell_line(at, &line, EventKind::LineDefaulted, Some(was), out);
        self.keep_line(at, line, out);
        self.wind_up(at, id, org, out);
        let defaulted = self.balances(id).drawn;
        self.ledger.post(at, DEFAULT.transfer(id, defaulted, at.now()), out);
        let claims = self.call_guarantees(at, id, org, out);
        let collection = Collection {
            line: id,
            org,
            reason,
            decided_by,
            defaulted,
            claims,
            written_off: Money::ZERO,
            borne: Vec::new(),
            recovered: Money::ZERO,
            defaulted_at: at.at,
            changed_at: at.at,
            version: 1,
        };
        out.collections.born(id, collection.clone());
        self.credit.collections.insert(id, collection);
    }

    /// Ends what the customer has under way: orders, firm quotes, contracts. What was delivered is
    /// demanded at once; what was not is there for others.
    fn wind_up(&mut self, at: &Stamp, line: LineId, org: OrgId, out: &mut Effects) {
        // What rests and is quoted holds on a customer's own line.
        let is_own = self.credit.line_of(org) == Some(line);
        let orders = self.book.orders().filter(|order| is_own && order.org == org);
        let orders: Vec<OrderId> = orders.map(|order| order.id).collect();
        for id in orders {
            self.close_order(at, id, OrderState::Cancelled, Reason::Cancelled, out);
        }
        let quotes = self.quotes.open.values().filter(|quote| is_own && quote.org == org);
        let quotes: Vec<QuoteId> = quotes.map(|quote| quote.id).collect();
        for id in quotes {
            let expires_at = self.quotes.open[&id].expires_at.expect("an open quote is firm");
            self.deadlines.clear(expires_at, Due::QuoteLapses(id));
            self.lapse_quote(at, id, out);
        }
        let contracts = self.contracts.iter().filter(|contract| contract.line == line);
        let contracts = contracts.map(|contract| (contract.id, contract.sku.clone()));
        let (contracts, skus): (Vec<ContractId>, BTreeSet<SkuCode>) = contracts.unzip();
        for id in contracts {
            self.terminate_contract(at, id, out);
            self.bill_until(at, id, at.now(), out);
        }
        let is_draft =
            |invoice: &&Invoice| invoice.line == line && invoice.state == InvoiceState::Draft;
        let drafts = self.billing.of_org(org).filter(is_draft);
        let drafts: Vec<InvoiceId> = drafts.map(|draft| draft.id).collect();
        for id in drafts {
            self.open_invoice(at, id, at.at, out);
        }
        for sku in skus {
            self.retry(at, &sku, out);
        }
    }
}

// Claims.
impl Engine {
    /// Calls every guarantee behind a line: each for what it carries of what is owed under its
    /// program. The oldest invoices are claimed first.
    fn call_guarantees(
        &mut self,
        at: &Stamp,
        line: LineId,
        org: OrgId,
        out: &mut Effects,
    ) -> Vec<Claim> {
        let mut owed: Vec<&Invoice> =
            self.billing.of_org(org).filter(|invoice| invoice.line == line).collect();
        owed.sort_by_key(|invoice| (invoice.due_at, invoice.id));
        // Before anything is claimed: no claim moves what another one covers.
        let covered: Vec<(InvoiceId, BTreeMap<ProgramId, Money>)> = owed
            .into_iter()
            .map(|invoice| (invoice.id, charged_under(&self.billing, invoice)))
            .collect();
        let mut claims = Vec::new();
        for backing in self.backings(line) {
            let claim = claim_of(&backing, &covered);
            self.call_guarantee(at, line, &backing, claim.amount, out);
            if claim.amount.is_zero() {
                continue;
            }
            self.post_claim(at, org, &claim, out);
            let Claim { program, guarantor, amount, paid, .. } = claim;
            let data = EventData::Claim { line, program, amount, paid };
            self.tell(at, guarantor, EventKind::ClaimMade, data, None, out);
            claims.push(claim);
        }
        claims
    }

    /// The guarantor owes it now, not the customer.
    fn post_claim(&mut self, at: &Stamp, org: OrgId, claim: &Claim, out: &mut Effects) {
        let debit = AccountKey::of(Account::GlGuarantee, claim.guarantor.uuid());
        let credit = AccountKey::of(Account::GlInvoiced, org.uuid());
        self.post_money(at, debit, credit, claim.amount, EntryKind::GuaranteeCalled, out);
        for &(id, part) in &claim.invoices {
            let mut invoice = self.billing.invoices[&id].clone();
            invoice.claimed = sum(invoice.claimed, part);
            self.keep_invoice(at, invoice, out);
        }
    }
}

/// What of an unpaid invoice is charged under each program.
fn charged_under(billing: &Billing, invoice: &Invoice) -> BTreeMap<ProgramId, Money> {
    let mut charged = BTreeMap::new();
    for part in billing.next_parts(invoice, invoice.outstanding()) {
        if let Party::Vendor { program, .. } = part.party {
            let under = charged.entry(program).or_insert(Money::ZERO);
            *under = sum(*under, part.charged);
        }
    }
    charged
}

/// The claim on one guarantor, spread over the invoices in their order.
fn claim_of(backing: &Backing, covered: &[(InvoiceId, BTreeMap<ProgramId, Money>)]) -> Claim {
    let Backing { program, guarantor, claimable, .. } = *backing;
    let (mut left, mut invoices) = (claimable, Vec::new());
    for (invoice, charged) in covered {
        let part = charged.get(&program).copied().unwrap_or_default().min(left);
        left = less(left, part);
        if !part.is_zero() {
            invoices.push((*invoice, part));
        }
    }
    Claim { program, guarantor, amount: less(claimable, left), paid: Money::ZERO, invoices }
}
