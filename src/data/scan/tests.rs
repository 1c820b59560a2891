use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use ::image::{ImageFormat, RgbImage};
use proptest::prelude::*;

use super::*;
use crate::control::{Fact, Progress, Silent};
use crate::data::image::tests::huge_png;
use crate::data::index::portable;

/// A small picture that is like no other of another `seed`.
pub(super) fn png(seed: u8) -> Vec<u8> {
    picture(seed, ImageFormat::Png)
}

fn picture(seed: u8, format: ImageFormat) -> Vec<u8> {
    let image = RgbImage::from_fn(5, 4, |x, y| ::image::Rgb([seed, x as u8 * 40, y as u8 * 50]));
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn jpeg(seed: u8) -> Vec<u8> {
    let pixels: Vec<u8> = (0..5 * 4 * 3).map(|n| seed.wrapping_add(n * 3)).collect();
    let format = turbojpeg::PixelFormat::RGB;
    let image = turbojpeg::Image { pixels: &pixels[..], width: 5, pitch: 15, height: 4, format };
    turbojpeg::compress(image, 90, turbojpeg::Subsamp::None).unwrap().to_vec()
}

/// A folder with these files.
pub(super) fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, bytes) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    folder
}

/// "path:line class part" of each item, where there is a line and a part.
pub(super) fn items(index: &DatasetIndex) -> Vec<String> {
    let item = |item: &Item| {
        let line = item.line.map(|line| format!(":{line}")).unwrap_or_default();
        let part = item.part.map(|part| format!(" {}", part.name())).unwrap_or_default();
        format!("{}{line} {}{part}", portable(&item.path), item.target.words(&index.classes))
    };
    index.items.iter().map(item).collect()
}

/// "kind path:line" of each finding.
fn findings(index: &DatasetIndex) -> Vec<String> {
    let finding = |finding: &Finding| {
        assert!(!finding.reason.is_empty() && !finding.remedy.is_empty());
        let line = finding.line.map(|line| format!(":{line}")).unwrap_or_default();
        format!("{} {}{line}", finding.kind.name(), portable(&finding.file))
    };
    index.findings.iter().map(finding).collect()
}

pub(super) fn check(files: &[(&str, &[u8])], expected: &[&str], found: &[&str]) -> DatasetIndex {
    let folder = folder(files);
    let index = scan(folder.path(), &ScanOptions::default(), &Silent).unwrap();
    assert_eq!(items(&index), expected);
    assert_eq!(findings(&index), found);
    for item in &index.items {
        assert!(index.full_path(item).is_file());
    }
    index
}

fn check_table(name: &str, content: &[u8], expected: &[&str], found: &[&str]) -> DatasetIndex {
    let folder = folder(&[(name, content)]);
    let root = folder.path().join(name);
    let index = scan(&root, &ScanOptions::default(), &Silent).unwrap();
    let rows: Vec<String> = index
        .items
        .iter()
        .map(|item| {
            assert_eq!((index.full_path(item), &item.path), (root.clone(), &PathBuf::from(name)));
            let (line, text) = (item.line.unwrap(), item.text.as_ref().unwrap());
            format!("{line} {text} = {}", item.target.words(&index.classes))
        })
        .collect();
    assert_eq!(rows, expected);
    let found: Vec<String> = found.iter().map(|found| found.replace('*', name)).collect();
    assert_eq!(findings(&index), found);
    index
}

pub(super) fn error(files: &[(&str, &[u8])]) -> ScanError {
    let folder = folder(files);
    let error = scan(folder.path(), &ScanOptions::default(), &Silent).unwrap_err();
    assert!(error.path().starts_with(folder.path()) && !error.remedy().to_string().is_empty());
    error
}

#[test]
fn class_folders_of_images() {
    let index = check(
        &[
            ("dog/b.png", &png(1)),
            ("cat/a.jpg", &jpeg(2)),
            ("cat/deep/er/a.bmp", &picture(3, ImageFormat::Bmp)),
            ("dog/c.GIF", &picture(4, ImageFormat::Gif)),
            ("dog/.hidden.png", &png(5)),
            ("dog/Thumbs.db", b"x"),
            ("__MACOSX/dog/b.png", &png(6)),
            ("README.txt", b"read me"),
            ("LICENSE", b"words"),
        ],
        &["cat/a.jpg cat", "cat/deep/er/a.bmp cat", "dog/b.png dog", "dog/c.GIF dog"],
        &[],
    );
    assert_eq!(index.modality, Modality::Image);
    assert_eq!(index.layout.to_string(), "4 images in 2 folders");
    assert_eq!(index.counts(), [2, 2]);
}

#[test]
fn part_folders_above_the_classes() {
    let (a, b, c, d, e, f) = (png(1), png(2), png(3), png(4), png(5), png(6));
    let index = check(
        &[
            ("Train/cat/1.png", &a),
            ("Train/dog/2.png", &b),
            ("train/dog/4.png", &f),
            ("valid/cat/3.png", &c),
            ("valid/dog/4.png", &d),
            ("TEST/dog/5.png", &e),
        ],
        &[
            "TEST/dog/5.png dog test",
            "Train/cat/1.png cat train",
            "Train/dog/2.png dog train",
            "train/dog/4.png dog train",
            "valid/cat/3.png cat validation",
            "valid/dog/4.png dog validation",
        ],
        &[],
    );
    assert_eq!(index.layout.to_string(), "6 images in 6 folders, parted into train, validation, test");
    // A class may be called "train".
    let (a, b) = (png(1), png(2));
    let classes = [("car/1.png", &a[..]), ("car/2.png", &b), ("train/3.png", &c), ("train/4.png", &d)];
    check(&classes, &["car/1.png car", "car/2.png car", "train/3.png train", "train/4.png train"], &[]);
}

#[test]
fn a_folder_around_the_dataset_is_passed_through() {
    check(
        &[("pets/cat/1.png", &png(1)), ("pets/dog/2.png", &png(2)), ("README.txt", b"hello")],
        &["pets/cat/1.png cat", "pets/dog/2.png dog"],
        &["single_item_class pets/cat/1.png", "single_item_class pets/dog/2.png"],
    );
}

#[test]
fn class_folders_of_texts() {
    let index = check(
        &[
            ("neg/1.txt", b"bad"),
            ("neg/2.txt", "\u{feff}schlecht, naïve".as_bytes()),
            ("pos/1.txt", b"good"),
            ("pos/2.txt", b" \n"),
            ("pos/3.txt", b""),
            ("pos/4.txt", b"ok\nna\xefve"),
            ("pos/5.txt", b"fine"),
        ],
        &["neg/1.txt neg", "neg/2.txt neg", "pos/1.txt pos", "pos/5.txt pos"],
        &["empty_text pos/2.txt", "empty pos/3.txt", "not_utf8 pos/4.txt"],
    );
    assert_eq!(index.items[1].text.as_deref(), Some("schlecht, naïve"));
    assert_eq!(index.layout.to_string(), "4 texts in 2 folders");
}

#[test]
fn what_is_wrong_with_images_is_found_and_the_rest_goes_on() {
    let (whole, good) = (jpeg(1), png(2));
    let files: [(&str, &[u8]); 12] = [
        ("cat/0_bytes.jpg", b""),
        ("cat/cut.jpg", &whole[..whole.len() / 2]),
        ("cat/cut.png", &good[..good.len() - 8]),
        ("cat/good.jpg", &whole),
        ("cat/huge.png", &huge_png()),
        ("cat/named.jpg", &good),
        ("cat/notes.csv", b"a,b"),
        ("cat/words.jpg", b"these are words"),
        ("cat/without_extension", &png(3)),
        ("dog/broken.jpg", b""),
        ("fox/only.png", &png(4)),
        ("stray.png", &png(5)),
    ];
    let index = check(
        &files,
        &["cat/good.jpg cat", "cat/named.jpg cat", "cat/without_extension cat", "fox/only.png fox"],
        &[
            "empty cat/0_bytes.jpg",
            "truncated cat/cut.jpg",
            "truncated cat/cut.png",
            "too_large cat/huge.png",
            "wrongly_named cat/named.jpg",
            "not_data cat/notes.csv",
            "wrongly_named cat/without_extension",
            "unreadable cat/words.jpg",
            "empty_folder dog",
            "empty dog/broken.jpg",
            "single_item_class fox/only.png",
            "missing_label stray.png",
        ],
    );
    assert_eq!(index.classes, ["cat", "fox"]);
}

#[test]
fn duplicates_conflicts_and_leaks() {
    let (a, b, c) = (png(1), png(2), png(3));
    check(
        &[("cat/1.png", &a), ("cat/2.png", &a), ("cat/3.png", &b), ("dog/1.png", &b), ("dog/2.png", &c)],
        &["cat/1.png cat", "cat/2.png cat", "cat/3.png cat", "dog/1.png dog", "dog/2.png dog"],
        &["duplicate cat/2.png", "conflicting_duplicate dog/1.png"],
    );
    check(
        &[("test/cat/1.png", &a), ("train/cat/2.png", &a), ("train/cat/3.png", &b)],
        &["test/cat/1.png cat test", "train/cat/2.png cat train", "train/cat/3.png cat train"],
        &["leak_across_parts train/cat/2.png"],
    );
    check(
        &[("test/dog/1.png", &a), ("train/cat/2.png", &b), ("train/cat/3.png", &c)],
        &["test/dog/1.png dog test", "train/cat/2.png cat train", "train/cat/3.png cat train"],
        &["no_training_item test/dog/1.png"],
    );
}

#[test]
fn tables_by_name_and_by_content() {
    let rows = &["2 good = 1", "3 bad = 0", "4 fine = 1"];
    check_table("a.csv", b"text,label\ngood,1\nbad,0\nfine,1\n", rows, &["single_item_class *:3"]);
    check_table("a.csv", b"text;label\r\ngood;1\r\nbad;0\r\nfine;1", rows, &["single_item_class *:3"]);
    check_table("a.tsv", b"text\tlabel\ngood\t1\nbad\t0\nfine\t1\n", rows, &["single_item_class *:3"]);
    check_table("a.csv", b"\xef\xbb\xbftext,label\ngood,1\nbad,0\nfine,1", rows, &["single_item_class *:3"]);
    let index = check_table(
        "a.csv",
        b"\"a good, old film\",pos\n\"bad\nfilm\",neg\nso \"fine\",pos\nsad,neg\n",
        &["1 a good, old film = pos", "2 bad\nfilm = neg", "4 so \"fine\" = pos", "5 sad = neg"],
        &[],
    );
    assert_eq!(index.layout.to_string(), "4 texts in a.csv, text in column “column 1”, label in “column 2”");
}

#[test]
fn what_is_wrong_with_rows_is_found_and_the_rest_goes_on() {
    check_table(
        "a.csv",
        b"text,label\ngood,pos\n\"broken,neg\nbad,neg\n  ,pos\nfine,\nna\xefve,pos\na,b,c\nshort\nso so, pos \nsad,neg\n",
        &["2 good = pos", "4 bad = neg", "10 so so = pos", "11 sad = neg"],
        &["bad_row *:3", "empty_text *:5", "missing_label *:6", "not_utf8 *:7", "bad_row *:8", "bad_row *:9"],
    );
    check_table(
        "a.jsonl",
        b"{\"text\":\"good\",\"label\":1}\n\n[1]\n{\"text\":\"bad\",\"label\":false}\n{\"text\":3,\"label\":1}\n{\"label\":1}\n{\"text\":\"x\"}\n{\"text\":\"y\",\"label\":[]}\n{\"text\":\"fine\",\"label\":1}\n{oops\n\xff\n{\"text\":\"sad\",\"label\":false}",
        &["1 good = 1", "4 bad = false", "9 fine = 1", "12 sad = false"],
        &[
            "bad_row *:3",
            "bad_row *:5",
            "bad_row *:6",
            "missing_label *:7",
            "bad_row *:8",
            "bad_row *:10",
            "not_utf8 *:11",
        ],
    );
}

#[test]
fn absurd_nesting_is_a_bad_row() {
    let deep = format!("{{\"text\":{}1{},\"label\":1}}", "[".repeat(200_000), "]".repeat(200_000));
    let lines = format!("{{\"text\":\"a\",\"label\":1}}\n{deep}\n{{\"text\":\"b\",\"label\":1}}\n");
    check_table("a.jsonl", lines.as_bytes(), &["1 a = 1", "3 b = 1"], &["bad_row *:2"]);
}

#[test]
fn tables_named_after_parts() {
    let index = check(
        &[
            ("train.csv", b"label,text\na,one\nb,two\na,three\nb,four"),
            ("test.csv", b"label,text\na,five\nb,one"),
            ("sample_submission.csv", b"id,label\n1,a"),
            ("README.md", b"hello"),
        ],
        &[
            "test.csv:2 a test",
            "test.csv:3 b test",
            "train.csv:2 a train",
            "train.csv:3 b train",
            "train.csv:4 a train",
            "train.csv:5 b train",
        ],
        &["not_data sample_submission.csv", "conflicting_duplicate train.csv:2"],
    );
    assert_eq!(
        index.layout.to_string(),
        "6 texts in 2 tables, text in column “text”, label in “label”, parted into train, test"
    );
    // A test table without labels is no reason to stop.
    let files: [(&str, &[u8]); 2] =
        [("train.csv", b"label,text\na,one\nb,two\na,three\nb,four"), ("test.csv", b"id,text\n1,five")];
    let index = scan(folder(&files).path(), &ScanOptions::default(), &Silent).unwrap();
    assert_eq!((index.items.len(), findings(&index)), (4, vec!["missing_label test.csv".to_owned()]));
}

#[test]
fn columns_can_be_chosen() {
    let content = b"text,label,mood\ngood,a,x\nbad,b,y\n";
    let folder = folder(&[("a.csv", content)]);
    let root = folder.path().join("a.csv");
    let scan = |text: Option<&str>, label: Option<&str>| {
        let (text_column, label_columns) =
            (text.map(str::to_owned), label.map(str::to_owned).into_iter().collect());
        scan(&root, &ScanOptions { text_column, label_columns, ..ScanOptions::default() }, &Silent)
    };
    assert_eq!(scan(None, Some("mood")).unwrap().classes, ["x", "y"]);
    assert_eq!(scan(Some("LABEL"), Some("mood")).unwrap().items[0].text.as_deref(), Some("a"));
    let error = scan(None, Some("feeling")).unwrap_err();
    let available = ["text", "label", "mood"].map(str::to_owned).to_vec();
    let expected = ScanError::UnknownColumn { path: root.clone(), asked: "feeling".into(), available };
    assert_eq!(error, expected);
}

#[test]
fn what_is_no_dataset_is_said() {
    let missing = scan(Path::new("/nowhere/at/all"), &ScanOptions::default(), &Silent);
    assert!(matches!(missing, Err(ScanError::NotFound { .. })));
    assert!(matches!(error(&[]), ScanError::Empty { .. }));
    assert!(matches!(error(&[("a/b/c.pdf", b"x")]), ScanError::Empty { .. }));
    let (a, b) = (png(1), png(2));
    let flat = error(&[("1.png", &a), ("2.png", &b), ("prices.csv", b"what,price\npear,11\nplum,12")]);
    assert!(matches!(flat, ScanError::Flat { files: 2, what: "images", .. }), "{flat}");
    let mixed = error(&[("cat/1.png", &a), ("cat/2.txt", b"words"), ("dog/1.png", &b)]);
    assert!(mixed.to_string().ends_with("hold 2 images and 1 texts"), "{mixed}");
    assert_eq!(mixed.remedy().to_string(), "Keep images and texts in two datasets.");
    let broken = error(&[("cat/1.png", b"words"), ("dog/2.png", b"")]);
    let ScanError::Empty { first: Some(First { reason: first, .. }), .. } = broken else {
        panic!("{broken}")
    };
    assert_eq!(first, "cat/1.png: is no image: its content is of no known image format");

    let image = folder(&[("1.png", &a)]);
    let single = scan(&image.path().join("1.png"), &ScanOptions::default(), &Silent);
    assert!(matches!(single, Err(ScanError::NotADataset { .. })));
    let wide = folder(&[("a.csv", b"\xff\xfet\0e\0x\0t")]);
    let utf16 = scan(&wide.path().join("a.csv"), &ScanOptions::default(), &Silent).unwrap_err();
    assert!(utf16.to_string().contains("UTF-16"), "{utf16}");
}

#[cfg(unix)]
#[test]
fn links_in_loops_end() {
    let (a, b) = (png(1), png(2));
    let folder = folder(&[("cat/1.png", &a), ("cat/2.png", &b)]);
    std::os::unix::fs::symlink(folder.path(), folder.path().join("cat/loop")).unwrap();
    std::os::unix::fs::symlink("/nowhere", folder.path().join("cat/dead.png")).unwrap();
    let index = scan(folder.path(), &ScanOptions::default(), &Silent).unwrap();
    assert_eq!(items(&index), ["cat/1.png cat", "cat/2.png cat"]);
    assert_eq!(findings(&index), ["unreadable cat/dead.png"]);
}

/// Meant to fail where the first name counts, whether or not it is a link.
#[cfg(unix)]
#[test]
fn a_link_to_a_class_is_no_class_beside_it() {
    let pictures: Vec<Vec<u8>> = (1..=6).map(png).collect();
    let named = |names: [&'static str; 4]| names.into_iter().zip(pictures.iter().map(Vec::as_slice));
    let folder = folder(&named(["cat/1.png", "cat/2.png", "dog/3.png", "dog/4.png"]).collect::<Vec<_>>());
    let elsewhere = super::tests::folder(&[("5.png", &pictures[4]), ("6.png", &pictures[5])]);
    std::os::unix::fs::symlink(folder.path().join("cat"), folder.path().join("animal")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("bird")).unwrap();
    let index = scan(folder.path(), &ScanOptions::default(), &Silent).unwrap();
    assert_eq!(index.classes, ["bird", "cat", "dog"]);
    assert_eq!(index.counts(), [2, 2, 2]);
    assert_eq!(findings(&index), ["passed_over animal"]);
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_not_utf8_are_found() {
    use std::os::unix::ffi::OsStrExt;
    let folder = folder(&[("cat/1.png", &png(1)), ("cat/2.png", &png(2))]);
    let name = std::ffi::OsStr::from_bytes(b"cat/\xff.png");
    std::fs::write(folder.path().join(name), png(3)).unwrap();
    let index = scan(folder.path(), &ScanOptions::default(), &Silent).unwrap();
    assert_eq!((index.items.len(), findings(&index)), (2, vec!["not_utf8 cat/\u{fffd}.png".to_owned()]));
    assert!(serde_json::to_string(&index).is_ok());
}

/// Stops after so many questions.
struct Stopping(AtomicUsize);

impl Control for Stopping {
    fn report(&self, fact: Fact) {
        assert!(matches!(fact, Fact::Progress(Progress::Work { done, total, .. }) if done <= total));
    }

    fn stop_requested(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_err()
    }
}

#[test]
fn a_scan_stops_when_asked() {
    let folder = folder(&[("cat/1.png", &png(1)), ("dog/1.png", &png(2))]);
    for questions in 0..4 {
        let control = Stopping(AtomicUsize::new(questions));
        let stopped = scan(folder.path(), &ScanOptions::default(), &control);
        assert!(matches!(stopped, Err(ScanError::Stopped { .. })), "{questions}");
    }
}

#[test]
fn nothing_is_written() {
    let files: [(&str, &[u8]); 3] = [("cat/1.png", &png(1)), ("cat/2.jpg", b"words"), ("dog/1.png", &png(2))];
    let folder = folder(&files);
    scan(folder.path(), &ScanOptions::default(), &Silent).unwrap();
    let tree = Tree::walk(folder.path(), &Silent).unwrap();
    let found: BTreeMap<PathBuf, Vec<u8>> = tree
        .files
        .into_iter()
        .map(|path| (path.clone(), std::fs::read(folder.path().join(path)).unwrap()))
        .collect();
    let expected = files.iter().map(|(path, bytes)| (PathBuf::from(path), bytes.to_vec()));
    assert_eq!(found, expected.collect());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_table_panics(
        name in prop::sample::select(vec!["a.csv", "a.tsv", "a.jsonl", "a.json"]),
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                &b"text,label\n"[..], b"a,b\n", b"\"", b",", b"\n", b"\r\n", b"\t", b"{", b"}", b"[",
                b"\"text\":\"x\"", b"{\"text\":\"a\",\"label\":1}\n", b"\xff", b"\xef\xbb\xbf", b"\0", b" ",
                "é".as_bytes(), b"pos", b"good film;neg\n",
            ]),
            0..40,
        ),
    ) {
        let folder = folder(&[(name, &pieces.concat())]);
        if let Ok(index) = scan(&folder.path().join(name), &ScanOptions::default(), &Silent) {
            let last = pieces.concat().iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
            for item in &index.items {
                prop_assert!(item.line.is_some_and(|line| (1..=last).contains(&line)));
                prop_assert!(item.target.labels().iter().all(|label| *label < index.classes.len()));
                prop_assert_eq!(matches!(item.target, Target::Class(_)), index.target == TargetKind::Class);
            }
        }
    }

    #[test]
    fn no_files_panic(contents in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 4)) {
        let names = ["a/1.jpg", "a/2.txt", "b/3", "b/4.tiff"];
        let files: Vec<(&str, &[u8])> =
            names.into_iter().zip(contents.iter().map(Vec::as_slice)).collect();
        let _ = scan(folder(&files).path(), &ScanOptions::default(), &Silent);
    }
}
