//! What one pass over the training samples gave, as plain data: it is reported, kept in the record of a run and drawn.

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// Scores by name, in the order in which their task lists them; `task::TaskKind::scores` says what they mean.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scores(Vec<(String, f64)>);

/// What one epoch gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EpochRecord {
    /// From 1.
    pub epoch: u32,
    /// Mean over the steps of the epoch.
    pub train_loss: f64,
    /// Of the training samples while they were trained on; older records may lack it.
    pub train: Scores,
    /// Mean over the validation samples.
    pub val_loss: f64,
    /// Of the validation samples.
    pub val: Scores,
    pub seconds: f64,
    pub samples_per_second: f64,
}

impl Scores {
    /// The value of a score.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| *value)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// Whether no score is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: Into<String>> FromIterator<(N, f64)> for Scores {
    fn from_iter<I: IntoIterator<Item = (N, f64)>>(scores: I) -> Self {
        Self(scores.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }
}

/// By their names.
impl Serialize for Scores {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

/// What stands before the names of scores in a record.
const TRAIN: &str = "train_";
const VALIDATION: &str = "val_";

/// One flat object: `train_accuracy`, `val_accuracy`, ..
impl Serialize for EpochRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("epoch", &self.epoch)?;
        map.serialize_entry("train_loss", &self.train_loss)?;
        for (name, value) in self.train.iter() {
            map.serialize_entry(&format!("{TRAIN}{name}"), &value)?;
        }
        map.serialize_entry("val_loss", &self.val_loss)?;
        for (name, value) in self.val.iter() {
            map.serialize_entry(&format!("{VALIDATION}{name}"), &value)?;
        }
        map.serialize_entry("seconds", &self.seconds)?;
        map.serialize_entry("samples_per_second", &self.samples_per_second)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for EpochRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// The part whose names are fixed.
        #[derive(serde::Deserialize)]
        struct Fixed {
            epoch: u32,
            train_loss: f64,
            val_loss: f64,
            seconds: f64,
            samples_per_second: f64,
            // In the order of the file.
            #[serde(flatten)]
            others: serde_json::Map<String, serde_json::Value>,
        }
        let fixed = Fixed::deserialize(deserializer)?;
        let named = |prefix: &str| {
            let others = fixed.others.iter();
            others.filter_map(|(key, value)| Some((key.strip_prefix(prefix)?, value.as_f64()?))).collect()
        };
        Ok(Self {
            epoch: fixed.epoch,
            train_loss: fixed.train_loss,
            train: named(TRAIN),
            val_loss: fixed.val_loss,
            val: named(VALIDATION),
            seconds: fixed.seconds,
            samples_per_second: fixed.samples_per_second,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_the_round_trip_and_is_flat() {
        let record = EpochRecord {
            epoch: 3,
            train_loss: 0.1 + 0.2,
            train: [("accuracy", 0.9)].into_iter().collect(),
            val_loss: 0.5,
            val: [("macro_f1", 0.7), ("accuracy", 0.8)].into_iter().collect(),
            seconds: 1.5,
            samples_per_second: 20.0,
        };
        let text = serde_json::to_string(&record).unwrap();
        let keys = ["epoch", "train_loss", "train_accuracy", "val_loss", "val_macro_f1", "val_accuracy"];
        let places: Vec<_> = keys.iter().map(|key| text.find(&format!("\"{key}\"")).unwrap()).collect();
        assert!(places.is_sorted(), "{text}");
        assert_eq!(serde_json::from_str::<EpochRecord>(&text).unwrap(), record);
    }

    #[test]
    fn older_records_lack_the_training_score() {
        let text = r#"{"epoch":1,"train_loss":1.0,"val_loss":0.9,"val_accuracy":0.5,"val_macro_f1":0.4,
            "seconds":2.0,"samples_per_second":3.0}"#;
        let record: EpochRecord = serde_json::from_str(text).unwrap();
        assert!(record.train.is_empty());
        assert_eq!((record.val.get("accuracy"), record.val.get("macro_f1")), (Some(0.5), Some(0.4)));
    }
}
