//! One backbone on this machine: a folder with `config.json`, `model.safetensors` and what its inputs need.

use super::family::{bad_config, unsupported};
use super::pooling::Gather;
use super::sentence::Sentence;
use super::{Architecture, Boundary, Pooling, WeightFile, processor, registry, shards};
use crate::data::modality::Modality;
use crate::data::preprocess::{ImageSpec, ResizeFilter};
use crate::data::text::{LetterCase, TextSpec, TextTokenizer, VOCABULARY};
use crate::problem::{Problem, Result};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A backbone found on this machine; its weights are read by [`Backbone::open_weights`] only.
#[derive(Clone)]
pub struct Backbone {
    /// The name that recipes use: the folder's name, or what its card says.
    pub id: String,
    /// Family name, as in [`registry::families`].
    pub family: &'static str,
    pub card: Card,
    /// How a sample becomes the network's input.
    pub input: InputSpec,
    /// The commit of the Hub's repository `id`, for a backbone that came from there.
    pub commit: Option<String>,
    folder: PathBuf,
    /// Where configuration, weights and tokenizer lie: the folder, or one inside it.
    files: PathBuf,
    architecture: Arc<dyn Architecture>,
}

/// What lies beside the weights, where it is there.
const BESIDE: [&str; 8] = [
    VOCABULARY,
    "added_tokens.json",
    "config.json",
    "preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "sentence_bert_config.json",
];
/// What lies in the folder itself.
const ABOVE: [&str; 5] = ["modules.json", "frostline.toml", "LICENSE", "LICENSE.txt", "LICENSE.md"];

/// Facts about a backbone that its configuration does not hold (`frostline.toml` beside it). What has
/// no source stays absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Card {
    pub id: Option<String>,
    pub name: Option<String>,
    /// SPDX identifier.
    pub licence: Option<String>,
    pub origin: Option<String>,
    pub revision: Option<String>,
    pub published_score: Option<String>,
    pub published_score_source: Option<String>,
    pub good_for: Option<String>,
    /// How texts are pooled, in place of what the files of sentence-transformers ask for.
    pub pooling: Option<String>,
}

/// What samples a network takes, and how large they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputSize {
    pub modality: Modality,
    /// In the modality's unit: the side of a square image in pixels, the most tokens of a text.
    pub size: usize,
}

/// How a raw sample becomes the network's input. Travels in every export.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum InputSpec {
    Image(ImageSpec),
    Text(TextSpec),
}

impl std::fmt::Debug for Backbone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Backbone({}, {})", self.id, self.folder.display())
    }
}

impl Backbone {
    /// Reads the configuration in `folder`.
    ///
    /// # Errors
    /// A file is missing or unreadable, or no family knows the configuration.
    pub fn open(folder: &Path) -> Result<Self> {
        let sentence = Sentence::read(folder)?;
        let files = folder.join(&sentence.encoder);
        let config_path = files.join("config.json");
        let config = processor::complete(read_json(&config_path)?, Some(&files))?;
        let (family, mut architecture) = registry::describe(&config, &config_path)?;
        let card = read_card(folder, &config)?;
        if architecture.input().modality == Modality::Text {
            set_pooling(architecture.as_mut(), &sentence, &card).map_err(|p| p.at(folder))?;
        }
        let input = InputSpec::read(architecture.as_ref(), &config, &config_path, &files)?;
        let folder_name = folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self {
            id: card.id.clone().unwrap_or(folder_name),
            family,
            card,
            input,
            commit: None,
            folder: folder.to_path_buf(),
            files,
            architecture: Arc::from(architecture),
        })
    }

    /// The same backbone as it was read before the files beside an encoder of texts were: the mean over the tokens, letters
    /// as they are.
    ///
    /// # Errors
    /// Its configuration cannot be read any more.
    pub fn as_before_modules(&self) -> Result<Self> {
        let InputSpec::Text(spec) = self.input else { return Ok(self.clone()) };
        let config_path = self.files.join("config.json");
        let (_, mut architecture) = registry::describe(&read_json(&config_path)?, &config_path)?;
        architecture.set_pooling(Pooling::plain(Gather::MeanTokens));
        let input = InputSpec::Text(TextSpec { letters: LetterCase::Kept, ..spec });
        Ok(Self { architecture: Arc::from(architecture), input, ..self.clone() })
    }

    /// The network without weights.
    pub fn architecture(&self) -> &dyn Architecture {
        self.architecture.as_ref()
    }

    /// The folder it was read from.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the weights lie.
    pub fn weights_path(&self) -> PathBuf {
        shards::weights_in(&self.files)
    }

    /// All files of the weights: the one, or the index and its parts.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn weight_files(&self) -> Result<Vec<PathBuf>> {
        shards::files_of(&self.weights_path())
    }

    /// Bytes of all files of the weights; none where one is missing.
    pub fn weight_bytes(&self) -> Option<u64> {
        let files = self.weight_files().ok()?;
        files.iter().map(|path| std::fs::metadata(path).ok().map(|about| about.len())).sum()
    }

    /// Copies all that it consists of into the new folder `to`.
    ///
    /// # Errors
    /// A file cannot be read, or `to` cannot be written.
    pub fn copy_to(&self, to: &Path) -> Result<()> {
        let beside = BESIDE.iter().map(|name| self.files.join(name));
        let above = ABOVE.iter().map(|name| self.folder.join(name));
        let modules = Sentence::read(&self.folder)?.configs.into_iter().map(|path| self.folder.join(path));
        let all = beside.chain(above).chain(modules).chain(self.weight_files()?);
        for from in all.filter(|path| path.is_file()) {
            let target = to.join(from.strip_prefix(&self.folder).unwrap_or(&from));
            let fail = |e: std::io::Error| Problem::io("copy the backbone", &target, &e);
            std::fs::create_dir_all(target.parent().unwrap_or(to)).map_err(fail)?;
            std::fs::copy(&from, &target).map_err(fail)?;
        }
        Ok(())
    }

    /// Reads the weights and checks that they fit the tree.
    pub fn open_weights(&self) -> Result<WeightFile> {
        let weights = WeightFile::open(&self.weights_path(), self.architecture.tree())?;
        registry::check_weights(self, &weights)?;
        Ok(weights)
    }

    /// Reads the very weights that a recipe pins.
    ///
    /// # Errors
    /// As for [`Backbone::open_weights`], or the file is another one.
    pub fn open_pinned_weights(&self, sha256: &str) -> Result<WeightFile> {
        let weights = self.open_weights()?;
        match weights.sha256() == sha256 {
            true => Ok(weights),
            false => Err(Problem::input(
                "the backbone's weights are not those of the recipe",
                format!("the file has SHA-256 {}, the recipe pins {sha256}", weights.sha256()),
                "put the right weight file in place, or make a new project",
            )
            .at(weights.path())),
        }
    }

    /// The tokenizer that `spec` names.
    ///
    /// # Errors
    /// It cannot be read, or is another one than `spec` was made with: texts would become other tokens.
    pub fn open_tokenizer(&self, spec: &TextSpec) -> Result<TextTokenizer> {
        let path = tokenizer_path(&self.files);
        let tokenizer = TextTokenizer::load(&path, spec.max_tokens, spec.letters)?;
        if tokenizer.spec() == *spec {
            return Ok(tokenizer);
        }
        let found = tokenizer.spec().tokenizer_blake3;
        Err(Problem::input(
            "the tokenizer is not the one that was trained with",
            format!("the file has digest {found}, {} is needed", spec.tokenizer_blake3),
            "put the right tokenizer in place, or train again",
        )
        .at(path))
    }

    /// Checks a preprocessing that comes from outside, as an export's manifest keeps it.
    ///
    /// # Errors
    /// In words: it is of another kind or size than the network takes, or a value is out of range.
    pub fn check_input(&self, input: &InputSpec) -> std::result::Result<(), String> {
        let InputSize { modality, size } = self.architecture.input();
        if !input.suits(modality) {
            let (given, taken) = (input.modality().facts().many, modality.facts().many);
            return Err(format!("{given} for a network that takes {taken}"));
        }
        match input {
            InputSpec::Image(spec) if spec.size == size => spec.check(),
            InputSpec::Image(spec) => {
                Err(format!("images of {} pixels a side for a network that takes {size}", spec.size))
            }
            InputSpec::Text(spec) if spec.max_tokens <= size => Ok(()),
            InputSpec::Text(spec) => {
                Err(format!("{} tokens for a network that takes {size}", spec.max_tokens))
            }
        }
    }

    /// Name for a person.
    pub fn name(&self) -> &str {
        self.card.name.as_deref().unwrap_or(&self.id)
    }

    /// Length of the feature vector that the head gets.
    pub fn feature_size(&self) -> usize {
        let last = self.architecture.cuts().last().and_then(|cut| cut.shape.first());
        match last {
            Some(super::Dim::Fixed(n)) => *n,
            _ => 0,
        }
    }
}

impl InputSpec {
    fn read(network: &dyn Architecture, config: &Value, config_path: &Path, folder: &Path) -> Result<Self> {
        let takes = network.input();
        match takes.modality {
            Modality::Image => image_spec(config, takes.size).map(Self::Image).map_err(|p| p.at(config_path)),
            Modality::Text => text_spec(folder, takes.size, network.vocabulary()).map(Self::Text),
        }
    }

    /// Checks what a configuration alone says of the preprocessing, before the other files are there.
    ///
    /// # Errors
    /// A value is missing or out of range.
    pub fn check_config(takes: InputSize, config: &Value) -> Result<()> {
        match takes.modality {
            Modality::Image => image_spec(config, takes.size).map(drop),
            Modality::Text => Ok(()),
        }
    }

    /// What samples it makes ready.
    pub fn modality(&self) -> Modality {
        match self {
            Self::Image(_) => Modality::Image,
            Self::Text(_) => Modality::Text,
        }
    }

    /// Whether it takes such samples.
    pub fn suits(&self, modality: Modality) -> bool {
        self.modality() == modality
    }

    /// In the modality's unit, as [`InputSize::size`].
    pub fn size(&self) -> usize {
        match self {
            Self::Image(spec) => spec.size,
            Self::Text(spec) => spec.max_tokens,
        }
    }

    /// Names all that can change what a sample becomes.
    pub fn key(&self) -> String {
        match self {
            Self::Image(spec) => spec.digest().to_string(),
            Self::Text(spec) => {
                let lowered = match spec.letters {
                    LetterCase::Kept => "",
                    LetterCase::Lowered => " lowered",
                };
                format!("{} {}{lowered}", spec.tokenizer_blake3, spec.max_tokens)
            }
        }
    }

    /// What is done to a sample besides, where there is something to tell a person.
    pub fn preprocessing(&self) -> Option<String> {
        match self {
            Self::Image(spec) => {
                let resized = (spec.size as f64 / spec.crop_fraction).floor();
                Some(format!("resize {resized}, crop {}", spec.size))
            }
            Self::Text(_) => None,
        }
    }

    /// A made-up batch of usual size, and how many samples or tokens it has.
    ///
    /// # Errors
    /// The device has no memory for it.
    pub fn made_up(&self, device: &Device) -> Result<(Boundary, usize)> {
        /// Images at once; a text is shorter.
        const BATCH: usize = 4;
        match self {
            Self::Image(spec) => {
                let shape = (BATCH, 3, spec.size, spec.size);
                let hidden = Tensor::zeros(shape, candle_core::DType::F32, device)?;
                Ok((Boundary { hidden, lengths: None }, BATCH))
            }
            Self::Text(spec) => {
                let length = Modality::Text.facts().cost.typical_tokens.min(spec.max_tokens);
                let count = 4 * BATCH * length;
                let ids: Vec<u32> = (0..count as u32).map(|n| n % 100).collect();
                let hidden = Tensor::from_vec(ids, count, device)?;
                Ok((Boundary { hidden, lengths: Some(vec![length; 4 * BATCH].into()) }, count))
            }
        }
    }
}

fn read_json(path: &Path) -> Result<Value> {
    let text = fs_err::read_to_string(path)
        .map_err(|e| Problem::io("read the backbone's configuration", path, &e))?;
    serde_json::from_str(&text).map_err(|e| bad_config(&e.to_string()).at(path))
}

fn read_card(folder: &Path, config: &Value) -> Result<Card> {
    let path = folder.join("frostline.toml");
    let mut card = match fs_err::read_to_string(&path) {
        Ok(text) => toml::from_str(&text).map_err(|e| bad_config(e.message()).at(&path))?,
        Err(_) => Card::default(),
    };
    let from_config = |key: &str| {
        let own = config.get(key).or_else(|| config.get("pretrained_cfg")?.get(key));
        own.and_then(Value::as_str).map(str::to_string)
    };
    card.licence = card.licence.or_else(|| from_config("license"));
    card.origin = card.origin.or_else(|| from_config("origin"));
    Ok(card)
}

/// How pictures become input, from a configuration; timm keeps the preprocessing under `pretrained_cfg`.
///
/// # Errors
/// A value is missing or out of range.
pub fn image_spec(config: &Value, size: usize) -> Result<ImageSpec> {
    let preprocessing = config.get("pretrained_cfg").unwrap_or(config);
    let triple = |key: &str| -> Result<[f32; 3]> {
        let list = preprocessing.get(key).and_then(Value::as_array);
        let numbers: Vec<f32> =
            list.into_iter().flatten().filter_map(Value::as_f64).map(|v| v as f32).collect();
        <[f32; 3]>::try_from(numbers).map_err(|_| bad_config(&format!("{key:?} must be three numbers")))
    };
    let given = |key: &str| preprocessing.get(key).filter(|value| !value.is_null());
    let crop_fraction = match given("crop_pct") {
        Some(value) => value.as_f64().ok_or_else(|| bad_config("\"crop_pct\" must be a number"))?,
        None => 0.875,
    };
    let filter = match given("interpolation").map(|value| value.as_str().unwrap_or("?")) {
        Some("bilinear") => ResizeFilter::Bilinear,
        Some("bicubic") | None => ResizeFilter::Bicubic,
        Some(other) => return Err(bad_config(&format!("resize filter {other:?} is not supported"))),
    };
    for (key, usual) in [("crop_mode", "center"), ("global_pool", "avg")] {
        let other = given(key).or_else(|| config.get(key).filter(|value| !value.is_null()));
        if let Some(other) = other.filter(|value| value.as_str() != Some(usual)) {
            return Err(unsupported(&format!("{key:?} is {other}, and only {usual:?} is known")));
        }
    }
    let spec = ImageSpec { size, crop_fraction, filter, mean: triple("mean")?, std: triple("std")? };
    spec.check().map_err(|why| bad_config(&why))?;
    Ok(spec)
}

/// Lets a network of texts pool as the files beside it say.
fn set_pooling(network: &mut dyn Architecture, sentence: &Sentence, card: &Card) -> Result<()> {
    let features = match network.cuts().last().and_then(|cut| cut.shape.first()) {
        Some(super::Dim::Fixed(features)) => *features as u64,
        Some(super::Dim::Tokens) | None => 0,
    };
    if let Some(expected) = sentence.features.filter(|expected| *expected != features) {
        let why = format!("its pooling takes {expected} features a token, the encoder gives {features}");
        return Err(bad_config(&why));
    }
    let pooling = match &card.pooling {
        Some(name) => {
            let why = || bad_config(&format!("frostline.toml asks for the unknown pooling {name:?}"));
            Pooling::of_tokens().find(|known| known.name() == name).ok_or_else(why)?
        }
        None => sentence.pooling,
    };
    network.set_pooling(pooling);
    Ok(())
}

/// The tokenizer in the folder of an encoder: `tokenizer.json`, or the list of word pieces where that is all there is.
fn tokenizer_path(folder: &Path) -> PathBuf {
    let (whole, list) = (folder.join("tokenizer.json"), folder.join(VOCABULARY));
    if !whole.exists() && list.exists() { list } else { whole }
}

fn text_spec(folder: &Path, positions: usize, vocabulary: Option<usize>) -> Result<TextSpec> {
    let sentence_config = folder.join("sentence_bert_config.json");
    let asked = match sentence_config.exists() {
        true => read_json(&sentence_config)?,
        false => Value::Null,
    };
    let most = asked.get("max_seq_length").and_then(Value::as_u64);
    let max_tokens = most.map_or(positions, |n| (n as usize).min(positions));
    let letters = match asked.get("do_lower_case") {
        Some(Value::Bool(true)) => LetterCase::Lowered,
        _ => LetterCase::Kept,
    };
    let path = tokenizer_path(folder);
    let tokenizer = TextTokenizer::load(&path, max_tokens, letters)?;
    match vocabulary {
        Some(rows) if tokenizer.size() > rows => Err(Problem::input(
            "the tokenizer does not fit the network",
            format!("the tokenizer knows {} tokens, the network {rows}", tokenizer.size()),
            "put the tokenizer and the weights together that belong together; fetch both from the same place",
        )
        .at(path)),
        _ => Ok(tokenizer.spec()),
    }
}
