//! The forward pass once more, for gradients alone: products with weights are the fast ones, with their gradient
//! written out, and all else is in candle's own operations, which it can differentiate. The fast loops of
//! [`super::gpt2`] for attention, layer norm and MLP cannot be; a test holds the two passes together.

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Shape, Tensor, Var};

use super::gpt2::{Attention, Block, Gpt2, Mlp};
use super::linear::{LayerNorm, Linear};
use super::{Model, tensors};
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
    /// embeddings.
    pub fn input_gradient(
        &self,
        ids: &[u32],
        interrupt: &Interrupt,
        measure: impl FnOnce(&Tensor) -> Result<Tensor>,
    ) -> Result<InputGradient> {
        self.check_prompt(ids)?;
        let (gpt2, width) = (self.gpt2(), self.config().n_embd);
        let rows: Vec<f32> = ids.iter().flat_map(|id| gpt2.token_embedding(*id).into_owned()).collect();
        let embeddings = Var::from_vec(rows, (ids.len(), width), &Device::Cpu)?; // [positions, n_embd]
        let logits = self.differentiable_logits(embeddings.as_tensor(), interrupt)?; // [vocab_size]
        let gradients = measure(&logits)?.backward()?;
        interrupt.check()?;
        let gradient = match gradients.get(&embeddings) {
            Some(gradient) => gradient.clone(),
            None => embeddings.zeros_like()?,
        };
        Ok(InputGradient { logits: logits.to_vec1()?, embeddings: embeddings.as_detached_tensor(), gradient })
    }

    /// Token embeddings [positions, n_embd] → the logits of the token after the last, [vocab_size].
    fn differentiable_logits(&self, embeddings: &Tensor, interrupt: &Interrupt) -> Result<Tensor> {
        let (gpt2, (positions, width)) = (self.gpt2(), embeddings.dims2()?);
        let wpe = Tensor::from_slice(&gpt2.wpe[..positions * width], (positions, width), &Device::Cpu)?;
        let mut x = (embeddings + wpe)?; // [positions, n_embd]
        for (layer, block) in gpt2.h.iter().enumerate() {
            interrupt.check()?;
            let linear = |which, x: &Tensor| self.linear(layer, which, x);
            x = (&x + attention(&block.attn, &layer_norm(&block.ln_1, &x)?, linear)?)?; // [positions, n_embd]
            x = (&x + mlp(&block.mlp, &layer_norm(&block.ln_2, &x)?, linear)?)?; // [positions, n_embd]
        }
        let last = layer_norm(&gpt2.ln_f, &x.narrow(0, positions - 1, 1)?)?; // [1, n_embd]
        Ok(last.apply_op1(Product::new(self, |gpt2| Factor::Head(gpt2)))?.squeeze(0)?)
    }

    fn linear(&self, layer: usize, which: fn(&Block) -> &Linear, x: &Tensor) -> Result<Tensor> {
        Ok(x.apply_op1(Product::new(self, move |gpt2| Factor::Linear(which(&gpt2.h[layer]))))?)
    }
}

/// The product with a weight of the model, which is not copied for as long as the gradient is worked out, and has no
/// gradient itself.
struct Product<F> {
    model: Model,
    factor: F,
}

/// What is multiplied with.
enum Factor<'a> {
    Linear(&'a Linear),
    Head(&'a Gpt2),
}

impl<F: for<'a> Fn(&'a Gpt2) -> Factor<'a>> Product<F> {
    fn new(model: &Model, factor: F) -> Product<F> {
        Product { model: model.clone(), factor }
    }
}

impl<F: for<'a> Fn(&'a Gpt2) -> Factor<'a>> CustomOp1 for Product<F> {
    fn name(&self) -> &'static str {
        "product with a weight"
    }

    /// [positions, inputs] → [positions, outputs], by the fast loops.
    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let x = match layout.contiguous_offsets() {
            Some((start, end)) => &x.as_slice::<f32>()?[start..end],
            None => candle_core::bail!("a product takes contiguous rows"),
        };
        let x = Tensor::from_slice(x, layout.shape().clone(), &Device::Cpu)?;
        let y = match (self.factor)(self.model.gpt2()) {
            Factor::Linear(linear) => linear.forward(&x),
            Factor::Head(gpt2) => gpt2.logits(&x),
        };
        let y = y.map_err(candle_core::Error::wrap)?;
        Ok((CpuStorage::F32(y.flatten_all()?.to_vec1()?), y.shape().clone()))
    }

    /// y = xW + b: the gradient of x is that of y, times W transposed.
    fn bwd(&self, _: &Tensor, _: &Tensor, gradient: &Tensor) -> candle_core::Result<Option<Tensor>> {
        let transposed = match (self.factor)(self.model.gpt2()) {
            Factor::Linear(linear) => linear.tensors().map_err(candle_core::Error::wrap)?.0.t()?,
            Factor::Head(gpt2) => gpt2.lm_head.tensor().map_err(candle_core::Error::wrap)?,
        };
        Ok(Some(gradient.contiguous()?.matmul(&transposed)?))
    }
}

/// [positions, n_embd] → [positions, n_embd].
fn attention(attention: &Attention, x: &Tensor, linear: impl Through) -> Result<Tensor> {
    let qkv = linear(|block| &block.attn.c_attn, x)?; // [positions, 3 · n_embd]
    let [queries, keys, values] = tensors::by_head(&qkv, attention.head_size)?; // [n_head, positions, head size]
    let mixed = tensors::attend(&queries, &keys, &values, attention.scale)?; // [positions, n_embd]
    linear(|block| &block.attn.c_proj, &mixed)
}

/// [positions, n_embd] → [positions, n_embd].
fn mlp(mlp: &Mlp, x: &Tensor, linear: impl Through) -> Result<Tensor> {
    let x = linear(|block| &block.mlp.c_fc, x)?; // [positions, n_inner]
    linear(|block| &block.mlp.c_proj, &tensors::activate(mlp.activation, &x)?)
}

/// One of a block's linear layers, applied to rows: [positions, inputs] → [positions, outputs].
trait Through: Fn(fn(&Block) -> &Linear, &Tensor) -> Result<Tensor> {}

impl<F: Fn(fn(&Block) -> &Linear, &Tensor) -> Result<Tensor>> Through for F {}

/// [positions, width] → the same.
fn layer_norm(norm: &LayerNorm, x: &Tensor) -> Result<Tensor> {
    let (gain, bias, epsilon) = norm.tensors(&Device::Cpu)?;
    tensors::layer_norm(x, &gain, &bias, epsilon)
}
