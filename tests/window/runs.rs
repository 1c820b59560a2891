//! Several runs of one project: the one that is looked at counts in every step, and the best one where none is.

use crate::harness::{Window, in_private_home, pictures, reviews};
use eframe::egui::{self, accesskit::Role};
use egui_kittest::kittest::{NodeT, Queryable};
use frostline::session::{Edit, Job, Open, Step, View};

/// The run that the picker of the page names.
fn picked(window: &Window) -> String {
    let picker = window.harness.get_by_role_and_label(Role::ComboBox, "Which run");
    picker.accesskit_node().value().unwrap_or_default()
}

fn pick(window: &mut Window, run: &str) {
    window.harness.get_by_role_and_label(Role::ComboBox, "Which run").click();
    window.harness.run_steps(3);
    let choices = window.harness.get_all_by_role(Role::Button);
    let choice =
        choices.into_iter().find(|node| node.accesskit_node().label().is_some_and(|l| l.starts_with(run)));
    choice.unwrap_or_else(|| panic!("{run} is not offered")).click();
    window.harness.run_steps(3);
}

/// A project with a good run and a later one that learnt nothing.
fn good_and_bad(window: &mut Window, data: &std::path::Path) {
    window.open_data(data);
    window.act(Open::Go(Step::Train));
    window.set_training(|t| (t.epochs, t.learning_rate) = (4, 0.05));
    window.train();
    window.set_training(|t| (t.epochs, t.learning_rate) = (1, 1e-9));
    window.train();
    let scores: Vec<_> = window.project().runs.iter().map(|run| run.best_score.unwrap()).collect();
    assert!(scores[0] > scores[1], "{scores:?}");
}

#[test]
fn the_run_that_is_looked_at_counts_everywhere() {
    in_private_home(|| {
        let data = tempfile::tempdir().unwrap();
        pictures(data.path());
        let mut window = Window::open();
        good_and_bad(&mut window, data.path());
        // The one that was just trained is looked at.
        window.go_to("Evaluate");
        window.wait("scores", |s| s.evaluation().is_some());
        assert_eq!(window.session().evaluation().unwrap().run, "0002");
        assert!(picked(&window).starts_with("Run 2"), "{}", picked(&window));
        pick(&mut window, "Run 1");
        window.wait("scores of the other", |s| s.evaluation().is_some());
        assert_eq!(window.session().evaluation().unwrap().run, "0001");
        assert!(picked(&window).ends_with("best"), "{}", picked(&window));

        window.go_to("Try");
        assert!(picked(&window).starts_with("Run 1"));
        window.drop(&data.path().join("red/3.png"));
        window.wait("an answer", |s| !s.tries.waiting && !s.tries.predictions.is_empty());
        // An answer of one run is not shown as another's.
        pick(&mut window, "Run 2");
        assert!(window.session().tries.predictions.is_empty());

        window.go_to("Export");
        assert!(window.harness.query_all_by_label("Trained head of run 2").next().is_some());
        window.press("Export");
        window.wait("the export", |s| s.export_of_run().is_some());
        pick(&mut window, "Run 1");
        assert!(window.session().export_of_run().is_none());
        assert!(window.harness.query_all_by_label("Trained head of run 1").next().is_some());
    });
}

#[test]
fn the_best_run_counts_where_none_is_looked_at() {
    in_private_home(|| {
        let data = tempfile::tempdir().unwrap();
        pictures(data.path());
        let mut window = Window::open();
        good_and_bad(&mut window, data.path());
        window.act(View::SelectRun(None));
        window.wait_for_writes();
        drop(window);
        let mut window = Window::open();
        window.wait("runs", |s| s.judged_run().is_some());
        assert_eq!(window.session().judged_run().unwrap().name, "0001");
        window.wait("the card", |s| s.remembered.recent.iter().any(|r| r.result.starts_with("Run 1")));
        window.go_to("Evaluate");
        window.wait("scores", |s| s.evaluation().is_some());
        assert_eq!(window.session().evaluation().unwrap().run, "0001");
    });
}

/// What Export says of a run does not change with the recipe of the moment.
#[test]
fn a_run_keeps_the_backbone_that_it_was_trained_with() {
    in_private_home(|| {
        let data = tempfile::tempdir().unwrap();
        pictures(data.path());
        let mut window = Window::open();
        window.open_data(data.path());
        window.set_training(|t| t.epochs = 1);
        window.train();
        let (own, other) = {
            let session = window.session();
            let own = session.backbone().unwrap();
            let other = session.backbones.iter().find(|b| b.id != own.id && session.suits_data(b)).unwrap();
            (own.name.clone(), (other.id.clone(), other.name.clone()))
        };
        window.go_to("Export");
        assert!(window.harness.query_all_by_label(&own).next().is_some());
        window.act(Edit::ChooseBackbone(other.0));
        window.wait("the other's speed", |s| s.job.is_none());
        window.act(Open::Go(Step::Export));
        assert!(window.harness.query_all_by_label(&own).next().is_some());
        assert!(window.harness.query_all_by_label(&other.1).next().is_none());
        assert_eq!(window.session().why_not(&Job::Export), None);
    });
}

/// Dropping the same data again goes on with its project; a command starts over.
#[test]
fn known_data_opens_its_project() {
    in_private_home(|| {
        let data = tempfile::tempdir().unwrap();
        pictures(data.path());
        let mut window = Window::open();
        window.open_data(data.path());
        window.set_training(|t| t.epochs = 1);
        window.train();
        let first = window.project().folder.clone();
        window.act(Open::CloseProject);
        window.open_data(data.path());
        assert_eq!(window.project().folder, first);
        window.wait("its run", |s| s.judged_run().is_some());
        window.expect_message("This data is known", &["New project of this data"]);
        window.act(Open::StartOver);
        window.wait("another project", |s| s.project.as_ref().is_some_and(|p| p.folder != first));
        assert!(window.project().runs.is_empty());
        assert_eq!(window.project().index.items.len(), 16);
    });
}

#[test]
fn a_second_export_gets_a_name_of_its_own() {
    in_private_home(|| {
        let data = tempfile::tempdir().unwrap();
        pictures(data.path());
        let mut window = Window::open();
        window.open_data(data.path());
        window.set_training(|t| t.epochs = 1);
        window.train();
        let mut written = Vec::new();
        for _ in 0..3 {
            window.act(Job::Export);
            let before = written.last().cloned();
            window
                .wait("the export", |s| s.exported.as_ref().is_some_and(|e| Some(&e.out) != before.as_ref()));
            written.push(window.session().exported.as_ref().unwrap().out.clone());
        }
        let names: Vec<_> = written.iter().map(|path| path.file_name().unwrap().to_string_lossy()).collect();
        assert_eq!(names[1..], [format!("{}-2", names[0]), format!("{}-3", names[0])]);
        assert!(written.iter().all(|path| path.join("manifest.json").exists()));
        window.go_to("Export");
        assert!(window.harness.query_all_by_label_contains(&format!("{}-3", names[0])).next().is_some());
    });
}

#[test]
fn what_is_typed_is_asked_and_never_trains() {
    in_private_home(|| {
        let folder = tempfile::tempdir().unwrap();
        let table = folder.path().join("reviews.csv");
        reviews(&table);
        let mut window = Window::open();
        window.open_data(&table);
        window.set_training(|t| t.epochs = 1);
        window.train();
        window.go_to("Try");
        window.harness.get_by_role_and_label(Role::MultilineTextInput, "Text").click();
        window.harness.run_steps(3);
        window.type_text("The phone is great.");
        window.key(egui::Modifiers::COMMAND, egui::Key::Enter);
        assert!(!window.session().is_training());
        window.wait("an answer", |s| !s.tries.waiting && !s.tries.predictions.is_empty());
        assert_eq!(window.session().tries.predictions[0].input, "The phone is great.");
        assert_eq!(window.project().runs.len(), 1);
    });
}
