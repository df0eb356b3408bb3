//! What guarantors stand behind: coverage of a line's exposure under a program above the first
//! loss, up to a cap for the line. Every move is a transfer of the GUA ledger.

use super::super::Engine;
use super::super::command::Stamp;
use super::super::contract::{Commitment, Contract};
use super::super::effect::Effects;
use super::super::ledger::{Account, AccountKey, EntryKind, Transfer};
use super::super::program::{FrozenProgram, GuaranteeTerms};
use crate::model::Money;
use crate::model::id::{LineId, ProgramId};

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

impl Move {
    /// This move of `amount` because of a contract, between accounts of its line under a program.
    fn transfer(self, at: &Stamp, of: &Contract, program: ProgramId, amount: Money) -> Transfer {
        let Self { debit, credit, kind } = self;
        let [debit, credit] = [debit, credit]
            .map(|account| AccountKey::of_both(account, program.uuid(), of.line.uuid()));
        let (amount, effective_at) = (amount.micros(), at.now());
        Transfer { debit, credit, amount, kind, contract: Some(of.id), effective_at }
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

    /// Posts a new contract's commitments; grants the cap (or its rise) first where it was not.
    pub(in crate::engine) fn commit_guarantees(
        &mut self,
        at: &Stamp,
        contract: &Contract,
        out: &mut Effects,
    ) {
        for &Commitment { program, supported, committed } in &contract.commitments {
            let frozen = contract.terms.programs.iter().find(|it| it.program == program);
            let frozen = frozen.expect("a commitment is made under a program of the contract");
            if let Some(terms) = &frozen.terms.guarantee {
                let granted = self.guaranteed(Account::GuaCap, program, contract.line);
                let rise = terms.cap.checked_sub(granted).expect("caps are bounded");
                let rise = rise.max(Money::ZERO);
                self.ledger.post(at, GRANT.transfer(at, contract, program, rise), out);
            }
            self.ledger.post(at, EXPOSE.transfer(at, contract, program, supported), out);
            self.ledger.post(at, COMMIT.transfer(at, contract, program, committed), out);
        }
    }

    /// The balance of a GUA account.
    fn guaranteed(&self, account: Account, program: ProgramId, line: LineId) -> Money {
        let key = AccountKey::of_both(account, program.uuid(), line.uuid());
        Money::from_micros(self.ledger.net(key))
    }
}
