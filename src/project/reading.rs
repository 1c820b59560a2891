//! What turns a sample into a number besides the weights: pinned with a run, so that what answers is what was trained.

use crate::backbone::Backbone;
use crate::nn::NUMERICS_VERSION;
use crate::problem::{Problem, Result};
use serde::{Deserialize, Serialize};

/// How samples were read and features computed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// Digest of the preprocessing, or of the tokenizer with the most tokens of a text.
    pub input: String,
    pub pooling: String,
    /// The version of the kernels' numbers.
    pub numerics: u32,
    /// The version of how the files beside an encoder of texts were understood; unknown where they were not looked at yet
    /// and every text was pooled to its mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modules: Option<u32>,
}

/// How the files beside an encoder are understood now.
const MODULES_VERSION: u32 = 1;

impl Reading {
    /// How `backbone` reads samples now.
    pub fn of(backbone: &Backbone) -> Self {
        let pooling = backbone.architecture().pooling().name().to_string();
        let modules = Some(MODULES_VERSION);
        Self { input: backbone.input.key(), pooling, numerics: NUMERICS_VERSION, modules }
    }

    /// The backbone as it was understood where `then` was noted: what was trained before poolings were read goes on as
    /// it was.
    ///
    /// # Errors
    /// The backbone's configuration cannot be read any more.
    pub fn restore(then: Option<&Self>, backbone: &Backbone) -> Result<Backbone> {
        match then.and_then(|then| then.modules) {
            Some(_) => Ok(backbone.clone()),
            None => backbone.as_before_modules(),
        }
    }

    /// How `backbone`, restored by [`Reading::restore`], reads samples, told as `then` tells it.
    pub fn like(then: Option<&Self>, backbone: &Backbone) -> Self {
        Self { modules: then.and_then(|then| then.modules), ..Self::of(backbone) }
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
                let parts =
                    |of: &str| of.split_once(' ').map(|(n, letters)| (n.to_string(), letters.to_string()));
                let (most, letters) = parts(most).unwrap_or((most.to_string(), String::new()));
                let (most_now, letters_now) =
                    parts(most_now).unwrap_or((most_now.to_string(), String::new()));
                if most != most_now {
                    changed.push(format!("the most tokens of a text, {most} then, {most_now} now"));
                }
                if letters != letters_now {
                    changed.push("whether capital letters are kept (do_lower_case)".to_string());
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
        let then = Reading { input: "aa 128".into(), pooling: "mean".into(), numerics: 2, modules: None };
        assert!(then.check(&then).is_ok());
        let why = |now: Reading| then.check(&now).unwrap_err().why;
        assert!(why(Reading { input: "bb 128".into(), ..then.clone() }).contains("tokenizer"));
        assert!(why(Reading { input: "aa 64".into(), ..then.clone() }).contains("128 then, 64 now"));
        let lowered = Reading { input: "aa 128 lowered".into(), ..then.clone() };
        assert!(why(lowered).ends_with("capital letters are kept (do_lower_case)"));
        assert!(why(Reading { pooling: "cls".into(), ..then.clone() }).contains("mean then, cls now"));
        assert!(why(Reading { numerics: 3, ..then.clone() }).contains("kernels"));
        let picture = Reading { input: "aa".into(), ..then.clone() };
        let other = Reading { input: "bb".into(), ..then.clone() };
        assert!(picture.check(&other).unwrap_err().why.contains("preprocessing"));
    }
}
