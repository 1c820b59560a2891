//! Image pixels -> the tensor that a backbone was trained on, as timm 1.0 evaluates.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::resample::{self, Window};
use super::{ImageError, Rgb, decode};
use crate::data::digest::Digest;

pub use super::resample::ResizeFilter;

/// What a backbone expects of an image: resize, centre crop, normalise.
///
/// The same as `timm.data.create_transform(is_training=False)` with `crop_mode="center"` and a
/// square input: the shorter side becomes `floor(size / crop_fraction)`, the centre `size` x `size`
/// is kept, values become `(v / 255 - mean) / std` per channel.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ImageSpec {
    /// Side of the square input in pixels.
    pub size: usize,
    /// The share of the shorter side that the crop keeps, above 0.
    pub crop_fraction: f64,
    pub filter: ResizeFilter,
    /// Red, green, blue, of values from 0 to 1.
    pub mean: [f32; 3],
    pub std: [f32; 3],
}

impl ImageSpec {
    /// The input tensor, `[3, size, size]`.
    pub fn apply(&self, image: &Rgb) -> Vec<f32> {
        let crop = self.cropped(image);
        let area = self.size * self.size;
        let mut tensor = vec![0.0; 3 * area];
        for channel in 0..3 {
            let (mean, std) = (self.mean[channel], self.std[channel]);
            let values: [f32; 256] = std::array::from_fn(|level| (level as f32 / 255.0 - mean) / std);
            let plane = &mut tensor[channel * area..(channel + 1) * area];
            for (value, pixel) in plane.iter_mut().zip(crop.chunks_exact(3)) {
                *value = values[usize::from(pixel[channel])];
            }
        }
        tensor
    }

    /// Decodes the image at `path` and applies.
    ///
    /// # Errors
    ///
    /// When the image cannot be decoded.
    pub fn load(&self, path: &Path) -> Result<Vec<f32>, ImageError> {
        Ok(self.apply(&decode(path)?))
    }

    /// The first value that makes no sense, in words. What passes can be applied to any image.
    pub fn check(&self) -> Result<(), String> {
        let fraction = self.crop_fraction;
        if !(1..=4096).contains(&self.size) {
            return Err(format!("the side of the input is {}; it must lie between 1 and 4096", self.size));
        }
        if !(0.1..=1.0).contains(&fraction) {
            return Err(format!("the crop fraction is {fraction}; it must lie between 0.1 and 1"));
        }
        if !self.mean.iter().all(|m| m.is_finite()) || !self.std.iter().all(|s| *s > 0.0 && s.is_finite()) {
            return Err("mean and std must be finite, std above 0".to_owned());
        }
        Ok(())
    }

    /// Names all that can change the tensor of an image.
    pub fn digest(&self) -> Digest {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"frostline image preprocessing 1");
        hasher.update(&(self.size as u64).to_le_bytes());
        hasher.update(&self.crop_fraction.to_le_bytes());
        hasher.update(match self.filter {
            ResizeFilter::Bilinear => b"bilinear",
            ResizeFilter::Bicubic => b"bicubic_",
        });
        for value in self.mean.iter().chain(&self.std) {
            hasher.update(&value.to_le_bytes());
        }
        Digest(*hasher.finalize().as_bytes())
    }

    /// The resized and cropped image, `[size, size, 3]`. Black where the image is smaller.
    fn cropped(&self, image: &Rgb) -> Vec<u8> {
        let size = self.size;
        let mut crop = vec![0; size * size * 3];
        if size == 0 || image.width == 0 || image.height == 0 {
            return crop;
        }
        let (width, height) = self.resized(image);
        let (left, columns, into_x) = centre(width, size);
        let (top, rows, into_y) = centre(height, size);
        let across = Window { full: width, start: left, len: columns };
        let down = Window { full: height, start: top, len: rows };
        let part = resample::resize(image, across, down, self.filter);
        for (row, line) in part.chunks_exact(columns * 3).enumerate() {
            let at = ((into_y + row) * size + into_x) * 3;
            crop[at..at + line.len()].copy_from_slice(line);
        }
        crop
    }

    /// Width and height after the resize of torchvision: the longer side is rounded down.
    fn resized(&self, image: &Rgb) -> (usize, usize) {
        let short = ((self.size as f64 / self.crop_fraction).floor() as usize).max(1);
        let long = |long: usize, of: usize| ((short as f64 * long as f64 / of as f64) as usize).max(1);
        if image.width <= image.height {
            (short, long(image.height, image.width))
        } else {
            (long(image.width, image.height), short)
        }
    }
}

/// Where the centre crop of `size` out of `full` starts, how much of it there is, and how far into
/// the crop it is put, as torchvision's `center_crop` has it.
fn centre(full: usize, size: usize) -> (usize, usize, usize) {
    if full < size {
        return (0, full, (size - full) / 2);
    }
    // Python rounds halves to the even number.
    let twice = full - size;
    let start = twice / 2 + usize::from(twice % 4 == 3);
    (start, size, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::goldens::{Reader, compare};

    fn spec(size: usize, crop_fraction: f64, filter: ResizeFilter) -> ImageSpec {
        ImageSpec { size, crop_fraction, filter, mean: [0.0; 3], std: [1.0; 3] }
    }

    #[test]
    fn crops_are_timms_to_the_bit() {
        let sources = Reader::new(include_bytes!("../goldens/resize.bin")).images(2);
        let mut cases = Reader::new(include_bytes!("../goldens/crop.bin"));
        for case in 0..cases.number() {
            let source = &sources[cases.number()];
            let filter = cases.filter();
            let fraction = cases.float();
            let expected = cases.image();
            let crop = spec(expected.width, fraction, filter).cropped(source);
            let what = format!("case {case}: {}, {fraction}, {filter:?}", expected.width);
            compare(&crop, &expected.pixels, 0, &what);
        }
    }

    #[test]
    fn values_are_normalised_by_channel() {
        let image = Rgb { width: 2, height: 2, pixels: [255, 0, 51].repeat(4) };
        let mut spec = spec(2, 1.0, ResizeFilter::Bicubic);
        (spec.mean, spec.std) = ([0.5, 0.25, 0.0], [0.5, 0.5, 0.1]);
        let tensor = spec.apply(&image);
        let expected = [[1.0f32; 4], [-0.5; 4], [0.2 / 0.1; 4]].concat();
        assert_eq!(tensor.len(), 12);
        for (value, expected) in tensor.iter().zip(expected) {
            assert!((value - expected).abs() < 1e-6, "{tensor:?}");
        }
    }

    #[test]
    fn the_middle_rounds_to_even_as_python_does() {
        let check = |full, size, expected| assert_eq!(centre(full, size), expected);
        check(256, 224, (16, 224, 0));
        check(257, 224, (16, 224, 0)); // 16.5
        check(255, 224, (16, 224, 0)); // 15.5
        check(259, 224, (18, 224, 0)); // 17.5
        check(10, 13, (0, 10, 1));
        check(10, 10, (0, 10, 0));
    }

    #[test]
    fn odd_shapes_are_borne() {
        for (width, height) in [(1, 1), (1, 500), (20_000, 1), (0, 0)] {
            let image = Rgb { width, height, pixels: vec![7; width * height * 3] };
            for filter in [ResizeFilter::Bilinear, ResizeFilter::Bicubic] {
                assert_eq!(spec(32, 0.875, filter).apply(&image).len(), 3 * 32 * 32);
            }
        }
        let image = Rgb { width: 3, height: 3, pixels: vec![7; 27] };
        assert!(spec(0, 0.875, ResizeFilter::Bilinear).apply(&image).is_empty());
    }

    #[test]
    fn senseless_values_are_named() {
        let plain = spec(224, 0.875, ResizeFilter::Bicubic);
        assert_eq!(plain.check(), Ok(()));
        let check = |change: fn(&mut ImageSpec), part: &str| {
            let mut spec = plain;
            change(&mut spec);
            assert!(spec.check().unwrap_err().contains(part), "{spec:?}");
        };
        check(|s| s.size = 0, "side");
        check(|s| s.size = 10_000_000, "side");
        check(|s| s.crop_fraction = 0.0, "crop");
        check(|s| s.crop_fraction = f64::NAN, "crop");
        check(|s| s.std[1] = 0.0, "std");
        check(|s| s.mean[2] = f32::INFINITY, "mean");
    }

    #[test]
    fn the_digest_knows_every_field() {
        let plain = spec(224, 0.875, ResizeFilter::Bicubic);
        let mut others = vec![plain; 5];
        others[0].size = 225;
        others[1].crop_fraction = 0.9;
        others[2].filter = ResizeFilter::Bilinear;
        others[3].mean[2] = 0.1;
        others[4].std[0] = 0.1;
        for other in others {
            assert_ne!(other.digest(), plain.digest(), "{other:?}");
        }
        let json = serde_json::to_string(&plain).unwrap();
        assert_eq!(serde_json::from_str::<ImageSpec>(&json).unwrap(), plain);
    }
}
