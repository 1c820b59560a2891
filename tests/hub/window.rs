//! The Backbone step against the loopback Hub: search, read the page, download, choose, see the layers, train.

use crate::harness::{Window, pictures};
use crate::loopback::models::{SMALL, mobilenet};
use crate::loopback::{Host, LoopbackHub};
use crate::worker::in_own_process;
use eframe::egui::accesskit::Role;
use egui_kittest::kittest::Queryable;
use frostline::session::models::Place;
use frostline::session::{Action, Step};

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
        assert!(window.harness.query_by_label_contains("Download 7.").is_some());
        window.act(Action::DownloadModel(ID.into()));
        window.wait("the download", |s| s.backbones.iter().any(|b| b.id == ID));
        assert!(window.session().models.downloads.is_empty());
        assert_eq!(window.session().models.row(ID).map(|row| row.place), Some(Place::Here));

        window.act(Action::ChooseBackbone(ID.into()));
        assert_eq!(window.project().recipe.backbone.id, ID);
        assert_eq!(window.project().recipe.backbone.revision.as_deref(), Some(page.revision.as_str()));
        window.go_to("Layers");
        assert_eq!(window.session().step, Step::Layers);
        window.wait("the layers", |s| s.weights.contains_key(ID));
        assert!(window.harness.query_by_label_contains("conv_stem, frozen").is_some());
        window.set_training(|t| t.epochs = 1);
        window.train();
        let run = window.session().newest_result().unwrap();
        assert_eq!(run.val_loss.len(), 1);
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
        window.act(Action::SearchHub);
        window.wait("an answer", |s| s.toasts.iter().any(|t| t.title == "The search did not work"));
        assert!(!window.session().models.is_searching);
        assert!(window.session().toasts.iter().any(|t| t.text.contains("Try:")));
        window.set_training(|t| t.epochs = 1);
        window.train();
    });
}
