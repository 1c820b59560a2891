//! Made-up images.

use std::io::Cursor;

/// Waves of colour as a PNG file, different for each number.
pub fn png(number: u32) -> std::io::Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    waves(number).write_to(&mut bytes, ::image::ImageFormat::Png).map_err(std::io::Error::other)?;
    Ok(bytes.into_inner())
}

fn waves(number: u32) -> ::image::RgbImage {
    let step = 0.05 + 0.04 * number as f32;
    ::image::RgbImage::from_fn(160 + 16 * number, 120, |x, y| {
        let wave = |phase: f32| (127.5 + 127.0 * (step * (x as f32 + phase * y as f32) + phase).sin()) as u8;
        ::image::Rgb([wave(0.3), wave(1.1), wave(-0.7)])
    })
}
