//! What a setting is: a row of the table in [`super::rows`].

use super::value::{Offer, Value};
use crate::data::facts::FineTuning;
use crate::data::index::Modality;
use crate::project::recipe::Recipe;
use crate::task::TaskChoice;
use std::ops::RangeInclusive;

/// All that anybody needs to know of one setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its place in `recipe.toml`: `training.batch_size`.
    pub key: &'static str,
    /// Its name in the window.
    pub words: &'static str,
    /// Plain words with the field's own term; they may depend on what else is set.
    pub tooltip: fn(&Recipe) -> String,
    pub kind: Kind,
    pub unit: Unit,
    pub default: Standard,
    /// The option of `frostline new`, without its dashes. Rows with the same option are set together; the first one
    /// speaks for them.
    pub option: &'static str,
    /// What `--help` says, without the default.
    pub help: &'static str,
    pub place: Place,
    /// Whether it changes anything now.
    pub shown: fn(&Shown) -> bool,
    /// Its value in a word or two, for what differs between runs; `None` where it is not told, or told with another.
    pub told: fn(&Recipe) -> Option<String>,
}

/// What values there are, and where a recipe keeps the one that it has.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Integer {
        low: u64,
        high: u64,
        get: fn(&Recipe) -> u64,
        set: fn(&mut Recipe, u64),
    },
    Real {
        low: f64,
        high: f64,
        drag: Drag,
        get: fn(&Recipe) -> f64,
        set: fn(&mut Recipe, f64),
    },
    /// One of a few, known by their keys.
    Choice {
        offers: fn() -> Vec<Offer>,
        get: fn(&Recipe) -> &'static str,
        set: fn(&mut Recipe, &str),
    },
    /// On or off.
    Switch {
        get: fn(&Recipe) -> bool,
        set: fn(&mut Recipe, bool),
    },
}

/// How a number behaves under the mouse.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drag {
    /// What one point of dragging adds.
    pub speed: f64,
    /// Most digits behind the point; as many as it takes where not given.
    pub decimals: Option<usize>,
    pub look: Look,
}

/// How a number is written in its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    Plain,
    /// `2e-3`
    Scientific,
    /// Zero is `off`.
    OffAtZero,
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Plain,
    Passes,
    Samples,
    /// A part of a whole, from 0 to 1.
    Share,
    LearningRates,
}

/// The value that a new recipe gets.
#[derive(Debug, Clone, Copy)]
pub enum Standard {
    /// The same for all, said in `--help`; also that of recipes older than the setting.
    Always(fn() -> Value),
    /// What suits the task, the data and the backbone.
    Suited(fn(&Defaults) -> Value),
}

/// Where the window shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the form of Train.
    Form,
    /// There under More settings.
    More,
    /// In the menu of the split on Data, which is made by hand.
    SplitMenu,
}

/// What default values depend on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Defaults {
    pub task: TaskChoice,
    pub modality: Modality,
    /// Whether nothing of the backbone is trained.
    pub head_only: bool,
    /// The dropout that the backbone was pretrained with.
    pub dropout: f32,
}

/// What decides whether a setting is shown.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'r> {
    pub recipe: &'r Recipe,
    /// Whether the recipe trains a batch norm.
    pub thaws_batch_norm: bool,
}

impl Setting {
    /// The value that `recipe` has.
    pub fn value(&self, recipe: &Recipe) -> Value {
        match self.kind {
            Kind::Integer { get, .. } => Value::Integer(get(recipe)),
            Kind::Real { get, .. } => Value::Real(get(recipe)),
            Kind::Choice { get, .. } => Value::Choice(get(recipe)),
            Kind::Switch { get, .. } => Value::Switch(get(recipe)),
        }
    }

    /// Gives `recipe` this value, whatever its range; what belongs together moves with it.
    ///
    /// # Errors
    /// In words: a value of another kind.
    pub fn set(&self, recipe: &mut Recipe, value: Value) -> Result<(), String> {
        match (self.kind, value) {
            (Kind::Integer { set, .. }, Value::Integer(value)) => set(recipe, value),
            (Kind::Real { set, .. }, Value::Real(value)) => set(recipe, value),
            (Kind::Choice { set, .. }, Value::Choice(value)) => set(recipe, value),
            (Kind::Switch { set, .. }, Value::Switch(value)) => set(recipe, value),
            (_, value) => return Err(format!("{} cannot be {value}", self.key)),
        }
        Ok(())
    }

    /// Whether the value of `recipe` is one of those that there are.
    ///
    /// # Errors
    /// In words, with the key.
    pub fn check(&self, recipe: &Recipe) -> Result<(), String> {
        match self.kind {
            Kind::Integer { low, high, get, .. } => match get(recipe) {
                value if (low..=high).contains(&value) => Ok(()),
                value if low == 0 => Err(format!("{} is {value}; it must be at most {high}", self.key)),
                value => Err(out_of_range(self.key, value, low, high)),
            },
            Kind::Real { low, high, get, .. } => within(self.key, get(recipe), low..=high),
            Kind::Choice { .. } | Kind::Switch { .. } => Ok(()),
        }
    }

    /// The value that suits.
    pub fn default(&self, defaults: &Defaults) -> Value {
        match self.default {
            Standard::Always(value) => value(),
            Standard::Suited(value) => value(defaults),
        }
    }

    /// Whether there is anything to choose: not where a list has one entry.
    pub fn is_offered(&self) -> bool {
        match self.kind {
            Kind::Choice { offers, .. } => offers().len() > 1,
            Kind::Integer { .. } | Kind::Real { .. } | Kind::Switch { .. } => true,
        }
    }

    /// Whether other values depend on what is chosen here.
    pub(super) fn leads(&self) -> bool {
        matches!(self.kind, Kind::Choice { .. })
    }
}

impl Defaults {
    /// What suits where layers of the backbone are trained too; `None` for the head alone.
    pub(super) fn fine_tuning(&self) -> Option<&'static FineTuning> {
        (!self.head_only).then_some(&self.modality.facts().fine_tuning)
    }
}

impl Unit {
    /// In words, to stand behind a number that does not speak for itself.
    pub fn words(self) -> &'static str {
        match self {
            Self::Plain | Self::Share => "",
            Self::Passes => "passes",
            Self::Samples => "samples",
            Self::LearningRates => "times the learning rate",
        }
    }
}

/// Whether a number called `name` lies in `range`.
///
/// # Errors
/// In words.
pub fn within(name: &str, value: f64, range: RangeInclusive<f64>) -> Result<(), String> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(out_of_range(name, value, *range.start(), *range.end()))
}

fn out_of_range<T: std::fmt::Display>(name: &str, value: T, low: T, high: T) -> String {
    format!("{name} is {value}; it must lie between {low} and {high}")
}
