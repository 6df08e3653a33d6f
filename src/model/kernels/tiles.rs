//! y = x · W for many rows of x, at the speed of arithmetic.
//!
//! Rows of x and columns of W are packed into panels that lie in memory in the order in which they are read, and
//! tiles of y that fit the registers are added up from them (Goto & van de Geijn 2008; Van Zee & van de Geijn 2015).
//! Whatever kind of numbers a weight consists of, packing makes `f32` of them: there is one loop for all precisions.

use std::array;
use std::cell::RefCell;
use std::ops::Range;

use pulp::{Simd, bytemuck};

use super::matrix::{Layout, Matrix, Target};
use super::number::{Number, load};
use super::rows::{LINE, Line};
use crate::parallel::{for_each_part, from_chunks, threads};

/// Vectors in each row of a tile.
const VECTORS: usize = 2;
/// Rows of a tile: twelve sums, two factors and one x fill sixteen registers, twenty-four sums go into thirty-two.
const ROWS: usize = 6;
const MORE_ROWS: usize = 12;

/// Inputs and outputs of a packed block of W, which stays in the second-level cache.
const INPUTS: usize = 192;
const OUTPUTS: usize = 192;

/// y [rows, outputs] = x [rows, inputs] · W, scaled, plus the bias.
pub fn multiply<N: Number>(x: &[f32], weight: Matrix<N>) -> Vec<f32> {
    match has_many_registers() {
        true => multiply_by_tiles::<MORE_ROWS, N>(x, weight),
        false => multiply_by_tiles::<ROWS, N>(x, weight),
    }
}

fn multiply_by_tiles<const ROWS: usize, N: Number>(x: &[f32], weight: Matrix<N>) -> Vec<f32> {
    let Matrix { inputs, outputs, .. } = weight;
    let rows = x.len() / inputs;
    let panels = pack_rows::<ROWS>(x, inputs);
    let mut y = Vec::with_capacity(rows * outputs);
    let target = Target(y.as_mut_ptr());
    // Each part packs its block of W anew: rows are shared out only where there are too few blocks for all threads.
    let column_parts = outputs.div_ceil(OUTPUTS);
    let row_parts = (4 * threads()).div_ceil(column_parts);
    let row_part = rows.div_ceil(row_parts).next_multiple_of(8 * MORE_ROWS);
    let row_parts = rows.div_ceil(row_part);
    for_each_part(column_parts * row_parts, |part| {
        let columns = piece(part / row_parts, OUTPUTS, outputs);
        let rows = piece(part % row_parts, row_part, rows);
        let y = Part { target: &target, outputs, rows: rows.clone(), columns };
        y.clear();
        BLOCK.with_borrow_mut(|block| {
            y.add_product(&panels[rows.start / ROWS * inputs..], weight, bytemuck::cast_slice_mut(block));
        });
        y.finish(weight);
    });
    // SAFETY: the parts are all of y, and each was computed.
    unsafe { y.set_len(rows * outputs) };
    y
}

/// The `index`th piece of `size` below `end`.
fn piece(index: usize, size: usize, end: usize) -> Range<usize> {
    index * size..((index + 1) * size).min(end)
}

/// Panels [inputs] of `ROWS` rows each, the last filled up with its last row again.
fn pack_rows<const ROWS: usize>(x: &[f32], inputs: usize) -> Vec<[f32; ROWS]> {
    let rows = x.len() / inputs;
    from_chunks([0.0; ROWS], rows.div_ceil(ROWS) * inputs, inputs, |panel, packed| {
        let (first, last) = (panel * ROWS, rows - 1);
        let x: [&[f32]; ROWS] = array::from_fn(|row| &x[(first + row).min(last) * inputs..][..inputs]);
        for (input, packed) in packed.iter_mut().enumerate() {
            *packed = array::from_fn(|row| x[row][input]);
        }
    })
}

thread_local! {
    /// A thread's packed block of W, [panel, inputs, width], kept for the next block.
    static BLOCK: RefCell<Vec<Line>> = RefCell::new(vec![Line::ZERO; INPUTS * OUTPUTS / LINE]);
}

/// The part of y that one thread computes.
struct Part<'a> {
    target: &'a Target,
    /// Of the whole y.
    outputs: usize,
    rows: Range<usize>,
    columns: Range<usize>,
}

impl Part<'_> {
    /// y ← 0.
    fn clear(&self) {
        for row in self.rows.clone() {
            let first = self.target.at(row * self.outputs + self.columns.start);
            // SAFETY: these columns of this row lie inside y, and belong to no other part.
            unsafe { first.write_bytes(0, self.columns.len()) };
        }
    }

    /// y += x · W for these columns, x being packed and beginning with the first of these rows.
    fn add_product<const ROWS: usize, N: Number>(
        &self,
        x: &[[f32; ROWS]],
        weight: Matrix<N>,
        block: &mut [f32],
    ) {
        let width = panel_width();
        let all = weight.inputs;
        for first in (0..all).step_by(INPUTS) {
            let inputs = first..(first + INPUTS).min(all);
            let block = &mut block[..inputs.len() * self.columns.len().next_multiple_of(width)];
            pack(weight, inputs.clone(), self.columns.clone(), block);
            for (x, row) in x.chunks_exact(all).zip(self.rows.clone().step_by(ROWS)) {
                add_products(&x[inputs.clone()], block, self, row);
            }
        }
    }

    /// What is left to do with sums.
    fn finish<N: Number>(&self, weight: Matrix<N>) {
        for row in self.rows.clone() {
            // SAFETY: each row and column is asked for once at a time.
            finish(weight, self.columns.start, unsafe { self.row(row, self.columns.clone()) });
        }
    }

    /// Some columns of a row.
    ///
    /// # Safety
    /// They are inside this part, which is cleared, and nothing else refers to them as long as this does.
    #[allow(clippy::mut_from_ref)]
    #[inline(always)]
    unsafe fn row(&self, row: usize, columns: Range<usize>) -> &mut [f32] {
        // SAFETY: no two parts share a place, and all of them lie inside y.
        unsafe {
            std::slice::from_raw_parts_mut(self.target.at(row * self.outputs + columns.start), columns.len())
        }
    }
}

/// y += x · panels, for one panel of x, whose first row is `row`, and all panels of a block of W.
#[pulp::with_simd(add_products = pulp::Arch::new())]
#[inline(always)]
fn add_products_with_simd<S: Simd, const ROWS: usize>(
    simd: S,
    x: &[[f32; ROWS]],
    block: &[f32],
    y: &Part<'_>,
    row: usize,
) {
    let width = VECTORS * S::F32_LANES;
    let starts = y.columns.clone().step_by(width);
    for (panel, first) in block.chunks_exact(x.len() * width).zip(starts) {
        let sums = product(simd, x, panel);
        let columns = first..y.columns.end.min(first + width);
        for (row, sums) in (row..y.rows.end).zip(&sums) {
            // SAFETY: each row and column is asked for once at a time.
            let y = unsafe { y.row(row, columns.clone()) };
            if y.len() == width {
                let (y, _) = S::as_mut_simd_f32s(y);
                for vector in 0..VECTORS {
                    y[vector] = simd.add_f32s(y[vector], sums[vector]);
                }
            } else {
                let sums = bytemuck::cast_slice::<S::f32s, f32>(sums);
                y.iter_mut().zip(sums).for_each(|(y, sum)| *y += sum);
            }
        }
    }
}

/// y ← y · scale + bias.
#[pulp::with_simd(finish = pulp::Arch::new())]
#[inline(always)]
fn finish_with_simd<S: Simd, N: Number>(_simd: S, weight: Matrix<'_, N>, first: usize, y: &mut [f32]) {
    weight.finish(first, y);
}

/// Writes a part of W as panels of `width` outputs, each [inputs, width]. What the last panel has beyond the last
/// output stays as it is.
#[pulp::with_simd(pack = pulp::Arch::new())]
#[inline(always)]
fn pack_with_simd<S: Simd, N: Number>(
    simd: S,
    weight: Matrix<'_, N>,
    inputs: Range<usize>,
    outputs: Range<usize>,
    panels: &mut [f32],
) {
    let width = VECTORS * S::F32_LANES;
    let size = inputs.len() * width;
    match weight.layout {
        Layout::InputsByOutputs => {
            for (index, input) in inputs.enumerate() {
                let row = &weight.numbers[input * weight.stride..][outputs.clone()];
                let whole = row.len() / width * width;
                for (numbers, panel) in row.chunks_exact(width).zip(panels.chunks_exact_mut(size)) {
                    let (vectors, _) = S::as_mut_simd_f32s(&mut panel[index * width..(index + 1) * width]);
                    for (vector, numbers) in vectors.iter_mut().zip(numbers.chunks_exact(S::F32_LANES)) {
                        *vector = load(simd, numbers);
                    }
                }
                if whole < row.len() {
                    let panel = &mut panels[whole / width * size + index * width..];
                    panel.iter_mut().zip(&row[whole..]).for_each(|(value, number)| *value = number.widen());
                }
            }
        }
        Layout::OutputsByInputs => {
            for (panel, first) in panels.chunks_exact_mut(size).zip(outputs.clone().step_by(width)) {
                for (column, output) in (first..outputs.end.min(first + width)).enumerate() {
                    let row = &weight.numbers[output * weight.stride..][inputs.clone()];
                    for (value, number) in panel.chunks_exact_mut(width).zip(row) {
                        value[column] = number.widen();
                    }
                }
            }
        }
    }
}

/// x [inputs, ROWS]ᵀ · panel [inputs, width]: a tile [ROWS, width].
#[inline(always)]
fn product<S: Simd, const ROWS: usize>(
    simd: S,
    x: &[[f32; ROWS]],
    panel: &[f32],
) -> [[S::f32s; VECTORS]; ROWS] {
    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
    let (factors, _) = S::as_simd_f32s(panel);
    for (x, factors) in x.iter().zip(factors.as_chunks::<VECTORS>().0) {
        for row in 0..ROWS {
            let x = simd.splat_f32s(x[row]);
            for vector in 0..VECTORS {
                sums[row][vector] = simd.mul_add_e_f32s(x, factors[vector], sums[row][vector]);
            }
        }
    }
    sums
}

/// Whether there are registers for tiles of [`MORE_ROWS`].
#[pulp::with_simd(has_many_registers = pulp::Arch::new())]
#[inline(always)]
fn has_many_registers_with_simd<S: Simd>(_simd: S) -> bool {
    S::REGISTER_COUNT >= 32
}

/// How many columns a panel of W has.
#[pulp::with_simd(panel_width = pulp::Arch::new())]
#[inline(always)]
fn panel_width_with_simd<S: Simd>(_simd: S) -> usize {
    VECTORS * S::F32_LANES
}
