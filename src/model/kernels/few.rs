//! y = x · W for a few rows of x, W lying as [inputs, outputs]: nearly at the speed at which one row alone reads it.
//!
//! A few rows of W are multiplied with all rows of x, column by column, while the next ones come from memory. Sums stay
//! in the cache, and those of a tile in registers; each adds up its inputs one by one, in their order.

use std::ops::Range;

use pulp::{Simd, bytemuck};

use super::matrix::{Matrix, finish};
use super::number::{Number, load};
use super::panels::{MORE_ROWS, Panel, ROWS, has_many_registers, pack_rows};
use super::rows::{LINE, Line, fetch_ahead};
use crate::parallel::from_chunks;

/// Columns that are worked on together, at most: long pieces of rows, and sums that stay in the second-level cache.
const COLUMNS: usize = 768;

/// The work is cut into about so many parts, by columns and then by inputs: fixed numbers, so that sums are the same on
/// every machine. Sums of inputs apart take room and must be added up: not too many.
const PARTS: usize = 12;
const INPUT_PARTS: usize = 4;

/// Inputs that are worked on together.
const INPUTS: usize = 16;

/// Columns whose sums lie together.
const WIDTH: usize = 2 * LINE;

/// Vectors in each row of a tile.
const VECTORS: usize = 2;

/// y [rows, outputs] = x [rows, inputs] · W, finished.
pub fn multiply<N: Number>(x: &[f32], weight: Matrix<N>) -> Vec<f32> {
    let rows = x.len() / weight.inputs;
    let tiles = rows.div_ceil(if has_many_registers() { MORE_ROWS } else { ROWS });
    match rows.div_ceil(tiles) {
        0..=4 => multiply_by_tiles::<4, N>(x, weight),
        5..=ROWS => multiply_by_tiles::<ROWS, N>(x, weight),
        7..=8 => multiply_by_tiles::<8, N>(x, weight),
        _ => multiply_by_tiles::<MORE_ROWS, N>(x, weight),
    }
}

fn multiply_by_tiles<const ROWS: usize, N: Number>(x: &[f32], weight: Matrix<N>) -> Vec<f32> {
    let Matrix { numbers, inputs, outputs, .. } = weight;
    let rows = x.len() / inputs;
    let height = rows.next_multiple_of(ROWS);
    let width = COLUMNS.min(outputs.next_multiple_of(WIDTH));
    let column_parts = outputs.div_ceil(width);
    let depth = inputs.div_ceil((PARTS / column_parts).clamp(1, INPUT_PARTS)).next_multiple_of(INPUTS);
    let input_parts = inputs.div_ceil(depth);
    // [part of the inputs, part of the columns, block of columns, row, WIDTH]
    let size = height * width;
    let sums =
        from_chunks(Line::ZERO, input_parts * column_parts * size / LINE, size / LINE, |part, sums| {
            let (input, column) = (part / column_parts * depth, part % column_parts * width);
            let inputs_here = input..inputs.min(input + depth);
            let numbers = &numbers[input * outputs..inputs_here.end * outputs];
            let columns = column..outputs.min(column + width);
            let x = panels::<ROWS>(x, inputs, inputs_here);
            add_products(&x, numbers, outputs, columns, bytemuck::cast_slice_mut(sums));
        });
    let sums: &[f32] = bytemuck::cast_slice(&sums);
    from_chunks(0.0, rows * outputs, outputs, |row, y| {
        add_parts(&sums[row * WIDTH..], column_parts * size, height * WIDTH, y);
        finish(weight.finish, 0, y);
    })
}

/// y += each of the parts, which begin `size` numbers apart, and their blocks of columns `stride` numbers.
#[pulp::with_simd(add_parts = pulp::Arch::new())]
#[inline(always)]
fn add_parts_with_simd<S: Simd>(_simd: S, parts: &[f32], size: usize, stride: usize, y: &mut [f32]) {
    for part in parts.chunks(size) {
        for (y, sums) in y.chunks_mut(WIDTH).zip(part.chunks(stride)) {
            y.iter_mut().zip(sums).for_each(|(y, sum)| *y += sum);
        }
    }
}

/// Some inputs of all rows, [tile, block of inputs]; zeros where there are fewer.
fn panels<const ROWS: usize>(x: &[f32], inputs: usize, range: Range<usize>) -> Vec<Panel<ROWS, INPUTS>> {
    let tiles = (x.len() / inputs).div_ceil(ROWS);
    let blocks = range.len().div_ceil(INPUTS);
    let mut panels = vec![[[0.0; INPUTS]; ROWS]; tiles * blocks];
    let mut rows = x.chunks_exact(inputs).map(|x| &x[range.clone()]);
    panels.chunks_exact_mut(blocks).for_each(|panels| pack_rows(rows.by_ref(), panels));
    panels
}

/// sums [block of columns, row, WIDTH] += x · some columns of W's rows [inputs, outputs].
#[pulp::with_simd(add_products = pulp::Arch::new())]
#[inline(always)]
fn add_products_with_simd<S: Simd, N: Number, const ROWS: usize>(
    simd: S,
    x: &[Panel<ROWS, INPUTS>],
    weights: &[N],
    outputs: usize,
    columns: Range<usize>,
    sums: &mut [f32],
) {
    let blocks = (weights.len() / outputs).div_ceil(INPUTS);
    let tiles = x.len() / blocks;
    for (block, weights) in weights.chunks(INPUTS * outputs).enumerate() {
        for (first, sums) in columns.clone().step_by(WIDTH).zip(sums.chunks_exact_mut(tiles * ROWS * WIDTH)) {
            let padded;
            let (weights, stride) = if first + WIDTH <= columns.end {
                (&weights[first..], outputs)
            } else {
                padded = with_zeros(weights.chunks(outputs).map(|weights| &weights[first..columns.end]));
                (padded.as_flattened(), WIDTH)
            };
            for column in (0..WIDTH).step_by(VECTORS * S::F32_LANES) {
                for (x, sums) in x.chunks_exact(blocks).zip(sums.chunks_exact_mut(ROWS * WIDTH)) {
                    add_tile(simd, &x[block], &weights[column..], stride, &mut sums[column..]);
                }
            }
        }
    }
}

/// Some rows of weights with zeros behind, so that they are as long as others.
fn with_zeros<'a, N: Number>(rows: impl Iterator<Item = &'a [N]>) -> [[N; WIDTH]; INPUTS] {
    let mut padded = [[N::zeroed(); WIDTH]; INPUTS];
    for (padded, row) in padded.iter_mut().zip(rows) {
        padded[..row.len()].copy_from_slice(row);
    }
    padded
}

/// sums [ROWS, WIDTH] += x · W's rows, which begin `stride` numbers apart: as many columns as a tile has. The next columns
/// and the next rows are fetched meanwhile.
#[inline(always)]
fn add_tile<S: Simd, N: Number, const ROWS: usize>(
    simd: S,
    x: &Panel<ROWS, INPUTS>,
    weights: &[N],
    stride: usize,
    sums: &mut [f32],
) {
    let lanes = S::F32_LANES;
    let mut tile = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
    for row in 0..ROWS {
        for vector in 0..VECTORS {
            tile[row][vector] = load(simd, &sums[row * WIDTH + vector * lanes..][..lanes]);
        }
    }
    for (input, weights) in weights.chunks(stride).take(INPUTS).enumerate() {
        let weights = &weights[..VECTORS * lanes];
        fetch_ahead(weights, weights.len());
        fetch_ahead(weights, INPUTS * stride);
        let weights = [load(simd, &weights[..lanes]), load(simd, &weights[lanes..])];
        for row in 0..ROWS {
            let x = simd.splat_f32s(x[row][input]);
            for vector in 0..VECTORS {
                tile[row][vector] = simd.mul_add_e_f32s(x, weights[vector], tile[row][vector]);
            }
        }
    }
    for row in 0..ROWS {
        for vector in 0..VECTORS {
            let sum = bytemuck::cast_slice::<S::f32s, f32>(&tile[row][vector..=vector]);
            sums[row * WIDTH + vector * lanes..][..lanes].copy_from_slice(sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::testing::{assert_close, has_vectors, numbers, on_every_instruction_set};

    /// Some columns of 1 + x · W.
    fn by_tiles<S: Simd, const ROWS: usize>(
        simd: S,
        x: &[f32],
        weights: &[i8],
        outputs: usize,
        columns: Range<usize>,
    ) -> Vec<f32> {
        let inputs = weights.len() / outputs;
        let rows = (x.len() / inputs).next_multiple_of(ROWS);
        let panels = panels::<ROWS>(x, inputs, 0..inputs);
        let mut sums = vec![0.0; rows * columns.len().next_multiple_of(WIDTH)];
        add_products_with_simd(simd, &panels, weights, outputs, columns.clone(), &mut sums);
        let mut y = vec![1.0; x.len() / inputs * columns.len()];
        for (row, y) in y.chunks_mut(columns.len()).enumerate() {
            add_parts_with_simd(simd, &sums[row * WIDTH..], sums.len(), rows * WIDTH, y);
        }
        y
    }

    #[test]
    fn any_columns_are_the_same_sums_under_every_instruction_set_and_by_tiles_of_any_height() {
        for (rows, inputs, outputs, columns) in [
            (2, 1, 1, 0..1),
            (2, 39, 83, 80..83),
            (3, 64, 64, 0..48),
            (5, 5, 1030, 512..1024),
            (16, 6, 20, 3..20),
        ] {
            let weights: Vec<i8> = numbers(inputs * outputs).iter().map(|x| (x * 127.0) as i8).collect();
            let x = numbers(rows * inputs);
            let mut expected = Vec::new();
            for x in x.chunks(inputs) {
                expected.extend(columns.clone().map(|column| {
                    1.0 + (0..inputs).map(|i| x[i] * f32::from(weights[i * outputs + column])).sum::<f32>()
                }));
            }
            let mut bits = std::collections::HashSet::new();
            on_every_instruction_set!(|simd| {
                for y in [
                    by_tiles::<_, ROWS>(simd, &x, &weights, outputs, columns.clone()),
                    by_tiles::<_, MORE_ROWS>(simd, &x, &weights, outputs, columns.clone()),
                ] {
                    assert_close(&y, &expected, 1e-4);
                    if has_vectors(simd) {
                        bits.insert(y.iter().map(|sum| sum.to_bits()).collect::<Vec<_>>());
                    }
                }
            });
            assert!(bits.len() <= 1, "{rows} x {inputs} x {outputs}");
        }
    }
}
