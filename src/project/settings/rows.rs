//! The table. The window shows the rows in this order, `--help` and the README too.

use super::optimiser::{LEARNING_RATES, MOST_DECAY};
use super::setting::{Drag, Kind, Look, Place, Setting, Standard, Unit};
use super::value::{Offer, Value, choose, offers};
use crate::data::target::TargetKind;
use crate::optim::{Extra, Rule, Schedule};
use crate::project::recipe::{BatchNormChoice, CacheChoice, Recipe, SplitChoice, usual_momentum};
use crate::task::ClassWeights;

/// TOML has no larger integers.
const LARGEST_SEED: u64 = i64::MAX as u64;

/// How most numbers are dragged.
const DRAG: Drag = Drag { speed: 0.005, decimals: None, look: Look::Plain };

/// What most rows have in common; a row names what is its own.
const ROW: Setting = Setting {
    key: "",
    words: "",
    tooltip: |_| String::new(),
    kind: Kind::Switch { get: |_| false, set: |_, _| () },
    unit: Unit::Plain,
    default: Standard::Always(|| Value::Switch(false)),
    option: "",
    help: "",
    place: Place::More,
    shown: |_| true,
    told: |_| None,
};

/// Statistics of batch norms to choose from.
const BATCH_NORMS: [(BatchNormChoice, Offer); 2] = [
    (
        BatchNormChoice::Fixed,
        Offer { key: "fixed", words: "Fixed", remark: Some("Those of the pretrained file") },
    ),
    (
        BatchNormChoice::Training,
        Offer {
            key: "training",
            words: "Training",
            remark: Some("Those of each batch; running statistics follow"),
        },
    ),
];

/// Weights of classes to choose from.
const CLASS_WEIGHTS: [(ClassWeights, Offer); 2] = [
    (ClassWeights::Even, Offer { key: "even", words: "Even", remark: Some("Every sample counts the same") }),
    (
        ClassWeights::Inverse,
        Offer {
            key: "inverse",
            words: "Inverse",
            remark: Some("A sample counts by how rare its class is among the training samples"),
        },
    ),
];

/// Whether there are classes or labels to weigh.
fn weighs_classes(recipe: &Recipe) -> bool {
    match recipe.task.target {
        TargetKind::Class | TargetKind::Labels => true,
        TargetKind::Numbers => false,
    }
}

/// Every setting.
pub static SETTINGS: &[Setting] = &[
    Setting {
        key: "training.epochs",
        words: "Epochs",
        tooltip: |_| "Passes over the training samples".to_string(),
        kind: Kind::Integer {
            low: 1,
            high: 10_000,
            get: |r| u64::from(r.training.epochs),
            set: |r, value| r.training.epochs = u32::try_from(value).unwrap_or(u32::MAX),
        },
        unit: Unit::Passes,
        default: Standard::Suited(|d| Value::Integer(d.fine_tuning().map_or(10, |f| u64::from(f.epochs)))),
        option: "epochs",
        help: "Passes over the training samples",
        place: Place::Form,
        told: |r| Some(format!("{} epochs", r.training.epochs)),
        ..ROW
    },
    Setting {
        key: "training.learning_rate",
        words: "Learning rate",
        tooltip: |_| "Size of a step at its highest (peak learning rate of the head)".to_string(),
        kind: Kind::Real {
            low: LEARNING_RATES.0,
            high: LEARNING_RATES.1,
            drag: Drag { speed: 1e-5, look: Look::Scientific, ..DRAG },
            get: |r| r.training.learning_rate,
            set: |r, value| r.training.learning_rate = value,
        },
        default: Standard::Suited(|d| Value::Real(d.fine_tuning().map_or(2e-3, |f| f.learning_rate))),
        option: "lr",
        help: "Peak learning rate; ten times larger with sgd where not given",
        place: Place::Form,
        told: |r| Some(format!("rate {:e}", r.training.learning_rate)),
        ..ROW
    },
    Setting {
        key: "training.batch_size",
        words: "Batch size",
        tooltip: |_| "Samples in one step".to_string(),
        kind: Kind::Integer {
            low: 1,
            high: 4096,
            get: |r| r.training.batch_size as u64,
            set: |r, value| r.training.batch_size = usize::try_from(value).unwrap_or(usize::MAX),
        },
        unit: Unit::Samples,
        default: Standard::Suited(|_| Value::Integer(16)),
        option: "batch-size",
        help: "Samples in one step",
        place: Place::Form,
        told: |r| Some(format!("batch {}", r.training.batch_size)),
        ..ROW
    },
    Setting {
        key: "training.backbone_rate",
        words: "Backbone rate",
        tooltip: |_| "The thawed layers learn at this multiple of the learning rate".to_string(),
        kind: Kind::Real {
            low: 0.0,
            high: 10.0,
            drag: DRAG,
            get: |r| r.training.backbone_rate,
            set: |r, value| r.training.backbone_rate = value,
        },
        unit: Unit::LearningRates,
        default: Standard::Suited(|d| Value::Real(d.fine_tuning().map_or(0.1, |f| f.backbone_rate))),
        option: "backbone-rate",
        help: "Thawed layers learn at this multiple of the learning rate",
        told: |r| Some(format!("backbone rate {}", r.training.backbone_rate)),
        ..ROW
    },
    Setting {
        key: "training.optimiser",
        words: "Optimiser",
        tooltip: |_| {
            "How a step follows the gradient (optimiser). AdamW suits almost everything; SGD needs a larger \
             learning rate, which is set with it."
                .to_string()
        },
        kind: Kind::Choice {
            offers: offers::<dyn Rule>,
            get: |r| r.training.optimiser.key(),
            set: |r, key| {
                let mut chosen = r.training.optimiser;
                choose(key, &mut chosen);
                r.training.set_optimiser(chosen);
            },
        },
        default: Standard::Always(|| Value::Choice("adamw")),
        option: "optimiser",
        help: "How gradients move the weights",
        told: |r| {
            let rule = r.training.optimiser;
            let extras = rule.extras().iter().map(|extra| match extra {
                Extra::Momentum => format!(", momentum {}", r.training.momentum),
            });
            Some(rule.name().to_string() + &extras.collect::<String>())
        },
        ..ROW
    },
    Setting {
        key: "training.momentum",
        words: "Momentum",
        tooltip: |_| "How much of the last step goes on into the next (momentum)".to_string(),
        kind: Kind::Real {
            low: 0.0,
            // With all of it a step would never end.
            high: 0.999,
            drag: DRAG,
            get: |r| r.training.momentum,
            set: |r, value| r.training.momentum = value,
        },
        default: Standard::Always(|| Value::Real(usual_momentum())),
        option: "momentum",
        help: "How much of the last step SGD goes on with",
        shown: |s| s.recipe.training.optimiser.extras().contains(&Extra::Momentum),
        ..ROW
    },
    Setting {
        key: "training.weight_decay",
        words: "Weight decay",
        tooltip: |r| {
            let decay = r.training.optimiser.decay();
            format!("Pulls weights towards zero (weight decay, {decay}); none on norms and biases")
        },
        kind: Kind::Real {
            low: 0.0,
            high: MOST_DECAY,
            drag: Drag { speed: 0.001, decimals: Some(6), ..DRAG },
            get: |r| r.training.weight_decay,
            set: |r, value| r.training.weight_decay = value,
        },
        default: Standard::Always(|| Value::Real(0.01)),
        option: "weight-decay",
        help: "Pulls weights towards zero",
        told: |r| Some(format!("decay {}", r.training.weight_decay)),
        ..ROW
    },
    Setting {
        key: "training.clip",
        words: "Gradient limit",
        tooltip: |_| {
            "A gradient that is longer is scaled down to this (gradient clipping by global norm); 0 is off"
                .to_string()
        },
        kind: Kind::Real {
            low: 0.0,
            // No gradient that trains anything is longer.
            high: 1e6,
            drag: Drag { speed: 0.01, look: Look::OffAtZero, ..DRAG },
            get: |r| r.training.clip,
            set: |r, value| r.training.clip = value,
        },
        default: Standard::Always(|| Value::Real(0.0)),
        option: "clip",
        help: "Largest norm of the gradient, 0 for no limit",
        told: |r| match r.training.clip {
            limit if limit > 0.0 => Some(format!("limit {limit}")),
            _ => Some("no limit".to_string()),
        },
        ..ROW
    },
    Setting {
        key: "training.schedule",
        words: "Schedule",
        tooltip: |_| "How the learning rate goes over the run (schedule)".to_string(),
        kind: Kind::Choice {
            offers: offers::<dyn Schedule>,
            get: |r| r.training.schedule.key(),
            set: |r, key| choose(key, &mut r.training.schedule),
        },
        default: Standard::Always(|| Value::Choice("cosine")),
        option: "schedule",
        help: "How the learning rate goes over the run",
        told: |r| Some(format!("{} schedule", r.training.schedule.name().to_lowercase())),
        ..ROW
    },
    Setting {
        key: "training.warmup",
        words: "Warm-up",
        tooltip: |_| "Share of all steps over which the rate rises".to_string(),
        kind: Kind::Real {
            low: 0.0,
            high: 1.0,
            drag: DRAG,
            get: |r| r.training.warmup,
            set: |r, value| r.training.warmup = value,
        },
        unit: Unit::Share,
        default: Standard::Always(|| Value::Real(0.1)),
        option: "warmup",
        help: "Share of all steps over which the learning rate rises",
        told: |r| Some(format!("warm-up {}", r.training.warmup)),
        ..ROW
    },
    Setting {
        key: "training.dropout",
        words: "Dropout",
        tooltip: |_| "Share of values dropped in thawed transformer layers".to_string(),
        kind: Kind::Real {
            low: 0.0,
            high: 0.9,
            drag: DRAG,
            get: |r| r.training.dropout,
            set: |r, value| r.training.dropout = value,
        },
        unit: Unit::Share,
        default: Standard::Suited(|d| {
            Value::Real(d.fine_tuning().map_or(0.0, |f| f.dropout_share * f64::from(d.dropout)))
        }),
        option: "dropout",
        help: "Share of values dropped in thawed transformer layers",
        told: |r| Some(format!("dropout {}", r.training.dropout)),
        ..ROW
    },
    Setting {
        key: "training.label_smoothing",
        words: "Label smoothing",
        tooltip: |_| {
            "Share of the truth that the loss spreads over all classes, so that answers stay less sure (label \
             smoothing); 0 is off"
                .to_string()
        },
        kind: Kind::Real {
            low: 0.0,
            high: 0.9,
            drag: DRAG,
            get: |r| r.training.label_smoothing,
            set: |r, value| r.training.label_smoothing = value,
        },
        unit: Unit::Share,
        default: Standard::Always(|| Value::Real(0.0)),
        option: "label-smoothing",
        help: "Share of the truth that the loss spreads over all classes, 0 for none",
        shown: |s| weighs_classes(s.recipe),
        told: |r| Some(format!("label smoothing {}", r.training.label_smoothing)),
        ..ROW
    },
    Setting {
        key: "training.class_weights",
        words: "Class weights",
        tooltip: |_| {
            "Whether samples of rare classes count more in the loss (class weights): by the inverse of how frequent \
             a class is, as in scikit-learn's \"balanced\""
                .to_string()
        },
        kind: Kind::Choice {
            offers: || CLASS_WEIGHTS.iter().map(|(_, offer)| *offer).collect(),
            get: |r| match r.training.class_weights {
                ClassWeights::Even => CLASS_WEIGHTS[0].1.key,
                ClassWeights::Inverse => CLASS_WEIGHTS[1].1.key,
            },
            set: |r, key| {
                let found = CLASS_WEIGHTS.iter().find(|(_, offer)| offer.key == key);
                r.training.class_weights = found.map_or(r.training.class_weights, |(choice, _)| *choice);
            },
        },
        default: Standard::Always(|| Value::Choice("even")),
        option: "class-weights",
        help: "Whether rare classes count more in the loss",
        shown: |s| weighs_classes(s.recipe),
        told: |r| {
            Some(match r.training.class_weights {
                ClassWeights::Even => "even classes".to_string(),
                ClassWeights::Inverse => "rare classes count more".to_string(),
            })
        },
        ..ROW
    },
    Setting {
        key: "training.batch_norm",
        words: "Batch norm",
        tooltip: |_| {
            "What thawed batch norms divide by: the statistics of the pretrained file (fixed), or those of each \
             batch while running statistics follow (training mode). Small batches want them fixed."
                .to_string()
        },
        kind: Kind::Choice {
            offers: || BATCH_NORMS.iter().map(|(_, offer)| *offer).collect(),
            get: |r| match r.training.batch_norm {
                BatchNormChoice::Fixed => BATCH_NORMS[0].1.key,
                BatchNormChoice::Training => BATCH_NORMS[1].1.key,
            },
            set: |r, key| {
                let found = BATCH_NORMS.iter().find(|(_, offer)| offer.key == key);
                r.training.batch_norm = found.map_or(r.training.batch_norm, |(choice, _)| *choice);
            },
        },
        default: Standard::Always(|| Value::Choice("fixed")),
        option: "batch-norm",
        help: "Statistics of thawed batch norms",
        shown: |s| s.thaws_batch_norm,
        told: |r| {
            Some(match r.training.batch_norm {
                BatchNormChoice::Fixed => "fixed batch norm".to_string(),
                BatchNormChoice::Training => "training batch norm".to_string(),
            })
        },
        ..ROW
    },
    Setting {
        key: "cache.enabled",
        words: "Cache",
        tooltip: |_| {
            "Compute the frozen layers once and keep what they give on disk (feature cache)".to_string()
        },
        kind: Kind::Switch { get: |r| r.cache.enabled, set: |r, on| r.cache.enabled = on },
        default: Standard::Always(|| Value::Switch(CacheChoice::default().enabled)),
        option: "cache",
        help: "Compute the frozen layers once and keep what they give",
        ..ROW
    },
    Setting {
        key: "training.seed",
        words: "Seed",
        tooltip: |_| "Decides the order of samples and the first weights of the head".to_string(),
        kind: Kind::Integer {
            low: 0,
            high: LARGEST_SEED,
            get: |r| r.training.seed,
            set: |r, value| r.training.seed = value,
        },
        default: Standard::Suited(|_| Value::Integer(0)),
        option: "seed",
        help: "Decides the split, the order of samples and the first weights of the head",
        told: |r| Some(format!("seed {}", r.training.seed)),
        ..ROW
    },
    Setting {
        key: "split.seed",
        words: "Seed of the split",
        tooltip: |_| "Decides which samples validate and test".to_string(),
        kind: Kind::Integer {
            low: 0,
            high: LARGEST_SEED,
            get: |r| r.split.seed,
            set: |r, value| r.split.seed = value,
        },
        default: Standard::Suited(|_| Value::Integer(SplitChoice::default().seed)),
        option: "seed",
        help: "Decides which samples validate and test",
        place: Place::SplitMenu,
        ..ROW
    },
    Setting {
        key: "split.validation_fraction",
        words: "Validation",
        tooltip: |_| "Share of samples that choose the best epoch (validation set)".to_string(),
        kind: Kind::Real {
            low: 0.01,
            high: 0.9,
            drag: DRAG,
            get: |r| r.split.validation_fraction,
            set: |r, value| r.split.validation_fraction = value,
        },
        unit: Unit::Share,
        default: Standard::Always(|| Value::Real(SplitChoice::default().validation_fraction)),
        option: "val-fraction",
        help: "Share of samples for validation",
        place: Place::SplitMenu,
        ..ROW
    },
    Setting {
        key: "split.test_fraction",
        words: "Test",
        tooltip: |_| "Share of samples that are kept for the end (test set)".to_string(),
        kind: Kind::Real {
            low: 0.0,
            high: 0.9,
            drag: DRAG,
            get: |r| r.split.test_fraction,
            set: |r, value| r.split.test_fraction = value,
        },
        unit: Unit::Share,
        default: Standard::Always(|| Value::Real(SplitChoice::default().test_fraction)),
        option: "test-fraction",
        help: "Share of samples kept for the test",
        place: Place::SplitMenu,
        ..ROW
    },
];
