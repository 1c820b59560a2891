//! A field for a path, where the system has no dialog.

use super::widgets::question_frame;
use super::widgets::section;
use egui::{Key, Modal, Ui};
use std::path::PathBuf;

/// What the path field says.
pub enum PathAnswer {
    Open,
    Cancelled,
    Chosen(PathBuf),
}

/// Stands in for the system's dialog where there is none: a path with completion.
pub fn path_field(ui: &mut Ui, text: &mut String) -> PathAnswer {
    let mut answer = PathAnswer::Open;
    let modal = Modal::new(egui::Id::unique("path")).frame(question_frame(ui)).show(ui.ctx(), |ui| {
        ui.set_width(520.0);
        section(ui, "Which folder or file?");
        super::widgets::dim(ui, "This system has no file dialog. Type the path, or drop it on the window.");
        let label = ui.label("Path");
        let field =
            ui.add(egui::TextEdit::singleline(text).desired_width(f32::INFINITY)).labelled_by(label.id);
        if ui.memory(|m| m.focused().is_none()) {
            field.request_focus();
        }
        for path in known_completions(ui, text) {
            let shown = path.display().to_string();
            if ui.add(egui::Button::new(&shown).frame(false)).clicked() {
                *text = if path.is_dir() { format!("{shown}/") } else { shown };
            }
        }
        ui.horizontal(|ui| {
            if ui.button("Cancel").clicked() {
                answer = PathAnswer::Cancelled;
            }
            let path = PathBuf::from(text.trim());
            let is_there = path.exists();
            let entered = ui.input(|i| i.key_pressed(Key::Enter));
            if (ui.add_enabled(is_there, egui::Button::new("Open")).clicked() || entered) && is_there {
                answer = PathAnswer::Chosen(path);
            }
        });
    });
    if modal.should_close() { PathAnswer::Cancelled } else { answer }
}

/// The completions of `text`, read from the disk when it changes only.
fn known_completions(ui: &Ui, text: &str) -> Vec<PathBuf> {
    let id = egui::Id::unique("completions");
    let known = ui.data(|d| d.get_temp::<(String, Vec<PathBuf>)>(id)).filter(|(of, _)| of == text);
    known.map(|(_, paths)| paths).unwrap_or_else(|| {
        let paths = completions(text);
        ui.data_mut(|d| d.insert_temp(id, (text.to_string(), paths.clone())));
        paths
    })
}

/// Up to eight paths that begin with what was typed.
fn completions(text: &str) -> Vec<PathBuf> {
    let typed = PathBuf::from(text);
    let (folder, start) = match text.ends_with('/') || text.is_empty() {
        true => (typed.clone(), String::new()),
        false => (
            typed.parent().map(PathBuf::from).unwrap_or_default(),
            typed.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default(),
        ),
    };
    let folder = if folder.as_os_str().is_empty() { PathBuf::from("/") } else { folder };
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .take(2000)
        .filter(|e| {
            let name = e.file_name().to_string_lossy().to_lowercase();
            name.starts_with(&start) && !name.starts_with('.')
        })
        .map(|e| e.path())
        .collect();
    found.sort();
    found.truncate(8);
    found
}
