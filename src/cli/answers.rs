//! Answers of a model as lines for a person, JSON lines or a table.

use super::scores::amounts;
use super::show::{one_line, short_name};
use crate::jobs::Prediction;
use crate::task::{Answer, LabelProbability, NamedNumber};
use anyhow::Result;
use clap::ValueEnum;
use std::path::Path;

/// How answers are written.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerFormat {
    /// A line for a person
    Text,
    /// A JSON object on each line
    Jsonl,
    /// A table with a header
    Csv,
}

impl AnswerFormat {
    /// What the name of a file asks for.
    pub fn of_name(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "jsonl" | "ndjson" | "json" => Some(Self::Jsonl),
            "txt" => Some(Self::Text),
            _ => None,
        }
    }

    /// All answers in this form.
    pub fn write(self, predictions: &[Prediction]) -> Result<String> {
        Ok(match self {
            Self::Text => predictions.iter().map(|one| prediction(one) + "\n").collect(),
            Self::Jsonl => {
                let mut out = String::new();
                for prediction in predictions {
                    out.push_str(&serde_json::to_string(prediction)?);
                    out.push('\n');
                }
                out
            }
            Self::Csv => csv(predictions),
        })
    }
}

/// One answer.
pub fn prediction(p: &Prediction) -> String {
    let input = match p.line {
        Some(line) => format!("{}, line {line}", one_line(&p.input)),
        None => one_line(&p.input),
    };
    let shown = |l: &LabelProbability| format!("{} {:.1} %", short_name(&l.label), 100.0 * l.probability);
    let listed = |labels: &[LabelProbability]| labels.iter().map(shown).collect::<Vec<_>>().join(", ");
    match (&p.answer, &p.error) {
        (Some(Answer::Classes { labels }), _) => format!("{input}: {}", listed(labels)),
        (Some(Answer::Labels { labels, chosen }), _) => {
            let chosen: Vec<String> = chosen.iter().map(|label| short_name(label)).collect();
            let chosen = if chosen.is_empty() { "no label".to_string() } else { chosen.join(", ") };
            format!("{input}: {chosen} ({})", listed(labels))
        }
        (Some(Answer::Numbers { numbers }), _) => {
            let shown = |n: &NamedNumber| format!("{} {}", short_name(&n.name), amounts().format(n.value));
            format!("{input}: {}", numbers.iter().map(shown).collect::<Vec<_>>().join(", "))
        }
        (None, Some(error)) => format!("{input}: error: {}", one_line(error)),
        (None, None) => input,
    }
}

/// A header and a row for each input: where it is from, what was answered, why nothing was.
fn csv(predictions: &[Prediction]) -> String {
    let has_rows = predictions.iter().any(|p| p.line.is_some());
    let answer = predictions.iter().find_map(|p| p.answer.as_ref());
    let ranks =
        predictions.iter().filter_map(|p| p.answer.as_ref()).map(|answer| answer.labels().len()).max();
    let ranked = (1..=ranks.unwrap_or(0)).flat_map(|rank| match rank {
        1 => ["label".to_owned(), "probability".to_owned()],
        rank => [format!("label {rank}"), format!("probability {rank}")],
    });
    let mut header = vec!["input".to_owned()];
    if has_rows {
        header.extend(["line".to_owned(), "text".to_owned()]);
    }
    match answer {
        Some(Answer::Labels { .. }) => header.extend(std::iter::once("labels".to_owned()).chain(ranked)),
        Some(Answer::Numbers { numbers }) => header.extend(numbers.iter().map(|number| number.name.clone())),
        Some(Answer::Classes { .. }) | None => header.extend(ranked),
    }
    let answered = header.len();
    header.push("error".to_owned());
    let mut out = row(&header);
    for p in predictions {
        let mut cells = vec![p.input.clone()];
        if has_rows {
            cells.push(p.line.map(|line| line.to_string()).unwrap_or_default());
            cells.push(p.text.clone().unwrap_or_default());
        }
        if let Some(Answer::Labels { chosen, .. }) = &p.answer {
            cells.push(chosen.join(";"));
        }
        match &p.answer {
            Some(Answer::Numbers { numbers }) => {
                cells.extend(numbers.iter().map(|number| number.value.to_string()))
            }
            Some(answer) => cells.extend(
                answer.labels().iter().flat_map(|label| [label.label.clone(), label.probability.to_string()]),
            ),
            None => {}
        }
        cells.resize(answered, String::new());
        cells.push(p.error.clone().unwrap_or_default());
        out.push_str(&row(&cells));
    }
    out
}

/// One row by RFC 4180, ended with a line feed.
fn row(cells: &[String]) -> String {
    let quoted = |cell: &String| {
        let edge = |c: char| c.is_whitespace();
        match cell.contains([',', '"', '\n', '\r']) || cell.starts_with(edge) || cell.ends_with(edge) {
            true => format!("\"{}\"", cell.replace('"', "\"\"")),
            false => cell.clone(),
        }
    };
    cells.iter().map(quoted).collect::<Vec<_>>().join(",") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(labels: &[(&str, f32)]) -> Option<Answer> {
        let label = |(label, probability): &(&str, f32)| LabelProbability {
            label: (*label).to_owned(),
            probability: *probability,
        };
        Some(Answer::Classes { labels: labels.iter().map(label).collect() })
    }

    #[test]
    fn a_table_of_answers_has_a_row_for_each_input() {
        let answers = [
            Prediction {
                input: "a.csv".into(),
                line: Some(2),
                text: Some("good, \"fine\"\nday".into()),
                answer: classes(&[("pos", 0.75), ("neg", 0.25)]),
                error: None,
            },
            Prediction {
                input: "a.csv".into(),
                line: Some(4),
                error: Some("empty".into()),
                ..Default::default()
            },
        ];
        assert_eq!(
            csv(&answers),
            "input,line,text,label,probability,label 2,probability 2,error\n\
             a.csv,2,\"good, \"\"fine\"\"\nday\",pos,0.75,neg,0.25,\n\
             a.csv,4,,,,,,empty\n"
        );
        let file =
            Prediction { input: "x.png".into(), answer: classes(&[("cat", 1.0)]), ..Default::default() };
        assert_eq!(csv(&[file]), "input,label,probability,error\nx.png,cat,1,\n");
        let number = NamedNumber { name: "price, net".into(), value: 1.5 };
        let numbers = Prediction {
            input: "t".into(),
            answer: Some(Answer::Numbers { numbers: vec![number] }),
            ..Default::default()
        };
        assert_eq!(csv(&[numbers]), "input,\"price, net\",error\nt,1.5,\n");
        let chosen = Answer::Labels { labels: Vec::new(), chosen: vec!["a".into(), "b".into()] };
        let labels = Prediction { input: "t".into(), answer: Some(chosen), ..Default::default() };
        assert_eq!(csv(&[labels]), "input,labels,error\nt,a;b,\n");
    }

    #[test]
    fn the_name_of_a_file_says_what_is_written() {
        let of = |name: &str| AnswerFormat::of_name(Path::new(name));
        assert_eq!(of("a.CSV"), Some(AnswerFormat::Csv));
        assert_eq!(of("a.jsonl"), Some(AnswerFormat::Jsonl));
        assert_eq!(of("a"), None);
    }
}
