//! The numbers that weights consist of. Every loop is written once for all of them and computes in `f32`.

use half::bf16;
use pulp::{Simd, bytemuck};

use super::matrix::Matrix;

/// Rounded weights lie in rows, one for each output, that are filled up to a multiple of so many bytes; and there is a
/// multiple of so many rows. Then they fit the tiles of [`super::amx`] where they are.
pub const ROW_BYTES: usize = 64;
pub const ROWS_TOGETHER: usize = 32;

/// A number of a weight.
pub trait Number: bytemuck::Pod + Send + Sync {
    fn widen(self) -> f32;

    /// y = x · W by special instructions, if the processor has some for such numbers and as many rows.
    fn multiply_specially(_: &[f32], _: Matrix<Self>) -> Option<Vec<f32>> {
        None
    }
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

    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    fn multiply_specially(x: &[f32], weight: Matrix<Self>) -> Option<Vec<f32>> {
        if x.len() > weight.inputs { super::amx::multiply(x, weight) } else { None }
    }
}

/// To be multiplied by its output's scale.
impl Number for i8 {
    #[inline(always)]
    fn widen(self) -> f32 {
        f32::from(self)
    }

    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    fn multiply_specially(x: &[f32], weight: Matrix<Self>) -> Option<Vec<f32>> {
        if x.len() > weight.inputs {
            super::amx::multiply(x, weight)
        } else {
            super::vnni::multiply(x, weight)
        }
    }
}

/// A vector of the first numbers of a slice; zeros where it has fewer. One or two instructions in the end, where the
/// compiler sees that it has enough.
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
