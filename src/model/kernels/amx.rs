//! Products of many rows with rounded weights in the tile registers of newer Intel processors (AMX), which make many
//! times as many products in a step as vectors do.
//!
//! The weights are used where and as they lie. x is rounded, too: to bfloat16 for weights of those, and for int8 to 16
//! bits of the largest number in its row, as two bytes, which costs a hundredth of what rounding the weights does.

mod registers;
mod transpose;

use half::bf16;
use pulp::{Simd, bytemuck};

use super::activation::activate_with_simd;
use super::matrix::{Finish, Matrix};
use super::number::{Number, ROWS_TOGETHER};
use super::part::Part;
use super::rounding::{cut_into_bytes, round_to_bf16};
use super::rows::{LINE, Line, fetch};
use crate::parallel::{for_each_part, map};
use registers::{IS_AVAILABLE, SIDE, STEP, Sums, Tiles};
use transpose::transpose;

/// Outputs, and rows of x, that two tiles hold.
const PAIR: usize = ROWS_TOGETHER;
/// Outputs that one thread works on at a time.
const OUTPUTS: usize = 4 * PAIR;
/// Lines of x that stay in the second-level cache while the weights pass by: half of it.
const LINES: usize = 1 << 14;

/// A number that tiles can consist of.
pub trait InTiles: Number {
    /// How many parts a number of x is cut into.
    const PARTS: usize;
    /// The sums of each part's products.
    type Products: AsMut<[Sums]>;

    /// Cuts up a row of x, into bytes of one part after the other. Returns what the parts are to be multiplied by.
    fn cut(x: &[f32], bytes: &mut [u8]) -> f32;

    /// The products of two tiles of weights with two of each part of x, added up over so many steps.
    ///
    /// # Safety
    /// Tiles are set up; there are [`PAIR`] rows of weights, `stride` bytes apart, and as many tiles of x as the steps of
    /// all parts have.
    unsafe fn products(weights: *const u8, stride: usize, x: &[Line], steps: usize) -> Self::Products;

    /// What an output of a tile comes to for each row.
    fn totals(products: &Self::Products, tile: usize, output: usize) -> [f32; SIDE];
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
    let together = LINES.div_ceil(blocks[0].lines.len());
    let mut y = Vec::with_capacity(rows * outputs);
    // SAFETY: there is room for all of it, and the threads get outputs or rows of their own.
    let whole = unsafe { Part::new(y.as_mut_ptr(), outputs, rows, outputs) };
    let output_parts = outputs.div_ceil(OUTPUTS);
    for_each_part(blocks.len().div_ceil(together) * output_parts, |part| {
        let (group, first) = (part / output_parts * together, part % output_parts * OUTPUTS);
        // SAFETY: `multiply` has asked whether there are tiles.
        let _tiles = unsafe { Tiles::new() };
        for first in (first..outputs.min(first + OUTPUTS)).step_by(PAIR) {
            // In the order in which they lie: the processor reads ahead, which it does not for tiles of rows far apart.
            let weights = &weight.numbers[first * weight.stride..][..PAIR * weight.stride];
            weights.chunks(STEP / size_of::<N>()).for_each(|line| fetch(line.as_ptr()));
            for (index, block) in blocks.iter().enumerate().skip(group).take(together) {
                let mut products = block.products(weights);
                put_together(weight, first, &block.scales, &mut products);
                let [products, ..] = products.as_mut() else { unreachable!("there is a part") };
                // SAFETY: there are tiles.
                unsafe { write(products, whole.rows(index * PAIR, PAIR).columns(first, PAIR)) };
            }
        }
    });
    // SAFETY: all outputs of all rows have been written.
    unsafe { y.set_len(rows * outputs) };
    y
}

/// [`PAIR`] rows of x, cut up: [part, step, half, group of bytes that are multiplied together, row].
struct Block {
    lines: Vec<Line>,
    scales: [f32; PAIR],
}

impl Block {
    fn new<N: InTiles>(x: &[f32], weight: Matrix<N>) -> Block {
        let steps = N::PARTS * weight.stride * size_of::<N>() / STEP;
        let mut block = Block { lines: vec![Line::ZERO; steps * PAIR], scales: [0.0; PAIR] };
        let mut rows = vec![Line::ZERO; SIDE * steps]; // [row, part, step]
        for (half, x) in x.chunks(SIDE * weight.inputs).enumerate() {
            let scales = &mut block.scales[half * SIDE..];
            for ((x, row), scale) in
                x.chunks_exact(weight.inputs).zip(rows.chunks_exact_mut(steps)).zip(scales)
            {
                *scale = N::cut(x, bytemuck::cast_slice_mut(row));
            }
            let rows = bytemuck::cast_slice(&rows);
            for (step, tiles) in block.lines.chunks_exact_mut(PAIR).enumerate() {
                let tile = tiles[half * SIDE..][..SIDE].as_mut_ptr().cast();
                // SAFETY: there is room for a tile, and whoever makes a block has asked whether there are tiles.
                unsafe { transpose(&rows[step * LINE..], steps * LINE, tile, LINE) };
            }
        }
        block
    }

    /// The products with the weights of [`PAIR`] outputs.
    fn products<N: InTiles>(&self, weights: &[N]) -> N::Products {
        let stride = size_of_val(weights) / PAIR;
        // SAFETY: the slices are as long as asked for, and the caller holds tiles.
        unsafe { N::products(weights.as_ptr().cast(), stride, &self.lines, stride / STEP) }
    }
}

/// Finishes products with some outputs, in place of the sums of the first part: [output half and row half, output, row].
#[pulp::with_simd(put_together = pulp::Arch::new())]
#[inline(always)]
fn put_together_with_simd<S: Simd, N: InTiles>(
    simd: S,
    weight: Matrix<'_, N>,
    first: usize,
    scales: &[f32; PAIR],
    products: &mut N::Products,
) {
    let Finish { scales: own_scales, bias, activation } = weight.finish;
    for output in 0..PAIR {
        let at = |values: Option<&[f32]>, missing| {
            values.map_or(missing, |v| v.get(first + output).copied().unwrap_or(missing))
        };
        let (own_scale, bias) = (at(own_scales, 1.0), at(bias, 0.0));
        for half in 0..2 {
            let (tile, output) = (output / SIDE * 2 + half, output % SIDE);
            let totals = N::totals(products, tile, output);
            let place = &mut products.as_mut()[0][tile][output];
            for row in 0..SIDE {
                place[row] = totals[row] * scales[half * SIDE + row] * own_scale + bias;
            }
            if let Some(activation) = activation {
                activate_with_simd(simd, activation, place);
            }
        }
    }
}

/// Writes as much of what [`put_together`] gave as y has rows and columns.
///
/// # Safety
/// The processor has tiles.
unsafe fn write(products: &Sums, y: Part) {
    let turn = |start: *mut f32, stride: usize| {
        for (tile, products) in products.iter().enumerate() {
            let place = start.wrapping_add(tile % 2 * SIDE * stride + tile / 2 * SIDE);
            // SAFETY: there is room for all rows and columns, and the caller promises AVX-512 along with tiles.
            unsafe { transpose(products.as_flattened(), SIDE, place, stride) };
        }
    };
    if (y.height(), y.width()) == (PAIR, PAIR) {
        return turn(y.row(0), y.stride());
    }
    let mut all = [0.0; PAIR * PAIR];
    turn(all.as_mut_ptr(), PAIR);
    for (row, all) in all.chunks_exact(PAIR).take(y.height()).enumerate() {
        // SAFETY: the part has this row, with so many columns.
        unsafe { y.row(row).copy_from_nonoverlapping(all.as_ptr(), y.width()) };
    }
}

/// A whole number, which is what the bits of a sum of bytes are.
#[inline(always)]
fn whole(bits: f32) -> f32 {
    bits.to_bits().cast_signed() as f32
}

/// x itself, rounded.
impl InTiles for bf16 {
    const PARTS: usize = 1;
    type Products = [Sums; 1];

    fn cut(x: &[f32], bytes: &mut [u8]) -> f32 {
        round_to_bf16(x, bytes.as_chunks_mut().0);
        1.0
    }

    unsafe fn products(weights: *const u8, stride: usize, x: &[Line], steps: usize) -> [Sums; 1] {
        // SAFETY: as the caller promises.
        unsafe { [registers::multiply_bf16(weights, stride, x.as_ptr().cast(), steps)] }
    }

    #[inline(always)]
    fn totals([sums]: &[Sums; 1], tile: usize, output: usize) -> [f32; SIDE] {
        sums[tile][output]
    }
}

/// x = scale · (256 · high + low); the first has a sign, the other has none.
impl InTiles for i8 {
    const PARTS: usize = 2;
    type Products = [Sums; 2];

    fn cut(x: &[f32], bytes: &mut [u8]) -> f32 {
        let (high, low) = bytes.split_at_mut(bytes.len() / 2);
        cut_into_bytes(x, high, low)
    }

    unsafe fn products(weights: *const u8, stride: usize, x: &[Line], steps: usize) -> [Sums; 2] {
        let (high, low) = x.split_at(steps * PAIR);
        // SAFETY: as the caller promises.
        unsafe {
            [
                registers::multiply_signed(weights, stride, high.as_ptr().cast(), steps),
                registers::multiply_unsigned(weights, stride, low.as_ptr().cast(), steps),
            ]
        }
    }

    #[inline(always)]
    fn totals([high, low]: &[Sums; 2], tile: usize, output: usize) -> [f32; SIDE] {
        let (high, low) = (&high[tile][output], &low[tile][output]);
        std::array::from_fn(
            #[inline(always)]
            |row| whole(high[row]) * 256.0 + whole(low[row]),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kernels::matrix::Layout;
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
