//! How often and after how long something is tried again.

use super::failure::Failure;
use super::settings::Settings;
use crate::control::{Control, Fact};
use crate::problem::Problem;
use std::time::{Duration, Instant};

/// Attempts without any progress before a file is given up, and before an answer is: somebody waits for that one.
const ATTEMPTS: u32 = 6;
const ATTEMPTS_TO_ASK: u32 = 4;
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
    attempts: u32,
    fruitless: u32,
}

impl<'c> Patience<'c> {
    /// For a file.
    pub fn for_file(settings: &Settings, control: &'c dyn Control) -> Self {
        Self { control, first_wait: settings.first_wait, attempts: ATTEMPTS, fruitless: 0 }
    }

    /// For a list or a page.
    pub fn for_answer(settings: &Settings, control: &'c dyn Control) -> Self {
        Self { attempts: ATTEMPTS_TO_ASK, ..Self::for_file(settings, control) }
    }

    /// Calls `work` until it succeeds, fails for good, or patience ends.
    pub fn insist<T>(&mut self, mut work: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
        loop {
            match work() {
                Ok(done) => {
                    self.fruitless = 0;
                    return Ok(done);
                }
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
        if !failure.is_passing() || self.fruitless >= self.attempts {
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
        self.control.report(Fact::warning(format!("{}; trying again {when}", failure.why())));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Silent;
    use crate::hub::settings::Origin;

    fn settings() -> Settings {
        Settings {
            endpoint: Origin::parse("http://127.0.0.1").unwrap(),
            token: None,
            cache: "cache".into(),
            home: None,
            offline: false,
            idle: Duration::from_secs(1),
            first_wait: Duration::ZERO,
        }
    }

    fn line() -> Failure {
        Failure::Line("cut".into())
    }

    #[test]
    fn patience_ends_and_progress_restores_it() {
        let settings = settings();
        let mut patience = Patience::for_file(&settings, &Silent);
        for brought in [0, 0, 0, 0, 0, MUCH, 0, 0, 0, SOMETHING, 0, 0, 0, 0, 10] {
            assert_eq!(patience.wait_after(line(), brought), Ok(()));
        }
        assert_eq!(patience.wait_after(line(), 10), Err(line()));
    }

    #[test]
    fn a_final_no_is_not_asked_again() {
        let (settings, mut asked) = (settings(), 0);
        let answer: Result<(), Failure> = Patience::for_answer(&settings, &Silent).insist(|| {
            asked += 1;
            Err(Failure::Answer("nonsense".into()))
        });
        assert!(answer.is_err() && asked == 1);
        let answer = Patience::for_answer(&settings, &Silent).insist(|| {
            asked += 1;
            if asked < 5 { Err(line()) } else { Ok(()) }
        });
        assert_eq!((answer, asked), (Ok(()), 5));
    }
}
