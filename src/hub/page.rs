//! A model's page: what can be known of it before it is downloaded, from its configuration and the first bytes of
//! its weights.

use super::api::{self, ModelInfo, RemoteFile};
use super::cache::RepoCache;
use super::failure::Failure;
use super::header::Header;
use super::http::{Client, Part};
use super::id::{Commit, RepoId, Revision, escape_path};
use super::machine;
use super::meter::remembered_rate;
use super::retry::Patience;
use super::support::{self, Known};
use super::transfer::bytes_here;
use crate::backbone::InputSize;
use crate::control::Control;
use crate::data::modality::Modality;
use crate::problem::{Problem, Result};
use crate::remedy::HubRemedy;
use serde::Serialize;
use serde_json::Value;

/// The largest configuration that is read, in bytes.
const LARGEST_CONFIG: u64 = 4 << 20;

/// What a person wants to know before choosing. What is not known stays empty.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelPage {
    pub id: String,
    /// The commit that all of this speaks of.
    pub revision: String,
    pub kind: Option<Modality>,
    pub family: String,
    pub supported: bool,
    /// Why it is not supported.
    pub reason: Option<String>,
    /// Only weights in a format that can hold programs are there; they need a spoken yes.
    pub needs_pickle: bool,
    pub parameters: Option<u64>,
    /// Type of most weights: `f32`, `f16`, `bf16`.
    pub dtype: Option<String>,
    /// `image 224×224` or `text, 512 tokens`.
    pub input: Option<String>,
    pub licence: Option<String>,
    pub gated: bool,
    pub languages: Vec<String>,
    pub downloads: Option<u64>,
    /// All that would be fetched, and what of it is on this machine already.
    pub download_bytes: Option<u64>,
    pub here_bytes: u64,
    /// At the rate of the last download on this machine.
    pub download_seconds: Option<f64>,
    /// Memory that the weights take while they are used, and what this machine has free.
    pub memory_bytes: Option<u64>,
    pub free_memory_bytes: Option<u64>,
    pub fits_memory: Option<bool>,
    pub free_disk_bytes: Option<u64>,
    pub fits_disk: Option<bool>,
}

/// A model of the Hub at one commit, looked at closely enough to download it.
pub struct Examined {
    pub id: RepoId,
    pub commit: Commit,
    pub info: ModelInfo,
    pub files: Vec<RemoteFile>,
    pub family: String,
    pub header: Option<Header>,
    /// The network, or why this version cannot use it.
    pub known: std::result::Result<Known, String>,
    /// The Hub's word that the files are not open to this user.
    denied: Option<Failure>,
}

impl Examined {
    /// Asks the Hub for a model at a revision.
    ///
    /// # Errors
    /// The line or the Hub fails, there is no such model or revision, or it is not open to this user.
    pub fn ask(client: &Client, id: &RepoId, revision: &Revision, control: &dyn Control) -> Result<Self> {
        let mut patience = Patience::for_answer(client.settings(), control);
        let asked = Self::ask_with(client, id, revision, &mut patience);
        asked.map_err(|failure| failure.problem(&format!("the page of {id} could not be read"), id.as_str()))
    }

    fn ask_with(
        client: &Client,
        id: &RepoId,
        revision: &Revision,
        patience: &mut Patience,
    ) -> std::result::Result<Self, Failure> {
        let (info, commit) = api::model_info(client, id, revision, patience)?;
        let files = api::files(client, id, &commit, patience)?;
        let mut examined = Self {
            id: id.clone(),
            family: support::family_name(&info.family_config()),
            commit,
            info,
            files,
            header: None,
            known: Err("its owner must be asked first, on its page".to_string()),
            denied: None,
        };
        match examined.look_closer(client, patience) {
            Ok(known) => examined.known = known,
            Err(failure @ Failure::Status { status: 401 | 403, by_hub: true, .. })
                if examined.info.is_gated() =>
            {
                examined.denied = Some(failure);
            }
            Err(failure) => return Err(failure),
        }
        Ok(examined)
    }

    /// Reads configuration and header; the inner error is the reason why the model cannot be used.
    fn look_closer(
        &mut self,
        client: &Client,
        patience: &mut Patience,
    ) -> std::result::Result<std::result::Result<Known, String>, Failure> {
        let find = |name: &str| self.files.iter().find(|file| file.path.as_str() == name);
        let Some(config_file) = find(support::CONFIG) else {
            return Ok(Err("it has no config.json".to_string()));
        };
        let address = self.address(client, config_file);
        let bytes = patience.insist(|| client.ask(&address, &Part::All)?.into_bytes(LARGEST_CONFIG))?;
        let Ok(config) = serde_json::from_slice::<Value>(&bytes) else {
            return Ok(Err("its config.json is no JSON".to_string()));
        };
        let family = support::family_name(&config);
        if family != "unknown" {
            self.family = family;
        }
        let known = match support::known(&config) {
            Ok(known) => known,
            Err(reason) => return Ok(Err(reason)),
        };
        let Some(weights) = find(support::WEIGHTS) else { return Ok(Ok(known)) };
        let address = self.address(client, weights);
        let header = match patience.insist(|| Header::of_remote(client, &address, weights.bytes)) {
            Ok(header) => header,
            Err(Failure::Here(refused)) if refused.cause == crate::problem::Cause::Input => {
                return Ok(Err(format!("its weight file is refused: {}", refused.why)));
            }
            Err(failure) => return Err(failure),
        };
        let fits = support::check_header(known.architecture.as_ref(), &header);
        self.header = Some(header);
        Ok(fits.map(|()| known))
    }

    fn address(&self, client: &Client, file: &RemoteFile) -> String {
        let path = escape_path(file.path.as_str());
        client.settings().endpoint.join(&format!("/{}/resolve/{}/{path}", self.id, self.commit))
    }

    /// The network and the files to fetch.
    ///
    /// # Errors
    /// This version cannot use the model, or it is not open to this user.
    pub fn plan(&self, allow_pickle: bool) -> Result<(&Known, Vec<&RemoteFile>)> {
        if let Some(denied) = &self.denied {
            return Err(denied
                .clone()
                .problem(&format!("{} could not be fetched", self.id), self.id.as_str()));
        }
        let known = self.known.as_ref().map_err(|reason| self.unusable(reason, HubRemedy::AnotherModel))?;
        let files = support::wanted(known.kind, &self.files, allow_pickle).map_err(|reason| {
            let would_do = support::wanted(known.kind, &self.files, true).is_ok();
            self.unusable(&reason, if would_do { HubRemedy::TrustPickle } else { HubRemedy::AnotherModel })
        })?;
        Ok((known, files))
    }

    fn unusable(&self, reason: &str, remedy: HubRemedy) -> Problem {
        Problem::input(format!("{} cannot be used", self.id), reason, remedy)
    }

    /// All that is known, for a person.
    pub fn page(&self, client: &Client) -> ModelPage {
        let settings = client.settings();
        let cache = RepoCache::new(&settings.cache, &self.id);
        let known = self.known.as_ref();
        let plan = known.map_err(String::clone).and_then(|k| support::wanted(k.kind, &self.files, false));
        let with_pickle = known.ok().and_then(|k| support::wanted(k.kind, &self.files, true).ok());
        let needs_pickle = plan.is_err() && with_pickle.is_some();
        let reason = plan.as_ref().err().cloned();
        let fetched = plan.ok().or(with_pickle);
        let sum = |bytes: &dyn Fn(&RemoteFile) -> u64| {
            fetched.as_ref().map(|f| f.iter().map(|f| bytes(f)).sum::<u64>())
        };
        let download_bytes = sum(&|file| file.bytes);
        let here_bytes = sum(&|file| bytes_here(&cache, file)).unwrap_or(0);
        let missing = download_bytes.map(|all| all.saturating_sub(here_bytes));
        let parameters = self.parameters();
        let memory_bytes = parameters.map(machine::weights_memory);
        let (free_memory_bytes, free_disk_bytes) =
            (machine::free_memory(), machine::free_disk(&settings.cache));
        ModelPage {
            id: self.id.to_string(),
            revision: self.commit.to_string(),
            kind: known.ok().map(|k| k.kind).or(self.info.kind()),
            family: self.family.clone(),
            supported: reason.is_none(),
            reason,
            needs_pickle,
            parameters,
            dtype: self.header.as_ref().and_then(Header::dtype),
            input: known.ok().map(|k| input(k.architecture.input())),
            licence: self.info.licence(),
            gated: self.info.is_gated(),
            languages: self.info.languages(),
            downloads: self.info.downloads,
            download_bytes,
            here_bytes,
            download_seconds: missing
                .zip(remembered_rate(settings.home.as_deref()))
                .map(|(bytes, rate)| bytes as f64 / rate),
            memory_bytes,
            free_memory_bytes,
            fits_memory: memory_bytes
                .zip(free_memory_bytes)
                .map(|(needed, free)| machine::fits_memory(needed, free)),
            free_disk_bytes,
            fits_disk: missing.zip(free_disk_bytes).map(|(needed, free)| machine::fits_disk(needed, free)),
        }
    }

    /// Numbers in the backbone itself, without an old classifier, where the network is known.
    fn parameters(&self) -> Option<u64> {
        let of_tree = |known: &Known| known.architecture.tree().root().parameters() as u64;
        let own = self.known.as_ref().ok().map(of_tree);
        own.or_else(|| self.header.as_ref().map(Header::parameters)).or_else(|| self.info.parameters())
    }
}

fn input(takes: InputSize) -> String {
    (takes.modality.facts().input.short)(takes.size)
}
