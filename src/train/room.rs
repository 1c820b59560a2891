//! Whether there is memory for what will be trained: an allocation that fails ends the program, so it is not left to
//! that.

use super::estimate::{Estimate, Workload, estimate};
use crate::hub::free_memory;
use crate::problem::{Problem, Result};
use crate::project::Plan;
use crate::project::device::DeviceName;
use crate::remedy::Remedy;
use crate::units;

/// Looks whether what `plan` trains fits into the memory of this machine. Other devices have their own, and say so
/// themselves.
///
/// # Errors
/// It surely does not.
pub fn require_room(plan: &Plan) -> Result<()> {
    let architecture = plan.backbone.architecture();
    let (tree, cuts) = (architecture.tree(), architecture.cuts());
    match (plan.machine.device_name, free_memory()) {
        (DeviceName::Cpu, Some(free)) => {
            let work = Workload::of(plan);
            let told = estimate(tree, cuts, plan.backbone.feature_size(), &plan.mask, None, &work);
            require(&told, free, work.batch_size)
        }
        (DeviceName::Cpu, None) | (DeviceName::Cuda | DeviceName::Metal, _) => Ok(()),
    }
}

fn require(told: &Estimate, free: u64, batch_size: usize) -> Result<()> {
    /// An estimate tells up to a quarter more than is taken.
    const SURE: f64 = 0.8;
    if told.memory_bytes as f64 * SURE <= free as f64 {
        return Ok(());
    }
    let (needed, free) = (units::bytes(told.memory_bytes), units::bytes(free));
    Err(Problem::other(
        "there is too little memory for this training",
        format!("it takes about {needed}, and {free} are free"),
        Remedy::again(match batch_size {
            0 | 1 => "freeze more layers, or close other programs".to_owned(),
            size => {
                format!("choose a smaller batch than {size}, freeze more layers, or close other programs")
            }
        }),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_surely_does_not_fit_is_refused_with_the_numbers() {
        let told = Estimate {
            trainable: 1,
            total: 1,
            frostline: 0,
            cache_bytes: 0,
            memory_bytes: 12_000_000_000,
            warm_seconds: 0.0,
            epoch_seconds: 0.0,
            all_seconds: 0.0,
        };
        assert!(require(&told, 9_600_000_000, 64).is_ok());
        let problem = require(&told, 9_500_000_000, 64).unwrap_err();
        assert_eq!(problem.why, "it takes about 12.0 GB, and 9.50 GB are free");
        assert!(problem.remedy.to_string().contains("a smaller batch than 64"));
    }
}
