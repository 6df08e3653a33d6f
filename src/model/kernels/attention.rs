//! Causal self-attention of new positions over all positions so far, one head at a time
//! (Vaswani et al. 2017, section 3.2.1).

use pulp::Simd;

use super::rows::{add_scaled_rows_with_simd, dot_rows_with_simd};
use super::strided::{Matrix, multiply};
use crate::parallel::from_chunks;
use crate::vector::softmax;

/// Query rows that are worked on together: their scores stay in the cache.
const BLOCK: usize = 64;

/// Up to so many queries of a block are each worked on alone. (For so few, the order in which [`multiply`] adds depends on the
/// instruction set.)
const FEW: usize = 16;

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
    let width = heads.len() * size;
    let new = qkv.len() / (3 * width);
    // [head, new position, size], filled up so that each block of a head's rows is a piece of its own.
    let block = BLOCK.min(new);
    let blocks = new.div_ceil(block);
    let mixed = from_chunks(0.0, blocks * block * width, block * size, |piece, mixed| {
        let (index, first) = (piece / blocks, piece % blocks * block);
        let (head, queries) = (heads[index], &qkv[first * 3 * width + index * size..]);
        let seen = head.keys.len() / size - new + first;
        let mixed = &mut mixed[..block.min(new - first) * size];
        if mixed.len() > FEW * size {
            return attend_block(queries, 3 * width, head, size, seen, scale, mixed);
        }
        for (row, mixed) in mixed.chunks_exact_mut(size).enumerate() {
            let positions = (seen + row + 1) * size;
            let head = Head { keys: &head.keys[..positions], values: &head.values[..positions] };
            attend_one(&queries[row * 3 * width..][..size], head, scale, mixed);
        }
    });
    if new == 1 { mixed } else { side_by_side(&mixed, heads.len(), new, size) }
}

/// One query over all positions.
#[pulp::with_simd(attend_one = pulp::Arch::new())]
#[inline(always)]
fn attend_one_with_simd<S: Simd>(simd: S, query: &[f32], head: Head<'_>, scale: f32, mixed: &mut [f32]) {
    let mut weights = vec![0.0; head.keys.len() / query.len()];
    dot_rows_with_simd(simd, query, head.keys, query.len(), query.len(), &mut weights);
    softmax(simd, &mut weights, scale);
    add_scaled_rows_with_simd(simd, &weights, head.values, query.len(), mixed);
}

/// A block of queries: row `i` of it looks at the first `seen + i + 1` positions.
fn attend_block(
    queries: &[f32],
    stride: usize,
    head: Head,
    size: usize,
    seen: usize,
    scale: f32,
    mixed: &mut [f32],
) {
    let rows = mixed.len() / size;
    let positions = seen + rows;
    let queries = Matrix { values: queries, rows, columns: size, row_stride: stride, column_stride: 1 };
    let keys = Matrix::rows(head.keys, positions, size);
    let values = Matrix::rows(head.values, positions, size);
    let mut weights = vec![0.0; rows * positions];
    multiply(queries, keys.transposed(), &mut weights, positions);
    causal_softmax(&mut weights, positions, seen, scale);
    multiply(Matrix::rows(&weights, rows, positions), values, mixed, size);
}

/// Each row's softmax over the positions it may look at; the others get weight 0.
#[pulp::with_simd(causal_softmax = pulp::Arch::new())]
#[inline(always)]
fn causal_softmax_with_simd<S: Simd>(simd: S, scores: &mut [f32], positions: usize, seen: usize, scale: f32) {
    for (row, scores) in scores.chunks_exact_mut(positions).enumerate() {
        let (past, future) = scores.split_at_mut(seen + row + 1);
        softmax(simd, past, scale);
        future.fill(0.0);
    }
}

/// [head, position, size] → [position, head · size]; each head may have room for more positions than there are.
fn side_by_side(mixed: &[f32], heads: usize, positions: usize, size: usize) -> Vec<f32> {
    from_chunks(0.0, positions * heads * size, heads * size, |position, row| {
        for (head, part) in mixed.chunks_exact(mixed.len() / heads).zip(row.chunks_exact_mut(size)) {
            part.copy_from_slice(&head[position * size..][..size]);
        }
    })
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
            [(2, 8, 1, 0), (3, 20, 1, 130), (2, 16, 5, 0), (2, 5, 70, 3), (1, 64, 130, 0)]
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
