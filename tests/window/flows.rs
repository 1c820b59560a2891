//! What a person does from one end to the other, with the real worker and the bundled weights.

use crate::harness::{Window, in_private_home, pictures};
use frostline::project::Recipe;
use frostline::session::{Action, Preset, SampleName, Step};

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
    in_private_home(|| {
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
        let file = window.session().project.as_ref().unwrap().folder.join("recipe.toml");
        assert_eq!(Recipe::read(&file).unwrap(), thawed);
        // The cuts of a drag are saved when it has ended.
        window.act(Action::DragFrostline { cut: 2, drag: 1 });
        window.act(Action::DragFrostline { cut: 3, drag: 1 });
        let dragged = window.session().project.as_ref().unwrap().recipe.clone();
        assert_ne!(dragged, thawed);
        assert_eq!(Recipe::read(&file).unwrap(), dragged);
    });
}

#[test]
fn what_is_no_data_is_answered_with_a_remedy() {
    in_private_home(|| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("notes.md"), "# notes").unwrap();
        let mut window = Window::open();
        window.drop(&folder.path().join("notes.md"));
        window.wait("answer", |s| s.toasts.iter().any(|t| t.title == "Nothing was opened"));
        assert!(window.session().project.is_none());
        assert!(window.session().toasts.iter().any(|t| t.text.contains("Try:")));
    });
}
