//! Turning rows of 32 bits into columns, by AVX-512.

use std::arch::x86_64::{
    __m512, _mm512_castpd_ps, _mm512_castps_pd, _mm512_loadu_ps, _mm512_setzero_ps, _mm512_shuffle_f32x4,
    _mm512_storeu_ps, _mm512_unpackhi_pd, _mm512_unpackhi_ps, _mm512_unpacklo_pd, _mm512_unpacklo_ps,
};

use super::registers::SIDE;

/// `to` [column, row] ← `from` [row, column], for 16 rows and columns: pairs of rows are merged, then pairs of those, and
/// so on.
///
/// # Safety
/// There is room for 16 numbers at `to`, and at each `to_stride` after it.
#[target_feature(enable = "avx512f")]
pub unsafe fn transpose(from: &[f32], from_stride: usize, to: *mut f32, to_stride: usize) {
    let mut rows = [_mm512_setzero_ps(); SIDE];
    for row in 0..SIDE {
        let from = &from[row * from_stride..][..SIDE];
        // SAFETY: the slice has the 16 numbers that are read.
        rows[row] = unsafe { _mm512_loadu_ps(from.as_ptr()) };
    }
    let mut pairs = rows;
    for i in (0..SIDE).step_by(2) {
        pairs[i] = _mm512_unpacklo_ps(rows[i], rows[i + 1]);
        pairs[i + 1] = _mm512_unpackhi_ps(rows[i], rows[i + 1]);
    }
    // Each quarter of a vector now becomes four rows of one column.
    let mut fours = pairs;
    for i in (0..SIDE).step_by(4) {
        fours[i] = low(pairs[i], pairs[i + 2]);
        fours[i + 1] = high(pairs[i], pairs[i + 2]);
        fours[i + 2] = low(pairs[i + 1], pairs[i + 3]);
        fours[i + 3] = high(pairs[i + 1], pairs[i + 3]);
    }
    let mut columns = fours;
    for i in 0..4 {
        const EVEN: i32 = 0b10_00_10_00;
        const ODD: i32 = 0b11_01_11_01;
        let (first, second, third, last) = (fours[i], fours[4 + i], fours[8 + i], fours[12 + i]);
        let (even, even_too) =
            (_mm512_shuffle_f32x4::<EVEN>(first, second), _mm512_shuffle_f32x4::<EVEN>(third, last));
        let (odd, odd_too) =
            (_mm512_shuffle_f32x4::<ODD>(first, second), _mm512_shuffle_f32x4::<ODD>(third, last));
        columns[i] = _mm512_shuffle_f32x4::<EVEN>(even, even_too);
        columns[4 + i] = _mm512_shuffle_f32x4::<EVEN>(odd, odd_too);
        columns[8 + i] = _mm512_shuffle_f32x4::<ODD>(even, even_too);
        columns[12 + i] = _mm512_shuffle_f32x4::<ODD>(odd, odd_too);
    }
    for (index, column) in columns.into_iter().enumerate() {
        // SAFETY: the caller promises that there is room.
        unsafe { _mm512_storeu_ps(to.add(index * to_stride), column) };
    }
}

#[target_feature(enable = "avx512f")]
fn low(left: __m512, right: __m512) -> __m512 {
    _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(left), _mm512_castps_pd(right)))
}

#[target_feature(enable = "avx512f")]
fn high(left: __m512, right: __m512) -> __m512 {
    _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(left), _mm512_castps_pd(right)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::testing::numbers;

    #[test]
    fn rows_become_columns() {
        if !is_x86_feature_detected!("avx512f") {
            eprintln!("skipped: this processor has no AVX-512");
            return;
        }
        let (from, mut to) = (numbers(20 * SIDE), vec![0.0; 17 * SIDE]);
        // SAFETY: the processor was asked, and there is room.
        unsafe { transpose(&from, 20, to.as_mut_ptr(), 17) };
        for (row, column) in (0..SIDE).flat_map(|row| (0..SIDE).map(move |column| (row, column))) {
            assert_eq!(to[column * 17 + row], from[row * 20 + column]);
        }
    }
}
