//! The window: drains events, applies actions, then draws; in that order, once a frame. Panels take the session
//! and emit actions; they do no input or output and know no tensor.

mod app;
mod dialogs;
mod palette;
mod panels;
mod path_field;
mod pictures;
mod shell;
pub mod theme;
mod widgets;

pub use app::App;

use crate::problem::{Problem, Result};
use crate::session::{Action, Session};
use pictures::Pictures;
use std::cell::RefCell;

/// What a panel gets besides its place on the screen.
pub struct Scene<'a> {
    pub session: &'a Session,
    pub pictures: &'a RefCell<Pictures>,
}

/// What panels give back.
#[derive(Default)]
pub struct Actions(Vec<Action>);

impl Actions {
    /// Adds an action of any group.
    pub fn push(&mut self, action: impl Into<Action>) {
        self.0.push(action.into());
    }

    /// Adds actions in their order.
    pub fn extend(&mut self, actions: impl IntoIterator<Item = Action>) {
        self.0.extend(actions);
    }
}

/// Opens the window and returns when it is closed.
///
/// # Errors
/// There is no display, or the graphics system cannot be used.
pub fn run() -> Result<()> {
    let options = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_title("Frostline")
            .with_app_id("frostline")
            .with_inner_size([1280.0, 800.0])
            .with_min_inner_size([900.0, 520.0])
            .with_drag_and_drop(true),
        renderer: eframe::Renderer::Glow,
        ..Default::default()
    };
    eframe::run_native("Frostline", options, Box::new(|context| Ok(Box::new(App::new(&context.egui_ctx)?))))
        .map_err(|e| {
            Problem::other(
                "the window could not be opened",
                e.to_string(),
                "check that there is a display; the command line works without: `frostline --help`",
            )
        })
}
