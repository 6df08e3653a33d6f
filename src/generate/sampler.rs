//! What stands between the model's distribution and a token: the rules, and chance.

use std::hash::{BuildHasher, Hasher, RandomState};

use candle_core::{Device, Tensor};
use candle_transformers::generation::{LogitsProcessor, Sampling};

use super::processors::{Processor, SamplingOptions, Seen};
use crate::distribution::Distribution;
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::model::Context;

/// The rules of a generation, and the second prompt that guidance reads.
pub struct Rules {
    pub processors: Vec<Processor>,
    unconditional: Option<Unconditional>,
}

/// A second prompt to which the same tokens are appended.
pub struct Unconditional {
    context: Context,
    start: Vec<u32>,
    /// Tokens of the first prompt.
    prompt: usize,
}

impl Unconditional {
    /// Nothing is shared with what `context` has read.
    pub fn new(context: Context, start: Vec<u32>, prompt: usize) -> Unconditional {
        Unconditional { context, start, prompt }
    }

    /// What follows the second prompt and the tokens that were appended to the first.
    pub fn read(&mut self, ids: &[u32], interrupt: &Interrupt) -> Result<Distribution> {
        let ids: Vec<u32> = self.start.iter().chain(&ids[self.prompt..]).copied().collect();
        self.context.read(&ids, interrupt)
    }
}

impl Rules {
    pub fn new(processors: Vec<Processor>, unconditional: Option<Unconditional>) -> Rules {
        Rules { processors, unconditional }
    }

    /// Changes the logits of what follows `ids`.
    pub fn apply(&mut self, ids: &[u32], logits: &mut [f32], interrupt: &Interrupt) -> Result<()> {
        let unconditional = match &mut self.unconditional {
            Some(unconditional) => Some(unconditional.read(ids, interrupt)?),
            None => None,
        };
        let unconditional = unconditional.as_ref().map(Distribution::logits);
        let seen = Seen { ids, unconditional, least: 1 };
        self.processors.iter().for_each(|processor| processor.apply(logits, &seen));
        Ok(())
    }

    /// What the rules leave of a distribution.
    pub fn process(
        &mut self,
        ids: &[u32],
        raw: &Distribution,
        interrupt: &Interrupt,
    ) -> Result<Distribution> {
        if self.processors.is_empty() {
            return Ok(raw.clone());
        }
        let mut logits = raw.logits().to_vec();
        self.apply(ids, &mut logits, interrupt)?;
        Distribution::from_logits(logits)
    }
}

/// Draws tokens by their probability. The same seed draws the same tokens on every machine; they are not those that
/// torch draws with that seed, whose generator is another.
pub struct Sampler {
    chance: LogitsProcessor,
    seed: u64,
}

impl Sampler {
    /// A sampler with the given seed, or with one that differs each time.
    pub fn new(options: &SamplingOptions) -> Sampler {
        let seed = options.seed.unwrap_or_else(|| RandomState::new().build_hasher().finish() >> 1);
        Sampler { chance: LogitsProcessor::from_sampling(seed, Sampling::All { temperature: 1.0 }), seed }
    }

    /// Draws one token.
    pub fn draw(&mut self, distribution: &Distribution) -> Result<u32> {
        // Only what can be drawn takes part: after a cut that is little of the vocabulary.
        let logits = distribution.logits().iter().zip(0..);
        let (logits, ids): (Vec<f32>, Vec<u32>) =
            logits.filter(|(logit, _)| **logit > f32::NEG_INFINITY).unzip();
        let drawn = self.chance.sample(&Tensor::new(logits, &Device::Cpu)?)?;
        Ok(ids[drawn as usize])
    }

    /// The seed that makes these draws again.
    pub fn seed(&self) -> u64 {
        self.seed
    }
}
