//! Invoices: one a customer and month, a line a contract.
//!
//! Lines are facts that never change; the engine remembers only what they add up to, so that an
//! invoice of a hundred thousand lines costs no more to settle than one of three.

use serde::{Deserialize, Serialize};

use super::{MINUTES_PER_DAY, SECONDS_PER_HOUR};
use crate::engine::charge::{Bill, less, sum};
use crate::engine::command::{Answer, Stamp};
use crate::engine::contract::Contract;
use crate::engine::deadline::Due;
use crate::engine::effect::{Change, Effects};
use crate::engine::event::{EventData, EventKind};
use crate::engine::ledger::{Account, AccountKey, EntryKind, Transfer};
use crate::engine::refusal::Refusal;
use crate::engine::split::apportion;
use crate::engine::{Engine, Settings, bound};
use crate::model::id::{ContractId, InvoiceId, LineId, OrgId, ProgramId};
use crate::model::{Micros, Minute, Money, Month, Right, SkuCode, Window, limits};
use crate::words;

words! {
    /// `draft -> open -> paid`; `open <-> overdue`; `open|overdue -> paid | void | written_off`;
    /// `draft -> void`.
    InvoiceState {
        Draft = "draft",
        Open = "open",
        Overdue = "overdue",
        Paid = "paid",
        WrittenOff = "written_off",
        Void = "void",
    }
}

/// What one contract is charged in one invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceLine {
    pub invoice: InvoiceId,
    /// From 0 on, without gaps.
    pub place: u32,
    /// The invoice's.
    pub month: Month,
    pub contract: ContractId,
    pub provider: OrgId,
    pub sku: SkuCode,
    /// The time it is about.
    pub window: Window,
    pub bill: Bill,
}

/// Who has a part in an invoice. The parts of all lines are added up by this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    Provider(OrgId),
    Vendor {
        program: ProgramId,
        vendor: OrgId,
    },
    Platform,
    /// A customer of whom some of it was bought, above its own price.
    Reseller(OrgId),
}

/// What one customer is charged for one month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invoice {
    pub id: InvoiceId,
    pub org: OrgId,
    /// The credit line on which it is drawn.
    pub line: LineId,
    pub month: Month,
    pub state: InvoiceState,
    /// The sum of the lines.
    pub total: Money,
    /// Received from the customer.
    pub paid: Money,
    /// Taken back by credit notes.
    pub credited: Money,
    /// Claimed from guarantors, received or not.
    pub claimed: Money,
    /// Of that, received.
    pub recovered: Money,
    /// Given up.
    pub written_off: Money,
    pub net_days: u32,
    pub drafted_at: Micros,
    pub opened_at: Option<Micros>,
    /// The last day of grace is later: see `grace_days` of the settings.
    pub due_at: Option<Minute>,
    pub changed_at: Micros,
    pub version: u32,
}

/// What one party has in an amount, and what of the amount its guarantee covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub party: Party,
    pub amount: Money,
    pub charged: Money,
}

/// What the lines of an invoice add up to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sums {
    /// How many lines.
    pub lines: u32,
    /// Everybody's parts of the whole, in the order of the parties.
    pub parts: Vec<Part>,
}

impl InvoiceState {
    /// The table: where an invoice may go from here.
    pub const fn may_become(self, next: InvoiceState) -> bool {
        use InvoiceState::{Draft, Open, Overdue, Paid, Void, WrittenOff};
        matches!(
            (self, next),
            (Draft, Open | Void)
                | (Open, Overdue | Paid | Void | WrittenOff)
                | (Overdue, Paid | Void | WrittenOff)
        )
    }
}

impl Invoice {
    /// Moves along an edge of the table; any other move is a bug.
    pub(in crate::engine) fn enter(&mut self, next: InvoiceState) {
        assert!(self.state.may_become(next), "an invoice went {} -> {next}", self.state);
        self.state = next;
    }

    /// What the customer owes of it, guarantors' claims taken off.
    pub fn outstanding(&self) -> Money {
        let Self { paid, credited, claimed, written_off, .. } = *self;
        [paid, credited, claimed, written_off].into_iter().fold(self.total, less)
    }

    /// What of it is no longer waited for: the parties' parts of it are decided.
    fn settled(&self) -> Money {
        let Self { paid, credited, recovered, written_off, .. } = *self;
        [paid, credited, recovered, written_off].into_iter().fold(Money::ZERO, sum)
    }

    /// Everybody's parts of the next `amount` that is settled, in the order of the parties. Split
    /// on the running total, so that all of them add up to the parts of the whole.
    fn next_parts(&self, whole: &[Part], amount: Money) -> Vec<Part> {
        let shares: Vec<Money> = whole.iter().map(|part| part.amount).collect();
        let mut covers: Vec<Money> = whole.iter().map(|part| part.charged).collect();
        let supported = covers.iter().copied().fold(Money::ZERO, sum);
        covers.push(less(self.total, supported).max(Money::ZERO));
        let (from, to) = (self.settled(), sum(self.settled(), amount));
        let step = |weights: &[Money]| -> Vec<Money> {
            let before = apportion(from, weights);
            apportion(to, weights)
                .into_iter()
                .zip(before)
                .map(|(to, from)| less(to, from))
                .collect()
        };
        let (shares, covers) = (step(&shares), step(&covers));
        let all = whole.iter().zip(shares.into_iter().zip(covers));
        all.map(|(part, (amount, charged))| Part { amount, charged, ..*part }).collect()
    }

    /// What falls due for it by itself.
    pub(in crate::engine) fn deadline(&self, settings: &Settings) -> Option<(Micros, Due)> {
        match (self.state, self.due_at) {
            (InvoiceState::Draft, _) => {
                let wait = i64::from(settings.draft_hours) * SECONDS_PER_HOUR;
                Some((self.drafted_at.plus_secs(wait), Due::InvoiceOpens(self.id)))
            }
            (InvoiceState::Open, Some(due_at)) => {
                let grace = i64::from(settings.grace_days) * MINUTES_PER_DAY;
                Some((due_at.plus(grace).micros(), Due::InvoiceMisses(self.id)))
            }
            _ => None,
        }
    }
}

impl Sums {
    /// Another line.
    pub fn add(&mut self, line: &InvoiceLine) {
        let InvoiceLine { provider, bill, .. } = line;
        self.lines += 1;
        self.add_part(Party::Provider(*provider), bill.provider, Money::ZERO);
        self.add_part(Party::Platform, bill.platform, Money::ZERO);
        for part in &bill.programs {
            let party = Party::Vendor { program: part.program, vendor: part.vendor };
            self.add_part(party, part.share, part.charged);
        }
        for gain in &bill.gains {
            self.add_part(Party::Reseller(gain.reseller), gain.amount, Money::ZERO);
        }
    }

    fn add_part(&mut self, party: Party, amount: Money, charged: Money) {
        match self.parts.binary_search_by_key(&party, |part| part.party) {
            Ok(place) => {
                let part = &mut self.parts[place];
                part.amount = sum(part.amount, amount);
                part.charged = sum(part.charged, charged);
            }
            Err(place) => self.parts.insert(place, Part { party, amount, charged }),
        }
    }
}

// The life of an invoice.
impl Engine {
    /// Puts what a contract charged by `until` on the customer's draft for that month; makes the
    /// draft when it is the first.
    pub(in crate::engine) fn invoice(
        &mut self,
        at: &Stamp,
        contract: &Contract,
        until: Minute,
        (window, bill): (Window, Bill),
        out: &mut Effects,
    ) {
        let month = Month::of(until.plus(-1));
        let is_it = |it: &&Invoice| {
            it.state == InvoiceState::Draft && (it.month, it.line) == (month, contract.line)
        };
        let draft = self.billing.of_org(contract.customer).find(is_it).cloned();
        let amount = bill.amount();
        let invoice = match draft {
            Some(mut draft) => {
                draft.total = sum(draft.total, amount);
                self.keep_invoice(at, draft, out).id
            }
            None => self.draft_invoice(at, contract, until, amount, out),
        };
        let sums = self.billing.sums.entry(invoice).or_default();
        let (place, sku) = (sums.lines, contract.sku.clone());
        let (contract, provider) = (contract.id, contract.provider);
        let line = InvoiceLine { invoice, place, month, contract, provider, sku, window, bill };
        sums.add(&line);
        out.invoice_lines.push(line);
    }

    /// The first line of a customer's month makes the draft.
    fn draft_invoice(
        &mut self,
        at: &Stamp,
        contract: &Contract,
        until: Minute,
        amount: Money,
        out: &mut Effects,
    ) -> InvoiceId {
        let invoice = Invoice {
            id: invoice_id(contract.id, until),
            org: contract.customer,
            line: contract.line,
            month: Month::of(until.plus(-1)),
            state: InvoiceState::Draft,
            total: amount,
            paid: Money::ZERO,
            credited: Money::ZERO,
            claimed: Money::ZERO,
            recovered: Money::ZERO,
            written_off: Money::ZERO,
            net_days: contract.terms.net_days,
            // However late the market noticed that the month is over.
            drafted_at: until.micros().min(at.at),
            opened_at: None,
            due_at: None,
            changed_at: at.at,
            version: 1,
        };
        if let Some((due_at, due)) = invoice.deadline(&self.settings) {
            self.deadlines.set(due_at, due);
        }
        self.tell_of_invoice(at, &invoice, EventKind::InvoiceDrafted, None, out);
        out.invoices.born(invoice.id, invoice.clone());
        let id = invoice.id;
        self.billing.keep(invoice);
        id
    }

    pub(in crate::engine) fn finalize_invoice(
        &mut self,
        at: &Stamp,
        id: InvoiceId,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        self.parties.operating(at, Right::Bill)?;
        let invoice = self.billing.invoice(id)?;
        if invoice.state != InvoiceState::Draft {
            return Err(wrong_state(invoice, "draft"));
        }
        // From here it must succeed: every question has been asked.
        Ok(Answer::Invoice(self.open_invoice(at, id, at.at, out)))
    }

    /// A draft has waited long enough: it opens as of then, however late the market noticed.
    pub(in crate::engine) fn mature_invoice(
        &mut self,
        at: &Stamp,
        id: InvoiceId,
        out: &mut Effects,
    ) {
        let deadline = self.billing.invoices[&id].deadline(&self.settings);
        let (opened_at, _) = deadline.expect("a draft opens by itself");
        self.open_invoice(at, id, opened_at, out);
    }

    /// A draft becomes a demand: unbilled to invoiced, and its days begin.
    pub(in crate::engine) fn open_invoice(
        &mut self,
        at: &Stamp,
        id: InvoiceId,
        opened_at: Micros,
        out: &mut Effects,
    ) -> Invoice {
        let mut invoice = self.billing.invoices[&id].clone();
        let customer = invoice.org.uuid();
        // A backstop's receivable is one account, invoiced or not.
        if !self.credit.is_backstop(invoice.line) {
            let debit = AccountKey::of(Account::GlInvoiced, customer);
            let credit = AccountKey::of(Account::GlUnbilled, customer);
            self.post_money(at, debit, credit, invoice.total, EntryKind::Invoiced, out);
        }
        invoice.enter(InvoiceState::Open);
        invoice.opened_at = Some(opened_at);
        invoice.due_at =
            Some(opened_at.minute().plus(i64::from(invoice.net_days) * MINUTES_PER_DAY));
        let was = Some(InvoiceState::Draft);
        self.tell_of_invoice(at, &invoice, EventKind::InvoiceOpened, was, out);
        self.settle_if_whole(at, &mut invoice, out);
        self.keep_invoice(at, invoice, out)
    }

    /// An invoice is past its grace.
    pub(in crate::engine) fn miss_invoice(&mut self, at: &Stamp, id: InvoiceId, out: &mut Effects) {
        let mut invoice = self.billing.invoices[&id].clone();
        let (missed_at, _) = invoice.deadline(&self.settings).expect("an open invoice is due");
        invoice.enter(InvoiceState::Overdue);
        let (line, was) = (invoice.line, Some(InvoiceState::Open));
        self.tell_of_invoice(at, &invoice, EventKind::InvoiceOverdue, was, out);
        self.keep_invoice(at, invoice, out);
        self.line_misses(at, line, missed_at.minute(), out);
    }

    /// A credit note: takes part of an open invoice back, from all parties in proportion.
    pub(in crate::engine) fn credit_invoice(
        &mut self,
        at: &Stamp,
        id: InvoiceId,
        amount: Money,
        note: &str,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        self.parties.operating(at, Right::Bill)?;
        bound::note("note", note)?;
        bound::within("amount", amount.micros(), 1, limits::AMOUNT_MAX)?;
        let invoice = self.collectable(id)?;
        let there = invoice.outstanding();
        if amount > there {
            return Err(Refusal::MoreThanThere { what: "outstanding", there, given: amount });
        }
        // From here it must succeed: every question has been asked.
        let mut invoice = invoice.clone();
        self.take_back(at, &mut invoice, amount, out);
        self.tell_of_invoice(at, &invoice, EventKind::InvoiceCredited, None, out);
        self.settle_if_whole(at, &mut invoice, out);
        Ok(Answer::Invoice(self.settled_invoice(at, invoice, out)))
    }

    /// Takes all of an invoice back on which nothing was paid.
    pub(in crate::engine) fn void_invoice(
        &mut self,
        at: &Stamp,
        id: InvoiceId,
        note: &str,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        self.parties.operating(at, Right::Bill)?;
        bound::note("note", note)?;
        let invoice = match self.billing.invoice(id)? {
            draft if draft.state == InvoiceState::Draft => draft,
            _ => self.collectable(id)?,
        };
        if !invoice.paid.is_zero() {
            let state = "partly paid";
            return Err(Refusal::WrongState { kind: "invoice", state, needed: "unpaid" });
        }
        // From here it must succeed: every question has been asked.
        let mut invoice = invoice.clone();
        let was = invoice.state;
        let rest = invoice.outstanding();
        self.take_back(at, &mut invoice, rest, out);
        invoice.enter(InvoiceState::Void);
        self.tell_of_invoice(at, &invoice, EventKind::InvoiceVoided, Some(was), out);
        Ok(Answer::Invoice(self.settled_invoice(at, invoice, out)))
    }

    /// Posts a credit note: every party's part goes back, the credit line is free of it.
    fn take_back(&mut self, at: &Stamp, invoice: &mut Invoice, amount: Money, out: &mut Effects) {
        let operator = self.parties.operator().expect("a market has an operator").id;
        let receivable = match invoice.state {
            InvoiceState::Draft => self.credit.unbilled(invoice.line),
            _ => self.credit.invoiced(invoice.line),
        };
        let receivable = AccountKey::of(receivable, invoice.org.uuid());
        for part in self.billing.next_parts(invoice, amount) {
            let from = match part.party {
                Party::Provider(org) => AccountKey::of(Account::GlProviderAccrued, org.uuid()),
                Party::Vendor { program, vendor } => {
                    self.unexpose(at, invoice.line, program, part.charged, None, out);
                    AccountKey::of(Account::GlVendorAccrued, vendor.uuid())
                }
                Party::Platform => AccountKey::of(Account::GlServiceCredit, operator.uuid()),
                Party::Reseller(org) => AccountKey::of(Account::GlCreditBalance, org.uuid()),
            };
            let kind = EntryKind::InvoiceCredited;
            self.post_money(at, from, receivable, part.amount, kind, out);
        }
        invoice.credited = sum(invoice.credited, amount);
        self.undraw(at, invoice.line, amount, None, at.now(), out);
    }
}

// Steps that invoices and payments share.
impl Engine {
    /// An invoice that the customer can still pay.
    pub(in crate::engine) fn collectable(&self, id: InvoiceId) -> Result<&Invoice, Refusal> {
        let invoice = self.billing.invoice(id)?;
        let is_demanded = matches!(invoice.state, InvoiceState::Open | InvoiceState::Overdue);
        if !is_demanded {
            return Err(wrong_state(invoice, "open or overdue"));
        }
        if self.credit.collections.contains_key(&invoice.line) {
            let (state, needed) = ("in collection", "open or overdue");
            return Err(Refusal::WrongState { kind: "invoice", state, needed });
        }
        Ok(invoice)
    }

    /// An invoice of which nothing is outstanding is paid.
    pub(in crate::engine) fn settle_if_whole(
        &mut self,
        at: &Stamp,
        invoice: &mut Invoice,
        out: &mut Effects,
    ) {
        if invoice.outstanding().is_zero() {
            let was = Some(invoice.state);
            invoice.enter(InvoiceState::Paid);
            self.tell_of_invoice(at, invoice, EventKind::InvoicePaid, was, out);
        }
    }

    /// Keeps an invoice of which something was settled; the line may be cured or closed by it.
    pub(in crate::engine) fn settled_invoice(
        &mut self,
        at: &Stamp,
        invoice: Invoice,
        out: &mut Effects,
    ) -> Invoice {
        let kept = self.keep_invoice(at, invoice, out);
        self.line_cures(at, kept.line, out);
        self.freed(at, kept.line, out);
        kept
    }

    /// Keeps an invoice as it has become, with its deadline; one that cannot change any more leaves
    /// the engine.
    pub(in crate::engine) fn keep_invoice(
        &mut self,
        at: &Stamp,
        mut invoice: Invoice,
        out: &mut Effects,
    ) -> Invoice {
        invoice.changed_at = at.at;
        invoice.version += 1;
        let before = &self.billing.invoices[&invoice.id];
        if before.state != InvoiceState::Draft || invoice.state != InvoiceState::Draft {
            out.changes.push(Change::between(&invoice.id, &summary(before), &summary(&invoice)));
        }
        if let Some((due_at, due)) = before.deadline(&self.settings) {
            self.deadlines.clear(due_at, due);
        }
        if let Some((due_at, due)) = invoice.deadline(&self.settings) {
            self.deadlines.set(due_at, due);
        }
        out.invoices.changed(invoice.id, invoice.clone());
        match invoice.state {
            InvoiceState::Paid | InvoiceState::WrittenOff | InvoiceState::Void => {
                self.billing.let_go(&invoice);
            }
            _ => self.billing.keep(invoice.clone()),
        }
        invoice
    }

    /// One transfer of the operator's books about now.
    pub(in crate::engine) fn post_money(
        &mut self,
        at: &Stamp,
        debit: AccountKey,
        credit: AccountKey,
        amount: Money,
        kind: EntryKind,
        out: &mut Effects,
    ) {
        let (amount, contract, effective_at) = (amount.micros(), None, at.now());
        let transfer = Transfer { debit, credit, amount, kind, contract, effective_at };
        self.ledger.post(at, transfer, out);
    }

    pub(in crate::engine) fn tell_of_invoice(
        &mut self,
        at: &Stamp,
        invoice: &Invoice,
        kind: EventKind,
        previous: Option<InvoiceState>,
        out: &mut Effects,
    ) {
        let Invoice { id, org, month, state, total, .. } = *invoice;
        let outstanding = invoice.outstanding();
        let data = EventData::Invoice { id, month, state, total, outstanding };
        self.tell(at, org, kind, data, previous.map(InvoiceState::as_str), out);
    }
}

impl super::Billing {
    /// An invoice that can still change.
    pub(in crate::engine) fn invoice(&self, id: InvoiceId) -> Result<&Invoice, Refusal> {
        self.invoices.get(&id).ok_or(Refusal::NotFound { kind: "invoice" })
    }

    /// Everybody's parts of the next `amount` of an invoice that is settled, in the order of the
    /// parties.
    pub(in crate::engine) fn next_parts(&self, invoice: &Invoice, amount: Money) -> Vec<Part> {
        invoice.next_parts(&self.sums[&invoice.id].parts, amount)
    }

    /// Everybody's parts of what is not settled yet.
    pub(in crate::engine) fn parts_left(&self, invoice: &Invoice) -> Vec<Part> {
        self.next_parts(invoice, less(invoice.total, invoice.settled()))
    }
}

/// What the audit trail says of an invoice: its lines do not change.
fn summary(invoice: &Invoice) -> impl Serialize {
    let Invoice { state, total, paid, credited, claimed, recovered, written_off, .. } = *invoice;
    (state, [total, paid, credited, claimed, recovered, written_off])
}

fn wrong_state(invoice: &Invoice, needed: &'static str) -> Refusal {
    Refusal::WrongState { kind: "invoice", state: invoice.state.as_str(), needed }
}

/// A UUIDv7 of the instant until which the first line charges; the rest is that of its contract. No
/// contract is billed twice up to the same instant.
fn invoice_id(first: ContractId, until: Minute) -> InvoiceId {
    let millis = u64::try_from(until.micros().count() / 1_000).unwrap_or(0);
    let bytes = *first.uuid().as_bytes();
    let tail: [u8; 10] = bytes[6..].try_into().expect("ten of sixteen bytes");
    InvoiceId::new(uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid())
}
