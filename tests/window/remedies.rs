//! What a failure offers as a button, and the words it is told in.

use crate::harness::{Window, in_private_home, pictures, reviews};
use eframe::egui::{self, accesskit::Role};
use egui_kittest::kittest::Queryable;
use frostline::project::RunState;
use frostline::session::{Job, Session, ToastKind, View};
use std::path::Path;

/// The buttons of the messages that are shown.
fn offered(session: &Session) -> Vec<&str> {
    session.toasts.iter().filter_map(|toast| Some(toast.offer.as_ref()?.text.as_str())).collect()
}

fn opened(data: &Path) -> Window {
    pictures(data);
    let mut window = Window::open();
    window.open_data(data);
    window
}

#[test]
fn a_table_that_was_mended_is_opened() {
    in_private_home(|| {
        let folder = tempfile::tempdir().unwrap();
        let table = folder.path().join("reviews.csv");
        std::fs::write(&table, "text\ngood\nbad\nfine\n").unwrap();
        let mut window = Window::open();
        window.drop(&table);
        window.wait("look", |s| s.reading.as_ref().is_some_and(|view| view.glance.is_some()));
        let why = window.session().reading.as_ref().unwrap().problem.clone().unwrap();
        assert!(why.contains("label") && !why.contains("--"), "{why}");
        reviews(&table);
        window.press("Cancel");
        window.drop(&table);
        window.wait("project", |s| s.project.is_some());
        assert!(window.session().toasts.iter().all(|toast| toast.kind != ToastKind::Failure));
        // Where there is nothing to try again, other data may be chosen.
        window.drop(&folder.path().join("nothing here"));
        window.expect_message("Nothing was opened", &["Check the spelling"]);
        assert_eq!(offered(window.session()), ["Choose a folder…"]);
    });
}

#[test]
fn a_stopped_run_offers_to_go_on() {
    in_private_home(|| {
        let data = tempfile::tempdir().unwrap();
        let mut window = opened(data.path());
        window.set_training(|t| (t.epochs, t.batch_size) = (400, 1));
        window.act(Job::Train);
        window.wait("epochs", |s| s.judged_run().is_some_and(|r| r.val_loss.len() > 1));
        window.act(Job::Stop);
        window.wait("stop", |s| !s.is_training());
        window.expect_message("Stopped", &["Run 1 keeps its checkpoint and can go on from there."]);
        window.wait("record", |s| s.judged_run().is_some_and(|r| r.state == RunState::Stopped));
        assert_eq!(offered(window.session()), ["Resume"]);
        window.press("Resume");
        assert!(window.session().is_training());
        window.wait("the end", |s| s.judged_run().is_some_and(|r| r.state == RunState::Finished));
        assert_eq!(window.project().runs.len(), 1);
    });
}

/// Ctrl+Enter begins a training, but not out of a field that is being typed in.
#[test]
fn no_field_that_is_typed_in_begins_a_training() {
    in_private_home(|| {
        let data = tempfile::tempdir().unwrap();
        let mut window = opened(data.path());
        let enter = |window: &mut Window| window.key(egui::Modifiers::COMMAND, egui::Key::Enter);
        window.go_to("Train");
        window.harness.get_by_role_and_label(Role::SpinButton, "Epochs").click();
        window.harness.run_steps(3);
        window.type_text("3");
        enter(&mut window);
        assert!(!window.session().is_training());
        for (step, field) in [("Layers", "Find a layer"), ("Backbone", "Find a model by name")] {
            window.go_to(step);
            let Some(node) = window.harness.query_by_role_and_label(Role::TextInput, field) else {
                panic!("there is no field {field}")
            };
            node.click();
            window.harness.run_steps(3);
            enter(&mut window);
            assert!(!window.session().is_training(), "{field}");
        }
        window.act(View::ShowPalette(true));
        window.type_text("no such command");
        assert!(window.harness.query_by_label("No command holds these words.").is_some());
        enter(&mut window);
        assert!(!window.session().is_training());
        window.act(View::ShowPalette(false));
        window.go_to("Data");
        enter(&mut window);
        assert!(window.session().is_training());
    });
}
