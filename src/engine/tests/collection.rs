//! Default and what follows it: the worked example to the micro-unit, who may, and what is refused.

use super::script::check;

/// 40,000 invoiced, 30,000 held: 100 GPUs for 160 hours of January and 120 of February.
const STAGE: &str = "
    officer
    pool     A gb300 100
    program  PG 1:1500 guarantee=8000/5000/150000 pools=A
    listing  L1 A 100 584h..864h @2.50 program=PG
    line     C1 250000
    order    O1 C1 100 584h..864h <=2.50   -> contract 70000.00
    books    gua_committed PG C1           -> 52000.00
    now      744h
    finalize C1
";

/// Runs a script on that stage.
fn after_january(script: &str) {
    check(&format!("{STAGE}{script}"));
}

#[test]
fn the_worked_default() {
    after_january(
        "
        invoice  C1                        -> open 40000.00 40000.00
        credit   C1                        -> held=30000.00 drawn=40000.00
        free     A 744h..864h              -> 0
        told     vendor
        told     C1

        # Two officers: the hold goes, capacity is back, the guarantee is called.
        default  C1 insolvency
        state    C1                        -> active in-time proposed
        default  C1 insolvency by=officer
        state    C1                        -> defaulted settled
        credit   C1                        -> limit=250000.00 available=210000.00 held=0.00 \
            drawn=0.00
        books    exp_defaulted C1          -> 40000.00
        free     A 744h..864h              -> 100
        contract O1                        -> gone
        books    1160 vendor               -> 28000.00
        books    1100 C1                   -> 12000.00
        books    gua_committed PG C1       -> 0.00
        books    gua_called PG C1          -> 28000.00
        books    gua_available PG C1       -> 122000.00
        books    gua_exposed PG C1         -> 12000.00
        debt     C1 -> insolvency defaulted=40000.00 claim=PG:0.00/28000.00 over=1
        told     C1                        -> credit_line.defaulted contract.terminated
        told     vendor                    -> claim.made

        # The customer neither trades nor pays past the collection.
        order    O2 C1 4 750h..760h <=2.50 -> refused CreditLineState
        pay      C1 1.00                   -> refused MoreThanThere there=Money 0
        note     C1 1.00                   -> refused WrongState
        void     C1                        -> refused WrongState

        # The guarantor pays, in two parts: the parties have their parts, nothing is kept back.
        claimpaid C1 PG 28000.000001       -> refused MoreThanThere
        claimpaid C1 PG 3.000001
        books    1160 vendor               -> 27996.999999
        books    gua_paid PG C1            -> 3.000001
        told     vendor                    -> claim.paid
        claimpaid C1 PG 27996.999999
        claimpaid C1 PG 0.000001           -> refused MoreThanThere there=Money 0
        books    1160 vendor               -> 0.00
        books    1010 operator             -> 28000.00
        books    2110 P                    -> 22400.00
        books    2120 P                    -> 0.00
        books    2210 vendor               -> 4200.00
        books    gua_called PG C1          -> 0.00
        books    gua_paid PG C1            -> 28000.00
        recover  C1 1.00                   -> refused WrongState state=\"outstanding\"

        # The rest is written off by whoever would have been paid with it.
        writeoff C1 by=C1                  -> refused NotCapable
        writeoff C1
        books    1100 C1                   -> 0.00
        books    2100 P                    -> 0.00
        books    2200 vendor               -> 0.00
        books    5300 operator             -> 600.00
        books    exp_defaulted C1          -> 40000.00
        books    gua_exposed PG C1         -> 0.00
        invoice  C1
        told     C1                        -> invoice.written_off
        writeoff C1                        -> refused WrongState
        debt     C1 -> written_off=12000.00 guarantor.vendor=0.00/28000.00
        debt     C1 -> vendor=0.00/1800.00 platform=0.00/600.00
        debt     C1 -> P=0.00/9600.00

        # What comes back after all is shared by the loss borne.
        recover  C1 40000.000001           -> refused MoreThanThere
        recover  C1 3333.333333
        recover  C1 6666.666667
        books    2500 vendor               -> 7000.00
        books    2110 P                    -> 24800.00
        books    2210 vendor               -> 4650.00
        books    5310 operator             -> 150.00
        books    1010 operator             -> 38000.00
        books    exp_defaulted C1          -> 30000.00
        credit   C1                        -> limit=240000.00 available=210000.00
        payout   vendor as=guarantor
        recover  C1 30000.00
        recover  C1 0.000001               -> refused MoreThanThere there=Money 0
        books    exp_defaulted C1          -> 0.00
        debt     C1 -> recovered=40000.00 guarantor.vendor=28000.00/28000.00
        ",
    );
}

#[test]
fn two_officers_and_one_reason() {
    after_january(
        "
        default  C1 insolvency by=C1       -> refused NotCapable
        default  C1 insolvency
        default  C1 insolvency             -> refused SameOfficer
        default  C1 fraud by=officer       # another reason is a new proposal
        state    C1                        -> active proposed
        default  C1 fraud by=officer       -> refused SameOfficer
        default  C1 insolvency by=officer
        default  C1 insolvency by=officer  -> refused SameOfficer
        limit    C1 2000000.00             # a proposal in its place
        default  C1 insolvency by=officer
        freeze   C1                        # does not make the worry void
        default  C1 insolvency
        state    C1                        -> defaulted settled
        default  C1 insolvency             -> refused WrongState state=\"defaulted\"
        default  C1 unpaid by=officer      -> refused WrongState state=\"defaulted\"
        freeze   C1                        -> refused WrongState
        unfreeze C1                        -> refused WrongState
        limit    C1 5.00                   -> refused WrongState
        ",
    );
}

#[test]
fn nothing_is_collected_of_a_line_that_is_not_in_default() {
    after_january(
        "
        claimpaid C1 PG 1.00               -> refused NotFound
        writeoff C1                        -> refused NotFound
        recover  C1 1.00                   -> refused NotFound
        default  C1 fraud
        default  C1 fraud by=officer
        program  PH 1:1500 pools=
        claimpaid C1 PH 1.00               -> refused NotFound
        claimpaid C1 PG 0.00               -> refused OutOfBounds
        claimpaid C1 PG 1.00 by=P          -> refused NotCapable
        recover  C1 0.00                   -> refused OutOfBounds
        ",
    );
}

#[test]
fn orders_quotes_and_drafts_go_with_the_line() {
    check(
        "
        officer
        pool     A gb300 16
        listing  L1 A 16 24h..480h @1.00
        line     C1 100000
        line     C2 100000
        order    O1 C1 8 24h..124h <=1.00       -> contract 800.00
        order    O2 C1 4 200h..300h <=1.00      -> contract 400.00
        order    O3 C1 12 40h..120h <=1.00 gtc  -> open capacity hold=960.00
        order    O4 C2 16 124h..480h/24h <=1.00 gtc
        order    O5 C2 16 200h..300h/50h <=1.00 gtc -> open capacity hold=800.00
        order    O6 C2 12 30h..40h <=1.00 gtc   -> open capacity hold=120.00
        now      25h
        quote    Q1 C1 4 26h..124h firm=900     -> 392.00
        credit   C1                             -> held=2552.00
        default  C1 fraud
        default  C1 fraud by=officer
        take     O7 C1 Q1                       -> refused NotFound
        credit   C1                             -> available=99992.00 held=0.00 drawn=0.00
        books    exp_defaulted C1               -> 8.00
        invoice  C1                             -> open 8.00 8.00
        order    O1                             -> gone
        order    O3                             -> gone
        order    O5                             -> contract 800.00
        order    O6                             -> contract 120.00
        debt     C1 -> fraud defaulted=8.00 written_off=0.00
        writeoff C1
        debt     C1 -> P=0.00/7.60
        debt     C1 -> platform=0.00/0.40
        recover  C1 8.00
        ",
    );
}

#[test]
fn a_line_without_debt_defaults_without_a_claim() {
    check(
        "
        officer
        line     C1 100.00
        default  C1 insolvency
        default  C1 insolvency by=officer
        debt     C1 -> insolvency defaulted=0.00
        writeoff C1                        -> refused WrongState
        recover  C1 1.00                   -> refused MoreThanThere there=Money 0
        ",
    );
}

#[test]
fn a_guarantor_that_pays_last_is_made_whole_last() {
    after_january(
        "
        default  C1 fraud
        default  C1 fraud by=officer
        writeoff C1
        invoice  C1                        -> open 40000.00 0.00
        debt     C1 -> P=0.00/9600.00
        recover  C1 6000.00
        books    2110 P                    -> 4800.00
        books    2210 vendor               -> 900.00
        books    5310 operator             -> 300.00
        books    2500 vendor               -> 0.00
        recover  C1 6000.01                -> refused MoreThanThere
        claimpaid C1 PG 28000.00
        invoice  C1
        told     C1                        -> invoice.written_off
        # 28,000 of the 34,000 that are still missing are the guarantor's.
        recover  C1 3400.00
        books    2500 vendor               -> 2800.00
        books    5310 operator             -> 330.00
        recover  C1 30600.00
        debt     C1 -> recovered=40000.00 guarantor.vendor=28000.00/28000.00
        debt     C1 -> platform=600.00/600.00
        ",
    );
}

#[test]
fn claims_go_to_the_oldest_invoices_and_stay_within_cap_and_coverage() {
    // Two months, 40,000 and 30,000. Without a first loss and in full all is claimed.
    for (guarantee, claimed, over) in [
        ("10000/0/150000", "70000.00", 2),
        ("10000/0/45000", "45000.00", 2),
        ("10000/0/39999", "39999.00", 1),
        ("5000/10000/150000", "30000.00", 1),
        ("5000/70000/150000", "0.00", 0),
    ] {
        let claim =
            if over == 0 { String::new() } else { format!("claim=PG:0.00/{claimed} over={over}") };
        check(&format!(
            "
            officer
            pool     A gb300 100
            program  PG 1:1500 guarantee={guarantee} pools=A
            listing  L1 A 100 584h..864h @2.50 program=PG
            line     C1 250000
            order    O1 C1 100 584h..864h <=2.50 -> contract 70000.00
            now      744h
            finalize C1
            now      865h
            default  C1 fraud
            default  C1 fraud by=officer
            debt     C1 -> defaulted=70000.00 {claim}
            books    1160 vendor -> {claimed}
            books    gua_committed PG C1 -> 0.00
            "
        ));
    }
}

#[test]
fn what_is_claimed_in_full_is_paid_in_full() {
    check(
        "
        officer
        pool     A gb300 100
        program  PG 1:1500 guarantee=10000/0/150000 pools=A
        listing  L1 A 100 584h..864h @2.50 program=PG
        line     C1 250000
        order    O1 C1 100 584h..864h <=2.50 -> contract 70000.00
        now      744h
        default  C1 fraud
        default  C1 fraud by=officer
        invoice  C1                        -> open 40000.00 0.00
        writeoff C1                        -> refused WrongState
        recover  C1 1.00                   -> refused MoreThanThere there=Money 0
        claimpaid C1 PG 40000.00
        told     C1                        -> invoice.paid
        invoice  C1
        recover  C1 40000.00
        books    2500 vendor               -> 40000.00
        ",
    );
}

#[test]
fn two_guarantors_answer_for_what_is_theirs() {
    check(
        "
        officer
        pool     A gb300 12
        program  PG 1:1500 guarantee=10000/0/150000 pools=A
        program  PH 1:1000 guarantee=5000/0/150000 pools=A
        listing  L1 A 4 24h..124h @1.00 program=PG
        listing  L2 A 4 24h..124h @2.00 program=PH
        listing  L3 A 4 24h..124h @3.00
        line     C1 250000
        order    O1 C1 12 24h..124h <=3.00 -> contract 2400.00
        now      124h
        default  C1 fraud
        default  C1 fraud by=officer
        debt     C1 -> claim=PG:0.00/400.00 claim=PH:0.00/400.00
        books    1160 vendor               -> 800.00
        books    1100 C1                   -> 1600.00
        claimpaid C1 PH 400.00
        writeoff C1
        claimpaid C1 PG 399.999999
        invoice  C1                        -> open
        claimpaid C1 PG 0.000001
        invoice  C1
        recover  C1 2400.00
        ",
    );
}
