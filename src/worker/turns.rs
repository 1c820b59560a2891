//! Whose turn it is among jobs that wait for each other.

use super::protocol::JobId;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A queue whose first job runs while the others wait.
#[derive(Default)]
pub struct Turns(Mutex<VecDeque<JobId>>);

impl Turns {
    /// Puts a new job at the end.
    pub fn join(&self, job: JobId) {
        self.queue().push_back(job);
    }

    /// Whether it is this job's turn. One that had left is back as the next after the job that runs.
    pub fn is_mine(&self, job: JobId) -> bool {
        let mut queue = self.queue();
        if !queue.contains(&job) {
            let behind_the_first = queue.len().min(1);
            queue.insert(behind_the_first, job);
        }
        queue.front() == Some(&job)
    }

    /// The job has ended, or lets others go first.
    pub fn leave(&self, job: JobId) {
        self.queue().retain(|other| *other != job);
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<JobId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leaves_comes_back_as_the_next() {
        let turns = Turns::default();
        (1..=3).for_each(|job| turns.join(job));
        let mine = || (1..=3).filter(|job| turns.is_mine(*job)).collect::<Vec<_>>();
        assert_eq!(mine(), [1]);
        turns.leave(1);
        assert!(turns.is_mine(2) && !turns.is_mine(3));
        // Behind 2, before 3.
        assert!(!turns.is_mine(1));
        turns.leave(2);
        assert!(turns.is_mine(1) && !turns.is_mine(3));
        turns.leave(1);
        assert!(turns.is_mine(3));
        turns.leave(3);
        assert!(turns.is_mine(1), "alone");
    }
}
