//! The kinds of samples. A modality is a folder beside this file with its [`Facts`](super::facts::Facts) and its code,
//! and a line in the list of `mod.rs`. Only four places tell modalities apart by more than their facts, each by a `match` that the compiler
//! checks: the scan (`scan/files.rs`), the loader (`network/samples.rs`), what a network takes (`backbone/spec.rs`) and
//! the view of samples (`gui/panels/data.rs`).

use std::path::Path;

pub use super::Modality;
use super::preview::Preview;

/// Declares the folder of each modality and the modality itself. `cargo fmt` does not see files that a macro declares;
/// `check.sh` names them to rustfmt.
macro_rules! modalities {
    ($($folder:ident: $modality:ident,)*) => {
        $(pub mod $folder;)*

        /// What a sample is.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
        )]
        #[serde(rename_all = "lowercase")]
        pub enum Modality {
            $($modality,)*
        }

        impl Modality {
            /// Every modality.
            pub const ALL: &'static [Modality] = &[$(Modality::$modality,)*];

            /// What is to be known of it.
            pub fn facts(self) -> &'static facts::Facts {
                match self {
                    $(Self::$modality => &$folder::FACTS,)*
                }
            }
        }
    };
}

pub(super) use modalities;

impl Modality {
    /// What a file seems to be by its name.
    pub fn of_name(path: &Path) -> Option<Self> {
        Self::ALL.iter().copied().find(|modality| (modality.facts().is_named)(path))
    }

    /// What a file seems to be by its first 32 bytes.
    pub fn of_content(bytes: &[u8]) -> Option<Self> {
        Self::ALL.iter().copied().find(|modality| (modality.facts().is_content)(bytes))
    }

    /// The same where the name has no extension that says anything.
    pub fn of_bare_content(bytes: &[u8]) -> Option<Self> {
        Self::ALL.iter().copied().find(|modality| (modality.facts().is_bare_content)(bytes))
    }

    /// What the models of a task of the Hub take; `None` where it is something else, or more than one thing.
    pub fn of_hub_task(task: &str) -> Option<Self> {
        let takes = |tasks: fn(Self) -> &'static [&'static str]| {
            Self::ALL.iter().copied().find(|modality| tasks(*modality).contains(&task))
        };
        takes(|modality| modality.facts().hub.tasks).or_else(|| takes(|m| m.facts().hub.also_tasks))
    }

    /// What all models of a library of the Hub take.
    pub fn of_hub_library(library: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|modality| modality.facts().hub.library == Some(library))
    }
}

/// What samples can be: "images and texts", with `word` before the last.
pub fn listed(word: &str) -> String {
    let names: Vec<&str> = Modality::ALL.iter().map(|modality| modality.facts().many).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_string(),
        Some((last, others)) => format!("{} {word} {last}", others.join(", ")),
        None => String::new(),
    }
}

/// A small picture of the sample in a file, the longest side at most `side` pixels.
pub fn preview(path: &Path, side: usize) -> Option<Preview> {
    Modality::ALL.iter().find_map(|modality| (modality.facts().preview)(path, side))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_on_disk_are_the_names() {
        for modality in Modality::ALL {
            let word = format!("\"{}\"", modality.facts().name);
            assert_eq!(serde_json::to_string(modality).unwrap(), word);
        }
        assert!(listed("nor").starts_with("images") && listed("nor").contains(" nor "));
    }

    #[test]
    fn no_two_claim_the_same() {
        for one in Modality::ALL {
            for other in Modality::ALL.iter().filter(|other| *other != one) {
                let (a, b) = (one.facts(), other.facts());
                assert!(a.name != b.name);
                assert!(a.extensions.iter().all(|extension| !b.extensions.contains(extension)));
                assert!(a.hub.tasks.iter().all(|task| !b.hub.tasks.contains(task)));
            }
            for extension in one.facts().extensions {
                assert_eq!(Modality::of_name(Path::new(&format!("x.{extension}"))), Some(*one));
            }
        }
    }

    #[test]
    fn the_hub_says_what_models_take() {
        assert_eq!(Modality::of_hub_task("image-classification"), Some(Modality::Image));
        assert_eq!(Modality::of_hub_task("token-classification"), Some(Modality::Text));
        assert_eq!(Modality::of_hub_task("image-text-to-text"), None);
        assert_eq!(Modality::of_hub_library("timm"), Some(Modality::Image));
    }
}
