//! `recipe.toml`: read, checked, written.

use super::recipe::{RECIPE_VERSION, Recipe, SplitChoice};
use super::settings::{SETTINGS, within};
use crate::bounded;
use crate::problem::{Problem, Result};
use std::path::Path;

impl Recipe {
    /// Reads a recipe and checks every value by itself.
    ///
    /// # Errors
    /// Unreadable, from a newer version, or with a value out of range: the message names the key.
    pub fn read(path: &Path) -> Result<Self> {
        let text = bounded::read_text(path, bounded::MAX_SETTINGS_BYTES, "read the recipe")?;
        Self::parse(&text).map_err(|p| p.at(path))
    }

    /// Parses the text of a recipe. Errors as for [`Recipe::read`].
    pub fn parse(text: &str) -> Result<Self> {
        let bad = |why: String| {
            Problem::input("the recipe cannot be used", why, "correct recipe.toml, or make a new project")
        };
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| bad(e.to_string()))?;
        match table.get("version").and_then(toml::Value::as_integer) {
            Some(version) if version == i64::from(RECIPE_VERSION) => {}
            Some(version) if version > i64::from(RECIPE_VERSION) => {
                return Err(bad(format!(
                    "version {version} was written by a newer Frostline; this one knows version {RECIPE_VERSION}"
                )));
            }
            _ => return Err(bad("it has no known version".to_string())),
        }
        let recipe: Self = toml::from_str(text).map_err(|e| bad(e.to_string()))?;
        recipe.check().map_err(bad)?;
        Ok(recipe)
    }

    /// The text of `recipe.toml`.
    ///
    /// # Errors
    /// A path that is not Unicode.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string_pretty(self).map_err(|e| {
            Problem::input(
                "the recipe cannot be written",
                e.to_string(),
                "rename folders whose names are not Unicode",
            )
        })
    }

    /// The first value that is out of range, in words.
    pub fn check(&self) -> std::result::Result<(), String> {
        for setting in SETTINGS {
            setting.check(self)?;
        }
        let SplitChoice { validation_fraction, test_fraction, .. } = self.split;
        let both = "split.validation_fraction + split.test_fraction";
        within(both, validation_fraction + test_fraction, 0.0..=0.95)
    }
}

#[cfg(test)]
mod tests {
    use super::super::recipe::{BackboneChoice, BatchNormChoice, DataChoice, FreezeChoice};
    use super::super::settings::Defaults;
    use super::*;
    use crate::data::index::Modality;
    use crate::optim::{AdamW, OptimiserChoice, Sgd};

    fn example() -> Recipe {
        let defaults =
            Defaults { task: Default::default(), modality: Modality::Image, head_only: false, dropout: 0.0 };
        Recipe {
            data: DataChoice {
                path: "../photos".into(),
                label_columns: vec!["label".into()],
                ..DataChoice::default()
            },
            backbone: BackboneChoice {
                id: "mobilenetv2_100".into(),
                sha256: "00ff".into(),
                revision: None,
                folder: None,
                reading: None,
            },
            freeze: FreezeChoice { thaw: vec!["blocks.6".into()] },
            ..Recipe::suited_to(&defaults)
        }
    }

    #[test]
    fn a_recipe_survives_the_round_trip() {
        let recipe = example();
        assert_eq!(Recipe::parse(&recipe.to_toml().unwrap()).unwrap(), recipe);
    }

    #[test]
    fn a_recipe_of_version_1_still_opens() {
        let text = include_str!("goldens/recipe-1.toml");
        let recipe = Recipe::parse(text).unwrap();
        assert_eq!(recipe.freeze.thaw, ["encoder.layer.5"]);
        assert!(recipe.cache.enabled);
        // Keys that came later.
        let training = recipe.training;
        assert_eq!(training.optimiser, OptimiserChoice::of(&AdamW));
        assert_eq!(training.schedule.key(), "cosine");
        assert_eq!((training.momentum, training.clip), (0.9, 0.0));
        assert_eq!(training.batch_norm, BatchNormChoice::Fixed);
    }

    #[test]
    fn one_label_column_is_a_string_and_several_are_a_list() {
        let check = |columns: &[&str], line: Option<&str>| {
            let mut recipe = example();
            recipe.data.label_columns = columns.iter().map(|column| column.to_string()).collect();
            let text = recipe.to_toml().unwrap();
            assert_eq!(text.lines().find(|l| l.starts_with("label_column")), line);
            assert_eq!(Recipe::parse(&text).unwrap(), recipe);
        };
        check(&[], None);
        check(&["a"], Some("label_column = \"a\""));
        let listed = example().to_toml().unwrap().replace("\"label\"", "[\"a\", \"b\"]");
        assert_eq!(Recipe::parse(&listed).unwrap().data.label_columns, ["a", "b"]);
        let mut two = example();
        two.data.label_columns = vec!["a".into(), "b".into()];
        assert_eq!(Recipe::parse(&two.to_toml().unwrap()).unwrap(), two);
    }

    #[test]
    fn every_choice_survives_the_round_trip() {
        let mut recipe = example();
        recipe.training.set_optimiser(OptimiserChoice::of(&Sgd));
        assert_eq!(recipe.training.learning_rate, 0.02);
        recipe.training.momentum = 0.5;
        recipe.training.clip = 1.5;
        recipe.training.batch_norm = BatchNormChoice::Training;
        let text = recipe.to_toml().unwrap();
        for line in ["optimiser = \"sgd\"", "clip = 1.5", "batch_norm = \"training\""] {
            assert!(text.lines().any(|l| l == line), "{text}");
        }
        let mut again = Recipe::parse(&text).unwrap();
        assert_eq!(again, recipe);
        again.training.set_optimiser(OptimiserChoice::of(&AdamW));
        assert_eq!(again.training.learning_rate, 0.002);
        // A rate stays one that is allowed.
        again.training.learning_rate = 10.0;
        again.training.set_optimiser(OptimiserChoice::of(&Sgd));
        assert!(again.check().is_ok());
    }

    #[test]
    fn bad_values_are_named() {
        let check = |key: &str, from: &str, to: &str| {
            let text = example().to_toml().unwrap();
            assert!(text.contains(from), "{text}");
            let problem = Recipe::parse(&text.replace(from, to)).unwrap_err();
            assert!(problem.why.contains(key), "{problem}");
        };
        check("training.epochs", "epochs = 10", "epochs = 0");
        check("training.learning_rate", "learning_rate = 0.002", "learning_rate = nan");
        check("split.validation_fraction", "validation_fraction = 0.2", "validation_fraction = 1.5");
        check("training.momentum", "momentum = 0.9", "momentum = 1.0");
        check("training.clip", "clip = 0.0", "clip = -1.0");
        check("training.clip", "clip = 0.0", "clip = nan");
        check("unknown variant `lion`", "optimiser = \"adamw\"", "optimiser = \"lion\"");
        check("newer Frostline", "version = 1", "version = 2");
        check("epocs", "epochs = 10", "epocs = 10");
    }
}
