//! What to try after a failure. Most of it is said in the same words to everybody; what is done in one way in the window
//! and in another on the command line is a thing by itself, with words for each: the window knows no options, and the
//! command line no buttons.

use std::fmt;

/// What to try. Displays as the command line says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// The same words everywhere.
    Words(String),
    /// What went wrong may go well when it is asked for again, once this was done.
    Again(String),
    /// There is no room on the disk.
    MakeRoom,
    /// The data of a project is not where it was.
    FindData,
    /// The system gives no more threads.
    FewerThreads,
    /// No project lies here.
    MakeProject,
    /// Another column may hold what is learnt.
    Columns(Columns),
    /// The names of the files seem to begin with these classes.
    ReadNames(String),
    /// The labels do not suit what is asked of the network.
    OtherTask,
    OtherBackbone,
    /// A pattern names no layer; the top ones are these.
    NameLayers(String),
    /// Nothing goes on from here.
    NewRun,
    /// Only if this is done something goes on from here.
    NewRunUnless(&'static str),
    /// Nothing has been trained that could be used.
    TrainFirst,
    /// This run keeps its checkpoint.
    Resume {
        run: String,
    },
    /// A training was stopped before its first step, and this is what is kept.
    TrainAgain(&'static str),
    LowerLearningRate,
    /// A run has no test samples.
    KeepTestSamples,
    /// Something is wrong with the samples.
    LookAtData,
    /// The device cannot be used; what would mend it.
    OtherDevice(String),
    /// Boxed, since a problem is what every function of the engine may return.
    Hub(Box<HubRemedy>),
}

/// What to do about columns of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Columns {
    /// The folders name the classes, so there is no column.
    NoneNeeded,
    /// One of those that are there.
    Named,
    /// Several have the same name.
    Repeated,
    Text,
    Label,
    Number,
    /// One of n cannot be told by several columns.
    OneLabel,
    /// The folders name one class for each sample.
    FoldersAreClasses,
    /// A column names files.
    FilesOrText,
    /// No column looks like texts.
    TextOrElse,
    /// The column may hold something else than the label.
    CheckLabel,
    CheckLabels,
    /// It holds numbers, which may be what is to be predicted.
    LabelOrNumber,
    /// Its numbers must differ.
    Differing,
}

/// What to do about a backbone that is not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HubRemedy {
    /// Fetching `id`; `instead` says what else would do.
    Download {
        id: String,
        instead: &'static str,
    },
    /// Fetching the very commit of `id`, or copying its `folder`.
    DownloadCommit {
        id: String,
        commit: String,
        folder: String,
    },
    /// The address holds a revision, which is said apart from the name.
    NameRevision {
        id: String,
        revision: String,
    },
    /// The weights of one that lies in a folder of the user's.
    GiveFolder,
    /// The weights of one are missing.
    Complete,
    /// Looking for another model, or for the right name.
    AnotherModel,
    CheckName,
    /// Its weights are in a form that can run programs.
    TrustPickle,
    /// Which ones are here, and which of them may be removed.
    OneOfThese,
    OneDownloaded,
}

impl Remedy {
    /// In the words of the command line, with its options.
    pub fn on_command_line(&self) -> String {
        self.said().0
    }

    /// In the words of the window.
    pub fn in_window(&self) -> String {
        self.said().1
    }

    /// What may be asked for again, once `this` was done.
    pub fn again(this: impl Into<String>) -> Self {
        Self::Again(this.into())
    }

    /// On the command line, and in the window.
    fn said(&self) -> (String, String) {
        let both = |line: &str, window: &str| (line.to_string(), window.to_string());
        match self {
            Self::Words(words) | Self::Again(words) => both(words, words),
            Self::MakeRoom => {
                let room = "free some space or move the project to another disk, then";
                let kept = "nothing written before is lost";
                (format!("{room} run the same command again; {kept}"), format!("{room} try again; {kept}"))
            }
            Self::FindData => both(
                "put it back, or correct data.path in recipe.toml",
                "put it back, or open the data where it lies now",
            ),
            Self::FewerThreads => {
                both("use fewer threads with --threads", "close other programs and try again")
            }
            Self::MakeProject => both(
                "make one with `frostline new`, or check the path",
                "open the data to make one, or check the path",
            ),
            Self::Columns(columns) => {
                let (line, window) = columns.said();
                both(line, window)
            }
            Self::ReadNames(classes) => {
                let seem = format!("The names of the files seem to begin with the class ({classes})");
                let or = "or make a folder for each class and move the files into them.";
                (
                    format!("{seem}: take it from there with --layout names, {or}"),
                    format!("{seem}: take it from there, {or}"),
                )
            }
            Self::OtherTask => both(
                "choose another label column or another task (--label-column, --task)",
                "make a new project of this data",
            ),
            Self::OtherBackbone => {
                both("choose another backbone; `frostline backbones` lists them", "choose another backbone")
            }
            Self::NameLayers(top) => (
                format!("list the layers with `frostline tree`; the top ones are {top}"),
                format!("choose anew among the layers; the top ones are {top}"),
            ),
            Self::NewRun => both("train anew without --resume", "train a new run"),
            Self::NewRunUnless(done) => {
                (format!("{done}, or train anew without --resume"), format!("{done}, or train a new run"))
            }
            Self::TrainFirst => {
                both("train first with `frostline train`, or name a run with --run", "train first")
            }
            Self::Resume { run } => (
                format!("run {run} keeps its checkpoint; go on with --resume"),
                format!("run {} keeps its checkpoint and can go on from there", run.trim_start_matches('0')),
            ),
            Self::TrainAgain(kept) => {
                (format!("{kept}; run the same command to go on"), format!("{kept}; train again to go on"))
            }
            Self::LowerLearningRate => both(
                "lower the learning rate (training.learning_rate) and train again; the best epoch before is kept",
                "lower the learning rate and train again; the best epoch before is kept",
            ),
            Self::KeepTestSamples => both(
                "make a project with --test-fraction, add a test folder to the data, or name other samples with --data",
                "keep some aside under “Split…” in Data and train again, or choose a test set",
            ),
            Self::LookAtData => {
                both("check the data with `frostline scan`", "see in Data what was found about them")
            }
            Self::OtherDevice(or) => {
                (format!("use --device cpu, or {or}"), format!("compute on the processor, or {or}"))
            }
            Self::Hub(hub) => hub.said(),
        }
    }
}

impl Columns {
    /// Whether choosing other columns, or how the table is written, may help.
    pub fn can_be_chosen(self) -> bool {
        match self {
            Self::NoneNeeded | Self::FoldersAreClasses => false,
            Self::Named
            | Self::Repeated
            | Self::Text
            | Self::Label
            | Self::Number
            | Self::OneLabel
            | Self::FilesOrText
            | Self::TextOrElse
            | Self::CheckLabel
            | Self::CheckLabels
            | Self::LabelOrNumber
            | Self::Differing => true,
        }
    }

    fn said(self) -> (&'static str, &'static str) {
        match self {
            Self::NoneNeeded => (
                "Leave --text-column, --label-column and the like away: the folders name the classes.",
                "Name no columns: the folders name the classes.",
            ),
            Self::Named => (
                "Choose one of these columns (with --text-column, --file-column, --label-column, --join-column, --part-column or \
                 --group-column).",
                "Choose one of these columns, or put the old name back.",
            ),
            Self::Repeated => (
                "Give each of these columns a name of its own in the first row, or name other columns with \
                 --text-column and --label-column.",
                "Give each of these columns a name of its own in the first row.",
            ),
            Self::Text => (
                "Name the column that holds the text with --text-column.",
                "Choose the column that holds the text.",
            ),
            Self::Label => (
                "Name the column that holds the label with --label-column.",
                "Choose the column that holds the label.",
            ),
            Self::Number => (
                "Name the column of numbers with --label-column; it may be given several times.",
                "Choose the column of numbers.",
            ),
            Self::OneLabel => (
                "Name one column that holds the class, or leave --task away.",
                "Choose one column that holds the class.",
            ),
            Self::FoldersAreClasses => (
                "Leave --task away, or give a CSV, TSV or JSON-lines file with texts and their labels or numbers.",
                "Give a CSV, TSV or JSON-lines file with texts and their labels or numbers.",
            ),
            Self::FilesOrText => (
                "Put the files beside the table or into a folder beside it; or name the column that names files with \
                 --file-column, or the one that holds texts with --text-column.",
                "Put the files beside the table or into a folder beside it; or choose the columns.",
            ),
            Self::TextOrElse => (
                "Frostline learns from texts, and from images that a table names. If a column holds texts for all that, name \
                 it with --text-column; if one names files, put these beside the table.",
                "Frostline learns from texts, and from images that a table names. If a column holds texts for all that, choose \
                 it; if one names files, put these beside the table.",
            ),
            Self::CheckLabel => (
                "check that the right column holds the label (--label-column)",
                "choose the column that holds the label",
            ),
            Self::CheckLabels => (
                "check that the right columns hold the labels (--label-column)",
                "choose columns that hold 1 and 0, or one that holds the labels themselves",
            ),
            Self::LabelOrNumber => (
                "name the column that holds the class (--label-column), or predict the number itself (--task regress)",
                "choose the column that holds the class, or predict the number itself",
            ),
            Self::Differing => (
                "name a column whose numbers differ (--label-column)",
                "choose data with a column whose numbers differ",
            ),
        }
    }
}

impl HubRemedy {
    fn said(&self) -> (String, String) {
        let both = |line: &str, window: &str| (line.to_string(), window.to_string());
        match self {
            Self::Download { id, instead } => {
                let or = if instead.is_empty() { String::new() } else { format!(", or {instead}") };
                (format!("get it with `frostline hub download {id}`{or}"), format!("download it{or}"))
            }
            Self::DownloadCommit { id, commit, folder } => {
                let copy =
                    format!("without: copy the folder {folder} from a machine that has it into the cache");
                (
                    format!("with a network: `frostline hub download {id} --revision {commit}`; {copy}"),
                    format!("with a network: download it; {copy}"),
                )
            }
            Self::NameRevision { id, revision } => (
                format!(
                    "write {id}, and get that revision by `frostline hub download {id} --revision {revision}`"
                ),
                format!("write {id}, which gets the newest revision"),
            ),
            Self::GiveFolder => both(
                "give the backbone's folder with --backbone, or copy it (config.json and model.safetensors) into one of \
                 these places",
                "copy the backbone's folder (config.json and model.safetensors) into one of these places",
            ),
            Self::Complete => both(
                "get it with `frostline hub download`, or copy model.safetensors beside its config.json",
                "download it again, or copy model.safetensors beside its config.json",
            ),
            Self::AnotherModel => both(
                "choose another model; `frostline hub search` says which ones are supported",
                "choose another model; the search says which ones are supported",
            ),
            Self::CheckName => both(
                "check the name, for example with `frostline hub search`",
                "check the name, for example by a search",
            ),
            Self::TrustPickle => both(
                "choose a model with model.safetensors; if you trust this one, say so with --allow-pickle",
                "choose a model with model.safetensors; if you trust this one, say so on its page",
            ),
            Self::OneOfThese => both(
                "`frostline hub list` says what is here; `frostline hub download` gets another",
                "choose one that is listed, or search for another",
            ),
            Self::OneDownloaded => both(
                "remove one that `frostline hub list` shows as downloaded",
                "remove one that was downloaded",
            ),
        }
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.on_command_line())
    }
}

impl From<String> for Remedy {
    fn from(words: String) -> Self {
        Self::Words(words)
    }
}

impl From<&str> for Remedy {
    fn from(words: &str) -> Self {
        Self::Words(words.to_string())
    }
}

impl From<Columns> for Remedy {
    fn from(columns: Columns) -> Self {
        Self::Columns(columns)
    }
}

impl From<HubRemedy> for Remedy {
    fn from(hub: HubRemedy) -> Self {
        Self::Hub(Box::new(hub))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examples() -> Vec<Remedy> {
        let columns = [
            Columns::NoneNeeded,
            Columns::Named,
            Columns::Repeated,
            Columns::Text,
            Columns::Label,
            Columns::Number,
            Columns::OneLabel,
            Columns::FoldersAreClasses,
            Columns::FilesOrText,
            Columns::TextOrElse,
            Columns::CheckLabel,
            Columns::CheckLabels,
            Columns::Differing,
        ];
        let commit = HubRemedy::DownloadCommit { id: "a/b".into(), commit: "c".into(), folder: "f".into() };
        let hub = [
            HubRemedy::Download { id: "a/b".into(), instead: "choose another" },
            commit,
            HubRemedy::Complete,
            HubRemedy::AnotherModel,
            HubRemedy::CheckName,
            HubRemedy::TrustPickle,
            HubRemedy::OneOfThese,
            HubRemedy::OneDownloaded,
        ];
        let others = [
            Remedy::MakeRoom,
            Remedy::FindData,
            Remedy::FewerThreads,
            Remedy::MakeProject,
            Remedy::OtherTask,
            Remedy::OtherBackbone,
            Remedy::NameLayers("a, b".into()),
            Remedy::NewRun,
            Remedy::NewRunUnless("put it back"),
            Remedy::TrainFirst,
            Remedy::Resume { run: "0003".into() },
            Remedy::TrainAgain("nothing was trained yet"),
            Remedy::LowerLearningRate,
            Remedy::KeepTestSamples,
            Remedy::LookAtData,
            Remedy::OtherDevice("buy one".into()),
        ];
        let columns = columns.into_iter().map(Remedy::from);
        columns.chain(hub.into_iter().map(Remedy::from)).chain(others).collect()
    }

    /// Seen to fail with the words of the command line for both.
    #[test]
    fn the_window_knows_no_options_and_no_commands() {
        for remedy in examples() {
            let words = remedy.in_window();
            assert!(!words.is_empty());
            for sign in ["--", "`", "command", "recipe.toml", "training."] {
                assert!(!words.contains(sign), "{remedy:?}: {words}");
            }
        }
    }

    #[test]
    fn the_command_line_says_what_it_said() {
        let check = |remedy: Remedy, words: &str| assert_eq!(remedy.to_string(), words);
        check("look".into(), "look");
        check(Remedy::NewRunUnless("put it back"), "put it back, or train anew without --resume");
        check(Remedy::Resume { run: "0003".into() }, "run 0003 keeps its checkpoint; go on with --resume");
        check(Remedy::OtherDevice("buy one".into()), "use --device cpu, or buy one");
        let get = HubRemedy::Download { id: "a/b".into(), instead: "" };
        check(get.into(), "get it with `frostline hub download a/b`");
        assert_eq!(
            Remedy::Resume { run: "0003".into() }.in_window(),
            "run 3 keeps its checkpoint and can go on from there"
        );
    }
}
