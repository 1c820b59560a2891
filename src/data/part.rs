//! The parts of a dataset.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use unicode_normalization_alignments::UnicodeNormalization;

/// What a sample is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    Train,
    Validation,
    Test,
}

/// What the parts are called, in small letters: in English, then in other languages.
const WORDS: [(Part, &[&str]); 3] = [
    (
        Part::Train,
        &[
            "train",
            "training",
            "trn",
            "trainval",
            "entrenamiento",
            "entraînement",
            "entrainement",
            "apprentissage",
            "addestramento",
            "treino",
            "treinamento",
            "trening",
            "treningowy",
            "träning",
            "eğitim",
            "обучение",
            "обучающая",
            "тренировка",
            "训练",
            "訓練",
            "学習",
            "훈련",
            "학습",
        ],
    ),
    (
        Part::Validation,
        &[
            "val",
            "valid",
            "validation",
            "validate",
            "dev",
            "eval",
            "validierung",
            "validación",
            "validacion",
            "validação",
            "validacao",
            "convalida",
            "validazione",
            "validatie",
            "walidacja",
            "walidacyjny",
            "validering",
            "doğrulama",
            "валидация",
            "проверка",
            "验证",
            "驗證",
            "検証",
            "검증",
        ],
    ),
    (
        Part::Test,
        &[
            "test",
            "testing",
            "tst",
            "holdout",
            "heldout",
            "prueba",
            "pruebas",
            "prova",
            "teste",
            "testowy",
            "testen",
            "prüfung",
            "тест",
            "тестовая",
            "тестирование",
            "测试",
            "測試",
            "テスト",
            "테스트",
        ],
    ),
];

/// What follows such a word without a space: `testset`, `trainingsdaten`, 训练集.
const ENDINGS: [&str; 9] = ["sdaten", "daten", "satz", "set", "data", "images", "split", "集", "データ"];

impl Part {
    /// The part that a folder or table name stands for, in any case and width of letters.
    pub fn from_name(name: &str) -> Option<Part> {
        let plain: String = name.nfkc().map(|(letter, _)| letter).collect::<String>().to_lowercase();
        let of_word =
            |word: &str| WORDS.iter().find(|(_, words)| words.contains(&word)).map(|(part, _)| *part);
        let without = || ENDINGS.iter().find_map(|ending| of_word(plain.strip_suffix(ending)?));
        of_word(&plain).or_else(without)
    }

    /// As it is written in files: `train`, `validation`, `test`.
    pub fn name(self) -> &'static str {
        match self {
            Part::Train => "train",
            Part::Validation => "validation",
            Part::Test => "test",
        }
    }

    /// Whether more than one of them is among `parts`.
    pub fn are_several(parts: impl IntoIterator<Item = Part>) -> bool {
        parts.into_iter().collect::<BTreeSet<_>>().len() > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_in_many_writings() {
        let check =
            |name: &str, expected: Option<Part>| assert_eq!(Part::from_name(name), expected, "{name}");
        check("TRAIN", Some(Part::Train));
        check("testset", Some(Part::Test));
        check("Trainingsdaten", Some(Part::Train));
        check("Validación", Some(Part::Validation));
        check("Validacio\u{301}n", Some(Part::Validation));
        check("ｔｒａｉｎ", Some(Part::Train));
        check("训练集", Some(Part::Train));
        check("holdout", Some(Part::Test));
        for none in ["dataset", "offset", "", "set", "cat", "retest", "entrain"] {
            check(none, None);
        }
    }
}
