//! Models of the loopback Hub.

use super::content::{Content, hex};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};
use std::collections::{BTreeMap, BTreeSet};

/// A repository at one commit.
#[derive(Clone)]
pub struct Repo {
    pub id: String,
    pub files: BTreeMap<String, Content>,
    pub gated: bool,
    pub downloads: u64,
    /// More of its entry in lists: `pipeline_tag`, `library_name`, `tags`, `config`, `safetensors`.
    pub facts: Value,
    /// Git's SHA-1 and SHA-256 of each file.
    pub digests: BTreeMap<String, (String, String)>,
    pub commit: String,
}

impl Repo {
    pub fn new(id: &str, files: impl IntoIterator<Item = (&'static str, Content)>, facts: Value) -> Self {
        let files: BTreeMap<String, Content> =
            files.into_iter().map(|(path, c)| (path.to_string(), c)).collect();
        let digests: BTreeMap<_, _> =
            files.iter().map(|(path, c)| (path.clone(), (c.git_sha1(), c.sha256()))).collect();
        let mut hasher = Sha1::new_with_prefix(id);
        digests.values().for_each(|(git, _)| hasher.update(git));
        let commit = hex(&hasher.finalize());
        Self { id: id.to_string(), files, gated: false, downloads: 1, facts, digests, commit }
    }

    pub fn gated(self) -> Self {
        Self { gated: true, ..self }
    }

    /// SHA-256 of a file.
    pub fn sha256(&self, path: &str) -> &str {
        &self.digests[path].1
    }

    /// Whether it lies in the store.
    pub fn is_large(path: &str) -> bool {
        path.ends_with(".safetensors") || path.ends_with(".bin")
    }

    /// Its entry in lists.
    pub fn info(&self) -> Value {
        let mut info = json!({"_id": "0", "id": self.id, "modelId": self.id, "sha": self.commit, "private": false,
            "downloads": self.downloads, "likes": 0, "tags": [], "gated": if self.gated { json!("manual") } else { json!(false) }});
        for (key, value) in self.facts.as_object().into_iter().flatten() {
            info[key] = value.clone();
        }
        info
    }

    /// The list of its files.
    pub fn tree(&self) -> Value {
        let entry = |(path, content): (&String, &Content)| {
            let (git, sha256) = &self.digests[path];
            let mut entry = json!({"type": "file", "path": path, "size": content.len(), "oid": git});
            if Self::is_large(path) {
                entry["lfs"] = json!({"oid": sha256, "size": content.len(), "pointerSize": 134});
            }
            entry
        };
        let folders: BTreeSet<&str> =
            self.files.keys().filter_map(|path| path.rsplit_once('/')).map(|(f, _)| f).collect();
        let folder =
            |path: &&str| json!({"type": "directory", "path": path, "size": 0, "oid": "0".repeat(40)});
        folders.iter().map(folder).chain(self.files.iter().map(entry)).collect()
    }
}
