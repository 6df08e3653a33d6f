//! By what number is a prediction judged, when one asks what it depends on?

use candle_core::{D, Tensor};

use super::surprisal::bits;
use crate::error::Result;
use crate::generate::options::{Setting, Value};
use crate::render::number::{number, percent};

/// A number for one token of a prediction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Measure {
    /// 0 to 1.
    #[default]
    Probability,
    /// log2 of the probability, in bits: the surprisal with the other sign.
    LogProbability,
    Logit,
}

impl Measure {
    /// Of one token, by the logits of all, [vocab_size].
    pub fn of(self, logits: &[f32], token: u32) -> f64 {
        match self {
            Measure::Probability => (-bits(logits, token)).exp2(),
            Measure::LogProbability => -bits(logits, token),
            Measure::Logit => f64::from(logits[token as usize]),
        }
    }

    /// The same in operations that can be differentiated: logits [vocab_size] → a single number.
    pub fn of_tensor(self, logits: &Tensor, token: u32) -> Result<Tensor> {
        let logit = logits.get(token as usize)?;
        let log_probability = || -> Result<Tensor> {
            let highest = logits.max(D::Minus1)?.detach();
            let total = logits.broadcast_sub(&highest)?.exp()?.sum_all()?.log()?;
            Ok(((&logit - highest)? - total)?)
        };
        match self {
            Measure::Probability => Ok(log_probability()?.exp()?),
            Measure::LogProbability => Ok((log_probability()? / std::f64::consts::LN_2)?),
            Measure::Logit => Ok(logit),
        }
    }

    /// A value of it for a reader.
    pub fn written(self, value: f64) -> String {
        match self {
            Measure::Probability => percent(value),
            Measure::LogProbability | Measure::Logit => number(value, 4),
        }
    }

    /// What it measures, with its unit.
    pub fn name(self) -> &'static str {
        match self {
            Measure::Probability => "probability",
            Measure::LogProbability => "log-probability in bits",
            Measure::Logit => "logit",
        }
    }
}

impl Setting for Measure {
    fn from_value(value: &Value) -> Result<Measure, &'static str> {
        match value {
            Value::Text(text) if text == "probability" => Ok(Measure::Probability),
            Value::Text(text) if text == "log_probability" => Ok(Measure::LogProbability),
            Value::Text(text) if text == "logit" => Ok(Measure::Logit),
            _ => Err("\"probability\", \"log_probability\" or \"logit\""),
        }
    }
}
