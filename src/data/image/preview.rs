//! Small pictures of image files.

use std::path::Path;

use super::decode;
use crate::data::preview::{Preview, Source};

/// Decodes and shrinks by averaging whole blocks, then nearest: quick and good enough at this size.
pub fn preview(path: &Path, side: usize) -> Option<Preview> {
    let bytes = std::fs::metadata(path).ok()?.len();
    let picture = decode(path).ok()?;
    let longest = picture.width.max(picture.height).max(1);
    let scale = (longest as f64 / side as f64).max(1.0);
    let (width, height) =
        (((picture.width as f64 / scale) as usize).max(1), ((picture.height as f64 / scale) as usize).max(1));
    let mut rgba = Vec::with_capacity(width * height * 4);
    for y in 0..height {
        let rows = span(y, scale, picture.height);
        for x in 0..width {
            let columns = span(x, scale, picture.width);
            let mut sum = [0u32; 3];
            for row in rows.clone() {
                for column in columns.clone() {
                    let at = 3 * (row * picture.width + column);
                    for (channel, total) in sum.iter_mut().enumerate() {
                        *total += u32::from(picture.pixels[at + channel]);
                    }
                }
            }
            let count = (rows.len() * columns.len()).max(1) as u32;
            rgba.extend(sum.map(|total| (total / count) as u8));
            rgba.push(255);
        }
    }
    let source = Source { width: picture.width, height: picture.height, bytes };
    Some(Preview { width, height, rgba, source })
}

fn span(at: usize, scale: f64, limit: usize) -> std::ops::Range<usize> {
    let start = ((at as f64 * scale) as usize).min(limit - 1);
    let end = (((at + 1) as f64 * scale) as usize).clamp(start + 1, limit);
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_becomes_small_and_keeps_its_shape() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wide.png");
        ::image::RgbImage::from_pixel(640, 320, ::image::Rgb([10, 200, 30])).save(&path).unwrap();
        let small = preview(&path, 128).unwrap();
        assert_eq!((small.width, small.height), (128, 64));
        assert_eq!((small.source.width, small.source.height), (640, 320));
        assert_eq!(&small.rgba[..4], [10, 200, 30, 255]);
    }
}
