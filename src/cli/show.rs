//! Numbers and tables for a person.

use crate::backbone::{Backbone, Dim, InputSpec, Node};
use crate::control::{EpochRecord, Scores};
use crate::data::index::{DatasetIndex, counted};
use crate::data::numbers::{Histogram, NumberSummary};
use crate::data::target::{TargetForm, TargetKind};
use crate::project::RunRecord;
use crate::task::{Format, ScoreKind, TaskKind};
use crate::units::number;
pub use crate::units::{bytes, count, duration};
use std::fmt::Write;

/// What an epoch counts in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// Samples that go through the whole network.
    Samples,
    /// Samples that go through the layers above what is computed once.
    Cached,
}

impl Rate {
    fn words(self) -> &'static str {
        match self {
            Self::Samples => "samples/s",
            Self::Cached => "cached samples/s",
        }
    }
}

/// The row above [`epoch_row`]s of a task.
pub fn epoch_header(task: &TaskKind, rate: Rate) -> String {
    let scores: String = task.scores.iter().map(|kind| format!("   {:>12}", column(kind))).collect();
    format!("epoch   train loss   val loss{scores}     time   {}", rate.words())
}

/// A score of the validation samples as the heading of a column.
fn column(kind: &ScoreKind) -> String {
    format!("val {}", lower(kind))
}

/// Its words inside a sentence: names such as F1 keep their capitals.
pub fn lower(kind: &ScoreKind) -> String {
    let mut letters = kind.words.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() => first.to_lowercase().chain(letters).collect(),
        _ => kind.words.to_string(),
    }
}

/// One epoch as a row below [`epoch_header`].
pub fn epoch_row(record: &EpochRecord, task: &TaskKind, rate: Rate) -> String {
    let scores: String = task
        .scores
        .iter()
        .map(|kind| {
            let width = column(kind).chars().count().max(12) + 2;
            let value = kind.of(&record.val).map_or("-".to_string(), |value| plain(kind, value));
            format!(" {value:>width$}")
        })
        .collect();
    let EpochRecord { epoch, train_loss, val_loss, samples_per_second, .. } = record;
    let width = rate.words().len() + 2;
    format!(
        "{epoch:>5} {train_loss:>12.4} {val_loss:>10.4}{scores} {:>8} {samples_per_second:>width$.0}",
        duration(record.seconds)
    )
}

/// Shares and indexes with three decimals, amounts in the unit of the data.
pub fn plain(kind: &ScoreKind, value: f64) -> String {
    match kind.format {
        Format::Share | Format::Index => format!("{value:.3}"),
        Format::Amount => kind.format(value),
    }
}

/// All scores in a row: `accuracy 0.812, macro F1 0.790`.
pub fn scores(scores: &Scores, task: &TaskKind, between: &str) -> String {
    let words = |kind: &ScoreKind| Some(format!("{} {}", lower(kind), plain(kind, kind.of(scores)?)));
    task.scores.iter().filter_map(words).collect::<Vec<_>>().join(between)
}

/// A name of the user's in a table: on one line and not too long.
pub fn short_name(name: &str) -> String {
    const LONGEST: usize = 60;
    match name.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", one_line(&name[..end])),
        None => one_line(name),
    }
}

/// A text of the user's on one line.
pub fn one_line(text: &str) -> String {
    printable(text).replace('\n', "\\n")
}

/// Names and texts come from files: what would steer a terminal is shown, not obeyed. Line breaks stay.
pub fn printable(text: &str) -> String {
    let steers = |c: char| {
        (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match steers(c) {
            true => out.extend(c.escape_default()),
            false => out.push(c),
        }
    }
    out
}

/// A shape as people write it: 96×14×14.
pub fn shape(dims: &[Dim]) -> String {
    dims.iter().map(Dim::to_string).collect::<Vec<_>>().join("×")
}

/// How the data lies on disk. Column names come from the file.
pub fn layout(index: &DatasetIndex) -> String {
    one_line(&index.layout.to_string())
}

/// What a scan found.
pub fn dataset(index: &DatasetIndex) -> String {
    let mut out = format!("{}\n", layout(index));
    match index.target {
        TargetKind::Class => add_bars(&mut out, &named_counts(index)),
        TargetKind::Labels => {
            let mut counts = named_counts(index);
            counts.extend(Some(index.unlabelled()).filter(|n| *n > 0).map(|n| ("(no label)".to_owned(), n)));
            add_bars(&mut out, &counts);
        }
        TargetKind::Numbers => index.summaries().iter().enumerate().for_each(|(number, column)| {
            add_column(&mut out, column, &Histogram::new(&index.numbers_of(number)));
        }),
    }
    if index.files.total() > index.files.used {
        let _ = writeln!(out, "{}", index.files);
    }
    if !index.findings.is_empty() {
        let _ = writeln!(out, "{}", counted(index.findings.len() as u64, "finding"));
    }
    for finding in &index.findings {
        let _ = writeln!(out, "  {}\n    {}", one_line(&finding.in_words()), finding.remedy);
    }
    out
}

/// How to get something else than what the labels were taken for without being told; nothing for classes.
pub fn guess(index: &DatasetIndex) -> &'static str {
    match index.target {
        TargetKind::Class if index.layout.form() == TargetForm::OneMark => {
            "One of these columns is marked in each row, so they are classes; for labels, say --task multi-label.\n"
        }
        TargetKind::Class => "",
        TargetKind::Labels => {
            "Any of these labels may apply to a sample; for one class each, say --task classify.\n"
        }
        TargetKind::Numbers => {
            "Many different numbers, so they are learnt as numbers; for classes, say --task classify.\n"
        }
    }
}

fn named_counts(index: &DatasetIndex) -> Vec<(String, usize)> {
    index.classes.iter().map(|name| short_name(name)).zip(index.counts()).collect()
}

fn add_bars(out: &mut String, counts: &[(String, usize)]) {
    let widest = counts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let largest = counts.iter().map(|(_, items)| *items).max().unwrap_or(1).max(1);
    for (name, items) in counts {
        let bar = "█".repeat((items * 30).div_ceil(largest));
        let _ = writeln!(out, "  {name:<widest$} {items:>7}  {bar}");
    }
}

fn add_column(out: &mut String, column: &NumberSummary, histogram: &Histogram) {
    let [min, max, mean, std] = [column.min, column.max, column.mean, column.std].map(number);
    let name = short_name(&column.name);
    let _ = writeln!(out, "{name}: {min} to {max}, mean {mean}, standard deviation {std}");
    let counts: Vec<(String, usize)> = histogram
        .counts
        .iter()
        .enumerate()
        .map(|(bin, count)| (format!("{:>9}", number(histogram.ends(bin).0)), *count))
        .collect();
    add_bars(out, &counts);
}

/// A table of backbones.
pub fn backbones(list: &[Backbone]) -> String {
    let widest = list.iter().map(|b| b.id.len()).max().unwrap_or(0).max(24);
    let mut out =
        format!("{:<widest$} {:<18} {:>10}  {:<14} licence\n", "id", "family", "parameters", "input");
    for backbone in list {
        let parameters = count(backbone.architecture().tree().root().parameters());
        let licence = backbone.card.licence.as_deref().unwrap_or("unknown");
        let _ = writeln!(
            out,
            "{:<widest$} {:<18} {parameters:>10}  {:<14} {licence}",
            backbone.id,
            backbone.family,
            input(&backbone.input)
        );
    }
    out
}

/// What a backbone takes.
pub fn input(input: &InputSpec) -> String {
    (input.modality().facts().input.short)(input.size())
}

/// The layers of a backbone, one a line.
pub fn tree(backbone: &Backbone) -> String {
    let mut out = format!("{:<48} {:<24} {:>14} {:>11}\n", "layer", "kind", "output", "parameters");
    add_node(&mut out, backbone.architecture().tree().root(), 0);
    out
}

fn add_node(out: &mut String, node: &Node, depth: usize) {
    let name = if node.path.is_empty() { "(all)" } else { &node.path };
    let kind = serde_json::to_value(node.kind)
        .ok()
        .and_then(|k| k.as_str().map(|k| k.replace('_', " ")))
        .unwrap_or_default();
    let kind = format!("{kind} {}", node.detail);
    let indented = format!("{}{name}", "  ".repeat(depth));
    let _ = writeln!(
        out,
        "{indented:<48} {kind:<24} {:>14} {:>11}",
        shape(&node.output_shape),
        count(node.parameters())
    );
    for child in &node.children {
        add_node(out, child, depth + 1);
    }
}

/// A table of runs; the columns of scores are those of the newest run's task.
pub fn runs(records: &[RunRecord]) -> String {
    let task = records.last().map(|record| record.task.kind).unwrap_or_default();
    let scores: String = task.scores.iter().map(|kind| format!(" {:>12}", column(kind))).collect();
    let mut out = format!(
        "{:<5} {:<9} {:>6} {:>5}{scores} {:>9}  frostline\n",
        "run", "state", "epochs", "best", "time"
    );
    for r in records {
        let best = r.best();
        let cell = |kind: &ScoreKind| {
            let width = column(kind).chars().count().max(12);
            let value =
                best.and_then(|b| kind.of(&b.val)).map_or("-".to_string(), |value| plain(kind, value));
            format!(" {value:>width$}")
        };
        let cells: String = task.scores.iter().map(cell).collect();
        let state = serde_json::to_value(r.state)
            .ok()
            .and_then(|s| s.as_str().map(str::to_string))
            .unwrap_or_default();
        let _ = writeln!(
            out,
            "{:<5} {state:<9} {:>6} {:>5}{cells} {:>9}  {}",
            r.run,
            r.epochs.len(),
            r.best_epoch.map_or("-".to_string(), |n| n.to_string()),
            duration(r.seconds),
            r.frostline
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_files_do_not_steer_the_terminal() {
        let check = |name: &str, expected: &str| assert_eq!(short_name(name), expected);
        check("cats 😀", "cats 😀");
        check("a\nb\u{1b}[31m\t", "a\\nb\\u{1b}[31m\\t");
        check("\u{202e}gpj", "\\u{202e}gpj");
        check(&"é".repeat(61), &format!("{}…", "é".repeat(60)));
        assert_eq!(printable("two\nlines"), "two\nlines");
    }
}
