//! What a pass recorded: the residual stream, what each part added to it, and who looked at whom.

use candle_core::Tensor;

use super::Model;
use super::cache::Cache;
use super::config::Config;
use crate::error::Result;
use crate::interrupt::Interrupt;

/// A place in a block whose value can be recorded, [positions, width] each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The residual stream that enters the block.
    Before,
    /// Queries, keys and values side by side: three times as wide as the stream.
    Qkv,
    /// The heads' mixes of values side by side, before `c_proj`.
    Mixed,
    /// What attention adds to the stream.
    Attention,
    /// The residual stream between attention and MLP.
    Middle,
    /// What the MLP adds to the stream.
    Mlp,
}

/// The record of one pass over an empty cache.
///
/// Values are copied, since the pass may go on to change them in place. Attention patterns are computed again from
/// queries and keys when somebody asks for them.
pub struct Trace {
    places: [Vec<Tensor>; 6],
    /// The stream behind the last block, before the final layer norm.
    last: Option<Tensor>,
    config: Config,
}

impl Trace {
    pub fn new(config: &Config) -> Trace {
        Trace { places: Default::default(), last: None, config: config.clone() }
    }

    /// Takes what the next layer has at this place; layers come in their order.
    pub(super) fn record(&mut self, place: Place, x: &Tensor) -> Result<()> {
        self.places[place as usize].push(x.copy()?);
        Ok(())
    }

    pub(super) fn finish(&mut self, x: &Tensor) -> Result<()> {
        self.last = Some(x.copy()?);
        Ok(())
    }

    pub fn layers(&self) -> usize {
        self.config.n_layer
    }

    pub fn heads(&self) -> usize {
        self.config.n_head
    }

    /// What a layer had at a place: [positions, width]. `layer` is below [`Trace::layers`].
    pub fn at(&self, place: Place, layer: usize) -> &Tensor {
        &self.places[place as usize][layer]
    }

    /// The residual stream behind the last block, what the final layer norm takes: [positions, width].
    pub fn last(&self) -> &Tensor {
        self.last.as_ref().expect("a trace is handed out when its pass is over")
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
    /// Reads a text from its start and records the pass.
    pub fn trace(&self, ids: &[u32], interrupt: &Interrupt) -> Result<Trace> {
        self.check_prompt(ids)?;
        let mut trace = Trace::new(self.config());
        self.gpt2().forward(ids, &mut Cache::new(self.config()), interrupt, Some(&mut trace))?;
        Ok(trace)
    }

    /// Reads a text from its start and hands over the logits of each position from `first` on, a few at a time:
    /// those of a whole text would take 200 KB a token.
    pub fn each_logits(
        &self,
        ids: &[u32],
        first: usize,
        interrupt: &Interrupt,
        mut each: impl FnMut(usize, Vec<f32>) -> Result<()>,
    ) -> Result<()> {
        const ROWS: usize = 32;
        self.check_prompt(ids)?;
        let x = self.gpt2().forward(ids, &mut Cache::new(self.config()), interrupt, None)?; // [positions, n_embd]
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
