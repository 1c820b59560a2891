//! Scores of an evaluation for a person, and what stands beside them.

use super::show::{lower, one_line, plain, short_name};
use crate::evaluate::Evaluation;
use crate::task::detail::{ClassDetail, LabelDetail, NumberDetail};
use crate::task::{Detail, ScoreKind, regress};
use crate::units::grouped;
use std::fmt::Write;

/// How much of a long table is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// What matters most.
    Short,
    Full,
}

/// Scores and what stands beside them.
pub fn evaluation(e: &Evaluation, length: Length) -> String {
    let score = |kind: &ScoreKind| {
        let ends =
            e.interval(kind.name).map(|i| format!(" ({} to {})", plain(kind, i.low), plain(kind, i.high)));
        Some(format!("{} {}{}", lower(kind), plain(kind, kind.of(&e.scores)?), ends.unwrap_or_default()))
    };
    let scores: Vec<String> = e.task.scores.iter().filter_map(score).collect();
    let mut out = format!("{} samples ({})\n{}", e.samples, e.split.name(), scores.join("   "));
    let baseline = match &e.detail {
        Detail::Classes(detail) => format!("always the largest class {:.3}", detail.largest_class_accuracy),
        Detail::Labels(detail) => format!("always the usual labels, micro F1 {:.3}", detail.usual_labels_f1),
        Detail::Numbers(_) => String::new(),
    };
    let _ = writeln!(out, "{}{baseline}", if baseline.is_empty() { "" } else { "   " });
    if !e.intervals.is_empty() {
        out.push_str(
            "In parentheses: 95 % intervals, which tell how far so many samples pin a score down.\n",
        );
    }
    if e.chosen_on_these_samples {
        out.push_str("The best epoch was chosen on these same samples, so the scores flatter a little. A test set (--test-fraction, or --data) is a fairer judge.\n");
    }
    for sentence in e.rests_on() {
        let _ = writeln!(out, "{}", one_line(&sentence));
    }
    if !e.also_tested.is_empty() {
        let runs = e.also_tested.join(", ");
        let _ = writeln!(
            out,
            "Scored on these test samples before: run {runs}. Whoever chose between them chose by these samples."
        );
    }
    if e.unusable > 0 {
        let _ = writeln!(out, "{} samples could not be read and are left out.", e.unusable);
    }
    match &e.detail {
        Detail::Classes(detail) => classes(&mut out, detail, length),
        Detail::Labels(detail) => labels(&mut out, detail, length),
        Detail::Numbers(detail) => numbers(&mut out, detail),
    }
    out
}

/// The names of rows, cut, and how wide the widest is.
fn row_names<'n>(names: impl Iterator<Item = &'n String>) -> (Vec<String>, usize) {
    let names: Vec<String> = names.map(|name| short_name(name)).collect();
    let widest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(5);
    (names, widest)
}

/// More rows than this are cut where nobody asked for all.
const MOST_ROWS: usize = 40;
/// Rows that are then left.
const ROWS_LEFT: usize = 20;

/// The numbers of the rows that are shown: all, or those with the lowest scores among those with samples.
fn rows_shown(scores: impl Iterator<Item = (f64, u64)>, length: Length) -> (Vec<usize>, usize) {
    let scores: Vec<(f64, u64)> = scores.collect();
    let all = scores.len();
    if length == Length::Full || all <= MOST_ROWS {
        return ((0..all).collect(), 0);
    }
    let mut worst: Vec<(f64, usize)> =
        scores.iter().enumerate().filter(|(_, (_, n))| *n > 0).map(|(row, (f1, _))| (*f1, row)).collect();
    worst.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let shown: Vec<usize> = worst.into_iter().take(ROWS_LEFT).map(|(_, row)| row).collect();
    let more = all - shown.len();
    (shown, more)
}

fn say_more(out: &mut String, shown: usize, more: usize, what: &str) {
    if more > 0 {
        let _ = writeln!(out, "The {shown} with the lowest F1; {} more {what} with --full.", grouped(more));
    }
}

fn classes(out: &mut String, detail: &ClassDetail, length: Length) {
    let (labels, widest) = row_names(detail.labels.iter());
    let _ = writeln!(out, "\n{:<widest$} precision  recall     F1  support", "class");
    let (shown, more) = rows_shown(detail.per_class.iter().map(|class| (class.f1, class.support)), length);
    for row in &shown {
        let Some((label, c)) = labels.get(*row).zip(detail.per_class.get(*row)) else { continue };
        let _ = writeln!(
            out,
            "{label:<widest$} {:>9.3} {:>7.3} {:>6.3} {:>8}",
            c.precision, c.recall, c.f1, c.support
        );
    }
    say_more(out, shown.len(), more, "classes");
    if more > 0 {
        return confusions(out, detail, &labels);
    }
    let _ = writeln!(out, "\nconfusion (rows: true class, columns: predicted, in the same order)");
    for (label, row) in labels.iter().zip(&detail.confusion) {
        let cells: String = row.iter().map(|n| format!("{n:>6}")).collect();
        let _ = writeln!(out, "{label:<widest$}{cells}");
    }
}

/// The classes that are most often taken for another.
fn confusions(out: &mut String, detail: &ClassDetail, labels: &[String]) {
    let cells = detail.confusion.iter().enumerate().flat_map(|(truth, row)| {
        row.iter()
            .enumerate()
            .filter(move |(predicted, n)| *predicted != truth && **n > 0)
            .map(move |(p, n)| (*n, truth, p))
    });
    let mut cells: Vec<(u64, usize, usize)> = cells.collect();
    cells.sort_by_key(|(number, truth, predicted)| (std::cmp::Reverse(*number), *truth, *predicted));
    if !cells.is_empty() {
        let _ = writeln!(out, "\nmost often taken for another (the whole confusion with --full)");
    }
    for (number, truth, predicted) in cells.into_iter().take(ROWS_LEFT) {
        if let Some((truth, predicted)) = labels.get(truth).zip(labels.get(predicted)) {
            let _ = writeln!(out, "{number:>6}  {truth} taken for {predicted}");
        }
    }
}

fn labels(out: &mut String, detail: &LabelDetail, length: Length) {
    let (names, widest) = row_names(detail.per_label.iter().map(|label| &label.label));
    let _ = writeln!(out, "\n{:<widest$} precision  recall     F1  support  threshold  best", "label");
    let (shown, more) = rows_shown(detail.per_label.iter().map(|label| (label.f1, label.support)), length);
    for row in &shown {
        let Some((name, l)) = names.get(*row).zip(detail.per_label.get(*row)) else { continue };
        let _ = writeln!(
            out,
            "{name:<widest$} {:>9.3} {:>7.3} {:>6.3} {:>8} {:>10.2} {:>5.2} (F1 {:.3})",
            l.precision, l.recall, l.f1, l.support, l.threshold, l.best_threshold, l.best_f1
        );
    }
    say_more(out, shown.len(), more, "labels");
    out.push_str("The best thresholds were looked for on these same samples, so their F1 flatters.\n");
}

fn numbers(out: &mut String, detail: &NumberDetail) {
    let (names, widest) = row_names(detail.per_column.iter().map(|column| &column.column));
    let _ = writeln!(
        out,
        "\n{:<widest$}      R²  mean error        RMSE  always the mean  true numbers",
        "column"
    );
    for (name, c) in names.iter().zip(&detail.per_column) {
        let amount = |value: f64| amounts().format(value);
        let _ = writeln!(
            out,
            "{name:<widest$} {:>7.3} {:>11} {:>11} {:>16}  {} to {}",
            c.r2,
            amount(c.mae),
            amount(c.rmse),
            amount(c.mean_mae),
            amount(c.lowest),
            amount(c.highest)
        );
    }
}

/// How numbers in the unit of the data are written.
pub fn amounts() -> &'static ScoreKind {
    regress::KIND.score("mae").unwrap_or(regress::KIND.chief())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::Judged;
    use crate::task::TaskChoice;
    use crate::task::detail::LabelledScore;

    /// As many classes, of which every third has no sample.
    fn of_classes(classes: usize) -> Evaluation {
        let labels: Vec<String> = (0..classes).map(|n| format!("class {n}")).collect();
        let score = |(n, label): (usize, &String)| LabelledScore {
            label: label.clone(),
            precision: 0.5,
            recall: 0.5,
            f1: n as f64 / classes as f64,
            support: u64::from(n % 3 != 0),
        };
        let mut confusion = vec![vec![0; classes]; classes];
        confusion[1][2] = 7;
        let untested = labels.iter().step_by(3).cloned().collect();
        Evaluation {
            also_tested: Default::default(),
            task: TaskChoice::default(),
            split: Judged::Val,
            samples: classes as u64,
            scores: Default::default(),
            detail: Detail::Classes(ClassDetail {
                per_class: labels.iter().enumerate().map(score).collect(),
                confusion,
                labels,
                largest_class_accuracy: 0.1,
            }),
            chosen_on_these_samples: false,
            unusable: 0,
            coverage: crate::task::coverage::Coverage { untested, majority: None },
            answers: Vec::new(),
            intervals: Vec::new(),
        }
    }

    #[test]
    fn a_thousand_classes_are_short_unless_all_are_asked_for() {
        let many = of_classes(1000);
        let short = evaluation(&many, Length::Short);
        assert!(short.len() < 5000, "{} bytes", short.len());
        assert!(short.contains("334 classes have no validation sample"), "{short}");
        assert!(
            short.contains("     7  class 1 taken for class 2")
                && short.contains("980 more classes with --full")
        );
        // Those without samples have no score that could be low.
        assert!(short.contains("\nclass 1 ") && !short.contains("\nclass 0 "), "{short}");
        let full = evaluation(&many, Length::Full);
        assert!(full.len() > 6_000_000 && full.contains("\nclass 999 "));
        let few = of_classes(4);
        assert_eq!(evaluation(&few, Length::Short), evaluation(&few, Length::Full));
    }
}
