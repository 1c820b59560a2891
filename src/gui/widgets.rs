//! Small things that every panel paints the same way.

use super::Actions;
use super::theme::{self, Tokens, icon};
use crate::backbone::{FreezeState, LeafState};
use crate::session::{Action, Session};
use egui::text::{LayoutJob, TextWrapping};
use egui::{
    Align, Align2, Button, Color32, CornerRadius, FontId, Frame, Layout, Margin, Rect, Response, RichText,
    Role, Sense, Stroke, Ui, WidgetInfo, pos2,
};

/// A button for an action: its label, tooltip and whether it can be pressed come from the action. Pressed, it
/// emits a copy.
pub fn action_button(
    ui: &mut Ui,
    session: &Session,
    action: &(impl Clone + Into<Action>),
    text: &str,
    primary: bool,
    out: &mut Actions,
) -> Response {
    let tokens = Tokens::of(ui.ctx());
    let label = action.clone().into().label();
    let why_not = session.why_not(action);
    let rich = match primary && why_not.is_none() {
        true => RichText::new(text).color(tokens.on_ice).font(theme::section()),
        false => RichText::new(text),
    };
    let mut button = Button::new(rich).min_size(egui::vec2(0.0, theme::CONTROL_HEIGHT));
    if primary && why_not.is_none() {
        button = button.fill(tokens.ice);
    }
    let response = ui.add_enabled(why_not.is_none(), button);
    let tooltip = match label.shortcut {
        Some(shortcut) => format!("{} ({shortcut})", label.tooltip),
        None => label.tooltip.to_string(),
    };
    let response = response.on_hover_text(tooltip).on_disabled_hover_text(why_not.unwrap_or_default());
    if response.clicked() {
        out.push(action.clone());
    }
    response
}

/// A button that is chosen or not, with a frame in both states.
pub fn choice_button(ui: &mut Ui, text: &str, chosen: bool) -> Response {
    let tokens = Tokens::of(ui.ctx());
    let (colour, edge) = if chosen { (tokens.ice, tokens.ice) } else { (tokens.text, tokens.line) };
    let button = Button::new(RichText::new(text).color(colour))
        .fill(tokens.raised)
        .stroke(Stroke::new(1.0, edge))
        .min_size(egui::vec2(0.0, theme::CONTROL_HEIGHT));
    let response = ui.add(button);
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, chosen, text));
    response
}

/// A square button with an icon and an accessible name.
pub fn icon_button(ui: &mut Ui, icon: &str, name: &str, enabled: bool) -> Response {
    let button = Button::new(RichText::new(icon).font(theme::icons(16.0)))
        .min_size(egui::vec2(28.0, 28.0))
        .frame(false);
    let response = ui.add_enabled(enabled, button).on_hover_text(name).on_disabled_hover_text(name);
    let label = name.to_string();
    response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, &label));
    response
}

/// An icon beside words that say the same; screen readers pass over it.
pub fn sign(ui: &mut Ui, icon: &str, size: f32, colour: Color32) {
    let (rect, _) = ui.allocate_exact_size(egui::vec2(size, size), Sense::hover());
    ui.painter().text(rect.center(), Align2::CENTER_CENTER, icon, theme::icons(size), colour);
}

/// Shows where the keyboard is, on a row that is painted by hand.
pub fn focus_ring(ui: &Ui, response: &Response) {
    if response.has_focus() {
        let stroke = Stroke::new(1.0, Tokens::of(ui.ctx()).ice);
        let corner = CornerRadius::same(theme::CONTROL_CORNER);
        ui.painter().rect_stroke(response.rect, corner, stroke, egui::StrokeKind::Inside);
    }
}

/// The one card style: panel colour, one line around it.
pub fn card<R>(ui: &mut Ui, contents: impl FnOnce(&mut Ui) -> R) -> egui::InnerResponse<R> {
    let tokens = Tokens::of(ui.ctx());
    Frame::new()
        .fill(tokens.panel)
        .stroke(Stroke::new(1.0, tokens.line))
        .corner_radius(CornerRadius::same(theme::CARD_CORNER))
        .inner_margin(Margin::same(14))
        .show(ui, contents)
}

/// A page's title and the sentence below it.
pub fn page_title(ui: &mut Ui, title: &str, sentence: &str) {
    let tokens = Tokens::of(ui.ctx());
    ui.label(RichText::new(title).font(theme::title()));
    ui.add_space(-4.0);
    ui.label(RichText::new(sentence).color(tokens.dim));
    ui.add_space(theme::SPACE);
}

/// A page's title with buttons at its right; the sentence gets the room that they leave.
pub fn page_head(ui: &mut Ui, title: &str, sentence: &str, buttons: impl FnOnce(&mut Ui)) {
    let size = egui::vec2(ui.available_width(), 46.0);
    ui.allocate_ui_with_layout(size, Layout::right_to_left(Align::Center), |ui| {
        buttons(ui);
        ui.with_layout(Layout::top_down(Align::Min), |ui| page_title(ui, title, sentence));
    });
}

/// A section's title.
pub fn section(ui: &mut Ui, title: &str) {
    ui.label(RichText::new(title).font(theme::section()));
}

/// Dim text.
pub fn dim(ui: &mut Ui, text: impl Into<String>) -> Response {
    let tokens = Tokens::of(ui.ctx());
    ui.label(RichText::new(text).color(tokens.dim))
}

/// One line of text and small things, lower than a row of controls.
pub fn line<R>(ui: &mut Ui, contents: impl FnOnce(&mut Ui) -> R) -> egui::InnerResponse<R> {
    let size = egui::vec2(ui.available_width(), theme::LINE);
    ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| {
        ui.spacing_mut().interact_size.y = theme::LINE;
        ui.set_min_height(theme::LINE);
        contents(ui)
    })
}

/// Name on the left, value on the right, a line below.
pub fn fact_row(ui: &mut Ui, name: &str, value: &str) {
    let tokens = Tokens::of(ui.ctx());
    line(ui, |ui| {
        ui.label(RichText::new(name).color(tokens.dim));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.add(egui::Label::new(value).truncate());
        });
    });
    let line = ui.max_rect().x_range();
    let y = ui.cursor().top() - 3.0;
    ui.painter().hline(line, y, Stroke::new(1.0, tokens.line));
}

/// A number with its name above it and its unit, smaller, behind it.
fn figure(ui: &mut Ui, name: &str, value: &str, small: &str) {
    let tokens = Tokens::of(ui.ctx());
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        ui.add(egui::Label::new(RichText::new(name).font(theme::caption()).color(tokens.dim)).truncate());
        let mut below = None;
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            ui.label(RichText::new(value).font(theme::figure()));
            let beside = ui.painter().layout_no_wrap(small.to_string(), theme::body(), tokens.dim);
            if beside.size().x <= ui.available_width() {
                ui.label(beside);
            } else {
                below = Some(small);
            }
        });
        if let Some(small) = below {
            let small = RichText::new(small).font(theme::caption()).color(tokens.dim);
            ui.add(egui::Label::new(small).truncate());
        }
    });
}

/// One line of text inside `place`, ended with … where it is longer. Its middle is that of the place.
pub fn text_in(ui: &Ui, place: Rect, align: Align, text: &str, font: FontId, colour: Color32) {
    let mut job = LayoutJob::simple_singleline(text.to_string(), font, colour);
    job.wrap = TextWrapping::truncate_at_width(place.width());
    let galley = ui.painter().layout_job(job);
    let left = match align {
        Align::Min => place.left(),
        Align::Center => place.center().x - galley.size().x / 2.0,
        Align::Max => place.right() - galley.size().x,
    };
    let top = place.center().y - galley.size().y / 2.0;
    ui.painter().galley(pos2(left, top), galley, colour);
}

/// Below this width figures go on in another row, in points.
const NARROWEST_FIGURE: f32 = 80.0;

/// Figures side by side with a thin line between them.
pub fn figures(ui: &mut Ui, figures: &[[&str; 3]]) -> Response {
    let tokens = Tokens::of(ui.ctx());
    card(ui, |ui| {
        ui.set_width(ui.available_width());
        let fitting = ((ui.available_width() / NARROWEST_FIGURE) as usize).clamp(1, figures.len().max(1));
        // As many in each row as in the others.
        let rows = figures.len().div_ceil(fitting).max(1);
        for row in figures.chunks(figures.len().div_ceil(rows).max(1)) {
            ui.columns(row.len(), |columns| {
                for (number, (column, [name, value, small])) in columns.iter_mut().zip(row).enumerate() {
                    let area = column.available_rect_before_wrap();
                    figure(column, name, value, small);
                    if number > 0 {
                        let x = area.left() - theme::GAP / 2.0 - 4.0;
                        let rows = egui::Rangef::new(area.top(), column.min_rect().bottom());
                        column.painter().vline(x, rows, Stroke::new(1.0, tokens.line));
                    }
                }
            });
        }
    })
    .response
}

/// Text in a column of fixed width, cut where it is longer.
pub fn cell(ui: &mut Ui, width: f32, text: RichText) {
    let layout = Layout::left_to_right(Align::Center);
    ui.allocate_ui_with_layout(egui::vec2(width, 18.0), layout, |ui| {
        ui.set_width(width);
        ui.add(egui::Label::new(text).truncate());
    });
}

/// The dot of a class: full for the first round of colours, hollow for the next; its name stands beside it.
pub fn class_mark(ui: &Ui, centre: egui::Pos2, radius: f32, class: usize) {
    let tokens = Tokens::of(ui.ctx());
    let colour = tokens.class(class);
    if (class / tokens.classes.len()).is_multiple_of(2) {
        ui.painter().circle_filled(centre, radius, colour);
    } else {
        ui.painter().circle_stroke(centre, radius - 0.75, Stroke::new(1.5, colour));
    }
}

/// A bar from 0 to 1.
pub fn bar(ui: &mut Ui, share: f32, width: f32, colour: Color32) {
    let tokens = Tokens::of(ui.ctx());
    let (rect, _) = ui.allocate_exact_size(egui::vec2(width, 6.0), Sense::hover());
    let radius = CornerRadius::same(3);
    ui.painter().rect_filled(rect, radius, tokens.raised);
    let mut filled = rect;
    filled.set_width(rect.width() * share.clamp(0.0, 1.0));
    ui.painter().rect_filled(filled, radius, colour);
}

/// What an empty screen says, with the one thing to do.
pub fn empty(
    ui: &mut Ui,
    session: &Session,
    title: &str,
    sentence: &str,
    action: Option<(&(impl Clone + Into<Action>), &str)>,
    out: &mut Actions,
) {
    ui.add_space(theme::MARGIN);
    card(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.vertical_centered(|ui| {
            ui.add_space(theme::GAP);
            section(ui, title);
            dim(ui, sentence);
            if let Some((action, text)) = action {
                action_button(ui, session, action, text, true, out);
            }
            ui.add_space(theme::GAP);
        });
    });
}

/// A message with a coloured edge: what matters, then what it means.
pub fn banner(ui: &mut Ui, colour: Color32, title: &str, text: &str) {
    let tokens = Tokens::of(ui.ctx());
    let response = card(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().interact_size.y = theme::LINE;
        ui.horizontal_wrapped(|ui| {
            ui.label(RichText::new(title).font(theme::section()));
            ui.label(RichText::new(text).color(tokens.dim));
        });
    });
    let mut edge = response.response.rect;
    edge.set_width(3.0);
    ui.painter().rect_filled(edge, CornerRadius::same(2), colour);
}

/// The sign of a freeze state, with its word.
pub fn state_words(state: FreezeState) -> (&'static str, &'static str) {
    match state {
        FreezeState::All(LeafState::Frozen) => (icon::SNOWFLAKE, "frozen"),
        FreezeState::All(LeafState::Thawed) => (icon::FLAME, "thawed"),
        FreezeState::Mixed => (icon::STACK, "mixed"),
    }
}

/// A short fact in a frame.
pub fn chip(ui: &mut Ui, text: &str) {
    let tokens = Tokens::of(ui.ctx());
    let galley = ui.painter().layout_no_wrap(text.to_string(), theme::body(), tokens.dim);
    let (rect, response) = ui.allocate_exact_size(galley.size() + egui::vec2(16.0, 8.0), Sense::hover());
    let corner = CornerRadius::same(theme::CONTROL_CORNER);
    ui.painter().rect(rect, corner, tokens.raised, Stroke::new(1.0, tokens.line), egui::StrokeKind::Inside);
    ui.painter().galley(rect.min + egui::vec2(8.0, 4.0), galley, tokens.dim);
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, text));
}

/// What a question stands in.
pub fn question_frame(ui: &Ui) -> Frame {
    Frame::popup(ui.style()).inner_margin(Margin::same(theme::GAP as i8))
}
