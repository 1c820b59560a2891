//! A weight file: mapped, hashed, checked, and handed out tensor by tensor as f32.

use super::mapped::MappedFile;
use super::mask::without_alias;
use crate::problem::{Problem, Result};
use candle_core::{Device, Tensor};
use safetensors::{Dtype, SafeTensors};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A safetensors file. Names come without a leading `bert.` or `model.`.
pub struct WeightFile {
    path: PathBuf,
    file: MappedFile,
    /// Name without alias -> name in the file.
    names: BTreeMap<String, String>,
    sha256: String,
}

impl std::fmt::Debug for WeightFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WeightFile({}, {} tensors)", self.path.display(), self.names.len())
    }
}

impl WeightFile {
    /// Reads the file and checks its header: lengths, overlaps and gaps.
    ///
    /// # Errors
    /// The file cannot be read, is cut short, or is no safetensors file.
    pub fn open(path: &Path) -> Result<Self> {
        let fail = |e: std::io::Error| Problem::io("read the weights", path, &e);
        let file = MappedFile::open(path).map_err(fail)?;
        let bytes = file.bytes().map_err(fail)?;
        let sha256 = hex(&Sha256::digest(bytes));
        let parsed = SafeTensors::deserialize(bytes).map_err(|e| broken(path, &e.to_string()))?;
        let mut names = BTreeMap::new();
        for name in parsed.names() {
            let plain = plain_name(name);
            if names.insert(plain.clone(), name.to_string()).is_some() {
                return Err(broken(path, &format!("two tensors are called {plain:?}")));
            }
        }
        Ok(Self { path: path.to_path_buf(), file, names, sha256 })
    }

    /// SHA-256 of the whole file, in hexadecimal: what `sha256sum` prints.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names of all tensors, aliases removed, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// Shape of a tensor, if the file has it.
    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        let parsed = SafeTensors::deserialize(self.file.bytes().ok()?).ok()?;
        Some(parsed.tensor(self.names.get(name)?).ok()?.shape().to_vec())
    }

    /// One tensor as f32 values in row-major order.
    ///
    /// # Errors
    /// It is missing, has another shape or an unsupported type, or holds a value that is not finite.
    pub fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let fail = |e: std::io::Error| Problem::io("read the weights", &self.path, &e);
        let bytes = self.file.bytes().map_err(fail)?;
        let parsed = SafeTensors::deserialize(bytes).map_err(|e| broken(&self.path, &e.to_string()))?;
        let stored =
            self.names.get(name).ok_or_else(|| broken(&self.path, &format!("tensor {name} is missing")))?;
        let view = parsed.tensor(stored).map_err(|e| broken(&self.path, &e.to_string()))?;
        if view.shape() != shape {
            let why = format!("tensor {name} has shape {:?} where {shape:?} is needed", view.shape());
            return Err(broken(&self.path, &why));
        }
        let values = to_f32(view.dtype(), view.data())
            .ok_or_else(|| broken(&self.path, &format!("tensor {name} has type {:?}", view.dtype())))?;
        // What was copied is what was hashed.
        self.file.bytes().map_err(fail)?;
        if let Some(position) = values.iter().position(|v| !v.is_finite()) {
            let why = format!("tensor {name} holds {} at position {position}", values[position]);
            return Err(broken(&self.path, &why));
        }
        Ok(values)
    }

    /// One tensor as f32 on `device`. Errors as for [`WeightFile::values`].
    pub fn tensor(&self, name: &str, shape: &[usize], device: &Device) -> Result<Tensor> {
        Ok(Tensor::from_vec(self.values(name, shape)?, shape, device)?)
    }
}

/// A tensor's name without the wrapper that some libraries put before it. The oldest BERT files call the weight and
/// bias of a layer norm gamma and beta.
pub fn plain_name(name: &str) -> String {
    let name = without_alias(name);
    let norm = |old: &str, new: &str| name.strip_suffix(old).map(|layer| format!("{layer}{new}"));
    norm("LayerNorm.gamma", "LayerNorm.weight")
        .or_else(|| norm("LayerNorm.beta", "LayerNorm.bias"))
        .unwrap_or_else(|| name.to_string())
}

/// SHA-256 of a file in hexadecimal, read piece by piece.
pub fn sha256_of_file(path: &Path) -> Result<String> {
    use std::io::Read;
    let fail = |e: &std::io::Error| Problem::io("read the file", path, e);
    let mut file = fs_err::File::open(path).map_err(|e| fail(&e))?;
    let mut hasher = Sha256::new();
    let mut piece = vec![0; 1 << 20];
    loop {
        match file.read(&mut piece).map_err(|e| fail(&e))? {
            0 => return Ok(hex(&hasher.finalize())),
            n => hasher.update(&piece[..n]),
        }
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn broken(path: &Path, why: &str) -> Problem {
    Problem::input(
        "the weight file cannot be used",
        why,
        "fetch or copy the backbone again; the file may have been cut short or changed",
    )
    .at(path)
}

/// Little-endian floats of a safetensors file as f32; `None` for other types.
pub fn to_f32(dtype: Dtype, data: &[u8]) -> Option<Vec<f32>> {
    let pairs = || data.chunks_exact(2).map(|c| u16::from_le_bytes([c[0], c[1]]));
    match dtype {
        Dtype::F32 => {
            Some(data.chunks_exact(4).map(|c| f32::from_le_bytes([c[0], c[1], c[2], c[3]])).collect())
        }
        Dtype::F16 => Some(pairs().map(|bits| half::f16::from_bits(bits).to_f32()).collect()),
        Dtype::BF16 => Some(pairs().map(|bits| half::bf16::from_bits(bits).to_f32()).collect()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::tensor::TensorView;

    fn file_with(values: &[f32]) -> Vec<u8> {
        let data: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let view = TensorView::new(Dtype::F32, vec![values.len()], &data).unwrap();
        safetensors::serialize([("bert.a.weight", view)], None).unwrap()
    }

    fn check(bytes: &[u8], expected: Result<Vec<f32>, &str>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        fs_err::write(&path, bytes).unwrap();
        let found = WeightFile::open(&path).and_then(|w| w.values("a.weight", &[2]));
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(problem), Err(part)) => {
                assert!(problem.to_string().contains(part), "{problem}");
                assert_eq!(problem.path.as_deref(), Some(path.as_path()));
            }
            (found, expected) => panic!("{found:?} against {expected:?}"),
        }
    }

    #[test]
    fn names_are_those_of_today() {
        let check = |name: &str, expected: &str| assert_eq!(plain_name(name), expected);
        check("bert.embeddings.LayerNorm.gamma", "embeddings.LayerNorm.weight");
        check("encoder.layer.0.output.LayerNorm.beta", "encoder.layer.0.output.LayerNorm.bias");
        check("stages.0.blocks.0.gamma", "stages.0.blocks.0.gamma");
    }

    #[test]
    fn reads_checks_and_drops_the_alias() {
        let good = file_with(&[1.0, -2.5]);
        check(&good, Ok(vec![1.0, -2.5]));
        check(&good[..good.len() / 2], Err("cannot be used"));
        check(&good[..3], Err("cannot be used"));
        check(&file_with(&[1.0, f32::NAN]), Err("NaN at position 1"));
        check(&file_with(&[1.0, f32::INFINITY]), Err("inf"));
        check(&file_with(&[1.0]), Err("shape [1] where [2]"));
    }
}
