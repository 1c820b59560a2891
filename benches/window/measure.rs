//! Percentiles, tables, and what the system says of this process.

use std::time::Instant;

/// Times of one round in seconds.
#[derive(Default)]
pub struct Times(Vec<f64>);

/// What something took by the clock, and on a core: less the waiting for one while others compute.
#[derive(Clone, Copy)]
pub struct Took {
    pub seconds: f64,
    pub on_core: f64,
}

/// Times `work`.
pub fn took<R>(work: impl FnOnce() -> R) -> (Took, R) {
    let (started, on_core) = (Instant::now(), thread_seconds());
    let result = work();
    let took = Took { on_core: thread_seconds() - on_core, seconds: started.elapsed().as_secs_f64() };
    (took, result)
}

impl std::ops::Add for Took {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { seconds: self.seconds + other.seconds, on_core: self.on_core + other.on_core }
    }
}

/// Times of one round by the clock and on a core.
#[derive(Default)]
pub struct Round {
    clock: Times,
    on_core: Times,
}

impl Round {
    pub fn add(&mut self, took: Took) {
        self.clock.add(took.seconds);
        self.on_core.add(took.on_core);
    }
}

impl Times {
    pub fn add(&mut self, seconds: f64) {
        self.0.push(seconds);
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The value below which `share` of the times lie (nearest rank), in milliseconds; sorts.
    pub fn millis(&mut self, share: f64) -> f64 {
        self.0.sort_by(f64::total_cmp);
        let rank = ((share * self.0.len() as f64).ceil() as usize).clamp(1, self.0.len().max(1));
        1e3 * self.0.get(rank - 1).copied().unwrap_or(f64::NAN)
    }
}

/// The middle value.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        0 if middle > 0 => (values[middle - 1] + values[middle]) / 2.0,
        _ => values.get(middle).copied().unwrap_or(f64::NAN),
    }
}

/// The head of the table of passes.
pub fn head() {
    println!(
        "| scene | passes | median ms | p95 ms | p99 ms | max ms | p99 of all rounds | on a core: p99 ms | max ms | \
         triangles | load |"
    );
    println!("|---|--:|--:|--:|--:|--:|---|--:|--:|--:|--:|");
}

/// One row: the round with the lowest p99, since others' work on the machine only adds; and the same of the times on a
/// core, which others' work leaves almost alone.
pub fn row(scene: &str, mut rounds: Vec<Round>, triangles: usize) {
    let best = |p99: &[f64]| p99.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(n, _)| n);
    let all: Vec<f64> = rounds.iter_mut().map(|r| r.clock.millis(0.99)).collect();
    let on_core: Vec<f64> = rounds.iter_mut().map(|r| r.on_core.millis(0.99)).collect();
    let shown: Vec<String> = all.iter().map(|p99| format!("{p99:.2}")).collect();
    let times = &mut rounds[best(&all)].clock;
    let [p50, p95, p99, max] = [0.5, 0.95, 0.99, 1.0].map(|share| times.millis(share));
    print!("| {scene} | {} | {p50:.2} | {p95:.2} | {p99:.2} | {max:.2} | {} ", times.len(), shown.join(", "));
    let times = &mut rounds[best(&on_core)].on_core;
    let [p99, max] = [0.99, 1.0].map(|share| times.millis(share));
    println!("| {p99:.2} | {max:.2} | {triangles} | {:.1} |", load());
}

/// Processes that wanted a core, averaged over the last minute; not known off Linux.
pub fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(f64::NAN)
}

/// Resident memory of this process in MB; not known off Linux.
pub fn resident_mb() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.map_or(f64::NAN, |kb| kb * 1024.0 / 1e6)
}

/// Processor time of this process so far, all threads, in ticks of 10 ms; not known off Linux.
pub fn ticks() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
}

/// Time that this thread has been on a core, in seconds; not known off Linux.
pub fn thread_seconds() -> f64 {
    #[cfg(target_os = "linux")]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
    }
    #[cfg(not(target_os = "linux"))]
    f64::NAN
}
