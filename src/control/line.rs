//! Lines of a job: what `--json` prints is read back here, so that a job elsewhere can be followed from what it says.

use super::{Fact, Scores};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::path::PathBuf;

/// One line: something that happened, or how the job ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    Fact(Fact),
    Ended(Ended),
}

/// The last line of a training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Ended {
    Finished {
        /// `0001`, `0002`, ..
        run: String,
        best_epoch: Option<u32>,
        /// Of the best epoch on the validation samples: `val_accuracy`, ..
        #[serde(flatten, with = "of_validation")]
        scores: Scores,
        seconds: f64,
    },
    /// The user asked; what is kept stands in `remedy`.
    Stopped {
        why: String,
        #[serde(rename = "try")]
        remedy: String,
        path: Option<PathBuf>,
    },
    Failed {
        what: String,
        why: String,
        #[serde(rename = "try")]
        remedy: String,
        path: Option<PathBuf>,
    },
}

/// Scores among other keys, by a prefix.
mod of_validation {
    use super::{Deserialize, Deserializer, Scores, Serializer};

    const PREFIX: &str = "val_";

    /// Writes each score with `val_` before its name.
    pub fn serialize<S: Serializer>(scores: &Scores, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(scores.iter().map(|(name, value)| (format!("{PREFIX}{name}"), value)))
    }

    /// Takes the numbers whose keys begin with `val_`; other keys are passed over.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Scores, D::Error> {
        let all = serde_json::Map::<String, serde_json::Value>::deserialize(deserializer)?;
        let scores = all.iter().filter_map(|(key, value)| Some((key.strip_prefix(PREFIX)?, value.as_f64()?)));
        Ok(scores.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{EpochRecord, Progress, WarningKind};
    use super::*;

    fn check(line: impl Into<Line>, start: &str) {
        let line = line.into();
        let text = serde_json::to_string(&line).unwrap();
        assert!(text.starts_with(start), "{text}");
        assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), line, "{text}");
    }

    impl From<Fact> for Line {
        fn from(fact: Fact) -> Self {
            Self::Fact(fact)
        }
    }

    impl From<Ended> for Line {
        fn from(ended: Ended) -> Self {
            Self::Ended(ended)
        }
    }

    /// Seen to fail with the tag of a download spelled otherwise than that of other progress.
    #[test]
    fn every_line_is_read_back() {
        check(Fact::progress("reading rows", 3, 9), r#"{"event":"progress","what":"reading rows","done":3"#);
        let download = Progress::Download {
            file: "model.safetensors".into(),
            bytes: 5,
            total: 10,
            bytes_per_second: 2.5,
            all_bytes: 0,
            all_total: 0,
        };
        check(Fact::Progress(download), r#"{"event":"progress","file":"model.safetensors","bytes":5"#);
        check(Fact::Scan { items: 4, classes: 2, findings: 1, seconds: 0.5 }, r#"{"event":"scan","items":4"#);
        check(Fact::Cache { items: 4, computed: 2, bytes: 9, seconds: 0.5 }, r#"{"event":"cache""#);
        check(Fact::Step { epoch: 1, step: 2, loss: 0.1 + 0.2, lr: 1e-3 }, r#"{"event":"step","epoch":1"#);
        let record = EpochRecord {
            epoch: 2,
            train_loss: 0.5,
            train: [("r2", 0.25)].into_iter().collect(),
            val_loss: 0.75,
            val: [("r2", 0.125), ("mae", 3.5)].into_iter().collect(),
            seconds: 1.0,
            samples_per_second: 8.0,
        };
        check(Fact::Epoch(record), r#"{"event":"epoch","epoch":2,"train_loss":0.5,"train_r2":0.25"#);
        check(Fact::warning("odd"), r#"{"event":"warning","what":"odd"}"#);
        let left_out = Fact::Warning { what: "odd".into(), kind: WarningKind::LeftOut };
        check(left_out, r#"{"event":"warning","what":"odd","kind":"left_out"}"#);
        let finished = Ended::Finished {
            run: "0001".into(),
            best_epoch: Some(3),
            scores: [("accuracy", 0.9), ("macro_f1", 0.8)].into_iter().collect(),
            seconds: 2.0,
        };
        let keys =
            r#"{"event":"finished","run":"0001","best_epoch":3,"val_accuracy":0.9,"val_macro_f1":0.8,"#;
        check(finished, keys);
        let (why, remedy, path) = ("because".to_string(), "again".to_string(), Some("a/b".into()));
        let stopped = Ended::Stopped { why: why.clone(), remedy: remedy.clone(), path: None };
        check(stopped, r#"{"event":"stopped","why":"because","try":"again","path":null}"#);
        let failed = Ended::Failed { what: "it broke".into(), why, remedy, path };
        check(failed, r#"{"event":"failed","what":"it broke","why":"because","try":"again","path":"a/b"}"#);
        assert!(serde_json::from_str::<Line>(r#"{"event":"danced"}"#).is_err());
    }
}
