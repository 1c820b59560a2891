//! What is said of how good a run is, and how a run stands.

use crate::harness::{Window, in_private_home, pictures};
use egui_kittest::kittest::Queryable;
use frostline::project::RunState;
use frostline::session::{Edit, Job, Open, Step};
use frostline::worker::EvaluateOn;

/// Whether some words on the screen hold these.
fn says(window: &Window, words: &str) -> bool {
    window.harness.query_all_by_label_contains(words).next().is_some()
}

fn opened(data: &std::path::Path) -> Window {
    pictures(data);
    let mut window = Window::open();
    window.open_data(data);
    window
}

#[test]
fn the_projects_own_test_samples_are_scored_and_said_to_be_used() {
    in_private_home(|| {
        let data = tempfile::tempdir().unwrap();
        let mut window = opened(data.path());
        window.set_training(|t| t.epochs = 2);
        window.train();
        window.go_to("Evaluate");
        window.wait("scores", |s| s.evaluation().is_some());
        // Nothing was kept aside for the first run.
        assert_eq!(window.session().judged_run().unwrap().test_samples, 0);
        window.choose("Which samples", "Test samples (0)");
        assert!(!window.session().is_evaluating());
        let mut split = window.project().recipe.split;
        split.test_fraction = 0.25;
        window.act(Edit::SetSplit(split));
        for _ in 0..2 {
            window.train();
            window.act(Open::Go(Step::Evaluate));
            window.wait("scores", |s| s.evaluation().is_some());
            window.choose("Which samples", "Test samples (4)");
            window.wait("scores", |s| s.evaluation().is_some_and(|view| view.what == EvaluateOn::Test));
            assert_eq!(window.session().evaluation().unwrap().evaluation.samples, 4);
            window.harness.run_steps(3);
            let is_used = window.project().runs.len() > 2;
            assert_eq!(says(&window, "These samples were kept aside."), !is_used);
            assert_eq!(says(&window, "The test samples have been used to choose."), is_used);
            // Four right of four are not certain.
            assert!(!says(&window, "100.0 to 100.0") && says(&window, "to 100.0"));
        }
        assert!(says(&window, "Run 2 was scored on them before."));
    });
}

#[test]
fn runs_are_compared_with_the_probe_over_the_same_samples() {
    in_private_home(|| {
        let data = tempfile::tempdir().unwrap();
        let mut window = opened(data.path());
        window.set_training(|t| t.epochs = 1);
        window.train();
        window.go_to("Train");
        assert!(!says(&window, "Against the probe"));
        window
            .act(Edit::SetLayer { path: "conv_head".into(), state: frostline::backbone::LeafState::Thawed });
        window.train();
        window.wait("runs", |s| {
            s.project.as_ref().is_some_and(|p| p.runs.len() == 2 && p.runs.iter().all(|r| r.errors.is_some()))
        });
        window.harness.run_steps(3);
        let runs = &window.project().runs;
        let samples = runs[0].validation_samples;
        let paired = runs[1].paired_with(&runs[0]).unwrap();
        assert!(paired.better + paired.worse <= samples && paired.chance <= 1.0);
        for words in ["Against the probe", "Run 1, head only", "Better here", "Chance of that by luck"] {
            assert!(says(&window, words), "{words}");
        }
        assert!(runs[0].warm_seconds > 0.0 && runs[0].all_seconds() > runs[0].seconds);
    });
}

#[test]
fn a_run_is_said_to_be_paused_and_stopped() {
    in_private_home(|| {
        let data = tempfile::tempdir().unwrap();
        let mut window = opened(data.path());
        assert_eq!(window.session().remembered.recent[0].result, "Not trained yet");
        window.set_training(|t| (t.epochs, t.batch_size) = (5000, 1));
        window.act(Job::Train);
        window.wait("epochs", |s| s.judged_run().is_some_and(|r| r.val_loss.len() > 1));
        assert!(window.session().job.as_ref().unwrap().rate_words.starts_with("cached"));
        window.act(Job::Pause(true));
        window.harness.run_steps(3);
        assert!(says(&window, "Run 1 is paused after epoch "));
        window.act(Job::Stop);
        window.wait("stop", |s| !s.is_training());
        window.wait("record", |s| s.judged_run().is_some_and(|r| r.state == RunState::Stopped));
        window.harness.run_steps(3);
        assert!(
            window.session().status.starts_with("Run 1 stopped after epoch "),
            "{}",
            window.session().status
        );
        assert!(says(&window, "Run 1 was stopped after epoch "));
        assert!(window.session().remembered.recent[0].result.starts_with("Run 1: "));
    });
}
