//! What is to be known of images.

use std::path::Path;

use super::{Format, golden, named_like_an_image, preview};
use crate::data::facts::{
    Beside, Carrier, Cost, Facts, FineTuning, Golden, HubFacts, InputWords, NormOutputs, StepMemory,
};

/// A sample is a file; networks are vision models of timm.
pub const FACTS: Facts = Facts {
    name: "image",
    many: "images",
    familiar: "pictures",
    a_file: "an image",
    files: "images",
    carrier: Carrier::File,
    beside: Beside::Sample,
    extensions: &[
        "jpg", "jpeg", "jpe", "jfif", "png", "apng", "webp", "gif", "bmp", "dib", "tif", "tiff", "ppm",
        "pgm", "pbm", "pnm", "pam",
    ],
    is_named: |path: &Path| named_like_an_image(path),
    is_content: |bytes: &[u8]| Format::of(bytes).is_ok(),
    is_bare_content: |bytes: &[u8]| Format::of(bytes).is_ok(),
    preview: preview::preview,
    golden: Golden::Files { extension: "png", count: 3, content: golden::png },
    input: InputWords {
        unit: "px",
        short: |side| format!("image {side}×{side}"),
        long: |side| format!("{side} × {side}, RGB"),
    },
    hub: HubFacts {
        tasks: &["image-classification", "image-feature-extraction"],
        also_tasks: &[],
        library: Some("timm"),
        needed: &[],
        wanted: &["preprocessor_config.json"],
    },
    cost: Cost {
        typical_tokens: 1,
        tokens: |_| 1,
        decode_seconds: 0.003,
        input_copies: 3,
        // What each convolution gives, and what its norm makes of it where the weight above is trained.
        step: StepMemory { norms: NormOutputs::KeptWhereUsed, fixed: 1.1, following: 1.5 },
    },
    fine_tuning: FineTuning { epochs: 10, learning_rate: 2e-3, backbone_rate: 0.1, dropout_share: 0.0 },
    example: "photo.jpg",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extensions_are_those_of_the_formats() {
        let of_formats: Vec<&str> =
            Format::ALL.iter().flat_map(|format| format.extensions()).copied().collect();
        assert_eq!(FACTS.extensions, of_formats);
    }
}
