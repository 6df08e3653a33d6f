//! The same ids as GPT-2, and every byte back.

use serde_json::Value;
use tokenscope::tokenizer::Tokenizer;

use super::helpers::{fixture, load, root};

/// Texts with what tokenizers stumble over: blanks at both ends, digits, other scripts, controls, broken words.
const TEXTS: [&str; 12] = [
    "",
    " ",
    "The river turned slowly under the old stone bridge.",
    "  two  spaces  and a tab\tand lines\r\n\n\nat the end \n",
    "It's 1950; we'll wait, they'd say: DON'T.",
    "naïve café – “quotes” … Straße",
    "Привет, мир! 生活的真谛是 안녕하세요 ありがとう",
    "👩‍👩‍👧‍👦 🙂 🇨🇭 e\u{301}\u{200d}\u{feff}",
    "\0\u{1}\u{7f}\u{80}\u{ad}\u{fffd}",
    "supercalifragilisticexpialidocious",
    "a<|endoftext|>b<|endoftext|>",
    "https://example.org/a_b?c=d&e=%20#f",
];

#[test]
fn published_texts_give_the_published_ids() {
    let text = std::fs::read_to_string(root().join("tests/golden/tokenizer.json")).unwrap();
    let vectors: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(vectors.len() >= 36);
    let tokenizer = Tokenizer::gpt2();
    for vector in vectors {
        let text = vector["prompt"].as_str().unwrap();
        let ids: Vec<u32> = serde_json::from_value(vector["expected"]["ids"].clone()).unwrap();
        let tokens = tokenizer.tokenize(text);
        assert_eq!(tokens.ids(), ids, "{text:?}, from {}", vector["source"]);
        assert_eq!(tokenizer.tokens(ids).unwrap().bytes(), text.as_bytes(), "{text:?}");
    }
}

#[test]
fn the_exercise_has_its_twelve_tokens() {
    let tokens = Tokenizer::gpt2().tokenize("Udacity is the best place to learn about generative");
    assert_eq!(tokens.ids(), [52, 67, 4355, 318, 262, 1266, 1295, 284, 2193, 546, 1152, 876]);
    let pieces: Vec<String> = tokens.pieces().map(|piece| String::from_utf8(piece).unwrap()).collect();
    let expected =
        ["U", "d", "acity", " is", " the", " best", " place", " to", " learn", " about", " gener", "ative"];
    assert_eq!(pieces, expected);
}

#[test]
fn both_ways_to_store_a_tokenizer_are_the_same_tokenizer() {
    let json = load(&fixture("default")).unwrap();
    let pair = load(&fixture("prefixed")).unwrap();
    assert_eq!(json.tokenizer().vocabulary_size(), pair.tokenizer().vocabulary_size());
    for text in TEXTS {
        let tokens = json.tokenizer().tokenize(text);
        assert_eq!(tokens.ids(), pair.tokenizer().tokenize(text).ids(), "{text:?}");
        assert_eq!(tokens.bytes(), text.as_bytes(), "{text:?}");
    }
    for id in 0..json.tokenizer().vocabulary_size() as u32 {
        assert_eq!(json.tokenizer().piece(id), pair.tokenizer().piece(id), "id {id}");
    }
}

#[test]
fn every_text_comes_back_byte_for_byte() {
    let tokenizer = Tokenizer::gpt2();
    for text in TEXTS {
        assert_eq!(tokenizer.tokenize(text).bytes(), text.as_bytes(), "{text:?}");
    }
}

#[test]
fn every_id_stands_for_something_and_comes_back() {
    let tokenizer = Tokenizer::gpt2();
    assert_eq!(tokenizer.vocabulary_size(), 50257);
    for id in 0..50257 {
        let piece = tokenizer.piece(id);
        assert!(!piece.is_empty(), "id {id}");
        // A piece that is text by itself is its own shortest form; a few are never reached by cutting text.
        if let Ok(text) = String::from_utf8(piece) {
            assert_eq!(tokenizer.tokenize(&text).text(), text, "id {id}");
        }
    }
}
