//! Kinds of folders and tables that were once read wrongly in silence.

use super::tests::{folder, items, png};
use super::*;
use crate::control::Silent;

fn scanned(files: &[(&str, &[u8])], options: &ScanOptions) -> Result<DatasetIndex, ScanError> {
    scan(folder(files).path(), options, &Silent)
}

/// A folder of pictures at `paths`, each another, and of texts.
fn read(paths: &[&str], texts: &[(&str, &str)], options: &ScanOptions) -> Result<DatasetIndex, ScanError> {
    let pictures: Vec<Vec<u8>> = (1..=paths.len() as u8).map(png).collect();
    let mut files: Vec<(&str, &[u8])> =
        paths.iter().copied().zip(pictures.iter().map(Vec::as_slice)).collect();
    files.extend(texts.iter().map(|(name, text)| (*name, text.as_bytes())));
    scanned(&files, options)
}

fn table(name: &str, content: &str) -> Result<DatasetIndex, ScanError> {
    scanned(&[(name, content.as_bytes())], &ScanOptions::default())
}

/// "class part", with counts, in order.
fn counts(index: &DatasetIndex) -> Vec<String> {
    let mut counts: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    for item in &index.items {
        let part = item.part.map_or("", Part::name);
        *counts.entry(format!("{} {part}", item.target.words(&index.classes))).or_default() += 1;
    }
    counts.into_iter().map(|(name, count)| format!("{} {count}", name.trim_end())).collect()
}

fn told(index: &DatasetIndex, kind: FindingKind) -> Vec<&str> {
    index
        .findings
        .iter()
        .filter(|finding| finding.kind == kind)
        .map(|finding| finding.reason.as_str())
        .collect()
}

/// Meant to fail with the parts in English alone, or only above the classes.
#[test]
fn parts_in_many_writings_and_at_any_level_are_no_classes() {
    let check = |paths: &[&str], expected: &[&str]| {
        let index = read(paths, &[], &ScanOptions::default()).unwrap();
        assert_eq!(counts(&index), expected, "{paths:?}");
    };
    let both = ["cat test 1", "cat train 1", "dog train 1"];
    for (train, test) in [
        ("1_train", "2_test"),
        ("01-Training", "02-Test"),
        ("trainval", "test"),
        ("train", "holdout"),
        ("train", "hold_out"),
        ("Entrenamiento", "Prueba"),
        ("entraînement", "test"),
        ("Trainingsdaten", "Testdaten"),
        ("训练集", "测试集"),
        ("ｔｒａｉｎ", "ｔｅｓｔ"),
        ("TrainSet", "TestSet"),
    ] {
        let paths = [format!("{train}/cat/1.png"), format!("{train}/dog/2.png"), format!("{test}/cat/3.png")];
        check(&paths.each_ref().map(String::as_str), &both);
    }
    check(
        &["cat/train/1.png", "cat/test/2.png", "dog/train/3.png"],
        &["cat test 1", "cat train 1", "dog train 1"],
    );
    check(&["a/train/cat/1.png", "b/train/dog/2.png", "b/test/cat/3.png"], &both);
    let held_out = ["cat/1.png", "cat/test/2.png", "dog/3.png", "dog/val/4.png"];
    check(&held_out, &["cat test 1", "cat train 1", "dog train 1", "dog validation 1"]);
    check(&["train/cat/1.png", "train/dog/2.png", "cat/3.png", "dog/4.png"], &["cat train 1", "dog train 1"]);
}

#[test]
fn folders_that_hold_the_same_folders_are_read_in_one_way_and_the_other_is_told() {
    let folds = ["fold1/cat/1.png", "fold1/dog/2.png", "fold2/cat/3.png", "fold2/dog/4.png"];
    let index = read(&folds, &[], &ScanOptions::default()).unwrap();
    assert_eq!(counts(&index), ["cat 2", "dog 2"]);
    let other = told(&index, FindingKind::OtherReading);
    assert_eq!(
        other,
        ["the folders fold1, fold2 hold the same folders, cat, dog; cat, dog are taken for the classes"]
    );
    let asked = |layout| ScanOptions { layout: Some(layout), ..ScanOptions::default() };
    assert_eq!(read(&folds, &[], &asked(LayoutChoice::Folders)).unwrap().classes, ["fold1", "fold2"]);
    let people = ["male/glad/1.png", "male/sad/2.png", "female/glad/3.png", "female/sad/4.png"];
    let index = read(&people, &[], &ScanOptions::default()).unwrap();
    assert_eq!((index.classes.len(), told(&index, FindingKind::OtherReading).len()), (2, 1));
    assert_eq!(index.classes, ["female", "male"]);
    assert_eq!(read(&people, &[], &asked(LayoutChoice::Inner)).unwrap().classes, ["glad", "sad"]);
    let refused = read(&["cat/1.png", "dog/2.png"], &[], &asked(LayoutChoice::Inner));
    assert!(matches!(refused, Err(ScanError::NoSuchLayout { asked: LayoutChoice::Inner, .. })));
    let parted =
        ["fold1/train/cat/1.png", "fold1/test/cat/2.png", "fold2/train/cat/3.png", "fold2/test/cat/4.png"];
    let refused = read(&parted, &[], &ScanOptions::default()).err().unwrap();
    assert!(matches!(&refused, ScanError::RepeatedParts { folders, .. } if folders == &["fold1", "fold2"]));
    assert!(refused.remedy().to_string().contains("fold1"), "{}", refused.remedy());
}

#[test]
fn folders_of_pictures_and_masks_are_told() {
    let index = read(&["images/1.png", "masks/2.png"], &[], &ScanOptions::default()).unwrap();
    assert_eq!(told(&index, FindingKind::OtherReading).len(), 1);
    let index = read(&["masks/1.png", "hats/2.png"], &[], &ScanOptions::default()).unwrap();
    assert_eq!(told(&index, FindingKind::OtherReading).len(), 0);
}

#[test]
fn folders_of_what_nobody_labelled_are_no_classes() {
    let text = |n: u32| format!("words of number {n}");
    let texts: Vec<(String, String)> =
        ["train/pos/1", "train/neg/2", "test/pos/3", "test/neg/4", "train/unsup/5"]
            .iter()
            .zip(1..)
            .map(|(path, n)| (format!("{path}.txt"), text(n)))
            .collect();
    let texts: Vec<(&str, &str)> = texts.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let index = read(&[], &texts, &ScanOptions::default()).unwrap();
    assert_eq!(index.classes, ["neg", "pos"]);
    assert_eq!(
        told(&index, FindingKind::MissingLabel),
        ["1 file in the folder train/unsup lies in no class folder"]
    );
}

#[test]
fn a_table_of_parts_divides_what_folders_label() {
    let paths = ["cat/1.png", "cat/2.png", "dog/3.png", "dog/4.png"];
    let check = |table: &str, expected: &[&str]| {
        let index = read(&paths, &[("parts.csv", table)], &ScanOptions::default()).unwrap();
        assert_eq!(counts(&index), expected, "{table}");
        assert_eq!(index.classes, ["cat", "dog"]);
    };
    let parted = ["cat test 1", "cat train 1", "dog test 1", "dog train 1"];
    check("file,split\n1.png,train\n2.png,test\n3.png,train\n4.png,test\n", &parted);
    check("image,set\ncat/1.png,train\ncat/2.png,test\ndog/3.png,train\ndog/4.png,test\n", &parted);
    check("id,is_test\n1,0\n2,1\n3,False\n4,True\n", &parted);
    let with_labels = "file,label,split\n1.png,cat,train\n2.png,cat,test\n3.png,dog,train\n4.png,dog,test\n";
    check(with_labels, &parted);
    let listed = "{\"train\": [\"cat/1.png\", \"dog/3.png\"], \"test\": [\"cat/2.png\", \"dog/4.png\"]}";
    let index = read(&paths, &[("splits.json", listed)], &ScanOptions::default()).unwrap();
    assert_eq!(counts(&index), parted);
    let unused = ScanOptions { part_column: Some(ColumnChoice::Unused), ..ScanOptions::default() };
    let index = read(&paths, &[("splits.json", listed)], &unused).unwrap();
    assert_eq!(counts(&index), ["cat 2", "dog 2"]);
    // A row is lacking.
    let table = "file,split\n1.png,train\n2.png,test\n3.png,train\n";
    let index = read(&paths, &[("parts.csv", table)], &ScanOptions::default()).unwrap();
    assert_eq!(counts(&index), ["cat test 1", "cat train 1", "dog train 1"]);
    let lacking = told(&index, FindingKind::OtherPart);
    assert_eq!(lacking, ["1 file is named in no row of parts.csv, so nothing says the part"]);
    // Folds are no parts.
    let folds = "image,fold\n1.png,0\n2.png,1\n3.png,0\n4.png,1\n";
    check(folds, &["cat 2", "dog 2"]);
}

/// Meant to fail where any table that names files beats the folders.
#[test]
fn notes_beside_class_folders_are_no_classes() {
    let paths = ["cat/0.png", "cat/1.png", "cat/2.png", "cat/3.png", "cat/4.png", "dog/5.png", "dog/6.png"];
    let sums: String = paths.iter().enumerate().map(|(n, path)| format!("{path},ab{n:030x}\n")).collect();
    for table in [format!("filename,md5\n{sums}"), "id,class\n0,cat\n1,dog\n".to_owned()] {
        let index = read(&paths, &[("notes.csv", &table)], &ScanOptions::default()).unwrap();
        assert_eq!(counts(&index), ["cat 5", "dog 2"], "{table}");
        assert_eq!(told(&index, FindingKind::OtherReading).len(), 1, "{table}");
    }
}

/// Meant to fail where the number of files alone counts.
#[test]
fn a_table_labels_the_pictures_of_one_folder_beside_others() {
    let paths: Vec<String> =
        (0..4).map(|n| format!("images/{n}.png")).chain((4..14).map(|n| format!("pool/{n}.png"))).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let table = "file,label\n0.png,cat\n1.png,cat\n2.png,dog\n3.png,dog\n";
    let index = read(&paths, &[("labels.csv", table)], &ScanOptions::default()).unwrap();
    assert_eq!(counts(&index), ["cat 2", "dog 2"]);
}

#[test]
fn words_in_lists_and_marks_before_texts_are_texts() {
    let index = table("a.csv", "text,label\n\"['good', 'film']\",pos\n\"['bad', 'one']\",neg\n").unwrap();
    assert_eq!(index.items.len(), 2);
    let tweets: String =
        (0..12).map(|n| format!("#day{n} what a day it was,{}\n", ["pos", "neg"][n % 2])).collect();
    assert_eq!(table("a.csv", &tweets).unwrap().items.len(), 12);
    let rows: String =
        (0..12).map(|n| format!("words number {n},{},{}\n", ["a", "b"][n % 2], n % 5 / 4)).collect();
    let index = table("a.csv", &format!("text,label,invalid\n{rows}")).unwrap();
    assert_eq!(counts(&index), ["a 6", "b 6"]);
}

#[test]
fn what_counts_the_rows_does_not_name_the_files() {
    let paths: Vec<String> = (0..8).map(|n| format!("img/{n}.png")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let rows: String =
        (0..8).map(|n| format!("{n},{},{}\n", (n * 5 + 3) % 8, ["cat", "dog"][n % 2])).collect();
    for header in [",id,label", "index,id,label", "row,image_no,label"] {
        let index =
            read(&paths, &[("labels.csv", &format!("{header}\n{rows}"))], &ScanOptions::default()).unwrap();
        assert_eq!(items(&index)[3], "img/3.png cat", "{header}");
    }
}

#[test]
fn a_wrapper_with_the_name_of_a_part_is_no_class() {
    for wrapper in ["training_set", "test_images", "my-test-project", "cats_train"] {
        let paths = [format!("{wrapper}/cat/1.png"), format!("{wrapper}/dog/2.png")];
        let index = read(&paths.each_ref().map(String::as_str), &[], &ScanOptions::default()).unwrap();
        assert_eq!(index.classes, ["cat", "dog"], "{wrapper}");
    }
}

#[test]
fn a_table_that_names_files_which_are_not_here_is_told() {
    let table = "file,breed\nx1.jpg,siam\nx2.jpg,siam\nx3.jpg,lynx\nx4.jpg,lynx\n";
    let index = read(&["cat/1.png", "dog/2.png"], &[("labels.csv", table)], &ScanOptions::default()).unwrap();
    assert_eq!(index.classes, ["cat", "dog"]);
    assert!(told(&index, FindingKind::PassedOver).iter().any(|why| why.contains("less than half of them")));
}

#[test]
fn names_of_files_are_found_as_spreadsheets_and_addresses_write_them() {
    let check = |table: &str, paths: [&str; 3]| {
        let index = read(&paths, &[("labels.csv", table)], &ScanOptions::default()).unwrap();
        assert_eq!(counts(&index), ["cat 2", "dog 1"], "{table}");
    };
    let padded = ["images/0001.png", "images/0002.png", "images/0010.png"];
    check("id,label\n1,cat\n2,cat\n10,dog\n", padded);
    check("id,label\n1.0,cat\n2.0,cat\n10.0,dog\n", padded);
    check("id,label\n1.0,cat\n2.0,cat\n10.0,dog\n", ["images/1.png", "images/2.png", "images/10.png"]);
    let spaced = ["a b/x 1.png", "a b/x 2.png", "a b/x 3.png"];
    check("file,label\na%20b/x%201.png,cat\na%20b/x%202.png,cat\na%20b/x%203.png,dog\n", spaced);
    let query = "image,label\nx/1.png?w=2,cat\nhttps://a.b/x/2.png?w=1&h=2,cat\nx/3.png#top,dog\n";
    check(query, ["x/1.png", "x/2.png", "x/3.png"]);
}

/// Meant to fail with the longest column taken for the text whatever it holds.
#[test]
fn numbers_and_codes_are_no_texts() {
    let iris: String = (0..40)
        .map(|n| format!("{}.{},3.{},{}\n", n % 7, n, n % 5, ["setosa", "virginica"][n % 2]))
        .collect();
    let pixels: String = (0..40).map(|n| format!("{},{} 12 255 {n},Training\n", n % 3, n % 9)).collect();
    let codes: String = (0..40).map(|n| format!("{:08x}a7,{}\n", n * 7919, n % 2)).collect();
    for (name, content) in [
        ("iris", format!("sepal_length,sepal_width,species\n{iris}")),
        ("faces", format!("emotion,pixels,Usage\n{pixels}")),
        ("codes", format!("uid,label\n{codes}")),
    ] {
        let refused = table("a.csv", &content).err();
        assert!(matches!(refused, Some(ScanError::NoTexts { .. })), "{name}: {refused:?}");
    }
    // Words of any kind are texts.
    for words in [
        "商品番号{}はとても良い",
        "สินค้าดีมาก{}",
        "user{}x",
        "A{}",
        "C{}cc1(O)",
        "😀{}",
        "https://a.b/{}",
        "ab{}-77",
    ] {
        let rows: String =
            (0..40).map(|n| format!("{},{}\n", words.replace("{}", &n.to_string()), n % 2)).collect();
        let read = table("a.csv", &format!("sample,label\n{rows}"));
        assert_eq!(read.map(|index| index.items.len()), Ok(40), "{words}");
    }
    let addresses: String = (0..20).map(|n| format!("https://a.b/{n}.jpg?size=2,{}\n", n % 2)).collect();
    let refused = table("a.csv", &format!("url,label\n{addresses}")).err();
    assert!(matches!(refused, Some(ScanError::NamesOfFiles { .. })), "{refused:?}");
}

#[test]
fn what_counts_or_divides_rows_is_no_label() {
    let ids: String = (0..30).map(|n| format!("{n},words of the text {n}\n")).collect();
    let refused = table("X_train.csv", &format!("id,text\n{ids}")).err();
    assert!(matches!(refused, Some(ScanError::UnclearColumn { what: "label", .. })), "{refused:?}");
    let parts: String =
        (0..30).map(|n| format!("words of the text {n},{}\n", ["train", "test"][n % 2])).collect();
    let refused = table("a.csv", &format!("text,split\n{parts}")).err();
    assert!(matches!(refused, Some(ScanError::UnclearColumn { what: "label", .. })), "{refused:?}");
    let folds: String = (0..30).map(|n| format!("words of the text {n},{}\n", n % 5)).collect();
    let refused = table("a.csv", &format!("text,kfold\n{folds}")).err();
    assert!(matches!(refused, Some(ScanError::UnclearColumn { what: "label", .. })), "{refused:?}");
    let flags: String =
        (0..30).map(|n| format!("words of the text {n},{},{}\n", ["a", "b"][n % 2], n % 5 == 0)).collect();
    let index = table("a.csv", &format!("text,label,is_valid\n{flags}")).unwrap();
    assert_eq!(counts(&index), ["a train 12", "a validation 3", "b train 12", "b validation 3"]);
    let lines: String = (0..30)
        .map(|n| format!("{{\"text\":\"words {n}\",\"label\":\"{}\",\"is_valid\":{}}}\n", n % 2, n % 5 == 0))
        .collect();
    assert_eq!(
        counts(&table("a.jsonl", &lines).unwrap()),
        ["0 train 12", "0 validation 3", "1 train 12", "1 validation 3"]
    );
}

#[test]
fn words_for_missing_values_are_no_classes_and_no_texts() {
    for word in ["NA", "NaN", "null", "None", "n/a", "#N/A"] {
        let index =
            table("a.csv", &format!("text,label\nwords one,x\nwords two,{word}\nwords three,y\n{word},x\n"))
                .unwrap();
        assert_eq!(counts(&index), ["x 1", "y 1"], "{word}");
        let (labels, texts) = (told(&index, FindingKind::MissingLabel), told(&index, FindingKind::EmptyText));
        assert!(labels.len() == 1 && labels[0].contains(word), "{labels:?}");
        assert!(texts.len() == 1 && texts[0].contains(word), "{texts:?}");
    }
    // A class may be called so in small letters, and a JSON string is what it says.
    let index = table("a.csv", "text,intent\nwords one,none\nwords two,order\nwords three,none\n").unwrap();
    assert_eq!(index.classes, ["none", "order"]);
    let index = table(
        "a.jsonl",
        "{\"text\":\"one word\",\"label\":\"NA\"}\n{\"text\":\"two words\",\"label\":\"EU\"}",
    )
    .unwrap();
    assert_eq!(index.classes, ["EU", "NA"]);
}

#[test]
fn labels_written_as_lists_are_their_labels() {
    let index =
        table("a.csv", "text,label\nwords one,['pos']\nwords two,['neg']\nwords three,\"[\"\"pos\"\"]\"\n")
            .unwrap();
    assert_eq!(counts(&index), ["neg 1", "pos 2"]);
    let tags =
        "text,tags\nwords one,\"['a', 'b']\"\nwords two,['a']\nwords three,\"['b', 'c']\"\nwords four,[]\n";
    let index = table("a.csv", tags).unwrap();
    assert_eq!(
        (index.target, index.classes.as_slice()),
        (TargetKind::Labels, ["a", "b", "c"].map(String::from).as_slice())
    );
    // Files that were joined leave a mark of byte order within.
    let index =
        table("a.csv", "text,label\nwords one,\u{feff}pos\nwords two,pos\nwords three,neg\n").unwrap();
    assert_eq!(index.classes, ["neg", "pos"]);
}

#[test]
fn headers_below_remarks_and_of_numbers_are_found() {
    let check = |content: &str| {
        let index = table("a.csv", content).unwrap();
        assert_eq!(counts(&index), ["neg 1", "pos 2"], "{content}");
    };
    let rows = "1,words one,pos\n2,words two,neg\n3,words three,pos\n";
    check(&format!("id,text,label\n{rows}"));
    check(&format!("Report, 2020\nid,text,label\n{rows}"));
    check(&format!("# made in May, by us\nid,text,label\n{rows}"));
    check(&format!("# made in May, by us, for you\nid,text,label\n{rows}"));
    check(&format!("our,new,reviews\nall,of,them\nid,text,label\n{rows}"));
    check(&format!("#id,text,label\n{rows}"));
    check(&format!("id|text|label\n--|----|-----\n{}", rows.replace(',', "|")));
    check("0,1\nwords one,pos\nwords two,neg\nwords three,pos\n");
    check(",0,1\n0,words one,pos\n1,words two,neg\n2,words three,pos\n");
}

#[test]
fn a_column_with_the_right_name_and_nothing_in_it_is_not_taken() {
    let rows: String = (0..30).map(|n| format!("words of the text {n},,{},\n", ["a", "b"][n % 2])).collect();
    let index = table("a.csv", &format!("body,text,class,label\n{rows}")).unwrap();
    assert_eq!(counts(&index), ["a 15", "b 15"]);
    assert!(matches!(&index.layout, Layout::Table { text_column, .. } if text_column == "body"));
}

#[test]
fn documents_of_rows_and_of_parts_are_told_from_columns() {
    let row =
        |n: usize| format!("\"{n}\": {{\"text\": \"words {n}\", \"label\": \"{}\"}}", ["a", "b"][n % 2]);
    let rows: Vec<String> = (0..6).map(row).collect();
    let index = table("a.json", &format!("{{{}}}", rows.join(", "))).unwrap();
    assert_eq!(counts(&index), ["a 3", "b 3"]);
    let object = |n: usize| format!("{{\"text\": \"words {n}\", \"label\": \"{}\"}}", ["a", "b"][n % 2]);
    let list = |from: usize| (from..from + 4).map(object).collect::<Vec<_>>().join(", ");
    let index = table("a.json", &format!("{{\"train\": [{}], \"test\": [{}]}}", list(0), list(4))).unwrap();
    assert_eq!(counts(&index), ["a test 2", "a train 2", "b test 2", "b train 2"]);
    let index = read(
        &["x/1.png", "x/2.png"],
        &[("labels.json", "{\"1.png\": \"cat\", \"2.png\": \"dog\"}")],
        &ScanOptions::default(),
    )
    .unwrap();
    assert_eq!(items(&index), ["x/1.png cat", "x/2.png dog"]);
}
