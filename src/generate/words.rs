//! Tokens in options: given as text or as ids, and cut into ids once a tokenizer is there.

use std::fmt;

use super::options::{Setting, Value};
use crate::error::{Error, Result};
use crate::tokenizer::Tokenizer;

/// A run of tokens as it was given.
#[derive(Clone, Debug, PartialEq)]
pub enum Word {
    Text(String),
    Ids(Vec<i64>),
}

/// Runs of tokens, each a text, an id, or a list of ids.
#[derive(Clone, Debug, PartialEq)]
pub struct Words(pub Vec<Word>);

/// Single tokens, each by its id or its text.
#[derive(Clone, Debug, PartialEq)]
pub struct Singles(pub Vec<Word>);

/// Runs of tokens with what is added to the logit of each one's last token.
#[derive(Clone, Debug, PartialEq)]
pub struct Biases(pub Vec<(Word, f32)>);

/// Plain texts.
#[derive(Clone, Debug, PartialEq)]
pub struct Texts(pub Vec<String>);

impl Word {
    /// The ids that it stands for: at least one, and each within the vocabulary.
    pub fn ids(&self, name: &'static str, tokenizer: &Tokenizer) -> Result<Vec<u32>> {
        let size = tokenizer.vocabulary_size();
        let refused = |value: String, bound| Error::OptionOutOfRange { name, value, bound };
        let ids = match self {
            Word::Text(text) => tokenizer.tokenize(text).ids().to_vec(),
            Word::Ids(ids) => {
                let known = |value: &i64| {
                    let id = u32::try_from(*value).ok().filter(|id| (*id as usize) < size);
                    let bound = format!("an id of the vocabulary, at least 0 and at most {}", size - 1);
                    id.ok_or_else(|| refused(value.to_string(), bound))
                };
                ids.iter().map(known).collect::<Result<_>>()?
            }
        };
        match ids.is_empty() {
            true => Err(refused(self.to_string(), "at least one token long".to_owned())),
            false => Ok(ids),
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Word::Text(text) => write!(f, "{text:?}"),
            Word::Ids(ids) => write!(f, "{ids:?}"),
        }
    }
}

impl Words {
    pub fn ids(&self, name: &'static str, tokenizer: &Tokenizer) -> Result<Vec<Vec<u32>>> {
        self.0.iter().map(|word| word.ids(name, tokenizer)).collect()
    }
}

impl Singles {
    pub fn ids(&self, name: &'static str, tokenizer: &Tokenizer) -> Result<Vec<u32>> {
        let single = |word: &Word| match word.ids(name, tokenizer)?.as_slice() {
            [id] => Ok(*id),
            ids => {
                let bound = format!("one token, and this is {}", ids.len());
                Err(Error::OptionOutOfRange { name, value: word.to_string(), bound })
            }
        };
        self.0.iter().map(single).collect()
    }
}

impl Setting for Word {
    fn from_value(value: &Value) -> Result<Word, &'static str> {
        let id = |value: &Value| match value {
            Value::Integer(id) => Some(*id),
            _ => None,
        };
        match value {
            Value::Text(text) => Some(Word::Text(text.clone())),
            Value::Integer(id) => Some(Word::Ids(vec![*id])),
            Value::List(values) => values.iter().map(id).collect::<Option<_>>().map(Word::Ids),
            _ => None,
        }
        .ok_or("a text or ids")
    }
}

/// A list, or a single value as a list of one.
fn each<T: Setting>(value: &Value) -> Result<Vec<T>, &'static str> {
    match value {
        Value::List(values) => values.iter().map(T::from_value).collect(),
        value => Ok(vec![T::from_value(value)?]),
    }
}

impl Setting for Words {
    fn from_value(value: &Value) -> Result<Words, &'static str> {
        each(value).map(Words).map_err(|_| "texts or ids, such as `[\" foo\", [464, 3797]]`")
    }
}

impl Setting for Singles {
    fn from_value(value: &Value) -> Result<Singles, &'static str> {
        each(value).map(Singles).map_err(|_| "single tokens, such as `[\" the\", 262]`")
    }
}

impl Setting for String {
    fn from_value(value: &Value) -> Result<String, &'static str> {
        match value {
            Value::Text(text) => Ok(text.clone()),
            _ => Err("a text"),
        }
    }
}

impl Setting for Texts {
    fn from_value(value: &Value) -> Result<Texts, &'static str> {
        each(value).map(Texts).map_err(|_| "a text or a list of texts")
    }
}

impl Setting for Biases {
    fn from_value(value: &Value) -> Result<Biases, &'static str> {
        const KIND: &str = "a map such as `#{ \" time\": -2.5 }`, or a list such as `[[[464, 3797], 1.5]]`";
        let pair = |value: &Value| match value {
            Value::List(pair) => match pair.as_slice() {
                [word, bias] => Some((Word::from_value(word).ok()?, f32::from_value(bias).ok()?)),
                _ => None,
            },
            _ => None,
        };
        let named =
            |(text, bias): &(String, Value)| Some((Word::Text(text.clone()), f32::from_value(bias).ok()?));
        match value {
            Value::Map(entries) => entries.iter().map(named).collect::<Option<_>>(),
            Value::List(pairs) => pairs.iter().map(pair).collect(),
            _ => None,
        }
        .map(Biases)
        .ok_or(KIND)
    }
}
