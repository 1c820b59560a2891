//! The form of the recipe in Train: a field for each setting that applies.

use super::super::Actions;
use super::super::theme::Tokens;
use super::super::widgets::dim;
use crate::project::Recipe;
use crate::project::settings::{Drag, Kind, Look, Offer, Place, SETTINGS, Setting, Shown};
use crate::session::{Edit, OpenProject};
use egui::{Align, Checkbox, DragValue, Layout, Response, RichText, Ui};
use std::ops::RangeInclusive;

/// Width of a field.
const FIELD: f32 = 108.0;

/// Every field checks itself; what is wrong stands below it and nothing is trained until it is mended.
pub fn recipe_form(ui: &mut Ui, project: &OpenProject, thaws_batch_norm: bool, out: &mut Actions) {
    let now = &project.recipe;
    let mut recipe = now.clone();
    let shown = Shown { recipe: now, thaws_batch_norm };
    let mut changed = fields(ui, &shown, Place::Form, &mut recipe);
    egui::CollapsingHeader::new("More settings").show(ui, |ui| {
        changed = fields(ui, &shown, Place::More, &mut recipe).or(changed);
        dim(ui, format!("Schedule: {}.", now.training.schedule.shape()));
    });
    if let Err(why) = now.check() {
        let tokens = Tokens::of(ui.ctx());
        ui.label(RichText::new(why).color(tokens.error));
    }
    let Some(setting) = changed else { return };
    if recipe.training != now.training {
        out.push(Edit::SetTraining { training: recipe.training, field: setting.words });
    }
    if recipe.cache != now.cache {
        out.push(Edit::SetCache(recipe.cache.enabled));
    }
}

/// The fields of one place; gives the one that was changed.
fn fields(ui: &mut Ui, shown: &Shown, place: Place, recipe: &mut Recipe) -> Option<&'static Setting> {
    let mut changed = None;
    let here = SETTINGS.iter().filter(|setting| setting.place == place && setting.is_offered());
    for setting in here.filter(|setting| (setting.shown)(shown)) {
        let tooltip = (setting.tooltip)(shown.recipe);
        ui.horizontal(|ui| {
            let label = ui.label(setting.words).on_hover_text(&tooltip);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                ui.spacing_mut().interact_size.x = FIELD;
                let response = field(ui, setting, recipe).labelled_by(label.id).on_hover_text(&tooltip);
                if response.changed() {
                    changed = Some(setting);
                }
            });
        });
    }
    changed
}

/// The widget for the kind of value; writes into `recipe` what was entered.
fn field(ui: &mut Ui, setting: &Setting, recipe: &mut Recipe) -> Response {
    match setting.kind {
        Kind::Integer { low, high, get, set } => {
            let mut value = get(recipe);
            let response = ui.add(DragValue::new(&mut value).range(low..=high));
            if response.changed() {
                set(recipe, value);
            }
            response
        }
        Kind::Real { low, high, drag, get, set } => {
            let mut value = get(recipe);
            let response = real(ui, &mut value, low..=high, drag);
            if response.changed() {
                set(recipe, value);
            }
            response
        }
        Kind::Choice { offers, get, set } => {
            let mut chosen = get(recipe);
            let response = choice(ui, setting.words, &mut chosen, &offers());
            if response.changed() {
                set(recipe, chosen);
            }
            response
        }
        Kind::Switch { get, set } => {
            let mut on = get(recipe);
            let response = ui.add(Checkbox::without_text(&mut on));
            if response.changed() {
                set(recipe, on);
            }
            response
        }
    }
}

fn real(ui: &mut Ui, value: &mut f64, range: RangeInclusive<f64>, drag: Drag) -> Response {
    let mut widget = DragValue::new(value).range(range).speed(drag.speed);
    if let Some(decimals) = drag.decimals {
        widget = widget.max_decimals(decimals);
    }
    ui.add(match drag.look {
        Look::Plain => widget,
        Look::Scientific => {
            widget.custom_formatter(|v, _| format!("{v:e}")).custom_parser(|t| t.trim().parse().ok())
        }
        Look::OffAtZero => widget
            .custom_formatter(|v, _| if v == 0.0 { "off".to_string() } else { format!("{v}") })
            .custom_parser(|t| if t.trim() == "off" { Some(0.0) } else { t.trim().parse().ok() }),
    })
}

/// A field with few values to choose from, its `name` unlike those beside it; the response says whether another was
/// chosen.
fn choice(ui: &mut Ui, name: &str, chosen: &mut &'static str, offers: &[Offer]) -> Response {
    let before = *chosen;
    let shown = offers.iter().find(|offer| offer.key == before).map_or("", |offer| offer.words);
    let combo = egui::ComboBox::from_id_salt(name).width(FIELD).selected_text(shown);
    let mut response = combo
        .show_ui(ui, |ui| {
            for offer in offers {
                ui.selectable_value(chosen, offer.key, offer.words);
            }
        })
        .response;
    if *chosen != before {
        response.mark_changed();
    }
    response
}
