//! Times one job of the step bench and prints it as one line of JSON: `steps JOB [--steps N] [--threads N] [--device D]`.
//!
//! `benches/run` starts this and its PyTorch peer (`peers/steps.py`) by turns. Networks have the real shapes and
//! random weights; inputs and weights are made before the clock starts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a measurement that fails ends")]

use candle_core::{Device, Tensor};
use frostline::backbone::{Architecture, Boundary, Pass, Role, Segment, TensorSource, mix, registry};
use frostline::network::head::load_head;
use frostline::nn::{FreedMemoryKept, Linear, Param, cross_entropy, let_idle_threads_sleep};
use frostline::optim::{AdamW, Hyper, OptimiserChoice};
use frostline::problem::Result;
use frostline::project::Machine;
use frostline::train::optimiser::Optimiser;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// As in the program itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCH: usize = 16;
const TOKENS: usize = 128;
const CLASSES: usize = 10;
const WARM_UP: usize = 2;

/// What is computed in each step.
#[derive(Clone, Copy, PartialEq)]
enum Work {
    /// Forward through frozen layers.
    Forward,
    /// A training step; this many of the highest segments are thawed.
    Train { thawed: usize },
    /// The same, from the boundary state below them.
    TrainCached { thawed: usize },
}

const ALL: usize = usize::MAX;

/// Network, work and dropout of a job, `NETWORK-WORK` with `-dropout` behind it where 0.1 is dropped.
fn job(name: &str) -> Option<(Value, Work, f32)> {
    let (name, dropout) = name.strip_suffix("-dropout").map_or((name, 0.0), |name| (name, 0.1));
    let (network, work) = name.split_once('-')?;
    let config = match network {
        "minilm" => json!({
            "model_type": "bert", "vocab_size": 30522, "hidden_size": 384, "num_hidden_layers": 6,
            "num_attention_heads": 12, "intermediate_size": 1536, "max_position_embeddings": 512,
            "type_vocab_size": 2, "hidden_act": "gelu",
        }),
        "mobilenetv2" => json!({"architecture": "mobilenetv2_100"}),
        "lite0" => json!({"architecture": "tf_efficientnet_lite0"}),
        "resnet18" | "resnet50" => json!({"architecture": network}),
        _ => return None,
    };
    let work = match work {
        "forward" => Work::Forward,
        "full" => Work::Train { thawed: ALL },
        "last2" => Work::Train { thawed: 2 },
        "last2cached" => Work::TrainCached { thawed: 2 },
        _ => return None,
    };
    Some((config, work, dropout))
}

/// Random tensors: small weights, norms near the identity.
struct RandomSource<'a> {
    /// Trains what it is asked for; everything is frozen without it.
    optimiser: Option<&'a mut Optimiser>,
    device: &'a Device,
}

impl TensorSource for RandomSource<'_> {
    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let key = name.bytes().fold(7, |key, byte| mix(key, u64::from(byte)));
        let fan_in: usize = shape.iter().skip(1).product();
        let spread = if shape.len() > 1 { 2.0 / (fan_in as f32).sqrt() } else { 0.1 };
        let centre =
            if shape.len() == 1 && !name.ends_with("bias") && !name.ends_with("mean") { 1.0 } else { 0.0 };
        let count: usize = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|n| centre + spread * noise(key, n)).collect();
        Ok(Tensor::from_vec(values, shape, self.device)?)
    }

    fn param(&mut self, name: &str, shape: &[usize]) -> Result<Param> {
        let tensor = self.tensor(name, shape)?;
        let role = if shape.len() > 1 { Role::Weight } else { Role::Vector };
        match &mut self.optimiser {
            Some(optimiser) => Ok(optimiser.add(name, &tensor, role, 1.0)?),
            None => Ok(Param::frozen(tensor)),
        }
    }
}

/// In -1..1.
fn noise(key: u64, n: usize) -> f32 {
    mix(key, n as u64) as f32 / u64::MAX as f32 * 2.0 - 1.0
}

struct Bench {
    trunk: Vec<Box<dyn Segment>>,
    top: Vec<Box<dyn Segment>>,
    head: Linear,
    optimiser: Optimiser,
    input: Boundary,
    labels: Vec<u32>,
    work: Work,
    dropout: f32,
}

impl Bench {
    fn new(config: &Value, work: Work, dropout: f32, device: &Device) -> Result<Self> {
        let (_, architecture) = registry::describe(config, Path::new("config.json"))?;
        let segments = architecture.cuts().len() - 1;
        let frostline = match work {
            Work::Forward => segments,
            Work::Train { thawed } | Work::TrainCached { thawed } => segments.saturating_sub(thawed),
        };
        let mut optimiser =
            Optimiser::new(OptimiserChoice::of(&AdamW), Hyper { weight_decay: 0.01, ..Hyper::default() });
        let mut frozen = RandomSource { optimiser: None, device };
        let load = |range: std::ops::Range<usize>, source: &mut RandomSource| {
            range.map(|n| architecture.load_segment(n, source)).collect::<Result<Vec<_>>>()
        };
        let trunk = load(0..frostline, &mut frozen)?;
        let mut thawed = RandomSource { optimiser: Some(&mut optimiser), device };
        let top = load(frostline..segments, &mut thawed)?;
        let head = load_head(&mut thawed, CLASSES, features(architecture.as_ref()))?;
        let labels = (0..BATCH).map(|n| (n % CLASSES) as u32).collect();
        let input = input(config, device)?;
        let mut bench = Self { trunk, top, head, optimiser, input, labels, work, dropout };
        if matches!(work, Work::TrainCached { .. }) {
            bench.input = run(&bench.trunk, bench.input.clone(), &Pass::INFERENCE)?;
            bench.trunk.clear();
        }
        Ok(bench)
    }

    fn step(&mut self, number: u64) -> Result<f32> {
        let state = run(&self.trunk, self.input.clone(), &Pass::INFERENCE)?;
        if self.work == Work::Forward {
            return Ok(state.hidden.flatten_all()?.get(0)?.to_scalar()?);
        }
        let pass = Pass { dropout: self.dropout, key: number };
        let state = run(&self.top, state, &pass)?;
        let loss = cross_entropy(&self.head.forward(&state.hidden)?, &self.labels)?;
        self.optimiser.begin_step();
        let gradients = loss.backward()?;
        self.optimiser.update(&gradients, 1e-5, 1.0)?;
        Ok(loss.to_scalar()?)
    }
}

fn run(segments: &[Box<dyn Segment>], state: Boundary, pass: &Pass) -> Result<Boundary> {
    segments.iter().try_fold(state, |state, segment| Ok(segment.forward(&state, pass)?))
}

fn features(architecture: &dyn Architecture) -> usize {
    architecture
        .cuts()
        .last()
        .and_then(|cut| cut.shape.first())
        .map_or(0, |dim| dim.to_string().parse().unwrap_or(0))
}

fn input(config: &Value, device: &Device) -> Result<Boundary> {
    if config.get("model_type").is_some() {
        let ids: Vec<u32> = (0..BATCH * TOKENS).map(|n| (mix(3, n as u64) % 30_000) as u32).collect();
        let hidden = Tensor::from_vec(ids, BATCH * TOKENS, device)?;
        return Ok(Boundary { hidden, lengths: Some(vec![TOKENS; BATCH].into()) });
    }
    let pixels: Vec<f32> = (0..BATCH * 3 * 224 * 224).map(|n| noise(5, n)).collect();
    Ok(Boundary { hidden: Tensor::from_vec(pixels, (BATCH, 3, 224, 224), device)?, lengths: None })
}

/// The highest anonymous memory, looked at every few milliseconds.
struct Peak(Arc<Mutex<f64>>);

impl Peak {
    fn watch() -> Self {
        let highest = Arc::new(Mutex::new(0f64));
        let peak = Self(highest.clone());
        std::thread::spawn(move || {
            loop {
                let now = anonymous_mb().unwrap_or(0.0);
                let mut highest = highest.lock().expect("nobody panics with it");
                *highest = highest.max(now);
                drop(highest);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        peak
    }

    fn mb(&self) -> f64 {
        *self.0.lock().expect("nobody panics with it")
    }
}

/// Anonymous memory in MB where Linux tells it: resident less what is mapped from files.
fn anonymous_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("RssAnon:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}

fn main() -> Result<()> {
    let_idle_threads_sleep();
    let arguments: Vec<String> = std::env::args().filter(|argument| argument != "--bench").collect();
    let option = |flag: &str| arguments.iter().skip_while(|a| *a != flag).nth(1);
    let number = |flag: &str, default: usize| {
        let value = option(flag);
        value.map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{flag} takes a number")))
    };
    let Some((name, (config, work, dropout))) = arguments.get(1).and_then(|name| Some((name, job(name)?)))
    else {
        println!(
            "one of: minilm-full minilm-last2 minilm-last2cached lite0-full mobilenetv2-full resnet18-full .."
        );
        return Ok(());
    };
    let (steps, threads) = (number("--steps", 5), number("--threads", 2));
    let machine = Machine::new(option("--device").map_or("cpu", String::as_str), Some(threads))?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool of threads");
    let peak = Peak::watch();
    let _kept = FreedMemoryKept::new();
    pool.install(|| {
        let mut bench = Bench::new(&config, work, dropout, &machine.device)?;
        let mut times = Vec::new();
        for number in 0..WARM_UP + steps {
            let started = Instant::now();
            let value = bench.step(number as u64)?;
            times.push(started.elapsed().as_secs_f64() * 1e3);
            assert!(value.is_finite(), "step {number} gave {value}");
        }
        let times = &times[WARM_UP..];
        println!("{}", json!({"job": name, "ms": times, "anonymous_mb": peak.mb()}));
        Ok(())
    })
}
