//! Runs as curves, rows and plain words.

use crate::backbone::CutName;
use crate::control::EpochRecord;
use crate::project::run::FailureKind;
use crate::project::{Recipe, RunRecord, RunState, settings};
use crate::task::{Interval, ScoreKind, TaskKind, best_epoch};
use crate::worker::protocol::{CURVE_POINTS, RunHistory};
use std::cmp::Ordering;

/// Weight of the past in the smoothed loss.
const SMOOTHING: f64 = 0.9;

/// One run as the screens need it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunView {
    pub name: String,
    pub state: RunState,
    /// (epochs trained so far, loss of the step).
    pub train_loss: Vec<[f64; 2]>,
    /// The same points, each the exponential moving average of the losses so far.
    pub smooth_loss: Vec<[f64; 2]>,
    /// Of the last step, in this session.
    pub learning_rate: Option<f64>,
    /// (epoch, loss on the validation samples).
    pub val_loss: Vec<[f64; 2]>,
    /// (epoch, first score of the task on the validation samples).
    pub val_score: Vec<[f64; 2]>,
    /// (epoch, the same of the training samples while they were trained on).
    pub train_score: Vec<[f64; 2]>,
    /// What the task counts first: it is drawn and chooses the best epoch.
    pub chief: &'static ScoreKind,
    /// What to bear in mind with its answers.
    pub caution: &'static str,
    /// The epochs that have ended.
    pub epochs: Vec<EpochRecord>,
    pub best_epoch: Option<u32>,
    pub best_score: Option<f64>,
    pub seconds: f64,
    /// What was asked for; `None` where it is not known any more.
    pub recipe: Option<Recipe>,
    /// What differs from the run before it, in a few words.
    pub difference: String,
    /// The cut at which the frozen ground ends.
    pub frostline: Option<CutName>,
    pub validation_samples: usize,
    pub failure: Option<String>,
    pub failure_kind: Option<FailureKind>,
}

/// Something that a person should know about a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Alarm {
    pub kind: AlarmKind,
    /// The point in a few words.
    pub title: String,
    /// What it means and what to try.
    pub text: String,
}

/// How bad an alarm is; some tell good news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmKind {
    Note,
    Good,
    Warning,
    Bad,
}

impl RunView {
    /// A run that begins now.
    pub fn live(name: &str, frostline: Option<CutName>, validation_samples: usize, task: &TaskKind) -> Self {
        Self {
            name: name.to_string(),
            state: RunState::Running,
            train_loss: Vec::new(),
            smooth_loss: Vec::new(),
            learning_rate: None,
            val_loss: Vec::new(),
            val_score: Vec::new(),
            train_score: Vec::new(),
            chief: task.chief(),
            caution: task.caution,
            epochs: Vec::new(),
            best_epoch: None,
            best_score: None,
            seconds: 0.0,
            recipe: None,
            difference: String::new(),
            frostline,
            validation_samples,
            failure: None,
            failure_kind: None,
        }
    }

    /// A run from disk.
    pub fn of(history: RunHistory) -> Self {
        let record = history.record;
        let task = record.task.kind;
        let mut view =
            Self::live(&record.run, Some(record.frostline.clone()), record.validation_samples, &task);
        for [position, loss] in history.step_losses {
            view.add_step(position, loss);
        }
        view.recipe = history.recipe;
        view.finish(&record);
        view
    }

    /// Takes the epochs and the end of a run from its record.
    pub fn finish(&mut self, record: &RunRecord) {
        (self.best_epoch, self.best_score) = (None, None);
        self.epochs.clear();
        for curve in [&mut self.val_loss, &mut self.val_score, &mut self.train_score] {
            curve.clear();
        }
        for epoch in &record.epochs {
            self.add_epoch(epoch.clone());
        }
        self.state = record.state;
        self.seconds = record.seconds;
        self.failure.clone_from(&record.failure);
        self.failure_kind = record.failure_kind;
    }

    /// Its name as people say it: `3` for `0003`.
    pub fn number(&self) -> &str {
        self.name.trim_start_matches('0')
    }

    /// Notes a step; `position` is in epochs. A run that goes on repeats what came after its checkpoint. Beyond a
    /// bound every other point is dropped, so that memory stays flat.
    pub fn add_step(&mut self, position: f64, loss: f64) {
        while self.train_loss.last().is_some_and(|last| last[0] >= position) {
            self.train_loss.pop();
            self.smooth_loss.pop();
        }
        let average = self.smooth_loss.last().map_or(loss, |last| last[1]);
        self.train_loss.push([position, loss]);
        self.smooth_loss.push([position, average + (1.0 - SMOOTHING) * (loss - average)]);
        if self.train_loss.len() > 2 * CURVE_POINTS {
            for curve in [&mut self.train_loss, &mut self.smooth_loss] {
                let mut keep = false;
                curve.retain(|_| {
                    keep = !keep;
                    keep
                });
            }
        }
    }

    /// Notes an epoch. A run that goes on repeats what came after its checkpoint.
    pub fn add_epoch(&mut self, record: EpochRecord) {
        let position = f64::from(record.epoch);
        for values in [&mut self.val_loss, &mut self.val_score, &mut self.train_score] {
            values.retain(|point| point[0] < position);
        }
        self.val_loss.push([position, record.val_loss]);
        self.val_score.extend(self.chief.of(&record.val).map(|score| [position, score]));
        self.train_score.extend(self.chief.of(&record.train).map(|score| [position, score]));
        self.seconds += record.seconds;
        self.epochs.retain(|known| known.epoch < record.epoch);
        let known = self.epochs.iter().filter(|epoch| Some(epoch.epoch) == self.best_epoch);
        let best = best_epoch(known.chain(std::iter::once(&record)), self.chief);
        (self.best_epoch, self.best_score) =
            (best.map(|e| e.epoch), best.and_then(|e| self.chief.of(&e.val)));
        self.epochs.push(record);
    }

    /// The best score for a person, with its interval where it has one; a dash before the first epoch's end.
    pub fn best_words(&self) -> String {
        let Some(best) = self.best_score else { return "-".to_string() };
        let ends = self.interval().map(|interval| format!(" ({})", self.chief.format_interval(&interval)));
        format!("{}{}", self.chief.format(best), ends.unwrap_or_default())
    }

    /// Whether the learning rate has reached its height; what happens before says little.
    fn is_past_warmup(&self) -> bool {
        let Some(training) = self.recipe.as_ref().map(|recipe| &recipe.training) else { return true };
        let warm = training.warmup * f64::from(training.epochs);
        self.epochs.last().is_some_and(|last| f64::from(last.epoch) > warm)
    }

    /// Whether `other` was trained with the same backbone and judged on as many samples by the same score.
    pub fn compares_with(&self, other: &Self) -> bool {
        let backbone = |run: &Self| run.recipe.as_ref().map(|recipe| recipe.backbone.id.clone());
        self.chief == other.chief
            && self.validation_samples == other.validation_samples
            && backbone(self) == backbone(other)
    }

    /// The 95 % interval of the best score, where that is a share of samples.
    pub fn interval(&self) -> Option<Interval> {
        self.chief.interval(self.best_score?, self.validation_samples)
    }
}

/// What there is to say about `run`; `probe` is the best run that can be compared with it and trained the head only.
pub fn alarms(run: &RunView, probe: Option<&RunView>) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    if run.failure_kind == Some(FailureKind::Diverged) {
        let text = "The loss is no longer a number. Lower the learning rate and train again.";
        alarms.push(alarm(AlarmKind::Bad, "Diverged.", text.to_string()));
    }
    if !run.is_past_warmup() {
        return alarms;
    }
    if let Some(epoch) = overfitting_since(&run.val_loss) {
        let text = format!(
            "Validation loss has risen since. The epoch with the best {} is kept; fewer epochs, fewer thawed layers or more data help.",
            run.chief.noun()
        );
        alarms.push(alarm(AlarmKind::Warning, &format!("Overfitting since epoch {epoch}."), text));
    }
    alarms.extend(probe.and_then(|probe| beside_probe(run, probe)));
    alarms
}

/// How `run` compares with one that trained the head only; worse or better only where chance hardly explains it.
fn beside_probe(run: &RunView, probe: &RunView) -> Option<Alarm> {
    let (own, frozen) = (run.best_score?, probe.best_score?);
    let (gain, difference) = (run.chief.gain(own, frozen), run.chief.format_difference(own - frozen));
    let trained =
        format!("run {} that trained the head only ({})", probe.number(), probe.chief.format(frozen));
    let is_chance = run.interval().is_none_or(|interval| interval.holds(frozen));
    Some(match gain.total_cmp(&0.0) {
        _ if gain.abs() <= run.chief.grain() => {
            alarm(AlarmKind::Note, "As good as the frozen probe.", format!("The same as {trained}."))
        }
        Ordering::Less if is_chance => {
            let text = format!("{difference} below {trained}, which may be chance.");
            alarm(AlarmKind::Note, "About as good as the frozen probe.", text)
        }
        Ordering::Less => {
            let text = format!("{difference} below {trained}. Thaw less, or lower the learning rate.");
            alarm(AlarmKind::Warning, "Below the frozen probe.", text)
        }
        Ordering::Equal | Ordering::Greater if is_chance => {
            let text = format!("{difference} above {trained}, which may be chance.");
            alarm(AlarmKind::Note, "About as good as the frozen probe.", text)
        }
        Ordering::Equal | Ordering::Greater => {
            alarm(AlarmKind::Good, "Ahead of the frozen probe.", format!("{difference} above {trained}."))
        }
    })
}

fn alarm(kind: AlarmKind, title: &str, text: String) -> Alarm {
    Alarm { kind, title: title.to_string(), text }
}

/// The epoch after which validation loss only rose, where it has risen by a twentieth over three epochs or more.
fn overfitting_since(val_loss: &[[f64; 2]]) -> Option<u32> {
    let (lowest, point) = val_loss.iter().enumerate().min_by(|a, b| a.1[1].total_cmp(&b.1[1]))?;
    let last = val_loss.last()?;
    let risen = last[1] > 1.05 * point[1] && val_loss.len() - lowest > 3;
    risen.then_some(point[0] as u32)
}

/// Says of each run, oldest first, what differs from the one before it.
/// `layers` names what a recipe thaws.
pub fn tell_differences(runs: &mut [RunView], layers: impl Fn(&Recipe) -> String) {
    let mut before: Option<Recipe> = None;
    for run in runs {
        if let Some(recipe) = &run.recipe {
            run.difference = difference(recipe, before.as_ref(), &layers(recipe));
            before = Some(recipe.clone());
        }
    }
}

/// What differs between the recipe of a run and the one before it, in a few words.
fn difference(own: &Recipe, before: Option<&Recipe>, thawed: &str) -> String {
    let Some(before) = before else { return thawed.to_string() };
    let mut parts = Vec::new();
    if own.freeze != before.freeze {
        parts.push(thawed.to_string());
    }
    if own.backbone.id != before.backbone.id {
        parts.push(own.backbone.id.clone());
    }
    parts.extend(settings::that_differ(own, before));
    if own.split != before.split {
        parts.push("other split".to_string());
    }
    if parts.is_empty() { format!("{thawed}, as before") } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::{OptimiserChoice, Sgd};
    use crate::project::recipe::{BatchNormChoice, TrainingChoice};
    use crate::task::classify;

    fn run(losses: &[f64], accuracies: &[f64]) -> RunView {
        let mut run = RunView::live("0002", None, 100, &classify::KIND);
        for (n, (val_loss, val_accuracy)) in losses.iter().zip(accuracies).enumerate() {
            run.add_epoch(EpochRecord {
                epoch: n as u32 + 1,
                train_loss: 1.0,
                val_loss: *val_loss,
                val: [("accuracy", *val_accuracy)].into_iter().collect(),
                seconds: 1.0,
                ..EpochRecord::default()
            });
        }
        run
    }

    #[test]
    fn the_best_epoch_is_the_loops() {
        let view = run(&[0.9, 0.7, 0.6, 0.8], &[0.5, 0.8, 0.8, 0.7]);
        assert_eq!((view.best_epoch, view.best_score), (Some(3), Some(0.8)));
    }

    #[test]
    fn alarms_speak_when_they_should() {
        let titles = |losses: &[f64], accuracies: &[f64], probe: f64| {
            let probe = RunView {
                name: "0001".into(),
                best_score: Some(probe),
                ..RunView::live("0001", Some(CutName::Head), 100, &classify::KIND)
            };
            alarms(&run(losses, accuracies), Some(&probe)).into_iter().map(|a| a.title).collect::<Vec<_>>()
        };
        let same = "As good as the frozen probe.";
        assert_eq!(titles(&[0.9, 0.5, 0.6, 0.7, 0.8], &[0.6; 5], 0.6), ["Overfitting since epoch 2.", same]);
        assert_eq!(titles(&[0.9, 0.8, 0.7], &[0.5; 3], 0.7), ["Below the frozen probe."]);
        assert_eq!(titles(&[0.9, 0.8, 0.7], &[0.8; 3], 0.6), ["Ahead of the frozen probe."]);
        // Five of a hundred samples are chance, whichever way.
        let about = ["About as good as the frozen probe."];
        assert_eq!(titles(&[0.9, 0.8, 0.82], &[0.55; 3], 0.6), about);
        assert_eq!(titles(&[0.9, 0.8, 0.82], &[0.65; 3], 0.6), about);
    }

    #[test]
    fn nothing_is_said_before_the_learning_rate_has_risen() {
        let mut view = run(&[0.9, 0.5, 0.6, 0.7, 0.8], &[0.6; 5]);
        let mut recipe = Recipe::parse(include_str!("../project/goldens/recipe-1.toml")).unwrap();
        (recipe.training.epochs, recipe.training.warmup) = (10, 0.5);
        view.recipe = Some(recipe.clone());
        assert!(alarms(&view, None).is_empty());
        recipe.training.warmup = 0.4;
        view.recipe = Some(recipe);
        assert_eq!(alarms(&view, None).len(), 1);
    }

    #[test]
    fn runs_compare_on_the_same_backbone_and_samples_alone() {
        let mut recipe = Recipe::parse(include_str!("../project/goldens/recipe-1.toml")).unwrap();
        let of = |recipe: &Recipe, samples| RunView {
            recipe: Some(recipe.clone()),
            ..RunView::live("0001", None, samples, &classify::KIND)
        };
        let own = of(&recipe, 100);
        assert!(own.compares_with(&of(&recipe, 100)));
        assert!(!own.compares_with(&of(&recipe, 99)));
        recipe.backbone.id = "another".into();
        assert!(!own.compares_with(&of(&recipe, 100)));
    }

    #[test]
    fn a_run_that_diverged_says_so_whatever_its_words() {
        let mut view = run(&[], &[]);
        view.failure = Some("training diverged".into());
        view.failure_kind = Some(FailureKind::Other);
        assert!(alarms(&view, None).is_empty());
        view.failure_kind = Some(FailureKind::Diverged);
        assert_eq!(alarms(&view, None)[0].title, "Diverged.");
    }

    #[test]
    fn every_setting_that_differs_is_told() {
        let before = Recipe::parse(include_str!("../project/goldens/recipe-1.toml")).unwrap();
        let check = |change: &dyn Fn(&mut TrainingChoice), expected: &str| {
            let mut own = before.clone();
            change(&mut own.training);
            assert_eq!(difference(&own, Some(&before), "blocks.5"), expected);
        };
        check(&|_| {}, "blocks.5, as before");
        // AdamW does not use it.
        check(&|t| t.momentum = 0.5, "blocks.5, as before");
        check(&|t| t.set_optimiser(OptimiserChoice::of(&Sgd)), "SGD, momentum 0.9, rate 1e-2, decay 0.0005");
        check(&|t| t.clip = 2.0, "limit 2");
        check(&|t| t.weight_decay = 0.0, "decay 0");
        check(&|t| t.batch_norm = BatchNormChoice::Training, "training batch norm");
        check(&|t| (t.epochs, t.seed) = (3, 9), "3 epochs, seed 9");
    }

    #[test]
    fn memory_stays_flat_over_a_long_run() {
        let mut view = RunView::live("0001", Some(CutName::Head), 10, &classify::KIND);
        for step in 0..500_000 {
            view.add_step(f64::from(step), 1.0);
        }
        assert!(view.train_loss.len() <= 2 * CURVE_POINTS);
        assert!(view.train_loss.windows(2).all(|w| w[0][0] < w[1][0]));
    }
}
