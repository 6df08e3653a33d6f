//! The rows of a matrix against one vector: what decoding spends its time in, in the linear layers and in attention.

use pulp::Simd;
use rayon::prelude::*;

use super::vector::{add_scaled, dot};

/// y += Σᵢ xᵢ · row i, four rows at a time.
#[pulp::with_simd(add_scaled_rows = pulp::Arch::new())]
#[inline(always)]
pub fn add_scaled_rows_with_simd<S: Simd>(simd: S, x: &[f32], rows: &[f32], y: &mut [f32]) {
    let width = y.len();
    let (y_body, y_tail) = S::as_mut_simd_f32s(y);
    let (x_fours, x_rest) = x.as_chunks::<4>();
    let (fours, rest) = rows.split_at(x_fours.len() * 4 * width);
    for (x, rows) in x_fours.iter().zip(fours.chunks_exact(4 * width)) {
        let factor =
            [simd.splat_f32s(x[0]), simd.splat_f32s(x[1]), simd.splat_f32s(x[2]), simd.splat_f32s(x[3])];
        let (a, a_tail) = S::as_simd_f32s(&rows[..width]);
        let (b, b_tail) = S::as_simd_f32s(&rows[width..2 * width]);
        let (c, c_tail) = S::as_simd_f32s(&rows[2 * width..3 * width]);
        let (d, d_tail) = S::as_simd_f32s(&rows[3 * width..]);
        for ((((y, a), b), c), d) in y_body.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            let left = simd.mul_add_e_f32s(factor[0], *a, *y);
            let right = simd.mul_f32s(factor[1], *b);
            let left = simd.mul_add_e_f32s(factor[2], *c, left);
            let right = simd.mul_add_e_f32s(factor[3], *d, right);
            *y = simd.add_f32s(left, right);
        }
        for ((((y, a), b), c), d) in y_tail.iter_mut().zip(a_tail).zip(b_tail).zip(c_tail).zip(d_tail) {
            *y += x[0] * a + x[1] * b + x[2] * c + x[3] * d;
        }
    }
    for (x, row) in x_rest.iter().zip(rest.chunks_exact(width)) {
        add_scaled(simd, y, *x, row);
    }
}

/// y[o] = x · row o.
#[pulp::with_simd(dot_rows = pulp::Arch::new())]
#[inline(always)]
pub fn dot_rows_with_simd<S: Simd>(simd: S, x: &[f32], rows: &[f32], y: &mut [f32]) {
    for (y, row) in y.iter_mut().zip(rows.chunks_exact(x.len())) {
        *y = dot(simd, x, row);
    }
}

/// x += y, element by element.
pub fn add(x: &mut [f32], y: &[f32]) {
    x.par_chunks_mut(PIECE).zip(y.par_chunks(PIECE)).for_each(|(x, y)| {
        x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
    });
}

/// Numbers that one thread works on at a time: enough that handing them over does not matter.
const PIECE: usize = 1 << 15;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kernels::testing::{assert_close, numbers, on_every_instruction_set};

    #[test]
    fn both_agree_with_the_plain_sums_under_every_instruction_set() {
        for (count, width) in [(1, 1), (3, 16), (39, 83), (64, 64), (5, 128)] {
            let matrix = numbers(count * width);
            let (down, across) = (numbers(count), numbers(width));
            let mut sums = vec![1.0; width];
            for (x, row) in down.iter().zip(matrix.chunks(width)) {
                sums.iter_mut().zip(row).for_each(|(sum, w)| *sum += x * w);
            }
            let product = |row: &[f32]| row.iter().zip(&across).map(|(w, x)| w * x).sum::<f32>();
            let products: Vec<f32> = matrix.chunks(width).map(product).collect();
            on_every_instruction_set!(|simd| {
                let mut y = vec![1.0; width];
                add_scaled_rows_with_simd(simd, &down, &matrix, &mut y);
                assert_close(&y, &sums, 1e-5);
                let mut y = vec![f32::NAN; count];
                dot_rows_with_simd(simd, &across, &matrix, &mut y);
                assert_close(&y, &products, 1e-5);
            });
        }
    }
}
