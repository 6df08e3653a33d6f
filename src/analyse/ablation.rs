//! What does a part of the model do? Cut it out while a text is read, and see what is lost.

use std::fmt;
use std::ops::Range;

use candle_core::Tensor;

use super::next_token::NextToken;
use crate::error::{Error, Result};
use crate::generate::options::{Bound, Setting, Value};
use crate::interrupt::Interrupt;
use crate::model::Model;
use crate::model::config::Config;
use crate::model::hook::{Hook, Place, change_rows};
use crate::tokenizer::Tokens;

/// A part that can be cut out. It is written as in `layer 3`, `layer 3 attention`, `layer 3 head 2`, `layer 3 MLP`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub layer: usize,
    pub which: Which,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Attention and MLP: the residual stream goes by.
    Whole,
    /// All heads, and the bias of the projection that they share.
    Attention,
    Head(usize),
    Mlp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts(pub Vec<Part>);

/// What stands in the place of what a part would have written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Substitute {
    #[default]
    Zero,
    /// What the part writes on average over the positions of the text: it says nothing of a single one any more, but
    /// the stream keeps its usual length.
    Mean,
}

crate::generate::options::options! {
    /// What is cut out of the model while it reads.
    pub struct AblationOptions {
        /// parts to cut out, such as `["layer 3", "layer 2 attention", "layer 2 head 1", "layer 0 MLP"]`
        ablate: Parts, Bound::Any;
        /// what takes their place: `"zero"`, or `"mean"` over the text's positions
        by: Substitute, Bound::Any;
    }
}

/// Cuts parts out of a pass.
pub struct Ablation {
    parts: Vec<Part>,
    by: Substitute,
    head_size: usize,
}

impl AblationOptions {
    /// The ablation that is asked for, if one is. Fails on a layer or head that the model does not have.
    pub fn ablation(&self, config: &Config) -> Result<Option<Ablation>> {
        let parts = match (&self.ablate, self.by) {
            (Some(Parts(parts)), _) => parts.clone(),
            (None, Some(_)) => return Err(Error::OptionNeedsOther { name: "by", other: "ablate" }),
            (None, None) => return Ok(None),
        };
        let within = |what, index: usize, count| match index < count {
            true => Ok(()),
            false => Err(Error::NoSuchPart { what, index: index as i64, count }),
        };
        for part in &parts {
            within("layer", part.layer, config.n_layer)?;
            if let Which::Head(head) = part.which {
                within("head", head, config.n_head)?;
            }
        }
        Ok(Some(Ablation { parts, by: self.by.unwrap_or_default(), head_size: config.head_size() }))
    }
}

impl Hook for Ablation {
    fn visit(&mut self, place: Place, layer: usize, x: &Tensor) -> Result<()> {
        for part in self.parts.iter().filter(|part| part.layer == layer) {
            let columns = match (part.which, place) {
                (Which::Whole | Which::Attention, Place::Attention) => 0..x.dim(1)?,
                (Which::Whole | Which::Mlp, Place::Mlp) => 0..x.dim(1)?,
                (Which::Head(head), Place::Mixed) => head * self.head_size..(head + 1) * self.head_size,
                _ => continue,
            };
            self.by.replace(x, columns)?;
        }
        Ok(())
    }
}

impl Substitute {
    /// Puts the same into every position: x is [positions, width].
    fn replace(self, x: &Tensor, columns: Range<usize>) -> Result<()> {
        let row = match self {
            Substitute::Zero => vec![0.0; columns.len()],
            Substitute::Mean => x.narrow(1, columns.start, columns.len())?.mean(0)?.to_vec1::<f32>()?,
        };
        change_rows(x, |_, x| x[columns.clone()].copy_from_slice(&row))
    }
}

/// What the model says comes next while parts of it are cut out.
pub fn next_token(
    model: &Model,
    tokens: &Tokens,
    ablation: &mut Ablation,
    interrupt: &Interrupt,
) -> Result<NextToken> {
    let rules = vec![ablation.to_string()];
    Ok(NextToken { rules, ..NextToken::after(model, tokens, ablation, interrupt)? })
}

/// As it stands in a title: `cutting layer 3 head 2`.
impl fmt::Display for Ablation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.parts.iter().map(Part::to_string).collect();
        write!(f, "cutting {}", if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") })?;
        match self.by {
            Substitute::Zero => Ok(()),
            Substitute::Mean => write!(f, " (the mean instead)"),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "layer {}", self.layer)?;
        match self.which {
            Which::Whole => Ok(()),
            Which::Attention => write!(f, " attention"),
            Which::Head(head) => write!(f, " head {head}"),
            Which::Mlp => write!(f, " MLP"),
        }
    }
}

impl Part {
    /// Reads what [`Part`] writes.
    fn parse(text: &str) -> Option<Part> {
        let text = text.to_lowercase();
        let words: Vec<&str> = text.split_whitespace().collect();
        let (layer, which) = match words.as_slice() {
            ["layer", layer] => (layer, Which::Whole),
            ["layer", layer, "attention"] => (layer, Which::Attention),
            ["layer", layer, "head", head] => (layer, Which::Head(head.parse().ok()?)),
            ["layer", layer, "mlp"] => (layer, Which::Mlp),
            _ => return None,
        };
        Some(Part { layer: layer.parse().ok()?, which })
    }
}

impl Setting for Parts {
    fn from_value(value: &Value) -> Result<Parts, &'static str> {
        let part = |value: &Value| match value {
            Value::Text(text) => Part::parse(text),
            _ => None,
        };
        match value {
            Value::List(values) => values.iter().map(part).collect::<Option<_>>(),
            value => part(value).map(|part| vec![part]),
        }
        .map(Parts)
        .ok_or("a list of parts: \"layer 3\", \"layer 3 attention\", \"layer 3 head 2\" or \"layer 3 MLP\"")
    }
}

impl Setting for Substitute {
    fn from_value(value: &Value) -> Result<Substitute, &'static str> {
        match value {
            Value::Text(text) if text == "zero" => Ok(Substitute::Zero),
            Value::Text(text) if text == "mean" => Ok(Substitute::Mean),
            _ => Err("\"zero\" or \"mean\""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_read_as_it_is_written() {
        for text in ["layer 3", "layer 0 attention", "layer 11 head 7", "layer 2 MLP"] {
            assert_eq!(Part::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "layer", "layer -1", "layer 1 head", "layer 1 hand 2", "head 2", "layer 1 MLP 2"] {
            assert_eq!(Part::parse(text), None, "{text}");
        }
    }
}
