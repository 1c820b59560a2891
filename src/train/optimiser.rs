//! AdamW over the trained tensors (Loshchilov and Hutter 2019): decoupled weight decay, none on norms and biases.
//!
//! The optimiser owns the Vars, the slots into which layers write their gradients, and the moments.

use crate::backbone::Role;
use crate::nn::{AdamW, Gradient, Param, Slot, adamw_update, adamw_update_composed, is_fast};
use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var, bail};

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
        let slot = is_fast(var.as_tensor()).then(|| Slot::new(var.elem_count()));
        let param = Param::trainable(&var, slot.clone());
        let moments = Moments::zeros(&var)?;
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
            parameter.update(gradients, &hyper)?;
        }
        Ok(())
    }
}

/// Running means of a gradient and of its square, in row-major order.
pub enum Moments {
    /// On the CPU; empty before the first update.
    Host { m: Vec<f32>, v: Vec<f32> },
    /// Where the variable is.
    Device { m: Tensor, v: Tensor },
}

impl Moments {
    fn zeros(var: &Var) -> Result<Self> {
        match var.device().is_cpu() {
            true => Ok(Self::Host { m: Vec::new(), v: Vec::new() }),
            false => Ok(Self::Device { m: var.zeros_like()?, v: var.zeros_like()? }),
        }
    }

    /// Copies of both, `elements` long.
    pub fn to_host(&self, elements: usize) -> Result<(Vec<f32>, Vec<f32>)> {
        match self {
            Self::Host { m, .. } if m.is_empty() => Ok((vec![0.0; elements], vec![0.0; elements])),
            Self::Host { m, v } => Ok((m.clone(), v.clone())),
            Self::Device { m, v } => Ok((m.flatten_all()?.to_vec1()?, v.flatten_all()?.to_vec1()?)),
        }
    }

    /// The moments of `var` from a checkpoint.
    pub fn from_host(var: &Var, m: Vec<f32>, v: Vec<f32>) -> Result<Self> {
        if m.len() != var.elem_count() || v.len() != var.elem_count() {
            bail!("moments of {} and {} elements for a variable of {}", m.len(), v.len(), var.elem_count())
        }
        match var.device().is_cpu() {
            true => Ok(Self::Host { m, v }),
            false => {
                let place = |values| Tensor::from_vec(values, var.shape(), var.device());
                Ok(Self::Device { m: place(m)?, v: place(v)? })
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
        match (self.slot.as_ref().filter(|slot| slot.is_written()), gradients.get(self.var.as_tensor())) {
            (Some(slot), _) => slot.with_gradient(|g| Ok(dense(g, &self.var))),
            (None, Some(gradient)) => gradient.flatten_all()?.to_vec1(),
            (None, None) => bail!("{} got no gradient", self.name),
        }
    }

    /// The gradient lies in the slot (fast path) or in the store (composed layers), never in both.
    fn update(&mut self, gradients: &GradStore, hyper: &AdamW) -> Result<()> {
        let slot = self.slot.as_ref().filter(|slot| slot.is_written());
        match (slot, gradients.get(self.var.as_tensor()), &mut self.moments) {
            (None, None, _) => Ok(()),
            (Some(_), Some(_), _) => bail!("{} got two gradients", self.name),
            (Some(slot), None, Moments::Host { m, v }) => {
                slot.with_gradient(|g| adamw_update(&self.var, g, m, v, hyper))
            }
            (None, Some(g), Moments::Host { m, v }) => {
                adamw_update(&self.var, &Gradient::from_tensor(g)?, m, v, hyper)
            }
            (None, Some(g), Moments::Device { m, v }) => adamw_update_composed(&self.var, g, m, v, hyper),
            (Some(_), None, Moments::Device { .. }) => {
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
