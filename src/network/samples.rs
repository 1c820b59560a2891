//! Raw samples become the boundary state at the input of a backbone.

use crate::backbone::{Backbone, Boundary, InputSpec};
use crate::data::facts::Carrier;
use crate::data::image;
use crate::data::index::{DatasetIndex, Digest};
use crate::data::modality::Modality;
use crate::data::preprocess::ImageSpec;
use crate::data::text::{MAX_TEXT_BYTES, TextTokenizer};
use crate::problem::{Problem, Result};
use candle_core::{Device, Tensor};
use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// Decodes and preprocesses for one backbone.
pub struct Loader {
    input: Input,
    device: Device,
}

enum Input {
    Image(ImageSpec),
    Text(Box<TextTokenizer>),
}

/// One raw sample.
#[derive(Debug, Clone, PartialEq)]
pub enum Sample {
    File {
        path: PathBuf,
        /// What its bytes must be, for a sample of a scan: what is cached under a digest must be of these bytes.
        digest: Option<Digest>,
    },
    /// For a modality of words.
    Text(String),
}

/// One sample made ready: pixels `[3, size, size]` or token ids.
pub enum Prepared {
    Pixels(Vec<f32>),
    Tokens(Vec<u32>),
}

impl Loader {
    /// A loader for what `backbone` takes, with `input` as an export or a plan keeps it.
    pub fn new(backbone: &Backbone, input: &InputSpec, device: &Device) -> Result<Self> {
        let input = match input {
            InputSpec::Image(spec) => Input::Image(*spec),
            InputSpec::Text(spec) => Input::Text(Box::new(backbone.open_tokenizer(spec)?)),
        };
        Ok(Self { input, device: device.clone() })
    }

    /// What its samples are.
    pub fn modality(&self) -> Modality {
        match self.input {
            Input::Image(_) => Modality::Image,
            Input::Text(_) => Modality::Text,
        }
    }

    /// Prepares one sample. A text file is read where the backbone takes texts.
    ///
    /// # Errors
    /// The file cannot be read or decoded, or the sample is of the wrong kind.
    pub fn prepare(&self, sample: &Sample) -> Result<Prepared> {
        match (&self.input, sample) {
            (Input::Image(spec), Sample::File { path, digest }) => {
                let bytes = image::read(path)?;
                if digest.is_some_and(|known| known != Digest::of(&bytes)) {
                    return Err(changed(path));
                }
                let _room = image::budget::room_for(&bytes, path);
                Ok(Prepared::Pixels(spec.apply(&image::decode_bytes(&bytes, path)?)))
            }
            (Input::Text(tokenizer), Sample::Text(text)) => match tokenizer.encode(text)? {
                tokens if tokens.is_empty() => Err(wrong_kind("the text has no token that the model knows")),
                tokens => Ok(Prepared::Tokens(tokens)),
            },
            (Input::Text(_), Sample::File { path, .. }) => Err(self.other_kind().at(path)),
            (Input::Image(_), Sample::Text(_)) => Err(self.other_kind()),
        }
    }

    fn other_kind(&self) -> Problem {
        wrong_kind(&format!("this model takes {}", self.modality().facts().many))
    }

    /// Prepares many samples on all cores; the results are in the order of the samples.
    pub fn prepare_all(&self, samples: &[Sample]) -> Vec<Result<Prepared>> {
        samples.par_iter().map(|sample| self.prepare(sample)).collect()
    }

    /// Prepared samples as the boundary state at the input.
    pub fn boundary(&self, prepared: &[Prepared]) -> Result<Boundary> {
        match &self.input {
            Input::Image(spec) => {
                let mut pixels = Vec::with_capacity(prepared.len() * 3 * spec.size * spec.size);
                for sample in prepared {
                    if let Prepared::Pixels(values) = sample {
                        pixels.extend_from_slice(values);
                    }
                }
                let shape = (prepared.len(), 3, spec.size, spec.size);
                Ok(Boundary { hidden: Tensor::from_vec(pixels, shape, &self.device)?, lengths: None })
            }
            Input::Text(_) => {
                let texts: Vec<&[u32]> = prepared.iter().filter_map(Prepared::tokens).collect();
                let lengths: Vec<usize> = texts.iter().map(|t| t.len()).collect();
                let ids = texts.concat();
                let count = ids.len();
                Ok(Boundary {
                    hidden: Tensor::from_vec(ids, count, &self.device)?,
                    lengths: Some(lengths.into()),
                })
            }
        }
    }
}

impl Prepared {
    fn tokens(&self) -> Option<&[u32]> {
        match self {
            Self::Tokens(ids) => Some(ids),
            Self::Pixels(_) => None,
        }
    }
}

impl Sample {
    /// A file as it is.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::File { path: path.into(), digest: None }
    }

    /// Item number `item` of `index`.
    pub fn of(index: &DatasetIndex, item: usize) -> Option<Self> {
        let item = index.items.get(item)?;
        Some(match &item.text {
            Some(text) => Self::Text(text.clone()),
            None => Self::File { path: index.full_path(item), digest: Some(item.digest) },
        })
    }

    /// A file given by the user; words are read from it, where the model takes words.
    ///
    /// # Errors
    /// A text file that cannot be read, is too long or is not UTF-8.
    pub fn from_file(path: &Path, modality: Modality) -> Result<Self> {
        match modality.facts().carrier {
            Carrier::File => Ok(Self::file(path)),
            Carrier::Words => Self::words_of(path),
        }
    }

    fn words_of(path: &Path) -> Result<Self> {
        let fail = |e: &std::io::Error| Problem::io("read the text", path, e);
        let about = std::fs::metadata(path).map_err(|e| fail(&e))?;
        if !about.is_file() {
            // A pipe may never answer, a device never end.
            return Err(wrong_kind("it is no ordinary file").at(path));
        }
        if about.len() > MAX_TEXT_BYTES {
            let why = format!("it has {} bytes, and at most {MAX_TEXT_BYTES} are read", about.len());
            return Err(wrong_kind(&why).at(path));
        }
        match fs_err::read_to_string(path) {
            Ok(text) => Ok(Self::Text(text)),
            Err(e) if e.kind() == std::io::ErrorKind::InvalidData => {
                Err(wrong_kind("this model takes texts in UTF-8").at(path))
            }
            Err(e) => Err(fail(&e)),
        }
    }
}

fn changed(path: &Path) -> Problem {
    let remedy = "let nothing write the data while it is trained on, then train again";
    Problem::input("this sample cannot be used", "the file changed since the data was read", remedy).at(path)
}

fn wrong_kind(why: &str) -> Problem {
    Problem::input(
        "this sample cannot be used",
        why,
        "give samples of the kind that the model was trained on",
    )
}
