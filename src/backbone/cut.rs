//! The places where a network can be parted.

use super::layer_tree::Dim;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A place where the network can be parted.
#[derive(Debug, Clone, PartialEq)]
pub struct Cut {
    pub name: CutName,
    /// Shape of the boundary state there without the batch dimension, in canonical order
    /// (`[channels, height, width]`, `[tokens, features]` or `[features]`).
    pub shape: Vec<Dim>,
}

/// Which place that is. On disk and for people: `input`, `head`, or the path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum CutName {
    /// Below everything.
    Input,
    /// Below the module of this path.
    Below(String),
    /// Above the last segment, where the head stands.
    Head,
}

const INPUT: &str = "input";
const HEAD: &str = "head";

impl fmt::Display for CutName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Input => INPUT,
            Self::Below(path) => path,
            Self::Head => HEAD,
        })
    }
}

impl From<String> for CutName {
    fn from(name: String) -> Self {
        match name.as_str() {
            INPUT => Self::Input,
            HEAD => Self::Head,
            _ => Self::Below(name),
        }
    }
}

impl From<CutName> for String {
    fn from(name: CutName) -> Self {
        name.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_on_disk_are_words_and_paths() {
        for (name, word) in [
            (CutName::Input, "input"),
            (CutName::Head, "head"),
            (CutName::Below("blocks.6.0".into()), "blocks.6.0"),
        ] {
            let json = serde_json::to_string(&name).unwrap();
            assert_eq!(json, format!("{word:?}"));
            assert_eq!(serde_json::from_str::<CutName>(&json).unwrap(), name);
        }
    }
}
