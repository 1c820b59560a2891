//! How long a text is, without a tokenizer.

/// Tokens that every encoder adds: one before the text and one behind it.
const SPECIAL: usize = 2;

/// About how many tokens a text has for an encoder's tokenizer of pieces of words: common words and marks are one,
/// longer words a piece for every few letters, signs of scripts without spaces one each.
pub fn about_tokens(text: &str) -> usize {
    SPECIAL + text.split_whitespace().map(pieces).sum::<usize>()
}

fn pieces(word: &str) -> usize {
    let (mut pieces, mut letters) = (0, 0);
    let mut end_run = |letters: &mut usize| {
        pieces += of_run(*letters);
        *letters = 0;
    };
    let mut alone = 0;
    for c in word.chars() {
        let stands_alone =
            !c.is_alphanumeric() || matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}');
        if stands_alone {
            alone += 1;
            end_run(&mut letters);
        } else {
            letters += 1;
        }
    }
    end_run(&mut letters);
    pieces + alone
}

/// Pieces of so many letters on end.
fn of_run(letters: usize) -> usize {
    match letters {
        0 => 0,
        // What is longer than any word is hardly ever known in pieces.
        1..=8 => 1,
        _ => 1 + (letters - 5) / 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::TextTokenizer;
    use crate::data::text::LetterCase;
    use std::path::Path;

    /// The bundled reviews and the bundled tokenizer: within a tenth over all, and no text far off.
    #[test]
    fn lengths_are_about_those_of_a_tokenizer() {
        let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
        let tokenizer = assets.join("backbones/all-MiniLM-L6-v2/tokenizer.json");
        let tokenizer = TextTokenizer::load(&tokenizer, 10_000, LetterCase::Kept).unwrap();
        let table = std::fs::read_to_string(assets.join("samples/sentences.csv")).unwrap();
        let texts: Vec<&str> = table.lines().skip(1).collect();
        let (mut guessed, mut counted) = (0, 0);
        for text in &texts {
            let (own, real) = (about_tokens(text), tokenizer.encode(text).unwrap().len());
            (guessed, counted) = (guessed + own, counted + real);
            assert!(own <= 2 * real && real <= 2 * own, "{own} for {real}: {text}");
        }
        let ratio = guessed as f64 / counted as f64;
        assert!((0.9..1.1).contains(&ratio), "{ratio} over {} texts", texts.len());
        let words = "internationalisation of electroencephalography, 東京は大きい";
        let real = tokenizer.encode(words).unwrap().len();
        assert!(about_tokens(words).abs_diff(real) <= real / 2, "{} for {real}", about_tokens(words));
    }

    #[test]
    fn nothing_has_the_special_tokens_alone() {
        assert_eq!(about_tokens(""), 2);
        assert_eq!(about_tokens("one two."), 5);
    }
}
