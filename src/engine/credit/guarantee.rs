//! What guarantors stand behind: coverage of a line's exposure under a program above the first
//! loss, up to a cap for the line. Every move is a transfer of the GUA ledger.

use std::collections::BTreeSet;

use super::super::Engine;
use super::super::charge::less;
use super::super::command::Stamp;
use super::super::contract::{Commitment, Contract};
use super::super::effect::Effects;
use super::super::ledger::{Account, AccountKey, EntryKind, Transfer};
use super::super::program::{FrozenProgram, GuaranteeTerms, Program};
use crate::model::Money;
use crate::model::id::{ContractId, LineId, OrgId, ProgramId};

/// One of the moves between the accounts of a line under a program.
#[derive(Debug, Clone, Copy)]
struct Move {
    debit: Account,
    credit: Account,
    kind: EntryKind,
}

const GRANT: Move = Move {
    debit: Account::GuaCap,
    credit: Account::GuaAvailable,
    kind: EntryKind::GuaranteeGranted,
};
const EXPOSE: Move = Move {
    debit: Account::GuaSupported,
    credit: Account::GuaExposed,
    kind: EntryKind::GuaranteeExposed,
};
const COMMIT: Move = Move {
    debit: Account::GuaAvailable,
    credit: Account::GuaCommitted,
    kind: EntryKind::GuaranteeCommitted,
};

const UNEXPOSE: Move = Move {
    debit: Account::GuaExposed,
    credit: Account::GuaSupported,
    kind: EntryKind::GuaranteeExposed,
};
const RELEASE: Move = Move {
    debit: Account::GuaCommitted,
    credit: Account::GuaAvailable,
    kind: EntryKind::GuaranteeReleased,
};

const CALL: Move = Move {
    debit: Account::GuaCommitted,
    credit: Account::GuaCalled,
    kind: EntryKind::GuaranteeCalled,
};
const PAY: Move =
    Move { debit: Account::GuaCalled, credit: Account::GuaPaid, kind: EntryKind::GuaranteePaid };

/// What a program's guarantor stands behind of a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backing {
    pub(super) program: ProgramId,
    pub(super) guarantor: OrgId,
    pub(super) exposed: Money,
    pub(super) committed: Money,
    /// What may be claimed of it now.
    pub(super) claimable: Money,
}

impl Move {
    /// This move of `amount` between accounts of a line under a program.
    fn transfer(
        self,
        at: &Stamp,
        (line, program): (LineId, ProgramId),
        amount: Money,
        contract: Option<ContractId>,
    ) -> Transfer {
        let Self { debit, credit, kind } = self;
        let [debit, credit] = [debit, credit]
            .map(|account| AccountKey::of_both(account, program.uuid(), line.uuid()));
        let (amount, effective_at) = (amount.micros(), at.now());
        Transfer { debit, credit, amount, kind, contract, effective_at }
    }
}

impl GuaranteeTerms {
    /// What the guarantor carries of an exposure, before the cap.
    fn carried(&self, exposure: Money) -> Money {
        let above = exposure.checked_sub(self.first_loss).expect("both are bounded");
        let above = above.max(Money::ZERO);
        above.portion(self.coverage).expect("a part is no more than the whole")
    }
}

impl Engine {
    /// What each program's guarantor will stand behind, for draws worth `supported` under it:
    /// coverage of what this contract adds to the line's exposure above the first loss, up to what
    /// is left of the cap.
    pub(in crate::engine) fn commitments(
        &self,
        line: LineId,
        supported: &[(&FrozenProgram, Money)],
    ) -> Vec<Commitment> {
        supported
            .iter()
            .map(|&(frozen, supported)| {
                let committed = frozen.terms.guarantee.map_or(Money::ZERO, |terms| {
                    self.committed(line, frozen.program, &terms, supported)
                });
                Commitment { program: frozen.program, supported, committed }
            })
            .collect()
    }

    fn committed(
        &self,
        line: LineId,
        program: ProgramId,
        terms: &GuaranteeTerms,
        supported: Money,
    ) -> Money {
        let net = |account| self.guaranteed(account, program, line);
        let before = net(Account::GuaExposed);
        let after = before.checked_add(supported).expect("exposure stays below the line's limit");
        let added = terms.carried(after).checked_sub(terms.carried(before));
        // Counted from what is used, so that a cap not granted yet, raised or lowered since is
        // right too.
        let used = net(Account::GuaCap).checked_sub(net(Account::GuaAvailable));
        let left = used.and_then(|used| terms.cap.checked_sub(used));
        let left = left.expect("caps are bounded").max(Money::ZERO);
        added.expect("what is carried is bounded").min(left)
    }

    /// Posts commitments that a contract brings, when it is made or grows; grants the cap (or its
    /// rise) first where it was not.
    pub(in crate::engine) fn commit_guarantees(
        &mut self,
        at: &Stamp,
        contract: &Contract,
        commitments: &[Commitment],
        out: &mut Effects,
    ) {
        for &Commitment { program, supported, committed } in commitments {
            let of = (contract.line, program);
            let frozen = contract.terms.programs.iter().find(|it| it.program == program);
            let frozen = frozen.expect("a commitment is made under a program of the contract");
            if let Some(terms) = &frozen.terms.guarantee {
                let granted = self.guaranteed(Account::GuaCap, program, contract.line);
                let rise = terms.cap.checked_sub(granted).expect("caps are bounded");
                let rise = rise.max(Money::ZERO);
                self.ledger.post(at, GRANT.transfer(at, of, rise, Some(contract.id)), out);
            }
            self.ledger.post(at, EXPOSE.transfer(at, of, supported, Some(contract.id)), out);
            self.ledger.post(at, COMMIT.transfer(at, of, committed, Some(contract.id)), out);
        }
    }

    /// So much is owed no more, or will never be: the guarantee goes with it, in proportion, and
    /// with the last of it all.
    pub(in crate::engine) fn unexpose(
        &mut self,
        at: &Stamp,
        line: LineId,
        program: ProgramId,
        amount: Money,
        contract: Option<ContractId>,
        out: &mut Effects,
    ) {
        let exposed = self.guaranteed(Account::GuaExposed, program, line);
        let amount = amount.min(exposed);
        if amount.is_zero() {
            return;
        }
        let committed = self.guaranteed(Account::GuaCommitted, program, line);
        let part = i128::from(committed.micros()) * i128::from(amount.micros());
        let part = part / i128::from(exposed.micros());
        let part = Money::from_micros(i64::try_from(part).expect("a part of what is committed"));
        let of = (line, program);
        self.ledger.post(at, UNEXPOSE.transfer(at, of, amount, contract), out);
        self.ledger.post(at, RELEASE.transfer(at, of, part, contract), out);
    }

    /// Every program under which anything on the line is unpaid. Its guarantee covers it by the
    /// terms of now; a program that has lost its guarantee stands by what was committed under it.
    pub(super) fn backings(&self, line: LineId) -> Vec<Backing> {
        let programs = self.programs.programs();
        let backing = |program: &Program| {
            let net = |account| self.guaranteed(account, program.id, line);
            let (exposed, committed) = (net(Account::GuaExposed), net(Account::GuaCommitted));
            let carried = program.terms.guarantee.map_or(exposed, |terms| terms.carried(exposed));
            let (guarantor, claimable) = (program.vendor, carried.min(committed));
            Backing { program: program.id, guarantor, exposed, committed, claimable }
        };
        programs.map(backing).filter(|it| !it.exposed.is_zero()).collect()
    }

    /// The guarantors of a line's exposure, each once.
    pub(super) fn guarantors(&self, line: LineId) -> BTreeSet<OrgId> {
        let stands = |it: &Backing| {
            let program = self.programs.program(it.program).expect("what backs a line exists");
            program.terms.guarantee.is_some() || !it.committed.is_zero()
        };
        self.backings(line).iter().filter(|it| stands(it)).map(|it| it.guarantor).collect()
    }

    /// So much is claimed of a guarantor; what else it had committed to the line is free again.
    /// What is claimed is exposed no longer.
    pub(super) fn call_guarantee(
        &mut self,
        at: &Stamp,
        line: LineId,
        backing: &Backing,
        claimed: Money,
        out: &mut Effects,
    ) {
        let of = (line, backing.program);
        self.ledger.post(at, CALL.transfer(at, of, claimed, None), out);
        let rest = less(backing.committed, claimed);
        self.ledger.post(at, RELEASE.transfer(at, of, rest, None), out);
        self.ledger.post(at, UNEXPOSE.transfer(at, of, claimed, None), out);
    }

    /// So much of a claim was paid.
    pub(super) fn settle_claim(
        &mut self,
        at: &Stamp,
        line: LineId,
        program: ProgramId,
        amount: Money,
        out: &mut Effects,
    ) {
        self.ledger.post(at, PAY.transfer(at, (line, program), amount, None), out);
    }

    /// The balance of a GUA account.
    fn guaranteed(&self, account: Account, program: ProgramId, line: LineId) -> Money {
        let key = AccountKey::of_both(account, program.uuid(), line.uuid());
        Money::from_micros(self.ledger.net(key))
    }
}
