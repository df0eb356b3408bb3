//! The bounds of fields: one question each, one refusal each. Knows no rule beyond a field's own
//! shape.

use super::refusal::Refusal;
use crate::model::limits;

/// A number between its least and its most, both allowed.
///
/// # Errors
/// `OutOfBounds`, with the numbers.
pub(super) fn within(
    field: &'static str,
    given: impl Into<i64>,
    least: impl Into<i64>,
    most: impl Into<i64>,
) -> Result<(), Refusal> {
    let (given, least, most) = (given.into(), least.into(), most.into());
    if (least..=most).contains(&given) {
        return Ok(());
    }
    Err(Refusal::OutOfBounds { field, least, most, given })
}

/// How many of something; too many to count are refused like any other excess.
///
/// # Errors
/// As [`within`].
pub(super) fn count(
    field: &'static str,
    given: usize,
    least: usize,
    most: usize,
) -> Result<(), Refusal> {
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    within(field, number(given), number(least), number(most))
}

/// A name: one line that says something, at most [`limits::NAME_LENGTH_MAX`] characters.
///
/// # Errors
/// `OutOfBounds` for its length, `Invalid` for what cannot be shown in a line.
pub(super) fn name(field: &'static str, text: &str) -> Result<(), Refusal> {
    count(field, text.chars().count(), 1, limits::NAME_LENGTH_MAX)?;
    if text.trim() != text || text.chars().any(char::is_control) {
        let rule = "one line without control characters and without spaces at its ends";
        return Err(Refusal::Invalid { field, rule });
    }
    Ok(())
}

/// A note: any text, also none, of at most [`limits::NOTE_LENGTH_MAX`] characters. Line breaks are
/// welcome, other control characters are not: PostgreSQL cannot keep them all.
///
/// # Errors
/// `OutOfBounds` for its length, `Invalid` for control characters.
pub(super) fn note(field: &'static str, text: &str) -> Result<(), Refusal> {
    count(field, text.chars().count(), 0, limits::NOTE_LENGTH_MAX)?;
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(Refusal::Invalid { field, rule: "no control characters but line breaks" });
    }
    Ok(())
}

/// A caller's own words for something, of at most [`limits::REFERENCE_LENGTH_MAX`] characters; none
/// of them a control character, which PostgreSQL cannot all keep.
///
/// # Errors
/// `OutOfBounds` for its length, `Invalid` for control characters.
pub(super) fn reference(field: &'static str, text: &str) -> Result<(), Refusal> {
    count(field, text.chars().count(), 0, limits::REFERENCE_LENGTH_MAX)?;
    if text.chars().any(char::is_control) {
        return Err(Refusal::Invalid { field, rule: "no control characters" });
    }
    Ok(())
}

/// An email address in the form in which it is kept: lower case. Whether it can be delivered to is
/// shown by using it; here it only has to look like one.
///
/// # Errors
/// `OutOfBounds` for its length, `Invalid` for its shape.
pub(super) fn email(field: &'static str, text: &str) -> Result<String, Refusal> {
    let kept = text.to_lowercase();
    count(field, kept.len(), 3, limits::EMAIL_LENGTH_MAX)?;
    let is_clean = !kept.chars().any(|c| c.is_whitespace() || c.is_control());
    let is_address = kept.split_once('@').is_some_and(|(local, domain)| {
        let has_edge_point = domain.starts_with('.') || domain.ends_with('.');
        !local.is_empty() && !domain.is_empty() && !domain.contains('@') && !has_edge_point
    });
    if !is_clean || !is_address {
        return Err(Refusal::Invalid { field, rule: "an address such as name@example.com" });
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_between_their_ends() {
        for (given, fits) in [(0, false), (1, true), (9, true), (10, false), (i64::MIN, false)] {
            assert_eq!(within("gpus", given, 1, 9).is_ok(), fits, "{given}");
        }
        let refusal = Refusal::OutOfBounds { field: "gpus", least: 1, most: 9, given: 10 };
        assert_eq!(within("gpus", 10, 1, 9), Err(refusal));
        assert!(count("gpus", usize::MAX, 0, 5).is_err());
    }

    #[test]
    fn names_are_one_honest_line() {
        let longest = "é".repeat(limits::NAME_LENGTH_MAX);
        for good in ["A", "Sharon AI", "Förmus 株式会社", &longest] {
            assert_eq!(name("name", good), Ok(()), "{good:?}");
        }
        let too_long = "é".repeat(limits::NAME_LENGTH_MAX + 1);
        for bad in ["", " ", " A", "A ", "A\nB", "A\0", "\u{7f}", &too_long] {
            assert!(name("name", bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn notes_may_have_lines_and_be_empty() {
        for good in ["", "two\nlines", "\ttab\r\n"] {
            assert_eq!(note("note", good), Ok(()), "{good:?}");
        }
        let too_long = "x".repeat(limits::NOTE_LENGTH_MAX + 1);
        for bad in ["\0", "bell\u{7}", &too_long] {
            assert!(note("note", bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn addresses_are_kept_in_lower_case() {
        for (given, kept) in [("Ann@Example.COM", "ann@example.com"), ("a@b", "a@b")] {
            assert_eq!(email("email", given), Ok(kept.to_owned()));
        }
        let too_long = format!("{}@example.com", "x".repeat(limits::EMAIL_LENGTH_MAX));
        for bad in [
            "",
            "a",
            "@",
            "a@",
            "@b",
            "a@@b",
            "a@b@c",
            "a b@c",
            " a@b",
            "a@b\n",
            "a@.b",
            "a@b.",
            "a\u{a0}b@c",
            "\0@b",
            &too_long,
        ] {
            assert!(email("email", bad).is_err(), "{bad:?}");
        }
    }
}
