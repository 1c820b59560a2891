//! What an unlucky or hostile user does: words that help, and nothing is lost.

use crate::harness::{Window, command_line, in_private_home, pictures};
use eframe::egui::{self, Key, Modifiers, accesskit::Role};
use egui_kittest::kittest::Queryable;
use frostline::project::{Project, RunState};
use frostline::session::{Action, Edit, Job, Open, SampleName, Session, Step};
use frostline::worker::{Aside, Command, Long, Outcome, Short, StandIn};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A window with an open project on two classes of pictures.
fn opened(data: &Path, stand_in: StandIn) -> Window {
    pictures(data);
    let mut window = Window::open_with(stand_in);
    window.open_data(data);
    window
}

fn real() -> StandIn {
    Arc::new(|_, _| None)
}

/// Starts a run that is far from its end, and waits for its first epochs.
fn begin_long_run(window: &mut Window) {
    window.set_training(|t| (t.epochs, t.batch_size) = (5000, 1));
    window.act(Job::Train);
    window.wait("epochs", |s| s.judged_run().is_some_and(|r| r.val_loss.len() > 1));
}

fn stop(window: &mut Window) {
    window.act(Job::Stop);
    window.wait("stop", |s| !s.is_training());
    window.wait("record", |s| s.judged_run().is_some_and(|r| r.state == RunState::Stopped));
}

#[test]
fn what_is_no_data_is_answered_with_a_remedy() {
    in_private_home(|| {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let file = |name: &str, text: &str| {
            std::fs::create_dir_all(place(name).parent().unwrap()).unwrap();
            std::fs::write(place(name), text).unwrap();
        };
        file("notes.md", "# notes");
        file("one column.csv", "text\na\nb\nc\n");
        file("empty.csv", "");
        file("zero/a/0.png", "");
        file("zero/b/0.png", "");
        std::fs::create_dir(place("nothing")).unwrap();
        pictures(&place("alone"));
        std::fs::remove_dir_all(place("alone/blue")).unwrap();
        let mut window = Window::open();
        for name in ["notes.md", "one column.csv", "empty.csv", "zero", "nothing", "alone", "no such place"] {
            window.drop(&place(name));
            if name == "one column.csv" {
                // A table is asked about instead.
                let asks = |s: &Session| s.reading.as_ref().is_some_and(|view| view.glance.is_some());
                window.wait("question", move |s| asks(s) && s.job.is_none());
                window.press("Cancel");
                continue;
            }
            let path = place(name).display().to_string();
            window.expect_message("Nothing was opened", &["Try:", &path]);
            assert!(window.session().project.is_none() && window.session().job.is_none());
            window.dismiss();
        }
        // Good data after all that.
        pictures(&place("alone"));
        window.open_data(&place("alone"));
        assert!(!place("alone/recipe.toml").exists());
    });
}

/// An open project stays open where the next drop is no data.
#[test]
fn a_bad_drop_leaves_the_open_project_alone() {
    in_private_home(|| {
        let data = tempfile::tempdir().unwrap();
        let mut window = opened(data.path(), real());
        let folder = window.project().folder.clone();
        window.drop(&data.path().join("red/0.png"));
        window.expect_message("Nothing was opened", &["Try:", "0.png"]);
        assert_eq!(window.project().folder, folder);
        window.dismiss();
        let more = [data.path().join("red"), data.path().join("blue")];
        window.drop_all(&[&more[0], &more[1]]);
        window.expect_message("One thing at a time", &["red"]);
        window.wait("scan", |s| s.job.is_none());
        assert_eq!(window.project().folder, folder);
    });
}

#[test]
fn what_is_dropped_while_training_waits_its_turn() {
    in_private_home(|| {
        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join("other");
        pictures(&other);
        let mut window = opened(&folder.path().join("data"), real());
        let project = window.project().folder.clone();
        begin_long_run(&mut window);
        window.drop(&other);
        window.expect_message("A run is being trained", &["Stop the run first"]);
        window.go_to("Evaluate");
        window.drop(&other);
        window.expect_message("Evaluate", &["A run is being trained", "Stop it first"]);
        // The question and the export have their own turn; the job bar still speaks of the run.
        window.act(Job::Export);
        window.expect_message("Export", &["A run is being trained"]);
        assert!(window.session().job.as_ref().unwrap().can_pause);
        window.go_to("Try");
        window.drop(&other.join("red/1.png"));
        window.wait("answer", |s| s.tries.predictions.len() == 1);
        let label = window.session().tries.predictions[0].answer.as_ref().unwrap().labels()[0].label.clone();
        assert_eq!(label, "red");
        window.drop(&folder.path().join("no such.png"));
        window.wait("answer", |s| s.tries.predictions.first().is_some_and(|p| p.error.is_some()));
        let epochs = window.session().judged_run().unwrap().val_loss.len();
        window.wait("the run", |s| s.judged_run().unwrap().val_loss.len() > epochs);
        assert_eq!(window.project().folder, project);
        stop(&mut window);
        window.go_to("Data");
        window.open_data(&other);
        assert_ne!(window.project().folder, project);
    });
}

#[test]
fn data_deleted_while_open_is_named_and_may_come_back() {
    in_private_home(|| {
        let folder = tempfile::tempdir().unwrap();
        let (data, hidden) = (folder.path().join("my data"), folder.path().join("hidden"));
        let mut window = opened(&data, real());
        window.set_training(|t| t.epochs = 2);
        window.train();
        std::fs::rename(&data, &hidden).unwrap();
        window.act(Job::Train);
        window.expect_message("The run failed", &["my data", "Try:", "put it back"]);
        assert!(!window.session().is_training());
        window.wait("runs", |s| s.project.as_ref().is_some_and(|p| p.runs.len() == 1));
        window.dismiss();
        window.act(Job::Evaluate(frostline::worker::EvaluateOn::Validation));
        window.expect_message("Nothing was evaluated", &["my data", "Try:"]);
        window.dismiss();
        // What needs no data still works.
        window.act(Job::Export);
        window.wait("export", |s| s.exported.is_some());
        // Every screen can be looked at.
        for step in Step::ALL {
            window.act(Open::Go(step));
        }
        // A start without the data says so and loses nothing; with it all is there again.
        let project = window.project().folder.clone();
        drop(window);
        let mut window = Window::open();
        window.expect_message("Nothing was opened", &["my data", "Try:"]);
        assert!(window.session().remembered.recent.iter().any(|r| r.folder == project));
        std::fs::rename(&hidden, &data).unwrap();
        window.open_data(&project);
        window.wait("runs", |s| s.judged_run().is_some());
        window.train();
        assert_eq!(window.project().runs.len(), 2);
    });
}

#[test]
fn a_project_deleted_while_open_is_said_once() {
    in_private_home(|| {
        let data = tempfile::tempdir().unwrap();
        let mut window = opened(data.path(), real());
        let folder = window.project().folder.clone();
        std::fs::remove_dir_all(&folder).unwrap();
        let name = folder.display().to_string();
        window.set_training(|t| t.epochs = 3);
        window.expect_message("The recipe was not saved", &[&name, "does not exist", "Try:"]);
        window.act(Job::Train);
        window.expect_message("The run was not started", &[&name, "Try:"]);
        assert!(!window.session().is_training());
        window.act(Job::Resume);
        // One answer to one question: the window does not go on asking.
        for _ in 0..50 {
            window.harness.step();
        }
        let lines = window.session().log.len();
        for _ in 0..50 {
            window.harness.step();
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        assert_eq!(window.session().log.len(), lines, "{:#?}", window.session().log);
        // The data is still there: a new project of it works.
        window.dismiss();
        window.act(Open::CloseProject);
        window.open_data(data.path());
        window.set_training(|t| t.epochs = 1);
        window.train();
    });
}

#[test]
fn a_project_that_another_program_trains_is_locked() {
    in_private_home(|| {
        let data = tempfile::tempdir().unwrap();
        let mut window = opened(data.path(), real());
        let folder = window.project().folder.clone();
        begin_long_run(&mut window);
        // A second window and the command line want to train the same project.
        let mut second = Window::open();
        second.wait("project", |s| s.project.as_ref().is_some_and(|p| !p.runs.is_empty()));
        assert_eq!(second.project().folder, folder);
        second.act(Job::Train);
        second.expect_message("The run failed", &["in use", "another program is training it", "Try: wait"]);
        let answer = command_line(&["train".as_ref(), folder.as_os_str()]);
        assert!(!answer.status.success());
        assert!(String::from_utf8_lossy(&answer.stderr).contains("in use"));
        // Looking is free.
        second.wait("runs", |s| s.judged_run().is_some());
        stop(&mut window);
        second.act(Job::Export);
        second.wait("export", |s| s.exported.is_some());
        drop(window);
        second.dismiss();
        second.act(Job::Resume);
        second.wait("epochs", |s| s.judged_run().is_some_and(|r| r.state == RunState::Running));
        stop(&mut second);
        assert_eq!(Project::open(&folder).unwrap().runs().len(), 1);
    });
}

/// The window is closed in mid-run: it asks, and what was computed goes on elsewhere.
#[test]
fn a_window_closed_in_mid_run_loses_nothing() {
    in_private_home(|| {
        let data = tempfile::tempdir().unwrap();
        let mut window = opened(data.path(), real());
        let folder = window.project().folder.clone();
        begin_long_run(&mut window);
        window.key(Modifiers::COMMAND, Key::Q);
        assert!(window.session().asks_to_quit);
        window.press("Stay");
        assert!(!window.session().asks_to_quit && window.session().is_training());
        close(&mut window);
        assert!(window.session().asks_to_quit, "the close button asks, too");
        window.key(Modifiers::NONE, Key::Escape);
        assert!(!window.session().asks_to_quit && window.session().is_training());
        close(&mut window);
        window.press("Stop and quit");
        drop(window);
        let record = Project::open(&folder).unwrap().run(Some("0001")).unwrap().record().unwrap();
        assert_eq!(record.state, RunState::Stopped, "the worker ended its batch and wrote it down");

        let mut window = Window::open();
        window.wait("runs", |s| s.judged_run().is_some());
        let epochs = window.session().judged_run().unwrap().val_loss.len();
        assert!(epochs > 1);
        window.act(Open::Go(Step::Train));
        window.press("Resume");
        window.wait("going on", |s| s.judged_run().is_some_and(|r| r.val_loss.len() > epochs + 1));
        stop(&mut window);
        drop(window);
        shorten(&folder);
        let answer = command_line(&["train".as_ref(), "--resume".as_ref(), folder.as_os_str()]);
        assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
        assert_eq!(Project::open(&folder).unwrap().runs().len(), 1);
    });
}

/// What the window's frame does when its close button is clicked.
fn close(window: &mut Window) {
    let input = window.harness.input_mut();
    let id = input.viewport_id;
    input.viewports.entry(id).or_default().events.push(egui::ViewportEvent::Close);
    window.harness.run_steps(3);
}

/// Brings the end of an unfinished run near, so that a test need not wait for it.
fn shorten(project: &Path) {
    let run = Project::open(project).unwrap().run(Some("0001")).unwrap();
    let text = std::fs::read_to_string(run.recipe_path()).unwrap();
    let epochs = format!("epochs = {}", run.record().unwrap().epochs.len() + 2);
    std::fs::write(run.recipe_path(), text.replace("epochs = 5000", &epochs)).unwrap();
}

/// A panic of the worker ends its job with words; the next command works.
#[test]
fn panics_of_the_worker_are_said() {
    in_private_home(|| {
        let data = tempfile::tempdir().unwrap();
        let armed = Arc::new(AtomicBool::new(false));
        let fuse = Arc::clone(&armed);
        let mut window = opened(
            data.path(),
            Arc::new(move |command, _| {
                // What the window asks for by itself is left alone.
                let is_meant = matches!(
                    command,
                    Command::Long(Long::Train { .. })
                        | Command::Long(Long::Evaluate { .. })
                        | Command::Short(Short::Try { .. })
                        | Command::Long(Long::Export { .. })
                        | Command::Aside(Aside::Open { .. })
                );
                assert!(!(is_meant && fuse.swap(false, Ordering::SeqCst)), "index 7 is out of bounds");
                None
            }),
        );
        window.set_training(|t| t.epochs = 2);
        let broken = |window: &mut Window, title: &str, action: Action| {
            armed.store(true, Ordering::SeqCst);
            window.act(action);
            window.expect_message(title, &["fault of the program", "index 7 is out of bounds", "Try:"]);
            assert!(window.session().job.is_none() && !window.session().is_training());
            assert!(!window.session().tries.waiting);
            window.dismiss();
        };
        broken(&mut window, "The run failed", Job::Train.into());
        window.wait("runs", |s| s.project.as_ref().is_some_and(|p| p.runs.is_empty()));
        window.train();
        let evaluate: Action = Job::Evaluate(frostline::worker::EvaluateOn::Validation).into();
        broken(&mut window, "Nothing was evaluated", evaluate.clone());
        window.act(evaluate);
        window.wait("scores", |s| s.project.as_ref().is_some_and(|p| p.evaluation.is_some()));
        let picture = vec![data.path().join("red/0.png")];
        broken(&mut window, "There is no answer", Job::TryFiles(picture.clone()).into());
        window.act(Job::TryFiles(picture));
        window.wait("answer", |s| !s.tries.predictions.is_empty());
        broken(&mut window, "Nothing was exported", Job::Export.into());
        window.act(Job::Export);
        window.wait("export", |s| s.exported.is_some());
        let folder = window.project().folder.clone();
        broken(&mut window, "Nothing was opened", Open::OpenPath(data.path().to_path_buf()).into());
        assert_eq!(window.project().folder, folder);
        window.act(Open::OpenPath(data.path().to_path_buf()));
        window.expect_message("This data is known", &["Its project was opened"]);
    });
}

/// More questions than the worker's queue holds: refused with words, and nothing is waited for in vain.
#[test]
fn a_full_queue_is_said() {
    in_private_home(|| {
        let data = tempfile::tempdir().unwrap();
        let held = Arc::new(AtomicBool::new(false));
        let hold = Arc::clone(&held);
        let mut window = opened(
            data.path(),
            Arc::new(move |command, _| {
                if !matches!(command, Command::Short(Short::Try { .. })) {
                    return None;
                }
                while hold.load(Ordering::SeqCst) {
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
                Some(Ok(Outcome::Tried { predictions: Vec::new() }))
            }),
        );
        window.set_training(|t| t.epochs = 1);
        window.train();
        held.store(true, Ordering::SeqCst);
        for _ in 0..80 {
            window.act(Job::TryFiles(vec![data.path().join("red/0.png")]));
        }
        window.expect_message("There is no answer", &["not taken", "Try: wait"]);
        held.store(false, Ordering::SeqCst);
        window.wait("answers", |s| !s.tries.waiting);
        window.train();
    });
}

/// An answer that comes late belongs to the project that asked.
#[test]
fn answers_stay_with_their_project() {
    in_private_home(|| {
        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join("other");
        pictures(&other);
        let held = Arc::new(AtomicBool::new(false));
        let hold = Arc::clone(&held);
        let mut window = opened(
            &folder.path().join("data"),
            Arc::new(move |command, _| {
                let is_held = matches!(
                    command,
                    Command::Long(Long::Evaluate { .. }) | Command::Long(Long::Export { .. })
                );
                while is_held && hold.load(Ordering::SeqCst) {
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
                None
            }),
        );
        window.set_training(|t| t.epochs = 1);
        window.train();
        held.store(true, Ordering::SeqCst);
        window.act(Job::Evaluate(frostline::worker::EvaluateOn::Validation));
        window.act(Job::Export);
        window.open_data(&other);
        held.store(false, Ordering::SeqCst);
        window.train();
        assert!(window.project().evaluation.is_none() && window.session().exported.is_none());
        // Data that is still being read when a run begins is not opened under the run's feet.
        let runs = window.project().runs.len();
        window.act(Open::OpenSample(SampleName::ClipArt));
        window.act(Job::Train);
        window.wait("training", |s| !s.is_training());
        window.wait("runs", |s| s.project.as_ref().is_some_and(|p| p.runs.len() > runs));
        assert_eq!(window.project().index.classes.len(), 2);
    });
}

/// A folder without end can be left: the scan stops.
#[test]
fn a_scan_can_be_stopped() {
    in_private_home(|| {
        let data = tempfile::tempdir().unwrap();
        pictures(data.path());
        let endless: StandIn = Arc::new(|command, control| {
            while matches!(command, Command::Aside(Aside::Open { .. })) && !control.stop_requested() {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            None
        });
        let mut window = Window::open_with(endless);
        window.drop(data.path());
        window.click("Stop");
        window.wait("stop", |s| s.job.is_none());
        window.expect_message("Stopped", &["nothing was changed"]);
        assert!(window.session().project.is_none());
    });
}

#[test]
fn nonsense_in_fields_is_refused_in_place() {
    in_private_home(|| {
        let data = tempfile::tempdir().unwrap();
        let mut window = opened(data.path(), real());
        let first = window.project().recipe.clone();
        window.act(Open::Go(Step::Train));
        for (field, value) in [
            ("Epochs", "-5"),
            ("Epochs", "99999999999999999999"),
            ("Epochs", "many"),
            ("Learning rate", "nan"),
            ("Learning rate", "inf"),
            ("Learning rate", "-1"),
            ("Batch size", "0"),
        ] {
            window.set_number(field, value);
            window.project().recipe.check().unwrap();
        }
        while window.session().why_not(&Edit::Undo).is_none() {
            window.act(Edit::Undo);
        }
        assert_eq!(window.project().recipe, first);
        // What can be set only from outside is refused by name, and is not trained.
        window.act(Open::Go(Step::Data));
        window.set_training(|t| t.learning_rate = -1.0);
        window.act(Job::Train);
        window.expect_message("The recipe cannot be used", &["learning_rate"]);
        assert!(!window.session().is_training());
        window.act(Edit::Undo);
        window.set_training(|t| t.epochs = 1);
        window.train();
        for path in ["", "   "] {
            window.act(Job::SetExportPath(path.to_string()));
            window.act(Job::Export);
            window.expect_message("Nothing was exported", &["no folder", "Try:"]);
            window.dismiss();
        }
        window.act(Job::SetExportPath(data.path().display().to_string()));
        window.act(Job::Export);
        window
            .expect_message("Nothing was exported", &["something of this name", "Try: choose a new folder"]);
        assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 2);
    });
}

/// A field takes back its own typing; the recipe stays.
#[test]
fn undo_in_a_text_field_is_the_fields() {
    in_private_home(|| {
        let data = tempfile::tempdir().unwrap();
        let mut window = opened(data.path(), real());
        window.act(Edit::Preset(frostline::session::Preset::Everything));
        window.act(Open::Go(Step::Layers));
        window.harness.get_by_role_and_label(Role::TextInput, "Find a layer").click();
        window.harness.run_steps(3);
        window.type_text("conv");
        assert_eq!(window.project().layers.search, "conv");
        let thawed = window.project().recipe.clone();
        window.key(Modifiers::COMMAND, Key::Z);
        assert_eq!(window.project().recipe, thawed);
    });
}

/// A memory that is damaged, or of an older program, is no obstacle.
#[test]
fn a_damaged_memory_is_no_obstacle() {
    in_private_home(|| {
        let home = PathBuf::from(std::env::var_os("FROSTLINE_HOME").unwrap());
        std::fs::create_dir_all(&home).unwrap();
        for text in ["", "{", "[]", "{\"version\": 1, \"theme\": \"Dark\"}"] {
            std::fs::write(home.join("window.json"), text).unwrap();
            drop(Window::open());
        }
        let older = "{\"version\":1,\"theme\":\"Dark\",\"inspector_open\":false,\"last_project\":\"/no/such\",\"recent\":[]}";
        std::fs::write(home.join("window.json"), older).unwrap();
        let window = Window::open();
        assert_eq!(window.session().remembered.theme, frostline::session::ThemeChoice::Dark);
        assert!(!window.session().remembered.inspector_open);
    });
}

/// A small disk in memory, in a mount namespace of this test's own.
#[cfg(target_os = "linux")]
mod disk {
    use super::*;
    use std::process::Command;

    /// Runs the test called `name` once more where it may mount what it likes; true inside of it.
    fn in_own_mounts(name: &str) -> bool {
        const INSIDE: &str = "FROSTLINE_TEST_IN_OWN_MOUNTS";
        if std::env::var_os(INSIDE).is_some() {
            return true;
        }
        // As root, else in a user namespace.
        for flags in ["-m", "-rm"] {
            let script = "mount -t tmpfs none /tmp && mount -t tmpfs -o remount,size=1m none /tmp";
            let probe = Command::new("unshare").args([flags, "sh", "-c", script]).output();
            if !probe.is_ok_and(|output| output.status.success()) {
                continue;
            }
            let inside = Command::new("unshare")
                .arg(flags)
                .arg(std::env::current_exe().unwrap())
                .args([name, "--exact", "--nocapture"])
                .env(INSIDE, "1")
                .output()
                .unwrap();
            let told = [inside.stdout, inside.stderr].concat();
            assert!(inside.status.success(), "{}", String::from_utf8_lossy(&told));
            return false;
        }
        eprintln!("{name} is left out: this user may not mount");
        false
    }

    fn mount(disk: &Path, options: &str) {
        let arguments = ["-t", "tmpfs", "-o", options, "none"].map(OsStr::new);
        let done = Command::new("mount").args(arguments).arg(disk).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }

    #[test]
    fn a_full_disk_loses_nothing() {
        if !in_own_mounts("hostile::disk::a_full_disk_loses_nothing") {
            return;
        }
        in_private_home(|| {
            let folder = tempfile::tempdir().unwrap();
            let (data, disk) = (folder.path().join("data"), folder.path().join("disk"));
            std::fs::create_dir(&disk).unwrap();
            mount(&disk, "size=64m");
            let mut window = opened(&data, real());
            // The project on the small disk, the window's memory elsewhere.
            let project = disk.join("project");
            std::fs::create_dir(&project).unwrap();
            let recipe = frostline::project::Recipe {
                data: frostline::project::recipe::DataChoice {
                    path: data.clone(),
                    ..window.project().recipe.data.clone()
                },
                ..window.project().recipe.clone()
            };
            std::fs::write(project.join("recipe.toml"), recipe.to_toml().unwrap()).unwrap();
            window.open_data(&project);
            window.set_training(|t| t.epochs = 2);
            window.train();
            window.act(Edit::Preset(frostline::session::Preset::LastBlock));

            mount(&disk, "remount,size=200k");
            window.act(Job::Train);
            window.expect_message("The run failed", &["the disk is full", "Try: free some space"]);
            window.dismiss();
            window.act(Job::Export);
            window.expect_message("Nothing was exported", &["the disk is full", "Try: free some space"]);
            window.dismiss();
            std::fs::write(disk.join("ballast"), vec![1; 400_000]).unwrap_err();
            window.set_training(|t| t.epochs = 4);
            window.expect_message("The recipe was not saved", &["the disk is full"]);
            assert_eq!(window.project().recipe.training.epochs, 4);
            window.act(Job::Train);
            window.expect_message("The run was not started", &["the disk is full"]);
            drop(window);

            // Room again: the project opens with its first run, and everything goes on.
            mount(&disk, "remount,size=128m");
            std::fs::remove_file(disk.join("ballast")).unwrap();
            let mut window = Window::open();
            window.wait("runs", |s| s.judged_run().is_some());
            assert_eq!(window.project().folder, project);
            assert_eq!(window.session().judged_run().unwrap().name, "0001");
            window.set_training(|t| t.epochs = 2);
            window.train();
            window.act(Job::Export);
            window.wait("export", |s| s.exported.is_some());
            let leftovers = std::fs::read_dir(project.join("exports")).unwrap().count();
            assert_eq!(leftovers, 1);
            drop(window);
            Command::new("umount").arg(&disk).output().unwrap();
        });
    }
}
