//! Backbone: what is on this machine, with facts from the files.

use super::super::theme::{self, Tokens};
use super::super::widgets::{dim, fact_row, line, page_title, section};
use super::super::{Actions, Scene};
use super::{bytes, count};
use crate::backbone::InputSpec;
use crate::data::index::Modality;
use crate::session::Action;
use crate::worker::BackboneFacts;
use egui::{
    CornerRadius, Frame, Margin, RichText, Role, ScrollArea, Sense, Stroke, Ui, UiBuilder, WidgetInfo,
};

const CARD: egui::Vec2 = egui::vec2(253.0, 152.0);

/// Cards; those that do not take the data say so and cannot be chosen.
pub fn show(ui: &mut Ui, scene: &Scene, out: &mut Actions) {
    let Some(project) = &scene.session.project else { return };
    let learnt = match project.index.modality {
        Modality::Image => "pictures",
        Modality::Text => "texts",
    };
    page_title(
        ui,
        "Backbone",
        &format!(
            "A network that has already learnt from millions of {learnt}. Yours starts from what it knows."
        ),
    );
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = egui::vec2(14.0, 14.0);
            let fits =
                |facts: &BackboneFacts| facts.takes_images() == (project.index.modality == Modality::Image);
            let (fitting, others): (Vec<_>, Vec<_>) =
                scene.session.backbones.iter().partition(|facts| fits(facts));
            for facts in fitting.into_iter().chain(others) {
                card(ui, facts, fits(facts), project.recipe.backbone.id == facts.id, out);
            }
        });
    });
}

fn card(ui: &mut Ui, facts: &BackboneFacts, fits: bool, chosen: bool, out: &mut Actions) {
    let tokens = Tokens::of(ui.ctx());
    let (rect, response) = ui.allocate_exact_size(CARD, if fits { Sense::click() } else { Sense::hover() });
    let (width, edge) = match (chosen, response.hovered() || response.has_focus()) {
        (true, _) => (2.0, tokens.ice),
        (false, true) if fits => (1.0, tokens.ice),
        _ => (1.0, tokens.line),
    };
    let corner = CornerRadius::same(theme::CARD_CORNER);
    ui.painter().rect(rect, corner, tokens.panel, Stroke::new(width, edge), egui::StrokeKind::Inside);
    let layout = egui::Layout::top_down(egui::Align::Min);
    let mut inside = ui.new_child(UiBuilder::new().max_rect(rect.shrink(14.0)).layout(layout));
    let ui = &mut inside;
    ui.spacing_mut().item_spacing.y = 6.0;
    line(ui, |ui| {
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let (word, colour) =
                if fits { ("on this machine", tokens.ok) } else { ("takes other data", tokens.warning) };
            ui.label(RichText::new(word).font(theme::caption()).color(colour));
            ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                ui.add(egui::Label::new(RichText::new(&facts.name).font(theme::semibold(14.0))).truncate());
            });
        });
    });
    dim(ui, format!("{}, {}", facts.family, input(&facts.input)));
    ui.add_space(2.0);
    fact_row(
        ui,
        "Parameters, file",
        &format!("{}, {}", count(facts.tree.root().parameters()), bytes(facts.file_bytes)),
    );
    let score = facts.card.published_score.as_deref().map_or("not known", figure_of);
    fact_row(ui, "Published score", score);
    fact_row(ui, "Licence", facts.card.licence.as_deref().unwrap_or("not known"));
    let name = facts.name.clone();
    response.widget_info(|| WidgetInfo::selected(Role::RadioButton, fits, chosen, &name));
    let response = match fits {
        true => response.on_hover_text(facts.card.good_for.clone().unwrap_or_default()),
        false => response.on_hover_text("This backbone takes other data than yours."),
    };
    if response.clicked() && !chosen {
        out.push(Action::ChooseBackbone(facts.id.clone()));
    }
}

/// The figure at the start of a published score: `71.9 %` of `71.9 % ImageNet-1k top-1`.
fn figure_of(score: &str) -> &str {
    match score.find('%') {
        Some(end) => &score[..=end],
        None => score.split([',', ' ']).next().unwrap_or(score),
    }
}

/// `224 px` or `256 tokens`.
fn input(input: &InputSpec) -> String {
    match input {
        InputSpec::Image(spec) => format!("{} px", spec.size),
        InputSpec::Text(spec) => format!("{} tokens", spec.max_tokens),
    }
}

/// With a capital at its start and a full stop at its end.
fn sentence(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    letters.next().map_or(String::new(), |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

/// The chosen backbone.
pub fn inspector(ui: &mut Ui, scene: &Scene, _out: &mut Actions) {
    let Some(facts) = scene.session.backbone() else {
        section(ui, "No backbone");
        dim(ui, "The one that the recipe names is not on this machine. Choose another.");
        return;
    };
    let tokens = Tokens::of(ui.ctx());
    section(ui, &facts.name);
    dim(ui, sentence(facts.card.good_for.as_deref().unwrap_or(facts.family)));
    let preprocessing = match &facts.input {
        InputSpec::Image(spec) => format!("{0} × {0}, RGB", spec.size),
        InputSpec::Text(spec) => format!("text, {} tokens", spec.max_tokens),
    };
    fact_row(ui, "Input", &preprocessing);
    fact_row(ui, "Features", &facts.features.to_string());
    fact_row(ui, "Cuts, layers", &format!("{}, {}", facts.cuts.len(), facts.tree.leaves().len()));
    fact_row(ui, "Revision", facts.card.revision.as_deref().unwrap_or("not known"));
    fact_row(ui, "Folder", &facts.folder.display().to_string());
    ui.add_space(theme::SPACE);
    section(ui, "Origin");
    dim(ui, facts.card.origin.as_deref().unwrap_or("not known"));
    if let (Some(score), Some(source)) = (&facts.card.published_score, &facts.card.published_score_source) {
        ui.add_space(theme::SPACE);
        section(ui, "Published score");
        ui.label(score);
        dim(ui, source);
    }
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
