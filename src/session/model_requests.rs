//! What the user asks for about models, the requests that follow, and their answers.

use super::action::Action;
use super::models::Download;
use super::{Effect, Pending, Session, ToastKind};
use crate::hub::Query;
use crate::worker::{Command, HubAnswer, HubAsk, JobId};
use std::collections::BTreeSet;

/// Results that one request brings.
const RESULTS: usize = 60;

impl Session {
    /// Does what the user asked for about models.
    pub(super) fn apply_models(&mut self, action: Action) -> Vec<Effect> {
        match action {
            Action::FilterModels(filter) => {
                self.models.filter = filter;
                self.filter_models();
            }
            Action::SelectModel(id) => {
                self.models.selected = id;
                (self.models.allow_pickle, self.models.asks_to_remove) = (false, None);
            }
            Action::AllowPickle(allow) => self.models.allow_pickle = allow,
            Action::SearchHub => return self.search_hub(),
            Action::MoreModels => return self.more_models(),
            Action::LookUpModel(id) => {
                return self.ask_hub(Pending::ModelPage(id.clone()), HubAsk::Page { id, revision: None });
            }
            Action::DownloadModel(id) => return self.download(id),
            Action::PauseDownload(job, paused) => {
                if let Some(download) = self.models.downloads.iter_mut().find(|d| d.job == job) {
                    download.paused = paused;
                    // Another may have its turn: no rate is known until bytes come again.
                    download.bytes_per_second = 0.0;
                }
                return vec![Effect::Pause(job, paused)];
            }
            Action::CancelDownload(job) => {
                if let Some(download) = self.models.downloads.iter_mut().find(|d| d.job == job) {
                    download.stopping = true;
                }
                return vec![Effect::Stop(job)];
            }
            Action::VerifyModel(id) => {
                return self.ask_hub(Pending::Models, HubAsk::Verify { id: Some(id), repair: false });
            }
            Action::RepairModel(id) => {
                return self.ask_hub(Pending::Models, HubAsk::Verify { id: Some(id), repair: true });
            }
            Action::RemoveModel(id) => return self.remove_model(id),
            Action::AddLocalModel(path, keep) => {
                return self.ask_hub(Pending::Models, HubAsk::AddLocal { path, keep });
            }
            _ => {}
        }
        Vec::new()
    }

    fn ask_hub(&mut self, pending: Pending, ask: HubAsk) -> Vec<Effect> {
        let job = self.new_job(pending);
        vec![Effect::Send(Command::Hub { job, ask })]
    }

    fn search_hub(&mut self) -> Vec<Effect> {
        let query = Query {
            text: self.models.filter.text.clone(),
            kind: self.kind_shown(),
            licence: self.models.filter.licence.clone(),
            language: self.models.filter.language.clone(),
        };
        // An answer to an earlier search would be mixed in.
        let searches: Vec<JobId> = self.pending_jobs(&Pending::ModelSearch);
        self.forget(&searches);
        (self.models.searched, self.models.search) = (query.text.clone(), None);
        (self.models.is_searching, self.models.shown_when_asked) = (true, 0);
        self.models.found.clear();
        self.models.filter.here_only = false;
        self.step = super::Step::Backbone;
        self.refresh_models();
        let mut effects: Vec<Effect> = searches.into_iter().map(Effect::Stop).collect();
        effects.extend(self.ask_hub(Pending::ModelSearch, HubAsk::Search { query, count: RESULTS }));
        effects
    }

    fn more_models(&mut self) -> Vec<Effect> {
        if self.models.is_searching {
            return Vec::new();
        }
        // Kept until the answer: a broken line must not end the list.
        let Some(search) = self.models.search.clone() else { return Vec::new() };
        (self.models.is_searching, self.models.shown_when_asked) = (true, self.models.shown.len());
        self.ask_hub(Pending::ModelSearch, HubAsk::More { search, count: RESULTS })
    }

    fn download(&mut self, id: String) -> Vec<Effect> {
        if self.models.download(&id).is_some() {
            return Vec::new();
        }
        let allow_pickle = self.models.allow_pickle;
        // What a project needs is the commit that it was trained on; anything else is the newest.
        let needed = self.project.as_ref().map(|p| &p.recipe.backbone).filter(|backbone| backbone.id == id);
        let revision = needed.and_then(|backbone| backbone.revision.clone());
        let job = self.new_job(Pending::ModelDownload);
        let total = self.models.pages.get(&id).and_then(|page| page.download_bytes).unwrap_or(0);
        let waiting = Download {
            job,
            id: id.clone(),
            bytes: 0,
            total,
            bytes_per_second: 0.0,
            paused: false,
            stopping: false,
        };
        self.models.downloads.push(waiting);
        vec![Effect::Send(Command::Hub { job, ask: HubAsk::Download { id, revision, allow_pickle } })]
    }

    fn remove_model(&mut self, id: String) -> Vec<Effect> {
        if self.models.asks_to_remove.as_ref() != Some(&id) {
            self.models.asks_to_remove = Some(id);
            return Vec::new();
        }
        self.models.asks_to_remove = None;
        self.ask_hub(Pending::Models, HubAsk::Remove { id })
    }

    /// Asks for what is kept on this machine and who uses it.
    pub(super) fn ask_for_library(&mut self) -> Vec<Effect> {
        let projects = self.remembered.recent.iter().map(|recent| recent.folder.clone()).collect();
        self.ask_hub(Pending::Models, HubAsk::Library { projects })
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
                            self.toast(ToastKind::Failure, "This backbone is damaged", &text);
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
        let job = self.new_job(Pending::Backbones);
        let mut effects = vec![Effect::Send(Command::ListBackbones { job })];
        effects.extend(self.ask_for_library());
        effects
    }
}
