//! What several tests need.

use candle_core::{Device, Tensor};
use frostline::backbone::{Architecture, Role, TensorSource, registry};
use frostline::control::Silent;
use frostline::hub;
use frostline::nn::Param;
use frostline::problem::{Problem, Result};
use frostline::project::recipe::{
    BackboneChoice, CacheChoice, DataChoice, FreezeChoice, RECIPE_VERSION, SplitChoice, TrainingChoice,
};
use frostline::project::{Machine, Plan, Recipe};
use frostline::train::optimiser::Optimiser;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Ids of the bundled backbones.
pub const BUNDLED: [&str; 3] = ["mobilenetv2_100", "tf_efficientnet_lite0", "all-MiniLM-L6-v2"];

/// A file of `tests/goldens`.
pub fn golden_path(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(relative)
}

/// Tensors of a golden file.
pub fn golden(relative: &str) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(golden_path(relative), &Device::Cpu).unwrap()
}

/// All values of a tensor.
pub fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_dtype(candle_core::DType::F32).unwrap().to_vec1().unwrap()
}

/// Euclidean norm.
pub fn norm(values: &[f32]) -> f64 {
    values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt()
}

/// Norm of the difference.
pub fn distance(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>().sqrt()
}

/// Asserts that `found` lies within `tolerance` of `expected`, relative to the norm of `expected`.
pub fn assert_near(found: &[f32], expected: &[f32], tolerance: f64, what: &str) {
    let relative = distance(found, expected) / norm(expected).max(1e-12);
    assert!(relative <= tolerance, "{what}: {relative:.2e} away, {tolerance:.0e} allowed");
}

/// The network of a configuration, without weights.
pub fn describe(config: &serde_json::Value) -> Box<dyn Architecture> {
    registry::describe(config, Path::new("config.json")).unwrap().1
}

/// Gives named tensors, all of them trained by `optimiser`.
pub struct TrainedSource<'a> {
    pub tensors: &'a HashMap<String, Tensor>,
    pub optimiser: &'a mut Optimiser,
}

impl TensorSource for TrainedSource<'_> {
    fn param(&mut self, name: &str, shape: &[usize]) -> Result<Param> {
        let tensor = self.statistic(name, shape)?;
        let role = if shape.len() > 1 { Role::Weight } else { Role::Vector };
        Ok(self.optimiser.add(name, &tensor, role, 1.0)?)
    }

    fn statistic(&mut self, name: &str, shape: &[usize]) -> Result<Tensor> {
        match self.tensors.get(&format!("weights/{name}")) {
            Some(tensor) if tensor.dims() == shape => Ok(tensor.clone()),
            found => Err(Problem::other(format!("{name}: {found:?} for {shape:?}"), "", "")),
        }
    }
}

/// Writes `per_class` small pictures for each of `classes` classes, told apart by their colours.
pub fn write_pictures(root: &Path, classes: usize, per_class: usize) {
    for class in 0..classes {
        let folder = root.join(format!("class{class}"));
        std::fs::create_dir_all(&folder).unwrap();
        for number in 0..per_class {
            let noise = |x: u32, y: u32| {
                (frostline::backbone::mix(u64::from(x * 131 + y), (class * 1000 + number) as u64) % 90) as u8
            };
            let picture = image::RgbImage::from_fn(64, 48, |x, y| {
                let mut pixel = [noise(x, y); 3];
                pixel[class % 3] = 160 + noise(y, x);
                image::Rgb(pixel)
            });
            picture.save(folder.join(format!("{number}.png"))).unwrap();
        }
    }
}

/// A table of short texts of two classes.
pub fn write_texts(path: &Path, rows: usize) {
    let (good, bad) = (["great", "lovely", "excellent", "superb"], ["awful", "broken", "terrible", "poor"]);
    let mut table = String::from("text,label\n");
    for row in 0..rows {
        let words = if row % 2 == 0 { good } else { bad };
        let label = if row % 2 == 0 { "positive" } else { "negative" };
        let (first, second) = (words[row / 2 % 4], words[row / 3 % 4]);
        let tail = "so ".repeat(row % 5);
        table.push_str(&format!("\"the {first} thing number {row} was {tail}{second}\",{label}\n"));
    }
    std::fs::write(path, table).unwrap();
}

/// A recipe for a test: few epochs, everything else as a user gets it.
pub fn recipe(data: &Path, backbone: &str, thaw: &[&str]) -> Recipe {
    let found = hub::open(backbone).unwrap();
    let sha256 = frostline::backbone::weights::sha256_of_file(&found.weights_path()).unwrap();
    let modality = match backbone {
        "all-MiniLM-L6-v2" => frostline::data::index::Modality::Text,
        _ => frostline::data::index::Modality::Image,
    };
    let training = TrainingChoice {
        epochs: 2,
        batch_size: 8,
        ..TrainingChoice::suited_to(modality, thaw.is_empty(), 0.0)
    };
    Recipe {
        version: RECIPE_VERSION,
        data: DataChoice { path: data.to_path_buf(), text_column: None, label_column: None },
        split: SplitChoice { validation_fraction: 0.25, ..SplitChoice::default() },
        backbone: BackboneChoice { id: backbone.to_string(), sha256, revision: None, folder: None },
        freeze: FreezeChoice { thaw: thaw.iter().map(|t| t.to_string()).collect() },
        training,
        cache: CacheChoice::default(),
    }
}

/// The plan of a recipe.
pub fn plan(recipe: Recipe) -> Plan {
    let index = frostline::jobs::scan(&recipe.data.path, &Default::default(), &Silent).unwrap();
    let backbone = hub::open(&recipe.backbone.id).unwrap();
    Plan::new(recipe, Arc::new(index), backbone, Machine::cpu(), None).unwrap()
}

/// Tensors as values by name.
pub fn by_name(tensors: &BTreeMap<String, Tensor>) -> BTreeMap<String, Vec<f32>> {
    tensors.iter().map(|(name, tensor)| (name.clone(), values(tensor))).collect()
}
