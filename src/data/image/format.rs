//! Telling image formats apart by their first bytes.

use std::fmt;
use std::path::Path;

use super::foreign::Foreign;
use super::{ImageError, extension, netpbm, truncated};

/// A format that is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    Jpeg,
    Png,
    WebP,
    Gif,
    Bmp,
    Tiff,
    Netpbm,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 7] =
        [Format::Jpeg, Format::Png, Format::WebP, Format::Gif, Format::Bmp, Format::Tiff, Format::Netpbm];

    /// The format of a file by its first 32 bytes.
    ///
    /// # Errors
    ///
    /// With what it is, where it is a format that is known but not decoded; else with nothing.
    pub fn of(bytes: &[u8]) -> Result<Format, Option<&'static Foreign>> {
        let at = |start: usize, magic: &[u8]| {
            bytes.get(start..start + magic.len()).is_some_and(|found| found == magic)
        };
        if at(0, b"\xff\xd8\xff") {
            Ok(Format::Jpeg)
        } else if at(0, b"\x89PNG\r\n\x1a\n") {
            Ok(Format::Png)
        } else if at(0, b"RIFF") && at(8, b"WEBP") {
            Ok(Format::WebP)
        } else if at(0, b"GIF87a") || at(0, b"GIF89a") {
            Ok(Format::Gif)
        } else if at(0, b"II*\0") || at(0, b"MM\0*") || at(0, b"II+\0") || at(0, b"MM\0+") {
            Ok(Format::Tiff)
        } else if at(0, b"BM") && bytes.len() >= 26 && at(15, &[0, 0, 0]) {
            // "BM" alone begins many a text; the size of the second header is below 256.
            Ok(Format::Bmp)
        } else if netpbm::begins(bytes) {
            Ok(Format::Netpbm)
        } else {
            Err(Foreign::of(bytes))
        }
    }

    /// Whether a file of this name is expected to be of this format.
    pub fn fits_name(self, path: &Path) -> bool {
        let extension = extension(path);
        self.extensions().contains(&extension.as_str())
    }

    /// The usual file name extensions, lower case, the most usual first.
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Format::Jpeg => &["jpg", "jpeg", "jpe", "jfif"],
            Format::Png => &["png", "apng"],
            Format::WebP => &["webp"],
            Format::Gif => &["gif"],
            Format::Bmp => &["bmp", "dib"],
            Format::Tiff => &["tif", "tiff"],
            Format::Netpbm => &["ppm", "pgm", "pbm", "pnm", "pam"],
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Jpeg => "JPEG",
            Format::Png => "PNG",
            Format::WebP => "WebP",
            Format::Gif => "GIF",
            Format::Bmp => "BMP",
            Format::Tiff => "TIFF",
            Format::Netpbm => "Netpbm",
        })
    }
}

/// Whether a file name says that it is an image, of a format that is decoded or not.
pub(crate) fn named_like_an_image(path: &Path) -> bool {
    const NOT_DECODED: [&str; 25] = [
        "avif", "heic", "heif", "hif", "jxl", "jp2", "j2k", "jpx", "psd", "svg", "ico", "dng", "nef", "cr2",
        "cr3", "arw", "orf", "rw2", "raf", "exr", "hdr", "pfm", "tga", "dcm", "qoi",
    ];
    let extension = extension(path);
    let is_decoded = Format::ALL.iter().any(|format| format.extensions().contains(&extension.as_str()));
    is_decoded || NOT_DECODED.contains(&extension.as_str())
}

/// Whether the first bytes of a file are those of no format that is known.
pub(crate) fn is_unknown(bytes: &[u8]) -> bool {
    Format::of(bytes) == Err(None)
}

/// An error where the file of a format that says how long it is does not go as far as that.
pub(super) fn require_end(format: Format, bytes: &[u8], path: &Path) -> Result<(), ImageError> {
    match format {
        Format::Png => require_png_end(bytes, path),
        Format::WebP => match bytes.get(4..8) {
            Some(size) if 8 + little_endian(size) <= bytes.len() as u64 => Ok(()),
            _ => Err(truncated("the WebP is shorter than it says", path)),
        },
        _ => Ok(()),
    }
}

/// Whether the values of a PNG have sixteen bits.
pub(super) fn has_words(png: &[u8]) -> bool {
    png.get(24) == Some(&16)
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Walks the chunks of a PNG to its end mark.
fn require_png_end(bytes: &[u8], path: &Path) -> Result<(), ImageError> {
    let mut at = 8;
    loop {
        let Some(head) = bytes.get(at..at + 8) else {
            return Err(truncated("the end mark of the PNG is missing", path));
        };
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let Some(next) = length.checked_add(at + 12).filter(|&next| next <= bytes.len()) else {
            return Err(truncated("a chunk of the PNG is longer than what is left of the file", path));
        };
        if head[4..] == *b"IEND" {
            return Ok(());
        }
        at = next;
    }
}
