//! What vendors buy under their backstops, a rule to a table.

use super::script::check;

#[test]
fn what_is_unsold_at_the_lead_time_is_the_vendors_and_its_providers_whole() {
    check(
        "
        pool     A gb300 400
        program  PG 1:1500 guarantee=8000/5000/150000 backstop=2.50/72/20000 pools=A
        credit   PG                         -> limit=20000.00 available=20000.00
        listing  L1 A 400 5d..6d @3.00 program=PG
        line     C1 250000
        order    O1 C1 200 5d..6d <=3.00    -> contract 14400.00
        now      47h
        backed   B1 L1                      -> nothing
        # 72 hours before: 200 GPUs for 24 hours are unsold, at 2.50.
        now      48h
        backed   B1 L1                      -> contract 12000.00 scheduled L1:200@2.50
        credit   PG                         -> limit=20000.00 available=8000.00 held=12000.00
        books    gua_exposed PG C1          -> 14400.00
        free     A 5d..6d                   -> 0
        told     vendor                     -> credit_line.activated contract.created order.filled
        told     P                          -> listing.sold_out contract.created
        listing  L1                         -> sold_out
        # Delivered: 1165 to 2100, nothing to the vendor or the platform.
        now      6d
        books    1165 vendor                -> 12000.00
        books    2100 P                     -> 23520.00
        books    2200 vendor                -> 2160.00
        books    4100 operator              -> 720.00
        books    1150 vendor                -> 0.00
        credit   PG                         -> available=8000.00 held=0.00 drawn=12000.00
        now      31d
        invoice  vendor                     -> draft 12000.00
        finalize vendor
        invoice  vendor                     -> open 12000.00 12000.00
        books    1165 vendor                -> 12000.00
        books    1100 vendor                -> 0.00
        pay      vendor 12000.00
        books    1165 vendor                -> 0.00
        books    2110 P                     -> 11400.00
        books    2120 P                     -> 600.00
        # What is paid has used the cap up.
        credit   PG                         -> limit=8000.00 available=8000.00 held=0.00 drawn=0.00
        ",
    );
}

#[test]
fn a_backstop_looks_day_by_day_at_what_was_on_offer_when_the_lead_time_came() {
    check(
        "
        pool     A gb300 16
        program  PG 1:1500 backstop=1.00/24/100000 pools=A
        # Published an hour too late for the next day: the first that is backed is the one after.
        now      1h
        listing  L1 A 16 6h..4d @2.00 program=PG
        line     C1 250000
        now      23h
        backed   B1 L1                      -> nothing
        now      24h
        backed   B1 L1                      -> contract 384.00 scheduled L1:16@1.00:48h..72h
        backed   B2 L1 2                    -> nothing
        order    O1 C1 8 75h..80h <=2.00    -> contract 80.00
        now      48h
        # Around what was sold, in pieces.
        backed   B2 L1 2                    -> contract 48.00 L1:16@1.00:72h..75h
        backed   B3 L1 3                    -> contract 40.00 L1:8@1.00:75h..80h
        backed   B4 L1 4                    -> contract 256.00 L1:16@1.00:80h..96h
        backed   B5 L1 5                    -> nothing
        # What is under no program, or is a customer's own resale, is nobody's duty.
        listing  L2 A 16 10d..12d @2.00
        order    O2 C1 16 10d..12d <=2.00   -> contract 1536.00
        resell   R1 O2 C1 16 10d..12d @1.90 -> R1=16:L2@2.00 live
        now      11d
        backed   B6 L2                      -> nothing
        backed   B6 R1                      -> nothing
        ",
    );
}

#[test]
fn a_draft_a_withdrawn_listing_and_a_sleeping_market_buy_nothing_of_the_past() {
    check(
        "
        pool     A gb300 48
        program  PG 1:1500 backstop=1.00/24/100000 pools=A
        listing  L1 A 16 48h..72h @2.00 program=PG draft
        listing  L2 A 16 48h..72h @2.00 program=PG
        listing  L3 A 16 48h..96h @2.00 program=PG
        withdraw L2
        # Nobody woke the market before 54h: what had passed of the day is gone.
        now      54h
        backed   B1 L1                      -> nothing
        backed   B2 L2                      -> nothing
        backed   B3 L3                      -> contract 288.00 L3:16@1.00:54h..72h
        backed   B4 L3 2                    -> contract 384.00 L3:16@1.00:72h..96h
        # A draft is on offer from its release on.
        release  L1
        listing  L1                         -> live
        backed   B1 L1                      -> nothing
        ",
    );
}

#[test]
fn the_cap_takes_as_many_lots_as_fit_and_no_more() {
    check(
        "
        pool     A gb300 64
        program  PG 1:1500 backstop=1.00/24/1000 pools=A
        listing  L1 A 64 48h..96h @2.00 program=PG
        now      24h
        # 64 GPUs for a day are 1,536: 40 of them are 960.
        backed   B1 L1                      -> contract 960.00 L1:40@1.00:48h..72h
        told     P                          -> listing.backstop_short contract.created
        credit   PG                         -> available=40.00 held=960.00
        now      48h
        backed   B2 L1 2                    -> nothing
        told     P                          -> listing.backstop_short
        # What is lost was not bought: the cap has room again.
        now      50h
        report   B1 48h..50h 20
        credit   PG                         -> limit=1000.00 available=80.00
        # A cap falls to what was bought, and no further.
        agree    PG backstop=1.00/24/919    -> refused OutOfBounds
        agree    PG                         -> refused Invalid
        agree    PG backstop=1.00/24/920
        credit   PG                         -> limit=920.00 available=0.00
        agree    PG backstop=1.20/24/2000
        credit   PG                         -> limit=2000.00 available=1080.00
        listing  L2 A 24 5d..6d @2.00 program=PG
        now      4d
        backed   B2 L2                      -> contract 691.20 L2:24@1.20:120h..144h
        ",
    );
}

#[test]
fn a_backstop_that_is_agreed_later_backs_what_is_on_offer_and_its_lead_may_move() {
    check(
        "
        pool     A gb300 16
        program  PG 1:1500 pools=A
        listing  L1 A 16 48h..96h @2.00 program=PG
        listing  L2 A 16 9d..10d @2.00 program=PG
        agree    PG backstop=1.00/24/100000
        now      24h
        backed   B1 L1                      -> contract 384.00 L1:16@1.00:48h..72h
        # A longer lead has come already for what was on offer all the while.
        agree    PG backstop=1.00/48/100000
        now      24h
        backed   B2 L1 2                    -> contract 384.00 L1:16@1.00:72h..96h
        agree    PG backstop=1.00/12/100000
        now      8d
        backed   B3 L2                      -> nothing
        now      204h
        backed   B3 L2                      -> contract 384.00 L2:16@1.00:216h..240h
        ",
    );
}

#[test]
fn the_vendor_sells_on_what_it_bought_and_the_gain_is_its_own() {
    check(
        "
        pool     A gb300 64
        program  PG 1:1500 guarantee=8000/5000/150000 backstop=2.00/24/100000 pools=A
        listing  L1 A 64 48h..72h @2.60 program=PG
        line     C1 250000
        now      24h
        backed   B1 L1                      -> contract 3072.00 L1:64@2.00
        cancelc  B1 vendor                  -> refused NotCapable
        resell   R1 B1 C1 64 48h..58h @2.50 -> refused NotFound
        resell   R1 B1 vendor 64 48h..58h @2.50 -> R1=64:L1@2.00 live
        resell   R2 B1 vendor 64 58h..72h @1.50 -> R2=64:L1@2.00 live
        order    O1 C1 64 48h..58h <=2.50   -> contract 1600.00 R1:64@2.50
        order    O2 C1 64 58h..72h <=1.50   -> contract 1344.00 R2:64@1.50
        # The vendor is made free of what sold at a gain, and makes the rest whole; 1 % of what
        # the buyers pay is the market's.
        credit   PG                         -> limit=100000.00 available=99522.56 held=448.00 \
            drawn=29.44
        credit   C1                         -> held=2944.00
        books    gua_exposed PG C1          -> 0.00
        now      72h
        books    1165 vendor                -> 477.44
        books    1150 C1                    -> 2944.00
        books    2100 P                     -> 3072.00
        books    2200 vendor                -> 0.00
        books    4100 operator              -> 0.00
        books    4200 operator              -> 29.44
        books    2350 vendor                -> 320.00
        now      31d
        finalize C1
        finalize vendor
        pay      C1 2944.00
        pay      vendor 477.44
        books    1165 vendor                -> 0.00
        books    2360 vendor                -> 320.00
        payout   vendor as=customer
        books    2360 vendor                -> 0.00
        credit   PG                         -> limit=99522.56 available=99522.56
        ",
    );
}

#[test]
fn a_vendor_that_does_not_pay_buys_no_more_until_it_does() {
    check(
        "
        officer
        pool     A gb300 16
        program  PG 1:1500 backstop=1.00/24/100000 pools=A
        listing  L1 A 16 48h..72h @2.00 program=PG
        now      24h
        backed   B1 L1                      -> contract 384.00
        now      31d
        finalize vendor
        now      65d
        state    PG                         -> past_due
        listing  L2 A 16 70d..72d @2.00 program=PG
        now      69d
        backed   B2 L2                      -> nothing
        pay      vendor 384.00
        state    PG                         -> active
        now      70d
        backed   B2 L2                      -> contract 384.00
        limit    PG 5.00                    -> refused Invalid
        # Insolvent: what it bought and was not delivered is on the market again.
        default  PG insolvency by=operator
        default  PG insolvency by=officer
        state    PG                         -> defaulted
        free     A 71d..72d                 -> 16
        backed   B2 L2                      -> nothing
        ",
    );
}
