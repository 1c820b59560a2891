//! Layers: the tree with the frostline across it, presets, and what the choice costs.

use super::super::theme::{self, Tokens, icon};
use super::super::widgets::{action_button, card, dim, fact_row, figure, page_title, section, state_words};
use super::super::{Actions, Scene};
use super::{bytes, count, duration};
use crate::backbone::FreezeState;
use crate::inspect::WeightSummary;
use crate::session::layers::{LayerRow, Row, rows};
use crate::session::{Action, OpenProject, Preset};
use crate::train::estimate::Estimate;
use crate::worker::BackboneFacts;
use egui::{
    Align, Align2, Color32, CornerRadius, CursorIcon, Layout, Rect, Response, RichText, Role, ScrollArea,
    Sense, Stroke, Ui, WidgetInfo, pos2, vec2,
};

/// Left edges of the columns as shares of the width.
const STATE: f32 = 0.27;
const KIND: f32 = 0.39;
const SHAPE: f32 = 0.60;
const PARAMETERS: f32 = 0.82;
const WEIGHTS: f32 = 0.85;

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
    let all = rows(&backbone.tree, &backbone.cuts, mask, &project.layers);
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
                        frostline_row(ui, scene, *cut, name, shape);
                    }
                }
            }
            follow_drag(ui, &places, backbone.cuts.len() - 1, out);
        });
    });
}

fn presets(ui: &mut Ui, project: &OpenProject, backbone: &BackboneFacts, out: &mut Actions) {
    ui.horizontal(|ui| {
        for preset in Preset::ALL {
            let mask = crate::session::layers::preset(&backbone.tree, &backbone.cuts, preset);
            let chosen = project.mask.as_ref() == Some(&mask);
            let action = Action::Preset(preset);
            let button = egui::Button::selectable(chosen, preset.name())
                .min_size(vec2(0.0, theme::CONTROL_HEIGHT))
                .frame(true);
            if ui.add(button).on_hover_text(action.label().tooltip).clicked() {
                out.push(action);
            }
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let mut search = project.layers.search.clone();
            let field =
                egui::TextEdit::singleline(&mut search).hint_text("Find a layer").desired_width(150.0);
            let response = ui.add(field);
            response.widget_info(|| WidgetInfo::labeled(Role::TextInput, true, "Find a layer"));
            if search != project.layers.search {
                out.push(Action::SearchLayers(search));
            }
        });
    });
}

fn costs(ui: &mut Ui, project: &OpenProject, estimate: &Estimate) {
    let epochs = project.recipe.training.epochs;
    let known = estimate.epoch_seconds > 0.0;
    let time = |seconds: f64| if known { duration(seconds) } else { "measuring".to_string() };
    card(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.columns(5, |columns| {
            figure(
                &mut columns[0],
                "Trainable",
                &count(estimate.trainable),
                &format!("of {}", count(estimate.total)),
            );
            let first = if known {
                format!("first {}", duration(estimate.warm_seconds + estimate.epoch_seconds))
            } else {
                String::new()
            };
            figure(&mut columns[1], "Time per epoch", &time(estimate.epoch_seconds), &first);
            figure(&mut columns[2], "Memory", &bytes(estimate.memory_bytes), "about");
            let cache =
                if estimate.cache_bytes > 0 { bytes(estimate.cache_bytes) } else { "none".to_string() };
            figure(&mut columns[3], "Cache on disk", &cache, "");
            figure(&mut columns[4], &format!("{epochs} epochs"), &time(estimate.all_seconds), "about");
        });
    });
}

fn header(ui: &mut Ui) {
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
    text(0.02, Align2::LEFT_CENTER, "Layer");
    text(STATE, Align2::LEFT_CENTER, "State");
    text(KIND, Align2::LEFT_CENTER, "Kind");
    text(SHAPE, Align2::LEFT_CENTER, "Output");
    text(PARAMETERS, Align2::RIGHT_CENTER, "Params");
    text(WEIGHTS, Align2::LEFT_CENTER, "Weights");
}

fn layer_row(
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
    let clipped = ui.painter().with_clip_rect(
        Rect::from_min_max(rect.min, pos2(x(STATE) - 4.0, rect.bottom())).intersect(ui.clip_rect()),
    );
    clipped.text(pos2(left + 4.0, y), Align2::LEFT_CENTER, &row.name, theme::mono(), tokens.text);
    state_toggle(ui, Rect::from_min_size(pos2(x(STATE), y - 9.5), vec2(84.0, 19.0)), project, row, out);
    ui.painter().text(pos2(x(KIND), y), Align2::LEFT_CENTER, &row.kind, theme::body(), tokens.dim);
    ui.painter().text(pos2(x(SHAPE), y), Align2::LEFT_CENTER, &row.shape, theme::mono(), tokens.dim);
    ui.painter().text(
        pos2(x(PARAMETERS), y),
        Align2::RIGHT_CENTER,
        count(row.parameters),
        theme::body(),
        tokens.text,
    );
    if let Some(summary) = summary_of(scene, backbone, row) {
        let place = Rect::from_min_max(
            pos2(x(WEIGHTS), rect.top() + 6.0),
            pos2(rect.right() - 12.0, rect.bottom() - 6.0),
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

/// Click: this row. Shift-click: from the selected row to this one. Ctrl-click: this and everything above it.
fn state_toggle(ui: &mut Ui, place: Rect, project: &OpenProject, row: &LayerRow, out: &mut Actions) {
    let tokens = Tokens::of(ui.ctx());
    let (sign, word) = state_words(row.state);
    let (ground, colour) = match row.state {
        FreezeState::Frozen => (tokens.ice_ground, tokens.ice),
        FreezeState::Thawed => (tokens.ember_ground, tokens.ember),
        FreezeState::Mixed => (tokens.raised, tokens.dim),
    };
    let response = ui.interact(place, ui.scope_id().with(("state", &row.path)), Sense::click());
    let tooltip = "Click to freeze or thaw (whether it is trained). Shift-click: from the selected layer to this one. Ctrl-click: this and everything towards the head.";
    let response = response.on_hover_text(tooltip).on_hover_cursor(CursorIcon::PointingHand);
    let name = format!("{}: {word}. Freeze or thaw", row.path);
    let is_thawed = row.state == FreezeState::Thawed;
    response.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, is_thawed, &name));
    ui.painter().rect_filled(place, CornerRadius::same(9), ground);
    if response.hovered() || response.has_focus() {
        ui.painter().rect_stroke(
            place,
            CornerRadius::same(9),
            Stroke::new(1.0, colour),
            egui::StrokeKind::Inside,
        );
    }
    ui.painter().text(
        pos2(place.left() + 8.0, place.center().y),
        Align2::LEFT_CENTER,
        sign,
        theme::icons(12.0),
        colour,
    );
    ui.painter().text(
        pos2(place.left() + 24.0, place.center().y),
        Align2::LEFT_CENTER,
        word,
        theme::caption(),
        colour,
    );
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

fn drag_id() -> egui::Id {
    egui::Id::unique("frostline-drag")
}

fn frostline_row(ui: &mut Ui, scene: &Scene, cut: usize, name: &str, shape: &str) {
    let tokens = Tokens::of(ui.ctx());
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), theme::TREE_ROW), Sense::hover());
    let response = ui.interact(rect, ui.scope_id().with("frostline"), Sense::drag());
    let response = response.on_hover_cursor(CursorIcon::ResizeVertical).on_hover_text(
        "Drag: everything above is thawed, everything below is frozen, computed once and cached.",
    );
    let label = format!("Frostline at {name}");
    response.widget_info(|| WidgetInfo::labeled(Role::Slider, true, &label));
    if response.drag_started() {
        ui.data_mut(|d| d.insert_temp(drag_id(), cut));
    }
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
    painter.text(
        pos2(rect.left() + 0.62 * rect.width(), y),
        Align2::LEFT_CENTER,
        words,
        theme::mono(),
        tokens.dim,
    );
    painter.text(
        pos2(rect.right() - 12.0, y),
        Align2::RIGHT_CENTER,
        icon::DRAG,
        theme::icons(16.0),
        tokens.dim,
    );
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
        out.push(Action::DragFrostline { cut, drag: began.unwrap_or_default().to_bits() });
    }
}

fn state_colour(state: FreezeState, tokens: &Tokens) -> Color32 {
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

fn histogram(ui: &Ui, place: Rect, summary: &WeightSummary, colour: Color32) {
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

/// The selected layer: histogram, figures, filters.
pub fn inspector(ui: &mut Ui, scene: &Scene, out: &mut Actions) {
    let (Some(project), Some(backbone)) = (&scene.session.project, scene.session.backbone()) else { return };
    let tokens = Tokens::of(ui.ctx());
    let Some(path) = &project.layers.selected else {
        section(ui, "No layer selected");
        dim(ui, "Click a row to look inside. Click its state to freeze or thaw it.");
        ui.add_space(theme::SPACE);
        let help = [
            ("Click", "this layer"),
            ("Shift-click", "from the selected layer to this one"),
            ("Ctrl-click", "this and everything towards the head"),
            ("Drag the line", "everything above learns"),
        ];
        for (keys, what) in help {
            fact_row(ui, keys, what);
        }
        return;
    };
    let Some(node) = backbone.tree.find(path) else { return };
    let parent = path.rsplit_once('.').map_or("", |(parent, _)| parent);
    ui.label(RichText::new(parent).font(theme::mono()).color(tokens.dim));
    ui.label(RichText::new(node.name()).font(theme::semibold(15.0)));
    if let Some(mask) = &project.mask {
        let state = mask.state(&backbone.tree, path);
        let (text, thawed) = if state == FreezeState::Thawed { ("Freeze", false) } else { ("Thaw", true) };
        action_button(ui, scene.session, &Action::SetLayer { path: path.clone(), thawed }, text, false, out);
    }
    fact_row(ui, "Kind", &crate::session::layers::kind_name(node));
    fact_row(ui, "Output", &crate::session::layers::shape(&node.output_shape));
    fact_row(ui, "Parameters", &node.parameters().to_string());
    if let Some(summary) = scene.session.weights.get(&backbone.id).and_then(|layers| layers.get(path)) {
        weights(ui, summary, tokens);
    }
    if let Some((_, tiles)) = scene.session.filters.as_ref().filter(|(layer, _)| layer == path) {
        ui.add_space(theme::SPACE);
        ui.horizontal(|ui| {
            section(ui, "Filters");
            dim(ui, format!("{} of {}", tiles.tiles.len(), tiles.total));
        });
        filters(ui, tiles, tokens);
    }
}

fn weights(ui: &mut Ui, summary: &WeightSummary, tokens: &Tokens) {
    ui.add_space(theme::SPACE);
    section(ui, "Weights");
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 70.0), Sense::hover());
    histogram(ui, rect, summary, tokens.ice);
    ui.horizontal(|ui| {
        ui.label(RichText::new(format!("{:.2}", summary.smallest)).font(theme::caption()).color(tokens.dim));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.label(
                RichText::new(format!("{:.2}", summary.largest)).font(theme::caption()).color(tokens.dim),
            );
        });
    });
    fact_row(ui, "Mean, deviation", &format!("{:.3}, {:.3}", summary.mean, summary.deviation));
    fact_row(ui, "Near zero", &format!("{:.1} %", 100.0 * summary.near_zero));
    if summary.silent_channels.1 > 0 {
        fact_row(
            ui,
            "Silent channels",
            &format!("{} of {}", summary.silent_channels.0, summary.silent_channels.1),
        );
    }
}

/// Ember for positive weights, ice for negative ones; colours for filters over colours.
fn filters(ui: &mut Ui, tiles: &crate::inspect::FilterTiles, tokens: &Tokens) {
    let (side, gap) = (24.0, 6.0);
    let per_row = (((ui.available_width() + gap) / (side + gap)) as usize).max(1);
    let rows = tiles.tiles.len().div_ceil(per_row);
    let (area, _) =
        ui.allocate_exact_size(vec2(ui.available_width(), rows as f32 * (side + gap)), Sense::hover());
    for (number, tile) in tiles.tiles.iter().enumerate() {
        let corner = area.min + vec2((number % per_row) as f32, (number / per_row) as f32) * (side + gap);
        let pixel = side / tiles.side as f32;
        for (at, values) in tile.chunks(tiles.channels).enumerate() {
            let place = corner + vec2((at % tiles.side) as f32, (at / tiles.side) as f32) * pixel;
            let colour = match values {
                [r, g, b] => Color32::from_rgb(shade(*r), shade(*g), shade(*b)),
                [v, ..] => {
                    blend(tokens.raised, if *v > 0.0 { tokens.ember } else { tokens.ice }, v.abs().sqrt())
                }
                [] => tokens.raised,
            };
            ui.painter().rect_filled(
                Rect::from_min_size(place, vec2(pixel, pixel)),
                CornerRadius::ZERO,
                colour,
            );
        }
    }
}

fn shade(value: f32) -> u8 {
    (127.5 + 127.5 * value.clamp(-1.0, 1.0)) as u8
}

fn blend(a: Color32, b: Color32, share: f32) -> Color32 {
    let mix = |a: u8, b: u8| (f32::from(a) + (f32::from(b) - f32::from(a)) * share.clamp(0.0, 1.0)) as u8;
    Color32::from_rgb(mix(a.r(), b.r()), mix(a.g(), b.g()), mix(a.b(), b.b()))
}
