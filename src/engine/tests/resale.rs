//! Parts of contracts that are sold on, a rule to a table.

use super::script::check;

#[test]
fn a_part_sold_below_its_price_is_made_whole() {
    check(
        "
        pool     A gb300 128
        program  PG 1:1500 guarantee=8000/5000/150000 pools=A
        listing  L1 A 128 24h..124h @2.50 program=PG
        line     C1 250000
        line     C2 250000
        # 128 GPUs for 100 hours: 320 an hour. Half of it, at 160 an hour, is sold on for ten hours.
        order    O1 C1 128 24h..124h <=2.50 -> contract 32000.00
        books    gua_exposed PG C1          -> 32000.00
        order    O9 C2 64 30h..40h <=2.40   -> expired capacity
        resell   R1 O1 C1 64 30h..40h @2.34375 -> refused OffTick
        resell   R1 O1 C1 64 30h..40h @2.35 dry -> R1=64:L1@2.50 live value=30496.00 fee=15.04 \
            held=30496.00 was 32000.00 held=32000.00 proceeds=1504.00 make-whole=96.00 gain=0.00 \
            parts=25600.00+4800.00+1600.00+0.00 then=25600.00+4800.00+1600.00+0.00
        sold     O1                         -> nothing
        resell   R1 O1 C1 64 30h..40h @2.35 -> R1=64:L1@2.50 live
        credit   C1                         -> available=218000.00 held=32000.00
        sold     O1                         -> offers R1:64@2.50:30h..40h sold bought
        free     A 30h..40h                 -> 64
        order    O8 C1 64 30h..40h <=2.50   -> expired capacity
        order    O2 C2 64 30h..40h <=2.35   -> contract 1504.00 R1:64@2.35:30h..40h
        told     C1                         -> listing.published listing.sold_out contract.resold
        free     A 30h..40h                 -> 0
        sold     O1                         -> offers sold R1:64@0.15:30h..40h bought
        sold     O2                         -> offers sold bought R1/C1@2.50
        # The hold for the part is released but for the difference, and 1 % of 1,504 is the fee.
        credit   C1                         -> available=219488.96 held=30496.00 drawn=15.04
        credit   C2                         -> available=248496.00 held=1504.00
        books    4200 operator              -> 15.04
        books    gua_exposed PG C1          -> 30496.00
        books    gua_exposed PG C2          -> 1504.00
        went     O1                         -> cap_listed=-12800 cap_reserved=12160 cap_resold=640
        went     O2                         -> cap_reserved=640 cap_resold=-640
        books    cap_resold A               -> 0
        books    cap_reserved A             -> 12800

        # Each resold hour: 150.40 + 9.60 = 128 + 24 + 8, beside 160 of the half that was kept.
        now      30h
        report   O1 29h..30h 0
        books    1150 C1                    -> 1935.04
        books    2100 P                     -> 1536.00
        now      31h
        report   O1 30h..31h 0
        report   O2 30h..31h 0
        books    1150 C1                    -> 2104.64
        books    1150 C2                    -> 150.40
        books    2100 P                     -> 1792.00
        books    2200 vendor                -> 336.00
        books    4100 operator              -> 112.00
        accrued  O1                         -> active 2089.60 832 lost=0 unbilled=2104.64
        accrued  O2                         -> active 150.40 64 lost=0
        now      124h
        went     O1                         -> cap_listed=-12800 cap_reserved=0 \
            cap_delivered=12160 cap_resold=640
        went     O2                         -> cap_reserved=0 cap_delivered=640 cap_resold=-640
        books    2100 P                     -> 25600.00
        books    2200 vendor                -> 4800.00
        books    4100 operator              -> 1600.00
        now      31d
        invoice  C1                         -> draft 30511.04
        invoice  C2                         -> draft 1504.00
        finalize C1
        finalize C2
        pay      C1 30511.04
        pay      C2 1504.00
        credit   C1                         -> available=250000.00
        credit   C2                         -> available=250000.00
        books    gua_committed PG C1        -> 0.00
        books    gua_exposed PG C2          -> 0.00
        payout   P
        payout   vendor as=vendor
        payout   C1 as=customer             -> refused
        now      130d
        payout   P
        # What is left is the platform's fee and the fee for the resale.
        books    1010 operator              -> 1615.04
        ",
    );
}

#[test]
fn the_worked_hour_of_160_as_150_and_10() {
    check(
        "
        pool     A gb300 100
        program  PG 1:1500 pools=A
        listing  L1 A 100 24h..34h @1.60 program=PG
        line     C1 250000
        line     C2 250000
        order    O1 C1 100 24h..34h <=1.60  -> contract 1600.00
        resell   R1 O1 C1 100 24h..34h @1.50 -> value=100.00 fee=15.00 held=100.00 was 1600.00
        order    O2 C2 100 24h..34h <=1.50  -> contract 1500.00
        credit   C1                         -> held=100.00 drawn=15.00
        credit   C2                         -> held=1500.00
        now      25h
        report   O1 24h..25h 0
        report   O2 24h..25h 0
        books    1150 C1                    -> 25.00
        books    1150 C2                    -> 150.00
        books    2100 P                     -> 128.00
        books    2200 vendor                -> 24.00
        books    4100 operator              -> 8.00
        books    4200 operator              -> 15.00
        credit   C1                         -> held=90.00 drawn=25.00
        credit   C2                         -> held=1350.00 drawn=150.00
        now      34h
        terms    O1                         -> completed value=100.00
        books    2100 P                     -> 1280.00
        books    2200 vendor                -> 240.00
        books    4100 operator              -> 80.00
        ",
    );
}

#[test]
fn what_is_paid_above_its_price_is_the_sellers() {
    check(
        "
        pool     A gb300 100
        program  PG 1:1500 guarantee=8000/0/150000 pools=A
        listing  L1 A 100 24h..34h @1.60 program=PG
        line     C1 250000
        line     C2 250000
        order    O1 C1 100 24h..34h <=1.60  -> contract 1600.00
        resell   R1 O1 C1 100 24h..34h @1.70 -> value=0.00 fee=17.00 held=0.00 was 1600.00 \
            proceeds=1700.00 make-whole=0.00 gain=100.00 \
            parts=1280.00+240.00+80.00+0.00 then=1280.00+240.00+80.00+100.00
        order    O2 C2 100 24h..34h <=1.70  -> contract 1700.00
        credit   C1                         -> held=0.00 drawn=17.00
        books    gua_exposed PG C1          -> 0.00
        books    gua_exposed PG C2          -> 1600.00
        now      25h
        report   O2 24h..25h 0
        books    1150 C2                    -> 170.00
        books    2100 P                     -> 128.00
        books    2200 vendor                -> 24.00
        books    4100 operator              -> 8.00
        books    2350 C1                    -> 10.00
        # An hour with a quarter missing: three quarters of everything.
        now      26h
        report   O2 25h..26h 25
        books    1150 C2                    -> 297.50
        books    2350 C1                    -> 17.50
        now      31d
        finalize C1
        finalize C2
        invoice  C2                         -> open 1491.75
        # 97.5 % available: a tenth is credited, by everybody.
        books    2350 C1                    -> 87.75
        books    2360 C1                    -> 0.00
        payout   C1 as=customer             -> refused Invalid
        pay      C2 745.875
        books    2350 C1                    -> 43.875
        books    2360 C1                    -> 43.875
        pay      C2 745.875
        books    2360 C1                    -> 87.75
        payout   C1 as=customer
        pay      C1 17.00
        payout   P
        payout   vendor as=vendor
        now      130d
        payout   P
        # 87.75 % of 80, and 17.
        books    1010 operator              -> 87.20
        books    2350 C1                    -> 0.00
        books    2360 C1                    -> 0.00
        ",
    );
}

#[test]
fn what_is_offered_of_a_contract_is_no_room_for_others() {
    check(
        "
        pool     A gb300 32
        listing  L1 A 32 0h..100h @1.50
        line     C1 90000
        line     C2 90000
        maintain A 20h..30h 16              -> touched
        order    O1 C1 4 22h..40h <=1.50    -> contract
        resell   R1 O1 C1 4 22h..40h @1.90  -> R1=4:L1@1.50 live
        # The listing has 28 free, and 12 GPUs are there that are nobody's. The 4 are O1's.
        order    O2 C2 16 22h..30h <=1.50   -> expired capacity at=22h free=12
        order    O3 C2 12 22h..30h <=1.50   -> contract
        order    O4 C2 4 22h..30h <=1.90    -> expired capacity at=22h free=0
        # Once all that is free is there as well, the part sells.
        order    O5 C2 32 30h..40h <=1.90   -> contract
        sold     O1                         -> offers R1:4@1.50:22h..30h sold R1:4@0.00:30h..40h
        maintain A 24h..26h 4               -> touched O3
        ",
    );
}

/// A market on which C1 has 64 GPUs for a day at 2.00 and offers half of them for ten hours.
fn offered(rest: &str) {
    let stage = "
        pool     A gb300 64
        program  PG 1:2000 pools=A
        listing  L1 A 64 24h..48h @2.00 program=PG
        line     C1 250000
        line     C2 250000
        line     C3 250000
        order    O1 C1 64 24h..48h <=2.00   -> contract 3072.00
        resell   R1 O1 C1 32 30h..40h @1.50
        ";
    check(&format!("{stage}{rest}"));
}

#[test]
fn what_is_not_there_cannot_be_sold_on() {
    offered(
        "
        resell   R2 O1 C2 32 30h..40h @1.50 -> refused NotFound
        resell   R2 O1 C1 36 30h..40h @1.50 -> refused PartGone left=32 asked=36
        resell   R2 O1 C1 36 39h..44h @1.50 -> refused PartGone left=32
        resell   R2 O1 C1 36 40h..49h @1.50 -> refused PartGone left=0
        resell   R2 O1 C1 68 40h..41h @1.50 -> refused PartGone left=64
        resell   R2 O1 C1 0 40h..41h @1.50  -> refused OutOfBounds
        resell   R2 O1 C1 6 40h..41h @1.50  -> refused OffLot
        resell   R2 O1 C1 4 2430m..41h @1.50 -> refused OffSlot
        resell   R2 O1 C1 4 40h..41h @0.00  -> refused PriceOutOfBounds
        resell   R2 O1 C1 4 40h..41h @1.505 -> refused OffTick
        resell   R2 O1 C1 4 40h..41h @1.50 min=6 -> refused OffLot
        resell   R2 O1 C1 4 40h..41h @1.50 min=8 max=4 -> refused Invalid
        now      41h30m
        resell   R2 O1 C1 4 41h..43h @1.50  -> refused InThePast
        resell   R2 O1 C1 4 42h..43h @1.50
        freeze   C1
        resell   R3 O1 C1 4 43h..44h @1.50  -> refused CreditLineState
        now      48h
        resell   R3 O1 C1 4 47h..48h @1.50  -> refused WrongState state=\"completed\"
        ",
    );
    offered(
        "
        # What is sold is sold, to the seller too; what was bought is not sold again.
        order    O2 C2 32 30h..40h <=1.50   -> contract 480.00
        resell   R2 O1 C1 36 30h..40h @1.50 -> refused PartGone left=32
        resell   R2 O2 C2 4 30h..40h @1.50  -> refused PartGone left=0
        resell   R2 O1 C1 32 30h..40h @1.60
        order    O3 C1 4 30h..40h <=2.00    -> expired capacity
        order    O4 C3 4 30h..40h <=1.60    -> contract 64.00
        sold     O1                         -> offers R2:28@2.00:30h..40h sold R2:4@0.40:30h..40h \
            R1:32@0.50:30h..40h
        ",
    );
}

#[test]
fn what_is_not_bought_stays_its_contracts() {
    offered(
        "
        order    O2 C2 16 30h..35h <=1.50   -> contract 120.00
        sold     O1                         -> offers R1:16@2.00:30h..35h R1:32@2.00:35h..40h \
            sold R1:16@0.50:30h..35h
        now      33h
        report   O1 24h..33h 0
        # Nine hours of 64, less three of the 16 that are sold and paid with 0.50.
        accrued  O1                         -> active 1080.00 528
        now      40h
        listing  R1                         -> gone
        sold     O1                         -> offers sold R1:16@0.50:30h..35h
        terms    O1                         -> active gpus=64 24h..48h value=2952.00
        now      48h
        accrued  O1                         -> completed 2952.00 1456 lost=0
        books    cap_delivered A            -> 1536
        books    cap_reserved A             -> 0
        ",
    );
    offered(
        "
        order    O2 C2 16 30h..35h <=1.50   -> contract 120.00
        unsell   O1 C2                      -> refused NotFound
        unsell   O1 C1 R9                   -> refused NotFound
        told     C1
        unsell   O1 C1 R1                   -> done
        told     C1                         -> listing.withdrawn
        unsell   O1 C1                      -> refused NotFound
        sold     O1                         -> offers sold R1:16@0.50:30h..35h
        free     A 30h..40h                 -> 0
        resell   R2 O1 C1 48 30h..40h @1.50
        free     A 30h..40h                 -> 48
        unsell   O1 C1
        free     A 30h..40h                 -> 0
        ",
    );
}

#[test]
fn resting_orders_are_tried_when_a_part_is_offered() {
    check(
        "
        pool     A gb300 64
        listing  L1 A 64 24h..48h @2.00
        line     C1 250000
        line     C2 250000
        order    O1 C1 64 24h..48h <=2.00   -> contract
        order    O2 C2 16 30h..40h <=1.80 gtc -> open
        # No quote holds a resale: it is indicative only.
        resell   R1 O1 C1 32 30h..40h @1.50 -> R1=32:L1@2.00 live
        order    O2                         -> contract 240.00 R1:16@1.50:30h..40h
        quote    Q1 C2 16 30h..40h          -> 240.00
        quote    Q2 C2 16 30h..40h firm=300 -> refused capacity
        order    O3 C2 16 30h..40h <=1.50   -> contract 240.00
        listing  R1                         -> sold_out
        ",
    );
}

#[test]
fn a_part_may_be_of_several_draws() {
    check(
        "
        pool     A gb300 64
        program  PG 1:2000 pools=A
        listing  L1 A 32 24h..48h @1.00
        listing  L2 A 32 24h..48h @3.00 program=PG
        line     C1 250000
        line     C2 250000
        order    O1 C1 64 24h..48h <=2.00   -> contract 3072.00
        # Of the dearest first; each draw is a listing. Sold at 2.00, one at a loss, one at a gain.
        resell   R1 O1 C1 48 24h..34h @2.00 -> R1=16:L1@1.00 live R1.2=32:L2@3.00 live \
            value=2272.00 fee=9.60 proceeds=960.00 make-whole=320.00 gain=160.00 \
            parts=2457.60+460.80+153.60+0.00 then=2457.60+460.80+153.60+160.00
        order    O2 C2 48 24h..34h <=2.00   -> contract 960.00 R1:16@2.00 R1.2:32@2.00
        now      34h
        terms    O2                         -> completed value=960.00
        books    2350 C1                    -> 160.00
        # 640 of it under the program: 480 + 128 + 32; 160 under none: 152 + 8.
        books    2100 P                     -> 632.00
        books    2200 vendor                -> 128.00
        books    4100 operator              -> 40.00
        ",
    );
}

#[test]
fn hours_that_a_buyer_lost_are_not_made_whole() {
    offered(
        "
        order    O2 C2 32 30h..40h <=1.50   -> contract 480.00
        now      32h
        report   O1 24h..32h 0
        accrued  O1                         -> active 928.00 448 lost=0
        credit   C1                         -> held=1664.00
        # Reported late, and ahead of what the seller has earned.
        report   O2 31h..32h 16
        accrued  O1                         -> active 920.00 448 lost=0
        credit   C1                         -> held=1664.00
        now      35h
        report   O2 34h..35h 32
        accrued  O1                         -> active 920.00
        terms    O1                         -> value=2568.00
        sold     O1                         -> sold R1:32@0.50:30h..31h R1:16@0.00:31h..32h \
            R1:16@0.50:31h..32h R1:32@0.50:32h..34h R1:32@0.00:34h..35h R1:32@0.50:35h..40h
        now      48h
        # 64 for a day, less 48 GPU-hours: 1,488 GPU-hours.
        books    2100 P                     -> 2232.00
        books    2200 vendor                -> 595.20
        books    4100 operator              -> 148.80
        books    cap_lost A                 -> 48
        books    cap_delivered A            -> 1488
        ",
    );
}

#[test]
fn what_a_buyer_gives_up_ends_the_make_whole_for_a_fee() {
    offered(
        "
        order    O2 C2 32 30h..40h <=1.50   -> contract 480.00
        credit   C1                         -> held=2592.00 drawn=4.80
        told     C1
        # A quarter of five hours at 48 is the buyer's, a quarter of those at 16 the seller's.
        shrink   O2 C2 16 from=30h          -> fee=60.00
        credit   C1                         -> held=2512.00 drawn=24.80
        told     C1                         -> contract.amended
        books    4200 operator              -> 8.80
        free     A 30h..40h                 -> 16
        cancelc  O2 C2                      -> fee=60.00
        credit   C1                         -> held=2432.00 drawn=44.80
        books    1150 C2                    -> 120.00
        books    2100 P                     -> 120.00
        books    2200 vendor                -> 32.00
        books    4200 operator              -> 12.80
        # It is the provider's again, to be sold at its ask.
        free     A 30h..40h                 -> 32
        order    O3 C3 32 30h..40h <=2.00   -> contract 640.00 L1:32@2.00
        ",
    );
}

#[test]
fn a_seller_changes_only_what_is_its_own() {
    offered(
        "
        cancelc  O1 C1                      -> refused WrongState state=\"offered needed=\"withdrawn
        shrink   O1 C1 32                   -> refused WrongState state=\"offered
        order    O2 C2 16 30h..40h <=1.50   -> contract 240.00
        unsell   O1 C1
        shrink   O1 C1 12                   -> refused SoldOn sold=16 asked=12
        shrink   O1 C1 16                   -> shrink gpus=16 value=528.00 fee=576.00
        terms    O1                         -> scheduled gpus=16 24h..48h L1:16@2.00:24h..30h \
            L1:16@2.00:40h..48h
        grow     O1 C1 32 <=2.00            -> grow gpus=32
        extend   O1 C1 50h                  -> refused capacity
        # What is sold on must be made whole, all of it at once: 80 beside a quarter of 1,216.
        cancelc  O1 C1                      -> cancel fee=384.00 held=0.00
        credit   C1                         -> held=0.00 drawn=962.40
        now      48h
        # The buyer goes on.
        accrued  O2                         -> completed 240.00 160
        ",
    );
}

#[test]
fn the_parties_have_the_shares_of_the_sellers_terms() {
    check(
        "
        pool     A gb300 64
        program  PG 1:2000,2:1000 pools=A
        listing  L1 A 64 24h..60d @2.00 program=PG
        line     C1 250000
        line     C2 250000
        order    O1 C1 64 24h..60d <=2.00
        # In the seller's second month its vendor takes a tenth, though it is the buyer's first.
        resell   R1 O1 C1 64 40d..41d @1.00 -> make-whole=1536.00 \
            parts=144537.60+27648.00+9062.40+0.00 then=144537.60+27648.00+9062.40+0.00
        unsell   O1 C1
        resell   R2 O1 C1 64 40d..41d @3.00
        order    O2 C2 64 40d..41d <=3.00   -> contract 4608.00
        now      40d
        books    2200 vendor                -> 18432.00
        now      41d
        terms    O2                         -> completed
        books    2200 vendor                -> 18739.20
        books    2350 C1                    -> 1536.00
        ",
    );
}

#[test]
fn a_seller_in_default_leaves_its_buyer_what_it_bought() {
    check(
        "
        pool     A gb300 64
        program  PG 1:2000 pools=A
        listing  L1 A 64 24h..48h @2.00 program=PG
        line     C1 250000
        line     C2 250000
        officer
        order    O1 C1 64 24h..48h <=2.00   -> contract 3072.00
        resell   R1 O1 C1 32 24h..48h @1.50
        order    O2 C2 16 24h..48h <=1.50   -> contract 576.00
        now      30h
        default  C1 insolvency
        told     C1
        default  C1 insolvency by=officer
        told     C1                         -> listing.withdrawn contract.terminated
        listing  R1                         -> gone
        contract O1                         -> gone
        # 6 h * (48 GPUs at 2.00 and 16 at 0.50), and the fee.
        books    1100 C1                    -> 629.76
        free     A 30h..48h                 -> 48
        now      48h
        accrued  O2                         -> completed 576.00 384
        books    1150 C2                    -> 576.00
        report   O2 31h..32h 16
        books    1150 C2                    -> 552.00
        ",
    );
}

#[test]
fn of_a_buyer_in_default_the_gain_is_lost_too() {
    check(
        "
        pool     A gb300 64
        program  PG 1:2000 guarantee=8000/0/150000 pools=A
        listing  L1 A 64 24h..48h @2.00 program=PG
        line     C1 250000
        line     C2 250000
        officer
        order    O1 C1 64 24h..48h <=2.00   -> contract 3072.00
        resell   R1 O1 C1 32 24h..48h @2.50
        resell   R2 O1 C1 16 24h..48h @1.00
        order    O2 C2 48 24h..48h <=2.50   -> contract 2304.00 R2:16@1.00 R1:32@2.50
        credit   C1                         -> held=1152.00 drawn=23.04
        books    gua_exposed PG C2          -> 1920.00
        books    gua_committed PG C2        -> 1536.00
        now      34h
        default  C2 insolvency
        told     C1
        default  C2 insolvency by=officer
        # Ten hours at 80, and 16 an hour of it are the seller's. The seller pays a quarter of the
        # make-whole that the buyer gives up: of 14 h * 16.
        told     C1                         -> contract.amended
        books    1100 C2                    -> 320.00
        books    1160 vendor                -> 640.00
        books    2350 C1                    -> 160.00
        credit   C1                         -> held=448.00 drawn=559.04
        free     A 34h..48h                 -> 48
        writeoff C2
        books    2350 C1                    -> 106.666667
        recover  C2 320.00
        claimpaid C2 PG 640.00
        books    2360 C1                    -> 160.00
        books    2350 C1                    -> 0.00
        ",
    );
}

#[test]
fn a_contract_has_so_many_parts_on_offer() {
    let mut script = "
        pool     A gb300 64
        listing  L1 A 64 24h..72h @2.00
        line     C1 250000
        order    O1 C1 64 24h..72h <=2.00   -> contract
        "
    .to_owned();
    for hour in 24..56 {
        script += &format!("resell R{hour} O1 C1 4 {hour}h..{}h @1.50\n", hour + 1);
    }
    script += "resell R2 O1 C1 4 60h..61h @1.50 -> refused TooMany most=32
        unsell O1 C1 R30
        resell R2 O1 C1 4 60h..61h @1.50";
    check(&script);
}

#[test]
fn what_no_amount_can_say_is_not_asked() {
    check(
        "
        pool     A gb300 200000
        listing  L1 A 200000 24h..70000h @0.01
        line     C1 1000000
        order    O1 C1 100000 24h..1024h <=0.01 -> contract 1000000.00
        resell   R1 O1 C1 100000 24h..1024h @10000.00 dry -> proceeds=1000000000000.00
        # A window that the contract does not have is refused for what it would be worth first.
        resell   R1 O1 C1 100000 24h..60000h @10000.00 -> refused Overflow
        ",
    );
    offered(
        "
        unsell    O1 C1
        terminate O1
        resell    R2 O1 C1 4 30h..40h @1.50 -> refused WrongState state=\"terminated\"
        ",
    );
}
