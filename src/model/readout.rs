//! How does a direction in the residual stream become a logit? The final layer norm, held at the scale that it had,
//! and the head are linear, so that a sum of vectors becomes the sum of their logits.

use std::sync::Arc;

use super::config::Config;
use super::linear::Embedding;
use super::weights::{Checkpoint, Weight};
use crate::error::Result;

/// The weights between the residual stream and the logits.
pub struct Readout {
    /// `ln_f.weight` and `ln_f.bias`, [n_embd].
    gain: Weight,
    bias: Weight,
    head: Arc<Embedding>,
    epsilon: f32,
}

/// The logit of one token, or the difference of two, as a linear function of the stream.
pub struct Direction {
    /// What each coordinate of the stream counts, before it is scaled.
    weights: Vec<f64>,
    /// What the final layer norm's bias adds, whatever the stream is.
    pub bias: f64,
}

impl Readout {
    pub(super) fn new(config: &Config, checkpoint: &Checkpoint, head: Arc<Embedding>) -> Result<Readout> {
        Ok(Readout {
            gain: checkpoint.weight("ln_f.weight", &[config.n_embd])?,
            bias: checkpoint.weight("ln_f.bias", &[config.n_embd])?,
            head,
            epsilon: config.layer_norm_epsilon,
        })
    }

    /// The direction of `token`'s logit, less that of `other`'s if there is one. Both are ids of the vocabulary.
    pub fn direction(&self, token: u32, other: Option<u32>) -> Direction {
        let mut unembedding: Vec<f64> =
            self.head.row(token).iter().map(|weight| f64::from(*weight)).collect();
        if let Some(other) = other {
            unembedding
                .iter_mut()
                .zip(self.head.row(other).iter())
                .for_each(|(weight, other)| *weight -= f64::from(*other));
        }
        let with =
            |by: &[f32]| unembedding.iter().zip(by).map(|(w, x)| w * f64::from(*x)).collect::<Vec<_>>();
        Direction { bias: with(&self.bias).iter().sum(), weights: with(&self.gain) }
    }

    /// What the final layer norm multiplies this stream by, after taking its mean away: 1 / √(variance + epsilon).
    pub fn scale(&self, stream: &[f32]) -> f64 {
        let mean = mean(stream);
        let squares: f64 = stream.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum();
        1.0 / (squares / stream.len() as f64 + f64::from(self.epsilon)).sqrt()
    }
}

impl Direction {
    /// How much a part of the stream adds to the logit where the whole stream is scaled by `scale`.
    pub fn logit(&self, part: &[f32], scale: f64) -> f64 {
        let mean = mean(part);
        self.weights.iter().zip(part).map(|(weight, x)| weight * (f64::from(*x) - mean)).sum::<f64>() * scale
    }
}

fn mean(stream: &[f32]) -> f64 {
    stream.iter().map(|x| f64::from(*x)).sum::<f64>() / stream.len() as f64
}
