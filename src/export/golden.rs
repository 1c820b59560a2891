//! Golden inputs: made up, so that no sample of the user's leaves the machine inside an export.

use crate::network::samples::Sample;
use crate::predict::manifest::GoldenInput;
use crate::problem::{Problem, Result};
use std::path::Path;

const TEXTS: [&str; 3] = [
    "The quick brown fox jumps over the lazy dog.",
    "Not what I had hoped for: it broke after two days!",
    "Größe, café, 東京 and 42 more things.",
];

/// Writes golden images into `folder`, or names golden texts.
///
/// # Errors
/// The folder cannot be written.
pub fn write_inputs(folder: &Path, as_text: bool) -> Result<Vec<GoldenInput>> {
    if as_text {
        return Ok(TEXTS.iter().map(|text| GoldenInput::Text((*text).to_string())).collect());
    }
    let images = folder.join("golden");
    std::fs::create_dir(&images).map_err(|e| Problem::io("write the export", &images, &e))?;
    (0..3u32)
        .map(|number| {
            let relative = Path::new("golden").join(format!("{number}.png"));
            let path = folder.join(&relative);
            // Encoded first: so a full disk is told as such, not as an image that cannot be made.
            let mut bytes = std::io::Cursor::new(Vec::new());
            pattern(number)
                .write_to(&mut bytes, image::ImageFormat::Png)
                .map_err(std::io::Error::other)
                .and_then(|()| std::fs::write(&path, bytes.into_inner()))
                .map_err(|e| Problem::io("write the export", &path, &e))?;
            Ok(GoldenInput::Image(relative))
        })
        .collect()
}

/// The input as a sample; image paths are relative to `folder`.
pub fn sample(folder: &Path, input: &GoldenInput) -> Sample {
    match input {
        GoldenInput::Image(path) => Sample::image(folder.join(path)),
        GoldenInput::Text(text) => Sample::Text(text.clone()),
    }
}

/// Waves of colour, different for each number.
fn pattern(number: u32) -> image::RgbImage {
    let step = 0.05 + 0.04 * number as f32;
    image::RgbImage::from_fn(160 + 16 * number, 120, |x, y| {
        let wave = |phase: f32| (127.5 + 127.0 * (step * (x as f32 + phase * y as f32) + phase).sin()) as u8;
        image::Rgb([wave(0.3), wave(1.1), wave(-0.7)])
    })
}
