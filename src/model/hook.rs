//! Who may look into a pass, and change what it finds there?

use candle_core::Tensor;

use super::Model;
use super::linear::in_place;
use crate::error::Result;
use crate::interrupt::Interrupt;

/// A place in a block, where a pass has one value for each position: [positions, width].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The residual stream that enters the block. There is one more of them than blocks: what leaves the last one,
    /// before the final layer norm.
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

/// What goes along with a pass. It is shown every place of every layer, in the order in which they are computed.
pub trait Hook {
    /// `x` is [positions, width]. The pass goes on with what is left in it, and may itself change it later: what is
    /// to be kept must be copied.
    fn visit(&mut self, place: Place, layer: usize, x: &Tensor) -> Result<()>;
}

/// Goes along and does nothing.
impl Hook for () {
    fn visit(&mut self, _: Place, _: usize, _: &Tensor) -> Result<()> {
        Ok(())
    }
}

/// Changes the rows of a place where they are: `change` gets each position with its row, [width].
pub fn change_rows(x: &Tensor, mut change: impl FnMut(usize, &mut [f32])) -> Result<()> {
    let width = x.dim(1)?;
    in_place(x, |x| x.chunks_exact_mut(width).enumerate().for_each(|(position, row)| change(position, row)))
}

impl Model {
    /// Reads a text from its start with a hook, and gives the logits of the token after it: [vocab_size].
    pub fn logits_with(&self, ids: &[u32], hook: &mut dyn Hook, interrupt: &Interrupt) -> Result<Vec<f32>> {
        self.check_prompt(ids)?;
        let x = self.gpt2().forward(ids, &mut self.empty_cache(), interrupt, Some(hook))?; // [positions, n_embd]
        let last = x.narrow(0, ids.len() - 1, 1)?; // [1, n_embd]
        Ok(self.gpt2().logits(&last)?.flatten_all()?.to_vec1()?)
    }
}
