//! Numbers and tables for a person.

use crate::backbone::{Backbone, Dim, InputSpec, Node};
use crate::control::Fact;
use crate::data::index::DatasetIndex;
use crate::evaluate::Evaluation;
use crate::jobs::{LabelProbability, Prediction};
use crate::project::RunRecord;
pub use crate::units::{bytes, count, duration};
use std::fmt::Write;

pub const EPOCH_HEADER: &str =
    "epoch   train loss   val loss   val accuracy   val macro F1     time   samples/s";

/// One epoch as a row below [`EPOCH_HEADER`].
pub fn epoch_row(fact: &Fact) -> String {
    match fact {
        Fact::Epoch {
            epoch,
            train_loss,
            train_accuracy: _,
            val_loss,
            val_accuracy,
            val_macro_f1,
            seconds,
            samples_per_second,
        } => format!(
            "{epoch:>5} {train_loss:>12.4} {val_loss:>10.4} {val_accuracy:>14.3} {val_macro_f1:>14.3} {:>8} {samples_per_second:>11.0}",
            duration(*seconds)
        ),
        _ => String::new(),
    }
}

/// A name of the user's in a table: on one line and not too long.
fn short_name(name: &str) -> String {
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
    let counts = index.counts();
    let names: Vec<String> = index.classes.iter().map(|c| short_name(c)).collect();
    let widest = names.iter().map(|c| c.chars().count()).max().unwrap_or(0);
    let largest = counts.iter().copied().max().unwrap_or(1).max(1);
    for (class, items) in names.iter().zip(&counts) {
        let bar = "█".repeat((items * 30).div_ceil(largest));
        let _ = writeln!(out, "  {class:<widest$} {items:>7}  {bar}");
    }
    if !index.findings.is_empty() {
        let _ = writeln!(out, "{} findings", index.findings.len());
    }
    for finding in &index.findings {
        let line = finding.line.map(|n| format!(", line {n}")).unwrap_or_default();
        let file = one_line(&finding.file.display().to_string());
        let _ = writeln!(out, "  {file}{line}: {}\n    {}", one_line(&finding.reason), finding.remedy);
    }
    out
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

/// Scores and the confusion matrix.
pub fn evaluation(e: &Evaluation) -> String {
    let mut out = format!(
        "{} samples ({})\naccuracy {:.3}   macro F1 {:.3}   always the largest class {:.3}\n",
        e.samples, e.split, e.accuracy, e.macro_f1, e.largest_class_accuracy
    );
    if e.chosen_on_these_samples {
        out.push_str("The best epoch was chosen on these same samples, so the scores flatter a little. A test set (--test-fraction, or --data) is a fairer judge.\n");
    }
    if e.unusable > 0 {
        let _ = writeln!(out, "{} samples could not be read and are left out.", e.unusable);
    }
    let labels: Vec<String> = e.labels.iter().map(|l| short_name(l)).collect();
    let widest = labels.iter().map(|l| l.chars().count()).max().unwrap_or(0).max(5);
    let _ = writeln!(out, "\n{:<widest$} precision  recall     F1  support", "class");
    for (label, c) in labels.iter().zip(&e.per_class) {
        let _ = writeln!(
            out,
            "{label:<widest$} {:>9.3} {:>7.3} {:>6.3} {:>8}",
            c.precision, c.recall, c.f1, c.support
        );
    }
    let _ = writeln!(out, "\nconfusion (rows: true class, columns: predicted, in the same order)");
    for (label, row) in labels.iter().zip(&e.confusion) {
        let cells: String = row.iter().map(|n| format!("{n:>6}")).collect();
        let _ = writeln!(out, "{label:<widest$}{cells}");
    }
    out
}

/// One answer.
pub fn prediction(p: &Prediction) -> String {
    let input = one_line(&p.input);
    match (&p.labels, &p.error) {
        (Some(labels), _) => {
            let shown =
                |l: &LabelProbability| format!("{} {:.1} %", short_name(&l.label), 100.0 * l.probability);
            format!("{input}: {}", labels.iter().map(shown).collect::<Vec<_>>().join(", "))
        }
        (None, Some(error)) => format!("{input}: error: {}", one_line(error)),
        (None, None) => input,
    }
}

/// A table of runs.
pub fn runs(records: &[RunRecord]) -> String {
    let mut out = format!(
        "{:<5} {:<9} {:>6} {:>5} {:>12} {:>12} {:>9}  frostline\n",
        "run", "state", "epochs", "best", "val accuracy", "val macro F1", "time"
    );
    for r in records {
        let best = r.best_epoch.and_then(|n| r.epochs.iter().find(|e| e.epoch == n));
        let number = |value: Option<f64>| value.map_or("-".to_string(), |v| format!("{v:.3}"));
        let state = serde_json::to_value(r.state)
            .ok()
            .and_then(|s| s.as_str().map(str::to_string))
            .unwrap_or_default();
        let _ = writeln!(
            out,
            "{:<5} {state:<9} {:>6} {:>5} {:>12} {:>12} {:>9}  {}",
            r.run,
            r.epochs.len(),
            r.best_epoch.map_or("-".to_string(), |n| n.to_string()),
            number(best.map(|b| b.val_accuracy)),
            number(best.map(|b| b.val_macro_f1)),
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
