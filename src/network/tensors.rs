//! Trained tensors in a safetensors file.

use crate::backbone::weights::to_f32;
use crate::bounded;
use crate::data::Digest;
use crate::problem::{Problem, Result};
use candle_core::{Device, Tensor};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Reads the tensors that training changed, as f32 on `device`; `pinned` is the digest of the file where one is known.
///
/// # Errors
/// Missing, damaged, not what was written, or with values that are not finite.
pub fn load_trained(
    path: &Path,
    pinned: Option<Digest>,
    device: &Device,
) -> Result<BTreeMap<String, Tensor>> {
    let bytes = bounded::read(path, bounded::MAX_TENSORS_BYTES, "read the trained tensors")?;
    let damaged = |why: String| {
        Problem::input("the trained tensors cannot be used", why, "export or train again").at(path)
    };
    if pinned.is_some_and(|pinned| pinned != Digest::of(&bytes)) {
        return Err(damaged("the file is not what was written: its digest does not agree".to_string()));
    }
    let file = SafeTensors::deserialize(&bytes).map_err(|e| damaged(e.to_string()))?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.tensors() {
        let values = to_f32(view.dtype(), view.data())
            .ok_or_else(|| damaged(format!("{name} has type {:?}", view.dtype())))?;
        if values.iter().any(|v| !v.is_finite()) {
            return Err(damaged(format!("{name} holds a value that is not finite")));
        }
        tensors.insert(name, Tensor::from_vec(values, view.shape(), device)?);
    }
    Ok(tensors)
}

/// Tensors on their way to a safetensors file, in order of their names.
#[derive(Default)]
pub struct Tensors(BTreeMap<String, (Vec<usize>, Vec<u8>)>);

impl Tensors {
    /// Takes a tensor, as f32.
    pub fn add(&mut self, name: String, tensor: &Tensor) -> Result<()> {
        let values = tensor.flatten_all()?.to_device(&Device::Cpu)?.to_vec1::<f32>()?;
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.0.insert(name, (tensor.dims().to_vec(), bytes));
        Ok(())
    }

    /// Takes a row of values.
    pub fn add_values(&mut self, name: String, values: Vec<f32>) {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.0.insert(name, (vec![values.len()], bytes));
    }

    /// The bytes of the file.
    pub fn serialise(&self, metadata: Option<HashMap<String, String>>) -> Result<Vec<u8>> {
        let mut views = Vec::with_capacity(self.0.len());
        for (name, (shape, bytes)) in &self.0 {
            let view =
                TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(|e| unwritable(&e.to_string()))?;
            views.push((name.as_str(), view));
        }
        safetensors::serialize(views, metadata).map_err(|e| unwritable(&e.to_string()))
    }
}

fn unwritable(why: &str) -> Problem {
    Problem::other("the trained tensors could not be written", why, "please report this")
}
