//! JPEG through libjpeg-turbo, with the settings of Pillow: accurate integer transform, smooth
//! chroma upsampling. Pixels agree with Pillow's to the bit.

use std::path::Path;

use ::image::metadata::Orientation;
use turbojpeg::{Colorspace, Decompressor, Image, PixelFormat};

use super::pixels::{self, cmyk_to_rgb};
use super::{Format, ImageError, MAX_PIXELS, Rgb, damaged, truncated};

/// Decodes a JPEG and turns it upright.
pub(super) fn decode(bytes: &[u8], path: &Path) -> Result<Rgb, ImageError> {
    let failed = |error: turbojpeg::Error| damaged(Format::Jpeg, &plain(&error), path);
    let structure = Structure::read(bytes, path)?;
    let mut decompressor = Decompressor::new().map_err(failed)?;
    // A few kilobytes can ask for thousands of passes over 100 million pixels.
    decompressor.set_scan_limit(500).map_err(failed)?;
    let header = decompressor.read_header(bytes).map_err(failed)?;
    let (width, height) = (header.width, header.height);
    if width as u64 * height as u64 > MAX_PIXELS {
        return Err(ImageError::TooLarge { path: path.to_owned(), width, height });
    }
    // Four inks come as they are stored; all else libjpeg turns into RGB itself.
    let inks = matches!(header.colorspace, Colorspace::CMYK | Colorspace::YCCK);
    let (format, channels) = if inks { (PixelFormat::CMYK, 4) } else { (PixelFormat::RGB, 3) };
    let mut pixels = vec![0; width * height * channels];
    let pitch = width * channels;
    let target = Image { pixels: &mut pixels[..], width, pitch, height, format };
    match decompressor.decompress(bytes, target) {
        Ok(()) => {}
        Err(error) => {
            // Only the first warning comes through, so the missing end has its own check.
            structure.require_end(path)?;
            outcome_of(&plain(&error), path)?;
        }
    }
    if inks {
        pixels = cmyk_to_rgb(&pixels);
    }
    Ok(pixels::oriented(Rgb { width, height, pixels }, structure.orientation))
}

/// libjpeg goes on after small damage and reports it as a warning when all is decoded. Like
/// Pillow, keep such an image, but not one whose end is missing.
fn outcome_of(message: &str, path: &Path) -> Result<(), ImageError> {
    const HARMLESS: [&str; 6] = [
        "Corrupt JPEG data",
        "Inconsistent progression sequence",
        "Invalid SOS parameters",
        "Warning: unknown JFIF revision",
        "Unknown Adobe color transform",
        "Invalid crop request",
    ];
    if message.contains("Premature end of JPEG file") {
        Err(truncated("the JPEG data stop before the last row", path))
    } else if HARMLESS.iter().any(|start| message.contains(start)) {
        Ok(())
    } else {
        Err(damaged(Format::Jpeg, message, path))
    }
}

fn plain(error: &turbojpeg::Error) -> String {
    match error {
        turbojpeg::Error::TurboJpegError(message) => message.clone(),
        error => error.to_string(),
    }
}

/// What the markers of a JPEG say. ITU-T T.81, annex B.
pub(super) struct Structure {
    pub width: usize,
    pub height: usize,
    pub orientation: Orientation,
    ends: bool,
}

impl Structure {
    /// Walks the markers up to the first scan, then looks for the end mark.
    pub fn read(bytes: &[u8], path: &Path) -> Result<Structure, ImageError> {
        let cut = || truncated("it stops within the JPEG header", path);
        let mut size = None;
        let mut orientation = None;
        let mut at = 2;
        loop {
            // Fill bytes, and what careless writers leave between segments.
            while *bytes.get(at).ok_or_else(cut)? != 0xff || bytes.get(at + 1) == Some(&0xff) {
                at += 1;
            }
            let marker = *bytes.get(at + 1).ok_or_else(cut)?;
            at += 2;
            if matches!(marker, 0x00 | 0x01 | 0xd0..=0xd8) {
                continue;
            }
            if marker == 0xd9 {
                return Err(truncated("the JPEG ends before its first row", path));
            }
            let length = match bytes.get(at..at + 2) {
                Some(length) => usize::from(u16::from_be_bytes([length[0], length[1]])),
                None => return Err(cut()),
            };
            let segment = bytes.get(at + 2..at + length.max(2)).ok_or_else(cut)?;
            at += length.max(2);
            match marker {
                0xc3 | 0xc7 | 0xcb | 0xcf => return Err(rare("lossless compression", path)),
                _ if is_frame(marker) && segment.first().is_some_and(|bits| *bits != 8) => {
                    let bits = segment.first().copied().unwrap_or_default();
                    return Err(rare(&format!("{bits} bits a value"), path));
                }
                _ if is_frame(marker) => {
                    let word = |i: usize| Some(u16::from_be_bytes([*segment.get(i)?, *segment.get(i + 1)?]));
                    size = word(3).zip(word(1)).map(|(w, h)| (usize::from(w), usize::from(h)));
                }
                0xe1 if orientation.is_none() => {
                    orientation = segment.strip_prefix(b"Exif\0\0").and_then(Orientation::from_exif_chunk);
                }
                0xda => break,
                _ => {}
            }
        }
        let (width, height) = size.ok_or_else(|| damaged(Format::Jpeg, "its header gives no size", path))?;
        let data = bytes.get(at..).unwrap_or_default();
        // Within the coded data 0xff is followed by 0 or a restart mark, so this is the end.
        let ends = data.windows(2).any(|pair| pair == [0xff, 0xd9]);
        let orientation = orientation.unwrap_or(Orientation::NoTransforms);
        Ok(Structure { width, height, orientation, ends })
    }

    /// An error where the end mark is missing.
    pub fn require_end(&self, path: &Path) -> Result<(), ImageError> {
        if self.ends { Ok(()) } else { Err(truncated("the end mark of the JPEG is missing", path)) }
    }
}

/// Whether a marker begins the description of the picture.
fn is_frame(marker: u8) -> bool {
    matches!(marker, 0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf)
}

fn rare(what: &str, path: &Path) -> ImageError {
    let what = format!("a JPEG with {what}");
    ImageError::Unsupported { path: path.to_owned(), what, remedy: "Save it as an ordinary JPEG, or as PNG." }
}
