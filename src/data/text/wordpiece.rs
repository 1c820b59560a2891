//! A tokenizer of word pieces from `vocab.txt` alone, as BERT's first programs kept it.
//!
//! It is what `BertTokenizerFast` of transformers makes of the same files: settings stand in `tokenizer_config.json`.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

/// The name of the list of word pieces.
pub const VOCABULARY: &str = "vocab.txt";
const SETTINGS: &str = "tokenizer_config.json";
const ADDED: &str = "added_tokens.json";

/// The `tokenizer.json` that says the same as the list at `path` and the settings beside it.
///
/// # Errors
/// In words: a file cannot be read, a special token is missing, or a setting is not known.
pub fn tokenizer_json(path: &Path) -> Result<Vec<u8>, String> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let vocabulary = vocabulary(&read(path)?);
    let settings = object(&folder.join(SETTINGS))?;
    check(&settings)?;
    let flag = |key: &str, usual: bool| match settings.get(key) {
        None | Some(Value::Null) => Ok(usual),
        Some(value) => value.as_bool().ok_or_else(|| format!("{key:?} in {SETTINGS} is {value}")),
    };
    let special = |key: &str, usual: &str| {
        let given = settings.get(key).and_then(|v| v.get("content").unwrap_or(v).as_str()).unwrap_or(usual);
        match vocabulary.get(given) {
            Some(number) => Ok((given.to_owned(), *number)),
            None => Err(format!("its special token {given} is not in the list")),
        }
    };
    let (unknown, start, end) =
        (special("unk_token", "[UNK]")?, special("cls_token", "[CLS]")?, special("sep_token", "[SEP]")?);
    let others = [special("pad_token", "[PAD]"), special("mask_token", "[MASK]")];
    let mut added = BTreeMap::new();
    for (content, number) in [&unknown, &start, &end].into_iter().chain(others.iter().flatten()) {
        added.insert(*number, token(*number, content, &Value::Null));
    }
    for (content, facts) in added_tokens(folder, &settings)? {
        let number = vocabulary.get(&content).ok_or_else(|| {
            format!("the token {content:?} is added to the list, and only a tokenizer.json can tell how")
        })?;
        added.insert(*number, token(*number, &content, &facts));
    }
    let strip = settings.get("strip_accents").cloned().unwrap_or(Value::Null);
    let whole = json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": added.into_values().collect::<Vec<_>>(),
        "normalizer": {
            "type": "BertNormalizer", "clean_text": true,
            "handle_chinese_chars": flag("tokenize_chinese_chars", true)?,
            "strip_accents": strip, "lowercase": flag("do_lower_case", true)?,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": end, "cls": start},
        "decoder": null,
        "model": {
            "type": "WordPiece", "unk_token": unknown.0, "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocabulary,
        },
    });
    serde_json::to_vec(&whole).map_err(|e| e.to_string())
}

/// The pieces with their numbers, one a line; of equal ones the last counts.
fn vocabulary(text: &str) -> BTreeMap<String, u32> {
    let lines = text.strip_suffix('\n').unwrap_or(text).split('\n');
    (0..).zip(lines).map(|(n, line)| (line.strip_suffix('\r').unwrap_or(line).to_owned(), n)).collect()
}

/// Refuses what would make another tokenizer.
fn check(settings: &Value) -> Result<(), String> {
    let given = |key: &str| settings.get(key).filter(|value| !value.is_null());
    if let Some(class) = given("tokenizer_class")
        && !["BertTokenizer", "BertTokenizerFast"].iter().any(|known| class.as_str() == Some(known))
    {
        return Err(format!(
            "a list of word pieces is no tokenizer of the kind {class}; it needs a tokenizer.json"
        ));
    }
    if given("do_basic_tokenize") == Some(&Value::Bool(false)) {
        return Err("words are not parted first (\"do_basic_tokenize\"), which is not supported".to_owned());
    }
    match given("never_split").and_then(Value::as_array).is_some_and(|words| !words.is_empty()) {
        true => Err("words are kept whole (\"never_split\"), which is not supported".to_owned()),
        false => Ok(()),
    }
}

/// Tokens that are told beside the list, with what is told of them.
fn added_tokens(folder: &Path, settings: &Value) -> Result<Vec<(String, Value)>, String> {
    let decoder = settings.get("added_tokens_decoder").and_then(Value::as_object);
    let told = decoder.into_iter().flat_map(|all| all.values());
    let told = told.filter_map(|facts| Some((facts.get("content")?.as_str()?.to_owned(), facts.clone())));
    let beside = object(&folder.join(ADDED))?;
    let beside =
        beside.as_object().into_iter().flat_map(|all| all.keys().cloned()).map(|key| (key, Value::Null));
    Ok(told.chain(beside).collect())
}

fn token(number: u32, content: &str, facts: &Value) -> Value {
    let flag = |key: &str, usual: bool| facts.get(key).and_then(Value::as_bool).unwrap_or(usual);
    json!({
        "id": number, "content": content, "single_word": flag("single_word", false), "lstrip": flag("lstrip", false),
        "rstrip": flag("rstrip", false), "normalized": flag("normalized", false), "special": flag("special", true),
    })
}

/// An object; an empty one where there is no such file.
fn object(path: &Path) -> Result<Value, String> {
    match path.exists() {
        true => serde_json::from_str(&read(path)?).map_err(|e| format!("{}: {e}", path.display())),
        false => Ok(json!({})),
    }
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::text::{LetterCase, TextTokenizer};

    fn encode(list: &str, settings: &Value, text: &str) -> Result<Vec<u32>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(VOCABULARY);
        std::fs::write(&path, list).unwrap();
        std::fs::write(folder.path().join(SETTINGS), settings.to_string()).unwrap();
        let tokenizer = TextTokenizer::load(&path, 16, LetterCase::Kept).map_err(|e| e.to_string())?;
        tokenizer.encode(text).map_err(|e| e.to_string())
    }

    const LIST: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nfox\n##es\n<s>\n";

    #[test]
    fn lists_of_either_line_ending_are_read() {
        assert_eq!(encode(LIST, &json!({}), "Foxes wolf"), Ok(vec![2, 5, 6, 1, 3]));
        assert_eq!(encode(&LIST.replace('\n', "\r\n"), &json!({}), "Foxes wolf"), Ok(vec![2, 5, 6, 1, 3]));
        let other =
            json!({"cls_token": {"content": "<s>"}, "added_tokens_decoder": {"7": {"content": "<s>"}}});
        assert_eq!(encode(LIST, &other, "<s> fox"), Ok(vec![7, 7, 5, 3]));
    }

    #[test]
    fn what_is_no_such_tokenizer_is_refused() {
        let check = |settings: Value, part: &str| {
            let why = encode(LIST, &settings, "fox").unwrap_err();
            assert!(why.contains(part), "{why}");
        };
        check(json!({"tokenizer_class": "BertJapaneseTokenizer"}), "BertJapaneseTokenizer");
        check(json!({"do_basic_tokenize": false}), "do_basic_tokenize");
        check(json!({"never_split": ["fox"]}), "never_split");
        check(json!({"unk_token": "<unk>"}), "<unk>");
        check(json!({"do_lower_case": "yes"}), "do_lower_case");
        check(json!({"added_tokens_decoder": {"9": {"content": "<new>"}}}), "<new>");
    }
}
