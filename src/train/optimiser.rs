//! The optimiser over the trained tensors. It owns the Vars, the slots into which layers write their gradients, and the
//! moments; how a gradient moves a weight is one of [`crate::optim::rules`]. Weight decay acts on matrices, not on norms
//! and biases.

use crate::backbone::Role;
use crate::nn::{Gradient, Param, Slot, is_fast, square_sum, square_sum_composed};
use crate::optim::{Hyper, OptimiserChoice};
use crate::project::recipe::TrainingChoice;
use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var, bail};

/// All trained tensors, in the order in which they were added.
pub struct Optimiser {
    parameters: Vec<Trained>,
    rule: OptimiserChoice,
    /// What stays the same for all tensors and steps.
    hyper: Hyper,
    /// Updates made so far.
    step: u64,
}

/// One trained tensor.
pub struct Trained {
    pub name: String,
    pub var: Var,
    pub moments: Moments,
    slot: Option<Slot>,
    decays: bool,
    /// Multiple of the run's learning rate.
    rate: f64,
}

impl Optimiser {
    /// The optimiser that a recipe asks for.
    pub fn of(training: &TrainingChoice) -> Self {
        let hyper =
            Hyper { weight_decay: training.weight_decay, momentum: training.momentum, ..Hyper::default() };
        Self::new(training.optimiser, hyper)
    }

    /// Of `hyper` count the numbers that are the same for all tensors and steps: decay and momentum.
    pub fn new(rule: OptimiserChoice, hyper: Hyper) -> Self {
        Self { parameters: Vec::new(), rule, hyper, step: 0 }
    }

    /// Takes a tensor into training; what a layer holds of it comes back.
    pub fn add(&mut self, name: &str, initial: &Tensor, role: Role, rate: f64) -> Result<Param> {
        let var = Var::from_tensor(initial)?;
        let slot = is_fast(var.as_tensor()).then(|| Slot::new(var.elem_count()));
        let param = Param::trainable(&var, slot.clone());
        let moments = Moments::zeros(&var, self.rule)?;
        self.parameters.push(Trained {
            name: name.to_string(),
            var,
            moments,
            slot,
            decays: role == Role::Weight,
            rate,
        });
        Ok(param)
    }

    /// By which rule it updates.
    pub fn rule(&self) -> OptimiserChoice {
        self.rule
    }

    /// The trained tensors.
    pub fn parameters(&self) -> &[Trained] {
        &self.parameters
    }

    /// The trained tensors, to be restored from a checkpoint.
    pub fn parameters_mut(&mut self) -> &mut [Trained] {
        &mut self.parameters
    }

    /// Goes on counting from a checkpoint.
    pub fn set_step_count(&mut self, step: u64) {
        self.step = step;
    }

    /// Forgets the gradients of the last step; called before every backward pass.
    pub fn begin_step(&self) {
        for slot in self.parameters.iter().filter_map(|p| p.slot.as_ref()) {
            slot.clear();
        }
    }

    /// The Euclidean norm of the gradient of the last backward pass over all tensors that it reached.
    ///
    /// # Errors
    /// Those of Candle.
    pub fn gradient_norm(&self, gradients: &GradStore) -> Result<f64> {
        let (mut sum, mut on_device) = (0.0, Vec::new());
        for parameter in &self.parameters {
            match (parameter.written_slot(), gradients.get(parameter.var.as_tensor())) {
                (Some(slot), _) => sum += slot.with_gradient(|g| Ok(square_sum(g)))?,
                (None, Some(gradient)) => on_device.push(square_sum_composed(gradient)?),
                (None, None) => {}
            }
        }
        if !on_device.is_empty() {
            // One wait for the device, however many tensors there are.
            let sums = Tensor::stack(&on_device, 0)?.to_vec1::<f32>()?;
            sum += sums.into_iter().map(f64::from).sum::<f64>();
        }
        Ok(sum.sqrt())
    }

    /// One update with the gradients of the last backward pass, each times `factor`. A tensor that the pass did not
    /// reach stays as it is.
    ///
    /// # Errors
    /// A tensor got two gradients.
    pub fn update(&mut self, gradients: &GradStore, learning_rate: f64, factor: f64) -> Result<()> {
        self.step += 1;
        for parameter in &mut self.parameters {
            let hyper = Hyper {
                lr: learning_rate * parameter.rate,
                weight_decay: if parameter.decays { self.hyper.weight_decay } else { 0.0 },
                step: self.step,
                factor,
                ..self.hyper
            };
            parameter.update(gradients, self.rule, &hyper)?;
        }
        Ok(())
    }
}

/// What a rule remembers of the gradients of one tensor; see [`crate::optim::Rule::moments`].
pub enum Moments {
    /// On the CPU; each is empty before the first update.
    Host(Vec<Vec<f32>>),
    /// Where the variable is.
    Device(Vec<Tensor>),
}

impl Moments {
    fn zeros(var: &Var, rule: OptimiserChoice) -> Result<Self> {
        let count = rule.moments().len();
        match var.device().is_cpu() {
            true => Ok(Self::Host(vec![Vec::new(); count])),
            false => Ok(Self::Device((0..count).map(|_| var.zeros_like()).collect::<Result<_>>()?)),
        }
    }

    /// Copies of all, `elements` long.
    pub fn to_host(&self, elements: usize) -> Result<Vec<Vec<f32>>> {
        match self {
            Self::Host(moments) => {
                let copy = |m: &Vec<f32>| if m.is_empty() { vec![0.0; elements] } else { m.clone() };
                Ok(moments.iter().map(copy).collect())
            }
            Self::Device(moments) => moments.iter().map(|m| m.flatten_all()?.to_vec1()).collect(),
        }
    }

    /// The moments of `var` from a checkpoint.
    pub fn from_host(var: &Var, moments: Vec<Vec<f32>>) -> Result<Self> {
        if let Some(other) = moments.iter().find(|m| m.len() != var.elem_count()) {
            bail!("a moment of {} elements for a variable of {}", other.len(), var.elem_count())
        }
        match var.device().is_cpu() {
            true => Ok(Self::Host(moments)),
            false => {
                let place = |values| Tensor::from_vec(values, var.shape(), var.device());
                Ok(Self::Device(moments.into_iter().map(place).collect::<Result<_>>()?))
            }
        }
    }
}

impl Trained {
    /// The gradient of the last backward pass, row-major; zeros in rows of an embedding that were not used.
    ///
    /// # Errors
    /// The pass did not reach this tensor.
    pub fn gradient(&self, gradients: &GradStore) -> Result<Vec<f32>> {
        match (self.written_slot(), gradients.get(self.var.as_tensor())) {
            (Some(slot), _) => slot.with_gradient(|g| Ok(dense(g, &self.var))),
            (None, Some(gradient)) => gradient.flatten_all()?.to_vec1(),
            (None, None) => bail!("{} got no gradient", self.name),
        }
    }

    fn written_slot(&self) -> Option<&Slot> {
        self.slot.as_ref().filter(|slot| slot.is_written())
    }

    /// The gradient lies in the slot (fast path) or in the store (composed layers), never in both.
    fn update(&mut self, gradients: &GradStore, rule: OptimiserChoice, hyper: &Hyper) -> Result<()> {
        let slot = self.slot.as_ref().filter(|slot| slot.is_written());
        match (slot, gradients.get(self.var.as_tensor()), &mut self.moments) {
            (None, None, _) => Ok(()),
            (Some(_), Some(_), _) => bail!("{} got two gradients", self.name),
            (Some(slot), None, Moments::Host(moments)) => {
                slot.with_gradient(|g| rule.update(&self.var, g, moments, hyper))
            }
            (None, Some(g), Moments::Host(moments)) => {
                rule.update(&self.var, &Gradient::from_tensor(g)?, moments, hyper)
            }
            (None, Some(g), Moments::Device(moments)) => rule.update_composed(&self.var, g, moments, hyper),
            (Some(_), None, Moments::Device(_)) => {
                bail!("{} has its gradient on another device", self.name)
            }
        }
    }
}

fn dense(gradient: &Gradient, var: &Var) -> Vec<f32> {
    let (ids, values) = match gradient {
        Gradient::Dense(values) => return values.clone(),
        Gradient::Rows { ids, values } => (ids, values),
    };
    let width = values.len() / ids.len().max(1);
    let mut all = vec![0.0; var.elem_count()];
    for (id, row) in ids.iter().zip(values.chunks(width.max(1))) {
        let start = *id as usize * width;
        all[start..start + width].copy_from_slice(row);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Activation, Embedding, Linear};
    use crate::optim::{AdamW, OptimiserChoice, Sgd};
    use candle_core::{DType, Device};

    fn tensor(values: &[f32], shape: (usize, usize)) -> Tensor {
        Tensor::from_slice(values, shape, &Device::Cpu).unwrap()
    }

    /// A table of which two rows are looked up, a layer above it, and a tensor whose gradient is Candle's.
    fn step(optimiser: &mut Optimiser, learning_rate: f64, largest: f64) -> (f64, Vec<Vec<f32>>) {
        let rows: Vec<f32> = (0..12).map(|n| n as f32 / 5.0).collect();
        let table = optimiser.add("table", &tensor(&rows, (6, 2)), Role::Weight, 1.0).unwrap();
        let weight =
            optimiser.add("weight", &tensor(&[0.5, -1.0, 2.0, 0.1], (2, 2)), Role::Weight, 1.0).unwrap();
        let scale = optimiser.add("scale", &tensor(&[1.5, -0.5], (1, 2)), Role::Vector, 1.0).unwrap();
        let unused = Tensor::zeros(3, DType::F32, &Device::Cpu).unwrap();
        optimiser.add("unused", &unused, Role::Vector, 1.0).unwrap();
        optimiser.begin_step();
        let x = Embedding { table }.forward(&[4, 1, 4]).unwrap();
        let y = Linear { weight, bias: None, activation: Activation::None }.forward(&x).unwrap();
        let loss = y.broadcast_mul(scale.tensor()).unwrap().sqr().unwrap().sum_all().unwrap();
        let store = loss.backward().unwrap();
        let reached = || optimiser.parameters().iter().filter(|p| p.name != "unused");
        let gradients: Vec<Vec<f32>> = reached().map(|p| p.gradient(&store).unwrap()).collect();
        let norm = optimiser.gradient_norm(&store).unwrap();
        let factor = crate::nn::clip_factor(norm, largest);
        optimiser.update(&store, learning_rate, factor).unwrap();
        (norm, gradients)
    }

    #[test]
    fn the_norm_is_that_of_all_gradients_wherever_they_lie() {
        let (norm, gradients) =
            step(&mut Optimiser::new(OptimiserChoice::of(&AdamW), Hyper::default()), 0.1, 1.0);
        let all = gradients.iter().flatten().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
        assert!(gradients.iter().all(|g| g.iter().any(|g| *g != 0.0)));
        assert!((norm - all).abs() < 1e-6 * all, "{norm} for {all}");
    }

    #[test]
    fn a_clipped_step_of_sgd_is_as_long_as_it_may_be() {
        let mut optimiser =
            Optimiser::new(OptimiserChoice::of(&Sgd), Hyper { momentum: 0.9, ..Hyper::default() });
        let (norm, gradients) = step(&mut optimiser, 0.1, 0.5);
        assert!(norm > 0.5);
        let mut moved = 0.0;
        for (parameter, gradient) in optimiser.parameters().iter().zip(&gradients) {
            let Moments::Host(moments) = &parameter.moments else { panic!("on the CPU") };
            assert_eq!(moments.len(), 1);
            for (m, g) in moments[0].iter().zip(gradient) {
                assert!((m - g * 0.5 / norm as f32).abs() < 1e-6);
                moved += f64::from(*m).powi(2);
            }
        }
        assert!((moved.sqrt() - 0.5).abs() < 1e-5, "{}", moved.sqrt());
    }
}
