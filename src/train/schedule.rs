//! The learning rate over a run: a linear rise, then half a cosine down to zero (Loshchilov and Hutter 2017).

use std::f64::consts::PI;

/// Factor on the peak learning rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    warmup_steps: u64,
    total_steps: u64,
}

impl Schedule {
    /// `warmup` is the share of `total_steps` over which the rate rises.
    pub fn new(total_steps: u64, warmup: f64) -> Self {
        let total_steps = total_steps.max(1);
        Self { warmup_steps: (total_steps as f64 * warmup).round() as u64, total_steps }
    }

    /// The factor at `step`, counted from 1.
    pub fn factor(&self, step: u64) -> f64 {
        let step = step.clamp(1, self.total_steps);
        if step <= self.warmup_steps {
            return step as f64 / self.warmup_steps as f64;
        }
        let falling = (self.total_steps - self.warmup_steps) as f64;
        let done = (step - 1 - self.warmup_steps) as f64 / falling;
        0.5 * (1.0 + (PI * done).cos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_then_falls() {
        let schedule = Schedule::new(100, 0.1);
        assert!((schedule.factor(1) - 0.1).abs() < 1e-12);
        assert_eq!(schedule.factor(10), 1.0);
        assert_eq!(schedule.factor(11), 1.0);
        assert!(schedule.factor(100) < 0.01);
        assert!((11..100).all(|s| schedule.factor(s) > schedule.factor(s + 1)));
        assert_eq!(Schedule::new(1, 0.0).factor(1), 1.0);
        assert_eq!(Schedule::new(5, 1.0).factor(5), 1.0);
    }
}
