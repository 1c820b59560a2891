//! One request and its answer. The access token goes to the Hub itself and to nobody else: redirects are followed
//! here, by hand, so that each hop is looked at.

use super::failure::Failure;
use super::settings::{Origin, Settings};
use crate::problem::{Problem, Result};
use std::io::Read;
use std::ops::Range;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use ureq::http::{Response, header};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, Proxy};

/// Redirects that are followed for one request.
const HOPS: usize = 5;
/// The largest answer of the Hub's interface that is read, in bytes.
const LARGEST_ANSWER: u64 = 32 << 20;
/// A connection that takes longer is given up.
const CONNECT: Duration = Duration::from_secs(10);

/// Asks one Hub.
pub struct Client {
    settings: Settings,
    direct: Agent,
    /// Through the proxies of the environment, for http and https.
    /// For `http` and for `https`.
    proxied: (Option<Agent>, Option<Agent>),
    unproxied: Vec<String>,
}

/// What is asked for: all of it, or some bytes of it.
#[derive(Debug, Clone)]
pub enum Part {
    All,
    /// To the end.
    From(u64),
    Bytes(Range<u64>),
}

/// An answer with a good status (200 or 206), or a redirect that was not followed.
pub struct Answer {
    response: Response<Body>,
    /// The address that answered.
    pub address: String,
    /// For the whole of an answer that is read at once.
    patience: Duration,
}

impl Client {
    /// A client with the proxies of the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`, also in
    /// small letters) and the certificates of `SSL_CERT_FILE` where that is set.
    ///
    /// # Errors
    /// A proxy is no address, or the certificates cannot be read.
    pub fn new(settings: Settings) -> Result<Self> {
        let roots = root_certificates()?;
        let agent = |proxy: Option<Proxy>| {
            let config = Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .timeout_connect(Some(CONNECT.min(settings.idle)))
                .timeout_resolve(Some(CONNECT.min(settings.idle)))
                .timeout_recv_response(Some(settings.idle))
                .timeout_per_read(Some(settings.idle))
                .timeout_per_write(Some(settings.idle))
                .user_agent(concat!("frostline/", env!("CARGO_PKG_VERSION")))
                .tls_config(TlsConfig::builder().root_certs(roots.clone()).build())
                .proxy(proxy)
                .build();
            Agent::new_with_config(config)
        };
        let proxied = |names: &[&str]| proxy_of(names).map(|found| found.map(|proxy| agent(Some(proxy))));
        Ok(Self {
            direct: agent(None),
            proxied: (
                proxied(&["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])?,
                proxied(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])?,
            ),
            unproxied: variable(&["NO_PROXY", "no_proxy"])
                .map(|list| list.split(',').map(|host| host.trim().to_ascii_lowercase()).collect())
                .unwrap_or_default(),
            settings,
        })
    }

    /// Which Hub it asks, with which token, and how long it waits.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Asks one server once; a redirect comes back as it is.
    ///
    /// # Errors
    /// The line fails, or the status is neither good nor a redirect.
    pub fn ask_once(&self, address: &str, part: &Part) -> Result<Answer, Failure> {
        if self.settings.offline {
            return Err(Failure::Offline);
        }
        let origin = Origin::parse(address)
            .ok_or_else(|| Failure::Answer(format!("it leads to {}, which is no address", shown(address))))?;
        let by_hub = self.settings.endpoint.serves(address);
        let agent = self.agent_for(&origin);
        let mut request = agent.get(address).header(header::ACCEPT_ENCODING, "identity");
        match part {
            Part::From(first) => request = request.header(header::RANGE, format!("bytes={first}-")),
            Part::Bytes(bytes) => {
                let last = bytes.end.saturating_sub(1);
                request = request.header(header::RANGE, format!("bytes={}-{last}", bytes.start));
            }
            Part::All => {}
        }
        if let Some(token) = self.settings.token.as_ref().filter(|_| by_hub) {
            request = request.header(header::AUTHORIZATION, token.header());
        }
        let response = request.call().map_err(|e| line(&origin, &e))?;
        let patience = self.settings.patience();
        let answer = Answer { response, address: address.to_string(), patience };
        match answer.status() {
            200 | 206 => Ok(answer),
            301 | 302 | 303 | 307 | 308 => Ok(answer),
            status => Err(Failure::Status {
                status,
                retry_after: answer.header("retry-after").and_then(seconds),
                code: shown(answer.header("x-error-code").unwrap_or_default()),
                by_hub,
                host: origin.host().to_string(),
            }),
        }
    }

    /// Asks and follows redirects.
    ///
    /// # Errors
    /// As for [`Client::ask_once`], or too many redirects, or one that leaves the encrypted line.
    pub fn ask(&self, address: &str, part: &Part) -> Result<Answer, Failure> {
        let mut address = address.to_string();
        for _ in 0..HOPS {
            let answer = self.ask_once(&address, part)?;
            let Some(next) = answer.redirect()? else { return Ok(answer) };
            address = next;
        }
        Err(Failure::Answer(format!("more than {HOPS} redirects")))
    }

    /// Asks for a JSON answer; also gives the address of the next page.
    ///
    /// # Errors
    /// As for [`Client::ask`], or the answer is too long or not the JSON that is expected.
    pub fn json<T: serde::de::DeserializeOwned>(
        &self,
        address: &str,
    ) -> Result<(T, Option<String>), Failure> {
        let answer = self.ask(address, &Part::All)?;
        let next = answer.next_page().filter(|next| self.settings.endpoint.serves(next));
        let bytes = answer.into_bytes(LARGEST_ANSWER)?;
        let value = serde_json::from_slice(&bytes)
            .map_err(|e| Failure::Answer(format!("it is not what the Hub answers there: {e}")))?;
        Ok((value, next))
    }

    fn agent_for(&self, origin: &Origin) -> &Agent {
        let host = origin.host();
        let is_direct = self.unproxied.iter().any(|entry| {
            let suffix = entry.trim_start_matches('*').trim_start_matches('.');
            entry == "*" || (!suffix.is_empty() && (host == suffix || host.ends_with(&format!(".{suffix}"))))
        });
        let (plain, secured) = &self.proxied;
        match if origin.is_https() { secured } else { plain } {
            Some(proxied) if !is_direct => proxied,
            _ => &self.direct,
        }
    }
}

impl Answer {
    /// The number of the HTTP status: 200, 206, or that of a redirect.
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// The value of a header; `None` where there is none, or one with other than visible ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// Where a redirect leads; `None` where this is no redirect.
    pub fn redirect(&self) -> Result<Option<String>, Failure> {
        if !(300..400).contains(&self.status()) {
            return Ok(None);
        }
        let target = self.header("location").unwrap_or_default();
        let here = Origin::parse(&self.address);
        let target = match target {
            relative if relative.starts_with('/') && !relative.starts_with("//") => {
                here.as_ref().map(|origin| format!("{}{relative}", origin.server()))
            }
            absolute => Origin::parse(absolute).map(|_| absolute.to_string()),
        };
        let target =
            target.ok_or_else(|| Failure::Answer("it redirects to what is no address".to_string()))?;
        let leaves_encryption = here.is_some_and(|o| o.is_https()) && !target.starts_with("https://");
        match leaves_encryption {
            true => Err(Failure::Answer("it redirects to an unencrypted address".to_string())),
            false => Ok(Some(target)),
        }
    }

    /// `rel="next"` of the `Link` header.
    fn next_page(&self) -> Option<String> {
        let links = self.header("link")?.split(',');
        let next = links.into_iter().find(|link| link.contains("rel=\"next\""))?;
        let (_, rest) = next.split_once('<')?;
        Some(rest.split_once('>')?.0.to_string())
    }

    /// Bytes of the body, as its header announces them.
    pub fn content_length(&self) -> Option<u64> {
        self.header("content-length")?.trim().parse().ok()
    }

    /// First byte and size of the whole file of a `Content-Range` header.
    pub fn content_range(&self) -> Option<(u64, u64)> {
        let (bytes, size) = self.header("content-range")?.trim().strip_prefix("bytes ")?.split_once('/')?;
        Some((bytes.split_once('-')?.0.trim().parse().ok()?, size.trim().parse().ok()?))
    }

    /// The whole body, at most `limit` bytes.
    ///
    /// # Errors
    /// The line breaks, or there is more.
    pub fn into_bytes(self, limit: u64) -> Result<Vec<u8>, Failure> {
        let bytes = self.read_in_time(limit + 1)?;
        match bytes.len() as u64 > limit {
            true => Err(Failure::Answer(format!("it is longer than {}", crate::units::bytes(limit)))),
            false => Ok(bytes),
        }
    }

    /// All that comes, at most `limit` bytes, while patience lasts: a line that drips would else be listened to for
    /// ever.
    ///
    /// # Errors
    /// The line breaks or is too slow.
    pub fn read_in_time(self, limit: u64) -> Result<Vec<u8>, Failure> {
        let (address, patience) = (self.address.clone(), self.patience);
        let (mut bytes, mut piece, began) = (Vec::new(), vec![0; 64 << 10], Instant::now());
        let mut reader = self.into_reader().take(limit);
        loop {
            let count = reader.read(&mut piece).map_err(|e| broken(&address, &e))?;
            if count == 0 {
                return Ok(bytes);
            }
            bytes.extend_from_slice(piece.get(..count).unwrap_or_default());
            if began.elapsed() > patience {
                return Err(Failure::Line(format!("{}: the answer came too slowly", host_of(&address))));
            }
        }
    }

    /// The body, piece by piece.
    pub fn into_reader(self) -> impl Read {
        self.response.into_body().into_reader()
    }
}

/// What the server says after `Retry-After`, in seconds. The form with a date is not used by the Hub.
fn seconds(text: &str) -> Option<Duration> {
    text.trim().parse().ok().map(Duration::from_secs)
}

fn line(origin: &Origin, error: &ureq::Error) -> Failure {
    let why = match error {
        ureq::Error::Timeout(_) => "nothing came for too long".to_string(),
        ureq::Error::HostNotFound => "its name is not known on this network".to_string(),
        ureq::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    };
    let why = format!("{}: {}", origin.host(), shown(&why));
    // rustls says so; ureq hands it on in several wrappers.
    match why.contains("peer certificate") {
        true => Failure::Untrusted(why),
        false => Failure::Line(why),
    }
}

/// A line that broke while an answer came.
pub fn broken(address: &str, error: &std::io::Error) -> Failure {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>());
    let is_timeout =
        error.kind() == std::io::ErrorKind::TimedOut || matches!(inner, Some(ureq::Error::Timeout(_)));
    let why = if is_timeout { "nothing came for too long".to_string() } else { shown(&error.to_string()) };
    Failure::Line(format!("{}: {why}", host_of(address)))
}

fn host_of(address: &str) -> String {
    Origin::parse(address).map(|o| o.host().to_string()).unwrap_or_default()
}

/// A text of a server for a message: on one line, not too long, and without what follows a `?`, which may be signed.
fn shown(text: &str) -> String {
    let plain: String =
        text.split('?').next().unwrap_or_default().chars().filter(|c| !c.is_control()).collect();
    plain.chars().take(160).collect()
}

fn variable(names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.trim().is_empty()))
}

fn proxy_of(names: &[&str]) -> Result<Option<Proxy>> {
    let Some(address) = variable(names) else { return Ok(None) };
    Proxy::new(address.trim()).map(Some).map_err(|_| {
        // The address may hold a password: it is not shown.
        let why = format!("one of {} holds no address of the form http://host:port", names.join(", "));
        Problem::input("the proxy cannot be used", why, "correct it, or unset it")
    })
}

/// The certificates that are trusted: Mozilla's, built in, or those of `SSL_CERT_FILE` (a company's proxy).
fn root_certificates() -> Result<RootCerts> {
    let Some(path) = std::env::var_os("SSL_CERT_FILE").filter(|v| !v.is_empty()).map(PathBuf::from) else {
        return Ok(RootCerts::WebPki);
    };
    let pem =
        fs_err::read(&path).map_err(|e| Problem::io("read the certificates of SSL_CERT_FILE", &path, &e))?;
    let found: Vec<Certificate<'static>> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    match found.is_empty() {
        true => Err(Problem::input(
            "SSL_CERT_FILE holds no certificate",
            "it must be a PEM file",
            "correct it, or unset it",
        )
        .at(&path)),
        false => Ok(RootCerts::new_with_certs(&found)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_not_shown() {
        assert_eq!(shown("https://cdn/file?X-Amz-Signature=abc\n"), "https://cdn/file");
    }
}
