//! What several tests need.

use candle_core::{Device, Tensor};
use frostline::backbone::{Architecture, Backbone, Role, TensorSource, registry};
use frostline::control::Silent;
use frostline::hub;
use frostline::nn::Param;
use frostline::problem::{Problem, Result};
use frostline::project::recipe::{
    BackboneChoice, CacheChoice, DataChoice, FreezeChoice, RECIPE_VERSION, SplitChoice, TrainingChoice,
};
use frostline::project::settings::Defaults;
use frostline::project::{Machine, Plan, Recipe};
use frostline::train::optimiser::Optimiser;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

/// Ids of the bundled backbones.
pub const BUNDLED: [&str; 3] = ["mobilenetv2_100", "tf_efficientnet_lite0", "all-MiniLM-L6-v2"];

/// What the tests compute on: the device that `FROSTLINE_TEST_DEVICE` names, the CPU where it is not set. One for all
/// tests, since tensors of two handles of one device cannot meet.
static MACHINE: LazyLock<Machine> = LazyLock::new(|| {
    let name = std::env::var("FROSTLINE_TEST_DEVICE").unwrap_or_else(|_| "cpu".to_string());
    Machine::new(&name, None).unwrap()
});

/// The machine of the tests.
pub fn machine() -> Machine {
    MACHINE.clone()
}

/// Where the tests compute.
pub fn device() -> &'static Device {
    &MACHINE.device
}

/// A backbone for the tests of the contract; one that is made up is deleted with this.
pub struct Subject {
    pub backbone: Backbone,
    _folder: Option<tempfile::TempDir>,
}

/// The bundled backbones, and small ones of random weights for the families that bring none.
pub fn subjects() -> Vec<Subject> {
    let bundled = BUNDLED.map(|id| Subject { backbone: hub::open(id).unwrap(), _folder: None });
    let small = |mut config: Value| {
        config["pretrained_cfg"] =
            json!({"input_size": [3, 64, 64], "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]});
        made_up(&config)
    };
    let resnet = |name: &str, layers: [usize; 4], channels: [usize; 4]| {
        small(json!({"architecture": name, "model_args": {"layers": layers, "channels": channels}}))
    };
    let narrow = |name: &str| small(json!({"architecture": name, "channel_multiplier": 0.1}));
    let others = [
        resnet("resnet18", [2, 1, 2, 1], [8, 12, 16, 24]),
        resnet("resnet50", [1, 2, 1, 1], [16, 4, 8, 8]),
        resnet("resnet26d", [1, 2, 1, 1], [16, 4, 8, 8]),
        narrow("efficientnet_b0"),
        narrow("mobilenetv3_small_100"),
        narrow("tf_mobilenetv3_large_100"),
    ];
    bundled.into_iter().chain(others).collect()
}

/// A backbone of this configuration with random weights, in the files that timm would write.
fn made_up(config: &Value) -> Subject {
    let folder = tempfile::tempdir().unwrap();
    let mut tensors = HashMap::new();
    for (number, spec) in describe(config).tree().tensors().enumerate() {
        let fan_in: usize = spec.shape.iter().skip(1).product();
        let noise =
            |n: usize| frostline::backbone::mix(number as u64, n as u64) as f32 / u64::MAX as f32 - 0.5;
        let value = |n: usize| match spec.role {
            Role::Weight => 4.0 * noise(n) / (fan_in as f32).sqrt(),
            _ if spec.name.ends_with("running_mean") || spec.name.ends_with("bias") => 0.2 * noise(n),
            _ => 1.0 + noise(n),
        };
        let values: Vec<f32> = (0..spec.elements()).map(value).collect();
        let tensor = Tensor::from_vec(values, spec.shape.clone(), &Device::Cpu).unwrap();
        if let Some(norm) = spec.name.strip_suffix("running_var") {
            let counter = Tensor::new(7i64, &Device::Cpu).unwrap();
            tensors.insert(format!("{norm}num_batches_tracked"), counter);
        }
        tensors.insert(spec.name.clone(), tensor);
    }
    candle_core::safetensors::save(&tensors, folder.path().join("model.safetensors")).unwrap();
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    Subject { backbone: Backbone::open(folder.path()).unwrap(), _folder: Some(folder) }
}

/// A file of `tests/goldens`, in the source tree that cargo names when it runs a test, or in that of the build.
pub fn golden_path(relative: &str) -> PathBuf {
    let tree = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&tree).join("tests/goldens").join(relative)
}

/// Tensors of a golden file, where the tests compute.
pub fn golden(relative: &str) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(golden_path(relative), device()).unwrap()
}

/// All values of a tensor.
pub fn values(tensor: &Tensor) -> Vec<f32> {
    let here = tensor.flatten_all().unwrap().to_device(&Device::Cpu).unwrap();
    here.to_dtype(candle_core::DType::F32).unwrap().to_vec1().unwrap()
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
pub fn describe(config: &Value) -> Box<dyn Architecture> {
    registry::describe(config, Path::new("config.json")).unwrap().1
}

/// Gives named tensors, all of them trained by `optimiser`.
pub struct TrainedSource<'a> {
    pub tensors: &'a HashMap<String, Tensor>,
    pub optimiser: &'a mut Optimiser,
}

impl TensorSource for TrainedSource<'_> {
    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Tensor> {
        match self.tensors.get(&format!("weights/{name}")) {
            Some(tensor) if tensor.dims() == shape => Ok(tensor.clone()),
            found => Err(Problem::other(format!("{name}: {found:?} for {shape:?}"), "", "")),
        }
    }

    fn param(&mut self, name: &str, shape: &[usize]) -> Result<Param> {
        let tensor = self.tensor(name, shape)?;
        let role = if shape.len() > 1 { Role::Weight } else { Role::Vector };
        Ok(self.optimiser.add(name, &tensor, role, 1.0)?)
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
pub fn recipe(backbone: &Backbone, data: &Path, thaw: &[&str]) -> Recipe {
    let sha256 = frostline::backbone::weights::sha256_of_file(&backbone.weights_path()).unwrap();
    let training = TrainingChoice {
        epochs: 2,
        batch_size: 8,
        ..TrainingChoice::suited_to(&Defaults {
            task: Default::default(),
            modality: backbone.input.modality(),
            head_only: thaw.is_empty(),
            dropout: 0.0,
        })
    };
    Recipe {
        version: RECIPE_VERSION,
        task: Default::default(),
        data: DataChoice { path: data.to_path_buf(), ..DataChoice::default() },
        split: SplitChoice { validation_fraction: 0.25, ..SplitChoice::default() },
        backbone: BackboneChoice {
            id: backbone.id.clone(),
            sha256,
            revision: None,
            folder: None,
            reading: None,
        },
        freeze: FreezeChoice { thaw: thaw.iter().map(|t| t.to_string()).collect() },
        training,
        cache: CacheChoice::default(),
    }
}

/// The plan of a recipe.
pub fn plan(recipe: Recipe) -> Plan {
    let backbone = hub::open(&recipe.backbone.id).unwrap();
    plan_for(backbone, recipe)
}

/// The same over a backbone that lies anywhere.
pub fn plan_for(backbone: Backbone, recipe: Recipe) -> Plan {
    let index = frostline::jobs::scan(&recipe.data.path, &Default::default(), &Silent).unwrap();
    Plan::new(recipe, Arc::new(index), backbone, machine(), None).unwrap()
}

/// Tensors as values by name.
pub fn by_name(tensors: &BTreeMap<String, Tensor>) -> BTreeMap<String, Vec<f32>> {
    tensors.iter().map(|(name, tensor)| (name.clone(), values(tensor))).collect()
}
