//! Asking a model about tables and folders, and what reports say of scores that rest on little.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use support::Scratch;

const IMAGE_BACKBONE: &str = "mobilenetv2_100";
const TEXT_BACKBONE: &str = "all-MiniLM-L6-v2";

static FOLDER: LazyLock<Scratch> = LazyLock::new(|| Scratch::shared("answers"));

/// A trained head over images of three colours.
static IMAGES: LazyLock<PathBuf> = LazyLock::new(|| {
    let data = FOLDER.images("photos", 6);
    exported(&data, IMAGE_BACKBONE, "images")
});

/// A trained head over the moods of short texts.
static TEXTS: LazyLock<PathBuf> = LazyLock::new(|| {
    let data = FOLDER.table("texts.csv", 40);
    exported(&data, TEXT_BACKBONE, "texts")
});

fn exported(data: &Path, backbone: &str, name: &str) -> PathBuf {
    let (project, export) = (FOLDER.path(name), FOLDER.path(&format!("{name}-export")));
    run!("new", "--data", data, "--backbone", backbone, "--out", project, "--epochs", "4").code(0);
    run!("train", project).code(0);
    run!("export", project, "--out", export).code(0);
    export
}

#[test]
fn a_table_has_an_answer_in_each_row() {
    let scratch = Scratch::new();
    let table = scratch.table("new.csv", 10);
    let lines = run!("predict", *TEXTS, table, "--json").code(0).lines();
    let rows: Vec<(&Value, &Value)> = lines.iter().map(|line| (&line["line"], &line["input"])).collect();
    let path = json!(table.to_str().unwrap());
    let numbers: Vec<Value> = (2..12).map(|line| json!(line)).collect();
    assert_eq!(rows, numbers.iter().map(|line| (line, &path)).collect::<Vec<_>>());
    for (line, (text, _)) in lines.iter().zip(support::texts(10)) {
        assert_eq!(line["text"], text);
        let typed = run!("predict", *TEXTS, "--text", text, "--json").code(0).object();
        assert_eq!(typed["labels"][0]["label"], line["labels"][0]["label"]);
    }
    let said = run!("predict", *TEXTS, table, "--top", "1").code(0).stdout;
    assert_eq!(said.lines().count(), 10);
    assert!(said.lines().next().unwrap().contains("new.csv, line 2: "), "{said}");

    // Without labels, with another column, with a broken row.
    let other =
        scratch.file("other.csv", "id,note,words\n1,short,\"a wonderful, long film\"\n2,x,a terrible bore\n");
    let lines = run!("predict", *TEXTS, other, "--json").code(0).lines();
    assert_eq!((lines.len(), &lines[0]["text"]), (2, &json!("a wonderful, long film")));
    let lines = run!("predict", *TEXTS, other, "--text-column", "note", "--json").code(0).lines();
    assert_eq!(lines[0]["text"], "short");
    let missing = run!("predict", *TEXTS, other, "--text-column", "title", "--json").code(1).object();
    assert!(missing["error"].as_str().unwrap().contains("has no column “title”"), "{missing}");
    let gaps = scratch.file("gaps.jsonl", "{\"text\": \"fine\"}\n{\"text\": \"\"}\nno json\n");
    let lines = run!("predict", *TEXTS, gaps, "--json").code(1).lines();
    assert_eq!(lines.iter().map(|line| line["error"].is_null()).collect::<Vec<_>>(), [true, false, false]);
    // An image model takes no table for an image.
    let refused = run!("predict", *IMAGES, table, "--json").code(1).object();
    assert!(refused["error"].as_str().unwrap().contains("is no image"), "{refused}");
}

#[test]
fn texts_that_were_joined_to_be_learnt_from_are_joined_to_be_asked_about() {
    let scratch = Scratch::new();
    let row = |(n, (text, mood)): (usize, (String, &str))| format!("{text},about {n},{mood},c{}\n", n % 8);
    let rows: String = support::texts(40).into_iter().enumerate().map(row).collect();
    let data = scratch.file("mails.csv", format!("body,subject,label,customer\n{rows}"));
    let (project, export) = (scratch.path("mails"), scratch.path("mails-export"));
    let new = ["new", "--join-column", "subject", "--group-column", "customer", "--epochs", "2", "--data"];
    let new = new.iter().map(std::ffi::OsStr::new).chain([data.as_os_str(), "--backbone".as_ref()]);
    let new: Vec<_> = new.chain([TEXT_BACKBONE.as_ref(), "--out".as_ref(), project.as_os_str()]).collect();
    support::frostline(new).code(0);
    let recipe = std::fs::read_to_string(project.join("recipe.toml")).unwrap();
    assert!(
        recipe.contains("joined_columns = [\n    \"body\",\n    \"subject\",\n]")
            || recipe.contains("joined_columns = [\"body\", \"subject\"]"),
        "{recipe}"
    );
    run!("train", project).code(0);
    run!("export", project, "--out", export).code(0);
    // Another order of the columns, and no label.
    let other = scratch.file("other.csv", "subject,id,body\nabout 1,1,a wonderful day\n,2,a dull day\n");
    let lines = run!("predict", export, other, "--json").code(0).lines();
    assert_eq!(lines[0]["text"], "a wonderful day\n\nabout 1");
    assert_eq!(lines[1]["text"], "a dull day");
    // Sabotage: the export forgets the columns of its recipe.
    let lacking = scratch.file("lacking.csv", "body\na wonderful day\n");
    let refused = run!("predict", export, lacking, "--json").code(1).object();
    assert!(refused["error"].as_str().unwrap().contains("has no column “subject”"), "{refused}");
    let alone = run!("predict", export, lacking, "--text-column", "body", "--json").code(0).object();
    assert_eq!(alone["text"], "a wonderful day");
    run!("eval", export, "--data", data, "--json").code(0);
}

#[test]
fn an_archive_is_scanned_trained_on_and_asked_about() {
    let scratch = Scratch::new();
    let folder = scratch.images("photos", 5);
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for class in std::fs::read_dir(&folder).unwrap().flatten() {
        for file in std::fs::read_dir(class.path()).unwrap().flatten() {
            let (class, name) =
                (class.file_name().into_string().unwrap(), file.file_name().into_string().unwrap());
            writer
                .start_file(format!("photos/{class}/{name}"), zip::write::SimpleFileOptions::default())
                .unwrap();
            std::io::Write::write_all(&mut writer, &std::fs::read(file.path()).unwrap()).unwrap();
        }
    }
    let archive = scratch.file("photos.zip", writer.finish().unwrap().into_inner());
    let scanned = run!("scan", archive, "--json").code(0).object();
    assert_eq!(scanned["classes"].as_array().unwrap().len(), 3, "{scanned}");
    assert!(scanned["findings"].to_string().contains("is unpacked in"), "{scanned}");
    let (project, export) = (scratch.path("zipped"), scratch.path("zipped-export"));
    run!("new", "--data", archive, "--backbone", IMAGE_BACKBONE, "--out", project, "--epochs", "1").code(0);
    // The project knows the archive, not the folder that it lies in now.
    let recipe = std::fs::read_to_string(project.join("recipe.toml")).unwrap();
    assert!(recipe.contains("photos.zip"), "{recipe}");
    run!("train", project).code(0);
    run!("export", project, "--out", export).code(0);
    assert_eq!(run!("predict", export, archive, "--json").code(0).lines().len(), 15);
}

#[test]
fn answers_are_written_as_the_output_is_named() {
    let scratch = Scratch::new();
    let table = scratch.table("new.csv", 6);
    let out = scratch.path("answers.csv");
    run!("predict", *TEXTS, table, "--out", out).code(0).says("6 answers, 0 errors");
    let mut reader = csv::Reader::from_path(&out).unwrap();
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(header[..5], ["input", "line", "text", "label", "probability"]);
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.unwrap()).collect();
    assert_eq!(rows.len(), 6);
    let texts = support::texts(6);
    assert!(rows.iter().zip(&texts).all(|(row, (text, _))| row[2] == **text));
    // What is there is not written over.
    run!("predict", *TEXTS, table, "--out", out).code(2).says("something of this name already");
    run!("predict", *TEXTS, table, "--out", scratch.path("answers")).code(2).says("end it in .csv or .jsonl");
    let lines = scratch.path("answers.jsonl");
    run!("predict", *TEXTS, table, "--out", lines).code(0);
    let written = std::fs::read_to_string(&lines).unwrap();
    assert_eq!(written, run!("predict", *TEXTS, table, "--json").stdout);
    assert!(
        run!("predict", *TEXTS, table, "--format", "csv").code(0).stdout.starts_with("input,line,text,label")
    );
}

#[test]
fn a_folder_is_answered_as_a_scan_would_take_it_and_the_rest_is_named() {
    let scratch = Scratch::new();
    let data = scratch.images("photos", 1);
    let bytes = |name: &str| std::fs::read(data.join(name)).unwrap();
    scratch.file("photos/red/bare", bytes("red/00.png"));
    scratch.file("photos/other.png_large", bytes("blue/00.png"));
    scratch.file("photos/one.ppm", [b"P6 4 4 255\n".as_slice(), &[90; 48]].concat());
    scratch.file("photos/.DS_Store", "x");
    run!("predict", *IMAGES, data).code(0);
    scratch.file("photos/phone.heic", b"\0\0\0\x18ftypheic\0\0\0\0heicmif1");
    scratch.file("photos/labels.csv", "file,label\nx,red\n");
    let lines = run!("predict", *IMAGES, data, "--json").code(1).lines();
    let names: Vec<(&str, bool)> = lines
        .iter()
        .map(|line| {
            let input = Path::new(line["input"].as_str().unwrap()).strip_prefix(&data).unwrap();
            (input.to_str().unwrap(), line["error"].is_null())
        })
        .collect();
    let expected = [
        ("blue/00.png", true),
        ("green/00.png", true),
        ("labels.csv", false),
        ("one.ppm", true),
        ("other.png_large", true),
        ("phone.heic", false),
        ("red/00.png", true),
        ("red/bare", true),
    ];
    assert_eq!(names, expected);
    let heic = lines[5]["error"].as_str().unwrap();
    assert!(heic.contains("a HEIC image") && heic.contains("Export it as JPEG"), "{heic}");

    // A folder of texts: files, class folders, tables.
    scratch.file("mails/ham/1", "The film was wonderful.");
    scratch.file("mails/2.txt", "A terrible bore.");
    scratch.table("mails/more.csv", 3);
    scratch.file("mails/picture.png", bytes("red/00.png"));
    let lines = run!("predict", *TEXTS, scratch.path("mails"), "--json").code(1).lines();
    assert_eq!(lines.iter().filter(|line| line["error"].is_null()).count(), 5);
    assert_eq!(lines.len(), 6);
}

#[test]
fn a_class_without_a_tested_sample_stands_in_every_report() {
    let scratch = Scratch::new();
    let mut rows: String = (0..60).map(|n| format!("words number {n},ham\n")).collect();
    rows.push_str("buy this,spam\n");
    let data = scratch.file("one.csv", format!("text,label\n{rows}"));
    let project = scratch.path("p");
    let untested = "class “spam” has no validation sample, so the scores say nothing of it";
    let majority = "60 of 61 samples are of the class “ham”";
    run!("new", "--data", data, "--backbone", TEXT_BACKBONE, "--out", project, "--epochs", "1")
        .code(0)
        .says(untested)
        .says(majority);
    let trained = run!("train", project).code(0).says(untested).says(majority);
    assert!(trained.stdout.contains(untested) && trained.stdout.contains(majority), "{trained:?}");
    let said = run!("eval", project).code(0).stdout;
    assert!(said.contains(untested) && said.contains(majority), "{said}");
    let told = run!("eval", project, "--json").code(0).object();
    assert_eq!(told["untested"], json!(["spam"]));
    assert_eq!(told["majority"], json!({"class": "ham", "samples": 60, "of": 61}));
    let whole = run!("eval", project, "--data", data, "--json").code(0).object();
    assert!(whole["untested"].is_null(), "{whole}");
}

#[test]
fn labels_that_name_each_sample_are_no_classes() {
    let scratch = Scratch::new();
    let numbers: String = (0..60).map(|n| format!("words number {n},{}.25\n", 3 * n)).collect();
    let data = scratch.file("scores.csv", format!("text,score\n{numbers}"));
    let new = |data: &Path, more: &[&str]| {
        let out = scratch.path("p");
        let fixed = ["new", "--backbone", TEXT_BACKBONE, "--out", out.to_str().unwrap(), "--data"];
        support::frostline(fixed.iter().copied().chain([data.to_str().unwrap()]).chain(more.iter().copied()))
    };
    new(&data, &["--task", "classify"])
        .code(2)
        .says("the label column “score” holds 60 different numbers in 60 rows; it is no class")
        .says("--task regress");
    assert!(!scratch.path("p").exists());
    let names: String = (0..30).map(|n| format!("words number {n},person {n}\n")).collect();
    let data = scratch.file("names.csv", format!("text,label\n{names}"));
    new(&data, &[]).code(2).says("holds 30 different values in 30 rows");
}
