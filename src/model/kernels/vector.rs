//! What the other loops are made of: products, sums and exponentials of whole vectors.
//!
//! Instructions beyond the baseline can only be inlined into functions compiled for them. So everything here is
//! `inline(always)`, closures too, and nothing reaches an instruction through an iterator's adaptor: `fold` or `map`
//! would call each addition as a function.

use pulp::Simd;

/// Σ a·b.
#[inline(always)]
pub fn dot<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    debug_assert_eq!(a.len(), b.len());
    let (a_body, a_tail) = S::as_simd_f32s(a);
    let (b_body, b_tail) = S::as_simd_f32s(b);
    // Four sums at once: one alone would wait for itself at every step.
    let mut sums = [simd.splat_f32s(0.0); 4];
    let (a_fours, a_rest) = a_body.as_chunks::<4>();
    let (b_fours, b_rest) = b_body.as_chunks::<4>();
    for (a, b) in a_fours.iter().zip(b_fours) {
        for lane in 0..4 {
            sums[lane] = simd.mul_add_e_f32s(a[lane], b[lane], sums[lane]);
        }
    }
    for (a, b) in a_rest.iter().zip(b_rest) {
        sums[0] = simd.mul_add_e_f32s(*a, *b, sums[0]);
    }
    let tail = (simd.partial_load_f32s(a_tail), simd.partial_load_f32s(b_tail));
    sums[1] = simd.mul_add_e_f32s(tail.0, tail.1, sums[1]);
    let sum = simd.add_f32s(simd.add_f32s(sums[0], sums[1]), simd.add_f32s(sums[2], sums[3]));
    simd.reduce_sum_f32s(sum)
}

/// y += factor · x.
#[inline(always)]
pub fn add_scaled<S: Simd>(simd: S, y: &mut [f32], factor: f32, x: &[f32]) {
    let (y_body, y_tail) = S::as_mut_simd_f32s(y);
    let (x_body, x_tail) = S::as_simd_f32s(x);
    let factors = simd.splat_f32s(factor);
    for (y, x) in y_body.iter_mut().zip(x_body) {
        *y = simd.mul_add_e_f32s(factors, *x, *y);
    }
    for (y, x) in y_tail.iter_mut().zip(x_tail) {
        *y += factor * x;
    }
}

/// Σ f(x).
#[inline(always)]
pub fn sum_of<S: Simd>(
    simd: S,
    x: &[f32],
    f: impl Fn(S::f32s) -> S::f32s,
    f_tail: impl Fn(f32) -> f32,
) -> f32 {
    let (body, tail) = S::as_simd_f32s(x);
    // Four sums at once, as in `dot`.
    let mut sums = [simd.splat_f32s(0.0); 4];
    let (fours, rest) = body.as_chunks::<4>();
    for x in fours {
        for lane in 0..4 {
            sums[lane] = simd.add_f32s(sums[lane], f(x[lane]));
        }
    }
    for x in rest {
        sums[0] = simd.add_f32s(sums[0], f(*x));
    }
    let sum = simd.add_f32s(simd.add_f32s(sums[0], sums[1]), simd.add_f32s(sums[2], sums[3]));
    simd.reduce_sum_f32s(sum) + tail.iter().map(|x| f_tail(*x)).sum::<f32>()
}

/// Σ x.
#[inline(always)]
pub fn sum<S: Simd>(simd: S, x: &[f32]) -> f32 {
    sum_of(
        simd,
        x,
        #[inline(always)]
        |x| x,
        #[inline(always)]
        |x| x,
    )
}

/// x ← f(x), element by element.
#[inline(always)]
pub fn map<S: Simd>(simd: S, x: &mut [f32], f: impl Fn(S::f32s) -> S::f32s) {
    let (body, tail) = S::as_mut_simd_f32s(x);
    for x in body {
        *x = f(*x);
    }
    if !tail.is_empty() {
        let values = f(simd.partial_load_f32s(tail));
        simd.partial_store_f32s(tail, values);
    }
}

/// eˣ to about one unit in the last place, for x from -87 to 88 and held to that range beyond it.
///
/// Cody and Waite's reduction x = n·ln 2 + r, a polynomial for eʳ (the coefficients of Cephes' `expf`), and n
/// added to the exponent.
#[inline(always)]
pub fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let x = simd.max_f32s(simd.min_f32s(x, simd.splat_f32s(88.0)), simd.splat_f32s(-87.0));
    // Adding 1.5 · 2²³ rounds to a whole number, which then stands in the lowest bits.
    let shifter = simd.splat_f32s(12_582_912.0);
    let shifted = simd.mul_add_e_f32s(x, simd.splat_f32s(std::f32::consts::LOG2_E), shifter);
    let n = simd.sub_f32s(shifted, shifter);
    let r = simd.mul_add_e_f32s(n, simd.splat_f32s(-0.693_359_4), x);
    let r = simd.mul_add_e_f32s(n, simd.splat_f32s(2.121_944_4e-4), r);
    let mut p = simd.splat_f32s(1.987_569_1e-4);
    for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = simd.mul_add_e_f32s(p, r, simd.splat_f32s(coefficient));
    }
    let p = simd.add_f32s(simd.mul_add_e_f32s(p, simd.mul_f32s(r, r), r), simd.splat_f32s(1.0));
    let exponent = simd.add_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(127));
    let power = simd.wrapping_dyn_shl_u32s(exponent, simd.splat_u32s(23));
    simd.mul_f32s(p, simd.transmute_f32s_u32s(power))
}

/// scores ← softmax(scale · scores), in place.
#[inline(always)]
pub fn softmax<S: Simd>(simd: S, scores: &mut [f32], scale: f32) {
    let highest = highest(simd, scores) * scale;
    let (scales, highests) = (simd.splat_f32s(scale), simd.splat_f32s(-highest));
    map(
        simd,
        scores,
        #[inline(always)]
        |x| exp(simd, simd.mul_add_e_f32s(x, scales, highests)),
    );
    let total = sum(simd, scores);
    let share = simd.splat_f32s(1.0 / total);
    map(
        simd,
        scores,
        #[inline(always)]
        |x| simd.mul_f32s(x, share),
    );
}

/// The highest of them; -∞ if there are none.
#[inline(always)]
fn highest<S: Simd>(simd: S, x: &[f32]) -> f32 {
    let (body, tail) = S::as_simd_f32s(x);
    let mut highest = simd.splat_f32s(f32::NEG_INFINITY);
    for x in body {
        highest = simd.max_f32s(highest, *x);
    }
    tail.iter().copied().fold(simd.reduce_max_f32s(highest), f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kernels::testing::{assert_close, numbers, on_every_instruction_set};

    #[test]
    fn exp_agrees_with_the_standard_library() {
        let x: Vec<f32> = (-8700..=8800).map(|i| i as f32 / 100.0).collect();
        let expected: Vec<f32> = x.iter().map(|x| x.exp()).collect();
        on_every_instruction_set!(|simd| {
            let mut y = x.clone();
            map(simd, &mut y, |x| exp(simd, x));
            for (y, expected) in y.iter().zip(&expected) {
                assert!((y - expected).abs() <= 3e-7 * expected, "{y} and {expected}");
            }
        });
    }

    #[test]
    fn products_and_sums_agree_at_every_length() {
        for length in [0, 1, 7, 16, 33, 64, 100, 129] {
            let (a, b) = (numbers(length), numbers(2 * length)[length..].to_vec());
            let expected: f32 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
            let scaled: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a + 0.5 * b).collect();
            on_every_instruction_set!(|simd| {
                assert_close(&[dot(simd, &a, &b)], &[expected], 1e-5);
                let mut y = a.clone();
                add_scaled(simd, &mut y, 0.5, &b);
                assert_close(&y, &scaled, 1e-6);
            });
        }
    }

    #[test]
    fn softmax_sums_to_one_and_keeps_the_order() {
        on_every_instruction_set!(|simd| {
            let mut x = vec![1.0, 3.0, -1e30, 2.0, 2.0];
            softmax(simd, &mut x, 0.5);
            assert_close(&[x.iter().sum::<f32>()], &[1.0], 1e-6);
            assert_close(&x[..2], &[x[3] * (-0.5f32).exp(), x[3] * 0.5f32.exp()], 1e-6);
            assert!(x[2] < 1e-30);
        });
    }
}
