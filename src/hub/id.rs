//! Names that come from people and from the Hub, checked once: what holds one of these types cannot leave the
//! cache folder, whatever a hostile answer says.

use crate::problem::{Problem, Result};
use crate::remedy::HubRemedy;
use std::fmt;
use std::path::{Path, PathBuf};

/// A repository of the Hub: `owner/name`, or a name alone (old repositories).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RepoId(String);

impl RepoId {
    /// Checks the id by the Hub's own rules. Addresses of pages, and ids as timm writes them (`hf_hub:`), are taken for
    /// the repository that they name.
    ///
    /// # Errors
    /// It has a character, a length or a form that no repository has, or names a revision besides.
    pub fn parse(text: &str) -> Result<Self> {
        match pasted(text) {
            (id, None | Some("main")) => Self::checked(id),
            (id, Some(revision)) => Err(Problem::input(
                format!("{text:?} names a revision, {revision}, besides the model"),
                "the newest revision would be taken in its place",
                HubRemedy::NameRevision { id: id.to_string(), revision: revision.to_string() },
            )),
        }
    }

    /// Whether `text` is a page's address or a program's form of an id.
    pub fn is_pasted(text: &str) -> bool {
        pasted(text).0 != text
    }

    fn checked(text: &str) -> Result<Self> {
        let bad = |why: &str| {
            Problem::input(
                format!("{text:?} is no name of a model on the Hub"),
                why,
                "write it as on the model's page: owner/name",
            )
        };
        let parts: Vec<&str> = text.split('/').collect();
        if parts.len() > 2 {
            return Err(bad("it has more than one slash"));
        }
        for part in &parts {
            if !(1..=96).contains(&part.len()) {
                return Err(bad("each part must have 1 to 96 characters"));
            }
            if !part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
                return Err(bad("only letters, digits, '-', '_' and '.' are allowed"));
            }
            let is_edge = |b: Option<u8>| b.is_some_and(|b| b == b'-' || b == b'.');
            if is_edge(part.bytes().next()) || is_edge(part.bytes().last()) {
                return Err(bad("a part begins or ends with '-' or '.'"));
            }
        }
        if text.contains("--") || text.contains("..") || text.ends_with(".git") {
            return Err(bad("'--', '..' and '.git' at the end are not allowed"));
        }
        Ok(Self(text.to_string()))
    }

    /// `owner/name`, or the name alone.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folder of this repository in a Hugging Face cache.
    pub fn folder_name(&self) -> String {
        format!("models--{}", self.0.replace('/', "--"))
    }

    /// The repository of such a folder; `None` for other folders.
    pub fn from_folder_name(name: &str) -> Option<Self> {
        Self::checked(&name.strip_prefix("models--")?.replacen("--", "/", 1)).ok()
    }
}

/// What a person copied from a page or from a program, as an id and a revision. Other texts stay as they are.
fn pasted(text: &str) -> (&str, Option<&str>) {
    const PROGRAMS: [&str; 4] = ["hf_hub:", "hf-hub:", "hf://models/", "hf://"];
    const PAGES: [&str; 3] = ["huggingface.co/", "www.huggingface.co/", "hf.co/"];
    let text = text.trim();
    if let Some(id) = PROGRAMS.iter().find_map(|prefix| text.strip_prefix(prefix)) {
        return id.split_once('@').map_or((id, None), |(id, revision)| (id, Some(revision)));
    }
    let address = ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme)).unwrap_or(text);
    let Some(path) = PAGES.iter().find_map(|page| address.strip_prefix(page)) else { return (text, None) };
    let path = path.split(['?', '#']).next().unwrap_or(path).trim_matches('/');
    for between in ["/tree/", "/blob/", "/resolve/"] {
        if let Some((id, rest)) = path.split_once(between) {
            return (id, rest.split('/').next());
        }
    }
    let id = ["/discussions", "/commits/main", "/edit/main"].iter().find_map(|page| path.strip_suffix(page));
    (id.unwrap_or(path), None)
}

impl fmt::Display for RepoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A full commit hash: 40 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Commit(String);

impl Commit {
    /// `None` where `text` is no full commit hash.
    pub fn parse(text: &str) -> Option<Self> {
        is_hex(text, 40).then(|| Self(text.to_string()))
    }

    /// The 40 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether `text` is `digits` lower-case hexadecimal digits.
pub fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// What a person may give as revision: a branch, a tag or a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision(String);

impl Revision {
    /// Checks a revision, which becomes a file name below `refs/`.
    ///
    /// # Errors
    /// It is empty, too long, or would lead out of that folder.
    pub fn parse(text: &str) -> Result<Self> {
        let is_safe = RepoPath::parse(text).is_some() && !text.contains([' ', '?', '*', '[', '~', '^', ':']);
        match is_safe {
            true => Ok(Self(text.to_string())),
            false => Err(Problem::input(
                format!("{text:?} is no revision"),
                "a revision is a branch, a tag or a commit",
                "leave it away to take the newest, or copy it from the model's page",
            )),
        }
    }

    /// The branch, tag or commit as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Revision {
    fn default() -> Self {
        Self("main".to_string())
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The path of a file inside a repository, with `/` between its parts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RepoPath(String);

impl RepoPath {
    /// `None` where the path is absolute, leads upwards, or has a part that some system cannot store.
    pub fn parse(text: &str) -> Option<Self> {
        let is_part = |part: &str| {
            !part.is_empty()
                && part != "."
                && part != ".."
                && part.len() <= 255
                && !part.contains(['\\', ':'])
                && !part.chars().any(char::is_control)
        };
        (text.len() <= 1024 && text.split('/').all(is_part)).then(|| Self(text.to_string()))
    }

    /// The path with `/` between its parts.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where the file lies below `folder`.
    pub fn below(&self, folder: &Path) -> PathBuf {
        self.0.split('/').fold(folder.to_path_buf(), |path, part| path.join(part))
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `text` as one part of the path of an address: everything but the unreserved characters of RFC 3986 escaped.
pub fn escape(text: &str) -> String {
    escape_but(text, b"")
}

/// The same with slashes kept.
pub fn escape_path(text: &str) -> String {
    escape_but(text, b"/")
}

fn escape_but(text: &str, kept: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte) {
            true => out.push(char::from(byte)),
            false => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_the_rules_of_the_hub() {
        let check = |text: &str, good: bool| assert_eq!(RepoId::parse(text).is_ok(), good, "{text:?}");
        check("timm/mobilenetv2_100.ra_in1k", true);
        check("gpt2", true);
        check("sentence-transformers/all-MiniLM-L6-v2", true);
        for bad in ["", "/", "a/", "/b", "a/b/c", "../b", "a/..", "a--b/c", "-a/b", "a/b.git", "a/b c", "a/ü"]
        {
            check(bad, false);
        }
    }

    #[test]
    fn what_is_pasted_names_its_repository() {
        for text in [
            "hf_hub:timm/resnet18.a1_in1k",
            "hf-hub:timm/resnet18.a1_in1k",
            "https://huggingface.co/timm/resnet18.a1_in1k",
            "https://huggingface.co/timm/resnet18.a1_in1k/",
            "http://www.huggingface.co/timm/resnet18.a1_in1k?library=timm#model-details",
            " hf.co/timm/resnet18.a1_in1k/tree/main ",
            "https://huggingface.co/timm/resnet18.a1_in1k/blob/main/config.json",
            "https://huggingface.co/timm/resnet18.a1_in1k/resolve/main/model.safetensors?download=true",
        ] {
            assert_eq!(RepoId::parse(text).unwrap().as_str(), "timm/resnet18.a1_in1k", "{text}");
        }
        for text in ["https://huggingface.co/a/b/tree/v1.0", "hf_hub:a/b@v1.0"] {
            assert!(
                RepoId::parse(text).unwrap_err().remedy.on_command_line().contains("a/b --revision v1.0"),
                "{text}"
            );
        }
        for bad in [
            "https://huggingface.co/datasets/a/b",
            "https://example.org/a/b",
            "hf_hub:../b",
            "https://hf.co/",
        ] {
            assert!(RepoId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn folders_of_the_cache_name_their_repository() {
        let id = RepoId::parse("timm/resnet50.a1_in1k").unwrap();
        assert_eq!(id.folder_name(), "models--timm--resnet50.a1_in1k");
        assert_eq!(RepoId::from_folder_name(&id.folder_name()), Some(id));
        assert_eq!(RepoId::from_folder_name("datasets--a--b"), None);
        assert_eq!(RepoId::from_folder_name("models--..--b"), None);
    }

    #[test]
    fn paths_and_revisions_stay_inside() {
        let check = |text: &str, good: bool| assert_eq!(RepoPath::parse(text).is_some(), good, "{text:?}");
        check("model.safetensors", true);
        check("1_Pooling/config.json", true);
        for bad in ["", "/etc/passwd", "../x", "a/../b", "a//b", "a\\b", "C:x", "a/./b", "a\u{0}b", "a\nb"] {
            check(bad, false);
        }
        assert!(Revision::parse("refs/pr/1").is_ok());
        assert!(Revision::parse("../main").is_err());
        assert!(Commit::parse("0123456789abcdef0123456789abcdef01234567").is_some());
        assert!(Commit::parse("0123456789ABCDEF0123456789abcdef01234567").is_none());
    }

    #[test]
    fn addresses_are_escaped() {
        assert_eq!(escape("feature/a b"), "feature%2Fa%20b");
        assert_eq!(escape_path("1_Pooling/ü.json"), "1_Pooling/%C3%BC.json");
    }
}
