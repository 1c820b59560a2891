//! Parameters of layers, and where their gradients go.

use candle_core::{Result, Tensor, Var, bail};
use std::sync::{Arc, Mutex, PoisonError};

/// A parameter of a layer: frozen as a plain tensor, trainable as the tensor of a `Var`. Which of the
/// two it is decides whether a gradient is computed; there is no flag beside it.
#[derive(Clone, Debug)]
pub struct Param(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Frozen(Tensor),
    Trainable { tensor: Tensor, slot: Option<Slot> },
}

impl Param {
    /// A parameter that stays as it is: cut from any graph, even when `t` is the tensor of a `Var`.
    pub fn frozen(t: Tensor) -> Self {
        Self(Kind::Frozen(t.detach()))
    }

    /// A parameter that is trained. With a slot, layers on the fast path write its gradient there and
    /// Candle's `GradStore` has none; without one, or composed, the gradient is in the `GradStore`.
    pub fn trainable(var: &Var, slot: Option<Slot>) -> Self {
        let tensor = var.as_tensor().clone();
        Self(Kind::Trainable { tensor, slot })
    }

    /// The values, in the layout of the weight file.
    pub fn tensor(&self) -> &Tensor {
        match &self.0 {
            Kind::Frozen(tensor) | Kind::Trainable { tensor, .. } => tensor,
        }
    }

    /// Whether it is trained: layers compute a gradient for it.
    pub fn is_trainable(&self) -> bool {
        matches!(self.0, Kind::Trainable { .. })
    }

    pub(super) fn slot(&self) -> Option<Slot> {
        match &self.0 {
            Kind::Frozen(_) => None,
            Kind::Trainable { slot, .. } => slot.clone(),
        }
    }

    /// The values side by side, as kernels want them. A `Var` always is.
    pub(super) fn contiguous(&self) -> Result<Tensor> {
        self.tensor().contiguous()
    }
}

/// A running statistic of a norm: fixed as a plain tensor, or a `Var` that follows the batches. As with [`Param`],
/// which of the two it is decides what the layer does.
#[derive(Clone, Debug)]
pub struct Statistic(StatisticKind);

#[derive(Clone, Debug)]
enum StatisticKind {
    Fixed(Tensor),
    Following(Var),
}

impl Statistic {
    /// A statistic that stays as it is.
    pub fn fixed(t: Tensor) -> Self {
        Self(StatisticKind::Fixed(t.detach()))
    }

    /// A statistic that moves towards each batch that the layer sees. Detached twins of the variable see it move.
    pub fn following(var: &Var) -> Self {
        Self(StatisticKind::Following(var.clone()))
    }

    /// The values as they are now, outside any graph.
    pub fn tensor(&self) -> Tensor {
        match &self.0 {
            StatisticKind::Fixed(tensor) => tensor.clone(),
            StatisticKind::Following(var) => var.as_detached_tensor(),
        }
    }

    /// Whether it moves towards the batches.
    pub fn follows(&self) -> bool {
        matches!(self.0, StatisticKind::Following(_))
    }

    /// Moves a following statistic by the share `momentum` of the way to `batch`, of the same shape.
    pub(super) fn follow(&self, batch: &Tensor, momentum: f64) -> Result<()> {
        match &self.0 {
            StatisticKind::Fixed(_) => bail!("a fixed statistic follows no batch"),
            StatisticKind::Following(var) => {
                let kept = (var.as_detached_tensor() * (1.0 - momentum))?;
                var.set(&(kept + (batch.detach() * momentum)?)?)
            }
        }
    }
}

/// The gradient of one parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Gradient {
    /// One number for each element of the parameter.
    Dense(Vec<f32>),
    /// Some rows of a table, all others being zero: row `ids[i]` is `values[i * dim..(i + 1) * dim]`.
    /// The ids are unique and ascending.
    Rows { ids: Vec<u32>, values: Vec<f32> },
}

impl Gradient {
    /// From a gradient that arrived in Candle's `GradStore`.
    pub fn from_tensor(gradient: &Tensor) -> Result<Self> {
        Ok(Gradient::Dense(gradient.flatten_all()?.to_vec1()?))
    }

    /// The numbers that are not known to be zero.
    pub fn values(&self) -> &[f32] {
        match self {
            Gradient::Dense(values) | Gradient::Rows { values, .. } => values,
        }
    }

    /// The numbers, for scaling them.
    pub fn values_mut(&mut self) -> &mut [f32] {
        match self {
            Gradient::Dense(values) | Gradient::Rows { values, .. } => values,
        }
    }
}

/// The place for the gradient of one parameter, owned by the optimiser and shared with the layer. Its
/// memory is kept from step to step. In one step it is written exactly once: a second writing (tied
/// weights, a second backward pass before the optimiser's step) and a reading before the first are
/// errors, not silent wrong sums.
#[derive(Clone, Debug)]
pub struct Slot {
    state: Arc<Mutex<State>>,
    len: usize,
}

#[derive(Debug)]
struct State {
    gradient: Gradient,
    written: bool,
}

impl Slot {
    /// A place for the gradient of a parameter of `len` elements.
    pub fn new(len: usize) -> Self {
        let gradient = Gradient::Dense(Vec::new());
        Self { state: Arc::new(Mutex::new(State { gradient, written: false })), len }
    }

    /// Forgets the gradient and keeps the memory: the start of a step.
    pub fn clear(&self) {
        self.lock().written = false;
    }

    /// Whether this step has written a gradient.
    pub fn is_written(&self) -> bool {
        self.lock().written
    }

    /// Gives the gradient of this step to `f`, which may scale it.
    ///
    /// # Errors
    /// Where no backward pass has reached the parameter since [`Slot::clear`], and those of `f`.
    pub fn with_gradient<R>(&self, f: impl FnOnce(&mut Gradient) -> Result<R>) -> Result<R> {
        let mut state = self.lock();
        if !state.written {
            bail!(
                "no gradient was computed in this step for a parameter of {} elements: the loss does \
                 not depend on it, or its layer ran composed and the gradient is in the GradStore",
                self.len
            )
        }
        f(&mut state.gradient)
    }

    /// Lets `compute` overwrite a dense gradient.
    pub(super) fn write(&self, compute: impl FnOnce(&mut [f32])) -> Result<()> {
        self.fill(|gradient, len| {
            if !matches!(gradient, Gradient::Dense(_)) {
                *gradient = Gradient::Dense(Vec::new());
            }
            let values = match gradient {
                Gradient::Dense(values) | Gradient::Rows { values, .. } => values,
            };
            values.resize(len, 0.0);
            compute(values);
        })
    }

    /// Lets `compute` fill the rows of a sparse gradient; it gets empty vectors.
    pub(super) fn write_rows(&self, compute: impl FnOnce(&mut Vec<u32>, &mut Vec<f32>)) -> Result<()> {
        self.fill(|gradient, _| {
            let (mut ids, mut values) = match std::mem::replace(gradient, Gradient::Dense(Vec::new())) {
                Gradient::Rows { ids, values } => (ids, values),
                Gradient::Dense(values) => (Vec::new(), values),
            };
            ids.clear();
            values.clear();
            compute(&mut ids, &mut values);
            *gradient = Gradient::Rows { ids, values };
        })
    }

    fn fill(&self, compute: impl FnOnce(&mut Gradient, usize)) -> Result<()> {
        let mut state = self.lock();
        if state.written {
            bail!(
                "the gradient of a parameter of {} elements was computed twice in one step: clear its \
                 slot before each backward pass, and give a parameter that is used twice no slot",
                self.len
            )
        }
        compute(&mut state.gradient, self.len);
        state.written = true;
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // A panic while writing leaves `written` false, so the content is never taken for a gradient.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    #[test]
    fn a_slot_is_written_once_in_a_step() {
        let slot = Slot::new(2);
        let write = |value: f32| slot.write(|g| g.fill(value));
        assert!(slot.with_gradient(|_| Ok(())).is_err());
        write(1.0).unwrap();
        assert!(write(2.0).is_err());
        let read = || slot.with_gradient(|g| Ok(g.clone()));
        assert_eq!(read().unwrap(), Gradient::Dense(vec![1.0; 2]));
        slot.clear();
        assert!(!slot.is_written());
        assert!(read().is_err());
        write(3.0).unwrap();
        assert_eq!(read().unwrap(), Gradient::Dense(vec![3.0; 2]));
    }

    #[test]
    fn a_slot_takes_rows_and_then_a_dense_gradient() {
        let slot = Slot::new(4);
        slot.write_rows(|ids, values| {
            ids.push(1);
            values.extend([1.0, 2.0]);
        })
        .unwrap();
        let rows = slot.with_gradient(|g| Ok(g.clone())).unwrap();
        assert_eq!(rows, Gradient::Rows { ids: vec![1], values: vec![1.0, 2.0] });
        slot.clear();
        slot.write(|g| g.fill(0.5)).unwrap();
        let dense = slot.with_gradient(|g| Ok(g.clone())).unwrap();
        assert_eq!(dense, Gradient::Dense(vec![0.5; 4]));
    }

    #[test]
    fn a_following_statistic_moves_and_its_twins_see_it() {
        let var = Var::new(&[1f32, 2.0], &Device::Cpu).unwrap();
        let twin = var.as_detached_tensor();
        let statistic = Statistic::following(&var);
        let batch = Tensor::new(&[3f32, -2.0], &Device::Cpu).unwrap();
        statistic.follow(&batch, 0.25).unwrap();
        for tensor in [statistic.tensor(), twin.clone()] {
            assert_eq!(tensor.to_vec1::<f32>().unwrap(), [1.5, 1.0]);
            assert!(!tensor.is_variable());
        }
        let fixed = Statistic::fixed(twin);
        assert!(!fixed.follows() && fixed.follow(&batch, 0.25).is_err());
    }

    #[test]
    fn a_frozen_parameter_is_cut_from_the_graph() {
        let var = Var::zeros(3, DType::F32, &Device::Cpu).unwrap();
        let frozen = Param::frozen(var.as_tensor().clone());
        assert!(!frozen.is_trainable() && !frozen.tensor().track_op());
        let trainable = Param::trainable(&var, None);
        assert!(trainable.is_trainable() && trainable.tensor().is_variable());
    }
}
