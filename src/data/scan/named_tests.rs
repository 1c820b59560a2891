use super::tests::{folder, items, png};
use super::*;
use crate::control::Silent;

fn scanned(files: &[(&str, &[u8])], options: &ScanOptions) -> Result<DatasetIndex, ScanError> {
    scan(folder(files).path(), options, &Silent)
}

/// "kind: reason" of each finding of those kinds.
fn told(index: &DatasetIndex, kinds: &[FindingKind]) -> Vec<String> {
    let of_kind = index.findings.iter().filter(|finding| kinds.contains(&finding.kind));
    of_kind.map(|finding| format!("{}: {}", finding.kind.name(), finding.reason)).collect()
}

#[test]
fn a_table_labels_the_files_that_it_names() {
    let (a, b, c) = (png(1), png(2), png(3));
    let check = |table: &str, content: &str, paths: [&str; 3]| {
        let files: Vec<(&str, &[u8])> = paths
            .into_iter()
            .zip([&a, &b, &c].map(Vec::as_slice))
            .chain([(table, content.as_bytes())])
            .collect();
        let index = scanned(&files, &ScanOptions::default()).unwrap();
        assert_eq!(index.counts(), [2, 1], "{table}: {content}");
        assert_eq!(index.classes, ["cat", "dog"], "{table}: {content}");
        let digests: Vec<Digest> = [&a, &b, &c].map(|bytes| Digest::of(bytes)).to_vec();
        assert!(index.items.iter().all(|item| digests.contains(&item.digest)));
    };
    let beside = ["images/1.png", "images/2.png", "images/3.png"];
    check("labels.csv", "id,breed\n1,cat\n2,cat\n3,dog", beside);
    check("labels.csv", "image,label\n1.png,cat\n2.png,cat\n3.png,dog", beside);
    check("labels.tsv", "file\tlabel\nimages/1.png\tcat\nimages\\2.png\tcat\n./images/3.png\tdog", beside);
    check("labels.csv", "/mnt/x/1.PNG,cat\n/mnt/x/2.PNG,cat\n/mnt/x/3.PNG,dog", beside);
    check("train.csv", "id,label\n1,cat\n2,cat\n3,dog", ["train/1.png", "train/2.png", "train/3.png"]);
    let lines = "{\"file_name\":\"1.png\",\"label\":\"cat\"}\n{\"file_name\":\"2.png\",\"label\":\"cat\"}\n\
                 {\"file_name\":\"3.png\",\"label\":\"dog\"}";
    check("train/metadata.jsonl", lines, ["train/1.png", "train/2.png", "train/3.png"]);
    let rows = "file_name,label\n1.png,cat\n2.png,cat\n3.png,dog";
    check("train/metadata.csv", rows, ["train/1.png", "train/2.png", "train/3.png"]);
    let coco = r#"{"images":[{"id":1,"file_name":"1.png"},{"id":2,"file_name":"2.png"},{"id":3,"file_name":"3.png"}],
        "annotations":[{"image_id":1,"category_id":5},{"image_id":2,"category_id":5},{"image_id":3,"category_id":6}],
        "categories":[{"id":5,"name":"cat"},{"id":6,"name":"dog"}]}"#;
    check("_annotations.coco.json", coco, ["1.png", "2.png", "3.png"]);
    check("annotations/instances_all.json", coco, beside);
    let studio = |n: u32, label: &str| {
        format!(
            r#"{{"id":{n},"data":{{"image":"/data/upload/1/0123abcd-{n}.png"}},"annotations":
               [{{"result":[{{"from_name":"c","value":{{"choices":["{label}"]}}}}]}}]}}"#
        )
    };
    let studio = [studio(1, "cat"), studio(2, "cat"), studio(3, "dog")].join(",");
    check("export.json", &format!("[{studio}]"), beside);
    let short = "[{\"image\":\"1.png\",\"choice\":\"cat\",\"id\":1},{\"image\":\"2.png\",\"choice\":\"cat\",\"id\":2},\
                 {\"image\":\"3.png\",\"choice\":\"dog\",\"id\":3}]";
    check("export.json", short, beside);
    let apple = "[{\"image\":\"1.png\",\"annotations\":[{\"label\":\"cat\"}]},{\"image\":\"2.png\",\"annotations\":\
                 [{\"label\":\"cat\"}]},{\"image\":\"3.png\",\"annotations\":[{\"label\":\"dog\"}]}]";
    check("_annotations.createml.json", apple, ["1.png", "2.png", "3.png"]);
}

#[test]
fn the_table_alone_finds_its_files() {
    let (a, b) = (png(1), png(2));
    let root = folder(&[
        ("images/1.png", &a),
        ("images/2.png", &b),
        ("labels.csv", b"image,label\n1.png,cat\n2.png,dog\n3.png,dog"),
    ]);
    let table = root.path().join("labels.csv");
    let index = scan(&table, &ScanOptions::default(), &Silent).unwrap();
    assert_eq!(items(&index), ["images/1.png cat", "images/2.png dog"]);
    assert_eq!(index.full_path(&index.items[0]), root.path().join("images/1.png"));
    assert_eq!(told(&index, &[FindingKind::MissingFile]), ["missing_file: the file “3.png” is not there"]);
    let known = scan_known(&table, &ScanOptions::default(), &KnownFiles::default(), &Silent).unwrap().known;
    let again = scan_known(&table, &ScanOptions::default(), &known, &Silent).unwrap();
    assert_eq!(again.index, index);
}

#[test]
fn parts_come_from_tables_columns_or_folders() {
    let pictures: Vec<Vec<u8>> = (1..=4).map(png).collect();
    let [a, b, c, d] = [0, 1, 2, 3].map(|n: usize| pictures[n].as_slice());
    let parted = |files: &[(&str, &[u8])]| {
        items(&scanned(files, &ScanOptions::default()).unwrap())
            .iter()
            .map(|item| item.rsplit('/').next().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    let expected = ["3.png cat test", "4.png dog test", "1.png cat train", "2.png dog train"];
    let files = [("train/1.png", a), ("train/2.png", b), ("test/3.png", c), ("test/4.png", d)];
    let with = |tables: &[(&'static str, &'static [u8])]| {
        let all: Vec<(&str, &[u8])> = files.iter().copied().chain(tables.iter().copied()).collect();
        parted(&all)
    };
    // Roboflow's tables in the parts.
    let one = b"filename,cat,dog\n1.png,1,0\n2.png,0,1";
    let two = b"filename,cat,dog\n3.png,1,0\n4.png,0,1";
    assert_eq!(with(&[("train/_classes.csv", one), ("test/_classes.csv", two)]), expected);
    // Kaggle's beside them.
    let one = b"id,label\n1,cat\n2,dog";
    let two = b"id,label\n3,cat\n4,dog";
    assert_eq!(with(&[("train.csv", one), ("test.csv", two)]), expected);
    // One table of all.
    let all = b"file,label\n1.png,cat\n2.png,dog\n3.png,cat\n4.png,dog";
    assert_eq!(with(&[("labels.csv", all)]), expected);
    // A column.
    let column = b"file,label,split\n1.png,cat,test\n2.png,dog,test\n3.png,cat,train\n4.png,dog,train";
    let swapped = ["3.png cat train", "4.png dog train", "1.png cat test", "2.png dog test"];
    assert_eq!(with(&[("labels.csv", column)]), swapped);
}

#[test]
fn a_test_table_without_labels_and_files_without_rows_are_told() {
    let (a, b, c) = (png(1), png(2), png(3));
    let index = scanned(
        &[
            ("train_images/1.png", &a),
            ("train_images/2.png", &b),
            ("test_images/3.png", &c),
            ("train.csv", b"id,label\n1,cat\n2,dog"),
            ("sample_submission.csv", b"id,label\n3,cat"),
        ],
        &ScanOptions::default(),
    )
    .unwrap();
    assert_eq!(items(&index), ["train_images/1.png cat", "train_images/2.png dog"]);
    let kinds = [FindingKind::MissingLabel, FindingKind::NotData];
    assert_eq!(
        told(&index, &kinds),
        [
            "not_data: it lies beside tables named train, validation or test, so it is left out",
            "missing_label: 1 file in the folder test_images are named in no row, so nothing says the label"
                .replace("are named", "is named")
                .as_str(),
        ]
    );
}

#[test]
fn a_table_that_says_what_the_folders_say_changes_nothing() {
    let (a, b, c) = (png(1), png(2), png(3));
    let files = |labels: &'static [u8]| -> [(&'static str, Vec<u8>); 4] {
        [
            ("cat/1.png", a.clone()),
            ("cat/2.png", b.clone()),
            ("dog/3.png", c.clone()),
            ("all.csv", labels.to_vec()),
        ]
    };
    let read = |labels: &'static [u8], layout: Option<LayoutChoice>| {
        let files = files(labels);
        let files: Vec<(&str, &[u8])> = files.iter().map(|(path, bytes)| (*path, bytes.as_slice())).collect();
        scanned(&files, &ScanOptions { layout, ..ScanOptions::default() })
    };
    let same = read(b"path,n\ncat/1.png,0\ncat/2.png,0\ndog/3.png,1", None).unwrap();
    assert!(matches!(same.layout, Layout::Folders { .. }), "{}", same.layout);
    assert_eq!(told(&same, &[FindingKind::OtherReading]), [""; 0]);
    // Something else: the table counts, and the other reading is told and can be had.
    let other: &[u8] = b"path,mood\ncat/1.png,glad\ncat/2.png,sad\ndog/3.png,glad";
    let index = read(other, None).unwrap();
    assert_eq!(items(&index), ["cat/1.png glad", "cat/2.png sad", "dog/3.png glad"]);
    assert_eq!(
        told(&index, &[FindingKind::OtherReading]),
        [
            "other_reading: the table labels 3 files (glad 2, sad 1); the folders would give 2 classes (cat 2, dog 1), \
          and are not taken for classes"
        ]
    );
    assert_eq!(read(other, Some(LayoutChoice::Folders)).unwrap().classes, ["cat", "dog"]);
    assert_eq!(read(other, Some(LayoutChoice::Table)).unwrap().classes, ["glad", "sad"]);
    let refused = read(other, Some(LayoutChoice::Names));
    assert!(matches!(refused, Err(ScanError::NoSuchLayout { asked: LayoutChoice::Names, .. })));
}

#[test]
fn classes_in_names_are_offered_and_taken_when_asked_for() {
    let pictures: Vec<Vec<u8>> = (1..=6).map(png).collect();
    let names = [
        "train/cat.0.png",
        "train/cat.1.png",
        "train/dog.0.png",
        "train/dog.1.png",
        "test1/1.png",
        "test1/2.png",
    ];
    let files: Vec<(&str, &[u8])> = names.into_iter().zip(pictures.iter().map(Vec::as_slice)).collect();
    let refused = scanned(&files, &ScanOptions::default()).unwrap_err();
    assert!(refused.remedy().in_window().contains("cat 2, dog 2"), "{}", refused.remedy());
    let by_names = ScanOptions { layout: Some(LayoutChoice::Names), ..ScanOptions::default() };
    let index = scanned(&files, &by_names).unwrap();
    assert_eq!(index.counts(), [2, 2]);
    assert_eq!(
        told(&index, &[FindingKind::MissingLabel]),
        [
            "missing_label: the names of 2 files in the folder test1 begin with no class, so nothing says the label"
        ]
    );
    // Names that say nothing.
    let flat: Vec<(&str, &[u8])> =
        ["IMG_1.png", "IMG_2.png", "IMG_3.png"].into_iter().zip(pictures.iter().map(Vec::as_slice)).collect();
    assert!(matches!(scanned(&flat, &ScanOptions::default()), Err(ScanError::Flat { names: None, .. })));
}

#[test]
fn files_that_may_be_two_and_rows_that_repeat_are_told() {
    let (a, b, c) = (png(1), png(2), png(3));
    let table = b"file,label\n1.png,cat\n2.png,dog\n2.png,dog\n3.png,cat\n,dog";
    let index = scanned(
        &[("x/1.png", &a), ("y/1.png", &b), ("x/2.png", &c), ("x/3.png", &a), ("labels.csv", table)],
        &ScanOptions::default(),
    )
    .unwrap();
    assert_eq!(items(&index), ["x/2.png dog", "x/3.png cat"]);
    assert_eq!(
        told(&index, &[FindingKind::MissingFile, FindingKind::PassedOver, FindingKind::EmptyText]),
        [
            "passed_over: 1 row names a file once more and says the same of it, so one counts",
            "missing_file: “1.png” may be x/1.png or y/1.png",
            "empty_text: the row names no file",
        ]
    );
}

#[test]
fn one_mark_in_each_row_is_a_class() {
    let rows: String = (0..12)
        .map(|n| {
            format!(
                "words of {n},{},{},{}\n",
                u8::from(n % 3 == 0),
                u8::from(n % 3 == 1),
                u8::from(n % 3 == 2)
            )
        })
        .collect();
    let read = |text: &str, target: Option<TargetKind>| {
        let root = folder(&[("a.csv", text.as_bytes())]);
        scan(&root.path().join("a.csv"), &ScanOptions { target, ..ScanOptions::default() }, &Silent).unwrap()
    };
    let text = format!("text,a,b,c\n{rows}");
    let index = read(&text, None);
    assert_eq!((index.target, index.counts()), (TargetKind::Class, vec![4, 4, 4]));
    let labels = read(&text, Some(TargetKind::Labels));
    assert_eq!((labels.target, labels.counts()), (TargetKind::Labels, vec![4, 4, 4]));
    // Rows that come later and have none or two are left out.
    let later = (0..30_000).map(|n| format!("more of {n},0,1,0\n")).collect::<String>();
    let index = read(&format!("{text}{later}two,1,1,0\nnone,0,0,0\n"), None);
    let told = told(&index, &[FindingKind::BadTarget]);
    assert!(told.len() == 2 || index.target == TargetKind::Labels, "{told:?}");
    // Several in a row: labels.
    let several = read(&format!("{text}two,1,1,0\n"), None);
    assert_eq!(several.target, TargetKind::Labels);
}

#[test]
fn rows_of_other_parts_are_left_out_and_folds_are_told() {
    let read = |text: &str| {
        let root = folder(&[("a.csv", text.as_bytes())]);
        scan(&root.path().join("a.csv"), &ScanOptions::default(), &Silent).unwrap()
    };
    let row = |n: usize, part: &str| format!("words of {n},{},{part}\n", ["x", "y"][n % 2]);
    let parts = ["train", "train", "test", "train", "unlabeled", ""];
    let rows: String = (0..24).map(|n| row(n, parts[n % 6])).collect();
    let index = read(&format!("text,label,split\n{rows}"));
    assert_eq!(index.items.len(), 16);
    assert!(index.items.iter().all(|item| item.part.is_some()));
    assert_eq!(told(&index, &[FindingKind::OtherPart]).len(), 8);
    let folds: String = (0..24).map(|n| row(n, &(n % 5).to_string())).collect();
    let index = read(&format!("text,label,fold\n{folds}"));
    assert_eq!(
        told(&index, &[FindingKind::OtherPart]),
        ["other_part: the column “fold” (0, 1, 2, 3, 4) does not say the parts and is not used"]
    );
}

#[test]
fn a_guess_is_said_with_the_runner_up() {
    let rows: String = (0..24)
        .map(|n| {
            format!("words of {n} and more,few words {n},{},{}\n", ["x", "y"][n % 2], ["a", "b", "c"][n % 3])
        })
        .collect();
    let read = |header: &str| {
        let root = folder(&[("a.csv", format!("{header}\n{rows}").as_bytes())]);
        told(
            &scan(&root.path().join("a.csv"), &ScanOptions::default(), &Silent).unwrap(),
            &[FindingKind::GuessedColumn],
        )
    };
    assert_eq!(
        read("long,short,one,two"),
        [
            "guessed_column: the text was guessed to be in “long”; it might be in “short”",
            "guessed_column: the label was guessed to be in “one”; it might be in “two”",
        ]
    );
    assert_eq!(read("text,title,label,kind"), [""; 0]);
}
