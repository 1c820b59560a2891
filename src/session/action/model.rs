//! Looking for backbones, fetching and keeping them.

use super::needs_project;
use crate::hub::local::Keep;
use crate::session::models::Filter;
use crate::session::{Effect, Purpose, Session};
use crate::worker::{Aside, HubAsk};
use std::path::PathBuf;

group! {
    /// Looks for backbones, fetches and keeps them.
    Model {
        FilterModels(Filter) => Hidden [Model::FilterModels(Filter::default())],
        SelectModel(Option<String>) => Hidden [Model::SelectModel(Some("owner/name".into()))],
        SearchHub => Offered [Model::SearchHub],
        /// The next results of the search.
        MoreModels => Hidden [Model::MoreModels],
        /// Reads a model's page on the Hub.
        LookUpModel(String) => Hidden [Model::LookUpModel("owner/name".into())],
        /// Whether weights in a format that can hold programs may be converted.
        AllowPickle(bool) => Hidden [Model::AllowPickle(true)],
        DownloadModel(String) => Hidden [Model::DownloadModel("owner/name".into())],
        PauseDownload(u64, bool) => Hidden [Model::PauseDownload(1, true), Model::PauseDownload(1, false)],
        CancelDownload(u64) => Hidden [Model::CancelDownload(1)],
        VerifyModel(String) => Hidden [Model::VerifyModel("owner/name".into())],
        /// Fetches anew what a check found broken.
        RepairModel(String) => Hidden [Model::RepairModel("owner/name".into())],
        /// The first time it asks, the second time it removes.
        RemoveModel(String) => Hidden [Model::RemoveModel("owner/name".into())],
        ChooseLocalModel(LocalChoice) => Offered [
            Model::ChooseLocalModel(LocalChoice { is_file: false, keep: Keep::Referenced }),
        ],
        AddLocalModel(PathBuf, Keep) => Hidden [Model::AddLocalModel("network".into(), Keep::Referenced)],
    }
}

/// How a backbone that the user has already is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalChoice {
    /// A weight file rather than a folder.
    pub is_file: bool,
    pub keep: Keep,
}

impl Model {
    pub(super) fn words(&self) -> (String, &'static str) {
        let (text, tooltip) = match self {
            Self::FilterModels(_) => ("Filter the backbones", "Which backbones are listed"),
            Self::SelectModel(_) => ("Select a backbone", "Show its facts on the right"),
            Self::SearchHub => {
                ("Search the Hub", "Ask the Hugging Face Hub for models that fit the words and filters")
            }
            Self::MoreModels => ("Show more models", "Ask the Hub for the next results"),
            Self::LookUpModel(_) => {
                ("Look it up on the Hub", "Read its page: size, revision, whether it fits")
            }
            Self::AllowPickle(_) => {
                ("Allow a format that can hold programs", "Only for a source that you trust")
            }
            Self::DownloadModel(_) => {
                ("Download", "Fetch this model; what has arrived is kept when the line breaks")
            }
            Self::PauseDownload(_, true) => ("Pause the download", "What has arrived is kept"),
            Self::PauseDownload(_, false) => ("Go on with the download", "From where it stopped"),
            Self::CancelDownload(_) => ("Stop the download", "What has arrived is kept"),
            Self::VerifyModel(_) => ("Check its files", "Read every byte and compare the digests"),
            Self::RepairModel(_) => ("Repair", "Check its files and fetch anew what is broken"),
            Self::RemoveModel(_) => ("Remove", "Delete it from this machine"),
            Self::ChooseLocalModel(_) => (
                "Open a local backbone…",
                "A folder with config.json and model.safetensors, used where it lies",
            ),
            Self::AddLocalModel(..) => ("Add a local backbone", "Make it known, so that it can be chosen"),
        };
        (text.to_string(), tooltip)
    }

    pub(super) fn keys(&self) -> &'static [&'static str] {
        match self {
            Self::FilterModels(_)
            | Self::SelectModel(_)
            | Self::SearchHub
            | Self::MoreModels
            | Self::LookUpModel(_)
            | Self::AllowPickle(_)
            | Self::DownloadModel(_)
            | Self::PauseDownload(..)
            | Self::CancelDownload(_)
            | Self::VerifyModel(_)
            | Self::RepairModel(_)
            | Self::RemoveModel(_)
            | Self::ChooseLocalModel(_)
            | Self::AddLocalModel(..) => &[],
        }
    }

    pub(super) fn why_not(&self, session: &Session) -> Option<&'static str> {
        match self {
            Self::SearchHub | Self::ChooseLocalModel(_) => needs_project(session),
            Self::FilterModels(_)
            | Self::SelectModel(_)
            | Self::MoreModels
            | Self::LookUpModel(_)
            | Self::AllowPickle(_)
            | Self::DownloadModel(_)
            | Self::PauseDownload(..)
            | Self::CancelDownload(_)
            | Self::VerifyModel(_)
            | Self::RepairModel(_)
            | Self::RemoveModel(_)
            | Self::AddLocalModel(..) => None,
        }
    }

    pub(super) fn apply(self, session: &mut Session) -> Vec<Effect> {
        let ask = match self {
            Self::FilterModels(filter) => {
                session.models.filter = filter;
                session.filter_models();
                return Vec::new();
            }
            Self::SelectModel(id) => {
                session.models.selected = id;
                (session.models.allow_pickle, session.models.asks_to_remove) = (false, None);
                return Vec::new();
            }
            Self::AllowPickle(allow) => {
                session.models.allow_pickle = allow;
                return Vec::new();
            }
            Self::SearchHub => return session.search_hub(),
            Self::MoreModels => return session.more_models(),
            Self::DownloadModel(id) => return session.download(id),
            Self::PauseDownload(job, paused) => return session.pause_download(job, paused),
            Self::CancelDownload(job) => return session.cancel_download(job),
            Self::RemoveModel(id) => return session.remove_model(id),
            Self::ChooseLocalModel(LocalChoice { is_file: true, keep }) => {
                return vec![Effect::PickFile(Purpose::Backbone(keep))];
            }
            Self::ChooseLocalModel(LocalChoice { is_file: false, keep }) => {
                return vec![Effect::PickFolder(Purpose::Backbone(keep))];
            }
            Self::LookUpModel(id) => HubAsk::Page { id, revision: None },
            Self::VerifyModel(id) => HubAsk::Verify { id: Some(id), repair: false },
            Self::RepairModel(id) => HubAsk::Verify { id: Some(id), repair: true },
            Self::AddLocalModel(path, keep) => HubAsk::AddLocal { path, keep },
        };
        vec![session.send(Aside::Hub(ask))]
    }
}
