//! Products of one row with int8 weights, by the instructions that multiply bytes and add up four products at once
//! (AVX-512 VNNI). The row is cut into bytes as for tiles; the sums are whole numbers, and exact.

use std::arch::x86_64::{
    __m512i, _mm512_dpbusd_epi32, _mm512_loadu_si512, _mm512_reduce_add_epi32, _mm512_set1_epi8,
    _mm512_setzero_si512,
};

use super::matrix::{Matrix, finish};
use super::number::ROW_BYTES;
use super::rounding::cut_into_bytes;
use super::rows::{AHEAD, fetch_ahead};
use crate::parallel::for_each_chunk;

/// Outputs that one thread works on at a time, at least.
const OUTPUTS: usize = 64;

/// y [outputs] = x [inputs] · W, finished; nothing where the processor has no such instructions.
pub fn multiply(x: &[f32], weight: Matrix<i8>) -> Option<Vec<f32>> {
    (weight.is_laid_in_rows()
        && is_x86_feature_detected!("avx512vnni")
        && is_x86_feature_detected!("avx512f"))
    .then(|| multiply_bytes(x, weight))
}

fn multiply_bytes(x: &[f32], weight: Matrix<i8>) -> Vec<f32> {
    let stride = weight.stride;
    let mut parts = [vec![0_u8; stride], vec![0; stride]];
    let [high, low] = &mut parts;
    let scale = cut_into_bytes(x, high, low);
    // The instruction takes bytes without a sign: 128 more, which the sum of the weights takes back.
    high.iter_mut().for_each(|byte| *byte ^= 0x80);
    let parts = parts.each_ref().map(|part| part.as_chunks::<ROW_BYTES>().0);
    let mut y = vec![0.0; weight.outputs];
    let piece = weight.outputs.div_ceil(16).max(OUTPUTS);
    for_each_chunk(&mut y, piece, |index, y| {
        let first = index * piece;
        for (y, row) in y.iter_mut().zip(weight.numbers[first * stride..].chunks_exact(stride)) {
            fetch_ahead(row, AHEAD);
            // SAFETY: the instructions are there: `multiply` has asked.
            let sums = unsafe { sums(row.as_chunks().0, parts) };
            *y = total(sums) * scale;
        }
        finish(weight.finish, first, y);
    });
    y
}

/// Σ w · high, Σ w · low and Σ w.
#[target_feature(enable = "avx512f,avx512vnni")]
fn sums(weights: &[[i8; ROW_BYTES]], [high, low]: [&[[u8; ROW_BYTES]]; 2]) -> [i32; 3] {
    let mut sums = [_mm512_setzero_si512(); 3];
    for ((weights, high), low) in weights.iter().zip(high).zip(low) {
        // SAFETY: each array has the 64 bytes that are read.
        let [weights, high, low] = unsafe {
            [
                _mm512_loadu_si512(weights.as_ptr().cast::<__m512i>()),
                _mm512_loadu_si512(high.as_ptr().cast::<__m512i>()),
                _mm512_loadu_si512(low.as_ptr().cast::<__m512i>()),
            ]
        };
        sums[0] = _mm512_dpbusd_epi32(sums[0], high, weights);
        sums[1] = _mm512_dpbusd_epi32(sums[1], low, weights);
        sums[2] = _mm512_dpbusd_epi32(sums[2], _mm512_set1_epi8(1), weights);
    }
    [_mm512_reduce_add_epi32(sums[0]), _mm512_reduce_add_epi32(sums[1]), _mm512_reduce_add_epi32(sums[2])]
}

fn total([high, low, weights]: [i32; 3]) -> f32 {
    ((i64::from(high) - 128 * i64::from(weights)) * 256 + i64::from(low)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kernels::testing::Laid;
    use crate::vector::testing::{assert_close, numbers};

    #[test]
    fn bytes_give_the_products_of_the_plain_loops() {
        for (inputs, outputs) in [(1, 1), (64, 3), (100, 70), (800, 33)] {
            let (x, weights) = (numbers(inputs), Laid::new(inputs, outputs, |x| (x * 127.9) as i8));
            match multiply(&x, weights.matrix()) {
                // Half a unit of x in 32,767, times weights of up to 127, inputs times.
                Some(y) => assert_close(&y, &weights.products(&x), 2e-3 * (inputs as f32).sqrt()),
                None => eprintln!("skipped: this processor has no such instructions"),
            }
        }
    }
}
