//! Whoever cannot see the window hears it: a walk over all screens asks every widget for its name.

use crate::harness::{Window, in_private_home, pictures, reviews};
use eframe::egui::accesskit::{self, Role};
use eframe::egui::{Key, Modifiers};
use egui_kittest::kittest::{AccessKitNode, NodeT, Queryable};
use frostline::session::{Edit, Job, Open, Preset, Step, View};
use frostline::worker::{Command, EvaluateOn, Long, StandIn};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Names that several buttons of one screen may share: they do the same.
const SAME_DEED: [&str; 8] = [
    // Rail and the button of an empty screen.
    "Go to Train",
    // Page and job bar.
    "Stop, keep best",
    "Pause",
    "Go on",
    // Page and palette or project menu.
    "Train",
    "Export",
    "Choose a folder…",
    "Choose a file…",
];

/// Whether a person can do something with it.
fn is_interactive(node: &AccessKitNode<'_>) -> bool {
    let by_role = matches!(
        node.role(),
        Role::Button
            | Role::CheckBox
            | Role::RadioButton
            | Role::Slider
            | Role::SpinButton
            | Role::TextInput
            | Role::MultilineTextInput
            | Role::ComboBox
            | Role::Link
            | Role::ColorWell
            | Role::MenuItem
            | Role::Switch
            | Role::Tab
    );
    // Text can be clicked to select and copy it; scroll bars are the toolkit's.
    let is_plain = matches!(node.role(), Role::Label | Role::ScrollBar);
    by_role || (!is_plain && node.data().supports_action(accesskit::Action::Click))
}

/// Checks every widget that stands on the screen; gives how many there were.
fn check(window: &Window, screen: &str, complaints: &mut Vec<String>) -> usize {
    let (mut count, mut buttons) = (0, BTreeMap::<String, usize>::new());
    for node in window.harness.root().children_recursive().map(|n| n.accesskit_node()) {
        if node.is_hidden() || !is_interactive(&node) {
            continue;
        }
        count += 1;
        let name = node.label().unwrap_or_default();
        // Private use: a letter of the icon font is no name.
        let spoken = name.chars().any(|c| c.is_alphanumeric() && !('\u{e000}'..='\u{f8ff}').contains(&c));
        if !spoken {
            let (role, place) = (node.role(), node.bounding_box());
            complaints.push(format!("{screen}: {role:?} at {place:?} is called {name:?}"));
        }
        if node.role() == Role::Button && !node.is_disabled() {
            *buttons.entry(name).or_default() += 1;
        }
    }
    for (name, times) in buttons.into_iter().filter(|(_, times)| *times > 1) {
        if !SAME_DEED.contains(&name.as_str()) {
            complaints.push(format!("{screen}: {times} buttons are called {name:?}"));
        }
    }
    count
}

fn check_steps(window: &mut Window, kind: &str, complaints: &mut Vec<String>) {
    for step in Step::ALL {
        window.act(Open::Go(step));
        let count = check(window, &format!("{step:?}, {kind}"), complaints);
        assert!(count > 10, "{step:?} shows {count} widgets only");
    }
}

/// A training that waits in its first epoch until the test lets go.
fn held(hold: &Arc<AtomicBool>) -> StandIn {
    let hold = Arc::clone(hold);
    Arc::new(move |command, control| {
        while matches!(command, Command::Long(Long::Train { .. })) && hold.load(Ordering::SeqCst) {
            if control.stop_requested() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        None
    })
}

#[test]
fn every_widget_of_every_screen_has_a_name() {
    in_private_home(|| {
        let folder = tempfile::tempdir().unwrap();
        let (data, table) = (folder.path().join("photos"), folder.path().join("reviews.csv"));
        pictures(&data);
        // A finding, so that its filter is shown, too.
        std::fs::write(data.join("red/broken.png"), "no picture").unwrap();
        reviews(&table);
        let hold = Arc::new(AtomicBool::new(false));
        let mut window = Window::open_with(held(&hold));
        let mut complaints = Vec::new();
        assert!(check(&window, "start", &mut complaints) > 10);
        window.key(Modifiers::COMMAND, Key::O);
        check(&window, "path field", &mut complaints);
        window.key(Modifiers::NONE, Key::Escape);
        for (kind, path) in [("pictures", &data), ("texts", &table)] {
            window.open_data(path);
            check_steps(&mut window, &format!("{kind}, nothing trained"), &mut complaints);
            hold.store(true, Ordering::SeqCst);
            window.set_training(|t| t.epochs = 1);
            window.act(Job::Train);
            check_steps(&mut window, &format!("{kind}, training"), &mut complaints);
            window.act(Job::Pause(true));
            check_steps(&mut window, &format!("{kind}, paused"), &mut complaints);
            window.act(View::Quit);
            assert!(window.session().asks_to_quit);
            check(&window, "quit question", &mut complaints);
            window.act(View::StayOpen);
            window.act(Job::Pause(false));
            hold.store(false, Ordering::SeqCst);
            window.wait("training", |s| !s.is_training() && s.judged_run().is_some());
            fill(&mut window);
            check_steps(&mut window, &format!("{kind}, filled"), &mut complaints);
            overlays(&mut window, kind, &mut complaints);
        }
        window.act(Open::CloseProject);
        check(&window, "start with recent projects", &mut complaints);
        assert!(complaints.is_empty(), "{complaints:#?}");
    });
}

/// Every screen with something on it and something selected.
fn fill(window: &mut Window) {
    window.act(Job::Evaluate(EvaluateOn::Validation));
    window.wait("scores", |s| s.project.as_ref().is_some_and(|p| p.evaluation.is_some()));
    window.act(View::SelectCell(Some((0, 0))));
    window.act(View::SelectSample(Some(1)));
    window.act(Edit::Preset(Preset::LastBlock));
    let first = window.session().backbone().unwrap().tree.leaves()[0].path.clone();
    window.act(View::SelectLayer(Some(first)));
    for path in ["blocks.1", "blocks.1.0", "encoder.layer.1", "encoder.layer.1.attention"] {
        window.act(View::ExpandLayer { path: path.to_string(), open: true });
    }
    let sample = window.project().index.items[0].clone();
    let path = window.project().index.full_path(&sample);
    match sample.text {
        Some(text) => window.act(Job::TryText(text)),
        None => window.act(Job::TryFiles(vec![path])),
    }
    window.wait("answer", |s| !s.tries.predictions.is_empty());
    window.act(Job::Export);
    window.wait("export", |s| s.exported.is_some());
}

/// What lies over a screen: menus, palette, log, messages.
fn overlays(window: &mut Window, kind: &str, complaints: &mut Vec<String>) {
    window.act(View::ToggleLog);
    check(window, &format!("log, {kind}"), complaints);
    window.act(View::ToggleLog);
    window.act(View::ShowPalette(true));
    assert!(check(window, &format!("palette, {kind}"), complaints) > 30);
    window.act(View::ShowPalette(false));
    window.act(Open::Go(Step::Data));
    let title = window.project().title.clone();
    for menu in ["Split…", "All classes", "Any split", &title] {
        let before = check(window, menu, &mut Vec::new());
        let button = window
            .harness
            .get_all_by_label_contains(menu)
            .find(|n| n.accesskit_node().role() == Role::Button && !n.accesskit_node().is_disabled());
        button.unwrap_or_else(|| panic!("no menu {menu}")).click();
        window.harness.run_steps(3);
        let open = check(window, &format!("menu {menu}, {kind}"), complaints);
        assert!(open > before, "{menu} does not open");
        window.key(Modifiers::NONE, Key::Escape);
    }
    window.act(Open::Go(Step::Train));
    window.click("More settings");
    check(window, &format!("more settings, {kind}"), complaints);
    window.click("More settings");
    window.act(Open::Go(Step::Layers));
    window.harness.get_all_by_label_contains(", frozen, ").next().unwrap().click_secondary();
    window.harness.run_steps(3);
    check(window, &format!("menu of a layer, {kind}"), &mut Vec::new());
    window.key(Modifiers::NONE, Key::Escape);
    window.act(Open::OpenPath("/no such place".into()));
    window.expect_message("Nothing was opened", &["Try:"]);
    check(window, &format!("message, {kind}"), complaints);
    window.dismiss();
}
