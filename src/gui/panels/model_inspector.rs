//! The selected model: facts, whether it can be used here, download, what can be done with one that is kept.

use super::super::theme::{self, Tokens};
use super::super::widgets::{action_button, dim, fact_row, section};
use super::super::{Actions, Scene};
use super::{bytes, count, duration};
use crate::hub::ModelPage;
use crate::hub::library::{Kept, Source};
use crate::session::models::{ModelRow, Place};
use crate::session::{Model, Session};
use crate::worker::BackboneFacts;
use egui::{CornerRadius, Frame, Margin, RichText, Ui};

/// The selected model, else the chosen backbone.
pub fn show(ui: &mut Ui, scene: &Scene, out: &mut Actions) {
    let session = scene.session;
    let selected = session.models.selected.as_ref().and_then(|id| session.models.row(id));
    match selected.filter(|row| row.place != Place::Here) {
        Some(row) => remote(ui, session, row, out),
        None => {
            let id = session.models.selected.as_ref();
            let facts = id.and_then(|id| session.backbones.iter().find(|b| b.id == *id));
            match facts.or(session.backbone()) {
                Some(facts) => here(ui, session, facts, out),
                None => {
                    section(ui, "No backbone");
                    missing(ui, session, out);
                }
            }
        }
    }
}

/// The project's backbone is not here: which one it is, and how to get it.
fn missing(ui: &mut Ui, session: &Session, out: &mut Actions) {
    let Some(backbone) = session.project.as_ref().map(|project| &project.recipe.backbone) else { return };
    dim(ui, "The backbone that the recipe names is not on this machine.");
    fact_row(ui, "Name", &backbone.id);
    let commit = backbone.revision.as_deref();
    fact_row(ui, "Revision", commit.and_then(|c| c.get(..12)).unwrap_or("not known"));
    fact_row(ui, "SHA-256", backbone.sha256.get(..12).unwrap_or(&backbone.sha256));
    // The Hub's names have an owner.
    if backbone.id.contains('/') {
        let action = Model::DownloadModel(backbone.id.clone());
        action_button(ui, session, &action, "Download it", true, out);
    } else {
        dim(ui, "Copy its folder from the other machine and open it here, or choose another backbone.");
    }
}

/// A model that is not on this machine.
fn remote(ui: &mut Ui, session: &Session, row: &ModelRow, out: &mut Actions) {
    let tokens = Tokens::of(ui.ctx());
    section(ui, &row.name);
    ui.label(RichText::new(&row.id).font(theme::mono()).color(tokens.dim));
    if !row.good_for.is_empty() {
        dim(ui, sentence(&row.good_for));
    }
    if let Some(why) = &row.unsupported {
        ui.label(RichText::new(sentence(why)).color(tokens.warning));
    }
    let page = session.models.pages.get(&row.id);
    let parameters = page.and_then(|p| p.parameters).or(row.parameters);
    fact_row(ui, "Parameters", &parameters.map_or("not known".into(), |n| count(n as usize)));
    fact_row(ui, "Licence", row.licence.as_deref().unwrap_or("not known"));
    if let Some(downloads) = row.downloads {
        fact_row(ui, "Downloads a month", &count(downloads as usize));
    }
    match page {
        Some(page) => page_facts(ui, page),
        None => {
            ui.add_space(4.0);
            let action = Model::LookUpModel(row.id.clone());
            action_button(ui, session, &action, "Look it up on the Hub", false, out);
        }
    }
    score(ui, row.score.as_deref(), row.score_source.as_deref());
    ui.add_space(theme::SPACE);
    offer(ui, session, row, page, out);
}

fn page_facts(ui: &mut Ui, page: &ModelPage) {
    let tokens = Tokens::of(ui.ctx());
    fact_row(ui, "Input", page.input.as_deref().unwrap_or("not known"));
    fact_row(ui, "Weights", page.dtype.as_deref().unwrap_or("not known"));
    fact_row(ui, "Revision", page.revision.get(..12).unwrap_or(&page.revision));
    fact_row(ui, "To download", &page.download_bytes.map_or("not known".into(), bytes));
    if page.here_bytes > 0 {
        fact_row(ui, "Already here", &bytes(page.here_bytes));
    }
    if let Some(seconds) = page.download_seconds {
        fact_row(ui, "Download takes about", &duration(seconds));
    }
    if let (Some(needed), Some(free)) = (page.memory_bytes, page.free_memory_bytes) {
        fact_row(ui, "Memory needed, free", &format!("{}, {}", bytes(needed), bytes(free)));
    }
    for (fits, words) in [
        (page.fits_memory, "Its weights are larger than the free memory."),
        (page.fits_disk, "The disk has no room for it."),
    ] {
        if fits == Some(false) {
            ui.label(RichText::new(words).color(tokens.warning));
        }
    }
    if let Some(why) = &page.reason {
        ui.label(RichText::new(sentence(why)).color(tokens.warning));
    }
    if page.gated {
        dim(ui, "Its owner asks who uses it: accept the terms on its page and set HF_TOKEN.");
    }
}

/// The download, or why there is none.
fn offer(ui: &mut Ui, session: &Session, row: &ModelRow, page: Option<&ModelPage>, out: &mut Actions) {
    if session.models.download(&row.id).is_some() {
        dim(ui, "It is being downloaded; see above.");
        return;
    }
    let needs_pickle = page.is_some_and(|page| page.needs_pickle);
    let is_refused = page.map_or(row.unsupported.is_some(), |page| !page.supported);
    if is_refused && !needs_pickle {
        dim(ui, "This version cannot train it.");
        return;
    }
    if needs_pickle {
        dim(
            ui,
            "Only pytorch_model.bin is there, a format that can hold programs. It is read by a reader that runs none, and kept as safetensors.",
        );
        let mut allow = session.models.allow_pickle;
        ui.checkbox(&mut allow, "Yes, convert it");
        if allow != session.models.allow_pickle {
            out.push(Model::AllowPickle(allow));
        }
        if !allow {
            return;
        }
    }
    let text = page
        .and_then(|page| page.download_bytes)
        .map_or("Download".to_string(), |size| format!("Download {}", bytes(size)));
    action_button(ui, session, &Model::DownloadModel(row.id.clone()), &text, true, out);
}

fn score(ui: &mut Ui, score: Option<&str>, source: Option<&str>) {
    let (Some(score), Some(source)) = (score, source) else { return };
    ui.add_space(theme::SPACE);
    section(ui, "Published score");
    ui.label(score);
    dim(ui, source);
}

/// A backbone on this machine.
fn here(ui: &mut Ui, session: &Session, facts: &BackboneFacts, out: &mut Actions) {
    let tokens = Tokens::of(ui.ctx());
    section(ui, &facts.name);
    dim(ui, sentence(facts.card.good_for.as_deref().unwrap_or(facts.family)));
    let long = facts.input.modality().facts().input.long;
    fact_row(ui, "Input", &long(facts.input.size()));
    fact_row(ui, "Features", &facts.features.to_string());
    fact_row(ui, "Cuts, layers", &format!("{}, {}", facts.cuts.len(), facts.tree.leaves().len()));
    let revision = facts.commit.as_deref().and_then(|commit| commit.get(..12));
    fact_row(ui, "Revision", revision.or(facts.card.revision.as_deref()).unwrap_or("not known"));
    fact_row(ui, "Folder", &facts.folder.display().to_string());
    if let Some(kept) = session.models.kept.iter().find(|kept| kept.id == facts.id) {
        keeping(ui, session, kept, out);
    }
    ui.add_space(theme::SPACE);
    section(ui, "Origin");
    dim(ui, facts.card.origin.as_deref().unwrap_or("not known"));
    score(ui, facts.card.published_score.as_deref(), facts.card.published_score_source.as_deref());
    ui.add_space(theme::SPACE);
    section(ui, "SHA-256 of the weights");
    Frame::new()
        .fill(tokens.raised)
        .inner_margin(Margin::same(8))
        .corner_radius(CornerRadius::same(theme::CONTROL_CORNER))
        .show(ui, |ui| {
            ui.label(RichText::new(&facts.sha256).font(theme::mono()).color(tokens.dim));
        });
}

/// Size, use, and what can be done with the files.
fn keeping(ui: &mut Ui, session: &Session, kept: &Kept, out: &mut Actions) {
    fact_row(ui, "On the disk", &bytes(kept.bytes));
    let projects = kept.used_by.len();
    let used = match projects {
        0 => "no recent project".to_string(),
        1 => "1 recent project".to_string(),
        many => format!("{many} recent projects"),
    };
    fact_row(ui, "Used by", &used);
    if kept.source == Source::Cache {
        dim(ui, "Kept where all Hugging Face programs look: removed here, it is gone for them too.");
    }
    ui.horizontal_wrapped(|ui| {
        action_button(ui, session, &Model::VerifyModel(kept.id.clone()), "Check its files", false, out);
        if kept.source == Source::Cache {
            action_button(ui, session, &Model::RepairModel(kept.id.clone()), "Repair", false, out);
        }
        if kept.source != Source::Bundled {
            let asked = session.models.asks_to_remove.as_ref() == Some(&kept.id);
            let text = if asked { "Really remove" } else { "Remove" };
            action_button(ui, session, &Model::RemoveModel(kept.id.clone()), text, false, out);
        }
    });
}

/// With a capital at its start and a full stop at its end.
fn sentence(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    letters.next().map_or(String::new(), |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}
