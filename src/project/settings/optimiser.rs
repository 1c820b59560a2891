//! Choosing an optimiser moves what depends on it.

use crate::optim::OptimiserChoice;
use crate::project::recipe::TrainingChoice;

/// The smallest and the largest learning rate.
pub(super) const LEARNING_RATES: (f64, f64) = (1e-8, 10.0);
/// More would turn weights around.
pub(super) const MOST_DECAY: f64 = 1.0;

impl TrainingChoice {
    /// Chooses the optimiser; learning rate and weight decay move to where the other one needs them.
    pub fn set_optimiser(&mut self, optimiser: OptimiserChoice) {
        if optimiser == self.optimiser {
            return;
        }
        let (from, to) = (self.optimiser.scale(), optimiser.scale());
        let rate = self.learning_rate / from.rate * to.rate;
        self.learning_rate = rate.clamp(LEARNING_RATES.0, LEARNING_RATES.1);
        self.weight_decay = (self.weight_decay * from.decay / to.decay).min(MOST_DECAY);
        self.optimiser = optimiser;
    }
}
