//! Backbone: what is on this machine, what the catalogue and the Hub offer, downloads.

use super::super::theme::{self, Tokens};
use super::super::widgets::{action_button, bar, card, dim, empty, icon_button, line, page_title};
use super::super::{Actions, Scene};
use super::model_card::{CARD, model_card, table_row};
use super::{bytes, duration};
use crate::data::modality::{Modality, listed};
use crate::hub::local::Keep;
use crate::session::models::{Download, KindFilter};
use crate::session::{LocalChoice, Model, Session};
use crate::units;
use egui::{Align, Layout, RichText, Role, ScrollArea, TextEdit, Ui, WidgetInfo, vec2};

/// Space between cards.
const GAP: f32 = 14.0;
/// Choices of the size filter: parameters at most.
const SIZES: [(&str, Option<u64>); 4] = [
    ("Any size", None),
    ("Up to 5 M", Some(5_000_000)),
    ("Up to 25 M", Some(25_000_000)),
    ("Up to 100 M", Some(100_000_000)),
];
const LICENCES: [(&str, Option<&str>); 5] = [
    ("Any licence", None),
    ("Apache-2.0", Some("apache-2.0")),
    ("MIT", Some("mit")),
    ("BSD-3-Clause", Some("bsd-3-clause")),
    ("CC-BY-4.0", Some("cc-by-4.0")),
];
const LANGUAGES: [(&str, Option<&str>); 7] = [
    ("Any language", None),
    ("English", Some("en")),
    ("German", Some("de")),
    ("French", Some("fr")),
    ("Spanish", Some("es")),
    ("Chinese", Some("zh")),
    ("Many languages", Some("multilingual")),
];

/// Search and filters, downloads, cards or a table.
pub fn show(ui: &mut Ui, scene: &Scene, out: &mut Actions) {
    let Some(project) = &scene.session.project else { return };
    let learnt = project.index.modality.facts().familiar;
    let sentence = format!(
        "A network that has already learnt from millions of {learnt}. Yours starts from what it knows."
    );
    page_title(ui, "Backbone", &sentence);
    search(ui, scene.session, out);
    filters(ui, scene.session, out);
    ui.add_space(2.0);
    network_line(ui, scene.session, out);
    for download in &scene.session.models.downloads {
        download_row(ui, download, out);
    }
    if scene.session.models.is_empty() {
        let action = Model::SearchHub;
        let offer = Some((&action, "Search the Hub"));
        empty(ui, scene.session, "Nothing fits", "Widen the filters, or ask the Hub.", offer, out);
        return;
    }
    match scene.session.models.filter.as_table {
        true => table(ui, scene, out),
        false => cards(ui, scene, out),
    }
}

fn search(ui: &mut Ui, session: &Session, out: &mut Actions) {
    let mut filter = session.models.filter.clone();
    let size = vec2(ui.available_width(), theme::CONTROL_HEIGHT);
    ui.allocate_ui_with_layout(size, Layout::right_to_left(Align::Center), |ui| {
        local_menu(ui, out);
        let text = if session.models.is_searching { "Searching…" } else { "Search the Hub" };
        action_button(ui, session, &Model::SearchHub, text, true, out);
        let field = TextEdit::singleline(&mut filter.text)
            .hint_text("Find a model by name")
            .desired_width(ui.available_width())
            .min_size(vec2(0.0, theme::CONTROL_HEIGHT))
            .align(egui::Align2::LEFT_CENTER);
        let response = ui.add(field);
        response.widget_info(|| WidgetInfo::labeled(Role::TextInput, true, "Find a model by name"));
        if response.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter)) {
            out.push(Model::FilterModels(filter.clone()));
            out.push(Model::SearchHub);
        }
    });
    if filter != session.models.filter {
        out.push(Model::FilterModels(filter));
    }
}

fn filters(ui: &mut Ui, session: &Session, out: &mut Actions) {
    let mut filter = session.models.filter.clone();
    ui.horizontal_wrapped(|ui| {
        let only = |m: &Modality| (units::capitalised(m.facts().many), KindFilter::Only(*m));
        let all = units::capitalised(&listed("and"));
        let kinds: Vec<(String, KindFilter)> = [("Suits my data".to_string(), KindFilter::Suitable)]
            .into_iter()
            .chain(Modality::ALL.iter().map(only))
            .chain([(all, KindFilter::All)])
            .collect();
        choose(ui, &kinds, &mut filter.kind);
        choose(ui, &SIZES, &mut filter.largest);
        let licences = LICENCES.map(|(name, id)| (name, id.map(str::to_string)));
        choose(ui, &licences, &mut filter.licence);
        let languages = LANGUAGES.map(|(name, id)| (name, id.map(str::to_string)));
        choose(ui, &languages, &mut filter.language);
        ui.checkbox(&mut filter.here_only, "Here").on_hover_text("Only what is on this machine");
        ui.checkbox(&mut filter.trainable_only, "Trainable")
            .on_hover_text("Hide what this version does not know");
        ui.checkbox(&mut filter.fits_only, "Fits")
            .on_hover_text("Hide what is larger than the memory that is free now");
        ui.checkbox(&mut filter.as_table, "Table").on_hover_text("Rows instead of cards");
    });
    if filter != session.models.filter {
        out.push(Model::FilterModels(filter));
    }
}

/// A backbone that the user has: a folder or a weight file, used where it lies or copied.
fn local_menu(ui: &mut Ui, out: &mut Actions) {
    ui.menu_button("Open a local backbone ▾", |ui| {
        for (words, is_file, keep) in [
            ("A folder, used where it lies…", false, Keep::Referenced),
            ("A folder, copied…", false, Keep::Copied),
            ("A weight file, used where it lies…", true, Keep::Referenced),
            ("A weight file, copied…", true, Keep::Copied),
        ] {
            if ui.button(words).clicked() {
                out.push(Model::ChooseLocalModel(LocalChoice { is_file, keep }));
                ui.close();
            }
        }
    })
    .response
    .on_hover_text("config.json beside model.safetensors, for texts tokenizer.json too");
}

/// A menu that shows what is chosen.
fn choose<T: PartialEq + Clone>(ui: &mut Ui, choices: &[(impl AsRef<str>, T)], chosen: &mut T) {
    let shown = choices.iter().find(|(_, value)| value == chosen).map_or("Other", |(name, _)| name.as_ref());
    ui.menu_button(format!("{shown} ▾"), |ui| {
        for (name, value) in choices {
            if ui.selectable_label(value == chosen, name.as_ref()).clicked() {
                *chosen = value.clone();
                ui.close();
            }
        }
    });
}

/// Who is asked, and that nobody is before the user wishes it.
fn network_line(ui: &mut Ui, session: &Session, out: &mut Actions) {
    let models = &session.models;
    let shown = models.len();
    let words = format!(
        "{shown} shown. Searching, looking up and downloading ask {}; nothing else leaves this computer.",
        models.host
    );
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().interact_size.y = theme::LINE;
        ui.label(RichText::new(words).font(theme::caption()).color(Tokens::of(ui.ctx()).dim));
        if models.search.is_some() && !models.is_searching {
            let more = egui::Button::new(RichText::new("More results").font(theme::caption())).frame(false);
            if ui.add(more).on_hover_text("Ask the Hub for the next results").clicked() {
                out.push(Model::MoreModels);
            }
        }
    });
}

fn download_row(ui: &mut Ui, download: &Download, out: &mut Actions) {
    let tokens = Tokens::of(ui.ctx());
    card(ui, |ui| {
        ui.set_width(ui.available_width());
        line(ui, |ui| {
            super::super::widgets::cell(ui, 220.0, RichText::new(&download.id));
            bar(ui, download.done() as f32, 140.0, tokens.ice);
            let mut parts = Vec::new();
            if download.total > 0 {
                parts.push(format!("{} of {}", bytes(download.bytes), bytes(download.total)));
            }
            match (download.stopping, download.paused, download.seconds_left()) {
                (true, ..) => parts.push("stopping".to_string()),
                (_, true, _) => parts.push("paused".to_string()),
                (.., Some(seconds)) => {
                    parts.push(format!("{}/s", bytes(download.bytes_per_second as u64)));
                    parts.push(format!("{} left", duration(seconds)));
                }
                (.., None) => parts.push("waiting".to_string()),
            }
            dim(ui, parts.join("   "));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let stop = format!("Cancel the download of {}", download.id);
                if icon_button(ui, theme::icon::CLOSE, &stop, !download.stopping).clicked() {
                    out.push(Model::CancelDownload(download.job));
                }
                let (sign, verb) = match download.paused {
                    true => (theme::icon::PLAY, "Go on with"),
                    false => (theme::icon::PAUSE, "Pause"),
                };
                let name = format!("{verb} the download of {}", download.id);
                if icon_button(ui, sign, &name, !download.stopping).clicked() {
                    out.push(Model::PauseDownload(download.job, !download.paused));
                }
            });
        });
    });
}

/// Only rows of cards in sight are painted; the end of the list asks for more.
fn cards(ui: &mut Ui, scene: &Scene, out: &mut Actions) {
    let models = &scene.session.models;
    let width = ui.available_width() - ui.spacing().scroll.allocated_width();
    let per_row = (((width + GAP) / (CARD.x + GAP)) as usize).max(1);
    let side = ((width + GAP) / per_row as f32 - GAP).floor();
    let rows = models.len().div_ceil(per_row);
    ui.spacing_mut().item_spacing.y = GAP;
    ScrollArea::vertical().auto_shrink(false).show_rows(ui, CARD.y, rows, |ui, range| {
        ask_for_more(scene.session, range.end == rows, out);
        for row in range {
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = GAP;
                for model in models.rows_from(row * per_row).take(per_row) {
                    model_card(ui, scene.session, model, vec2(side, CARD.y), out);
                }
            });
        }
    });
}

fn table(ui: &mut Ui, scene: &Scene, out: &mut Actions) {
    let models = &scene.session.models;
    ui.spacing_mut().item_spacing.y = 0.0;
    ScrollArea::vertical().auto_shrink(false).show_rows(ui, theme::TABLE_ROW, models.len(), |ui, range| {
        ask_for_more(scene.session, range.end == models.len(), out);
        for model in models.rows_from(range.start).take(range.len()) {
            table_row(ui, scene.session, model, out);
        }
    });
}

fn ask_for_more(session: &Session, at_end: bool, out: &mut Actions) {
    if at_end && session.models.wants_more() {
        out.push(Model::MoreModels);
    }
}
