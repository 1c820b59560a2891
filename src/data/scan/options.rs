//! What the user says about the data.

use serde::{Deserialize, Serialize};

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
    /// What the labels are to be taken for.
    pub target: Option<TargetKind>,
}

impl ScanOptions {
    /// The first column that is named.
    pub(super) fn first_column(&self) -> Option<&String> {
        self.text_column.iter().chain(&self.file_column).chain(&self.label_columns).next()
    }
}

/// A way to read a folder: what says which class a sample is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LayoutChoice {
    /// The folder that holds it.
    Folders,
    /// A table.
    Table,
    /// The beginning of its file's name.
    Names,
}

impl LayoutChoice {
    /// Every reading.
    pub const ALL: [LayoutChoice; 3] = [LayoutChoice::Folders, LayoutChoice::Table, LayoutChoice::Names];

    /// As it is written in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            LayoutChoice::Folders => "folders",
            LayoutChoice::Table => "table",
            LayoutChoice::Names => "names",
        }
    }

    /// What says the class, for people.
    pub fn words(self) -> &'static str {
        match self {
            LayoutChoice::Folders => "the folder of each file is its class",
            LayoutChoice::Table => "a table says which file or text is of which class",
            LayoutChoice::Names => "the name of each file begins with its class, as in cat.12.jpg",
        }
    }
}
