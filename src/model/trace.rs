//! What a pass recorded: the residual stream, what each part added to it, and who looked at whom.

use candle_core::Tensor;

use super::Model;
use super::config::Config;
use super::hook::{Hook, Place};
use crate::error::Result;
use crate::interrupt::Interrupt;

/// The record of one pass over an empty cache, of the places that were asked for.
///
/// Values are copied, since the pass goes on to change them in place. Attention patterns are computed again from
/// queries and keys when somebody asks for them.
pub struct Trace {
    wanted: &'static [Place],
    /// By place, then layer.
    places: [Vec<Tensor>; 6],
    config: Config,
}

impl Hook for Trace {
    fn visit(&mut self, place: Place, _: usize, x: &Tensor) -> Result<()> {
        if self.wanted.contains(&place) {
            self.places[place as usize].push(x.copy()?);
        }
        Ok(())
    }
}

impl Trace {
    pub fn layers(&self) -> usize {
        self.config.n_layer
    }

    pub fn heads(&self) -> usize {
        self.config.n_head
    }

    /// What a layer had at a place that was recorded: [positions, width]. `layer` is below [`Trace::layers`].
    pub fn at(&self, place: Place, layer: usize) -> &Tensor {
        &self.places[place as usize][layer]
    }

    /// The residual stream behind the last block, what the final layer norm takes: [positions, width]. It is there
    /// if [`Place::Before`] was recorded.
    pub fn last(&self) -> &Tensor {
        self.at(Place::Before, self.layers())
    }

    /// How much each position looks at each: [head, position, position]. Rows sum to 1, what lies ahead is 0.
    pub fn patterns(&self, layer: usize) -> Result<Vec<Vec<Vec<f32>>>> {
        let Config { n_embd, n_head, .. } = self.config;
        let qkv = self.at(Place::Qkv, layer); // [positions, 3 · n_embd]
        let positions = qkv.dim(0)?;
        let by_head = |part: usize| -> Result<Tensor> {
            let part = qkv.narrow(1, part * n_embd, n_embd)?; // [positions, n_embd]
            let shape = (positions, n_head, self.config.head_size());
            Ok(part.reshape(shape)?.transpose(0, 1)?.contiguous()?) // [n_head, positions, head size]
        };
        let (queries, keys) = (by_head(0)?, by_head(1)?);
        let scores = queries.matmul(&keys.transpose(1, 2)?.contiguous()?)?; // [n_head, positions, positions]
        let scale = self.config.attention_scale(layer);
        let mut patterns: Vec<Vec<Vec<f32>>> = scores.to_vec3()?;
        for pattern in &mut patterns {
            for (position, row) in pattern.iter_mut().enumerate() {
                causal_softmax(row, position + 1, scale);
            }
        }
        Ok(patterns)
    }
}

/// Softmax over the first `seen` scores; the others get 0.
fn causal_softmax(row: &mut [f32], seen: usize, scale: f32) {
    let (past, future) = row.split_at_mut(seen);
    let highest = past.iter().fold(f32::NEG_INFINITY, |highest, score| highest.max(score * scale));
    past.iter_mut().for_each(|score| *score = (*score * scale - highest).exp());
    let total: f32 = past.iter().sum();
    past.iter_mut().for_each(|weight| *weight /= total);
    future.fill(0.0);
}

impl Model {
    /// Reads a text from its start and records these places of the pass.
    pub fn trace(&self, ids: &[u32], wanted: &'static [Place], interrupt: &Interrupt) -> Result<Trace> {
        self.check_prompt(ids)?;
        let mut trace = Trace { wanted, places: Default::default(), config: self.config().clone() };
        self.gpt2().forward(ids, &mut self.empty_cache(), interrupt, Some(&mut trace))?;
        Ok(trace)
    }

    /// Reads a text from its start and hands over the logits of each position from `first` on, a few at a time:
    /// those of a whole text would take 200 KB a token.
    pub fn each_logits(
        &self,
        ids: &[u32],
        first: usize,
        hook: Option<&mut dyn Hook>,
        interrupt: &Interrupt,
        mut each: impl FnMut(usize, Vec<f32>) -> Result<()>,
    ) -> Result<()> {
        const ROWS: usize = 32;
        self.check_prompt(ids)?;
        let x = self.gpt2().forward(ids, &mut self.empty_cache(), interrupt, hook)?; // [positions, n_embd]
        for start in (first..ids.len()).step_by(ROWS) {
            interrupt.check()?;
            let rows = x.narrow(0, start, ROWS.min(ids.len() - start))?; // [rows, n_embd]
            let logits = self.gpt2().logits(&rows)?.to_vec2::<f32>()?; // [rows, vocab_size]
            for (position, logits) in (start..).zip(logits) {
                each(position, logits)?;
            }
        }
        Ok(())
    }
}
