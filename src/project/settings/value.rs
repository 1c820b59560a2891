//! Values of settings.

use crate::optim::{Choice, Listed};
use std::fmt;

/// A value of one of the kinds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    Integer(u64),
    Real(f64),
    /// The key of an [`Offer`].
    Choice(&'static str),
    Switch(bool),
}

/// One of a few to choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// In `recipe.toml` and on the command line.
    pub key: &'static str,
    /// In the window.
    pub words: &'static str,
    /// What `--help` adds.
    pub remark: Option<&'static str>,
}

/// Words of a switch, on the command line.
pub const ON_OFF: [&str; 2] = [ON, OFF];
const ON: &str = "on";
const OFF: &str = "off";

/// What the list of `T` offers.
pub fn offers<T: Listed + ?Sized>() -> Vec<Offer> {
    let offer = |one: &&'static T| Offer { key: one.key(), words: one.name(), remark: one.remark() };
    T::list().iter().map(offer).collect()
}

/// Chooses the entry called `key`; one that the list does not have changes nothing.
pub fn choose<T: Listed + ?Sized>(key: &str, choice: &mut Choice<T>) {
    *choice = Choice::named(key).unwrap_or(*choice);
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => value.fmt(f),
            Self::Real(value) => value.fmt(f),
            Self::Choice(key) => f.write_str(key),
            Self::Switch(on) => f.write_str(if *on { ON } else { OFF }),
        }
    }
}
