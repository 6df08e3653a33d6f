//! Which parts of the model raise a token's logit, and which lower it?
//!
//! The residual stream is a sum: embeddings, what each head added, what each MLP added. With the final layer norm
//! held at the scale that it had, the logit is linear in the stream, so each part has a share of it (direct logit
//! attribution; Elhage et al. 2021).

use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::model::Model;
use crate::model::hook::Place;
use crate::render::{Cell, Chart, Column, Growth, HeatMap, SignedBars, Table, label};
use crate::tokenizer::Tokens;

/// What adds to the residual stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Token,
    Position,
    Head {
        layer: usize,
        head: usize,
    },
    /// The bias of the projection that the heads of a layer share.
    AttentionBias {
        layer: usize,
    },
    Mlp {
        layer: usize,
    },
    /// The final layer norm's own bias.
    FinalBias,
}

/// The shares of the logit of one token, or of the difference of two, after a text.
#[derive(Clone, Debug)]
pub struct Contributions {
    pub tokens: Tokens,
    pub token: u32,
    pub other: Option<u32>,
    /// In the order in which the stream is summed.
    pub parts: Vec<(Source, f64)>,
    /// The logit, or the difference, as the model computed it.
    pub logit: f64,
    heads: usize,
}

/// Takes the logit of `token` after a text apart, less that of `other` if there is one. Fails on an id outside the
/// vocabulary.
pub fn contributions(
    model: &Model,
    tokens: &Tokens,
    token: u32,
    other: Option<u32>,
    interrupt: &Interrupt,
) -> Result<Contributions> {
    model.check_prompt(tokens.ids())?;
    model.check_prompt(&[token, other.unwrap_or(token)])?;
    let (gpt2, trace) =
        (model.gpt2(), model.trace(tokens.ids(), &[Place::Before, Place::Mixed, Place::Mlp], interrupt)?);
    let position = tokens.len() - 1;
    let row = |x: &candle_core::Tensor| -> Result<Vec<f32>> { Ok(x.get(position)?.to_vec1()?) };
    let last = row(trace.last())?;
    let direction = gpt2.readout().direction(token, other);
    let scale = gpt2.readout().scale(&last);
    let share = |part: &[f32]| direction.logit(part, scale);

    let id = tokens.ids()[position];
    let mut parts = vec![
        (Source::Token, share(&gpt2.token_embedding(id))),
        (Source::Position, share(gpt2.position_embedding(position))),
    ];
    for layer in 0..trace.layers() {
        let mut heads = gpt2.head_outputs(layer, &row(trace.at(Place::Mixed, layer))?)?;
        let bias = heads.pop().unwrap_or_default();
        let each = heads.iter().enumerate().map(|(head, x)| (Source::Head { layer, head }, share(x)));
        parts.extend(each);
        parts.push((Source::AttentionBias { layer }, share(&bias)));
        parts.push((Source::Mlp { layer }, share(&row(trace.at(Place::Mlp, layer))?)));
    }
    parts.push((Source::FinalBias, direction.bias));

    let x = gpt2.normalise(&trace.last().narrow(0, position, 1)?)?; // [1, n_embd]
    let logits = gpt2.logits(&x)?.flatten_all()?.to_vec1::<f32>()?; // [vocab_size]
    let logit = |id: u32| f64::from(logits[id as usize]);
    let logit = logit(token) - other.map_or(0.0, logit);
    Ok(Contributions { tokens: tokens.clone(), token, other, parts, logit, heads: trace.heads() })
}

impl Source {
    fn layer(self) -> Option<usize> {
        match self {
            Source::Head { layer, .. } | Source::AttentionBias { layer } | Source::Mlp { layer } => {
                Some(layer)
            }
            Source::Token | Source::Position | Source::FinalBias => None,
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::Token => write!(f, "token embedding"),
            Source::Position => write!(f, "position embedding"),
            Source::Head { layer, head } => write!(f, "layer {layer} head {head}"),
            Source::AttentionBias { layer } => write!(f, "layer {layer} attention bias"),
            Source::Mlp { layer } => write!(f, "layer {layer} MLP"),
            Source::FinalBias => write!(f, "final layer norm bias"),
        }
    }
}

impl Contributions {
    /// What was taken apart: `logit of ·Mary less ·John`.
    fn what(&self) -> String {
        let name = |id: u32| label(&self.tokens.tokenizer().piece(id));
        match self.other {
            Some(other) => format!("logit of {} less {}", name(self.token), name(other)),
            None => format!("logit of {}", name(self.token)),
        }
    }

    /// The parts with the heads of each layer taken together.
    pub fn by_layer(&self) -> Vec<(String, f64)> {
        let mut sums: Vec<(String, f64)> = Vec::new();
        for (source, share) in &self.parts {
            let name = match (source, source.layer()) {
                (Source::Mlp { .. }, _) | (_, None) => source.to_string(),
                (_, Some(layer)) => format!("layer {layer} attention"),
            };
            match sums.last_mut() {
                Some((last, sum)) if *last == name => *sum += share,
                _ => sums.push((name, *share)),
            }
        }
        sums
    }

    /// The `n` parts that count most, heads by themselves.
    pub fn top(&self, n: usize) -> Vec<(String, f64)> {
        let mut parts: Vec<_> =
            self.parts.iter().map(|(source, share)| (source.to_string(), *share)).collect();
        parts.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
        parts.truncate(n);
        parts
    }

    /// Rows of any of these parts, with what they sum to.
    pub fn table(&self, parts: &[(String, f64)]) -> Table {
        let sum: f64 = parts.iter().map(|(_, share)| share).sum();
        Table::new([Column::left("part"), Column::right("logit")])
            .rows(parts.iter().map(|(name, share)| [Cell::Text(name.clone()), Cell::Number(*share)]))
            .note(format!("{sum:.3} together; the {} is {:.3}", self.what(), self.logit))
    }

    pub fn chart(&self, parts: Vec<(String, f64)>) -> Chart {
        SignedBars {
            title: format!("What makes the {}", self.what()),
            subtitle: Some(format!("after “{}”", super::next_token::end_of(&self.tokens.text()))),
            axis: format!("logit ({:.2} in all)", self.logit),
            bars: parts,
        }
        .into()
    }

    /// The heads as a map, layers × heads.
    pub fn heads(&self) -> Chart {
        let shares: Vec<f64> = self
            .parts
            .iter()
            .filter(|(source, _)| matches!(source, Source::Head { .. }))
            .map(|(_, share)| *share)
            .collect();
        let (low, high) =
            shares.iter().fold((0.0, 0.0), |(low, high), x| (f64::min(low, *x), f64::max(high, *x)));
        let rows = shares.chunks(self.heads).map(|row| row.iter().map(|share| Some(*share)).collect());
        HeatMap {
            title: format!("What each head adds to the {}", self.what()),
            subtitle: Some(format!("after “{}”", super::next_token::end_of(&self.tokens.text()))),
            row_name: "layer".to_owned(),
            column_name: "head".to_owned(),
            rows: (0..shares.len() / self.heads).map(|layer| layer.to_string()).collect(),
            columns: (0..self.heads).map(|head| head.to_string()).collect(),
            values: rows.collect(),
            words: Vec::new(),
            unit: "logit".to_owned(),
            range: (low, high),
            growth: Growth::Even,
        }
        .into()
    }
}
