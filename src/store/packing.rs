//! Answers as they are kept: packed, because a reservation's answer is longer than all its rows
//! together, and most of it are the words that every such answer has. Knows bytes and a text of
//! usual words; knows nothing of what they say.

use lz4_flex::block::{compress_prepend_size_with_dict, decompress_with_dict, uncompressed_size};

use super::Fault;
use super::rows::corrupt;

/// Words that answers usually have: one answer to a reservation. What was packed with it is read
/// with it, so this text is never changed. When answers have become very different, packing by
/// another text gets a number of its own.
const WORDS: &[u8] = include_bytes!("packing/words.json");

/// How a kept answer is packed: as it is.
const PLAIN: i64 = 0;
/// By LZ4 after [`WORDS`].
const AFTER_WORDS: i64 = 1;

/// LZ4 makes nothing longer than so many times what it reads.
const GROWTH_MAX: usize = 255;

/// An answer as a row keeps it.
#[derive(Debug, PartialEq, Eq)]
pub struct Packed {
    pub packing: i64,
    pub body: Vec<u8>,
}

/// Packs an answer, unless that would not make it shorter.
pub fn pack(body: &[u8]) -> Packed {
    let packed = compress_prepend_size_with_dict(body, WORDS);
    if packed.len() < body.len() {
        Packed { packing: AFTER_WORDS, body: packed }
    } else {
        Packed { packing: PLAIN, body: body.to_vec() }
    }
}

/// The answer, byte for byte as it was given.
///
/// # Errors
/// When it is what no program of ours wrote.
pub fn unpack(packed: Packed) -> Result<Vec<u8>, Fault> {
    let Packed { packing, body } = packed;
    match packing {
        PLAIN => Ok(body),
        AFTER_WORDS => {
            let (length, rest) =
                uncompressed_size(&body).map_err(|error| corrupt("kept.body", error))?;
            // Before so much memory is asked for: in a broken row it may be any number.
            if length > rest.len() * GROWTH_MAX {
                return Err(corrupt("kept.body", "longer than it can be"));
            }
            let body = decompress_with_dict(rest, length, WORDS)
                .map_err(|error| corrupt("kept.body", error))?;
            if body.len() != length {
                return Err(corrupt("kept.body", "shorter than it says"));
            }
            Ok(body)
        }
        other => Err(corrupt("kept.packing", other)),
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn what_was_packed_is_read_byte_for_byte() {
        let long: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        for body in [b"".as_slice(), b"{}", WORDS, &WORDS[100..900], &long, &[7; 300_000]] {
            assert_eq!(unpack(pack(body)).expect("whole"), body);
        }
        assert!(pack(WORDS).body.len() < WORDS.len() / 50);
        assert_eq!(pack(b"{}"), Packed { packing: PLAIN, body: b"{}".to_vec() });
    }

    /// What is on disk can be read only with the text that it was packed with.
    #[test]
    fn the_words_never_change() {
        let digest: String = Sha256::digest(WORDS).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(digest, "b2ae1ceb994fb2d524585061a24a40f301ee0ecb566822dec3e4db06f47a0b49");
    }

    #[test]
    fn a_broken_row_is_said_to_be_one() {
        let whole = pack(WORDS);
        let broken = |change: fn(&mut Packed)| {
            let Packed { packing, ref body } = whole;
            let mut packed = Packed { packing, body: body.clone() };
            change(&mut packed);
            unpack(packed).expect_err("broken").to_string()
        };
        assert!(broken(|it| it.packing = 9).contains("kept.packing: 9"));
        assert!(broken(|it| it.body.truncate(3)).contains("kept.body"));
        assert!(broken(|it| it.body.truncate(5)).contains("kept.body"));
        assert!(broken(|it| it.body[3] = 0xff).contains("longer than it can be"));
        assert!(broken(|it| it.body[0] ^= 1).contains("kept.body"));
    }
}
