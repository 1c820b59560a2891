//! Every step as a picture, in both themes and three sizes, from recorded runs: `UPDATE_SNAPSHOTS=1` rewrites the
//! pictures under `screenshots/steps`, `FROSTLINE_RECORD=1` trains anew and rewrites the record.

use crate::harness::{Window, in_private_home};
use crate::layout;
use crate::raster::Raster;
use crate::recorded::{Recorded, TRIED_TEXT};
use eframe::egui::Theme;
use egui_kittest::kittest::Queryable;
use egui_kittest::{Harness, LazyRenderer, SnapshotOptions};
use frostline::optim::{OptimiserChoice, Sgd};
use frostline::project::Machine;
use frostline::session::{Action, Edit, Exported, Job, Open, SampleName, Session, Step, ThemeChoice, View};
use frostline::worker::EvaluateOn;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Name, size in points, pixels per point.
const SIZES: [(&str, [f32; 2], f32); 3] = [
    ("1280x720", [1280.0, 720.0], 1.0),
    ("1280x800", [1280.0, 800.0], 1.0),
    // A screen of 1920 x 1080 at 200 %.
    ("200-percent", [960.0, 540.0], 2.0),
];

#[test]
fn steps_look_as_they_did_in_dark() {
    in_private_home(|| all_steps(Theme::Dark));
}

#[test]
fn steps_look_as_they_did_in_light() {
    in_private_home(|| all_steps(Theme::Light));
}

/// What comes up over a step: the palette, messages, the question before quitting, an empty step, the log.
#[test]
fn messages_look_as_they_did() {
    in_private_home(|| {
        let recorded = Recorded::load();
        let mut stage = Stage::open(&recorded, Theme::Dark, [1280.0, 800.0], 1.0);
        let mut faults = Vec::new();
        stage.wait("backbones", |s| !s.backbones.is_empty());
        stage.open_sample(SampleName::Sentences);
        stage.act(Open::Go(Step::Evaluate));
        let pictures: [(&str, &[Action]); 4] = [
            ("9-palette", &[View::ShowPalette(true).into()]),
            ("9-log", &[View::ShowPalette(false).into(), View::ToggleLog.into()]),
            (
                "9-messages",
                &[View::ToggleLog.into(), Open::OpenPath("/media/scans/nothing here.csv".into()).into()],
            ),
            ("9-quit", &[Open::Go(Step::Train).into(), Job::Train.into(), View::Quit.into()]),
        ];
        for (name, actions) in pictures {
            for action in actions {
                stage.act(action.clone());
            }
            if name == "9-messages" {
                stage.wait("message", |s| s.toasts.iter().any(|t| t.title == "Nothing was opened"));
            }
            if name == "9-quit" {
                // It begins when its recipe has been written.
                stage.wait("recorded run", |s| {
                    let runs = s.project.as_ref().map(|project| &project.runs);
                    runs.and_then(|runs| runs.last()).is_some_and(|run| run.val_loss.len() >= 12)
                });
            }
            stage.settle();
            faults.extend(stage.compare(name));
            stage.harness.state_mut().session_mut().toasts.clear();
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    });
}

/// All settings of a training, with those that apply to some choices only.
#[test]
fn settings_look_as_they_did() {
    in_private_home(|| {
        let recorded = Recorded::load();
        let mut stage = Stage::open(&recorded, Theme::Dark, [1280.0, 800.0], 1.0);
        stage.wait("backbones", |s| !s.backbones.is_empty());
        stage.open_sample(SampleName::ClipArt);
        stage.act(Edit::Preset(frostline::session::Preset::LastStages));
        stage.act(Open::Go(Step::Train));
        let session = stage.harness.state().session();
        let mut training = session.project.as_ref().unwrap().recipe.training.clone();
        training.set_optimiser(OptimiserChoice::of(&Sgd));
        stage.act(Edit::SetTraining { training, field: "Optimiser" });
        stage.harness.get_by_label("More settings").click();
        stage.settle();
        let mut faults = stage.faults("9-settings");
        faults.extend(stage.compare("9-settings"));
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    });
}

/// The Data step with samples that have several labels, and with numbers.
#[test]
fn labels_and_numbers_look_as_they_did() {
    in_private_home(|| {
        let recorded = Recorded::load();
        let tables = tempfile::tempdir().unwrap();
        let (tags, prices) = (tables.path().join("tickets.csv"), tables.path().join("wines.csv"));
        std::fs::write(&tags, tickets()).unwrap();
        std::fs::write(&prices, wines()).unwrap();
        let mut faults = Vec::new();
        for (theme, theme_name) in [(Theme::Dark, "dark"), (Theme::Light, "light")] {
            let mut stage = Stage::open(&recorded, theme, [1280.0, 800.0], 1.0);
            stage.wait("backbones", |s| !s.backbones.is_empty());
            for (table, name, selected) in [(&tags, "1-data-labels", 1), (&prices, "1-data-numbers", 3)] {
                stage.open_table(table);
                stage.act(View::SelectSample(Some(selected)));
                stage.settle();
                let name = format!("{name}-{theme_name}-1280x800");
                faults.extend(stage.faults(&name));
                faults.extend(stage.compare(&name));
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    });
}

/// The question how data is to be read: columns of a table, and a folder with two readings.
#[test]
fn columns_look_as_they_did() {
    in_private_home(|| {
        let recorded = Recorded::load();
        let data = tempfile::tempdir().unwrap();
        let (table, folder) = (data.path().join("tickets.csv"), data.path().join("photos"));
        std::fs::write(&table, crate::reading::tickets()).unwrap();
        std::fs::create_dir(&folder).unwrap();
        crate::reading::two_readings(&folder);
        let mut faults = Vec::new();
        let sizes =
            [([1024.0, 700.0], 1.0), ([1280.0, 800.0], 1.0), ([1600.0, 1000.0], 1.0), ([1280.0, 800.0], 2.0)];
        for (theme, theme_name) in [(Theme::Dark, "dark"), (Theme::Light, "light")] {
            for (size, scale) in sizes {
                let mut stage = Stage::open(&recorded, theme, size, scale);
                stage.wait("backbones", |s| !s.backbones.is_empty());
                for (path, name) in [(&table, "1-data-columns"), (&folder, "1-data-readings")] {
                    stage.act(Open::LookAt { path: path.clone(), reading: Box::default() });
                    stage.wait("look", |s| {
                        s.job.is_none() && s.reading.as_ref().is_some_and(|view| view.glance.is_some())
                    });
                    stage.settle();
                    let name = format!("{name}-{theme_name}-{}x{}", size[0], size[1]);
                    faults.extend(stage.faults(&format!("{name} at {scale}")));
                    if size == [1280.0, 800.0] && scale == 1.0 {
                        faults.extend(stage.compare(&name));
                    }
                }
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    });
}

/// Tickets with any of six labels.
fn tickets() -> String {
    let labels = ["billing", "bug", "delivery", "praise", "refund", "urgent"];
    let rows = (0..90usize).map(|n| {
        let chosen: Vec<&str> =
            (0..6).filter(|label| (n * 5 + label * 4) % (label + 3) == 0).map(|l| labels[l]).collect();
        let what =
            ["The parcel came late", "The invoice shows a wrong sum", "The app closes when I pay"][n % 3];
        format!("\"{what}, and order {} is the one I mean\",{}\n", 4000 + n * 37, chosen.join(";"))
    });
    format!("text,tags\n{}", rows.collect::<String>())
}

/// Tasting notes with a price; two of them have none that can be used.
fn wines() -> String {
    let rows = (0..120usize).map(|n| {
        let fruit = ["cherry", "plum", "citrus", "apple"][n % 4];
        let price = match n {
            17 => "ask".to_string(),
            18 => String::new(),
            n => format!("{:.2}", 4.0 + ((n * 37 % 97) as f64).powi(2) / 60.0),
        };
        format!("A wine of {fruit} with {} months in the barrel,{price}\n", 3 + n)
    });
    format!("description,price\n{}", rows.collect::<String>())
}

fn all_steps(theme: Theme) {
    let recorded = Recorded::load();
    let mut faults = Vec::new();
    for (size_name, size, scale) in SIZES {
        let mut stage = Stage::open(&recorded, theme, size, scale);
        for shot in SHOTS {
            arrange(shot, &mut stage, &recorded);
            stage.settle();
            faults.extend(stage.faults(&format!("{shot} at {size_name}")));
            let theme_name = if theme == Theme::Dark { "dark" } else { "light" };
            let name = format!("{}-{theme_name}-{size_name}", shot);
            faults.extend(stage.compare(&name));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The pictures, in the order in which the window comes to them.
const SHOTS: [&str; 10] = [
    "0-start",
    "1-data-texts",
    "1-data",
    "2-backbone",
    "3-layers",
    "4-train",
    "5-evaluate",
    "6-try",
    "7-export",
    "8-try-texts",
];

/// Brings the window to where the picture `shot` is taken.
fn arrange(shot: &str, stage: &mut Stage, recorded: &Recorded) {
    match shot {
        "0-start" => stage.wait("backbones", |s| !s.backbones.is_empty()),
        "1-data" => stage.open_sample(SampleName::ClipArt),
        "1-data-texts" => {
            stage.open_sample(SampleName::Sentences);
            stage.act(View::SelectSample(Some(2)));
        }
        "2-backbone" => {
            stage.act(Open::Go(Step::Backbone));
            stage.wait("the library", |s| !s.models.kept.is_empty());
        }
        "3-layers" => {
            stage.act(Open::Go(Step::Layers));
            stage.act(Edit::Preset(frostline::session::Preset::LastStages));
            stage.act(View::ExpandLayer { path: "blocks.5".into(), open: true });
            stage.act(View::SelectLayer(Some("conv_stem".into())));
            stage.wait("filters", |s| s.filters.is_some());
        }
        "4-train" => {
            let mut training =
                stage.harness.state().session().project.as_ref().unwrap().recipe.training.clone();
            training.epochs = 20;
            stage.act(Edit::SetTraining { training, field: "Epochs" });
            stage.act(Job::Train);
            let epochs = recorded.live_epochs();
            stage.wait("epochs", move |s| live(s).is_some_and(|run| run.val_loss.len() == epochs));
            let session = stage.harness.state_mut().session_mut();
            if let Some(job) = &mut session.job {
                job.seconds_left = Some(41.0);
            }
        }
        "5-evaluate" => {
            stage.act(Job::Stop);
            stage.wait("end", |s| s.job.is_none() && live(s).is_none());
            stage.harness.state_mut().session_mut().toasts.clear();
            stage.act(Job::Evaluate(EvaluateOn::Validation));
            stage.act(Open::Go(Step::Evaluate));
            stage.wait("scores", |s| s.project.as_ref().unwrap().evaluation.is_some());
            stage.act(View::SelectCell(recorded.worst_cell()));
        }
        "6-try" => {
            stage.act(Open::Go(Step::Try));
            stage.act(Job::TryFiles(recorded.tried_files()));
            stage.wait("answers", |s| !s.tries.predictions.is_empty());
        }
        "7-export" => {
            stage.act(Open::Go(Step::Export));
            let out = PathBuf::from("/home/ada/exports/clip-art");
            stage.act(Job::SetExportPath(out.display().to_string()));
            let run = stage.session().judged_run().unwrap().name.clone();
            let done = Exported { run, out, bytes: 61_000_000 / 10, labels: 10, thawed: 71, golden: 4 };
            stage.harness.state_mut().session_mut().exported = Some(done);
        }
        "8-try-texts" => {
            stage.open_sample(SampleName::Sentences);
            stage.wait("its runs", |s| s.judged_run().is_some());
            stage.act(Open::Go(Step::Try));
            stage.act(Job::TryText(TRIED_TEXT.into()));
            stage.wait("answers", |s| !s.tries.predictions.is_empty());
        }
        other => panic!("no picture is called {other}"),
    }
}

fn live(session: &Session) -> Option<&frostline::session::runs::RunView> {
    let runs = &session.project.as_ref()?.runs;
    runs.iter().find(|run| run.state == frostline::project::RunState::Running)
}

/// A window of fixed size whose worker answers from the record where the answer depends on the machine.
struct Stage(Window);

impl Deref for Stage {
    type Target = Window;

    fn deref(&self) -> &Window {
        &self.0
    }
}

impl DerefMut for Stage {
    fn deref_mut(&mut self) -> &mut Window {
        &mut self.0
    }
}

impl Stage {
    fn open(recorded: &Recorded, theme: Theme, size: [f32; 2], scale: f32) -> Self {
        // Nothing is remembered of the window before.
        let home = PathBuf::from(std::env::var_os("FROSTLINE_HOME").unwrap());
        let _ = std::fs::remove_file(home.join("window.json"));
        let _ = std::fs::remove_dir_all(home.join("projects"));
        let stand_in = recorded.stand_in();
        let machine = Machine { threads: 2, ..Machine::cpu() };
        let builder = Harness::builder()
            .with_size(size)
            .with_pixels_per_point(scale)
            .with_theme(theme)
            .renderer(LazyRenderer::new(Raster::default));
        let mut stage = Self(Window::build(builder, machine, stand_in));
        let choice = if theme == Theme::Dark { ThemeChoice::Dark } else { ThemeChoice::Light };
        stage.act(View::SetTheme(choice));
        stage
    }

    fn open_table(&mut self, table: &Path) {
        self.act(Open::OpenPath(table.to_path_buf()));
        let table = table.to_path_buf();
        self.wait("project", move |s| {
            let known = s.backbone().is_some_and(|b| s.weights.contains_key(&b.id));
            s.project.as_ref().is_some_and(|p| p.index.root == table) && known && s.job.is_none()
        });
    }

    fn open_sample(&mut self, sample: SampleName) {
        let has_pictures = sample == SampleName::ClipArt;
        self.act(Open::OpenSample(sample));
        self.wait("project", move |s| {
            let images = frostline::data::index::Modality::Image;
            let known = s.backbone().is_some_and(|b| s.weights.contains_key(&b.id));
            let fits = |p: &frostline::session::OpenProject| (p.index.modality == images) == has_pictures;
            s.project.as_ref().is_some_and(fits) && known && s.job.is_none()
        });
        // Folders of this machine are in no picture.
        for backbone in &mut self.harness.state_mut().session_mut().backbones {
            backbone.folder = PathBuf::from("/usr/share/frostline/backbones").join(&backbone.id);
        }
    }

    /// How the window differs from the picture `name`; a rewritten picture is packed tightly.
    fn compare(&mut self, name: &str) -> Option<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("screenshots/steps");
        let options = SnapshotOptions::new().output_path(&folder).max_failed_pixels(20usize);
        let difference = self.harness.try_snapshot_options(name, &options).err();
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            let path = folder.join(format!("{name}.png"));
            let picture = image::open(&path).unwrap().to_rgb8();
            let file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
            picture
                .write_with_encoder(PngEncoder::new_with_quality(
                    file,
                    CompressionType::Best,
                    FilterType::Adaptive,
                ))
                .unwrap();
        }
        difference.map(|difference| difference.to_string())
    }

    /// What is wrong with the text that is shown; `place` names the picture.
    fn faults(&self, place: &str) -> Vec<String> {
        layout::faults(self.harness.output()).into_iter().map(|fault| format!("{place}: {fault}")).collect()
    }

    /// Draws until two pictures in a row are equal: thumbnails have come by then.
    fn settle(&mut self) {
        let began = Instant::now();
        let mut before = None;
        loop {
            self.harness.run_steps(2);
            let shapes = format!("{:?}", self.harness.output().shapes.len());
            let loading = self.harness.state().pictures_loading();
            if !loading && before.as_ref() == Some(&shapes) {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "the picture never came to rest");
            before = Some(shapes);
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
