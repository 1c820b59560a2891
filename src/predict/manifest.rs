//! `manifest.json` of an export: all that another program needs to give the same answers.

use crate::backbone::{Backbone, CutName, InputSpec};
use crate::control::Scores;
use crate::data::facts::Carrier;
use crate::data::modality::Modality;
pub use crate::data::scan::{HEAD_FILE, MANIFEST_FILE};
use crate::data::target::TargetKind;
use crate::data::{Digest, TextSpec};
use crate::network::samples::Sample;
use crate::nn::NUMERICS_VERSION;
use crate::problem::{Problem, Result};
use crate::project::Recipe;
use crate::project::files::read_json;
use crate::project::reading::Reading;
use crate::project::sealed::read_sealed;
use crate::task::TaskRecord;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The version that this program writes.
pub const MANIFEST_VERSION: u32 = 2;
/// From this version on a manifest pins its head and the kernels.
const PINNED_SINCE: u32 = 2;
/// What `format` says.
pub const MANIFEST_FORMAT: &str = "frostline-head";

/// Describes an exported head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: String,
    pub version: u32,
    /// Frostline's version.
    pub written_by: String,
    /// What was asked of the network; one class for each sample where it does not say.
    #[serde(default, skip_serializing_if = "TaskRecord::is_usual")]
    pub task: TaskRecord,
    /// Names of the outputs in their order: classes, labels or columns of numbers.
    pub labels: Vec<String>,
    pub backbone: BackboneRef,
    /// The cut below which the backbone is as it was.
    pub frostline: CutName,
    /// How hidden states became one feature vector.
    pub pooling: String,
    /// Length of the feature vector.
    pub features: usize,
    /// The whole preprocessing, or the tokenizer's digest and the maximal number of tokens.
    pub input: InputSpec,
    /// Names of backbone tensors that training changed, running statistics included; their values lie in
    /// `head.safetensors`.
    pub thawed: Vec<String>,
    /// Of `head.safetensors`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_digest: Option<Digest>,
    /// How samples were read; unknown in manifests of version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reading: Option<Reading>,
    pub scores: RunScores,
    pub recipe: Recipe,
    /// Inputs with the logits that they must give.
    pub golden: Vec<Golden>,
}

/// Which pretrained network the head belongs to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BackboneRef {
    pub id: String,
    pub family: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// SHA-256 of `model.safetensors`.
    pub sha256: String,
}

/// What the run gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunScores {
    pub run: String,
    pub best_epoch: u32,
    pub validation_samples: usize,
    /// Those of the task, by their names: `validation_accuracy`.
    #[serde(flatten, with = "of_validation")]
    pub validation: Scores,
    /// The best epoch was chosen by these very samples, so they flatter a little.
    pub chosen_on_validation: bool,
}

/// Scores among other keys, by a prefix.
mod of_validation {
    use crate::control::Scores;
    use serde::{Deserialize, Deserializer, Serializer};

    const PREFIX: &str = "validation_";

    /// Writes each score with `validation_` before its name.
    pub fn serialize<S: Serializer>(scores: &Scores, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(scores.iter().map(|(name, value)| (format!("{PREFIX}{name}"), value)))
    }

    /// Takes the numbers whose keys begin with `validation_`; other keys are passed over.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Scores, D::Error> {
        let all = serde_json::Map::<String, serde_json::Value>::deserialize(deserializer)?;
        let scores = all.iter().filter_map(|(key, value)| Some((key.strip_prefix(PREFIX)?, value.as_f64()?)));
        Ok(scores.collect())
    }
}

/// One input and what it must give.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Golden {
    pub input: GoldenInput,
    pub logits: Vec<f32>,
}

/// Made up, never a sample of the user's. Written as `{"image": "golden/0.png"}` or `{"text": ".."}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<Modality, String>", into = "BTreeMap<Modality, String>")]
pub struct GoldenInput {
    pub modality: Modality,
    /// The words, or the path of a file inside the export.
    pub given: String,
}

impl GoldenInput {
    /// The input as a sample of the export in `folder`.
    pub fn sample(&self, folder: &Path) -> Sample {
        match self.modality.facts().carrier {
            Carrier::File => Sample::file(folder.join(&self.given)),
            Carrier::Words => Sample::Text(self.given.clone()),
        }
    }
}

impl From<GoldenInput> for BTreeMap<Modality, String> {
    fn from(input: GoldenInput) -> Self {
        Self::from([(input.modality, input.given)])
    }
}

impl TryFrom<BTreeMap<Modality, String>> for GoldenInput {
    type Error = &'static str;

    fn try_from(written: BTreeMap<Modality, String>) -> std::result::Result<Self, Self::Error> {
        let mut inputs = written.into_iter();
        match (inputs.next(), inputs.next()) {
            (Some((modality, given)), None) => Ok(Self { modality, given }),
            _ => Err("a golden input must be one sample"),
        }
    }
}

impl Manifest {
    /// Reads the manifest in `export`.
    ///
    /// # Errors
    /// It is missing, damaged, of another format or from a newer version.
    pub fn read(export: &Path) -> Result<Self> {
        let path = export.join(MANIFEST_FILE);
        let unusable = |why: String| {
            let remedy = "give the folder that an export wrote, or update Frostline";
            Problem::input("this is not a usable export", why, remedy)
        };
        if !path.is_file() {
            return Err(unusable("it has no manifest.json".into()).at(export));
        }
        let header: Header = read_json(&path, "read the export")?;
        if header.format != MANIFEST_FORMAT {
            return Err(
                unusable(format!("its format is {:?}, not {MANIFEST_FORMAT:?}", header.format)).at(&path)
            );
        }
        if header.version > MANIFEST_VERSION {
            return Err(unusable(format!(
                "it has version {}, this Frostline knows version {MANIFEST_VERSION}",
                header.version
            ))
            .at(&path));
        }
        let manifest: Self = read_sealed(&path, "read the export")?;
        let pins = manifest.head_digest.is_some() && manifest.reading.is_some();
        if manifest.version >= PINNED_SINCE && !pins {
            return Err(
                unusable("it does not say what was trained and how samples were read".into()).at(&path)
            );
        }
        let distinct: BTreeSet<&String> = manifest.labels.iter().collect();
        let (least, words) = match manifest.task.kind.target {
            TargetKind::Class => (2, "two or more"),
            TargetKind::Labels | TargetKind::Numbers => (1, "one or more"),
        };
        if manifest.labels.len() < least || distinct.len() != manifest.labels.len() {
            let why = format!("its labels must be {words}, each another");
            return Err(unusable(why).at(&path));
        }
        Ok(manifest)
    }

    /// Compares how samples were read with how `backbone` reads them now.
    ///
    /// # Errors
    /// Something differs: it is named.
    pub fn check_reading(&self, backbone: &Backbone) -> Result<()> {
        let mut now = Reading::of(backbone);
        // Samples are prepared as the manifest says; the tokenizer alone is the backbone's own.
        now.input = match (&self.input, &backbone.input) {
            (InputSpec::Text(given), InputSpec::Text(own)) => {
                InputSpec::Text(TextSpec { max_tokens: given.max_tokens, ..*own }).key()
            }
            (given, _) => given.key(),
        };
        let early = || Reading {
            input: self.input.key(),
            pooling: self.pooling.clone(),
            numerics: NUMERICS_VERSION,
            modules: None,
        };
        self.reading.clone().unwrap_or_else(early).check(&now)
    }
}

/// What must be known before the rest can be read.
#[derive(Deserialize)]
struct Header {
    format: String,
    version: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_of_version_1_still_opens() {
        let text = include_str!("goldens/manifest-1.json");
        let manifest: Manifest = serde_json::from_str(text).unwrap();
        assert_eq!(manifest.labels, ["birds", "fish"]);
        let again: Manifest = serde_json::from_str(&serde_json::to_string(&manifest).unwrap()).unwrap();
        assert_eq!(again, manifest);
    }

    #[test]
    fn other_formats_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let check = |text: &str, part: &str| {
            std::fs::write(folder.path().join("manifest.json"), text).unwrap();
            let problem = Manifest::read(folder.path()).unwrap_err();
            assert!(problem.to_string().contains(part), "{problem}");
        };
        check("{\"format\": \"x\", \"version\": 1}", "its format is \"x\"");
        check("{\"format\": \"frostline-head\", \"version\": 9}", "version 9");
        check("{\"format\": \"frostline-head\", \"version\": 1}", "missing field");
        check("{", "could not read the export");
        let good = include_str!("goldens/manifest-1.json");
        check(&good.replacen("\"fish\"", "\"birds\"", 1), "its labels");
    }
}
