//! y = xW + b: one row of x or a few at the speed of memory, many rows at the speed of arithmetic.

use pulp::Simd;

use super::activation::activate_with_simd;
use super::number::Number;
use super::rows::add_scaled_rows;
use super::{few, products, tiles};
use crate::model::config::Activation;
use crate::parallel::{for_each_chunk, from_chunks};

/// How a weight lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// [inputs, outputs], as GPT-2's `Conv1D` keeps it.
    InputsByOutputs,
    /// [outputs, inputs], as an embedding that serves as the head.
    OutputsByInputs,
}

/// A weight, and what becomes of the products with it.
#[derive(Clone, Copy)]
pub struct Matrix<'a, N> {
    pub numbers: &'a [N],
    pub layout: Layout,
    /// From the beginning of a row (an input or an output) to that of the next.
    pub stride: usize,
    pub inputs: usize,
    pub outputs: usize,
    pub finish: Finish<'a>,
}

/// What is left to do with sums of products, in this order.
#[derive(Clone, Copy, Default)]
pub struct Finish<'a> {
    /// What each output is multiplied by, [outputs].
    pub scales: Option<&'a [f32]>,
    /// What is added to each output, [outputs].
    pub bias: Option<&'a [f32]>,
    pub activation: Option<Activation>,
}

/// Up to so many rows, reading each weight once as it lies in memory beats packing it: by inputs, and by outputs, where
/// it is widened for each few rows anew.
const FEW_SUMS: usize = 60;
const FEW_PRODUCTS: usize = 36;

/// y [rows, outputs] = x [rows, inputs] · W, finished; by special instructions if the processor has some,
/// so that the last bits depend on the machine.
pub fn linear_of_rounded<N: Number>(x: &[f32], weight: Matrix<N>) -> Vec<f32> {
    N::multiply_specially(x, weight).unwrap_or_else(|| linear(x, weight))
}

/// The same by vectors alone.
pub fn linear<N: Number>(x: &[f32], weight: Matrix<N>) -> Vec<f32> {
    match (x.len() / weight.inputs, weight.layout) {
        (1, Layout::InputsByOutputs) => sum_of_scaled_rows(x, weight),
        (2..=FEW_SUMS, Layout::InputsByOutputs) => few::multiply(x, weight),
        (1..=FEW_PRODUCTS, Layout::OutputsByInputs) => products::multiply(x, weight),
        _ => tiles::multiply(x, weight),
    }
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
impl<N> Matrix<'_, N> {
    /// Whether the weights of each output lie in a row that is filled up ([`super::number::ROW_BYTES`]).
    pub fn is_laid_in_rows(&self) -> bool {
        self.layout == Layout::OutputsByInputs
            && (self.stride * size_of::<N>()).is_multiple_of(super::number::ROW_BYTES)
    }
}

/// y ← activation(y · scale + bias) for the outputs from `first` on.
#[pulp::with_simd(finish = pulp::Arch::new())]
#[inline(always)]
pub fn finish_with_simd<S: Simd>(simd: S, finish: Finish<'_>, first: usize, y: &mut [f32]) {
    if let Some(scales) = finish.scales {
        y.iter_mut().zip(&scales[first..]).for_each(|(y, scale)| *y *= scale);
    }
    if let Some(bias) = finish.bias {
        y.iter_mut().zip(&bias[first..]).for_each(|(y, bias)| *y += bias);
    }
    if let Some(activation) = finish.activation {
        activate_with_simd(simd, activation, y);
    }
}

/// A fixed number of pieces, so that the sum is the same on every machine; more than the threads of most, so that a
/// busy core does not hold up the others for long.
pub const PIECES: usize = 16;

/// Σᵢ xᵢ · row i, for one x: each thread reads whole rows in the order in which they lie in memory.
fn sum_of_scaled_rows<N: Number>(x: &[f32], weight: Matrix<N>) -> Vec<f32> {
    let Matrix { numbers, inputs, outputs, .. } = weight;
    let rows = inputs.div_ceil(PIECES).next_multiple_of(4);
    let mut partial = from_chunks(0.0, inputs.div_ceil(rows) * outputs, outputs, |piece, y| {
        let (first, last) = (piece * rows, inputs.min((piece + 1) * rows));
        add_scaled_rows(&x[first..last], &numbers[first * outputs..last * outputs], outputs, y);
    });
    let (sums, rest) = partial.split_at_mut(outputs);
    for_each_chunk(sums, outputs.div_ceil(4), |piece, y| {
        let first = piece * outputs.div_ceil(4);
        for part in rest.chunks_exact(outputs) {
            y.iter_mut().zip(&part[first..]).for_each(|(y, part)| *y += part);
        }
        finish(weight.finish, first, y);
    });
    partial.truncate(outputs);
    partial
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::testing::{assert_close, numbers};

    #[test]
    fn every_layout_and_number_of_rows_agrees_with_the_plain_sum() {
        for (rows, inputs, outputs) in
            [(1, 1, 1), (1, 37, 70), (1, 160, 33), (3, 20, 65), (16, 30, 530), (70, 33, 130), (200, 400, 210)]
        {
            let x = numbers(rows * inputs);
            let bytes: Vec<i8> = numbers(inputs * outputs).iter().map(|x| (x * 127.0) as i8).collect();
            let widened: Vec<f32> = bytes.iter().map(|byte| f32::from(*byte)).collect();
            let (scales, bias) = (numbers(outputs), numbers(2 * outputs)[outputs..].to_vec());
            for layout in [Layout::InputsByOutputs, Layout::OutputsByInputs] {
                let at = |input: usize, output: usize| match layout {
                    Layout::InputsByOutputs => widened[input * outputs + output],
                    Layout::OutputsByInputs => widened[output * inputs + input],
                };
                let mut expected = Vec::new();
                for x in x.chunks(inputs) {
                    expected.extend((0..outputs).map(|output| {
                        let sum: f64 = x.iter().enumerate().map(|(i, x)| f64::from(x * at(i, output))).sum();
                        (sum as f32 * scales[output] + bias[output]).max(0.0)
                    }));
                }
                let finish =
                    Finish { scales: Some(&scales), bias: Some(&bias), activation: Some(Activation::Relu) };
                let stride = if layout == Layout::InputsByOutputs { outputs } else { inputs };
                let exact = Matrix { numbers: &widened[..], layout, stride, inputs, outputs, finish };
                let coarse = Matrix { numbers: &bytes[..], layout, stride, inputs, outputs, finish };
                assert_close(&linear(&x, exact), &expected, 1e-3);
                assert_close(&linear(&x, coarse), &expected, 1e-3);
            }
        }
    }
}
