//! One row of the layer tree: its name, its state as a switch, kind, shape, parameters, weights and rate.

use super::super::theme::{self, Tokens, icon};
use super::super::widgets::{focus_ring, state_words, text_in};
use super::super::{Actions, Scene};
use super::count;
use crate::backbone::FreezeState;
use crate::inspect::WeightSummary;
use crate::session::layers::LayerRow;
use crate::session::{Action, OpenProject, Preset};
use crate::worker::BackboneFacts;
use egui::{
    Align, Align2, Color32, CornerRadius, CursorIcon, Rangef, Rect, Response, Role, Sense, Stroke, Ui,
    WidgetInfo, pos2, vec2,
};

/// Left edges of the columns as shares of the width; numbers end at theirs.
const STATE: f32 = 0.27;
const KIND: f32 = 0.39;
const SHAPE: f32 = 0.58;
const PARAMETERS: f32 = 0.80;
const WEIGHTS: f32 = 0.825;
const RATE: f32 = 0.985;
/// Largest size of the switch.
const PILL: egui::Vec2 = vec2(84.0, 19.0);

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
    text(STATE, Align2::LEFT_CENTER, "State");
    text(KIND, Align2::LEFT_CENTER, "Kind");
    text(SHAPE, Align2::LEFT_CENTER, "Output");
    text(PARAMETERS, Align2::RIGHT_CENTER, "Params");
    text(WEIGHTS, Align2::LEFT_CENTER, "Weights");
    text(RATE, Align2::RIGHT_CENTER, "Rate");
}

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
    let y = rect.center().y;
    let x = |share: f32| rect.left() + share * rect.width();
    let left = rect.left() + 18.0 + 18.0 * row.depth as f32;
    if let Some(open) = row.open {
        let place = Rect::from_center_size(pos2(left - 9.0, y), vec2(18.0, theme::TREE_ROW));
        let name = format!("{} {}", if open { "Close" } else { "Open" }, row.path);
        let arrow = ui.interact(place, ui.scope_id().with(("open", &row.path)), Sense::click());
        arrow.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
        ui.painter().text(
            place.center(),
            Align2::CENTER_CENTER,
            if open { icon::OPEN } else { icon::CLOSED },
            theme::icons(12.0),
            tokens.dim,
        );
        if arrow.clicked() {
            out.push(Action::ExpandLayer { path: row.path.clone(), open: !open });
        }
    }
    let column = |from: f32, to: f32| Rect::from_x_y_ranges(Rangef::new(from, to), rect.y_range());
    let place = column(left + 4.0, x(STATE) - 4.0);
    text_in(ui, place, Align::Min, &row.name, theme::mono(), tokens.text);
    state_toggle(ui, switch_place(rect), project, row, out);
    text_in(ui, column(x(KIND), x(SHAPE) - 4.0), Align::Min, &row.kind, theme::body(), tokens.dim);
    text_in(ui, column(x(SHAPE), x(PARAMETERS) - 44.0), Align::Min, &row.shape, theme::mono(), tokens.dim);
    let parameters = count(row.parameters);
    ui.painter().text(pos2(x(PARAMETERS), y), Align2::RIGHT_CENTER, parameters, theme::body(), tokens.text);
    if row.state != FreezeState::Frozen {
        let rate = format!("× {}", project.recipe.training.backbone_rate);
        ui.painter().text(pos2(x(RATE), y), Align2::RIGHT_CENTER, rate, theme::body(), tokens.dim);
    }
    if let Some(summary) = summary_of(scene, backbone, row) {
        let place = Rect::from_min_max(
            pos2(x(WEIGHTS), rect.top() + 6.0),
            pos2(x(WEIGHTS) + 0.095 * rect.width(), rect.bottom() - 6.0),
        );
        histogram(ui, place, summary, state_colour(row.state, tokens));
    }
    let (_, word) = state_words(row.state);
    let label = format!("{}, {word}, {}", row.path, row.kind);
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, selected, &label));
    if response.clicked() {
        out.push(Action::SelectLayer((!selected).then(|| row.path.clone())));
    }
    response.clone().context_menu(|ui| {
        for preset in Preset::ALL {
            if ui.button(preset.name()).clicked() {
                out.push(Action::Preset(preset));
                ui.close();
            }
        }
    });
    response
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
    pill(ui, switch_place(rect), FreezeState::Thawed);
    text(x(KIND), Align2::LEFT_CENTER, "Linear, new", theme::body(), tokens.dim);
    text(x(SHAPE), Align2::LEFT_CENTER, &classes.to_string(), theme::mono(), tokens.dim);
    text(x(PARAMETERS), Align2::RIGHT_CENTER, &count(parameters), theme::body(), tokens.text);
    text(x(RATE), Align2::RIGHT_CENTER, "× 1", theme::body(), tokens.dim);
}

/// Where the switch of a row stands: left of the next column, also in a narrow window.
fn switch_place(row: Rect) -> Rect {
    let width = PILL.x.min((KIND - STATE) * row.width() - 4.0);
    let corner = pos2(row.left() + STATE * row.width(), row.center().y - PILL.y / 2.0);
    Rect::from_min_size(corner, vec2(width, PILL.y))
}

/// Sign and word of a state on its ground.
fn pill(ui: &Ui, place: Rect, state: FreezeState) -> Color32 {
    let tokens = Tokens::of(ui.ctx());
    let (sign, word) = state_words(state);
    let (ground, colour) = match state {
        FreezeState::Frozen => (tokens.ice_ground, tokens.ice),
        FreezeState::Thawed => (tokens.ember_ground, tokens.ember),
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
    let is_thawed = row.state == FreezeState::Thawed;
    response.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, is_thawed, &name));
    let colour = pill(ui, place, row.state);
    if response.hovered() || response.has_focus() {
        let stroke = Stroke::new(1.0, colour);
        ui.painter().rect_stroke(place, CornerRadius::same(9), stroke, egui::StrokeKind::Inside);
    }
    if !response.clicked() {
        return;
    }
    let thawed = !is_thawed;
    let modifiers = ui.input(|i| i.modifiers);
    out.push(match (&project.layers.selected, row.cut) {
        (Some(from), _) if modifiers.shift => {
            Action::SetLayerRange { from: from.clone(), to: row.path.clone(), thawed }
        }
        (_, Some(cut)) if modifiers.command => {
            Action::DragFrostline { cut, drag: ui.input(|i| i.time.to_bits()) }
        }
        _ => Action::SetLayer { path: row.path.clone(), thawed },
    });
}

pub fn state_colour(state: FreezeState, tokens: &Tokens) -> Color32 {
    match state {
        FreezeState::Frozen => tokens.ice,
        FreezeState::Thawed => tokens.ember,
        FreezeState::Mixed => tokens.dim,
    }
}

/// The weights of a leaf; of a group, those of its largest leaf.
fn summary_of<'s>(scene: &Scene<'s>, backbone: &BackboneFacts, row: &LayerRow) -> Option<&'s WeightSummary> {
    let layers = scene.session.weights.get(&backbone.id)?;
    let leaves = backbone.tree.leaves().get(row.leaves.clone())?;
    leaves.iter().filter_map(|leaf| layers.get(&leaf.path)).max_by_key(|s| s.count)
}

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
