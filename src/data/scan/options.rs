//! What the user says about the data.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::data::target::TargetKind;

/// What the user says about the data. Nothing said means: find out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScanOptions {
    /// Which reading of a folder is meant, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layout: Option<LayoutChoice>,
    /// The column or key of a table that holds the text.
    pub text_column: Option<String>,
    /// The column or key of a table that names the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_column: Option<String>,
    /// The column or key of a table that holds the label; several where each holds a label or a number of its own.
    pub label_columns: Vec<String>,
    /// Further columns whose text is joined to the text column's with a blank line between, in the order of the table;
    /// where the text column is among them, in their own order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub joined_columns: Vec<String>,
    /// The column that says which part a row belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part_column: Option<ColumnChoice>,
    /// The column that says which samples belong together (of one customer, one patient): they never lie in two parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_column: Option<ColumnChoice>,
    /// How a table is written, where that is not to be found out.
    #[serde(skip_serializing_if = "Writing::is_found_out")]
    pub writing: Writing,
    /// What the labels are to be taken for.
    pub target: Option<TargetKind>,
    /// Whether names of classes that differ in case, spaces or a full stop at their end only are one class.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub merge_spellings: bool,
}

/// What is said of a column that need not be there. It is written as a string, which is empty for none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum ColumnChoice {
    /// No column is to be used so, whatever some are called.
    Unused,
    /// The column or key of that name.
    Column(String),
}

impl ColumnChoice {
    /// The column, where one is named.
    pub fn column(&self) -> Option<&String> {
        match self {
            ColumnChoice::Unused => None,
            ColumnChoice::Column(name) => Some(name),
        }
    }
}

impl From<String> for ColumnChoice {
    fn from(name: String) -> Self {
        match name.trim() {
            "" => ColumnChoice::Unused,
            _ => ColumnChoice::Column(name),
        }
    }
}

impl From<ColumnChoice> for String {
    fn from(choice: ColumnChoice) -> Self {
        match choice {
            ColumnChoice::Unused => String::new(),
            ColumnChoice::Column(name) => name,
        }
    }
}

/// Where the texts of a table stand that a model is asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextColumns {
    /// Found out where not given.
    pub text: Option<String>,
    /// As in [`ScanOptions`].
    pub joined: Vec<String>,
    /// Whether they are those of the model, not what the user says of the table.
    pub learnt: bool,
}

impl TextColumns {
    /// Those that a model learnt from.
    pub fn learnt(text: Option<&String>, joined: &[String]) -> TextColumns {
        TextColumns { text: text.cloned(), joined: joined.to_vec(), learnt: true }
    }

    /// Whether the column must be there as it is named. Texts that were joined to be learnt from must be joined to be
    /// asked about; a single column of the model's may be called otherwise.
    pub(super) fn must(&self) -> bool {
        !self.learnt || !self.joined.is_empty()
    }
}

/// How a table is written. Nothing said means: find out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Writing {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub separator: Option<Separator>,
    /// The line that names the columns, from 1; 0 for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header_line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<TextEncoding>,
}

impl Writing {
    /// Whether nothing is said.
    pub fn is_found_out(&self) -> bool {
        *self == Self::default()
    }
}

/// What stands between two fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Separator {
    Comma,
    Semicolon,
    Tab,
    Bar,
}

impl Separator {
    /// Every separator.
    pub const ALL: [Separator; 4] = [Separator::Comma, Separator::Semicolon, Separator::Tab, Separator::Bar];

    /// As it is written in files and on the command line, and called in the window.
    pub fn name(self) -> &'static str {
        match self {
            Separator::Comma => "comma",
            Separator::Semicolon => "semicolon",
            Separator::Tab => "tab",
            Separator::Bar => "bar",
        }
    }

    pub(super) fn byte(self) -> u8 {
        match self {
            Separator::Comma => b',',
            Separator::Semicolon => b';',
            Separator::Tab => b'\t',
            Separator::Bar => b'|',
        }
    }
}

/// An encoding of characters, by its name or another label of the WHATWG's standard.
/// <https://encoding.spec.whatwg.org/#names-and-labels>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextEncoding(pub(super) &'static encoding_rs::Encoding);

impl TextEncoding {
    /// Those that tables usually have.
    pub const USUAL: [TextEncoding; 7] = [
        TextEncoding(encoding_rs::UTF_8),
        TextEncoding(encoding_rs::WINDOWS_1252),
        TextEncoding(encoding_rs::WINDOWS_1250),
        TextEncoding(encoding_rs::WINDOWS_1251),
        TextEncoding(encoding_rs::UTF_16LE),
        TextEncoding(encoding_rs::SHIFT_JIS),
        TextEncoding(encoding_rs::GB18030),
    ];

    /// The encoding that is called so.
    pub fn named(label: &str) -> Option<Self> {
        encoding_rs::Encoding::for_label(label.trim().as_bytes()).map(Self)
    }

    /// As the standard calls it.
    pub fn name(self) -> &'static str {
        self.0.name()
    }
}

impl Serialize for TextEncoding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.name().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TextEncoding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let label = String::deserialize(deserializer)?;
        Self::named(&label).ok_or_else(|| D::Error::custom(format!("there is no encoding “{label}”")))
    }
}

impl ScanOptions {
    /// All columns that are named, those of the sample and the label first.
    pub(super) fn columns(&self) -> impl Iterator<Item = &String> {
        let beside = self.part_column.iter().chain(&self.group_column).filter_map(ColumnChoice::column);
        let sample = self.text_column.iter().chain(&self.file_column).chain(&self.label_columns);
        sample.chain(&self.joined_columns).chain(beside)
    }
}

/// A way to read a folder: what says which class a sample is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LayoutChoice {
    /// The folder that holds it.
    Folders,
    /// The folder inside that, where the folders all hold the same ones: `fold1/cat`, `fold2/cat`.
    Inner,
    /// A table.
    Table,
    /// The beginning of its file's name.
    Names,
}

impl LayoutChoice {
    /// Every reading.
    pub const ALL: [LayoutChoice; 4] =
        [LayoutChoice::Folders, LayoutChoice::Inner, LayoutChoice::Table, LayoutChoice::Names];

    /// As it is written in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            LayoutChoice::Folders => "folders",
            LayoutChoice::Inner => "inner",
            LayoutChoice::Table => "table",
            LayoutChoice::Names => "names",
        }
    }

    /// What says the class, for people.
    pub fn words(self) -> &'static str {
        match self {
            LayoutChoice::Folders => "the folder of each file is its class",
            LayoutChoice::Inner => "the folder inside each folder is the class, as in site1/cat",
            LayoutChoice::Table => "a table says which file or text is of which class",
            LayoutChoice::Names => "the name of each file begins with its class, as in cat.12.jpg",
        }
    }
}
