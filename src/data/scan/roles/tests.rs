use super::*;
use crate::control::Silent;
use crate::data::index::{DatasetIndex, Part};
use crate::data::scan::ScanError;
use crate::data::scan::options::ColumnChoice;
use crate::data::scan::options::ScanOptions;
use crate::data::scan::tests::folder;
use crate::data::scan::{TextColumns, scan};

/// Mails of ten customers, with a subject and a body.
fn mails(columns: &str) -> String {
    let row = |n: usize| {
        let team = ["billing", "delivery"][n % 2];
        let part = ["train", "train", "test"][n % 3];
        let all = [
            ("id", n.to_string()),
            ("subject", format!("Card {n} was declined again")),
            ("body", format!("My card {n} was refused at the till twice; please look into it")),
            ("customer_id", format!("c{}", n % 10)),
            ("split", part.to_owned()),
            ("team", team.to_owned()),
        ];
        let cell = |name: &str| all.iter().find(|(known, _)| *known == name).map(|(_, cell)| cell.clone());
        columns.split(',').filter_map(cell).collect::<Vec<_>>().join(",")
    };
    let rows: Vec<String> = (1..=60).map(row).collect();
    format!("{columns}\n{}\n", rows.join("\n"))
}

fn read(files: &[(&str, &str)], options: &ScanOptions) -> Result<DatasetIndex, ScanError> {
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
    let root = folder(&files);
    match files.as_slice() {
        [(name, _)] => scan(&root.path().join(name), options, &Silent),
        _ => scan(root.path(), options, &Silent),
    }
}

fn column(name: &str) -> Option<ColumnChoice> {
    Some(ColumnChoice::Column(name.to_owned()))
}

fn told(index: &DatasetIndex, kind: FindingKind) -> Vec<&str> {
    index.findings.iter().filter(|finding| finding.kind == kind).map(|f| f.reason.as_str()).collect()
}

const ALL: &str = "id,subject,body,customer_id,split,team";

#[test]
fn a_column_of_parts_is_found_refused_or_chosen() {
    let text = mails(ALL);
    let parts = |part_column: Option<ColumnChoice>| {
        let index = read(&[("a.csv", &text)], &ScanOptions { part_column, ..Default::default() }).unwrap();
        assert_eq!(index.items.len(), 60);
        index.items.iter().filter(|item| item.part == Some(Part::Test)).count()
    };
    assert_eq!(parts(None), 20);
    // Broken where Beside::of looks for parts whatever was said.
    assert_eq!(parts(Some(ColumnChoice::Unused)), 0);
    assert_eq!(parts(column("Split")), 20);
    let renamed = text.replacen("split", "stage", 1);
    let index =
        |part_column| read(&[("a.csv", &renamed)], &ScanOptions { part_column, ..Default::default() });
    assert!(index(None).unwrap().items.iter().all(|item| item.part.is_none()));
    let chosen = index(column("stage")).unwrap();
    assert_eq!(chosen.items.iter().filter(|item| item.part == Some(Part::Test)).count(), 20);
    assert!(chosen.layout.to_string().ends_with("parted into train, test by “stage”"), "{}", chosen.layout);
    assert!(matches!(index(column("stages")), Err(ScanError::UnknownColumn { .. })));
    let two =
        ScanOptions { part_column: column("team"), label_columns: vec!["team".into()], ..Default::default() };
    assert!(matches!(read(&[("a.csv", &text)], &two), Err(ScanError::TwoRoles { .. })));
}

#[test]
fn texts_are_joined_in_the_order_of_the_table_or_as_they_are_listed() {
    let first = |columns: &str, joined: &[&str], text_column: Option<&str>| {
        let options = ScanOptions {
            joined_columns: joined.iter().map(|name| name.to_string()).collect(),
            text_column: text_column.map(str::to_owned),
            ..Default::default()
        };
        let index = read(&[("a.csv", &mails(columns))], &options).unwrap();
        index.items[0].text.clone().unwrap()
    };
    let (subject, body) =
        ("Card 1 was declined again", "My card 1 was refused at the till twice; please look into it");
    assert_eq!(first(ALL, &[], None), body);
    // Broken where the joined column is put behind the text whatever the table says.
    assert_eq!(first(ALL, &["subject"], None), format!("{subject}\n\n{body}"));
    assert_eq!(first(ALL, &["subject"], Some("body")), format!("{subject}\n\n{body}"));
    assert_eq!(first(ALL, &["body"], None), format!("{subject}\n\n{body}"));
    assert_eq!(first(ALL, &["body", "subject"], Some("subject")), format!("{body}\n\n{subject}"));
    assert_eq!(first("body,subject,team", &["subject"], None), format!("{body}\n\n{subject}"));
    assert_eq!(first(ALL, &["body"], Some("body")), body);
}

#[test]
fn what_is_empty_is_not_joined_and_objects_are_as_rows() {
    let options = ScanOptions { joined_columns: vec!["title".into()], ..Default::default() };
    let csv = "title,text,label\n,a b,x\nc d,,y\ne,f,x\n , ,y\n";
    let lines = "{\"title\":null,\"text\":\"a b\",\"label\":\"x\"}\n{\"title\":\"c d\",\"label\":\"y\"}\n\
                 {\"title\":\"e\",\"text\":\"f\",\"label\":\"x\"}\n{\"title\":\" \",\"text\":\"\",\"label\":\"y\"}\n\
                 {\"title\":7,\"text\":\"g\",\"label\":\"y\"}\n";
    for (name, text) in [("a.csv", csv), ("a.jsonl", lines)] {
        let index = read(&[(name, text)], &options).unwrap();
        let texts: Vec<&str> = index.items.iter().filter_map(|item| item.text.as_deref()).collect();
        assert_eq!(texts, ["a b", "c d", "e\n\nf"], "{name}");
        assert_eq!(told(&index, FindingKind::EmptyText).len(), 1, "{name}");
        assert!(index.layout.to_string().contains("joined from “title”, “text”"), "{}", index.layout);
    }
}

#[test]
fn a_model_is_asked_about_texts_joined_as_it_learnt_them() {
    let options = ScanOptions { joined_columns: vec!["subject".into()], ..Default::default() };
    let index = read(&[("a.csv", &mails(ALL))], &options).unwrap();
    let recipe = crate::data::index::ColumnsBeside::clone(index.layout.beside().unwrap());
    assert_eq!(recipe.joined, ["subject", "body"]);
    let learnt = TextColumns::learnt(Some(&"body".to_owned()), &recipe.joined);
    let ask = |columns: &str, asked: &TextColumns| {
        let root = folder(&[("b.csv", mails(columns).as_bytes())]);
        let path = root.path().join("b.csv");
        let modality = crate::data::modality::Modality::Text;
        let found = crate::data::scan::unlabelled(&path, modality, asked, &Silent).unwrap();
        found.into_iter().next().unwrap().content
    };
    let text = |content| match content {
        Ok(crate::data::scan::Content::Text(text)) => text,
        other => panic!("{other:?}"),
    };
    // The order is that of the table that was learnt from, though this one has another.
    assert_eq!(Some(text(ask("id,body,subject", &learnt))), index.items[0].text);
    // What was joined must be there; what the user says goes before.
    assert!(ask("id,body", &learnt).unwrap_err().reason.contains("“subject”"));
    let asked = TextColumns { text: Some("body".into()), ..TextColumns::default() };
    assert!(text(ask("id,body,subject", &asked)).starts_with("My card 1"));
    // A single column may be called otherwise, and is preferred where it is there.
    let alone = TextColumns::learnt(Some(&"subject".to_owned()), &[]);
    assert!(text(ask("id,body,subject", &alone)).starts_with("Card 1"));
    assert!(text(ask("id,body", &alone)).starts_with("My card 1"));
}

#[test]
fn groups_are_kept_offered_and_never_taken_in_silence() {
    let text = mails(ALL);
    let offered = read(&[("a.csv", &text)], &ScanOptions::default()).unwrap();
    assert!(offered.items.iter().all(|item| item.group.is_none()));
    let said = told(&offered, FindingKind::OfferedColumn);
    assert!(said.iter().any(|said| said.contains("“customer_id” (10 values in 60 rows")), "{said:?}");
    assert!(said.iter().any(|said| said.contains("“subject” holds text too")), "{said:?}");
    let options = ScanOptions { group_column: column("customer_id"), ..Default::default() };
    let grouped = read(&[("a.csv", &text)], &options).unwrap();
    assert_eq!(grouped.items[0].group.as_deref(), Some("c1"));
    assert!(!told(&grouped, FindingKind::OfferedColumn).iter().any(|said| said.contains("customer")));
    assert_ne!(grouped.digest(), offered.digest());
    // The parts of the table tear them apart: broken where the audit looks at items without their groups.
    let torn = told(&grouped, FindingKind::GroupAcrossParts);
    assert!(
        torn[0].starts_with(
            "10 groups of “customer_id” with 60 samples lie in several parts (“c0”: train 4, test 2;"
        ),
        "{torn:?}"
    );
    let unused = ScanOptions { group_column: Some(ColumnChoice::Unused), ..Default::default() };
    let unused = read(&[("a.csv", &text)], &unused).unwrap();
    assert!(!told(&unused, FindingKind::OfferedColumn).iter().any(|said| said.contains("customer")));
    // Rows without a value are alone.
    let some = text.replace(",c1,", ",NA,");
    let some = read(&[("a.csv", &some)], &options).unwrap();
    assert_eq!(some.items.iter().filter(|item| item.group.is_none()).count(), 6);
}

#[test]
fn further_tables_may_lack_what_says_part_and_group() {
    let options = ScanOptions { group_column: column("customer_id"), ..Default::default() };
    let (all, few) = (mails(ALL), mails("body,team"));
    let index = read(&[("a.csv", &all), ("b.csv", &few.replace("My card", "Our card"))], &options).unwrap();
    assert_eq!(index.items.len(), 120);
    let lacking = told(&index, FindingKind::OtherPart);
    assert_eq!(lacking.len(), 2, "{lacking:?}");
    assert!(lacking[0].contains("no column “split” here"), "{lacking:?}");
}

#[test]
fn groups_are_known_by_their_names() {
    let check = |name: &str, expected: bool| assert_eq!(names_groups(name), expected, "{name}");
    for name in
        ["customer", "customer_id", "patientID", "PatientId", "Speaker No", "userid", "USER_ID", "the author"]
    {
        check(name, true);
    }
    for name in ["id", "user_rating", "customer_service", "text", "", "_", "name", "paid", "Kunde"] {
        check(name, false);
    }
}
