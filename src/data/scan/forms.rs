//! What the cells of a column look like: lists of labels, marks, numbers, or names of classes.
//!
//! Everything here is a guess from the first rows; the layout's sentence says what was taken for what, and
//! [`super::ScanOptions::target`] overrules it. One blemish in ten cells does not change a guess: it is to become a
//! finding.

use std::collections::{BTreeMap, BTreeSet};

use super::cells::{mark, number, stands_for_nothing};
use crate::data::target::TargetForm;

/// Names of columns that usually hold several labels.
pub(super) const LIST_NAMES: [&str; 6] = ["labels", "tags", "categories", "genres", "topics", "keywords"];

/// Names of columns that usually hold a measured number.
pub(super) const QUANTITY_NAMES: [&str; 10] =
    ["score", "price", "value", "amount", "year", "age", "rating", "stars", "points", "votes"];

/// More different numbers than this are no longer taken for classes.
const MOST_NUMBERED_CLASSES: usize = 20;

/// What one label column is, by its name and its filled cells.
pub(super) fn form_of(name: &str, cells: &[&str]) -> TargetForm {
    if let Some(form) = list_form(name, cells) {
        return form;
    }
    match number_form(cells) {
        Some(form) if are_measured(name, cells) => form,
        _ => TargetForm::Name,
    }
}

/// The form of lists where a separator separates: labels come again in other company. A name with `|` in it that only
/// ever comes whole is a class.
///
/// Of the labels that come in two rows or more and beside others, more than half must be seen in different
/// combinations, which the leaves of paths such as `sport|tennis` are not; one is enough in a column that is named as
/// columns of lists are. Commas stand within names too: they part labels in a column alone that is named so.
pub(super) fn list_form(name: &str, cells: &[&str]) -> Option<TargetForm> {
    let is_named_so = is_named(name, &LIST_NAMES);
    let separates = |separator: char, needs_most: bool| {
        // Of each part: the combinations that it is seen in, how often, whether beside others.
        let mut parts: BTreeMap<&str, (BTreeSet<BTreeSet<&str>>, usize, usize)> = BTreeMap::new();
        for cell in cells {
            let combination: BTreeSet<&str> =
                cell.split(separator).map(str::trim).filter(|part| !part.is_empty()).collect();
            for part in &combination {
                let (combinations, rows, beside) = parts.entry(part).or_default();
                // Two are enough to know.
                if combinations.len() < 2 {
                    combinations.insert(combination.clone());
                }
                (*rows, *beside) = (*rows + 1, *beside + usize::from(combination.len() > 1));
            }
        }
        let joined = parts.values().filter(|(_, rows, beside)| *rows > 1 && *beside > 0);
        let (mut number, mut recombined) = (0, 0);
        for (combinations, _, _) in joined {
            (number, recombined) = (number + 1, recombined + usize::from(combinations.len() > 1));
        }
        recombined > 0 && (!needs_most || recombined * 2 > number)
    };
    if separates(';', !is_named_so) {
        Some(TargetForm::SemicolonList)
    } else if separates('|', !is_named_so) {
        Some(TargetForm::BarList)
    } else if is_named_so && !cells.iter().any(|cell| cell.contains([';', '|'])) && separates(',', true) {
        Some(TargetForm::CommaList)
    } else {
        None
    }
}

/// The form of numbers that nearly all cells have.
///
/// A comma before a fraction is told from one between thousands by the whole column: some number must have a comma
/// that cannot part thousands, and hardly one (one in ten of these, which is then a finding) a point.
pub(super) fn number_form(cells: &[&str]) -> Option<TargetForm> {
    let values: Vec<&str> = cells.iter().copied().filter(|cell| !stands_for_nothing(cell)).collect();
    let shapes: Vec<Shape> = values.iter().filter_map(|cell| Shape::of(cell)).collect();
    if shapes.is_empty() || shapes.len() * 10 < values.len() * 9 {
        return None;
    }
    let count = |shape: Shape| shapes.iter().filter(|own| **own == shape).count();
    let commas = count(Shape::CommaFraction) > 10 * (count(Shape::Point) + count(Shape::Separators));
    Some(if commas { TargetForm::DecimalCommas } else { TargetForm::Numbers })
}

/// Whether numbers measure something rather than stand for classes.
///
/// - Fractions measure, unless few of them come again and again, as half stars do.
/// - Whole numbers measure where there are more than [`MOST_NUMBERED_CLASSES`] of them, as of years and prices, unless
///   they count classes: from 0 or 1 up with few gaps, each three times or more. Nothing but the name tells such codes
///   from a score from 0 to 100.
/// - Where most of them come once, classes could not be learnt anyway.
pub(super) fn are_measured(name: &str, cells: &[&str]) -> bool {
    let values: Vec<&str> = cells.iter().copied().filter(|cell| !stands_for_nothing(cell)).collect();
    let distinct = values.iter().copied().collect::<BTreeSet<&str>>().len();
    let numbers: Vec<f64> = values.iter().filter_map(|cell| number(cell, TargetForm::Numbers).ok()).collect();
    let has_no_comma = |cell: &&str| matches!(Shape::of(cell), None | Some(Shape::Plain | Shape::Point));
    let all_whole = values.iter().all(has_no_comma) && numbers.iter().all(|number| number.fract() == 0.0);
    let come_once = distinct * 2 > values.len();
    if !all_whole {
        return distinct > MOST_NUMBERED_CLASSES || (distinct > 2 && come_once);
    }
    let low = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    let high = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let has_few_gaps = high - low + 1.0 <= 1.25 * distinct as f64;
    let counts_classes = (low == 0.0 || low == 1.0) && has_few_gaps && values.len() >= 3 * distinct;
    match is_named(name, &QUANTITY_NAMES) {
        true => distinct > MOST_NUMBERED_CLASSES || (distinct > 10 && come_once),
        false => (distinct > MOST_NUMBERED_CLASSES && !counts_classes) || (distinct > 10 && come_once),
    }
}

/// How a column writes its marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Marks {
    Digits,
    Truth,
    Answers,
}

/// The writing of marks that nearly all cells have.
pub(super) fn marks_of(cells: &[&str]) -> Option<Marks> {
    let mut counts: BTreeMap<Marks, usize> = BTreeMap::new();
    for cell in cells.iter().filter(|cell| mark(cell).is_some()) {
        let marks = match cell.trim().to_ascii_lowercase().as_str() {
            "true" | "false" => Marks::Truth,
            "yes" | "no" => Marks::Answers,
            _ => Marks::Digits,
        };
        *counts.entry(marks).or_default() += 1;
    }
    let filled = cells.iter().filter(|cell| !stands_for_nothing(cell)).count();
    counts.into_iter().find(|(_, count)| count * 10 >= filled * 9).map(|(marks, _)| marks)
}

/// Whether a column of marks has both.
pub(super) fn vary(cells: &[&str]) -> bool {
    let has = |wanted: bool| cells.iter().any(|cell| mark(cell) == Some(wanted));
    has(true) && has(false)
}

/// Whether the numbers only count the rows.
pub(super) fn count_up(cells: &[&str]) -> bool {
    let numbers: Vec<f64> = cells.iter().filter_map(|cell| number(cell, TargetForm::Numbers).ok()).collect();
    numbers.len() > 2
        && numbers.len() == cells.len()
        && numbers.windows(2).all(|pair| matches!(pair, [a, b] if b - a == 1.0))
}

/// Whether a name is one of those, in any case of letters.
pub(super) fn is_named(name: &str, known: &[&str]) -> bool {
    known.iter().any(|known| name.trim().eq_ignore_ascii_case(known))
}

/// Whether the last word of a name is one that labels have: `airline_sentiment`, `Product category`.
pub(super) fn ends_like_a_label(name: &str) -> bool {
    const WORDS: [&str; 8] =
        ["label", "class", "category", "sentiment", "target", "intent", "topic", "polarity"];
    let mut words = name.trim().rsplit(['_', ' ', '-', '.']);
    words.next().is_some_and(|last| is_named(last, &WORDS))
}

/// How a number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Without point and comma, or with an exponent.
    Plain,
    Point,
    /// `3,5`: a comma that parts no thousands.
    CommaFraction,
    /// `1,234`: one or the other.
    Comma,
    /// `1,234.5`, `1,234,567`.
    Separators,
    /// `1.234,5`
    PointThousands,
}

impl Shape {
    fn of(cell: &str) -> Option<Shape> {
        let cell = cell.trim();
        if number(cell, TargetForm::Numbers).is_ok() {
            return Some(if cell.contains('.') { Shape::Point } else { Shape::Plain });
        }
        let digits = cell.strip_prefix(['-', '+']).unwrap_or(cell);
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        match digits.split_once(',') {
            Some((whole, part)) if is_number(whole) && is_number(part) => {
                let may_be_thousands = part.len() == 3 && whole.len() <= 3 && !whole.starts_with('0');
                Some(if may_be_thousands { Shape::Comma } else { Shape::CommaFraction })
            }
            Some((whole, part)) if is_number(part) && whole.split('.').all(is_number) => {
                Some(Shape::PointThousands)
            }
            Some(_) if digits.split([',', '.']).all(is_number) => Some(Shape::Separators),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(name: &str, cells: &[&str]) -> TargetForm {
        form_of(name, cells)
    }

    /// Every one of `values` so many times.
    fn repeated(values: impl Iterator<Item = String>, times: usize) -> Vec<String> {
        values.flat_map(|value| std::iter::repeat_n(value, times)).collect()
    }

    fn form_of_all(name: &str, cells: &[String]) -> TargetForm {
        form_of(name, &cells.iter().map(String::as_str).collect::<Vec<_>>())
    }

    #[test]
    fn lists_are_told_from_names_with_a_separator() {
        use TargetForm::{BarList, CommaList, Name, SemicolonList};
        let check =
            |name: &str, cells: &[&str], expected| assert_eq!(form(name, cells), expected, "{cells:?}");
        check("x", &["a;b", "b;c", "a", "c;a", "b"], SemicolonList);
        check("x", &["a|b", "b|c", "a", "c|a", "b"], BarList);
        check("tags", &["a, b", "b,c", "a", "c, a", "b"], CommaList);
        check("x", &["a, b", "b,c", "a", "c, a", "b"], Name);
        check("tags", &["Berlin, Germany", "Paris, France", "Berlin, Germany", "Lyon, France"], Name);
        // Only ever whole.
        check("x", &["a|b", "c|d", "a|b", "c|d"], Name);
        check("tags", &["a|b", "c|d", "a|b", "c|d"], Name);
        // Paths: what stands above recurs, what stands below does not.
        check("x", &["s|t", "s|f", "s|t", "s|f", "m|j", "m|j"], Name);
        // One label that recurs in other company is enough where the name says that they are lists.
        check("x", &["a;b", "a;c", "a;b", "a;c", "d"], Name);
        check("Tags", &["a;b", "a;c", "a;b", "a;c", "d"], SemicolonList);
        check("x", &["pos", "neg", "pos"], Name);
        check("x", &[], Name);
    }

    #[test]
    fn few_numbers_are_classes_and_many_are_numbers() {
        use TargetForm::{Name, Numbers};
        let check = |name: &str, cells: &[String], expected| assert_eq!(form_of_all(name, cells), expected);
        let whole =
            |range: std::ops::RangeInclusive<i32>, times| repeated(range.map(|n| n.to_string()), times);
        check("label", &whole(0..=1, 50), Name);
        check("rating", &whole(1..=5, 20), Name);
        // Twenty years are classes, twenty-one are numbers.
        check("when", &whole(1990..=2009, 5), Name);
        check("when", &whole(1990..=2010, 5), Numbers);
        // Codes of classes count up from 0 or 1 and recur; a score does as well, and its name says so.
        check("label", &whole(0..=76, 10), Name);
        check("label", &whole(1..=150, 3), Name);
        check("label", &whole(0..=150, 2), Numbers);
        check("score", &whole(0..=76, 10), Numbers);
        check("label", &whole(2..=78, 10), Numbers);
        // Few rows: most numbers come once.
        check("x", &whole(100..=109, 1), Name);
        check("x", &whole(100..=110, 1), Numbers);
        check("x", &whole(100..=110, 2), Name);
    }

    #[test]
    fn fractions_are_numbers_unless_they_are_steps() {
        use TargetForm::{Name, Numbers};
        let check = |cells: &[String], expected| assert_eq!(form_of_all("x", cells), expected);
        let steps =
            |number: usize, times| repeated((1..=number).map(|n| (n as f64 / 2.0).to_string()), times);
        check(&steps(10, 5), Name);
        check(&steps(20, 5), Name);
        check(&steps(21, 5), Numbers);
        check(&steps(2, 1), Name);
        check(&steps(3, 1), Numbers);
    }

    #[test]
    fn one_blemish_in_ten_does_not_hide_numbers() {
        let mut cells: Vec<String> = (0..27).map(|n| format!("{n}.25")).collect();
        cells.extend(["cheap", "?", "dear", "NaN", "free"].map(str::to_owned));
        assert_eq!(form_of_all("x", &cells), TargetForm::Numbers);
        cells.push("unknown".to_owned());
        assert_eq!(form_of_all("x", &cells), TargetForm::Name);
    }

    #[test]
    fn a_comma_is_read_as_the_whole_column_says() {
        let check = |cells: &[&str], expected| assert_eq!(number_form(cells), expected, "{cells:?}");
        check(&["3,5", "4,25", "1"], Some(TargetForm::DecimalCommas));
        check(&["3,5", "4.25"], Some(TargetForm::Numbers));
        check(&["1,234", "2,345"], Some(TargetForm::Numbers));
        check(&["0,234", "2,345"], Some(TargetForm::DecimalCommas));
        check(&["1,234.5", "3,5"], Some(TargetForm::Numbers));
        check(&["1,234,567", "12"], Some(TargetForm::Numbers));
        // One slip of many is a finding, not another form.
        let many = ["3,5", "4,25"].repeat(6);
        check(&[&many[..], &["1.234"]].concat(), Some(TargetForm::DecimalCommas));
        check(&["3,5", "1.5"], Some(TargetForm::Numbers));
        check(&["1.234,5", "3,5"], Some(TargetForm::DecimalCommas));
        check(&["a,b"], None);
        check(&["NA", ""], None);
    }

    #[test]
    fn marks_have_one_writing() {
        assert_eq!(marks_of(&["1", "0", "", "1"]), Some(Marks::Digits));
        assert_eq!(marks_of(&["True", "false"]), Some(Marks::Truth));
        assert_eq!(marks_of(&["yes", "NO"]), Some(Marks::Answers));
        assert_eq!(marks_of(&["yes", "0"]), None);
        assert_eq!(marks_of(&["1", "2"]), None);
        assert_eq!(marks_of(&[""]), None);
        assert!(vary(&["1", "0"]) && !vary(&["0", "0"]));
    }
}
