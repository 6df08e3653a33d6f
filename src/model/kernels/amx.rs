//! Products of many rows with rounded weights in the tile registers of newer Intel processors (AMX), which make many
//! times as many products in a step as vectors do.
//!
//! The weights are used where and as they lie. x is rounded, too: to bfloat16 for weights of those, and for int8 to 16
//! bits of the largest number in its row, as two bytes, which costs a hundredth of what rounding the weights does.
//!
//! Instructions: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18.

use std::arch::asm;
use std::arch::x86_64::__cpuid_count;
use std::ops::Range;
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
    fn total(sums: [u32; 2]) -> f32;
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
        let blocks = &blocks[group * BLOCKS..blocks.len().min((group + 1) * BLOCKS)];
        for first in (first..outputs.min(first + OUTPUTS)).step_by(PAIR) {
            let sums = add_up(blocks, weight, first);
            for ((index, block), sums) in (group * BLOCKS..).zip(blocks).zip(&sums) {
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
    fn add<N: InTiles>(&self, weight: Matrix<N>, first: usize, steps: Range<usize>, sums: &mut [Sums; 2]) {
        let stride = weight.stride * size_of::<N>();
        let weights = &weight.numbers[first * weight.stride..][..PAIR * weight.stride];
        let weights = weights.as_ptr().cast::<u8>().wrapping_add(steps.start * STEP);
        for (part, x) in self.bytes.chunks_exact(stride * PAIR).enumerate() {
            let x = &x[steps.start * 2 * TILE..steps.end * 2 * TILE];
            // SAFETY: the slices are as long as asked for, and the caller holds configured tiles.
            unsafe { N::add(part, weights, stride, x, steps.len(), sums) };
        }
    }
}

/// The sums of some blocks with some outputs of W. A few steps at a time, so that their weights stay in the first-level
/// cache while all blocks pass by.
fn add_up<N: InTiles>(blocks: &[Block], weight: Matrix<N>, first: usize) -> [[Sums; 2]; BLOCKS] {
    const TOGETHER: usize = 12;
    let steps = weight.stride * size_of::<N>() / STEP;
    let mut sums = [[[[0; SIDE * SIDE]; 4]; 2]; BLOCKS];
    for start in (0..steps).step_by(TOGETHER) {
        for (block, sums) in blocks.iter().zip(&mut sums) {
            block.add(weight, first, start..steps.min(start + TOGETHER), sums);
        }
    }
    sums
}

#[pulp::with_simd(put_together = pulp::Arch::new())]
#[inline(always)]
fn put_together_with_simd<S: Simd, N: InTiles>(
    _simd: S,
    weight: Matrix<'_, N>,
    first: usize,
    sums: &[Sums; 2],
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
                let sums = [sums[0][tile][place], sums[1][tile][place]];
                products[half * SIDE + row] = N::total(sums) * scales[half * SIDE + row] * own_scale + bias;
            }
        }
    }
}

/// x itself, rounded.
impl InTiles for bf16 {
    const PARTS: usize = 1;

    fn cut(x: &[f32], parts: &mut [Vec<u8>]) -> f32 {
        round(x, parts[0].as_chunks_mut().0);
        1.0
    }

    unsafe fn add(_: usize, weights: *const u8, stride: usize, x: &[u8], steps: usize, sums: &mut [Sums]) {
        // SAFETY: as the caller promises.
        unsafe { add_bf16(weights, stride, x.as_ptr(), steps, &mut sums[0]) }
    }

    #[inline(always)]
    fn total([sum, _]: [u32; 2]) -> f32 {
        f32::from_bits(sum)
    }
}

/// x = scale · (256 · high + low); the first has a sign, the other has none.
impl InTiles for i8 {
    const PARTS: usize = 2;

    fn cut(x: &[f32], parts: &mut [Vec<u8>]) -> f32 {
        let [high, low] = parts else { unreachable!("there are two parts") };
        cut_into_bytes(x, high, low)
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
    fn total([high, low]: [u32; 2]) -> f32 {
        high.cast_signed() as f32 * 256.0 + low.cast_signed() as f32
    }
}

/// To the nearest bfloat16, and to the even one of two.
#[pulp::with_simd(round = pulp::Arch::new())]
#[inline(always)]
fn round_with_simd<S: Simd>(_simd: S, x: &[f32], rounded: &mut [[u8; 2]]) {
    for (x, rounded) in x.iter().zip(rounded) {
        let bits = x.to_bits();
        *rounded = ((bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16) as u16).to_le_bytes();
    }
}

/// Cuts a row of x into its bytes; returns what 1 in the lower stands for.
#[pulp::with_simd(cut_into_bytes = pulp::Arch::new())]
#[inline(always)]
pub fn cut_into_bytes_with_simd<S: Simd>(_simd: S, x: &[f32], high: &mut [u8], low: &mut [u8]) -> f32 {
    /// What the largest number of a row becomes.
    const LARGEST: f32 = 32767.0;
    let mut largest = 0;
    for x in x {
        // Of positive numbers, the larger has the larger bits.
        largest = largest.max(x.to_bits() & 0x7fff_ffff);
    }
    let scale = f32::from_bits(largest) / LARGEST;
    let factor = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    for ((x, high), low) in x.iter().zip(high).zip(low) {
        // Adding 1.5 · 2²³ rounds to a whole number, which then stands in the lowest bits.
        let whole = (x * factor + 12_582_912.0).to_bits();
        *high = (whole >> 8) as u8;
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
    fn compare<N: InTiles>(
        rows: usize,
        inputs: usize,
        outputs: usize,
        round: impl Fn(f32) -> N,
        zero: N,
        tolerance: f32,
    ) {
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
            Some(y) => assert_close(&y, &expected, tolerance * (inputs as f32).sqrt()),
            None => eprintln!("skipped: this processor has no tiles"),
        }
    }

    #[test]
    fn tiles_give_the_products_of_the_plain_loops() {
        for (rows, inputs, outputs) in [(1, 1, 1), (3, 37, 70), (33, 160, 33), (70, 64, 32), (130, 100, 129)]
        {
            compare(rows, inputs, outputs, bf16::from_f32, bf16::ZERO, 4e-3);
            compare(rows, inputs, outputs, |x| (x * 127.0) as i8, 0, 2e-3);
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
            assert_close(&y, &[0.0, 3e30, 0.0], 1e-4);
        }
    }
}
