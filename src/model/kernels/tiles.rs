//! y = x · W for many rows of x, at the speed of arithmetic.
//!
//! Rows of x and columns of W are packed into panels that lie in memory in the order in which they are read, and
//! tiles of y that fit the registers are added up from them (Goto & van de Geijn 2008; Van Zee & van de Geijn 2015).
//! Whatever kind of numbers a weight consists of, packing makes `f32` of them: there is one loop for all precisions.

use std::array;
use std::cell::RefCell;
use std::ops::Range;

use pulp::Simd;

use super::matrix::{Layout, Matrix, Target};
use super::number::{Number, load};
use crate::parallel::{for_each_chunk, for_each_part, threads};

/// Rows of a tile.
const ROWS: usize = 6;
/// Vectors in each of these rows: with AVX2, twelve sums, two factors and one x fill the sixteen registers.
const VECTORS: usize = 2;

/// Inputs and outputs of a packed block of W, which stays in the second-level cache.
const INPUTS: usize = 192;
const OUTPUTS: usize = 192;

/// y [rows, outputs] = x [rows, inputs] · W, scaled, plus the bias.
pub fn multiply<N: Number>(x: &[f32], weight: Matrix<N>) -> Vec<f32> {
    let Matrix { inputs, outputs, .. } = weight;
    let rows = x.len() / inputs;
    let panels = pack_rows(x, inputs);
    let mut y = vec![0.0; rows * outputs];
    let target = Target(y.as_mut_ptr());
    // Each part packs its block of W anew: rows are shared out only where there are too few blocks for all threads.
    let column_parts = outputs.div_ceil(OUTPUTS);
    let row_parts = (2 * threads()).div_ceil(column_parts);
    let row_part = rows.div_ceil(row_parts).next_multiple_of(8 * ROWS);
    let row_parts = rows.div_ceil(row_part);
    for_each_part(column_parts * row_parts, |part| {
        let columns = piece(part / row_parts, OUTPUTS, outputs);
        let rows = piece(part % row_parts, row_part, rows);
        WORKSPACE.with_borrow_mut(|workspace| {
            workspace.multiply(&panels[rows.start * inputs..], rows.len(), weight, columns.clone());
            for (row, sums) in workspace.rows(rows.len(), columns.len()) {
                let place = target.at((rows.start + row) * outputs + columns.start + sums.first);
                // SAFETY: these columns of this row lie inside y, and no other part writes to them.
                let y = unsafe { std::slice::from_raw_parts_mut(place, sums.values.len()) };
                y.copy_from_slice(sums.values);
                weight.finish(columns.start + sums.first, y);
            }
        });
    });
    y
}

/// The `index`th piece of `size` below `end`.
fn piece(index: usize, size: usize, end: usize) -> Range<usize> {
    index * size..((index + 1) * size).min(end)
}

/// Panels [inputs, ROWS] of `ROWS` rows each, the last filled up with its last row again.
fn pack_rows(x: &[f32], inputs: usize) -> Vec<f32> {
    let rows = x.len() / inputs;
    let mut panels = vec![0.0; rows.next_multiple_of(ROWS) * inputs];
    for_each_chunk(&mut panels, ROWS * inputs, |panel, packed| {
        let (first, last) = (panel * ROWS, rows - 1);
        let x: [&[f32]; ROWS] = array::from_fn(|row| &x[(first + row).min(last) * inputs..][..inputs]);
        for (input, packed) in packed.as_chunks_mut::<ROWS>().0.iter_mut().enumerate() {
            *packed = array::from_fn(|row| x[row][input]);
        }
    });
    panels
}

thread_local! {
    static WORKSPACE: RefCell<Workspace> = RefCell::new(Workspace::new());
}

/// A thread's packed block of W and the tiles of y that come of it; kept for the next block.
struct Workspace {
    /// Columns in a panel of W.
    width: usize,
    /// [panel of W, inputs, width]
    block: Vec<f32>,
    /// [panel of x, panel of W, ROWS, width]
    tiles: Vec<f32>,
}

/// Some columns of a row of y.
struct Sums<'a> {
    first: usize,
    values: &'a [f32],
}

impl Workspace {
    fn new() -> Workspace {
        let width = panel_width();
        let columns = OUTPUTS.next_multiple_of(width);
        Workspace { width, block: vec![0.0; INPUTS * columns], tiles: Vec::new() }
    }

    /// Computes the tiles of some columns of W with `rows` rows of x, packed.
    fn multiply<N: Number>(&mut self, x: &[f32], rows: usize, weight: Matrix<N>, columns: Range<usize>) {
        let Workspace { width, block, tiles } = self;
        let (all, w_panels) = (weight.inputs, columns.len().div_ceil(*width));
        tiles.clear();
        tiles.resize(rows.next_multiple_of(ROWS) * w_panels * *width, 0.0);
        for first in (0..all).step_by(INPUTS) {
            let inputs = first..(first + INPUTS).min(all);
            let block = &mut block[..inputs.len() * w_panels * *width];
            pack(weight, inputs.clone(), columns.clone(), block);
            let x_panels =
                x.chunks_exact(ROWS * all).map(|panel| &panel[ROWS * inputs.start..ROWS * inputs.end]);
            for (x, tiles) in x_panels.zip(tiles.chunks_exact_mut(w_panels * ROWS * *width)) {
                add_products(x, block, tiles);
            }
        }
    }

    /// The rows' columns in the order in which they lie here: the row, and its columns in one panel.
    fn rows(&self, rows: usize, columns: usize) -> impl Iterator<Item = (usize, Sums<'_>)> {
        let (width, panels) = (self.width, columns.div_ceil(self.width));
        self.tiles.chunks_exact(width).enumerate().filter_map(move |(index, values)| {
            let (tile, row) = (index / ROWS, index / ROWS / panels * ROWS + index % ROWS);
            let first = tile % panels * width;
            (row < rows).then(|| (row, Sums { first, values: &values[..width.min(columns - first)] }))
        })
    }
}

/// tiles += x · panels, for one panel of x and all panels of a block of W.
#[pulp::with_simd(add_products = pulp::Arch::new())]
#[inline(always)]
fn add_products_with_simd<S: Simd>(simd: S, x: &[f32], block: &[f32], tiles: &mut [f32]) {
    let width = VECTORS * S::F32_LANES;
    let panels = block.chunks_exact(x.len() / ROWS * width);
    for (panel, tile) in panels.zip(tiles.chunks_exact_mut(ROWS * width)) {
        add_product(simd, x, panel, tile);
    }
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

/// tile [ROWS, width] += x [inputs, ROWS]ᵀ · panel [inputs, width].
#[inline(always)]
fn add_product<S: Simd>(simd: S, x: &[f32], panel: &[f32], tile: &mut [f32]) {
    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
    let (factors, _) = S::as_simd_f32s(panel);
    for (x, factors) in x.as_chunks::<ROWS>().0.iter().zip(factors.as_chunks::<VECTORS>().0) {
        for row in 0..ROWS {
            let x = simd.splat_f32s(x[row]);
            for vector in 0..VECTORS {
                sums[row][vector] = simd.mul_add_e_f32s(x, factors[vector], sums[row][vector]);
            }
        }
    }
    let (tile, _) = S::as_mut_simd_f32s(tile);
    for (tile, sums) in tile.as_chunks_mut::<VECTORS>().0.iter_mut().zip(sums) {
        for vector in 0..VECTORS {
            tile[vector] = simd.add_f32s(tile[vector], sums[vector]);
        }
    }
}

/// How many columns a panel of W has.
#[pulp::with_simd(panel_width = pulp::Arch::new())]
#[inline(always)]
fn panel_width_with_simd<S: Simd>(_simd: S) -> usize {
    VECTORS * S::F32_LANES
}
