//! Weights that lie as the special instructions want them, and their products by plain sums.

use super::matrix::{Finish, Layout, Matrix};
use super::number::{Number, ROW_BYTES, ROWS_TOGETHER};
use crate::vector::testing::numbers;

pub struct Laid<N> {
    numbers: Vec<N>,
    stride: usize,
    inputs: usize,
    scales: Vec<f32>,
    bias: Vec<f32>,
}

impl<N: Number> Laid<N> {
    /// Numbers between -1 and 1 that look random, rounded.
    pub fn new(inputs: usize, outputs: usize, round: impl Fn(f32) -> N) -> Laid<N> {
        let stride = inputs.next_multiple_of(ROW_BYTES / size_of::<N>());
        let mut laid = vec![round(0.0); outputs.next_multiple_of(ROWS_TOGETHER) * stride];
        for (row, given) in laid.chunks_exact_mut(stride).zip(numbers(outputs * inputs).chunks(inputs)) {
            row.iter_mut().zip(given).for_each(|(number, x)| *number = round(*x));
        }
        let bias = numbers(2 * outputs)[outputs..].to_vec();
        Laid { numbers: laid, stride, inputs, scales: numbers(outputs), bias }
    }

    pub fn matrix(&self) -> Matrix<'_, N> {
        Matrix {
            numbers: &self.numbers,
            layout: Layout::OutputsByInputs,
            stride: self.stride,
            inputs: self.inputs,
            outputs: self.scales.len(),
            finish: Finish { scales: Some(&self.scales), bias: Some(&self.bias), activation: None },
        }
    }

    /// [rows, outputs] for x [rows, inputs].
    pub fn products(&self, x: &[f32]) -> Vec<f32> {
        let row = |x: &[f32]| -> Vec<f32> {
            let outputs = self.numbers.chunks_exact(self.stride).zip(&self.scales).zip(&self.bias);
            let sum = |((row, scale), bias): ((&[N], &f32), &f32)| {
                let products = row.iter().zip(x).map(|(w, x)| f64::from(w.widen()) * f64::from(*x));
                (products.sum::<f64>() * f64::from(*scale)) as f32 + bias
            };
            outputs.map(sum).collect()
        };
        x.chunks(self.inputs).flat_map(row).collect()
    }
}
