//! One row of the layer tree: its name, its state as a switch, kind, shape, parameters, weights and rate.

use super::super::theme::{self, Tokens, icon};
use super::super::widgets::{focus_ring, state_words, text_in};
use super::super::{Actions, Scene};
use super::count;
use crate::backbone::{FreezeState, LeafState};
use crate::inspect::WeightSummary;
use crate::session::layers::LayerRow;
use crate::session::{Edit, OpenProject, Preset, View};
use crate::worker::BackboneFacts;
use egui::{
    Align, Align2, Color32, CornerRadius, CursorIcon, Rangef, Rect, Response, Role, Sense, Stroke, Ui,
    WidgetInfo, pos2, vec2,
};

/// Left edges of the columns as shares of the width; numbers end at theirs.
struct Columns {
    state: f32,
    kind: f32,
    shape: f32,
    parameters: f32,
    /// Weights and rate; a narrow window has no room for them.
    rest: Option<(f32, f32)>,
}

const WIDE: Columns =
    Columns { state: 0.27, kind: 0.39, shape: 0.58, parameters: 0.80, rest: Some((0.825, 0.985)) };
const NARROW: Columns = Columns { state: 0.30, kind: 0.50, shape: 0.72, parameters: 0.98, rest: None };

fn columns(row: Rect) -> &'static Columns {
    if row.width() < 560.0 { &NARROW } else { &WIDE }
}

/// Largest size of the switch.
const PILL: egui::Vec2 = vec2(84.0, 19.0);

/// The titles of the columns.
pub fn header(ui: &mut Ui) {
    let tokens = Tokens::of(ui.ctx());
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 20.0), Sense::hover());
    let text = |share: f32, align: Align2, words: &str| {
        ui.painter().text(
            pos2(rect.left() + share * rect.width(), rect.center().y),
            align,
            words,
            theme::caption(),
            tokens.dim,
        );
    };
    let name = 22.0 / rect.width().max(1.0);
    text(name, Align2::LEFT_CENTER, "Layer");
    let columns = columns(rect);
    text(columns.state, Align2::LEFT_CENTER, "State");
    text(columns.kind, Align2::LEFT_CENTER, "Kind");
    text(columns.shape, Align2::LEFT_CENTER, "Output");
    text(columns.parameters, Align2::RIGHT_CENTER, "Params");
    if let Some((weights, rate)) = columns.rest {
        text(weights, Align2::LEFT_CENTER, "Weights");
        text(rate, Align2::RIGHT_CENTER, "Rate");
    }
}

/// A row of the tree; its switch, arrow and menu emit their actions.
pub fn layer_row(
    ui: &mut Ui,
    scene: &Scene,
    project: &OpenProject,
    backbone: &BackboneFacts,
    row: &LayerRow,
    out: &mut Actions,
) -> Response {
    let tokens = Tokens::of(ui.ctx());
    let (rect, response) =
        ui.allocate_exact_size(vec2(ui.available_width(), theme::TREE_ROW), Sense::click());
    let selected = project.layers.selected.as_deref() == Some(&row.path);
    if selected || response.hovered() || response.has_focus() {
        ui.painter().rect_filled(rect, CornerRadius::same(4), tokens.raised);
    }
    focus_ring(ui, &response);
    let left = rect.left() + 18.0 + 18.0 * row.depth as f32;
    if let Some(open) = row.open {
        let place = Rect::from_center_size(pos2(left - 9.0, rect.center().y), vec2(18.0, theme::TREE_ROW));
        fold_arrow(ui, place, &row.path, open, out);
    }
    state_toggle(ui, switch_place(rect), project, row, out);
    row_texts(ui, rect, left + 4.0, project, row);
    if let (Some((weights, _)), Some(summary)) = (columns(rect).rest, summary_of(scene, backbone, row)) {
        let corner = pos2(rect.left() + weights * rect.width(), rect.top() + 6.0);
        let place = Rect::from_min_size(corner, vec2(0.095 * rect.width(), rect.height() - 12.0));
        histogram(ui, place, summary, state_colour(row.state, tokens));
    }
    let (_, word) = state_words(row.state);
    let label = format!("{}, {word}, {}", row.path, row.kind);
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, selected, &label));
    if response.clicked() {
        out.push(View::SelectLayer((!selected).then(|| row.path.clone())));
    }
    response.clone().context_menu(|ui| {
        for preset in Preset::ALL {
            if ui.button(preset.name()).clicked() {
                out.push(Edit::Preset(preset));
                ui.close();
            }
        }
    });
    response
}

fn fold_arrow(ui: &Ui, place: Rect, path: &str, open: bool, out: &mut Actions) {
    let tokens = Tokens::of(ui.ctx());
    let name = format!("{} {path}", if open { "Close" } else { "Open" });
    let arrow = ui.interact(place, ui.scope_id().with(("open", path)), Sense::click());
    arrow.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
    focus_ring(ui, &arrow);
    let sign = if open { icon::OPEN } else { icon::CLOSED };
    ui.painter().text(place.center(), Align2::CENTER_CENTER, sign, theme::icons(12.0), tokens.dim);
    if arrow.clicked() {
        out.push(View::ExpandLayer { path: path.to_string(), open: !open });
    }
}

/// Name from `left` on, kind, shape, parameters and rate, each shortened to its column.
fn row_texts(ui: &Ui, rect: Rect, left: f32, project: &OpenProject, row: &LayerRow) {
    let tokens = Tokens::of(ui.ctx());
    let columns = columns(rect);
    let x = |share: f32| rect.left() + share * rect.width();
    let column = |from: f32, to: f32| Rect::from_x_y_ranges(Rangef::new(from, to), rect.y_range());
    let name = column(left, x(columns.state) - 4.0);
    text_in(ui, name, Align::Min, &row.name, theme::mono(), tokens.text);
    let kind = column(x(columns.kind), x(columns.shape) - 4.0);
    text_in(ui, kind, Align::Min, &row.kind, theme::body(), tokens.dim);
    let shape = column(x(columns.shape), x(columns.parameters) - 44.0);
    text_in(ui, shape, Align::Min, &row.shape, theme::mono(), tokens.dim);
    let parameters = column(x(columns.parameters) - 60.0, x(columns.parameters));
    text_in(ui, parameters, Align::Max, &count(row.parameters), theme::body(), tokens.text);
    if let Some((_, rate)) = columns.rest.filter(|_| row.state != FreezeState::All(LeafState::Frozen)) {
        let words = format!("× {}", project.recipe.training.backbone_rate);
        text_in(ui, column(x(rate) - 50.0, x(rate)), Align::Max, &words, theme::body(), tokens.dim);
    }
}

/// The head: not a part of the backbone, always thawed.
pub fn head_row(ui: &mut Ui, classes: usize, parameters: usize) {
    let tokens = Tokens::of(ui.ctx());
    let (rect, response) =
        ui.allocate_exact_size(vec2(ui.available_width(), theme::TREE_ROW), Sense::hover());
    response.on_hover_text("The new last layer for your classes (head). It always learns.");
    let y = rect.center().y;
    let x = |share: f32| rect.left() + share * rect.width();
    let text = |at: f32, align: Align2, words: &str, font: egui::FontId, colour: Color32| {
        ui.painter().text(pos2(at, y), align, words, font, colour);
    };
    text(rect.left() + 22.0, Align2::LEFT_CENTER, "head", theme::mono(), tokens.text);
    pill(ui, switch_place(rect), FreezeState::All(LeafState::Thawed));
    let columns = columns(rect);
    text(x(columns.kind), Align2::LEFT_CENTER, "Linear, new", theme::body(), tokens.dim);
    text(x(columns.shape), Align2::LEFT_CENTER, &classes.to_string(), theme::mono(), tokens.dim);
    text(x(columns.parameters), Align2::RIGHT_CENTER, &count(parameters), theme::body(), tokens.text);
    if let Some((_, rate)) = columns.rest {
        text(x(rate), Align2::RIGHT_CENTER, "× 1", theme::body(), tokens.dim);
    }
}

/// Where the switch of a row stands: left of the next column, also in a narrow window.
fn switch_place(row: Rect) -> Rect {
    let columns = columns(row);
    let width = PILL.x.min((columns.kind - columns.state) * row.width() - 4.0);
    let corner = pos2(row.left() + columns.state * row.width(), row.center().y - PILL.y / 2.0);
    Rect::from_min_size(corner, vec2(width, PILL.y))
}

/// Sign and word of a state on its ground.
fn pill(ui: &Ui, place: Rect, state: FreezeState) -> Color32 {
    let tokens = Tokens::of(ui.ctx());
    let (sign, word) = state_words(state);
    let (ground, colour) = match state {
        FreezeState::All(LeafState::Frozen) => (tokens.ice_ground, tokens.ice),
        FreezeState::All(LeafState::Thawed) => (tokens.ember_ground, tokens.ember),
        FreezeState::Mixed => (tokens.raised, tokens.dim),
    };
    let middle = |x: f32| pos2(place.left() + x, place.center().y);
    ui.painter().rect_filled(place, CornerRadius::same(9), ground);
    ui.painter().text(middle(6.0), Align2::LEFT_CENTER, sign, theme::icons(12.0), colour);
    ui.painter().text(middle(21.0), Align2::LEFT_CENTER, word, theme::caption(), colour);
    colour
}

/// Click: this row. Shift-click: from the selected row to this one. Ctrl-click: this and everything above it.
fn state_toggle(ui: &mut Ui, place: Rect, project: &OpenProject, row: &LayerRow, out: &mut Actions) {
    let response = ui.interact(place, ui.scope_id().with(("state", &row.path)), Sense::click());
    let tooltip = "Click to freeze or thaw (whether it is trained). Shift-click: from the selected layer to this one. Ctrl-click: this and everything towards the head.";
    let response = response.on_hover_text(tooltip).on_hover_cursor(CursorIcon::PointingHand);
    let (_, word) = state_words(row.state);
    let name = format!("{}: {word}. Freeze or thaw", row.path);
    let is_thawed = row.state == FreezeState::All(LeafState::Thawed);
    response.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, is_thawed, &name));
    let colour = pill(ui, place, row.state);
    if response.hovered() || response.has_focus() {
        let stroke = Stroke::new(1.0, colour);
        ui.painter().rect_stroke(place, CornerRadius::same(9), stroke, egui::StrokeKind::Inside);
    }
    if !response.clicked() {
        return;
    }
    let state = toggled(row.state);
    let modifiers = ui.input(|i| i.modifiers);
    out.push(match (&project.layers.selected, row.cut) {
        (Some(from), _) if modifiers.shift => {
            Edit::SetLayerRange { from: from.clone(), to: row.path.clone(), state }
        }
        (_, Some(cut)) if modifiers.command => {
            Edit::DragFrostline { cut, drag: ui.input(|i| i.time.to_bits()) }
        }
        _ => Edit::SetLayer { path: row.path.clone(), state },
    });
}

/// What a click on the state of a row asks for.
pub fn toggled(state: FreezeState) -> LeafState {
    match state {
        FreezeState::All(LeafState::Thawed) => LeafState::Frozen,
        FreezeState::All(LeafState::Frozen) | FreezeState::Mixed => LeafState::Thawed,
    }
}

/// Ice for frozen, ember for thawed, dim for a group that is mixed.
pub fn state_colour(state: FreezeState, tokens: &Tokens) -> Color32 {
    match state {
        FreezeState::All(LeafState::Frozen) => tokens.ice,
        FreezeState::All(LeafState::Thawed) => tokens.ember,
        FreezeState::Mixed => tokens.dim,
    }
}

/// The weights of a leaf; of a group, those of its largest leaf.
fn summary_of<'s>(scene: &Scene<'s>, backbone: &BackboneFacts, row: &LayerRow) -> Option<&'s WeightSummary> {
    let layers = scene.session.weights.get(&backbone.id)?;
    let leaves = backbone.tree.leaves().get(row.leaves.clone())?;
    leaves.iter().filter_map(|leaf| layers.get(&leaf.path)).max_by_key(|s| s.count)
}

/// Draws the bins of `summary` into `place`; a bar grows with the square root of its count.
pub fn histogram(ui: &Ui, place: Rect, summary: &WeightSummary, colour: Color32) {
    let highest = summary.histogram.iter().copied().max().unwrap_or(1).max(1) as f32;
    let width = place.width() / summary.histogram.len() as f32;
    for (bin, bars) in summary.histogram.iter().enumerate() {
        let left = place.left() + width * bin as f32;
        let height = place.height() * (*bars as f32 / highest).sqrt();
        let bar =
            Rect::from_min_max(pos2(left, place.bottom() - height), pos2(left + width * 0.8, place.bottom()));
        ui.painter().rect_filled(bar, CornerRadius::ZERO, colour);
    }
}
