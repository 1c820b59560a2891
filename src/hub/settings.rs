//! What the environment says about the Hub: the variables of Hugging Face's own programs, with their meanings.

use super::places;
use crate::problem::{Problem, Result};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// The Hub that is asked where `HF_ENDPOINT` says nothing.
const PUBLIC_HUB: &str = "https://huggingface.co";

/// How the Hub is reached and where files are kept.
#[derive(Debug, Clone)]
pub struct Settings {
    pub endpoint: Origin,
    pub token: Option<Token>,
    /// The cache folder, shared with Hugging Face's own programs.
    pub cache: PathBuf,
    /// Frostline's own folder.
    pub home: Option<PathBuf>,
    /// Nothing goes on the network.
    pub offline: bool,
    /// A line on which nothing arrives for this long is taken for broken.
    pub idle: Duration,
    /// The first wait before another attempt; each further one without progress doubles it.
    pub first_wait: Duration,
}

impl Settings {
    /// A list, a configuration or a header that takes longer than this does not come any more.
    pub fn patience(&self) -> Duration {
        self.idle * 9 / 2
    }

    /// Reads `HF_ENDPOINT`, `HF_TOKEN`, the token file, `HF_HUB_CACHE`, `HF_HOME`, `HF_HUB_OFFLINE` and
    /// `HF_HUB_DOWNLOAD_TIMEOUT` (seconds).
    ///
    /// # Errors
    /// `HF_ENDPOINT` is no address, or there is no place for a cache.
    pub fn from_environment() -> Result<Self> {
        let text =
            |name: &str| std::env::var(name).ok().map(|v| v.trim().to_string()).filter(|v| !v.is_empty());
        let endpoint = text("HF_ENDPOINT").unwrap_or_else(|| PUBLIC_HUB.to_string());
        let endpoint = Origin::parse(&endpoint).ok_or_else(|| {
            Problem::input(
                "HF_ENDPOINT cannot be used",
                format!("{endpoint:?} is no address of the form https://host"),
                "correct it, or unset it to use huggingface.co",
            )
        })?;
        let cache = places::hub_cache().ok_or_else(|| {
            Problem::input(
                "there is no place for downloads",
                "the system names no home folder",
                "set HF_HOME",
            )
        })?;
        let is_yes = |name: &str| {
            text(name).is_some_and(|v| ["1", "on", "yes", "true"].contains(&v.to_ascii_lowercase().as_str()))
        };
        let idle =
            text("HF_HUB_DOWNLOAD_TIMEOUT").and_then(|v| v.parse().ok()).filter(|s| (1..=3600).contains(s));
        Ok(Self {
            endpoint,
            token: Token::of_this_machine(is_yes("HF_HUB_DISABLE_IMPLICIT_TOKEN")),
            cache,
            home: places::home(),
            offline: is_yes("HF_HUB_OFFLINE") || is_yes("TRANSFORMERS_OFFLINE"),
            idle: Duration::from_secs(idle.unwrap_or(20)),
            first_wait: Duration::from_millis(500),
        })
    }
}

/// An access token. Cannot be printed, only sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// `None` for what cannot stand in a header.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic())).then(|| Self(text.to_string()))
    }

    /// From `HF_TOKEN`, else from the token file (`HF_TOKEN_PATH`, `$HF_HOME/token`).
    fn of_this_machine(disabled: bool) -> Option<Self> {
        let variable = |name: &str| std::env::var(name).ok().and_then(|text| Self::parse(&text));
        let file = || {
            let path = std::env::var_os("HF_TOKEN_PATH").filter(|v| !v.is_empty()).map(PathBuf::from);
            let path = path.or_else(|| places::hf_home().map(|home| home.join("token")))?;
            Self::parse(&std::fs::read_to_string(path).ok()?)
        };
        match disabled {
            true => None,
            false => variable("HF_TOKEN").or_else(|| variable("HUGGING_FACE_HUB_TOKEN")).or_else(file),
        }
    }

    /// The value of the `Authorization` header.
    pub(super) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Scheme, host and port of a server, and a path below which it answers: `https://huggingface.co`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    https: bool,
    host: String,
    port: u16,
    /// Empty, or `/` and more, for a Hub that is served below a path.
    path: String,
}

impl Origin {
    /// The origin of an address, its path without a closing slash; `None` for what is no http address.
    pub fn parse(address: &str) -> Option<Self> {
        let (scheme, rest) = address.split_once("://")?;
        let https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        // A name and password in an address would be logged and redirected with it.
        if authority.contains('@') {
            return None;
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
            _ => (authority, if https { 443 } else { 80 }),
        };
        let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(number) => number.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)),
        };
        if !is_host {
            return None;
        }
        let path = path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/').to_string();
        Some(Self { https, host: host.to_ascii_lowercase(), port, path })
    }

    /// Whether `address` leads to the same server.
    pub fn serves(&self, address: &str) -> bool {
        Self::parse(address)
            .is_some_and(|o| (o.https, &o.host, o.port) == (self.https, &self.host, self.port))
    }

    /// The address of `path`, which begins with a slash, below this origin.
    pub fn join(&self, path: &str) -> String {
        format!("{}{}{path}", self.server(), self.path)
    }

    /// Scheme, host and port.
    pub fn server(&self) -> String {
        let scheme = if self.https { "https" } else { "http" };
        match (self.https, self.port) {
            (true, 443) | (false, 80) => format!("{scheme}://{}", self.host),
            _ => format!("{scheme}://{}:{}", self.host, self.port),
        }
    }

    /// Whether the line to it is encrypted.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// The host alone, as a person knows it.
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.join(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_parsed() {
        let check = |address: &str, expected: Option<&str>| {
            assert_eq!(Origin::parse(address).map(|o| o.to_string()).as_deref(), expected, "{address}")
        };
        check("https://huggingface.co/", Some("https://huggingface.co"));
        check("HTTP://127.0.0.1:8080/hub/", Some("http://127.0.0.1:8080/hub"));
        check("http://[::1]:80/x?y", Some("http://[::1]/x"));
        for bad in [
            "huggingface.co",
            "ftp://a",
            "https://",
            "https://a:b:c",
            "https://u:p@a/",
            "https://a b/",
            "https://[x]/",
            "https://a:44b.c:443/",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn another_port_or_scheme_is_another_server() {
        let origin = Origin::parse("https://huggingface.co/hub").unwrap();
        assert!(origin.serves("https://HuggingFace.co/a/b"));
        assert!(origin.serves("https://huggingface.co:443"));
        for other in
            ["http://huggingface.co/", "https://huggingface.co:444/", "https://huggingface.co.evil/", "/a"]
        {
            assert!(!origin.serves(other), "{other}");
        }
    }

    #[test]
    fn a_token_is_never_printed() {
        let token = Token::parse(" hf_secret \n").unwrap();
        assert_eq!(token.header(), "Bearer hf_secret");
        assert!(!format!("{token:?}").contains("secret"));
        assert_eq!(Token::parse("a\nb"), None);
    }
}
