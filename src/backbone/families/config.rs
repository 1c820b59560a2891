//! What several families read from a configuration.

use crate::backbone::family::bad_config;
use crate::nn::Activation;
use crate::problem::Result;
use serde_json::Value;

/// The side of the pictures that `pretrained_cfg.input_size` of timm's configurations names.
///
/// # Errors
/// Pictures that are not square and RGB, or of a side outside 32 to 1024.
pub fn input_size(config: &Value) -> Result<Option<usize>> {
    let asked = config.get("pretrained_cfg").and_then(|c| c.get("input_size")).and_then(Value::as_array);
    let Some(asked) = asked else { return Ok(None) };
    let sides: Vec<u64> = asked.iter().filter_map(Value::as_u64).collect();
    match sides[..] {
        [3, height, width] if height == width && (32..=1024).contains(&height) => Ok(Some(height as usize)),
        _ => Err(bad_config("\"input_size\" must be [3, n, n] with n from 32 to 1024")),
    }
}

/// A multiplier that `config.json` may give in place of the family's.
///
/// # Errors
/// It is no number from 0.01 to 10.
pub fn multiplier(config: &Value, key: &str, usual: f64) -> Result<f64> {
    let Some(given) = config.get(key) else { return Ok(usual) };
    let number = given.as_f64().filter(|m| (0.01..=10.0).contains(m));
    number.ok_or_else(|| bad_config(&format!("{key:?} must lie between 0.01 and 10")))
}

/// A number of channels that `config.json` may give in place of the family's.
///
/// # Errors
/// It is no number from 1 to 65536.
pub fn channels(config: &Value, key: &str, usual: usize) -> Result<usize> {
    match config.get(key) {
        Some(_) => number(config, key, 65_536),
        None => Ok(usual),
    }
}

/// A number that the configuration must give.
///
/// # Errors
/// It is no number from 1 to `highest`.
pub fn number(config: &Value, key: &str, highest: u64) -> Result<usize> {
    let found = config.get(key).and_then(Value::as_u64).filter(|n| (1..=highest).contains(n));
    found.map(|n| n as usize).ok_or_else(|| bad_config(&format!("{key:?} must lie between 1 and {highest}")))
}

/// The activation that transformers' configurations name; GELU where they do not.
///
/// # Errors
/// It is not known.
pub fn activation(config: &Value, key: &str) -> Result<Activation> {
    match config.get(key).and_then(Value::as_str) {
        Some("gelu") | None => Ok(Activation::GeluErf),
        Some("gelu_new" | "gelu_pytorch_tanh") => Ok(Activation::GeluTanh),
        Some("relu") => Ok(Activation::Relu),
        Some(other) => Err(bad_config(&format!("activation {other:?} is not supported"))),
    }
}

/// For families that know none of timm's `model_args`.
///
/// # Errors
/// There is one: it would make another network.
pub fn no_model_args(config: &Value) -> Result<()> {
    match config.get("model_args").and_then(Value::as_object).and_then(|arguments| arguments.keys().next()) {
        Some(key) => Err(bad_config(&format!("the model argument {key:?} is not supported"))),
        None => Ok(()),
    }
}
