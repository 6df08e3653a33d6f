//! The forward pass once more, in operations that candle can differentiate: slow, and for gradients alone. The fast
//! loops of [`super::gpt2`] cannot be; a test holds the two together.

use candle_core::{D, Device, Tensor, Var};

use super::Model;
use super::config::Activation;
use super::gpt2::{Attention, Gpt2, Mlp};
use super::linear::{LayerNorm, Linear};
use crate::error::Result;
use crate::interrupt::Interrupt;

/// A number that depends on a text's prediction, and how it would change with each token's embedding.
pub struct InputGradient {
    /// Of the token after the text, [vocab_size].
    pub logits: Vec<f32>,
    /// The token embeddings that were read, and the gradient with respect to them, [positions, n_embd] each.
    pub embeddings: Tensor,
    pub gradient: Tensor,
}

impl Model {
    /// Differentiates `measure` of the logits after a text, [vocab_size] → a single number, with respect to its token
    /// embeddings. The weights are copied, and their gradients are computed on the way: this takes three times the
    /// memory of the model.
    pub fn input_gradient(
        &self,
        ids: &[u32],
        interrupt: &Interrupt,
        measure: impl FnOnce(&Tensor) -> Result<Tensor>,
    ) -> Result<InputGradient> {
        self.check_prompt(ids)?;
        let (gpt2, width) = (self.gpt2(), self.config().n_embd);
        let rows: Vec<f32> = ids.iter().flat_map(|id| gpt2.token_embedding(*id)).copied().collect();
        let embeddings = Var::from_vec(rows, (ids.len(), width), &Device::Cpu)?; // [positions, n_embd]
        let logits = logits(gpt2, embeddings.as_tensor(), interrupt)?; // [vocab_size]
        let gradients = measure(&logits)?.backward()?;
        interrupt.check()?;
        let gradient = match gradients.get(&embeddings) {
            Some(gradient) => gradient.clone(),
            None => embeddings.zeros_like()?,
        };
        Ok(InputGradient { logits: logits.to_vec1()?, embeddings: embeddings.as_detached_tensor(), gradient })
    }
}

/// Token embeddings [positions, n_embd] → the logits of the token after the last, [vocab_size].
fn logits(gpt2: &Gpt2, embeddings: &Tensor, interrupt: &Interrupt) -> Result<Tensor> {
    let (positions, width) = embeddings.dims2()?;
    let wpe = Tensor::from_slice(&gpt2.wpe[..positions * width], (positions, width), &Device::Cpu)?;
    let mut x = (embeddings + wpe)?; // [positions, n_embd]
    for block in &gpt2.h {
        interrupt.check()?;
        x = (&x + attention(&block.attn, &layer_norm(&block.ln_1, &x)?)?)?; // [positions, n_embd]
        x = (&x + mlp(&block.mlp, &layer_norm(&block.ln_2, &x)?)?)?; // [positions, n_embd]
    }
    let last = layer_norm(&gpt2.ln_f, &x.narrow(0, positions - 1, 1)?)?; // [1, n_embd]
    Ok(last.matmul(&gpt2.lm_head.tensor()?.t()?)?.squeeze(0)?)
}

/// [positions, n_embd] → [positions, n_embd].
fn attention(attention: &Attention, x: &Tensor) -> Result<Tensor> {
    let Attention { c_attn, c_proj, n_embd, head_size, scale } = attention;
    let positions = x.dim(0)?;
    let qkv = linear(c_attn, x)?; // [positions, 3 · n_embd]
    let by_head = |part: usize| -> Result<Tensor> {
        let part = qkv.narrow(1, part * n_embd, *n_embd)?; // [positions, n_embd]
        let part = part.reshape((positions, n_embd / head_size, *head_size))?;
        Ok(part.transpose(0, 1)?.contiguous()?) // [n_head, positions, head size]
    };
    let (queries, keys, values) = (by_head(0)?, by_head(1)?, by_head(2)?);
    let scores = (queries.matmul(&keys.t()?.contiguous()?)? * f64::from(*scale))?; // [n_head, positions, positions]
    let weights = softmax(&scores.broadcast_add(&causal_mask(positions)?)?)?; // [n_head, positions, positions]
    let mixed = weights.matmul(&values)?.transpose(0, 1)?.contiguous()?; // [positions, n_head, head size]
    linear(c_proj, &mixed.reshape((positions, *n_embd))?)
}

/// [positions, n_embd] → [positions, n_embd].
fn mlp(mlp: &Mlp, x: &Tensor) -> Result<Tensor> {
    let x = linear(&mlp.c_fc, x)?; // [positions, n_inner]
    let x = match mlp.activation {
        Activation::GeluNew => x.gelu()?,
        Activation::Gelu => x.gelu_erf()?,
        Activation::Relu => x.relu()?,
        Activation::Silu => x.silu()?,
        Activation::Tanh => x.tanh()?,
    };
    linear(&mlp.c_proj, &x)
}

fn linear(linear: &Linear, x: &Tensor) -> Result<Tensor> {
    let (weight, bias) = linear.tensors()?;
    Ok(x.matmul(&weight)?.broadcast_add(&bias)?)
}

/// [positions, width] → the same.
fn layer_norm(norm: &LayerNorm, x: &Tensor) -> Result<Tensor> {
    let (gain, bias, epsilon) = norm.tensors()?;
    let x = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let deviation = (x.sqr()?.mean_keepdim(D::Minus1)? + epsilon)?.sqrt()?; // [positions, 1]
    Ok(x.broadcast_div(&deviation)?.broadcast_mul(&gain)?.broadcast_add(&bias)?)
}

/// Over the last dimension.
fn softmax(scores: &Tensor) -> Result<Tensor> {
    // A constant may be taken away, so that no exponential is too large.
    let scores = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?.detach())?;
    let weights = scores.exp()?;
    Ok(weights.broadcast_div(&weights.sum_keepdim(D::Minus1)?)?)
}

/// 0 for what a position may look at, -∞ for what comes later: [positions, positions].
fn causal_mask(positions: usize) -> Result<Tensor> {
    let mask = (0..positions)
        .flat_map(|row| (0..positions).map(move |column| if column > row { f32::NEG_INFINITY } else { 0.0 }));
    Ok(Tensor::from_iter(mask, &Device::Cpu)?.reshape((positions, positions))?)
}
