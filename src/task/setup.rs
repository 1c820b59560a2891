//! A task as recipes name it and as records keep it.

use super::{LossChoice, TASKS, Task, TaskKind, usual};
use crate::data::target::TargetKind;
use crate::problem::{Problem, Result};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Which kind of task; on disk its name. One that this version does not know cannot be read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TaskChoice(pub &'static TaskKind);

/// All that has to be kept beside the names of the outputs to ask the same again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskRecord {
    pub kind: TaskChoice,
    /// What the task learnt from its training samples; the task's own matter.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub facts: Value,
}

impl TaskRecord {
    /// Whether it is what records said before there were tasks.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// The task over outputs of these names.
    ///
    /// # Errors
    /// The facts are damaged, or do not belong to these names.
    pub fn open(&self, names: Vec<String>, loss: &LossChoice) -> Result<Arc<dyn Task>> {
        (self.kind.open)(self, names, loss)
    }
}

impl TaskChoice {
    /// The task of this name.
    pub fn named(name: &str) -> Option<Self> {
        TASKS.iter().find(|kind| kind.name == name).map(|kind| Self(kind))
    }

    /// Whether recipes need not say it.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for TaskChoice {
    fn default() -> Self {
        Self(usual(TargetKind::Class))
    }
}

impl Deref for TaskChoice {
    type Target = TaskKind;

    fn deref(&self) -> &TaskKind {
        self.0
    }
}

impl fmt::Display for TaskChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Serialize for TaskChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

impl<'de> Deserialize<'de> for TaskChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::named(&name).ok_or_else(|| {
            let known: Vec<&str> = TASKS.iter().map(|kind| kind.name).collect();
            D::Error::custom(format!("there is no task {name:?}; the tasks are {}", known.join(", ")))
        })
    }
}

/// What a task keeps of how it weighs its outputs, so that a run that goes on weighs them alike.
#[derive(Serialize, Deserialize)]
struct Weighing {
    weights: Vec<f32>,
}

/// Facts of a task that keeps nothing but `weights`, one for each output.
pub(super) fn weights_to_facts(weights: Option<&[f32]>) -> Value {
    weights.map_or(Value::Null, |weights| serde_json::json!({ "weights": weights }))
}

/// Reads what [`weights_to_facts`] gave.
///
/// # Errors
/// There is not one usable weight for each of `outputs` outputs.
pub(super) fn weights_of_facts(record: &TaskRecord, outputs: usize) -> Result<Option<Vec<f32>>> {
    if record.facts.is_null() {
        return Ok(None);
    }
    let Weighing { weights } =
        Weighing::deserialize(&record.facts).map_err(|e| bad_facts(&record.kind, e))?;
    let is_usable = weights.iter().all(|weight| weight.is_finite() && *weight > 0.0);
    match is_usable && weights.len() == outputs {
        true => Ok(Some(weights)),
        false => Err(bad_facts(&record.kind, "a weight above 0 for each output")),
    }
}

/// The error for a record whose facts do not fit.
pub fn bad_facts(kind: &TaskKind, why: impl fmt::Display) -> Problem {
    Problem::input(
        "the record of the task cannot be used",
        format!("{} needs other facts: {why}", kind.name),
        "export or train again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_is_found_by_its_name_and_names_are_distinct() {
        for kind in TASKS {
            assert_eq!(TaskChoice::named(kind.name).unwrap().name, kind.name);
            assert!(!kind.scores.is_empty() && !kind.words.is_empty());
            let text = serde_json::to_string(&TaskChoice(kind)).unwrap();
            assert_eq!(serde_json::from_str::<TaskChoice>(&text).unwrap(), TaskChoice(kind));
        }
        let problem = serde_json::from_str::<TaskChoice>("\"paint\"").unwrap_err().to_string();
        assert!(problem.contains("no task \"paint\"") && problem.contains("multi-label"), "{problem}");
    }
}
