//! The feature cache: boundary states at the frostline on disk, so that the trunk runs once a sample.
//!
//! One append-only file for one [`CacheKey`]. It is a sequence of chunks; each chunk carries a checksum, so
//! that a crash or a full disk costs at most the chunk that was being written. Written with plain writes and
//! read with positioned reads: a full disk or a vanished file is an error, never a signal.
//!
//! File: magic, 32 bytes of key, then chunks of: `u64` payload bytes, `u32` samples, for each sample 32 bytes
//! of digest and `u32` rows, the rows as little-endian f32, 32 bytes of BLAKE3 over all of the chunk.

use crate::backbone::CutName;
use crate::data::index::Digest;
use crate::nn::NUMERICS_VERSION;
use crate::problem::{Problem, Result};
use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"FRSTCH01";
const HEADER_BYTES: u64 = 40;

/// All that can change a boundary state, besides the sample itself.
#[derive(Debug, Clone, PartialEq)]
pub struct CacheKey<'a> {
    pub weights_sha256: &'a str,
    pub cut: CutName,
    pub pooling: &'a str,
    /// Digest of the preprocessing, or of the tokenizer and its maximal length.
    pub input: String,
    /// `f32`.
    pub dtype: &'a str,
    /// Instruction set, or `composed`: they differ in the last bits.
    pub kernels: &'a str,
    /// `cpu`, `cuda` or `metal`: they differ in the last bits.
    pub device: &'a str,
    /// Number of the augmented view; 0 is the sample as it is.
    pub view: u32,
}

impl CacheKey<'_> {
    /// A digest over all parts.
    pub fn digest(&self) -> Digest {
        let parts = format!(
            "{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{NUMERICS_VERSION}",
            self.weights_sha256,
            self.cut,
            self.pooling,
            self.input,
            self.dtype,
            self.kernels,
            self.device,
            self.view
        );
        Digest(*blake3::hash(parts.as_bytes()).as_bytes())
    }
}

/// An open cache.
#[derive(Debug)]
pub struct FeatureCache {
    path: PathBuf,
    file: File,
    /// Values in one row.
    width: usize,
    entries: HashMap<Digest, Entry>,
    end: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    offset: u64,
    rows: u32,
}

impl FeatureCache {
    /// Opens or makes the cache of `key` in `folder` to write into it; a damaged or unfinished tail is cut off. No other
    /// program can open it so until this is dropped.
    ///
    /// # Errors
    /// The folder cannot be written, or another program writes into the cache.
    pub fn open(folder: &Path, key: &CacheKey, width: usize) -> Result<Self> {
        let digest = key.digest();
        std::fs::create_dir_all(folder).map_err(|e| Problem::io("make the cache folder", folder, &e))?;
        let path = path_of(folder, &digest);
        let fail = |e: std::io::Error| Problem::io("open the feature cache", &path, &e);
        let mut file =
            File::options().create(true).truncate(false).read(true).write(true).open(&path).map_err(fail)?;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            let why = "another program computes the same frozen layers into the same folder";
            return Err(Problem::input(
                "the feature cache is in use",
                why,
                "wait until it has ended, then try again",
            )
            .at(path));
        }
        let mut header = MAGIC.to_vec();
        header.extend_from_slice(&digest.0);
        let mut found = vec![0; header.len()];
        let is_ours = file.read_exact(&mut found).is_ok() && found == header;
        let mut cache = Self { path: path.clone(), file, width, entries: HashMap::new(), end: HEADER_BYTES };
        if is_ours {
            cache.read_chunks().map_err(fail)?;
        } else {
            cache.file.seek(SeekFrom::Start(0)).and_then(|_| cache.file.write_all(&header)).map_err(fail)?;
        }
        cache.file.set_len(cache.end).map_err(fail)?;
        Ok(cache)
    }

    /// Opens the cache of `key` in `folder` as it is; `None` where there is none, or it cannot be read.
    pub fn open_to_read(folder: &Path, key: &CacheKey, width: usize) -> Option<Self> {
        let digest = key.digest();
        let path = path_of(folder, &digest);
        let mut file = File::open(&path).ok()?;
        let mut found = [0; HEADER_BYTES as usize];
        file.read_exact(&mut found).ok()?;
        let is_ours = found.starts_with(MAGIC) && found.ends_with(&digest.0);
        let mut cache = Self { path, file, width, entries: HashMap::new(), end: HEADER_BYTES };
        let is_read = is_ours && cache.read_chunks().is_ok();
        is_read.then_some(cache)
    }

    /// Whether the sample is in the cache.
    pub fn contains(&self, sample: &Digest) -> bool {
        self.entries.contains_key(sample)
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.end
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds samples as one chunk: (digest, rows one after another). A failed write leaves the cache as it was.
    ///
    /// # Errors
    /// The disk is full or cannot be written.
    pub fn append(&mut self, samples: &[(Digest, Vec<f32>)]) -> Result<()> {
        let mut chunk = vec![0; 8];
        chunk.extend_from_slice(&(samples.len() as u32).to_le_bytes());
        for (digest, values) in samples {
            chunk.extend_from_slice(&digest.0);
            chunk.extend_from_slice(&((values.len() / self.width.max(1)) as u32).to_le_bytes());
        }
        let mut offset = self.end + chunk.len() as u64;
        let mut added = Vec::with_capacity(samples.len());
        for (digest, values) in samples {
            added.push((*digest, Entry { offset, rows: (values.len() / self.width.max(1)) as u32 }));
            chunk.extend(values.iter().flat_map(|v| v.to_le_bytes()));
            offset += 4 * values.len() as u64;
        }
        let payload = (chunk.len() - 8) as u64;
        chunk[..8].copy_from_slice(&payload.to_le_bytes());
        let checksum = blake3::hash(&chunk);
        chunk.extend_from_slice(checksum.as_bytes());
        let written = self.file.seek(SeekFrom::Start(self.end)).and_then(|_| self.file.write_all(&chunk));
        if let Err(error) = written {
            // Best effort: an unfinished tail is cut off at the next opening anyway.
            let _ = self.file.set_len(self.end);
            return Err(Problem::io("write the feature cache", &self.path, &error));
        }
        self.end += chunk.len() as u64;
        self.entries.extend(added);
        Ok(())
    }

    /// The rows of one sample, one after another.
    ///
    /// # Errors
    /// The sample is not in the cache, or the file became unreadable.
    pub fn read(&self, sample: &Digest) -> Result<Vec<f32>> {
        let entry = self.entries.get(sample).ok_or_else(|| {
            Problem::other(
                "a sample is missing in the feature cache",
                "it was not computed",
                "delete the cache folder and train again",
            )
            .at(&self.path)
        })?;
        let mut bytes = vec![0; 4 * entry.rows as usize * self.width];
        read_at(&self.file, &mut bytes, entry.offset)
            .map_err(|e| Problem::io("read the feature cache", &self.path, &e))?;
        Ok(bytes.chunks_exact(4).map(|c| f32::from_le_bytes([c[0], c[1], c[2], c[3]])).collect())
    }

    /// Rows of one sample; 0 where it is missing.
    pub fn rows(&self, sample: &Digest) -> usize {
        self.entries.get(sample).map_or(0, |entry| entry.rows as usize)
    }

    /// Reads chunk after chunk and stops at the first that is not whole.
    fn read_chunks(&mut self) -> std::io::Result<()> {
        let length = self.file.metadata()?.len();
        let mut reader = BufReader::with_capacity(1 << 20, &self.file);
        reader.seek(SeekFrom::Start(HEADER_BYTES))?;
        let mut position = HEADER_BYTES;
        let mut entries = HashMap::new();
        while let Some((chunk, next)) = read_chunk(&mut reader, position, length)? {
            if !index_chunk(&chunk, position, self.width, &mut entries) {
                break;
            }
            position = next;
        }
        self.entries = entries;
        self.end = position;
        Ok(())
    }
}

fn path_of(folder: &Path, key: &Digest) -> PathBuf {
    folder.join(format!("{}.features", &key.to_string()[..32]))
}

/// The chunk at `position` without its checksum, and where the next one begins; `None` where it is not whole.
fn read_chunk(reader: &mut impl Read, position: u64, length: u64) -> std::io::Result<Option<(Vec<u8>, u64)>> {
    let room = length.saturating_sub(position);
    if room < 8 + 4 + 32 {
        return Ok(None);
    }
    let mut size = [0; 8];
    reader.read_exact(&mut size)?;
    let payload = u64::from_le_bytes(size);
    if payload > room - 8 - 32 {
        return Ok(None);
    }
    let mut chunk = size.to_vec();
    chunk.resize(8 + payload as usize, 0);
    reader.read_exact(&mut chunk[8..])?;
    let mut checksum = [0; 32];
    reader.read_exact(&mut checksum)?;
    let is_whole = blake3::hash(&chunk).as_bytes() == &checksum;
    Ok(is_whole.then_some((chunk, position + 8 + payload + 32)))
}

/// Notes where the samples of a checked chunk lie; false where its lengths contradict each other.
fn index_chunk(chunk: &[u8], position: u64, width: usize, entries: &mut HashMap<Digest, Entry>) -> bool {
    let word = |at: usize| chunk.get(at..at + 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let Some(count) = word(8) else { return false };
    let mut offset = 12 + 36 * count as usize;
    for number in 0..count as usize {
        let at = 12 + 36 * number;
        let digest = chunk.get(at..at + 32).and_then(|b| <[u8; 32]>::try_from(b).ok());
        let (Some(digest), Some(rows)) = (digest, word(at + 32)) else { return false };
        entries.insert(Digest(digest), Entry { offset: position + offset as u64, rows });
        offset += 4 * rows as usize * width;
    }
    offset == chunk.len()
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(windows)]
fn read_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, offset)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            n => {
                bytes = &mut bytes[n..];
                offset += n as u64;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(cut: &str) -> CacheKey<'static> {
        CacheKey {
            weights_sha256: "ab",
            cut: CutName::Below(cut.to_string()),
            pooling: "mean",
            input: "x".into(),
            dtype: "f32",
            kernels: "plain",
            device: "cpu",
            view: 0,
        }
    }

    fn sample(n: u8, rows: usize) -> (Digest, Vec<f32>) {
        (Digest([n; 32]), (0..rows * 3).map(|i| i as f32 + f32::from(n)).collect())
    }

    #[test]
    fn survives_closing() {
        let folder = tempfile::tempdir().unwrap();
        let mut cache = FeatureCache::open(folder.path(), &key("a"), 3).unwrap();
        cache.append(&[sample(1, 2), sample(2, 1)]).unwrap();
        cache.append(&[sample(3, 4)]).unwrap();
        drop(cache);
        let cache = FeatureCache::open(folder.path(), &key("a"), 3).unwrap();
        for expected in [sample(1, 2), sample(2, 1), sample(3, 4)] {
            assert_eq!(cache.read(&expected.0).unwrap(), expected.1);
        }
        let read = FeatureCache::open_to_read(folder.path(), &key("a"), 3).unwrap();
        assert_eq!(read.read(&sample(3, 4).0).unwrap(), sample(3, 4).1);
        assert!(FeatureCache::open_to_read(folder.path(), &key("b"), 3).is_none());
        assert!(!FeatureCache::open(folder.path(), &key("b"), 3).unwrap().contains(&sample(1, 2).0));
    }

    /// Two projects may share a folder by a link. Meant to fail without the lock: the second cuts off what the first is
    /// writing.
    #[test]
    fn one_program_writes_and_others_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut cache = FeatureCache::open(folder.path(), &key("a"), 3).unwrap();
        cache.append(&[sample(1, 2)]).unwrap();
        assert!(FeatureCache::open(folder.path(), &key("a"), 3).unwrap_err().what.contains("in use"));
        assert!(FeatureCache::open(folder.path(), &key("b"), 3).is_ok());
        let read = FeatureCache::open_to_read(folder.path(), &key("a"), 3).unwrap();
        cache.append(&[sample(2, 1)]).unwrap();
        assert_eq!(read.read(&sample(1, 2).0).unwrap(), sample(1, 2).1);
        drop((cache, read));
        assert!(FeatureCache::open(folder.path(), &key("a"), 3).unwrap().contains(&sample(2, 1).0));
    }

    /// Every part of the key must change the file.
    #[test]
    fn the_key_covers_all() {
        let base = key("a");
        let others = [
            CacheKey { weights_sha256: "ac", ..base.clone() },
            CacheKey { cut: CutName::Head, ..base.clone() },
            CacheKey { pooling: "max", ..base.clone() },
            CacheKey { input: "y".into(), ..base.clone() },
            CacheKey { dtype: "f16", ..base.clone() },
            CacheKey { kernels: "avx2", ..base.clone() },
            CacheKey { device: "cuda", ..base.clone() },
            CacheKey { view: 1, ..base.clone() },
        ];
        assert!(others.iter().all(|other| other.digest() != base.digest()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Whatever byte is changed or wherever the file is cut: what is still there is right.
        #[test]
        fn damage_never_gives_wrong_values(at in 0usize..400, cut in any::<bool>(), bit in 0u8..8) {
            let folder = tempfile::tempdir().unwrap();
            let mut cache = FeatureCache::open(folder.path(), &key("a"), 3).unwrap();
            let samples: Vec<_> = (1..4).map(|n| sample(n, n as usize)).collect();
            for one in &samples {
                cache.append(std::slice::from_ref(one)).unwrap();
            }
            let path = cache.path().to_path_buf();
            drop(cache);
            let mut bytes = std::fs::read(&path).unwrap();
            let at = at % bytes.len();
            if cut { bytes.truncate(at) } else { bytes[at] ^= 1 << bit }
            std::fs::write(&path, &bytes).unwrap();
            let mut cache = FeatureCache::open(folder.path(), &key("a"), 3).unwrap();
            for (digest, values) in &samples {
                if cache.contains(digest) {
                    prop_assert_eq!(&cache.read(digest).unwrap(), values);
                } else {
                    cache.append(&[(*digest, values.clone())]).unwrap();
                    prop_assert_eq!(&cache.read(digest).unwrap(), values);
                }
            }
        }
    }
}
