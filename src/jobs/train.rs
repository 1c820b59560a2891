//! Training: the path of the data from the scan to the best epoch.

use super::{forget_if_changed, in_pool, scan_of};
use crate::backbone::{Backbone, WeightFile};
use crate::control::{Control, Fact};
use crate::data::index::DatasetIndex;
use crate::hub;
use crate::problem::{Cause, Problem, Result};
use crate::project::files::write_atomically;
use crate::project::plan::Kept;
use crate::project::reading::Reading;
use crate::project::run::{Environment, FailureKind, RUN_VERSION, RecipePins, SplitRecord};
use crate::project::{Machine, Plan, Project, Recipe, Run, RunRecord, RunState};
use crate::remedy::Remedy;
use crate::task::coverage::Coverage;
use crate::train::checkpoint::{self, Progress};
use crate::train::features::Features;
use crate::train::fit::{Ending, fit};
use crate::train::leftovers;
use crate::train::room::require_room;
use crate::train::top::Top;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// A run that finished.
#[derive(Debug, Clone)]
pub struct Trained {
    pub run: Run,
    pub record: RunRecord,
    /// What its validation scores rest on.
    pub coverage: Coverage,
    /// From the request to the end: scan, cache and training of this session.
    pub seconds: f64,
}

/// Trains the project's recipe as a new run; with `resume` goes on with the newest unfinished one, or begins the
/// first.
///
/// # Errors
/// Whatever stands in the way, or [`Cause::Stopped`]: then the checkpoint is kept and `resume` goes on.
pub fn train(project: &Project, resume: bool, machine: &Machine, control: &dyn Control) -> Result<Trained> {
    // A program killed before its first run began left nothing but a cache: going on is then to begin.
    in_locked(project, machine, || match !resume || project.runs().is_empty() {
        true => start_run(project, project.recipe()?, machine, control),
        false => resume_run(project, machine, control),
    })
}

/// Trains `recipe` as a new run of the project, whatever the project's own recipe is by now.
///
/// # Errors
/// As for [`train`].
pub fn train_recipe(
    project: &Project,
    recipe: Recipe,
    machine: &Machine,
    control: &dyn Control,
) -> Result<Trained> {
    in_locked(project, machine, || start_run(project, recipe, machine, control))
}

/// Does `work` while no other program trains the project.
fn in_locked(
    project: &Project,
    machine: &Machine,
    work: impl FnOnce() -> Result<(Run, RunRecord, Coverage)> + Send,
) -> Result<Trained> {
    let started = Instant::now();
    let lock = project.lock()?;
    leftovers::clear(project, &lock);
    let (run, record, coverage) = in_pool(machine, work)?;
    Ok(Trained { run, record, coverage, seconds: started.elapsed().as_secs_f64() })
}

fn start_run(
    project: &Project,
    recipe: Recipe,
    machine: &Machine,
    control: &dyn Control,
) -> Result<(Run, RunRecord, Coverage)> {
    let index = Arc::new(scan_of(project, &recipe, control)?);
    let backbone = pinned_backbone(project, &recipe)?;
    check_reading(project, &recipe, &backbone, control)?;
    let weights = backbone.open_pinned_weights(&recipe.backbone.sha256)?;
    let plan = Plan::new(recipe, index, backbone, machine.clone(), None)?;
    require_room(&plan)?;
    warn(&plan, control);
    let began = Instant::now();
    let (features, unusable) = Features::prepare(&plan, &weights, &project.cache_folder(), control)?;
    let warm_seconds = began.elapsed().as_secs_f64();
    forget_if_changed(project, &plan.index, unusable.keys().copied());
    let plan = plan.without(&unusable.into_keys().collect::<Vec<_>>())?;
    let run = project.new_run()?;
    write_atomically(&run.recipe_path(), plan.recipe.to_toml()?.as_bytes(), "write the recipe of the run")?;
    run.write_split(&SplitRecord::new(&plan.index, &plan.split))?;
    let recipe = Some(RecipePins::of(&plan.recipe)?);
    let record = RunRecord { warm_seconds, recipe, ..new_record(&plan, &run) };
    run.write_record(&record)?;
    let (run, record) = execute(&plan, &weights, &features, run, record, control)
        .inspect_err(|problem| forget_if_changed(project, &plan.index, items_of(&plan.index, problem)))?;
    Ok((run, record, plan.coverage()))
}

/// A new run reads samples as the project's recipe says. Other kernels are no reason to refuse: nothing of this run was
/// computed by the ones before.
fn check_reading(
    project: &Project,
    recipe: &Recipe,
    backbone: &Backbone,
    control: &dyn Control,
) -> Result<()> {
    let (Some(then), now) = (&recipe.backbone.reading, Reading::of(backbone)) else { return Ok(()) };
    if then.numerics != now.numerics {
        let what = "this version computes features with other last digits than the one that made the project";
        control.report(Fact::warning(what));
    }
    then.check(&Reading { numerics: then.numerics, ..now }).map_err(|problem| {
        let remedy = "put the backbone's files back as they were, or make a new project";
        let what = "the backbone no longer reads samples as it did when the project was made";
        Problem::input(what, problem.why, remedy).at(project.folder())
    })
}

fn resume_run(
    project: &Project,
    machine: &Machine,
    control: &dyn Control,
) -> Result<(Run, RunRecord, Coverage)> {
    let run = project.unfinished_run()?.ok_or_else(|| {
        Problem::input("there is nothing to resume", "the newest run has finished", Remedy::NewRun)
            .at(project.folder())
    })?;
    let mut record = run.record()?;
    let recipe = run.recipe(&record)?;
    if record.recipe.is_some_and(|pins| !pins.is_file(&run.recipe_path())) {
        let what = "the recipe of this run was changed since it began: it goes on as the recipe says now";
        control.report(Fact::warning(what));
    }
    let index = Arc::new(scan_of(project, &recipe, control)?);
    check_data_of(&run, &record, &index, control)?;
    let split = run.split()?.find(&index)?;
    let backbone = Reading::restore(record.reading.as_ref(), &pinned_backbone(project, &recipe)?)?;
    if let Some(reading) = &record.reading {
        reading.check(&Reading::like(Some(reading), &backbone)).map_err(|p| p.at(run.folder()))?;
    }
    let weights = backbone.open_pinned_weights(&recipe.backbone.sha256)?;
    let kept = Kept { split, task: record.task.clone() };
    let plan = Plan::new(recipe, index, backbone, machine.clone(), Some(kept))?;
    require_room(&plan)?;
    if record.environment != environment(machine) {
        let what = "threads, instruction set or version differ from those of the first session: the result will be as good, but not the same to the last bit";
        control.report(Fact::warning(what));
    }
    let began = Instant::now();
    let (features, unusable) = Features::prepare(&plan, &weights, &project.cache_folder(), control)?;
    record.warm_seconds += began.elapsed().as_secs_f64();
    forget_if_changed(project, &plan.index, unusable.keys().copied());
    if let Some(problem) = unusable.into_values().next() {
        // It was usable when the run began, and a run must end on the samples it began with.
        return Err(problem);
    }
    record.state = RunState::Running;
    (record.failure, record.failure_kind) = (None, None);
    run.write_record(&record)?;
    let (run, record) = execute(&plan, &weights, &features, run, record, control)
        .inspect_err(|problem| forget_if_changed(project, &plan.index, items_of(&plan.index, problem)))?;
    Ok((run, record, plan.coverage()))
}

/// The items whose file a problem is about.
fn items_of(index: &DatasetIndex, problem: &Problem) -> Vec<usize> {
    let is_it = |number: &usize| {
        index.items.get(*number).is_some_and(|item| problem.path.as_ref() == Some(&index.full_path(item)))
    };
    (0..index.items.len()).filter(is_it).collect()
}

/// A run that goes on must know the classes by the same numbers.
fn check_data_of(run: &Run, record: &RunRecord, index: &DatasetIndex, control: &dyn Control) -> Result<()> {
    if record.classes != index.classes {
        let why = format!(
            "its classes were {}, now they are {}",
            record.classes.join(", "),
            index.classes.join(", ")
        );
        let remedy = Remedy::NewRunUnless("put the data back as it was");
        return Err(Problem::input("the data changed since this run began", why, remedy).at(run.folder()));
    }
    if record.dataset != index.digest() {
        let what =
            "the data changed since this run began: labels count as they are now, new samples are not used";
        control.report(Fact::warning(what));
    }
    Ok(())
}

/// Trains from the last checkpoint, or from the beginning where there is none, and notes how it ended.
fn execute(
    plan: &Plan,
    weights: &WeightFile,
    features: &Features,
    run: Run,
    mut record: RunRecord,
    control: &dyn Control,
) -> Result<(Run, RunRecord)> {
    let ended = attempt(plan, weights, features, &run, &mut record, control);
    record.state = match &ended {
        Ok(Ending::Finished) => RunState::Finished,
        Ok(Ending::Stopped) => RunState::Stopped,
        Err(problem) if problem.cause == Cause::Stopped => RunState::Stopped,
        Err(_) => RunState::Failed,
    };
    let failure = ended.as_ref().err().filter(|problem| problem.cause != Cause::Stopped);
    record.failure = failure.map(Problem::to_string);
    record.failure_kind = failure.map(FailureKind::of);
    let noted = run.write_record(&record);
    match ended? {
        Ending::Stopped => Err(Problem::stopped(Remedy::Resume { run: run.name() }).at(run.folder())),
        Ending::Finished => {
            noted?;
            Ok((run, record))
        }
    }
}

fn attempt(
    plan: &Plan,
    weights: &WeightFile,
    features: &Features,
    run: &Run,
    record: &mut RunRecord,
    control: &dyn Control,
) -> Result<Ending> {
    let mut top = Top::init(plan, weights)?;
    let mut progress = checkpoint::load(run, &mut top)?.unwrap_or_default();
    progress.note(record);
    let mut epoch_done = |progress: &Progress| {
        progress.note(record);
        run.write_record(record)
    };
    let ending = fit(plan, features, &mut top, run, &mut progress, control, &mut epoch_done)?;
    progress.note(record);
    Ok(ending)
}

/// The backbone that the recipe names, with the very weights that it pins.
pub(super) fn pinned_backbone(project: &Project, recipe: &Recipe) -> Result<Backbone> {
    let choice = &recipe.backbone;
    let by_name = || hub::pinned(&choice.id, choice.revision.as_deref(), &choice.sha256);
    match &choice.folder {
        // A folder that was moved: its weights may be found elsewhere.
        Some(folder) => {
            Backbone::open(&project.resolve(folder)).or_else(|problem| by_name().map_err(|_| problem))
        }
        None => by_name(),
    }
}

fn warn(plan: &Plan, control: &dyn Control) {
    for what in &plan.warnings {
        control.report(Fact::warning(what));
    }
}

fn environment(machine: &Machine) -> Environment {
    Environment {
        frostline: env!("CARGO_PKG_VERSION").to_string(),
        threads: machine.threads,
        simd: crate::nn::simd_level().to_string(),
        device: machine.device_name.name().to_string(),
        system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
    }
}

fn new_record(plan: &Plan, run: &Run) -> RunRecord {
    RunRecord {
        version: RUN_VERSION,
        run: run.name(),
        state: RunState::Running,
        started: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()),
        environment: environment(&plan.machine),
        task: plan.task.record(),
        classes: plan.index.classes.clone(),
        frostline: plan.architecture().cut_name(plan.frostline),
        trainable_parameters: plan.trainable_parameters(),
        train_samples: plan.split.train.len(),
        validation_samples: plan.split.validation.len(),
        test_samples: plan.split.test.len(),
        dataset: plan.index.digest(),
        epochs: Vec::new(),
        best_epoch: None,
        best_digest: None,
        reading: Some(Reading::of(&plan.backbone)),
        recipe: None,
        seconds: 0.0,
        warm_seconds: 0.0,
        failure: None,
        failure_kind: None,
    }
}
