//! Names of label columns, as they are written in files and told to people.
//!
//! They are a list that is written as a string where it holds one, as older files have it: `"a"`, `["a", "b"]`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::target::TargetForm;

/// The columns and what they were taken for: label in “mood”, a label each in “a”, “b” and 4 more.
pub(crate) fn in_words(form: TargetForm, columns: &[String]) -> String {
    /// More would make the sentence a list.
    const SHOWN: usize = 4;
    let what = match form {
        TargetForm::Name => "label",
        TargetForm::SemicolonList | TargetForm::BarList | TargetForm::CommaList | TargetForm::JsonList => {
            "label lists"
        }
        TargetForm::Marks => "a label each",
        TargetForm::OneMark => "a class each",
        TargetForm::Numbers => "numbers",
        TargetForm::DecimalCommas => "numbers with decimal commas",
    };
    let shown: Vec<String> = columns.iter().take(SHOWN).map(|column| format!("“{column}”")).collect();
    let more = match columns.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{what} in {}{more}", shown.join(", "))
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    One(String),
    More(Vec<String>),
}

/// Writes a string where there is one column.
pub(crate) fn serialize<S: Serializer>(names: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    match names {
        [one] => one.serialize(serializer),
        more => more.serialize(serializer),
    }
}

/// Reads a string as one column.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(match Written::deserialize(deserializer)? {
        Written::One(name) => vec![name],
        Written::More(names) => names,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::index::Layout;

    #[test]
    fn a_layout_says_what_its_label_columns_are() {
        let check = |columns: &[&str], form: TargetForm, expected: &str| {
            let layout = Layout::Table {
                files: vec!["a.csv".into()],
                rows: 7,
                text_column: "text".into(),
                label_columns: columns.iter().map(|column| column.to_string()).collect(),
                form,
                beside: Default::default(),
                parts: Vec::new(),
                is_root: true,
            };
            let words = layout.to_string();
            assert_eq!(words, format!("7 texts in a.csv, text in column “text”, {expected}"));
            let json = serde_json::to_string(&layout).unwrap();
            assert_eq!(serde_json::from_str::<Layout>(&json).unwrap(), layout);
        };
        check(&["tags"], TargetForm::BarList, "label lists in “tags”");
        check(&["price"], TargetForm::Numbers, "numbers in “price”");
        check(&["preis"], TargetForm::DecimalCommas, "numbers with decimal commas in “preis”");
        check(&["x", "y"], TargetForm::Numbers, "numbers in “x”, “y”");
        let marks = ["a", "b", "c", "d", "e", "f"];
        check(&marks, TargetForm::Marks, "a label each in “a”, “b”, “c”, “d” and 2 more");
    }
}
