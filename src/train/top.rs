//! What learns: the segments above the frostline and the head. Frozen layers in it run in inference mode.

use super::batches::{Purpose, key, uniform};
use super::optimiser::Optimiser;
use crate::backbone::{Boundary, LeafState, Pass, Role, Segment, TensorSource, WeightFile};
use crate::network::head::{HEAD_BIAS, HEAD_WEIGHT, load_head};
use crate::nn::{Activation, Linear, Param, Statistic};
use crate::problem::{Problem, Result};
use crate::project::Plan;
use crate::project::recipe::BatchNormChoice;
use candle_core::{Device, Tensor, Var};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Two views of the same tensors: one records for the backward pass, one does not.
pub struct Top {
    training: Network,
    inference: Network,
    optimiser: Optimiser,
    /// Statistics that follow the batches, by name.
    statistics: Vec<(String, Var)>,
    /// Every tensor of the segments above the frostline, trained or not, sharing storage with the layers.
    tensors: BTreeMap<String, Tensor>,
}

struct Network {
    segments: Vec<Box<dyn Segment>>,
    head: Linear,
}

impl Network {
    fn forward(&self, state: &Boundary, pass: &Pass) -> candle_core::Result<Tensor> {
        let mut state = state.clone();
        for segment in &self.segments {
            state = segment.forward(&state, pass)?;
        }
        self.head.forward(&state.hidden)
    }
}

impl Top {
    /// Loads the segments above the frostline and makes a new head.
    pub fn init(plan: &Plan, weights: &WeightFile) -> Result<Self> {
        let architecture = plan.architecture();
        let mut optimiser = Optimiser::of(&plan.recipe.training);
        let mut source = TopSource::new(plan, weights, &mut optimiser);
        let above = plan.frostline..architecture.segments().end;
        let segments: Vec<_> =
            above.clone().map(|n| architecture.load_segment(n, &mut source)).collect::<Result<_>>()?;
        let head = new_head(plan, &mut source)?;
        let (tensors, statistics) = (source.shared, source.statistics);
        let training = Network { segments, head };
        let mut shared = SharedSource { tensors: &tensors };
        let segments = above.map(|n| architecture.load_segment(n, &mut shared)).collect::<Result<_>>()?;
        let head = load_head(&mut shared, plan.task.outputs(), plan.backbone.feature_size())?;
        let inference = Network { segments, head };
        Ok(Self { training, inference, optimiser, statistics, tensors })
    }

    /// Outputs of the head `[batch, outputs]`, recorded for the backward pass. Statistics that follow the batches move, so this is
    /// called once for each step.
    pub fn forward(&self, state: &Boundary, pass: &Pass) -> Result<Tensor> {
        Ok(self.training.forward(state, pass)?)
    }

    /// Outputs of the head `[batch, outputs]` with the same weights, nothing recorded, nothing dropped.
    pub fn predict(&self, state: &Boundary) -> Result<Tensor> {
        Ok(self.inference.forward(state, &Pass::INFERENCE)?)
    }

    /// What holds the trained tensors and their moments.
    pub fn optimiser(&self) -> &Optimiser {
        &self.optimiser
    }

    /// The same, to make a step or to go on from a checkpoint.
    pub fn optimiser_mut(&mut self) -> &mut Optimiser {
        &mut self.optimiser
    }

    /// Running statistics of thawed norms that follow the batches, in the order of the layers: no parameters, but
    /// state that training changes.
    pub fn statistics(&self) -> &[(String, Var)] {
        &self.statistics
    }

    /// Every tensor above the frostline by name, frozen ones and statistics included.
    pub fn tensors(&self) -> &BTreeMap<String, Tensor> {
        &self.tensors
    }
}

/// Decides by the mask which tensor becomes a Var.
struct TopSource<'a> {
    weights: &'a WeightFile,
    device: Device,
    /// Trained tensors of the backbone.
    thawed: HashMap<String, Role>,
    /// Names of the statistics that follow the batches.
    following: HashSet<String>,
    statistics: Vec<(String, Var)>,
    backbone_rate: f64,
    optimiser: &'a mut Optimiser,
    shared: BTreeMap<String, Tensor>,
}

impl<'a> TopSource<'a> {
    fn new(plan: &Plan, weights: &'a WeightFile, optimiser: &'a mut Optimiser) -> Self {
        let follows = plan.recipe.training.batch_norm == BatchNormChoice::Training;
        let (mut thawed, mut following) = (HashMap::new(), HashSet::new());
        for (number, leaf) in plan.architecture().tree().leaves().iter().enumerate() {
            match plan.mask.leaf(number) {
                LeafState::Frozen => {}
                LeafState::Thawed => {
                    for tensor in &leaf.tensors {
                        if tensor.is_parameter() {
                            thawed.insert(tensor.name.clone(), tensor.role);
                        } else if follows {
                            following.insert(tensor.name.clone());
                        }
                    }
                }
            }
        }
        Self {
            weights,
            device: plan.machine.device.clone(),
            thawed,
            following,
            statistics: Vec::new(),
            backbone_rate: plan.recipe.training.backbone_rate,
            optimiser,
            shared: BTreeMap::new(),
        }
    }

    fn train(&mut self, name: &str, initial: &Tensor, role: Role, rate: f64) -> Result<Param> {
        let param = self.optimiser.add(name, initial, role, rate)?;
        self.shared.insert(name.to_string(), param.tensor().detach());
        Ok(param)
    }
}

impl TensorSource for TopSource<'_> {
    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Tensor> {
        self.weights.tensor(name, shape, &self.device)
    }

    fn param(&mut self, name: &str, shape: &[usize]) -> Result<Param> {
        let tensor = self.tensor(name, shape)?;
        match self.thawed.get(name).copied() {
            Some(role) => self.train(name, &tensor, role, self.backbone_rate),
            None => {
                self.shared.insert(name.to_string(), tensor.clone());
                Ok(Param::frozen(tensor))
            }
        }
    }

    fn statistic(&mut self, name: &str, shape: &[usize]) -> Result<Statistic> {
        let tensor = self.tensor(name, shape)?;
        if !self.following.contains(name) {
            self.shared.insert(name.to_string(), tensor.clone());
            return Ok(Statistic::fixed(tensor));
        }
        let var = Var::from_tensor(&tensor)?;
        let statistic = Statistic::following(&var);
        self.shared.insert(name.to_string(), statistic.tensor());
        self.statistics.push((name.to_string(), var));
        Ok(statistic)
    }
}

/// Gives tensors that another source has loaded before; nothing is trained through it.
pub struct SharedSource<'a> {
    pub tensors: &'a BTreeMap<String, Tensor>,
}

impl TensorSource for SharedSource<'_> {
    fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Tensor> {
        match self.tensors.get(name) {
            Some(tensor) if tensor.dims() == shape => Ok(tensor.clone()),
            found => {
                let why = match found {
                    Some(tensor) => format!("it has shape {:?} where {shape:?} is needed", tensor.dims()),
                    None => "it is missing".to_string(),
                };
                Err(Problem::input(format!("tensor {name} cannot be used"), why, "export the head again"))
            }
        }
    }
}

/// Small random weights and zero biases: the first answers are nearly even.
fn new_head(plan: &Plan, source: &mut TopSource) -> Result<Linear> {
    let (outputs, features) = (plan.task.outputs(), plan.backbone.feature_size());
    let stream = key(plan.recipe.training.seed, Purpose::HeadInit, 0);
    let bound = 0.1 / (features.max(1) as f32).sqrt();
    let weight: Vec<f32> =
        (0..outputs * features).map(|n| (2.0 * uniform(stream, n as u64) - 1.0) * bound).collect();
    let weight = Tensor::from_vec(weight, (outputs, features), &source.device)?;
    let bias = Tensor::from_vec(vec![0f32; outputs], outputs, &source.device)?;
    Ok(Linear {
        weight: source.train(HEAD_WEIGHT, &weight, Role::Weight, 1.0)?,
        bias: Some(source.train(HEAD_BIAS, &bias, Role::Vector, 1.0)?),
        activation: Activation::None,
    })
}
