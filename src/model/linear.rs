//! y = xW + b, and the other layers that have weights, over candle tensors.

use candle_core::{CpuStorage, InplaceOp1, Layout as TensorLayout, Storage, Tensor};

use super::kernels::{self, Layout};
use super::weights::{Checkpoint, Weight};
use crate::error::Result;

/// A linear layer.
pub struct Linear {
    weight: Weight,
    layout: Layout,
    bias: Option<Weight>,
    inputs: usize,
    outputs: usize,
}

impl Linear {
    /// GPT-2's `Conv1D`: `name.weight` is [inputs, outputs], `name.bias` is [outputs].
    pub fn conv1d(checkpoint: &Checkpoint, name: &str, inputs: usize, outputs: usize) -> Result<Linear> {
        let weight = checkpoint.weight(&format!("{name}.weight"), &[inputs, outputs])?;
        let bias = Some(checkpoint.weight(&format!("{name}.bias"), &[outputs])?);
        Ok(Linear { weight, layout: Layout::InputsByOutputs, bias, inputs, outputs })
    }

    /// A head without bias: `weight` is [outputs, inputs], as the token embedding.
    pub fn head(weight: Weight, inputs: usize, outputs: usize) -> Linear {
        Linear { weight, layout: Layout::OutputsByInputs, bias: None, inputs, outputs }
    }

    /// [positions, inputs] → [positions, outputs].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        by_rows(x, self.outputs, |x| {
            kernels::linear(x, &self.weight, self.layout, self.bias.as_deref(), self.inputs)
        })
    }
}

/// Layer normalisation with its gain (`weight`) and bias.
pub struct LayerNorm {
    weight: Weight,
    bias: Weight,
    epsilon: f32,
}

impl LayerNorm {
    pub fn new(checkpoint: &Checkpoint, name: &str, width: usize, epsilon: f32) -> Result<LayerNorm> {
        let weight = checkpoint.weight(&format!("{name}.weight"), &[width])?;
        let bias = checkpoint.weight(&format!("{name}.bias"), &[width])?;
        Ok(LayerNorm { weight, bias, epsilon })
    }

    /// [positions, width] → the same.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        by_rows(x, self.weight.len(), |x| kernels::layer_norm(x, &self.weight, &self.bias, self.epsilon))
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
pub fn in_place(x: &Tensor, f: impl Fn(&mut [f32])) -> Result<()> {
    Ok(x.inplace_op1(&InPlace(f))?)
}

struct InPlace<F>(F);

impl<F: Fn(&mut [f32])> InplaceOp1 for InPlace<F> {
    fn name(&self) -> &'static str {
        "in place"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &TensorLayout) -> candle_core::Result<()> {
        match (storage, layout.contiguous_offsets()) {
            (CpuStorage::F32(x), Some((start, end))) => (self.0)(&mut x[start..end]),
            _ => return Err(not_plain()),
        }
        Ok(())
    }
}

fn not_plain() -> candle_core::Error {
    candle_core::Error::Msg("the fast loops take contiguous tensors on the CPU".into())
}
