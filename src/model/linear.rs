//! y = xW + b, and the other layers that have weights, over candle tensors: on the CPU by the fast loops, on another
//! device by candle's operations with a copy of the weights there.

use std::borrow::Cow;
use std::cell::RefCell;

use candle_core::{CpuStorage, Device, InplaceOp1, InplaceOp2, Layout as TensorLayout, Storage, Tensor};

use super::config::Activation;
use super::kernels::{self, Layout};
use super::precision::{Factor, Precision};
use super::tensors;
use super::weights::{Checkpoint, Weight};
use crate::error::Result;

/// In which numbers a model's weights are multiplied, and the device that also gets them, if it is not the CPU.
#[derive(Clone, Copy)]
pub struct Numerics<'a> {
    pub precision: Precision,
    pub device: Option<&'a Device>,
}

/// A linear layer.
pub struct Linear {
    factor: Factor,
    copy: Option<(Tensor, Option<Tensor>)>,
}

/// The weight [inputs, outputs] and the bias [outputs] of a layer on another device, if there is one.
fn copied(factor: &Factor, numerics: Numerics) -> Result<Option<(Tensor, Option<Tensor>)>> {
    let Some(device) = numerics.device else { return Ok(None) };
    let (weight, bias) = factor.tensors()?;
    let weight = weight.to_device(device)?.to_dtype(numerics.precision.dtype())?.contiguous()?;
    let bias = bias.map(|bias| bias.to_device(device)).transpose()?;
    Ok(Some((weight, bias)))
}

/// A copy of weights, if it lies where `x` does.
fn near<'a, B>(copy: &'a Option<(Tensor, B)>, x: &Tensor) -> Option<&'a (Tensor, B)> {
    copy.as_ref().filter(|(weight, _)| weight.device().same_device(x.device()))
}

impl Linear {
    /// GPT-2's `Conv1D`: `name.weight` is [inputs, outputs], `name.bias` is [outputs].
    pub fn conv1d(
        checkpoint: &Checkpoint,
        name: &str,
        inputs: usize,
        outputs: usize,
        numerics: Numerics,
    ) -> Result<Linear> {
        let (weight, layout) = checkpoint.conv1d(&format!("{name}.weight"), inputs, outputs)?;
        let bias = checkpoint.weight(&format!("{name}.bias"), &[outputs])?;
        let factor = Factor::new(weight, Some(bias), layout, inputs, numerics.precision)?;
        let copy = copied(&factor, numerics)?;
        Ok(Linear { factor, copy })
    }

    /// [positions, inputs] → [positions, outputs].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.products(x, None)
    }

    /// activation([`Linear::forward`]), which costs nothing more: [positions, inputs] → [positions, outputs].
    pub fn forward_activated(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        self.products(x, Some(activation))
    }

    fn products(&self, x: &Tensor, activation: Option<Activation>) -> Result<Tensor> {
        let Some((weight, bias)) = near(&self.copy, x) else {
            return by_rows(x, self.factor.outputs(), |x| self.factor.products(x, activation));
        };
        let y = tensors::linear(x, weight, bias.as_ref())?; // [positions, outputs]
        match activation {
            Some(activation) => tensors::activate(activation, &y),
            None => Ok(y),
        }
    }

    /// What the weight takes in memory.
    pub fn bytes(&self) -> usize {
        self.factor.bytes()
    }

    /// Copies of the weight, [inputs, outputs], and the bias, [outputs].
    pub fn tensors(&self) -> Result<(Tensor, Tensor)> {
        let (weight, bias) = self.factor.tensors()?;
        Ok((weight, bias.expect("every `Conv1D` has a bias")))
    }
}

/// One row a token, [vocabulary, width]: what goes in as a token's vector, and what a head multiplies with.
pub struct Embedding {
    weight: Weight,
    /// The same numbers, as rows are multiplied with them.
    factor: Factor,
    copy: Option<(Tensor, Option<Tensor>)>,
    /// The ids whose rows are kept, ascending; all others are zero. `None` if all are kept.
    kept: Option<Vec<u32>>,
    vocabulary: usize,
    zeros: Vec<f32>,
}

impl Embedding {
    /// `wte`, of which the built-in model keeps only some rows.
    pub fn tokens(
        checkpoint: &Checkpoint,
        vocabulary: usize,
        width: usize,
        numerics: Numerics,
    ) -> Result<Embedding> {
        let kept = checkpoint.embedding_rows(vocabulary)?;
        let rows = kept.as_ref().map_or(vocabulary, Vec::len);
        let weight = checkpoint.weight("wte.weight", &[rows, width])?;
        Embedding::new(weight, kept, vocabulary, width, numerics)
    }

    /// `lm_head`, of a model whose head is not its token embedding.
    pub fn head(
        checkpoint: &Checkpoint,
        vocabulary: usize,
        width: usize,
        numerics: Numerics,
    ) -> Result<Embedding> {
        let weight = checkpoint.weight("lm_head.weight", &[vocabulary, width])?;
        Embedding::new(weight, None, vocabulary, width, numerics)
    }

    fn new(
        weight: Weight,
        kept: Option<Vec<u32>>,
        vocabulary: usize,
        width: usize,
        numerics: Numerics,
    ) -> Result<Embedding> {
        let factor = Factor::new(weight.clone(), None, Layout::OutputsByInputs, width, numerics.precision)?;
        let copy = copied(&factor, numerics)?;
        Ok(Embedding { weight, factor, copy, kept, vocabulary, zeros: vec![0.0; width] })
    }

    /// The vector of a token: [width].
    pub fn row(&self, id: u32) -> Cow<'_, [f32]> {
        let row = match &self.kept {
            None => Some(id as usize),
            Some(kept) => kept.binary_search(&id).ok(),
        };
        row.map_or(Cow::Borrowed(&self.zeros), |row| self.weight.row(row, self.zeros.len()))
    }

    /// Copies of all rows: [vocabulary, width].
    pub fn tensor(&self) -> Result<Tensor> {
        let rows: Vec<f32> = (0..self.vocabulary as u32).flat_map(|id| self.row(id).into_owned()).collect();
        Ok(Tensor::from_vec(rows, (self.vocabulary, self.zeros.len()), &Device::Cpu)?)
    }

    /// What the rows take in memory as the head has them.
    pub fn bytes(&self) -> usize {
        self.factor.bytes()
    }

    /// The product with each row: [positions, width] → [positions, vocabulary].
    pub fn products(&self, x: &Tensor) -> Result<Tensor> {
        if let Some((weight, _)) = near(&self.copy, x) {
            let logits = tensors::linear(x, weight, None)?; // [positions, rows]
            return match &self.kept {
                None => Ok(logits),
                Some(kept) => tensors::spread(&logits, kept, self.vocabulary),
            };
        }
        by_rows(x, self.vocabulary, |x| match &self.kept {
            None => self.factor.products(x, None),
            Some(kept) => spread(&self.factor.products(x, None), kept, self.vocabulary),
        })
    }
}

/// The product with a row of zeros is 0: only the others were computed. [positions, kept] → [positions, vocabulary].
fn spread(logits: &[f32], kept: &[u32], vocabulary: usize) -> Vec<f32> {
    let positions = logits.len() / kept.len().max(1);
    let mut all = vec![0.0; positions * vocabulary];
    for (all, logits) in all.chunks_exact_mut(vocabulary).zip(logits.chunks_exact(kept.len())) {
        for (id, logit) in kept.iter().zip(logits) {
            all[*id as usize] = *logit;
        }
    }
    all
}

/// Layer normalisation with its gain (`weight`) and bias.
pub struct LayerNorm {
    weight: Weight,
    bias: Weight,
    epsilon: f32,
    copy: Option<(Tensor, Tensor)>,
}

impl LayerNorm {
    pub fn new(
        checkpoint: &Checkpoint,
        name: &str,
        width: usize,
        epsilon: f32,
        device: Option<&Device>,
    ) -> Result<LayerNorm> {
        let weight = checkpoint.weight(&format!("{name}.weight"), &[width])?;
        let bias = checkpoint.weight(&format!("{name}.bias"), &[width])?;
        let mut norm = LayerNorm { weight, bias, epsilon, copy: None };
        if let Some(device) = device {
            let (gain, bias, _) = norm.tensors(device)?;
            norm.copy = Some((gain, bias));
        }
        Ok(norm)
    }

    /// [positions, width] → the same.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if let Some((gain, bias)) = near(&self.copy, x) {
            return tensors::layer_norm(x, gain, bias, self.epsilon.into());
        }
        by_rows(x, self.weight.len(), |x| kernels::layer_norm(x, &self.weight, &self.bias, self.epsilon))
    }

    /// Copies of gain and bias, [width] each, and what is added to the variance.
    pub fn tensors(&self, device: &Device) -> Result<(Tensor, Tensor, f64)> {
        let tensor = |weight: &[f32]| Tensor::from_slice(weight, weight.len(), device);
        Ok((tensor(&self.weight)?, tensor(&self.bias)?, self.epsilon.into()))
    }
}

/// A function of plain rows as one of tensors: [rows, _] → [rows, columns].
pub fn by_rows(x: &Tensor, columns: usize, f: impl FnOnce(&[f32]) -> Vec<f32>) -> Result<Tensor> {
    let (storage, layout) = x.storage_and_layout();
    let (Storage::Cpu(storage), Some((start, end))) = (&*storage, layout.contiguous_offsets()) else {
        return Err(not_plain().into());
    };
    let y = f(&storage.as_slice::<f32>()?[start..end]);
    Ok(Tensor::from_vec(y, (x.dim(0)?, columns), x.device())?)
}

/// x ← f(x) for a tensor that nothing else looks at.
pub fn in_place(x: &Tensor, mut f: impl FnMut(&mut [f32])) -> Result<()> {
    if x.device().is_cpu() {
        return Ok(x.inplace_op1(&InPlace(RefCell::new(f)))?);
    }
    let mut values = x.flatten_all()?.to_vec1()?;
    f(&mut values);
    Ok(x.slice_set(&Tensor::from_vec(values, x.shape(), x.device())?, 0, 0)?)
}

/// x ← x + y, both [positions, width], or a new tensor of it.
pub fn add(x: Tensor, y: &Tensor) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return Ok((x + y)?);
    }
    x.inplace_op2(y, &Add)?;
    Ok(x)
}

struct InPlace<F>(RefCell<F>);

struct Add;

impl<F: FnMut(&mut [f32])> InplaceOp1 for InPlace<F> {
    fn name(&self) -> &'static str {
        "in place"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &TensorLayout) -> candle_core::Result<()> {
        match (storage, layout.contiguous_offsets()) {
            (CpuStorage::F32(x), Some((start, end))) => (self.0.borrow_mut())(&mut x[start..end]),
            _ => return Err(not_plain()),
        }
        Ok(())
    }
}

impl InplaceOp2 for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn cpu_fwd(
        &self,
        x: &mut CpuStorage,
        x_layout: &TensorLayout,
        y: &CpuStorage,
        y_layout: &TensorLayout,
    ) -> candle_core::Result<()> {
        match (x, x_layout.contiguous_offsets(), y, y_layout.contiguous_offsets()) {
            (CpuStorage::F32(x), Some((x_start, x_end)), CpuStorage::F32(y), Some((y_start, y_end))) => {
                kernels::add(&mut x[x_start..x_end], &y[y_start..y_end]);
                Ok(())
            }
            _ => Err(not_plain()),
        }
    }
}

fn not_plain() -> candle_core::Error {
    candle_core::Error::Msg("the fast loops take contiguous tensors on the CPU".into())
}
