//! Products of many rows with rounded weights in the tile registers of newer Intel processors (AMX), which make many
//! times as many products in a step as vectors do.
//!
//! The weights are used where and as they lie. x is rounded, too: to bfloat16 for weights of those, and for int8 to 16
//! bits of the largest number in its row, as two bytes, which costs a hundredth of what rounding the weights does.

mod registers;

use std::ops::Range;

use half::bf16;
use pulp::Simd;

use super::activation::activate_with_simd;
use super::matrix::{Matrix, Target};
use super::number::{Number, ROWS_TOGETHER};
use super::rounding::{cut_into_bytes, round_to_bf16};
use crate::parallel::{for_each_part, map};
use registers::{IS_AVAILABLE, SIDE, STEP, Sums, Tiles};

const TILE: usize = SIDE * STEP;
/// Outputs, and rows of x, that two tiles hold.
const PAIR: usize = ROWS_TOGETHER;
/// Blocks of rows of x that stay in the second-level cache while the weights pass by.
const BLOCKS: usize = 4;
/// Outputs that one thread works on at a time.
const OUTPUTS: usize = 4 * PAIR;

/// A number that tiles can consist of.
pub trait InTiles: Number {
    /// How many parts a number of x is cut into; the products of each have sums of their own.
    const PARTS: usize;

    /// Cuts up a row of x, as bytes of each part in turn. Returns what the parts are to be multiplied by.
    fn cut(x: &[f32], parts: &mut [Vec<u8>]) -> f32;

    /// Adds to the sums of a part.
    ///
    /// # Safety
    /// Tiles are set up; there are [`PAIR`] rows of weights, `stride` bytes apart, and as many tiles of x as
    /// `steps` say.
    unsafe fn add(part: usize, weights: *const u8, stride: usize, x: &[u8], steps: usize, sums: &mut Sums);

    /// What an output of a tile comes to for each row, out of the sums of all parts.
    fn totals(parts: &[Sums], tile: usize, output: usize) -> [f32; SIDE];
}

/// y [rows, outputs] = x [rows, inputs] · W, finished; nothing where the processor has no tiles.
pub fn multiply<N: InTiles>(x: &[f32], weight: Matrix<N>) -> Option<Vec<f32>> {
    let has_room = weight.numbers.len() >= weight.outputs.next_multiple_of(PAIR) * weight.stride;
    (weight.is_laid_in_rows() && has_room && *IS_AVAILABLE).then(|| multiply_in_tiles(x, weight))
}

fn multiply_in_tiles<N: InTiles>(x: &[f32], weight: Matrix<N>) -> Vec<f32> {
    let Matrix { inputs, outputs, .. } = weight;
    let rows = x.len() / inputs;
    let blocks = map(&x.chunks(PAIR * inputs).collect::<Vec<_>>(), |x| Block::new(x, weight));
    let mut y = Vec::with_capacity(rows * outputs);
    let target = Target(y.as_mut_ptr());
    let output_parts = outputs.div_ceil(OUTPUTS);
    for_each_part(blocks.len().div_ceil(BLOCKS) * output_parts, |part| {
        let (group, first) = (part / output_parts, part % output_parts * OUTPUTS);
        // SAFETY: `multiply` has asked whether there are tiles.
        let _tiles = unsafe { Tiles::new() };
        let blocks = &blocks[group * BLOCKS..blocks.len().min((group + 1) * BLOCKS)];
        let mut sums = vec![[[[0; SIDE]; SIDE]; 4]; blocks.len() * N::PARTS];
        for first in (first..outputs.min(first + OUTPUTS)).step_by(PAIR) {
            add_up(blocks, weight, first, &mut sums);
            for ((index, block), sums) in (group * BLOCKS..).zip(blocks).zip(sums.chunks_exact(N::PARTS)) {
                let mut columns = [[0.0; PAIR]; PAIR]; // [output, row]
                put_together(weight, first, sums, &block.scales, &mut columns);
                let columns = &columns[..PAIR.min(outputs - first)];
                for row in 0..PAIR.min(rows - index * PAIR) {
                    let place = target.at((index * PAIR + row) * outputs + first);
                    // SAFETY: there is room for this row's columns, and no other part writes to them.
                    (0..columns.len())
                        .for_each(|output| unsafe { place.add(output).write(columns[output][row]) });
                }
            }
        }
    });
    // SAFETY: all columns of all rows have been written.
    unsafe { y.set_len(rows * outputs) };
    y
}

/// [`PAIR`] rows of x, cut up: [part, step, half, group of bytes that are multiplied together, row].
struct Block {
    bytes: Vec<u8>,
    scales: [f32; PAIR],
}

impl Block {
    fn new<N: InTiles>(x: &[f32], weight: Matrix<N>) -> Block {
        let row_bytes = weight.stride * size_of::<N>();
        let mut bytes = vec![0; N::PARTS * row_bytes * PAIR];
        let mut scales = [0.0; PAIR];
        let mut parts = vec![vec![0; row_bytes]; N::PARTS];
        for (row, x) in x.chunks_exact(weight.inputs).enumerate() {
            scales[row] = N::cut(x, &mut parts);
            let place = row / SIDE * TILE + row % SIDE * 4;
            for (part, bytes) in parts.iter().zip(bytes.chunks_exact_mut(row_bytes * PAIR)) {
                for (step, bytes) in part.chunks_exact(STEP).zip(bytes.chunks_exact_mut(2 * TILE)) {
                    for (group, place) in step.as_chunks::<4>().0.iter().zip((place..).step_by(STEP)) {
                        bytes[place..place + 4].copy_from_slice(group);
                    }
                }
            }
        }
        Block { bytes, scales }
    }

    /// Adds the products with some outputs of W over some steps.
    fn add<N: InTiles>(&self, weight: Matrix<N>, first: usize, steps: Range<usize>, sums: &mut [Sums]) {
        let stride = weight.stride * size_of::<N>();
        let weights = &weight.numbers[first * weight.stride..][..PAIR * weight.stride];
        let weights = weights.as_ptr().cast::<u8>().wrapping_add(steps.start * STEP);
        for ((part, x), sums) in self.bytes.chunks_exact(stride * PAIR).enumerate().zip(sums) {
            let x = &x[steps.start * 2 * TILE..steps.end * 2 * TILE];
            // SAFETY: the slices are as long as asked for, and the caller holds configured tiles.
            unsafe { N::add(part, weights, stride, x, steps.len(), sums) };
        }
    }
}

/// The sums of some blocks with some outputs of W, of each block's parts in turn. A few steps at a time, so that their
/// weights stay in the first-level cache while all blocks pass by.
fn add_up<N: InTiles>(blocks: &[Block], weight: Matrix<N>, first: usize, sums: &mut [Sums]) {
    const TOGETHER: usize = 12;
    let steps = weight.stride * size_of::<N>() / STEP;
    sums.as_flattened_mut().as_flattened_mut().as_flattened_mut().fill(0);
    for start in (0..steps).step_by(TOGETHER) {
        for (block, sums) in blocks.iter().zip(sums.chunks_exact_mut(N::PARTS)) {
            block.add(weight, first, start..steps.min(start + TOGETHER), sums);
        }
    }
}

#[pulp::with_simd(put_together = pulp::Arch::new())]
#[inline(always)]
fn put_together_with_simd<S: Simd, N: InTiles>(
    simd: S,
    weight: Matrix<'_, N>,
    first: usize,
    sums: &[Sums],
    scales: &[f32; PAIR],
    products: &mut [[f32; PAIR]; PAIR],
) {
    for (output, products) in products.iter_mut().enumerate() {
        let at = |values: Option<&[f32]>, missing| {
            values.map_or(missing, |v| v.get(first + output).copied().unwrap_or(missing))
        };
        let (own_scale, bias) = (at(weight.finish.scales, 1.0), at(weight.finish.bias, 0.0));
        for half in 0..2 {
            let totals = N::totals(sums, output / SIDE * 2 + half, output % SIDE);
            for row in 0..SIDE {
                products[half * SIDE + row] = totals[row] * scales[half * SIDE + row] * own_scale + bias;
            }
        }
        if let Some(activation) = weight.finish.activation {
            activate_with_simd(simd, activation, products);
        }
    }
}

/// x itself, rounded.
impl InTiles for bf16 {
    const PARTS: usize = 1;

    fn cut(x: &[f32], parts: &mut [Vec<u8>]) -> f32 {
        round_to_bf16(x, parts[0].as_chunks_mut().0);
        1.0
    }

    unsafe fn add(_: usize, weights: *const u8, stride: usize, x: &[u8], steps: usize, sums: &mut Sums) {
        // SAFETY: as the caller promises.
        unsafe { registers::add_bf16(weights, stride, x.as_ptr(), steps, sums) }
    }

    #[inline(always)]
    fn totals(parts: &[Sums], tile: usize, output: usize) -> [f32; SIDE] {
        parts[0][tile][output].map(f32::from_bits)
    }
}

/// x = scale · (256 · high + low); the first has a sign, the other has none.
impl InTiles for i8 {
    const PARTS: usize = 2;

    fn cut(x: &[f32], parts: &mut [Vec<u8>]) -> f32 {
        let [high, low] = parts else { unreachable!("there are two parts") };
        cut_into_bytes(x, high, low)
    }

    unsafe fn add(part: usize, weights: *const u8, stride: usize, x: &[u8], steps: usize, sums: &mut Sums) {
        // SAFETY: as the caller promises.
        match part {
            0 => unsafe { registers::add_signed(weights, stride, x.as_ptr(), steps, sums) },
            _ => unsafe { registers::add_unsigned(weights, stride, x.as_ptr(), steps, sums) },
        }
    }

    #[inline(always)]
    fn totals(parts: &[Sums], tile: usize, output: usize) -> [f32; SIDE] {
        let (high, low) = (&parts[0][tile][output], &parts[1][tile][output]);
        std::array::from_fn(
            #[inline(always)]
            |row| high[row].cast_signed() as f32 * 256.0 + low[row].cast_signed() as f32,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kernels::matrix::{Finish, Layout};
    use crate::model::kernels::testing::Laid;
    use crate::vector::testing::{assert_close, numbers};

    /// Products by tiles and by plain sums.
    fn compare<N: InTiles>(x: &[f32], weights: &Laid<N>, tolerance: f32) {
        match multiply(x, weights.matrix()) {
            Some(y) => assert_close(&y, &weights.products(x), tolerance),
            None => eprintln!("skipped: this processor has no tiles"),
        }
    }

    #[test]
    fn tiles_give_the_products_of_the_plain_loops() {
        for (rows, inputs, outputs) in [(1, 1, 1), (3, 37, 70), (33, 160, 33), (70, 64, 32), (130, 100, 129)]
        {
            let (x, root) = (numbers(rows * inputs), (inputs as f32).sqrt());
            compare(&x, &Laid::new(inputs, outputs, bf16::from_f32), 4e-3 * root);
            compare(&x, &Laid::new(inputs, outputs, |x| (x * 127.0) as i8), 2e-3 * root);
        }
    }

    #[test]
    fn a_row_of_zeros_and_one_of_huge_numbers_come_through() {
        let weights = vec![3_i8; PAIR * STEP];
        let matrix = Matrix {
            numbers: &weights[..],
            layout: Layout::OutputsByInputs,
            stride: STEP,
            inputs: 2,
            outputs: 1,
            finish: Finish::default(),
        };
        if let Some(y) = multiply(&[0.0, 0.0, -1e30, 2e30, 5.0, -5.0], matrix) {
            assert_close(&y, &[0.0, 3e30, 0.0], 1e-4);
        }
    }
}
