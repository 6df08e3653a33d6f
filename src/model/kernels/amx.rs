//! Products of many rows with rounded weights in the tile registers of newer Intel processors (AMX), which make many
//! times as many products in a step as vectors do.
//!
//! The weights are used where and as they lie. x is what is cut up: each of its numbers into two bfloat16, which hold
//! 16 bits of it, or into three bytes, which hold 23 bits of the largest number in its row. So nothing is lost that
//! anybody would miss, and the products are those of the plain loops.
//!
//! Instructions: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18.

use std::arch::asm;
use std::arch::x86_64::__cpuid_count;
use std::sync::LazyLock;

use half::bf16;
use pulp::Simd;

use super::matrix::{Layout, Matrix, Target};
use super::number::Number;
use crate::parallel::{for_each_part, map};

/// Rows of a tile, and columns of a tile of sums.
const SIDE: usize = 16;
/// Bytes in a row of a tile: what each step takes of a weight's row.
pub const STEP: usize = super::number::ROW_BYTES;
const TILE: usize = SIDE * STEP;

/// Outputs, and rows of x, that two tiles hold.
const PAIR: usize = super::number::ROWS_TOGETHER;
/// Blocks of rows of x that stay in the second-level cache while the weights pass by.
const BLOCKS: usize = 4;
/// Outputs that one thread works on at a time.
const OUTPUTS: usize = 4 * PAIR;

/// The sums of one pair of tiles with another: four tiles of 32-bit numbers, [output half, row half, output, row].
type Sums = [[u32; SIDE * SIDE]; 4];

/// A number that tiles can consist of.
pub trait InTiles: Number {
    /// How many parts a number of x is cut into.
    const PARTS: usize;

    /// Cuts up a row of x, as bytes of each part in turn. Returns what the parts are to be multiplied by.
    fn cut(x: &[f32], parts: &mut [Vec<u8>]) -> f32;

    /// Adds to the sums that belong to a part.
    ///
    /// # Safety
    /// Tiles are configured; there are [`PAIR`] rows of weights, `stride` bytes apart, and as many tiles of x as
    /// `steps` say.
    unsafe fn add(part: usize, weights: *const u8, stride: usize, x: &[u8], steps: usize, sums: &mut [Sums]);

    /// One number out of what it has in each of the sums.
    fn total(sums: [u32; 3]) -> f32;
}

/// y [rows, outputs] = x [rows, inputs] · W, scaled, plus the bias; nothing where the processor has no tiles.
pub fn multiply<N: InTiles>(x: &[f32], weight: Matrix<N>) -> Option<Vec<f32>> {
    let is_laid_out = weight.layout == Layout::OutputsByInputs
        && (weight.stride * size_of::<N>()).is_multiple_of(STEP)
        && weight.numbers.len() >= weight.outputs.next_multiple_of(PAIR) * weight.stride;
    (is_laid_out && *IS_AVAILABLE).then(|| multiply_in_tiles(x, weight))
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
        let _tiles = Tiles::new();
        for first in (first..outputs.min(first + OUTPUTS)).step_by(PAIR) {
            for (index, block) in blocks.iter().enumerate().skip(group * BLOCKS).take(BLOCKS) {
                let columns = block.products(weight, first); // [PAIR outputs][PAIR rows]
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

    /// The products with some outputs of W.
    fn products<N: InTiles>(&self, weight: Matrix<N>, first: usize) -> [[f32; PAIR]; PAIR] {
        let stride = weight.stride * size_of::<N>();
        let weights = &weight.numbers[first * weight.stride..][..PAIR * weight.stride];
        let mut sums: [Sums; 3] = [[[0; SIDE * SIDE]; 4]; 3];
        for (part, x) in self.bytes.chunks_exact(stride * PAIR).enumerate() {
            // SAFETY: the slices are as long as asked for, and the caller holds configured tiles.
            unsafe { N::add(part, weights.as_ptr().cast(), stride, x, stride / STEP, &mut sums) };
        }
        let mut products = [[0.0; PAIR]; PAIR];
        put_together(weight, first, &sums, &self.scales, &mut products);
        products
    }
}

#[pulp::with_simd(put_together = pulp::Arch::new())]
#[inline(always)]
fn put_together_with_simd<S: Simd, N: InTiles>(
    _simd: S,
    weight: Matrix<'_, N>,
    first: usize,
    sums: &[Sums; 3],
    scales: &[f32; PAIR],
    products: &mut [[f32; PAIR]; PAIR],
) {
    for (output, products) in products.iter_mut().enumerate() {
        let at = |values: Option<&[f32]>, missing| {
            values.map_or(missing, |v| v.get(first + output).copied().unwrap_or(missing))
        };
        let (own_scale, bias) = (at(weight.scales, 1.0), at(weight.bias, 0.0));
        for half in 0..2 {
            let tile = output / SIDE * 2 + half;
            for row in 0..SIDE {
                let place = output % SIDE * SIDE + row;
                let sums = [sums[0][tile][place], sums[1][tile][place], sums[2][tile][place]];
                products[half * SIDE + row] = N::total(sums) * scales[half * SIDE + row] * own_scale + bias;
            }
        }
    }
}

/// x = high + low, both bfloat16.
impl InTiles for bf16 {
    const PARTS: usize = 2;

    fn cut(x: &[f32], parts: &mut [Vec<u8>]) -> f32 {
        let (high, low) = parts.split_at_mut(1);
        cut_in_two(x, high[0].as_chunks_mut().0, low[0].as_chunks_mut().0);
        1.0
    }

    unsafe fn add(_: usize, weights: *const u8, stride: usize, x: &[u8], steps: usize, sums: &mut [Sums]) {
        // SAFETY: as the caller promises.
        unsafe { add_bf16(weights, stride, x.as_ptr(), steps, &mut sums[0]) }
    }

    #[inline(always)]
    fn total([sum, ..]: [u32; 3]) -> f32 {
        f32::from_bits(sum)
    }
}

/// x = scale · (65536 · high + 256 · middle + low); the first has a sign, the others have none.
impl InTiles for i8 {
    const PARTS: usize = 3;

    fn cut(x: &[f32], parts: &mut [Vec<u8>]) -> f32 {
        let [high, middle, low] = parts else { unreachable!("there are three parts") };
        cut_in_three(x, high, middle, low)
    }

    unsafe fn add(part: usize, weights: *const u8, stride: usize, x: &[u8], steps: usize, sums: &mut [Sums]) {
        let (x, sums) = (x.as_ptr(), &mut sums[part]);
        // SAFETY: as the caller promises.
        match part {
            0 => unsafe { add_signed(weights, stride, x, steps, sums) },
            _ => unsafe { add_unsigned(weights, stride, x, steps, sums) },
        }
    }

    #[inline(always)]
    fn total([high, middle, low]: [u32; 3]) -> f32 {
        let number = |sum: u32| f64::from(sum.cast_signed());
        (number(high) * 65536.0 + number(middle) * 256.0 + number(low)) as f32
    }
}

#[pulp::with_simd(cut_in_two = pulp::Arch::new())]
#[inline(always)]
fn cut_in_two_with_simd<S: Simd>(_simd: S, x: &[f32], high: &mut [[u8; 2]], low: &mut [[u8; 2]]) {
    for ((x, high), low) in x.iter().zip(high).zip(low) {
        // Cut off, not rounded: what is cut off goes into the other, which is rounded.
        let bits = x.to_bits() & 0xffff_0000;
        let rest = (x - f32::from_bits(bits)).to_bits();
        *high = ((bits >> 16) as u16).to_le_bytes();
        *low = ((rest.wrapping_add(0x8000) >> 16) as u16).to_le_bytes();
    }
}

/// Cuts a row of x into its bytes; returns what 1 in the lowest stands for.
#[pulp::with_simd(cut_in_three = pulp::Arch::new())]
#[inline(always)]
pub fn cut_in_three_with_simd<S: Simd>(
    _simd: S,
    x: &[f32],
    high: &mut [u8],
    middle: &mut [u8],
    low: &mut [u8],
) -> f32 {
    /// What the largest number of a row becomes.
    const LARGEST: f32 = 4_194_303.0;
    /// Adding it makes all numbers positive.
    const MIDDLE: f32 = 8_388_608.0;
    let mut largest = 0;
    for x in x {
        // Of positive numbers, the larger has the larger bits.
        largest = largest.max(x.to_bits() & 0x7fff_ffff);
    }
    let scale = f32::from_bits(largest) / LARGEST;
    let factor = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    for (((x, high), middle), low) in x.iter().zip(high).zip(middle).zip(low) {
        // The numbers around 2²³ are whole ones, and their bits count them.
        let whole = (x * factor + MIDDLE).max(MIDDLE - LARGEST - 1.0) as i32;
        let whole = whole - MIDDLE as i32;
        *high = (whole >> 16) as u8;
        *middle = (whole >> 8) as u8;
        *low = whole as u8;
    }
    scale
}

/// sums += the products of two tiles of weights with two of x, as often as `steps` says.
macro_rules! add_products {
    ($name:ident, $product:literal) => {
        unsafe fn $name(weights: *const u8, stride: usize, x: *const u8, steps: usize, sums: &mut Sums) {
            // SAFETY: the caller promises that the tiles are configured and the memory is there.
            unsafe {
                asm!(
                    "tileloadd tmm0, [{sums} + {row} * 1]",
                    "tileloadd tmm1, [{sums} + {row} * 1 + 1024]",
                    "tileloadd tmm2, [{sums} + {row} * 1 + 2048]",
                    "tileloadd tmm3, [{sums} + {row} * 1 + 3072]",
                    "2:",
                    "tileloadd tmm4, [{weights} + {stride} * 1]",
                    "tileloadd tmm6, [{x} + {row} * 1]",
                    "tileloadd tmm5, [{others} + {stride} * 1]",
                    "tileloadd tmm7, [{x} + {row} * 1 + 1024]",
                    concat!($product, " tmm0, tmm4, tmm6"),
                    concat!($product, " tmm1, tmm4, tmm7"),
                    concat!($product, " tmm2, tmm5, tmm6"),
                    concat!($product, " tmm3, tmm5, tmm7"),
                    "add {weights}, 64",
                    "add {others}, 64",
                    "add {x}, 2048",
                    "dec {steps}",
                    "jnz 2b",
                    "tilestored [{sums} + {row} * 1], tmm0",
                    "tilestored [{sums} + {row} * 1 + 1024], tmm1",
                    "tilestored [{sums} + {row} * 1 + 2048], tmm2",
                    "tilestored [{sums} + {row} * 1 + 3072], tmm3",
                    weights = inout(reg) weights => _,
                    others = inout(reg) weights.wrapping_add(SIDE * stride) => _,
                    stride = in(reg) stride,
                    x = inout(reg) x => _,
                    steps = inout(reg) steps => _,
                    sums = in(reg) sums.as_mut_ptr(),
                    row = in(reg) STEP,
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack),
                );
            }
        }
    };
}

add_products!(add_bf16, "tdpbf16ps");
add_products!(add_signed, "tdpbssd");
add_products!(add_unsigned, "tdpbsud");

/// A thread's tiles, ready to be used until this is dropped.
struct Tiles;

/// What `ldtilecfg` reads.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

impl Tiles {
    fn new() -> Tiles {
        let mut configuration =
            Configuration { palette: 1, start_row: 0, reserved: [0; 14], row_bytes: [0; 16], rows: [0; 16] };
        configuration.row_bytes[..8].fill(STEP as u16);
        configuration.rows[..8].fill(SIDE as u8);
        // SAFETY: the instruction is there (only `multiply` makes tiles), and reads these 64 bytes.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &configuration, options(nostack, readonly)) };
        Tiles
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: the instruction is there, and nothing uses the tiles any more.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }
}

/// Whether the processor has tiles of both kinds, and the system lets us use them.
static IS_AVAILABLE: LazyLock<bool> = LazyLock::new(|| {
    let features = __cpuid_count(7, 0).edx;
    let has = |bit: u32| features & (1 << bit) != 0;
    has(22) && has(24) && has(25) && is_permitted()
});

/// Linux saves tiles for those programs alone that ask for it (Documentation/arch/x86/xstate.rst).
fn is_permitted() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_long = 18;
    // SAFETY: it takes two numbers and changes only what this process may use.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::testing::{assert_close, numbers};

    /// The products with weights that have room for tiles, by tiles and by plain sums.
    fn compare<N: InTiles>(rows: usize, inputs: usize, outputs: usize, round: impl Fn(f32) -> N, zero: N) {
        let stride = inputs.next_multiple_of(STEP / size_of::<N>());
        let mut weights = vec![zero; outputs.next_multiple_of(PAIR) * stride];
        for (row, given) in weights.chunks_exact_mut(stride).zip(numbers(outputs * inputs).chunks(inputs)) {
            row.iter_mut().zip(given).for_each(|(number, x)| *number = round(*x));
        }
        let (x, scales) = (numbers(rows * inputs), numbers(outputs));
        let mut expected = Vec::new();
        for x in x.chunks(inputs) {
            expected.extend(weights.chunks(stride).zip(&scales).map(|(row, scale)| {
                let products = row.iter().zip(x).map(|(w, x)| f64::from(w.widen()) * f64::from(*x));
                (products.sum::<f64>() * f64::from(*scale)) as f32
            }));
        }
        let matrix = Matrix {
            numbers: &weights[..],
            layout: Layout::OutputsByInputs,
            stride,
            inputs,
            outputs,
            scales: Some(&scales),
            bias: None,
        };
        match multiply(&x, matrix) {
            Some(y) => assert_close(&y, &expected, 1e-4 * (inputs as f32).sqrt()),
            None => eprintln!("skipped: this processor has no tiles"),
        }
    }

    #[test]
    fn tiles_give_the_products_of_the_plain_loops() {
        for (rows, inputs, outputs) in [(1, 1, 1), (3, 37, 70), (33, 160, 33), (70, 64, 32), (130, 100, 129)]
        {
            compare(rows, inputs, outputs, bf16::from_f32, bf16::ZERO);
            compare(rows, inputs, outputs, |x| (x * 127.0) as i8, 0);
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
            scales: None,
            bias: None,
        };
        if let Some(y) = multiply(&[0.0, 0.0, -1e30, 2e30, 5.0, -5.0], matrix) {
            assert_close(&y, &[0.0, 3e30, 0.0], 1e-5);
        }
    }
}
