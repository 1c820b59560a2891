//! The parts of a dataset that folders are named after.

use crate::data::index::Part;

/// The part that a folder is named after, with or without more words.
pub(super) fn part_of_folder(name: &str) -> Option<Part> {
    part_within(name).map(|(_, part, _)| part)
}

/// What stands before and after the name of a part within a name, in small letters and without digits at its end.
pub(super) fn part_within(name: &str) -> Option<(String, Part, String)> {
    let plain = name.to_lowercase();
    let plain = plain.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '_' | '-' | '.' | ' '));
    let words: Vec<&str> = plain.split(['_', '-', '.', ' ']).collect();
    let at = words.iter().position(|word| Part::from_name(word).is_some())?;
    let part = Part::from_name(words.get(at)?)?;
    let join = |words: Option<&[&str]>| words.unwrap_or_default().join(" ");
    Some((join(words.get(..at)), part, join(words.get(at + 1..))))
}
