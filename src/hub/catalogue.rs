//! Backbones that are worth a look, with facts that have a source (`assets/catalogue.toml`, built in). It says
//! nothing about sizes and revisions: those come from the Hub, when there is a line.

use super::support::family_name;
use crate::backbone::registry::family_of;
use crate::backbone::spec::Card;
use crate::data::modality::Modality;
use serde::Deserialize;
use serde_json::json;
use std::path::Path;
use std::sync::LazyLock;

const TEXT: &str = include_str!("../../assets/catalogue.toml");

static ENTRIES: LazyLock<Vec<Entry>> =
    LazyLock::new(|| toml::from_str::<File>(TEXT).map(|file| file.backbone).unwrap_or_default());

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    backbone: Vec<Entry>,
}

/// One backbone of the catalogue.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Repository of the Hub.
    pub id: String,
    pub name: String,
    pub kind: Modality,
    /// timm's architecture, or transformers' model type: what decides whether this version can train it.
    architecture: Option<String>,
    model_type: Option<String>,
    /// Without classifier.
    pub parameters: Option<u64>,
    /// In the unit of the modality: the side of a picture in pixels, the tokens of a text.
    pub input: Option<u32>,
    /// As the Hub writes it.
    pub licence: Option<String>,
    #[serde(default)]
    pub languages: Vec<String>,
    pub score: Option<String>,
    pub score_source: Option<String>,
    /// Where the other facts come from.
    pub source: String,
    pub good_for: String,
}

impl Entry {
    /// The family that can train it in this version, or why none can.
    ///
    /// # Errors
    /// The reason, in words.
    pub fn support(&self) -> Result<&'static str, String> {
        let config = self.config();
        family_of(&config)
            .ok_or_else(|| format!("this version does not know the family {}", family_name(&config)))
    }

    fn config(&self) -> serde_json::Value {
        json!({"architecture": self.architecture, "model_type": self.model_type})
    }
}

/// All of the catalogue, in its order.
pub fn entries() -> &'static [Entry] {
    &ENTRIES
}

/// Adds what the catalogue, or the model's own page in `folder`, says about a backbone from the Hub.
pub(super) fn complete_card(card: &mut Card, id: &str, folder: &Path) {
    if let Some(entry) = entries().iter().find(|entry| entry.id == id) {
        card.name.get_or_insert_with(|| entry.name.clone());
        card.good_for.get_or_insert_with(|| entry.good_for.clone());
        card.licence = card.licence.take().or_else(|| entry.licence.clone());
        if card.published_score.is_none() {
            card.published_score.clone_from(&entry.score);
            card.published_score_source.clone_from(&entry.score_source);
        }
    }
    card.licence = card.licence.take().or_else(|| licence_of_readme(folder));
}

/// `license:` between the two lines of dashes at the top of a README.
fn licence_of_readme(folder: &Path) -> Option<String> {
    let text = std::fs::read_to_string(folder.join("README.md")).ok()?;
    let (front, _) = text.strip_prefix("---")?.split_once("\n---")?;
    let licence = front.lines().find_map(|line| line.strip_prefix("license:"))?.trim();
    (!licence.is_empty() && licence.len() < 60).then(|| licence.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::id::RepoId;
    use std::collections::BTreeSet;

    #[test]
    fn every_entry_has_a_source_and_one_name() {
        let file: File = toml::from_str(TEXT).unwrap();
        assert_eq!(file.backbone.len(), entries().len());
        assert!((35..=60).contains(&entries().len()), "{}", entries().len());
        let ids: BTreeSet<&str> = entries().iter().map(|e| e.id.as_str()).collect();
        assert_eq!(ids.len(), entries().len());
        for entry in entries() {
            assert!(RepoId::parse(&entry.id).is_ok(), "{}", entry.id);
            assert_eq!(entry.architecture.is_some(), entry.kind == Modality::Image, "{}", entry.id);
            assert_eq!(entry.model_type.is_some(), entry.kind == Modality::Text, "{}", entry.id);
            assert_eq!(entry.score.is_some(), entry.score_source.is_some(), "{}", entry.id);
            assert!(entry.source.starts_with("https://") && !entry.good_for.is_empty(), "{}", entry.id);
        }
    }

    #[test]
    fn what_this_version_cannot_train_is_marked() {
        let entry = |id: &str| entries().iter().find(|e| e.id == id).unwrap();
        assert_eq!(entry("timm/mobilenetv2_100.ra_in1k").support(), Ok("MobileNetV2"));
        assert_eq!(entry("timm/mobilenetv3_small_100.lamb_in1k").support(), Ok("MobileNetV3"));
        assert_eq!(entry("timm/efficientnet_b0.ra_in1k").support(), Ok("EfficientNet"));
        assert!(entry("timm/tf_efficientnetv2_s.in21k_ft_in1k").support().is_err());
        assert_eq!(entry("sentence-transformers/all-MiniLM-L6-v2").support(), Ok("BERT"));
        let strange =
            Entry { architecture: Some("beit_base".into()), ..entry("timm/mobilenetv2_100.ra_in1k").clone() };
        assert_eq!(strange.support(), Err("this version does not know the family beit_base".to_string()));
    }

    #[test]
    fn a_licence_is_found_in_a_readme() {
        let folder = tempfile::tempdir().unwrap();
        let check = |text: &str, expected: Option<&str>| {
            std::fs::write(folder.path().join("README.md"), text).unwrap();
            assert_eq!(licence_of_readme(folder.path()).as_deref(), expected, "{text:?}");
        };
        check("---\nlanguage: en\nlicense: mit\n---\n# Model", Some("mit"));
        check("# Model\nlicense: mit", None);
        check("---\nlicense:\n- mit\n---\n", None);
    }
}
