//! Options by name, each declared once: what it is called, what it means, what it may be.

use std::fmt;

use crate::error::{Error, Result};

/// The values that a number may have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    Any,
    AtLeast(f64),
    Above(f64),
    /// Above the first, at most the second.
    AboveUpTo(f64, f64),
    /// Above the first, below the second.
    Between(f64, f64),
    /// At least the first, at most the second.
    From(f64, f64),
}

impl Bound {
    fn allows(self, value: f64) -> bool {
        match self {
            Bound::Any => value.is_finite(),
            Bound::AtLeast(least) => value >= least && value.is_finite(),
            Bound::Above(limit) => value > limit && value.is_finite(),
            Bound::AboveUpTo(limit, most) => value > limit && value <= most,
            Bound::Between(low, high) => value > low && value < high,
            Bound::From(least, most) => value >= least && value <= most,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::Any => write!(f, "a number"),
            Bound::AtLeast(least) => write!(f, "at least {least}"),
            Bound::Above(limit) => write!(f, "above {limit}"),
            Bound::AboveUpTo(limit, most) => write!(f, "above {limit} and at most {most}"),
            Bound::Between(low, high) => write!(f, "above {low} and below {high}"),
            Bound::From(least, most) => write!(f, "at least {least} and at most {most}"),
        }
    }
}

/// A value that was given for an option.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Flag(bool),
    Integer(i64),
    Number(f64),
    Text(String),
    List(Vec<Value>),
    Map(Vec<(String, Value)>),
    /// Anything else, as it is written.
    Other(String),
}

impl Value {
    fn as_number(&self) -> Option<f64> {
        match self {
            Value::Integer(value) => Some(*value as f64),
            Value::Number(value) => Some(*value),
            _ => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |values: &[Value]| values.iter().map(Value::to_string).collect::<Vec<_>>().join(", ");
        match self {
            Value::Flag(value) => write!(f, "{value}"),
            Value::Integer(value) => write!(f, "{value}"),
            Value::Number(value) => write!(f, "{value}"),
            Value::Text(value) => write!(f, "{value:?}"),
            Value::List(values) => write!(f, "[{}]", list(values)),
            Value::Map(entries) => {
                let entries = entries.iter().map(|(name, value)| format!("{name}: {value}"));
                write!(f, "#{{{}}}", entries.collect::<Vec<_>>().join(", "))
            }
            Value::Other(value) => write!(f, "{value}"),
        }
    }
}

/// One option as `help()` and completion show it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Field {
    pub name: &'static str,
    pub bound: Bound,
    /// What it holds: "a whole number".
    pub kind: &'static str,
    pub doc: &'static str,
}

impl Field {
    /// The values that it may have, in words.
    pub fn values(&self) -> String {
        match self.bound {
            Bound::Any => self.kind.to_owned(),
            bound => format!("{}, {bound}", self.kind),
        }
    }
}

/// What an option can hold.
pub trait Setting: Sized {
    /// Reads a value; if it is of another kind, says of which it must be.
    fn from_value(value: &Value) -> Result<Self, &'static str>;

    /// Of which kind it must be.
    fn kind() -> &'static str {
        Self::from_value(&Value::Other(String::new())).err().unwrap_or_default()
    }
}

macro_rules! numbers {
    ($($kind:ty)*) => {$(
        impl Setting for $kind {
            fn from_value(value: &Value) -> Result<$kind, &'static str> {
                value.as_number().map(|value| value as $kind).ok_or("a number")
            }
        }
    )*};
}

macro_rules! whole_numbers {
    ($($kind:ty)*) => {$(
        impl Setting for $kind {
            fn from_value(value: &Value) -> Result<$kind, &'static str> {
                match value {
                    Value::Integer(value) => <$kind>::try_from(*value).ok(),
                    _ => None,
                }
                .ok_or("a whole number")
            }
        }
    )*};
}

numbers!(f32 f64);
whole_numbers!(usize u32 u64);

impl Setting for bool {
    fn from_value(value: &Value) -> Result<bool, &'static str> {
        match value {
            Value::Flag(value) => Ok(*value),
            _ => Err("`true` or `false`"),
        }
    }
}

/// Checks and reads one value.
pub fn read<T: Setting>(name: &'static str, value: &Value, bound: Bound) -> Result<T> {
    if value.as_number().is_some_and(|number| !bound.allows(number)) {
        return Err(Error::OptionOutOfRange { name, value: value.to_string(), bound: bound.to_string() });
    }
    T::from_value(value).map_err(|kind| Error::OptionOfWrongKind { name, value: value.to_string(), kind })
}

/// Options that can be set by name.
pub trait Options: Default {
    /// All of them, in the order in which they are documented.
    fn fields() -> Vec<Field>;

    /// The names of those that were given.
    fn given(&self) -> Vec<&'static str>;

    /// Sets one. Fails on a name that is none, or a value out of bounds.
    fn set(&mut self, name: &str, value: &Value) -> Result<()>;
}

/// Declares a struct of options: each field is an `Option`, none unless it is given. `include name: Struct;` takes
/// in the options of other such structs.
macro_rules! options {
    (
        $(#[$outer:meta])*
        pub struct $name:ident {
            $($(#[doc = $doc:literal])+ $field:ident: $kind:ty, $bound:expr;)*
            $(include $included:ident: $group:ty;)*
        }
    ) => {
        $(#[$outer])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            $($(#[doc = $doc])+ pub $field: Option<$kind>,)*
            $(pub $included: $group,)*
        }

        impl $crate::generate::options::Options for $name {
            fn fields() -> Vec<$crate::generate::options::Field> {
                #[allow(unused_mut)]
                let mut fields = vec![$($crate::generate::options::Field {
                    name: stringify!($field),
                    bound: $bound,
                    kind: <$kind as $crate::generate::options::Setting>::kind(),
                    doc: concat!($($doc),+).trim_ascii(),
                }),*];
                $(fields.extend(<$group>::fields());)*
                fields
            }

            fn given(&self) -> Vec<&'static str> {
                let names = [$(self.$field.as_ref().map(|_| stringify!($field))),*];
                #[allow(unused_mut)]
                let mut given: Vec<&'static str> = names.into_iter().flatten().collect();
                $(given.extend(self.$included.given());)*
                given
            }

            fn set(&mut self, name: &str, value: &$crate::generate::options::Value) -> $crate::error::Result<()> {
                match name {
                    $(stringify!($field) => {
                        self.$field = Some($crate::generate::options::read(stringify!($field), value, $bound)?);
                        return Ok(());
                    })*
                    _ => {}
                }
                $(if <$group>::fields().iter().any(|field| field.name == name) {
                    return self.$included.set(name, value);
                })*
                Err($crate::error::Error::UnknownOption {
                    name: name.to_owned(),
                    known: Self::fields().iter().map(|field| field.name).collect(),
                })
            }
        }
    };
}
pub(crate) use options;
