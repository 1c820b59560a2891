use super::tests::{check, error, folder, png};
use super::*;
use crate::control::Silent;

#[test]
fn folders_named_around_parts_are_parts() {
    let (a, b, c) = (png(1), png(2), png(3));
    for (train, test) in [
        ("seg_train", "seg_test"),
        ("training_set", "test_set"),
        ("train_images", "test_images"),
        ("X_train", "X_test"),
        ("train2017", "test2017"),
        ("Train", "TEST"),
    ] {
        let paths = [format!("{test}/cat/1.png"), format!("{train}/cat/1.png"), format!("{train}/dog/1.png")];
        let files: Vec<(&str, &[u8])> =
            paths.iter().map(String::as_str).zip([a.as_slice(), b.as_slice(), c.as_slice()]).collect();
        let index = scan(folder(&files).path(), &ScanOptions::default(), &Silent).unwrap();
        assert_eq!(index.classes, ["cat", "dog"], "{train}");
        let parts: Vec<Option<Part>> = index.items.iter().map(|item| item.part).collect();
        assert_eq!(parts.iter().filter(|part| **part == Some(Part::Test)).count(), 1, "{train}");
        assert!(!parts.contains(&None), "{train}");
    }
}

#[test]
fn a_part_within_its_own_name_is_one_part() {
    let (a, b, c, d) = (png(1), png(2), png(3), png(4));
    check(
        &[
            ("seg_pred/seg_pred/5.png", &d),
            ("seg_test/seg_test/cat/1.png", &a),
            ("seg_train/seg_train/cat/2.png", &b),
            ("seg_train/seg_train/cat/3.png", &c),
        ],
        &[
            "seg_test/seg_test/cat/1.png cat test",
            "seg_train/seg_train/cat/2.png cat train",
            "seg_train/seg_train/cat/3.png cat train",
        ],
        &["missing_label seg_pred/seg_pred/5.png"],
    );
}

#[test]
fn parts_without_class_folders_are_never_classes() {
    let (a, b) = (png(1), png(2));
    for (one, other) in [
        ("train/1.png", "test/2.png"),
        ("train/cat.0.png", "test1/2.png"),
        ("train_images/1.png", "test_images/2.png"),
        ("data/train/1.png", "data/valid/2.png"),
    ] {
        let refused = error(&[(one, &a), (other, &b), ("train.csv", b"name,label")]);
        assert!(matches!(refused, ScanError::PartsWithoutClasses { .. }), "{one}: {refused}");
    }
    let words = error(&[("train/1.png", &a), ("test/2.png", &b), ("train/_classes.csv", b"name,cat")]);
    assert!(words.remedy().to_string().contains("train/_classes.csv"), "{}", words.remedy());
}

#[test]
fn classes_that_are_called_like_parts_stay_classes() {
    let (a, b, c) = (png(1), png(2), png(3));
    let expect = |files: &[(&str, &[u8])], classes: &[&str]| {
        let index = scan(folder(files).path(), &ScanOptions::default(), &Silent).unwrap();
        assert_eq!(index.classes, classes);
    };
    expect(&[("train/1.png", &a), ("car/1.png", &b), ("ship/1.png", &c)], &["car", "ship", "train"]);
    expect(&[("test tube/1.png", &a), ("flask/1.png", &b)], &["flask", "test tube"]);
    expect(&[("train1/1.png", &a), ("train2/1.png", &b)], &["train1", "train2"]);
}

#[test]
fn a_folder_with_a_dot_is_passed_over_with_a_word() {
    check(
        &[
            (".net/1.txt", b"a"),
            (".git/2.txt", b"b"),
            ("java/1.txt", b"c"),
            ("@eaDir/3.txt", b"d"),
            (".x/.y", b""),
        ],
        &["java/1.txt java"],
        &["not_data .net", "single_item_class java/1.txt"],
    );
}

/// As archives and Hugging Face's repositories have them. Sabotage: only tables at the top are read.
#[test]
fn tables_within_folders_of_their_own_are_read() {
    let rows = |from: u32| {
        let row = |n: u32| format!("words of {n},{}\n", ["joy", "anger"][n as usize % 2]);
        format!("text,label\n{}", (from..from + 8).map(row).collect::<String>())
    };
    let (one, two) = (rows(0), rows(100));
    for (files, parts) in [
        (vec!["archive/reviews.csv", "archive/README.txt"], 0),
        (vec!["data/train-00000-of-00001.csv", "README.md", "data/test-00000-of-00001.csv"], 2),
        (vec!["default/train/0000.csv", "default/test/0000.csv"], 2),
    ] {
        let content = |name: &&str| match (name.contains("README"), name.contains("test")) {
            (true, _) => "All about it".to_owned(),
            (false, true) => two.clone(),
            (false, false) => one.clone(),
        };
        let content: Vec<String> = files.iter().map(content).collect();
        let files: Vec<(&str, &[u8])> =
            files.iter().copied().zip(content.iter().map(|text| text.as_bytes())).collect();
        let index = scan(folder(&files).path(), &ScanOptions::default(), &Silent).unwrap();
        assert_eq!(index.classes, ["anger", "joy"], "{files:?}");
        let found: std::collections::BTreeSet<_> = index.items.iter().filter_map(|item| item.part).collect();
        assert_eq!((found.len(), index.items.len()), (parts, if parts == 0 { 8 } else { 16 }), "{files:?}");
    }
}
