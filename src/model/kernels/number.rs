//! The numbers that weights consist of. Every loop is written once for all of them and computes in `f32`.

use half::bf16;
use pulp::{Simd, bytemuck};

/// A number of a weight.
pub trait Number: Copy + Send + Sync {
    fn widen(self) -> f32;
}

impl Number for f32 {
    #[inline(always)]
    fn widen(self) -> f32 {
        self
    }
}

impl Number for bf16 {
    #[inline(always)]
    fn widen(self) -> f32 {
        // half's own conversion looks out for signalling NaNs, which no instruction does for a whole vector.
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }
}

/// To be multiplied by its output's scale.
impl Number for i8 {
    #[inline(always)]
    fn widen(self) -> f32 {
        f32::from(self)
    }
}

/// A vector of the first numbers of a slice, which has at least as many. One or two instructions in the end.
#[inline(always)]
pub fn load<S: Simd, N: Number>(simd: S, numbers: &[N]) -> S::f32s {
    let mut vector = simd.splat_f32s(0.0);
    let lanes = bytemuck::cast_slice_mut::<S::f32s, f32>(std::slice::from_mut(&mut vector));
    for (lane, number) in lanes.iter_mut().zip(numbers) {
        *lane = number.widen();
    }
    vector
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::testing::on_every_instruction_set;

    fn lanes<S: Simd>(simd: S, numbers: &[impl Number]) -> Vec<f32> {
        bytemuck::cast_slice(&[load(simd, numbers)]).to_vec()
    }

    #[test]
    fn every_kind_of_number_is_widened_to_what_it_stands_for() {
        let values: Vec<f32> = (-8..8).map(|i| i as f32 * 0.375).collect();
        let halves: Vec<bf16> = values.iter().map(|value| bf16::from_f32(*value)).collect();
        let bytes: Vec<i8> = (-8..8).map(|i| i * 16).collect();
        on_every_instruction_set!(|simd| {
            let count = lanes(simd, &values).len();
            assert_eq!(lanes(simd, &values), values[..count]);
            assert_eq!(lanes(simd, &halves), values[..count]);
            assert_eq!(lanes(simd, &bytes), (-8..8).map(|i| i as f32 * 16.0).collect::<Vec<_>>()[..count]);
        });
    }
}
