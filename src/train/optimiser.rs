//! AdamW over the trained tensors (Loshchilov and Hutter 2019): decoupled weight decay, none on norms and biases.
//!
//! The optimiser owns the Vars, the slots into which layers write their gradients, and the moments.

use crate::backbone::Role;
use crate::nn::{AdamW, Moments, Param, Slot, adamw_update};
use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var};

/// All trained tensors, in the order in which they were added.
#[derive(Default)]
pub struct Optimiser {
    parameters: Vec<Trained>,
    weight_decay: f64,
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
    pub fn new(weight_decay: f64) -> Self {
        Self { weight_decay, ..Self::default() }
    }

    /// Takes a tensor into training; what a layer holds of it comes back.
    pub fn add(&mut self, name: &str, initial: &Tensor, role: Role, rate: f64) -> Result<Param> {
        let var = Var::from_tensor(initial)?;
        let slot = crate::nn::uses_fast_path(var.as_tensor()).then(|| Slot::new(var.elem_count()));
        let param = Param::trainable(&var, slot.clone());
        let moments = Moments::zeros(&var)?;
        self.parameters.push(Trained { name: name.to_string(), var, moments, slot, decays: role == Role::Weight, rate });
        Ok(param)
    }

    /// The trained tensors.
    pub fn parameters(&self) -> &[Trained] {
        &self.parameters
    }

    /// The trained tensors, to be restored from a checkpoint.
    pub fn parameters_mut(&mut self) -> &mut [Trained] {
        &mut self.parameters
    }

    /// Updates made so far.
    pub fn step_count(&self) -> u64 {
        self.step
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

    /// One update with the gradients of the last backward pass. A tensor that the pass did not reach stays as it is.
    ///
    /// # Errors
    /// A tensor got two gradients.
    pub fn update(&mut self, gradients: &GradStore, learning_rate: f64) -> Result<()> {
        self.step += 1;
        for parameter in &mut self.parameters {
            let hyper = AdamW {
                lr: learning_rate * parameter.rate,
                beta1: 0.9,
                beta2: 0.999,
                eps: 1e-8,
                weight_decay: if parameter.decays { self.weight_decay } else { 0.0 },
                step: self.step,
            };
            adamw_update(&parameter.var, parameter.slot.as_ref(), gradients, &mut parameter.moments, &hyper)?;
        }
        Ok(())
    }
}
