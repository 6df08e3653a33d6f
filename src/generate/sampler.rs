//! What stands between the model's distribution and a token: the rules, and chance.

use std::hash::{BuildHasher, Hasher, RandomState};

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::processors::candidates::Candidates;
use super::processors::{Processor, SamplingOptions, Seen};
use crate::distribution::{self, Distribution};
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::model::Context;
use crate::vector;

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

    /// Changes the logits of what follows `ids` by the rules that look at more than one row.
    pub fn apply(&mut self, ids: &[u32], logits: &mut [f32], interrupt: &Interrupt) -> Result<()> {
        let unconditional = match &mut self.unconditional {
            Some(unconditional) => Some(unconditional.read(ids, interrupt)?),
            None => None,
        };
        let unconditional = unconditional.as_ref().map(Distribution::logits);
        let seen = Seen { ids, unconditional, least: 1 };
        let rules = self.processors.iter().filter(|processor| !processor.is_sampling());
        rules.for_each(|processor| processor.apply(logits, &seen));
        Ok(())
    }

    /// What the rules leave of a distribution.
    pub fn candidates(
        &mut self,
        ids: &[u32],
        raw: &Distribution,
        interrupt: &Interrupt,
    ) -> Result<Candidates> {
        let mut row = match self.processors.iter().all(Processor::is_sampling) {
            true => Candidates::from(raw),
            false => {
                let mut logits = raw.logits().to_vec();
                self.apply(ids, &mut logits, interrupt)?;
                distribution::check(&logits)?;
                Candidates::from(logits.as_slice())
            }
        };
        let seen = Seen { ids, unconditional: None, least: 1 };
        self.processors.iter().for_each(|processor| processor.cut(&mut row, &seen));
        Ok(row)
    }
}

/// Draws tokens by their probability. The same seed draws the same tokens on every machine; they are not those that
/// torch draws with that seed, whose generator is another.
pub struct Sampler {
    chance: ChaCha12Rng,
    seed: u64,
}

impl Sampler {
    /// A sampler with the given seed, or with one that differs each time.
    pub fn new(options: &SamplingOptions) -> Sampler {
        let seed = options.seed.unwrap_or_else(|| RandomState::new().build_hasher().finish() >> 1);
        Sampler { chance: ChaCha12Rng::seed_from_u64(seed), seed }
    }

    /// Draws one place from a row of probabilities, one of which at least is above 0.
    pub fn draw(&mut self, probabilities: &[f32]) -> usize {
        const BLOCK: usize = 512;
        let chance = f64::from(self.chance.next_u32()) / 2f64.powi(32);
        let sums: Vec<f64> = probabilities.chunks(BLOCK).map(vector::exact_sum).collect();
        // What is left to pass: of it, first whole blocks, then single tokens.
        let mut left = chance * sums.iter().sum::<f64>();
        let mut passes = |weight: f64| {
            let passes = weight <= left;
            if passes {
                left -= weight;
            }
            passes
        };
        let block = sums.iter().position(|sum| !passes(*sum)).unwrap_or(0);
        let start = block * BLOCK;
        let found = probabilities[start..].iter().position(|p| !passes(f64::from(*p)));
        // Rounding may leave a trifle at the end.
        let last = || probabilities.iter().rposition(|p| *p > 0.0).unwrap_or(0);
        found.map_or_else(last, |place| start + place)
    }

    /// The seed that makes these draws again.
    pub fn seed(&self) -> u64 {
        self.seed
    }
}
