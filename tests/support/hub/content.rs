//! Files of a repository: bytes, or bytes that are made when they are asked for.

use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Made at a time.
const PIECE: usize = 1 << 16;

/// The content of a file.
#[derive(Clone)]
pub struct Content {
    head: Arc<[u8]>,
    bytes: u64,
    seed: u64,
}

impl Content {
    pub fn of(bytes: impl Into<Vec<u8>>) -> Self {
        let head: Arc<[u8]> = bytes.into().into();
        Self { bytes: head.len() as u64, head, seed: 0 }
    }

    /// `head`, then bytes that follow from `seed` alone, `bytes` in all.
    pub fn made(head: Vec<u8>, bytes: u64, seed: u64) -> Self {
        assert!(bytes >= head.len() as u64);
        Self { head: head.into(), bytes, seed }
    }

    /// The same with one byte changed, at `at`.
    pub fn damaged(&self, at: usize) -> Self {
        let mut bytes = vec![0; self.bytes as usize];
        self.read(0, &mut bytes);
        bytes[at] ^= 1;
        Self::of(bytes)
    }

    pub fn len(&self) -> u64 {
        self.bytes
    }

    /// Fills `to` with what stands at `from`.
    pub fn read(&self, from: u64, to: &mut [u8]) {
        let head = (self.head.len() as u64).saturating_sub(from).min(to.len() as u64) as usize;
        let (known, made) = to.split_at_mut(head);
        if head > 0 {
            known.copy_from_slice(&self.head[from as usize..][..head]);
        }
        let (mut word, mut of) = (0, u64::MAX);
        for (at, byte) in (from + head as u64..).zip(made) {
            if at / 8 != of {
                of = at / 8;
                word = word_of(self.seed, of);
            }
            *byte = (word >> (8 * (at % 8))) as u8;
        }
    }

    fn each_piece(&self, mut with: impl FnMut(&[u8])) {
        let mut piece = vec![0; PIECE];
        let mut at = 0;
        while at < self.bytes {
            let count = usize::try_from(self.bytes - at).unwrap_or(PIECE).min(PIECE);
            self.read(at, &mut piece[..count]);
            with(&piece[..count]);
            at += count as u64;
        }
    }

    /// What large files are called by.
    pub fn sha256(&self) -> String {
        let mut hasher = Sha256::new();
        self.each_piece(|piece| hasher.update(piece));
        hex(&hasher.finalize())
    }

    /// What git calls it.
    pub fn git_sha1(&self) -> String {
        let mut hasher = Sha1::new_with_prefix(format!("blob {}\0", self.bytes));
        self.each_piece(|piece| hasher.update(piece));
        hex(&hasher.finalize())
    }
}

/// Eight bytes without the exponent of a number that is not finite, so that made weights can be used.
fn word_of(seed: u64, number: u64) -> u64 {
    let mut z = seed.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (z ^ (z >> 27)) & 0x3f3f_3f3f_3f3f_3f3f
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
