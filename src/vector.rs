//! Sums and exponentials of many numbers at once: what all fast loops are made of.
//!
//! Each loop is written once over [`pulp::Simd`] and compiled for AVX-512, AVX2, NEON and plain Rust; which one
//! runs is decided when the program runs.
//!
//! Instructions beyond the baseline can only be inlined into functions compiled for them. So everything here is
//! `inline(always)`, closures too, and nothing reaches an instruction through an iterator's adaptor: `fold` or `map`
//! would call each addition as a function.

use pulp::{Simd, bytemuck};

/// Partial sums that a long sum is made of: the `i`th number goes into the `i mod SUMS`th. So many under every
/// instruction set, however many of them one vector holds: a sum is the same to the last bit on every machine that
/// multiplies and adds in one step. And enough that none has to wait for itself.
pub const SUMS: usize = 64;

/// All partial sums as vectors, of which there are `SUMS / S::F32_LANES`; the others stay unused.
///
/// They stay in registers as long as each is named by a number that the compiler knows.
pub type Sums<S> = [<S as Simd>::f32s; SUMS];

/// Halves on halves, down to one.
#[inline(always)]
pub fn total<S: Simd>(simd: S, mut sums: Sums<S>) -> f32 {
    let mut vectors = SUMS / S::F32_LANES;
    while vectors > 1 {
        vectors /= 2;
        for index in 0..vectors {
            sums[index] = simd.add_f32s(sums[index], sums[index + vectors]);
        }
    }
    // No vector has more lanes.
    let mut lanes = [0.0; 16];
    let mut count = S::F32_LANES;
    lanes[..count].copy_from_slice(bytemuck::cast_slice::<S::f32s, f32>(&sums[..1]));
    for half in [8, 4, 2, 1] {
        if half < count {
            for lane in 0..half {
                lanes[lane] += lanes[lane + half];
            }
            count = half;
        }
    }
    lanes[0]
}

/// Σ f(x).
#[inline(always)]
pub fn sum_of<S: Simd>(simd: S, x: &[f32], f: impl Fn(S::f32s) -> S::f32s) -> f32 {
    let mut sums: Sums<S> = [simd.splat_f32s(0.0); SUMS];
    let (rounds, rest) = x.as_chunks::<SUMS>();
    for round in rounds {
        let (vectors, _) = S::as_simd_f32s(round);
        for index in 0..SUMS / S::F32_LANES {
            sums[index] = simd.add_f32s(sums[index], f(vectors[index]));
        }
    }
    let (vectors, tail) = S::as_simd_f32s(rest);
    for index in 0..SUMS / S::F32_LANES {
        if index < vectors.len() {
            sums[index] = simd.add_f32s(sums[index], f(vectors[index]));
        } else if index == vectors.len() && !tail.is_empty() {
            let mut lanes = [0.0; SUMS];
            simd.partial_store_f32s(&mut lanes[..tail.len()], f(simd.partial_load_f32s(tail)));
            sums[index] = simd.add_f32s(sums[index], simd.partial_load_f32s(&lanes[..tail.len()]));
        }
    }
    total(simd, sums)
}

/// Σ x.
#[inline(always)]
pub fn sum<S: Simd>(simd: S, x: &[f32]) -> f32 {
    sum_of(
        simd,
        x,
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

/// Turns four rows: each four numbers in turn, of the same lanes in all of them, become columns. For vectors that hold
/// four numbers or more.
#[inline(always)]
pub fn turn_fours<S: Simd>(simd: S, rows: [S::f32s; 4]) -> [S::f32s; 4] {
    simd.interleave_shfl_f32s(rows)
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
    let highest = highest_with_simd(simd, scores);
    let share = simd.splat_f32s(1.0 / softmax_parts(simd, scores, scale, highest));
    map(
        simd,
        scores,
        #[inline(always)]
        |x| simd.mul_f32s(x, share),
    );
}

/// scores ← e^(scale · (score - highest)), in place. Returns their sum, which a softmax divides them by.
#[inline(always)]
pub fn softmax_parts<S: Simd>(simd: S, scores: &mut [f32], scale: f32, highest: f32) -> f32 {
    let (scales, highests) = (simd.splat_f32s(scale), simd.splat_f32s(-highest * scale));
    map(
        simd,
        scores,
        #[inline(always)]
        |x| exp(simd, simd.mul_add_e_f32s(x, scales, highests)),
    );
    sum(simd, scores)
}

/// x ← eˣ for x up to 0, as exact as [`f32::exp`], which does the few between -104 and -87. Below, eˣ is 0 in `f32`.
#[pulp::with_simd(exponentials = pulp::Arch::new())]
#[inline(always)]
pub fn exponentials_with_simd<S: Simd>(simd: S, x: &mut [f32]) {
    let (nothing, lowest) = (simd.splat_f32s(0.0), simd.splat_f32s(-87.0));
    for x in x.chunks_mut(64) {
        let is_small = x.iter().fold(
            false,
            #[inline(always)]
            |small, x| small | ((*x < -87.0) & (*x > -104.0)),
        );
        match is_small {
            true => x.iter_mut().for_each(|x| *x = x.exp()),
            false => map(
                simd,
                x,
                #[inline(always)]
                |x| simd.select_f32s(simd.less_than_f32s(x, lowest), nothing, exp(simd, x)),
            ),
        }
    }
}

/// Σ f(x, y), in `f64` and in an order that no instruction set changes: the same to the last bit on every machine.
#[inline(always)]
fn exact_sum_of(x: &[f32], y: &[f32], f: impl Fn(f32, f32) -> f64) -> f64 {
    const LANES: usize = 32;
    let ((x, x_tail), (y, y_tail)) = (x.as_chunks::<LANES>(), y.as_chunks::<LANES>());
    let mut sums = [0.0; LANES];
    for (x, y) in x.iter().zip(y) {
        for lane in 0..LANES {
            sums[lane] += f(x[lane], y[lane]);
        }
    }
    for (lane, (x, y)) in x_tail.iter().zip(y_tail).enumerate() {
        sums[lane] += f(*x, *y);
    }
    sums.iter().sum()
}

/// Σ x, in `f64`, the same on every machine.
#[pulp::with_simd(exact_sum = pulp::Arch::new())]
#[inline(always)]
pub fn exact_sum_with_simd<S: Simd>(_simd: S, x: &[f32]) -> f64 {
    exact_sum_of(
        x,
        x,
        #[inline(always)]
        |x, _| f64::from(x),
    )
}

/// Σ weight · (x - origin) over what has a weight, in `f64`, the same on every machine.
#[pulp::with_simd(exact_moment = pulp::Arch::new())]
#[inline(always)]
pub fn exact_moment_with_simd<S: Simd>(_simd: S, weights: &[f32], x: &[f32], origin: f64) -> f64 {
    exact_sum_of(
        weights,
        x,
        #[inline(always)]
        |weight, x| if weight > 0.0 { f64::from(weight) * (f64::from(x) - origin) } else { 0.0 },
    )
}

/// How many keys are below a limit, and Σ weight over them, in `f64`, the same on every machine.
#[pulp::with_simd(exact_sum_below = pulp::Arch::new())]
#[inline(always)]
pub fn exact_sum_below_with_simd<S: Simd>(
    _simd: S,
    keys: &[f32],
    weights: &[f32],
    limit: f32,
) -> (usize, f64) {
    let count: u32 = keys
        .iter()
        .map(
            #[inline(always)]
            |key| u32::from(*key < limit),
        )
        .sum();
    let sum = exact_sum_of(
        weights,
        keys,
        #[inline(always)]
        |weight, key| f64::from(if key < limit { weight } else { 0.0 }),
    );
    (count as usize, sum)
}

/// The highest number; -∞ if there is none, anything if one of them is no number.
#[pulp::with_simd(highest = pulp::Arch::new())]
#[inline(always)]
pub fn highest_with_simd<S: Simd>(simd: S, x: &[f32]) -> f32 {
    let (body, tail) = S::as_simd_f32s(x);
    let mut highest = simd.splat_f32s(f32::NEG_INFINITY);
    for x in body {
        highest = simd.max_f32s(highest, *x);
    }
    tail.iter().copied().fold(simd.reduce_max_f32s(highest), f32::max)
}

#[cfg(test)]
pub mod testing {
    //! Running one loop under each instruction set that this machine has.

    /// Evaluates `$body` once for each instruction set, `$simd` being bound to it.
    macro_rules! on_every_instruction_set {
        (|$simd:ident| $body:expr) => {{
            {
                let $simd = pulp::Scalar;
                $body
            }
            #[cfg(target_arch = "x86_64")]
            {
                if let Some($simd) = pulp::x86::V3::try_new() {
                    $body
                }
                if let Some($simd) = pulp::x86::V4::try_new() {
                    $body
                }
            }
            #[cfg(target_arch = "aarch64")]
            if let Some($simd) = pulp::aarch64::Neon::try_new() {
                $body
            }
        }};
    }
    pub(crate) use on_every_instruction_set;

    /// Whether products are added before they are rounded, as all vectors do it.
    pub fn has_vectors<S: pulp::Simd>(_: S) -> bool {
        S::F32_LANES > 1
    }

    /// Numbers between -1 and 1 that look random and are always the same.
    pub fn numbers(count: usize) -> Vec<f32> {
        let mut state = 0x2545_f491_u32;
        let next = move || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as f32 / u32::MAX as f32 * 2.0 - 1.0
        };
        std::iter::repeat_with(next).take(count).collect()
    }

    pub fn assert_close(left: &[f32], right: &[f32], tolerance: f32) {
        assert_eq!(left.len(), right.len());
        for (index, (a, b)) in left.iter().zip(right).enumerate() {
            assert!((a - b).abs() <= tolerance * (1.0 + b.abs()), "at {index}: {a} and {b}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{assert_close, numbers, on_every_instruction_set};
    use super::*;

    #[test]
    fn fours_are_turned_within_each_four_lanes_under_every_instruction_set() {
        on_every_instruction_set!(|simd| four_rows_become_columns(simd));
    }

    fn four_rows_become_columns<S: Simd>(simd: S) {
        let lanes = S::F32_LANES;
        if lanes < 4 {
            return;
        }
        let rows: Vec<f32> = (0..4 * lanes).map(|index| index as f32).collect();
        let (vectors, _) = S::as_simd_f32s(&rows);
        let turned = turn_fours(simd, [vectors[0], vectors[1], vectors[2], vectors[3]]);
        for (row, turned) in bytemuck::cast_slice::<S::f32s, f32>(&turned).chunks_exact(lanes).enumerate() {
            let expected = (0..lanes).map(|lane| rows[lane % 4 * lanes + lane / 4 * 4 + row]);
            assert_eq!(turned, expected.collect::<Vec<_>>());
        }
    }

    #[test]
    fn sums_are_the_same_to_the_last_bit_under_every_instruction_set() {
        for count in [0, 1, 7, 63, 64, 65, 100, 160, 1003] {
            let x = numbers(count);
            let plain: f64 = x.iter().map(|x| f64::from(x * x)).sum();
            let mut bits = std::collections::HashSet::new();
            on_every_instruction_set!(|simd| {
                let squares = sum_of(simd, &x, |x| simd.mul_f32s(x, x));
                assert_close(&[squares], &[plain as f32], 1e-5);
                bits.insert((squares.to_bits(), sum(simd, &x).to_bits()));
            });
            assert_eq!(bits.len(), 1, "{count} numbers");
        }
    }

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
    fn exponentials_agree_with_the_standard_library_down_to_nothing() {
        let x: Vec<f32> = (0..=12000).map(|i| i as f32 / -100.0).chain([f32::NEG_INFINITY]).collect();
        on_every_instruction_set!(|simd| {
            let mut y = x.clone();
            exponentials_with_simd(simd, &mut y);
            for (x, y) in x.iter().zip(y) {
                assert!((y - x.exp()).abs() <= 3e-7 * x.exp(), "{x}: {y}");
            }
        });
    }

    #[test]
    fn exact_sums_are_the_same_to_the_last_bit_everywhere() {
        let (x, y) = (numbers(50_257), numbers(50_300)[43..].to_vec());
        let plain: f64 = x.iter().map(|x| f64::from(*x)).sum();
        let mean: f64 = x.iter().zip(&y).filter(|(x, _)| **x > 0.0).map(|(x, y)| f64::from(x * y)).sum();
        assert!((exact_sum(&x) - plain).abs() < 1e-9);
        assert!((exact_moment(&x, &y, 0.0) - mean).abs() < 1e-3);
        let below = exact_sum_below(&x, &y, 0.25);
        let lower: Vec<f64> =
            x.iter().zip(&y).filter(|(x, _)| **x < 0.25).map(|(_, y)| f64::from(*y)).collect();
        assert_eq!(below.0, lower.len());
        assert!((below.1 - lower.iter().sum::<f64>()).abs() < 1e-9);
        on_every_instruction_set!(|simd| {
            assert_eq!(exact_sum_with_simd(simd, &x).to_bits(), exact_sum(&x).to_bits());
            assert_eq!(
                exact_moment_with_simd(simd, &x, &y, 0.5).to_bits(),
                exact_moment(&x, &y, 0.5).to_bits()
            );
            assert_eq!(exact_sum_below_with_simd(simd, &x, &y, 0.25), below);
        });
        assert_eq!(exact_moment(&[0.0, 0.5], &[f32::NEG_INFINITY, 4.0], 1.0), 1.5);
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
