//! What a schedule is.

use super::rule::Named;

/// The learning rate over a run, as a factor on its peak.
pub trait Schedule: Named + Sync {
    /// Its shape in plain words, the rise of the warm-up included.
    fn shape(&self) -> &'static str;

    /// The factor at `step` of `course`, counted from 1.
    fn factor(&self, step: u64, course: &Course) -> f64;
}

/// The steps of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Course {
    warmup_steps: u64,
    total_steps: u64,
}

impl Course {
    /// `warmup` is the share of `total_steps` over which the rate rises.
    pub fn new(total_steps: u64, warmup: f64) -> Self {
        let total_steps = total_steps.max(1);
        Self { warmup_steps: (total_steps as f64 * warmup).round() as u64, total_steps }
    }

    /// The factor of a linear rise while the warm-up lasts.
    pub fn rise(&self, step: u64) -> Option<f64> {
        let step = step.clamp(1, self.total_steps);
        (step <= self.warmup_steps).then(|| step as f64 / self.warmup_steps as f64)
    }

    /// Which share of the steps after the warm-up was made before `step`, from 0 to below 1.
    pub fn done(&self, step: u64) -> f64 {
        let step = step.clamp(1, self.total_steps);
        let falling = (self.total_steps - self.warmup_steps) as f64;
        (step - 1 - self.warmup_steps) as f64 / falling
    }
}
