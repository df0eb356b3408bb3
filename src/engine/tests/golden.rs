//! The worked contract: every posting of one supported contract's life, to the micro-unit.

use super::script::check;

#[test]
fn the_worked_contract() {
    check(
        "
        pool     A gb300 64
        program  PG 1:1500 guarantee=8000/5000/150000 pools=A
        listing  L1 A 64 24h..744h @2.50 program=PG
        line     C1 250000
        books    exp_available C1          -> 250000.00

        # A firm quote holds credit and capacity; the contract changes nothing in the GL book.
        quote    Q1 C1 64 24h..744h firm=900 -> 115200.00
        books    exp_held C1               -> 115200.00
        books    cap_reserved A            -> 46080
        take     O1 C1 Q1                  -> contract 115200.00
        books    gua_committed PG C1       -> 88160.00
        books    1150 C1                   -> 0.00

        # An hour delivered.
        now      25h
        report   O1 24h..25h 0
        books    1150 C1                   -> 160.00
        books    2100 P                    -> 128.00
        books    2200 vendor               -> 24.00
        books    4100 operator             -> 8.00
        books    exp_drawn C1              -> 160.00
        books    exp_held C1               -> 115040.00

        # An hour with 16 GPUs missing: 120 = 96 + 18 + 6, and 40 are free again.
        now      26h
        report   O1 25h..26h 16
        books    1150 C1                   -> 280.00
        books    2100 P                    -> 224.00
        books    2200 vendor               -> 42.00
        books    4100 operator             -> 14.00
        books    exp_held C1               -> 114880.00
        books    exp_available C1          -> 134840.00
        books    cap_lost A                -> 16

        # A credit of 1,000 for service before the invoice: 800 + 150 + 50.
        now      743h
        report   O1 742h..743h 0
        books    2100 P                    -> 92000.00
        grant    O1 1000.00
        books    2100 P                    -> 91200.00
        books    4900 operator             -> 50.00

        # The month ends: 719 x 160 + 120 - 1,000.
        now      744h
        accrued  O1                        -> gone
        invoice  C1                        -> draft 114160.00 114160.00
        finalize C1
        invoice  C1                        -> open 114160.00 114160.00
        books    1100 C1                   -> 114160.00
        books    1150 C1                   -> 0.00
        books    exp_drawn C1              -> 114160.00

        # It is paid: payables are available, less the reserve; credit and guarantee are free.
        pay      C1 114160.01              -> refused MoreThanThere
        pay      C1 114160.00
        books    2110 P                    -> 86761.60
        books    2120 P                    -> 4566.40
        books    2210 vendor               -> 17124.00
        books    exp_available C1          -> 250000.00
        books    gua_committed PG C1       -> 0.00
        books    gua_available PG C1       -> 150000.00
        books    cap_delivered A           -> 46064

        # It is paid out. What is left is the platform's fee.
        bounce   P
        books    2110 P                    -> 86761.60
        payout   P 86761.61                -> refused MoreThanThere
        payout   P
        payout   vendor as=vendor
        books    2130 P                    -> 0.00
        now      122d
        books    2110 P                    -> 4566.40
        payout   P 4566.40
        books    1010 operator             -> 5708.00

        # Every month is closed in its turn, once.
        close    2027-05                   -> refused NotReady \"month_not_over\"
        close    2027-01
        close    2027-01                   -> refused WrongState
        close    2027-03                   -> refused NotReady \"earlier_months_open\"
        lock     2027-02                   -> refused WrongState
        lock     2027-01
        ",
    );
}

#[test]
fn a_month_earns_the_same_however_it_is_cut() {
    for cuts in [&[][..], &["24h..25h"], &["30h..60h", "61h..200h"], &["25h..26h", "742h..743h"]] {
        let reports: String = cuts
            .iter()
            .map(|cut| format!("now {}\nreport O1 {cut} 0\n", cut.split_once("..").unwrap().1))
            .collect();
        check(&format!(
            "
            pool     A gb300 12
            program  PG 1:1333,2:777 pools=A
            listing  L1 A 8 24h..80d @0.07 program=PG
            listing  L2 A 4 24h..80d @0.11
            line     C1 90000
            order    O1 C1 12 24h..1500h <=9.99 -> contract 1476.00
            {reports}
            now      744h
            invoice  C1                        -> draft 720.00
            now      1416h
            invoice  C1                        -> open 720.00
            invoice  C1                        -> draft 672.00
            "
        ));
    }
}

#[test]
fn reports_are_refused_that_cannot_be() {
    check(
        "
        pool     A gb300 8
        listing  L1 A 8 24h..80d @1.00
        line     C1 90000
        order    O1 C1 8 24h..1000h <=9.99
        now      48h
        report   O1 23h..25h 0             -> refused OutsideDelivery
        report   O1 47h..49h 0             -> refused OutsideDelivery
        report   O1 30h..40h 9             -> refused MoreThanPromised
        report   O1 30h..40h 6
        report   O1 39h..41h 4             -> refused MoreThanPromised missing=4
        report   O1 39h..41h 2
        accrued  O1                        -> active 72.00 72 lost=64
        grant    O1 72.01                  -> refused MoreThanThere
        grant    O1 72.00
        accrued  O1                        -> active 72.00 72 lost=64 unbilled=0.00
        # What was credited is not lost again; what comes after it may be.
        report   O1 40h..41h 1             -> refused MoreThanThere
        now      49h
        report   O1 40h..49h 1
        accrued  O1                        -> active 127.00 127 lost=73 unbilled=55.00
        now      745h
        report   O1 743h..744h 1           -> refused AlreadyBilled
        report   O1 744h..745h 1
        ",
    );
}

#[test]
fn the_ladder_credits_poor_service_without_a_claim() {
    // 99.5, 99 and 95 per cent of a month's GPU-hours: 5, 10 and 25 per cent of its charge.
    for (missing, hours, credit) in
        [(8, 3, "0.00"), (8, 4, "285.60"), (8, 8, "568.00"), (8, 40, "1356.00")]
    {
        check(
            &format!(
                "
            pool     A gb300 8
            listing  L1 A 8 24h..80d @1.00
            line     C1 90000
            order    O1 C1 8 24h..742h <=9.99  -> contract 5744.00
            now      742h
            report   O1 24h..{}h {missing}
            now      744h
            books    4900 operator             -> 0.00
            ",
                24 + hours
            )
            .replace(
                "books    4900 operator             -> 0.00",
                &format!("books 1150 C1 -> {}", net(hours, credit)),
            ),
        );
    }
}

/// What is left of the month's 718 hours of eight GPUs at 1.00.
fn net(hours: i64, credit: &str) -> String {
    let whole = (718 - hours) * 8 * 1_000_000;
    let credit = super::script::money(credit);
    crate::model::Money::from_micros(whole - credit.micros()).to_string()
}

#[test]
fn a_late_report_takes_back_what_was_earned() {
    check(
        "
        pool     A gb300 8
        program  PG 1:1500 guarantee=10000/0/150000 pools=A
        listing  L1 A 8 24h..80d @1.00 program=PG
        line     C1 1000
        order    O1 C1 8 24h..124h <=9.99
        now      100h
        report   O1 99h..100h 0
        books    1150 C1                   -> 608.00
        books    gua_committed PG C1       -> 800.00
        report   O1 24h..34h 8
        books    1150 C1                   -> 528.00
        books    2100 P                    -> 422.40
        books    2200 vendor               -> 79.20
        books    gua_committed PG C1       -> 720.00
        credit   C1                        -> available=280.00 held=192.00 drawn=528.00
        books    cap_delivered A           -> 528
        books    cap_lost A                -> 80
        ",
    );
}
