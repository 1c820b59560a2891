//! The training loop.

use super::batches::{Purpose, key, shuffled};
use super::checkpoint::{self, Progress};
use super::features::Features;
use super::metrics::{Confusion, argmax};
use super::schedule::Schedule;
use super::top::Top;
use crate::backbone::{Boundary, Pass};
use crate::control::{Control, Fact};
use crate::nn::{clip_factor, cross_entropy};
use crate::problem::{Problem, Result};
use crate::project::Plan;
use crate::project::run::{EpochRecord, Run};
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
    let schedule = Schedule::new(plan.steps_per_epoch() as u64 * u64::from(training.epochs), training.warmup);
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
            let learning_rate = training.learning_rate * schedule.factor(progress.step + 1);
            let (state, next) = (state?, batches.peek());
            // What the next step needs is read or computed while this one leaves a core or the device idle.
            let (ahead, done) = rayon::join(
                || next.map(|items| features.batch(plan, items)),
                || step(plan, &state, top, items, progress.step, learning_rate),
            );
            ready = ahead;
            let (loss, correct) = done?;
            progress.step += 1;
            progress.steps_in_epoch += 1;
            progress.samples_in_epoch += items.len();
            progress.loss_sum += loss * items.len() as f64;
            progress.correct_in_epoch += correct;
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
            train_accuracy: Some(progress.correct_in_epoch as f64 / progress.samples_in_epoch.max(1) as f64),
            val_loss: validation.loss,
            val_accuracy: validation.confusion.accuracy(),
            val_macro_f1: validation.confusion.macro_f1(),
            seconds: progress.seconds_in_epoch + started.elapsed().as_secs_f64(),
            samples_per_second: (progress.samples_in_epoch - samples_before) as f64
                / trained_seconds.max(1e-9),
        };
        keep_if_best(run, top, progress, &record)?;
        close_epoch(progress, record.clone());
        history.add(&fact_of(&record))?;
        progress.history_bytes = history.flush()?;
        checkpoint::save(run, top, progress)?;
        epoch_done(progress)?;
        // Last: until then the record of the run may still name the best epoch before.
        remove_old_bests(run, progress);
        control.report(fact_of(&record));
    }
    Ok(Ending::Finished)
}

/// Loss and confusion on the validation samples.
pub struct Validation {
    pub loss: f64,
    pub confusion: Confusion,
}

/// Runs `top` over the validation samples, nothing dropped, nothing recorded.
pub fn validate(plan: &Plan, features: &Features, top: &Top) -> Result<Validation> {
    let mut confusion = Confusion::new(plan.index.classes.len());
    let mut loss_sum = 0.0;
    for items in plan.split.validation.chunks(VALIDATION_BATCH) {
        let labels = labels(plan, items);
        let logits = top.predict(&features.batch(plan, items)?)?;
        loss_sum += f64::from(cross_entropy(&logits, &labels)?.to_scalar::<f32>()?) * items.len() as f64;
        for (row, label) in logits.to_vec2::<f32>()?.iter().zip(&labels) {
            confusion.add(*label as usize, argmax(row));
        }
    }
    Ok(Validation { loss: loss_sum / plan.split.validation.len().max(1) as f64, confusion })
}

/// One optimiser step on one batch with its boundary states; `step` steps were made before. Returns the mean loss of
/// the batch and how many of its samples were answered right, both before the step.
fn step(
    plan: &Plan,
    state: &Boundary,
    top: &mut Top,
    items: &[usize],
    step: u64,
    learning_rate: f64,
) -> Result<(f64, usize)> {
    let training = &plan.recipe.training;
    let pass = Pass { dropout: training.dropout as f32, key: key(training.seed, Purpose::Dropout, step) };
    let logits = top.forward(state, &pass)?;
    let labels = labels(plan, items);
    let loss = cross_entropy(&logits, &labels)?;
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
    let right = |(row, label): (&Vec<f32>, &u32)| argmax(row) == *label as usize;
    let correct = logits.to_vec2::<f32>()?.iter().zip(&labels).filter(|pair| right(*pair)).count();
    Ok((value, correct))
}

/// An error where `value`, called `name`, is not a number or infinite.
fn require_finite(value: f64, name: impl Fn() -> String) -> Result<()> {
    if value.is_finite() {
        return Ok(());
    }
    Err(Problem::diverged(
        format!("{} is {value}", name()),
        "lower the learning rate (training.learning_rate) and train again; the best epoch before is kept",
    ))
}

/// Class numbers of `items`.
fn labels(plan: &Plan, items: &[usize]) -> Vec<u32> {
    items.iter().filter_map(|n| plan.index.items.get(*n)).map(|item| item.class as u32).collect()
}

/// The best epoch has the highest validation accuracy, of equals the lowest validation loss.
fn keep_if_best(run: &Run, top: &Top, progress: &mut Progress, record: &EpochRecord) -> Result<()> {
    let best = progress.best_epoch.and_then(|epoch| progress.epochs.iter().find(|e| e.epoch == epoch));
    let is_better = best.is_none_or(|best| {
        record.val_accuracy > best.val_accuracy
            || (record.val_accuracy == best.val_accuracy && record.val_loss < best.val_loss)
    });
    if is_better {
        checkpoint::save_trained(&run.best_path(record.epoch), top, "write the best epoch")?;
        progress.best_epoch = Some(record.epoch);
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
    progress.correct_in_epoch = 0;
}

/// Bests of earlier epochs are of no use once the checkpoint names a newer one.
fn remove_old_bests(run: &Run, progress: &Progress) {
    for epoch in progress.epochs.iter().map(|e| e.epoch).filter(|e| Some(*e) != progress.best_epoch) {
        // A file that stays behind costs some disk and nothing else.
        let _ = std::fs::remove_file(run.best_path(epoch));
    }
}

fn fact_of(record: &EpochRecord) -> Fact {
    Fact::Epoch {
        epoch: record.epoch,
        train_loss: record.train_loss,
        train_accuracy: record.train_accuracy.unwrap_or_default(),
        val_loss: record.val_loss,
        val_accuracy: record.val_accuracy,
        val_macro_f1: record.val_macro_f1,
        seconds: record.seconds,
        samples_per_second: record.samples_per_second,
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
