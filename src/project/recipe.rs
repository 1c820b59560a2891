//! Everything the user chose, as one TOML file that the window and the command line share.

use crate::data::index::Modality;
use crate::data::scan::ScanOptions;
use crate::problem::{Problem, Result};
use crate::task::{LossChoice, TaskChoice};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The version that this program writes.
pub const RECIPE_VERSION: u32 = 1;

/// `recipe.toml` of a project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    pub version: u32,
    /// What is asked of the network; one class for each sample in recipes that do not say.
    #[serde(default, skip_serializing_if = "TaskChoice::is_usual")]
    pub task: TaskChoice,
    pub data: DataChoice,
    pub split: SplitChoice,
    pub backbone: BackboneChoice,
    pub freeze: FreezeChoice,
    pub training: TrainingChoice,
    #[serde(default)]
    pub cache: CacheChoice,
}

/// Which samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataChoice {
    /// Relative to the project folder where that is possible.
    pub path: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_column: Option<String>,
    /// One, or a column for each label or number; a single one is written as a string, none not at all.
    #[serde(
        default,
        rename = "label_column",
        with = "crate::data::label_columns",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub label_columns: Vec<String>,
}

/// How the samples are divided.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitChoice {
    /// Share of the samples that validate, 0 to 1.
    pub validation_fraction: f64,
    /// Share of the samples that are kept for the test, 0 to 1.
    pub test_fraction: f64,
    pub seed: u64,
}

/// Which pretrained network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackboneChoice {
    pub id: String,
    /// SHA-256 of the weight file; pins the very weights.
    pub sha256: String,
    /// The commit of the Hub's repository `id`, for a backbone that came from there: enough to get it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Where it lies, for a backbone that its name alone does not find; relative to the project folder where
    /// that is possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
}

/// What is trained besides the head.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FreezeChoice {
    /// Patterns of layer paths; none means the head only.
    #[serde(default)]
    pub thaw: Vec<String>,
}

/// How it is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingChoice {
    pub epochs: u32,
    pub batch_size: usize,
    /// Peak learning rate of the head.
    pub learning_rate: f64,
    /// The backbone learns at this multiple of the head's rate.
    pub backbone_rate: f64,
    #[serde(default)]
    pub optimiser: OptimiserChoice,
    /// How much of the last step SGD goes on with, 0 to 1; AdamW does not use it.
    #[serde(default = "usual_momentum")]
    pub momentum: f64,
    /// Weight decay, decoupled with AdamW, a part of the gradient with SGD; none on norms and biases.
    pub weight_decay: f64,
    /// The largest global norm of the gradient: a longer one is scaled down to it. 0 for no limit.
    #[serde(default)]
    pub clip: f64,
    /// What thawed batch norms normalise with; frozen ones keep the statistics of the pretrained file.
    #[serde(default)]
    pub batch_norm: BatchNormChoice,
    /// Share of all steps over which the rate rises.
    pub warmup: f64,
    /// Probability of dropping an element in thawed transformer layers.
    pub dropout: f64,
    /// Seed of everything random in training.
    pub seed: u64,
}

/// How gradients move the weights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimiserChoice {
    #[default]
    AdamW,
    /// Stochastic gradient descent with momentum.
    Sgd,
}

/// The statistics of a batch norm while it is trained.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BatchNormChoice {
    /// Those of the pretrained file.
    #[default]
    Fixed,
    /// Those of each batch; running statistics follow, for validation and use.
    Training,
}

/// Whether frozen ground is computed once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheChoice {
    pub enabled: bool,
}

impl Default for CacheChoice {
    fn default() -> Self {
        Self { enabled: true }
    }
}

impl Default for SplitChoice {
    fn default() -> Self {
        Self { validation_fraction: 0.2, test_fraction: 0.0, seed: 0 }
    }
}

/// Of SGD, in recipes that do not say.
fn usual_momentum() -> f64 {
    0.9
}

impl OptimiserChoice {
    /// As a person writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AdamW => "AdamW",
            Self::Sgd => "SGD",
        }
    }
}

/// The smallest and the largest learning rate.
pub const LEARNING_RATES: (f64, f64) = (1e-8, 10.0);
/// With all of it a step would never end.
pub const MOST_MOMENTUM: f64 = 0.999;
/// No gradient that trains anything is longer.
pub const MOST_CLIP: f64 = 1e6;

/// How many times the learning rate that suits AdamW suits SGD.
const SGD_RATE: f64 = 10.0;
/// AdamW's decay acts beside the gradient, that of SGD in it, where the larger rate makes it stronger: one in this many.
const SGD_DECAY: f64 = 20.0;

impl TrainingChoice {
    /// How the loss weighs its samples.
    pub fn loss(&self) -> LossChoice {
        LossChoice::default()
    }

    /// Chooses the optimiser; learning rate and weight decay move to where the other one needs them.
    pub fn set_optimiser(&mut self, optimiser: OptimiserChoice) {
        let (rate, decay) = match (self.optimiser, optimiser) {
            (OptimiserChoice::AdamW, OptimiserChoice::Sgd) => {
                (self.learning_rate * SGD_RATE, self.weight_decay / SGD_DECAY)
            }
            (OptimiserChoice::Sgd, OptimiserChoice::AdamW) => {
                (self.learning_rate / SGD_RATE, (self.weight_decay * SGD_DECAY).min(1.0))
            }
            _ => (self.learning_rate, self.weight_decay),
        };
        self.weight_decay = decay;
        self.learning_rate = rate.clamp(LEARNING_RATES.0, LEARNING_RATES.1);
        self.optimiser = optimiser;
    }

    /// Values that work without tuning; they differ where layers of the backbone are trained too.
    pub fn suited_to(modality: Modality, head_only: bool, backbone_dropout: f32) -> Self {
        let base = Self {
            epochs: 10,
            batch_size: 16,
            learning_rate: 2e-3,
            backbone_rate: 0.1,
            optimiser: OptimiserChoice::AdamW,
            momentum: usual_momentum(),
            weight_decay: 0.01,
            clip: 0.0,
            batch_norm: BatchNormChoice::Fixed,
            warmup: 0.1,
            dropout: 0.0,
            seed: 0,
        };
        if head_only {
            return base;
        }
        let usual = &modality.facts().fine_tuning;
        Self {
            epochs: usual.epochs,
            learning_rate: usual.learning_rate,
            backbone_rate: usual.backbone_rate,
            dropout: usual.dropout_share * f64::from(backbone_dropout),
            ..base
        }
    }
}

impl Recipe {
    /// Reads a recipe and checks every value by itself.
    ///
    /// # Errors
    /// Unreadable, from a newer version, or with a value out of range: the message names the key.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs_err::read_to_string(path).map_err(|e| Problem::io("read the recipe", path, &e))?;
        Self::parse(&text).map_err(|p| p.at(path))
    }

    /// Parses the text of a recipe. Errors as for [`Recipe::read`].
    pub fn parse(text: &str) -> Result<Self> {
        let bad = |why: String| {
            Problem::input("the recipe cannot be used", why, "correct recipe.toml, or make a new project")
        };
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| bad(e.to_string()))?;
        match table.get("version").and_then(toml::Value::as_integer) {
            Some(version) if version == i64::from(RECIPE_VERSION) => {}
            Some(version) if version > i64::from(RECIPE_VERSION) => {
                return Err(bad(format!(
                    "version {version} was written by a newer Frostline; this one knows version {RECIPE_VERSION}"
                )));
            }
            _ => return Err(bad("it has no known version".to_string())),
        }
        let recipe: Self = toml::from_str(text).map_err(|e| bad(e.to_string()))?;
        recipe.check().map_err(bad)?;
        Ok(recipe)
    }

    /// How its data is to be read.
    pub fn scan_options(&self) -> ScanOptions {
        ScanOptions {
            text_column: self.data.text_column.clone(),
            label_columns: self.data.label_columns.clone(),
            target: Some(self.task.target),
        }
    }

    /// The text of `recipe.toml`.
    ///
    /// # Errors
    /// A path that is not Unicode.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string_pretty(self).map_err(|e| {
            Problem::input(
                "the recipe cannot be written",
                e.to_string(),
                "rename folders whose names are not Unicode",
            )
        })
    }

    /// The first value that is out of range, in words.
    pub fn check(&self) -> std::result::Result<(), String> {
        let (t, s) = (&self.training, &self.split);
        let within = |name: &str, value: f64, low: f64, high: f64| match (low..=high).contains(&value) {
            true => Ok(()),
            false => Err(format!("{name} is {value}; it must lie between {low} and {high}")),
        };
        for (name, seed) in [("training.seed", t.seed), ("split.seed", s.seed)] {
            // TOML has no larger integers.
            i64::try_from(seed).map_err(|_| format!("{name} is {seed}; it must be at most {}", i64::MAX))?;
        }
        within("training.epochs", f64::from(t.epochs), 1.0, 10_000.0)?;
        within("training.batch_size", t.batch_size as f64, 1.0, 4096.0)?;
        within("training.learning_rate", t.learning_rate, LEARNING_RATES.0, LEARNING_RATES.1)?;
        within("training.backbone_rate", t.backbone_rate, 0.0, 10.0)?;
        within("training.momentum", t.momentum, 0.0, MOST_MOMENTUM)?;
        within("training.weight_decay", t.weight_decay, 0.0, 1.0)?;
        within("training.clip", t.clip, 0.0, MOST_CLIP)?;
        within("training.warmup", t.warmup, 0.0, 1.0)?;
        within("training.dropout", t.dropout, 0.0, 0.9)?;
        within("split.validation_fraction", s.validation_fraction, 0.01, 0.9)?;
        within("split.test_fraction", s.test_fraction, 0.0, 0.9)?;
        within(
            "split.validation_fraction + split.test_fraction",
            s.validation_fraction + s.test_fraction,
            0.0,
            0.95,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn example() -> Recipe {
        Recipe {
            version: RECIPE_VERSION,
            task: TaskChoice::default(),
            data: DataChoice {
                path: "../photos".into(),
                text_column: None,
                label_columns: vec!["label".into()],
            },
            split: SplitChoice::default(),
            backbone: BackboneChoice {
                id: "mobilenetv2_100".into(),
                sha256: "00ff".into(),
                revision: None,
                folder: None,
            },
            freeze: FreezeChoice { thaw: vec!["blocks.6".into()] },
            training: TrainingChoice::suited_to(Modality::Image, false, 0.0),
            cache: CacheChoice::default(),
        }
    }

    #[test]
    fn a_recipe_survives_the_round_trip() {
        let recipe = example();
        assert_eq!(Recipe::parse(&recipe.to_toml().unwrap()).unwrap(), recipe);
    }

    #[test]
    fn a_recipe_of_version_1_still_opens() {
        let text = include_str!("goldens/recipe-1.toml");
        let recipe = Recipe::parse(text).unwrap();
        assert_eq!(recipe.freeze.thaw, ["encoder.layer.5"]);
        assert!(recipe.cache.enabled);
        // Keys that came later.
        let training = recipe.training;
        assert_eq!(training.optimiser, OptimiserChoice::AdamW);
        assert_eq!((training.momentum, training.clip), (0.9, 0.0));
        assert_eq!(training.batch_norm, BatchNormChoice::Fixed);
    }

    #[test]
    fn one_label_column_is_a_string_and_several_are_a_list() {
        let check = |columns: &[&str], line: Option<&str>| {
            let mut recipe = example();
            recipe.data.label_columns = columns.iter().map(|column| column.to_string()).collect();
            let text = recipe.to_toml().unwrap();
            assert_eq!(text.lines().find(|l| l.starts_with("label_column")), line);
            assert_eq!(Recipe::parse(&text).unwrap(), recipe);
        };
        check(&[], None);
        check(&["a"], Some("label_column = \"a\""));
        let listed = example().to_toml().unwrap().replace("\"label\"", "[\"a\", \"b\"]");
        assert_eq!(Recipe::parse(&listed).unwrap().data.label_columns, ["a", "b"]);
        let mut two = example();
        two.data.label_columns = vec!["a".into(), "b".into()];
        assert_eq!(Recipe::parse(&two.to_toml().unwrap()).unwrap(), two);
    }

    #[test]
    fn every_choice_survives_the_round_trip() {
        let mut recipe = example();
        recipe.training.set_optimiser(OptimiserChoice::Sgd);
        assert_eq!(recipe.training.learning_rate, 0.02);
        recipe.training.momentum = 0.5;
        recipe.training.clip = 1.5;
        recipe.training.batch_norm = BatchNormChoice::Training;
        let text = recipe.to_toml().unwrap();
        for line in ["optimiser = \"sgd\"", "clip = 1.5", "batch_norm = \"training\""] {
            assert!(text.lines().any(|l| l == line), "{text}");
        }
        let mut again = Recipe::parse(&text).unwrap();
        assert_eq!(again, recipe);
        again.training.set_optimiser(OptimiserChoice::AdamW);
        assert_eq!(again.training.learning_rate, 0.002);
        // A rate stays one that is allowed.
        again.training.learning_rate = 10.0;
        again.training.set_optimiser(OptimiserChoice::Sgd);
        assert!(again.check().is_ok());
    }

    #[test]
    fn bad_values_are_named() {
        let check = |key: &str, from: &str, to: &str| {
            let text = example().to_toml().unwrap();
            assert!(text.contains(from), "{text}");
            let problem = Recipe::parse(&text.replace(from, to)).unwrap_err();
            assert!(problem.why.contains(key), "{problem}");
        };
        check("training.epochs", "epochs = 10", "epochs = 0");
        check("training.learning_rate", "learning_rate = 0.002", "learning_rate = nan");
        check("split.validation_fraction", "validation_fraction = 0.2", "validation_fraction = 1.5");
        check("training.momentum", "momentum = 0.9", "momentum = 1.0");
        check("training.clip", "clip = 0.0", "clip = -1.0");
        check("training.clip", "clip = 0.0", "clip = nan");
        check("unknown variant `lion`", "optimiser = \"adamw\"", "optimiser = \"lion\"");
        check("newer Frostline", "version = 1", "version = 2");
        check("epocs", "epochs = 10", "epocs = 10");
    }
}
