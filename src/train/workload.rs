//! What an estimate is about: how much will be trained, and how large what flows through the network is.

use crate::backbone::Dim;
use crate::data::index::DatasetIndex;
use crate::data::modality::Modality;
use crate::project::Plan;
use crate::project::recipe::BatchNormChoice;

/// Texts that are measured; more would hardly change their mean.
const MEASURED: usize = 2000;

/// What will be trained on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Workload {
    pub train_samples: usize,
    pub validation_samples: usize,
    pub batch_size: usize,
    pub epochs: u32,
    pub classes: usize,
    /// Numbers that the optimiser remembers of each trained parameter.
    pub moments: usize,
    pub modality: Modality,
    /// Tokens of a typical sample; 1 where a sample is one row.
    pub tokens: usize,
    pub cache_enabled: bool,
    /// Whether thawed batch norms take the statistics of each batch.
    pub norms_follow: bool,
}

impl Workload {
    /// What `plan` will train on.
    pub fn of(plan: &Plan) -> Self {
        let (training, input) = (&plan.recipe.training, &plan.backbone.input);
        let typical = input.modality().facts().cost.typical_tokens;
        Self {
            train_samples: plan.split.train.len(),
            validation_samples: plan.split.validation.len(),
            batch_size: training.batch_size.min(plan.split.train.len()),
            epochs: training.epochs,
            classes: plan.task.outputs(),
            moments: training.optimiser.moments().len(),
            modality: input.modality(),
            tokens: mean_tokens(&lengths(&plan.index), input.size()).unwrap_or(typical),
            cache_enabled: plan.recipe.cache.enabled,
            norms_follow: training.batch_norm == BatchNormChoice::Training,
        }
    }
}

/// About how many tokens texts have, of some spread over all; nothing of other samples.
pub fn lengths(index: &DatasetIndex) -> Vec<usize> {
    let tokens = index.modality.facts().cost.tokens;
    let texts = index.items.iter().filter_map(|item| item.text.as_deref());
    texts.step_by(index.items.len().div_ceil(MEASURED).max(1)).map(tokens).collect()
}

/// How many tokens a text has on average where at most `longest` are read; `None` where there are no texts.
pub fn mean_tokens(lengths: &[usize], longest: usize) -> Option<usize> {
    let sum: usize = lengths.iter().map(|length| *length.min(&longest)).sum();
    Some(sum.div_ceil(lengths.len().max(1))).filter(|mean| *mean > 0)
}

/// Numbers that one sample has in this shape.
pub(super) fn values(shape: &[Dim], tokens: usize) -> usize {
    shape.iter().map(|dim| if let Dim::Fixed(n) = dim { *n } else { tokens }).product()
}
