use std::collections::BTreeMap;

use super::tests::folder;
use super::*;
use crate::control::Silent;

/// The labels, counted, of a table of that name and content.
fn labels_of(name: &str, content: &[u8]) -> Vec<String> {
    let root = folder(&[(name, content)]);
    let index = scan(&root.path().join(name), &ScanOptions::default(), &Silent).unwrap();
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for item in &index.items {
        if let Target::Class(class) = item.target {
            *counts.entry(index.classes[class].as_str()).or_default() += 1;
        }
    }
    counts.into_iter().map(|(class, count)| format!("{class} {count}")).collect()
}

#[test]
fn tables_of_every_dialect_are_read_whole() {
    let rows = |row: &dyn Fn(u32, &str) -> String| -> String {
        (0..40).map(|number| row(number, if number % 2 == 0 { "neg" } else { "pos" })).collect()
    };
    let check = |what: &str, name: &str, text: &[u8]| {
        assert_eq!(labels_of(name, text), ["neg 20", "pos 20"], "{what}");
    };
    let plain = format!("text,label\n{}", rows(&|n, label| format!("visit {n} was fine,{label}\n")));
    check("line feeds", "a.csv", plain.as_bytes());
    check("carriage returns", "a.csv", plain.replace('\n', "\r").as_bytes());
    check("both", "a.csv", plain.replace('\n', "\r\n").as_bytes());
    let units: Vec<u8> = plain.encode_utf16().flat_map(u16::to_le_bytes).collect();
    check("UTF-16", "a.csv", &[b"\xff\xfe", units.as_slice()].concat());
    check("a NUL byte", "a.csv", plain.replace("visit 7", "visit\0 7").as_bytes());
    check("semicolons", "a.csv", plain.replace(',', ";").as_bytes());
    check("a line for the separator", "a.csv", format!("sep=;\n{}", plain.replace(',', ";")).as_bytes());
    let pipes = format!("text|label\n{}", rows(&|n, label| format!("visit {n}, and again|{label}\n")));
    check("pipes", "a.csv", pipes.as_bytes());
    let escaped = rows(&|n, label| format!("\"visit {n} was \\\"fine\\\", so\",{label}\n"));
    check("backslashes", "a.csv", format!("text,label\n{escaped}").as_bytes());
    check("a title", "a.csv", format!("Visits of 2021\n\n{plain}").as_bytes());
    let r = rows(&|n, label| format!("\"{n}\",\"visit {n} was fine\",\"{label}\"\n"));
    check("R", "a.csv", format!("\"text\",\"label\"\n{r}").as_bytes());
    let list = rows(&|n, label| format!("{{\"text\":\"visit {n}\",\"label\":\"{label}\",\"x\":NaN}},\n"));
    check("a JSON list", "a.json", format!("[{}]", list.trim_end_matches(",\n")).as_bytes());
    let lines = list.replace("},\n", "}\n");
    check("NaN", "a.jsonl", lines.as_bytes());
    let in_lists = rows(&|n, label| format!("{{\"text\":\"visit {n}\",\"label\":[\"{label}\"]}}\n"));
    check("labels in lists", "a.jsonl", in_lists.as_bytes());
    let sparse = rows(&|n, label| {
        let gold = ["yes", "no"].get(n as usize).copied().unwrap_or_default();
        format!("{n},{gold},{label},\"visit {n} was fine\"\n")
    });
    check("a sparse column", "a.csv", format!("key,gold,mood,words\n{sparse}").as_bytes());
}

#[test]
fn a_column_of_parts_gives_the_parts() {
    let part = |number: u32| ["train", "train", "validation", "test"][number as usize % 4];
    let rows: String = (0..40).map(|n| format!("visit {n},{},{}\n", n / 4 % 2, part(n))).collect();
    let root = folder(&[("a.csv", format!("text,label,split\n{rows}").as_bytes())]);
    let index = scan(&root.path().join("a.csv"), &ScanOptions::default(), &Silent).unwrap();
    let of = |part: Part| index.items.iter().filter(|item| item.part == Some(part)).count();
    assert_eq!([of(Part::Train), of(Part::Validation), of(Part::Test)], [20, 10, 10]);
}

#[test]
fn texts_named_after_parts_are_tables() {
    let rows = |from: u32| -> String {
        let row = |n: u32| {
            format!(
                "i feel{} like {n};{}\n",
                ["", ", well,"][n as usize / 2 % 2],
                ["joy", "anger"][n as usize % 2]
            )
        };
        (from..from + 20).map(row).collect()
    };
    let (train, test) = (rows(0), rows(20));
    let root = folder(&[("train.txt", train.as_bytes()), ("test.txt", test.as_bytes())]);
    let index = scan(root.path(), &ScanOptions::default(), &Silent).unwrap();
    assert_eq!((index.items.len(), index.classes), (40, vec!["anger".to_owned(), "joy".to_owned()]));
}

#[test]
fn names_of_files_are_no_texts() {
    let refused = |text: &str| {
        let root = folder(&[("a.csv", text.as_bytes())]);
        scan(&root.path().join("a.csv"), &ScanOptions::default(), &Silent).err()
    };
    let rows = |ending: &str| -> String {
        (0..8).map(|n| format!("img_{n}{ending},{}\n", ["cat", "dog"][n % 2])).collect()
    };
    for (name, ending) in [("image_id", ""), ("what", ".jpg"), ("text", ".wav"), ("clip", "/0001.PNG")] {
        let refused = refused(&format!("{name},label\n{}", rows(ending)));
        assert!(matches!(&refused, Some(ScanError::NamesOfFiles { column, .. }) if column == name), "{name}");
    }
    assert_eq!(refused(&format!("text,label\n{}", rows(" is a picture"))), None);
    assert_eq!(refused(&format!("image,label\n{}", rows(" is a picture"))), None);
}

#[test]
fn a_packed_table_is_read_as_it_was() {
    use std::io::Write;
    let text: String = (0..40).map(|n| format!("visit {n} was fine\t{}\n", ["neg", "pos"][n % 2])).collect();
    let text = format!("text\tlabel\n{text}");
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(text.as_bytes()).unwrap();
    assert_eq!(labels_of("a.tsv.gz", &packer.finish().unwrap()), ["neg 20", "pos 20"]);
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let packed = ruzstd::encoding::compress_to_vec(text.as_bytes(), level);
    assert_eq!(labels_of("train.tsv.zst", &packed), ["neg 20", "pos 20"]);
    // In a folder, by its part, and cut short.
    let train = folder(&[("train.tsv.zst", packed.as_slice()), ("test.tsv", text.as_bytes())]);
    let index = scan(train.path(), &ScanOptions::default(), &Silent).unwrap();
    assert_eq!(index.items.len(), 80);
    let cut = folder(&[("a.tsv.zst", &packed[..packed.len() - 9])]);
    let refused = scan(&cut.path().join("a.tsv.zst"), &ScanOptions::default(), &Silent).unwrap_err();
    assert!(matches!(&refused, ScanError::Within { why, .. } if why.contains("compressed")), "{refused}");
}

#[test]
fn what_is_said_of_a_table_is_obeyed() {
    let read = |text: &[u8], writing: Writing| {
        let root = folder(&[("a.csv", text)]);
        let options = ScanOptions { writing, ..ScanOptions::default() };
        scan(&root.path().join("a.csv"), &options, &Silent).unwrap()
    };
    let rows: String = (0..40).map(|n| format!("schön {n}, gut;{}\n", ["süß", "sauer"][n % 2])).collect();
    let latin: Vec<u8> = format!("text;label\n{rows}").chars().map(|c| c as u8).collect();
    let encoding = TextEncoding::named("latin1");
    let index = read(&latin, Writing { encoding, ..Writing::default() });
    assert_eq!(index.classes, ["sauer", "süß"]);
    assert_eq!(index.items[0].text.as_deref(), Some("schön 0, gut"));
    let separator = Some(Separator::Semicolon);
    let said = Writing { separator, header_line: Some(0), encoding };
    assert_eq!(read(&latin, said).items.len(), 41);
    let titled = format!("a;b\nc;d\ntext;label\n{rows}");
    let index = read(titled.as_bytes(), Writing { header_line: Some(3), ..Writing::default() });
    assert_eq!((index.items.len(), index.items[0].line), (40, Some(4)));
}

/// Meant to fail with 1.2 GB of samples where rows have no limit.
#[test]
fn millions_of_rows_of_next_to_nothing_are_refused() {
    let check = |name: &str, (head, row, end): (&str, &str, &str), rows: &str| {
        let root = folder(&[(name, format!("{head}{}{end}", row.repeat(2_000_001)).as_bytes())]);
        let error = scan(&root.path().join(name), &ScanOptions::default(), &Silent).err();
        let most = "and at most 2,000,000 are read where a row has fewer than 64 bytes on average";
        let ScanError::Within { why, .. } = error.unwrap() else { panic!("{name}") };
        assert_eq!(why, format!("it has {rows} rows, {most}"), "{name}");
    };
    check("a.csv", ("text,label\n", "x,y\n", ""), "2,000,002");
    let object = r#"{"text":"x","label":"y"}"#;
    check("a.jsonl", ("", &format!("{object}\n"), ""), "2,000,001");
    check("a.json", ("[", &format!("{object},"), "{}]"), "2,000,002");
}
