//! Lines that are not paid in time: past due, delinquent, cured; and what waits for a default.

use super::script::check;

/// One contract of January and one of February. January's invoice is due at 1465h and missed at
/// 1537h, February's at 2137h and 2209h. A program backs both.
const STAGE: &str = "
    officer
    pool     A gb300 8
    program  PG 1:1500 guarantee=8000/0/150000 pools=A
    listing  L1 A 8 0h..400d @1.00 program=PG
    line     C1 9000
    order    O1 C1 4 24h..124h <=1.00      -> contract 400.00
    now      745h
    finalize C1
";

fn on_stage(script: &str) {
    check(&format!("{STAGE}{script}"));
}

#[test]
fn a_missed_invoice_makes_a_line_past_due_and_thirty_days_delinquent() {
    on_stage(
        "
        now      1536h
        state    C1                        -> active in-time
        told     C1
        now      1537h
        state    C1                        -> past_due late
        told     C1                        -> invoice.overdue credit_line.past_due
        order    O2 C1 4 1600h..1700h <=1.00 -> refused CreditLineState state=PastDue
        freeze   C1                        -> refused WrongState
        default  C1 unpaid                 -> refused WrongState needed=\"delinquent\"
        now      2256h
        state    C1                        -> past_due late
        told     vendor
        now      2257h
        state    C1                        -> delinquent late
        told     C1                        -> credit_line.delinquent
        told     vendor                    -> credit_line.delinquent
        order    O2 C1 4 2300h..2400h <=1.00 -> refused CreditLineState state=Delinquent

        # Sixty days past due it may be declared in default for that.
        now      2976h
        default  C1 unpaid                 -> refused TooEarly from=Minute 30157980
        now      2977h
        default  C1 unpaid
        default  C1 unpaid by=officer
        state    C1                        -> defaulted
        debt     C1 -> unpaid defaulted=400.00 claim=PG:0.00/320.00
        ",
    );
}

#[test]
fn a_second_missed_invoice_makes_it_delinquent_at_once() {
    on_stage(
        "
        order    O2 C1 4 750h..850h <=1.00 -> contract 400.00
        now      1417h
        finalize C1
        now      2208h
        state    C1                        -> past_due late
        now      2209h
        state    C1                        -> delinquent late
        told     vendor                    -> credit_line.delinquent

        # All must be paid, not most.
        pay      C1 799.999999
        state    C1                        -> delinquent late
        pay      C1 0.000001
        state    C1                        -> active in-time
        told     C1                        -> credit_line.delinquent invoice.paid credit_line.cured
        order    O3 C1 4 2300h..2400h <=1.00 -> contract
        ",
    );
}

#[test]
fn a_payment_or_a_credit_note_cures() {
    for settle in ["pay C1 400.00", "note C1 400.00", "void C1"] {
        on_stage(&format!(
            "
            now      1537h
            state    C1                    -> past_due late
            {settle}
            state    C1                    -> active in-time
            now      2257h
            state    C1                    -> active in-time
            ",
        ));
    }
}

#[test]
fn what_was_proposed_about_a_late_line() {
    on_stage(
        "
        limit    C1 2000000.00             # waits for the second officer
        state    C1                        -> active in-time proposed
        now      1537h
        state    C1                        -> past_due late settled
        default  C1 fraud
        now      2257h
        state    C1                        -> delinquent late proposed
        pay      C1 400.00
        state    C1                        -> active in-time proposed
        default  C1 fraud by=officer
        state    C1                        -> defaulted
        ",
    );
    on_stage(
        "
        now      2977h
        default  C1 unpaid
        state    C1                        -> delinquent late proposed
        pay      C1 400.00
        state    C1                        -> active in-time settled
        default  C1 unpaid by=officer      -> refused WrongState
        ",
    );
}

#[test]
fn a_frozen_line_remembers_that_it_is_late() {
    on_stage(
        "
        freeze   C1
        now      1537h
        state    C1                        -> frozen late
        unfreeze C1
        unfreeze C1 by=officer
        state    C1                        -> past_due late
        now      2257h
        state    C1                        -> delinquent late
        ",
    );
    on_stage(
        "
        freeze   C1
        now      2300h
        state    C1                        -> frozen late
        default  C1 unpaid                 -> refused TooEarly
        unfreeze C1
        unfreeze C1 by=officer
        state    C1                        -> delinquent late
        ",
    );
    on_stage(
        "
        freeze   C1
        default  C1 unpaid                 -> refused WrongState
        now      1537h
        pay      C1 400.00
        state    C1                        -> frozen in-time
        ",
    );
    on_stage(
        "
        freeze   C1
        now      2977h
        default  C1 unpaid
        default  C1 unpaid by=officer
        state    C1                        -> defaulted
        ",
    );
}

#[test]
fn a_late_line_whose_tenor_ends() {
    // Delinquent, it does not run off before it is paid.
    on_stage(
        "
        now      8761h
        state    C1                        -> delinquent late
        pay      C1 400.00
        state    C1                        -> gone
        told     C1 -> credit_line.cured credit_line.run_off credit_line.closed
        ",
    );
    // Running off, it stays what it is until it is paid or in default.
    let late = "
        pay      C1 400.00
        order    O2 C1 4 8100h..8200h <=1.00 -> contract 400.00
        now      8761h
        state    C1                        -> run_off in-time
        now      9576h
        state    C1                        -> run_off late
        default  C1 unpaid                 -> refused TooEarly
    ";
    on_stage(&format!("{late}\npay C1 400.00\nstate C1 -> gone"));
    on_stage(&format!(
        "{late}
        now      11016h
        default  C1 unpaid
        default  C1 unpaid by=officer
        state    C1                        -> defaulted
        debt     C1 -> claim=PG:0.00/320.00
        "
    ));
}
