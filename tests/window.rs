//! The window without a display: real session, real worker, bundled weights.

use eframe::egui::{self, accesskit::Role};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use frostline::gui::App;
use frostline::session::{Action, Preset, SampleName, Session, Step};
use std::path::Path;
use std::time::{Duration, Instant};

/// Runs a test in a process of its own with a private home, since the window keeps things there.
fn in_private_home(name: &str, test: impl FnOnce()) {
    if std::env::var_os("FROSTLINE_WINDOW_TEST").is_some() {
        return test();
    }
    let home = tempfile::tempdir().unwrap();
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env("FROSTLINE_HOME", home.path())
        .env("HF_HOME", home.path().join("hf"))
        .env("FROSTLINE_WINDOW_TEST", "1")
        .status()
        .unwrap();
    assert!(status.success(), "{name} failed; its words stand above");
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

struct Window {
    harness: Harness<'static, App>,
}

impl Window {
    fn open() -> Self {
        let harness = Harness::builder()
            .with_size(egui::vec2(1280.0, 800.0))
            .with_max_steps(40)
            .build_eframe(|context| App::new(&context.egui_ctx).unwrap());
        let mut window = Self { harness };
        window.wait("backbones", |s| !s.backbones.is_empty());
        window
    }

    fn session(&self) -> &Session {
        self.harness.state().session()
    }

    /// Draws until `done` holds.
    fn wait(&mut self, what: &str, done: impl Fn(&Session) -> bool) {
        let began = Instant::now();
        while !done(self.session()) {
            assert!(began.elapsed() < Duration::from_secs(120), "{what}: {:?}", self.session().log);
            self.harness.step();
            std::thread::sleep(Duration::from_millis(5));
        }
        self.harness.run_steps(3);
    }

    fn click(&mut self, label: &str) {
        self.harness.get_by_label(label).click();
        self.harness.run_steps(3);
    }

    /// Clicks a step of the rail, which is drawn before the step's own buttons.
    fn go_to(&mut self, step: &str) {
        self.harness.get_all_by_role_and_label(Role::Button, step).next().unwrap().click();
        self.harness.run_steps(3);
    }

    /// Clicks a button of the step that is shown.
    fn press(&mut self, name: &str) {
        self.harness.get_all_by_role_and_label(Role::Button, name).last().unwrap().click();
        self.harness.run_steps(3);
    }

    fn act(&mut self, action: Action) {
        let context = self.harness.ctx.clone();
        self.harness.state_mut().act(&context, action);
        self.harness.run_steps(2);
    }

    fn drop(&mut self, path: &Path) {
        self.harness.input_mut().dropped_files.push(std::sync::Arc::new(Dropped(path.to_path_buf())));
        self.harness.run_steps(3);
    }
}

fn pictures(folder: &Path) {
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

#[test]
fn from_a_dropped_folder_to_a_written_export_in_six_actions() {
    in_private_home("from_a_dropped_folder_to_a_written_export_in_six_actions", || {
        let data = tempfile::tempdir().unwrap();
        pictures(data.path());
        let mut window = Window::open();
        window.drop(data.path());
        window.wait("project", |s| s.project.is_some());
        window.go_to("Train");
        window.press("Train");
        window.wait("training", |s| s.newest_result().is_some() && !s.is_training());
        window.go_to("Export");
        window.press("Export");
        window.wait("export", |s| s.exported.is_some());
        let exported = window.session().exported.clone().unwrap();
        assert!(exported.out.join("manifest.json").is_file());
        let answer = std::process::Command::new(env!("CARGO_BIN_EXE_frostline"))
            .args(["predict", "--json"])
            .arg(&exported.out)
            .arg(data.path().join("red/3.png"))
            .output()
            .unwrap();
        let line: serde_json::Value = serde_json::from_slice(&answer.stdout).unwrap();
        assert_eq!(line["labels"][0]["label"], "red");
    });
}

#[test]
fn layers_can_be_thawed_undone_and_redone() {
    in_private_home("layers_can_be_thawed_undone_and_redone", || {
        let mut window = Window::open();
        window.act(Action::OpenSample(SampleName::ClipArt));
        window.wait("project", |s| s.project.is_some());
        let first = window.session().project.as_ref().unwrap().recipe.clone();
        window.act(Action::Go(Step::Layers));
        window.press("Last two stages");
        let thawed = window.session().project.as_ref().unwrap().recipe.clone();
        assert_ne!(thawed.freeze, first.freeze);
        window.click("conv_stem: frozen. Freeze or thaw");
        window.act(Action::Preset(Preset::Everything));
        for _ in 0..3 {
            window.act(Action::Undo);
        }
        assert_eq!(window.session().project.as_ref().unwrap().recipe, first);
        window.act(Action::Redo);
        assert_eq!(window.session().project.as_ref().unwrap().recipe, thawed);
        let on_disk = frostline::project::Recipe::read(
            &window.session().project.as_ref().unwrap().folder.join("recipe.toml"),
        )
        .unwrap();
        assert_eq!(on_disk, thawed);
    });
}

#[test]
fn what_is_no_data_is_answered_with_a_remedy() {
    in_private_home("what_is_no_data_is_answered_with_a_remedy", || {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("notes.md"), "# notes").unwrap();
        let mut window = Window::open();
        window.drop(&folder.path().join("notes.md"));
        window.wait("answer", |s| s.toasts.iter().any(|t| t.title == "Nothing was opened"));
        assert!(window.session().project.is_none());
        assert!(window.session().toasts.iter().any(|t| t.text.contains("Try:")));
    });
}
