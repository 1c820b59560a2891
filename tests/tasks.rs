//! Tasks other than one class each, from a table to answers: trained, judged, exported and asked by the program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use serde_json::Value;
use std::path::{Path, PathBuf};
use support::{Scratch, frostline};

/// What a text may complain about, in two ways each.
const COMPLAINTS: [(&str, [&str; 2]); 3] = [
    ("delivery", ["The parcel came two weeks late.", "The courier lost my package."]),
    ("price", ["It costs far too much money.", "I was charged twice, it is expensive."]),
    ("taste", ["The soup tasted awful and salty.", "The food was cold and had no flavour."]),
];

/// Texts with any of the complaints, each set of them `each` times in other words.
fn complaints(each: usize) -> Vec<(String, Vec<&'static str>)> {
    let mut rows = Vec::new();
    for set in 0..8usize {
        for number in 0..each {
            let chosen = || (0..3).filter(move |label| set & (1 << label) != 0);
            let said: Vec<&str> = chosen().map(|label| COMPLAINTS[label].1[(number + label) % 2]).collect();
            let text = format!("Order {}{number}. {} Bye.", set * 100, said.join(" "));
            rows.push((text, chosen().map(|label| COMPLAINTS[label].0).collect()));
        }
    }
    rows
}

fn table(path: &Path, header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
    let mut out = csv::Writer::from_path(path).unwrap();
    out.write_record(header).unwrap();
    rows.into_iter().for_each(|row| out.write_record(row).unwrap());
    out.flush().unwrap();
}

/// Makes a project of `data`, trains it, and gives the lines of the training.
fn trained(scratch: &Scratch, data: &Path, more: &[&str]) -> (PathBuf, Vec<Value>) {
    let project = scratch.path("project");
    let new =
        ["new", "--backbone", "all-MiniLM-L6-v2", "--epochs", "15", "--lr", "0.02", "--batch-size", "8"];
    let paths = ["--data", data.to_str().unwrap(), "--out", project.to_str().unwrap()];
    frostline([&new[..], &paths[..], more].concat()).code(0);
    let lines = frostline(["train", project.to_str().unwrap(), "--json"]).code(0).lines();
    (project, lines)
}

fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or_else(|| panic!("{key} in {value}"))
}

#[test]
fn any_of_several_labels_from_a_table_to_answers() {
    let scratch = Scratch::new();
    let data = scratch.path("tickets.csv");
    let rows = complaints(8);
    table(&data, &["text", "labels"], rows.iter().map(|(text, set)| vec![text.clone(), set.join(";")]));
    let scanned = frostline(["scan", data.to_str().unwrap(), "--json"]).code(0).object();
    assert_eq!(scanned["target"], "labels");
    let (project, lines) = trained(&scratch, &data, &["--test-fraction", "0.2"]);
    let epoch = lines.iter().rfind(|line| line["event"] == "epoch").unwrap();
    for key in ["train_micro_f1", "val_micro_f1", "val_macro_f1", "val_exact_match", "val_hamming_loss"] {
        number(epoch, key);
    }
    let finished = lines.last().unwrap();
    assert!(number(finished, "val_micro_f1") > 0.8, "{finished}");

    let project = project.to_str().unwrap();
    let judged = frostline(["eval", project, "--split", "test", "--json"]).code(0).object();
    assert_eq!((judged["task"].as_str(), judged["split"].as_str()), (Some("multi-label"), Some("test")));
    assert!(
        number(&judged, "micro_f1") > 0.6 && number(&judged, "micro_f1") > number(&judged, "usual_labels_f1")
    );
    let labels: Vec<&str> =
        judged["per_label"].as_array().unwrap().iter().map(|l| l["label"].as_str().unwrap()).collect();
    assert_eq!(labels, ["delivery", "price", "taste"]);

    let export = scratch.path("export");
    let export = export.to_str().unwrap();
    frostline(["export", project, "--out", export]).code(0);
    let texts =
        ["--text", "The food was cold.", "--text", "- The courier came late and it was too expensive."];
    let answers = frostline([&["predict", export, "--json"][..], &texts].concat()).code(0).lines();
    assert_eq!(answers[0]["chosen"], serde_json::json!(["taste"]), "{answers:?}");
    assert_eq!(answers[1]["chosen"], serde_json::json!(["delivery", "price"]), "{answers:?}");
    assert_eq!(answers[0]["labels"].as_array().unwrap().len(), 3);
    // A column for each label, in another order: names count.
    let marks = scratch.path("marks.csv");
    let mark = |set: &[&str], label: &str| if set.contains(&label) { "1" } else { "0" }.to_string();
    let rows = rows
        .iter()
        .map(|(text, set)| vec![mark(set, "taste"), text.clone(), mark(set, "delivery"), mark(set, "price")]);
    table(&marks, &["taste", "text", "delivery", "price"], rows);
    let again = frostline(["eval", export, "--data", marks.to_str().unwrap(), "--json"]).code(0).object();
    assert!(number(&again, "micro_f1") > 0.8, "{again}");
    assert_eq!(again["samples"], 64);
    let said = frostline(["eval", export, "--data", marks.to_str().unwrap()]).code(0).stdout;
    assert!(said.contains("micro F1") && said.contains("delivery"), "{said}");
    // Where no other label ever applies, their columns still are labels.
    let tasty = complaints(8).into_iter().filter(|(_, set)| set.iter().all(|label| *label == "taste"));
    let rows = tasty.map(|(text, set)| vec![text, "0".to_owned(), mark(&set, "taste"), "0".to_owned()]);
    table(&marks, &["text", "delivery", "taste", "price"], rows);
    let again = frostline(["eval", export, "--data", marks.to_str().unwrap(), "--json"]).code(0).object();
    assert_eq!(again["samples"], 16, "{again}");
    frostline(["runs", project]).code(0);
}

#[test]
fn numbers_from_a_table_to_answers() {
    let scratch = Scratch::new();
    let data = scratch.path("scores.csv");
    let words = ["a disaster", "rather poor", "acceptable", "quite good", "absolutely wonderful"];
    let things =
        ["The film", "This hotel", "Their service", "The new phone", "That restaurant", "The concert"];
    let rows = (0..90usize).map(|n| {
        let score = 20.0 * (n % 5) as f64 + (n * 7 % 11) as f64 / 2.0 + 0.25;
        vec![format!("{} was {}, visit {n}.", things[n % 6], words[n % 5]), score.to_string()]
    });
    table(&data, &["text", "score"], rows);
    let scanned = frostline(["scan", data.to_str().unwrap(), "--json"]).code(0).object();
    assert_eq!(scanned["target"], "numbers");
    let (project, lines) = trained(&scratch, &data, &["--label-column", "score", "--task", "regress"]);
    assert!(number(lines.last().unwrap(), "val_r2") > 0.5, "{lines:?}");

    let project = project.to_str().unwrap();
    let judged = frostline(["eval", project, "--json"]).code(0).object();
    assert_eq!(number(&judged, "r2"), number(lines.last().unwrap(), "val_r2"));
    let column = &judged["per_column"][0];
    assert_eq!(column["column"], "score");
    assert!(number(column, "mae") < number(column, "mean_mae"), "{judged}");

    let export = scratch.path("export");
    let export = export.to_str().unwrap();
    frostline(["export", project, "--out", export]).code(0);
    let texts = ["--text", "The play was a disaster.", "--text", "The play was absolutely wonderful."];
    let answers = frostline([&["predict", export, "--json"][..], &texts].concat()).code(0).lines();
    let value = |answer: &Value| answer["numbers"][0]["value"].as_f64().unwrap();
    assert!(value(&answers[0]) + 20.0 < value(&answers[1]), "{answers:?}");
    // The unit of the data is that of the export too.
    let again = frostline(["eval", export, "--data", data.to_str().unwrap(), "--json"]).code(0).object();
    assert!(number(&again, "mae") < 25.0 && again["samples"] == 90, "{again}");

    // A run that goes on keeps the scale that it began with.
    let folder = Path::new(project).join("runs/0001");
    let record: Value = serde_json::from_slice(&std::fs::read(folder.join("run.json")).unwrap()).unwrap();
    assert_eq!(record["task"]["kind"], "regress");
    assert!(record["task"]["facts"]["std"][0].as_f64().unwrap() > 10.0, "{record}");
}

/// Class weights and smoothing change the training; a task that the data does not suit is refused.
#[test]
fn a_task_that_the_data_does_not_suit_is_refused_in_words() {
    let scratch = Scratch::new();
    let data = scratch.path("tickets.csv");
    let rows = complaints(2);
    table(&data, &["text", "labels"], rows.iter().map(|(text, set)| vec![text.clone(), set.join(";")]));
    let out = scratch.path("p");
    let new = ["new", "--backbone", "all-MiniLM-L6-v2", "--data", data.to_str().unwrap(), "--out"];
    let regress = [&new[..], &[out.to_str().unwrap(), "--task", "regress"]].concat();
    frostline(regress).code(2);
    assert!(!out.exists());
    let (project, _) = trained(&scratch, &data, &["--label-smoothing", "0.1", "--class-weights", "inverse"]);
    let recipe = std::fs::read_to_string(project.join("recipe.toml")).unwrap();
    for line in [
        "text_column = \"text\"",
        "label_column = \"labels\"",
        "task = \"multi-label\"",
        "label_smoothing = 0.1",
        "class_weights = \"inverse\"",
    ] {
        assert!(recipe.lines().any(|own| own == line), "{recipe}");
    }
    // A recipe that asks for something else than the data holds is refused before anything is trained.
    std::fs::write(project.join("recipe.toml"), recipe.replace("multi-label", "regress")).unwrap();
    frostline(["train", project.to_str().unwrap()]).code(2);
}
