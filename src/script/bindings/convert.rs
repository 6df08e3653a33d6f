//! Script values ↔ those of the core.

use rhai::{Array, Dynamic, ImmutableString, Map};

use super::causes::{AttributionOptions, PatchOptions};
use super::surprise::{SurprisalOptions, WindowOptions};
use crate::analyse::ablation::AblationOptions;
use crate::analyse::next_token::NextToken;
use crate::analyse::tree::TreeOptions;
use crate::error::{Error, Result};
use crate::generate::options::{Field, Options, Value};
use crate::generate::{GenerateOptions, Generation, SamplingOptions};
use crate::model::Model;
use crate::script::state::State;
use crate::tokenizer::{Tokenizer, Tokens};

/// A text, cut into tokens now, or tokens as they are.
pub fn tokens(state: &State, value: Dynamic, function: &'static str) -> Result<Tokens> {
    if value.is_string() {
        return state.tokenize(&value.cast::<ImmutableString>());
    }
    if let Some(generation) = value.read_lock::<Generation>() {
        return Ok(generation.tokens.clone());
    }
    if let Some(tokens) = value.read_lock::<Tokens>() {
        return Ok(tokens.clone());
    }
    let found = kind(&value);
    Err(Error::WrongArgument { function, expected: "a text or Tokens", found })
}

/// A distribution that is there already, or that of the token after a text.
pub fn distribution(state: &State, value: Dynamic, function: &'static str) -> Result<NextToken> {
    if let Some(next) = value.read_lock::<NextToken>() {
        return Ok(next.clone());
    }
    let tokens = tokens(state, value, function).map_err(|error| match error {
        Error::WrongArgument { function, found, .. } => {
            Error::WrongArgument { function, expected: "a text, Tokens or a Distribution", found }
        }
        error => error,
    })?;
    state.next(&tokens)
}

/// A model that is loaded, or one by its name; the one in use stays.
pub fn model(state: &State, value: Dynamic, function: &'static str) -> Result<Model> {
    if let Some(model) = value.read_lock::<Model>() {
        return Ok(model.clone());
    }
    match value.is_string() {
        true => state.fetch(&value.cast::<ImmutableString>()),
        false => Err(Error::WrongArgument { function, expected: "a model or its name", found: kind(&value) }),
    }
}

/// An id, an array of ids, or tokens.
pub fn ids(state: &State, value: Dynamic, function: &'static str) -> Result<Tokens> {
    let wrong = |value: &Dynamic| Error::WrongArgument {
        function,
        expected: "an id, an array of ids or Tokens",
        found: kind(value),
    };
    if let Some(tokens) = value.read_lock::<Tokens>() {
        return Ok(tokens.clone());
    }
    let tokenizer = state.model()?.tokenizer().clone();
    let id = |value: &Dynamic| match value.as_int() {
        Ok(id) => u32::try_from(id)
            .map_err(|_| Error::IdOutsideVocabulary { id, size: tokenizer.vocabulary_size() }),
        Err(_) => Err(wrong(value)),
    };
    match value.read_lock::<Array>() {
        Some(array) => {
            let ids = state.interrupt.watch(array.iter()).map(|value| id(value?));
            tokenizer.tokens(ids.collect::<Result<Vec<u32>>>()?)
        }
        None => tokenizer.tokens([id(&value)?]),
    }
}

/// A token given by its id or by its text, which must be one token. Without a tokenizer only ids are known.
pub fn token(tokenizer: Option<&Tokenizer>, value: Dynamic, function: &'static str) -> Result<u32> {
    if let Ok(id) = value.as_int() {
        // One that is too large is refused by the distribution, which knows how many there are.
        return u32::try_from(id).map_err(|_| Error::IdOutsideVocabulary {
            id,
            size: tokenizer.map_or(0, Tokenizer::vocabulary_size),
        });
    }
    let Some(tokenizer) = tokenizer.filter(|_| value.is_string()) else {
        let expected = "an id or a token's text";
        return Err(Error::WrongArgument { function, expected, found: kind(&value) });
    };
    let text = value.cast::<ImmutableString>();
    match tokenizer.tokenize(&text).ids() {
        [id] => Ok(*id),
        ids => Err(Error::NotOneToken { text: text.to_string(), tokens: ids.len() }),
    }
}

/// A whole number above zero, for "how many".
pub fn count(n: i64, name: &'static str) -> Result<usize> {
    let bound = "at least 1".to_owned();
    usize::try_from(n).ok().filter(|n| *n > 0).ok_or(Error::OptionOutOfRange {
        name,
        value: n.to_string(),
        bound,
    })
}

/// What a binding takes as the options `O`, `#{ name: value, … }`: a map. That it is written so in the binding's
/// signature tells help and completion which names the map may hold.
pub type OptionsOf<O> = <O as FromMap>::Map;

/// Options that a script gives as a map.
pub trait FromMap {
    type Map;
}

impl<O: Options> FromMap for O {
    type Map = Map;
}

macro_rules! groups {
    ($($group:ident)*) => {
        /// The fields of the options with this Rust name.
        pub fn options_of(name: &str) -> Option<fn() -> Vec<Field>> {
            match name {
                $(stringify!($group) => Some($group::fields),)*
                _ => None,
            }
        }
    };
}

groups! {
    GenerateOptions SamplingOptions TreeOptions WindowOptions SurprisalOptions AblationOptions PatchOptions
    AttributionOptions
}

/// `#{ name: value, … }` into options.
pub fn options<O: Options>(map: Map) -> Result<O> {
    options_over(O::default(), map)
}

/// The same over others, which stay where the map says nothing.
pub fn options_over<O: Options>(mut options: O, map: Map) -> Result<O> {
    for (name, value) in map {
        options.set(&name, &option(&value))?;
    }
    Ok(options)
}

/// A script's value as an option's.
fn option(value: &Dynamic) -> Value {
    if let Ok(integer) = value.as_int() {
        return Value::Integer(integer);
    }
    if let Ok(number) = value.as_float() {
        return Value::Number(number);
    }
    if let Ok(flag) = value.as_bool() {
        return Value::Flag(flag);
    }
    if value.is_string() {
        return Value::Text(value.to_string());
    }
    if let Some(array) = value.read_lock::<Array>() {
        return Value::List(array.iter().map(option).collect());
    }
    if let Some(map) = value.read_lock::<Map>() {
        return Value::Map(map.iter().map(|(name, value)| (name.to_string(), option(value))).collect());
    }
    if let Some(tokens) = value.read_lock::<Tokens>() {
        return Value::List(tokens.ids().iter().map(|id| Value::Integer((*id).into())).collect());
    }
    Value::Other(super::values::format(value))
}

/// What a value is, as a script's writer would say.
pub fn kind(value: &Dynamic) -> String {
    match value.type_name() {
        "()" => "nothing".to_owned(),
        "i64" => format!("the number {value}"),
        "f64" => format!("the number {value}"),
        "string" => "a text".to_owned(),
        "array" => "an array".to_owned(),
        "map" => "a map".to_owned(),
        "bool" => format!("`{value}`"),
        name => {
            super::values::type_name(name).map_or_else(|| format!("a {name}"), |name| format!("a {name}"))
        }
    }
}
