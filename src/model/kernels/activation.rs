//! The non-linearity inside the MLP.

use std::f32::consts::FRAC_1_SQRT_2;

use candle_core::cpu::erf::erf_f32;
use pulp::Simd;

use crate::model::config::Activation;
use crate::vector::{exp, map};

/// x ← activation(x), element by element.
#[inline(always)]
pub fn activate_with_simd<S: Simd>(simd: S, activation: Activation, x: &mut [f32]) {
    match activation {
        Activation::GeluNew => gelu_new(simd, x),
        Activation::Gelu => x.iter_mut().for_each(|x| *x *= 0.5 * (1.0 + erf_f32(*x * FRAC_1_SQRT_2))),
        Activation::Relu => x.iter_mut().for_each(|x| *x = x.max(0.0)),
        Activation::Silu => x.iter_mut().for_each(|x| *x /= 1.0 + (-*x).exp()),
        Activation::Tanh => x.iter_mut().for_each(|x| *x = x.tanh()),
    }
}

/// GELU by its tanh approximation: ½x(1 + tanh u) = x / (1 + e⁻²ᵘ) with u = √(2/π)·(x + 0.044715·x³).
#[inline(always)]
fn gelu_new<S: Simd>(simd: S, x: &mut [f32]) {
    let linear = -2.0 * (2.0 / std::f32::consts::PI).sqrt();
    let (linear, cubic) = (simd.splat_f32s(linear), simd.splat_f32s(linear * 0.044_715));
    let one = simd.splat_f32s(1.0);
    map(
        simd,
        x,
        #[inline(always)]
        |x| {
            let u = simd.mul_f32s(x, simd.mul_add_e_f32s(simd.mul_f32s(x, x), cubic, linear));
            simd.div_f32s(x, simd.add_f32s(one, exp(simd, u)))
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::testing::{assert_close, on_every_instruction_set};

    #[test]
    fn gelu_new_follows_its_formula() {
        let x: Vec<f32> = (-1000..=1000).map(|i| i as f32 / 100.0).collect();
        let formula = |x: &f32| {
            let x = f64::from(*x);
            let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
            (0.5 * x * (1.0 + u.tanh())) as f32
        };
        let expected: Vec<f32> = x.iter().map(formula).collect();
        on_every_instruction_set!(|simd| {
            let mut y = x.clone();
            gelu_new(simd, &mut y);
            assert_close(&y, &expected, 1e-6);
        });
    }
}
