//! Packed matrices and the tiles that are added up from them (Goto & van de Geijn 2008; Van Zee & van de Geijn 2015):
//! rows of x and columns of W lie in memory in the order in which they are read, and a tile of sums fits the registers.

use std::ops::Range;

use pulp::{Simd, bytemuck};

use super::matrix::{Layout, Matrix};
use super::number::{Number, load};
use super::part::Part;
use super::rows::{LINE, Line, fetch};
use crate::vector::turn_fours;

/// Rows of a tile: twelve sums, two factors and one x fill sixteen registers, twenty-four sums go into thirty-two.
pub const ROWS: usize = 6;
pub const MORE_ROWS: usize = 12;
/// Vectors in each row of a tile.
const VECTORS: usize = 2;
/// Inputs of a panel, at most: one of x and one of W fit the first-level cache together.
pub const INPUTS: usize = 192;

/// As many rows of x as a tile has: [row, input].
pub type Panel<const ROWS: usize, const DEPTH: usize = INPUTS> = [[f32; DEPTH]; ROWS];

/// Fills a panel for each block of inputs with the first rows. What there is too much of in a panel stays as it is.
pub fn pack_rows<'a, const ROWS: usize, const DEPTH: usize>(
    rows: impl Iterator<Item = &'a [f32]>,
    panels: &mut [Panel<ROWS, DEPTH>],
) {
    for (row, x) in rows.take(ROWS).enumerate() {
        for (panel, x) in panels.iter_mut().zip(x.chunks(DEPTH)) {
            panel[row][..x.len()].copy_from_slice(x);
        }
    }
}

/// Some inputs and columns of W, packed: [block of inputs, panel, input, column of the panel].
#[derive(Default)]
pub struct Packed {
    values: Vec<Line>,
    inputs: usize,
    panels: usize,
    /// Of a panel.
    width: usize,
}

impl Packed {
    pub fn new<N: Number>(weight: Matrix<N>) -> Packed {
        let mut packed = Packed::default();
        packed.take(weight, 0..weight.inputs, 0..weight.outputs);
        packed
    }

    /// Takes over a part of W, where there was another before.
    pub fn take<N: Number>(&mut self, weight: Matrix<N>, inputs: Range<usize>, outputs: Range<usize>) {
        pack(weight, inputs, outputs, self);
    }

    /// How many inputs are packed.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Columns of a panel.
    pub fn width(&self) -> usize {
        self.width
    }

    /// [input, column of the panel] of a block.
    #[inline(always)]
    fn panel(&self, block: usize, panel: usize) -> &[f32] {
        let inputs = INPUTS.min(self.inputs - block * INPUTS);
        let first = (block * INPUTS * self.panels + panel * inputs) * self.width;
        &bytemuck::cast_slice(&self.values)[first..][..inputs * self.width]
    }
}

/// Takes over a part of W, in panels as wide as a tile is under this instruction set.
#[pulp::with_simd(pack = pulp::Arch::new())]
#[inline(always)]
fn pack_with_simd<S: Simd, N: Number>(
    simd: S,
    weight: Matrix<'_, N>,
    inputs: Range<usize>,
    outputs: Range<usize>,
    packed: &mut Packed,
) {
    let width = VECTORS * S::F32_LANES;
    let panels = outputs.len().div_ceil(width);
    let row = panels * width;
    packed.values.resize((inputs.len() * row).div_ceil(LINE), Line::ZERO);
    let values: &mut [f32] = &mut bytemuck::cast_slice_mut(&mut packed.values)[..inputs.len() * row];
    for (block, first) in values.chunks_mut(INPUTS * row).zip(inputs.clone().step_by(INPUTS)) {
        pack_block(simd, weight, first..inputs.end.min(first + INPUTS), outputs.clone(), block);
    }
    (packed.inputs, packed.panels, packed.width) = (inputs.len(), panels, width);
}

/// Writes a part of W as panels of `width` outputs, each [inputs, width]. What the last panel has beyond the last
/// output stays as it is.
#[inline(always)]
fn pack_block<S: Simd, N: Number>(
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
                let outputs = first..outputs.end.min(first + width);
                turn(simd, weight, inputs.clone(), outputs, panel);
            }
        }
    }
}

/// Writes rows of outputs, [output, input], as one panel, [input, column].
#[inline(always)]
fn turn<S: Simd, N: Number>(
    simd: S,
    weight: Matrix<'_, N>,
    inputs: Range<usize>,
    outputs: Range<usize>,
    panel: &mut [f32],
) {
    const SIDE: usize = 4;
    let (lanes, width) = (S::F32_LANES, VECTORS * S::F32_LANES);
    let row = |output: usize| &weight.numbers[output * weight.stride..][inputs.clone()];
    let whole_inputs = if lanes < SIDE { 0 } else { inputs.len() / lanes * lanes };
    let whole_columns = outputs.len() / SIDE * SIDE;
    for column in (0..whole_columns).step_by(SIDE) {
        let rows = [0, 1, 2, 3].map(|next| row(outputs.start + column + next));
        for first in (0..whole_inputs).step_by(lanes) {
            let mut vectors = [simd.splat_f32s(0.0); SIDE];
            for next in 0..SIDE {
                vectors[next] = load(simd, &rows[next][first..first + lanes]);
            }
            let turned = turn_fours(simd, vectors);
            let fours: &[[f32; SIDE]] = bytemuck::cast_slice(&turned);
            for (place, numbers) in fours.iter().enumerate() {
                let parts = lanes / SIDE;
                let input = first + place % parts * SIDE + place / parts;
                panel[input * width + column..][..SIDE].copy_from_slice(numbers);
            }
        }
    }
    for (column, output) in outputs.enumerate() {
        let done = if column < whole_columns { whole_inputs } else { 0 };
        for (place, number) in panel.chunks_exact_mut(width).zip(row(output)).skip(done) {
            place[column] = number.widen();
        }
    }
}

/// y += x · W, or y = x · W if these are the first products: as many rows and columns as y has, and so many inputs of
/// those that are packed. What lies ahead is fetched meanwhile.
#[pulp::with_simd(add_product = pulp::Arch::new())]
#[inline(always)]
pub fn add_product_with_simd<S: Simd, const ROWS: usize>(
    simd: S,
    x: &[Panel<ROWS>],
    weight: &Packed,
    inputs: usize,
    y: Part,
    are_first: bool,
    ahead: &[f32],
) {
    let width = weight.width;
    let panels = y.width().div_ceil(width);
    let mut ahead = ahead.chunks(ahead.len().div_ceil(panels).max(1));
    for panel in 0..panels {
        for line in ahead.next().unwrap_or_default().chunks(LINE) {
            fetch(line.as_ptr());
        }
        let y = y.columns(panel * width, width);
        for (block, x) in x[..inputs.div_ceil(INPUTS)].iter().enumerate() {
            let inputs = INPUTS.min(inputs - block * INPUTS);
            let panel = &weight.panel(block, panel)[..inputs * width];
            add_tile(simd, x, panel, y, are_first && block == 0);
        }
    }
}

/// y += x [ROWS, inputs] · panel [inputs, width], or = if these are the first products.
#[inline(always)]
fn add_tile<S: Simd, const ROWS: usize>(simd: S, x: &Panel<ROWS>, panel: &[f32], y: Part, are_first: bool) {
    if !are_first {
        for row in 0..y.height() {
            let row = y.row(row);
            fetch(row);
            fetch(row.wrapping_add(y.width() - 1));
        }
    }
    let sums = product(simd, x, panel);
    // By numbers that the compiler knows, so that the sums are never in memory.
    for row in 0..ROWS {
        if row == y.height() {
            break;
        }
        let sums = sums[row];
        let row = y.row(row);
        // SAFETY: the part is as large as it was promised to be, and was written unless these are the first products.
        unsafe {
            if y.width() == VECTORS * S::F32_LANES {
                for (vector, sum) in sums.into_iter().enumerate() {
                    let place = row.cast::<S::f32s>().add(vector);
                    place.write_unaligned(match are_first {
                        true => sum,
                        false => simd.add_f32s(place.read_unaligned(), sum),
                    });
                }
            } else {
                let sums = bytemuck::cast_slice::<S::f32s, f32>(&sums);
                for (column, sum) in sums.iter().take(y.width()).enumerate() {
                    let place = row.add(column);
                    place.write(if are_first { *sum } else { place.read() + sum });
                }
            }
        }
    }
}

/// A tile [ROWS, width].
#[inline(always)]
fn product<S: Simd, const ROWS: usize>(
    simd: S,
    x: &Panel<ROWS>,
    panel: &[f32],
) -> [[S::f32s; VECTORS]; ROWS] {
    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
    let (factors, _) = S::as_simd_f32s(panel);
    let (factors, _) = factors.as_chunks::<VECTORS>();
    for input in 0..factors.len().min(INPUTS) {
        let factors = &factors[input];
        for row in 0..ROWS {
            let x = simd.splat_f32s(x[row][input]);
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
pub fn has_many_registers_with_simd<S: Simd>(_simd: S) -> bool {
    S::REGISTER_COUNT >= 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kernels::matrix::Finish;
    use crate::vector::testing::{assert_close, numbers, on_every_instruction_set};

    #[test]
    fn products_of_panels_are_the_plain_sums_under_every_instruction_set() {
        const ROWS: usize = 5;
        for (rows, inputs, outputs) in [(1, 1, 1), (5, 37, 70), (3, 200, 64), (4, 400, 33)] {
            let (x, weights) = (numbers(rows * inputs), numbers(inputs * outputs));
            let mut panels = vec![[[0.0; INPUTS]; ROWS]; inputs.div_ceil(INPUTS)];
            pack_rows(x.chunks_exact(inputs), &mut panels);
            for layout in [Layout::InputsByOutputs, Layout::OutputsByInputs] {
                let (stride, [down, across]) = match layout {
                    Layout::InputsByOutputs => (outputs, [outputs, 1]),
                    Layout::OutputsByInputs => (inputs, [1, inputs]),
                };
                let weight = Matrix {
                    numbers: &weights[..],
                    layout,
                    stride,
                    inputs,
                    outputs,
                    finish: Finish::default(),
                };
                let mut expected = vec![1.0; rows * outputs];
                for (x, y) in x.chunks(inputs).zip(expected.chunks_mut(outputs)) {
                    for (output, y) in y.iter_mut().enumerate() {
                        *y += (0..inputs).map(|i| x[i] * weights[i * down + output * across]).sum::<f32>();
                    }
                }
                on_every_instruction_set!(|simd| {
                    let mut packed = Packed::default();
                    pack_with_simd(simd, weight, 0..inputs, 0..outputs, &mut packed);
                    let mut y = vec![1.0; rows * outputs];
                    // SAFETY: it has so many rows and columns, and nothing else refers to it meanwhile.
                    let part = unsafe { Part::new(y.as_mut_ptr(), outputs, rows, outputs) };
                    add_product_with_simd(simd, &panels, &packed, inputs, part, false, &[]);
                    assert_close(&y, &expected, 1e-4);
                });
            }
        }
    }
}
