use super::*;
use crate::control::Silent;
use crate::data::scan::tests::folder;
use crate::data::scan::{ScanOptions, scan};

/// Made by `goldens/make_tables.py` with pandas, pyarrow and polars.
const FILES: [(&str, &[u8]); 6] = [
    ("snappy", include_bytes!("../../goldens/rows_snappy.parquet")),
    ("gzip", include_bytes!("../../goldens/rows_gzip.parquet")),
    ("zstd", include_bytes!("../../goldens/rows_zstd.parquet")),
    ("none", include_bytes!("../../goldens/rows_none.parquet")),
    ("polars", include_bytes!("../../goldens/rows_polars.parquet")),
    ("datasets", include_bytes!("../../goldens/rows_datasets.parquet")),
];
const IMAGES: &[u8] = include_bytes!("../../goldens/images.parquet");
const ROWS: &str = include_str!("../../goldens/rows.json");

/// Sabotage for what `datasets` writes: the names of classes are not looked up.
#[test]
fn rows_are_read_whole_whoever_packed_them() {
    let expected: Vec<(String, String)> = serde_json::from_str(ROWS).unwrap();
    for (name, bytes) in FILES {
        let root = folder(&[("rows.parquet", bytes)]);
        let options = ScanOptions { label_columns: vec!["label".into()], ..Default::default() };
        let index = scan(&root.path().join("rows.parquet"), &options, &Silent).unwrap();
        let read: Vec<(String, String)> = index
            .items
            .iter()
            .map(|item| (item.text.clone().unwrap(), item.target.words(&index.classes)))
            .collect();
        assert_eq!(read, expected, "{name}");
        assert_eq!(index.items[2].line, Some(3), "{name}");
    }
}

#[test]
fn numbers_and_lists_are_read_and_features_told() {
    let lines = |bytes: &[u8]| {
        let (text, said) = as_lines(bytes.to_vec()).unwrap();
        let lines: Vec<Value> = String::from_utf8(text)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        (lines, said)
    };
    let (rows, said) = lines(FILES[0].1);
    assert_eq!((&rows[0]["stars"], &rows[3]["stars"], said.len()), (&Value::from(0.5), &Value::Null, 0));
    let (rows, said) = lines(FILES[5].1);
    assert_eq!(rows[2]["tags"], serde_json::json!(["a", "b"]));
    assert!(rows[2].get("vector").is_none());
    assert!(said[0].contains("“vector”"), "{said:?}");
}

#[test]
fn images_within_are_refused_with_what_to_do() {
    let refused = as_lines(IMAGES.to_vec()).unwrap_err();
    assert!(refused.contains("“image”") && REMEDY.contains("metadata.csv"), "{refused}");
}

#[test]
fn what_is_broken_is_refused() {
    for bytes in [b"PAR1".to_vec(), b"text,label".to_vec(), FILES[0].1[..FILES[0].1.len() / 2].to_vec()] {
        assert!(as_lines(bytes).unwrap_err().starts_with("it is"));
    }
    for (_, bytes) in FILES {
        for place in (0..bytes.len()).step_by(31) {
            let mut flipped = bytes.to_vec();
            flipped[place] ^= 0x10;
            let _ = as_lines(flipped);
        }
    }
}
