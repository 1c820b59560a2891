//! What sentence-transformers puts beside an encoder: `modules.json` tells where the encoder lies, how its tokens are
//! pooled and whether the result is normalised.

use super::pooling::{Gather, Pooling, Scale};
use crate::problem::{Problem, Result};
use serde::Deserialize;
use serde_json::Value;
use std::path::{Component, Path, PathBuf};

/// Names the modules and their folders.
pub const MODULES: &str = "modules.json";
/// Where the pooling is told where no `modules.json` says otherwise.
const USUAL_POOLING: &str = "1_Pooling";
/// In the folder of a module.
const CONFIG: &str = "config.json";

/// How texts become features.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// The folder of the encoder's own files inside that of the backbone; mostly the same one, an empty path.
    pub encoder: PathBuf,
    pub pooling: Pooling,
    /// Features that the pooling expects, where it says so.
    pub features: Option<u64>,
    /// The configurations of further modules that were read, inside the folder.
    pub configs: Vec<PathBuf>,
}

/// One line of `modules.json`.
#[derive(Deserialize)]
struct Module {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    path: String,
}

impl Sentence {
    /// Reads what lies in the folder of a backbone; the mean over the tokens where nothing is told.
    ///
    /// # Errors
    /// A file cannot be read, or asks for what is not supported: several poolings at once, a further module.
    pub fn read(folder: &Path) -> Result<Self> {
        let list = folder.join(MODULES);
        let mut found = Self {
            encoder: PathBuf::new(),
            pooling: Pooling::plain(Gather::MeanTokens),
            features: None,
            configs: Vec::new(),
        };
        if !list.exists() {
            let usual = Path::new(USUAL_POOLING).join(CONFIG);
            if folder.join(&usual).exists() {
                found.pool(folder, usual)?;
            }
            return Ok(found);
        }
        let modules: Vec<Module> =
            serde_json::from_value(read_json(&list)?).map_err(|e| refuse(&e.to_string(), AGAIN).at(&list))?;
        for (number, module) in modules.iter().enumerate() {
            found.add(number, module, folder).map_err(|p| if p.path.is_none() { p.at(&list) } else { p })?;
        }
        match modules.is_empty() {
            true => Err(refuse("it names no module", AGAIN).at(&list)),
            false => Ok(found),
        }
    }

    fn add(&mut self, number: usize, module: &Module, folder: &Path) -> Result<()> {
        let inside = inside(&module.path)?;
        let kind = module.kind.rsplit('.').next().unwrap_or_default();
        match (kind, number) {
            ("Transformer" | "BERT", 0) => self.encoder = inside,
            ("Pooling", 1..) => self.pool(folder, inside.join(CONFIG))?,
            ("Normalize", 1..) => self.pooling.scale = Scale::UnitLength,
            // It does something while training only.
            ("Dropout", 1..) => {}
            _ => {
                let why =
                    format!("module {number} of it is {:?}, which this version cannot compute", module.kind);
                let remedy = "choose a backbone of an encoder and a pooling; to train on what stands before that module, take it out of modules.json";
                return Err(refuse(&why, remedy));
            }
        }
        Ok(())
    }

    fn pool(&mut self, folder: &Path, inside: PathBuf) -> Result<()> {
        let path = folder.join(&inside);
        let config = read_json(&path)?;
        self.pooling.gather = gather(&config).map_err(|p| p.at(path))?;
        self.configs.push(inside);
        let features = ["word_embedding_dimension", "embedding_dimension"];
        self.features = features.iter().find_map(|key| config.get(*key)?.as_u64());
        Ok(())
    }
}

const AGAIN: &str = "fetch or copy the backbone again";

/// The one pooling that a configuration turns on, in either of the ways that sentence-transformers writes it.
fn gather(config: &Value) -> Result<Gather> {
    let Some(config) = config.as_object() else { return Err(refuse("it is no table", AGAIN)) };
    const PREFIX: &str = "pooling_mode_";
    let mut asked: Vec<&str> = Vec::new();
    match config.get("pooling_mode") {
        Some(Value::String(mode)) => asked.push(mode),
        Some(Value::Array(modes)) => asked.extend(modes.iter().map(|mode| mode.as_str().unwrap_or("?"))),
        Some(Value::Null) | None => {
            let is_on = |value: &Value| value != &Value::Bool(false) && !value.is_null();
            let on = config.iter().filter(|(_, value)| is_on(value));
            asked.extend(on.filter_map(|(key, _)| key.strip_prefix(PREFIX)));
            // What sentence-transformers takes where it is not told.
            if !config.contains_key("pooling_mode_mean_tokens") {
                asked.push("mean_tokens");
            }
        }
        Some(other) => return Err(refuse(&format!("its pooling_mode is {other}"), AGAIN)),
    }
    let others = "choose a backbone that pools by mean, max, cls or last token, or turn on one of these there and all others off";
    match asked[..] {
        [] => Err(refuse("it turns no pooling on", others)),
        ["mean_tokens" | "mean"] => Ok(Gather::MeanTokens),
        ["max_tokens" | "max"] => Ok(Gather::MaxTokens),
        ["cls_token" | "cls"] => Ok(Gather::FirstToken),
        ["lasttoken"] => Ok(Gather::LastToken),
        [other] => Err(refuse(&format!("the pooling {other:?} is not supported"), others)),
        _ => Err(refuse(&format!("it asks for several poolings at once: {}", asked.join(", ")), others)),
    }
}

/// A module's path, which must stay in the folder.
fn inside(path: &str) -> Result<PathBuf> {
    let path = PathBuf::from(path.trim_end_matches('/'));
    match path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        true => Ok(path),
        false => Err(refuse(&format!("the path {path:?} of a module leads out of the folder"), AGAIN)),
    }
}

fn read_json(path: &Path) -> Result<Value> {
    let text =
        fs_err::read_to_string(path).map_err(|e| Problem::io("read how the backbone pools", path, &e))?;
    serde_json::from_str(&text).map_err(|e| refuse(&e.to_string(), AGAIN).at(path))
}

fn refuse(why: &str, remedy: &str) -> Problem {
    Problem::input("the backbone cannot be used as its files ask", why, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ON: &str = "sentence_transformers.models";

    fn read(files: &[(&str, Value)]) -> Result<Sentence> {
        let folder = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content.to_string()).unwrap();
        }
        Sentence::read(folder.path())
    }

    fn modules(list: &[(&str, &str)]) -> Value {
        let line = |(kind, path): &(&str, &str)| json!({"type": format!("{ON}.{kind}"), "path": path});
        list.iter().map(line).collect()
    }

    fn pooling(config: Value) -> std::result::Result<Gather, String> {
        read(&[("1_Pooling/config.json", config)]).map(|s| s.pooling.gather).map_err(|p| p.why)
    }

    #[test]
    fn nothing_beside_is_the_mean() {
        let found = read(&[]).unwrap();
        assert_eq!((found.pooling, found.encoder), (Pooling::plain(Gather::MeanTokens), PathBuf::new()));
    }

    #[test]
    fn one_pooling_is_obeyed_and_all_else_refused() {
        let only = |key: &str| {
            let mut config = json!({"pooling_mode_mean_tokens": false, "pooling_mode_cls_token": false});
            config[key] = json!(true);
            pooling(config)
        };
        assert_eq!(only("pooling_mode_mean_tokens"), Ok(Gather::MeanTokens));
        assert_eq!(only("pooling_mode_cls_token"), Ok(Gather::FirstToken));
        assert_eq!(only("pooling_mode_max_tokens"), Ok(Gather::MaxTokens));
        assert_eq!(only("pooling_mode_lasttoken"), Ok(Gather::LastToken));
        assert_eq!(pooling(json!({"pooling_mode": "cls"})), Ok(Gather::FirstToken));
        assert_eq!(pooling(json!({"word_embedding_dimension": 8})), Ok(Gather::MeanTokens));
        let refused = |config, part: &str| {
            let why = pooling(config).unwrap_err();
            assert!(why.contains(part), "{why}");
        };
        assert!(only("pooling_mode_mean_sqrt_len_tokens").unwrap_err().contains("mean_sqrt_len_tokens"));
        assert!(only("pooling_mode_weightedmean_tokens").unwrap_err().contains("weightedmean"));
        assert!(only("pooling_mode_tomorrow").unwrap_err().contains("tomorrow"));
        refused(json!({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": true}), "several");
        refused(json!({"pooling_mode_cls_token": true}), "several");
        refused(json!({"pooling_mode_mean_tokens": false}), "no pooling");
        refused(json!({"pooling_mode": ["cls", "mean"]}), "several");
        refused(json!({"pooling_mode": "median"}), "median");
    }

    #[test]
    fn modules_lie_where_the_list_says() {
        let cls = json!({"pooling_mode": "cls", "word_embedding_dimension": 16});
        let list = modules(&[("Transformer", "0_Transformer"), ("Pooling", "pool/er"), ("Normalize", "2")]);
        let found = read(&[("modules.json", list), ("pool/er/config.json", cls.clone())]).unwrap();
        let pooling = Pooling { gather: Gather::FirstToken, scale: Scale::UnitLength };
        let configs = vec!["pool/er/config.json".into()];
        assert_eq!(found, Sentence { encoder: "0_Transformer".into(), pooling, features: Some(16), configs });
        // What the list does not name does not count.
        let list = modules(&[("Transformer", "")]);
        let found = read(&[("modules.json", list), ("1_Pooling/config.json", cls)]).unwrap();
        assert_eq!(found.pooling, Pooling::plain(Gather::MeanTokens));
    }

    #[test]
    fn other_modules_and_places_are_refused() {
        let why = |list: Value| read(&[("modules.json", list)]).unwrap_err().to_string();
        assert!(why(modules(&[("Transformer", ""), ("Dense", "2_Dense")])).contains("Dense"));
        assert!(why(modules(&[("Pooling", "1_Pooling")])).contains("Pooling"));
        assert!(why(modules(&[("Transformer", "../elsewhere")])).contains("leads out"));
        assert!(why(modules(&[("Transformer", ""), ("Pooling", "1_Pooling")])).contains("1_Pooling"));
        assert!(why(json!({"a": 1})).contains("modules.json"));
        assert!(why(json!([])).contains("no module"));
    }
}
