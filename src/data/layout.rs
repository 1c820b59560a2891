//! How a dataset lies on disk.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::label_columns;
use super::modality::Modality;
use super::part::Part;
use super::target::TargetForm;
use super::words::counted;

/// The arrangement of a dataset on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Layout {
    /// One folder of files for each class, below part folders where `parts` are named.
    Folders { modality: Modality, items: u64, folders: u64, parts: Vec<Part> },
    /// Files whose names begin with their classes.
    Names { modality: Modality, items: u64, parts: Vec<Part> },
    /// Files that the rows of one or more tables name and label.
    NamedFiles {
        modality: Modality,
        tables: Vec<PathBuf>,
        items: u64,
        file_column: String,
        /// As in a table of texts.
        #[serde(rename = "label_column", with = "label_columns")]
        label_columns: Vec<String>,
        form: TargetForm,
        #[serde(flatten)]
        beside: ColumnsBeside,
        parts: Vec<Part>,
        /// Whether the root of the index is the table itself; the files are then looked for from its folder.
        is_root: bool,
    },
    /// Rows of one or more tables.
    Table {
        files: Vec<PathBuf>,
        rows: u64,
        text_column: String,
        /// One, or a column for each label or number; a single one is written as a string.
        #[serde(rename = "label_column", with = "label_columns")]
        label_columns: Vec<String>,
        /// What the label columns were taken for; older indexes know names of classes alone.
        #[serde(default)]
        form: TargetForm,
        #[serde(flatten)]
        beside: ColumnsBeside,
        parts: Vec<Part>,
        /// Whether the root of the index is the table itself, not a folder that holds it.
        is_root: bool,
    },
}

/// Columns of a table besides those of the sample and the label.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnsBeside {
    /// Columns whose texts are joined, in their order, the text column among them; none where it stands alone.
    #[serde(default, rename = "joined_columns", skip_serializing_if = "Vec::is_empty")]
    pub joined: Vec<String>,
    /// What says the part of a row.
    #[serde(default, rename = "part_column", skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// What says which samples belong together.
    #[serde(default, rename = "group_column", skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

impl Layout {
    /// The columns besides those of the sample and the label; none where no table is read.
    pub fn beside(&self) -> Option<&ColumnsBeside> {
        match self {
            Layout::Folders { .. } | Layout::Names { .. } => None,
            Layout::NamedFiles { beside, .. } | Layout::Table { beside, .. } => Some(beside),
        }
    }

    /// How the labels are written.
    pub fn form(&self) -> TargetForm {
        match self {
            Layout::Folders { .. } | Layout::Names { .. } => TargetForm::Name,
            Layout::NamedFiles { form, .. } | Layout::Table { form, .. } => *form,
        }
    }

    /// The columns that hold the labels.
    pub fn label_columns(&self) -> &[String] {
        match self {
            Layout::Folders { .. } | Layout::Names { .. } => &[],
            Layout::NamedFiles { label_columns, .. } | Layout::Table { label_columns, .. } => label_columns,
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = match self {
            Layout::Folders { modality, items, folders, parts } => {
                let noun = modality.facts().name;
                write!(f, "{} in {}", counted(*items, noun), counted(*folders, "folder"))?;
                parts
            }
            Layout::Names { modality, items, parts } => {
                write!(
                    f,
                    "{}, the class at the beginning of each name",
                    counted(*items, modality.facts().name)
                )?;
                parts
            }
            Layout::NamedFiles {
                modality, tables, items, file_column, label_columns, form, parts, ..
            } => {
                write!(f, "{} named in ", counted(*items, modality.facts().name))?;
                fmt_tables(f, tables)?;
                write!(f, ", file in column “{file_column}”, ")?;
                f.write_str(&label_columns::in_words(*form, label_columns))?;
                parts
            }
            Layout::Table { files, rows, text_column, label_columns, form, beside, parts, .. } => {
                write!(f, "{} in ", counted(*rows, "text"))?;
                fmt_tables(f, files)?;
                match beside.joined.as_slice() {
                    [] => write!(f, ", text in column “{text_column}”, ")?,
                    joined => write!(f, ", text joined from “{}”, ", joined.join("”, “"))?,
                }
                f.write_str(&label_columns::in_words(*form, label_columns))?;
                parts
            }
        };
        if !parts.is_empty() {
            let names: Vec<&str> = parts.iter().map(|part| part.name()).collect();
            write!(f, ", parted into {}", names.join(", "))?;
        }
        let beside = self.beside();
        if let Some(part) = beside.and_then(|beside| beside.part.as_ref()).filter(|_| !parts.is_empty()) {
            write!(f, " by “{part}”")?;
        }
        if let Some(group) = beside.and_then(|beside| beside.group.as_ref()) {
            write!(f, ", grouped by “{group}”")?;
        }
        Ok(())
    }
}

fn fmt_tables(f: &mut fmt::Formatter<'_>, tables: &[PathBuf]) -> fmt::Result {
    match tables {
        [table] => write!(f, "{}", table.display()),
        tables => write!(f, "{}", counted(tables.len() as u64, "table")),
    }
}
