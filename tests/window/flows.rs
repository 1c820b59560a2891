//! What a person does from one end to the other, with the real worker and the bundled weights.

use crate::harness::{Window, in_private_home, pictures, predicted, reviews};
use eframe::egui::{self, Key, Modifiers, accesskit::Role};
use egui_kittest::kittest::{NodeT, Queryable};
use frostline::backbone::{CutName, FreezeState, LeafState};
use frostline::optim::{OptimiserChoice, Sgd};
use frostline::project::recipe::BatchNormChoice;
use frostline::project::{Recipe, RunState};
use frostline::session::{Edit, Job, Open, Preset, SampleName, Step, View};
use frostline::worker::{Aside, Command};
use std::path::{Path, PathBuf};

/// Fewer actions than this from data to a written export.
const MOST_ACTIONS: usize = 6;

#[test]
fn from_a_dropped_folder_to_a_written_export_in_six_actions() {
    in_private_home(|| {
        let data = tempfile::tempdir().unwrap();
        pictures(data.path());
        let mut window = Window::open();
        window.drop(data.path());
        window.wait("project", |s| s.project.is_some());
        window.go_to("Train");
        window.press("Train");
        window.wait("training", |s| s.judged_run().is_some() && !s.is_training());
        window.go_to("Export");
        window.press("Export");
        window.wait("export", |s| s.exported.is_some());
        assert!(window.actions <= MOST_ACTIONS, "{} actions", window.actions);
        let exported = window.session().exported.clone().unwrap();
        assert!(exported.out.join("manifest.json").is_file());
        assert_eq!(predicted(&exported.out, &[data.path().join("red/3.png").as_os_str()]), "red");
        names_with_spaces_and_accents(&mut window, data.path());
    });
}

/// Two files at once on Try, one of them with what shells and URLs stumble over.
fn names_with_spaces_and_accents(window: &mut Window, data: &Path) {
    let [first, second] = ["größe 1 é.png", "two  spaces & 100%.png"].map(|name| data.join(name));
    std::fs::copy(data.join("red/0.png"), &first).unwrap();
    std::fs::copy(data.join("blue/0.png"), &second).unwrap();
    window.go_to("Try");
    window.drop_all(&[&first, &second]);
    window.wait("answers", |s| s.tries.predictions.len() == 2);
    let answers = &window.session().tries.predictions;
    let label = |n: usize| answers[n].answer.as_ref().unwrap().labels()[0].label.as_str();
    assert_eq!((label(0), label(1)), ("red", "blue"));
    for path in [first, second] {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(window.harness.query_by_label(name).is_some(), "{path:?}");
    }
}

#[test]
fn the_sample_is_opened_trained_judged_tried_and_exported() {
    in_private_home(|| {
        let mut window = Window::open();
        click_first(&mut window, "Open Clip art");
        window.wait("project", |s| s.project.is_some());
        assert_eq!(window.project().index.items.len(), 492);
        window.go_to("Train");
        window.press("Train");
        window.wait("training", |s| s.judged_run().is_some() && !s.is_training());
        window.go_to("Export");
        window.press("Export");
        window.wait("export", |s| s.exported.is_some());
        assert!(window.actions <= MOST_ACTIONS, "{} actions", window.actions);

        window.go_to("Train");
        window.set_number("Epochs", "1");
        assert_eq!(window.project().recipe.training.epochs, 1);
        window.press("Train");
        window
            .wait("training", |s| s.project.as_ref().is_some_and(|p| p.runs.len() == 2) && !s.is_training());
        assert_eq!(window.session().judged_run().unwrap().val_loss.len(), 1);
        assert_eq!(window.session().judged_run().unwrap().frostline, Some(CutName::Head));

        window.go_to("Evaluate");
        window.wait("scores", |s| s.project.as_ref().is_some_and(|p| p.evaluation.is_some()));
        click_first(&mut window, "bugs, answered bugs");
        let cell = window.project().evaluation.as_ref().unwrap().cell.unwrap();
        assert_eq!(cell.0, cell.1);
        // The heading above its samples.
        assert!(window.harness.query_by_label("bugs, answered bugs").is_some());

        let picture = window.project().index.root.join("bugs/ladybug_02.jpg");
        window.go_to("Try");
        window.drop(&picture);
        window.wait("answer", |s| !s.tries.predictions.is_empty());
        let label = window.session().tries.predictions[0].answer.as_ref().unwrap().labels()[0].label.clone();
        let out = window.project().folder.join("exports/second");
        window.act(Job::SetExportPath(out.display().to_string()));
        window.go_to("Export");
        window.press("Export");
        window.wait("export", |s| s.exported.is_some());
        assert_eq!(window.session().exported.as_ref().unwrap().out, out);
        assert_eq!(predicted(&out, &[picture.as_os_str()]), label);
    });
}

fn click_first(window: &mut Window, start: &str) {
    window.actions += 1;
    window.harness.get_all_by_label_contains(start).next().unwrap().click();
    window.harness.run_steps(3);
}

#[test]
fn a_dropped_table_of_texts_is_trained_and_asked() {
    in_private_home(|| {
        let folder = tempfile::tempdir().unwrap();
        let table = folder.path().join("Meinungen über Dinge.csv");
        reviews(&table);
        let mut window = Window::open();
        window.open_data(&table);
        assert_eq!(window.project().index.classes, ["negative", "positive"]);
        assert_eq!(window.project().recipe.backbone.id, "all-MiniLM-L6-v2");
        window.go_to("Train");
        window.set_number("Epochs", "1");
        window.set_number("Batch size", "4");
        window.set_number("Learning rate", "0.01");
        window.press("Train");
        window.wait("training", |s| s.judged_run().is_some() && !s.is_training());
        window.go_to("Try");
        window.harness.get_by_role_and_label(Role::MultilineTextInput, "Text").click();
        window.harness.run_steps(3);
        window.type_text("The lamp is superb.");
        window.press("Ask");
        window.wait("answer", |s| !s.tries.predictions.is_empty() && !s.tries.waiting);
        let answer = &window.session().tries.predictions[0];
        assert_eq!(answer.input, "The lamp is superb.");
        let label = answer.answer.as_ref().unwrap().labels()[0].label.clone();
        window.go_to("Export");
        window.press("Export");
        window.wait("export", |s| s.exported.is_some());
        let out = window.session().exported.clone().unwrap().out;
        assert_eq!(predicted(&out, &["--text".as_ref(), "The lamp is superb.".as_ref()]), label);
    });
}

#[test]
fn settings_show_what_applies_and_can_be_undone() {
    in_private_home(|| {
        let mut window = Window::open();
        window.act(Open::OpenSample(SampleName::ClipArt));
        window.wait("project", |s| s.project.is_some() && s.backbone().is_some());
        window.act(Open::Go(Step::Train));
        window.click("More settings");
        let first = window.project().recipe.clone();
        let shows = |window: &Window, field: &str| window.harness.query_by_label(field).is_some();
        assert!(shows(&window, "Optimiser") && !shows(&window, "Momentum") && !shows(&window, "Batch norm"));
        window.choose("Optimiser", "SGD");
        let sgd = &window.project().recipe.training;
        assert_eq!((sgd.optimiser, sgd.learning_rate), (OptimiserChoice::of(&Sgd), 0.02));
        window.set_number("Momentum", "0.8");
        window.set_number("Gradient limit", "2.5");
        let set = window.project().recipe.clone();
        assert_eq!((set.training.momentum, set.training.clip), (0.8, 2.5));
        window.set_number("Gradient limit", "off");
        assert_eq!(window.project().recipe.training.clip, 0.0);
        for _ in 0..3 {
            window.act(Edit::Undo);
        }
        assert_eq!(window.project().recipe, first);
        assert!(!shows(&window, "Momentum"));
        window.act(Edit::Preset(Preset::LastBlock));
        window.choose("Batch norm", "Training");
        assert_eq!(window.project().recipe.training.batch_norm, BatchNormChoice::Training);
        let file = window.project().folder.join("recipe.toml");
        window.act(Open::Go(Step::Layers));
        window.wait_for_writes();
        assert_eq!(Recipe::read(&file).unwrap(), window.project().recipe);
    });
}

#[test]
fn layers_can_be_thawed_undone_and_redone() {
    in_private_home(|| {
        let mut window = Window::open();
        window.act(Open::OpenSample(SampleName::ClipArt));
        window.wait("project", |s| s.project.is_some());
        let first = window.project().recipe.clone();
        window.act(Open::Go(Step::Layers));
        window.press("Last two stages");
        let thawed = window.project().recipe.clone();
        assert_ne!(thawed.freeze, first.freeze);
        window.click("conv_stem: frozen. Freeze or thaw");
        window.act(Edit::Preset(Preset::Everything));
        for _ in 0..3 {
            window.act(Edit::Undo);
        }
        assert_eq!(window.project().recipe, first);
        window.act(Edit::Redo);
        assert_eq!(window.project().recipe, thawed);
        let file = window.project().folder.join("recipe.toml");
        window.wait_for_writes();
        assert_eq!(Recipe::read(&file).unwrap(), thawed);
        // The cuts of a drag are saved when it has ended.
        window.act(Edit::DragFrostline { cut: 2, drag: 1 });
        window.act(Edit::DragFrostline { cut: 3, drag: 1 });
        window.wait_for_writes();
        assert_eq!(Recipe::read(&file).unwrap(), window.project().recipe);
        window.act(Edit::Undo);
        window.act(Edit::Undo);
        a_drag_is_one_step(&mut window, &first);
        shift_and_ctrl(&mut window, &first);
    });
}

fn a_drag_is_one_step(window: &mut Window, first: &Recipe) {
    let line = window.harness.get_by_label("Frostline at head").rect().center();
    let row = |window: &Window, name: &str| window.harness.get_by_label_contains(&format!("{name}, ")).rect();
    let goals = ["conv_head", "blocks.5", "blocks.4", "blocks.2"].map(|name| row(window, name).center_top());
    window.harness.hover_at(line);
    window.harness.drag_at(line);
    window.harness.run_steps(1);
    let mut seen = Vec::new();
    for goal in goals {
        // Half-way points, as a hand makes them.
        window.harness.hover_at(goal + egui::vec2(0.0, 9.0));
        window.harness.hover_at(goal + egui::vec2(0.0, 1.0));
        window.harness.run_steps(2);
        seen.push(window.project().recipe.freeze.clone());
    }
    window.harness.drop_at(goals[3] + egui::vec2(0.0, 1.0));
    window.harness.run_steps(3);
    assert!(seen.windows(2).all(|w| w[0] != w[1]), "{seen:?}");
    assert!(window.harness.query_by_label_contains("Frostline at blocks.2").is_some());
    window.act(Edit::Undo);
    assert_eq!(window.project().recipe, *first);
    window.act(Edit::Redo);
    assert_eq!(window.project().recipe.freeze, seen[3]);
    window.act(Edit::Undo);
}

fn shift_and_ctrl(window: &mut Window, first: &Recipe) {
    window.harness.get_by_label_contains("blocks.3, frozen").click();
    window.harness.run_steps(3);
    let toggle = |window: &mut Window, name: &str, modifiers: Modifiers| {
        let label = format!("{name}: frozen. Freeze or thaw");
        window.harness.get_by_label(&label).click_modifiers(modifiers);
        window.harness.run_steps(3);
    };
    let states = |window: &Window| {
        let tree = &window.session().backbone().unwrap().tree;
        let mask = window.project().mask.as_ref().unwrap();
        ["blocks.2", "blocks.3", "blocks.4", "blocks.5", "blocks.6"].map(|path| mask.state(tree, path))
    };
    const FROZEN: FreezeState = FreezeState::All(LeafState::Frozen);
    const THAWED: FreezeState = FreezeState::All(LeafState::Thawed);
    toggle(window, "blocks.5", Modifiers::SHIFT);
    assert_eq!(states(window), [FROZEN, THAWED, THAWED, THAWED, FROZEN]);
    window.act(Edit::Undo);
    toggle(window, "blocks.4", Modifiers::COMMAND);
    assert_eq!(states(window), [FROZEN, FROZEN, THAWED, THAWED, THAWED]);
    window.act(Edit::Undo);
    assert_eq!(window.project().recipe, *first);
}

/// Dragging a slider or typing in a field is one step; going on in another field is another.
#[test]
fn sliders_and_fields_are_one_step_each() {
    in_private_home(|| {
        let data = tempfile::tempdir().unwrap();
        pictures(data.path());
        let mut window = Window::open();
        window.open_data(data.path());
        let first = window.project().recipe.clone();
        let split = |validation: f64, test: f64| frostline::project::recipe::SplitChoice {
            validation_fraction: validation,
            test_fraction: test,
            ..first.split
        };
        for (validation, test) in [(0.3, 0.0), (0.35, 0.0), (0.4, 0.0), (0.4, 0.1), (0.4, 0.2)] {
            window.act(Edit::SetSplit(split(validation, test)));
        }
        window.act(Edit::Undo);
        assert_eq!(window.project().recipe.split, split(0.4, 0.0));
        window.act(Edit::Undo);
        assert_eq!(window.project().recipe, first);
        // Opening the menu alone changes nothing, whatever the recipe holds.
        window.act(Edit::SetSplit(split(0.0123, 0.0)));
        window.press("Split…");
        window.harness.run_steps(5);
        assert_eq!(window.project().recipe.split, split(0.0123, 0.0));
    });
}

#[test]
fn a_run_is_paused_asked_stopped_and_resumed() {
    in_private_home(|| {
        let data = tempfile::tempdir().unwrap();
        pictures(data.path());
        let mut window = Window::open();
        window.open_data(data.path());
        window.set_training(|t| (t.epochs, t.batch_size) = (300, 1));
        window.go_to("Train");
        window.press("Train");
        let epochs = |window: &Window| window.project().runs.last().unwrap().val_loss.len();
        window.wait("epochs", |s| s.judged_run().is_some_and(|r| r.val_loss.len() > 2));
        window.press("Pause");
        // An answer is given between two batches: the worker has come to where it waits.
        window.act(Job::TryFiles(vec![data.path().join("red/1.png")]));
        window.wait("answer", |s| !s.tries.predictions.is_empty());
        assert_eq!(window.session().tries.predictions[0].answer.as_ref().unwrap().labels()[0].label, "red");
        let paused_at = epochs(&window);
        for _ in 0..40 {
            window.harness.step();
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert_eq!(epochs(&window), paused_at);
        window.press("Go on");
        window.wait("going on", |s| s.judged_run().is_some_and(|r| r.val_loss.len() > paused_at));
        // The recipe may change meanwhile; the run keeps its own.
        window.set_training(|t| t.epochs = 5);
        window.press("Stop, keep best");
        window.wait("stop", |s| !s.is_training());
        window.wait("record", |s| s.judged_run().is_some_and(|r| r.state == RunState::Stopped));
        let stopped_at = epochs(&window);
        assert!(stopped_at < 300);
        window.press("Resume");
        window.wait("resumed", |s| s.is_training());
        window.wait("training", |s| !s.is_training());
        let run = window.project().runs.last().unwrap();
        assert_eq!((run.state, run.val_loss.len(), run.name.as_str()), (RunState::Finished, 300, "0001"));
        assert!(run.val_loss.windows(2).all(|w| w[0][0] < w[1][0]));
        assert_eq!(window.project().runs.len(), 1);
    });
}

/// A pause that comes when its run has just ended must not reach the next one.
#[test]
fn a_late_pause_or_stop_does_not_reach_the_next_run() {
    in_private_home(|| {
        let data = tempfile::tempdir().unwrap();
        pictures(data.path());
        let mut window = Window::open();
        window.open_data(data.path());
        window.set_training(|t| t.epochs = 1);
        window.act(Job::Train);
        let job = window.session().job.clone().unwrap();
        // The training begins when its recipe is written; from then on the window does not look.
        let project = window.project().folder.clone();
        window.wait("the beginning", |_| project.join("runs/0001").exists());
        let (record, began) = (project.join("runs/0001/run.json"), std::time::Instant::now());
        while !std::fs::read_to_string(&record).is_ok_and(|text| text.contains("\"finished\"")) {
            assert!(began.elapsed() < std::time::Duration::from_secs(120), "the run does not end");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        window.harness.state_mut().session_mut().job = Some(job);
        window.act(Job::Pause(true));
        window.wait("training", |s| !s.is_training());
        window.train();
        assert_eq!(window.project().runs.len(), 2);
    });
}

/// An export is opened by dropping its folder, with a project and without, and answers as the run did.
#[test]
fn an_export_is_asked_without_its_project() {
    in_private_home(|| {
        let data = tempfile::tempdir().unwrap();
        pictures(data.path());
        let mut window = Window::open();
        window.open_data(data.path());
        window.set_training(|t| t.epochs = 1);
        window.train();
        window.go_to("Export");
        window.press("Export");
        window.wait("export", |s| s.exported.is_some());
        let out = window.session().exported.as_ref().unwrap().out.clone();
        let picture = data.path().join("red/3.png");
        let ask = |window: &mut Window| {
            window.drop(&picture);
            window.wait("an answer", |s| !s.tries.waiting && !s.tries.predictions.is_empty());
            window.session().tries.predictions[0].answer.clone().unwrap()
        };
        window.go_to("Try");
        let of_run = ask(&mut window);
        window.drop(&out);
        window.wait("the export", |s| s.tries.export.is_some());
        assert_eq!(window.session().tries.export.as_ref().map(|e| e.labels), Some(2));
        assert_eq!(ask(&mut window), of_run);
        window.press("Ask the chosen run");
        assert!(window.session().tries.export.is_none());
        window.act(Open::CloseProject);
        window.drop(&out);
        window.wait("the export", |s| s.tries.export.is_some());
        assert!(window.session().project.is_none());
        assert_eq!(window.session().step, Step::Try);
        assert_eq!(ask(&mut window), of_run);
        window.press("Close the export");
        assert!(window.harness.query_by_label_contains("Drop a folder of images").is_some());
    });
}

#[test]
fn keys_alone_do_the_whole_job() {
    in_private_home(|| {
        let mut window = Window::open();
        let ctrl = Modifiers::COMMAND;
        tab_to(&mut window, "Open Clip art");
        window.key(Modifiers::NONE, Key::Enter);
        window.wait("project", |s| s.project.is_some());
        window.key(ctrl, Key::Num3);
        assert_eq!(window.session().step, Step::Layers);
        let first = window.project().recipe.clone();
        tab_to(&mut window, "Frostline at head");
        window.key(Modifiers::NONE, Key::ArrowUp);
        assert_ne!(window.project().recipe, first);
        window.key(Modifiers::NONE, Key::ArrowUp);
        window.key(Modifiers::NONE, Key::ArrowDown);
        for _ in 0..3 {
            window.key(ctrl, Key::Z);
        }
        assert_eq!(window.project().recipe, first);
        tab_to(&mut window, "conv_head: frozen. Freeze or thaw");
        window.key(Modifiers::NONE, Key::Space);
        assert_eq!(window.project().recipe.freeze.thaw, ["conv_head"]);
        window.key(ctrl, Key::Z);
        assert_eq!(window.project().recipe, first);

        window.key(ctrl, Key::Num4);
        tab_to(&mut window, "Epochs");
        window.key(ctrl, Key::A);
        window.type_text("2");
        window.key(Modifiers::NONE, Key::Enter);
        assert_eq!(window.project().recipe.training.epochs, 2);
        window.key(ctrl, Key::Enter);
        window.wait("training", |s| s.judged_run().is_some() && !s.is_training());
        window.key(ctrl, Key::Num5);
        window.wait("scores", |s| s.project.as_ref().is_some_and(|p| p.evaluation.is_some()));
        tab_to(&mut window, "bugs, answered bugs");
        window.key(Modifiers::NONE, Key::Space);
        assert!(window.project().evaluation.as_ref().unwrap().cell.is_some());
        // The palette: type, choose with the arrows.
        window.key(ctrl, Key::K);
        window.type_text("go to");
        for _ in 0..6 {
            window.key(Modifiers::NONE, Key::ArrowDown);
        }
        window.key(Modifiers::NONE, Key::Enter);
        assert_eq!(window.session().step, Step::Export);
        assert!(!window.session().palette_open);
        window.key(ctrl, Key::S);
        window.wait("export", |s| s.exported.is_some());
    });
}

/// Presses Tab until the focus stands on what is called so.
fn tab_to(window: &mut Window, name: &str) {
    let mut seen = Vec::new();
    for _ in 0..150 {
        window.key(Modifiers::NONE, Key::Tab);
        let root = window.harness.root();
        let focused = root.children_recursive().find(|n| n.is_focused());
        let label = focused.and_then(|n| n.accesskit_node().label()).unwrap_or_default();
        if label.contains(name) {
            return;
        }
        seen.push(label);
    }
    panic!("{name:?} is not reached with Tab: {seen:#?}");
}

/// Where the system has no file dialog, a path is typed; keys reach every part of that.
#[test]
fn a_typed_path_opens_data() {
    in_private_home(|| {
        let data = tempfile::tempdir().unwrap();
        pictures(data.path());
        let mut window = Window::open();
        window.key(Modifiers::COMMAND, Key::O);
        assert!(window.harness.query_by_role_and_label(Role::TextInput, "Path").is_some());
        window.type_text(&data.path().display().to_string());
        tab_to(&mut window, "Cancel");
        window.key(Modifiers::NONE, Key::Space);
        assert!(window.harness.query_by_role_and_label(Role::TextInput, "Path").is_none());
        window.key(Modifiers::COMMAND, Key::O);
        window.type_text(&data.path().display().to_string());
        window.key(Modifiers::NONE, Key::Enter);
        window.wait("project", |s| s.project.is_some());
    });
}

#[test]
fn the_next_start_shows_what_was_left() {
    in_private_home(|| {
        let data = tempfile::tempdir().unwrap();
        pictures(data.path());
        let mut window = Window::open();
        window.open_data(data.path());
        window.set_training(|t| t.epochs = 2);
        window.train();
        window.act(View::FilterClass(Some(1)));
        window.act(Edit::Preset(Preset::LastBlock));
        window.act(Open::Go(Step::Layers));
        window.act(View::SelectLayer(Some("conv_stem".to_string())));
        window.act(View::ExpandLayer { path: "blocks.2".to_string(), open: true });
        window.act(View::ToggleInspector);
        let (folder, recipe) = (window.project().folder.clone(), window.project().recipe.clone());
        drop(window);

        let mut window = Window::open();
        window
            .wait("project", |s| s.project.as_ref().is_some_and(|p| !p.runs.is_empty() && p.mask.is_some()));
        let project = window.project();
        assert_eq!((&project.folder, &project.recipe), (&folder, &recipe));
        assert_eq!((window.session().step, project.data.class), (Step::Layers, Some(1)));
        assert_eq!(project.data.visible.len(), 8);
        assert_eq!(project.layers.selected.as_deref(), Some("conv_stem"));
        assert!(project.layers.expanded.contains("blocks.2"));
        assert!(!window.session().remembered.inspector_open);
        assert_eq!(project.runs[0].state, RunState::Finished);
        // A closed project stays closed, and stands first on the start screen.
        window.act(Open::CloseProject);
        drop(window);
        let mut window = Window::open();
        assert!(window.session().project.is_none());
        assert_eq!(window.session().remembered.recent[0].folder, folder);
        click_first(&mut window, "2 classes");
        window.wait("project", |s| s.project.is_some());
        assert_eq!(window.project().recipe, recipe);
    });
}

/// Data that is dropped while the window is still looking for backbones.
#[test]
fn a_drop_in_the_first_frame_is_not_lost() {
    in_private_home(|| {
        let data = tempfile::tempdir().unwrap();
        pictures(data.path());
        let slow: frostline::worker::StandIn = std::sync::Arc::new(|command, _| {
            if matches!(command, Command::Aside(Aside::ListBackbones)) {
                std::thread::sleep(std::time::Duration::from_millis(700));
            }
            None
        });
        let mut window = Window::open_at_once(slow);
        window.drop(data.path());
        window.wait("project", |s| s.project.is_some());
        assert!(window.session().toasts.is_empty(), "{:?}", window.session().toasts);
    });
}

/// A project that the command line made and trained, and the other way round.
#[test]
fn projects_of_the_command_line_open() {
    in_private_home(|| {
        let folder = tempfile::tempdir().unwrap();
        let (data, project) = (folder.path().join("data"), folder.path().join("project"));
        pictures(&data);
        let run = |arguments: &[&str], paths: &[(&str, &PathBuf)]| {
            let mut all: Vec<&std::ffi::OsStr> = arguments.iter().map(|a| (*a).as_ref()).collect();
            for (name, path) in paths {
                all.extend(Some(name.as_ref()).filter(|n: &&std::ffi::OsStr| !n.is_empty()));
                all.push(path.as_os_str());
            }
            let answer = crate::harness::command_line(&all);
            assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
        };
        let new = ["new", "--backbone", "mobilenetv2_100", "--epochs", "2", "--thaw", "conv_head"];
        run(&new, &[("--data", &data), ("--out", &project)]);
        run(&["train"], &[("", &project)]);
        let mut window = Window::open();
        window.open_data(&project);
        window.wait("runs", |s| s.judged_run().is_some());
        assert_eq!(window.project().recipe.freeze.thaw, ["conv_head"]);
        window.set_training(|t| t.epochs = 3);
        window.wait_for_writes();
        run(&["train"], &[("", &project)]);
        // What the window shows is what it trains, whatever became of the file meanwhile.
        let shown = window.project().recipe.clone();
        let file = project.join("recipe.toml");
        let text = std::fs::read_to_string(&file).unwrap().replace("epochs = 3", "epochs = 7");
        std::fs::write(&file, text).unwrap();
        window.act(Job::Train);
        window.wait("training", |s| !s.is_training());
        window.wait("runs", |s| s.project.as_ref().is_some_and(|p| p.runs.len() == 3));
        let trained = Recipe::read(&project.join("runs/0003/recipe.toml")).unwrap();
        assert_eq!(trained, shown);
        assert_eq!(window.project().runs[2].val_loss.len(), 3);
        assert_eq!(window.project().selected_run.as_deref(), Some("0003"));
    });
}
