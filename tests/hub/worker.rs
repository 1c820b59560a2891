//! The window's commands: downloads and searches beside a training, each stopped and paused by itself.

use crate::User;
use crate::loopback::models::{LARGE, SMALL, Size, mobilenet};
use crate::loopback::{LoopbackHub, TOKEN};
use frostline::control::{Fact, Progress};
use frostline::hub::Query;
use frostline::hub::local::Keep;
use frostline::project::Machine;
use frostline::worker::{
    Aside, Begin, Command, Event, HubAnswer, HubAsk, JobId, Long, Outcome, Request, StandIn, Wake, Worker,
};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Runs a test in a process of its own whose environment leads to `hub`.
pub fn in_own_process<F: FnOnce(&User)>(hubs: impl FnOnce() -> LoopbackHub, test: F) {
    if let Ok(endpoint) = std::env::var("FROSTLINE_HUB_TEST") {
        let user = User { folder: tempfile::tempdir().unwrap(), endpoint };
        return test(&user);
    }
    let hub = hubs();
    // `hub::worker::name_of_the_test::{{closure}}`
    let closure = std::any::type_name::<F>();
    let name = closure.split_once("::").unwrap().1.trim_end_matches("::{{closure}}").to_string();
    let user = User::of(&hub);
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    for (key, value) in user.program().get_envs() {
        match value {
            Some(value) => command.env(key, value),
            None => command.env_remove(key),
        };
    }
    command
        .args([&name, "--exact", "--nocapture", "--test-threads=1"])
        .env("FROSTLINE_HUB_TEST", hub.endpoint());
    let output = command.output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{name}: {said}");
    hub.assert_token_stayed();
    assert!(!said.contains(TOKEN));
}

struct Window {
    worker: Worker,
    events: Vec<Event>,
}

impl Window {
    fn open(stand_in: StandIn) -> Self {
        let worker = Worker::with_stand_in(Machine::cpu(), Arc::new(|| {}) as Wake, stand_in).unwrap();
        Self { worker, events: Vec::new() }
    }

    fn ask(&self, job: JobId, ask: HubAsk) {
        let command = Aside::Hub(ask).into();
        self.worker.send(Request { job, command }).unwrap();
    }

    /// Waits for an event.
    #[track_caller]
    fn wait<T>(&mut self, what: &str, find: impl Fn(&Event) -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            self.events.extend(self.worker.drain());
            if let Some(found) = self.events.iter().find_map(&find) {
                return found;
            }
            assert!(began.elapsed() < Duration::from_secs(120), "{what}: {:?}", self.events);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[track_caller]
    fn answer(&mut self, of: JobId) -> HubAnswer {
        self.wait("an answer", |event| match event {
            Event::Finished { job, outcome } if *job == of => match &**outcome {
                Outcome::Hub(answer) => Some(answer.clone()),
                other => panic!("{other:?}"),
            },
            Event::Failed { job, problem } | Event::Stopped { job, problem } if *job == of => {
                panic!("{problem}")
            }
            _ => None,
        })
    }

    /// Bytes of a download so far.
    fn bytes(&mut self, of: JobId) -> u64 {
        self.events.extend(self.worker.drain());
        let bytes = self.events.iter().rev().find_map(|event| match event {
            Event::Fact { job, fact: Fact::Progress(Progress::Download { all_bytes, .. }) } if *job == of => {
                Some(*all_bytes)
            }
            _ => None,
        });
        bytes.unwrap_or(0)
    }
}

fn download(id: &str) -> HubAsk {
    HubAsk::Download { id: id.to_string(), revision: None, allow_pickle: false }
}

#[test]
fn the_window_searches_reads_and_downloads_while_it_trains() {
    let hub = || LoopbackHub::start(vec![mobilenet(), SMALL.repo("owner/small-bert")]);
    in_own_process(hub, |_| {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        // A training that lasts until the download has ended.
        let stand_in: StandIn = Arc::new(move |command, _| {
            matches!(command, Command::Long(Long::Train { .. })).then(|| {
                while !over.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Ok(Outcome::Tried { predictions: Vec::new() })
            })
        });
        let mut window = Window::open(stand_in);
        let command = Long::Train { project: PathBuf::new(), begin: Begin::Resume }.into();
        window.worker.send(Request { job: 1, command }).unwrap();
        window.ask(2, HubAsk::Search { query: Query { text: "bert".into(), ..Query::default() }, count: 10 });
        let HubAnswer::Found { found, search } = window.answer(2) else { panic!("no list") };
        assert_eq!((found[0].id.as_str(), search.is_done()), ("owner/small-bert", true));
        window.ask(3, HubAsk::Page { id: found[0].id.clone(), revision: None });
        let HubAnswer::Page(page) = window.answer(3) else { panic!("no page") };
        assert!(page.supported && page.fits_disk == Some(true));
        window.ask(4, download(&page.id));
        let HubAnswer::Downloaded(downloaded) = window.answer(4) else { panic!("no download") };
        assert_eq!(
            (downloaded.revision, downloaded.bytes),
            (page.revision.clone(), page.download_bytes.unwrap())
        );
        assert!(window.bytes(4) == downloaded.bytes);
        window.ask(5, HubAsk::Library { projects: Vec::new() });
        let HubAnswer::Library(kept) = window.answer(5) else { panic!("no library") };
        assert!(kept.iter().any(|entry| entry.id == page.id && entry.supported));
        assert!(!window.events.iter().any(|event| event.job() == 1), "the training did not run beside");
        is_over.store(true, Ordering::SeqCst);
        window.wait("the training", |event| matches!(event, Event::Finished { job: 1, .. }).then_some(()));
        window.worker.send(Request { job: 6, command: Aside::ListBackbones.into() }).unwrap();
        let commit = window.wait("the backbones", |event| match event {
            Event::Finished { job: 6, outcome } => match &**outcome {
                Outcome::Backbones { backbones, .. } => {
                    backbones.iter().find(|b| b.id == page.id)?.commit.clone()
                }
                _ => None,
            },
            _ => None,
        });
        assert_eq!(commit, page.revision);
        window.ask(7, HubAsk::Remove { id: page.id.clone() });
        assert!(matches!(window.answer(7), HubAnswer::Removed(removed) if removed.bytes > 1_000_000));
    });
}

#[test]
fn downloads_wait_for_each_other_and_are_paused_and_stopped_one_by_one() {
    let hub = || {
        let large = Size { vocabulary: LARGE.vocabulary / 20, ..LARGE };
        let hub = LoopbackHub::start(vec![large.repo("owner/large"), SMALL.repo("owner/one"), mobilenet()]);
        hub.pace(8_000_000);
        hub
    };
    in_own_process(hub, |_| {
        let mut window = Window::open(Arc::new(|_, _| None));
        window.ask(1, download("owner/large"));
        window.ask(2, download("timm/mobilenetv2_100.ra_in1k"));
        window.ask(3, download("owner/one"));
        window.worker.stop(2);
        window.wait("the first bytes", |event| match event {
            Event::Fact { job: 1, fact: Fact::Progress(Progress::Download { all_bytes, .. }) } => {
                (*all_bytes > 1_000_000).then_some(())
            }
            _ => None,
        });
        window.worker.pause(1, true);
        let mut paused = window.bytes(1);
        loop {
            std::thread::sleep(Duration::from_millis(500));
            let now = window.bytes(1);
            if now == std::mem::replace(&mut paused, now) {
                break;
            }
        }
        let is_over =
            |event: &Event| matches!(event, Event::Finished { job: 1, .. } | Event::Failed { job: 1, .. });
        assert!(!window.events.iter().any(is_over), "it went on while it was paused");
        // Its turn goes to the next, the stopped one never begins.
        window.wait("the other stop", |event| matches!(event, Event::Stopped { job: 2, .. }).then_some(()));
        assert!(matches!(window.answer(3), HubAnswer::Downloaded(d) if d.id == "owner/one"));
        let paused = window.bytes(1).max(paused);
        window.worker.pause(1, false);
        window.wait("more bytes", |event| match event {
            Event::Fact { job: 1, fact: Fact::Progress(Progress::Download { all_bytes, .. }) } => {
                (*all_bytes > paused + 500_000).then_some(())
            }
            _ => None,
        });
        window.worker.stop(1);
        window.wait("the stop", |event| matches!(event, Event::Stopped { job: 1, .. }).then_some(()));
        assert!(
            !window.events.iter().any(|e| matches!(e, Event::Fact { job: 2, .. })),
            "a stopped one began"
        );
        // What has arrived is kept.
        window.ask(4, HubAsk::Library { projects: Vec::new() });
        let HubAnswer::Library(kept) = window.answer(4) else { panic!("no library") };
        let large = kept.iter().find(|entry| entry.id == "owner/large").unwrap();
        assert!(large.incomplete_bytes > 1_000_000 && !large.supported, "{large:?}");
    });
}

#[test]
fn a_folder_of_the_user_s_becomes_a_backbone() {
    in_own_process(
        || LoopbackHub::start(Vec::new()),
        |user| {
            let folder = user.path("my-net");
            std::fs::create_dir(&folder).unwrap();
            let bundled = crate::loopback::models::bundled;
            let config = String::from_utf8(bundled("mobilenetv2_100/config.json")).unwrap();
            std::fs::write(folder.join("weights.safetensors"), bundled("mobilenetv2_100/model.safetensors"))
                .unwrap();
            let mut window = Window::open(Arc::new(|_, _| None));
            let (file, failed) =
                (folder.join("weights.safetensors"), |event: &Event, of: JobId| match event {
                    Event::Failed { job, problem } if *job == of => Some(problem.to_string()),
                    _ => None,
                });
            window.ask(1, HubAsk::AddLocal { path: file.clone(), keep: Keep::Copied });
            assert!(window.wait("a no", |event| failed(event, 1)).contains("no config.json beside it"));
            std::fs::write(folder.join("config.json"), config).unwrap();
            window.ask(2, HubAsk::AddLocal { path: file.clone(), keep: Keep::Referenced });
            assert!(window.wait("a no", |event| failed(event, 2)).contains("rename it, or let it be copied"));
            window.ask(3, HubAsk::AddLocal { path: file.clone(), keep: Keep::Copied });
            assert!(matches!(window.answer(3), HubAnswer::Added { id } if id == "my-net"));
            std::fs::rename(&file, folder.join("model.safetensors")).unwrap();
            let elsewhere = user.path("other-net");
            std::fs::rename(&folder, &elsewhere).unwrap();
            window.ask(4, HubAsk::AddLocal { path: elsewhere.clone(), keep: Keep::Referenced });
            assert!(matches!(window.answer(4), HubAnswer::Added { id } if id == "other-net"));
            window.ask(5, HubAsk::Library { projects: Vec::new() });
            let HubAnswer::Library(kept) = window.answer(5) else { panic!("no library") };
            let sources: Vec<_> =
                kept.iter().filter(|k| k.id.ends_with("-net")).map(|k| format!("{:?}", k.source)).collect();
            assert_eq!(sources, ["Own", "Referenced"]);
            window.ask(6, HubAsk::Remove { id: "other-net".into() });
            assert!(
                matches!(window.answer(6), HubAnswer::Removed(_)) && elsewhere.join("config.json").exists()
            );
            std::fs::write(elsewhere.join("model.safetensors"), [255; 64]).unwrap();
            window.ask(7, HubAsk::AddLocal { path: elsewhere, keep: Keep::Copied });
            assert!(window.wait("a no", |event| failed(event, 7)).contains("the weight file is refused"));
        },
    );
}
