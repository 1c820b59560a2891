//! What turns a sample into a number besides the weights: pinned with a run, so that what answers is what was trained.

use crate::backbone::Backbone;
use crate::nn::NUMERICS_VERSION;
use crate::problem::{Problem, Result};
use serde::{Deserialize, Serialize};

/// How samples were read and features computed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// Digest of the preprocessing, or of the tokenizer with the most tokens of a text.
    pub input: String,
    pub pooling: String,
    /// The version of the kernels' numbers.
    pub numerics: u32,
}

impl Reading {
    /// How `backbone` reads samples now.
    pub fn of(backbone: &Backbone) -> Self {
        let pooling = backbone.architecture().pooling().to_string();
        Self { input: backbone.input.key(), pooling, numerics: NUMERICS_VERSION }
    }

    /// Compares with how samples are read now.
    ///
    /// # Errors
    /// Something differs: it is named.
    pub fn check(&self, now: &Self) -> Result<()> {
        let changed = self.changes(now);
        if changed.is_empty() {
            return Ok(());
        }
        Err(Problem::input(
            "the backbone no longer reads samples as it did when this was trained",
            format!("changed: {}", changed.join("; ")),
            "put the backbone's files back as they were, or train anew",
        ))
    }

    fn changes(&self, now: &Self) -> Vec<String> {
        let mut changed = Vec::new();
        match (self.input.split_once(' '), now.input.split_once(' ')) {
            _ if self.input == now.input => {}
            (Some((tokenizer, most)), Some((tokenizer_now, most_now))) => {
                if tokenizer != tokenizer_now {
                    changed.push("the tokenizer (tokenizer.json)".to_string());
                }
                if most != most_now {
                    changed.push(format!("the most tokens of a text, {most} then, {most_now} now"));
                }
            }
            _ => changed.push("the preprocessing (size, crop, mean, deviation, filter)".to_string()),
        }
        if self.pooling != now.pooling {
            changed.push(format!("the pooling, {} then, {} now", self.pooling, now.pooling));
        }
        if self.numerics != now.numerics {
            changed.push(format!("the kernels, version {} then, {} now", self.numerics, now.numerics));
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_changed_is_named() {
        let then = Reading { input: "aa 128".into(), pooling: "mean".into(), numerics: 2 };
        assert!(then.check(&then).is_ok());
        let why = |now: Reading| then.check(&now).unwrap_err().why;
        assert!(why(Reading { input: "bb 128".into(), ..then.clone() }).contains("tokenizer"));
        assert!(why(Reading { input: "aa 64".into(), ..then.clone() }).contains("128 then, 64 now"));
        assert!(why(Reading { pooling: "cls".into(), ..then.clone() }).contains("mean then, cls now"));
        assert!(why(Reading { numerics: 3, ..then.clone() }).contains("kernels"));
        let picture = Reading { input: "aa".into(), ..then.clone() };
        let other = Reading { input: "bb".into(), ..then.clone() };
        assert!(picture.check(&other).unwrap_err().why.contains("preprocessing"));
    }
}
