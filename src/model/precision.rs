//! In which numbers do weights take part in products? Fewer bits are read faster and answer less exactly.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use candle_core::{DType, Device, Tensor};
use half::bf16;
use memmap2::MmapMut;

use super::config::Activation;
use super::kernels::{self, Finish, Layout, Matrix, Number, ROW_BYTES, ROWS_TOGETHER};
use super::weights::Weight;
use crate::error::{Error, Result};
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
    inputs: usize,
    outputs: usize,
    precision: Precision,
}

enum Numbers {
    /// Where and as the file has them.
    F32(Weight, Layout),
    Bf16(Rows<bf16>),
    Int8(Rows<i8>),
}

/// The weights of each output side by side, with room behind them ([`ROW_BYTES`], [`ROWS_TOGETHER`]).
struct Rows<N> {
    memory: MmapMut,
    stride: usize,
    number: PhantomData<N>,
}

impl Factor {
    /// `weight` has inputs · outputs numbers, `bias` one for each output.
    pub fn new(
        weight: Weight,
        bias: Option<Weight>,
        layout: Layout,
        inputs: usize,
        precision: Precision,
    ) -> Result<Factor> {
        let outputs = weight.count() / inputs;
        let (numbers, scales) = match (precision, weight.int8(layout)) {
            (Precision::F32 | Precision::Int8, Some((numbers, scales))) => {
                let copy = |numbers: &[i8], row: &mut [i8]| {
                    row.copy_from_slice(numbers);
                    1.0
                };
                let (rows, _) = by_output(numbers, layout, inputs, copy)?;
                (Numbers::Int8(rows), Some(scales.to_vec()))
            }
            (Precision::F32, None) => (Numbers::F32(weight, layout), None),
            (Precision::Bf16, _) => (Numbers::Bf16(by_output(&weight, layout, inputs, to_bf16)?.0), None),
            (Precision::Int8, None) => {
                let (rows, scales) = by_output(&weight, layout, inputs, to_int8)?;
                (Numbers::Int8(rows), Some(scales))
            }
        };
        Ok(Factor { numbers, scales, bias, inputs, outputs, precision })
    }

    /// x [rows, inputs] → activation(x · weight + bias), [rows, outputs].
    pub fn products(&self, x: &[f32], activation: Option<Activation>) -> Vec<f32> {
        match &self.numbers {
            Numbers::F32(numbers, layout) => {
                let stride = match layout {
                    Layout::InputsByOutputs => self.outputs,
                    Layout::OutputsByInputs => self.inputs,
                };
                kernels::linear(x, self.matrix(numbers, *layout, stride, activation))
            }
            Numbers::Bf16(rows) => kernels::linear_of_rounded(x, self.matrix_of_rows(rows, activation)),
            Numbers::Int8(rows) => {
                let weight = self.matrix_of_rows(rows, activation);
                // What the built-in model is published in is not rounded: it answers alike on every machine.
                match self.precision {
                    Precision::F32 => kernels::linear(x, weight),
                    _ => kernels::linear_of_rounded(x, weight),
                }
            }
        }
    }

    /// The weight [inputs, outputs] and the bias [outputs] as tensors of `f32`, copied.
    pub fn tensors(&self) -> Result<(Tensor, Option<Tensor>)> {
        let Factor { inputs, outputs, .. } = *self;
        let (numbers, layout) = match &self.numbers {
            Numbers::F32(numbers, layout) => (numbers.to_vec(), *layout),
            Numbers::Bf16(rows) => (rows.widened(inputs, outputs), Layout::OutputsByInputs),
            Numbers::Int8(rows) => (rows.widened(inputs, outputs), Layout::OutputsByInputs),
        };
        let weight = match layout {
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
            Numbers::F32(numbers, _) => size_of_val::<[f32]>(numbers),
            Numbers::Bf16(rows) => size_of_val::<[bf16]>(rows.numbers()),
            Numbers::Int8(rows) => size_of_val::<[i8]>(rows.numbers()),
        };
        numbers + self.scales.as_deref().map_or(0, size_of_val::<[f32]>)
    }

    fn matrix_of_rows<'a, N: Number>(
        &'a self,
        rows: &'a Rows<N>,
        activation: Option<Activation>,
    ) -> Matrix<'a, N> {
        self.matrix(rows.numbers(), Layout::OutputsByInputs, rows.stride, activation)
    }

    fn matrix<'a, N: Number>(
        &'a self,
        numbers: &'a [N],
        layout: Layout,
        stride: usize,
        activation: Option<Activation>,
    ) -> Matrix<'a, N> {
        let Factor { inputs, outputs, .. } = *self;
        let finish = Finish { scales: self.scales.as_deref(), bias: self.bias.as_deref(), activation };
        Matrix { numbers, layout, stride, inputs, outputs, finish }
    }
}

impl<N: Number> Rows<N> {
    fn numbers(&self) -> &[N] {
        bytemuck::cast_slice(&self.memory)
    }

    /// Without the room behind them: [outputs, inputs].
    fn widened(&self, inputs: usize, outputs: usize) -> Vec<f32> {
        let rows = self.numbers().chunks_exact(self.stride).take(outputs);
        rows.flat_map(|row| row[..inputs].iter().map(|number| number.widen())).collect()
    }
}

/// The numbers of each output by a function of those that a file has, and what that says 1 stands for in them.
fn by_output<T: Copy + Default + Sync, N: Number>(
    numbers: &[T],
    layout: Layout,
    inputs: usize,
    write: impl Fn(&[T], &mut [N]) -> f32 + Sync,
) -> Result<(Rows<N>, Vec<f32>)> {
    /// Outputs whose numbers are fetched together, since they lie side by side.
    const TOGETHER: usize = 64;
    let outputs = numbers.len() / inputs;
    let stride = inputs.next_multiple_of(ROW_BYTES / size_of::<N>());
    let row_bytes = stride * size_of::<N>();
    let mut memory = large_pages(outputs.next_multiple_of(ROWS_TOGETHER) * row_bytes)?;
    let scales: Vec<AtomicU32> = std::iter::repeat_with(AtomicU32::default).take(outputs).collect();
    for_each_chunk(&mut memory, TOGETHER * row_bytes, |piece, rows| {
        let first = piece * TOGETHER;
        let fetched = fetch(numbers, layout, inputs, first..outputs.min(first + TOGETHER));
        let rows = bytemuck::cast_slice_mut::<u8, N>(rows).chunks_exact_mut(stride);
        let rows = rows.zip(fetched.chunks_exact(inputs));
        for ((row, numbers), scale) in rows.zip(&scales[first..]) {
            scale.store(write(numbers, &mut row[..inputs]).to_bits(), Relaxed);
        }
    });
    let scales = scales.into_iter().map(|scale| f32::from_bits(scale.into_inner())).collect();
    Ok((Rows { memory, stride, number: PhantomData }, scales))
}

/// So many bytes of zeros, in large pages where the system has some: fewer to look up while all of them are read.
fn large_pages(bytes: usize) -> Result<MmapMut> {
    let memory = MmapMut::map_anon(bytes).map_err(|source| Error::NoRoomForWeights { bytes, source })?;
    #[cfg(target_os = "linux")]
    let _ = memory.advise(memmap2::Advice::HugePage); // Without, it is only slower.
    Ok(memory)
}

/// The numbers of some outputs, [outputs, inputs].
fn fetch<T: Copy + Default>(
    numbers: &[T],
    layout: Layout,
    inputs: usize,
    outputs: Range<usize>,
) -> Cow<'_, [T]> {
    if layout == Layout::OutputsByInputs {
        return numbers[outputs.start * inputs..outputs.end * inputs].into();
    }
    let mut fetched = vec![T::default(); outputs.len() * inputs];
    for (input, row) in numbers.chunks_exact(numbers.len() / inputs).enumerate() {
        let places = fetched[input..].iter_mut().step_by(inputs);
        places.zip(&row[outputs.clone()]).for_each(|(place, number)| *place = *number);
    }
    fetched.into()
}

fn to_bf16(numbers: &[f32], row: &mut [bf16]) -> f32 {
    row.iter_mut().zip(numbers).for_each(|(row, x)| *row = bf16::from_f32(*x));
    1.0
}

/// The largest number becomes ±127.
fn to_int8(numbers: &[f32], row: &mut [i8]) -> f32 {
    let scale = numbers.iter().fold(0.0_f32, |largest, x| largest.max(x.abs())) / 127.0;
    let factor = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    // Adding 1.5 · 2²³ rounds to a whole number, which then stands in the lowest bits.
    row.iter_mut().zip(numbers).for_each(|(row, x)| *row = (x * factor + 12_582_912.0).to_bits() as i8);
    scale
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
            let products = |precision| {
                let factor = Factor::new(weight.clone(), None, layout, inputs, precision);
                factor.expect("there is memory").products(&x, None)
            };
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
        assert_eq!(factor.expect("there is memory").products(&[1.0, 1.0], None), [0.0, 99.0]);
    }
}
