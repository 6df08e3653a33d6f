//! The rows of a matrix against one vector: what decoding spends its time in. Each weight is read once, in
//! the order in which it lies in memory.

use pulp::{Simd, bytemuck};

use super::number::{Number, load};
use crate::vector::{SUMS, Sums, total};

/// y [columns] += x [rows] · rows [rows, columns], four rows at a time.
#[pulp::with_simd(add_scaled_rows = pulp::Arch::new())]
#[inline(always)]
pub fn add_scaled_rows_with_simd<S: Simd, N: Number>(
    simd: S,
    x: &[f32],
    rows: &[N],
    columns: usize,
    y: &mut [f32],
) {
    for (x, rows) in x.chunks(4).zip(rows.chunks(4 * columns)) {
        // Where there are fewer rows, the last one stands in: its factor is zero.
        let mut factors = [0.0; 4];
        factors[..x.len()].copy_from_slice(x);
        let last = x.len() - 1;
        let rows = [0, 1, 2, 3].map(
            #[inline(always)]
            |row: usize| &rows[row.min(last) * columns..][..columns],
        );
        add_four(simd, factors, rows, y);
    }
}

/// y += Σ xᵢ · row i.
#[inline(always)]
fn add_four<S: Simd, N: Number>(simd: S, x: [f32; 4], rows: [&[N]; 4], y: &mut [f32]) {
    let lanes = S::F32_LANES;
    let mut factors = [simd.splat_f32s(0.0); 4];
    for row in 0..4 {
        factors[row] = simd.splat_f32s(x[row]);
    }
    let columns = rows[0].len();
    let mut at = 0;
    while at + lanes <= columns {
        let mut weights = [simd.splat_f32s(0.0); 4];
        for row in 0..4 {
            weights[row] = load(simd, &rows[row][at..at + lanes]);
        }
        let (sum, _) = S::as_mut_simd_f32s(&mut y[at..at + lanes]);
        let left = simd.mul_add_e_f32s(factors[0], weights[0], sum[0]);
        let right = simd.mul_f32s(factors[1], weights[1]);
        let left = simd.mul_add_e_f32s(factors[2], weights[2], left);
        let right = simd.mul_add_e_f32s(factors[3], weights[3], right);
        sum[0] = simd.add_f32s(left, right);
        at += lanes;
    }
    for column in at..columns {
        y[column] += (x[0] * rows[0][column].widen() + x[1] * rows[1][column].widen())
            + (x[2] * rows[2][column].widen() + x[3] * rows[3][column].widen());
    }
}

/// y [rows] = rows [rows, columns] · x [columns], where the rows begin `stride` numbers apart.
#[pulp::with_simd(dot_rows = pulp::Arch::new())]
#[inline(always)]
pub fn dot_rows_with_simd<S: Simd, N: Number>(simd: S, x: &[f32], rows: &[N], stride: usize, y: &mut [f32]) {
    for (y, row) in y.iter_mut().zip(rows.chunks(stride)) {
        fetch_ahead(row, AHEAD / size_of::<N>());
        *y = dot(simd, &row[..x.len()], x);
    }
}

/// How far to read ahead, in bytes: the processor by itself reads no further than to the end of a page, and gets too far
/// behind where numbers take long to be widened.
pub const AHEAD: usize = 8 << 10;

/// Fetches what lies so many numbers behind these, as many as they are.
#[inline(always)]
pub fn fetch_ahead<N>(numbers: &[N], ahead: usize) {
    for place in (0..size_of_val(numbers)).step_by(LINE_BYTES) {
        fetch(numbers.as_ptr().wrapping_add(ahead).wrapping_byte_add(place));
    }
}

/// Fetches the line of the cache in which a number lies, or would lie.
#[inline(always)]
pub fn fetch<N>(number: *const N) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: fetching is a hint that changes nothing, wherever it points.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(number.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = number;
}

/// Numbers in a line of the cache, and their bytes.
pub const LINE: usize = 16;
const LINE_BYTES: usize = LINE * size_of::<f32>();

/// A line of the cache: what begins with one has no vector that lies in two.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct Line([f32; LINE]);

impl Line {
    pub const ZERO: Line = Line([0.0; LINE]);
}

// SAFETY: they are numbers and nothing else.
unsafe impl bytemuck::Zeroable for Line {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for Line {}

/// Σ w·x.
#[inline(always)]
pub fn dot<S: Simd, N: Number>(simd: S, w: &[N], x: &[f32]) -> f32 {
    let lanes = S::F32_LANES;
    let mut sums: Sums<S> = [simd.splat_f32s(0.0); SUMS];
    let ((x_rounds, x_rest), (w_rounds, w_rest)) = (x.as_chunks::<SUMS>(), w.as_chunks::<SUMS>());
    for (w, x) in w_rounds.iter().zip(x_rounds) {
        let (x, _) = S::as_simd_f32s(x);
        for index in 0..SUMS / lanes {
            sums[index] = simd.mul_add_e_f32s(load(simd, &w[index * lanes..]), x[index], sums[index]);
        }
    }
    let (x, x_tail) = S::as_simd_f32s(x_rest);
    for index in 0..SUMS / lanes {
        if index < x.len() {
            let w = load(simd, &w_rest[index * lanes..(index + 1) * lanes]);
            sums[index] = simd.mul_add_e_f32s(w, x[index], sums[index]);
        } else if index == x.len() && !x_tail.is_empty() {
            let w = load(simd, &w_rest[index * lanes..]);
            sums[index] = simd.mul_add_e_f32s(w, simd.partial_load_f32s(x_tail), sums[index]);
        }
    }
    total(simd, sums)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::testing::{assert_close, numbers, on_every_instruction_set};

    #[test]
    fn both_agree_with_the_plain_sums() {
        for (count, width) in [(1, 1), (3, 16), (39, 83), (64, 64), (5, 1030)] {
            let matrix: Vec<i8> = numbers(count * width).iter().map(|x| (x * 127.0) as i8).collect();
            let (down, across) = (numbers(count), numbers(width));
            let weight = |row: usize, column: usize| f32::from(matrix[row * width + column]);
            let each = |n: usize, f: &dyn Fn(usize) -> f32| (0..n).map(f).sum::<f32>();
            let sum = |column| 1.0 + each(count, &|row| down[row] * weight(row, column));
            let sums: Vec<f32> = (0..width).map(sum).collect();
            let product = |row| each(width, &|column| across[column] * weight(row, column));
            let products: Vec<f32> = (0..count).map(product).collect();
            on_every_instruction_set!(|simd| {
                let mut y = vec![1.0; width];
                add_scaled_rows_with_simd(simd, &down, &matrix, width, &mut y);
                assert_close(&y, &sums, 1e-4);
                let mut y = vec![f32::NAN; count];
                dot_rows_with_simd(simd, &across, &matrix, width, &mut y);
                assert_close(&y, &products, 1e-4);
            });
        }
    }
}
