//! The window beside the worker while everything is thawed and all cores compute.

use super::driver::{Random, Window, button};
use super::measure::{Times, load, median, thread_seconds};
use frostline::control::{Control, Fact};
use frostline::jobs;
use frostline::project::{Machine, Project};
use frostline::session::{Edit, Job, Open, Preset, SampleName, Step};
use frostline::worker::{Begin, Command, Long, Outcome, StandIn};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Turns of so many steps, drawn or not: short ones, so that what else runs on the machine weighs on both alike.
const STEPS_A_TURN: usize = 6;
const TURNS: usize = 40;
/// On a slow or busy machine there are fewer turns.
const AT_MOST: Duration = Duration::from_secs(300);
const FRAME: Duration = Duration::from_millis(50);

/// When each step ended, with its number.
type Steps = Arc<Mutex<Vec<(Instant, u64)>>>;

/// Notes when steps end and passes everything on.
struct Tap<'c> {
    control: &'c dyn Control,
    steps: &'c Steps,
}

impl Control for Tap<'_> {
    fn report(&self, fact: Fact) {
        if let Fact::Step { step, .. } = &fact {
            self.steps.lock().expect("no one panicked").push((Instant::now(), *step));
        }
        self.control.report(fact);
    }

    fn stop_requested(&self) -> bool {
        self.control.stop_requested()
    }

    fn wait_while_paused(&self) {
        self.control.wait_while_paused();
    }
}

/// The worker's own training with a tap on its facts.
fn tapped(steps: Steps) -> StandIn {
    Arc::new(move |command: &Command, control: &dyn Control| {
        let Command::Long(Long::Train { project, begin: Begin::Anew(recipe) }) = command else { return None };
        let tap = Tap { control, steps: &steps };
        let trained = Project::open(project)
            .and_then(|p| jobs::train_recipe(&p, (**recipe).clone(), &Machine::cpu(), &tap));
        Some(trained.map(|t| Outcome::Trained { record: Box::new(t.record) }))
    })
}

/// What was seen while the window was drawn.
#[derive(Default)]
struct Drawn {
    passes: Times,
    /// From an input to the end of the pass that shows what it did.
    inputs: Times,
    /// Of the window's thread on a core, and of the clock, in seconds.
    busy: f64,
    passed: f64,
}

pub fn beside() {
    let steps = Steps::default();
    let mut window = Window::open(tapped(Arc::clone(&steps)));
    window.act(Open::OpenSample(SampleName::ClipArt));
    window.wait("project", |s| s.project.is_some());
    window.act(Edit::Preset(Preset::Everything));
    let project = window.session().project.as_ref().expect("a project");
    let mut training = project.recipe.training.clone();
    let samples = project.split.as_ref().map_or(0, |s| s.train.len());
    training.epochs = 10_000;
    let batch = training.batch_size;
    window.act(Edit::SetTraining { training, field: "Epochs" });
    window.wait("calibration", |s| !s.calibrations.is_empty() && !s.weights.is_empty());
    window.act(Job::Train);
    window.wait("the first steps", |s| {
        s.project.as_ref().and_then(|p| p.runs.last()).is_some_and(|run| run.train_loss.len() >= 3)
    });
    window.act(Open::Go(Step::Train));
    let log = window.place_of("Show or hide the log");
    let (mut seen, mut random) = (Drawn::default(), Random(1));
    let per_epoch = samples.div_ceil(batch) as u64;
    let (mut pairs, mut pair) = (Vec::new(), [f64::NAN; 2]);
    let began = Instant::now();
    for turn in 0..TURNS {
        // Drawn, not, not, drawn: a load that grows or fades weighs on both alike.
        let is_drawn = matches!(turn % 4, 0 | 3);
        let turn_began = Instant::now();
        let goes_on = || steps_since(&steps, turn_began) < STEPS_A_TURN && began.elapsed() < AT_MOST;
        match is_drawn {
            true => draw(&mut window, log, &mut seen, &mut random, goes_on),
            false => {
                while goes_on() {
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
        }
        pair[usize::from(!is_drawn)] = rate(&steps, turn_began, per_epoch, batch);
        if turn % 2 == 1 && pair.iter().all(|rate| rate.is_finite()) {
            pairs.push(pair);
        }
    }
    window.act(Job::Stop);
    tell(&mut seen, &pairs);
    window.wait("the end", |s| !s.is_training());
}

/// Twenty passes a second with a moving pointer, and clicks at random moments.
fn draw(
    window: &mut Window,
    log: egui::Pos2,
    seen: &mut Drawn,
    random: &mut Random,
    goes_on: impl Fn() -> bool,
) {
    let (began, busy) = (Instant::now(), thread_seconds());
    let gap = |random: &mut Random| Duration::from_secs_f64(0.1 + 0.5 * random.share());
    let mut frame = Instant::now();
    let mut click = frame + gap(random);
    while goes_on() {
        let due = frame.min(click);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if click <= frame {
            let before = window.session().log_open;
            let events = vec![egui::Event::PointerMoved(log), button(log, true), button(log, false)];
            seen.passes.add(window.pass(events).took.seconds);
            // The action is applied at the end of a pass and shown by the next one.
            while window.session().log_open == before {
                assert!(due.elapsed() < Duration::from_secs(10), "the click did nothing");
                seen.passes.add(window.pass(Vec::new()).took.seconds);
            }
            seen.passes.add(window.pass(Vec::new()).took.seconds);
            seen.inputs.add(due.elapsed().as_secs_f64());
            click = Instant::now() + gap(random);
        } else {
            let place =
                egui::pos2(160.0 + 700.0 * random.share() as f32, 100.0 + 300.0 * random.share() as f32);
            seen.passes.add(window.pass(vec![egui::Event::PointerMoved(place)]).took.seconds);
            frame = (frame + FRAME).max(Instant::now());
        }
    }
    seen.busy += thread_seconds() - busy;
    seen.passed += began.elapsed().as_secs_f64();
}

fn steps_since(steps: &Steps, began: Instant) -> usize {
    steps.lock().expect("no one panicked").iter().rev().take_while(|(at, _)| *at >= began).count()
}

/// Samples a second over the whole batches since `started`: the middle one of their times. The step after a
/// validation is left out, and so is the last of an epoch, whose batch is smaller.
fn rate(steps: &Steps, started: Instant, per_epoch: u64, batch: usize) -> f64 {
    let steps = steps.lock().expect("no one panicked");
    let inside: Vec<&(Instant, u64)> = steps.iter().filter(|(at, _)| *at >= started).collect();
    let whole = |pair: &&[&(Instant, u64)]| pair[1].1 % per_epoch > 1;
    let times = inside.windows(2).filter(whole).map(|pair| (pair[1].0 - pair[0].0).as_secs_f64());
    batch as f64 / median(times.collect())
}

/// `pairs` are rates of neighbouring turns, drawn and not.
fn tell(seen: &mut Drawn, pairs: &[[f64; 2]]) {
    let [p50, p95, p99, max] = [0.5, 0.95, 0.99, 1.0].map(|share| seen.passes.millis(share));
    println!(
        "- {} passes: median {p50:.2} ms, p95 {p95:.2} ms, p99 {p99:.2} ms, max {max:.2} ms",
        seen.passes.len()
    );
    let [p50, p95, max] = [0.5, 0.95, 1.0].map(|share| seen.inputs.millis(share));
    println!(
        "- {} clicks, until the pass that shows what they did: median {p50:.1} ms, p95 {p95:.1} ms, max {max:.1} ms",
        seen.inputs.len()
    );
    println!("- the window's thread while drawn: {:.1} % of one core", 100.0 * seen.busy / seen.passed);
    let column = |n: usize| pairs.iter().map(|pair| pair[n]).collect::<Vec<_>>();
    let losses: Vec<f64> = pairs.iter().map(|[drawn, hidden]| 100.0 * (1.0 - drawn / hidden)).collect();
    let shown: Vec<String> = losses.iter().map(|loss| format!("{loss:.1}")).collect();
    println!(
        "- samples/s drawn {:.1}, not drawn {:.1} (medians); lost in neighbouring turns, percent: {}; their middle: \
         {:.1}; load {:.1}",
        median(column(0)),
        median(column(1)),
        shown.join(", "),
        median(losses),
        load()
    );
}
