//! Tables that are compressed: `reviews.csv.gz`, `tickets.tsv.zst`.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;

use crate::data::facts::extension;
use crate::units;

/// What to do where a file cannot be unpacked.
pub(super) const REMEDY: &str =
    "Unpack it, and look whether it is whole; of a table that is too large give a part.";

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    Gzip,
    Zstandard,
}

impl Packing {
    fn of_name(path: &Path) -> Option<Packing> {
        match extension(path).as_str() {
            "gz" => Some(Packing::Gzip),
            "zst" | "zstd" => Some(Packing::Zstandard),
            _ => None,
        }
    }

    fn of_content(bytes: &[u8]) -> Option<Packing> {
        match bytes {
            [0x1f, 0x8b, 8, ..] => Some(Packing::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Packing::Zstandard),
            _ => None,
        }
    }
}

/// The name that the file has once it is unpacked.
pub(super) fn unpacked_name(path: &Path) -> PathBuf {
    match Packing::of_name(path) {
        Some(_) => path.with_extension(""),
        None => path.to_owned(),
    }
}

/// How many bytes may come out of `packed` ones, if `limit` is the most of all: tables shrink to a tenth, and what is
/// large and shrinks to less than a thirtieth was made to fill the memory.
pub(super) fn most_from(packed: usize, limit: u64) -> u64 {
    const LEAST: u64 = 192 << 20;
    limit.min((packed as u64).saturating_mul(30).max(LEAST))
}

/// The content of a file, unpacked where it is packed, whatever its name says; at most `limit` bytes.
///
/// # Errors
///
/// Why it cannot be unpacked.
pub(super) fn unpack(bytes: Vec<u8>, limit: u64) -> Result<Vec<u8>, String> {
    let Some(packing) = Packing::of_content(&bytes) else {
        return Ok(bytes);
    };
    let limit = most_from(bytes.len(), limit);
    let explain = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            "it is compressed and ends too early: it may have been cut short".to_owned()
        }
        _ => format!("it is compressed and cannot be unpacked: {error}"),
    };
    // A list that grows takes three times as much on the way, so it is measured first.
    let length = write_to(packing, &bytes, limit + 1, &mut io::sink()).map_err(explain)?;
    if length > limit {
        return Err(format!("it has more than {} unpacked, and no more is read", units::bytes(limit)));
    }
    let mut content = Vec::with_capacity(length as usize);
    write_to(packing, &bytes, limit, &mut content).map_err(explain)?;
    Ok(content)
}

/// Writes at most `most` bytes of what is packed; gives how many. Frames of Zstandard are read one after another, as the
/// program joins files.
fn write_to(packing: Packing, bytes: &[u8], most: u64, to: &mut impl Write) -> io::Result<u64> {
    if packing == Packing::Gzip {
        return io::copy(&mut MultiGzDecoder::new(bytes).take(most), to);
    }
    let (mut rest, mut total) = (bytes, 0);
    while !rest.is_empty() && total < most {
        let mut frame = StreamingDecoder::new(&mut rest).map_err(io::Error::other)?;
        total += io::copy(&mut frame.by_ref().take(most - total), to)?;
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(text).unwrap();
        packer.finish().unwrap()
    }

    fn zstandard(text: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest)
    }

    #[test]
    fn packed_files_are_unpacked_whole() {
        let text = "text,label\nfine words,a\n".repeat(1000);
        for packed in [gzip(text.as_bytes()), zstandard(text.as_bytes())] {
            assert_eq!(unpack(packed.clone(), 1 << 20).unwrap(), text.as_bytes());
            let twice = [packed.clone(), packed.clone()].concat();
            assert_eq!(unpack(twice, 1 << 20).unwrap(), text.repeat(2).as_bytes());
            assert!(unpack(packed.clone(), 100).unwrap_err().contains("no more is read"));
            let cut = packed[..packed.len() / 2].to_vec();
            assert!(unpack(cut, 1 << 20).unwrap_err().starts_with("it is compressed and"));
        }
        assert_eq!(unpack(b"a,b".to_vec(), 10).unwrap(), b"a,b");
    }

    #[test]
    fn what_grows_a_thousandfold_is_refused() {
        assert_eq!(most_from(10, 1 << 31), 192 << 20);
        assert_eq!(most_from(10 << 20, 1 << 31), 300 << 20);
        assert_eq!(most_from(1 << 30, 1 << 31), 1 << 31);
        let bomb = gzip(&vec![b','; 193 << 20]);
        let refused = "it has more than 201 MB unpacked, and no more is read";
        assert_eq!(unpack(bomb, 1 << 31).unwrap_err(), refused);
    }

    #[test]
    fn names_lose_the_ending_of_the_packing() {
        assert_eq!(unpacked_name(Path::new("x/a.csv.gz")), Path::new("x/a.csv"));
        assert_eq!(unpacked_name(Path::new("a.tsv.ZST")), Path::new("a.tsv"));
        assert_eq!(unpacked_name(Path::new("a.csv")), Path::new("a.csv"));
    }
}
