//! The Backbone step against the loopback Hub: search, read the page, download, choose, see the layers, train.

use crate::harness::{Window, pictures};
use crate::loopback::models::{LARGE, SMALL, mobilenet};
use crate::loopback::{Host, LoopbackHub};
use crate::worker::in_own_process;
use eframe::egui::accesskit::Role;
use egui_kittest::kittest::Queryable;
use frostline::session::models::Place;
use frostline::session::{Model, Step};

const ID: &str = "timm/mobilenetv2_100.ra_in1k";

#[test]
fn a_model_is_found_downloaded_and_trained() {
    let hub = || LoopbackHub::start(vec![mobilenet(), SMALL.repo("owner/small-bert")]);
    in_own_process(hub, |user| {
        let data = user.path("data");
        pictures(&data);
        let mut window = Window::open();
        window.open_data(&data);
        window.go_to("Backbone");
        assert!(window.session().models.found.is_empty(), "somebody was asked unasked");
        window.harness.get_by_role_and_label(Role::TextInput, "Find a model by name").focus();
        window.harness.run_steps(2);
        window.type_text("mobilenetv2_100.ra");
        window.press("Search the Hub");
        window.wait("results", |s| !s.models.is_searching && !s.models.found.is_empty());
        window.click("MobileNetV2, on the Hub");
        window.press("Look it up on the Hub");
        window.wait("the page", |s| s.models.pages.contains_key(ID));
        let page = window.session().models.pages[ID].clone();
        assert!(page.supported && page.fits_disk == Some(true), "{page:?}");
        window.harness.get_by_label_contains("Download 7.").click();
        window.harness.run_steps(3);
        window.wait("the download", |s| s.backbones.iter().any(|b| b.id == ID));
        assert!(window.session().models.downloads.is_empty());
        assert_eq!(window.session().models.row(ID).map(|row| row.place), Some(Place::Here));

        let cards = window.harness.get_all_by_label("MobileNetV2, on this machine");
        cards.last().unwrap().click();
        window.harness.run_steps(3);
        assert_eq!(window.project().recipe.backbone.id, ID);
        assert_eq!(window.project().recipe.backbone.revision.as_deref(), Some(page.revision.as_str()));
        window.go_to("Layers");
        assert_eq!(window.session().step, Step::Layers);
        window.wait("the layers", |s| s.weights.contains_key(ID));
        assert!(window.harness.query_by_label_contains("conv_stem, frozen").is_some());
        window.set_training(|t| t.epochs = 1);
        window.train();
        let run = window.session().judged_run().unwrap();
        assert_eq!(run.val_loss.len(), 1);
    });
}

/// Both go on: the training ends while the download is under way, and the download has moved meanwhile.
#[test]
fn a_download_runs_beside_a_training() {
    let hub = || {
        let hub = LoopbackHub::start(vec![LARGE.repo("owner/large")]);
        hub.pace(5_000_000);
        hub
    };
    in_own_process(hub, |user| {
        let data = user.path("data");
        pictures(&data);
        let mut window = Window::open();
        window.open_data(&data);
        window.set_training(|t| t.epochs = 2);
        window.act(Model::DownloadModel("owner/large".into()));
        let bytes = |s: &frostline::session::Session| s.models.downloads.first().map_or(0, |d| d.bytes);
        window.wait("the first bytes", |s| bytes(s) > 500_000);
        let before = bytes(window.session());
        window.train();
        assert_eq!(window.session().judged_run().unwrap().val_loss.len(), 2);
        window.wait("more bytes", |s| bytes(s) > before + 500_000);
        let download = window.session().models.downloads[0].clone();
        assert!(download.bytes < download.total, "{download:?}");
        window.act(Model::CancelDownload(download.job));
        window.wait("the end of the download", |s| s.models.downloads.is_empty());
    });
}

#[test]
fn a_line_that_is_down_is_said_and_nothing_is_lost() {
    let hub = || {
        let hub = LoopbackHub::start(vec![mobilenet()]);
        hub.fault(Host::Hub, "/api/models", 100, crate::loopback::Fault::Status(503, Vec::new()));
        hub
    };
    in_own_process(hub, |user| {
        let data = user.path("data");
        pictures(&data);
        let mut window = Window::open();
        window.open_data(&data);
        window.go_to("Backbone");
        window.act(Model::SearchHub);
        window.wait("an answer", |s| s.toasts.iter().any(|t| t.title == "The search did not work"));
        assert!(!window.session().models.is_searching);
        assert!(window.session().toasts.iter().any(|t| t.text.contains("Try:")));
        window.set_training(|t| t.epochs = 1);
        window.train();
    });
}
