//! How often and after how long something is tried again.

use super::failure::Failure;
use super::settings::Settings;
use crate::control::{Control, Fact};
use crate::problem::Problem;
use std::time::{Duration, Instant};

/// Attempts without any progress before it is given up.
const ATTEMPTS: u32 = 6;
/// The longest wait that is chosen here.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// The longest wait that a server may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(300);
/// An attempt that brought fewer bytes brought nothing.
const SOMETHING: u64 = 1 << 10;
/// After an attempt that brought so many bytes the next one comes at once.
const MUCH: u64 = 1 << 20;
/// While waiting the user is asked this often whether to go on.
const SLICE: Duration = Duration::from_millis(50);

/// Counts attempts that brought nothing.
pub struct Patience<'c> {
    control: &'c dyn Control,
    first_wait: Duration,
    fruitless: u32,
}

impl<'c> Patience<'c> {
    pub fn new(settings: &Settings, control: &'c dyn Control) -> Self {
        Self { control, first_wait: settings.first_wait, fruitless: 0 }
    }

    /// Calls `work` until it succeeds, fails for good, or patience ends.
    pub fn insist<T>(&mut self, mut work: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
        loop {
            match work() {
                Ok(done) => return Ok(done),
                Err(failure) => self.wait_after(failure, 0)?,
            }
        }
    }

    /// Waits before the next attempt. An attempt that brought something, in bytes, costs no patience.
    ///
    /// # Errors
    /// The failure is final, patience has ended, or the user asked to stop.
    pub fn wait_after(&mut self, failure: Failure, brought: u64) -> Result<(), Failure> {
        self.fruitless = if brought >= SOMETHING { 0 } else { self.fruitless + 1 };
        if !failure.is_passing() || self.fruitless >= ATTEMPTS {
            return Err(failure);
        }
        let chosen = match self.fruitless {
            0 if brought >= MUCH => Duration::ZERO,
            0 => self.first_wait,
            n => self.first_wait.saturating_mul(1 << (n - 1)).min(LONGEST_WAIT),
        };
        let asked = match &failure {
            Failure::Status { retry_after, .. } => retry_after.unwrap_or_default(),
            _ => Duration::ZERO,
        };
        if asked > LONGEST_ASKED {
            return Err(failure);
        }
        let wait = chosen.max(asked);
        let when = match wait.is_zero() {
            true => "at once".to_string(),
            false => format!("in {}", crate::units::duration(wait.as_secs_f64())),
        };
        self.control.report(Fact::Warning { what: format!("{}; trying again {when}", failure.why()) });
        self.sleep(wait)
    }

    fn sleep(&self, wait: Duration) -> Result<(), Failure> {
        let began = Instant::now();
        loop {
            if self.control.stop_requested() {
                return Err(Failure::Here(stopped()));
            }
            let left = wait.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(SLICE));
        }
    }
}

/// The user stopped a download.
pub fn stopped() -> Problem {
    Problem::stopped("what has arrived is kept; the same download goes on from there")
}
