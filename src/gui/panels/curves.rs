//! Loss and accuracy as curves: the run that is shown, earlier ones behind it.

use super::super::theme::{self, Tokens};
use super::super::widgets::{card, section};
use crate::session::OpenProject;
use crate::session::curve::thinned;
use crate::session::runs::RunView;
use crate::task::{Format, ScoreKind};
use egui::{Align, Color32, CornerRadius, Layout, RichText, Role, Sense, Ui, WidgetInfo, vec2};
use egui_plot::{
    AxisHints, GridInput, GridMark, HoverPosition, Line, LineStyle, Plot, PlotPoint, PlotPoints, PlotUi,
    Points,
};

/// Lines of the grid, about.
const MARKS: f64 = 6.0;

/// Both charts side by side; `shown` is in colour.
pub fn curves(ui: &mut Ui, project: &OpenProject, shown: Option<&RunView>) {
    let log_id = ui.scope_id().with("log-axis");
    let mut log = ui.data(|d| d.get_temp::<bool>(log_id)).unwrap_or(false);
    ui.columns(2, |columns| {
        card(&mut columns[0], |ui| {
            ui.horizontal(|ui| {
                section(ui, "Loss");
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    ui.checkbox(&mut log, "log").on_hover_text("Logarithmic axis");
                    legend(ui, shown, project);
                });
            });
            loss_plot(ui, project, shown, log);
        });
        card(&mut columns[1], |ui| {
            ui.horizontal(|ui| {
                section(ui, chief(project, shown).words);
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| legend(ui, shown, project));
            });
            score_plot(ui, project, shown);
        });
    });
    ui.data_mut(|d| d.insert_temp(log_id, log));
}

fn legend(ui: &mut Ui, shown: Option<&RunView>, project: &OpenProject) {
    let tokens = Tokens::of(ui.ctx());
    // In a narrow window the colours explain themselves at the pointer.
    if ui.available_width() < 150.0 {
        return;
    }
    let mut entry = |name: &str, colour: Color32| {
        ui.spacing_mut().item_spacing.x = 6.0;
        ui.label(RichText::new(name).font(theme::caption()).color(tokens.dim));
        let (rect, _) = ui.allocate_exact_size(vec2(10.0, 3.0), Sense::hover());
        ui.painter().rect_filled(rect, CornerRadius::same(1), colour);
        ui.add_space(6.0);
    };
    if project.runs.len() > usize::from(shown.is_some()) {
        entry("other runs", tokens.faint);
    }
    entry("validation", tokens.ice);
    entry("train", tokens.ember);
}

fn plot<'a>(name: &'a str, tokens: &Tokens, y: impl Fn(f64) -> String + Clone + 'a) -> Plot<'a> {
    let ticks = |axis: AxisHints<'a>| {
        axis.tick_label_color(tokens.dim).tick_label_font(theme::caption()).label_spacing(8.0..=16.0)
    };
    let at_tick = y.clone();
    Plot::new(name)
        .height(250.0)
        .allow_scroll(false)
        .show_background(false)
        .show_grid([false, true])
        .grid_color(tokens.line)
        .x_grid_spacer(|input| marks(input, 1.0))
        .y_grid_spacer(|input| marks(input, 0.0))
        .custom_x_axes(vec![ticks(AxisHints::new_x()).formatter(|mark, _| format!("{:.0}", mark.value))])
        .custom_y_axes(vec![ticks(AxisHints::new_y()).formatter(move |mark, _| at_tick(mark.value))])
        .set_margin_fraction(vec2(0.02, 0.06))
        .label_formatter(move |hover| match hover {
            HoverPosition::NearDataPoint { plot_name, position, .. } => {
                Some(format!("{plot_name}\nepoch {:.1}\n{}", position.x, y(position.y)))
            }
            HoverPosition::Elsewhere { .. } => None,
        })
}

/// About six round values between the ends of an axis, `least` apart or more.
fn marks(input: GridInput, least: f64) -> Vec<GridMark> {
    let (from, to) = input.bounds;
    let step = round_step((to - from) / MARKS).max(least);
    if !step.is_finite() || step <= 0.0 {
        return Vec::new();
    }
    let first = (from / step).ceil() as i64;
    let mark = |number: i64| GridMark { value: number as f64 * step, step_size: step };
    (first..).map(mark).take_while(|mark| mark.value <= to).take(50).collect()
}

/// The next of 1, 2, 2.5, 5, 10 .. times a power of ten.
fn round_step(raw: f64) -> f64 {
    let power = 10f64.powf(raw.log10().floor());
    [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|n| n * power).find(|step| *step >= raw).unwrap_or(power)
}

/// A curve as far as the plot's pixels can show it.
fn points(plot: &PlotUi, values: &[[f64; 2]], log: bool) -> PlotPoints<'static> {
    let y = |v: f64| if log { v.max(1e-9).log10() } else { v };
    let columns = plot.response().rect.width().max(1.0) as usize;
    let shown = thinned(values, plot.plot_bounds().range_x(), columns);
    PlotPoints::Owned(shown.iter().map(|p| PlotPoint::new(p[0], y(p[1]))).collect())
}

fn other_runs<'p>(project: &'p OpenProject, shown: Option<&'p RunView>) -> impl Iterator<Item = &'p RunView> {
    project.runs.iter().filter(move |run| shown.is_none_or(|s| s.name != run.name))
}

fn loss_plot(ui: &mut Ui, project: &OpenProject, shown: Option<&RunView>, log: bool) {
    let tokens = Tokens::of(ui.ctx());
    let words = move |y: f64| if log { format!("{:.3}", 10f64.powf(y)) } else { format!("{y:.2}") };
    let lowest = if log { -2.0 } else { 0.0 };
    let plot = plot("loss", tokens, words).include_y(lowest).include_x(0.0).include_x(epochs(shown));
    let response = plot.show(ui, |plot| {
        for run in other_runs(project, shown) {
            let points = points(plot, &run.val_loss, log);
            let line = Line::new(format!("run {} validation", run.number()), points);
            plot.line(line.color(tokens.faint).style(LineStyle::dashed_dense()));
        }
        let Some(run) = shown else { return };
        let steps = points(plot, &run.train_loss, log);
        let faint = tokens.ember.gamma_multiply(0.35);
        plot.line(Line::new("train, each step", steps).color(faint).width(1.0));
        let smooth = points(plot, &run.smooth_loss, log);
        plot.line(Line::new("train, smoothed", smooth).color(tokens.ember).width(1.5));
        validation(plot, &run.val_loss, log, tokens);
    });
    let spoken = spoken("Loss", shown.map(|r| r.val_loss.as_slice()));
    response.response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &spoken));
}

/// What the second chart shows.
fn chief(project: &OpenProject, shown: Option<&RunView>) -> &'static ScoreKind {
    shown.map_or(project.recipe.task.chief(), |run| run.chief)
}

fn score_plot(ui: &mut Ui, project: &OpenProject, shown: Option<&RunView>) {
    let tokens = Tokens::of(ui.ctx());
    let chief = chief(project, shown);
    let words = move |y: f64| match chief.format {
        Format::Share => format!("{:.0} %", 100.0 * y),
        Format::Index | Format::Amount => chief.format(y),
    };
    let mut plot = plot("accuracy", tokens, words).include_y(0.0);
    if !matches!(chief.format, Format::Amount) {
        plot = plot.include_y(1.0);
    }
    let plot = plot.include_x(0.0).include_x(epochs(shown));
    let response = plot.show(ui, |plot| {
        for run in other_runs(project, shown).filter(|run| run.chief == chief) {
            let points = points(plot, &run.val_score, false);
            let line = Line::new(format!("run {} validation", run.number()), points);
            plot.line(line.color(tokens.faint).style(LineStyle::dashed_dense()));
        }
        if let Some(run) = shown {
            let train = points(plot, &run.train_score, false);
            plot.line(Line::new("train", train).color(tokens.ember).width(1.5));
            validation(plot, &run.val_score, false, tokens);
        }
    });
    let spoken = spoken(chief.words, shown.map(|r| r.val_score.as_slice()));
    response.response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &spoken));
}

/// How far the run that is shown will go.
fn epochs(shown: Option<&RunView>) -> f64 {
    shown.and_then(|run| run.recipe.as_ref()).map_or(1.0, |recipe| f64::from(recipe.training.epochs))
}

/// What a plot says to those who do not see it.
fn spoken(name: &str, validation: Option<&[[f64; 2]]>) -> String {
    match validation.and_then(<[_]>::last) {
        Some([epoch, value]) => format!("{name} by epoch; on validation {value:.4} after epoch {epoch}"),
        None => format!("{name} by epoch; no epoch has ended yet"),
    }
}

/// The curve on the validation samples, with a dot at the newest epoch.
fn validation(plot: &mut PlotUi, curve: &[[f64; 2]], log: bool, tokens: &Tokens) {
    let newest = &curve[curve.len().saturating_sub(1)..];
    let dot = points(plot, newest, log);
    let line = points(plot, curve, log);
    plot.line(Line::new("validation", line).color(tokens.ice).width(2.0));
    plot.points(Points::new("newest epoch", dot).color(tokens.ice).radius(3.5));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_few_and_round() {
        let check = |from: f64, to: f64, least: f64, expected: &[f64]| {
            let input = GridInput { bounds: (from, to), base_step_size: 1.0 };
            let found: Vec<f64> = marks(input, least).iter().map(|m| (m.value * 1e6).round() / 1e6).collect();
            assert_eq!(found, expected);
        };
        check(-0.2, 20.1, 1.0, &[0.0, 5.0, 10.0, 15.0, 20.0]);
        check(0.0, 2.7, 0.0, &[0.0, 0.5, 1.0, 1.5, 2.0, 2.5]);
        check(-0.05, 1.05, 0.0, &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
        check(0.0, 2.0, 1.0, &[0.0, 1.0, 2.0]);
        check(1.0, 1.0, 0.0, &[]);
    }
}
