//! Evaluate: scores with intervals, what stands beside them for each kind of answer, mistakes.

mod classes;
mod labels;
mod numbers;

use crate::data::target::Target;
use crate::evaluate::Answered;
use crate::gui::theme::{self, Tokens};
use crate::gui::widgets::{banner, card, dim, empty, figures, page_head, section};
use crate::gui::{Actions, Scene};
use crate::session::{EvaluationView, Job, Open, Session, Step};
use crate::task::Detail;
use crate::worker::EvaluateOn;
use egui::{Button, ComboBox, RichText, Role, ScrollArea, Sense, Ui, WidgetInfo, vec2};

/// Mistakes that are shown.
const SHOWN: usize = 24;

/// Figures, confusion, mistakes.
pub fn show(ui: &mut Ui, scene: &Scene, out: &mut Actions) {
    if scene.session.project.is_none() {
        return;
    }
    let Some(view) = scene.session.evaluation() else {
        let sentence = "How good the model is, and where it errs.";
        page_head(ui, "Evaluate", sentence, |ui| super::run_picker(ui, scene.session, out));
        if scene.session.judged_run().is_none() {
            let action = Open::Go(Step::Train);
            empty(
                ui,
                scene.session,
                "There is nothing to evaluate yet",
                "Train first.",
                Some((&action, "Go to Train")),
                out,
            );
        } else {
            let action = Job::Evaluate(EvaluateOn::Validation);
            let (title, sentence) = match scene.session.is_evaluating() {
                true => ("Evaluating…", "The scores stand here when every sample is answered."),
                false => ("Not evaluated yet", "Scores the chosen run on its validation samples."),
            };
            let button = (!scene.session.is_evaluating()).then_some((&action, "Evaluate"));
            empty(ui, scene.session, title, sentence, button, out);
        }
        return;
    };
    page_head(ui, "Evaluate", &sentence(view), |ui| {
        samples_menu(ui, scene.session, view, out);
        super::run_picker(ui, scene.session, out);
    });
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        scores(ui, view);
        how_fair(ui, view);
        for sentence in view.evaluation.rests_on() {
            banner(ui, Tokens::of(ui.ctx()).warning, "What these scores rest on.", &sentence);
        }
        match &view.evaluation.detail {
            Detail::Classes(detail) => classes::show(ui, scene, view, detail, out),
            Detail::Labels(detail) => labels::show(ui, detail),
            Detail::Numbers(detail) => numbers::show(ui, view, detail),
        }
        card(ui, |ui| {
            ui.set_width(ui.available_width());
            section(ui, worst_words(&view.evaluation.detail));
            let wrong = view.evaluation.mistakes();
            if wrong.is_empty() {
                dim(ui, "None: every sample was answered right.");
            }
            samples(ui, scene, &names(&view.evaluation.detail), &wrong);
        });
    });
}

/// Which samples the scores are of: the run's own, those it kept aside, or others.
fn samples_menu(ui: &mut Ui, session: &Session, view: &EvaluationView, out: &mut Actions) {
    let aside = session.judged_run().map_or(0, |run| run.test_samples);
    let words = match &view.what {
        EvaluateOn::Validation => "Validation samples",
        EvaluateOn::Test => "Test samples",
        EvaluateOn::Data(_) => "Another test set",
    };
    let picker = ComboBox::from_id_salt("samples-that-are-scored").selected_text(words);
    let response = picker.show_ui(ui, |ui| {
        let mut choice = |ui: &mut Ui, action: Job, is_shown: bool, text: &str, why_not: Option<&str>| {
            let why_not = why_not.or(session.why_not(&action));
            let response = ui.add_enabled(why_not.is_none(), Button::selectable(is_shown, text));
            if response.on_disabled_hover_text(why_not.unwrap_or_default()).clicked() {
                out.push(action);
            }
        };
        let mut own = |ui: &mut Ui, what: EvaluateOn, text: &str, why_not: Option<&str>| {
            let is_shown = view.what == what;
            choice(ui, Job::Evaluate(what), is_shown, text, why_not);
        };
        own(ui, EvaluateOn::Validation, "Validation samples", None);
        let none =
            (aside == 0).then_some("This run kept none aside: see “Split…” in Data, then train again.");
        own(ui, EvaluateOn::Test, &format!("Test samples ({aside})"), none);
        choice(ui, Job::ChooseTestSet, false, "Choose a test set…", None);
    });
    response.response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ComboBox, true, "Which samples");
        info.current_text_value = Some(words.to_string());
        info
    });
}

/// What the samples were used for before.
fn how_fair(ui: &mut Ui, view: &EvaluationView) {
    let tokens = Tokens::of(ui.ctx());
    let others = view.evaluation.also_tested.iter().map(|run| run.trim_start_matches('0'));
    let others: Vec<&str> = others.collect();
    match (&view.what, others.as_slice()) {
        (EvaluateOn::Validation, _) => {
            let text = "The best epoch was chosen on these samples. A test set kept aside judges fairer.";
            banner(ui, tokens.warning, "These scores flatter a little.", text);
        }
        (EvaluateOn::Test, []) => {
            let text = "Neither training nor the choice of the epoch has seen them. They judge fairly as long as no run is chosen by them.";
            banner(ui, tokens.ok, "These samples were kept aside.", text);
        }
        (EvaluateOn::Test, others) => {
            let (noun, verb) = if others.len() == 1 { ("Run", "was") } else { ("Runs", "were") };
            let text = format!(
                "{noun} {} {verb} scored on them before. Whoever chose between the runs chose by these samples; new ones judge fairer.",
                others.join(", ")
            );
            banner(ui, tokens.warning, "The test samples have been used to choose.", &text);
        }
        (EvaluateOn::Data(_), _) => {}
    }
}

fn sentence(view: &EvaluationView) -> String {
    let samples = view.evaluation.samples;
    let kind = match &view.what {
        EvaluateOn::Validation => "validation samples".to_string(),
        EvaluateOn::Test => "test samples".to_string(),
        EvaluateOn::Data(path) => format!("samples of {}", path.display()),
    };
    let wide = if samples < 200 { format!("; with {samples} samples they are wide") } else { String::new() };
    format!("Run {} on {samples} {kind}. Intervals are 95 %{wide}.", view.run.trim_start_matches('0'))
}

fn scores(ui: &mut Ui, view: &EvaluationView) {
    let evaluation = &view.evaluation;
    let mut shown: Vec<[String; 3]> = Vec::new();
    for kind in evaluation.task.scores {
        let Some(value) = kind.of(&evaluation.scores) else { continue };
        let interval = evaluation.interval(kind.name);
        let ends = interval.map(|interval| kind.format_interval(&interval));
        shown.push([kind.words.to_string(), kind.format(value), ends.unwrap_or_default()]);
    }
    let wrong = evaluation.answers.iter().filter(|a| a.error > 0.0).count();
    let mistakes = ["Mistakes".to_string(), wrong.to_string(), format!("of {}", evaluation.samples)];
    let text = str::to_string;
    match &evaluation.detail {
        Detail::Classes(detail) => {
            let share = format!("{:.1} %", 100.0 * detail.largest_class_accuracy);
            shown.push([text("Largest class"), share, text("always guessing it")]);
            shown.push(mistakes);
        }
        Detail::Labels(detail) => {
            let f1 = format!("{:.2}", detail.usual_labels_f1);
            shown.push([text("Usual labels"), f1, text("micro F1")]);
        }
        Detail::Numbers(detail) => {
            let mean = detail.per_column.iter().map(|c| c.mean_mae).sum::<f64>();
            let mean = mean / detail.per_column.len().max(1) as f64;
            let error = evaluation.task.score("mae").map(|kind| kind.format(mean)).unwrap_or_default();
            shown.push([text("Guessing the mean"), error, text("mean error")]);
        }
    }
    let shown: Vec<[&str; 3]> = shown.iter().map(|row| row.each_ref().map(String::as_str)).collect();
    figures(ui, &shown);
}

/// What the worst answers are called.
fn worst_words(detail: &Detail) -> &'static str {
    match detail {
        Detail::Classes(_) => "Most confident mistakes",
        Detail::Labels(_) => "Most labels wrong",
        Detail::Numbers(_) => "Furthest from the truth",
    }
}

/// Names that targets count, in their order; none for numbers.
fn names(detail: &Detail) -> Vec<String> {
    match detail {
        Detail::Classes(detail) => detail.labels.clone(),
        Detail::Labels(detail) => detail.per_label.iter().map(|label| label.label.clone()).collect(),
        Detail::Numbers(_) => Vec::new(),
    }
}

/// A target for a person.
fn said(target: &Target, names: &[String]) -> String {
    match target {
        Target::Labels(labels) if labels.is_empty() => "no label".to_string(),
        Target::Numbers(numbers) => numbers.iter().map(|n| short(*n)).collect::<Vec<_>>().join(", "),
        Target::Class(_) | Target::Labels(_) => target.words(names),
    }
}

/// Four digits that count.
pub(super) fn short(value: f64) -> String {
    let digits = 3 - (value.abs().max(1e-3).log10().floor() as i32).clamp(-3, 3);
    format!("{value:.*}", usize::try_from(digits).unwrap_or(0))
}

/// The same without zeros that say nothing, for the marks of an axis.
pub(super) fn tick(value: f64) -> String {
    let text = short(value);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text,
    }
}

fn samples(ui: &mut Ui, scene: &Scene, names: &[String], answers: &[&Answered]) {
    let is_text = answers.first().is_some_and(|a| a.text.is_some());
    let width = if is_text { 250.0 } else { 98.0 };
    let per_row = ((ui.available_width() / (width + theme::SPACE)) as usize).max(1);
    let shown = &answers[..answers.len().min(SHOWN)];
    for row in shown.chunks(per_row) {
        ui.horizontal_top(|ui| {
            for answer in row {
                sample(ui, scene, names, answer, width);
            }
        });
    }
}

/// The sample, its class, and what was answered.
fn sample(ui: &mut Ui, scene: &Scene, names: &[String], answer: &Answered, width: f32) {
    let tokens = Tokens::of(ui.ctx());
    let (truth, predicted) = (said(&answer.truth, names), said(&answer.predicted, names));
    let (truth, predicted) = match answer.truth {
        // Nothing but their order would tell two numbers apart.
        Target::Numbers(_) => (format!("true: {truth}"), format!("answered: {predicted}")),
        Target::Class(_) | Target::Labels(_) => (truth, predicted),
    };
    let verdict = match answer.confidence {
        Some(confidence) => format!("{predicted} {:.0} %", 100.0 * confidence),
        None => predicted,
    };
    let colour = if answer.error > 0.0 { tokens.ember } else { tokens.ok };
    ui.vertical(|ui| {
        ui.set_width(width);
        ui.spacing_mut().item_spacing.y = 2.0;
        match &answer.text {
            Some(text) => {
                ui.label(text.chars().take(160).collect::<String>());
            }
            None => {
                let (rect, response) = ui.allocate_exact_size(vec2(width, width), Sense::hover());
                super::picture_tile(ui, scene, &answer.path, rect);
                response.on_hover_text(answer.path.display().to_string());
            }
        }
        ui.label(RichText::new(truth).font(theme::caption()));
        ui.label(RichText::new(verdict).font(theme::caption()).color(colour));
    });
}

/// What is known of each class, label or column.
pub fn inspector(ui: &mut Ui, scene: &Scene, _out: &mut Actions) {
    let Some(view) = scene.session.evaluation() else { return };
    match &view.evaluation.detail {
        Detail::Classes(detail) => classes::inspector(ui, detail),
        Detail::Labels(detail) => labels::inspector(ui, detail),
        Detail::Numbers(detail) => numbers::inspector(ui, view, detail),
    }
}
