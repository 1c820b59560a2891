//! What the window writes, and what it computes on: both are asked of the worker and remembered.

use crate::harness::{Window, in_private_home, pictures};
use eframe::egui::accesskit::Role;
use egui_kittest::kittest::{NodeT, Queryable};
use frostline::problem::Problem;
use frostline::project::Recipe;
use frostline::project::device::{Absent, DeviceName, DeviceOffer};
use frostline::session::{Edit, Job, Open, Preset, Step};
use frostline::worker::{Aside, Command, Disk, Long, Outcome, StandIn};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A disk that takes its time.
fn slow_disk() -> StandIn {
    Arc::new(|command, _| {
        if matches!(command, Command::Disk(Disk::SaveRecipe { .. })) {
            std::thread::sleep(Duration::from_millis(150));
        }
        None
    })
}

#[test]
fn closing_the_window_loses_no_recipe() {
    in_private_home(|| {
        let data = tempfile::tempdir().unwrap();
        pictures(data.path());
        let mut window = Window::open_with(slow_disk());
        window.open_data(data.path());
        for preset in Preset::ALL {
            window.act(Edit::Preset(preset));
        }
        window.set_training(|t| t.epochs = 7);
        let (folder, shown) = (window.project().folder.clone(), window.project().recipe.clone());
        assert!(!window.session().is_saved(), "the disk is not that slow");
        drop(window);
        assert_eq!(Recipe::read(&folder.join("recipe.toml")).unwrap(), shown);
        let mut window = Window::open();
        window.wait("project", |s| s.project.is_some());
        assert_eq!(window.project().recipe, shown);
    });
}

/// Whatever is changed after the button was pressed is of the next run.
#[test]
fn a_run_trains_the_recipe_that_was_shown() {
    in_private_home(|| {
        let data = tempfile::tempdir().unwrap();
        pictures(data.path());
        let mut window = Window::open_with(slow_disk());
        window.open_data(data.path());
        window.set_training(|t| t.epochs = 2);
        let shown = window.project().recipe.clone();
        window.act(Job::Train);
        window.set_training(|t| t.epochs = 9);
        window.wait("training", |s| !s.is_training() && s.judged_run().is_some());
        window.wait_for_writes();
        let folder = window.project().folder.clone();
        assert_eq!(Recipe::read(&folder.join("runs/0001/recipe.toml")).unwrap(), shown);
        assert_eq!(Recipe::read(&folder.join("recipe.toml")).unwrap(), window.project().recipe);
        assert_eq!(window.session().judged_run().unwrap().val_loss.len(), 2);
    });
}

/// The name of the button that shows what computes.
fn device_button(window: &Window) -> String {
    window.session().device_words()
}

#[test]
fn devices_that_this_build_lacks_say_so() {
    in_private_home(|| {
        let mut window = Window::open();
        window.wait("devices", |s| !s.devices.is_empty());
        window.click(&device_button(&window));
        for device in DeviceName::ALL {
            let button = window
                .harness
                .get_all_by_role(Role::Button)
                .find(|node| {
                    node.accesskit_node()
                        .label()
                        .is_some_and(|l| l.starts_with(device.words()) && !l.contains("threads"))
                })
                .unwrap_or_else(|| panic!("{device:?} is not listed"));
            let offer = window.session().devices.iter().find(|offer| offer.device == device).unwrap();
            assert_eq!(button.accesskit_node().is_disabled(), offer.why_not().is_some(), "{offer:?}");
            if let Some(why) = offer.why_not() {
                assert!(button.accesskit_node().label().unwrap().contains(why), "{why}");
            }
        }
    });
}

/// A machine with a CUDA device, as far as the window can tell.
fn with_cuda(asked: &Arc<Mutex<Vec<DeviceName>>>, held: &Arc<AtomicBool>) -> StandIn {
    let (asked, held) = (Arc::clone(asked), Arc::clone(held));
    Arc::new(move |command, control| match command {
        Command::Aside(Aside::Devices) => {
            let absent = |device| (device == DeviceName::Metal).then_some(Absent::NotBuilt);
            let offer = |device| DeviceOffer { device, absent: absent(device) };
            Some(Ok(Outcome::Devices(DeviceName::ALL.map(offer).into())))
        }
        Command::Long(Long::UseDevice { device }) => {
            asked.lock().unwrap().push(*device);
            Some(Ok(Outcome::UsesDevice { device: *device, threads: 2 }))
        }
        Command::Long(Long::Train { .. }) => {
            while held.load(Ordering::SeqCst) && !control.stop_requested() {
                std::thread::sleep(Duration::from_millis(1));
            }
            Some(Err(Problem::stopped("it was held")))
        }
        _ => None,
    })
}

#[test]
fn another_device_is_used_and_remembered() {
    in_private_home(|| {
        let (asked, held) = (Arc::default(), Arc::default());
        let mut window = Window::open_with(with_cuda(&asked, &held));
        window.wait("devices", |s| !s.devices.is_empty());
        window.click(&device_button(&window));
        window.press("CUDA");
        window.wait("CUDA", |s| s.device == DeviceName::Cuda);
        assert!(window.harness.query_all_by_label("CUDA").next().is_some());
        drop(window);
        let mut window = Window::open_with(with_cuda(&asked, &held));
        window.wait("CUDA", |s| s.device == DeviceName::Cuda);
        assert_eq!(*asked.lock().unwrap(), [DeviceName::Cuda; 2]);
        drop(window);
        // This build has none: the processor computes, now and at the next start.
        let mut window = Window::open();
        if window
            .session()
            .devices
            .iter()
            .any(|offer| offer.device == DeviceName::Cuda && offer.absent.is_some())
        {
            window.expect_message("The device stays as it was", &["Try:"]);
            assert_eq!(window.session().remembered.device, DeviceName::Cpu);
        }
    });
}

#[test]
fn the_device_stays_while_something_is_computed() {
    in_private_home(|| {
        let data = tempfile::tempdir().unwrap();
        pictures(data.path());
        let (asked, held) = (Arc::default(), Arc::new(AtomicBool::new(true)));
        let mut window = Window::open_with(with_cuda(&asked, &held));
        window.open_data(data.path());
        window.wait("devices and speed", |s| !s.devices.is_empty() && !s.calibrations.is_empty());
        window.act(Open::Go(Step::Train));
        window.act(Job::Train);
        window.act(Job::UseDevice(DeviceName::Cuda));
        window.expect_message("Compute on CUDA", &["Something is being computed", "wait until it has ended"]);
        assert_eq!(window.session().device, DeviceName::Cpu);
        held.store(false, Ordering::SeqCst);
        window
            .wait("the end", |s| !s.is_training() && s.why_not(&Job::UseDevice(DeviceName::Cuda)).is_none());
        let before = window.session().calibrations.len();
        window.act(Job::UseDevice(DeviceName::Cuda));
        window.wait("CUDA", |s| s.device == DeviceName::Cuda);
        // What was measured on the other device is measured anew.
        window.wait("speed", |s| s.calibrations.len() == before);
        window.act(Job::UseDevice(DeviceName::Metal));
        window.expect_message("Compute on Metal", &["This build has no Metal"]);
    });
}
