//! One of a list, as a recipe names it: `optimiser = "adamw"`.

use super::rule::{Named, Rule};
use super::rules::RULES;
use super::schedule::Schedule;
use super::schedules::SCHEDULES;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

/// What there is one list of.
pub trait Listed: Named + 'static {
    /// All of them; the first is the default.
    fn list() -> &'static [&'static Self];
}

/// One of the list of `T`; written and read as its key. Two are equal when their keys are.
pub struct Choice<T: Listed + ?Sized>(&'static T);

/// How gradients move the weights.
pub type OptimiserChoice = Choice<dyn Rule>;
/// How the learning rate goes over a run.
pub type ScheduleChoice = Choice<dyn Schedule>;

impl Listed for dyn Rule {
    fn list() -> &'static [&'static Self] {
        RULES
    }
}

impl Listed for dyn Schedule {
    fn list() -> &'static [&'static Self] {
        SCHEDULES
    }
}

impl<T: Listed + ?Sized> Choice<T> {
    /// This one: `OptimiserChoice::of(&Sgd)`.
    pub const fn of(one: &'static T) -> Self {
        Self(one)
    }

    /// The one with this key.
    pub fn named(key: &str) -> Option<Self> {
        T::list().iter().find(|one| one.key() == key).map(|one| Self(*one))
    }

    /// Whether it is what a recipe that does not say gets.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

impl<T: Listed + ?Sized> Deref for Choice<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0
    }
}

impl<T: Listed + ?Sized> Clone for Choice<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Listed + ?Sized> Copy for Choice<T> {}

impl<T: Listed + ?Sized> PartialEq for Choice<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<T: Listed + ?Sized> Eq for Choice<T> {}

impl<T: Listed + ?Sized> Default for Choice<T> {
    fn default() -> Self {
        Self(T::list()[0])
    }
}

impl<T: Listed + ?Sized> fmt::Debug for Choice<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl<T: Listed + ?Sized> Serialize for Choice<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.key())
    }
}

impl<'de, T: Listed + ?Sized> Deserialize<'de> for Choice<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let key = Cow::<str>::deserialize(deserializer)?;
        Self::named(&key).ok_or_else(|| {
            let known: Vec<String> = T::list().iter().map(|one| format!("`{}`", one.key())).collect();
            de::Error::custom(format!("unknown variant `{key}`, expected {}", known.join(" or ")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[track_caller]
    fn check<T: Listed + ?Sized>() {
        let keys: BTreeSet<&str> = T::list().iter().map(|one| one.key()).collect();
        assert_eq!(keys.len(), T::list().len(), "two have the same key");
        for one in T::list() {
            let text = serde_json::to_string(&Choice(*one)).unwrap();
            assert_eq!(text, format!("{:?}", one.key()));
            let again: Choice<T> = serde_json::from_str(&text).unwrap();
            assert!(again == Choice(*one));
        }
    }

    #[test]
    fn each_is_read_as_it_was_written() {
        check::<dyn Rule>();
        check::<dyn Schedule>();
    }

    #[test]
    fn an_unknown_one_is_refused_and_those_that_are_there_are_named() {
        let refused = serde_json::from_str::<OptimiserChoice>("\"lion\"").unwrap_err().to_string();
        assert!(refused.starts_with("unknown variant `lion`, expected `adamw` or `sgd`"), "{refused}");
    }

    #[test]
    fn what_a_recipe_does_not_say_is_the_usual() {
        assert_eq!((OptimiserChoice::default().key(), ScheduleChoice::default().key()), ("adamw", "cosine"));
        assert!(!OptimiserChoice::named("sgd").unwrap().is_usual());
    }
}
