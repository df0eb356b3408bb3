//! Orders, quotes and contracts, a rule to a table.

use super::script::check;

#[test]
fn a_minute_cannot_be_sold_twice() {
    check(
        "
        pool    A gb300 144
        listing L1 A 144 10h..34h @2.50
        line    C1 9000
        order   O1 C1 72 10h..20h <=2.50   -> contract 1800.00 A 10h..20h gpus=72 filled
        order   O2 C1 144 12h..14h <=9.99  -> expired capacity at=12h free=72
        order   O1 C1 72 10h..20h <=2.50   -> known contract 1800.00   # same key, same answer
        free    A 10h..20h                 -> 72
        credit  C1                         -> available=7200.00 held=1800.00
        ",
    );
}

#[test]
fn a_block_stacks_listings_of_one_pool_in_quantity_and_time() {
    check(
        "
        pool    A gb300 144
        listing L1 A 40 10h..20h @2.00
        listing L2 A 60 10h..30h @3.00
        line    C1 90000
        order   O1 C1 60 12h..24h <=2.99   -> contract L1:40@2.00 L2:20@3.00 L2:60@3.00:20h..24h
        order   O2 C1 60 20h..24h <=9.00   -> expired capacity
        ",
    );
}

#[test]
fn nobody_pays_more_than_the_limit_on_average() {
    check(
        "
        pool    A gb300 144
        listing L1 A 40 10h..20h @2.00
        listing L2 A 40 10h..20h @3.00
        line    C1 90000
        order   O1 C1 80 10h..20h <=2.49   -> expired price best=2.50 higher_price
        order   O2 C1 80 10h..20h <=2.50   -> contract 2000.00
        ",
    );
}

#[test]
fn a_block_comes_from_one_site() {
    check(
        "
        pool    A gb300 72 at=batam
        pool    B gb300 72 at=sydney
        listing L1 A 72 10h..20h @2.00
        listing L2 B 72 10h..20h @2.00
        line    C1 90000
        order   O1 C1 144 10h..20h <=9.00  -> expired capacity free=72 fewer_gpus 72
        order   O2 C1 72 10h..20h <=9.00 in=sydney -> contract B L2:72
        order   O3 C1 72 10h..20h <=9.00 in=sydney -> expired capacity other_region 72 10h batam
        ",
    );
}

#[test]
fn the_cheapest_start_in_the_range_is_found() {
    check(
        "
        pool    A gb300 144
        listing L1 A 72 10h..20h @3.00
        listing L2 A 72 15h..40h @2.00
        line    C1 90000
        order   O1 C1 72 10h..30h/10h <=9.00 -> contract 1440.00 15h..25h
        order   O2 C1 72 10h..30h/10h <=9.00 -> contract 10h..20h
        order   O3 C1 72 10h..30h/10h <=9.00 -> expired capacity
        ",
    );
}

#[test]
fn a_resting_order_holds_credit_and_fills_when_supply_appears() {
    check(
        "
        pool    A gb300 144
        listing L1 A 72 10h..20h @3.00
        line    C1 5000
        line    C2 5000
        order   O1 C1 72 10h..20h <=2.50 gtc -> open price hold=1800.00
        order   O2 C2 72 10h..20h <=2.80 gtc -> open price hold=2016.00
        credit  C2                           -> available=2984.00 held=2016.00
        reprice L1 @2.50
        order   O2                           -> contract 1800.00   # the higher limit goes first
        credit  C2                           -> available=3200.00 held=1800.00
        order   O1                           -> open
        listing L2 A 72 10h..20h @2.40
        order   O1                           -> contract 1728.00 L2
        credit  C1                           -> available=3272.00 held=1728.00
        ",
    );
}

#[test]
fn a_resting_order_ends_by_time_by_date_or_by_its_owner() {
    check(
        "
        pool    A gb300 144
        line    C1 50000
        order   O1 C1 72 10h..20h <=2.50 gtc         -> open no_listing hold=1800.00
        order   O2 C1 72 10h..40h/10h <=2.50 gtd=5h  -> open hold=1800.00
        order   O3 C1 72 10h..20h <=2.50 gtc         -> open
        cancel  O3 C1                                -> cancelled cancelled hold=0.00
        cancel  O3 C1                                -> refused NotFound   # it is over
        now     5h
        order   O2                                   -> gone
        now     10h
        order   O1                                   -> open
        now     10h1m
        order   O1                                   -> gone
        credit  C1                                   -> available=50000.00 held=0.00
        ",
    );
}

#[test]
fn credit_is_the_last_gate() {
    check(
        "
        pool    A gb300 144
        listing L1 A 144 10h..34h @2.50
        line    C1 1000
        line    C2 0
        order   O1 C1 72 10h..20h <=2.50     -> refused credit missing=800.00
        order   O2 C2 72 10h..20h <=2.50     -> refused NoCreditLine
        free    A 10h..20h                   -> 144
        order   O3 C1 40 10h..20h <=2.50     -> contract 1000.00
        order   O4 C1 4 10h..11h <=2.50      -> refused credit missing=10.00
        freeze  C1
        order   O5 C1 4 10h..11h <=2.50      -> refused CreditLineState
        ",
    );
}

#[test]
fn a_firm_quote_keeps_capacity_and_credit_until_its_time() {
    check(
        "
        pool    A gb300 72
        listing L1 A 72 10h..34h @2.50
        line    C1 9000
        line    C2 9000
        quote   Q0 C1 72 10h..20h            -> 1800.00 10h..20h after=7200.00
        quote   Q1 C1 72 10h..20h firm=300   -> 1800.00 10h..20h L1:72@2.50 after=7200.00
        order   O1 C2 72 10h..20h <=9.00     -> expired capacity
        order   O2 C2 72 10h..20h <=9.00 gtc -> open
        take    O3 C2 Q1                     -> refused NotFound    # somebody else's
        take    O4 C1 Q1                     -> contract 1800.00 filled
        take    O6 C1 Q1                     -> refused NotFound    # taken
        quote   Q2 C1 72 20h..30h firm=60    -> 1800.00
        now     1m
        take    O5 C1 Q2                     -> refused NotFound    # lapsed
        credit  C1                           -> available=7200.00 held=1800.00
        free    A 20h..30h                   -> 72
        quote   Q3 C1 72 20h..30h firm=901   -> refused OutOfBounds
        quote   Q4 C1 144 20h..30h firm=60   -> refused capacity
        ",
    );
}

#[test]
fn what_a_lapsed_quote_held_goes_to_who_waits() {
    check(
        "
        pool    A gb300 72
        listing L1 A 72 10h..34h @2.50
        line    C1 9000
        line    C2 9000
        quote   Q1 C1 72 10h..20h firm=60    -> 1800.00
        order   O1 C2 72 10h..20h <=2.50 gtc -> open capacity
        now     1m
        order   O1                           -> contract 1800.00
        ",
    );
}

#[test]
fn a_contract_starts_ends_and_is_earned() {
    check(
        "
        pool    A gb300 72
        program V 1:1500 guarantee=8000/500/1000 pools=A
        listing L1 A 72 10h..34h @2.50 program=V
        line    C1 9000
        order   O1 C1 72 10h..20h <=2.50     -> contract 1800.00
        contract O1                          -> contract 1800.00 scheduled guaranteed=1000.00
        now     10h
        contract O1                          -> contract active
        now     20h
        contract O1                          -> contract completed
        credit  C1                           -> available=7200.00 held=0.00 drawn=1800.00
        now     744h
        contract O1                          -> gone
        invoice C1                           -> draft 1800.00
        ",
    );
}

#[test]
fn fewer_gpus_will_do_when_the_order_says_so() {
    check(
        "
        pool    A gb300 72
        listing L1 A 72 10h..34h @2.50
        line    C1 9000
        order   O1 C1 40 10h..20h <=2.50               -> contract gpus=40
        order   O2 C1 72 10h..20h <=2.50 atleast=36    -> expired capacity free=32
        order   O3 C1 72 10h..20h <=2.50 atleast=4     -> contract gpus=32 filled
        order   O4 C1 72 10h..20h <=2.50 atleast=76    -> refused OutOfBounds
        ",
    );
}

#[test]
fn shape_faults_are_refused_with_the_nearest_legal_value() {
    check(
        "
        pool    A gb300 72
        listing L1 A 72 10h..34h @2.50
        line    C1 9000
        now     5h30m
        order   O1 C1 70 10h..20h <=2.50      -> refused OffLot lot=4 given=70
        order   O2 C1 72 10h30m..20h30m <=2.5 -> refused OffSlot
        order   O3 C1 72 10h..20h30m <=2.50   -> refused OffSlotDuration
        order   O4 C1 72 10h..20h <=2.505     -> refused OffTick
        order   O5 C1 72 5h..6h <=2.50        -> refused InThePast
        order   O6 C1 72 10h..20h <=2.50 sku=b200      -> refused Unknown
        order   O7 C1 72 10h..20h <=2.50 in=mars       -> refused Unknown
        order   O8 C1 0 10h..20h <=2.50       -> refused OutOfBounds
        order   O9 C1 72 10h..20h <=0.00      -> refused PriceOutOfBounds
        order   O10 C1 72 10h..20h            -> refused Invalid
        order   O11 C1 72 3000d..3001d <=2.50 -> refused TooFar
        order   O12 C1 72 10h..20h <=2.50 gtd=5h -> refused InThePast
        ",
    );
}
