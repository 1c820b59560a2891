//! The system's dialogs for folders and files, each on a thread of its own.

use crate::session::{Action, Purpose};
use crate::worker::EvaluateOn;
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::path::PathBuf;

/// Asks the system for paths; where it has no dialog, the window's own path field stands in.
pub struct Dialogs {
    answers: Receiver<(Purpose, Vec<PathBuf>)>,
    sender: Sender<(Purpose, Vec<PathBuf>)>,
}

impl Dialogs {
    pub fn new() -> Self {
        let (sender, answers) = unbounded();
        Self { answers, sender }
    }

    /// Whether this system has dialogs: a portal is reached over the session bus, else zenity is called.
    pub fn available() -> bool {
        cfg!(not(target_os = "linux"))
            || std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some()
            || std::env::var_os("PATH")
                .is_some_and(|paths| std::env::split_paths(&paths).any(|p| p.join("zenity").is_file()))
    }

    /// Opens a dialog; `wake` is called when it is closed.
    pub fn open(&self, purpose: Purpose, folder: bool, wake: impl Fn() + Send + 'static) {
        let sender = self.sender.clone();
        let ask = move || {
            let dialog = rfd::FileDialog::new();
            let chosen = match (folder, purpose) {
                (true, _) => dialog.pick_folder().into_iter().collect(),
                (false, Purpose::Try) => dialog.pick_files().unwrap_or_default(),
                (false, _) => dialog.pick_file().into_iter().collect(),
            };
            // The window may have been closed meanwhile.
            let _ = sender.send((purpose, chosen));
            wake();
        };
        // Without a thread there is no dialog; dropping files still works.
        let _ = std::thread::Builder::new().name("dialog".into()).spawn(ask);
    }

    /// What was chosen since the last call, as actions.
    pub fn drain(&self) -> Vec<Action> {
        self.answers.try_iter().filter_map(|(purpose, paths)| action_for(purpose, paths)).collect()
    }
}

/// What a chosen path means.
pub fn action_for(purpose: Purpose, paths: Vec<PathBuf>) -> Option<Action> {
    let first = paths.first().cloned()?;
    Some(match purpose {
        Purpose::Open => Action::OpenPath(first),
        Purpose::TestSet => Action::Evaluate(EvaluateOn::Data(first)),
        Purpose::Try => Action::TryFiles(paths),
        Purpose::Export => Action::SetExportPath(first.join("export").display().to_string()),
    })
}
