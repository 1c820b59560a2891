//! Runs as curves, rows and plain words.

use crate::backbone::CutName;
use crate::control::EpochRecord;
use crate::project::run::FailureKind;
use crate::project::{Recipe, RunRecord, RunState, settings};
use crate::task::paired::LEVEL;
use crate::task::{Errors, Interval, Paired, ScoreKind, TaskKind, best_epoch, paired};
use crate::worker::protocol::{CURVE_POINTS, RunHistory};

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
    pub test_samples: usize,
    /// What the frozen layers took, before the training itself.
    pub warm_seconds: f64,
    /// How wrong the best epoch is on each validation sample; not known while it trains.
    pub errors: Option<Errors>,
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
            test_samples: 0,
            warm_seconds: 0.0,
            errors: None,
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
        (view.recipe, view.errors) = (history.recipe, history.errors);
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
        (self.seconds, self.warm_seconds) = (record.seconds, record.warm_seconds);
        self.test_samples = record.test_samples;
        self.failure.clone_from(&record.failure);
        self.failure_kind = record.failure_kind;
    }

    /// Its name as people say it: `3` for `0003`.
    pub fn number(&self) -> &str {
        self.name.trim_start_matches('0')
    }

    /// When it ended, or stands: `after epoch 3`.
    pub fn after_words(&self) -> String {
        match self.epochs.last() {
            Some(last) => format!("after epoch {}", last.epoch),
            None => "before its first epoch ended".to_string(),
        }
    }

    /// How long it took in all, the frozen layers included.
    pub fn all_seconds(&self) -> f64 {
        self.seconds + self.warm_seconds
    }

    /// Whether its epochs begin at features that are computed once: what they count is then not what the network sees.
    pub fn is_cached(&self) -> bool {
        let cut = self.frostline.as_ref();
        self.recipe.as_ref().is_some_and(|recipe| recipe.cache.enabled)
            && cut.is_some_and(|cut| *cut != CutName::Input)
    }

    /// How it compares with `other` sample by sample, where both answered the same ones.
    pub fn paired_with(&self, other: &Self) -> Option<Paired> {
        paired(self.errors.as_ref()?, other.errors.as_ref()?).filter(|_| self.compares_with(other))
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
        let split = |run: &Self| run.recipe.as_ref().map(|recipe| recipe.split);
        self.chief == other.chief
            && self.validation_samples == other.validation_samples
            && backbone(self) == backbone(other)
            && split(self) == split(other)
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
    // What a head alone does is the probe, and early values say little.
    if run.frostline == Some(CutName::Head) || !run.is_past_warmup() {
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

/// How `run` compares with one that trained the head only, by a paired test over the same samples; nothing where there is
/// no such test.
fn beside_probe(run: &RunView, probe: &RunView) -> Option<Alarm> {
    let (own, frozen) = (run.best_score?, probe.best_score?);
    let Paired { better, worse, chance } = run.paired_with(probe)?;
    let difference = run.chief.format_difference(own - frozen);
    let scored =
        format!("run {} that trained the head only ({})", probe.number(), probe.chief.format(frozen));
    let counted = format!("{better} samples are answered better, {worse} worse");
    let side = if run.chief.gain(own, frozen) < 0.0 { "below" } else { "above" };
    let text = match run.chief.gain(own, frozen).abs() <= run.chief.grain() {
        true => format!("The same as {scored}: {counted}"),
        false => format!("{difference} {side} {scored}: {counted}"),
    };
    Some(match (chance < LEVEL, better < worse) {
        (false, _) => alarm(
            AlarmKind::Note,
            "About as good as the frozen probe.",
            format!("{text}, which may be chance."),
        ),
        (true, true) => {
            let text = format!("{text}. Thaw less, or lower the learning rate.");
            alarm(AlarmKind::Warning, "Below the frozen probe.", text)
        }
        (true, false) => alarm(AlarmKind::Good, "Ahead of the frozen probe.", format!("{text}.")),
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

    /// A run of the head only beside [`run`], which answers so many of 100 samples better and worse than it.
    fn beside(view: &mut RunView, better: usize, worse: usize) -> RunView {
        let wrong = |first: usize, last: usize| {
            Errors((0..100).map(|n| f32::from(u8::from((first..last).contains(&n)))).collect())
        };
        view.errors = Some(wrong(better, better + worse));
        RunView {
            best_score: Some(0.6),
            errors: Some(wrong(0, better)),
            ..RunView::live("0001", Some(CutName::Head), 100, &classify::KIND)
        }
    }

    #[test]
    fn alarms_speak_when_they_should() {
        let titles = |losses: &[f64], better, worse| {
            let mut view = run(losses, &vec![0.6; losses.len()]);
            let probe = beside(&mut view, better, worse);
            alarms(&view, Some(&probe)).into_iter().map(|a| a.title).collect::<Vec<_>>()
        };
        let same = "About as good as the frozen probe.";
        assert_eq!(titles(&[0.9, 0.5, 0.6, 0.7, 0.8], 0, 0), ["Overfitting since epoch 2.", same]);
        // Of eleven that differ nine are chance, of ten all but one are not.
        assert_eq!(titles(&[0.9, 0.8, 0.7], 2, 9), [same]);
        assert_eq!(titles(&[0.9, 0.8, 0.7], 9, 2), [same]);
        assert_eq!(titles(&[0.9, 0.8, 0.7], 1, 9), ["Below the frozen probe."]);
        assert_eq!(titles(&[0.9, 0.8, 0.7], 9, 1), ["Ahead of the frozen probe."]);
    }

    #[test]
    fn nothing_is_said_without_evidence() {
        let losses = [0.9, 0.5, 0.6, 0.7, 0.8];
        let mut view = run(&losses, &[0.3; 5]);
        let mut probe = beside(&mut view, 0, 40);
        assert_eq!(alarms(&view, Some(&probe)).len(), 2);
        // Other samples, or an older record.
        probe.errors = Some(Errors(vec![0.0; 99]));
        assert_eq!(alarms(&view, Some(&probe)).len(), 1);
        probe.errors = None;
        assert_eq!(alarms(&view, Some(&probe)).len(), 1);
        // A head alone is no worse than itself, and has nothing to thaw less of.
        view.frostline = Some(CutName::Head);
        assert!(alarms(&view, Some(&probe)).is_empty());
    }

    #[test]
    fn time_counts_the_frozen_layers_too() {
        let mut view = run(&[0.9, 0.8], &[0.5; 2]);
        view.warm_seconds = 5.0;
        assert_eq!(view.all_seconds(), 7.0);
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
