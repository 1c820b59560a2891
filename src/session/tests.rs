//! The session by itself: actions and events in, effects out.

use super::*;
use crate::backbone::registry;
use crate::data::index::{Digest, INDEX_VERSION, Item, Layout, Modality};
use crate::data::target::{Target, TargetKind};
use crate::inspect::FilterTiles;
use crate::problem::Problem;
use crate::project::reading::Reading;
use crate::remedy::{HubRemedy, Remedy};
use crate::worker::{Begin, Disk, Event, Outcome, Short};
use std::path::Path;

/// A made-up network for pictures, known as `id`.
fn network(id: &str) -> BackboneFacts {
    let pretrained = serde_json::json!({"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]});
    let config = serde_json::json!({"architecture": "mobilenetv2_100", "pretrained_cfg": pretrained});
    let (family, network) = registry::describe(&config, Path::new("x")).unwrap();
    let reading = Reading { input: id.into(), pooling: "mean".into(), numerics: 1, modules: Some(1) };
    BackboneFacts {
        reading,
        id: id.to_string(),
        name: id.to_string(),
        family,
        card: Default::default(),
        input: crate::backbone::InputSpec::Image(crate::backbone::spec::image_spec(&config, 224).unwrap()),
        tree: Arc::new(network.tree().clone()),
        cuts: network.cuts().into(),
        features: 1280,
        dropout: 0.2,
        file_bytes: 1,
        sha256: "0".repeat(64),
        commit: None,
        folder: PathBuf::from(id),
    }
}

fn index() -> DatasetIndex {
    let item = |n: usize| Item {
        path: format!("{n}.png").into(),
        line: None,
        text: None,
        target: Target::Class(n % 2),
        digest: Digest::of(&[n as u8]),
        part: None,
        group: None,
    };
    DatasetIndex {
        files: Default::default(),
        unpacked: None,
        version: INDEX_VERSION,
        root: "/data".into(),
        modality: Modality::Image,
        target: TargetKind::Class,
        classes: vec!["a".into(), "b".into()],
        items: (0..40).map(item).collect(),
        findings: Vec::new(),
        layout: Layout::Folders { modality: Modality::Image, items: 40, folders: 2, parts: Vec::new() },
    }
}

/// A session with an open project and two backbones; everything that it asked for has been answered or forgotten.
fn opened() -> Session {
    let mut session = Session::new(&Machine::cpu(), Remembered::default());
    session.backbones = vec![network("one"), network("two")];
    let mut recipe = Recipe::parse(include_str!("../project/goldens/recipe-1.toml")).unwrap();
    recipe.backbone = projects::choice_of(&session.backbones[0]);
    recipe.freeze.thaw.clear();
    session.show_project("/project".into(), recipe, Arc::new(index()));
    session.pending.clear();
    session.write_memory();
    session.pending.clear();
    session
}

fn requests(effects: &[Effect]) -> Vec<&Request> {
    fn request(effect: &Effect) -> Option<&Request> {
        match effect {
            Effect::Send(request) => Some(request),
            Effect::Stop(_)
            | Effect::Pause(..)
            | Effect::PickFolder(_)
            | Effect::PickFile(_)
            | Effect::ShowFolder(_)
            | Effect::Quit => None,
        }
    }
    effects.iter().filter_map(request).collect()
}

/// The job of the request that `meant` is true of.
fn job_of(effects: &[Effect], meant: impl Fn(&Command) -> bool) -> Option<JobId> {
    requests(effects).into_iter().find(|request| meant(&request.command)).map(|request| request.job)
}

fn finished(session: &mut Session, job: JobId, outcome: Outcome) -> Vec<Effect> {
    session.on_event(Event::Finished { job, outcome: Box::new(outcome) })
}

#[test]
fn filters_of_another_backbone_are_not_shown() {
    let mut session = opened();
    let is_filters = |command: &Command| matches!(command, Command::Short(Short::Filters { .. }));
    let job = job_of(&session.apply(View::SelectLayer(Some("conv_stem".into()))), is_filters).unwrap();
    let tiles = FilterTiles { side: 3, channels: 3, tiles: Vec::new(), total: 0 };
    let of = |backbone: &str| Outcome::Filters {
        backbone: backbone.to_string(),
        layer: "conv_stem".to_string(),
        tiles: tiles.clone(),
    };
    finished(&mut session, job, of("one"));
    assert!(session.filters_of("conv_stem").is_some() && session.filters_of("blocks.0").is_none());
    // The layer has the same path in the other network.
    let job = job_of(&session.apply(Edit::ChooseBackbone("two".into())), is_filters);
    assert!(session.filters_of("conv_stem").is_none());
    finished(&mut session, job.expect("its own filters are asked for"), of("two"));
    assert!(session.filters_of("conv_stem").is_some());
}

#[test]
fn a_training_begins_when_its_recipe_is_on_the_disk() {
    let mut session = opened();
    let effects = session.apply(Job::Train);
    assert!(session.is_training());
    let is_save = |command: &Command| matches!(command, Command::Disk(Disk::SaveRecipe { .. }));
    let is_train =
        |command: &Command| matches!(command, Command::Long(Long::Train { begin: Begin::Anew(_), .. }));
    assert_eq!(job_of(&effects, is_train), None);
    let effects = finished(&mut session, job_of(&effects, is_save).unwrap(), Outcome::Saved);
    assert!(job_of(&effects, is_train).is_some());
}

#[test]
fn a_recipe_that_cannot_be_written_starts_no_run() {
    let mut session = opened();
    let effects = session.apply(Job::Train);
    let is_save = |command: &Command| matches!(command, Command::Disk(Disk::SaveRecipe { .. }));
    let problem = Problem::other("could not write the recipe", "the disk is full", "free some space");
    let effects = session.on_event(Event::Failed { job: job_of(&effects, is_save).unwrap(), problem });
    assert!(requests(&effects).iter().all(|request| !matches!(request.command, Command::Long(_))));
    assert!(!session.is_training() && session.job.is_none());
    assert_eq!(session.toasts.last().unwrap().title, "The run was not started");
    assert!(session.project.as_ref().unwrap().runs.is_empty());
}

#[test]
fn a_drag_is_written_when_it_has_ended() {
    let mut session = opened();
    for cut in [3, 4] {
        let effects = session.apply(Edit::DragFrostline { cut, drag: 1 });
        assert!(requests(&effects).is_empty(), "{effects:?}");
    }
    assert!(!session.is_saved());
    assert_eq!(requests(&session.last_writes()).len(), 2);
    assert_eq!(requests(&session.save_recipe()).len(), 0);
}

#[test]
fn what_can_be_done_says_nothing_and_what_cannot_says_why() {
    let mut session = Session::new(&Machine::cpu(), Remembered::default());
    for (action, _) in Action::examples() {
        if let Some(why) = session.why_not(&action) {
            let toasts = session.toasts.len();
            session.apply(action.clone());
            assert!(
                session.toasts.len() > toasts || session.toasts.iter().any(|t| t.text == why),
                "{action:?}"
            );
            assert!(why.ends_with('.'), "{why}");
        }
    }
}

#[test]
fn a_recipe_that_could_not_be_written_is_tried_again_when_the_window_closes() {
    let mut session = opened();
    let is_save = |command: &Command| matches!(command, Command::Disk(Disk::SaveRecipe { .. }));
    session.apply(Edit::ChooseBackbone("two".into()));
    let job = job_of(&session.save_recipe(), is_save).or(session.jobs_asked(is_save).pop()).unwrap();
    let problem = Problem::other("could not write the recipe", "the disk is full", "free some space");
    session.on_event(Event::Failed { job, problem });
    assert!(!session.is_saved());
    assert!(job_of(&session.save_recipe(), is_save).is_none(), "not in every frame");
    assert!(job_of(&session.last_writes(), is_save).is_some());
}

#[test]
fn a_project_is_opened_when_its_recipe_has_arrived_on_the_disk() {
    let is_save = |command: &Command| matches!(command, Command::Disk(Disk::SaveRecipe { .. }));
    let is_open = |command: &Command| matches!(command, Command::Aside(Aside::Open { .. }));
    for arrives in [true, false] {
        let mut session = opened();
        session.apply(Edit::ChooseBackbone("two".into()));
        session.save_recipe();
        let save = session.jobs_asked(is_save).pop().unwrap();
        assert!(job_of(&session.apply(Open::OpenPath("/project".into())), is_open).is_none());
        let effects = match arrives {
            true => finished(&mut session, save, Outcome::Saved),
            false => {
                let problem =
                    Problem::other("could not write the recipe", "the disk is full", "free some space");
                session.on_event(Event::Failed { job: save, problem })
            }
        };
        assert!(job_of(&effects, is_open).is_some());
    }
}

/// The message that a training leaves which ends with `problem`.
fn failed_training(problem: Problem) -> (Session, Toast) {
    let mut session = opened();
    let is_save = |command: &Command| matches!(command, Command::Disk(Disk::SaveRecipe { .. }));
    let is_train = |command: &Command| matches!(command, Command::Long(Long::Train { .. }));
    let save = job_of(&session.apply(Job::Train), is_save).unwrap();
    let job = job_of(&finished(&mut session, save, Outcome::Saved), is_train).unwrap();
    session.on_event(Event::Failed { job, problem });
    let toast = session.toasts.last().cloned().unwrap();
    (session, toast)
}

#[test]
fn a_run_that_diverged_offers_a_lower_rate() {
    let (mut session, toast) = failed_training(Problem::diverged("it is NaN", Remedy::LowerLearningRate));
    assert!(toast.text.contains("lower the learning rate and train again"), "{toast:?}");
    let offer = toast.offer.unwrap();
    assert_eq!(offer.text, "Lower the rate to 3.3e-4");
    session.apply(offer.action);
    assert_eq!(session.project.unwrap().recipe.training.learning_rate, 3.3e-4);
}

#[test]
fn what_may_go_well_another_time_is_offered_once_more() {
    let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
    let (_, toast) = failed_training(Problem::io("write the checkpoint", Path::new("/a"), &full));
    assert!(toast.text.contains("then try again; nothing written before is lost"), "{toast:?}");
    assert_eq!(toast.offer, Some(Offer { text: "Try again".into(), action: Job::Train.into() }));
    let (_, toast) = failed_training(Problem::input("it is odd", "it is", "look at it"));
    assert_eq!(toast.offer, None);
}

/// Words and a button may differ; both must be there, or none.
#[test]
fn every_remedy_of_the_window_can_be_done_there() {
    let session = opened();
    let remedies = [
        Remedy::FindData,
        Remedy::MakeProject,
        Remedy::OtherTask,
        Remedy::OtherBackbone,
        Remedy::LookAtData,
        Remedy::TrainFirst,
        Remedy::NewRun,
        Remedy::from(HubRemedy::Download { id: "a/b".into(), instead: "" }),
    ];
    for remedy in remedies {
        let offer = session.offer(None, &Problem::input("it is odd", "it is", remedy.clone())).unwrap();
        assert_eq!(session.why_not(&offer.action), None, "{remedy:?}");
    }
}

/// Frozen layers and epochs are waited for as one, and the count is told with its rate.
#[test]
fn the_warm_up_says_how_long_all_of_it_takes() {
    let mut session = opened();
    let calibration = Calibration { segments: vec![0.01; 64] };
    session.calibrations.insert("one".into(), calibration);
    session.apply(Job::Train);
    let (job, epochs) = {
        let view = session.job.as_mut().unwrap();
        view.phase = Phase::Named("computing the frozen layers".into());
        view.started = std::time::Instant::now() - std::time::Duration::from_secs(10);
        (view.id, view.epochs_seconds.unwrap())
    };
    let fact = crate::control::Fact::progress("computing the frozen layers", 100, 300);
    session.on_event(Event::Fact { job, fact });
    let view = session.job.as_ref().unwrap();
    assert_eq!((view.count, view.rate_words), (Some((100, 300)), "samples/s"));
    let (rate, left) = (view.rate.unwrap(), view.seconds_left.unwrap());
    assert!((rate - 10.0).abs() < 0.5 && (left - 20.0 - epochs).abs() < 1.0, "{rate} a second, {left} s");
    assert!(epochs > 0.0);
}

#[test]
fn an_export_says_where_it_lies() {
    let mut session = opened();
    let asked = Asked {
        command: Long::Export { project: "/project".into(), run: Some("0001".into()), out: "/out".into() }
            .into(),
        project: Some("/project".into()),
        run: None,
    };
    let out = Outcome::Exported { out: "/out".into(), bytes: 1, labels: 2, thawed: 0, golden: 3 };
    session.on_outcome(asked, out);
    let toast = session.toasts.last().unwrap();
    assert_eq!((toast.text.as_str(), toast.offer.as_ref().unwrap().text.as_str()), ("/out", "Open folder"));
    let action = toast.offer.clone().unwrap().action;
    assert!(matches!(&session.apply(action)[0], Effect::ShowFolder(folder) if folder == Path::new("/out")));
}
