//! JSON documents and objects that other programs export -> plain objects with a sample and a label each.
//!
//! - COCO (`images`, `annotations`, `categories`): an object for each image, with the categories of its annotations.
//!   <https://cocodataset.org/#format-data>
//! - pandas' `to_json`: columns of rows, or columns, index and data apart.
//! - rows by their keys, as `to_json(orient="index")` writes them.
//! - a list of objects under one key, or under the name of each part.
//! - labels by the names of files, or names of files by labels.
//! - Label Studio: `data` with its keys, and the choices of the first annotation that was not cancelled.
//!   <https://labelstud.io/guide/export>
//! - Create ML: `image` with `annotations` that name labels.
//! - Vertex AI: `imageGcsUri` and `classificationAnnotation`.

use std::collections::{BTreeMap, BTreeSet};

use std::path::Path;

use serde_json::{Map, Value};

use super::columns::{TEXT_NAMES, is_label_name};
use super::forms::is_named;
use super::sampled::without_query;
use crate::data::modality::Modality;
use crate::data::part::Part;

type Object = Map<String, Value>;

/// The key under which labels are given that the document keeps apart.
const LABEL: &str = "label";

/// The objects that a whole document of one object stands for; `None` where it is an object like others.
pub(super) fn objects(document: Object) -> Option<Vec<Object>> {
    let made = coco(&document)
        .or_else(|| split(&document))
        .or_else(|| rows(&document))
        .or_else(|| columns(&document))
        .or_else(|| parts(&document))
        .or_else(|| files(&document));
    made.or_else(|| listed(document))
}

/// The object with its sample and its label as plain keys.
pub(super) fn plain(mut object: Object) -> Object {
    if let (Some(Value::Object(data)), Some(Value::Array(annotations))) =
        (object.get("data"), object.get("annotations").or(object.get("completions")))
    {
        return labelled_in_studio(data.clone(), annotations);
    }
    if let Some(Value::Object(row)) = object.get("row") {
        return row.clone();
    }
    let boxes =
        object.get("annotations").or(object.get("annotation")).filter(|_| object.contains_key("image"));
    if let Some(label) = boxes.and_then(named_by_boxes) {
        object.insert(LABEL.to_owned(), label);
        return object;
    }
    let of_vertex = |key: &str| object.get(key)?.get("displayName").cloned();
    if let Some(label) = of_vertex("classificationAnnotation") {
        object.insert(LABEL.to_owned(), label);
    }
    object
}

fn coco(document: &Object) -> Option<Vec<Object>> {
    let list = |key: &str| document.get(key)?.as_array();
    let (images, annotations, categories) = (list("images")?, list("annotations")?, list("categories")?);
    let id = |value: &Value, key: &str| value.get(key).map(Value::to_string);
    let names: BTreeMap<String, &str> =
        categories.iter().filter_map(|c| Some((id(c, "id")?, c.get("name")?.as_str()?))).collect();
    let mut labels: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for annotation in annotations {
        if let (Some(image), Some(category)) = (id(annotation, "image_id"), id(annotation, "category_id"))
            && let Some(name) = names.get(&category)
        {
            labels.entry(image).or_default().insert(name);
        }
    }
    let rows = images.iter().filter_map(|image| {
        let labels: Vec<&str> = labels.get(&id(image, "id")?).into_iter().flatten().copied().collect();
        let mut row = Object::new();
        row.insert("file_name".to_owned(), image.get("file_name")?.clone());
        row.insert(LABEL.to_owned(), several(&labels));
        Some(row)
    });
    Some(rows.collect())
}

/// `{"columns": [..], "data": [[..], ..]}`
fn split(document: &Object) -> Option<Vec<Object>> {
    let names: Vec<&str> = document.get("columns")?.as_array()?.iter().filter_map(Value::as_str).collect();
    let rows = document.get("data")?.as_array()?;
    let row = |row: &Value| {
        Some(names.iter().zip(row.as_array()?).map(|(name, cell)| (name.to_string(), cell.clone())).collect())
    };
    rows.iter().map(row).collect()
}

/// `{"text": {"0": .., "1": ..}, "label": {"0": .., "1": ..}}`
fn columns(document: &Object) -> Option<Vec<Object>> {
    let columns: Option<Vec<(&String, &Object)>> =
        document.iter().map(|(name, column)| Some((name, column.as_object()?))).collect();
    let columns = columns.filter(|columns| columns.len() > 1)?;
    let (_, first) = columns.first()?;
    let is_alike = |(_, column): &(&String, &Object)| column.keys().eq(first.keys());
    if first.is_empty() || !columns.iter().all(is_alike) {
        return None;
    }
    let row = |key: &String| {
        columns
            .iter()
            .filter_map(|(name, column)| Some(((*name).clone(), column.get(key)?.clone())))
            .collect()
    };
    Some(first.keys().map(row).collect())
}

/// `{"0": {"text": .., "label": ..}, "1": {..}}`: each object is a row, whatever its key is. Told from columns by which keys
/// count, or else by how many there are.
fn rows(document: &Object) -> Option<Vec<Object>> {
    let rows: Option<Vec<&Object>> = document.values().map(Value::as_object).collect();
    let rows = rows.filter(|rows| rows.len() > 1)?;
    let inner: BTreeSet<&String> = rows.iter().flat_map(|row| row.keys()).collect();
    let outer: BTreeSet<&String> = document.keys().collect();
    let count = |keys: &BTreeSet<&String>| keys.iter().all(|key| key.parse::<u64>().is_ok());
    let names_columns =
        |keys: &BTreeSet<&String>| keys.iter().any(|key| is_named(key, &TEXT_NAMES) || is_label_name(key));
    let are_rows = match (count(&outer), count(&inner)) {
        (true, false) => true,
        (false, true) => false,
        (true, true) | (false, false) => {
            (names_columns(&inner) && !names_columns(&outer)) || inner.len() < outer.len()
        }
    };
    // Each lacks few of the columns.
    let are_alike = rows.iter().all(|row| row.len() * 2 >= inner.len());
    let row = |(key, row): (&String, &&Object)| {
        let mut own = Object::new();
        own.insert("key".to_owned(), Value::String(key.clone()));
        own.extend((*row).clone());
        own
    };
    (are_rows && are_alike).then(|| document.keys().zip(&rows).map(row).collect())
}

/// `{"train": [{..}, ..], "test": [{..}, ..]}`
fn parts(document: &Object) -> Option<Vec<Object>> {
    let lists = document.iter().map(|(name, list)| Some((Part::from_name(name)?, name, list.as_array()?)));
    let lists: Vec<(Part, &String, &Vec<Value>)> = lists.collect::<Option<_>>()?;
    let row = |name: &String, value: &Value| {
        let mut row = match value {
            Value::Object(object) => object.clone(),
            Value::Array(pair) => match pair.as_slice() {
                [text, label] => {
                    Object::from_iter([("text".to_owned(), text.clone()), (LABEL.to_owned(), label.clone())])
                }
                _ => return None,
            },
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
        };
        row.insert("split".to_owned(), Value::String(name.clone()));
        Some(row)
    };
    let rows = lists.iter().flat_map(|(_, name, list)| list.iter().map(|value| row(name, value)));
    Part::are_several(lists.iter().map(|(part, _, _)| *part)).then(|| rows.collect())?
}

/// `{"a.jpg": "cat", "b.jpg": "dog"}` and `{"cat": ["a.jpg"], "dog": ["b.jpg"]}`, or the same with names of parts.
fn files(document: &Object) -> Option<Vec<Object>> {
    let is_file = |name: &str| Modality::of_name(Path::new(without_query(name))).is_some();
    let row = |file: &str, label: Value| {
        Object::from_iter([("file".to_owned(), Value::String(file.to_owned())), (LABEL.to_owned(), label)])
    };
    if document.len() > 1 && document.keys().all(|key| is_file(key)) {
        return Some(document.iter().map(|(file, label)| row(file, label.clone())).collect());
    }
    let lists = document.iter().map(|(class, files)| Some((class, files.as_array()?)));
    let lists: Vec<(&String, &Vec<Value>)> = lists.collect::<Option<_>>()?;
    let are_parts = lists.iter().all(|(name, _)| Part::from_name(name).is_some());
    let key = if are_parts { "split" } else { LABEL };
    let rows = lists.iter().flat_map(|(class, files)| files.iter().map(move |file| (file, class)));
    let rows = rows.map(|(file, class)| {
        let file = file.as_str().filter(|file| is_file(file))?;
        let named = [("file", file), (key, class.as_str())];
        Some(
            named.map(|(key, value)| (key.to_owned(), Value::String(value.to_owned()))).into_iter().collect(),
        )
    });
    if lists.len() > 1 { rows.collect() } else { None }
}

/// The only list of objects among the values.
fn listed(document: Object) -> Option<Vec<Object>> {
    let are_objects = |value: &Value| {
        value.as_array().is_some_and(|list| list.len() > 1 && list.iter().all(Value::is_object))
    };
    let mut lists = document.into_iter().filter(|(_, value)| are_objects(value));
    let (_, list) = lists.next().filter(|_| lists.next().is_none())?;
    let Value::Array(list) = list else { return None };
    let object = |value: Value| match value {
        Value::Object(object) => Some(object),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
    };
    list.into_iter().map(object).collect()
}

fn labelled_in_studio(data: Object, annotations: &[Value]) -> Object {
    let mut object = data;
    let is_valid = |annotation: &&Value| annotation.get("was_cancelled") != Some(&Value::Bool(true));
    let results =
        annotations.iter().find(is_valid).and_then(|annotation| annotation.get("result")?.as_array());
    let mut given: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for result in results.into_iter().flatten() {
        let name = result.get("from_name").and_then(Value::as_str).unwrap_or(LABEL);
        let value = result.get("value").and_then(Value::as_object);
        let choices = value.into_iter().flat_map(Map::values).filter_map(Value::as_array).flatten();
        given.entry(name.to_owned()).or_default().extend(choices.filter_map(Value::as_str));
    }
    match given.len() {
        // What it is called there says nothing to others.
        0 | 1 => {
            let labels = given.into_values().next().unwrap_or_default();
            object.insert(LABEL.to_owned(), several(&labels));
        }
        _ => object.extend(given.into_iter().map(|(name, labels)| (name, several(&labels)))),
    }
    object
}

/// The labels of Create ML's annotations.
fn named_by_boxes(annotations: &Value) -> Option<Value> {
    match annotations {
        Value::String(label) => Some(Value::String(label.clone())),
        Value::Array(boxes) => {
            let label = |b: &Value| b.get("label").and_then(Value::as_str).map(str::to_owned);
            let labels: BTreeSet<String> = boxes.iter().map(label).collect::<Option<_>>()?;
            Some(several(&labels.iter().map(String::as_str).collect::<Vec<_>>()))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

/// One label as itself, several as a list, none as nothing.
fn several(labels: &[&str]) -> Value {
    match labels {
        [] => Value::Null,
        [one] => Value::String((*one).to_owned()),
        more => more.iter().map(|label| Value::String((*label).to_owned())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Object {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn documents_become_objects() {
        let check = |document: Value, expected: Value| {
            let objects: Vec<Value> =
                objects(object(document)).unwrap_or_default().into_iter().map(Value::Object).collect();
            assert_eq!(Value::Array(objects), expected);
        };
        check(
            json!({
                "images": [{"id": 7, "file_name": "a.jpg"}, {"id": 8, "file_name": "b.jpg"}, {"id": 9, "file_name": "c.jpg"}],
                "annotations": [{"image_id": 7, "category_id": 1}, {"image_id": 8, "category_id": 2},
                    {"image_id": 8, "category_id": 1}, {"image_id": 8, "category_id": 1}],
                "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
            }),
            json!([{"file_name": "a.jpg", "label": "cat"}, {"file_name": "b.jpg", "label": ["cat", "dog"]},
                {"file_name": "c.jpg", "label": null}]),
        );
        let rows = json!([{"text": "a", "label": 1}, {"text": "b", "label": 0}]);
        check(json!({"text": {"0": "a", "1": "b"}, "label": {"0": 1, "1": 0}}), rows.clone());
        check(
            json!({"columns": ["text", "label"], "index": [0, 1], "data": [["a", 1], ["b", 0]]}),
            rows.clone(),
        );
        let keyed = |a: &str, b: &str| json!([{"key": a, "text": "a", "label": 1}, {"key": b, "text": "b", "label": 0}]);
        check(json!({"0": {"text": "a", "label": 1}, "1": {"text": "b", "label": 0}}), keyed("0", "1"));
        check(json!({"x7": {"text": "a", "label": 1}, "y8": {"text": "b", "label": 0}}), keyed("x7", "y8"));
        check(
            json!({"train": [{"text": "a", "label": 1}], "test": [["b", 0]]}),
            json!([{"text": "a", "label": 1, "split": "train"}, {"text": "b", "label": 0, "split": "test"}]),
        );
        let named = json!([{"file": "a.jpg", "label": "cat"}, {"file": "b.png", "label": "dog"}]);
        check(json!({"a.jpg": "cat", "b.png": "dog"}), named.clone());
        check(json!({"cat": ["a.jpg"], "dog": ["b.png"]}), named);
        check(json!({"version": 1, "data": rows.clone()}), rows.clone());
        // An object like others, or two lists of which neither is meant.
        check(json!({"text": "a", "label": 1}), json!([]));
        check(json!({"a": rows.clone(), "b": rows}), json!([]));
    }

    #[test]
    fn objects_of_other_programs_become_plain() {
        let check = |value: Value, expected: Value| assert_eq!(Value::Object(plain(object(value))), expected);
        let choice = |choices: Value| json!([{"from_name": "c", "value": {"choices": choices}}]);
        check(
            json!({"id": 1, "data": {"image": "a.jpg"}, "annotations": [
                {"was_cancelled": true, "result": choice(json!(["dog"]))}, {"result": choice(json!(["cat"]))}]}),
            json!({"image": "a.jpg", "label": "cat"}),
        );
        check(
            json!({"data": {"text": "x"}, "annotations": [{"result": choice(json!(["a", "b"]))}]}),
            json!({"text": "x", "label": ["a", "b"]}),
        );
        check(json!({"data": {"text": "x"}, "annotations": []}), json!({"text": "x", "label": null}));
        let boxes = json!([{"label": "cat", "coordinates": {}}, {"label": "cat"}]);
        check(
            json!({"image": "a.jpg", "annotations": boxes}),
            json!({"image": "a.jpg", "annotations": boxes, "label": "cat"}),
        );
        let vertex =
            json!({"imageGcsUri": "gs://x/a.jpg", "classificationAnnotation": {"displayName": "cat"}});
        assert_eq!(plain(object(vertex)).get("label"), Some(&json!("cat")));
        check(json!({"text": "x", "label": 1}), json!({"text": "x", "label": 1}));
    }
}
