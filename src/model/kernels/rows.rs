//! The rows of a matrix against one vector or a few: what decoding spends its time in. Each weight is read once, in
//! the order in which it lies in memory.

use pulp::Simd;

use super::number::{Number, load};
use crate::vector::{SUMS, Sums, total};

/// Columns that are worked on together where there are several vectors: their sums stay in the first-level cache.
const COLUMNS: usize = 512;

/// y [vectors, columns] += x [vectors, rows] · rows [rows, columns]. Each vector of x is `stride` after the last.
#[pulp::with_simd(add_scaled_rows = pulp::Arch::new())]
#[inline(always)]
pub fn add_scaled_rows_with_simd<S: Simd, N: Number>(
    simd: S,
    x: &[f32],
    stride: usize,
    rows: &[N],
    columns: usize,
    y: &mut [f32],
) {
    // A single vector's sums do, and memory is read ahead best along whole rows.
    let together = if x.len() <= stride { columns } else { COLUMNS };
    for first in (0..rows.len() / columns).step_by(4) {
        let four = &rows[first * columns..];
        for start in (0..columns).step_by(together) {
            let end = columns.min(start + together);
            // Where fewer than four are left, the last one stands in, with a factor of zero.
            let last = four.len() / columns - 1;
            let rows = [0, 1, 2, 3].map(
                #[inline(always)]
                |row: usize| &four[row.min(last) * columns..][start..end],
            );
            if together < columns {
                for next in (4..8).filter_map(|row| four.get(row * columns + start..row * columns + end)) {
                    fetch(next, 0);
                }
            }
            let mut x = x.chunks(stride).map(
                #[inline(always)]
                |x| factors(x, first),
            );
            let mut y = y.chunks_exact_mut(columns).map(
                #[inline(always)]
                |y| &mut y[start..end],
            );
            // The factors of four vectors, four weights and four sums fit 32 registers; of two, 16 registers.
            if S::F32_LANES >= 16 {
                while x.len() >= 4 {
                    add_four(simd, next::<4, _>(&mut x), rows, next::<4, _>(&mut y));
                }
            }
            while x.len() >= 2 {
                add_four(simd, next::<2, _>(&mut x), rows, next::<2, _>(&mut y));
            }
            if x.len() == 1 {
                add_four(simd, next::<1, _>(&mut x), rows, next::<1, _>(&mut y));
            }
        }
    }
}

/// The next four numbers of x; zeros where fewer are left.
#[inline(always)]
fn factors(x: &[f32], first: usize) -> [f32; 4] {
    let mut four = [0.0; 4];
    let count = 4.min(x.len() - first);
    four[..count].copy_from_slice(&x[first..first + count]);
    four
}

#[inline(always)]
fn next<const COUNT: usize, T>(values: &mut impl Iterator<Item = T>) -> [T; COUNT] {
    std::array::from_fn(
        #[inline(always)]
        |_| values.next().expect("so many were counted"),
    )
}

/// y += Σ xᵢ · row i for each of a few x and y.
#[inline(always)]
fn add_four<S: Simd, N: Number, const VECTORS: usize>(
    simd: S,
    x: [[f32; 4]; VECTORS],
    rows: [&[N]; 4],
    y: [&mut [f32]; VECTORS],
) {
    let lanes = S::F32_LANES;
    let mut factors = [[simd.splat_f32s(0.0); 4]; VECTORS];
    for vector in 0..VECTORS {
        for row in 0..4 {
            factors[vector][row] = simd.splat_f32s(x[vector][row]);
        }
    }
    let columns = rows[0].len();
    let mut at = 0;
    while at + lanes <= columns {
        let mut weights = [simd.splat_f32s(0.0); 4];
        for row in 0..4 {
            weights[row] = load(simd, &rows[row][at..at + lanes]);
        }
        for vector in 0..VECTORS {
            let (sum, _) = S::as_mut_simd_f32s(&mut y[vector][at..at + lanes]);
            let left = simd.mul_add_e_f32s(factors[vector][0], weights[0], sum[0]);
            let right = simd.mul_f32s(factors[vector][1], weights[1]);
            let left = simd.mul_add_e_f32s(factors[vector][2], weights[2], left);
            let right = simd.mul_add_e_f32s(factors[vector][3], weights[3], right);
            sum[0] = simd.add_f32s(left, right);
        }
        at += lanes;
    }
    for vector in 0..VECTORS {
        for column in at..columns {
            y[vector][column] += (x[vector][0] * rows[0][column].widen()
                + x[vector][1] * rows[1][column].widen())
                + (x[vector][2] * rows[2][column].widen() + x[vector][3] * rows[3][column].widen());
        }
    }
}

/// y [rows, vectors] = rows [rows, columns] · x [vectors, columns]ᵀ, where the rows begin `stride` numbers apart.
#[pulp::with_simd(dot_rows = pulp::Arch::new())]
#[inline(always)]
pub fn dot_rows_with_simd<S: Simd, N: Number>(
    simd: S,
    x: &[f32],
    rows: &[N],
    stride: usize,
    columns: usize,
    y: &mut [f32],
) {
    let vectors = x.len() / columns;
    for (y, row) in y.chunks_exact_mut(vectors).zip(rows.chunks(stride)) {
        read_ahead(row);
        for (y, x) in y.iter_mut().zip(x.chunks_exact(columns)) {
            *y = dot(simd, &row[..columns], x);
        }
    }
}

/// Fetches what lies a few kilobytes behind these numbers, as many as they are: the processor by itself reads ahead no
/// further than to the end of a page, and gets too far behind where numbers take long to be widened.
#[inline(always)]
pub fn read_ahead<N>(numbers: &[N]) {
    fetch(numbers, 8 << 10);
}

/// Fetches what lies so many bytes behind these numbers.
#[inline(always)]
fn fetch<N>(numbers: &[N], ahead: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        const LINE: usize = 64;
        let start = numbers.as_ptr().cast::<i8>();
        for place in (ahead..ahead + size_of_val(numbers)).step_by(LINE) {
            // SAFETY: fetching is a hint that changes nothing, wherever it points.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(place)) };
        }
    }
}

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
    fn both_agree_with_the_plain_sums_for_every_number_of_vectors() {
        for (vectors, count, width) in [(1, 1, 1), (1, 3, 16), (2, 39, 83), (3, 64, 64), (5, 5, 1030)] {
            let matrix: Vec<i8> = numbers(count * width).iter().map(|x| (x * 127.0) as i8).collect();
            let (down, across) = (numbers(vectors * count), numbers(vectors * width));
            let weight = |row: usize, column: usize| f32::from(matrix[row * width + column]);
            let each = |n: usize, f: &dyn Fn(usize) -> f32| (0..n).map(f).sum::<f32>();
            let mut sums = Vec::new();
            for x in down.chunks(count) {
                sums.extend((0..width).map(|column| 1.0 + each(count, &|row| x[row] * weight(row, column))));
            }
            let mut products = Vec::new();
            for row in 0..count {
                let dot = |x: &[f32]| each(width, &|column| x[column] * weight(row, column));
                products.extend(across.chunks(width).map(dot));
            }
            on_every_instruction_set!(|simd| {
                let mut y = vec![1.0; vectors * width];
                add_scaled_rows_with_simd(simd, &down, count, &matrix, width, &mut y);
                assert_close(&y, &sums, 1e-4);
                let mut y = vec![f32::NAN; vectors * count];
                dot_rows_with_simd(simd, &across, &matrix, width, width, &mut y);
                assert_close(&y, &products, 1e-4);
            });
        }
    }
}
