//! A weight file: mapped, hashed, checked, and handed out tensor by tensor as f32.

use super::layer_tree::LayerTree;
use super::mapped::MappedFile;
use super::shards::{self, Index};
use crate::problem::{Problem, Result};
use candle_core::{Device, Tensor};
use safetensors::{Dtype, SafeTensors};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A safetensors file begins with the length of its header.
const LENGTH_BYTES: usize = 8;

/// A safetensors file, its header read once. Names are those of the tree, aliases removed.
pub struct WeightFile {
    path: PathBuf,
    parts: Vec<Part>,
    tensors: BTreeMap<String, Stored>,
    sha256: String,
}

/// One file of the weights.
struct Part {
    path: PathBuf,
    file: MappedFile,
    sha256: String,
}

/// A tensor in its file.
struct Stored {
    /// Number of the file.
    part: usize,
    dtype: Dtype,
    shape: Vec<usize>,
    /// Its bytes in the file.
    place: Range<usize>,
}

impl std::fmt::Debug for WeightFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WeightFile({}, {} tensors)", self.path.display(), self.tensors.len())
    }
}

impl WeightFile {
    /// Reads the file and checks its header: lengths, overlaps and gaps. Names become those of `tree`; tensors of
    /// another network around it are left aside.
    ///
    /// # Errors
    /// The file cannot be read, is cut short, or is no safetensors file.
    pub fn open(path: &Path, tree: &LayerTree) -> Result<Self> {
        let (mut parts, mut found) = (Vec::new(), BTreeMap::new());
        let index = shards::is_index(path).then(|| Index::read(path)).transpose()?;
        match &index {
            None => add_part(path, &mut parts, &mut found)?,
            Some(index) => {
                for name in index.parts() {
                    add_part(&path.with_file_name(name), &mut parts, &mut found)?;
                }
                check_index(index, &parts, &found).map_err(|why| broken(path, &why))?;
            }
        }
        let naming = tree.naming(found.keys().map(String::as_str)).map_err(|why| broken(path, &why))?;
        let mut tensors = BTreeMap::new();
        for (name, stored) in found {
            let Some(plain) = naming.plain(&name) else { continue };
            if tensors.insert(plain.clone(), stored).is_some() {
                return Err(broken(path, &format!("two tensors are called {plain:?}")));
            }
        }
        let sha256 = match (&index, parts.first()) {
            (None, Some(only)) => only.sha256.clone(),
            _ => digest_of_all(parts.iter().map(|part| (part.name(), part.sha256.as_str()))),
        };
        Ok(Self { path: path.to_path_buf(), parts, tensors, sha256 })
    }

    /// SHA-256 of the whole file, in hexadecimal: what `sha256sum` prints. Of several files that of their list.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names of all tensors, aliases removed, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Shape of a tensor, if the file has it.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|stored| stored.shape.as_slice())
    }

    /// One tensor as f32 values in row-major order.
    ///
    /// # Errors
    /// It is missing, has another shape or an unsupported type, or holds a value that is not finite.
    pub fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let missing = || broken(&self.path, &format!("tensor {name} is missing"));
        let stored = self.tensors.get(name).ok_or_else(missing)?;
        let Part { path, file, .. } = self.parts.get(stored.part).ok_or_else(missing)?;
        let fail = |e: std::io::Error| Problem::io("read the weights", path, &e);
        let refuse = |why: String| broken(path, &why);
        let bytes = file.bytes().map_err(fail)?;
        if stored.shape != shape {
            let why = format!("tensor {name} has shape {:?} where {shape:?} is needed", stored.shape);
            return Err(refuse(why));
        }
        let data = bytes.get(stored.place.clone()).ok_or_else(|| refuse("it is cut short".to_string()))?;
        let values = to_f32(stored.dtype, data)
            .ok_or_else(|| refuse(format!("tensor {name} has type {:?}", stored.dtype)))?;
        // What was copied is what was hashed.
        file.bytes().map_err(fail)?;
        if let Some(position) = values.iter().position(|v| !v.is_finite()) {
            let why = format!("tensor {name} holds {} at position {position}", values[position]);
            return Err(refuse(why));
        }
        Ok(values)
    }

    /// One tensor as f32 on `device`. Errors as for [`WeightFile::values`].
    pub fn tensor(&self, name: &str, shape: &[usize], device: &Device) -> Result<Tensor> {
        Ok(Tensor::from_vec(self.values(name, shape)?, shape, device)?)
    }
}

impl Part {
    fn name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }
}

/// Opens one more file, and notes its tensors.
fn add_part(path: &Path, parts: &mut Vec<Part>, found: &mut BTreeMap<String, Stored>) -> Result<()> {
    let fail = |e: std::io::Error| Problem::io("read the weights", path, &e);
    let file = MappedFile::open(path).map_err(fail)?;
    let bytes = file.bytes().map_err(fail)?;
    let sha256 = hex(&Sha256::digest(bytes));
    let (header, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| broken(path, &e.to_string()))?;
    let start = LENGTH_BYTES + header;
    for (name, info) in metadata.tensors() {
        let (first, end) = info.data_offsets;
        let place = start + first..start + end;
        let stored = Stored { part: parts.len(), dtype: info.dtype, shape: info.shape.clone(), place };
        if found.insert(name.clone(), stored).is_some() {
            return Err(broken(path, &format!("the tensor {name} lies in two files")));
        }
    }
    parts.push(Part { path: path.to_path_buf(), file, sha256 });
    Ok(())
}

/// Every tensor must lie where the index says.
fn check_index(
    index: &Index,
    parts: &[Part],
    found: &BTreeMap<String, Stored>,
) -> std::result::Result<(), String> {
    let part_of = |name: &String| found.get(name).and_then(|stored| parts.get(stored.part));
    match index.weight_map.iter().find(|(name, part)| part_of(name).is_none_or(|found| found.name() != *part))
    {
        Some((name, part)) => Err(format!("tensor {name} does not lie in {part}, where the index says")),
        None => Ok(()),
    }
}

/// One digest over the parts in the order of their names: that of what `sha256sum` prints for them.
pub fn digest_of_all<'p>(parts: impl Iterator<Item = (&'p str, &'p str)>) -> String {
    let listed: String = parts.map(|(name, sha256)| format!("{sha256}  {name}\n")).collect();
    hex(&Sha256::digest(listed))
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
        // Rounded to the nearest; what is too large for f32 becomes infinite, which no weight may be.
        Dtype::F64 => {
            Some(data.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes) as f32).collect())
        }
        Dtype::F16 => Some(pairs().map(|bits| half::f16::from_bits(bits).to_f32()).collect()),
        Dtype::BF16 => Some(pairs().map(|bits| half::bf16::from_bits(bits).to_f32()).collect()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::{Aliases, Kind, Node, Role, TensorSpec};
    use safetensors::tensor::TensorView;

    fn tree() -> LayerTree {
        let leaf = |path: &str, last: &str| {
            Node::leaf(path, Kind::Linear, vec![], [TensorSpec::new(path, last, &[2], Role::Weight)])
        };
        let aliases = Aliases { wrappers: &["bert."], ..Aliases::default() };
        LayerTree::nest(vec![vec![leaf("a", "weight"), leaf("b", "weight")]], &[], vec![], aliases)
    }

    fn file_with(values: &[f32]) -> Vec<u8> {
        let data: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let view = TensorView::new(Dtype::F32, vec![values.len()], &data).unwrap();
        safetensors::serialize([("bert.a.weight", view)], None).unwrap()
    }

    fn check(bytes: &[u8], expected: Result<Vec<f32>, &str>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        fs_err::write(&path, bytes).unwrap();
        let found = WeightFile::open(&path, &tree()).and_then(|w| w.values("a.weight", &[2]));
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
    fn each_tensor_comes_from_its_own_place() {
        let (first, second) =
            ([1f32, 2.0].map(f32::to_le_bytes).concat(), [0x3C00u16.to_le_bytes()].concat());
        let view = |dtype, shape: &[usize], data| TensorView::new(dtype, shape.to_vec(), data).unwrap();
        let tensors = [
            ("bert.b.weight", view(Dtype::F16, &[1], &second)),
            ("bert.a.weight", view(Dtype::F32, &[2], &first)),
            ("linear.weight", view(Dtype::F16, &[1], &second)),
        ];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        fs_err::write(&path, safetensors::serialize(tensors, None).unwrap()).unwrap();
        let weights = WeightFile::open(&path, &tree()).unwrap();
        assert_eq!(weights.names().collect::<Vec<_>>(), ["a.weight", "b.weight"]);
        assert_eq!((weights.shape("a.weight"), weights.shape("bert.a.weight")), (Some(&[2][..]), None));
        assert_eq!(weights.values("a.weight", &[2]).unwrap(), [1.0, 2.0]);
        assert_eq!(weights.values("b.weight", &[1]).unwrap(), [1.0]);
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
        let doubles = |values: [f64; 2]| {
            let data: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            let view = TensorView::new(Dtype::F64, vec![2], &data).unwrap();
            safetensors::serialize([("a.weight", view)], None).unwrap()
        };
        check(&doubles([0.1, -2.5]), Ok(vec![0.1, -2.5]));
        check(&doubles([1e300, 0.0]), Err("inf at position 0"));
        let view = TensorView::new(Dtype::I8, vec![2], &[1, 2]).unwrap();
        check(&safetensors::serialize([("a.weight", view)], None).unwrap(), Err("type I8"));
    }
}
