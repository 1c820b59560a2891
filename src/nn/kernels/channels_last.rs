//! Pictures from one plane for each channel to one pixel after another.

use super::fresh::Fresh;
use rayon::prelude::*;

/// `[batch, channels, height, width]` to `[batch, height, width, channels]`.
pub fn channels_last(x: &[f32], channels: usize, height: usize, width: usize) -> Vec<f32> {
    let (plane, row_len) = (height * width, width * channels);
    assert!(x.len().is_multiple_of((plane * channels).max(1)), "pictures");
    let mut y = Fresh::new(x.len());
    y.tiles(row_len.max(1)).with_min_len(8).enumerate().for_each(|(row, pixels)| {
        let (image, line) = (row / height, row % height);
        for channel in 0..channels {
            let start = (image * channels + channel) * plane + line * width;
            let values = &x[start..start + width];
            for (pixel, value) in pixels.iter_mut().skip(channel).step_by(channels).zip(values) {
                *pixel = *value;
            }
        }
    });
    y.finish()
}
