//! What the user asks for about models, the requests that follow, and their answers.

use super::models::{Download, is_search};
use super::{Effect, Model, Offer, Session, ToastKind};
use crate::hub::Query;
use crate::worker::{Aside, HubAnswer, HubAsk, JobId};
use std::collections::BTreeSet;

/// Results that one request brings.
const RESULTS: usize = 60;

impl Session {
    fn ask_hub(&mut self, ask: HubAsk) -> Vec<Effect> {
        vec![self.send(Aside::Hub(ask))]
    }

    pub(super) fn pause_download(&mut self, job: JobId, paused: bool) -> Vec<Effect> {
        if let Some(download) = self.models.downloads.iter_mut().find(|d| d.job == job) {
            download.paused = paused;
            // Another may have its turn: no rate is known until bytes come again.
            download.bytes_per_second = 0.0;
        }
        vec![Effect::Pause(job, paused)]
    }

    pub(super) fn cancel_download(&mut self, job: JobId) -> Vec<Effect> {
        if let Some(download) = self.models.downloads.iter_mut().find(|d| d.job == job) {
            download.stopping = true;
        }
        vec![Effect::Stop(job)]
    }

    pub(super) fn search_hub(&mut self) -> Vec<Effect> {
        let query = Query {
            text: self.models.filter.text.clone(),
            kind: self.kind_shown(),
            licence: self.models.filter.licence.clone(),
            language: self.models.filter.language.clone(),
        };
        // An answer to an earlier search would be mixed in.
        let searches = self.jobs_asked(is_search);
        self.forget(&searches);
        (self.models.searched, self.models.search) = (query.text.clone(), None);
        (self.models.is_searching, self.models.shown_when_asked) = (true, 0);
        self.models.found.clear();
        self.models.filter.here_only = false;
        self.step = super::Step::Backbone;
        self.refresh_models();
        let mut effects: Vec<Effect> = searches.into_iter().map(Effect::Stop).collect();
        effects.extend(self.ask_hub(HubAsk::Search { query, count: RESULTS }));
        effects
    }

    pub(super) fn more_models(&mut self) -> Vec<Effect> {
        if self.models.is_searching {
            return Vec::new();
        }
        // Kept until the answer: a broken line must not end the list.
        let Some(search) = self.models.search.clone() else { return Vec::new() };
        (self.models.is_searching, self.models.shown_when_asked) = (true, self.models.shown.len());
        self.ask_hub(HubAsk::More { search, count: RESULTS })
    }

    pub(super) fn download(&mut self, id: String) -> Vec<Effect> {
        if self.models.download(&id).is_some() {
            return Vec::new();
        }
        let allow_pickle = self.models.allow_pickle;
        // What a project needs is the commit that it was trained on; anything else is the newest.
        let needed = self.project.as_ref().map(|p| &p.recipe.backbone).filter(|backbone| backbone.id == id);
        let revision = needed.and_then(|backbone| backbone.revision.clone());
        let total = self.models.pages.get(&id).and_then(|page| page.download_bytes).unwrap_or(0);
        let ask = HubAsk::Download { id: id.clone(), revision, allow_pickle };
        let request = self.request(Aside::Hub(ask).into());
        let waiting = Download {
            job: request.job,
            id,
            bytes: 0,
            total,
            bytes_per_second: 0.0,
            paused: false,
            stopping: false,
        };
        self.models.downloads.push(waiting);
        vec![Effect::Send(request)]
    }

    pub(super) fn remove_model(&mut self, id: String) -> Vec<Effect> {
        if self.models.asks_to_remove.as_ref() != Some(&id) {
            self.models.asks_to_remove = Some(id);
            return Vec::new();
        }
        self.models.asks_to_remove = None;
        self.ask_hub(HubAsk::Remove { id })
    }

    /// Asks for what is kept on this machine and who uses it.
    pub(super) fn ask_for_library(&mut self) -> Vec<Effect> {
        let projects = self.remembered.recent.iter().map(|recent| recent.folder.clone()).collect();
        self.ask_hub(HubAsk::Library { projects })
    }

    pub(super) fn on_hub_answer(&mut self, answer: HubAnswer) -> Vec<Effect> {
        match answer {
            HubAnswer::Found { found, search } => {
                self.models.is_searching = false;
                let known: BTreeSet<String> = self.models.found.iter().map(|f| f.id.clone()).collect();
                self.models.found.extend(found.into_iter().filter(|model| !known.contains(&model.id)));
                self.models.search = (!search.is_done()).then_some(search);
                self.status = format!("{} models found", self.models.found.len());
            }
            HubAnswer::Page(page) => {
                self.models.pages.insert(page.id.clone(), *page);
            }
            HubAnswer::Downloaded(downloaded) => {
                self.status = format!("{} is on this machine", downloaded.id);
                self.toast(ToastKind::Note, "Downloaded", &format!("{} can be chosen now.", downloaded.id));
                return self.list_backbones();
            }
            HubAnswer::Library(kept) => self.models.kept = kept,
            HubAnswer::Verified(verified) => {
                for one in verified {
                    match one.broken.as_slice() {
                        [] => {
                            let text = match one.revision {
                                Some(_) => format!("Every byte of {} is as the Hub lists it.", one.id),
                                None => format!("{} can be read and fits its configuration.", one.id),
                            };
                            self.toast(ToastKind::Note, "Checked", &text);
                        }
                        [first, ..] => {
                            let text =
                                format!("{}: {} {}. Repair fetches it anew.", one.id, first.file, first.why);
                            let offer = Offer {
                                text: "Repair it".into(),
                                action: Model::RepairModel(one.id.clone()).into(),
                            };
                            let title = "This backbone is damaged";
                            self.toast_with(ToastKind::Failure, title, &text, Some(offer));
                        }
                    }
                }
                return self.list_backbones();
            }
            HubAnswer::Removed(removed) => {
                let text = format!("{} freed.", crate::units::bytes(removed.bytes));
                self.toast(ToastKind::Note, &format!("{} was removed", removed.id), &text);
                self.models.selected = None;
                return self.list_backbones();
            }
            HubAnswer::Added { id } => {
                self.toast(ToastKind::Note, "Added", &format!("{id} can be chosen now."));
                return self.list_backbones();
            }
        }
        self.refresh_models();
        Vec::new()
    }

    fn list_backbones(&mut self) -> Vec<Effect> {
        let mut effects = vec![self.send(Aside::ListBackbones)];
        effects.extend(self.ask_for_library());
        effects
    }
}
