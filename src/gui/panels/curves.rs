//! Loss and accuracy as curves: the run that is shown, earlier ones behind it.

use super::super::theme::{self, Tokens};
use super::super::widgets::{card, section};
use super::evaluate::{short, tick};
use crate::session::OpenProject;
use crate::session::curve::{thinned, value_at};
use crate::session::runs::RunView;
use crate::task::{Format, ScoreKind};
use egui::{
    Align, Align2, Button, Color32, CornerRadius, Layout, Pos2, Rect, RichText, Role, Sense, Stroke,
    StrokeKind, Ui, WidgetInfo, pos2, vec2,
};
use egui_plot::{
    AxisHints, GridInput, GridMark, HLine, Line, LineStyle, Plot, PlotBounds, PlotPoint, PlotPoints,
    PlotResponse, PlotUi, Points, VLine,
};

/// Lines of the grid, about.
const MARKS: f64 = 6.0;
/// A curve that is further from the pointer, in points, is not what is meant.
const NEAR: f32 = 32.0;
/// How much nearer a look gets at once, and how far it moves.
const ZOOM: f64 = 1.5;
const MOVE: f64 = 0.25;

/// How both charts are to be looked at from now on.
#[derive(Clone, Copy)]
enum Look {
    AsItIs,
    /// This many times nearer.
    Zoomed(f64),
    /// This share of the width further right.
    Moved(f64),
    Whole,
}

/// One curve that the pointer can name.
struct Curve<'a> {
    name: String,
    points: &'a [[f64; 2]],
}

/// Both charts side by side under one row of controls; `shown` is in colour, `probe` is its score to beat.
pub fn curves(ui: &mut Ui, project: &OpenProject, shown: Option<&RunView>, probe: Option<&RunView>) {
    let log_id = ui.scope_id().with("log-axis");
    let mut log = ui.data(|d| d.get_temp::<bool>(log_id)).unwrap_or(false);
    let look = controls(ui, &mut log);
    ui.columns(2, |columns| {
        card(&mut columns[0], |ui| {
            title(ui, "Loss", shown, project);
            loss_plot(ui, project, shown, log, look);
        });
        card(&mut columns[1], |ui| {
            title(ui, chief(project, shown).words, shown, project);
            score_plot(ui, project, shown, probe, look);
        });
    });
    ui.data_mut(|d| d.insert_temp(log_id, log));
}

fn title(ui: &mut Ui, words: &str, shown: Option<&RunView>, project: &OpenProject) {
    ui.horizontal(|ui| {
        section(ui, words);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| legend(ui, shown, project));
    });
}

/// Zoom, pan and reset as buttons: what the mouse does, too.
fn controls(ui: &mut Ui, log: &mut bool) -> Look {
    let mut look = Look::AsItIs;
    ui.horizontal(|ui| {
        ui.checkbox(log, "Log").on_hover_text("Logarithmic axis of the loss");
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let whole = Button::new("Whole range").min_size(vec2(0.0, theme::CONTROL_HEIGHT));
            if ui.add(whole).on_hover_text("All epochs again; or double-click a chart").clicked() {
                look = Look::Whole;
            }
            let mut button = |sign: &str, name: &'static str, tooltip: &str, wanted: Look| {
                let button = Button::new(sign).min_size(vec2(theme::CONTROL_HEIGHT, theme::CONTROL_HEIGHT));
                let response = ui.add(button).on_hover_text(tooltip);
                response.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
                if response.clicked() {
                    look = wanted;
                }
            };
            button("+", "Zoom in", "Zoom in; or hold Ctrl and scroll", Look::Zoomed(ZOOM));
            button("\u{2212}", "Zoom out", "Zoom out; or hold Ctrl and scroll", Look::Zoomed(1.0 / ZOOM));
            button("\u{203a}", "Later epochs", "Move right; or drag the chart", Look::Moved(MOVE));
            button("\u{2039}", "Earlier epochs", "Move left; or drag the chart", Look::Moved(-MOVE));
        });
    });
    look
}

/// Looks at a chart as it was asked for.
fn look_at(plot: &mut PlotUi, look: Look) {
    let bounds = plot.plot_bounds();
    let ([left, bottom], [right, top]) = (bounds.min(), bounds.max());
    let (width, height) = (right - left, top - bottom);
    match look {
        Look::AsItIs => {}
        Look::Whole => plot.set_auto_bounds(true),
        Look::Moved(share) => {
            let by = share * width;
            plot.set_plot_bounds(PlotBounds::from_min_max([left + by, bottom], [right + by, top]));
        }
        Look::Zoomed(factor) => {
            let (x, y) = ((left + right) / 2.0, (bottom + top) / 2.0);
            let (half_x, half_y) = (width / factor / 2.0, height / factor / 2.0);
            plot.set_plot_bounds(PlotBounds::from_min_max(
                [x - half_x, y - half_y],
                [x + half_x, y + half_y],
            ));
        }
    }
}

fn legend(ui: &mut Ui, shown: Option<&RunView>, project: &OpenProject) {
    let tokens = Tokens::of(ui.ctx());
    let has_others = project.runs.len() > usize::from(shown.is_some());
    // In a narrow window the colours explain themselves at the pointer.
    if ui.available_width() < if has_others { 220.0 } else { 150.0 } {
        return;
    }
    let mut entry = |name: &str, colour: Color32| {
        ui.spacing_mut().item_spacing.x = 6.0;
        ui.label(RichText::new(name).font(theme::caption()).color(tokens.dim));
        let (rect, _) = ui.allocate_exact_size(vec2(10.0, 3.0), Sense::hover());
        ui.painter().rect_filled(rect, CornerRadius::same(1), colour);
        ui.add_space(6.0);
    };
    if has_others {
        entry("other runs", tokens.faint);
    }
    entry("validation", tokens.ice);
    entry("train", tokens.ember);
}

fn plot<'a>(name: &'a str, tokens: &Tokens, y: impl Fn(GridMark) -> String + 'a, log: bool) -> Plot<'a> {
    let ticks = |axis: AxisHints<'a>| {
        axis.tick_label_color(tokens.dim).tick_label_font(theme::caption()).label_spacing(8.0..=16.0)
    };
    Plot::new(name)
        .height(226.0)
        .allow_scroll(false)
        .show_background(false)
        .show_grid([false, true])
        .grid_color(tokens.line)
        .x_grid_spacer(|input| marks(input, 1.0))
        .y_grid_spacer(move |input| if log { log_marks(input) } else { marks(input, 0.0) })
        .custom_x_axes(vec![ticks(AxisHints::new_x()).formatter(|mark, _| format!("{:.0}", mark.value))])
        .custom_y_axes(vec![ticks(AxisHints::new_y()).formatter(move |mark, _| y(mark))])
        .set_margin_fraction(vec2(0.02, 0.06))
        // What is near the pointer is told by `name_nearest`: the nearest point may be one of another curve.
        .label_formatter(|_| None)
}

/// Names the curve that passes nearest to the pointer, with what it is there.
fn name_nearest(
    ui: &Ui,
    response: &PlotResponse<()>,
    curves: &[Curve],
    log: bool,
    words: impl Fn(f64) -> String,
) {
    let Some(pointer) = response.response.hover_pos() else { return };
    let epoch = response.transform.value_from_position(pointer).x;
    let far = |value: f64| {
        let y = if log { value.max(1e-9).log10() } else { value };
        (response.transform.position_from_point(&PlotPoint::new(epoch, y)).y - pointer.y).abs()
    };
    let near = curves.iter().filter_map(|curve| {
        let value = value_at(curve.points, epoch)?;
        Some((far(value), curve, value)).filter(|(far, ..)| *far < NEAR)
    });
    let Some((_, curve, value)) = near.min_by(|a, b| a.0.total_cmp(&b.0)) else { return };
    let tokens = Tokens::of(ui.ctx());
    let text = format!("{}\nepoch {epoch:.1}\n{}", curve.name, words(value));
    let galley = ui.painter().layout_no_wrap(text, theme::caption(), tokens.text);
    let (size, area) = (galley.size() + vec2(12.0, 8.0), response.response.rect);
    // Beside the pointer, inside the chart.
    let right = pointer.x + 12.0 + size.x > area.right();
    let x = if right { pointer.x - 12.0 - size.x } else { pointer.x + 12.0 };
    let place = Rect::from_min_size(pos2(x, (pointer.y - size.y - 8.0).max(area.top())), size);
    let corner = CornerRadius::same(theme::CONTROL_CORNER);
    ui.painter().rect(place, corner, tokens.raised, Stroke::new(1.0, tokens.line), StrokeKind::Inside);
    ui.painter().galley(place.min + vec2(6.0, 4.0), galley, tokens.text);
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

/// Round values of a logarithmic axis, whose bounds are powers of ten: as few of each decade as make enough marks.
fn log_marks(input: GridInput) -> Vec<GridMark> {
    let (from, to) = input.bounds;
    let is_sane = from.is_finite() && to.is_finite() && to > from && to - from < 30.0;
    if !is_sane {
        return Vec::new();
    }
    let of = |within: &[f64]| -> Vec<GridMark> {
        let decades = from.floor() as i32..=to.ceil() as i32;
        let all = decades.flat_map(|decade| within.iter().map(move |n| f64::from(decade) + n.log10()));
        all.filter(|at| (from..=to).contains(at)).map(|value| GridMark { value, step_size: 1.0 }).collect()
    };
    let finer: [&[f64]; 3] = [&[1.0], &[1.0, 2.0, 5.0], &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0]];
    finer.into_iter().map(of).find(|marks| marks.len() >= 3).unwrap_or_else(|| marks(input, 0.0))
}

/// A mark of an axis with as many digits as tell it from the next.
fn linear_words(mark: GridMark) -> String {
    let step = mark.step_size.abs();
    let digits = (0..9).find(|digits| {
        let scaled = step * 10f64.powi(*digits);
        (scaled - scaled.round()).abs() < 1e-6 * scaled.max(1.0)
    });
    format!("{:.*}", usize::try_from(digits.unwrap_or(9)).unwrap_or(0), mark.value)
}

/// A mark of a logarithmic axis.
fn log_words(mark: GridMark) -> String {
    let value = 10f64.powf(mark.value);
    if value < 1e-4 { format!("{value:.0e}") } else { tick(value) }
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

fn loss_plot(ui: &mut Ui, project: &OpenProject, shown: Option<&RunView>, log: bool, look: Look) {
    let tokens = Tokens::of(ui.ctx());
    let words = if log { log_words } else { linear_words };
    let others = || other_runs(project, shown);
    let is_empty = others().chain(shown).all(|run| run.val_loss.is_empty() && run.train_loss.is_empty());
    let mut plot = plot("loss", tokens, words, log).include_x(0.0).include_x(epochs(project, shown));
    // An axis without anything on it would have no height.
    plot = match (log, is_empty) {
        (false, _) => plot.include_y(0.0),
        (true, true) => plot.include_y(-2.0).include_y(0.0),
        (true, false) => plot,
    };
    if is_empty {
        plot = plot.include_y(if log { 0.0 } else { 1.0 });
    }
    let response = plot.show(ui, |plot| {
        look_at(plot, look);
        for run in others() {
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
        validation(plot, run, &run.val_loss, log, tokens);
    });
    let mut named: Vec<Curve> = others().map(|run| of_other(run, &run.val_loss)).collect();
    if let Some(run) = shown {
        named.push(Curve { name: "train, smoothed".into(), points: &run.smooth_loss });
        named.push(Curve { name: "validation".into(), points: &run.val_loss });
    }
    // Losses fall and scores rise: there the chart is empty.
    name_best(ui, &response, shown, Align::Min);
    name_nearest(ui, &response, &named, log, short);
    let spoken = spoken("Loss", shown.map(|r| r.val_loss.as_slice()));
    response.response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &spoken));
}

fn of_other<'a>(run: &RunView, points: &'a [[f64; 2]]) -> Curve<'a> {
    Curve { name: format!("run {} validation", run.number()), points }
}

/// What the second chart shows.
fn chief(project: &OpenProject, shown: Option<&RunView>) -> &'static ScoreKind {
    shown.map_or(project.recipe.task.chief(), |run| run.chief)
}

fn score_plot(
    ui: &mut Ui,
    project: &OpenProject,
    shown: Option<&RunView>,
    probe: Option<&RunView>,
    look: Look,
) {
    let tokens = Tokens::of(ui.ctx());
    let chief = chief(project, shown);
    let words = move |mark: GridMark| match chief.format {
        Format::Share => {
            let (value, step_size) = (100.0 * mark.value, 100.0 * mark.step_size);
            format!("{} %", linear_words(GridMark { value, step_size }))
        }
        Format::Index | Format::Amount => linear_words(mark),
    };
    let others = || other_runs(project, shown).filter(|run| run.chief == chief);
    let is_empty = others().chain(shown).all(|run| run.val_score.is_empty());
    let mut plot = plot("accuracy", tokens, words, false).include_y(0.0);
    if is_empty || !matches!(chief.format, Format::Amount) {
        plot = plot.include_y(1.0);
    }
    let plot = plot.include_x(0.0).include_x(epochs(project, shown));
    let response = plot.show(ui, |plot| {
        look_at(plot, look);
        for run in others() {
            let points = points(plot, &run.val_score, false);
            let line = Line::new(format!("run {} validation", run.number()), points);
            plot.line(line.color(tokens.faint).style(LineStyle::dashed_dense()));
        }
        if let Some((probe, score)) = probe.and_then(|probe| Some((probe, probe.best_score?))) {
            let line = HLine::new(format!("probe, run {}", probe.number()), score);
            plot.hline(line.color(tokens.ice).width(1.0).style(LineStyle::dashed_loose()));
        }
        if let Some(run) = shown {
            let train = points(plot, &run.train_score, false);
            plot.line(Line::new("train", train).color(tokens.ember).width(1.5));
            validation(plot, run, &run.val_score, false, tokens);
        }
    });
    let mut named: Vec<Curve> = others().map(|run| of_other(run, &run.val_score)).collect();
    if let Some(run) = shown {
        named.push(Curve { name: "train".into(), points: &run.train_score });
        named.push(Curve { name: "validation".into(), points: &run.val_score });
    }
    name_best(ui, &response, shown, Align::Max);
    if let Some(score) = probe.and_then(|probe| probe.best_score) {
        let y = response.transform.position_from_point(&PlotPoint::new(0.0, score)).y;
        let at = pos2(response.response.rect.right() - 4.0, y + 2.0);
        let words = format!("probe {}", chief.format(score));
        note(ui, &response, at, Align2::RIGHT_TOP, words, tokens.ice);
    }
    name_nearest(ui, &response, &named, false, |value| chief.format(value));
    let spoken = spoken(chief.words, shown.map(|r| r.val_score.as_slice()));
    response.response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &spoken));
}

/// How far the run that is shown will go, or the next one.
fn epochs(project: &OpenProject, shown: Option<&RunView>) -> f64 {
    let recipe = shown.and_then(|run| run.recipe.as_ref()).unwrap_or(&project.recipe);
    f64::from(recipe.training.epochs)
}

/// What a plot says to those who do not see it.
fn spoken(name: &str, validation: Option<&[[f64; 2]]>) -> String {
    match validation.and_then(<[_]>::last) {
        Some([epoch, value]) => format!("{name} by epoch; on validation {value:.4} after epoch {epoch}"),
        None => format!("{name} by epoch; no epoch has ended yet"),
    }
}

/// The curve on the validation samples; its best epoch is marked.
fn validation(plot: &mut PlotUi, run: &RunView, curve: &[[f64; 2]], log: bool, tokens: &Tokens) {
    let line = points(plot, curve, log);
    plot.line(Line::new("validation", line).color(tokens.ice).width(2.0));
    let Some(best) = run.best_epoch.map(f64::from) else { return };
    let at: Vec<[f64; 2]> = curve.iter().filter(|point| point[0] == best).copied().collect();
    let dot = points(plot, &at, log);
    let line = VLine::new("best epoch", best).color(tokens.dim).width(1.0);
    plot.vline(line.style(LineStyle::dotted_loose()));
    plot.points(Points::new("best epoch", dot).color(tokens.ice).radius(3.5));
}

/// Words inside a chart, which take no part in how far its axes go.
fn note(ui: &Ui, response: &PlotResponse<()>, at: Pos2, anchor: Align2, words: String, colour: Color32) {
    let painter = ui.painter().with_clip_rect(response.response.rect);
    painter.text(at, anchor, words, theme::caption(), colour);
}

/// Names the line of the best epoch at its upper or lower end, on the side that has room.
fn name_best(ui: &Ui, response: &PlotResponse<()>, shown: Option<&RunView>, side: Align) {
    let Some(best) = shown.and_then(|run| run.best_epoch) else { return };
    let area = response.response.rect;
    let x = response.transform.position_from_point(&PlotPoint::new(f64::from(best), 0.0)).x;
    let (beside, align) = if x > area.center().x { (-4.0, Align::Max) } else { (4.0, Align::Min) };
    let y = if side == Align::Min { area.top() + 2.0 } else { area.bottom() - 2.0 };
    let words = format!("best, epoch {best}");
    note(ui, response, pos2(x + beside, y), Align2([align, side]), words, Tokens::of(ui.ctx()).dim);
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

    #[test]
    fn marks_can_be_told_from_each_other() {
        let of =
            |from: f64, to: f64, marks: fn(GridInput) -> Vec<GridMark>, words: fn(GridMark) -> String| {
                let input = GridInput { bounds: (from, to), base_step_size: 1.0 };
                marks(input).into_iter().map(words).collect::<Vec<_>>()
            };
        let log = |from, to| of(from, to, log_marks, log_words);
        assert_eq!(log(-3.2, 0.4), ["0.001", "0.01", "0.1", "1"]);
        assert_eq!(log(-1.1, 0.2), ["0.1", "0.2", "0.5", "1"]);
        assert_eq!(log(-0.1, 0.25), ["0.8", "1", "1.5"]);
        assert_eq!(log(-6.5, -3.0), ["1e-6", "1e-5", "0.0001", "0.001"]);
        assert_eq!(log(f64::NEG_INFINITY, 1.0), [""; 0]);
        let linear = |from, to| of(from, to, |input| marks(input, 0.0), linear_words);
        assert_eq!(linear(0.0, 2.7), ["0.0", "0.5", "1.0", "1.5", "2.0", "2.5"]);
        assert_eq!(linear(0.0, 0.0021), ["0.0000", "0.0005", "0.0010", "0.0015", "0.0020"]);
        assert_eq!(linear(0.0, 60.0), ["0", "10", "20", "30", "40", "50", "60"]);
    }
}
