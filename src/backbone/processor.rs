//! The preprocessing of transformers' networks of pictures, brought into the form of timm's `pretrained_cfg`.

use super::family::{bad_config, unsupported};
use crate::problem::{Problem, Result};
use serde_json::{Value, json};
use std::path::Path;

/// What transformers' image processors write.
pub const PROCESSOR: &str = "preprocessor_config.json";
/// Networks of pictures, by their `model_type`.
const PICTURES: [&str; 1] = ["resnet"];

/// `config` with a `pretrained_cfg`: that of the processor in `folder`, where transformers wrote the configuration. Without
/// a processor it is that of ImageNet, which all published networks of these kinds were trained with.
///
/// # Errors
/// The processor cannot be read, or prepares pictures in a way that is not supported.
pub fn complete(mut config: Value, folder: Option<&Path>) -> Result<Value> {
    let is_asked = config.get("model_type").and_then(Value::as_str).is_some_and(|t| PICTURES.contains(&t));
    let has_own = ["architecture", "pretrained_cfg"].iter().any(|key| config.get(*key).is_some());
    if !is_asked || has_own {
        return Ok(config);
    }
    let path = folder.map(|folder| folder.join(PROCESSOR)).filter(|path| path.exists());
    let preprocessing = match path {
        Some(path) => {
            let text = fs_err::read_to_string(&path)
                .map_err(|e| Problem::io("read the backbone's preprocessing", &path, &e))?;
            let read = serde_json::from_str(&text).map_err(|e| bad_config(&e.to_string()));
            read.and_then(|processor| translate(&processor)).map_err(|p| p.at(path))?
        }
        None => json!({
            "input_size": [3, 224, 224], "crop_pct": 0.875, "interpolation": "bicubic",
            "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
        }),
    };
    if let Some(table) = config.as_object_mut() {
        table.insert("pretrained_cfg".to_string(), preprocessing);
    }
    Ok(config)
}

/// A processor that makes the shorter side so and so long, crops the middle, and normalises.
fn translate(processor: &Value) -> Result<Value> {
    let flag = |key: &str| processor.get(key).and_then(Value::as_bool).unwrap_or(true);
    if !flag("do_resize") || !flag("do_rescale") {
        return Err(unsupported("its pictures are not resized and scaled to values from 0 to 1"));
    }
    let factor = processor.get("rescale_factor").and_then(Value::as_f64).unwrap_or(1.0 / 255.0);
    if (factor * 255.0 - 1.0).abs() > 1e-6 {
        return Err(unsupported(&format!("its pictures are scaled by {factor} in place of 1/255")));
    }
    let (side, fraction) = sizes(processor)?;
    let interpolation = match processor.get("resample").and_then(Value::as_u64) {
        Some(2) => "bilinear",
        Some(3) => "bicubic",
        other => return Err(unsupported(&format!("the resize filter \"resample\": {other:?} is not known"))),
    };
    let (mean, std) = match flag("do_normalize") {
        true => (processor.get("image_mean").cloned(), processor.get("image_std").cloned()),
        false => (Some(json!([0.0, 0.0, 0.0])), Some(json!([1.0, 1.0, 1.0]))),
    };
    Ok(json!({
        "input_size": [3, side, side], "crop_pct": fraction, "interpolation": interpolation, "mean": mean, "std": std,
    }))
}

/// The side of the square that is kept, and its share of the shorter side.
fn sizes(processor: &Value) -> Result<(u64, f64)> {
    /// From here on ConvNeXt's processor squeezes pictures into the square.
    const SQUEEZED: u64 = 384;
    let shorter = processor.get("size").and_then(|size| match size {
        Value::Object(sides) if sides.len() == 1 => sides.get("shortest_edge")?.as_u64(),
        _ => size.as_u64(),
    });
    let other = || unsupported("its pictures are not resized by their shorter side (\"size\")");
    let shorter = shorter.filter(|n| *n > 0).ok_or_else(other)?;
    if let Some(crop) = processor.get("crop_size") {
        let cropped = processor.get("do_center_crop").and_then(Value::as_bool).unwrap_or(true);
        let sides = ["height", "width"].map(|key| crop.get(key).and_then(Value::as_u64));
        let side = match (crop.as_u64(), sides) {
            (Some(side), _) => Some(side),
            (None, [Some(height), Some(width)]) if height == width => Some(height),
            _ => None,
        };
        let side = side.filter(|side| cropped && *side <= shorter);
        let side =
            side.ok_or_else(|| unsupported("its pictures are not cropped to a square (\"crop_size\")"))?;
        return Ok((side, side as f64 / shorter as f64));
    }
    let kind =
        ["image_processor_type", "feature_extractor_type"].iter().find_map(|k| processor.get(*k)?.as_str());
    match kind {
        Some(kind) if !kind.starts_with("ConvNext") => {
            Err(unsupported(&format!("it prepares pictures by {kind:?} without a crop to a square")))
        }
        _ if shorter >= SQUEEZED => Err(unsupported("its pictures are squeezed into a square")),
        _ => Ok((shorter, processor.get("crop_pct").and_then(Value::as_f64).unwrap_or(224.0 / 256.0))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut Value), expected: std::result::Result<(u64, f64), &str>) {
        let mut processor = json!({
            "do_normalize": true, "do_resize": true, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
            "resample": 3, "size": {"shortest_edge": 224}, "crop_pct": 0.875,
            "image_processor_type": "ConvNextImageProcessor",
        });
        change(&mut processor);
        match (translate(&processor), expected) {
            (Ok(found), Ok((side, fraction))) => {
                assert_eq!(found["input_size"], json!([3, side, side]));
                assert_eq!(found["crop_pct"], json!(fraction));
            }
            (Err(problem), Err(part)) => assert!(problem.to_string().contains(part), "{problem}"),
            (found, expected) => panic!("{found:?} against {expected:?}"),
        }
    }

    #[test]
    fn processors_are_obeyed_or_refused() {
        check(|_| {}, Ok((224, 0.875)));
        check(|p| p["size"] = 160.into(), Ok((160, 0.875)));
        let cropped = |p: &mut Value| {
            p["size"] = 256.into();
            p["crop_size"] = json!({"height": 224, "width": 224});
            p["image_processor_type"] = "BitImageProcessor".into();
        };
        check(cropped, Ok((224, 0.875)));
        check(|p| p["size"] = json!({"height": 224, "width": 224}), Err("shorter side"));
        check(|p| p["size"] = 384.into(), Err("squeezed"));
        check(|p| p["image_processor_type"] = "ViTImageProcessor".into(), Err("ViTImageProcessor"));
        check(|p| p["crop_size"] = json!({"height": 224, "width": 200}), Err("crop_size"));
        check(|p| p["resample"] = 1.into(), Err("resample"));
        check(|p| p["do_resize"] = false.into(), Err("not resized"));
        check(|p| p["rescale_factor"] = 1.into(), Err("scaled by 1"));
    }

    #[test]
    fn timms_configurations_stay_as_they_are() {
        let own = json!({"architecture": "resnet18", "model_type": "resnet"});
        assert_eq!(complete(own.clone(), None).unwrap(), own);
        let whole = complete(json!({"model_type": "resnet"}), None).unwrap();
        assert_eq!(whole["pretrained_cfg"]["input_size"], json!([3, 224, 224]));
    }
}
