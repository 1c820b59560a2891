//! The system's dialogs for folders and files, each on a thread of its own.

use crate::problem::{Problem, Result};
use crate::session::{Action, Job, Model, Open, Purpose, free_beside};
use crate::worker::EvaluateOn;
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A dialog that is closed sooner was never seen.
const QUICKEST: Duration = Duration::from_millis(250);

/// How a dialog ended.
pub enum Answer {
    /// No path where it was cancelled.
    Chosen(Purpose, Vec<PathBuf>),
    /// The system promised dialogs and has none.
    NoDialog(Purpose),
}

/// Asks the system for paths; where it has no dialog, the window's own path field stands in.
pub struct Dialogs {
    answers: Receiver<Answer>,
    sender: Sender<Answer>,
}

impl Dialogs {
    /// No dialog is open yet.
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
            let opened = Instant::now();
            let dialog = rfd::FileDialog::new();
            let chosen: Vec<PathBuf> = match (folder, purpose) {
                (true, _) => dialog.pick_folder().into_iter().collect(),
                (false, Purpose::Try) => dialog.pick_files().unwrap_or_default(),
                (false, _) => dialog.pick_file().into_iter().collect(),
            };
            let answer = match chosen {
                // Nobody closes a dialog so quickly: there was none.
                paths if paths.is_empty() && opened.elapsed() < QUICKEST => Answer::NoDialog(purpose),
                paths => Answer::Chosen(purpose, paths),
            };
            // The window may have been closed meanwhile.
            let _ = sender.send(answer);
            wake();
        };
        // Without a thread there is no dialog; dropping files still works.
        let _ = std::thread::Builder::new().name("dialog".into()).spawn(ask);
    }

    /// What was answered since the last call.
    pub fn drain(&self) -> Vec<Answer> {
        self.answers.try_iter().collect()
    }
}

/// Shows a folder in the system's file manager.
///
/// # Errors
/// There is none, or the folder is gone.
pub fn show_folder(folder: &Path) -> Result<()> {
    let program = match std::env::consts::OS {
        "windows" => "explorer",
        "macos" => "open",
        _ => "xdg-open",
    };
    let remedy = "open it with the system's own file manager";
    let fail = |why: String| Problem::other("could not show the folder", why, remedy).at(folder);
    if !folder.is_dir() {
        return Err(fail("it is not there any more".to_string()));
    }
    let started = std::process::Command::new(program).arg(folder).spawn();
    let mut child = started.map_err(|e| fail(format!("{program}: {e}")))?;
    // Whoever began a program must hear of its end, or it stays behind as a zombie.
    let reap = std::thread::Builder::new().name("folder".into()).spawn(move || child.wait());
    reap.map(drop).map_err(|e| fail(e.to_string()))
}

/// What a chosen path means.
pub fn action_for(purpose: Purpose, paths: Vec<PathBuf>) -> Option<Action> {
    let first = paths.first().cloned()?;
    Some(match purpose {
        Purpose::Open => Open::OpenPath(first).into(),
        Purpose::TestSet => Job::Evaluate(EvaluateOn::Data(first)).into(),
        Purpose::Try => Job::TryFiles(paths).into(),
        Purpose::Backbone(keep) => Model::AddLocalModel(first, keep).into(),
        Purpose::Export => {
            Job::SetExportPath(free_beside(&first.join("export")).display().to_string()).into()
        }
    })
}
