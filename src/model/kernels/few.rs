//! y = x · W for a few rows of x, W lying as [inputs, outputs]: nearly at the speed at which one row alone reads it.
//!
//! Some columns of W are multiplied with all rows of x while the sums stay in the first-level cache and the next rows
//! of W come from memory.

use std::ops::Range;

use pulp::{Simd, bytemuck};

use super::matrix::{Matrix, finish};
use super::number::Number;
use super::rows::{LINE, Line, add_four, factors, four};
use crate::parallel::from_chunks;

/// Columns that are worked on together, at most.
const COLUMNS: usize = 512;

/// The work is cut into about so many parts, by columns and then by inputs: fixed numbers, so that sums are the same on
/// every machine. Sums of inputs apart take room: not too many.
const PARTS: usize = 16;
const INPUT_PARTS: usize = 8;

/// y [vectors, outputs] = x [vectors, inputs] · W, finished.
pub fn multiply<N: Number>(x: &[f32], weight: Matrix<N>) -> Vec<f32> {
    let Matrix { numbers, inputs, outputs, .. } = weight;
    let vectors = x.len() / inputs;
    let column_parts = outputs.div_ceil(COLUMNS);
    let width = outputs.div_ceil(column_parts).next_multiple_of(LINE);
    let rows = inputs.div_ceil((PARTS / column_parts).clamp(1, INPUT_PARTS)).next_multiple_of(4);
    let input_parts = inputs.div_ceil(rows);
    // [part of the inputs, part of the columns, vector, width]
    let lines = vectors * width / LINE;
    let sums = from_chunks(Line::ZERO, input_parts * column_parts * lines, lines, |part, sums| {
        let (first, columns) = (part / column_parts * rows, part % column_parts * width);
        let inputs_here = first..inputs.min(first + rows);
        // The vectors begin at this part's first input; where the last one ends, the slice does.
        let x: Vec<f32> = x.chunks_exact(inputs).flat_map(|x| &x[inputs_here.clone()]).copied().collect();
        let numbers = &numbers[first * outputs..inputs_here.end * outputs];
        let columns = columns..outputs.min(columns + width);
        add_products(&x, inputs_here.len(), numbers, outputs, columns, bytemuck::cast_slice_mut(sums));
    });
    let sums: &[f32] = bytemuck::cast_slice(&sums);
    from_chunks(0.0, vectors * outputs, outputs, |vector, y| {
        for (columns, y) in y.chunks_mut(width).enumerate() {
            for part in sums.chunks_exact(column_parts * vectors * width) {
                let sums = &part[(columns * vectors + vector) * width..];
                y.iter_mut().zip(sums).for_each(|(y, sum)| *y += sum);
            }
        }
        finish(weight.finish, 0, y);
    })
}

/// sums [vectors, width] += x [vectors, inputs] · some columns of rows [inputs, outputs].
#[pulp::with_simd(add_products = pulp::Arch::new())]
#[inline(always)]
fn add_products_with_simd<S: Simd, N: Number>(
    simd: S,
    x: &[f32],
    inputs: usize,
    rows: &[N],
    outputs: usize,
    columns: Range<usize>,
    sums: &mut [f32],
) {
    // The factors of four vectors, four weights and four sums fit 32 registers; of two, 16 registers.
    let has_many_registers = S::REGISTER_COUNT >= 32;
    let vectors = x.len() / inputs;
    let width = sums.len() / vectors;
    for first in (0..inputs).step_by(4) {
        let now = four(&rows[first * outputs..], outputs, columns.clone());
        let next = rows.get((first + 4) * outputs..).filter(|next| !next.is_empty());
        let next = next.map_or([&[][..]; 4], |next| four(next, outputs, columns.clone()));
        let mut x = x.chunks_exact(inputs).map(
            #[inline(always)]
            |x| factors(x, first),
        );
        let mut sums = sums.chunks_exact_mut(width).map(
            #[inline(always)]
            |sums| &mut sums[..columns.len()],
        );
        while x.len() > 0 {
            let done = vectors - x.len();
            // While some of the vectors are worked on, as large a part of what comes next is fetched.
            let ahead = |more| &next[4 * done / vectors..4 * (done + more) / vectors];
            match x.len() {
                4.. if has_many_registers => {
                    add_four(simd, take::<4, _>(&mut x), now, take::<4, _>(&mut sums), ahead(4));
                }
                2.. => add_four(simd, take::<2, _>(&mut x), now, take::<2, _>(&mut sums), ahead(2)),
                _ => add_four(simd, take::<1, _>(&mut x), now, take::<1, _>(&mut sums), ahead(1)),
            }
        }
    }
}

#[inline(always)]
fn take<const COUNT: usize, T>(values: &mut impl Iterator<Item = T>) -> [T; COUNT] {
    std::array::from_fn(
        #[inline(always)]
        |_| values.next().expect("so many were counted"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::testing::{assert_close, numbers, on_every_instruction_set};

    #[test]
    fn any_columns_agree_with_the_plain_sums_for_every_number_of_vectors() {
        for (vectors, inputs, outputs, columns) in [
            (2, 1, 1, 0..1),
            (2, 39, 83, 80..83),
            (3, 64, 64, 0..48),
            (5, 5, 1030, 512..1024),
            (16, 6, 20, 3..20),
        ] {
            let rows: Vec<i8> = numbers(inputs * outputs).iter().map(|x| (x * 127.0) as i8).collect();
            let x = numbers(vectors * inputs);
            let width = columns.len().next_multiple_of(LINE);
            let mut expected = vec![1.0; vectors * width];
            for (x, sums) in x.chunks(inputs).zip(expected.chunks_mut(width)) {
                for (column, sum) in columns.clone().zip(sums) {
                    *sum += (0..inputs).map(|i| x[i] * f32::from(rows[i * outputs + column])).sum::<f32>();
                }
            }
            on_every_instruction_set!(|simd| {
                let mut sums = vec![1.0; vectors * width];
                add_products_with_simd(simd, &x, inputs, &rows, outputs, columns.clone(), &mut sums);
                assert_close(&sums, &expected, 1e-4);
            });
        }
    }
}
