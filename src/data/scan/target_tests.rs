//! Tables of labels and numbers, at their edges.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::control::Silent;

fn try_scan(name: &str, content: &str, options: &ScanOptions) -> Result<DatasetIndex, ScanError> {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join(name);
    std::fs::write(&root, content).unwrap();
    scan(&root, options, &Silent)
}

fn guessed(name: &str, content: &str) -> DatasetIndex {
    try_scan(name, content, &ScanOptions::default()).unwrap()
}

fn told(
    name: &str,
    content: &str,
    columns: &[&str],
    target: Option<TargetKind>,
) -> Result<DatasetIndex, ScanError> {
    let label_columns = columns.iter().map(|column| column.to_string()).collect();
    try_scan(name, content, &ScanOptions { label_columns, target, ..ScanOptions::default() })
}

/// "line words" of each item.
fn items(index: &DatasetIndex) -> Vec<String> {
    let words = |item: &Item| format!("{} {}", item.line.unwrap(), item.target.words(&index.classes));
    index.items.iter().map(words).collect()
}

/// "kind:line reason" of each finding.
fn findings(index: &DatasetIndex) -> Vec<String> {
    let finding = |finding: &Finding| {
        assert!(!finding.remedy.is_empty());
        format!("{}:{} {}", finding.kind.name(), finding.line.unwrap(), finding.reason)
    };
    index.findings.iter().map(finding).collect()
}

const TAGS: &str = "text,tags\none,a;b\ntwo, b ; c ;\nthree,\nfour,c;a;c\nfive,b\n";

#[test]
fn lists_are_labels_and_an_empty_one_is_none() {
    let index = guessed("a.csv", TAGS);
    assert_eq!(
        (index.target, &index.classes[..]),
        (TargetKind::Labels, &["a", "b", "c"].map(str::to_owned)[..])
    );
    assert_eq!(items(&index), ["2 a, b", "3 b, c", "4 no label", "5 a, c", "6 b"]);
    assert!(index.findings.is_empty(), "{:?}", index.findings);
    assert_eq!((index.counts(), index.unlabelled()), (vec![2, 3, 2], 1));
    assert_eq!(index.layout.to_string(), "5 texts in a.csv, text in column “text”, label lists in “tags”");
    let bars = guessed("a.tsv", &TAGS.replace(',', "\t").replace(';', "|"));
    assert_eq!(items(&bars), items(&index));
}

#[test]
fn what_was_said_about_the_kind_counts() {
    let classes = told("a.csv", TAGS, &[], Some(TargetKind::Class)).unwrap();
    assert_eq!((classes.target, classes.classes.len()), (TargetKind::Class, 4));
    assert_eq!(
        findings(&classes)[0],
        "single_item_class:2 the only item of the class “a;b”: it is trained on and never checked"
    );
    assert!(findings(&classes).contains(&"missing_label:4 the label is missing".to_owned()));
    let years: String = (1950..2000).map(|n| format!("text {n},{n}\n")).collect();
    let years = format!("text,label\n{years}");
    assert_eq!(guessed("a.csv", &years).target, TargetKind::Numbers);
    let classes = told("a.csv", &years, &["label"], Some(TargetKind::Class)).unwrap();
    assert_eq!((classes.target, classes.classes.len()), (TargetKind::Class, 50));
    let stars = "text,stars\na,1\nb,5\nc,1\nd,5\n";
    assert_eq!(guessed("a.csv", stars).target, TargetKind::Class);
    let numbers = told("a.csv", stars, &[], Some(TargetKind::Numbers)).unwrap();
    assert_eq!((items(&numbers)[1].as_str(), &numbers.classes[..]), ("3 5", &["stars".to_owned()][..]));
    let labels = told("a.csv", "text,kind\na,x\nb,y\nc,x\nd,y\n", &[], Some(TargetKind::Labels)).unwrap();
    assert_eq!(items(&labels), ["2 x", "3 y", "4 x", "5 y"]);
}

#[test]
fn json_lists_are_labels() {
    let lines = [
        r#"{"text":"one","labels":["a","b"]}"#,
        r#"{"text":"two","labels":[]}"#,
        r#"{"text":"three","labels":null}"#,
        r#"{"text":"four","labels":["b"," b",3]}"#,
        r#"{"text":"five","labels":"a"}"#,
        r#"{"text":"six","labels":[["a"]]}"#,
        r#"{"text":"seven"}"#,
        r#"{"text":"eight","labels":["3"]}"#,
    ];
    let index = guessed("a.jsonl", &lines.join("\n"));
    assert_eq!(items(&index), ["1 a, b", "2 no label", "4 3, b", "5 a", "8 3"]);
    assert_eq!(
        findings(&index),
        [
            "missing_label:3 the label is missing",
            "bad_row:6 “labels” is a list of lists or objects where a label should be",
            "missing_label:7 the label is missing",
        ]
    );
    let tokens = r#"{"text":"one","tokens":["one"],"mood":"x"}
{"text":"two","tokens":["two"],"mood":"y"}"#;
    let index = guessed("a.jsonl", tokens);
    assert_eq!((index.target, items(&index)), (TargetKind::Class, vec!["1 x".to_owned(), "2 y".to_owned()]));
}

const TOXIC: &str = "id,comment_text,toxic,obscene,threat\n\
    1,a kind word,0,0,0\n2,a bad word,1,0,0\n3,another word,1,1,0\n4,last word,,0,0\n5,no word,2,0,0\n6,x,,,\n\
    7,so it ends,0,1,0\n8,one more,0,0,0\n9,two more,0,0,0\n10,three more,0,0,0\n11,four more,0,0,0\n12,five more,1,0,0\n";

#[test]
fn columns_of_marks_are_labels() {
    let index = guessed("a.csv", TOXIC);
    assert_eq!(index.target, TargetKind::Labels);
    assert_eq!(index.classes, ["obscene", "threat", "toxic"]);
    assert_eq!(items(&index)[..4], ["2 no label", "3 toxic", "4 obscene, toxic", "8 obscene"]);
    assert_eq!(index.unlabelled(), 5);
    assert_eq!(
        findings(&index),
        [
            "constant_target:2 no item has the label “threat”",
            "bad_target:5 “toxic” is empty where 1 or 0 should be",
            "bad_target:6 “toxic” is “2” where 1 or 0 should be",
            "missing_label:7 the label is missing",
        ]
    );
    let sentence =
        "9 texts in a.csv, text in column “comment_text”, a label each in “toxic”, “obscene”, “threat”";
    assert_eq!(index.layout.to_string(), sentence);
    let two = told("a.csv", TOXIC, &["threat", "toxic"], None).unwrap();
    assert_eq!(two.classes, ["threat", "toxic"]);
    // One alone is a class of two.
    let one = told("a.csv", "text,rude\na,0\nb,1\nc,0\nd,1\n", &[], None).unwrap();
    assert_eq!((one.target, &one.classes[..]), (TargetKind::Class, &["0".to_owned(), "1".to_owned()][..]));
    let all = "text,x,y\na,1,1\nb,1,0\nc,1,1\n";
    let all = told("a.csv", all, &["x", "y"], None).unwrap();
    assert_eq!(findings(&all)[0], "constant_target:2 every item has the label “x”");
}

fn prices(rows: &str) -> String {
    let good: String = (0..30).map(|n| format!("text {n},{}\n", f64::from(n) * 1.25 + 0.5)).collect();
    format!("text,price\n{good}{rows}")
}

#[test]
fn bad_numbers_are_findings_and_the_rest_goes_on() {
    let index = guessed("a.csv", &prices("a,\nb,NaN\nc,\"1,234.5\"\nd,1e99\ne,null\nf,-2\n"));
    assert_eq!(
        (index.target, &index.classes[..], index.items.len()),
        (TargetKind::Numbers, &["price".to_owned()][..], 31)
    );
    assert_eq!(index.items[30].target, Target::Numbers(vec![-2.0]));
    let comma = "bad_target:34 “price” is “1,234.5”: what its separators mean cannot be told";
    let large = "bad_target:35 “price” is “1e99”, which is too large to be learnt (at most 1e30)";
    assert_eq!(
        findings(&index),
        [
            "missing_label:32 the number is missing",
            "bad_target:33 “price” is “NaN” where a number should be",
            comma,
            large,
            "bad_target:36 “price” is “null” where a number should be",
        ]
    );
    let text = guessed("a.csv", &prices("a,cheap\nb,dear\n"));
    assert_eq!(findings(&text)[0], "bad_target:32 “price” is “cheap” where a number should be");
}

#[test]
fn decimal_commas_are_read_where_the_whole_column_has_them() {
    let rows: String = (0..30).map(|n| format!("text {n};{n},5\n")).collect();
    let index = guessed("a.csv", &format!("text;preis\n{rows}ganz;7\nmit Punkt;1.234,5\n"));
    assert_eq!(
        findings(&index),
        ["bad_target:33 “preis” is “1.234,5”: what its separators mean cannot be told"]
    );
    assert_eq!(index.items[3].target, Target::Numbers(vec![3.5]));
    assert_eq!(index.items[30].target, Target::Numbers(vec![7.0]));
    assert!(index.layout.to_string().ends_with("numbers with decimal commas in “preis”"), "{}", index.layout);
    // Commas that may part thousands are not guessed about: nothing is left.
    let rows: String = (100..130).map(|n| format!("text {n};{n},{n}\n")).collect();
    let Err(ScanError::Empty { first: Some(First { reason: first, .. }), .. }) =
        try_scan("a.csv", &format!("text;preis\n{rows}"), &ScanOptions::default())
    else {
        panic!("thousands were read");
    };
    assert_eq!(first, "a.csv, line 2: “preis” is “100,100”: what its separators mean cannot be told");
}

#[test]
fn several_columns_of_numbers_stay_in_their_order() {
    let table = "text,y,x\na,1.5,2\nb,2.5,3\nc,,4\nd,3.5,5\n";
    let index = told("a.csv", table, &["y", "x"], None).unwrap();
    assert_eq!(
        (index.target, &index.classes[..]),
        (TargetKind::Numbers, &["y".to_owned(), "x".to_owned()][..])
    );
    assert_eq!(index.items[2].target, Target::Numbers(vec![3.5, 5.0]));
    assert_eq!(findings(&index), ["bad_target:4 “y” is empty where a number should be"]);
    assert!(index.layout.to_string().ends_with("numbers in “y”, “x”"));
    let still = told("a.csv", "text,y,x\na,1.5,2\nb,2.5,2\n", &["y", "x"], None).unwrap();
    assert_eq!(findings(&still), ["constant_target:2 “x” is 2 in every row"]);
    let mixed = told("a.csv", "text,y,x\na,1.5,red\nb,2.5,blue\n", &["y", "x"], None).unwrap_err();
    assert!(mixed.to_string().ends_with("“x” hold neither numbers nor 1 and 0"), "{mixed}");
    let class = told("a.csv", table, &["y", "x"], Some(TargetKind::Class)).unwrap_err();
    assert!(class.to_string().ends_with("in several columns: “y”, “x”"), "{class}");
    assert!(class.remedy().to_string().contains("one column"));
}

#[test]
fn numbers_of_json_are_read_as_they_are() {
    let rows: String =
        (0..12).map(|n| format!("{{\"text\":\"t{n}\",\"score\":{}}}\n", f64::from(n) * 0.1)).collect();
    let index = guessed(
        "a.jsonl",
        &format!("{rows}{{\"text\":\"x\",\"score\":\"0.7\"}}\n{{\"text\":\"y\",\"score\":[1]}}"),
    );
    assert_eq!(index.items[3].target, Target::Numbers(vec![3.0 * 0.1]));
    assert_eq!(index.items[12].target, Target::Numbers(vec![0.7]));
    assert_eq!(findings(&index), ["bad_target:14 “score” is a list where a number should be"]);
}

#[test]
fn equal_texts_with_other_targets_are_conflicts() {
    let tags = "text,tags\none,a;b\none,b;a\ntwo,b;c\ntwo,c\nthree,a;c\nfour,b\n";
    let found = findings(&guessed("a.csv", tags));
    assert_eq!(found[0], "duplicate:3 the same content as a.csv, line 2");
    assert_eq!(
        found[1],
        "conflicting_duplicate:5 labelled “c” here and “b, c” in a.csv, line 4, with the same content"
    );
    let found = findings(&guessed("a.csv", &prices("text 3,99\ntext 4,5.5\n")));
    assert_eq!(
        found,
        [
            "conflicting_duplicate:32 labelled “99” here and “4.25” in a.csv, line 5, with the same content",
            "duplicate:33 the same content as a.csv, line 6",
        ]
    );
}

#[test]
fn the_training_table_decides_for_the_others() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("train.csv"), TAGS).unwrap();
    std::fs::write(folder.path().join("test.csv"), "text,tags\nsix,a;d\nseven,\n").unwrap();
    let index = scan(folder.path(), &ScanOptions::default(), &Silent).unwrap();
    assert_eq!(index.classes, ["a", "b", "c", "d"]);
    assert_eq!(items(&index)[..2], ["2 a, d", "3 no label"]);
    assert!(findings(&index)[0].starts_with("no_training_item:2 the label “d” has no item to train on"));
}

/// Scans tables that lie beside each other.
fn beside(tables: &[(&str, &str)]) -> DatasetIndex {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in tables {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    scan(folder.path(), &ScanOptions::default(), &Silent).unwrap()
}

#[test]
fn the_first_spelling_of_a_label_column_names_it() {
    let (marks, more) = ("text, Toxic ,Rude\na,1,0\nb,0,1\n", "text,toxic,rude\nc,1,1\nd,0,0\n");
    let index = beside(&[("train.csv", marks), ("test.csv", more)]);
    assert_eq!(index.classes, ["Rude", "Toxic"]);
    assert_eq!(items(&index), ["2 Rude, Toxic", "3 no label", "2 Toxic", "3 Rude"]);
    let lines = "{\"Text\":\"c\",\"TOXIC\":1,\"rude \":1}\n";
    let index = beside(&[("train.csv", marks), ("test.jsonl", lines)]);
    assert_eq!((index.classes.len(), items(&index)[0].as_str()), (2, "1 Rude, Toxic"));
    for spelling in ["price", "\" price\"", "PRICE "] {
        let asked =
            told("a.csv", &format!("text,{spelling}\na,1.5\nb,2\n"), &["Price"], Some(TargetKind::Numbers));
        assert_eq!(asked.unwrap().classes, ["Price"]);
    }
    let price = guessed("a.csv", &prices("").replace("text,price", "text, price "));
    assert_eq!(price.classes, ["price"]);
}

#[test]
fn a_guess_is_the_same_once_its_kind_is_known() {
    let tables = [
        (0..100).map(|n| format!("text {n},{},{}.25\n", 50 + n % 31, n % 90)).collect::<String>(),
        (0..100).map(|n| format!("text {n},{}.5,{}.25\n", 50 + n % 41, 2 * n)).collect(),
        (0..100).map(|n| format!("text {n},x{};y{},a{};b{}\n", n % 11, n % 7, n % 3, n % 2)).collect(),
        (0..100).map(|n| format!("text {n},{},{}\n", n % 2, n % 3 % 2)).collect(),
        (0..100).map(|n| format!("text {n},{},k{}\n", n * n, n % 4)).collect(),
    ];
    let headers =
        ["text,weight,price", "text,weight,height", "text,more,less", "text,rude,loud", "text,size,kind"];
    for (header, rows) in headers.iter().zip(tables) {
        let table = format!("{header}\n{rows}");
        let first = guessed("a.csv", &table);
        let again = told("a.csv", &table, &[], Some(first.target)).unwrap();
        assert_eq!((&again.layout, &again.classes), (&first.layout, &first.classes));
        let Layout::Table { text_column, label_columns, .. } = first.layout.clone() else { panic!() };
        let (text_column, target) = (Some(text_column), Some(first.target));
        let named = ScanOptions { text_column, label_columns, target, ..ScanOptions::default() };
        assert_eq!(try_scan("a.csv", &table, &named).unwrap().layout, first.layout);
    }
}

#[test]
fn a_class_does_not_move_to_a_column_of_lists() {
    let rows: String =
        (0..20).map(|n| format!("text {n},k{};l{},{}\n", n, n % 3, ["glad", "sad"][n % 2])).collect();
    let index = told("a.csv", &format!("text,keywords,mood\n{rows}"), &[], Some(TargetKind::Class)).unwrap();
    assert_eq!(index.classes, ["glad", "sad"]);
    let guess = guessed("a.csv", &format!("text,keywords,mood\n{rows}"));
    assert_eq!(guess.target, TargetKind::Labels);
}

#[test]
fn two_columns_of_one_name_are_refused() {
    let table = "text,x,x\na,1,0\nb,0,1\nc,1,1\n";
    let error = try_scan("a.csv", table, &ScanOptions::default()).unwrap_err();
    assert!(error.to_string().contains("several columns that are named “x”"), "{error}");
    assert!(error.remedy().to_string().contains("a name of its own"));
    let shared = "text,x,y,x\na,1,0,0\nb,0,1,1\nc,1,1,0\n";
    let error = told("a.csv", shared, &["x", "y"], Some(TargetKind::Labels)).unwrap_err();
    assert!(matches!(error, ScanError::RepeatedColumn { .. }), "{error}");
    let other = told("a.csv", "text,x,x,mood\na,1,0,glad\nb,0,1,sad\n", &["mood"], None).unwrap();
    assert_eq!(other.classes, ["glad", "sad"]);
}

#[test]
fn words_for_nothing_are_no_labels() {
    let index = guessed("a.csv", &format!("{TAGS}six,NA\nseven,none\neight,b;none\n"));
    assert_eq!(index.classes, ["a", "b", "c", "none"]);
    assert_eq!((index.items.len(), index.unlabelled()), (6, 1));
    assert_eq!(
        findings(&index),
        [
            "missing_label:7 “tags” is “NA”, which says that the label is missing",
            "missing_label:8 “tags” is “none”, which says that the label is missing",
            // Among others it is a word.
            "single_item_class:9 the only item of the label “none”: it is trained on and never checked",
        ]
    );
}

#[test]
fn a_point_among_decimal_commas_is_a_finding() {
    // Far below the rows that are looked at.
    let rows: String = (0..1100).map(|n| format!("text {n};{n},5\n")).collect();
    let index = guessed("a.csv", &format!("text;preis\n{rows}Tausend;1.234\n"));
    assert_eq!(index.items.len(), 1100);
    assert_eq!(
        findings(&index),
        ["bad_target:1102 “preis” is “1.234”: what its separators mean cannot be told"]
    );
}

#[test]
fn folders_name_classes_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    for class in ["a", "b"] {
        std::fs::create_dir(folder.path().join(class)).unwrap();
        std::fs::write(folder.path().join(class).join("1.txt"), class).unwrap();
    }
    let said =
        |target| scan(folder.path(), &ScanOptions { target: Some(target), ..Default::default() }, &Silent);
    assert_eq!(said(TargetKind::Class).unwrap().target, TargetKind::Class);
    let error = said(TargetKind::Numbers).unwrap_err();
    assert!(error.to_string().ends_with("so they give no numbers"), "{error}");
    assert!(error.remedy().to_string().contains("--task"));
}

/// A table as the csv crate writes it.
fn written(header: [&str; 2], rows: &[(String, String)]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header).unwrap();
    for (text, label) in rows {
        writer.write_record([text, label]).unwrap();
    }
    String::from_utf8(writer.into_inner().unwrap()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn lists_are_read_back_whole(
        lists in prop::collection::vec(prop::collection::btree_set("[a-zé,\" ]{1,6}", 0..5), 1..30),
        is_bar: bool,
    ) {
        let trimmed = |list: &BTreeSet<String>| -> BTreeSet<String> {
            list.iter().map(|label| label.trim().to_owned()).filter(|label| !label.is_empty()).collect()
        };
        let says_nothing = |list: &BTreeSet<String>| list.iter().any(|label| cells::stands_for_nothing(label));
        prop_assume!(lists.iter().all(|list| trimmed(list).is_empty() || !says_nothing(list)));
        let separator = if is_bar { "|" } else { ";" };
        let joined = |list: &BTreeSet<String>| list.iter().cloned().collect::<Vec<_>>().join(separator);
        let mut rows: Vec<(String, String)> =
            lists.iter().enumerate().map(|(n, list)| (format!("text {n}"), joined(list))).collect();
        // Enough for the separator to be found, whatever else there is.
        rows.push(("last".into(), format!("x{separator}y")));
        let options = ScanOptions { target: Some(TargetKind::Labels), ..Default::default() };
        let index = try_scan("a.csv", &written(["text", "labels"], &rows), &options).unwrap();
        prop_assert_eq!(index.items.len(), rows.len());
        for (item, list) in index.items.iter().zip(&lists) {
            let read: BTreeSet<String> =
                item.target.labels().iter().map(|label| index.name_of(*label).to_owned()).collect();
            prop_assert_eq!(read, trimmed(list));
        }
    }

    #[test]
    fn numbers_are_read_back_to_the_bit(numbers in prop::collection::vec(-1e30f64..1e30, 1..40), power in -60i32..1) {
        let numbers: Vec<f64> = numbers.iter().map(|number| number * 10f64.powi(power)).collect();
        let rows: Vec<(String, String)> =
            numbers.iter().enumerate().map(|(n, number)| (format!("text {n}"), number.to_string())).collect();
        let options = ScanOptions { target: Some(TargetKind::Numbers), ..Default::default() };
        let index = try_scan("a.csv", &written(["text", "value"], &rows), &options).unwrap();
        let lines: String = numbers
            .iter()
            .enumerate()
            .map(|(n, number)| format!("{}\n", serde_json::json!({"text": format!("text {n}"), "value": number})))
            .collect();
        let json = try_scan("a.jsonl", &lines, &options).unwrap();
        for ((item, line), number) in index.items.iter().zip(&json.items).zip(&numbers) {
            prop_assert_eq!(item.target.numbers()[0].to_bits(), number.to_bits());
            prop_assert_eq!(line.target.numbers()[0].to_bits(), number.to_bits());
        }
        prop_assert_eq!(index.items.len(), numbers.len());
    }

    #[test]
    fn no_table_panics_whatever_it_is_taken_for(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "text,label\n", "a,1;2\n", "b,", "\n", ",", ";", "|", "1", "0", "2.5", "1e400", "-", "NaN", "3,5", "\"", "é",
            ]),
            0..40,
        ),
        kind in prop::sample::select(vec![TargetKind::Class, TargetKind::Labels, TargetKind::Numbers]),
        columns in prop::sample::select(vec![vec![], vec!["label"], vec!["column 1", "column 2"]]),
    ) {
        let Ok(index) = told("a.csv", &pieces.concat(), &columns, Some(kind)) else { return Ok(()) };
        prop_assert_eq!(index.target, kind);
        for item in &index.items {
            prop_assert!(item.target.labels().iter().all(|label| *label < index.classes.len()));
            prop_assert!(item.target.labels().is_sorted());
            prop_assert!(item.target.numbers().iter().all(|number| number.is_finite()));
        }
    }
}
