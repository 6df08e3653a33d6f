//! Layer normalisation (Ba, Kiros & Hinton 2016) of each row.

use pulp::Simd;

use crate::parallel::from_chunks;
use crate::vector::{sum, sum_of};

/// (x - mean) / √(variance + epsilon) · gain + bias, for each row of `x` [rows, width].
pub fn layer_norm(x: &[f32], gain: &[f32], bias: &[f32], epsilon: f32) -> Vec<f32> {
    let width = gain.len();
    from_chunks(0.0, x.len(), ROWS * width, |piece, y| {
        let x = &x[piece * ROWS * width..];
        y.chunks_exact_mut(width)
            .zip(x.chunks_exact(width))
            .for_each(|(y, x)| normalise(x, gain, bias, epsilon, y));
    })
}

/// Rows that one thread takes at a time: one alone is not worth handing over.
const ROWS: usize = 8;

#[pulp::with_simd(normalise = pulp::Arch::new())]
#[inline(always)]
fn normalise_with_simd<S: Simd>(simd: S, x: &[f32], gain: &[f32], bias: &[f32], epsilon: f32, y: &mut [f32]) {
    let width = x.len() as f32;
    let mean = sum(simd, x) / width;
    let means = simd.splat_f32s(mean);
    let squares = sum_of(
        simd,
        x,
        #[inline(always)]
        |x| simd.mul_f32s(simd.sub_f32s(x, means), simd.sub_f32s(x, means)),
    );
    let scale = 1.0 / (squares / width + epsilon).sqrt();
    for (((y, x), gain), bias) in y.iter_mut().zip(x).zip(gain).zip(bias) {
        *y = (x - mean) * scale * gain + bias;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::testing::{assert_close, numbers, on_every_instruction_set};

    #[test]
    fn every_row_gets_its_own_mean_and_variance() {
        let (width, rows) = (37, 3);
        let x: Vec<f32> = numbers(width * rows).iter().map(|x| x * 3.0 + 5.0).collect();
        let (gain, bias) = (numbers(width), vec![0.25; width]);
        let mut expected = Vec::new();
        for row in x.chunks(width) {
            let mean = row.iter().map(|x| f64::from(*x)).sum::<f64>() / width as f64;
            let variance = row.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / width as f64;
            let scale = 1.0 / (variance + 1e-5).sqrt();
            let normal = |(x, gain): (&f32, &f32)| ((f64::from(*x) - mean) * scale) as f32 * gain + 0.25;
            expected.extend(row.iter().zip(&gain).map(normal));
        }
        on_every_instruction_set!(|simd| {
            let mut y = vec![0.0; width];
            normalise_with_simd(simd, &x[..width], &gain, &bias, 1e-5, &mut y);
            assert_close(&y, &expected[..width], 1e-5);
        });
        assert_close(&layer_norm(&x, &gain, &bias, 1e-5), &expected, 1e-5);
    }
}
