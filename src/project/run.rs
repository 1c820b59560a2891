//! One execution of a plan: a folder `runs/0001` with the recipe as it was, the split, the record of what
//! happened and the weights. Nothing in it changes once the run has ended.
//!
//! | file | what |
//! | --- | --- |
//! | `recipe.toml` | the recipe of this run |
//! | `run.json` | [`RunRecord`] |
//! | `split.json` | [`SplitRecord`]: which sample was trained on, which validated |
//! | `history.jsonl` | one line a step and one an epoch |
//! | `checkpoint.safetensors` | all that is needed to go on; replaced in one step |
//! | `best-NNNN.safetensors` | the trained tensors after the best epoch |
//! | `errors.json` | how wrong that epoch is on each validation sample |

use super::Recipe;
use super::reading::Reading;
use super::recipe::{DataChoice, FreezeChoice};
use super::sealed::{read_sealed, write_sealed};
use crate::backbone::CutName;
use crate::bounded;
pub use crate::control::EpochRecord;
use crate::data::index::{DatasetIndex, Digest};
use crate::data::scan::RECIPE_FILE;
use crate::data::split::Split;
use crate::problem::{Cause, Problem, Result};
use crate::task::{Errors, TaskChoice, TaskRecord};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The version that this program writes.
pub const RUN_VERSION: u32 = 2;
/// From this version on a record says what its best epoch's tensors are and how samples were read.
const PINNED_SINCE: u32 = 2;
/// How the failure of a run that diverged began before records kept its kind.
const EARLY_DIVERGED: &str = "training diverged";

/// A run's folder.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    folder: PathBuf,
}

/// `run.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    pub version: u32,
    /// `0001`, `0002`, ..
    pub run: String,
    pub state: RunState,
    /// Seconds since 1970-01-01, UTC.
    pub started: u64,
    pub environment: Environment,
    /// What was asked of the network; one class for each sample in records that do not say.
    #[serde(default, skip_serializing_if = "TaskRecord::is_usual")]
    pub task: TaskRecord,
    /// Names of the outputs: classes, labels or columns of numbers.
    pub classes: Vec<String>,
    /// The cut at which the frozen ground ends.
    pub frostline: CutName,
    /// Trained parameters, the head included.
    pub trainable_parameters: usize,
    pub train_samples: usize,
    pub validation_samples: usize,
    pub test_samples: usize,
    pub dataset: Digest,
    pub epochs: Vec<EpochRecord>,
    pub best_epoch: Option<u32>,
    /// Of the file with the tensors of the best epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_digest: Option<Digest>,
    /// How samples were read; unknown in records of version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reading: Option<Reading>,
    /// Of the run's recipe; unknown where it was not noted yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<RecipePins>,
    /// Training time over all sessions of this run.
    pub seconds: f64,
    /// What the frozen layers took before that, over all sessions; 0 in records that do not say.
    #[serde(default)]
    pub warm_seconds: f64,
    /// Why it failed, if it did.
    pub failure: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_kind: Option<FailureKind>,
}

/// What kind of failure ended a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailureKind {
    /// The loss or a gradient was no number any more.
    Diverged,
    Other,
}

impl FailureKind {
    /// The kind of a problem that ended a run.
    pub fn of(problem: &Problem) -> Self {
        match problem.cause {
            Cause::Diverged => Self::Diverged,
            Cause::Input | Cause::Stopped | Cause::Hub | Cause::Other => Self::Other,
        }
    }
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// Running, or its process was killed: it can be resumed.
    Running,
    Stopped,
    Failed,
    Finished,
}

/// What the bits of the result depend on besides the recipe and the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    pub frostline: String,
    pub threads: usize,
    pub simd: String,
    pub device: String,
    pub system: String,
}

/// What the recipe of a run said when it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipePins {
    /// Of its file.
    pub file: Digest,
    /// Of all in it that turns a sample into a number: how the data is read, which backbone, what was trained, the task.
    pub answers: Digest,
}

impl RecipePins {
    /// Of a recipe as it is written.
    ///
    /// # Errors
    /// It holds a path that is not Unicode.
    pub fn of(recipe: &Recipe) -> Result<Self> {
        Ok(Self { file: Digest::of(recipe.to_toml()?.as_bytes()), answers: Self::answers_of(recipe)? })
    }

    /// Whether the file at `path` is that recipe, to the byte.
    pub fn is_file(&self, path: &Path) -> bool {
        bounded::read(path, bounded::MAX_SETTINGS_BYTES, "read the recipe")
            .is_ok_and(|bytes| Digest::of(&bytes) == self.file)
    }

    fn answers_of(recipe: &Recipe) -> Result<Digest> {
        // Where data and backbone lie may change; how long and how fast it learns changes no answer of what has learnt.
        let data = DataChoice { path: PathBuf::new(), ..recipe.data.clone() };
        let told = Telling {
            weights: &recipe.backbone.sha256,
            task: &recipe.task,
            data: &data,
            freeze: &recipe.freeze,
        };
        let text = toml::to_string(&told)
            .map_err(|e| Problem::other("the recipe cannot be noted", e.to_string(), "please report this"))?;
        Ok(Digest::of(text.as_bytes()))
    }
}

/// The parts of a recipe that the answers follow from.
#[derive(Serialize)]
struct Telling<'r> {
    weights: &'r str,
    task: &'r TaskChoice,
    data: &'r DataChoice,
    freeze: &'r FreezeChoice,
}

/// `errors.json`: how wrong the best epoch is on each validation sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct ErrorsRecord {
    version: u32,
    epoch: u32,
    errors: Errors,
}

/// `split.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitRecord {
    /// 0 where it was written before splits had versions.
    #[serde(default)]
    pub version: u32,
    pub train: Vec<SampleRef>,
    pub validation: Vec<SampleRef>,
    pub test: Vec<SampleRef>,
}

/// One sample by place and content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleRef {
    pub path: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    pub digest: Digest,
}

impl RunRecord {
    /// What a record of its version must say is there.
    fn check_pins(&self) -> Result<()> {
        let lacks_best = self.best_epoch.is_some() && self.best_digest.is_none();
        if self.version < PINNED_SINCE || (!lacks_best && self.reading.is_some()) {
            return Ok(());
        }
        let why = "it does not say what was trained and how samples were read";
        Err(Problem::input("the run cannot be used", why, "restore run.json from a copy, or train anew"))
    }

    /// The best epoch so far.
    pub fn best(&self) -> Option<&EpochRecord> {
        self.epochs.iter().find(|epoch| Some(epoch.epoch) == self.best_epoch)
    }
}

impl Run {
    /// The run in `folder`.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Its name: `0001`.
    pub fn name(&self) -> String {
        self.folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Where the run lies: `runs/0001` of its project.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The recipe of this run.
    pub fn recipe_path(&self) -> PathBuf {
        self.folder.join(RECIPE_FILE)
    }

    /// Reads the recipe of this run, which `record` is of.
    ///
    /// # Errors
    /// It cannot be read, or no longer says what was trained.
    pub fn recipe(&self, record: &RunRecord) -> Result<Recipe> {
        let path = self.recipe_path();
        let recipe = Recipe::read(&path)?;
        match record.recipe {
            Some(pins) if pins.answers != RecipePins::answers_of(&recipe)? => Err(Problem::input(
                "the run cannot be used",
                "its recipe.toml no longer says what was trained: its task, data, backbone or freeze was changed",
                "restore it from a copy, or train anew",
            )
            .at(path)),
            Some(_) | None => Ok(recipe),
        }
    }

    /// A JSON line for each step and each epoch.
    pub fn history_path(&self) -> PathBuf {
        self.folder.join("history.jsonl")
    }

    /// All that is needed to go on.
    pub fn checkpoint_path(&self) -> PathBuf {
        self.folder.join("checkpoint.safetensors")
    }

    /// The trained tensors after epoch number `epoch`, if that was the best so far.
    pub fn best_path(&self, epoch: u32) -> PathBuf {
        self.folder.join(format!("best-{epoch:04}.safetensors"))
    }

    /// Reads `run.json`.
    ///
    /// # Errors
    /// It is missing, damaged or from a newer version.
    pub fn record(&self) -> Result<RunRecord> {
        let path = self.folder.join("run.json");
        let mut record: RunRecord = read_sealed(&path, "read the record of the run")?;
        if record.version > RUN_VERSION {
            let why =
                format!("it has version {}, this Frostline knows version {RUN_VERSION}", record.version);
            return Err(Problem::input("the run cannot be used", why, "update Frostline").at(path));
        }
        record.check_pins().map_err(|p| p.at(&path))?;
        // Early records have no kind; the words are those of the versions that wrote them.
        let early = record.failure.as_deref().filter(|_| record.failure_kind.is_none());
        record.failure_kind =
            record.failure_kind.or(early.map(|words| match words.starts_with(EARLY_DIVERGED) {
                true => FailureKind::Diverged,
                false => FailureKind::Other,
            }));
        Ok(record)
    }

    /// Replaces `run.json`.
    pub fn write_record(&self, record: &RunRecord) -> Result<()> {
        write_sealed(&self.folder.join("run.json"), record, "write the record of the run")
    }

    /// How wrong the epoch `best` is on each validation sample; `None` where that was not kept, or is damaged: then
    /// nothing is said of the run.
    pub fn errors(&self, best: u32) -> Option<Errors> {
        let record: ErrorsRecord = read_sealed(&self.errors_path(), "read the errors of the run").ok()?;
        (record.epoch == best).then_some(record.errors)
    }

    /// Writes `errors.json`.
    pub fn write_errors(&self, epoch: u32, errors: Errors) -> Result<()> {
        let record = ErrorsRecord { version: RUN_VERSION, epoch, errors };
        write_sealed(&self.errors_path(), &record, "write the errors of the run")
    }

    fn errors_path(&self) -> PathBuf {
        self.folder.join("errors.json")
    }

    /// Reads `split.json`.
    pub fn split(&self) -> Result<SplitRecord> {
        read_sealed(&self.folder.join("split.json"), "read the split of the run")
    }

    /// Writes `split.json`.
    pub fn write_split(&self, split: &SplitRecord) -> Result<()> {
        write_sealed(&self.folder.join("split.json"), split, "write the split of the run")
    }
}

impl SplitRecord {
    /// The samples of `split`, by place and content.
    pub fn new(index: &DatasetIndex, split: &Split) -> Self {
        let refs = |numbers: &[usize]| {
            let items = numbers.iter().filter_map(|n| index.items.get(*n));
            items
                .map(|item| SampleRef { path: item.path.clone(), line: item.line, digest: item.digest })
                .collect()
        };
        Self {
            version: RUN_VERSION,
            train: refs(&split.train),
            validation: refs(&split.validation),
            test: refs(&split.test),
        }
    }

    /// Finds the samples again in a fresh scan. Errors as for [`find_samples`].
    pub fn find(&self, index: &DatasetIndex) -> Result<Split> {
        Ok(Split {
            train: find_samples(&self.train, index)?,
            validation: find_samples(&self.validation, index)?,
            test: find_samples(&self.test, index)?,
        })
    }
}

/// The item numbers of `samples` in a fresh scan, in their order: at their place, or wherever the same content lies
/// now.
///
/// # Errors
/// A sample is gone or its content changed.
pub fn find_samples(samples: &[SampleRef], index: &DatasetIndex) -> Result<Vec<usize>> {
    let mut by_place = BTreeMap::new();
    let mut by_content: BTreeMap<Digest, Vec<usize>> = BTreeMap::new();
    for (number, item) in index.items.iter().enumerate() {
        by_place.insert((&item.path, item.line), (number, item.digest));
        by_content.entry(item.digest).or_default().push(number);
    }
    let at_place = |sample: &SampleRef| by_place.get(&(&sample.path, sample.line)).copied();
    let stayed = |sample: &SampleRef| at_place(sample).filter(|(_, digest)| *digest == sample.digest);
    // Equal contents lie more than once: a place that is still taken is not where a moved one went.
    let taken: BTreeSet<usize> = samples.iter().filter_map(stayed).map(|(number, _)| number).collect();
    let mut moved: BTreeMap<Digest, Vec<usize>> = by_content
        .into_iter()
        .map(|(digest, items)| (digest, items.into_iter().rev().filter(|n| !taken.contains(n)).collect()))
        .collect();
    let find = |sample: &SampleRef| {
        let found = stayed(sample).map(|(number, _)| number);
        found.or_else(|| moved.get_mut(&sample.digest)?.pop()).ok_or_else(|| {
            let why = if at_place(sample).is_some() { "its content changed" } else { "it is gone" };
            let remedy = "put the sample back as it was, or train anew";
            Problem::input("the data changed since this run began", why, remedy)
                .at(index.root.join(&sample.path))
        })
    };
    samples.iter().map(find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_version_1_still_opens() {
        let record: RunRecord = serde_json::from_str(include_str!("goldens/run-1.json")).unwrap();
        assert_eq!(record.state, RunState::Finished);
        assert_eq!(record.best_epoch, Some(1));
        let again: RunRecord = serde_json::from_str(&serde_json::to_string(&record).unwrap()).unwrap();
        assert_eq!(again, record);
    }

    /// Before version 1 kept the kind, words alone told it.
    #[test]
    fn the_failure_of_an_early_record_has_its_kind() {
        let folder = tempfile::tempdir().unwrap();
        let run = Run::at(folder.path().to_path_buf());
        let early: RunRecord = serde_json::from_str(include_str!("goldens/run-1.json")).unwrap();
        let kind = |failure: Option<&str>| {
            run.write_record(&RunRecord { failure: failure.map(String::from), ..early.clone() }).unwrap();
            run.record().unwrap().failure_kind
        };
        let diverged = "training diverged\n  why: the loss of step 3 is NaN\n  try: lower the learning rate";
        assert_eq!(kind(None), None);
        assert_eq!(kind(Some(diverged)), Some(FailureKind::Diverged));
        assert_eq!(kind(Some("the disk is full")), Some(FailureKind::Other));
    }

    /// Meant to fail where the digest leaves out `freeze`: cached states above trained layers would answer without them.
    #[test]
    fn a_recipe_that_says_something_else_is_refused_and_another_length_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let run = Run::at(folder.path().to_path_buf());
        let recipe = Recipe::parse(include_str!("goldens/recipe-1.toml")).unwrap();
        let early: RunRecord = serde_json::from_str(include_str!("goldens/run-1.json")).unwrap();
        let record = RunRecord { recipe: Some(RecipePins::of(&recipe).unwrap()), ..early.clone() };
        let read = |change: &dyn Fn(&mut Recipe), record: &RunRecord| {
            let mut changed = recipe.clone();
            change(&mut changed);
            std::fs::write(run.recipe_path(), changed.to_toml().unwrap()).unwrap();
            (run.recipe(record).is_ok(), record.recipe.map(|pins| pins.is_file(&run.recipe_path())))
        };
        assert_eq!(read(&|_| {}, &record), (true, Some(true)));
        assert_eq!(read(&|r| r.training.epochs += 1, &record), (true, Some(false)));
        assert_eq!(read(&|r| r.data.path = "elsewhere".into(), &record), (true, Some(false)));
        assert!(!read(&|r| r.freeze.thaw.clear(), &record).0);
        assert!(!read(&|r| r.backbone.sha256 = "f".repeat(64), &record).0);
        assert!(!read(&|r| r.data.text_column = Some("other".into()), &record).0);
        assert_eq!(read(&|r| r.freeze.thaw.clear(), &early), (true, None));
    }

    #[test]
    fn samples_are_found_again_by_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        let scan = |table: &str| {
            std::fs::write(&path, table).unwrap();
            crate::data::scan(&path, &crate::data::ScanOptions::default(), &crate::control::Silent).unwrap()
        };
        let before = scan("text,label\none,x\ntwo,y\nthree,x\n");
        let split = Split { train: vec![0, 2], validation: vec![1], test: vec![] };
        let record = SplitRecord::new(&before, &split);
        assert_eq!(record.find(&before).unwrap(), split);
        // A row above moves the others down; the order of the samples stays.
        let after = scan("text,label\nnew,y\none,x\ntwo,y\nthree,x\n");
        let found = record.find(&after).unwrap();
        assert_eq!((found.train, found.validation), (vec![1, 3], vec![2]));
        let changed = scan("text,label\none,x\nzwei,y\nthree,x\n");
        assert!(record.find(&changed).unwrap_err().why.contains("content changed"));
        // What is not asked for may change.
        assert_eq!(find_samples(&record.train, &changed).unwrap(), [0, 2]);
    }
}
