//! Decoded samples of any kind -> eight-bit RGB, as Pillow's `convert("RGB")` makes it.

use std::path::Path;

use ::image::DynamicImage;
use ::image::metadata::Orientation;

use super::fault::Noted;
use super::foreign::SAVE;
use super::{ImageError, Rgb, range};

/// RGB on white. Of 16 bits the higher eight count, or those of twelve where no value needs more; floats count from 0
/// to 1.
pub(super) fn to_rgb(image: DynamicImage, path: &Path) -> Result<Noted<Rgb>, ImageError> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let unit =
        |samples: Vec<f32>| samples.iter().map(|v| (v.clamp(0.0, 1.0) * 255.0).round() as u8).collect();
    let plain = |samples: Vec<u8>| Noted { what: samples, notes: Vec::new() };
    let (channels, samples): (usize, Noted<Vec<u8>>) = match image {
        DynamicImage::ImageLuma8(image) => (1, plain(image.into_raw())),
        DynamicImage::ImageLumaA8(image) => (2, plain(image.into_raw())),
        DynamicImage::ImageRgb8(image) => (3, plain(image.into_raw())),
        DynamicImage::ImageRgba8(image) => (4, plain(image.into_raw())),
        DynamicImage::ImageLuma16(image) => (1, words_to_bytes(&image, 1)),
        DynamicImage::ImageLumaA16(image) => (2, words_to_bytes(&image, 2)),
        DynamicImage::ImageRgb16(image) => (3, words_to_bytes(&image, 3)),
        DynamicImage::ImageRgba16(image) => (4, words_to_bytes(&image, 4)),
        DynamicImage::ImageRgb32F(image) => (3, plain(unit(image.into_raw()))),
        DynamicImage::ImageRgba32F(image) => (4, plain(unit(image.into_raw()))),
        _ => {
            let what = "an image of unknown sample type".to_owned();
            return Err(ImageError::Unsupported { path: path.to_owned(), what, remedy: SAVE });
        }
    };
    let Noted { what: samples, notes } = samples;
    let pixels = match channels {
        1 => samples.iter().flat_map(|&v| [v; 3]).collect(),
        2 => samples.chunks_exact(2).flat_map(|p| [on_white(p[0], p[1]); 3]).collect(),
        4 => samples
            .chunks_exact(4)
            .flat_map(|p| [on_white(p[0], p[3]), on_white(p[1], p[3]), on_white(p[2], p[3])])
            .collect(),
        _ => samples,
    };
    Ok(Noted { what: Rgb { width, height, pixels }, notes })
}

/// Samples of 16 bits as bytes; with two or four channels the last one is opacity.
fn words_to_bytes(samples: &[u16], channels: usize) -> Noted<Vec<u8>> {
    let is_opacity = |at: usize| channels.is_multiple_of(2) && at % channels == channels - 1;
    let of = |wants_opacity: bool| {
        let some = samples.iter().enumerate().filter(move |(at, _)| is_opacity(*at) == wants_opacity);
        some.map(|(_, value)| *value)
    };
    let (colours, notes) = range::of_words(of(false), 16);
    let (opacities, _) = range::of_words(of(true), 16);
    let byte = |(at, value): (usize, &u16)| {
        if is_opacity(at) { opacities.word(*value) } else { colours.word(*value) }
    };
    Noted { what: samples.iter().enumerate().map(byte).collect::<Vec<u8>>(), notes }
}

/// Ink values as Adobe stores them in a JPEG (255 is no ink) -> RGB, without a colour profile.
pub(super) fn cmyk_to_rgb(pixels: &[u8]) -> Vec<u8> {
    // Pillow: r = clip(255 - k - c * (255 - k) / 255) with c, k in inks, so k' = 255 - k stored.
    let channel = |stored: u8, black: u8| {
        let ink = 255 - stored;
        black.saturating_sub(times(ink, black))
    };
    pixels
        .chunks_exact(4)
        .flat_map(|p| [channel(p[0], p[3]), channel(p[1], p[3]), channel(p[2], p[3])])
        .collect()
}

/// Turns an image upright.
pub(super) fn oriented(image: Rgb, orientation: Orientation) -> Rgb {
    let (w, h) = (image.width, image.height);
    // Where the pixel of the upright image at column x, row y is stored.
    let source: fn(usize, usize, usize, usize) -> (usize, usize) = match orientation {
        Orientation::NoTransforms => return image,
        Orientation::FlipHorizontal => |x, y, w, _| (w - 1 - x, y),
        Orientation::FlipVertical => |x, y, _, h| (x, h - 1 - y),
        Orientation::Rotate180 => |x, y, w, h| (w - 1 - x, h - 1 - y),
        Orientation::Rotate90 => |x, y, _, h| (y, h - 1 - x),
        Orientation::Rotate270 => |x, y, w, _| (w - 1 - y, x),
        Orientation::Rotate90FlipH => |x, y, _, _| (y, x),
        Orientation::Rotate270FlipH => |x, y, w, h| (w - 1 - y, h - 1 - x),
    };
    let lies = matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    );
    let (width, height) = if lies { (h, w) } else { (w, h) };
    let mut pixels = Vec::with_capacity(image.pixels.len());
    for y in 0..height {
        for x in 0..width {
            let (column, row) = source(x, y, w, h);
            let at = (row * w + column) * 3;
            pixels.extend_from_slice(&image.pixels[at..at + 3]);
        }
    }
    Rgb { width, height, pixels }
}

/// `value` with opacity `alpha` laid on white.
pub(super) fn on_white(value: u8, alpha: u8) -> u8 {
    // One rounding of the whole sum, as Pillow's paste does it.
    let sum = u32::from(value) * u32::from(alpha) + 255 * (255 - u32::from(alpha)) + 128;
    ((sum + (sum >> 8)) >> 8) as u8
}

/// a * b / 255, rounded.
fn times(a: u8, b: u8) -> u8 {
    let product = u32::from(a) * u32::from(b) + 128;
    ((product + (product >> 8)) >> 8) as u8
}
