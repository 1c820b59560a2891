//! What the tests of the command line share: the program, datasets made on the spot, runs compared bit by bit.

#![allow(dead_code, reason = "each file of tests uses a part of this")]

use image::{Rgb, RgbImage};
use safetensors::SafeTensors;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// Compute threads of every training that is compared with another.
pub const THREADS: &str = "2";

/// The colours of the classes of [`Scratch::images`].
pub const COLOURS: [(&str, [u8; 3]); 3] =
    [("blue", [40, 60, 200]), ("green", [50, 190, 60]), ("red", [210, 50, 40])];

/// What the program said and how it ended.
#[derive(Debug)]
pub struct Answer {
    /// The exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Answer {
    /// Every answer passes here, so that no panic goes unnoticed.
    pub fn new(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program writes UTF-8");
        let answer =
            Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) };
        assert!(!answer.stderr.contains("panicked"), "{answer:#?}");
        assert!(!answer.stdout.contains("panicked"), "{answer:#?}");
        answer
    }

    /// Asserts the exit code.
    #[track_caller]
    pub fn code(self, expected: i32) -> Self {
        assert_eq!(self.code, Some(expected), "{self:#?}");
        self
    }

    /// Asserts that stderr holds `part`.
    #[track_caller]
    pub fn says(self, part: &str) -> Self {
        assert!(self.stderr.contains(part), "{part:?} is not in {self:#?}");
        self
    }

    /// Every line of stdout as JSON.
    #[track_caller]
    pub fn lines(&self) -> Vec<Value> {
        self.stdout.lines().map(parse).collect()
    }

    /// The one JSON object on stdout.
    #[track_caller]
    pub fn object(&self) -> Value {
        let lines = self.lines();
        assert_eq!(lines.len(), 1, "{self:#?}");
        lines.into_iter().next().unwrap()
    }
}

#[track_caller]
fn parse(line: &str) -> Value {
    let value: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {line:?}"));
    assert!(value.is_object(), "{line:?}");
    value
}

/// The program with an environment of its own: the bundled assets, nothing of the user's.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_frostline"));
    let nowhere = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nowhere");
    command
        .env("FROSTLINE_ASSETS", Path::new(env!("CARGO_MANIFEST_DIR")).join("assets"))
        .env("FROSTLINE_HOME", &nowhere)
        .env("HF_HOME", &nowhere)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null());
    for name in OF_THE_USER {
        command.env_remove(name);
    }
    command
}

/// What a user's environment may say about the Hub.
pub const OF_THE_USER: [&str; 14] = [
    "HF_HUB_CACHE",
    "HUGGINGFACE_HUB_CACHE",
    "HF_ENDPOINT",
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "HF_TOKEN_PATH",
    "HF_HUB_OFFLINE",
    "TRANSFORMERS_OFFLINE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
];

/// Runs the program to its end.
pub fn frostline<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Answer {
    Answer::new(program().args(arguments).output().expect("the program starts"))
}

/// Shorthand for a list of arguments of different kinds.
#[macro_export]
macro_rules! run {
    ($($argument:expr),+ $(,)?) => {
        $crate::support::frostline([$(std::ffi::OsStr::new(&$argument)),+])
    };
}

/// A training that goes on beside the test.
pub struct Training {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
    pub seen: Vec<Value>,
}

impl Training {
    /// Starts `train project --json` with more arguments.
    pub fn start(project: &Path, more: &[&str]) -> Self {
        let mut command = program();
        command.args(["train", "--json", "--threads", THREADS]).arg(project).args(more);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout, seen: Vec::new() }
    }

    /// Waits for the next event; `None` where there is none any more.
    pub fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        match self.stdout.read_line(&mut line) {
            // A killed program may leave half a line.
            Ok(n) if n > 0 && line.ends_with('\n') => {
                self.seen.push(parse(&line));
                self.seen.last().cloned()
            }
            _ => None,
        }
    }

    /// Waits until `count` events called `name` came.
    #[track_caller]
    pub fn wait_for(&mut self, name: &str, count: usize) {
        for _ in 0..count {
            while self.next().unwrap_or_else(|| panic!("no {name} came: {:?}", self.seen))["event"] != name {}
        }
    }

    /// SIGINT, as Ctrl+C sends it.
    pub fn interrupt(&self) {
        // The shell's own `kill` is there wherever a shell is.
        let done = Command::new("sh").args(["-c", &format!("kill -INT {}", self.child.id())]).status();
        assert!(done.unwrap().success());
    }

    /// Of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// SIGKILL; false where the program had ended before.
    pub fn kill(&mut self) -> bool {
        let alive = self.is_running();
        self.child.kill().unwrap();
        alive
    }

    /// Waits for the end.
    pub fn end(mut self) -> (Answer, Vec<Value>) {
        while self.next().is_some() {}
        let mut stderr = Vec::new();
        self.child.stderr.take().unwrap().read_to_end(&mut stderr).unwrap();
        let status = self.child.wait().unwrap();
        (Answer::new(Output { status, stdout: Vec::new(), stderr }), self.seen)
    }
}

/// A folder for datasets and projects.
pub struct Scratch {
    folder: PathBuf,
    _removed_when_dropped: Option<TempDir>,
}

impl Scratch {
    /// A folder that is removed at the end of the test.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder: folder.path().to_path_buf(), _removed_when_dropped: Some(folder) }
    }

    /// A folder that several tests share: emptied now, left behind in Cargo's folder for tests.
    pub fn shared(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Self { folder, _removed_when_dropped: None }
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.folder.join(relative)
    }

    /// A file with this content; folders on the way are made.
    pub fn file(&self, relative: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(relative);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Three folders with `each` PNG images of 64 x 48: a colour with noise and stripes.
    pub fn images(&self, relative: &str, each: u32) -> PathBuf {
        let root = self.path(relative);
        for (class, (name, _)) in COLOURS.iter().enumerate() {
            std::fs::create_dir_all(root.join(name)).unwrap();
            for number in 0..each {
                picture(class, number).save(root.join(name).join(format!("{number:02}.png"))).unwrap();
            }
        }
        root
    }

    /// A CSV of `rows` short texts of two classes, columns `words` and `mood`.
    pub fn table(&self, relative: &str, rows: usize) -> PathBuf {
        let lines: String = texts(rows).iter().map(|(text, mood)| format!("\"{text}\",{mood}\n")).collect();
        self.file(relative, format!("words,mood\n{lines}"))
    }
}

/// Image number `number` of class number `class`: the same in every run of the tests.
pub fn picture(class: usize, number: u32) -> RgbImage {
    let colour = COLOURS[class].1;
    RgbImage::from_fn(64, 48, |x, y| {
        let noise = mix(u64::from(x) << 40 | u64::from(y) << 20 | u64::from(number) << 4 | class as u64);
        let stripe = if (x + number * y) % (7 + number) < 3 { 30 } else { 0 };
        let level = |n: usize| colour[n].saturating_sub(stripe).saturating_add((noise >> (8 * n)) as u8 % 40);
        Rgb([level(0), level(1), level(2)])
    })
}

/// Short texts with a label each, two classes in turn.
pub fn texts(rows: usize) -> Vec<(String, &'static str)> {
    const THINGS: [&str; 6] = ["film", "phone", "meal", "book", "hotel", "game"];
    const GOOD: [&str; 4] = ["wonderful", "a joy", "better than hoped", "worth every cent"];
    const BAD: [&str; 4] = ["terrible", "a bore", "broken after a day", "a waste of money"];
    (0..rows)
        .map(|n| {
            let (thing, words) = (THINGS[n / 2 % 6], n / 12 % 4);
            match n % 2 {
                0 => (format!("The {thing} number {n} was {}.", GOOD[words]), "good"),
                _ => (format!("The {thing} number {n} was {}.", BAD[words]), "bad"),
            }
        })
        .collect()
}

/// A well-mixed function of a number (SplitMix64): the tests' only randomness.
pub fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The names of the events, in their order.
pub fn names(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event"].as_str().unwrap()).collect()
}

/// The keys of a JSON object, sorted.
pub fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// What must not depend on how often a run was interrupted.
#[derive(Debug, PartialEq)]
pub struct Result {
    /// Of each epoch: training loss, validation loss, accuracy, macro F1, as bits.
    pub epochs: Vec<[u64; 4]>,
    pub best_epoch: u64,
    /// Name and bytes of each tensor of the best epoch and of the checkpoint.
    pub best: BTreeMap<String, Vec<u8>>,
    pub checkpoint: BTreeMap<String, Vec<u8>>,
    /// Loss and rate of each step, as bits, from the history.
    pub steps: Vec<[u64; 3]>,
}

impl Result {
    /// The result of run `run` of `project`, which must have finished.
    pub fn of(project: &Path, run: &str) -> Self {
        let folder = project.join("runs").join(run);
        let record: Value = serde_json::from_slice(&std::fs::read(folder.join("run.json")).unwrap()).unwrap();
        assert_eq!(record["state"], "finished", "{record:#}");
        let best_epoch = record["best_epoch"].as_u64().unwrap();
        let bits = |value: &Value| value.as_f64().unwrap().to_bits();
        let epoch =
            |e: &Value| ["train_loss", "val_loss", "val_accuracy", "val_macro_f1"].map(|key| bits(&e[key]));
        let history = std::fs::read_to_string(folder.join("history.jsonl")).unwrap();
        let steps = history.lines().map(parse).filter(|line| line["event"] == "step");
        Self {
            epochs: record["epochs"].as_array().unwrap().iter().map(epoch).collect(),
            best_epoch,
            best: tensors(&folder.join(format!("best-{best_epoch:04}.safetensors"))),
            checkpoint: tensors(&folder.join("checkpoint.safetensors")),
            steps: steps.map(|s| [s["step"].as_u64().unwrap(), bits(&s["loss"]), bits(&s["lr"])]).collect(),
        }
    }

    /// Asserts that two runs ended in the same place, without printing megabytes where they did not.
    #[track_caller]
    pub fn assert_same(&self, other: &Self) {
        assert_eq!(self.epochs, other.epochs);
        assert_eq!(self.best_epoch, other.best_epoch);
        assert_eq!(self.steps, other.steps);
        assert!(self.best == other.best, "the weights of the best epoch differ");
        assert!(self.checkpoint == other.checkpoint, "the checkpoints differ");
    }
}

/// Name and bytes of each tensor of a safetensors file.
pub fn tensors(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.tensors().into_iter().map(|(name, view)| (name, view.data().to_vec())).collect()
}

/// All files below a folder with their bytes: to see that nothing was changed.
pub fn snapshot(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).unwrap().flatten() {
            let path = entry.path();
            match path.is_dir() {
                true => open.push(path),
                false => {
                    found.insert(
                        path.strip_prefix(folder).unwrap().to_path_buf(),
                        std::fs::read(&path).unwrap(),
                    );
                }
            }
        }
    }
    found
}

/// Files that an interrupted write left behind below `folder`.
pub fn leftovers(folder: &Path) -> Vec<PathBuf> {
    let is_partial = |path: &PathBuf| path.to_string_lossy().contains(".partial-");
    snapshot(folder).into_keys().filter(is_partial).collect()
}

/// Copies a folder of files.
pub fn copy_folder(from: &Path, to: &Path) {
    for (path, bytes) in snapshot(from) {
        let target = to.join(path);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::write(target, bytes).unwrap();
    }
}

/// Changes one value of a project's recipe by hand.
pub fn edit_recipe(project: &Path, from: &str, to: &str) {
    let path = project.join("recipe.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from:?} is not in {text}");
    std::fs::write(&path, text.replace(from, to)).unwrap();
}
