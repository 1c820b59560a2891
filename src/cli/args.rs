//! The arguments. Other programs depend on them: add, never change.

use super::answers::AnswerFormat;
use super::settings::SettingArgs;
use crate::data::modality::Modality;
use crate::data::scan::{
    ColumnChoice, LayoutChoice, ScanOptions, Separator, TextColumns, TextEncoding, Writing,
};
use crate::data::target::TargetKind;
use crate::task::{TASKS, TaskChoice};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Transfer learning on your own computer: from a folder of labelled images or a table of texts to a trained,
/// tested, exported model. Nothing leaves the machine.
#[derive(Parser)]
#[command(name = "frostline", version, about, arg_required_else_help = true, after_help = AFTER_HELP)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "\
Exit codes: 0 done, 2 wrong use or bad input, 3 the line or the Hub is the cause, 130 stopped by you
(Ctrl+C, SIGTERM), 75 stopped by a scheduler (SIGUSR1; a training has its checkpoint and goes on with
`train --resume`), 1 anything else.
Environment: FROSTLINE_ASSETS (bundled backbones and samples), FROSTLINE_HOME (what Frostline keeps for itself),
FROSTLINE_SIMD=off|avx2|avx512, FROSTLINE_COMPOSED=1 (slow reference layers), and for the Hub those of
`frostline hub --help`.";

const HUB_HELP: &str = "\
Only search, info, download and verify --repair go on the network; what is on this machine works without.

Environment:
  HF_HOME, HF_HUB_CACHE     the cache, shared with Hugging Face's own programs
  HF_ENDPOINT               another Hub
  HF_TOKEN, HF_TOKEN_PATH   access token, or its file [$HF_HOME/token]; sent to that Hub alone
  HF_HUB_OFFLINE=1          no network
  HF_HUB_DOWNLOAD_TIMEOUT   seconds without a byte until a line is taken for broken [20]
  HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE";

/// What `frostline` is asked to do.
#[derive(Subcommand)]
pub enum Command {
    /// Read a dataset and list its classes and what is wrong with it
    Scan {
        /// A folder with one folder for each class, or a CSV, TSV or JSONL file
        path: PathBuf,
        #[command(flatten)]
        columns: Columns,
        /// What the labels are taken for; found out where not given
        #[arg(long, value_name = "T", value_parser = task_names())]
        task: Option<TaskChoice>,
        /// One JSON object instead of a table
        #[arg(long)]
        json: bool,
    },
    /// List the backbones (pretrained networks) on this machine
    Backbones {
        /// JSON, one line for each
        #[arg(long)]
        json: bool,
    },
    /// Show the layers of a backbone
    Tree {
        /// A name from `frostline backbones`, or a folder
        backbone: String,
        /// Nested JSON instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Make a project from data and a backbone
    New(New),
    /// Train the project: a new run, or the unfinished one with --resume
    Train {
        /// The project folder
        project: PathBuf,
        /// Events as JSON lines instead of a table
        #[arg(long)]
        json: bool,
        /// Go on with the newest unfinished run, or begin the first
        #[arg(long)]
        resume: bool,
        #[command(flatten)]
        machine: MachineArgs,
    },
    /// Score a run or an export on labelled samples
    Eval {
        /// A project, or an export
        #[arg(value_name = "DIR|EXPORT")]
        folder: PathBuf,
        /// Labelled samples of your own instead of the project's
        #[arg(long)]
        data: Option<PathBuf>,
        #[command(flatten)]
        columns: Columns,
        /// A run of the project; the newest finished one where not given
        #[arg(long)]
        run: Option<String>,
        /// The project's validation or test samples
        #[arg(long, value_enum, default_value = "val", conflicts_with = "data")]
        split: SplitName,
        /// All classes and the whole confusion, however many they are
        #[arg(long)]
        full: bool,
        /// The backbone, where it is not found: its folder, or a name from `frostline backbones`
        #[arg(long, value_name = "DIR")]
        backbone: Option<String>,
        /// One JSON object instead of a table
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        machine: MachineArgs,
    },
    /// Ask an export for labels
    Predict(Predict),
    /// Export the trained head of a run
    Export {
        /// The project folder
        project: PathBuf,
        /// The new folder to write
        #[arg(long)]
        out: PathBuf,
        /// A run of the project; the newest finished one where not given
        #[arg(long)]
        run: Option<String>,
        #[arg(long, value_enum, default_value = "head")]
        format: ExportFormat,
        /// Copy the backbone into the export too, so that it works on another machine
        #[arg(long)]
        with_backbone: bool,
    },
    /// Find, download and keep backbones of the Hugging Face Hub
    #[command(after_help = HUB_HELP)]
    Hub {
        #[command(subcommand)]
        command: HubCommand,
    },
    /// List the runs of a project
    Runs {
        /// The project folder
        project: PathBuf,
        /// JSON, one line for each
        #[arg(long)]
        json: bool,
    },
}

/// A number of things of which there must be one.
fn at_least_one() -> clap::builder::RangedU64ValueParser<usize> {
    clap::builder::RangedU64ValueParser::new().range(1..)
}

/// How data is read.
#[derive(Args, Clone, Default)]
pub struct Columns {
    /// What says which class a file or text is of, where a folder can be read in several ways
    #[arg(long, value_name = "WAY", value_parser = layout_names())]
    pub layout: Option<LayoutChoice>,
    /// Column of a table that holds the text
    #[arg(long, value_name = "C", allow_hyphen_values = true, conflicts_with = "file_column")]
    pub text_column: Option<String>,
    /// Column of a table that names the file
    #[arg(long, value_name = "C", allow_hyphen_values = true)]
    pub file_column: Option<String>,
    /// Column of a table that holds the label; several, given one by one, hold a label (1 or 0) or a number each
    #[arg(long, value_name = "C", allow_hyphen_values = true)]
    pub label_column: Vec<String>,
    /// A further column whose text is joined to the text, with a blank line between; may be given several times
    #[arg(long, value_name = "C", allow_hyphen_values = true, conflicts_with = "file_column")]
    pub join_column: Vec<String>,
    /// Column of a table that says which part (train, validation, test) a row is of, none for no column; found out where
    /// not given
    #[arg(long, value_name = "C", allow_hyphen_values = true, value_parser = column_or_none)]
    pub part_column: Option<ColumnChoice>,
    /// Column of a table that says which samples belong together (of one customer, one patient), so that they never lie
    /// in two parts; none for no column
    #[arg(long, value_name = "C", allow_hyphen_values = true, value_parser = column_or_none)]
    pub group_column: Option<ColumnChoice>,
    /// Whether names of classes that differ in case, spaces or a full stop at their end only are one class
    #[arg(long)]
    pub merge_spellings: bool,
    /// What stands between two fields of a table; found out where not given
    #[arg(long, value_parser = separators())]
    pub separator: Option<Separator>,
    /// Line of a table that names its columns, 0 for none; found out where not given
    #[arg(long, value_name = "N")]
    pub header_line: Option<u32>,
    /// Encoding of a table, as windows-1252; UTF-8 and UTF-16 are found out
    #[arg(long, value_name = "NAME", value_parser = encoding)]
    pub encoding: Option<TextEncoding>,
}

impl Columns {
    /// What is said of the data, whose labels are to be `target`.
    pub fn options(&self, target: Option<TargetKind>) -> ScanOptions {
        let Columns { layout, text_column, file_column, part_column, group_column, .. } = self.clone();
        ScanOptions {
            layout,
            text_column,
            file_column,
            label_columns: self.label_column.clone(),
            joined_columns: self.join_column.iter().filter(|name| !says_none(name)).cloned().collect(),
            part_column,
            group_column,
            writing: writing(self),
            target,
            merge_spellings: self.merge_spellings,
        }
    }
}

/// Whether what was given for a column says that there is none.
fn says_none(name: &str) -> bool {
    matches!(name, "none" | "-")
}

fn column_or_none(name: &str) -> Result<ColumnChoice, String> {
    Ok(if says_none(name) { ColumnChoice::Unused } else { ColumnChoice::from(name.to_owned()) })
}

/// How a table is written.
fn writing(columns: &Columns) -> Writing {
    let Columns { separator, header_line, encoding, .. } = columns;
    Writing { separator: *separator, header_line: *header_line, encoding: *encoding }
}

/// What stands between two fields.
fn separators() -> impl clap::builder::TypedValueParser<Value = Separator> {
    PossibleValuesParser::new(Separator::ALL.map(Separator::name)).try_map(|name| {
        Separator::ALL.into_iter().find(|separator| separator.name() == name).ok_or("no such separator")
    })
}

fn encoding(label: &str) -> Result<TextEncoding, String> {
    TextEncoding::named(label)
        .ok_or_else(|| "there is no such encoding; utf-8, windows-1252 and shift_jis are some".to_owned())
}

/// The ways to read a folder.
fn layout_names() -> impl clap::builder::TypedValueParser<Value = LayoutChoice> {
    let names = LayoutChoice::ALL.iter().map(|way| PossibleValue::new(way.name()).help(way.words()));
    PossibleValuesParser::new(names)
        .try_map(|name| LayoutChoice::ALL.into_iter().find(|way| way.name() == name).ok_or("no such way"))
}

/// The names of the tasks.
fn task_names() -> impl clap::builder::TypedValueParser<Value = TaskChoice> {
    let names = TASKS.iter().map(|kind| PossibleValue::new(kind.name).help(kind.words));
    PossibleValuesParser::new(names).map(|name| TaskChoice::named(&name).unwrap_or_default())
}

/// What computes.
#[derive(Args)]
pub struct MachineArgs {
    /// Compute threads; all cores where not given
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// What computes; cuda and metal need a build with that feature
    #[arg(long, default_value = "cpu", value_parser = ["cpu", "cuda", "metal"])]
    pub device: String,
}

/// What an export is asked.
#[derive(Args)]
pub struct Predict {
    pub export: PathBuf,
    /// Images, text files, tables (an answer for each row), or folders of them
    #[arg(value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
    /// A text; may be given several times
    // A text may begin with a dash.
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub text: Vec<String>,
    /// Column of a table that holds the text; where not given, what the model learnt from, or found out
    #[arg(long, value_name = "C", allow_hyphen_values = true)]
    pub text_column: Option<String>,
    /// A further column whose text is joined to the text, none for no column; where neither is given, those that the
    /// model learnt from
    #[arg(long, value_name = "C", allow_hyphen_values = true)]
    pub join_column: Vec<String>,
    /// How many labels to show for each input
    #[arg(long, value_name = "K", default_value_t = 3, value_parser = at_least_one())]
    pub top: usize,
    /// The backbone, where it is not found: its folder, or a name from `frostline backbones`
    #[arg(long, value_name = "DIR")]
    pub backbone: Option<String>,
    /// A new file for the answers; its name (.csv, .jsonl) says how they are written
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// How the answers are written
    #[arg(long, value_enum, conflicts_with = "json")]
    pub format: Option<AnswerFormat>,
    /// A JSON line for each input
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub machine: MachineArgs,
}

impl Predict {
    /// Where the texts of tables stand, where anything is said of it.
    pub fn text_columns(&self) -> Option<TextColumns> {
        let is_said = self.text_column.is_some() || !self.join_column.is_empty();
        let joined = self.join_column.iter().filter(|name| !says_none(name)).cloned().collect();
        is_said.then(|| TextColumns { text: self.text_column.clone(), joined, learnt: false })
    }
}

/// What a new project is made of.
#[derive(Args)]
pub struct New {
    /// A folder with one folder for each class, or a CSV, TSV or JSONL file
    #[arg(long)]
    pub data: PathBuf,
    /// A name from `frostline backbones`, or a folder
    #[arg(long, value_name = "ID")]
    pub backbone: String,
    /// The new project folder
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    #[command(flatten)]
    pub columns: Columns,
    /// What the labels are taken for; found out where not given
    #[arg(long, value_name = "T", value_parser = task_names())]
    pub task: Option<TaskChoice>,
    /// Layers to train besides the head: paths with * and ?; may be given several times; * means all
    #[arg(long, value_name = "GLOB")]
    pub thaw: Vec<String>,
    #[command(flatten)]
    pub settings: SettingArgs,
}

/// What `frostline hub` is asked to do.
#[derive(Subcommand)]
pub enum HubCommand {
    /// Look for models by a part of their name, most downloaded first
    Search {
        query: String,
        /// Models that take images, or texts
        #[arg(long, value_enum)]
        kind: Option<Modality>,
        /// How many models at most
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = at_least_one())]
        limit: usize,
        /// JSON, one line for each
        #[arg(long)]
        json: bool,
    },
    /// Say what is known of a model before it is downloaded
    Info {
        /// owner/name, as on the model's page
        id: String,
        /// A branch, a tag or a commit; the newest where not given
        #[arg(long, value_name = "R")]
        revision: Option<String>,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Fetch a model; what has arrived of an earlier attempt is kept
    Download {
        /// owner/name, as on the model's page
        id: String,
        /// A branch, a tag or a commit; the newest where not given
        #[arg(long, value_name = "R")]
        revision: Option<String>,
        /// Also take weights in PyTorch's old format, which can hold programs; they are converted without running any
        #[arg(long)]
        allow_pickle: bool,
        /// Events as JSON lines
        #[arg(long)]
        json: bool,
    },
    /// List what is on this machine, how large it is and who uses it
    List {
        /// JSON, one line for each
        #[arg(long)]
        json: bool,
    },
    /// Check every byte of a backbone, or of all
    Verify {
        /// A name from `frostline hub list`
        id: Option<String>,
        /// Fetch what is broken
        #[arg(long)]
        repair: bool,
        /// JSON, one line for each
        #[arg(long)]
        json: bool,
    },
    /// Remove a backbone from this machine; other programs that use the cache lose it too
    Remove {
        /// A name from `frostline hub list`
        id: String,
    },
}

impl ValueEnum for Modality {
    fn value_variants<'a>() -> &'a [Self] {
        Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.facts().name))
    }
}

/// Which part of the samples is scored.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq)]
pub enum SplitName {
    Val,
    Test,
}

/// What an export is written as.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// head.safetensors and manifest.json
    Head,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
