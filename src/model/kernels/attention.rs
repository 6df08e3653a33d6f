//! Causal self-attention of new positions over all positions so far, one head at a time
//! (Vaswani et al. 2017, section 3.2.1).

use pulp::Simd;

use super::matrix::{Finish, Layout, Matrix};
use super::panels::{INPUTS, MORE_ROWS, Packed, Panel, ROWS, add_product, has_many_registers, pack_rows};
use super::part::Part;
use super::rows::{add_scaled_rows_with_simd, dot_rows_with_simd};
use crate::parallel::{for_each_part, from_chunks, map};
use crate::vector::{highest_with_simd, softmax, softmax_parts};

/// Up to so many queries are each worked on alone: packing keys and values takes longer.
const FEW: usize = 16;

/// Queries of a head that one thread takes at a time.
const BLOCK: usize = 8 * MORE_ROWS;

/// What one head looks at: its keys and values, [positions, head size], the new positions included.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    pub keys: &'a [f32],
    pub values: &'a [f32],
}

/// Attention of the last positions over all.
///
/// `qkv` is [new positions, 3 · width], of which the first third are the queries; head `h` has columns
/// `h · size ..`. Returns [new positions, width].
pub fn attend(qkv: &[f32], heads: &[Head], size: usize, scale: f32) -> Vec<f32> {
    if qkv.len() <= FEW * 3 * heads.len() * size {
        attend_one_by_one(qkv, heads, size, scale)
    } else if has_many_registers() {
        attend_by_tiles::<MORE_ROWS>(qkv, heads, size, scale)
    } else {
        attend_by_tiles::<ROWS>(qkv, heads, size, scale)
    }
}

fn attend_one_by_one(qkv: &[f32], heads: &[Head], size: usize, scale: f32) -> Vec<f32> {
    let width = heads.len() * size;
    let new = qkv.len() / (3 * width);
    from_chunks(0.0, new * width, size, |piece, mixed| {
        let (row, index) = (piece / heads.len(), piece % heads.len());
        let Head { keys, values } = heads[index];
        let seen = keys.len() - (new - 1 - row) * size;
        let query = &qkv[row * 3 * width + index * size..][..size];
        attend_one(query, Head { keys: &keys[..seen], values: &values[..seen] }, scale, mixed);
    })
}

/// One query over all positions.
#[pulp::with_simd(attend_one = pulp::Arch::new())]
#[inline(always)]
fn attend_one_with_simd<S: Simd>(simd: S, query: &[f32], head: Head<'_>, scale: f32, mixed: &mut [f32]) {
    let mut weights = vec![0.0; head.keys.len() / query.len()];
    dot_rows_with_simd(simd, query, head.keys, query.len(), &mut weights);
    softmax(simd, &mut weights, scale);
    add_scaled_rows_with_simd(simd, &weights, head.values, query.len(), mixed);
}

fn attend_by_tiles<const ROWS: usize>(qkv: &[f32], heads: &[Head], size: usize, scale: f32) -> Vec<f32> {
    let width = heads.len() * size;
    let new = qkv.len() / (3 * width);
    let packed = map(heads, |head| PackedHead::new(*head, size));
    let mut mixed = Vec::with_capacity(new * width);
    // SAFETY: there is room for all of it, and the threads get positions or heads of their own.
    let whole = unsafe { Part::new(mixed.as_mut_ptr(), width, new, width) };
    let blocks = new.div_ceil(BLOCK);
    for_each_part(heads.len() * blocks, |part| {
        let (index, first) = (part / blocks, part % blocks * BLOCK);
        let rows = BLOCK.min(new - first);
        let seen = heads[index].keys.len() / size - new + first;
        let queries = &qkv[first * 3 * width..][..rows * 3 * width];
        let queries = queries.chunks_exact(3 * width).map(|row| &row[index * size..][..size]);
        let mixed = whole.rows(first, rows).columns(index * size, size);
        attend_block::<ROWS>(queries, &packed[index], seen, scale, mixed);
    });
    // SAFETY: the parts are all of it, and each was computed.
    unsafe { mixed.set_len(new * width) };
    mixed
}

/// A head, packed.
struct PackedHead {
    /// [size, positions] of each [`INPUTS`] positions.
    keys: Vec<Packed>,
    /// [positions, size].
    values: Packed,
}

impl PackedHead {
    fn new(Head { keys, values }: Head, size: usize) -> PackedHead {
        let packed = |numbers, layout, inputs, outputs| {
            Packed::new(Matrix { numbers, layout, stride: size, inputs, outputs, finish: Finish::default() })
        };
        let keys = keys.chunks(INPUTS * size);
        PackedHead {
            keys: keys.map(|keys| packed(keys, Layout::OutputsByInputs, size, keys.len() / size)).collect(),
            values: packed(values, Layout::InputsByOutputs, values.len() / size, size),
        }
    }
}

/// A block of queries: the `i`th looks at the first `seen + i + 1` positions.
fn attend_block<'a, const ROWS: usize>(
    mut queries: impl ExactSizeIterator<Item = &'a [f32]>,
    head: &PackedHead,
    seen: usize,
    scale: f32,
    mixed: Part,
) {
    let (size, count) = (head.keys[0].inputs(), queries.len());
    let panels = |inputs: usize| vec![[[0.0; INPUTS]; ROWS]; inputs.div_ceil(INPUTS)];
    let (mut query_panels, mut weight_panels) = (panels(size), panels(seen + count));
    for first in (0..count).step_by(ROWS) {
        let rows = ROWS.min(count - first);
        let positions = seen + first + rows;
        let weights = &mut weight_panels[..positions.div_ceil(INPUTS)];
        pack_rows(queries.by_ref(), &mut query_panels);
        for ((index, keys), scores) in head.keys.iter().enumerate().zip(&mut *weights) {
            // What is packed is filled up to whole vectors; so they are all whole here, too.
            let columns = (positions - index * INPUTS).next_multiple_of(keys.width()).min(INPUTS);
            // SAFETY: a panel has so many rows and columns, and nothing else refers to it meanwhile.
            let scores = unsafe { Part::new(scores.as_mut_ptr().cast(), INPUTS, rows, columns) };
            add_product(&query_panels, keys, keys.inputs(), scores, true, &[]);
        }
        let totals = causal_softmax_parts(weights, seen + first, scale);
        let mixed = mixed.rows(first, ROWS);
        add_product(weights, &head.values, positions, mixed, true, &[]);
        // SAFETY: these products are written.
        for (row, total) in unsafe { mixed.written() }.zip(totals) {
            row.iter_mut().for_each(|x| *x /= total);
        }
    }
}

/// The numerators of each row's softmax over the positions it may look at, and what divides them. Other positions get 0.
#[pulp::with_simd(causal_softmax_parts = pulp::Arch::new())]
#[inline(always)]
fn causal_softmax_parts_with_simd<S: Simd, const ROWS: usize>(
    simd: S,
    scores: &mut [Panel<ROWS>],
    seen: usize,
    scale: f32,
) -> [f32; ROWS] {
    let mut totals = [0.0; ROWS];
    for row in 0..ROWS {
        let past = |block: usize| (seen + row + 1).saturating_sub(block * INPUTS).min(INPUTS);
        let mut highest = f32::NEG_INFINITY;
        for (block, scores) in scores.iter().enumerate() {
            highest = highest.max(highest_with_simd(simd, &scores[row][..past(block)]));
        }
        for (block, scores) in scores.iter_mut().enumerate() {
            let (past, future) = scores[row].split_at_mut(past(block));
            totals[row] += softmax_parts(simd, past, scale, highest);
            future.fill(0.0);
        }
    }
    totals
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::testing::{assert_close, numbers, on_every_instruction_set};

    /// Attention by its definition, in f64.
    fn plain(qkv: &[f32], heads: &[Head], size: usize, scale: f32) -> Vec<f32> {
        let width = heads.len() * size;
        let new = qkv.len() / (3 * width);
        let mut rows = Vec::new();
        for row in 0..new {
            for (index, head) in heads.iter().enumerate() {
                let query = &qkv[row * 3 * width + index * size..][..size];
                let seen = head.keys.len() / size - new + row + 1;
                let score = |key: &[f32]| {
                    let product: f64 = query.iter().zip(key).map(|(q, k)| f64::from(q * k)).sum();
                    (product * f64::from(scale)).exp()
                };
                let weights: Vec<f64> = head.keys.chunks(size).take(seen).map(score).collect();
                let total: f64 = weights.iter().sum();
                rows.extend((0..size).map(|column| {
                    let mix = weights.iter().zip(head.values.chunks(size));
                    mix.map(|(w, value)| w / total * f64::from(value[column])).sum::<f64>() as f32
                }));
            }
        }
        rows
    }

    #[test]
    fn it_is_attention_by_its_definition() {
        for (count, size, new, past) in
            [(2, 8, 1, 0), (3, 20, 1, 130), (2, 16, 5, 0), (2, 5, 70, 3), (1, 64, 130, 0), (1, 200, 20, 300)]
        {
            let (width, positions) = (count * size, past + new);
            let qkv = numbers(new * 3 * width);
            let cache = numbers(2 * count * positions * size);
            let (keys, values) = cache.split_at(count * positions * size);
            let heads: Vec<_> = keys
                .chunks(positions * size)
                .zip(values.chunks(positions * size))
                .map(|(keys, values)| Head { keys, values })
                .collect();
            let expected = plain(&qkv, &heads, size, 0.7);
            assert_close(&attend(&qkv, &heads, size, 0.7), &expected, 1e-5);
            assert_close(&attend_by_tiles::<ROWS>(&qkv, &heads, size, 0.7), &expected, 1e-5);
            assert_close(&attend_by_tiles::<MORE_ROWS>(&qkv, &heads, size, 0.7), &expected, 1e-5);
        }
    }

    #[test]
    fn one_query_agrees_under_every_instruction_set() {
        let (keys, values, query) = (numbers(50 * 24), numbers(60 * 24)[10 * 24..].to_vec(), numbers(24));
        let head = Head { keys: &keys, values: &values };
        let expected = plain(&[query.clone(), vec![0.0; 48]].concat(), &[head], 24, 0.2);
        on_every_instruction_set!(|simd| {
            let mut mixed = vec![0.0; 24];
            attend_one_with_simd(simd, &query, head, 0.2, &mut mixed);
            assert_close(&mixed, &expected, 1e-5);
        });
    }
}
