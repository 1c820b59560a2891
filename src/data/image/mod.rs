//! Image files -> RGB pixels: JPEG, PNG, WebP, GIF, BMP, TIFF and Netpbm (PBM, PGM, PPM, PAM).
//!
//! The format is told by content, not by name. Grey, palette, 16-bit and CMYK images become RGB as
//! Pillow's `convert("RGB")` does it; transparency is laid on white; the orientation that cameras
//! note in EXIF is applied; of several pictures in a file the first is taken. What a file leaves
//! open, such as the white of floats, is assumed and said ([`Note`]). The number of pixels is read
//! from the header and bounded before anything is decoded.

mod animation;
pub mod budget;
mod facts;
mod fault;
mod foreign;
mod format;
mod golden;
mod jpeg;
mod netpbm;
mod pixels;
pub mod preprocess;
mod preview;
mod range;
mod read;
mod resample;
mod tiff;

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use ::image::metadata::Orientation;
use ::image::{DynamicImage, ImageDecoder, ImageReader, Limits};
use fault::Noted;
use thiserror::Error;

pub use facts::FACTS;
pub use fault::Note;
pub use format::Format;
pub(crate) use format::{is_unknown, named_like_an_image};
pub use read::check_file;

pub(crate) use super::facts::extension;
use super::finding::FindingKind;

/// The most pixels that are decoded, 100 million: 10,000 x 10,000.
pub const MAX_PIXELS: u64 = 100_000_000;

/// The most bytes of a file that are read, 512 MiB.
pub const MAX_FILE_BYTES: u64 = 512 << 20;

/// An image of eight bits a channel, upright.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rgb {
    pub width: usize,
    pub height: usize,
    /// `[height, width, 3]`.
    pub pixels: Vec<u8>,
}

/// What the header of an image file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub format: Format,
    /// Columns as stored, before the orientation is applied.
    pub width: usize,
    /// Rows as stored.
    pub height: usize,
}

/// Reads and decodes an image file.
///
/// # Errors
///
/// When the file cannot be read, is no image, ends too early, is damaged, or is larger than
/// [`MAX_PIXELS`].
pub fn decode(path: &Path) -> Result<Rgb, ImageError> {
    decode_bytes(&read(path)?, path)
}

/// Decodes the bytes of an image file; `path` is for messages only.
///
/// # Errors
///
/// As for [`decode`].
pub fn decode_bytes(bytes: &[u8], path: &Path) -> Result<Rgb, ImageError> {
    decode_noted(bytes, path).map(|noted| noted.what)
}

/// Decodes, and says what was assumed about the pixels.
fn decode_noted(bytes: &[u8], path: &Path) -> Result<Noted<Rgb>, ImageError> {
    let header = probe(bytes, path)?;
    let format = header.format;
    contained(format, path, || match format {
        Format::Jpeg => Ok(Noted { what: jpeg::decode(bytes, path)?, notes: Vec::new() }),
        Format::Tiff => {
            let (image, orientation, notes) = tiff::decode(bytes).map_err(|fault| fault.at(format, path))?;
            Ok(Noted { what: pixels::oriented(image, orientation), notes })
        }
        Format::Netpbm => {
            let (what, notes) = netpbm::decode(bytes).map_err(|fault| fault.at(format, path))?;
            Ok(Noted { what, notes })
        }
        Format::Png | Format::WebP | Format::Gif | Format::Bmp => {
            format::require_end(format, bytes, path)?;
            let failed = |error| failure(format, &error, path);
            let mut decoder = reader(bytes, format).into_decoder().map_err(failed)?;
            let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
            let image = DynamicImage::from_decoder(decoder).map_err(failed)?;
            let Noted { what, notes } = pixels::to_rgb(image, path)?;
            Ok(Noted { what: pixels::oriented(what, orientation), notes })
        }
    })
}

/// Reads the header only.
///
/// # Errors
///
/// As for [`decode`], as far as the header tells.
pub fn probe(bytes: &[u8], path: &Path) -> Result<Header, ImageError> {
    if bytes.is_empty() {
        return Err(ImageError::Empty { path: path.to_owned() });
    }
    let format = Format::of(bytes).map_err(|found| match found {
        Some(foreign) => ImageError::Unsupported {
            path: path.to_owned(),
            what: foreign.what.to_owned(),
            remedy: foreign.remedy,
        },
        None => ImageError::NotAnImage { path: path.to_owned() },
    })?;
    let (width, height) = contained(format, path, || match format {
        Format::Jpeg => jpeg::Structure::read(bytes, path).map(|s| (s.width, s.height)),
        Format::Tiff => tiff::size(bytes).map_err(|fault| fault.at(format, path)),
        Format::Netpbm => netpbm::size(bytes).map_err(|fault| fault.at(format, path)),
        Format::Png | Format::WebP | Format::Gif | Format::Bmp => {
            let decoder = reader(bytes, format).into_decoder();
            let (width, height) = decoder.map_err(|error| failure(format, &error, path))?.dimensions();
            Ok((width as usize, height as usize))
        }
    })?;
    if (width as u64).saturating_mul(height as u64) > MAX_PIXELS {
        return Err(ImageError::TooLarge { path: path.to_owned(), width, height });
    }
    if width == 0 || height == 0 {
        return Err(damaged(format, "its header says that it has no pixels", path));
    }
    Ok(Header { format, width, height })
}

/// Reads the header and looks, without decoding what is large, whether the file is all there; also
/// says what is assumed about it.
///
/// # Errors
///
/// As for [`decode`]; damage in the middle of a large file shows only when it is decoded.
pub fn check(bytes: &[u8], path: &Path) -> Result<(Header, Vec<Note>), ImageError> {
    /// Files of the formats without an end mark are decoded up to this size to see if they can be.
    const DECODED_PIXELS: usize = 4_000_000;
    let header = probe(bytes, path)?;
    let format = header.format;
    let mut notes = match format {
        Format::Jpeg => {
            jpeg::Structure::read(bytes, path)?.require_end(path)?;
            Vec::new()
        }
        Format::Png if !format::has_words(bytes) => {
            format::require_end(format, bytes, path)?;
            Vec::new()
        }
        Format::Tiff if header.width * header.height > DECODED_PIXELS => {
            let notes = contained(format, path, || {
                tiff::notes_of_header(bytes).map_err(|fault| fault.at(format, path))
            })?;
            notes.map_or_else(|| decode_noted(bytes, path).map(|noted| noted.notes), Ok)?
        }
        // What is assumed of values shows when they are read.
        Format::Png | Format::Tiff | Format::Netpbm => decode_noted(bytes, path)?.notes,
        Format::WebP | Format::Gif | Format::Bmp if header.width * header.height <= DECODED_PIXELS => {
            decode_noted(bytes, path)?.notes
        }
        Format::WebP | Format::Gif | Format::Bmp => Vec::new(),
    };
    let pictures = animation::pictures(format, bytes);
    if pictures > 1 {
        notes.push(Note::first_of(pictures, "pictures (it is animated)"));
    }
    Ok((header, notes))
}

/// Reads a file of at most [`MAX_FILE_BYTES`].
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, ImageError> {
    let failed = |source| ImageError::Read { path: path.to_owned(), source };
    let about = std::fs::metadata(path).map_err(failed)?;
    if !about.is_file() {
        // A pipe may never answer, a device never end.
        return Err(failed(std::io::Error::other("it is no ordinary file")));
    }
    if about.len() > MAX_FILE_BYTES {
        return Err(ImageError::TooManyBytes { path: path.to_owned(), bytes: about.len() });
    }
    std::fs::read(path).map_err(failed)
}

/// Why an image cannot be used. Displays what happened and why; [`ImageError::remedy`] says what
/// to try.
#[derive(Debug, Error)]
pub enum ImageError {
    #[error("{} cannot be read: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{} is empty: it has no bytes", path.display())]
    Empty { path: PathBuf },
    #[error("{} is no image: its content is of no known image format", path.display())]
    NotAnImage { path: PathBuf },
    #[error("{} cannot be read here: it is {what}", path.display())]
    Unsupported { path: PathBuf, what: String, remedy: &'static str },
    #[error(
        "{} is too large: {width} x {height} pixels, and at most {MAX_PIXELS} are decoded",
        path.display()
    )]
    TooLarge { path: PathBuf, width: usize, height: usize },
    #[error("{} is too large: {bytes} bytes, and at most {MAX_FILE_BYTES} are read", path.display())]
    TooManyBytes { path: PathBuf, bytes: u64 },
    #[error("{} ends too early: {why}", path.display())]
    Truncated { path: PathBuf, why: String },
    #[error("{} is damaged: {why}", path.display())]
    Damaged { path: PathBuf, why: String },
}

impl ImageError {
    /// The file.
    pub fn path(&self) -> &Path {
        match self {
            ImageError::Read { path, .. }
            | ImageError::Empty { path }
            | ImageError::NotAnImage { path }
            | ImageError::Unsupported { path, .. }
            | ImageError::TooLarge { path, .. }
            | ImageError::TooManyBytes { path, .. }
            | ImageError::Truncated { path, .. }
            | ImageError::Damaged { path, .. } => path,
        }
    }

    /// What happened and why, without the name of the file.
    pub fn reason(&self) -> String {
        let whole = self.to_string();
        let path = self.path().display().to_string();
        whole.strip_prefix(&path).unwrap_or(&whole).trim_start().to_owned()
    }

    /// What a person can try.
    pub fn remedy(&self) -> String {
        match self {
            ImageError::Read { .. } => "Check that the file is there and that you may read it.",
            ImageError::Empty { .. } | ImageError::Truncated { .. } => {
                "Copy or download the file again, or remove it."
            }
            ImageError::NotAnImage { .. } => {
                "Replace it by the image it should be, or move it out of the class folders."
            }
            ImageError::Unsupported { remedy, .. } => remedy,
            ImageError::TooLarge { .. } | ImageError::TooManyBytes { .. } => {
                "Scale it down; networks look at a few hundred pixels a side."
            }
            ImageError::Damaged { .. } => "Open it in an image viewer and save it again, or remove it.",
        }
        .to_owned()
    }

    /// The kind of finding that a scan makes of it.
    pub fn kind(&self) -> FindingKind {
        match self {
            ImageError::Empty { .. } => FindingKind::Empty,
            ImageError::TooLarge { .. } | ImageError::TooManyBytes { .. } => FindingKind::TooLarge,
            ImageError::Truncated { .. } => FindingKind::Truncated,
            ImageError::Read { .. }
            | ImageError::NotAnImage { .. }
            | ImageError::Unsupported { .. }
            | ImageError::Damaged { .. } => FindingKind::Unreadable,
        }
    }
}

fn truncated(why: impl Into<String>, path: &Path) -> ImageError {
    ImageError::Truncated { path: path.to_owned(), why: why.into() }
}

fn damaged(format: Format, why: &str, path: &Path) -> ImageError {
    ImageError::Damaged { path: path.to_owned(), why: format!("as {format}, {why}") }
}

/// What a decoder says is for programmers; people hear what it means.
fn failure(format: Format, error: &::image::ImageError, path: &Path) -> ImageError {
    let path = path.to_owned();
    match error {
        _ if ends_early(error) => {
            ImageError::Truncated { path, why: format!("its {format} data are not all there") }
        }
        ::image::ImageError::Unsupported(_) => {
            let what = format!("a {format} of a rare kind, which is not decoded");
            ImageError::Unsupported { path, what, remedy: foreign::SAVE }
        }
        ::image::ImageError::Limits(_) => {
            ImageError::Damaged { path, why: format!("as {format}, it would take too much memory") }
        }
        _ => ImageError::Damaged { path, why: format!("its {format} data contradict themselves") },
    }
}

/// Whether a decoder failed for want of bytes. Each of them wraps that differently, and most keep
/// the error of the reader only in words.
fn ends_early(error: &::image::ImageError) -> bool {
    const WORDS: [&str; 3] = ["unexpected end", "unexpected eof", "failed to fill whole buffer"];
    let words = error.to_string().to_ascii_lowercase();
    WORDS.iter().any(|end| words.contains(end))
}

fn reader(bytes: &[u8], format: Format) -> ImageReader<Cursor<&[u8]>> {
    // Eight bytes a pixel at most, and as much again for what a decoder keeps aside.
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_PIXELS * 16);
    let kind = match format {
        Format::Jpeg => ::image::ImageFormat::Jpeg,
        Format::Png => ::image::ImageFormat::Png,
        Format::WebP => ::image::ImageFormat::WebP,
        Format::Gif => ::image::ImageFormat::Gif,
        Format::Bmp => ::image::ImageFormat::Bmp,
        Format::Tiff => ::image::ImageFormat::Tiff,
        Format::Netpbm => ::image::ImageFormat::Pnm,
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), kind);
    reader.limits(limits);
    reader
}

/// Runs a decoder on bytes from outside. Decoders are large and the files hostile at worst: a
/// panic in one of them costs the file, not the scan.
fn contained<T>(
    format: Format,
    path: &Path,
    decode: impl FnOnce() -> Result<T, ImageError>,
) -> Result<T, ImageError> {
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(damaged(format, "it makes the decoder fail", path)))
}

#[cfg(test)]
pub(crate) mod tests;
