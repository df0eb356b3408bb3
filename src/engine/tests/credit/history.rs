//! Random histories: whatever is asked in whatever order, the bank stays sound after every step.

use proptest::prelude::*;

use super::bank::{Bank, money, org};

fn step() -> impl Strategy<Value = String> {
    let customer = prop::sample::select(vec!["ann", "ann", "bob"]);
    let officer = prop::sample::select(vec!["otto", "ora", "otto", "ora", "aud"]);
    let amount = prop_oneof![5 => 0..200_i64, 1 => 1_500_000..1_500_003_i64];
    (0..48_u8, customer, officer, amount).prop_map(|(verb, customer, officer, amount)| match verb {
        0..4 => format!("{customer} apply {amount}"),
        4 => format!("{customer} withdraw {customer}"),
        5..12 => {
            let tenor = 1 + amount % 3;
            format!("{officer} approve {customer} {amount} tenor={tenor}")
        }
        12 => format!("{officer} approve {customer} {amount} dry"),
        13 => format!("{officer} decline {customer} other"),
        14..16 => format!("{officer} freeze {customer}"),
        16..20 => format!("{officer} unfreeze {customer}"),
        20..27 => format!("{officer} limit {customer} {amount}"),
        27..35 => format!("{customer} hold {amount}"),
        35..43 => format!("{customer} release {amount}"),
        43..47 => format!("{customer} draw {amount}"),
        _ => format!("{customer} expire {amount}"),
    })
}

/// Only what trading would do: it never releases or draws more than is held.
fn cut_to_fit(bank: &Bank, step: &str) -> Option<String> {
    let words: Vec<_> = step.split_whitespace().collect();
    let [customer, verb @ ("release" | "draw" | "expire"), amount] = words[..] else {
        return Some(step.to_owned());
    };
    let line = bank.engine.credit.line_of(org(customer))?;
    let held = bank.engine.balances(line).held;
    let runs = bank.engine.credit.lines[&line].deadlines().next().is_some();
    let goes_on = verb != "expire" || (runs && amount.len() == 1);
    goes_on.then(|| format!("{customer} {verb} {}", money(amount).min(held)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn a_bank_stays_sound(steps in prop::collection::vec(step(), 1..300)) {
        let mut bank = Bank::new();
        for step in steps {
            if let Some(step) = cut_to_fit(&bank, &step) {
                bank.does(&step);
            }
        }
    }
}
