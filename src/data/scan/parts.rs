//! The parts of a dataset that folders are named after, and what columns say of them.

use super::cells::mark;
use crate::data::index::Part;

/// What a folder may be called too, beside others of parts.
const FURTHER: [(&str, Part); 5] = [
    ("learning", Part::Train),
    ("learn", Part::Train),
    ("development", Part::Validation),
    ("evaluation", Part::Validation),
    ("unseen", Part::Test),
];

/// The part that a folder is named after, with or without more words.
pub(super) fn part_of_folder(name: &str) -> Option<Part> {
    part_within(name).map(|(_, part, _)| part)
}

/// What stands before and after the name of a part within a name, in small letters and without numbers.
pub(super) fn part_within(name: &str) -> Option<(String, Part, String)> {
    let plain = name.to_lowercase();
    let plain = ["hold", "held"].iter().fold(plain, |plain, word| {
        ["_", "-", " ", "."]
            .iter()
            .fold(plain, |plain, mark| plain.replace(&format!("{word}{mark}out"), "holdout"))
    });
    let is_mark = |c: char| matches!(c, '_' | '-' | '.' | ' ' | '(' | ')' | '[' | ']');
    let plain = plain.trim_end_matches(|c: char| c.is_numeric() || is_mark(c));
    let is_number = |word: &&str| word.chars().all(char::is_numeric);
    let words: Vec<&str> = plain.split(is_mark).filter(|word| !is_number(word)).collect();
    let further = |word: &str| FURTHER.iter().find(|(known, _)| *known == word).map(|(_, part)| *part);
    let find = |part_of: &dyn Fn(&str) -> Option<Part>| {
        words.iter().enumerate().find_map(|(at, word)| Some((at, part_of(word)?)))
    };
    let (at, part) = find(&Part::from_name).or_else(|| find(&further))?;
    let join = |words: Option<&[&str]>| words.unwrap_or_default().join(" ");
    Some((join(words.get(..at)), part, join(words.get(at + 1..))))
}

/// Whether a folder is called as those are whose samples nobody labelled: `unsup` of the film reviews of IMDB.
pub(super) fn is_unlabelled(folder: &str) -> bool {
    const NAMES: [&str; 6] =
        ["unsup", "unsupervised", "unlabeled", "unlabelled", "notlabeled", "notlabelled"];
    let plain: String = folder.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
    let plain = ["data", "images", "texts"]
        .iter()
        .fold(plain.as_str(), |plain, end| plain.strip_suffix(end).unwrap_or(plain));
    NAMES.contains(&plain)
}

/// How a column says the part of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PartWords {
    /// By its name.
    Names,
    /// By yes and no: `is_valid`, `is_test`.
    Flag { yes: Part, no: Part },
}

impl PartWords {
    /// As the name of the column tells.
    pub fn of_column(name: &str) -> PartWords {
        let name: String = name.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
        match name.strip_prefix("is").and_then(Part::from_name) {
            Some(Part::Train) => PartWords::Flag { yes: Part::Train, no: Part::Test },
            Some(held_out) => PartWords::Flag { yes: held_out, no: Part::Train },
            None => PartWords::Names,
        }
    }

    /// The part that a cell says.
    pub fn part(self, cell: &str) -> Option<Part> {
        match self {
            PartWords::Names => Part::from_name(cell.trim()),
            PartWords::Flag { yes, no } => mark(cell).map(|is| if is { yes } else { no }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stand_within_names() {
        let check = |name: &str, before: &str, part: Part, after: &str| {
            assert_eq!(part_within(name), Some((before.to_owned(), part, after.to_owned())), "{name}");
        };
        check("seg_train", "seg", Part::Train, "");
        check("1_train", "", Part::Train, "");
        check("01-Training", "", Part::Train, "");
        check("train2017", "", Part::Train, "");
        check("2. Validation set (new)", "", Part::Validation, "set new");
        check("hold-out", "", Part::Test, "");
        check("learning_set", "", Part::Train, "set");
        assert_eq!(part_within("trainer"), None);
        assert_eq!(part_within("7"), None);
    }

    #[test]
    fn columns_say_parts_by_names_or_flags() {
        let part = |column: &str, cell: &str| PartWords::of_column(column).part(cell);
        assert_eq!(part("split", "dev"), Some(Part::Validation));
        assert_eq!(part("is_valid", "True"), Some(Part::Validation));
        assert_eq!(part("is_valid", "0"), Some(Part::Train));
        assert_eq!(part("IsTrain", "false"), Some(Part::Test));
        assert_eq!(part("is_valid", "maybe"), None);
        assert_eq!(PartWords::of_column("invalid"), PartWords::Names);
    }

    #[test]
    fn folders_without_labels_are_told() {
        for name in ["unsup", "Unlabeled", "unlabelled_images"] {
            assert!(is_unlabelled(name), "{name}");
        }
        for name in ["unknown", "cat", "unlabel me", "data", "no_label"] {
            assert!(!is_unlabelled(name), "{name}");
        }
    }
}
