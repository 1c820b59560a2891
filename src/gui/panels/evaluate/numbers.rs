//! Numbers: what was predicted against what is true, and what is left over.

use super::{short, tick};
use crate::gui::theme::{self, Tokens};
use crate::gui::widgets::{card, choice_button, dim, fact_row, section};
use crate::session::EvaluationView;
use crate::task::detail::{ColumnScore, NumberDetail};
use egui::{Role, Ui, WidgetInfo, vec2};
use egui_plot::{AxisHints, HLine, Line, Plot, PlotPoints, Points};

/// Charts stand above each other where one beside another would be narrower, in points.
const NARROWEST_CHART: f32 = 290.0;

/// Points that are drawn; more would only cover each other.
const DRAWN: usize = 4000;

/// Both charts of the column that was chosen.
pub fn show(ui: &mut Ui, view: &EvaluationView, detail: &NumberDetail) {
    let id = ui.scope_id().with("number-column");
    let mut chosen =
        ui.data(|d| d.get_temp::<usize>(id)).unwrap_or(0).min(detail.per_column.len().saturating_sub(1));
    if detail.per_column.len() > 1 {
        ui.horizontal_wrapped(|ui| {
            for (number, column) in detail.per_column.iter().enumerate() {
                if choice_button(ui, &column.column, number == chosen).clicked() {
                    chosen = number;
                }
            }
        });
        ui.data_mut(|d| d.insert_temp(id, chosen));
    }
    let Some(column) = detail.per_column.get(chosen) else { return };
    let points = points(view, chosen);
    if ui.available_width() < 2.0 * NARROWEST_CHART {
        card(ui, |ui| predicted(ui, column, &points));
        card(ui, |ui| residuals(ui, column, &points));
        return;
    }
    ui.columns(2, |columns| {
        if let [left, right] = columns {
            card(left, |ui| predicted(ui, column, &points));
            card(right, |ui| residuals(ui, column, &points));
        }
    });
}

/// (truth, prediction) of one column, thinned evenly.
fn points(view: &EvaluationView, column: usize) -> Vec<[f64; 2]> {
    let answers = &view.evaluation.answers;
    let every = answers.len().div_ceil(DRAWN).max(1);
    let pair = |answer: &crate::evaluate::Answered| {
        Some([*answer.truth.numbers().get(column)?, *answer.predicted.numbers().get(column)?])
    };
    answers.iter().step_by(every).filter_map(pair).collect()
}

fn plot<'a>(name: &'a str, tokens: &Tokens) -> Plot<'a> {
    let ticks = |axis: AxisHints<'a>| {
        axis.tick_label_color(tokens.dim)
            .tick_label_font(theme::caption())
            .label_spacing(8.0..=16.0)
            .formatter(|mark, _| tick(mark.value))
    };
    Plot::new(name)
        .height(250.0)
        .allow_scroll(false)
        .show_background(false)
        .grid_color(tokens.line)
        .custom_x_axes(vec![ticks(AxisHints::new_x())])
        .custom_y_axes(vec![ticks(AxisHints::new_y())])
        .set_margin_fraction(vec2(0.04, 0.06))
}

fn predicted(ui: &mut Ui, column: &ColumnScore, points: &[[f64; 2]]) {
    let tokens = Tokens::of(ui.ctx());
    ui.horizontal(|ui| {
        section(ui, "Predicted against true");
        dim(ui, "on the line: right");
    });
    let ends = vec![[column.lowest, column.lowest], [column.highest, column.highest]];
    let response = plot("predicted", tokens).show(ui, |plot| {
        plot.line(Line::new("right", PlotPoints::from(ends)).color(tokens.faint).width(1.0));
        let all = PlotPoints::from(points.to_vec());
        plot.points(Points::new(column.column.as_str(), all).color(tokens.ice).radius(2.0));
    });
    let spoken = format!("{}: predicted against true numbers, R² {:.2}", column.column, column.r2);
    response.response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &spoken));
}

fn residuals(ui: &mut Ui, column: &ColumnScore, points: &[[f64; 2]]) {
    let tokens = Tokens::of(ui.ctx());
    ui.horizontal(|ui| {
        section(ui, "What is left over");
        dim(ui, "above the line: too high").on_hover_text("Prediction less truth (residuals)");
    });
    let response = plot("residuals", tokens).show(ui, |plot| {
        plot.hline(HLine::new("right", 0.0).color(tokens.faint).width(1.0));
        let rest: Vec<[f64; 2]> = points.iter().map(|[truth, own]| [*truth, own - truth]).collect();
        plot.points(
            Points::new(column.column.as_str(), PlotPoints::from(rest)).color(tokens.ember).radius(2.0),
        );
    });
    let spoken =
        format!("{}: residuals over the true number, mean error {}", column.column, short(column.mae));
    response.response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &spoken));
}

/// The scores of each column.
pub fn inspector(ui: &mut Ui, view: &EvaluationView, detail: &NumberDetail) {
    for column in &detail.per_column {
        section(ui, &column.column);
        fact_row(ui, "R²", &format!("{:.3}", column.r2));
        fact_row(ui, "Mean error", &short(column.mae));
        fact_row(ui, "RMSE", &short(column.rmse));
        fact_row(ui, "Always the mean", &short(column.mean_mae));
        fact_row(ui, "True numbers", &format!("{} to {}", short(column.lowest), short(column.highest)));
        ui.add_space(theme::SPACE);
    }
    dim(ui, format!("{} samples", view.evaluation.samples));
}
