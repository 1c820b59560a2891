//! Layers: the tree with the frostline across it, presets, and what the choice costs.

use super::super::theme::{self, Tokens, icon};
use super::super::widgets::{card, choice_button, figures, page_title, text_in};
use super::super::{Actions, Scene};
use super::layer_row::{head_row, header, layer_row};
use super::{bytes, count, duration};
use crate::session::layers::{Row, rows};
use crate::session::{Edit, OpenProject, Preset, View};
use crate::train::estimate::Estimate;
use crate::worker::BackboneFacts;
use egui::{
    Align, Align2, Color32, CornerRadius, CursorIcon, Rect, Response, Role, ScrollArea, Sense, Stroke, Ui,
    WidgetInfo, pos2, vec2,
};

/// Width of the search field.
const SEARCH: f32 = 160.0;

/// Presets, costs, tree.
pub fn show(ui: &mut Ui, scene: &Scene, out: &mut Actions) {
    let Some(project) = &scene.session.project else { return };
    let (Some(backbone), Some(mask)) = (scene.session.backbone(), &project.mask) else {
        page_title(ui, "Layers", "Choose a backbone first.");
        return;
    };
    page_title(
        ui,
        "Layers",
        &format!("{}, pretrained. Ice stays as it is and is computed once; ember learns.", backbone.name),
    );
    presets(ui, project, backbone, out);
    let dragged = ui.data(|d| d.get_temp::<usize>(drag_id()));
    if let Some(estimate) = scene.session.estimate(dragged) {
        costs(ui, project, &estimate);
    }
    let mut all = rows(&backbone.tree, &backbone.cuts, mask, &project.layers);
    let classes = project.index.classes.len();
    all.push(Row::Head { classes, parameters: classes * (backbone.features + 1) });
    card(ui, |ui| {
        ui.set_width(ui.available_width());
        header(ui);
        ui.spacing_mut().item_spacing.y = 0.0;
        ScrollArea::vertical().auto_shrink(false).show_rows(ui, theme::TREE_ROW, all.len(), |ui, range| {
            let mut places = Vec::new();
            for row in &all[range] {
                match row {
                    Row::Layer(row) => {
                        let response = layer_row(ui, scene, project, backbone, row, out);
                        places.push((response.rect, row.cut));
                    }
                    Row::Frostline { cut, name, shape } => {
                        let line = frostline_row(ui, scene, *cut, name, shape);
                        follow_keys(ui, &line, *cut, backbone.cuts.len() - 1, out);
                    }
                    Row::Head { classes, parameters } => head_row(ui, *classes, *parameters),
                }
            }
            follow_drag(ui, &places, backbone.cuts.len() - 1, out);
        });
    });
}

fn presets(ui: &mut Ui, project: &OpenProject, backbone: &BackboneFacts, out: &mut Actions) {
    ui.horizontal_wrapped(|ui| {
        for preset in Preset::ALL {
            let mask = crate::session::layers::preset(&backbone.tree, &backbone.cuts, preset);
            let chosen = project.mask.as_ref() == Some(&mask);
            let action = Edit::Preset(preset);
            if choice_button(ui, preset.name(), chosen).on_hover_text(action.label().tooltip).clicked() {
                out.push(action);
            }
        }
        // At the right end of the row where it fits, else below.
        let room = ui.available_size_before_wrap().x - SEARCH;
        if room > 0.0 {
            ui.add_space(room);
        }
        let mut search = project.layers.search.clone();
        let field = egui::TextEdit::singleline(&mut search)
            .hint_text("Find a layer")
            .desired_width(SEARCH)
            .min_size(vec2(0.0, theme::CONTROL_HEIGHT))
            .align(Align2::LEFT_CENTER);
        let response = ui.add(field);
        response.widget_info(|| WidgetInfo::labeled(Role::TextInput, true, "Find a layer"));
        if search != project.layers.search {
            out.push(View::SearchLayers(search));
        }
    });
}

fn costs(ui: &mut Ui, project: &OpenProject, estimate: &Estimate) {
    let epochs = project.recipe.training.epochs;
    let known = estimate.epoch_seconds > 0.0;
    let time = |seconds: f64| if known { duration(seconds) } else { "measuring".to_string() };
    let first = match known {
        true => format!("first {}", duration(estimate.warm_seconds + estimate.epoch_seconds)),
        false => String::new(),
    };
    let cache = if estimate.cache_bytes > 0 { bytes(estimate.cache_bytes) } else { "none".to_string() };
    let strip = figures(
        ui,
        &[
            ["Trainable", &count(estimate.trainable), &format!("of {}", count(estimate.total))],
            ["Epoch", &time(estimate.epoch_seconds), &first],
            ["Memory", &bytes(estimate.memory_bytes), ""],
            ["Cache", &cache, ""],
            [&format!("{epochs} epochs"), &time(estimate.all_seconds), ""],
        ],
    );
    let tooltip = "What this choice costs: trained parameters, time of an epoch and of all, memory and cached features on disk. Times and memory are estimates from a short measurement on this machine.";
    strip.on_hover_text(tooltip);
}

fn drag_id() -> egui::Id {
    egui::Id::unique("frostline-drag")
}

/// The line between frozen and thawed: dragged with the mouse, moved by the arrow keys while it has the focus.
fn frostline_row(ui: &mut Ui, scene: &Scene, cut: usize, name: &str, shape: &str) -> Response {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), theme::TREE_ROW), Sense::hover());
    let response = ui.interact(rect, ui.scope_id().with("frostline"), Sense::click_and_drag());
    let response = response.on_hover_cursor(CursorIcon::ResizeVertical).on_hover_text(
        "Drag, or move with the arrow keys: everything above the line learns, everything below is frozen, computed once and cached.",
    );
    let label = format!("Frostline at {name}");
    response.widget_info(|| WidgetInfo::labeled(Role::Slider, true, &label));
    if response.drag_started() {
        ui.data_mut(|d| d.insert_temp(drag_id(), cut));
    }
    paint_frostline(ui, scene, rect, shape);
    response
}

fn paint_frostline(ui: &Ui, scene: &Scene, rect: Rect, shape: &str) {
    let tokens = Tokens::of(ui.ctx());
    let y = rect.center().y;
    let painter = ui.painter();
    painter.text(
        pos2(rect.left() + 8.0, y),
        Align2::LEFT_CENTER,
        icon::SNOWFLAKE,
        theme::icons(13.0),
        tokens.ice,
    );
    painter.text(pos2(rect.left() + 26.0, y), Align2::LEFT_CENTER, "frostline", theme::section(), tokens.ice);
    let (from, to) = (rect.left() + 96.0, rect.left() + 0.60 * rect.width());
    let steps = 24;
    for step in 0..steps {
        let at = |n: i32| from + (to - from) * n as f32 / steps as f32;
        let share = step as f32 / steps as f32;
        let mix = |a: u8, b: u8| (f32::from(a) + (f32::from(b) - f32::from(a)) * share) as u8;
        let (ice, ember) = (tokens.ice, tokens.ember);
        let colour =
            Color32::from_rgb(mix(ice.r(), ember.r()), mix(ice.g(), ember.g()), mix(ice.b(), ember.b()));
        painter.hline(at(step)..=at(step + 1), y, Stroke::new(2.0, colour));
    }
    let cached = scene.session.estimate(None).filter(|e| e.cache_bytes > 0);
    let words = match cached {
        Some(estimate) => format!("cached here: {shape}, {}", bytes(estimate.cache_bytes)),
        None => "nothing is cached".to_string(),
    };
    let place =
        Rect::from_x_y_ranges(rect.left() + 0.62 * rect.width()..=rect.right() - 34.0, rect.y_range());
    text_in(ui, place, Align::Min, &words, theme::mono(), tokens.dim);
    painter.text(
        pos2(rect.right() - 12.0, y),
        Align2::RIGHT_CENTER,
        icon::DRAG,
        theme::icons(16.0),
        tokens.dim,
    );
}

/// The focused frostline is moved with the arrow keys, a cut at a time.
fn follow_keys(ui: &mut Ui, line: &Response, cut: usize, last: usize, out: &mut Actions) {
    if !line.has_focus() {
        return;
    }
    let arrows = egui::EventFilter { vertical_arrows: true, ..Default::default() };
    ui.memory_mut(|m| m.set_focus_lock_filter(line.id, arrows));
    let stroke = Stroke::new(1.0, Tokens::of(ui.ctx()).ice);
    ui.painter().rect_stroke(line.rect, CornerRadius::same(4), stroke, egui::StrokeKind::Inside);
    let (up, down, time) =
        ui.input(|i| (i.key_pressed(egui::Key::ArrowUp), i.key_pressed(egui::Key::ArrowDown), i.time));
    let chosen = match (up, down) {
        (true, false) => cut.saturating_sub(1),
        (false, true) => (cut + 1).min(last),
        _ => return,
    };
    line.scroll_to_me(None);
    if chosen != cut {
        out.push(Edit::DragFrostline { cut: chosen, drag: time.to_bits() });
    }
}

/// While the frostline is dragged it snaps to the nearest cut under the pointer; each new cut is part of one step.
fn follow_drag(ui: &mut Ui, places: &[(Rect, Option<usize>)], last: usize, out: &mut Actions) {
    let Some(current) = ui.data(|d| d.get_temp::<usize>(drag_id())) else { return };
    let (down, pointer, began) =
        ui.input(|i| (i.pointer.primary_down(), i.pointer.interact_pos(), i.pointer.press_start_time()));
    if !down {
        ui.data_mut(|d| d.remove::<usize>(drag_id()));
        return;
    }
    let Some(pointer) = pointer else { return };
    let mut nearest: Option<(f32, usize)> = None;
    let mut offer = |y: f32, cut: usize| {
        let distance = (pointer.y - y).abs();
        if nearest.is_none_or(|(best, _)| distance < best) {
            nearest = Some((distance, cut));
        }
    };
    for (rect, cut) in places {
        if let Some(cut) = cut {
            offer(rect.top(), *cut);
        }
    }
    if let Some((rect, _)) = places.last() {
        offer(rect.bottom(), last);
    }
    if let Some((_, cut)) = nearest.filter(|(_, cut)| *cut != current) {
        ui.data_mut(|d| d.insert_temp(drag_id(), cut));
        out.push(Edit::DragFrostline { cut, drag: began.unwrap_or_default().to_bits() });
    }
}
