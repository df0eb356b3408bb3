//! What is left of a contract goes to another organization of the same group: offered by its
//! customer, taken by the other. What was drawn until then stays with the first one.

use std::sync::Arc;

use serde::Serialize;

use super::super::Engine;
use super::super::charge::less;
use super::super::command::{Answer, Stamp};
use super::super::contract::Contract;
use super::super::effect::{Change as Trail, Effects};
use super::super::event::EventKind;
use super::super::party::Organization;
use super::super::program::FrozenProgram;
use super::super::refusal::Refusal;
use super::{Amendment, AmendmentKind};
use crate::model::id::{ContractId, OrgId};
use crate::model::{Money, limits};

/// A word on a contract that goes to another organization of the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Transfer {
    pub contract: ContractId,
    pub step: TransferStep,
    /// Only says what it would do.
    pub dry_run: bool,
}

/// Whose word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferStep {
    /// Its customer offers it, or with `None` no longer.
    Offer { to: Option<OrgId> },
    /// Whom it is offered to takes it.
    Take,
}

impl Engine {
    /// One of the two words that a transfer takes.
    pub(in crate::engine) fn transfer(
        &mut self,
        at: &Stamp,
        ask: Transfer,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let Transfer { contract, step, dry_run } = ask;
        match step {
            TransferStep::Offer { to } => self.offer_transfer(at, contract, to, dry_run, out),
            TransferStep::Take => self.take_transfer(at, contract, dry_run, out),
        }
    }

    /// A customer offers a contract to another organization of its group, or takes the offer back.
    fn offer_transfer(
        &mut self,
        at: &Stamp,
        id: ContractId,
        to: Option<OrgId>,
        dry_run: bool,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let customer = self.parties.trading(at)?.organization;
        let own = self.contracts.unsettled.get(&id).filter(|it| it.customer == customer.id);
        let own = own.ok_or(Refusal::NotFound { kind: "contract" })?.as_ref();
        if let Some(to) = to {
            let field = "organization_id";
            let other = self.parties.organization(to).filter(|it| is_of_group(it, &customer));
            let other = other.ok_or(Refusal::Unknown { field, named: to.to_string() })?;
            if !other.capabilities.customer {
                return Err(Refusal::Invalid { field, rule: "is a customer" });
            }
            self.transferable(own)?;
        }
        let mut contract = own.clone();
        contract.transfer_to = to;
        contract.changed_at = at.at;
        if dry_run || own.transfer_to == to {
            return Ok(Answer::Contract(contract));
        }
        // From here it must succeed: every question has been asked.
        out.changes.push(Trail::between(&id, &own.transfer_to, &to));
        self.contracts.put(contract.clone());
        out.contracts.changed(id, contract.clone());
        let kind = match to {
            Some(_) => EventKind::ContractTransferOffered,
            None => EventKind::ContractTransferWithdrawn,
        };
        self.tell_of_contract(at, customer.id, kind, &contract, None, out);
        if let Some(to) = to {
            self.tell_of_contract(at, to, kind, &contract, None, out);
        }
        Ok(Answer::Contract(contract))
    }

    /// The organization to which a contract is offered takes it. What was charged until now is on
    /// the first one's invoice; the hold and the guarantee of the rest go from line to line.
    fn take_transfer(
        &mut self,
        at: &Stamp,
        id: ContractId,
        dry_run: bool,
        out: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let taker = self.parties.trading(at)?.organization;
        let offered = self.contracts.unsettled.get(&id);
        let offered = offered.filter(|it| it.transfer_to == Some(taker.id));
        let offered = offered.ok_or(Refusal::NotFound { kind: "contract" })?.as_ref();
        let giver = self.parties.organization(offered.customer).expect("a customer exists");
        if !is_of_group(giver, &taker) {
            let (state, needed) = ("in another group", "in the group of its customer");
            return Err(Refusal::WrongState { kind: "organization", state, needed });
        }
        self.transferable(offered)?;
        let before = offered.accrued_by(at.now());
        let line = self.line_for(taker.id, before.unaccrued())?;
        let supported = before.left_to_charge();
        let supported: Vec<(&FrozenProgram, Money)> =
            supported.iter().map(|(frozen, left)| (frozen.as_ref(), *left)).collect();
        let commitments = self.commitments(line, &supported);
        let held = before.unaccrued();
        let mut after = Contract { customer: taker.id, line, commitments, ..before.clone() };
        (after.transfer_to, after.amendments) = (None, before.amendments + 1);
        after.changed_at = at.at;
        let amendment = Amendment {
            contract: id,
            no: after.amendments,
            kind: AmendmentKind::Transfer,
            effective_at: at.now().max(before.window.start()),
            before: before.size(),
            after: after.size(),
            moved: None,
            fee: Money::ZERO,
            held_before: held,
            held_after: held,
            made_at: at.at,
        };
        if dry_run {
            return Ok(Answer::Amended { amendment, contract: after });
        }
        // From here it must succeed: every question has been asked.
        self.bill_until(at, id, at.now(), out);
        let billed = self.contract(id).clone();
        let contract = Contract {
            accrued: billed.accrued,
            accrued_to: billed.accrued_to,
            delivered: billed.delivered,
            lost: billed.lost,
            billed_to: billed.billed_to,
            unbilled: billed.unbilled.clone(),
            ..after
        };
        self.hold(at, line, held, Some(id), out);
        self.release_hold(at, billed.line, held, Some(id), out);
        for &(frozen, left) in &supported {
            self.unexpose(at, billed.line, frozen.program, left, Some(id), out);
        }
        self.commit_guarantees(at, &contract, &contract.commitments, out);
        out.changes.push(Trail::between(&id, &billed.customer, &contract.customer));
        out.amendments.push(amendment.clone());
        out.contracts.changed(id, contract.clone());
        self.contracts.put(contract.clone());
        let kind = EventKind::ContractTransferred;
        self.tell_of_contract(at, billed.customer, kind, &contract, None, out);
        self.tell_parties(at, kind, &contract, None, out);
        Ok(Answer::Amended { amendment, contract })
    }

    /// A contract that may go to another: live, short of nothing, nothing of it on offer, its line
    /// in good standing.
    fn transferable(&self, contract: &Contract) -> Result<(), Refusal> {
        let wrong = |state, needed| Err(Refusal::WrongState { kind: "contract", state, needed });
        if !contract.is_live() {
            return wrong(contract.state.as_str(), "scheduled or active");
        }
        self.is_ordered(contract)?;
        if contract.degraded {
            return wrong("degraded", "whole");
        }
        if !contract.offered().is_empty() {
            return wrong("offered for resale", "withdrawn from resale");
        }
        if contract.amendments >= limits::AMENDMENTS_MAX {
            let most = usize::try_from(limits::AMENDMENTS_MAX).expect("a small bound");
            return Err(Refusal::TooMany { kind: "amendment", most });
        }
        self.line_trades(contract)
    }
}

/// Whether two organizations are under one roof, as the operator says.
fn is_of_group(one: &Organization, other: &Organization) -> bool {
    one.id != other.id && one.group.is_some() && one.group == other.group
}

impl Contract {
    /// What is still to be charged under each of its programs.
    fn left_to_charge(&self) -> Vec<(Arc<FrozenProgram>, Money)> {
        let whole = self.tally(self.window.end());
        let posted = self.tally(self.accrued_to);
        let left = |program| less(whole.charged(program), posted.charged(program));
        let programs = self.terms.programs.iter();
        let all = programs.map(|frozen| (frozen.clone(), left(frozen.program)));
        all.filter(|(_, left)| !left.is_zero()).collect()
    }
}
