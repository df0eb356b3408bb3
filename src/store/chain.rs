//! The audit chain: what a commit's hash is made of. Knows audit records; knows no database.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::AuditRecord;
use crate::engine::Actor;

/// SHA-256 over the previous commit's hash, this commit's number and `seq`, and its audit records
/// in order. Every field has a fixed length or carries its length, so no two contents hash alike.
pub fn link(previous: &[u8; 32], number: u64, seq: u64, audit: &[AuditRecord]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(previous);
    hash.update(number.to_be_bytes());
    hash.update(seq.to_be_bytes());
    for record in audit {
        let AuditRecord { seq, at, actor, request, verb, what, changes } = record;
        hash.update(seq.to_be_bytes());
        hash.update(at.count().to_be_bytes());
        let (kind, id) = match actor {
            Actor::System => (0_u8, Uuid::nil()),
            Actor::Anonymous => (1, Uuid::nil()),
            Actor::User(user) => (2, user.uuid()),
            Actor::Key(key) => (3, key.uuid()),
        };
        hash.update([kind]);
        hash.update(id.as_bytes());
        hash.update(request.as_bytes());
        text(&mut hash, verb);
        text(&mut hash, what);
        hash.update([u8::from(changes.is_some())]);
        text(&mut hash, changes.as_deref().unwrap_or_default());
    }
    hash.finalize().into()
}

fn text(hash: &mut Sha256, text: &str) {
    let length = u64::try_from(text.len()).expect("a text in memory has a 64-bit length");
    hash.update(length.to_be_bytes());
    hash.update(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Micros;

    fn record() -> AuditRecord {
        AuditRecord {
            seq: 7,
            at: Micros::new(1),
            actor: Actor::System,
            request: Uuid::nil(),
            verb: "tick",
            what: "{}".to_owned(),
            changes: None,
        }
    }

    #[test]
    fn every_field_counts() {
        let hash = link(&[0; 32], 1, 7, &[record()]);
        let others = [
            link(&[1; 32], 1, 7, &[record()]),
            link(&[0; 32], 2, 7, &[record()]),
            link(&[0; 32], 1, 8, &[record()]),
            link(&[0; 32], 1, 7, &[]),
            link(&[0; 32], 1, 7, &[AuditRecord { seq: 8, ..record() }]),
            link(&[0; 32], 1, 7, &[AuditRecord { at: Micros::new(2), ..record() }]),
            link(&[0; 32], 1, 7, &[AuditRecord { actor: Actor::Anonymous, ..record() }]),
            link(&[0; 32], 1, 7, &[AuditRecord { request: Uuid::max(), ..record() }]),
            link(&[0; 32], 1, 7, &[AuditRecord { verb: "tic", what: "k{}".into(), ..record() }]),
            link(&[0; 32], 1, 7, &[AuditRecord { changes: Some(String::new()), ..record() }]),
        ];
        assert!(others.iter().all(|other| *other != hash));
        assert_eq!(hash, link(&[0; 32], 1, 7, &[record()]));
    }
}
