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
}

impl Bound {
    fn allows(self, value: f64) -> bool {
        match self {
            Bound::Any => !value.is_nan(),
            Bound::AtLeast(least) => value >= least,
            Bound::Above(limit) => value > limit && value.is_finite(),
            Bound::AboveUpTo(limit, most) => value > limit && value <= most,
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
        }
    }
}

/// A value that was given for an option.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Integer(i64),
    Number(f64),
    /// Anything else, with the name of what it is.
    Other {
        value: String,
        kind: String,
    },
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Integer(value) => write!(f, "{value}"),
            Value::Number(value) => write!(f, "{value}"),
            Value::Other { value, .. } => write!(f, "{value}"),
        }
    }
}

/// One option as `help()` and completion show it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Field {
    pub name: &'static str,
    pub bound: Bound,
    pub doc: &'static str,
}

/// A number that an option can hold.
pub trait Number: Sized {
    fn from_value(value: &Value) -> Option<Self>;
    fn kind() -> &'static str;
}

impl Number for f32 {
    fn from_value(value: &Value) -> Option<f32> {
        match value {
            Value::Integer(value) => Some(*value as f32),
            Value::Number(value) => Some(*value as f32),
            Value::Other { .. } => None,
        }
    }

    fn kind() -> &'static str {
        "a number"
    }
}

macro_rules! whole_numbers {
    ($($kind:ty)*) => {$(
        impl Number for $kind {
            fn from_value(value: &Value) -> Option<$kind> {
                match value {
                    Value::Integer(value) => <$kind>::try_from(*value).ok(),
                    _ => None,
                }
            }

            fn kind() -> &'static str {
                "a whole number"
            }
        }
    )*};
}

whole_numbers!(usize u64);

/// Checks and reads one value.
pub fn read<T: Number>(name: &'static str, value: &Value, bound: Bound) -> Result<T> {
    let refused = || Error::OptionOutOfRange { name, value: value.to_string(), bound: bound.to_string() };
    let as_number = match value {
        Value::Integer(value) => *value as f64,
        Value::Number(value) => *value,
        Value::Other { value, .. } => {
            return Err(Error::OptionOfWrongKind { name, value: value.clone(), kind: T::kind() });
        }
    };
    if !bound.allows(as_number) {
        return Err(refused());
    }
    T::from_value(value).ok_or(Error::OptionOfWrongKind { name, value: value.to_string(), kind: T::kind() })
}

/// Options that can be set by name.
pub trait Options: Default {
    /// All of them, in the order in which they are documented.
    fn fields() -> Vec<Field>;

    /// Sets one. Fails on a name that is none, or a value out of bounds.
    fn set(&mut self, name: &str, value: &Value) -> Result<()>;
}

/// Declares a struct of options: each field is an `Option`, none unless it is given. `include name: Struct;` takes
/// in the options of another such struct.
macro_rules! options {
    (
        $(#[$outer:meta])*
        pub struct $name:ident {
            $($(#[doc = $doc:literal])+ $field:ident: $kind:ty, $bound:expr;)*
            $(include $included:ident: $group:ty;)?
        }
    ) => {
        $(#[$outer])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            $($(#[doc = $doc])+ pub $field: Option<$kind>,)*
            $(pub $included: $group,)?
        }

        impl $crate::generate::options::Options for $name {
            fn fields() -> Vec<$crate::generate::options::Field> {
                #[allow(unused_mut)]
                let mut fields = vec![$($crate::generate::options::Field {
                    name: stringify!($field),
                    bound: $bound,
                    doc: concat!($($doc),+).trim_ascii(),
                }),*];
                $(fields.extend(<$group>::fields());)?
                fields
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
                })?
                Err($crate::error::Error::UnknownOption {
                    name: name.to_owned(),
                    known: Self::fields().iter().map(|field| field.name).collect(),
                })
            }
        }
    };
}
pub(crate) use options;
