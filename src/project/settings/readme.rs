//! The table of settings in the README, which is held equal to the rows. `UPDATE_README=1 cargo test readme` rewrites it.

use super::tests::circumstances;
use super::{Defaults, Kind, SETTINGS, Setting, Standard, Value};
use std::path::PathBuf;

const BEGIN: &str = "<!-- settings: made from src/project/settings/rows.rs -->\n";
const END: &str = "<!-- end of settings -->\n";

fn table() -> String {
    let mut text =
        "| option | key | meaning | values | default |\n| --- | --- | --- | --- | --- |\n".to_string();
    for setting in SETTINGS.iter().filter(|setting| setting.is_offered()) {
        text += &format!(
            "| `--{}` | `{}` | {} | {} | {} |\n",
            setting.option,
            setting.key,
            setting.help,
            values(setting),
            default(setting)
        );
    }
    text
}

fn values(setting: &Setting) -> String {
    let range = match setting.kind {
        Kind::Integer { low, high, .. } if high == i64::MAX as u64 => format!("{low} and up"),
        Kind::Integer { low, high, .. } => format!("{low} to {high}"),
        Kind::Real { low, high, .. } => format!("{} to {}", short(low), short(high)),
        Kind::Choice { offers, .. } => {
            offers().iter().map(|offer| format!("`{}`", offer.key)).collect::<Vec<_>>().join(", ")
        }
        Kind::Switch { .. } => "`on`, `off`; in the file `true`, `false`".to_string(),
    };
    format!("{range} {}", setting.unit.words()).trim_end().to_string()
}

/// As short as a number can be written.
fn short(value: f64) -> String {
    if value == 0.0 || (1e-3..=1e5).contains(&value) { value.to_string() } else { format!("{value:e}") }
}

/// The value that suits most, and where another one does.
fn default(setting: &Setting) -> String {
    if let Standard::Always(value) = setting.default {
        return written(value());
    }
    let all = circumstances();
    let usual = setting.default(&all[0]);
    let mut text = written(usual);
    for defaults in all.iter().filter(|d| setting.default(d) != usual) {
        let Defaults { modality, head_only, .. } = defaults;
        let samples = modality.facts().many;
        let layers = if *head_only { "head only" } else { "layers thawed" };
        text += &format!("; {samples}, {layers}: {}", written(setting.default(defaults)));
    }
    text
}

/// A dropout comes from a file with numbers of 32 bits.
fn written(value: Value) -> String {
    match value {
        Value::Real(number) => (number as f32).to_string(),
        Value::Integer(_) | Value::Choice(_) | Value::Switch(_) => value.to_string(),
    }
}

#[test]
fn the_readme_lists_every_setting() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (listed, after) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}\n{}\n{END}{after}", table())).unwrap();
        return;
    }
    assert_eq!(listed.trim(), table().trim(), "UPDATE_README=1 rewrites the table");
}
