//! The rules of credit as tables: who may ask, who decides, what a line does. The language is in
//! `bank`.

mod bank;
mod history;

use super::super::credit::{Application, ApplicationState, Credit, Line, LineState};
use super::super::{Actor, Command};
use bank::{Bank, check, org, place, user};

#[test]
fn a_customer_asks_and_an_officer_says_yes() {
    check(
        "
        ann   hold 10                -> no_credit_line
        ann   apply 100              -> submitted no-line credit_application.submitted
        otto  approve ann 80 tenor=3 -> approved 1/1 line credit_line.activated
        ann   hold 30 -> active limit=80.00 free=50.00 held=30.00 until=2027-04-01T00:00:00Z
        ann   hold 50.000001 -> credit_short needed=50.000001 available=50.00 missing=0.000001
        ann   hold 50                -> free=0.00 held=80.00
        ann   release 20             -> free=20.00 held=60.00
        ann   draw 60                -> free=20.00 held=0.00 drawn=60.00
        ann   hold 0                 -> active held=0.00
        bob   hold 1                 -> no_credit_line
    ",
    );
}

#[test]
fn who_may_ask_and_what_for() {
    check(
        "
        tom   apply 100              -> not_permitted
        otto  apply 100              -> not_capable
        ann   apply 0                -> out_of_bounds requested_limit
        ann   apply -1               -> out_of_bounds requested_limit
        ann   apply 1000000000000.000001  -> out_of_bounds requested_limit
        ann   apply 1 purpose=       -> out_of_bounds purpose
        ann   apply 1 purpose=__     -> out_of_bounds purpose
        ann   apply 1 purpose=\u{7}  -> invalid purpose
        ann   apply 1000000000000    -> submitted
        ann   apply 5                -> application_waiting
        bob   apply 0.000001         -> submitted
    ",
    );
}

#[test]
fn a_request_is_withdrawn_by_whoever_made_it() {
    check(
        "
        ann   withdraw ann           -> not_found credit_application
        ann   apply 100              -> submitted
        bob   withdraw ann           -> not_found credit_application
        tom   withdraw ann           -> not_permitted
        otto  withdraw ann           -> not_permitted
        ann   withdraw ann           -> withdrawn v=2 credit_application.withdrawn
        ann   withdraw ann           -> not_found
        otto  approve ann 100        -> not_found
        ann   apply 50               -> submitted
    ",
    );
}

#[test]
fn who_may_decide_and_on_which_terms() {
    check(
        "
        otto  approve ann 100        -> not_found credit_application
        ann   apply 100
        ann   approve ann 100        -> not_capable
        aud   approve ann 100        -> not_permitted
        aud   decline ann other      -> not_permitted
        otto  approve ann 0          -> out_of_bounds limit
        otto  approve ann 1000000000000.000001  -> out_of_bounds limit
        otto  approve ann 100 tenor=0    -> out_of_bounds tenor_months
        otto  approve ann 100 tenor=121  -> out_of_bounds tenor_months
        otto  approve ann 100 net=181    -> out_of_bounds net_days
        otto  approve ann 100 note=\u{7} -> invalid note
        otto  approve ann 100 tenor=120 net=180 dry  -> approved no-line
        ann   hold 1                 -> no_credit_line
        otto  approve ann 100 tenor=120 net=180      -> approved line
        ann   hold 1                 -> until=2037-01-01T00:00:00Z
        otto  approve ann 100        -> not_found credit_application
    ",
    );
}

#[test]
fn a_no_has_reasons_from_the_list() {
    check(
        "
        ann   apply 100
        otto  decline ann            -> invalid reason_codes
        otto  decline ann rude       -> unknown reason_codes rude
        otto  decline ann other,Other        -> unknown reason_codes Other
        otto  decline ann other,other        -> invalid reason_codes
        otto  decline ann insufficient_history,exposure_limit -> credit_application.declined
        otto  decline ann other      -> not_found
        ann   apply 50               -> submitted
    ",
    );
}

#[test]
fn above_the_threshold_it_takes_two_officers_and_the_same_terms() {
    check(
        "
        ann   apply 2000000
        otto  approve ann 1000000 dry        -> approved 1/1
        otto  approve ann 1000000.000001 dry -> submitted 1/2 v=2
        otto  approve ann 2000000    -> submitted 1/2 no-line v=2
        ann   hold 1                 -> no_credit_line
        otto  approve ann 2000000    -> same_officer
        otto  approve ann 5          -> same_officer
        ora   approve ann 1999999    -> terms_differ 2000000.00 tenor=12 net=30
        ora   approve ann 2000000 net=31     -> terms_differ
        ora   approve ann 2000000 tenor=13   -> terms_differ
        ora   approve ann 2000000 dry        -> approved 2/2 no-line
        ora   approve ann 2000000    -> approved 2/2 line v=3 credit_line.activated
        ann   hold 2000000           -> free=0.00
        bob   apply 2000000
        ora   approve bob 2000000    -> submitted 1/2
        otto  decline bob other      -> declined
        bob   apply 2000000
        otto  approve bob 1500000    -> submitted 1/2
        bob   withdraw bob           -> withdrawn
    ",
    );
}

#[test]
fn another_approval_changes_the_line_that_is_there() {
    check(
        "
        ann   apply 100
        otto  approve ann 100 tenor=1  -> approved line
        ann   hold 90                  -> free=10.00 until=2027-02-01T00:00:00Z
        ann   apply 200
        otto  approve ann 200 tenor=6 dry  -> approved line
        otto  approve ann 200 tenor=6 -> approved line credit_line.limit_changed
        ann   hold 0 -> limit=200.00 free=110.00 held=90.00 v=2 until=2027-07-01T00:00:00Z
        ann   apply 60
        otto  approve ann 60           -> approved credit_line.limit_changed
        ann   hold 0                   -> limit=90.00 free=0.00 to=60.00 v=3
        ann   apply 500
        otto  freeze ann
        otto  approve ann 500          -> wrong_state credit_line frozen active
        otto  approve ann 500 dry      -> wrong_state credit_line frozen active
    ",
    );
}

#[test]
fn one_officer_freezes_and_two_thaw() {
    check(
        "
        ann   apply 100
        otto  approve ann 100
        ann   hold 30
        ann   freeze ann             -> not_capable
        aud   freeze ann             -> not_permitted
        otto  freeze bob             -> not_found credit_line
        otto  unfreeze ann           -> wrong_state credit_line active frozen
        otto  freeze ann note=\u{7}  -> invalid note
        otto  freeze ann             -> frozen v=2 credit_line.frozen
        otto  freeze ann             -> wrong_state credit_line frozen active
        ann   hold 1                 -> credit_line_state frozen
        ann   release 10             -> frozen free=80.00 held=20.00
        ann   draw 5                 -> frozen drawn=5.00
        otto  limit ann 50           -> wrong_state credit_line frozen active
        otto  unfreeze ann           -> frozen proposed v=3
        otto  unfreeze ann           -> same_officer
        ora   unfreeze ann           -> active settled v=4 credit_line.unfrozen
        ann   hold 1                 -> active
    ",
    );
}

#[test]
fn a_limit_rises_at_once_and_falls_as_it_frees() {
    check(
        "
        ann   apply 100
        otto  approve ann 100
        ann   hold 70
        ann   draw 20
        otto  limit ann 200 v=7      -> version_mismatch 7 1
        otto  limit ann -1           -> out_of_bounds limit
        otto  limit ann 1000000000001 -> out_of_bounds limit
        otto  limit ann 100          -> invalid limit
        otto  limit ann 120 v=1      -> limit=120.00 free=50.00 v=2 credit_line.limit_changed
        otto  limit ann 80           -> limit=80.00 free=10.00 to=- v=3 credit_line.limit_changed
        otto  limit ann 40           -> limit=70.00 free=0.00 to=40.00 v=4 credit_line.limit_changed
        ann   hold 1                 -> credit_short missing=1.00
        ann   release 10             -> limit=60.00 free=0.00 held=40.00 to=40.00 v=4
        otto  limit ann 40           -> invalid limit
        otto  limit ann 50           -> limit=60.00 to=50.00 v=5
        ann   release 25 -> limit=50.00 free=15.00 held=15.00 to=- v=5 credit_line.limit_changed
        otto  limit ann 0            -> limit=35.00 free=0.00 to=0.00
        otto  limit ann 35           -> limit=35.00 free=0.00 to=-
        otto  limit ann 0            -> to=0.00
        otto  limit ann 1000         -> limit=1000.00 free=965.00 to=- credit_line.limit_changed
    ",
    );
}

#[test]
fn a_rise_above_the_threshold_takes_two_officers() {
    check(
        "
        ann   apply 100
        otto  approve ann 100
        otto  limit ann 2000000      -> limit=100.00 proposed v=2
        otto  limit ann 2000000      -> same_officer
        ora   limit ann 2000000 v=1  -> version_mismatch 1 2
        ora   limit ann 3000000      -> limit=100.00 proposed v=3         # another one in its place
        otto  limit ann 3000000      -> limit=3000000.00 settled v=4 credit_line.limit_changed
        ann   hold 2500000
        otto  limit ann 1200000      -> limit=2500000.00 to=1200000.00   # down takes one
        otto  limit ann 2500000      -> proposed to=1200000.00           # back up is up
        ora   limit ann 1100000      -> settled to=1100000.00            # overtaken
        otto  limit ann 1200000      -> proposed to=1100000.00
        otto  freeze ann             -> frozen settled
    ",
    );
}

#[test]
fn a_line_runs_off_and_closes_when_nothing_is_used() {
    check(
        "
        ann   apply 100
        otto  approve ann 100
        ann   expire -> closed limit=0.00 free=0.00 credit_line.run_off credit_line.closed
        ann   hold 1                 -> no_credit_line
        otto  freeze ann             -> not_found credit_line
        ann   apply 100
        otto  approve ann 100        -> approved credit_line.activated
        ann   hold 30
        otto  limit ann 2000000      -> proposed
        ann   expire                 -> run_off settled limit=100.00 credit_line.run_off
        ann   hold 1                 -> credit_line_state run_off
        otto  freeze ann             -> wrong_state credit_line run_off active
        ann   apply 50
        otto  approve ann 50         -> wrong_state credit_line run_off active
        ann   release 10             -> run_off held=20.00
        ann   release 20             -> closed limit=0.00 credit_line.closed
        otto  approve ann 50         -> approved credit_line.activated
        ann   hold 50
        otto  limit ann 10           -> to=10.00
        otto  freeze ann
        ann   expire                 -> run_off to=10.00
        ann   release 45             -> run_off limit=10.00 free=5.00 to=- credit_line.limit_changed
        ann   release 5              -> closed
    ",
    );
}

#[test]
fn nobody_decides_for_their_own_organization() {
    let mut bank = Bank::new();
    bank.does("ann apply 100");
    bank.does("otto approve ann 100");
    bank.does("ann apply 100");
    // No command makes the operator a customer; should one ever do, this is the last line of
    // defence.
    let own = |line: &Line| Line { org: org("otto"), ..line.clone() };
    let lines = bank.engine.credit.lines().map(own).collect();
    let own = |ask: &Application| Application { org: org("otto"), ..ask.clone() };
    let asks = bank.engine.credit.applications().map(own).collect();
    bank.engine.credit = Credit::from_parts(asks, lines, Vec::new(), Vec::new());
    for doing in ["approve ann 5", "decline ann other", "freeze ann", "unfreeze ann", "limit ann 5"]
    {
        assert_eq!(bank.does(&format!("ora {doing}")).trim(), "own_request", "{doing}");
    }
}

#[test]
fn every_decision_leaves_before_and_after() {
    let mut bank = Bank::new();
    bank.does("ann apply 100");
    bank.does("otto approve ann 100");
    let id = bank.lines[place("ann")].expect("a line");
    let freeze = Command::FreezeLine { id, note: "late twice".to_owned() };
    let (_, out) = bank.apply(Actor::User(user("otto")), freeze);
    let [change] = out.changes.as_slice() else { panic!("one change, not {:?}", out.changes) };
    assert_eq!(change.subject, id.to_string());
    for (side, state) in [(&change.before, "active"), (&change.after, "frozen")] {
        let line: Line = serde_json::from_str(side.as_deref().expect("both")).expect("a line");
        assert_eq!(line.state.as_str(), state);
    }
}

#[test]
fn no_edge_is_taken_that_is_not_in_the_table() {
    use LineState::{Active, Closed, Defaulted, Delinquent, Frozen, PastDue, RunOff};
    let edges = [
        (Active, Frozen),
        (Active, PastDue),
        (Active, RunOff),
        (Active, Defaulted),
        (Frozen, Active),
        (Frozen, PastDue),
        (Frozen, RunOff),
        (Frozen, Defaulted),
        (PastDue, Active),
        (PastDue, Delinquent),
        (PastDue, RunOff),
        (PastDue, Defaulted),
        (Delinquent, Active),
        (Delinquent, Defaulted),
        (RunOff, Closed),
        (RunOff, Defaulted),
    ];
    for &from in LineState::ALL {
        for &to in LineState::ALL {
            assert_eq!(from.may_become(to), edges.contains(&(from, to)), "{from} -> {to}");
        }
    }
    for &from in ApplicationState::ALL {
        for &to in ApplicationState::ALL {
            let is_edge = from == ApplicationState::Submitted && to != from;
            assert_eq!(from.may_become(to), is_edge, "{from} -> {to}");
        }
    }
}
