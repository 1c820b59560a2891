//! Everything that can be set in a recipe, each in one row of [`rows`]: its key, words, range, default, option on the
//! command line, and where the recipe keeps it. The check of a recipe, `frostline new`, the form in Train, what is
//! told of runs that differ and the table in the README follow from the rows.
//!
//! To add one: a field of [`super::recipe`] (with a serde default, for recipes that are older), a row, and what reads
//! the field.

mod optimiser;
pub mod rows;
pub mod setting;
pub mod value;

pub use rows::SETTINGS;
pub(super) use setting::within;
pub use setting::{Defaults, Drag, Kind, Look, Place, Setting, Shown, Standard, Unit};
pub use value::{ON_OFF, Offer, Value};

use super::recipe::{RECIPE_VERSION, Recipe, TrainingChoice};

/// The setting with this key.
pub fn named(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

/// All settings, first those on which the others depend.
fn leading_first() -> impl Iterator<Item = &'static Setting> {
    let (leading, others): (Vec<_>, Vec<_>) = SETTINGS.iter().partition(|setting| setting.leads());
    leading.into_iter().chain(others)
}

/// Gives `recipe` the values of `given`, whatever their order: a learning rate stands, also where the optimiser that
/// is given beside it would bring another.
///
/// # Errors
/// In words: a value of another kind than its setting's.
pub fn apply(recipe: &mut Recipe, given: &[(&'static Setting, Value)]) -> Result<(), String> {
    for setting in leading_first() {
        for (_, value) in given.iter().filter(|(one, _)| one.key == setting.key) {
            setting.set(recipe, *value)?;
        }
    }
    Ok(())
}

/// The settings of `own` that are not those of `before`, each in a word or two.
pub fn that_differ(own: &Recipe, before: &Recipe) -> Vec<String> {
    let told = leading_first().map(|setting| ((setting.told)(own), (setting.told)(before)));
    told.filter_map(|(own, before)| own.filter(|words| before.as_ref() != Some(words))).collect()
}

impl Recipe {
    /// A recipe whose settings work without tuning; data, backbone and layers are left open.
    pub fn suited_to(defaults: &Defaults) -> Self {
        let mut recipe = Self { version: RECIPE_VERSION, task: defaults.task, ..Self::default() };
        for setting in leading_first() {
            let set = setting.set(&mut recipe, setting.default(defaults));
            debug_assert!(set.is_ok(), "{set:?}");
        }
        recipe
    }
}

impl TrainingChoice {
    /// Values that work without tuning; they differ where layers of the backbone are trained too.
    pub fn suited_to(defaults: &Defaults) -> Self {
        Recipe::suited_to(defaults).training
    }
}

#[cfg(test)]
mod readme;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::index::Modality;
    use std::collections::BTreeSet;

    /// Every combination that defaults depend on.
    pub(super) fn circumstances() -> Vec<Defaults> {
        let mut all = Vec::new();
        for modality in [Modality::Image, Modality::Text] {
            for head_only in [true, false] {
                all.push(Defaults { task: Default::default(), modality, head_only, dropout: 0.1 });
            }
        }
        all
    }

    /// A value that is allowed and not the one that `recipe` has.
    fn another(setting: &Setting, recipe: &Recipe) -> Option<Value> {
        match setting.kind {
            Kind::Integer { low, high, get, .. } => {
                let value = if get(recipe) == low { high.min(low + 1) } else { low };
                Some(Value::Integer(value))
            }
            Kind::Real { low, high, .. } => Some(Value::Real(low + (high - low) / 4.0)),
            Kind::Choice { offers, get, .. } => {
                offers().iter().find(|o| o.key != get(recipe)).map(|o| Value::Choice(o.key))
            }
            Kind::Switch { get, .. } => Some(Value::Switch(!get(recipe))),
        }
    }

    fn at<'t>(table: &'t toml::Table, key: &str) -> Option<&'t toml::Value> {
        let (section, field) = key.split_once('.').unwrap();
        table.get(section)?.get(field)
    }

    /// Sabotage seen to fail: `warmup` set by the row of `dropout`.
    #[test]
    fn every_row_sets_the_key_that_it_names_and_no_other() {
        let base = Recipe::suited_to(&circumstances()[0]);
        for setting in SETTINGS {
            let Some(value) = another(setting, &base) else { continue };
            let mut recipe = base.clone();
            setting.set(&mut recipe, value).unwrap();
            assert_eq!(setting.value(&recipe), value, "{}", setting.key);
            let table: toml::Table = recipe.to_toml().unwrap().parse().unwrap();
            let written = at(&table, setting.key).unwrap();
            let expected = match value {
                Value::Integer(value) => toml::Value::Integer(value as i64),
                Value::Real(value) => toml::Value::Float(value),
                Value::Choice(key) => toml::Value::String(key.into()),
                Value::Switch(on) => toml::Value::Boolean(on),
            };
            assert_eq!(*written, expected, "{}", setting.key);
            let moved = SETTINGS.iter().filter(|s| s.value(&recipe) != s.value(&base));
            let alone = moved.filter(|s| s.key != setting.key).count();
            assert!(alone == 0 || setting.leads(), "{} moves others", setting.key);
            assert_eq!(Recipe::parse(&recipe.to_toml().unwrap()).unwrap(), recipe);
        }
    }

    #[test]
    fn every_number_of_a_recipe_has_a_row() {
        let table: toml::Table = Recipe::suited_to(&circumstances()[0]).to_toml().unwrap().parse().unwrap();
        for section in ["training", "split", "cache"] {
            for field in table[section].as_table().unwrap().keys() {
                assert!(named(&format!("{section}.{field}")).is_some(), "{section}.{field} has no row");
            }
        }
    }

    #[test]
    fn what_suits_is_allowed_whatever_is_trained() {
        for defaults in circumstances() {
            Recipe::suited_to(&defaults).check().unwrap();
            for setting in SETTINGS {
                let recipe = Recipe::suited_to(&defaults);
                assert_eq!(setting.value(&recipe), setting.default(&defaults), "{}", setting.key);
            }
        }
    }

    #[test]
    fn recipes_from_before_a_setting_came_get_its_default() {
        let text = Recipe::suited_to(&circumstances()[0]).to_toml().unwrap();
        for setting in SETTINGS {
            let Standard::Always(usual) = setting.default else { continue };
            let mut table: toml::Table = text.parse().unwrap();
            let (section, field) = setting.key.split_once('.').unwrap();
            table[section].as_table_mut().unwrap().remove(field);
            // Those of the first version must be there.
            let Ok(recipe) = Recipe::parse(&table.to_string()) else { continue };
            assert_eq!(setting.value(&recipe), usual(), "{}", setting.key);
        }
    }

    #[test]
    fn keys_and_words_name_one_setting_each() {
        let keys: BTreeSet<&str> = SETTINGS.iter().map(|s| s.key).collect();
        assert_eq!(keys.len(), SETTINGS.len());
        let in_train = || SETTINGS.iter().filter(|s| s.place != Place::SplitMenu);
        let words: BTreeSet<&str> = in_train().map(|s| s.words).collect();
        assert_eq!(words.len(), in_train().count());
    }

    #[test]
    fn what_is_given_stands_whatever_its_order() {
        let given = |key: &str, value| (named(key).unwrap(), value);
        let (rate, optimiser) = (
            given("training.learning_rate", Value::Real(0.3)),
            given("training.optimiser", Value::Choice("sgd")),
        );
        for order in [[rate, optimiser], [optimiser, rate]] {
            let mut recipe = Recipe::suited_to(&circumstances()[0]);
            apply(&mut recipe, &order).unwrap();
            let training = recipe.training;
            assert_eq!((training.learning_rate, training.weight_decay), (0.3, 0.01 / 20.0));
        }
        let mut recipe = Recipe::suited_to(&circumstances()[0]);
        let refused = apply(&mut recipe, &[given("training.epochs", Value::Switch(true))]).unwrap_err();
        assert_eq!(refused, "training.epochs cannot be on");
    }
}
