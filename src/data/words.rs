//! Words for counts and places.

use std::collections::BTreeMap;
use std::path::Path;

use crate::units::grouped;

/// A relative path with `/` between its components on every system.
pub(crate) fn portable(path: &Path) -> String {
    let parts: Vec<_> = path.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    parts.join("/")
}

/// "cat 8, dog 8", of many the first.
pub(crate) fn few_counts(counts: &BTreeMap<&str, usize>) -> String {
    few(counts.iter().map(|(name, count)| format!("{name} {count}")), ", ")
}

/// The first of `things` with `comma` between, and how many there are more.
pub(crate) fn few(mut things: impl Iterator<Item = String>, comma: &str) -> String {
    /// More would make the sentence a list.
    const SHOWN: usize = 4;
    let shown: Vec<String> = things.by_ref().take(SHOWN).collect();
    match things.count() {
        0 => shown.join(comma),
        more => format!("{} and {more} more", shown.join(comma)),
    }
}

/// "1 image", "1,204 images".
pub(crate) fn counted(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(count as usize), if count == 1 { "" } else { "s" })
}
