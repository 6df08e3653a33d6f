//! The forward pass of GPT-2 (Radford et al. 2019), with the names of the published weights.

use std::borrow::Cow;
use std::sync::Arc;

use candle_core::{Device, Tensor};

use super::cache::{Cache, LayerCache};
use super::config::{Activation, Config};
use super::hook::{Hook, Place};
use super::linear::{Embedding, LayerNorm, Linear, Numerics, add};
use super::precision::Precision;
use super::readout::Readout;
use super::weights::{Checkpoint, Weight};
use crate::error::Result;
use crate::interrupt::Interrupt;

/// All weights of a model. Immutable: what changes while a text is read is in the [`Cache`].
pub struct Gpt2 {
    /// Token embedding, [vocab_size, n_embd].
    pub(super) wte: Arc<Embedding>,
    /// Position embedding, [n_positions, n_embd].
    pub(super) wpe: Weight,
    pub(super) h: Vec<Block>,
    pub(super) ln_f: LayerNorm,
    /// The token embedding again, unless the model keeps another one.
    pub(super) lm_head: Arc<Embedding>,
    readout: Readout,
    pub(super) n_embd: usize,
    /// Where passes run by candle's operations; nothing for the fast loops.
    device: Option<Device>,
}

pub(super) struct Block {
    pub(super) ln_1: LayerNorm,
    pub(super) attn: Attention,
    pub(super) ln_2: LayerNorm,
    pub(super) mlp: Mlp,
}

pub(super) struct Attention {
    /// Queries, keys and values side by side.
    pub(super) c_attn: Linear,
    pub(super) c_proj: Linear,
    pub(super) n_embd: usize,
    pub(super) head_size: usize,
    pub(super) scale: f32,
}

pub(super) struct Mlp {
    pub(super) c_fc: Linear,
    pub(super) c_proj: Linear,
    pub(super) activation: Activation,
}

impl Gpt2 {
    /// Takes the weights that this configuration asks for; others in the checkpoint are ignored. A device that is not
    /// the CPU gets a copy of them, and reads with that.
    pub fn new(
        config: &Config,
        checkpoint: &Checkpoint,
        precision: Precision,
        device: Option<&Device>,
    ) -> Result<Gpt2> {
        let numerics = Numerics { precision, device };
        let exact = Numerics { precision: Precision::F32, device: None };
        let Config { vocab_size, n_positions, n_embd, layer_norm_epsilon, .. } = *config;
        let (wte, lm_head) = match config.tie_word_embeddings {
            true => {
                let wte = Arc::new(Embedding::tokens(checkpoint, vocab_size, n_embd, numerics)?);
                (wte.clone(), wte)
            }
            false => (
                Arc::new(Embedding::tokens(checkpoint, vocab_size, n_embd, exact)?),
                Arc::new(Embedding::head(checkpoint, vocab_size, n_embd, numerics)?),
            ),
        };
        Ok(Gpt2 {
            wpe: checkpoint.weight("wpe.weight", &[n_positions, n_embd])?,
            h: (0..config.n_layer)
                .map(|layer| Block::new(config, checkpoint, layer, numerics))
                .collect::<Result<_>>()?,
            ln_f: LayerNorm::new(checkpoint, "ln_f", n_embd, layer_norm_epsilon, device)?,
            readout: Readout::new(config, checkpoint, lm_head.clone())?,
            lm_head,
            wte,
            n_embd,
            device: device.cloned(),
        })
    }

    /// Reads `ids` as the positions that follow those in the cache: [positions] → [positions, n_embd], the
    /// residual stream after the final layer norm. The cache then holds the new positions too, unless this fails.
    /// A hook sees what the blocks do, and may change it.
    pub fn forward(
        &self,
        ids: &[u32],
        cache: &mut Cache,
        interrupt: &Interrupt,
        mut hook: Option<&mut dyn Hook>,
    ) -> Result<Tensor> {
        let mut x = self.embed(ids, cache.len())?; // [positions, n_embd]
        for (layer, block) in self.h.iter().enumerate() {
            interrupt.check()?;
            let past = cache.len();
            let visit =
                &mut |place, x: &Tensor| hook.iter_mut().try_for_each(|hook| hook.visit(place, layer, x));
            visit(Place::Before, &x)?;
            let read = block.attn.forward(&block.ln_1.forward(&x)?, cache.layer(layer), past, visit)?; // [positions, n_embd]
            visit(Place::Attention, &read)?;
            x = add(x, &read)?; // [positions, n_embd]
            visit(Place::Middle, &x)?;
            let thought = block.mlp.forward(&block.ln_2.forward(&x)?)?; // [positions, n_embd]
            visit(Place::Mlp, &thought)?;
            x = add(x, &thought)?; // [positions, n_embd]
        }
        if let Some(hook) = hook {
            hook.visit(Place::Before, self.h.len(), &x)?;
        }
        let x = self.ln_f.forward(&x)?; // [positions, n_embd]
        cache.advance(ids.len());
        Ok(x)
    }

    /// A cache with nothing in it, where this model's passes look for it.
    pub fn empty_cache(&self, config: &Config) -> Cache {
        Cache::new(config, self.device.is_some())
    }

    /// Logits of rows that [`Gpt2::forward`] gave: [positions, n_embd] → [positions, vocab_size].
    pub fn logits(&self, x: &Tensor) -> Result<Tensor> {
        self.lm_head.products(x)
    }

    /// The stream as the head takes it: the final layer norm of any rows, [positions, n_embd] → the same.
    pub fn normalise(&self, x: &Tensor) -> Result<Tensor> {
        self.ln_f.forward(x)
    }

    /// What each head of a layer adds to the stream at one position, and last what the bias of their projection
    /// adds: [n_embd] (a row of [`Place::Mixed`]) → [n_head + 1, n_embd].
    pub fn head_outputs(&self, layer: usize, mixed: &[f32]) -> Result<Vec<Vec<f32>>> {
        self.h[layer].attn.apart(mixed)
    }

    /// What the weights take that rows are multiplied with: those of the linear layers and of the head, in bytes.
    pub fn factor_bytes(&self) -> usize {
        let block = |block: &Block| {
            let Block { attn, mlp, .. } = block;
            [&attn.c_attn, &attn.c_proj, &mlp.c_fc, &mlp.c_proj].map(Linear::bytes).iter().sum::<usize>()
        };
        self.h.iter().map(block).sum::<usize>() + self.lm_head.bytes()
    }

    pub fn readout(&self) -> &Readout {
        &self.readout
    }

    /// The embedding of one token: [n_embd]. The id must be inside the vocabulary.
    pub fn token_embedding(&self, id: u32) -> Cow<'_, [f32]> {
        self.wte.row(id)
    }

    /// The embedding of one position: [n_embd]. The position must be inside the context.
    pub fn position_embedding(&self, position: usize) -> &[f32] {
        &self.wpe[position * self.n_embd..][..self.n_embd]
    }

    /// wte + wpe: [positions] → [positions, n_embd].
    fn embed(&self, ids: &[u32], past: usize) -> Result<Tensor> {
        let sum = |(token, position): (Cow<[f32]>, &[f32])| -> Vec<f32> {
            token.iter().zip(position).map(|(token, position)| token + position).collect()
        };
        let rows = ids
            .iter()
            .map(|id| self.token_embedding(*id))
            .zip((past..).map(|position| self.position_embedding(position)));
        let x: Vec<f32> = rows.flat_map(sum).collect();
        Ok(Tensor::from_vec(x, (ids.len(), self.n_embd), self.device.as_ref().unwrap_or(&Device::Cpu))?) // [positions, n_embd]
    }
}

impl Block {
    fn new(config: &Config, checkpoint: &Checkpoint, layer: usize, numerics: Numerics) -> Result<Block> {
        let Config { n_embd, layer_norm_epsilon, .. } = *config;
        let norm = |name| {
            let name = format!("h.{layer}.{name}");
            LayerNorm::new(checkpoint, &name, n_embd, layer_norm_epsilon, numerics.device)
        };
        let linear = |name, inputs, outputs| {
            Linear::conv1d(checkpoint, &format!("h.{layer}.{name}"), inputs, outputs, numerics)
        };
        Ok(Block {
            ln_1: norm("ln_1")?,
            attn: Attention {
                c_attn: linear("attn.c_attn", n_embd, 3 * n_embd)?,
                c_proj: linear("attn.c_proj", n_embd, n_embd)?,
                n_embd,
                head_size: config.head_size(),
                scale: config.attention_scale(layer),
            },
            ln_2: norm("ln_2")?,
            mlp: Mlp {
                c_fc: linear("mlp.c_fc", n_embd, config.inner())?,
                c_proj: linear("mlp.c_proj", config.inner(), n_embd)?,
                activation: config.activation_function,
            },
        })
    }
}

impl Attention {
    /// [positions, n_embd] → [positions, n_embd]; keys and values join the cache.
    fn forward(
        &self,
        x: &Tensor,
        cache: &mut LayerCache,
        past: usize,
        visit: &mut impl FnMut(Place, &Tensor) -> Result<()>,
    ) -> Result<Tensor> {
        let qkv = self.c_attn.forward(x)?; // [positions, 3 · n_embd]
        visit(Place::Qkv, &qkv)?;
        let mixed = cache.attend(&qkv, past, self.head_size, self.scale)?; // [positions, n_embd]
        visit(Place::Mixed, &mixed)?;
        self.c_proj.forward(&mixed)
    }

    /// What each head adds to the stream at one position, and last what the bias adds: [n_embd] → [n_head + 1, n_embd].
    fn apart(&self, mixed: &[f32]) -> Result<Vec<Vec<f32>>> {
        let heads = self.n_embd / self.head_size;
        // Each row keeps the columns of its head; the last keeps none.
        let mut rows = vec![0.0; (heads + 1) * self.n_embd];
        for (head, row) in rows.chunks_exact_mut(self.n_embd).take(heads).enumerate() {
            let columns = head * self.head_size..(head + 1) * self.head_size;
            row[columns.clone()].copy_from_slice(&mixed[columns]);
        }
        let rows = Tensor::from_vec(rows, (heads + 1, self.n_embd), &Device::Cpu)?; // [n_head + 1, n_embd]
        let mut parts: Vec<Vec<f32>> = self.c_proj.forward(&rows)?.to_vec2()?;
        let (bias, heads) = parts.split_last_mut().expect("the bias is there");
        heads.iter_mut().for_each(|head| head.iter_mut().zip(&*bias).for_each(|(x, bias)| *x -= bias));
        Ok(parts)
    }
}

impl Mlp {
    /// [positions, n_embd] → [positions, n_embd].
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.c_fc.forward_activated(x, self.activation)?; // [positions, n_inner]
        self.c_proj.forward(&x)
    }
}
