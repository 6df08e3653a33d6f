//! x, rounded for instructions that multiply rounded numbers alone.

use pulp::Simd;

/// To the nearest bfloat16, and to the even one of two.
#[pulp::with_simd(round_to_bf16 = pulp::Arch::new())]
#[inline(always)]
pub fn round_to_bf16_with_simd<S: Simd>(_simd: S, x: &[f32], rounded: &mut [[u8; 2]]) {
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
