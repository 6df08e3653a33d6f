//! In which numbers do weights take part in products? Fewer bits are read faster and answer less exactly.

use candle_core::{DType, Device, Tensor};
use half::bf16;

use super::kernels::{self, Layout, Matrix, Number};
use super::weights::Weight;
use crate::error::Result;
use crate::parallel::for_each_chunk;

/// The numbers that the weights of the linear layers and of the head are kept in. Activations, sums and all other
/// weights are `f32` in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Exact: 32 bits, as the models are published, or the 8 bits that the built-in model is published in.
    #[default]
    F32,
    /// bfloat16: 16 bits, of which 8 are the exponent.
    Bf16,
    /// 8 bits and a scale for each output: the largest weight of an output becomes ±127.
    Int8,
}

impl Precision {
    pub const ALL: [Precision; 3] = [Precision::F32, Precision::Bf16, Precision::Int8];

    /// As it is written on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
            Precision::Int8 => "int8",
        }
    }

    /// What a tensor of weights on another device consists of.
    pub(super) fn dtype(self) -> DType {
        match self {
            Precision::F32 | Precision::Int8 => DType::F32,
            Precision::Bf16 => DType::BF16,
        }
    }
}

/// A weight in the precision in which rows are multiplied with it.
pub struct Factor {
    numbers: Numbers,
    /// What each output is multiplied by, [outputs]; nothing if they are not scaled.
    scales: Option<Vec<f32>>,
    bias: Option<Weight>,
    layout: Layout,
    inputs: usize,
    outputs: usize,
}

enum Numbers {
    F32(Weight),
    Bf16(Vec<bf16>),
    Int8(Vec<i8>),
}

impl Factor {
    /// `weight` has inputs · outputs numbers, `bias` one for each output.
    pub fn new(
        weight: Weight,
        bias: Option<Weight>,
        layout: Layout,
        inputs: usize,
        precision: Precision,
    ) -> Factor {
        let outputs = weight.count() / inputs;
        let (numbers, scales) = match (precision, weight.int8(layout)) {
            (Precision::F32 | Precision::Int8, Some((numbers, scales))) => {
                (Numbers::Int8(numbers.to_vec()), Some(scales.to_vec()))
            }
            (Precision::F32, None) => (Numbers::F32(weight), None),
            (Precision::Bf16, _) => (Numbers::Bf16(converted(&weight, |_, x| bf16::from_f32(x))), None),
            (Precision::Int8, None) => {
                let output = move |index: usize| match layout {
                    Layout::InputsByOutputs => index % outputs,
                    Layout::OutputsByInputs => index / inputs,
                };
                let scales = scales(&weight, layout, inputs);
                let quantised = |index: usize, x: f32| match scales[output(index)] {
                    0.0 => 0,
                    scale => (x / scale).round() as i8,
                };
                (Numbers::Int8(converted(&weight, quantised)), Some(scales))
            }
        };
        Factor { numbers, scales, bias, layout, inputs, outputs }
    }

    /// x [rows, inputs] → x · weight + bias, [rows, outputs].
    pub fn products(&self, x: &[f32]) -> Vec<f32> {
        match &self.numbers {
            Numbers::F32(numbers) => kernels::linear(x, self.matrix(numbers)),
            Numbers::Bf16(numbers) => kernels::linear(x, self.matrix(numbers)),
            Numbers::Int8(numbers) => kernels::linear(x, self.matrix(numbers)),
        }
    }

    /// The weight [inputs, outputs] and the bias [outputs] as tensors of `f32`, copied.
    pub fn tensors(&self) -> Result<(Tensor, Option<Tensor>)> {
        let Factor { inputs, outputs, .. } = *self;
        let numbers = match &self.numbers {
            Numbers::F32(numbers) => numbers.to_vec(),
            Numbers::Bf16(numbers) => numbers.iter().map(|number| number.widen()).collect(),
            Numbers::Int8(numbers) => numbers.iter().map(|number| number.widen()).collect(),
        };
        let weight = match self.layout {
            Layout::InputsByOutputs => Tensor::from_vec(numbers, (inputs, outputs), &Device::Cpu)?,
            Layout::OutputsByInputs => Tensor::from_vec(numbers, (outputs, inputs), &Device::Cpu)?.t()?,
        };
        let row = |row: &[f32]| Tensor::from_slice(row, outputs, &Device::Cpu);
        let weight = match &self.scales {
            Some(scales) => weight.broadcast_mul(&row(scales)?)?,
            None => weight,
        };
        Ok((weight, self.bias.as_deref().map(row).transpose()?))
    }

    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// What the numbers and their scales take in memory.
    pub fn bytes(&self) -> usize {
        let numbers = match &self.numbers {
            Numbers::F32(numbers) => size_of_val::<[f32]>(numbers),
            Numbers::Bf16(numbers) => size_of_val::<[bf16]>(numbers),
            Numbers::Int8(numbers) => size_of_val::<[i8]>(numbers),
        };
        numbers + self.scales.as_deref().map_or(0, size_of_val::<[f32]>)
    }

    fn matrix<'a, N: Number>(&'a self, numbers: &'a [N]) -> Matrix<'a, N> {
        let Factor { layout, inputs, outputs, .. } = *self;
        Matrix {
            numbers,
            layout,
            inputs,
            outputs,
            scales: self.scales.as_deref(),
            bias: self.bias.as_deref(),
        }
    }
}

/// Each number by a function of its index and itself.
fn converted<N: Number + Default>(weight: &[f32], convert: impl Fn(usize, f32) -> N + Sync) -> Vec<N> {
    const PIECE: usize = 1 << 16;
    let mut numbers = vec![N::default(); weight.len()];
    for_each_chunk(&mut numbers, PIECE, |piece, numbers| {
        for ((index, number), x) in (piece * PIECE..).zip(numbers).zip(&weight[piece * PIECE..]) {
            *number = convert(index, *x);
        }
    });
    numbers
}

/// For each output, what 1 stands for where its largest weight is 127.
fn scales(weight: &[f32], layout: Layout, inputs: usize) -> Vec<f32> {
    const PIECE: usize = 256;
    let outputs = weight.len() / inputs;
    let mut scales = vec![0.0_f32; outputs];
    for_each_chunk(&mut scales, PIECE, |piece, scales| {
        let first = piece * PIECE;
        let largest = |row: &[f32]| row.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
        match layout {
            Layout::InputsByOutputs => {
                for row in weight.chunks_exact(outputs) {
                    scales.iter_mut().zip(&row[first..]).for_each(|(scale, x)| *scale = scale.max(x.abs()));
                }
            }
            Layout::OutputsByInputs => {
                let rows = weight[first * inputs..].chunks_exact(inputs);
                scales.iter_mut().zip(rows).for_each(|(scale, row)| *scale = largest(row));
            }
        }
        scales.iter_mut().for_each(|scale| *scale /= 127.0);
    });
    scales
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::testing::{assert_close, numbers};

    #[test]
    fn every_precision_answers_as_exactly_as_its_numbers_allow() {
        let (inputs, outputs) = (48, 30);
        let (x, weight) = (numbers(2 * inputs), Weight::from(numbers(inputs * outputs)));
        for layout in [Layout::InputsByOutputs, Layout::OutputsByInputs] {
            let products =
                |precision| Factor::new(weight.clone(), None, layout, inputs, precision).products(&x);
            let exact = products(Precision::F32);
            for (precision, unit) in [(Precision::Bf16, 1.0 / 256.0), (Precision::Int8, 0.5 / 127.0)] {
                let coarse = products(precision);
                assert_ne!(coarse, exact);
                // Each of the products is off by up to half a unit of a weight that is at most 1.
                assert_close(&coarse, &exact, inputs as f32 * unit);
            }
        }
    }

    #[test]
    fn an_output_of_zeros_stays_zero() {
        let weight = Weight::from(vec![0.0, 127.0, 0.0, -28.0]);
        let factor = Factor::new(weight, None, Layout::InputsByOutputs, 2, Precision::Int8);
        assert_eq!(factor.products(&[1.0, 1.0]), [0.0, 99.0]);
    }
}
