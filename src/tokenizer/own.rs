//! Is a `tokenizer.json` GPT-2's own? Read in one pass and compared entry by entry, without building anything.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{BYTES, END_OF_TEXT, GPT2_MERGES, byte_symbols};

/// Whether this file cuts every text as the built-in tokenizer does. What is not understood counts as different.
pub fn is_gpt2(text: &[u8]) -> bool {
    serde_json::from_slice::<File>(text).is_ok_and(|file| file.is_gpt2())
}

/// What of the file changes ids. Post-processor and decoder only shift offsets, and add no token in GPT-2.
#[derive(Deserialize)]
struct File<'a> {
    #[serde(default)]
    truncation: Option<IgnoredAny>,
    #[serde(default)]
    padding: Option<IgnoredAny>,
    #[serde(default)]
    normalizer: Option<IgnoredAny>,
    #[serde(borrow)]
    pre_tokenizer: Kind<'a>,
    #[serde(borrow)]
    post_processor: Kind<'a>,
    #[serde(borrow)]
    added_tokens: Vec<Added<'a>>,
    #[serde(borrow)]
    model: Bpe<'a>,
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(default)]
    add_prefix_space: bool,
    #[serde(default = "yes")]
    use_regex: bool,
}

#[derive(Deserialize)]
struct Added<'a> {
    id: u32,
    #[serde(borrow)]
    content: Cow<'a, str>,
    #[serde(default)]
    single_word: bool,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
    special: bool,
}

#[derive(Deserialize)]
struct Bpe<'a> {
    #[serde(rename = "type", default, borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(default)]
    dropout: Option<IgnoredAny>,
    #[serde(default, borrow)]
    continuing_subword_prefix: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    end_of_word_suffix: Option<Cow<'a, str>>,
    #[serde(default)]
    byte_fallback: bool,
    #[serde(default)]
    ignore_merges: bool,
    vocab: Same,
    merges: Same,
}

impl File<'_> {
    fn is_gpt2(&self) -> bool {
        let empty = |text: &Option<Cow<str>>| text.as_ref().is_none_or(|text| text.is_empty());
        let plain = self.truncation.is_none() && self.padding.is_none() && self.normalizer.is_none();
        let splits = self.pre_tokenizer.kind == "ByteLevel"
            && !self.pre_tokenizer.add_prefix_space
            && self.pre_tokenizer.use_regex
            && self.post_processor.kind == "ByteLevel";
        let [added] = &self.added_tokens[..] else { return false };
        let ends = added.content == END_OF_TEXT && added.id == BYTES + GPT2_MERGES_COUNT && added.special;
        let strips = added.single_word || added.lstrip || added.rstrip;
        let model = &self.model;
        let merges = model.kind.as_ref().is_none_or(|kind| kind == "BPE")
            && model.dropout.is_none()
            && empty(&model.continuing_subword_prefix)
            && empty(&model.end_of_word_suffix)
            && !model.byte_fallback
            && !model.ignore_merges;
        plain && splits && ends && !strips && merges && model.vocab.0 && model.merges.0
    }
}

const GPT2_MERGES_COUNT: u32 = 50_000;

fn yes() -> bool {
    true
}

/// The built-in merges in their order.
fn merges() -> impl Iterator<Item = (&'static str, &'static str)> {
    GPT2_MERGES.lines().filter(|line| !line.starts_with("#version")).filter_map(|line| line.split_once(' '))
}

/// Whether a list of merges, or a map from pieces to ids, is the built-in one.
struct Same(bool);

impl<'de> Deserialize<'de> for Same {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Same, D::Error> {
        deserializer.deserialize_any(Compare)
    }
}

struct Compare;

/// A merge as one text `a b`, or as a pair.
#[derive(Deserialize)]
#[serde(untagged)]
enum Merge<'a> {
    #[serde(borrow)]
    Text(&'a str),
    Owned(String),
    Pair(#[serde(borrow)] [Cow<'a, str>; 2]),
}

impl<'de> Visitor<'de> for Compare {
    type Value = Same;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a vocabulary or a list of merges")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Same, A::Error> {
        let bytes: Vec<String> = byte_symbols().map(|(_, symbol)| symbol.to_string()).collect();
        let merges: Vec<_> = merges().collect();
        let (mut same, mut count) = (true, 0);
        while let Some((piece, id)) = map.next_entry::<Text, u32>()? {
            let piece = piece.0.as_ref();
            count += 1;
            same &= match id.checked_sub(BYTES) {
                None => bytes[id as usize] == piece,
                Some(index) => match merges.get(index as usize) {
                    Some((left, right)) => piece.strip_prefix(left) == Some(right),
                    None => piece == END_OF_TEXT && index == GPT2_MERGES_COUNT,
                },
            };
        }
        // Each id has one piece and each piece one id, so the right number of right ones is all of them.
        Ok(Same(same && count == BYTES + GPT2_MERGES_COUNT + 1))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Same, A::Error> {
        let mut merges = merges();
        let mut same = true;
        while let Some(merge) = list.next_element::<Merge>()? {
            same &= match (&merge, merges.next()) {
                (_, None) => false,
                (Merge::Text(text), Some(expected)) => text.split_once(' ') == Some(expected),
                (Merge::Owned(text), Some(expected)) => text.split_once(' ') == Some(expected),
                (Merge::Pair([left, right]), Some(expected)) => (left.as_ref(), right.as_ref()) == expected,
            };
        }
        Ok(Same(same && merges.next().is_none()))
    }
}

/// A text that is borrowed unless it has escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    fn file(merge: impl Fn(&str, &str) -> serde_json::Value) -> serde_json::Value {
        let pieces = byte_symbols().map(|(_, symbol)| symbol.to_string());
        let merged = merges().map(|(left, right)| format!("{left}{right}"));
        let all = pieces.chain(merged).chain([END_OF_TEXT.to_owned()]);
        let vocab: serde_json::Map<_, _> = all.zip(0..).map(|(piece, id)| (piece, id.into())).collect();
        let level = serde_json::json!({ "type": "ByteLevel", "add_prefix_space": false });
        serde_json::json!({
            "normalizer": null,
            "pre_tokenizer": level,
            "post_processor": level,
            "added_tokens": [{ "id": 50256, "content": END_OF_TEXT, "special": true }],
            "model": {
                "type": "BPE",
                "vocab": vocab,
                "merges": merges().map(|(left, right)| merge(left, right)).collect::<Vec<_>>(),
            },
        })
    }

    fn is_own(file: &serde_json::Value) -> bool {
        is_gpt2(file.to_string().as_bytes())
    }

    #[test]
    fn gpt2s_own_is_recognised_with_merges_of_either_form() {
        assert!(is_own(&file(|left, right| format!("{left} {right}").into())));
        assert!(is_own(&file(|left, right| serde_json::json!([left, right]))));
    }

    #[test]
    fn anything_that_may_cut_otherwise_is_another_tokenizer() {
        let own = file(|left, right| format!("{left} {right}").into());
        let with = |change: &dyn Fn(&mut serde_json::Value)| {
            let mut other = own.clone();
            change(&mut other);
            is_own(&other)
        };
        assert!(!with(&|file| file["model"]["vocab"]["the"] = 5.into()));
        assert!(!with(&|file| file["model"]["merges"][7] = "q q".into()));
        assert!(!with(&|file| file["pre_tokenizer"]["add_prefix_space"] = true.into()));
        assert!(!with(&|file| file["normalizer"] = serde_json::json!({ "type": "NFC" })));
        assert!(!with(&|file| file["added_tokens"][0]["id"] = 50257.into()));
        assert!(!is_gpt2(b"{}"));
    }
}
