//! Every screen, left alone: when it stops asking for passes, and what the process then takes.

use super::driver::Window;
use super::measure::ticks;
use frostline::problem::Problem;
use frostline::session::{Edit, Job, Open, SampleName, Step, View};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Messages go away by themselves within this time.
const SETTLES_WITHIN: Duration = Duration::from_secs(15);
const WATCHED: Duration = Duration::from_secs(3);

pub fn idle() {
    println!(
        "| screen | settled after passes | next pass wanted | repaints asked in 3 s | ticks of 10 ms in 3 s |"
    );
    println!("|---|--:|---|--:|--:|");
    let mut window = Window::open(Arc::new(|_, _| None));
    watch("Start", &mut window);
    window.act(Open::OpenSample(SampleName::ClipArt));
    window.wait("project", |s| s.project.is_some());
    let mut training = window.session().project.as_ref().expect("a project").recipe.training.clone();
    training.epochs = 2;
    window.act(Edit::SetTraining { training, field: "Epochs" });
    window.act(Job::Train);
    window.wait("training", |s| s.judged_run().is_some() && !s.is_training());
    for step in Step::ALL {
        window.act(Open::Go(step));
        watch(step.name(), &mut window);
    }
    window.act(Open::Go(Step::Layers));
    window.act(View::SelectLayer(Some("conv_stem".to_string())));
    watch("Layers, one selected", &mut window);
    window.session_mut().fail(
        "Nothing was opened",
        &Problem::input("it is no data", "it is a bench", "none"),
        None,
    );
    watch("Layers, a failure shown", &mut window);
}

fn watch(screen: &str, window: &mut Window) {
    let started = Instant::now();
    let mut passes = 0;
    let after = loop {
        let after = window.pass(Vec::new()).repaint_after;
        passes += 1;
        if after == Duration::MAX && quiet(window) || started.elapsed() > SETTLES_WITHIN {
            break after;
        }
        std::thread::sleep(after.clamp(Duration::from_millis(1), Duration::from_millis(200)));
    };
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    window.context.set_request_repaint_callback(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    let before = ticks();
    std::thread::sleep(WATCHED);
    let used = before.zip(ticks()).map_or("not known".to_string(), |(a, b)| (b - a).to_string());
    let wanted = if after == Duration::MAX { "never".to_string() } else { format!("in {after:?}") };
    println!("| {screen} | {passes} | {wanted} | {} | {used} |", asked.load(Ordering::SeqCst));
}

/// Whether neither a job nor a decoding thread is still at work: nobody asks for a pass for a while.
fn quiet(window: &Window) -> bool {
    std::thread::sleep(Duration::from_millis(300));
    window.session().job.is_none() && !window.context.has_requested_repaint()
}
