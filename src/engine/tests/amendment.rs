//! Changes to contracts, a rule to a table.

use super::script::check;

#[test]
fn a_fee_is_split_as_what_is_given_up() {
    check(
        "
        pool     A gb300 64
        program  PG 1:1500 guarantee=8000/5000/150000 pools=A
        listing  L1 A 64 24h..744h @2.50 program=PG
        line     C1 250000
        order    O1 C1 64 24h..744h <=2.50 -> contract 115200.00
        books    gua_committed PG C1       -> 88160.00

        # 125 hours are left, 20,000: a quarter of it is 5,000 = 4,000 + 750 + 250.
        now      618h30m
        cancelc  O1 C1 fee=4999.999999     -> refused FeeAbove fee=Money 5000000000
        cancelc  O1 C1 fee=5000 dry        -> 1 cancel gpus=64 24h..619h value=95200.00 fee=5000.00
        books    1150 C1                   -> 0.00
        cancelc  O1 C1 fee=5000            -> cancel value=95200.00 fee=5000.00 held=80.00 was \
            64 24h..744h 115200.00 held=20080.00
        books    1150 C1                   -> 100120.00
        books    2100 P                    -> 80096.00
        books    2200 vendor               -> 15018.00
        books    4100 operator             -> 4756.00
        books    4200 operator             -> 250.00
        credit   C1                        -> available=149800.00 held=80.00 drawn=100120.00
        books    cap_reserved A            -> 32
        books    cap_listed A              -> 8000
        books    gua_exposed PG C1         -> 100200.00
        free     A 619h..744h              -> 64
        terms    O1                        -> cancelled gpus=64 24h..619h value=95200.00 \
            fees=5000.00

        # The slot under way is delivered, and all of it invoiced at the month's end.
        now      744h
        credit   C1                        -> available=149800.00 held=0.00 drawn=100200.00
        invoice  C1                        -> draft 100200.00
        finalize C1
        pay      C1 100200.00
        credit   C1                        -> available=250000.00 held=0.00 drawn=0.00
        books    gua_committed PG C1       -> 0.00
        books    2210 vendor               -> 15030.00
        ",
    );
}

#[test]
fn of_several_programs_each_has_its_part_of_the_fee() {
    check(
        "
        pool     A gb300 64
        program  PG 1:1500 pools=A
        listing  L1 A 4 24h..48h @0.01 program=PG
        listing  L2 A 60 24h..48h @0.37
        line     C1 250000
        order    O1 C1 12 24h..31h <=2.50  -> contract 21.00
        # 0.24 under the program and 17.76 under none are left: the fee is 4.266 + 0.009 + 0.225.
        now      25h
        cancelc  O1 C1                     -> cancel value=3.00 fee=4.50 held=0.00
        books    2100 P                    -> 7.11
        books    2200 vendor               -> 0.015
        books    4100 operator             -> 0.15
        books    4200 operator             -> 0.225
        ",
    );
}

#[test]
fn a_contract_cancelled_before_it_starts_owes_the_fee_with_this_month() {
    check(
        "
        pool     A gb300 64
        listing  L1 A 64 40d..50d @2.50
        line     C1 250000
        order    O1 C1 64 40d..50d <=2.50  -> contract 38400.00
        now      12h
        cancelc  O1 C1                     -> 1 cancel gpus=64 960h..1200h value=0.00 \
            fee=9600.00 held=0.00
        cancelc  O1 C1                     -> refused WrongState state=\"cancelled\"
        shrink   O1 C1 32                  -> refused WrongState
        extend   O1 C1 51d                 -> refused WrongState
        credit   C1                        -> available=240400.00 held=0.00 drawn=9600.00
        terms    O1                        -> cancelled gpus=64 960h..1200h value=0.00 \
            average=2.50 fees=9600.00
        free     A 40d..50d                -> 64
        order    O2 C1 64 40d..50d <=2.50  -> contract 38400.00
        now      31d
        terms    O1                        -> gone
        invoice  C1                        -> draft 9600.00
        cancelc  O1 C1                     -> refused NotFound
        cancelc  O2 C1                     -> cancel fee=9600.00
        now      32d
        now      59d
        terms    O2                        -> gone
        ",
    );
}

#[test]
fn only_its_customer_changes_a_contract() {
    check(
        "
        pool     A gb300 64
        listing  L1 A 64 10h..20h @2.50
        line     C1 9000
        line     C2 9000
        order    O1 C1 64 10h..20h <=2.50  -> contract
        cancelc  O1 C2                     -> refused NotFound
        cancelc  O1 P                      -> refused NotCapable
        cancelc  O9 C1                     -> refused NotFound
        freeze   C1
        cancelc  O1 C1                     -> cancel fee=400.00
        ",
    );
}

#[test]
fn what_is_cancelled_goes_to_who_waits() {
    check(
        "
        pool     A gb300 64
        listing  L1 A 64 10h..20h @2.50
        line     C1 9000
        line     C2 9000
        order    O1 C1 64 10h..20h <=2.50          -> contract 1600.00
        order    O2 C2 64 10h..20h/5h <=2.50 gtc   -> open hold=800.00
        now      11h30m
        shrink   O1 C1 32 from=12h
        order    O2                                -> open
        cancelc  O1 C1                             -> 2 cancel 10h..12h value=320.00 fee=160.00
        order    O2                                -> contract 800.00 12h..17h
        terms    O1                                -> cancelled gpus=64 fees=320.00
        free     A 17h..20h                        -> 64
        ",
    );
}

#[test]
fn the_last_slot_cannot_be_cancelled() {
    check(
        "
        pool     A gb300 64
        listing  L1 A 64 10h..30h @2.50
        line     C1 9000
        order    O1 C1 64 10h..20h <=2.50          -> contract 1600.00
        now      19h
        cancelc  O1 C1 dry                         -> cancel 10h..19h fee=40.00
        now      19h1m
        cancelc  O1 C1                             -> refused TooFar
        shrink   O1 C1 4                           -> refused TooFar
        extend   O1 C1 30h                         -> extend 10h..30h value=3200.00
        cancelc  O1 C1                             -> 2 cancel 10h..20h value=1600.00 fee=400.00
        ",
    );
}

#[test]
fn the_dearest_goes_first() {
    check(
        "
        pool     A gb300 144
        listing  L1 A 40 10h..20h @2.00
        listing  L2 A 60 10h..30h @3.00
        line     C1 90000
        order    O1 C1 60 12h..20h <=2.99  -> contract L1:40@2.00 L2:20@3.00
        shrink   O1 C1 62                  -> refused OutOfBounds least=4 most=59
        shrink   O1 C1 0                   -> refused OutOfBounds
        shrink   O1 C1 60                  -> refused OutOfBounds
        shrink   O1 C1 30                  -> refused OffLot
        shrink   O1 C1 32 from=16h30m      -> refused OffSlot
        shrink   O1 C1 32 from=11h         -> refused InThePast
        shrink   O1 C1 32 from=20h         -> refused TooFar
        # 4 hours of 20 at 3.00 and 8 at 2.00 are 304: a quarter is 76.
        shrink   O1 C1 32 from=16h         -> 1 shrink gpus=32 12h..20h value=816.00 fee=76.00 \
            held=816.00 was 60 12h..20h 1120.00 held=1120.00
        terms    O1                        -> scheduled 60<16h gpus=32 L1:40@2.00:12h..16h \
            L2:20@3.00:12h..16h L1:32@2.00:16h..20h fees=76.00
        shrink   O1 C1 40 from=14h         -> refused OutOfBounds most=31
        shrink   O1 C1 28 from=14h         -> 2 shrink gpus=28 12h..20h value=616.00 fee=50.00 \
            held=616.00
        terms    O1                        -> scheduled 60<14h gpus=28
        now      15h
        now      20h
        accrued  O1                        -> completed 616.00 288
        credit   C1                        -> held=0.00 drawn=742.00
        ",
    );
}

#[test]
fn more_time_costs_what_the_listings_ask() {
    check(
        "
        pool     A gb300 64
        pool     B gb300 64 at=sydney
        listing  L1 A 64 10h..20h @2.50
        listing  L2 A 32 20h..40h @2.00 minh=4
        listing  L3 A 32 20h..40h @3.00
        listing  L4 B 64 20h..40h @1.00
        line     C1 3000
        order    O1 C1 64 10h..20h <=2.50  -> contract 1600.00
        extend   O1 C1 20h                 -> refused Invalid
        extend   O1 C1 24h30m              -> refused OffSlot
        extend   O1 C1 4000d               -> refused TooFar
        extend   O1 C1 22h                 -> refused capacity
        extend   O1 C1 24h <=2.49          -> refused price
        extend   O1 C1 24h <=2.505         -> refused OffTick
        extend   O1 C1 40h                 -> refused credit missing=1800.00
        extend   O1 C1 24h <=2.50          -> 1 extend gpus=64 10h..24h value=2240.00 fee=0.00 \
            held=2240.00 was 64 10h..20h 1600.00
        terms    O1                        -> 10h..24h average=2.50 L1:64@2.50:10h..20h \
            L2:32@2.00:20h..24h L3:32@3.00:20h..24h
        books    cap_reserved A            -> 896
        now      20h
        accrued  O1                        -> active 0.00
        now      24h
        accrued  O1                        -> completed 2240.00 896
        ",
    );
}

#[test]
fn more_gpus_cost_what_the_listings_ask() {
    check(
        "
        pool     A gb300 128
        listing  L1 A 64 10h..20h @2.50
        listing  L2 A 64 10h..20h @3.00 notice=2
        line     C1 9000
        order    O1 C1 32 10h..20h <=2.50  -> contract 800.00
        grow     O1 C1 32                  -> refused OutOfBounds least=33
        grow     O1 C1 34                  -> refused OffLot
        grow     O1 C1 132                 -> refused capacity
        grow     O1 C1 96 <=2.70           -> refused price
        grow     O1 C1 96 from=16h         -> 1 grow gpus=96 10h..20h value=1504.00 fee=0.00
        grow     O1 C1 128 from=15h        -> refused Invalid
        terms    O1                        -> 32<16h gpus=96
        # Before it grows it can still become smaller, from then on.
        shrink   O1 C1 32 from=12h         -> refused OutOfBounds most=31
        shrink   O1 C1 32 from=16h         -> 2 shrink gpus=32 value=800.00 fee=176.00
        terms    O1                        -> scheduled gpus=32 10h..20h value=800.00 \
            average=2.50 L1:32@2.50:10h..20h
        now      9h30m
        grow     O1 C1 128                 -> refused capacity    # L2 wants to know earlier
        grow     O1 C1 128 from=12h        -> grow gpus=128
        freeze   C1
        grow     O1 C1 132                 -> refused Invalid
        extend   O1 C1 21h                 -> refused capacity
        cancelc  O1 C1                     -> 4 cancel value=0.00
        ",
    );
}

#[test]
fn what_is_added_is_guaranteed_under_the_program_of_now() {
    check(
        "
        pool     A gb300 64
        program  PG 1:1500 guarantee=8000/500/5000 pools=A
        program  PH 1:2000 guarantee=5000/0/1000 pools=A
        listing  L1 A 64 10h..20h @2.50 program=PG
        listing  L2 A 64 20h..30h @2.50 program=PH
        listing  L3 A 64 30h..40h @2.50
        line     C1 9000
        order    O1 C1 64 10h..20h <=2.50  -> contract 1600.00
        books    gua_committed PG C1       -> 880.00
        extend   O1 C1 30h                 -> extend value=3200.00
        terms    O1                        -> PG.1 PH.1 880.00/1600.00 800.00/1600.00
        books    gua_exposed PH C1         -> 1600.00
        books    gua_committed PH C1       -> 800.00
        extend   O1 C1 40h                 -> extend value=4800.00
        terms    O1                        -> PG.1 PH.1
        # Half of the last twenty hours goes, 1,600; of the fee of 400 half is covered by PH.
        shrink   O1 C1 32 from=20h         -> shrink value=3200.00 fee=400.00
        books    gua_exposed PH C1         -> 1000.00
        books    gua_committed PH C1       -> 500.00
        books    gua_exposed PG C1         -> 1600.00
        now      25h
        cancelc  O1 C1                     -> cancel 10h..25h value=2000.00 fee=300.00
        books    2100 P                    -> 2185.00
        books    gua_exposed PH C1         -> 700.00
        now      31d
        finalize C1
        pay      C1 2700.00
        credit   C1                        -> available=9000.00
        books    gua_exposed PH C1         -> 0.00
        books    gua_committed PG C1       -> 0.00
        ",
    );
}

#[test]
fn a_terminated_contract_ends_with_the_minute() {
    check(
        "
        pool     A gb300 64
        program  PG 1:1500 guarantee=8000/500/5000 pools=A
        listing  L1 A 64 10h..20h @2.50 program=PG
        listing  L2 A 64 40h..50h @2.50 program=PG
        line     C1 9000
        line     C2 9000
        order    O1 C1 64 10h..20h <=2.50        -> contract 1600.00
        order    O2 C1 64 40h..50h <=2.50        -> contract 1600.00
        order    O3 C2 64 10h..20h/5h <=2.50 gtc -> open
        now      12h30m
        terminate O1
        terms    O1                              -> terminated 10h..750m value=400.00 fees=0.00
        order    O3                              -> contract 800.00
        terminate O2
        terms    O2                              -> terminated 40h..50h value=0.00
        credit   C1                              -> held=0.00 drawn=400.00
        books    gua_exposed PG C1               -> 400.00
        terminate O2
        now      31d
        terms    O1                              -> gone
        terms    O2                              -> gone
        invoice  C1                              -> draft 400.00
        ",
    );
}

#[test]
fn a_cancelled_contract_that_still_delivers_can_be_terminated() {
    check(
        "
        pool     A gb300 64
        listing  L1 A 64 10h..20h @2.50
        line     C1 9000
        order    O1 C1 64 10h..20h <=2.50 -> contract 1600.00
        now      12h15m
        cancelc  O1 C1                    -> cancel 10h..13h value=480.00 fee=280.00 held=120.00
        now      12h30m
        terminate O1
        terms    O1                       -> cancelled value=400.00 fees=280.00
        credit   C1                       -> held=0.00 drawn=680.00
        ",
    );
}
