//! A model as a card or as a row of the table.

use super::super::Actions;
use super::super::theme::{self, Tokens};
use super::super::widgets::{bar, fact_row, focus_ring, line, text_in};
use super::{bytes, count};
use crate::session::models::{ModelRow, Place};
use crate::session::{Edit, Model, Session};
use egui::{
    Align, Color32, CornerRadius, Label, Layout, Rect, Response, RichText, Role, Sense, Stroke, Ui,
    UiBuilder, WidgetInfo, vec2,
};

/// Least size of a card.
pub const CARD: egui::Vec2 = vec2(240.0, 158.0);

/// A card; a click chooses what is on this machine and fits, and shows all else in the inspector.
pub fn model_card(ui: &mut Ui, session: &Session, model: &ModelRow, size: egui::Vec2, out: &mut Actions) {
    let tokens = Tokens::of(ui.ctx());
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let chosen = is_chosen(session, model);
    let selected = session.models.selected.as_ref() == Some(&model.id);
    let (width, edge) = match (chosen, selected || response.hovered() || response.has_focus()) {
        (true, _) => (2.0, tokens.ice),
        (false, true) => (1.0, tokens.ice),
        (false, false) => (1.0, tokens.line),
    };
    let corner = CornerRadius::same(theme::CARD_CORNER);
    ui.painter().rect(rect, corner, tokens.panel, Stroke::new(width, edge), egui::StrokeKind::Inside);
    let layout = Layout::top_down(Align::Min);
    let mut inside = ui.new_child(UiBuilder::new().max_rect(rect.shrink(14.0)).layout(layout));
    contents(&mut inside, session, model);
    let name = format!("{}, {}", model.name, state(session, model, tokens).0);
    response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, chosen, &name));
    let hint = model.unsupported.as_ref().unwrap_or(&model.good_for);
    let response = if hint.is_empty() { response } else { response.on_hover_text(hint) };
    clicked(session, model, &response, chosen, out);
}

fn contents(ui: &mut Ui, session: &Session, model: &ModelRow) {
    let tokens = Tokens::of(ui.ctx());
    ui.spacing_mut().item_spacing.y = 6.0;
    line(ui, |ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let (word, colour) = state(session, model, tokens);
            ui.label(RichText::new(word).font(theme::caption()).color(colour));
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                ui.add(Label::new(RichText::new(&model.name).font(theme::semibold(14.0))).truncate());
            });
        });
    });
    let about = [model.family.as_str(), model.input.as_str()];
    let about: Vec<&str> = about.into_iter().filter(|part| !part.is_empty()).collect();
    ui.add(Label::new(RichText::new(about.join(", ")).color(tokens.dim)).truncate());
    fact_row(ui, "Parameters, file", &size_words(model));
    fact_row(ui, "Published score", model.score.as_deref().map_or("not known", figure_of));
    match session.models.download(&model.id) {
        Some(download) => bar(ui, download.done() as f32, ui.available_width(), tokens.ice),
        None => fact_row(ui, "Licence", model.licence.as_deref().unwrap_or("not known")),
    }
}

/// A row of the table.
pub fn table_row(ui: &mut Ui, session: &Session, model: &ModelRow, out: &mut Actions) {
    let tokens = Tokens::of(ui.ctx());
    let (rect, response) =
        ui.allocate_exact_size(vec2(ui.available_width(), theme::TABLE_ROW), Sense::click());
    let chosen = is_chosen(session, model);
    let selected = session.models.selected.as_ref() == Some(&model.id);
    if chosen || selected || response.hovered() {
        let ground = if chosen { tokens.ice_ground } else { tokens.raised };
        ui.painter().rect_filled(rect, CornerRadius::same(4), ground);
    }
    focus_ring(ui, &response);
    let (word, colour) = state(session, model, tokens);
    let column = |from: f32, to: f32| {
        let at = |share: f32| rect.left() + 8.0 + share * (rect.width() - 16.0);
        Rect::from_x_y_ranges(at(from)..=at(to) - 8.0, rect.y_range())
    };
    let cell = |from: f32, to: f32, text: &str, colour: Color32| {
        text_in(ui, column(from, to), Align::Min, text, theme::body(), colour);
    };
    cell(0.0, 0.36, &model.name, tokens.text);
    cell(0.36, 0.54, &model.family, tokens.dim);
    cell(0.54, 0.68, &size_words(model), tokens.dim);
    cell(0.68, 0.82, model.licence.as_deref().unwrap_or(""), tokens.dim);
    cell(0.82, 1.0, word, colour);
    let name = format!("{}, {word}", model.name);
    response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, chosen, &name));
    clicked(session, model, &response, chosen, out);
}

fn clicked(session: &Session, model: &ModelRow, response: &Response, chosen: bool, out: &mut Actions) {
    if !response.clicked() {
        return;
    }
    out.push(Model::SelectModel(Some(model.id.clone())));
    let fits = session.backbones.iter().any(|b| b.id == model.id && session.suits_data(b));
    if fits && !chosen {
        out.push(Edit::ChooseBackbone(model.id.clone()));
    }
}

fn is_chosen(session: &Session, model: &ModelRow) -> bool {
    session.project.as_ref().is_some_and(|p| p.recipe.backbone.id == model.id)
}

/// Where it is, in a word or two.
fn state(session: &Session, model: &ModelRow, tokens: &Tokens) -> (&'static str, Color32) {
    let fits = session.backbones.iter().find(|b| b.id == model.id).is_none_or(|b| session.suits_data(b));
    match (session.models.download(&model.id), model.place) {
        (Some(download), _) if download.paused => ("paused", tokens.warning),
        (Some(_), _) => ("downloading", tokens.ice),
        (None, Place::Here) if !fits => ("takes other data", tokens.warning),
        (None, Place::Here) => ("on this machine", tokens.ok),
        (None, _) if model.unsupported.is_some() => ("cannot be trained yet", tokens.warning),
        (None, _) if model.fits == Some(false) => ("too large", tokens.warning),
        (None, _) if is_begun(session, &model.id) => ("download begun", tokens.warning),
        (None, _) => ("on the Hub", tokens.dim),
    }
}

/// Whether a download broke off; it goes on where it stopped.
fn is_begun(session: &Session, id: &str) -> bool {
    session.models.kept.iter().any(|kept| kept.id == id && kept.incomplete_bytes > 0)
}

/// `2.22 M, 7.2 MB`, as far as it is known.
fn size_words(model: &ModelRow) -> String {
    let parameters = model.parameters.map(|n| count(n as usize));
    let file = model.file_bytes.map(bytes);
    let known: Vec<String> = parameters.into_iter().chain(file).collect();
    if known.is_empty() { "not known".to_string() } else { known.join(", ") }
}

/// The figure in a published score: `71.9 %` of `ImageNet-1k top-1 71.9 % at 224 pixels`.
fn figure_of(score: &str) -> &str {
    match score.find('%') {
        Some(end) => {
            let before = score[..end].trim_end();
            let start = before.rfind(' ').map_or(0, |space| space + 1);
            &score[start..=end]
        }
        None => {
            let starts_a_figure = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
            score.split([',', ' ']).find(starts_a_figure).unwrap_or(score)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figure_of_a_score_is_found() {
        assert_eq!(figure_of("71.878 % ImageNet-1k top-1"), "71.878 %");
        assert_eq!(figure_of("ImageNet-1k top-1 72.9 % at 224 pixels"), "72.9 %");
        assert_eq!(figure_of("68.06, average over 14 datasets"), "68.06");
        assert_eq!(figure_of("GLUE test average 79.6"), "79.6");
    }
}
