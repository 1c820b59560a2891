//! A window without a display, and what a test does with it.

use eframe::egui::{self, accesskit::Role};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use frostline::gui::App;
use frostline::session::{Action, Session};
use std::path::Path;
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

pub struct Window {
    pub harness: Harness<'static, App>,
}

impl Window {
    pub fn open() -> Self {
        let harness = Harness::builder()
            .with_size(egui::vec2(1280.0, 800.0))
            .with_max_steps(40)
            .build_eframe(|context| App::new(&context.egui_ctx).unwrap());
        let mut window = Self { harness };
        window.wait("backbones", |s| !s.backbones.is_empty());
        window
    }

    pub fn session(&self) -> &Session {
        self.harness.state().session()
    }

    /// Draws until `done` holds.
    pub fn wait(&mut self, what: &str, done: impl Fn(&Session) -> bool) {
        let began = Instant::now();
        while !done(self.session()) {
            assert!(began.elapsed() < Duration::from_secs(120), "{what}: {:?}", self.session().log);
            self.harness.step();
            std::thread::sleep(Duration::from_millis(5));
        }
        self.harness.run_steps(3);
    }

    pub fn click(&mut self, label: &str) {
        self.harness.get_by_label(label).click();
        self.harness.run_steps(3);
    }

    /// Clicks a step of the rail, which is drawn before the step's own buttons.
    pub fn go_to(&mut self, step: &str) {
        self.harness.get_all_by_role_and_label(Role::Button, step).next().unwrap().click();
        self.harness.run_steps(3);
    }

    /// Clicks a button of the step that is shown.
    pub fn press(&mut self, name: &str) {
        self.harness.get_all_by_role_and_label(Role::Button, name).last().unwrap().click();
        self.harness.run_steps(3);
    }

    pub fn act(&mut self, action: Action) {
        let context = self.harness.ctx.clone();
        self.harness.state_mut().act(&context, action);
        self.harness.run_steps(2);
    }

    pub fn drop(&mut self, path: &Path) {
        self.harness.input_mut().dropped_files.push(std::sync::Arc::new(Dropped(path.to_path_buf())));
        self.harness.run_steps(3);
    }
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
