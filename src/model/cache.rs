//! The keys and values of past positions, so that a new position costs one row and not the whole text again.

use super::config::Config;
use super::kernels::Head;

/// One [`LayerCache`] a layer, all of the same length.
pub struct Cache {
    layers: Vec<LayerCache>,
    len: usize,
}

/// Keys and values of one layer, [head, capacity, head size] each.
pub struct LayerCache {
    keys: Vec<f32>,
    values: Vec<f32>,
    heads: usize,
    size: usize,
}

impl Cache {
    /// Room for the model's whole context; memory is taken only as positions are read.
    pub fn new(config: &Config) -> Cache {
        let layer = || LayerCache {
            // Zeroed pages come from the system untouched, so an unused context costs nothing.
            keys: vec![0.0; config.n_positions * config.n_embd],
            values: vec![0.0; config.n_positions * config.n_embd],
            heads: config.n_head,
            size: config.head_size(),
        };
        Cache { layers: std::iter::repeat_with(layer).take(config.n_layer).collect(), len: 0 }
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
            layer.copy(other_layer, self.len..other.len);
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
        let LayerCache { heads, size, .. } = *self;
        let empty = || vec![0.0; self.keys.len()];
        let mut copy = LayerCache { keys: empty(), values: empty(), heads, size };
        copy.copy(self, 0..len);
        copy
    }

    fn copy(&mut self, other: &LayerCache, positions: std::ops::Range<usize>) {
        let head = self.keys.len() / self.heads;
        let range = positions.start * self.size..positions.end * self.size;
        for (from, to) in [(&other.keys, &mut self.keys), (&other.values, &mut self.values)] {
            for (from, to) in from.chunks_exact(head).zip(to.chunks_exact_mut(head)) {
                to[range.clone()].copy_from_slice(&from[range.clone()]);
            }
        }
    }

    /// Takes the keys and values out of `qkv` [new positions, 3 · width] as positions `past ..`, and gives each
    /// head what it looks at: all positions up to the last new one.
    pub(super) fn extend(&mut self, qkv: &[f32], past: usize) -> Vec<Head<'_>> {
        let LayerCache { keys, values, heads, size } = self;
        let width = *heads * *size;
        let capacity = keys.len() / width;
        for (row, position) in qkv.chunks_exact(3 * width).zip(past..) {
            for head in 0..*heads {
                let slot = (head * capacity + position) * *size;
                let column = head * *size;
                keys[slot..slot + *size].copy_from_slice(&row[width + column..][..*size]);
                values[slot..slot + *size].copy_from_slice(&row[2 * width + column..][..*size]);
            }
        }
        let read = (past + qkv.len() / (3 * width)) * *size;
        keys.chunks_exact(capacity * *size)
            .zip(values.chunks_exact(capacity * *size))
            .map(|(keys, values)| Head { keys: &keys[..read], values: &values[..read] })
            .collect()
    }
}
