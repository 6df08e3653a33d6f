//! What can be typed while stepping, and the rules that keys turn.

use crate::error::Result;
use crate::generate::SamplingOptions;
use crate::generate::options::{Options, Value};

/// What a typed line is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Text,
    Temperature,
    TopK,
    TopP,
    Branch,
    GoTo,
}

/// A rule that is turned by arrow keys.
pub struct Dial {
    /// Its option.
    pub name: &'static str,
    /// The values that the keys go through, upwards.
    values: &'static [f64],
    /// The value that changes nothing.
    pub off: f64,
}

impl Field {
    pub fn prompt(self) -> &'static str {
        match self {
            Field::Text => "text to append",
            Field::Temperature => "temperature",
            Field::TopK => "top-k",
            Field::TopP => "top-p",
            Field::Branch => "mark this place as",
            Field::GoTo => "go to",
        }
    }

    /// The rule that it sets, if it sets one.
    pub fn dial(self) -> Option<Dial> {
        let (name, values, off): (_, &[f64], _) = match self {
            Field::Temperature => (
                "temperature",
                &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0, 3.0, 5.0],
                1.0,
            ),
            Field::TopK => {
                ("top_k", &[1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 40.0, 50.0, 100.0, 200.0, 500.0], f64::INFINITY)
            }
            Field::TopP => ("top_p", &[0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99], 1.0),
            _ => return None,
        };
        Some(Dial { name, values, off })
    }

    /// The value that an option has, as it is typed.
    pub fn value(self, options: &SamplingOptions) -> Option<String> {
        match self {
            Field::Temperature => options.temperature.map(|value| value.to_string()),
            Field::TopK => options.top_k.map(|value| value.to_string()),
            Field::TopP => options.top_p.map(|value| value.to_string()),
            _ => None,
        }
    }
}

/// Rules with one of them as typed; nothing typed takes it away.
pub fn with_option(
    options: &SamplingOptions,
    field: Field,
    name: &str,
    text: &str,
) -> Result<SamplingOptions> {
    let (text, mut options) = (text.trim(), options.clone());
    if text.is_empty() {
        match field {
            Field::Temperature => options.temperature = None,
            Field::TopK => options.top_k = None,
            _ => options.top_p = None,
        }
        return Ok(options);
    }
    let number = text.parse().map(Value::Integer).or_else(|_| text.parse().map(Value::Number));
    options.set(name, &number.unwrap_or_else(|_: std::num::ParseFloatError| Value::Text(text.to_owned())))?;
    Ok(options)
}

impl Dial {
    /// The next value upwards or downwards, as it is typed; nothing where that is off.
    pub fn turned(&self, from: Option<f64>, by: i32) -> String {
        let (from, mut values) = (from.unwrap_or(self.off), self.values.iter());
        let found = match by > 0 {
            true => {
                values.find(|value| **value > from).or(self.values.last().filter(|last| **last > self.off))
            }
            false => values.rfind(|value| **value < from).or(self.values.first()),
        };
        found.map_or(String::new(), f64::to_string)
    }
}
