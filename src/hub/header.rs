//! The header of a safetensors file, read without its data: what tensors it holds, and whether it can be trusted to
//! describe them. Comes from strangers, so nothing in it is believed before it was checked.
//!
//! Format: 8 bytes little-endian length, that many bytes of JSON (`name -> {dtype, shape, data_offsets}`), the data.

use super::failure::Failure;
use super::http::{Answer, Client, Part};
use crate::problem::{Problem, Result};
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::Path;

/// The longest header that is read, in bytes; the Hub's own limit.
pub const LONGEST: u64 = 25_000_000;
/// Length of the length.
const PREFIX: u64 = 8;
/// Read at first: enough for the headers of most backbones, little enough for a slow line.
const FIRST_READ: u64 = 96 << 10;
/// The longest name of a tensor, in bytes.
const LONGEST_NAME: usize = 512;
const MOST_DIMENSIONS: usize = 16;

/// What a safetensors file says about itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// By name, as the file has it.
    pub tensors: BTreeMap<String, TensorFacts>,
}

/// One tensor of a header.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorFacts {
    pub dtype: String,
    pub shape: Vec<usize>,
}

impl TensorFacts {
    fn elements(&self) -> u64 {
        self.shape.iter().map(|n| *n as u64).product()
    }
}

impl Header {
    /// Numbers in all tensors.
    pub fn parameters(&self) -> u64 {
        self.tensors.values().map(TensorFacts::elements).fold(0, u64::saturating_add)
    }

    /// The type of most numbers, in small letters ("f32").
    pub fn dtype(&self) -> Option<String> {
        let mut counts = BTreeMap::<&str, u64>::new();
        for tensor in self.tensors.values() {
            let count = counts.entry(&tensor.dtype).or_default();
            *count = count.saturating_add(tensor.elements());
        }
        counts.into_iter().max_by_key(|(_, count)| *count).map(|(dtype, _)| dtype.to_ascii_lowercase())
    }

    /// Reads the header of a file on this machine.
    ///
    /// # Errors
    /// It cannot be read, or its header cannot be trusted.
    pub fn of_file(path: &Path) -> Result<Self> {
        let fail = |e: std::io::Error| Problem::io("read the weights", path, &e);
        let mut file = fs_err::File::open(path).map_err(fail)?;
        let size = file.metadata().map_err(fail)?.len();
        let mut prefix = Vec::new();
        file.by_ref().take(PREFIX).read_to_end(&mut prefix).map_err(fail)?;
        let mut read = |json: u64| {
            let mut bytes = Vec::new();
            file.by_ref().take(json).read_to_end(&mut bytes).map(|_| bytes).map_err(fail)
        };
        let refused = |why: String| refuse(&why).at(path);
        let json = read(json_length(&prefix, size).map_err(refused)?)?;
        Self::parse(&json, size).map_err(refused)
    }

    /// Reads the header of a file on the Hub by asking for its first bytes only. `size` is the size of the file.
    ///
    /// # Errors
    /// The line or the Hub fails, or the header cannot be trusted.
    pub fn of_remote(client: &Client, address: &str, size: u64) -> std::result::Result<Self, Failure> {
        let refused = |why: String| Failure::Here(refuse(&why));
        let mut start = beginning(client, address, FIRST_READ.min(size))?;
        let json = json_length(&start, size).map_err(refused)?;
        let whole = PREFIX + json;
        if (start.len() as u64) < whole {
            start = beginning(client, address, whole)?;
        }
        let json = start.get(PREFIX as usize..whole as usize);
        Self::parse(json.ok_or_else(|| refused("it ends within the header".to_string()))?, size)
            .map_err(refused)
    }

    /// Checks the JSON of a header of a file of `size` bytes.
    ///
    /// # Errors
    /// In words, what is wrong with it.
    pub fn parse(json: &[u8], size: u64) -> std::result::Result<Self, String> {
        let raw: RawHeader =
            serde_json::from_slice(json).map_err(|e| format!("its header is no table of tensors: {e}"))?;
        let data = size.checked_sub(PREFIX + json.len() as u64).ok_or("it ends within the header")?;
        let mut places = Vec::with_capacity(raw.0.len());
        let mut tensors = BTreeMap::new();
        for (name, raw) in raw.0 {
            check_name(&name)?;
            places.push((raw.data_offsets, name.clone()));
            tensors.insert(name.clone(), check_tensor(&name, raw)?);
        }
        places.sort();
        let mut end = 0;
        for ([first, last], name) in places {
            match first.cmp(&end) {
                std::cmp::Ordering::Less => return Err(format!("tensor {name} overlaps another")),
                std::cmp::Ordering::Greater => return Err(format!("there is a gap before tensor {name}")),
                std::cmp::Ordering::Equal => end = last,
            }
        }
        match end == data {
            true => Ok(Self { tensors }),
            false => Err(format!("its tensors take {end} bytes where the file has {data}")),
        }
    }
}

/// The problem of a header that cannot be trusted.
fn refuse(why: &str) -> Problem {
    Problem::input(
        "the weight file is refused",
        why,
        "do not use this file; choose another backbone, or fetch it again from where it came from",
    )
}

fn json_length(prefix: &[u8], size: u64) -> std::result::Result<u64, String> {
    let prefix: Option<[u8; PREFIX as usize]> = prefix.get(..PREFIX as usize).and_then(|b| b.try_into().ok());
    let length = u64::from_le_bytes(prefix.ok_or("it is too short for a safetensors file")?);
    match length {
        n if n > LONGEST => Err(format!("its header claims {n} bytes; at most {LONGEST} are read")),
        n if n.saturating_add(PREFIX) > size => {
            Err(format!("its header claims {n} bytes, the file has {size}"))
        }
        n => Ok(n),
    }
}

fn check_name(name: &str) -> std::result::Result<(), String> {
    let is_good = !name.is_empty() && name.len() <= LONGEST_NAME && !name.chars().any(char::is_control);
    match is_good && !name.contains("..") && !name.contains(['/', '\\']) {
        true => Ok(()),
        false => Err(format!("no tensor can be called {:?}", name.chars().take(60).collect::<String>())),
    }
}

fn check_tensor(name: &str, raw: RawTensor) -> std::result::Result<TensorFacts, String> {
    let bits: u64 = match raw.dtype.as_str() {
        "F4" => 4,
        "F6_E2M3" | "F6_E3M2" => 6,
        "BOOL" | "U8" | "I8" | "F8_E5M2" | "F8_E4M3" | "F8_E8M0" | "F8_E4M3FNUZ" | "F8_E5M2FNUZ" => 8,
        "I16" | "U16" | "F16" | "BF16" => 16,
        "I32" | "U32" | "F32" => 32,
        "I64" | "U64" | "F64" | "C64" => 64,
        other => {
            let other: String = other.chars().take(20).collect();
            return Err(format!("tensor {name} has the unknown type {other:?}"));
        }
    };
    if raw.shape.len() > MOST_DIMENSIONS {
        return Err(format!("tensor {name} has {} dimensions", raw.shape.len()));
    }
    let elements = raw.shape.iter().try_fold(1u64, |all, n| all.checked_mul(*n));
    let bytes = elements.and_then(|n| n.checked_mul(bits)).filter(|n| n.is_multiple_of(8)).map(|n| n / 8);
    let [first, last] = raw.data_offsets;
    match (bytes, last.checked_sub(first)) {
        (Some(needed), Some(given)) if needed == given => {}
        _ => return Err(format!("tensor {name} has a shape that does not fit its place in the file")),
    }
    let shape = raw.shape.iter().map(|n| usize::try_from(*n)).collect::<std::result::Result<_, _>>();
    Ok(TensorFacts { dtype: raw.dtype, shape: shape.map_err(|_| format!("tensor {name} is too large"))? })
}

/// The first bytes of a file on the Hub; a server that ignores ranges is listened to no longer than needed.
fn beginning(client: &Client, address: &str, bytes: u64) -> std::result::Result<Vec<u8>, Failure> {
    let answer: Answer = client.ask(address, &Part::Bytes(0..bytes))?;
    if answer.status() == 206 && answer.content_range().is_none_or(|(first, _)| first != 0) {
        return Err(Failure::Answer("it gives another part of the file than was asked for".to_string()));
    }
    answer.read_in_time(bytes)
}

#[derive(Deserialize)]
struct RawTensor {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

/// A JSON object of tensors in which no name comes twice.
struct RawHeader(BTreeMap<String, RawTensor>);

impl<'de> Deserialize<'de> for RawHeader {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Tensors;

        impl<'de> Visitor<'de> for Tensors {
            type Value = RawHeader;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> std::result::Result<RawHeader, M::Error> {
                let mut tensors = BTreeMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        map.next_value::<BTreeMap<String, String>>()?;
                        continue;
                    }
                    let tensor = map.next_value::<RawTensor>()?;
                    if tensors.insert(name, tensor).is_some() {
                        return Err(serde::de::Error::custom("two tensors have one name"));
                    }
                }
                Ok(RawHeader(tensors))
            }
        }

        deserializer.deserialize_map(Tensors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, data: u64, expected: std::result::Result<u64, &str>) {
        let found = Header::parse(json.as_bytes(), PREFIX + json.len() as u64 + data);
        match (found, expected) {
            (Ok(header), Ok(parameters)) => assert_eq!(header.parameters(), parameters, "{json}"),
            (Err(why), Err(part)) => assert!(why.contains(part), "{why:?} for {json}"),
            (found, expected) => panic!("{found:?} against {expected:?} for {json}"),
        }
    }

    #[test]
    fn good_headers_are_read() {
        check(
            r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}"#,
            24,
            Ok(6),
        );
        check(
            r#"{"a":{"dtype":"F16","shape":[],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[0],"data_offsets":[2,2]}}"#,
            2,
            Ok(1),
        );
        check("{}", 0, Ok(0));
    }

    #[test]
    fn hostile_headers_are_refused() {
        let f32s = |name: &str, shape: &str, first: u64, last: u64| {
            format!(r#""{name}":{{"dtype":"F32","shape":[{shape}],"data_offsets":[{first},{last}]}}"#)
        };
        let two = |a: String, b: String| format!("{{{a},{b}}}");
        check(&two(f32s("a", "2", 0, 8), f32s("b", "2", 4, 12)), 12, Err("overlaps"));
        check(&two(f32s("a", "2", 0, 8), f32s("b", "1", 12, 16)), 16, Err("gap"));
        check(&two(f32s("a", "2", 0, 8), f32s("a", "2", 8, 16)), 16, Err("one name"));
        check(&format!("{{{}}}", f32s("a", "2", 0, 8)), 12, Err("take 8 bytes where the file has 12"));
        check(&format!("{{{}}}", f32s("a", "2", 8, 0)), 8, Err("does not fit"));
        check(&format!("{{{}}}", f32s("a", "4294967296,4294967296,4", 0, 8)), 8, Err("does not fit"));
        check(&format!("{{{}}}", f32s("a", "18446744073709551615", 0, 4)), 4, Err("does not fit"));
        check(&format!("{{{}}}", f32s("../../etc/passwd", "1", 0, 4)), 4, Err("no tensor can be called"));
        check(&format!("{{{}}}", f32s("", "1", 0, 4)), 4, Err("no tensor can be called"));
        check(r#"{"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}}"#, 4, Err("unknown type"));
        check(&format!("{{{}}}", f32s("a", &["1"; 40].join(","), 0, 4)), 4, Err("40 dimensions"));
        check(&format!(r#"{{"a":{}"#, "[".repeat(100_000)), 4, Err("no table of tensors"));
        check(&format!(r#"{{"a":{{"x":{}"#, "[".repeat(100_000)), 4, Err("no table of tensors"));
        check(r#"{"__metadata__":{"a":{"b":1}}}"#, 0, Err("no table of tensors"));
        check("", 0, Err("no table of tensors"));
    }

    #[test]
    fn lengths_are_not_believed() {
        let check = |prefix: &[u8], size: u64, part: &str| {
            let why = json_length(prefix, size).unwrap_err();
            assert!(why.contains(part), "{why}");
        };
        check(&[1, 0, 0], 3, "too short");
        check(&u64::MAX.to_le_bytes(), 100, "at most");
        check(&26_000_000u64.to_le_bytes(), 1 << 40, "at most");
        check(&100u64.to_le_bytes(), 107, "the file has 107");
        assert_eq!(json_length(&100u64.to_le_bytes(), 108), Ok(100));
    }
}
