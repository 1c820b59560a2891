//! What the Hub answers about models: the parts of its JSON that are used, checked where they become file names.

use super::failure::Failure;
use super::http::Client;
use super::id::{Commit, RepoId, RepoPath, Revision, escape, is_hex};
use super::retry::Patience;
use crate::data::modality::Modality;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The most files of a repository that are listed, and the most pages of such a list.
const MOST_FILES: usize = 20_000;
const MOST_PAGES: usize = 40;
/// The largest file that is believed in, in bytes: sums of all files of a list stay numbers.
const LARGEST_FILE: u64 = 1 << 48;

/// A model as lists and model pages of the Hub describe it. Absent facts are absent there too.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ModelInfo {
    pub id: String,
    pub sha: Option<String>,
    pub pipeline_tag: Option<String>,
    pub library_name: Option<String>,
    pub tags: Vec<String>,
    pub downloads: Option<u64>,
    pub gated: Value,
    pub config: Option<Value>,
    pub safetensors: Option<SafetensorsInfo>,
}

/// Numbers in the safetensors files of a model.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct SafetensorsInfo {
    pub total: Option<u64>,
    /// By type.
    pub parameters: BTreeMap<String, u64>,
}

impl ModelInfo {
    /// What it takes, as far as the Hub says.
    pub fn kind(&self) -> Option<Modality> {
        let own = self.pipeline_tag.as_deref().and_then(Modality::of_hub_task);
        own.or_else(|| self.library_name.as_deref().and_then(Modality::of_hub_library))
    }

    /// Whether its owner must be asked first.
    pub fn is_gated(&self) -> bool {
        !matches!(self.gated, Value::Null | Value::Bool(false))
    }

    /// The licence as the Hub writes it, in small letters.
    pub fn licence(&self) -> Option<String> {
        let is_sound = |name: &&str| name.len() < 60 && !name.chars().any(char::is_control);
        self.tags.iter().find_map(|tag| tag.strip_prefix("license:")).filter(is_sound).map(str::to_string)
    }

    /// The languages among its tags: codes of two letters, or `multilingual`.
    pub fn languages(&self) -> Vec<String> {
        let is_code = |tag: &&String| {
            *tag == "multilingual" || (tag.len() == 2 && tag.bytes().all(|b| b.is_ascii_lowercase()))
        };
        // Two letters that name a framework, no language.
        self.tags.iter().filter(is_code).filter(|tag| *tag != "tf").cloned().collect()
    }

    /// How many parameters it has, as far as the Hub says.
    pub fn parameters(&self) -> Option<u64> {
        self.safetensors
            .as_ref()
            .and_then(|s| s.total.or_else(|| s.parameters.values().copied().reduce(u64::saturating_add)))
    }

    /// A configuration that is enough to name the family: timm keeps the architecture in the name of the model.
    pub fn family_config(&self) -> Value {
        let is_timm =
            self.library_name.as_deref() == Some("timm") || self.tags.iter().any(|tag| tag == "timm");
        let name = self.id.rsplit('/').next().unwrap_or_default();
        match (is_timm, &self.config) {
            (true, _) => serde_json::json!({"architecture": name.split('.').next()}),
            (false, Some(config)) => config.clone(),
            (false, None) => Value::Null,
        }
    }

    /// Whether the Hub knows of weights as safetensors.
    pub fn has_safetensors(&self) -> bool {
        self.safetensors.is_some() || self.tags.iter().any(|tag| tag == "safetensors")
    }
}

/// A file of a repository at one commit.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteFile {
    pub path: RepoPath,
    pub bytes: u64,
    pub digest: Digest,
    /// The entry of the Hub's list, as Hugging Face's programs note it in the cache.
    pub noted: NotedFile,
}

/// What tells a file from any other; the name of its blob in the cache.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Digest {
    /// Of the content: large files (LFS).
    Sha256(String),
    /// As git counts it, with a header before the content: all others.
    GitSha1(String),
}

impl Digest {
    /// From the name of a blob; `None` for other names.
    pub fn of_blob_name(name: &str) -> Option<Self> {
        match name {
            name if is_hex(name, 64) => Some(Self::Sha256(name.to_string())),
            name if is_hex(name, 40) => Some(Self::GitSha1(name.to_string())),
            _ => None,
        }
    }

    /// The name of the blob.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Sha256(hex) | Self::GitSha1(hex) => hex,
        }
    }
}

/// A file in `trees/COMMIT.json` of the cache.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NotedFile {
    pub size: u64,
    pub blob_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lfs_sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lfs_size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xet_hash: Option<String>,
}

/// One line of a list of files, as the Hub writes it.
#[derive(Deserialize)]
pub struct Entry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    oid: String,
    lfs: Option<RawLfs>,
    #[serde(rename = "xetHash")]
    xet_hash: Option<String>,
}

#[derive(Deserialize)]
struct RawLfs {
    oid: Option<String>,
    sha256: Option<String>,
    size: u64,
}

/// Asks for a model at a revision.
///
/// # Errors
/// The line or the Hub fails, or there is no such model or revision.
pub fn model_info(
    client: &Client,
    id: &RepoId,
    revision: &Revision,
    patience: &mut Patience,
) -> Result<(ModelInfo, Commit), Failure> {
    let revision = escape(revision.as_str());
    let address = client.settings().endpoint.join(&format!("/api/models/{id}/revision/{revision}"));
    let (info, _): (ModelInfo, _) = patience.insist(|| client.json(&address))?;
    let commit = info.sha.as_deref().and_then(Commit::parse);
    let commit = commit.ok_or_else(|| Failure::Answer("it names no commit".to_string()))?;
    Ok((info, commit))
}

/// Lists the files of a model at a commit. Files whose names could not be stored are left out.
///
/// # Errors
/// The line or the Hub fails, or the list makes no sense.
pub fn files(
    client: &Client,
    id: &RepoId,
    commit: &Commit,
    patience: &mut Patience,
) -> Result<Vec<RemoteFile>, Failure> {
    let mut next = Some(
        client
            .settings()
            .endpoint
            .join(&format!("/api/models/{id}/tree/{commit}?recursive=true&expand=false")),
    );
    let mut files = Vec::new();
    for _ in 0..MOST_PAGES {
        let Some(address) = next.take() else { return Ok(files) };
        let (page, more): (Vec<Entry>, _) = patience.insist(|| client.json(&address))?;
        files.extend(files_of(page)?);
        if files.len() > MOST_FILES {
            break;
        }
        next = more;
    }
    match next {
        None if files.len() <= MOST_FILES => Ok(files),
        _ => Err(Failure::Answer(format!("it lists more than {MOST_FILES} files, or in circles"))),
    }
}

/// The files of one page of a list; those whose names could not be stored are left out.
///
/// # Errors
/// A size or a digest makes no sense.
pub fn files_of(page: Vec<Entry>) -> Result<Vec<RemoteFile>, Failure> {
    let files = page.into_iter().filter(|entry| entry.kind == "file");
    files.filter_map(|entry| remote_file(entry).transpose()).collect()
}

fn remote_file(entry: Entry) -> Result<Option<RemoteFile>, Failure> {
    let Some(path) = RepoPath::parse(&entry.path) else { return Ok(None) };
    let nonsense = || Failure::Answer(format!("it names no digest of {path}"));
    let sha256 = match &entry.lfs {
        Some(lfs) => Some(lfs.oid.clone().or_else(|| lfs.sha256.clone()).ok_or_else(nonsense)?),
        None => None,
    };
    let digest = match &sha256 {
        Some(hex) if is_hex(hex, 64) => Digest::Sha256(hex.clone()),
        None if is_hex(&entry.oid, 40) => Digest::GitSha1(entry.oid.clone()),
        _ => return Err(nonsense()),
    };
    let lfs_size = entry.lfs.as_ref().map(|lfs| lfs.size);
    if lfs_size.unwrap_or(entry.size) > LARGEST_FILE {
        return Err(Failure::Answer(format!("{path} cannot be so large")));
    }
    let noted = NotedFile {
        size: entry.size,
        blob_id: entry.oid,
        lfs_sha256: sha256,
        lfs_size,
        xet_hash: entry.xet_hash,
    };
    Ok(Some(RemoteFile { path, bytes: lfs_size.unwrap_or(entry.size), digest, noted }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(json: &str) -> ModelInfo {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn facts_are_read_from_a_list() {
        let model = info(
            r#"{"id":"timm/resnet50.a1_in1k","pipeline_tag":"image-classification","library_name":"timm","downloads":7,
            "gated":false,"tags":["timm","safetensors","license:apache-2.0","en","tf"],
            "safetensors":{"parameters":{"F32":25557032},"total":25557032}}"#,
        );
        assert_eq!((model.kind(), model.parameters()), (Some(Modality::Image), Some(25_557_032)));
        assert_eq!(
            (model.licence().as_deref(), model.languages()),
            (Some("apache-2.0"), vec!["en".to_string()])
        );
        assert_eq!(model.family_config()["architecture"], "resnet50");
        assert!(!model.is_gated() && model.has_safetensors());
        assert!(info(r#"{"id":"a/b","gated":"manual"}"#).is_gated());
        assert_eq!(info(r#"{"id":"a/b","pipeline_tag":"text-to-image"}"#).kind(), None);
    }

    #[test]
    fn files_have_a_digest_and_a_safe_name() {
        let entry = |json: &str| remote_file(serde_json::from_str(json).unwrap());
        let oid = "0123456789abcdef0123456789abcdef01234567";
        let small = entry(&format!(r#"{{"type":"file","path":"a/config.json","size":5,"oid":"{oid}"}}"#))
            .unwrap()
            .unwrap();
        assert_eq!((small.bytes, small.digest.as_str()), (5, oid));
        let sha = "ab".repeat(32);
        let large = format!(
            r#"{{"type":"file","path":"m","size":9,"oid":"{oid}","lfs":{{"oid":"{sha}","size":9,"pointerSize":1}}}}"#
        );
        assert_eq!(entry(&large).unwrap().unwrap().digest, Digest::Sha256(sha));
        assert_eq!(entry(&format!(r#"{{"type":"file","path":"../x","size":5,"oid":"{oid}"}}"#)), Ok(None));
        for bad in ["", "../../x", "zz"] {
            assert!(entry(&format!(r#"{{"type":"file","path":"x","size":5,"oid":"{bad}"}}"#)).is_err());
        }
    }
}
