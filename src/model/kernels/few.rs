//! y = x · W for a few rows of x, W lying as [inputs, outputs]: nearly at the speed at which one row alone reads it.
//!
//! A few weights at a time are multiplied with all rows of x while the next rows of W come from memory. The sums stay in
//! the cache; each adds up its inputs one by one, in their order.

use std::ops::Range;

use pulp::{Simd, bytemuck};

use super::matrix::{Matrix, finish};
use super::number::{Number, load};
use super::panels::has_many_registers;
use super::rows::{LINE, Line, fetch};
use crate::parallel::from_chunks;

/// Columns that are worked on together, at most.
const COLUMNS: usize = 1536;

/// The work is cut into about so many parts, by columns and then by inputs: fixed numbers, so that sums are the same on
/// every machine. Sums of inputs apart take room: not too many.
const PARTS: usize = 12;
const INPUT_PARTS: usize = 6;

/// Inputs that are worked on together: two vectors of weights of each, two sums and a factor fit into the registers.
const INPUTS: usize = 4;
const MORE_INPUTS: usize = 8;

/// y [vectors, outputs] = x [vectors, inputs] · W, finished.
pub fn multiply<N: Number>(x: &[f32], weight: Matrix<N>) -> Vec<f32> {
    let Matrix { numbers, inputs, outputs, .. } = weight;
    let vectors = x.len() / inputs;
    let column_parts = outputs.div_ceil(COLUMNS);
    let width = outputs.div_ceil(column_parts).next_multiple_of(LINE);
    let rows = inputs.div_ceil((PARTS / column_parts).clamp(1, INPUT_PARTS)).next_multiple_of(MORE_INPUTS);
    let input_parts = inputs.div_ceil(rows);
    // [part of the inputs, part of the columns, vector, width]
    let lines = vectors * width / LINE;
    let sums = from_chunks(Line::ZERO, input_parts * column_parts * lines, lines, |part, sums| {
        let (first, columns) = (part / column_parts * rows, part % column_parts * width);
        let inputs_here = first..inputs.min(first + rows);
        let numbers = &numbers[first * outputs..inputs_here.end * outputs];
        let columns = columns..outputs.min(columns + width);
        let sums = bytemuck::cast_slice_mut(sums);
        match has_many_registers() {
            true => {
                add_products(&factors::<MORE_INPUTS>(x, inputs, inputs_here), numbers, outputs, columns, sums)
            }
            false => {
                add_products(&factors::<INPUTS>(x, inputs, inputs_here), numbers, outputs, columns, sums)
            }
        }
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

/// Some inputs of all vectors, [group of inputs, vector, input]; zeros where a group has fewer.
fn factors<const INPUTS: usize>(x: &[f32], inputs: usize, range: Range<usize>) -> Vec<[f32; INPUTS]> {
    let vectors = x.len() / inputs;
    let mut factors = vec![[0.0; INPUTS]; range.len().div_ceil(INPUTS) * vectors];
    for (vector, x) in x.chunks_exact(inputs).enumerate() {
        let groups = factors.iter_mut().skip(vector).step_by(vectors);
        for (group, x) in groups.zip(x[range.clone()].chunks(INPUTS)) {
            group[..x.len()].copy_from_slice(x);
        }
    }
    factors
}

/// sums [vectors, width] += factors · some columns of rows [inputs, outputs].
#[pulp::with_simd(add_products = pulp::Arch::new())]
#[inline(always)]
fn add_products_with_simd<S: Simd, N: Number, const INPUTS: usize>(
    simd: S,
    factors: &[[f32; INPUTS]],
    rows: &[N],
    outputs: usize,
    columns: Range<usize>,
    sums: &mut [f32],
) {
    let group = INPUTS * outputs;
    let vectors = factors.len() / rows.len().div_ceil(group);
    for (factors, rows) in factors.chunks_exact(vectors).zip(rows.chunks(group)) {
        // Where there are fewer rows, the last one stands in: its factor is zero.
        let last = rows.len() / outputs - 1;
        let mut weights = [&rows[..0]; INPUTS];
        for input in 0..INPUTS {
            weights[input] = &rows[input.min(last) * outputs..][columns.clone()];
        }
        add_group(simd, factors, weights, group, sums);
    }
}

/// sums [vectors, width] += factors · rows. The same columns `ahead` numbers later are fetched meanwhile.
#[inline(always)]
fn add_group<S: Simd, N: Number, const INPUTS: usize>(
    simd: S,
    factors: &[[f32; INPUTS]],
    rows: [&[N]; INPUTS],
    ahead: usize,
    sums: &mut [f32],
) {
    let (columns, width, lanes) = (rows[0].len(), sums.len() / factors.len(), S::F32_LANES);
    let mut at = 0;
    while at + 2 * lanes <= columns {
        let mut weights = [[simd.splat_f32s(0.0); 2]; INPUTS];
        for input in 0..INPUTS {
            let now = &rows[input][at..at + 2 * lanes];
            fetch(now.as_ptr().wrapping_add(ahead));
            fetch(now.as_ptr().wrapping_add(ahead + lanes));
            weights[input] = [load(simd, &now[..lanes]), load(simd, &now[lanes..])];
        }
        for (factors, sums) in factors.iter().zip(sums.chunks_exact_mut(width)) {
            let (sums, _) = S::as_mut_simd_f32s(&mut sums[at..at + 2 * lanes]);
            let (mut left, mut right) = (sums[0], sums[1]);
            for input in 0..INPUTS {
                let factor = simd.splat_f32s(factors[input]);
                left = simd.mul_add_e_f32s(factor, weights[input][0], left);
                right = simd.mul_add_e_f32s(factor, weights[input][1], right);
            }
            (sums[0], sums[1]) = (left, right);
        }
        at += 2 * lanes;
    }
    for (factors, sums) in factors.iter().zip(sums.chunks_exact_mut(width)) {
        for column in at..columns {
            for input in 0..INPUTS {
                sums[column] = factors[input].mul_add(rows[input][column].widen(), sums[column]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::testing::{assert_close, numbers, on_every_instruction_set};

    fn has_vectors<S: Simd>(_: S) -> bool {
        S::F32_LANES > 1
    }

    #[test]
    fn any_columns_are_the_same_sums_under_every_instruction_set() {
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
            let (four, eight) =
                (factors::<INPUTS>(&x, inputs, 0..inputs), factors::<MORE_INPUTS>(&x, inputs, 0..inputs));
            let mut bits = std::collections::HashSet::new();
            on_every_instruction_set!(|simd| {
                let (mut y, mut z) = (vec![1.0; vectors * width], vec![1.0; vectors * width]);
                add_products_with_simd(simd, &four, &rows, outputs, columns.clone(), &mut y);
                add_products_with_simd(simd, &eight, &rows, outputs, columns.clone(), &mut z);
                assert_close(&y, &expected, 1e-4);
                // Without vectors, a product is rounded before it is added.
                if has_vectors(simd) {
                    bits.insert(y.iter().chain(&z).map(|sum| sum.to_bits()).collect::<Vec<_>>());
                    assert_eq!(y, z);
                }
            });
            assert!(bits.len() <= 1, "{vectors} x {inputs} x {outputs}");
        }
    }
}
