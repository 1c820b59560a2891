//! The application: owns the session, the worker and the pictures.

use super::dialogs::{Answer, Dialogs, action_for};
use super::pictures::Pictures;
use super::{Actions, Scene, palette, panels, path_field, shell, theme};
use crate::problem::Problem;
use crate::project::Machine;
use crate::session::projects::Remembered;
use crate::session::{
    Action, Effect, Job, Open, Purpose, Session, Step, ThemeChoice, Toast, ToastKind, View,
};
use crate::worker::thumbnails::Thumbnails;
use crate::worker::{Event, StandIn, Wake, Worker};
use egui::{Context, Ui, ViewportCommand};
use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Messages other than failures go away after this time.
const TOAST_TIME: Duration = Duration::from_secs(6);

/// The window's application.
pub struct App {
    session: Session,
    worker: Worker,
    pictures: RefCell<Pictures>,
    dialogs: Dialogs,
    /// The path field that stands in where the system has no dialog.
    path_field: Option<(Purpose, String)>,
    palette: palette::Palette,
    may_close: bool,
}

impl App {
    /// An application with its worker; reads what the last window left.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn new(context: &Context) -> Result<Self, Problem> {
        Self::with_stand_in(context, Machine::cpu(), Arc::new(|_, _| None))
    }

    /// An application whose worker asks `stand_in` first: for tests and benches.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn with_stand_in(context: &Context, machine: Machine, stand_in: StandIn) -> Result<Self, Problem> {
        theme::install(context);
        let waker = context.clone();
        let wake: Wake = Arc::new(move || waker.request_repaint());
        let session = Session::new(&machine, Remembered::load());
        let worker = Worker::with_stand_in(machine, wake.clone(), stand_in).map_err(|e| {
            Problem::other(
                "the worker could not be started",
                e.to_string(),
                "close other programs and try again",
            )
        })?;
        let mut app = Self {
            session,
            worker,
            pictures: RefCell::new(Pictures::new(Thumbnails::start(2, &wake))),
            dialogs: Dialogs::new(),
            path_field: None,
            palette: palette::Palette::default(),
            may_close: false,
        };
        let effects = app.session.start();
        app.run(context, effects);
        Ok(app)
    }

    /// What the window knows; for tests.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// What the window knows, to be set up by tests and benches.
    pub fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Whether a picture was still missing since the last call; for tests.
    pub fn pictures_loading(&self) -> bool {
        self.pictures.borrow_mut().is_loading()
    }

    /// Does one action, as if the user had asked for it.
    pub fn act(&mut self, context: &Context, action: impl Into<Action>) {
        let effects = self.session.apply(action);
        self.run(context, effects);
        self.save_unless_dragging(context);
    }

    /// A drag is written to disk when the button is let go, not at each cut that it passes.
    fn save_unless_dragging(&mut self, context: &Context) {
        if !context.input(|i| i.pointer.any_down()) {
            let effects = self.session.save_recipe();
            self.run(context, effects);
        }
    }

    fn run(&mut self, context: &Context, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send(request) => {
                    let job = request.job;
                    if let Err(problem) = self.worker.send(request) {
                        let effects = self.session.on_event(Event::Failed { job, problem });
                        self.run(context, effects);
                    }
                }
                Effect::Stop(job) => self.worker.stop(job),
                Effect::Pause(job, paused) => self.worker.pause(job, paused),
                Effect::PickFolder(purpose) => self.pick(context, purpose, true),
                Effect::PickFile(purpose) => self.pick(context, purpose, false),
                Effect::ShowFolder(folder) => {
                    if let Err(problem) = super::dialogs::show_folder(&folder) {
                        self.session.fail("The folder was not opened", &problem, None);
                    }
                }
                Effect::Quit => {
                    self.may_close = true;
                    context.send_viewport_cmd(ViewportCommand::Close);
                }
            }
        }
    }

    fn pick(&mut self, context: &Context, purpose: Purpose, folder: bool) {
        if !Dialogs::available() {
            self.path_field = Some((purpose, String::new()));
            return;
        }
        let waker = context.clone();
        self.dialogs.open(purpose, folder, move || waker.request_repaint());
    }

    /// Events of the worker and of the system become actions and changes of the session.
    fn drain(&mut self, context: &Context) {
        for event in self.worker.drain() {
            let effects = self.session.on_event(event);
            self.run(context, effects);
        }
        let mut actions = Vec::new();
        for answer in self.dialogs.drain() {
            match answer {
                Answer::Chosen(purpose, paths) => actions.extend(action_for(purpose, paths)),
                Answer::NoDialog(purpose) => self.path_field = Some((purpose, String::new())),
            }
        }
        let dropped = dropped(context, &self.session);
        if let Some(Action::Open(Open::OpenPath(first))) = dropped.first()
            && context.input(|i| i.raw.dropped_files.len() > 1)
        {
            let text = format!("Only {} is opened. Put files of one kind into one folder.", first.display());
            self.session.toast(ToastKind::Note, "One thing at a time", &text);
        }
        actions.extend(dropped);
        actions.extend(palette::shortcuts(context, &self.session));
        if context.input(|i| i.viewport().close_requested()) && !self.may_close && self.session.is_training()
        {
            context.send_viewport_cmd(ViewportCommand::CancelClose);
            actions.push(View::Quit.into());
        }
        for action in actions {
            self.act(context, action);
        }
        self.save_unless_dragging(context);
        self.let_toasts_go(context);
        context.set_theme(match self.session.remembered.theme {
            ThemeChoice::System => egui::ThemePreference::System,
            ThemeChoice::Light => egui::ThemePreference::Light,
            ThemeChoice::Dark => egui::ThemePreference::Dark,
        });
    }

    /// Removes messages whose time is over; where some are left, wakes the window when the next one's is. Failures
    /// stay until they are dismissed and wake nobody.
    fn let_toasts_go(&mut self, context: &Context) {
        let left = |toast: &Toast| match toast.kind {
            ToastKind::Failure => None,
            ToastKind::Note | ToastKind::Warning => Some(TOAST_TIME.saturating_sub(toast.born.elapsed())),
        };
        self.session.toasts.retain(|toast| left(toast) != Some(Duration::ZERO));
        if let Some(next) = self.session.toasts.iter().filter_map(left).min() {
            context.request_repaint_after(next);
        }
    }

    fn draw(&mut self, ui: &mut Ui) -> Actions {
        let mut out = Actions::default();
        let scene = Scene { session: &self.session, pictures: &self.pictures };
        shell::top_bar(ui, &scene, &mut out);
        shell::bottom_bar(ui, &scene, &mut out);
        shell::rail(ui, &scene, &mut out);
        panels::inspector(ui, &scene, &mut out);
        panels::centre(ui, &scene, &mut out);
        shell::drop_hint(ui, &scene);
        shell::toasts(ui, &scene, &mut out);
        shell::quit_question(ui, &scene, &mut out);
        self.palette.show(ui, &scene, &mut out);
        if let Some((purpose, text)) = &mut self.path_field {
            match path_field::path_field(ui, text) {
                path_field::PathAnswer::Open => {}
                path_field::PathAnswer::Cancelled => self.path_field = None,
                path_field::PathAnswer::Chosen(path) => {
                    out.extend(action_for(*purpose, vec![path]));
                    self.path_field = None;
                }
            }
        }
        out
    }
}

impl Drop for App {
    /// What was changed last goes to the worker, which writes it before it ends.
    fn drop(&mut self) {
        for effect in self.session.last_writes() {
            if let Effect::Send(request) = effect {
                // A worker that takes nothing any more writes nothing either: nobody is left to tell.
                let _ = self.worker.send(request);
            }
        }
    }
}

impl eframe::App for App {
    fn logic(&mut self, context: &Context, _frame: &mut eframe::Frame) {
        self.drain(context);
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        let actions = self.draw(ui);
        if !actions.0.is_empty() {
            ui.ctx().request_repaint();
        }
        for action in actions.0 {
            self.act(&ui.ctx().clone(), action);
        }
    }
}

/// What dropped files mean: on Try they are tried, on Evaluate a folder is a test set, elsewhere they are opened.
fn dropped(context: &Context, session: &Session) -> Vec<Action> {
    let has_project = session.project.is_some();
    let paths: Vec<PathBuf> =
        context.input(|i| i.raw.dropped_files.iter().map(|f| f.path().to_path_buf()).collect());
    let Some(first) = paths.first().cloned() else { return Vec::new() };
    match session.step {
        Step::Try if has_project || session.tries.export.is_some() => vec![Job::TryFiles(paths).into()],
        Step::Evaluate if has_project => {
            vec![Job::Evaluate(crate::worker::EvaluateOn::Data(first)).into()]
        }
        Step::Data
        | Step::Backbone
        | Step::Layers
        | Step::Train
        | Step::Evaluate
        | Step::Try
        | Step::Export => vec![Open::OpenPath(first).into()],
    }
}
