//! The audit chain: every commit's hash covers the one before it and the audit records written with
//! it, so nothing that was recorded can be changed, removed or slipped in without breaking all that
//! follow.

use sha2::{Digest, Sha256};

use super::AuditRecord;
use super::read::AuditRow;
use crate::engine::Actor;

/// One audit record's fields, wherever they come from.
struct Sheet<'a> {
    seq: u64,
    at: i64,
    actor: &'a Actor,
    request: &'a [u8; 16],
    verb: &'a str,
    what: &'a str,
    changes: Option<&'a str>,
}

/// The hash of commit `number`: SHA-256 over the previous commit's hash, the number, the engine's
/// `seq` after it, and the records in canonical bytes (numbers big-endian, texts with their length
/// before them).
pub fn link(prev: &[u8; 32], number: u64, seq: u64, records: &[AuditRecord]) -> [u8; 32] {
    let sheets = records.iter().map(|record| {
        let AuditRecord { seq, at, actor, request, verb, what, changes } = record;
        Sheet {
            seq: *seq,
            at: at.count(),
            actor,
            request: request.as_bytes(),
            verb,
            what,
            changes: changes.as_deref(),
        }
    });
    digest(prev, number, seq, sheets)
}

/// As [`link`], over records as they were read back.
pub fn link_read(prev: &[u8; 32], number: u64, seq: u64, rows: &[AuditRow]) -> [u8; 32] {
    let sheets = rows.iter().map(|row| {
        let AuditRow { seq, commit: _, at, actor, request, verb, what, changes } = row;
        Sheet {
            seq: *seq,
            at: at.count(),
            actor,
            request: request.as_bytes(),
            verb,
            what,
            changes: changes.as_deref(),
        }
    });
    digest(prev, number, seq, sheets)
}

fn digest<'a, S: ExactSizeIterator<Item = Sheet<'a>>>(
    prev: &[u8; 32],
    number: u64,
    seq: u64,
    sheets: S,
) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(prev);
    hash.update(number.to_be_bytes());
    hash.update(seq.to_be_bytes());
    hash.update(length(sheets.len()));
    for sheet in sheets {
        hash.update(sheet.seq.to_be_bytes());
        hash.update(sheet.at.to_be_bytes());
        match sheet.actor {
            Actor::System => hash.update([0]),
            Actor::Anonymous => hash.update([1]),
            Actor::User(user) => {
                hash.update([2]);
                hash.update(user.uuid().as_bytes());
            }
            Actor::Key(key) => {
                hash.update([3]);
                hash.update(key.uuid().as_bytes());
            }
        }
        hash.update(sheet.request);
        text(&mut hash, sheet.verb);
        text(&mut hash, sheet.what);
        match sheet.changes {
            None => hash.update([0]),
            Some(changes) => {
                hash.update([1]);
                text(&mut hash, changes);
            }
        }
    }
    hash.finalize().into()
}

fn text(hash: &mut Sha256, text: &str) {
    hash.update(length(text.len()));
    hash.update(text.as_bytes());
}

fn length(bytes: usize) -> [u8; 8] {
    u64::try_from(bytes).expect("lengths fit into 64 bits").to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Micros;
    use crate::model::id::UserId;
    use uuid::Uuid;

    fn record(what: &str, changes: Option<&str>) -> AuditRecord {
        AuditRecord {
            seq: 7,
            at: Micros::new(1),
            actor: Actor::User(UserId::new(Uuid::from_u128(5))),
            request: Uuid::from_u128(6),
            verb: "tick",
            what: what.to_owned(),
            changes: changes.map(str::to_owned),
        }
    }

    #[test]
    fn every_field_moves_the_hash_and_nothing_runs_into_its_neighbour() {
        let start = [0; 32];
        let plain = link(&start, 1, 7, &[record("ab", Some("c"))]);
        let others = [
            link(&[1; 32], 1, 7, &[record("ab", Some("c"))]),
            link(&start, 2, 7, &[record("ab", Some("c"))]),
            link(&start, 1, 8, &[record("ab", Some("c"))]),
            link(&start, 1, 7, &[record("a", Some("bc"))]),
            link(&start, 1, 7, &[record("abc", Some(""))]),
            link(&start, 1, 7, &[record("ab", None)]),
            link(&start, 1, 7, &[AuditRecord { seq: 8, ..record("ab", Some("c")) }]),
            link(&start, 1, 7, &[AuditRecord { at: Micros::new(2), ..record("ab", Some("c")) }]),
            link(&start, 1, 7, &[AuditRecord { actor: Actor::System, ..record("ab", Some("c")) }]),
            link(&start, 1, 7, &[AuditRecord { verb: "tock", ..record("ab", Some("c")) }]),
            link(&start, 1, 7, &[AuditRecord { request: Uuid::nil(), ..record("ab", Some("c")) }]),
            link(&start, 1, 7, &[record("ab", Some("c")), record("ab", Some("c"))]),
            link(&start, 1, 7, &[]),
        ];
        for (place, other) in others.iter().enumerate() {
            assert_ne!(*other, plain, "variation {place}");
            assert!(!others[..place].contains(other), "variation {place}");
        }
    }
}
