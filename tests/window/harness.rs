//! A window without a display, and what a test does with it.

use eframe::egui::{self, accesskit::Role};
use egui_kittest::kittest::Queryable;
use egui_kittest::{Harness, HarnessBuilder};
use frostline::gui::App;
use frostline::project::recipe::TrainingChoice;
use frostline::project::{Machine, RunState};
use frostline::session::{Action, Edit, Job, OpenProject, Session, View};
use frostline::worker::StandIn;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Runs a test in a process of its own with a private home, since the window keeps things there.
pub fn in_private_home<F: FnOnce()>(test: F) {
    if std::env::var_os("FROSTLINE_WINDOW_TEST").is_some() {
        return test();
    }
    // `window::flows::name_of_the_test::{{closure}}`
    let closure = std::any::type_name::<F>();
    let name = closure.split_once("::").unwrap().1.trim_end_matches("::{{closure}}");
    let home = tempfile::tempdir().unwrap();
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env("FROSTLINE_HOME", home.path())
        .env("HF_HOME", home.path().join("hf"))
        // Whatever is clicked, no test asks the network.
        .env("HF_HUB_OFFLINE", "1")
        .env("FROSTLINE_WINDOW_TEST", "1")
        // Without the session bus and zenity the window asks for paths itself.
        .env_remove("DBUS_SESSION_BUS_ADDRESS")
        .env("PATH", path_without("zenity"))
        .spawn()
        .unwrap();
    let began = Instant::now();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if began.elapsed() < LONGEST_TEST => std::thread::sleep(Duration::from_millis(20)),
            None => {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("{name} did not end within {LONGEST_TEST:?}; its words stand above");
            }
        }
    };
    assert!(status.success(), "{name} failed; its words stand above");
}

/// A test that waits for what never comes fails instead of keeping all others waiting; the longest takes seconds.
const LONGEST_TEST: Duration = Duration::from_secs(600);

/// `$PATH` without the folders that hold `program`.
fn path_without(program: &str) -> std::ffi::OsString {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::env::split_paths(&paths).filter(|p| !p.join(program).exists())).unwrap()
}

#[derive(Debug)]
struct Dropped(std::path::PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|e| e.to_string())
    }
}

pub struct Window {
    pub harness: Harness<'static, App>,
    /// What a person did so far: clicks, drops, shortcuts.
    pub actions: usize,
}

impl Window {
    pub fn open() -> Self {
        Self::open_with(Arc::new(|_, _| None))
    }

    /// A window whose worker asks `stand_in` first.
    pub fn open_with(stand_in: StandIn) -> Self {
        let mut window = Self::open_at_once(stand_in);
        window.wait("backbones", |s| !s.backbones.is_empty());
        window
    }

    /// A window as it is in its first frame.
    pub fn open_at_once(stand_in: StandIn) -> Self {
        Self::build(Harness::builder().with_size(egui::vec2(1280.0, 800.0)), Machine::cpu(), stand_in)
    }

    /// A window of the builder's size and looks.
    pub fn build(builder: HarnessBuilder<App>, machine: Machine, stand_in: StandIn) -> Self {
        let harness = builder
            .with_max_steps(40)
            .build_eframe(|context| App::with_stand_in(&context.egui_ctx, machine, stand_in).unwrap());
        Self { harness, actions: 0 }
    }

    pub fn session(&self) -> &Session {
        self.harness.state().session()
    }

    /// Draws until `done` holds.
    pub fn wait(&mut self, what: &str, done: impl Fn(&Session) -> bool) {
        let began = Instant::now();
        while !done(self.session()) {
            let log = &self.session().log;
            assert!(began.elapsed() < Duration::from_secs(120), "waiting for: {what}; log: {log:#?}");
            self.harness.step();
            std::thread::sleep(Duration::from_millis(5));
        }
        self.harness.run_steps(3);
    }

    pub fn click(&mut self, label: &str) {
        self.actions += 1;
        self.harness.get_by_label(label).click();
        self.harness.run_steps(3);
    }

    /// Clicks a step of the rail, which is drawn before the step's own buttons.
    pub fn go_to(&mut self, step: &str) {
        self.actions += 1;
        let name = format!("Go to {step}");
        self.harness.get_all_by_role_and_label(Role::Button, &name).next().unwrap().click();
        self.harness.run_steps(3);
    }

    /// Clicks a button of the step that is shown.
    pub fn press(&mut self, name: &str) {
        self.actions += 1;
        self.harness.get_all_by_role_and_label(Role::Button, name).last().unwrap().click();
        self.harness.run_steps(3);
    }

    pub fn act(&mut self, action: impl Into<Action>) {
        let context = self.harness.ctx.clone();
        self.harness.state_mut().act(&context, action);
        self.harness.run_steps(2);
    }

    pub fn drop(&mut self, path: &Path) {
        self.drop_all(&[path]);
    }

    /// Drops several files at once.
    pub fn drop_all(&mut self, paths: &[&Path]) {
        self.actions += 1;
        for path in paths {
            self.harness.input_mut().dropped_files.push(Arc::new(Dropped(path.to_path_buf())));
        }
        self.harness.run_steps(3);
    }

    /// Presses a key, alone or with modifiers.
    pub fn key(&mut self, modifiers: egui::Modifiers, key: egui::Key) {
        self.actions += 1;
        self.harness.key_press_modifiers(modifiers, key);
        self.harness.run_steps(3);
    }

    pub fn type_text(&mut self, text: &str) {
        self.harness.event(egui::Event::Text(text.to_string()));
        self.harness.run_steps(3);
    }

    /// Writes a number into a field of the training form.
    pub fn set_number(&mut self, field: &str, value: &str) {
        self.harness.get_by_role_and_label(Role::SpinButton, field).click();
        self.harness.run_steps(3);
        self.key(egui::Modifiers::COMMAND, egui::Key::A);
        self.type_text(value);
        self.key(egui::Modifiers::NONE, egui::Key::Enter);
    }

    /// Chooses one of the values of a field of the training form.
    pub fn choose(&mut self, field: &str, value: &str) {
        self.actions += 1;
        self.harness.get_by_role_and_label(Role::ComboBox, field).click();
        self.harness.run_steps(3);
        self.harness.get_by_role_and_label(Role::Button, value).click();
        self.harness.run_steps(3);
    }

    /// Waits until all that was changed is on the disk.
    pub fn wait_for_writes(&mut self) {
        self.wait("writing", Session::is_saved);
    }

    /// Opens data or a project by dropping it.
    pub fn open_data(&mut self, path: &Path) {
        let before = self.session().project.as_ref().map(|p| p.folder.clone());
        self.drop(path);
        self.wait("project", |s| s.project.as_ref().is_some_and(|p| Some(&p.folder) != before.as_ref()));
    }

    pub fn project(&self) -> &OpenProject {
        self.session().project.as_ref().unwrap()
    }

    /// Trains a run to its end.
    pub fn train(&mut self) {
        let before = self.project().runs.len();
        self.act(Job::Train);
        assert!(self.session().is_training(), "{:#?}", self.session().log);
        self.wait("training", |s| !s.is_training());
        self.wait("runs", |s| s.project.as_ref().is_some_and(|p| p.runs.len() > before));
        assert_eq!(
            self.project().runs.last().unwrap().state,
            RunState::Finished,
            "{:#?}",
            self.session().log
        );
    }

    pub fn set_training(&mut self, change: impl FnOnce(&mut TrainingChoice)) {
        let mut training = self.project().recipe.training.clone();
        change(&mut training);
        self.act(Edit::SetTraining { training, field: "test" });
    }

    /// Waits for a message with this title and asserts that it holds all these words.
    #[track_caller]
    pub fn expect_message(&mut self, title: &str, words: &[&str]) {
        self.wait(title, |s| s.toasts.iter().any(|t| t.title == title));
        let toasts = &self.session().toasts;
        let found = toasts.iter().any(|t| t.title == title && words.iter().all(|w| t.text.contains(w)));
        assert!(found, "{title}: {words:?} are not all in {toasts:#?}");
        // What is in the session stands on the screen, too.
        self.harness.run_steps(2);
        assert!(self.harness.query_all_by_label(title).next().is_some());
    }

    /// Takes all messages away.
    pub fn dismiss(&mut self) {
        for id in self.session().toasts.iter().map(|t| t.id).collect::<Vec<_>>() {
            self.act(View::DismissToast(id));
        }
    }
}

/// Runs the command line beside the window and gives its standard output.
pub fn command_line(arguments: &[&std::ffi::OsStr]) -> std::process::Output {
    std::process::Command::new(env!("CARGO_BIN_EXE_frostline")).args(arguments).output().unwrap()
}

/// The first label that the command line gives for a file or, with `--text` before it, a text.
pub fn predicted(model: &Path, input: &[&std::ffi::OsStr]) -> String {
    let mut arguments = vec!["predict".as_ref(), "--json".as_ref(), model.as_os_str()];
    arguments.extend(input);
    let answer = command_line(&arguments);
    let line: serde_json::Value = serde_json::from_slice(&answer.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&answer.stderr)));
    line["labels"][0]["label"].as_str().unwrap().to_string()
}

/// Reviews in a CSV file, half of them positive.
pub fn reviews(path: &Path) {
    let (good, bad) = (["great", "lovely", "superb"], ["awful", "broken", "useless"]);
    let (label, things) = (["positive", "negative"], ["phone", "film", "soup", "book", "chair", "song"]);
    let mut text = "text,label\n".to_string();
    for (thing, (good, bad)) in things.iter().flat_map(|t| good.iter().zip(bad).map(move |w| (t, w))) {
        text += &format!("The {thing} is {good}.,{}\nThe {thing} is {bad}.,{}\n", label[0], label[1]);
    }
    std::fs::write(path, text).unwrap();
}

/// Two folders of eight one-coloured pictures.
pub fn pictures(folder: &Path) {
    for (class, colour) in [("red", [220, 30, 30]), ("blue", [30, 30, 220])] {
        std::fs::create_dir_all(folder.join(class)).unwrap();
        for number in 0..8u8 {
            let [r, g, b] = colour;
            let pixel = image::Rgb([r - number, g + number, b - number]);
            image::RgbImage::from_pixel(40, 30, pixel)
                .save(folder.join(class).join(format!("{number}.png")))
                .unwrap();
        }
    }
}
