//! Which tokens does the model take for much the same? Those whose embeddings point the same way.

use crate::error::Result;
use crate::model::Model;
use crate::render::{Cell, Chart, Column, SignedBars, Table, label};
use crate::tokenizer::Tokenizer;

/// A token and those nearest to it, nearest first.
#[derive(Clone)]
pub struct Neighbours {
    pub token: u32,
    pub tokenizer: Tokenizer,
    /// Ids with the cosine of the angle to the token's embedding.
    pub nearest: Vec<(u32, f64)>,
}

/// The cosine of the angle between the embeddings of two tokens, -1 to 1. Fails on an id outside the vocabulary.
pub fn similarity(model: &Model, a: u32, b: u32) -> Result<f64> {
    model.check_prompt(&[a, b])?;
    Ok(cosine(&model.gpt2().token_embedding(a), &model.gpt2().token_embedding(b)))
}

/// The `n` tokens nearest to one, itself left out. Fails on an id outside the vocabulary.
pub fn neighbours(model: &Model, token: u32, n: usize) -> Result<Neighbours> {
    model.check_prompt(&[token])?;
    let own = model.gpt2().token_embedding(token);
    // A vocabulary may be padded with ids that stand for nothing.
    let size = model.config().vocab_size.min(model.tokenizer().vocabulary_size()) as u32;
    let others = (0..size).filter(|id| *id != token);
    let mut nearest: Vec<(u32, f64)> =
        others.map(|id| (id, cosine(&own, &model.gpt2().token_embedding(id)))).collect();
    nearest.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    nearest.truncate(n);
    Ok(Neighbours { token, tokenizer: model.tokenizer().clone(), nearest })
}

pub(super) fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(x * y)).sum::<f64>();
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths > 0.0 { dot(a, b) / lengths } else { 0.0 }
}

impl Neighbours {
    fn named(&self) -> impl Iterator<Item = (u32, String, f64)> {
        self.nearest.iter().map(|(id, cosine)| (*id, label(&self.tokenizer.piece(*id)), *cosine))
    }

    pub fn table(&self) -> Table {
        let columns = [Column::right("id"), Column::left("token"), Column::right("cosine")];
        let row = |(id, token, cosine): (u32, String, f64)| [id.into(), Cell::Text(token), cosine.into()];
        let note = match self.nearest.iter().all(|(_, cosine)| *cosine == 0.0) {
            true => format!("the model has learnt nothing about `{}`: its embedding is zero", self.own()),
            false => format!("nearest to `{}`; 1 is the same direction, 0 none in common", self.own()),
        };
        Table::new(columns).rows(self.named().map(row)).note(note)
    }

    fn own(&self) -> String {
        label(&self.tokenizer.piece(self.token))
    }

    pub fn chart(&self) -> Chart {
        SignedBars {
            title: format!("The tokens nearest to {}", self.own()),
            subtitle: None,
            axis: "cosine of the embeddings".to_owned(),
            bars: self.named().map(|(_, token, cosine)| (token, cosine)).collect(),
        }
        .into()
    }
}
