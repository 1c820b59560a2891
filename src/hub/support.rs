//! Whether this version can train a model of the Hub, which of its files are needed, and why not.

use super::api::{ModelInfo, RemoteFile};
use super::header::Header;
use crate::backbone::processor::complete;
use crate::backbone::registry::{check_tensors, describe, family_of};
use crate::backbone::{Architecture, InputSpec};
use crate::data::modality::{Modality, listed};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// The configuration of a network.
pub const CONFIG: &str = "config.json";
/// Its weights as safetensors.
pub const WEIGHTS: &str = "model.safetensors";
/// Its weights in PyTorch's old format, which can hold programs.
pub const PICKLE: &str = "pytorch_model.bin";
pub use crate::backbone::shards::INDEX as SHARDS;

/// Files besides configuration and weights that belong to them by licence, whatever the modality needs.
const FOR_ALL: [&str; 4] = ["README.md", "LICENSE", "LICENSE.txt", "LICENSE.md"];
/// What is not needed for training is left away where it is larger than this.
const LARGEST_EXTRA: u64 = 1 << 20;

/// Whether a download would fetch a file of this name.
pub fn is_fetched(file: &str) -> bool {
    let is_of = |modality: &Modality| {
        let hub = &modality.facts().hub;
        hub.needed.contains(&file) || hub.wanted.contains(&file)
    };
    file == CONFIG || file == WEIGHTS || FOR_ALL.contains(&file) || Modality::ALL.iter().any(is_of)
}

/// A network that the Hub offers and this version knows.
pub struct Known {
    pub family: &'static str,
    pub architecture: Box<dyn Architecture>,
    pub kind: Modality,
}

/// Why a model cannot be used, in words that follow "because"; judged from a list of the Hub, without its files.
pub fn unsupported(info: &ModelInfo) -> Option<String> {
    let kind = info.kind();
    if kind.is_none() {
        return Some(format!("it takes neither {}", listed("nor")));
    }
    let config = info.family_config();
    if family_of(&config).is_none() {
        return Some(format!("this version does not know the family {}", family_name(&config)));
    }
    (!info.has_safetensors()).then(|| "it has no safetensors file".to_string())
}

/// What the family of a configuration is called, known or not.
pub fn family_name(config: &Value) -> String {
    let own = || ["architecture", "model_type"].iter().find_map(|key| config.get(*key)?.as_str());
    family_of(config).or_else(own).unwrap_or("unknown").chars().take(60).collect()
}

/// The network that a configuration describes.
///
/// # Errors
/// In words, why this version cannot use it.
pub fn known(config: &Value) -> Result<Known, String> {
    let config = &complete(config.clone(), None).map_err(|problem| problem.why)?;
    let (family, architecture) =
        describe(config, Path::new(CONFIG)).map_err(|problem| match family_of(config) {
            Some(_) => format!("{}: {}", problem.what, problem.why),
            None => format!("this version does not know the family {}", family_name(config)),
        })?;
    let takes = architecture.input();
    InputSpec::check_config(takes, config).map_err(|problem| problem.why)?;
    Ok(Known { family, architecture, kind: takes.modality })
}

/// The files to fetch, weights last: what is there when they are is complete.
///
/// # Errors
/// In words, what the repository lacks.
pub fn wanted(kind: Modality, files: &[RemoteFile], allow_pickle: bool) -> Result<Vec<&RemoteFile>, String> {
    let find = |name: &str| files.iter().find(|file| file.path.as_str() == name);
    let config = find(CONFIG).ok_or("it has no config.json")?;
    let weights = match (find(WEIGHTS), find(PICKLE)) {
        (Some(weights), _) => weights,
        (None, Some(pickle)) if allow_pickle => pickle,
        (None, _) if find(SHARDS).is_some() => return Err("its weights are in several files".to_string()),
        (None, Some(_)) => {
            return Err(format!("it has no safetensors file, only {PICKLE}, whose format can hold programs"));
        }
        (None, None) => return Err("it has no safetensors file".to_string()),
    };
    let hub = &kind.facts().hub;
    if let Some(missing) = hub.needed.iter().find(|name| find(name).is_none()) {
        return Err(format!("it has no {missing}"));
    }
    let is_needed = |file: &RemoteFile| hub.needed.contains(&file.path.as_str());
    let extras = FOR_ALL.iter().chain(hub.needed).chain(hub.wanted).filter_map(|name| find(name));
    let extras = extras.filter(|file| file.bytes <= LARGEST_EXTRA || is_needed(file));
    Ok(std::iter::once(config).chain(extras).chain([weights]).collect())
}

/// Whether the tensors of a header are those of the network.
///
/// # Errors
/// In words, the first that does not fit.
pub fn check_header(architecture: &dyn Architecture, header: &Header) -> Result<(), String> {
    let naming = architecture.tree().naming(header.tensors.keys().map(String::as_str))?;
    let plain = header.tensors.iter().filter_map(|(name, facts)| Some((naming.plain(name)?, facts)));
    let plain: BTreeMap<String, _> = plain.collect();
    let shapes: BTreeMap<&str, &[usize]> =
        plain.iter().map(|(name, facts)| (name.as_str(), facts.shape.as_slice())).collect();
    if let Some((name, facts)) =
        plain.iter().find(|(_, f)| !["F64", "F32", "F16", "BF16"].contains(&f.dtype.as_str()))
        && architecture.tree().tensors().any(|tensor| tensor.name == **name)
    {
        return Err(format!("tensor {name} has the type {}, which this version cannot read", facts.dtype));
    }
    let names = shapes.keys().copied();
    check_tensors(architecture, names, |name| shapes.get(name).copied())
        .map_err(|why| format!("its weights do not fit its configuration: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::api::{Digest, NotedFile};
    use crate::hub::id::RepoPath;

    fn file(path: &str, bytes: u64) -> RemoteFile {
        let noted = NotedFile {
            size: bytes,
            blob_id: String::new(),
            lfs_sha256: None,
            lfs_size: None,
            xet_hash: None,
        };
        RemoteFile {
            path: RepoPath::parse(path).unwrap(),
            bytes,
            digest: Digest::GitSha1("a".repeat(40)),
            noted,
        }
    }

    fn check(kind: Modality, names: &[&str], allow_pickle: bool, expected: Result<&[&str], &str>) {
        let files: Vec<RemoteFile> = names.iter().map(|name| file(name, 5)).collect();
        match (wanted(kind, &files, allow_pickle), expected) {
            (Ok(found), Ok(expected)) => {
                assert_eq!(found.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(), expected)
            }
            (Err(why), Err(part)) => assert!(why.contains(part), "{why}"),
            (found, expected) => panic!("{found:?} against {expected:?}"),
        }
    }

    #[test]
    fn the_family_decides_what_is_fetched() {
        let all = [
            "model.safetensors",
            "config.json",
            "tokenizer.json",
            "README.md",
            "onnx/model.onnx",
            "tf_model.h5",
        ];
        check(Modality::Image, &all, false, Ok(&["config.json", "README.md", "model.safetensors"]));
        check(
            Modality::Text,
            &all,
            false,
            Ok(&["config.json", "README.md", "tokenizer.json", "model.safetensors"]),
        );
        check(Modality::Text, &["config.json", "model.safetensors"], false, Err("tokenizer.json"));
        check(Modality::Image, &["config.json", "pytorch_model.bin"], false, Err("can hold programs"));
        check(
            Modality::Image,
            &["config.json", "pytorch_model.bin"],
            true,
            Ok(&["config.json", "pytorch_model.bin"]),
        );
        check(Modality::Image, &["config.json", "model.safetensors.index.json"], false, Err("several files"));
        check(Modality::Image, &["model.safetensors"], false, Err("config.json"));
    }

    #[test]
    fn large_extras_are_left_away() {
        let files = [file("config.json", 9), file("README.md", 2 << 20), file("model.safetensors", 9)];
        assert_eq!(wanted(Modality::Image, &files, false).unwrap().len(), 2);
    }
}
