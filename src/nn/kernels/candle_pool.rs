//! Candle's own threads.

/// The variable that says how often Candle's idle threads look for work before they sleep; read when it starts them.
const SPINS: &str = "CANDLE_BARRIER_POOL_SPIN_LIMIT";

/// Lets the threads that Candle keeps for its own operations sleep as soon as they are idle. They would otherwise look
/// for work a while after each sum of gradients, on cores that the kernels need: a twentieth to a tenth of a step on
/// two cores. A value that the user set stays. Does nothing where other threads may run already: call it first.
pub fn let_idle_threads_sleep() {
    if std::env::var_os(SPINS).is_none() && is_only_thread() {
        // SAFETY: no other thread exists that could read the environment meanwhile; on Windows that is no matter.
        unsafe { std::env::set_var(SPINS, "1") };
    }
}

/// Whether it is known that no other thread can read the environment while this one writes it.
fn is_only_thread() -> bool {
    if cfg!(windows) {
        return true;
    }
    std::fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_beside_other_threads() {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                assert_eq!(is_only_thread(), cfg!(windows));
                let_idle_threads_sleep();
                assert!(cfg!(windows) || std::env::var_os(SPINS).is_none());
            });
        });
    }
}
