//! Parquet files as JSON lines: each row is an object on a line of its own, so that its line is the number of the row.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{ConvertedType, Repetition, Type as Physical};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::{Field, Row};
use parquet::schema::types::{Type, TypePtr};
use serde_json::{Map, Value};

use super::packed::most_from;
use crate::units;

/// What to do where a file cannot be read.
pub(super) const REMEDY: &str = "Write its rows as CSV or JSON lines; where it holds images, save each as a file, and \
                                 beside them metadata.csv with the columns file_name and label.";
/// The most bytes of the text that is made of a file, 1 GiB.
const MAX_TEXT: u64 = 1 << 30;
/// What is set aside for a row, so that the text grows by a quarter of itself and not to twice its length.
const ROOM: usize = 1 << 20;

/// The rows as JSON lines, and what is said of columns that are not read.
///
/// # Errors
///
/// Why the file cannot be read.
pub(super) fn as_lines(bytes: Vec<u8>) -> Result<(Vec<u8>, Vec<String>), String> {
    // A file that was made to mislead may make the decoder panic.
    let read = catch_unwind(AssertUnwindSafe(|| read(Bytes::from(bytes))));
    read.unwrap_or_else(|_| Err("it is broken: what it says of its columns does not fit".to_owned()))
}

fn read(bytes: Bytes) -> Result<(Vec<u8>, Vec<String>), String> {
    // A decoder's words help nobody, but for what is missing here.
    let broken = |error: parquet::errors::ParquetError| match error {
        parquet::errors::ParquetError::NYI(what) => format!("it uses what is not read: {what}"),
        _ => "it is no Parquet file, or one that is broken".to_owned(),
    };
    // As text each row names its columns anew.
    let most = most_from(bytes.len().saturating_mul(4), MAX_TEXT) as usize;
    let reader = SerializedFileReader::new(bytes).map_err(broken)?;
    let about = reader.metadata().file_metadata();
    let schema = about.schema_descr().root_schema();
    if let Some(column) = schema.get_fields().iter().find(|field| is_image(field)) {
        return Err(format!(
            "its column “{}” holds the images themselves, which are not read from Parquet",
            column.name()
        ));
    }
    let hints = about.key_value_metadata().map(Vec::as_slice).unwrap_or_default();
    let hint = hints.iter().find(|hint| hint.key == "huggingface").and_then(|hint| hint.value.as_ref());
    let classes = hint.map(|hint| class_names(hint)).unwrap_or_default();
    let (kept, left_out): (Vec<&TypePtr>, Vec<&TypePtr>) =
        schema.get_fields().iter().partition(|field| is_readable(field));
    if kept.is_empty() {
        return Err("none of its columns holds texts or numbers".to_owned());
    }
    let said = left_out.iter().map(|field| {
        format!(
            "the column “{}” holds neither texts nor numbers nor lists of texts, and is not read",
            field.name()
        )
    });
    let said = said.collect();
    let fields = kept.into_iter().cloned().collect();
    let projected = Type::group_type_builder(schema.name()).with_fields(fields).build().map_err(broken)?;
    let mut text = Vec::new();
    for row in reader.get_row_iter(Some(projected)).map_err(broken)? {
        let object = object(&row.map_err(broken)?, &classes);
        serde_json::to_writer(&mut text, &object).map_err(|error| error.to_string())?;
        text.push(b'\n');
        if text.capacity() - text.len() < ROOM {
            text.reserve_exact(ROOM + text.len() / 4);
        }
        if text.len() > most {
            let limit = units::bytes(most as u64);
            return Err(format!("its rows have more than {limit} as text, and no more is read"));
        }
    }
    Ok((text, said))
}

/// Whether a column holds images as Hugging Face's datasets do: their bytes and a path.
fn is_image(field: &TypePtr) -> bool {
    let is_bytes = |inner: &Arc<Type>| {
        inner.name() == "bytes" && inner.is_primitive() && inner.get_physical_type() == Physical::BYTE_ARRAY
    };
    field.is_group() && field.get_fields().iter().any(is_bytes)
}

/// Whether a column holds texts, numbers, dates, or lists of texts.
fn is_readable(field: &TypePtr) -> bool {
    if field.is_primitive() {
        let is_raw = match field.get_physical_type() {
            Physical::FIXED_LEN_BYTE_ARRAY => field.get_basic_info().converted_type() == ConvertedType::NONE,
            Physical::BYTE_ARRAY
            | Physical::BOOLEAN
            | Physical::INT32
            | Physical::INT64
            | Physical::INT96
            | Physical::FLOAT
            | Physical::DOUBLE => false,
        };
        return !is_raw;
    }
    // Lists of numbers are features and boxes, which are long.
    let mut inner = field;
    while let [only] = inner.get_fields() {
        if only.is_primitive() {
            return only.get_physical_type() == Physical::BYTE_ARRAY
                && inner.get_basic_info().has_repetition()
                || only.get_physical_type() == Physical::BYTE_ARRAY && is_repeated(only);
        }
        inner = only;
    }
    false
}

fn is_repeated(field: &TypePtr) -> bool {
    field.get_basic_info().has_repetition() && field.get_basic_info().repetition() == Repetition::REPEATED
}

/// The names of classes that Hugging Face's `datasets` writes beside columns of their numbers.
fn class_names(hint: &str) -> BTreeMap<String, Vec<String>> {
    let hint: Value = serde_json::from_str(hint).unwrap_or_default();
    let features = hint.pointer("/info/features").and_then(Value::as_object);
    let names = |feature: &Value| -> Option<Vec<String>> {
        let is_class = feature.get("_type").and_then(Value::as_str) == Some("ClassLabel");
        let names = feature.get("names").filter(|_| is_class)?.as_array()?;
        names.iter().map(|name| name.as_str().map(str::to_owned)).collect()
    };
    let all = features.into_iter().flatten();
    all.filter_map(|(column, feature)| Some((column.clone(), names(feature)?))).collect()
}

fn object(row: &Row, classes: &BTreeMap<String, Vec<String>>) -> Value {
    let cell = |(name, field): (&String, &Field)| {
        let value = value(field);
        let number = value.as_u64().and_then(|number| usize::try_from(number).ok());
        let class = classes.get(name).zip(number).and_then(|(names, number)| names.get(number));
        (name.clone(), class.map_or(value, |class| Value::String(class.clone())))
    };
    Value::Object(row.get_column_iter().map(cell).collect::<Map<_, _>>())
}

fn value(field: &Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(answer) => Value::Bool(*answer),
        Field::Byte(number) => Value::from(*number),
        Field::Short(number) => Value::from(*number),
        Field::Int(number) => Value::from(*number),
        Field::Long(number) => Value::from(*number),
        Field::UByte(number) => Value::from(*number),
        Field::UShort(number) => Value::from(*number),
        Field::UInt(number) => Value::from(*number),
        Field::ULong(number) => Value::from(*number),
        Field::Float16(number) => Value::from(number.to_f32()),
        // As it is written, not as its digits go on as a number of twice the precision.
        Field::Float(number) => number.to_string().parse::<f64>().map_or(Value::Null, Value::from),
        Field::Double(number) => Value::from(*number),
        Field::Str(text) => Value::String(text.clone()),
        // Without a note of what they are, bytes are texts where they can be.
        Field::Bytes(bytes) => {
            std::str::from_utf8(bytes.data()).map_or(Value::Null, |text| Value::String(text.to_owned()))
        }
        Field::Decimal(_)
        | Field::Date(_)
        | Field::TimeMillis(_)
        | Field::TimeMicros(_)
        | Field::TimestampMillis(_)
        | Field::TimestampMicros(_) => Value::String(field.to_string()),
        Field::ListInternal(list) => Value::Array(list.elements().iter().map(value).collect()),
        Field::Group(row) => {
            Value::Object(row.get_column_iter().map(|(name, field)| (name.clone(), value(field))).collect())
        }
        Field::MapInternal(_) => Value::Null,
    }
}

#[cfg(test)]
mod tests;
