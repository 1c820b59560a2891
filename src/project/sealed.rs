//! JSON files that carry a digest of themselves, so that no flipped bit is ever taken for what was written.
//!
//! The digest is the last key of the object and covers every byte before it. Files of the versions before
//! [`SEALED_SINCE`] have none and are read as they are; from that version on a missing digest is damage.

use super::files::write_atomically;
use crate::bounded;
use crate::data::Digest;
use crate::problem::{Problem, Result};
use std::borrow::Cow;
use std::path::Path;

/// The version of a file from which on it must carry a digest. No single bit turns this number into the one before.
pub const SEALED_SINCE: u32 = 2;
const SEAL: &[u8] = b",\n  \"digest\": \"";
const SEAL_END: &[u8] = b"\"\n}";
const BODY_END: &[u8] = b"\n}";
const HEX_DIGITS: usize = 64;

/// Serialises to indented JSON with a digest and writes it in one step. `value` must be an object with a key.
///
/// # Errors
/// The folder cannot be written or the disk is full; then the old file is untouched.
pub fn write_sealed<T: serde::Serialize>(path: &Path, value: &T, doing: &str) -> Result<()> {
    let unwritable =
        |why: &str| Problem::other(format!("could not {doing}"), why, "please report this").at(path);
    let mut text = serde_json::to_vec_pretty(value).map_err(|e| unwritable(&e.to_string()))?;
    let digest = Digest::of(&text).to_string();
    let body = text.strip_suffix(BODY_END).map(<[u8]>::len).ok_or_else(|| unwritable("it has no keys"))?;
    text.truncate(body);
    text.extend_from_slice(SEAL);
    text.extend_from_slice(digest.as_bytes());
    text.extend_from_slice(SEAL_END);
    write_atomically(path, &text, doing)
}

/// Reads a file of [`write_sealed`], or one of an earlier version without a digest.
///
/// # Errors
/// Unreadable, not what was expected, or no longer what was written.
pub fn read_sealed<T: serde::de::DeserializeOwned>(path: &Path, doing: &str) -> Result<T> {
    let text = bounded::read(path, bounded::MAX_RECORD_BYTES, doing)?;
    let damaged = |why: String| {
        let remedy = "the file was changed by hand or written by another version; restore it from a copy";
        Problem::input(format!("could not {doing}"), why, remedy).at(path)
    };
    let body = opened(&text).map_err(damaged)?;
    serde_json::from_slice(&body).map_err(|e| damaged(e.to_string()))
}

/// The text as it was before its digest was added; as it is where its version has none.
fn opened(text: &[u8]) -> std::result::Result<Cow<'_, [u8]>, String> {
    let Some((front, hex)) = parted(text) else {
        let value: serde_json::Value = serde_json::from_slice(text).map_err(|e| e.to_string())?;
        let version = value.get("version").and_then(serde_json::Value::as_u64).unwrap_or_default();
        if version >= u64::from(SEALED_SINCE) || value.get("digest").is_some() {
            return Err("its digest is missing or damaged, so what it says cannot be relied on".to_string());
        }
        return Ok(Cow::Borrowed(text));
    };
    let body = [front, BODY_END].concat();
    match Digest::of(&body).to_string().as_bytes() == hex {
        true => Ok(Cow::Owned(body)),
        false => Err("it is not what was written: its digest does not agree".to_string()),
    }
}

/// What stands before the digest, and its digits; nothing where there is no digest.
fn parted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = text.strip_suffix(SEAL_END)?;
    let (front, hex) = rest.split_at_checked(rest.len().checked_sub(HEX_DIGITS)?)?;
    Some((front.strip_suffix(SEAL)?, hex))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Record {
        version: u32,
        names: Vec<String>,
    }

    fn record(version: u32) -> Record {
        Record { version, names: vec!["a".into(), "ä".into()] }
    }

    #[test]
    fn whatever_bit_is_flipped_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        write_sealed(&path, &record(SEALED_SINCE), "write x").unwrap();
        assert_eq!(read_sealed::<Record>(&path, "read x").unwrap(), record(SEALED_SINCE));
        let whole = std::fs::read(&path).unwrap();
        for bit in 0..8 * whole.len() {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, &bytes).unwrap();
            assert!(read_sealed::<Record>(&path, "read x").is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_removed_digest_counts_from_the_version_on_that_has_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        let check = |version: u32| {
            std::fs::write(&path, serde_json::to_vec_pretty(&record(version)).unwrap()).unwrap();
            read_sealed::<Record>(&path, "read x")
        };
        assert_eq!(check(1).unwrap(), record(1));
        assert!(check(SEALED_SINCE).unwrap_err().why.contains("digest is missing"));
    }
}
