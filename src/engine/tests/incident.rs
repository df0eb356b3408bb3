//! Shortfalls: who runs short, what is offered, and how it ends. A rule to a table.

use super::super::{Engine, Settings};
use super::script::{Stage, check};

#[test]
fn the_contract_made_last_runs_short_first_and_pays_for_nothing_it_does_not_get() {
    check(
        "
        pool     A gb300 144
        program  PG 1:1500 guarantee=8000/0/150000 pools=A
        listing  L1 A 144 24h..48h @2.50 program=PG
        line     C1 90000
        line     C2 90000
        order    O1 C1 64 24h..48h <=2.50  -> contract 3840.00
        order    O2 C2 64 24h..48h <=2.50  -> contract 3840.00
        # 32 of 144 are away: 16 of them are free, 16 are the younger contract's.
        maintain A 30h..40h 32             -> touched O2
        told     C2                        -> incident.opened contract.degraded
        told     C1                        ->
        incident A                         -> open maintenance O2 lost 16:30h..40h
        contract O2                        -> contract 3440.00 degraded scheduled
        credit   C2                        -> available=86560.00 held=3440.00
        books    gua_exposed PG C2         -> 3440.00
        accept   O2 C2                     -> refused WrongState state=\"lost\"
        # Nobody is sold what is away, and what is lost is lost once.
        order    O3 C1 4 30h..40h <=2.50   -> expired capacity
        maintain A 36h..44h 8              -> touched O2
        contract O2                        -> contract 3360.00
        now      39h
        contract O2                        -> contract 3360.00 degraded active
        now      40h
        incident A                         -> none
        told     C2                        -> contract.compensated incident.closed \
            contract.compensated contract.restored incident.closed
        contract O2                        -> contract 3360.00 active
        now      48h
        books    1150 C2                   -> 3360.00
        books    2100 P                    -> 5760.00
        books    2200 vendor               -> 1080.00
        books    cap_lost A                -> 192
        # 1,344 of 1,536 GPU-hours are 87.5 %: a quarter of the charge is credited.
        now      31d
        invoice  C2                        -> draft 2520.00
        ",
    );
}

#[test]
fn what_others_offer_of_theirs_makes_nobody_whole() {
    check(
        "
        pool     A gb300 64
        pool     S gb300 64
        listing  L1 A 64 24h..48h @2.50
        listing  L2 S 64 0h..100h @9.00
        line     C1 9000
        line     C2 9000
        order    O1 C1 32 24h..48h <=2.50  -> contract
        order    O2 C2 32 24h..48h <=2.50  -> contract
        maintain A 30h..40h 16             -> touched O2
        incident A                         -> O2 offered 16:30h..40h in S 32:30h..40h
        # O1's part stays O1's until it is sold.
        resell   R1 O1 C1 16 30h..40h @2.40 -> R1=16:L1@2.50 live
        incident A                         -> O2 offered 16:30h..40h in S 32:30h..40h
        ",
    );
}

#[test]
fn another_pool_of_the_provider_stands_in_at_the_price_that_was_agreed() {
    check(
        "
        pool     A gb300 64
        pool     S gb300 64
        pool     X gb300 64 by=Q
        pool     Y gb300 64 at=sydney
        listing  L1 A 64 24h..48h @2.50
        listing  L2 S 64 0h..100h @9.00
        line     C1 9000
        line     C2 9000
        order    O1 C1 64 24h..48h <=2.50  -> contract 3840.00
        # One site: all 64 move, and the place is held until the answer.
        maintain A 30h..40h 16             -> touched O1
        incident A                         -> O1 offered 16:30h..40h in S 64:30h..40h by=1440m
        told     C1                        -> incident.opened contract.degraded \
            contract.substitution_offered
        order    O2 C2 4 30h..34h <=9.00   -> expired capacity
        contract O1                        -> contract 3840.00 degraded
        shrink   O1 C1 32                  -> refused WrongState kind=\"substitution\"
        accept   O1 C2                     -> refused NotFound kind=\"incident\"
        accept   O1 P                      -> refused NotCapable
        accept   O1 C1                     -> closed maintenance O1 substituted
        moved    O1                        -> S:64:30h..40h
        told     C1                        -> contract.substituted contract.restored incident.closed
        contract O1                        -> contract 3840.00 scheduled
        accept   O1 C1                     -> refused NotFound
        credit   C1                        -> available=5160.00 held=3840.00
        # What the contract left behind is free, as far as it is there.
        listing  L3 A 52 30h..40h @3.00    -> refused BeyondInstalled
        listing  L3 A 48 30h..40h @3.00
        order    O3 C2 48 30h..40h <=3.00  -> contract A
        maintain S 30h..40h 4              -> refused OutOfBounds
        # Less of the contract needs less of the other pool.
        now      10h
        shrink   O1 C1 32 from=35h         -> shrink gpus=32 value=2800.00
        moved    O1                        -> S:64:30h..35h S:32:35h..40h
        free     S 35h..40h                -> 32
        now      33h
        cancelc  O1 C1                     -> cancel
        moved    O1                        -> S:64:30h..33h
        free     S 34h..40h                -> 64
        ",
    );
}

#[test]
fn who_does_not_answer_in_time_or_declines_is_compensated() {
    check(
        "
        pool     A gb300 64
        pool     S gb300 64
        listing  L1 A 64 24h..72h @2.50
        listing  L2 S 64 0h..100h @9.00
        line     C1 90000
        line     C2 90000
        order    O1 C1 32 24h..72h <=2.50  -> contract 3840.00
        order    O2 C2 32 24h..72h <=2.50  -> contract 3840.00
        maintain A 30h..40h 48             -> touched O2 O1
        incident A                         -> O2 offered 32:30h..40h in S 32:30h..40h by=1440m \
            O1 offered 16:30h..40h in S 32:30h..40h by=1440m
        reject   O1 C1                     -> open O2 offered O1 lost
        contract O1                        -> contract 3440.00 degraded
        free     S 30h..40h                -> 32
        reject   O1 C1                     -> refused WrongState state=\"lost\"
        now      24h
        incident A                         -> O2 lost O1 lost
        contract O2                        -> contract 3040.00 degraded active
        free     S 30h..40h                -> 64
        now      40h
        incident A                         -> none
        contract O2                        -> contract 3040.00 active

        # It begins at once: an hour to think, and what is short before the answer is lost.
        maintain A 40h..50h 32             -> touched O2
        incident A                         -> O2 offered 32:40h..50h in S 32:40h..50h by=2460m
        now      40h30m
        accept   O2 C2                     -> closed O2 substituted
        contract O2                        -> contract 3000.00
        moved    O2                        -> S:32:2430m..50h
        ",
    );
}

#[test]
fn who_has_enough_again_before_the_answer_stays() {
    check(
        "
        pool     A gb300 64
        pool     S gb300 64
        listing  L1 A 64 24h..72h @2.50
        line     C1 90000
        line     C2 90000
        order    O1 C1 32 24h..72h <=2.50  -> contract 3840.00
        order    O2 C2 32 24h..72h <=2.50  -> contract 3840.00
        maintain A 30h..40h 32             -> touched O2
        mended   A 2                       -> refused OutOfBounds
        mended   A 1
        incident A                         -> none
        contract O2                        -> contract 3840.00 scheduled
        told     C2                        -> contract.substitution_offered contract.restored
        maintain A 30h..40h 32             -> touched O2
        cancelc  O1 C1
        incident A                         -> none
        maintain A 30h..40h 32             -> touched O2
        cancelc  O2 C2
        incident A                         -> none
        free     S 30h..40h                -> 0
        now      41h
        mended   A 1                       -> refused WrongState kind=\"maintenance\" state=\"over\"
        ",
    );
}

#[test]
fn a_late_phase_is_an_incident_too() {
    check(
        "
        pool     A gb300 64 from=24h
        listing  L1 A 64 24h..72h @2.50
        line     C1 90000
        order    O1 C1 64 24h..72h <=2.50  -> contract 7680.00
        quote    Q1 C1 4 1d..2d firm=300   -> refused
        postpone A 2 30h                   -> refused OutOfBounds
        postpone A 1 24h                   -> refused OutOfBounds
        postpone A 1 30h                   -> touched O1
        incident A                         -> open late_phase O1 lost 64:24h..30h
        contract O1                        -> contract 6720.00 degraded
        postpone A 1 33h                   -> touched O1
        contract O1                        -> contract 6240.00 degraded
        cancelc  O1 C1                     -> cancel fee=1560.00
        incident A                         -> none
        order    O2 C1 64 24h..30h <=2.50  -> expired capacity
        order    O3 C1 64 33h..40h <=2.50  -> contract 1120.00
        now      33h
        postpone A 1 40h                   -> refused InThePast
        ",
    );
}

#[test]
fn a_firm_quote_that_no_longer_fits_ends_and_a_default_ends_what_is_offered() {
    check(
        "
        pool     A gb300 64
        pool     S gb300 64
        listing  L1 A 64 24h..72h @2.50
        line     C1 90000
        order    O1 C1 32 24h..72h <=2.50  -> contract 3840.00
        quote    Q1 C1 32 30h..40h firm=300
        maintain A 35h..45h 32             -> touched
        told     C1                        -> quote.expired
        incident A                         -> none
        maintain A 35h..45h 8              -> touched O1
        incident A                         -> O1 offered
        now      37h
        terminate O1                       -> done
        incident A                         -> none
        ",
    );
}

#[test]
fn a_place_is_as_good_or_better_and_near() {
    check(
        "
        pool     A gb300 64
        pool     F gb300 64 at=sydney
        pool     G h200 64
        pool     H gb300x 64
        pool     K gb300 64
        listing  L1 A 64 24h..72h @2.50
        line     C1 90000
        line     C2 90000
        line     C3 90000
        order    O1 C1 16 24h..72h <=2.50  -> contract 1920.00
        order    O2 C2 24 24h..72h <=2.50  -> contract 2880.00
        order    O3 C3 24 24h..72h <=2.50  -> contract 2880.00
        maintain K 24h..72h 40
        # The same SKU first, then one with more memory; not another country, not another GPU.
        maintain A 30h..40h 64             -> touched O3 O2 O1
        incident A                         -> O3 offered in K O2 offered in H O1 offered in H
        accept   O2 C2                     -> open O2 substituted
        accept   O3 C3                     -> open O3 substituted
        contract O2                        -> contract 2880.00 scheduled
        # A lender's own work cannot take what it has lent.
        maintain H 30h..40h 28             -> refused OutOfBounds
        maintain H 30h..40h 24
        ",
    );
}

#[test]
fn a_contract_hit_twice_is_short_once_and_moves_once() {
    check(
        "
        pool     A gb300 64
        pool     S gb300 32
        pool     T gb300 32
        listing  L1 A 64 24h..72h @2.50
        line     C1 90000
        order    O1 C1 32 24h..72h <=2.50  -> contract 3840.00
        maintain A 30h..40h 40             -> touched O1
        maintain A 35h..45h 16             -> touched O1
        incident A                         -> offered 8:30h..40h in S 32:30h..40h
        accept   O1 C1                     -> closed O1 substituted
        # Moved in full, it is short no more in the second incident: that place is free again.
        incident A                         -> none
        moved    O1                        -> S:32:30h..40h
        contract O1                        -> contract 3840.00 scheduled
        maintain A 42h..46h 40             -> touched O1
        incident A                         -> offered 24:42h..45h,8:45h..46h in S 32:42h..46h
        ",
    );
}

#[test]
fn an_answer_is_due_before_the_invoice_of_what_is_short() {
    check(
        "
        pool     A gb300 64
        pool     S gb300 64
        listing  L1 A 64 720h..800h @2.50
        line     C1 90000
        order    O1 C1 64 720h..800h <=2.50  -> contract 12800.00
        now      743h30m
        maintain A 743h30m..760h 16        -> touched O1
        incident A                         -> offered 16:44610m..760h by=44640m
        now      744h
        incident A                         -> O1 lost
        contract O1                        -> contract 12140.00 degraded
        # January's draft has it, 3,820.00; 99.479 % of the promise is credited with 5 %.
        invoice  C1                        -> draft 3629.00
        ",
    );
}

#[test]
fn a_shortfall_that_no_incident_knows_of_is_found() {
    let mut stage = Stage::new();
    for line in [
        "pool A gb300 64",
        "pool S gb300 64",
        "listing L1 A 64 24h..72h @2.50",
        "line C1 90000",
        "order O1 C1 64 24h..72h <=2.50",
        "maintain A 30h..40h 16",
    ] {
        stage.line(line, 0);
    }
    let found = |spoil: fn(&mut crate::engine::snapshot::Snapshot)| {
        let mut snapshot = stage.engine.snapshot();
        spoil(&mut snapshot);
        Engine::restore(Settings::default(), snapshot).audit().join("; ")
    };
    assert_eq!(found(|_| {}), "");
    let none = found(|it| it.incidents.clear());
    assert!(none.contains("16 short at") && none.contains("no incident says"), "{none}");
    let fewer = found(|it| it.incidents[0].affected[0].missing[0].gpus = 12);
    assert!(fewer.contains("16 short at"), "{fewer}");
    let unflagged = found(|it| std::sync::Arc::make_mut(&mut it.contracts[0]).degraded = false);
    assert!(unflagged.contains("is short and no incident says so"), "{unflagged}");
    let closed = found(|it| {
        it.incidents[0].state = crate::engine::incident::IncidentState::Closed;
    });
    assert!(closed.contains("closed and still in memory"), "{closed}");
}

#[test]
fn what_runs_short_is_nobody_elses() {
    check(
        "
        pool     A gb300 96
        listing  L1 A 96 24h..124h @2.00
        line     C1 90000
        line     C2 90000
        order    O1 C1 96 24h..48h <=2.00   -> contract 4608.00
        resell   R1 O1 C1 48 30h..40h @2.10
        free     A 30h..40h                 -> 48
        # Half of the pool goes away: what is on offer is needed by the contract itself.
        maintain A 32h..36h 48              -> touched O1
        free     A 30h..40h                 -> -48
        sold     O1                         -> nothing
        contract O1                         -> contract 4224.00 degraded
        order    O2 C2 4 30h..32h <=2.10    -> expired
        resell   R2 O1 C1 4 40h..44h @2.10  -> refused WrongState state=\"degraded\"
        transfer O1 C1 C2                   -> refused
        ",
    );
}
