//! The keys and values of past positions, so that a new position costs one row and not the whole text again.

use std::iter;
use std::ops::Range;

use candle_core::Tensor;

use super::config::Config;
use super::kernels::{self, Head};
use super::linear::by_rows;
use super::tensors;
use crate::error::Result;
use crate::parallel::for_each_chunk;

/// So many new positions and more are taken over by several threads.
const FEW: usize = 64;

/// One [`LayerCache`] a layer, all of the same length.
pub struct Cache {
    layers: Vec<LayerCache>,
    len: usize,
}

/// Keys and values of one layer.
pub enum LayerCache {
    /// For the fast loops.
    Rows(Rows),
    /// For candle's operations.
    Tensors(Tensors),
}

/// The rows of each head.
pub struct Rows {
    heads: Vec<HeadRows>,
    positions: usize,
    size: usize,
}

/// [positions, head size] each. There may be more positions than count as read.
struct HeadRows {
    keys: Vec<f32>,
    values: Vec<f32>,
}

/// [head, positions, head size] each, never changed in place; `None` before anything was read.
#[derive(Clone, Default)]
pub struct Tensors(Option<(Tensor, Tensor)>);

impl Cache {
    /// Room for the model's whole context, for candle's operations or for the fast loops. Memory is taken only as
    /// positions are read.
    pub(super) fn new(config: &Config, for_tensors: bool) -> Cache {
        let layer = || match for_tensors {
            true => LayerCache::Tensors(Tensors::default()),
            false => LayerCache::Rows(Rows::new(config)),
        };
        Cache { layers: iter::repeat_with(layer).take(config.n_layer).collect(), len: 0 }
    }

    /// How many positions have been read.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Forgets all positions from `len` on.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// A copy that goes its own way. Only what has been read is copied.
    pub fn fork(&self) -> Cache {
        Cache { layers: self.layers.iter().map(|layer| layer.fork(self.len)).collect(), len: self.len }
    }

    /// Takes over the positions that another cache of the same model has beyond its own.
    pub fn follow(&mut self, other: &Cache) {
        for (layer, other_layer) in self.layers.iter_mut().zip(&other.layers) {
            match (layer, other_layer) {
                (LayerCache::Rows(rows), LayerCache::Rows(other_rows)) => {
                    rows.copy(other_rows, self.len..other.len);
                }
                (layer, other_layer) => *layer = other_layer.fork(other.len),
            }
        }
        self.len = other.len;
    }

    /// Counts positions as read, once every layer has them.
    pub(super) fn advance(&mut self, positions: usize) {
        self.len += positions;
    }

    pub(super) fn layer(&mut self, layer: usize) -> &mut LayerCache {
        &mut self.layers[layer]
    }
}

impl LayerCache {
    fn fork(&self, len: usize) -> LayerCache {
        match self {
            LayerCache::Rows(rows) => LayerCache::Rows(rows.fork(len)),
            LayerCache::Tensors(tensors) => LayerCache::Tensors(tensors.clone()),
        }
    }

    /// Attention of new positions, which join the `past` ones that are here already, over all of them:
    /// `qkv` [new positions, 3 · n_embd] → [new positions, n_embd].
    pub(super) fn attend(
        &mut self,
        qkv: &Tensor,
        past: usize,
        head_size: usize,
        scale: f32,
    ) -> Result<Tensor> {
        match self {
            LayerCache::Rows(rows) => by_rows(qkv, qkv.dim(1)? / 3, |qkv| {
                kernels::attend(qkv, &rows.extend(qkv, past), head_size, scale)
            }),
            LayerCache::Tensors(tensors) => {
                let [queries, keys, values] = tensors.extend(qkv, past, head_size)?; // [n_head, _, head size]
                tensors::attend(&queries, &keys, &values, scale)
            }
        }
    }
}

impl Rows {
    fn new(config: &Config) -> Rows {
        Rows::empty(config.n_head, config.n_positions, config.head_size())
    }

    /// Pages come from the system untouched, so room that is not used costs nothing.
    fn empty(heads: usize, positions: usize, size: usize) -> Rows {
        let room = || Vec::with_capacity(positions * size);
        let head = || HeadRows { keys: room(), values: room() };
        Rows { heads: iter::repeat_with(head).take(heads).collect(), positions, size }
    }

    /// Only the positions below `len` are copied.
    fn fork(&self, len: usize) -> Rows {
        let mut copy = Rows::empty(self.heads.len(), self.positions, self.size);
        copy.copy(self, 0..len);
        copy
    }

    fn copy(&mut self, other: &Rows, positions: Range<usize>) {
        let range = positions.start * self.size..positions.end * self.size;
        for (head, other) in self.heads.iter_mut().zip(&other.heads) {
            for (from, to) in [(&other.keys, &mut head.keys), (&other.values, &mut head.values)] {
                to.truncate(range.start);
                to.extend_from_slice(&from[range.clone()]);
            }
        }
    }

    /// Takes the keys and values out of `qkv` [new positions, 3 · width] as positions `past ..`, and gives each
    /// head what it looks at: all positions up to the last new one.
    fn extend(&mut self, qkv: &[f32], past: usize) -> Vec<Head<'_>> {
        let (size, width) = (self.size, self.heads.len() * self.size);
        let add = |index: usize, head: &mut HeadRows| {
            for (part, rows) in [(1, &mut head.keys), (2, &mut head.values)] {
                rows.truncate(past * size);
                let column = part * width + index * size;
                qkv.chunks_exact(3 * width).for_each(|row| rows.extend_from_slice(&row[column..][..size]));
            }
        };
        // A few rows are not worth handing over.
        let together = if qkv.len() >= FEW * 3 * width { 1 } else { self.heads.len() };
        for_each_chunk(&mut self.heads, together, |piece, heads| {
            (piece * together..).zip(heads).for_each(|(index, head)| add(index, head));
        });
        self.heads.iter().map(|head| Head { keys: &head.keys, values: &head.values }).collect()
    }
}

impl Tensors {
    /// Takes the keys and values out of `qkv` [new positions, 3 · width] as positions `past ..`, and gives the
    /// queries with what they look at, [n_head, _, head size] each.
    fn extend(&mut self, qkv: &Tensor, past: usize, head_size: usize) -> Result<[Tensor; 3]> {
        let [queries, keys, values] = tensors::by_head(qkv, head_size)?;
        let (keys, values) = match &self.0 {
            Some((old_keys, old_values)) if past > 0 => (
                Tensor::cat(&[&old_keys.narrow(1, 0, past)?, &keys], 1)?,
                Tensor::cat(&[&old_values.narrow(1, 0, past)?, &values], 1)?,
            ),
            _ => (keys, values),
        };
        self.0 = Some((keys.clone(), values.clone()));
        Ok([queries, keys, values])
    }
}
