//! Why the Hub gave no usable answer, and what a person can do about it.

use crate::problem::Problem;
use crate::remedy::HubRemedy;
use std::time::Duration;

/// Why there is no usable answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// Nothing, or half an answer, came through the line.
    Line(String),
    /// Whoever answers cannot prove to be the host that was asked.
    Untrusted(String),
    /// The server said no.
    Status { status: u16, retry_after: Option<Duration>, code: String, by_hub: bool, host: String },
    /// The answer came and makes no sense.
    Answer(String),
    /// The environment forbids the network.
    Offline,
    /// The user wants no more of it, or the machine cannot.
    Here(Problem),
}

impl Failure {
    /// Whether another attempt may go better.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Line(_) => true,
            // A store of large files says 403 when a signed link has expired: the Hub gives a new one.
            Self::Status { status: 403 | 404 | 400 | 401, by_hub: false, .. } => true,
            Self::Status { status, .. } => matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504),
            Self::Untrusted(_) | Self::Answer(_) | Self::Offline | Self::Here(_) => false,
        }
    }

    /// In a few words.
    pub fn why(&self) -> String {
        match self {
            Self::Line(why) | Self::Untrusted(why) => why.clone(),
            Self::Status { status: 403, by_hub: false, host, .. } => {
                format!("{host} says that the link has expired (403)")
            }
            Self::Status { status, code, host, .. } if code.is_empty() => format!("{host} answers {status}"),
            Self::Status { status, code, host, .. } => format!("{host} answers {status} ({code})"),
            Self::Answer(why) => format!("the answer cannot be used: {why}"),
            Self::Offline => "the environment forbids the network (HF_HUB_OFFLINE)".to_string(),
            Self::Here(problem) => problem.what.clone(),
        }
    }

    /// The failure as a person needs it. `what` is what did not work, `subject` names the model.
    pub fn problem(self, what: &str, subject: &str) -> Problem {
        let why = self.why();
        match self {
            Self::Here(problem) => problem,
            Self::Offline => Problem::hub(what, why, "unset HF_HUB_OFFLINE, or use what is on this machine"),
            Self::Line(_) => Problem::hub(
                what,
                format!("the line failed: {why}"),
                "check the network, then run it again; what has arrived is kept",
            ),
            Self::Untrusted(_) => Problem::hub(
                what,
                why,
                "if a proxy of your company stands between, set SSL_CERT_FILE to its certificates; else do not trust \
                 this network",
            ),
            Self::Answer(_) => Problem::hub(
                what,
                why,
                "try again later; if it stays, check HF_ENDPOINT and the proxy, or report it to the Hub",
            ),
            Self::Status { status: 401, by_hub: true, code, .. } if code == "GatedRepo" => Problem::input(
                format!("{subject} is open only to whom its owner lets"),
                why,
                "ask for access on the model's page and put your access token into HF_TOKEN",
            ),
            Self::Status { status: 401, by_hub: true, .. } => Problem::input(
                format!("{subject} is not there, or not open to everybody"),
                why,
                "check the name; for a private or gated model put your access token into HF_TOKEN",
            ),
            Self::Status { status: 403, by_hub: true, .. } => Problem::input(
                format!("{subject} is not open to you"),
                why,
                "ask for access on the model's page and put your access token into HF_TOKEN",
            ),
            Self::Status { status: 404, by_hub: true, code, .. } => {
                let missing = match code.as_str() {
                    "RevisionNotFound" => "this revision of",
                    "EntryNotFound" => "a file of",
                    _ => "the model",
                };
                Problem::input(format!("{missing} {subject} is not on the Hub"), why, HubRemedy::CheckName)
            }
            Self::Status { status: 429, .. } => Problem::hub(
                what,
                format!("too many requests: {why}"),
                "wait some minutes, then run it again",
            ),
            Self::Status { .. } => {
                Problem::hub(what, why, "wait some minutes, then run it again; what has arrived is kept")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_tried_again() {
        let status = |status, by_hub| Failure::Status {
            status,
            retry_after: None,
            code: String::new(),
            by_hub,
            host: "hub".into(),
        };
        for passing in [status(500, true), status(429, true), status(503, false), status(403, false)] {
            assert!(passing.is_passing(), "{passing:?}");
        }
        for final_no in [status(403, true), status(401, true), status(404, true), Failure::Offline] {
            assert!(!final_no.is_passing(), "{final_no:?}");
        }
    }

    #[test]
    fn whose_turn_it_is() {
        use crate::problem::Cause;
        let check = |failure: Failure, cause: Cause| {
            assert_eq!(failure.clone().problem("it did not work", "a/b").cause, cause, "{failure:?}")
        };
        let status = |status, by_hub| Failure::Status {
            status,
            retry_after: None,
            code: String::new(),
            by_hub,
            host: "hub".into(),
        };
        check(Failure::Line("reset".into()), Cause::Hub);
        check(Failure::Offline, Cause::Hub);
        check(status(500, true), Cause::Hub);
        check(status(404, true), Cause::Input);
        check(status(403, true), Cause::Input);
        check(status(403, false), Cause::Hub);
    }
}
