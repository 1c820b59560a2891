//! Backbones as people bring them: what is beside an encoder is obeyed or refused, other names and types of tensors are
//! read, and features are those of transformers and sentence-transformers (`tests/goldens/make_brought.py`).
//!
//! Sabotage seen to fail: the last token for the first; `Scale::AsItIs` for a `Normalize` module.

use crate::support::{assert_near, device, golden_path};
use candle_core::{DType, Device, Tensor};
use frostline::backbone::Backbone;
use frostline::network::samples::{Loader, Sample};
use frostline::problem::{Cause, Problem};
use frostline::train::trunk::Trunk;
use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A backbone of these files of the goldens, to be changed.
fn brought(parts: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for part in parts {
        copy(&golden_path("brought").join(part), folder.path());
    }
    folder
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

fn expected() -> Value {
    serde_json::from_slice(&std::fs::read(golden_path("brought/expected.json")).unwrap()).unwrap()
}

fn floats(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

fn texts() -> Vec<String> {
    serde_json::from_value(expected()["texts"].clone()).unwrap()
}

fn features(folder: &Path, samples: &[Sample]) -> Vec<Vec<f32>> {
    let backbone = Backbone::open(folder).unwrap();
    let weights = backbone.open_weights().unwrap();
    let loader = Loader::new(&backbone, &backbone.input, device()).unwrap();
    let cuts = backbone.architecture().cuts().len();
    let trunk = Trunk::load(backbone.architecture(), &weights, cuts - 1, device()).unwrap();
    let prepared: Vec<_> = samples.iter().map(|s| loader.prepare(s).unwrap()).collect();
    trunk.forward(loader.boundary(&prepared).unwrap()).unwrap().hidden.to_vec2().unwrap()
}

fn text_features(folder: &Path) -> Vec<Vec<f32>> {
    features(folder, &texts().into_iter().map(Sample::Text).collect::<Vec<_>>())
}

/// Opens with its weights, which must fail.
fn refused(folder: &Path) -> Problem {
    let problem = Backbone::open(folder).and_then(|b| b.open_weights().map(drop)).unwrap_err();
    assert_eq!(problem.cause, Cause::Input, "{problem}");
    problem
}

fn edit(path: PathBuf, change: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut value);
    std::fs::write(path, value.to_string()).unwrap();
}

#[test]
fn poolings_are_those_of_sentence_transformers() {
    let expected = expected();
    for (name, rows) in expected["features"].as_object().unwrap() {
        let folder = brought(&["text", &format!("pooling/{name}")]);
        let found = text_features(folder.path());
        for (number, (found, row)) in found.iter().zip(rows.as_array().unwrap()).enumerate() {
            assert_near(found, &floats(row), 1e-4, &format!("{name}, text {number}"));
        }
    }
}

/// A folder `0_Transformer`, and the pooling where the list says.
#[test]
fn modules_lie_anywhere() {
    let folder = brought(&["pooling/cls"]);
    copy(&golden_path("brought/text"), &folder.path().join("0_Transformer"));
    std::fs::rename(folder.path().join("1_Pooling"), folder.path().join("first")).unwrap();
    edit(folder.path().join("modules.json"), |list| {
        list[0]["path"] = "0_Transformer".into();
        list[1]["path"] = "first".into();
    });
    let usual = brought(&["text", "pooling/cls"]);
    assert_eq!(text_features(folder.path()), text_features(usual.path()));
}

#[test]
fn letters_are_lowered_where_the_files_ask_for_it() {
    let folder = brought(&["text"]);
    edit(folder.path().join("tokenizer.json"), |t| t["normalizer"]["lowercase"] = false.into());
    let kept = Backbone::open(folder.path()).unwrap();
    let settings = folder.path().join("sentence_bert_config.json");
    std::fs::write(settings, r#"{"max_seq_length": 32, "do_lower_case": true}"#).unwrap();
    let lowered = Backbone::open(folder.path()).unwrap();
    assert_ne!(kept.input.key(), lowered.input.key());
    let lower: Vec<_> = texts().iter().map(|t| Sample::Text(t.to_lowercase())).collect();
    assert_eq!(text_features(folder.path()), features(folder.path(), &lower));
}

#[test]
fn a_tokenizer_larger_than_the_vocabulary_is_refused() {
    let folder = brought(&["text"]);
    edit(folder.path().join("tokenizer.json"), |t| {
        let size = t["model"]["vocab"].as_object().unwrap().len();
        t["model"]["vocab"]["frost"] = size.into();
        t["model"]["vocab"]["line"] = (size + 1).into();
    });
    let size = Backbone::open(&golden_path("brought/text")).unwrap().architecture().vocabulary().unwrap();
    let problem = refused(folder.path());
    let numbers = format!("knows {} tokens, the network {size}", size + 2);
    assert!(problem.why.contains(&numbers), "{problem}");
    assert!(problem.remedy.in_window().contains("tokenizer"), "{problem}");
    assert!(!problem.to_string().contains("batch"), "{problem}");
}

/// Rewrites the weights: new names, types and tensors beside.
fn rewrite(folder: &Path, rename: impl Fn(&str) -> String, dtype: DType, more: &[(&str, &[usize])]) {
    let path = folder.join("model.safetensors");
    let tensors = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    let cast = |tensor: &Tensor| {
        if tensor.dtype().is_float() { tensor.to_dtype(dtype).unwrap() } else { tensor.clone() }
    };
    let mut renamed: HashMap<String, Tensor> =
        tensors.iter().map(|(name, tensor)| (rename(name), cast(tensor))).collect();
    for (name, shape) in more {
        renamed.insert((*name).to_string(), Tensor::ones(*shape, dtype, &Device::Cpu).unwrap());
    }
    candle_core::safetensors::save(&renamed, path).unwrap();
}

#[test]
fn wrappers_and_heads_of_other_tasks_are_left_aside() {
    let plain = text_features(brought(&["text"]).path());
    let heads: &[(&str, &[usize])] = &[("qa_outputs.weight", &[2, 16]), ("linear.weight", &[8, 16])];
    for prefix in
        ["", "bert.", "module.", "model.bert.", "backbone.", "module._orig_mod.bert.", "0.auto_model."]
    {
        for heads in
            [&[], heads, &[("classifier.dense.bias", &[3]), ("lm_head.weight", &[48, 16]), ("crf.x", &[1])]]
        {
            let folder = brought(&["text"]);
            rewrite(folder.path(), |name| format!("{prefix}{name}"), DType::F32, heads);
            assert_eq!(text_features(folder.path()), plain, "{prefix:?}, {heads:?}");
        }
        // The head of a wrapped network may be wrapped with it.
        let folder = brought(&["text"]);
        let head = format!("{prefix}pooler.dense.weight");
        rewrite(folder.path(), |name| format!("{prefix}{name}"), DType::F32, &[(&head, &[16, 16])]);
        assert_eq!(text_features(folder.path()), plain, "{head}");
    }
}

#[test]
fn more_layers_than_the_configuration_has_are_no_head() {
    let folder = brought(&["text"]);
    rewrite(folder.path(), str::to_owned, DType::F32, &[("encoder.layer.2.output.dense.bias", &[16])]);
    assert!(refused(folder.path()).why.contains("encoder.layer.2"));
    let folder = brought(&["resnet-basic"]);
    rewrite(folder.path(), str::to_owned, DType::F32, &[("layer5.0.conv1.weight", &[1])]);
    assert!(refused(folder.path()).why.contains("layer5.0"));
    // Two networks, of which either could be meant.
    let folder = brought(&["text"]);
    let path = folder.path().join("model.safetensors");
    let tensors = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    let both = tensors
        .iter()
        .flat_map(|(name, t)| ["a.", "b."].map(|wrapper| (format!("{wrapper}{name}"), t.clone())));
    candle_core::safetensors::save(&both.collect::<HashMap<_, _>>(), path).unwrap();
    assert!(refused(folder.path()).why.contains("under a., b."));
}

#[test]
fn every_type_of_floats_is_read() {
    let plain = text_features(brought(&["text"]).path());
    let with = |dtype| {
        let folder = brought(&["text"]);
        rewrite(folder.path(), str::to_owned, dtype, &[]);
        text_features(folder.path())
    };
    assert_eq!(with(DType::F64), plain);
    for (dtype, tolerance) in [(DType::F16, 2e-3), (DType::BF16, 2e-2)] {
        for (found, expected) in with(dtype).iter().zip(&plain) {
            assert_near(found, expected, tolerance, &format!("{dtype:?}"));
        }
    }
}

#[test]
fn a_resnet_of_transformers_gives_its_features() {
    let sample = Sample::file(golden_path("features/rgb_97x131.png"));
    for kind in ["resnet-basic", "resnet-bottleneck"] {
        let expected = floats(&expected()[kind]);
        let found = features(&golden_path("brought").join(kind), std::slice::from_ref(&sample));
        assert_near(&found[0], &expected, 1e-4, kind);
        // As `ResNetForImageClassification` writes it.
        let folder = brought(&[kind]);
        rewrite(
            folder.path(),
            |name| format!("resnet.{name}"),
            DType::F32,
            &[("classifier.1.weight", &[3, 48])],
        );
        assert_eq!(features(folder.path(), std::slice::from_ref(&sample)), found);
    }
}

#[test]
fn a_list_of_word_pieces_alone_is_read_as_transformers_reads_it() {
    for case in expected()["tokens"].as_array().unwrap() {
        let folder = brought(&["text"]);
        std::fs::remove_file(folder.path().join("tokenizer.json")).unwrap();
        std::fs::write(folder.path().join("tokenizer_config.json"), case["settings"].to_string()).unwrap();
        let backbone = Backbone::open(folder.path()).unwrap();
        let frostline::backbone::InputSpec::Text(spec) = &backbone.input else { panic!("a text backbone") };
        let tokenizer = backbone.open_tokenizer(spec).unwrap();
        let ids: Vec<Vec<u32>> = texts().iter().map(|text| tokenizer.encode(text).unwrap()).collect();
        assert_eq!(serde_json::to_value(ids).unwrap(), case["ids"], "{}", case["settings"]);
    }
    // As the whole tokenizer gives it, and pinned: other settings are another input.
    let (whole, list) = (brought(&["text"]), brought(&["text"]));
    std::fs::remove_file(list.path().join("tokenizer.json")).unwrap();
    assert_eq!(text_features(list.path()), text_features(whole.path()));
    let key = |folder: &TempDir| Backbone::open(folder.path()).unwrap().input.key();
    let before = key(&list);
    edit(list.path().join("tokenizer_config.json"), |settings| settings["do_lower_case"] = false.into());
    assert_ne!(key(&list), before);
}

/// Two files and their index, as transformers parts large weights.
fn shard(folder: &Path) {
    let path = folder.join("model.safetensors");
    let tensors = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    let part_of =
        |name: &str| if name.contains("layer.1") { "model-00002-of-00002" } else { "model-00001-of-00002" };
    let mut map = serde_json::Map::new();
    for part in ["model-00001-of-00002", "model-00002-of-00002"] {
        let inside = tensors.iter().filter(|(name, _)| part_of(name) == part);
        let inside: HashMap<String, Tensor> = inside.map(|(name, t)| (name.clone(), t.clone())).collect();
        map.extend(inside.keys().map(|name| (name.clone(), format!("{part}.safetensors").into())));
        candle_core::safetensors::save(&inside, folder.join(format!("{part}.safetensors"))).unwrap();
    }
    let index = serde_json::json!({"metadata": {"total_size": 1}, "weight_map": map});
    std::fs::write(folder.join("model.safetensors.index.json"), index.to_string()).unwrap();
    std::fs::remove_file(path).unwrap();
}

#[test]
fn weights_in_several_files_are_one_network_with_one_digest() {
    let (whole, parts) = (brought(&["text"]), brought(&["text"]));
    shard(parts.path());
    assert_eq!(text_features(parts.path()), text_features(whole.path()));
    let backbone = Backbone::open(parts.path()).unwrap();
    let digest = backbone.open_weights().unwrap().sha256().to_string();
    assert_eq!(frostline::hub::weights_sha256(&backbone).unwrap(), digest);
    let copy = tempfile::tempdir().unwrap();
    backbone.copy_to(copy.path()).unwrap();
    assert_eq!(text_features(copy.path()), text_features(whole.path()));
    // One bit in any part is another backbone.
    for part in ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"] {
        let path = copy.path().join(part);
        let own = std::fs::read(&path).unwrap();
        let mut bytes = own.clone();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let changed = Backbone::open(copy.path()).unwrap();
        assert_ne!(changed.open_weights().unwrap().sha256(), digest);
        assert!(changed.open_pinned_weights(&digest).is_err());
        std::fs::write(&path, own).unwrap();
    }
    let index = copy.path().join("model.safetensors.index.json");
    let refuse = |change: &dyn Fn(&mut Value), part: &str| {
        let own = std::fs::read(&index).unwrap();
        edit(index.clone(), change);
        let problem = refused(copy.path());
        assert!(problem.to_string().contains(part), "{problem}");
        std::fs::write(&index, own).unwrap();
    };
    let bias = "encoder.layer.1.output.dense.bias";
    refuse(&|i| i["weight_map"][bias] = "../model.safetensors".into(), "not beside it");
    refuse(&|i| i["weight_map"][bias] = "model-00001-of-00002.safetensors".into(), bias);
    refuse(&|i| i["weight_map"][bias] = "model-00003-of-00003.safetensors".into(), "model-00003");
    refuse(&|i| i["weight_map"] = serde_json::json!({}), "no tensor");
}
