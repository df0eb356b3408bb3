//! The part of the samples that is about delivery and money.

use std::sync::Arc;

use headroom::engine::amendment::{Amendment, AmendmentKind, Move, Size};
use headroom::engine::billing::{
    Invoice, InvoiceLine, InvoiceState, Party, Payable, Payment, Payout, PayoutState, Period,
    PeriodState, Reserve, Split,
};
use headroom::engine::charge::{Bill, ProgramPart, SlaStep};
use headroom::engine::contract::SizeUntil;
use headroom::engine::credit::{Bearer, Borne, Cap, CapSubject, Claim, Collection, DefaultReason};
use headroom::engine::incident::{
    Affected, Incident, IncidentCause, IncidentState, Offer, Part, ShortfallOutcome,
};
use headroom::engine::matching::Draw;
use headroom::engine::program::FrozenProgram;
use headroom::engine::resale::{Gain, Offered, Origin, Resale, Source};
use headroom::model::id::*;
use headroom::model::*;

use crate::dice::Dice;
use crate::sample::{Sample, grown};

pub fn sla(dice: &mut Dice) -> Vec<SlaStep> {
    dice.some(3, |dice| SlaStep { below: dice.count(), credit: dice.count() })
}

pub fn sizes(dice: &mut Dice) -> Vec<SizeUntil> {
    dice.some(2, |dice| SizeUntil { gpus: dice.many(), until: dice.minute() })
}

pub fn source(dice: &mut Dice) -> Source {
    Source {
        contract: ContractId::new(dice.uuid()),
        reseller: OrgId::new(dice.uuid()),
        home: ListingId::new(dice.uuid()),
        base: dice.price(),
        fee: dice.count(),
    }
}

/// What is offered, sold on and bought, all under one program.
pub fn resale(
    dice: &mut Dice,
    program: &FrozenProgram,
    draw: impl Fn(&mut Dice) -> Draw,
) -> Resale {
    Resale {
        offered: dice
            .some(2, |dice| Offered { home: ListingId::new(dice.uuid()), draw: draw(dice) }),
        sold: dice.some(2, |dice| draw(dice)),
        origins: dice.some(2, |dice| Origin {
            listing: ListingId::new(dice.uuid()),
            source: source(dice),
            since: dice.minute(),
            platform_fee: dice.count(),
            program: dice.maybe(|_| Arc::new(program.clone())),
        }),
    }
}

pub fn bill(dice: &mut Dice) -> Bill {
    // Small enough that a few lines add up.
    let amount = |dice: &mut Dice| Money::from_micros(dice.amount().micros() / 16);
    Bill {
        charge: amount(dice),
        fees: amount(dice),
        credits: amount(dice),
        delivered: dice.pick(&[0, 1, i64::MAX]),
        lost: dice.pick(&[0, 1, i64::MAX]),
        provider: amount(dice),
        platform: amount(dice),
        programs: dice.some(2, |dice| ProgramPart {
            program: ProgramId::new(dice.uuid()),
            vendor: OrgId::new(dice.uuid()),
            charged: amount(dice),
            share: amount(dice),
        }),
        gains: dice
            .some(2, |dice| Gain { reseller: OrgId::new(dice.uuid()), amount: dice.amount() }),
    }
}

impl Sample {
    /// Invoices, payments, payouts, a month, a debt and a change of one place.
    pub fn billing(&mut self, place: usize, still: &mut Dice, dice: &mut Dice) {
        let org = OrgId::new(grown(1, place));
        let user = UserId::new(grown(2, place));
        let line = LineId::new(grown(10, place));
        let contract = ContractId::new(grown(14, place));
        let invoice = InvoiceId::new(grown(16, place));
        let month = Month::new(24_324 + i32::try_from(place).unwrap()).unwrap();
        let claimed = dice.pick(&[0, 60, i64::MAX]);
        self.invoices.push(Invoice {
            id: invoice,
            org,
            line,
            month,
            state: dice.pick(InvoiceState::ALL),
            total: dice.amount(),
            paid: dice.amount(),
            credited: dice.amount(),
            claimed: Money::from_micros(claimed),
            recovered: Money::from_micros(claimed / dice.pick(&[1, 2])),
            written_off: dice.amount(),
            net_days: still.count(),
            drafted_at: still.micros(),
            opened_at: dice.maybe(Dice::micros),
            due_at: dice.maybe(Dice::minute),
            changed_at: dice.micros(),
            version: dice.count(),
        });
        let lines = still.some(4, |dice| (dice.window(), bill(dice)));
        self.invoice_lines.extend((0..).zip(lines).map(|(place, (window, bill))| InvoiceLine {
            invoice,
            place,
            month,
            contract,
            provider: org,
            sku: "gb300-nvl72".parse().unwrap(),
            window,
            bill,
        }));
        self.payments.push(Payment {
            id: PaymentId::new(grown(17, place)),
            org,
            amount: Money::from_micros(still.pick(&[1, i64::MAX])),
            reference: still.text(),
            splits: still.some(3, |dice| Split { invoice, amount: dice.amount() }),
            reserves: still.some(3, |dice| Reserve { provider: org, amount: dice.amount() }),
            frees_at: still.minute(),
            freed: dice.pick(&[true, false]),
            recorded_at: still.micros(),
        });
        self.payouts.push(Payout {
            id: PayoutId::new(grown(18, place)),
            org,
            payable: still.pick(Payable::ALL),
            amount: Money::from_micros(still.pick(&[1, i64::MAX])),
            state: dice.pick(PayoutState::ALL),
            reference: still.text(),
            created_at: still.micros(),
            changed_at: dice.micros(),
        });
        self.periods.push(Period {
            month,
            state: dice.pick(&[PeriodState::Closed, PeriodState::Locked]),
            closed_by: user,
            closed_at: still.micros(),
            locked_by: dice.maybe(|_| user),
            locked_at: dice.maybe(Dice::micros),
        });
        self.collections.push(Collection {
            line,
            org,
            reason: still.pick(DefaultReason::ALL),
            decided_by: [user, UserId::new(still.uuid())],
            defaulted: still.amount(),
            claims: dice.some(2, |dice| Claim {
                program: ProgramId::new(dice.uuid()),
                guarantor: org,
                amount: dice.amount(),
                paid: dice.amount(),
                invoices: dice.some(2, |dice| (invoice, dice.amount())),
            }),
            written_off: dice.amount(),
            borne: dice.some(3, |dice| Borne {
                party: bearer(dice, org),
                amount: dice.amount(),
                recovered: dice.amount(),
            }),
            recovered: dice.amount(),
            defaulted_at: still.micros(),
            changed_at: dice.micros(),
            version: dice.count(),
        });
        self.amendments.push(amendment(contract, still));
        self.caps.push(Cap {
            subject: CapSubject::Provider(OrgId::new(grown(1, place))),
            amount: dice.maybe(|dice| Money::from_micros(dice.pick(&[0, 1, i64::MAX]))),
            note: dice.text(),
            set_by: user,
            set_at: dice.micros(),
            version: dice.count(),
        });
        self.incidents.push(incident((place, org, contract), still, dice));
    }
}

/// Whose contracts it hits never changes.
fn incident(
    (place, org, contract): (usize, OrgId, ContractId),
    still: &mut Dice,
    dice: &mut Dice,
) -> Incident {
    let part = |dice: &mut Dice| Part { gpus: dice.many(), window: dice.window() };
    let affected = Affected {
        contract,
        customer: org,
        missing: dice.some(2, part),
        offer: dice.maybe(|dice| Offer {
            pool: PoolId::new(dice.uuid()),
            parts: dice.some(2, part),
            expires_at: dice.minute(),
        }),
        outcome: dice.pick(ShortfallOutcome::ALL),
        decided_at: dice.maybe(Dice::micros),
    };
    Incident {
        id: IncidentId::new(grown(19, place)),
        provider: org,
        pool: PoolId::new(grown(6, place)),
        cause: still.pick(IncidentCause::ALL),
        note: still.text(),
        window: still.window(),
        affected: vec![affected],
        state: dice.pick(IncidentState::ALL),
        opened_at: still.micros(),
        closed_at: dice.maybe(Dice::micros),
        version: dice.count(),
    }
}

fn amendment(contract: ContractId, still: &mut Dice) -> Amendment {
    let mut size = || Size { gpus: still.many(), window: still.window(), value: still.amount() };
    let (before, after) = (size(), size());
    Amendment {
        contract,
        no: 1,
        kind: still.pick(AmendmentKind::ALL),
        effective_at: still.minute(),
        before,
        after,
        moved: still.maybe(|still| Move {
            from: PoolId::new(still.uuid()),
            to: PoolId::new(still.uuid()),
            until: still.minute(),
        }),
        fee: still.amount(),
        held_before: still.amount(),
        held_after: still.amount(),
        made_at: still.micros(),
    }
}

fn bearer(dice: &mut Dice, org: OrgId) -> Bearer {
    match dice.below(4) {
        0 => Bearer::Guarantor(org),
        1 => Bearer::Party(Party::Provider(org)),
        2 => Bearer::Party(Party::Vendor { program: ProgramId::new(dice.uuid()), vendor: org }),
        _ => Bearer::Party(Party::Platform),
    }
}
