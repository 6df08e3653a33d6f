//! y = x · W for one row of x or a few, W lying as [outputs, inputs]: each output is a row's product with x, and each
//! weight is read from memory once.

use std::ops::Range;

use pulp::{Simd, bytemuck};

use super::matrix::{Matrix, PIECES, finish};
use super::number::{Number, load};
use super::rows::{AHEAD, dot_rows, fetch_ahead};
use crate::parallel::from_chunks;
use crate::vector::turn_fours;

/// Rows of x in a tile of products: its partial sums fit the registers.
const ROWS: usize = 2;
const MORE_ROWS: usize = 4;
/// Outputs in a tile.
const OUTPUTS: usize = 4;

/// Partial sums of a product: the `i`th number goes into the `i mod SUMS`th, under every instruction set.
const SUMS: usize = 16;

/// y [rows, outputs] = x [rows, inputs] · W, finished.
pub fn multiply<N: Number>(x: &[f32], weight: Matrix<N>) -> Vec<f32> {
    let Matrix { numbers, stride, inputs, outputs, .. } = weight;
    let rows = x.len() / inputs;
    let piece = outputs.div_ceil(PIECES).next_multiple_of(OUTPUTS);
    if rows == 1 {
        return from_chunks(0.0, outputs, piece, |index, y| {
            dot_rows(x, &numbers[index * piece * stride..], stride, y);
            finish(weight.finish, index * piece, y);
        });
    }
    // [piece of the outputs, row, output]
    let products = from_chunks(0.0, rows * outputs, rows * piece, |index, y| {
        products(x, &numbers[index * piece * stride..], stride, inputs, y);
    });
    from_chunks(0.0, rows * outputs, outputs, |row, y| {
        for (y, products) in y.chunks_mut(piece).zip(products.chunks(rows * piece)) {
            y.copy_from_slice(&products[row * y.len()..][..y.len()]);
        }
        finish(weight.finish, 0, y);
    })
}

/// y [rows, outputs] = x [rows, inputs] · W's rows [outputs, inputs]ᵀ, which begin `stride` numbers apart.
#[pulp::with_simd(products = pulp::Arch::new())]
#[inline(always)]
fn products_with_simd<S: Simd, N: Number>(
    simd: S,
    x: &[f32],
    weights: &[N],
    stride: usize,
    inputs: usize,
    y: &mut [f32],
) {
    match S::REGISTER_COUNT {
        32.. => products_by_tiles::<S, N, MORE_ROWS>(simd, x, weights, stride, inputs, y),
        _ => products_by_tiles::<S, N, ROWS>(simd, x, weights, stride, inputs, y),
    }
}

#[inline(always)]
fn products_by_tiles<S: Simd, N: Number, const ROWS: usize>(
    simd: S,
    x: &[f32],
    weights: &[N],
    stride: usize,
    inputs: usize,
    y: &mut [f32],
) {
    let rows = x.len() / inputs;
    let outputs = y.len() / rows;
    for (weights, first_output) in weights.chunks(OUTPUTS * stride).zip((0..outputs).step_by(OUTPUTS)) {
        // Where a tile has fewer rows or outputs, the last one stands in.
        let last = OUTPUTS.min(outputs - first_output) - 1;
        let mut outputs_here = [&weights[..0]; OUTPUTS];
        for output in 0..OUTPUTS {
            outputs_here[output] = &weights[output.min(last) * stride..][..inputs];
            fetch_ahead(outputs_here[output], AHEAD / size_of::<N>());
        }
        for first in (0..rows).step_by(ROWS) {
            let mut rows_here = [&x[..0]; ROWS];
            for row in 0..ROWS {
                rows_here[row] = &x[(first + row).min(rows - 1) * inputs..][..inputs];
            }
            let tile = tile(simd, rows_here, outputs_here);
            for (products, y) in tile.iter().zip(y.chunks_exact_mut(outputs).skip(first)) {
                y[first_output..=first_output + last].copy_from_slice(&products[..=last]);
            }
        }
    }
}

/// x · outputs, each with each.
#[inline(always)]
fn tile<S: Simd, N: Number, const ROWS: usize>(
    simd: S,
    x: [&[f32]; ROWS],
    outputs: [&[N]; OUTPUTS],
) -> [[f32; OUTPUTS]; ROWS] {
    // [row, four of the partial sums, output]
    let mut sums = [[[0.0; OUTPUTS]; SUMS / 4]; ROWS];
    for first in (0..SUMS).step_by(S::F32_LANES) {
        let vectors = partial_sums(simd, x, outputs, first);
        for row in 0..ROWS {
            let sums = &mut sums[row][first / 4..];
            if S::F32_LANES >= 4 {
                let turned = turn_fours(simd, vectors[row]);
                let (left, right) =
                    (simd.add_f32s(turned[0], turned[1]), simd.add_f32s(turned[2], turned[3]));
                let fours = [simd.add_f32s(left, right)];
                let fours: &[[f32; OUTPUTS]] = bytemuck::cast_slice(&fours);
                sums[..fours.len()].copy_from_slice(fours);
            } else {
                let numbers: &[f32] = bytemuck::cast_slice(&vectors[row]);
                sums[0].iter_mut().zip(numbers).for_each(|(sum, number)| *sum += number);
            }
        }
    }
    let mut products = [[0.0; OUTPUTS]; ROWS];
    for (products, [first, second, third, last]) in products.iter_mut().zip(sums) {
        for output in 0..OUTPUTS {
            products[output] = (first[output] + third[output]) + (second[output] + last[output]);
        }
    }
    products
}

/// As many partial sums as a vector has, from one on.
#[inline(always)]
fn partial_sums<S: Simd, N: Number, const ROWS: usize>(
    simd: S,
    x: [&[f32]; ROWS],
    outputs: [&[N]; OUTPUTS],
    first: usize,
) -> [[S::f32s; OUTPUTS]; ROWS] {
    let mut sums = [[simd.splat_f32s(0.0); OUTPUTS]; ROWS];
    let inputs = outputs[0].len();
    let whole = inputs / SUMS * SUMS;
    for input in (first..whole).step_by(SUMS) {
        add_products(simd, x, outputs, input..input + S::F32_LANES, &mut sums);
    }
    if whole + first < inputs {
        add_products(simd, x, outputs, whole + first..inputs.min(whole + first + S::F32_LANES), &mut sums);
    }
    sums
}

/// sums += x · outputs for some inputs, not more than a vector has.
#[inline(always)]
fn add_products<S: Simd, N: Number, const ROWS: usize>(
    simd: S,
    x: [&[f32]; ROWS],
    outputs: [&[N]; OUTPUTS],
    inputs: Range<usize>,
    sums: &mut [[S::f32s; OUTPUTS]; ROWS],
) {
    let mut factors = [simd.splat_f32s(0.0); OUTPUTS];
    for output in 0..OUTPUTS {
        factors[output] = load(simd, &outputs[output][inputs.clone()]);
    }
    for row in 0..ROWS {
        let x = load(simd, &x[row][inputs.clone()]);
        for output in 0..OUTPUTS {
            sums[row][output] = simd.mul_add_e_f32s(factors[output], x, sums[row][output]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::testing::{assert_close, has_vectors, numbers, on_every_instruction_set};

    #[test]
    fn tiles_of_any_height_have_the_same_products_under_every_instruction_set() {
        for (rows, inputs, stride, outputs) in
            [(1, 1, 1, 1), (2, 39, 64, 7), (3, 64, 64, 8), (5, 100, 101, 33), (16, 6, 6, 20)]
        {
            let weights: Vec<i8> = numbers(outputs * stride).iter().map(|x| (x * 127.0) as i8).collect();
            let x = numbers(rows * inputs);
            let mut expected = Vec::new();
            for x in x.chunks(inputs) {
                expected.extend(weights.chunks(stride).map(|weights| {
                    x.iter().zip(weights).map(|(x, weight)| x * f32::from(*weight)).sum::<f32>()
                }));
            }
            let mut bits = std::collections::HashSet::new();
            on_every_instruction_set!(|simd| {
                let [mut low, mut high] = [(); 2].map(|()| vec![f32::NAN; rows * outputs]);
                products_by_tiles::<_, _, ROWS>(simd, &x, &weights, stride, inputs, &mut low);
                products_by_tiles::<_, _, MORE_ROWS>(simd, &x, &weights, stride, inputs, &mut high);
                for y in [low, high] {
                    assert_close(&y, &expected, 1e-4);
                    if has_vectors(simd) {
                        bits.insert(y.iter().map(|product| product.to_bits()).collect::<Vec<_>>());
                    }
                }
            });
            assert!(bits.len() <= 1, "{rows} x {inputs} x {outputs}");
        }
    }
}
