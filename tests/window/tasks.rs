//! Labels and numbers in the window, from a dropped table to answers, with the real worker.
//!
//! `FROSTLINE_PICTURES=DIR` keeps pictures of the steps to look at; figures depend on the machine, so that they are
//! compared with none.

use crate::harness::{Window, in_private_home};
use crate::layout;
use crate::raster::Raster;
use eframe::egui::{self, accesskit::Role};
use egui_kittest::kittest::Queryable;
use egui_kittest::{Harness, LazyRenderer};
use frostline::data::TargetKind;
use frostline::project::Machine;
use frostline::session::{ThemeChoice, View};
use frostline::task::{Answer, Detail};
use std::path::Path;
use std::sync::Arc;

/// Texts with a list of labels and a number each.
fn table(path: &Path, header: &str, row: impl Fn(usize) -> String) {
    let rows: Vec<String> = (0..48).map(row).collect();
    std::fs::write(path, format!("{header}\n{}\n", rows.join("\n"))).unwrap();
}

/// A window that can be painted.
fn open() -> Window {
    let builder = Harness::builder().with_size([1280.0, 800.0]).renderer(LazyRenderer::new(Raster::default));
    let mut window = Window::build(builder, Machine::cpu(), Arc::new(|_, _| None));
    window.wait("backbones", |s| !s.backbones.is_empty());
    window
}

/// Size in points, pixels per point, theme.
const LOOKS: [([f32; 2], f32, ThemeChoice); 6] = [
    ([1024.0, 700.0], 1.0, ThemeChoice::Dark),
    ([1024.0, 700.0], 1.0, ThemeChoice::Light),
    ([1600.0, 1000.0], 1.0, ThemeChoice::Light),
    ([960.0, 540.0], 2.0, ThemeChoice::Light),
    ([960.0, 540.0], 2.0, ThemeChoice::Dark),
    ([1280.0, 800.0], 1.0, ThemeChoice::Dark),
];

/// Text that is cut or overlaps, at every size; pictures are kept where they are asked for.
fn look_at(window: &mut Window, name: &str) {
    let task = window.project().recipe.task.name;
    let mut faults = Vec::new();
    for (size, scale, theme) in LOOKS {
        window.harness.set_pixels_per_point(scale);
        window.harness.set_size(size.into());
        window.act(View::SetTheme(theme));
        window.harness.run_steps(5);
        let place = format!("{task}-{name}-{}x{}-{theme:?}", size[0], size[1]);
        let found = layout::faults(window.harness.output());
        faults.extend(found.into_iter().map(|fault| format!("{place}: {fault}")));
        if let Some(folder) = std::env::var_os("FROSTLINE_PICTURES") {
            window.harness.render().unwrap().save(Path::new(&folder).join(format!("{place}.png"))).unwrap();
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn train_and_evaluate(window: &mut Window) {
    window.go_to("Train");
    window.set_number("Epochs", "6");
    window.set_number("Batch size", "8");
    window.set_number("Learning rate", "0.02");
    window.press("Train");
    window.wait("training", |s| s.judged_run().is_some() && !s.is_training());
    window.harness.run_steps(5);
    look_at(window, "train");
    window.go_to("Evaluate");
    window.wait("scores", |s| s.project.as_ref().is_some_and(|p| p.evaluation.is_some()));
    window.harness.run_steps(5);
    look_at(window, "evaluate");
}

fn ask(window: &mut Window, text: &str) -> Answer {
    window.go_to("Try");
    window.harness.get_by_role_and_label(Role::MultilineTextInput, "Text").click();
    window.harness.run_steps(3);
    window.key(egui::Modifiers::COMMAND, egui::Key::A);
    window.type_text(text);
    window.press("Ask");
    window.wait("answer", |s| !s.tries.predictions.is_empty() && !s.tries.waiting);
    look_at(window, "try");
    window.session().tries.predictions[0].answer.clone().unwrap()
}

#[test]
fn a_dropped_table_of_labels_is_trained_judged_and_asked() {
    in_private_home(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tickets.csv");
        let said = [
            "The parcel came late.",
            "It costs too much.",
            "The parcel came late. It costs too much.",
            "Hello.",
        ];
        let labels = ["delivery", "price", "delivery;price", ""];
        table(&path, "text,labels", |n| format!("Order {n}. {},{}", said[n % 4], labels[n % 4]));
        let mut window = open();
        window.open_data(&path);
        assert_eq!(window.project().index.target, TargetKind::Labels);
        assert_eq!(window.project().recipe.task.name, "multi-label");
        assert_eq!(window.project().index.classes, ["delivery", "price"]);
        look_at(&mut window, "data");
        train_and_evaluate(&mut window);
        let evaluation = &window.project().evaluation.as_ref().unwrap().evaluation;
        let Detail::Labels(detail) = &evaluation.detail else { panic!("{:?}", evaluation.detail) };
        assert_eq!(detail.per_label.len(), 2);
        assert!(evaluation.interval("micro_f1").is_some_and(|i| i.low < 0.9 && i.holds(i.value)));
        for words in ["Micro F1", "All labels right", "Usual labels", "F1 by label", "Most labels wrong"] {
            assert!(window.harness.query_all_by_label(words).next().is_some(), "{words}");
        }
        let answer = ask(&mut window, "The parcel came late.");
        assert!(matches!(&answer, Answer::Labels { chosen, .. } if chosen == &["delivery"]), "{answer:?}");
    });
}

#[test]
fn a_dropped_table_of_numbers_is_trained_judged_and_asked() {
    in_private_home(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wines.csv");
        let words = ["terrible", "acceptable", "wonderful"];
        table(&path, "text,points", |n| {
            format!("Wine {n} is {}.,{}", words[n % 3], 30.0 * (n % 3) as f64 + n as f64 / 8.0 + 0.5)
        });
        let mut window = open();
        window.open_data(&path);
        assert_eq!(window.project().recipe.task.name, "regress");
        look_at(&mut window, "data");
        train_and_evaluate(&mut window);
        let evaluation = &window.project().evaluation.as_ref().unwrap().evaluation;
        assert!(matches!(evaluation.detail, Detail::Numbers(_)));
        for words in
            ["R²", "Mean error", "Predicted against true", "What is left over", "Furthest from the truth"]
        {
            assert!(window.harness.query_all_by_label(words).next().is_some(), "{words}");
        }
        let number = |answer: Answer| match answer {
            Answer::Numbers { numbers } => numbers[0].value,
            other => panic!("{other:?}"),
        };
        let (low, high) = (
            number(ask(&mut window, "Wine 5 is terrible.")),
            number(ask(&mut window, "Wine 5 is wonderful.")),
        );
        assert!(low < high, "{low} {high}");
    });
}
