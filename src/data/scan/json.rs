//! JSON values that take no more memory than they may.
//!
//! A value in memory can be ten times as large as its text: `{},{},{}` is as cheap to write as it is dear to hold.

use std::cell::Cell;
use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::{Map, Number, Value};

/// The most bytes that a document of one value takes in memory, 128 MiB.
pub(super) const MAX_DOCUMENT: usize = 128 << 20;

/// The most bytes that one object among others takes in memory, 32 MiB.
pub(super) const MAX_OBJECT: usize = 32 << 20;

/// Where programs write the shapes in a picture, as long lists of numbers. What is no list, and what stands at the top, is
/// a value like others.
const SHAPES: [&str; 5] = ["segmentation", "bbox", "keypoints", "counts", "coordinates"];

/// A value that takes about `LIMIT` bytes at most, or `None` where it would take more; it is read to its end either way.
/// Shapes are left away. Nesting is bounded by serde_json (128 deep).
pub(super) struct Bounded<const LIMIT: usize>(pub Option<Value>);

impl<'de, const LIMIT: usize> Deserialize<'de> for Bounded<LIMIT> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let budget = Budget { left: Cell::new(Some(LIMIT)), depth: Cell::new(0) };
        let value = budget.deserialize(deserializer)?;
        Ok(Bounded(budget.left.get().map(|_| value)))
    }
}

/// Bytes that may still be taken; `None` once they were not enough.
struct Budget {
    left: Cell<Option<usize>>,
    /// Objects around what is read.
    depth: Cell<usize>,
}

impl Budget {
    /// Whether there were `bytes` left.
    fn takes(&self, bytes: usize) -> bool {
        self.left.set(self.left.get().and_then(|left| left.checked_sub(bytes)));
        self.left.get().is_some()
    }

    fn text(&self, text: &str) -> Value {
        if self.takes(text.len()) { Value::String(text.to_owned()) } else { Value::Null }
    }
}

impl<'de> DeserializeSeed<'de> for &Budget {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &Budget {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any valid JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(self.text(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = access.next_element_seed(self)? {
            if self.takes(size_of::<Value>()) {
                values.push(value);
            }
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        /// The key, the value, the hash and the place in the table of hashes, and what allocations round up.
        const ENTRY: usize = size_of::<(String, Value)>() + 5 * size_of::<usize>();
        self.depth.set(self.depth.get() + 1);
        let mut object = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            let value = match self.depth.get() > 1 && SHAPES.contains(&key.as_str()) {
                true => access.next_value_seed(NoList(self))?,
                false => Some(access.next_value_seed(self)?),
            };
            if let Some(value) = value
                && self.takes(ENTRY + key.len())
            {
                object.insert(key, value);
            }
        }
        self.depth.set(self.depth.get() - 1);
        Ok(Value::Object(object))
    }
}

/// A value that is no list and no object; `None` for these, which are read to their end.
struct NoList<'b>(&'b Budget);

impl<'de> DeserializeSeed<'de> for NoList<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NoList<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        self.0.visit_bool(value).map(Some)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        self.0.visit_i64(value).map(Some)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        self.0.visit_u64(value).map(Some)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        self.0.visit_f64(value).map(Some)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        self.0.visit_str(value).map(Some)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        self.0.visit_unit().map(Some)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<Self::Value, A::Error> {
        IgnoredAny.visit_seq(access).map(|_| None)
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<Self::Value, A::Error> {
        IgnoredAny.visit_map(access).map(|_| None)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read<const LIMIT: usize>(text: &str) -> Option<Value> {
        serde_json::from_str::<Bounded<LIMIT>>(text).unwrap().0
    }

    #[test]
    fn what_would_take_too_much_is_read_to_its_end_and_not_kept() {
        assert_eq!(read::<1000>(r#"{"a": [1, "x"]}"#), Some(serde_json::json!({"a": [1, "x"]})));
        assert_eq!(read::<1000>(&format!("[{}1]", "{},".repeat(100))), None);
        assert_eq!(read::<1000>(&format!("\"{}\"", "x".repeat(1001))), None);
        assert_eq!(read::<1000>(&format!("{{\"{}\": 1}}", "x".repeat(1001))), None);
        // The next one stands behind its end.
        let text = format!("[{}1] {{\"b\": 2}}", "[],".repeat(100));
        let mut values = serde_json::Deserializer::from_str(&text).into_iter::<Bounded<1000>>();
        assert!(values.next().unwrap().unwrap().0.is_none());
        assert_eq!(values.next().unwrap().unwrap().0, Some(serde_json::json!({"b": 2})));
    }

    #[test]
    fn shapes_are_left_away() {
        let shape = "[[1, 2, 3], [4]]";
        let text = format!(r#"{{"a": [{{"id": 1, "segmentation": {shape}, "bbox": {{"x": 1}}}}]}}"#);
        assert_eq!(read::<1000>(&text), Some(serde_json::json!({"a": [{"id": 1}]})));
        // A column of numbers, a text, and what stands at the top.
        for kept in [r#"{"counts":12}"#, r#"{"bbox":[1,2]}"#, r#"{"a":[{"counts":12,"bbox":"1 2"}]}"#] {
            assert_eq!(read::<1000>(kept).map(|value| value.to_string()).as_deref(), Some(kept));
        }
    }

    #[test]
    fn deep_nesting_ends_as_an_error() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        assert!(serde_json::from_str::<Bounded<1000>>(&deep).is_err());
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((".{0,6}", inner), 0..4)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn within_the_limit_a_value_is_what_serde_json_reads(value in values()) {
            let text = value.to_string();
            prop_assert_eq!(read::<1_000_000>(&text), Some(serde_json::from_str(&text).unwrap()));
        }
    }
}
