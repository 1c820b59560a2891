//! Inside one layer: its weights as a histogram and figures, its filters as tiles.

use super::super::theme::{self, Tokens};
use super::super::widgets::{action_button, dim, fact_row, line, section};
use super::super::{Actions, Scene};
use super::layer_row::{histogram, state_colour, toggled};
use crate::backbone::{FreezeState, LeafState};
use crate::inspect::WeightSummary;
use crate::session::Edit;
use crate::units::{grouped, signed};
use egui::{Align, Color32, CornerRadius, Layout, Rect, RichText, Sense, Ui, vec2};

/// The selected layer: histogram, figures, filters.
pub fn show(ui: &mut Ui, scene: &Scene, out: &mut Actions) {
    let (Some(project), Some(backbone)) = (&scene.session.project, scene.session.backbone()) else { return };
    let tokens = Tokens::of(ui.ctx());
    let Some(path) = &project.layers.selected else {
        section(ui, "No layer selected");
        dim(ui, "Click a row to look inside. Click its state to freeze or thaw it.");
        ui.add_space(theme::SPACE);
        let help = [
            ("Click", "this layer"),
            ("Shift-click", "from the selected one"),
            ("Ctrl-click", "all towards the head"),
            ("Drag the line", "everything above learns"),
        ];
        for (keys, what) in help {
            fact_row(ui, keys, what);
        }
        return;
    };
    let Some(node) = backbone.tree.find(path) else { return };
    let parent = path.rsplit_once('.').map_or("", |(parent, _)| parent);
    if !parent.is_empty() {
        ui.label(RichText::new(parent).font(theme::mono()).color(tokens.dim));
        ui.add_space(-4.0);
    }
    ui.label(RichText::new(node.name()).font(theme::semibold(15.0)));
    if let Some(mask) = &project.mask {
        let state = toggled(mask.state(&backbone.tree, path));
        let text = match state {
            LeafState::Frozen => "Freeze",
            LeafState::Thawed => "Thaw",
        };
        action_button(ui, scene.session, &Edit::SetLayer { path: path.clone(), state }, text, false, out);
    }
    fact_row(ui, "Kind", &crate::session::layers::kind_name(node));
    fact_row(ui, "Output", &crate::session::layers::shape(&node.output_shape));
    fact_row(ui, "Parameters", &grouped(node.parameters()));
    if let Some(summary) = scene.session.weights.get(&backbone.id).and_then(|layers| layers.get(path)) {
        let state = project.mask.as_ref().map(|m| m.state(&backbone.tree, path));
        weights(ui, summary, state.unwrap_or(FreezeState::All(LeafState::Frozen)));
    }
    if let Some(tiles) = scene.session.filters_of(path) {
        ui.add_space(theme::SPACE);
        ui.horizontal(|ui| {
            section(ui, "Filters");
            dim(ui, format!("{} of {}", tiles.tiles.len(), tiles.total));
        });
        filters(ui, tiles, tokens);
    }
}

fn weights(ui: &mut Ui, summary: &WeightSummary, state: FreezeState) {
    let tokens = Tokens::of(ui.ctx());
    ui.add_space(theme::SPACE);
    section(ui, "Weights");
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 70.0), Sense::hover());
    histogram(ui, rect, summary, state_colour(state, tokens));
    line(ui, |ui| {
        ui.label(
            RichText::new(signed(f64::from(summary.smallest), 2)).font(theme::caption()).color(tokens.dim),
        );
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.label(
                RichText::new(signed(f64::from(summary.largest), 2)).font(theme::caption()).color(tokens.dim),
            );
        });
    });
    fact_row(ui, "Mean, deviation", &format!("{}, {:.3}", signed(summary.mean, 3), summary.deviation));
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
