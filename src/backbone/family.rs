//! What a family is: it turns a configuration into a network without weights.

use super::Architecture;
use crate::problem::{Problem, Result};
use crate::remedy::Remedy;
use serde_json::Value;

/// A family of networks: reads a `config.json` and describes the network, if it is one of its own.
pub struct Family {
    /// What people call it.
    pub name: &'static str,
    /// `None` where the configuration is another family's; an error where it is this one's but unusable.
    pub describe: fn(config: &Value) -> Option<Described>,
}

/// A network without weights, or why its configuration cannot be used.
pub type Described = Result<Box<dyn Architecture>>;

/// The error for a configuration that cannot be used.
pub fn bad_config(why: &str) -> Problem {
    Problem::input("the backbone's configuration cannot be used", why, "fetch or copy the backbone again")
}

/// The error for a configuration of a network that this version does not compute.
pub fn unsupported(why: &str) -> Problem {
    Problem::input("this backbone is not supported", why, Remedy::OtherBackbone)
}
