//! The training loop.

use super::batches::{Purpose, key, shuffled};
use super::checkpoint::{self, Progress};
use super::features::Features;
use super::top::Top;
use crate::backbone::{Boundary, Pass};
use crate::control::{Control, EpochRecord, Fact, Scores};
use crate::data::target::Target;
use crate::nn::clip_factor;
use crate::optim::Course;
use crate::problem::{Problem, Result};
use crate::project::Plan;
use crate::project::run::Run;
use crate::remedy::Remedy;
use crate::task::paired::{Errors, error};
use crate::task::{Case, best_epoch};
use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::time::Instant;

/// Samples that are validated together.
const VALIDATION_BATCH: usize = 32;

/// How the loop ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Finished,
    /// The user asked; the checkpoint holds the very step.
    Stopped,
}

/// Trains `top` on the features of `plan` from where `progress` stands, epoch by epoch, and keeps the best one.
/// `epoch_done` is called after each epoch's checkpoint.
///
/// # Errors
/// The loss is no longer finite, the disk is full, a sample became unreadable. The last checkpoint stays.
pub fn fit(
    plan: &Plan,
    features: &Features,
    top: &mut Top,
    run: &Run,
    progress: &mut Progress,
    control: &dyn Control,
    epoch_done: &mut dyn FnMut(&Progress) -> Result<()>,
) -> Result<Ending> {
    let training = &plan.recipe.training;
    let course = Course::new(plan.steps_per_epoch() as u64 * u64::from(training.epochs), training.warmup);
    let mut history = History::open(run, progress.history_bytes)?;
    while progress.epoch < training.epochs {
        let epoch = progress.epoch + 1;
        let order = shuffled(&plan.split.train, training.seed, epoch);
        let started = Instant::now();
        let samples_before = progress.samples_in_epoch;
        let mut batches = order.chunks(training.batch_size).skip(progress.steps_in_epoch).peekable();
        let mut ready = batches.peek().map(|items| features.batch(plan, items));
        while let (Some(items), Some(state)) = (batches.next(), ready.take()) {
            control.wait_while_paused();
            if control.stop_requested() {
                let seconds = started.elapsed().as_secs_f64();
                progress.seconds += seconds;
                progress.seconds_in_epoch += seconds;
                progress.history_bytes = history.flush()?;
                checkpoint::save(run, top, progress)?;
                return Ok(Ending::Stopped);
            }
            let learning_rate = training.learning_rate * training.schedule.factor(progress.step + 1, &course);
            let (state, next) = (state?, batches.peek());
            // What the next step needs is read or computed while this one leaves a core or the device idle.
            let (ahead, done) = rayon::join(
                || next.map(|items| features.batch(plan, items)),
                || step(plan, &state, top, items, progress.step, learning_rate),
            );
            ready = ahead;
            let (loss, output) = done?;
            progress.step += 1;
            progress.steps_in_epoch += 1;
            progress.samples_in_epoch += items.len();
            progress.loss_sum += loss * items.len() as f64;
            for (row, target) in output.iter().zip(targets(plan, items)) {
                plan.task.add(&mut progress.sums_in_epoch, row, target);
            }
            let fact = Fact::Step { epoch, step: progress.step, loss, lr: learning_rate };
            history.add(&fact)?;
            control.report(fact);
        }
        let trained_seconds = started.elapsed().as_secs_f64();
        let validation = validate(plan, features, top)?;
        // Before anything is written: the checkpoint of the epoch before must stay usable.
        require_finite(validation.loss, || format!("the validation loss of epoch {epoch}"))?;
        let record = EpochRecord {
            epoch,
            train_loss: progress.loss_sum / progress.samples_in_epoch.max(1) as f64,
            train: running_score(plan, progress),
            val_loss: validation.loss,
            val: validation.scores,
            seconds: progress.seconds_in_epoch + started.elapsed().as_secs_f64(),
            samples_per_second: (progress.samples_in_epoch - samples_before) as f64
                / trained_seconds.max(1e-9),
        };
        keep_if_best(plan, run, top, progress, &record, validation.errors)?;
        close_epoch(progress, record.clone());
        let fact = Fact::Epoch(record);
        history.add(&fact)?;
        progress.history_bytes = history.flush()?;
        checkpoint::save(run, top, progress)?;
        epoch_done(progress)?;
        // Last: until then the record of the run may still name the best epoch before.
        remove_old_bests(run, progress);
        control.report(fact);
    }
    Ok(Ending::Finished)
}

/// Loss and scores on the validation samples, and how wrong each answer is.
pub struct Validation {
    pub loss: f64,
    pub scores: Scores,
    pub errors: Errors,
}

/// Runs `top` over the validation samples, nothing dropped, nothing recorded.
pub fn validate(plan: &Plan, features: &Features, top: &Top) -> Result<Validation> {
    let mut tally = plan.task.tally();
    let (mut loss_sum, mut errors) = (0.0, Vec::with_capacity(plan.split.validation.len()));
    for items in plan.split.validation.chunks(VALIDATION_BATCH) {
        let targets = targets(plan, items);
        let output = top.predict(&features.batch(plan, items)?)?;
        loss_sum +=
            f64::from(plan.task.plain_loss(&output, &targets)?.to_scalar::<f32>()?) * items.len() as f64;
        for (row, truth) in output.to_vec2::<f32>()?.iter().zip(targets) {
            let predicted = plan.task.decide(row);
            tally.add(Case { output: row, predicted: &predicted, truth });
            errors.push(error(&predicted, truth));
        }
    }
    let loss = loss_sum / plan.split.validation.len().max(1) as f64;
    Ok(Validation { loss, scores: tally.scores(), errors: Errors(errors) })
}

/// One optimiser step on one batch with its boundary states; `step` steps were made before. Returns the mean loss of
/// the batch and the outputs for its samples, both before the step.
fn step(
    plan: &Plan,
    state: &Boundary,
    top: &mut Top,
    items: &[usize],
    step: u64,
    learning_rate: f64,
) -> Result<(f64, Vec<Vec<f32>>)> {
    let training = &plan.recipe.training;
    let pass = Pass { dropout: training.dropout as f32, key: key(training.seed, Purpose::Dropout, step) };
    let output = top.forward(state, &pass)?;
    let loss = plan.task.loss(&output, &targets(plan, items))?;
    let value = f64::from(loss.to_scalar::<f32>()?);
    require_finite(value, || format!("the loss of step {}", step + 1))?;
    top.optimiser().begin_step();
    let gradients = loss.backward()?;
    let factor = match training.clip > 0.0 {
        true => {
            let norm = top.optimiser().gradient_norm(&gradients)?;
            require_finite(norm, || format!("the norm of the gradient of step {}", step + 1))?;
            clip_factor(norm, training.clip)
        }
        false => 1.0,
    };
    top.optimiser_mut().update(&gradients, learning_rate, factor)?;
    Ok((value, output.to_vec2::<f32>()?))
}

/// An error where `value`, called `name`, is not a number or infinite.
fn require_finite(value: f64, name: impl Fn() -> String) -> Result<()> {
    if value.is_finite() {
        return Ok(());
    }
    Err(Problem::diverged(format!("{} is {value}", name()), Remedy::LowerLearningRate))
}

/// What `items` should be answered with.
fn targets<'p>(plan: &'p Plan, items: &[usize]) -> Vec<&'p Target> {
    items.iter().filter_map(|n| plan.index.items.get(*n)).map(|item| &item.target).collect()
}

/// The first score of the training samples, as they were answered before each step.
fn running_score(plan: &Plan, progress: &Progress) -> Scores {
    let value = plan.task.running(&progress.sums_in_epoch, progress.samples_in_epoch);
    std::iter::once((plan.task.kind().chief().name, value)).collect()
}

fn keep_if_best(
    plan: &Plan,
    run: &Run,
    top: &Top,
    progress: &mut Progress,
    record: &EpochRecord,
    errors: Errors,
) -> Result<()> {
    let epochs = progress.epochs.iter().chain(std::iter::once(record));
    let best = best_epoch(epochs, plan.task.kind().chief());
    if best.is_some_and(|best| best.epoch == record.epoch) {
        let digest = checkpoint::save_trained(&run.best_path(record.epoch), top, "write the best epoch")?;
        run.write_errors(record.epoch, errors)?;
        (progress.best_epoch, progress.best_digest) = (Some(record.epoch), Some(digest));
    }
    Ok(())
}

fn close_epoch(progress: &mut Progress, record: EpochRecord) {
    progress.epoch = record.epoch;
    progress.seconds += record.seconds - progress.seconds_in_epoch;
    progress.seconds_in_epoch = 0.0;
    progress.epochs.push(record);
    progress.steps_in_epoch = 0;
    progress.samples_in_epoch = 0;
    progress.loss_sum = 0.0;
    progress.sums_in_epoch.clear();
}

/// Bests of earlier epochs are of no use once the checkpoint names a newer one.
fn remove_old_bests(run: &Run, progress: &Progress) {
    for epoch in progress.epochs.iter().map(|e| e.epoch).filter(|e| Some(*e) != progress.best_epoch) {
        // A file that stays behind costs some disk and nothing else.
        let _ = std::fs::remove_file(run.best_path(epoch));
    }
}

/// `history.jsonl`: what was reported, for curves of earlier runs.
struct History {
    path: std::path::PathBuf,
    writer: BufWriter<File>,
}

impl History {
    /// Opens the history and cuts off what a killed session wrote after its last checkpoint. A history that is
    /// shorter than the checkpoint remembers goes on where it ends.
    fn open(run: &Run, length: u64) -> Result<Self> {
        let path = run.history_path();
        let fail = |e: std::io::Error| Problem::io("open the history of the run", &path, &e);
        let mut file = File::options().create(true).truncate(false).write(true).open(&path).map_err(fail)?;
        let length = file.metadata().map_err(fail)?.len().min(length);
        file.set_len(length).and_then(|()| file.seek(SeekFrom::Start(length))).map_err(fail)?;
        Ok(Self { writer: BufWriter::new(file), path })
    }

    fn add(&mut self, fact: &Fact) -> Result<()> {
        let fail = |e: std::io::Error| Problem::io("write the history of the run", &self.path, &e);
        serde_json::to_writer(&mut self.writer, fact).map_err(|e| fail(e.into()))?;
        self.writer.write_all(b"\n").map_err(fail)
    }

    /// Writes everything out and returns the length.
    fn flush(&mut self) -> Result<u64> {
        let fail = |e: std::io::Error| Problem::io("write the history of the run", &self.path, &e);
        // The checkpoint that remembers this length must not reach the disk before the lines do.
        self.writer.flush().and_then(|()| self.writer.get_ref().sync_data()).map_err(fail)?;
        self.writer.stream_position().map_err(fail)
    }
}
