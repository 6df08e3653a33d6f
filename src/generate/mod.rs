//! How does a model write? One step at a time: read, choose a token, append it, and again.

pub mod options;
pub mod processors;

use std::hash::{BuildHasher, Hasher, RandomState};

use candle_core::{Device, Tensor};
use candle_transformers::generation::{LogitsProcessor, Sampling};

use crate::distribution::Distribution;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::model::Context;
use crate::tokenizer::Tokens;
use options::Bound::{Above, AboveUpTo, AtLeast};
use processors::Processor;

options::options! {
    /// How a token is drawn from a distribution. With none of them, every token can be drawn, with its probability.
    pub struct SamplingOptions {
        /// divides the logits: below 1 sharpens, above 1 flattens
        temperature: f32, Above(0.0);
        /// keeps the k likeliest tokens
        top_k: usize, AtLeast(1.0);
        /// keeps the likeliest tokens that together have this probability
        top_p: f32, AboveUpTo(0.0, 1.0);
        /// makes the draws repeatable: the same seed, the same tokens
        seed: u64, AtLeast(0.0);
    }
}

options::options! {
    /// How a text is continued. With none of the sampling options, the likeliest token is taken at each step.
    pub struct GenerateOptions {
        /// tokens in the whole text, prompt included
        max_length: usize, AtLeast(1.0);
        /// tokens to append; wins over max_length (20 if neither is given)
        max_new_tokens: usize, AtLeast(1.0);
        include sampling: SamplingOptions;
    }
}

/// Tokens appended when nothing else is said, as in transformers.
const DEFAULT_NEW_TOKENS: usize = 20;

impl GenerateOptions {
    /// How many tokens the text may have at the end.
    fn length(&self, prompt: usize, limit: usize) -> Result<usize> {
        match (self.max_new_tokens, self.max_length) {
            (Some(new), _) if prompt + new > limit => Err(Error::OptionOutOfRange {
                name: "max_new_tokens",
                value: new.to_string(),
                bound: format!(
                    "at most {}: the prompt has {prompt} tokens and the model reads {limit}",
                    limit - prompt
                ),
            }),
            (Some(new), _) => Ok(prompt + new),
            (None, Some(length)) if length <= prompt || length > limit => Err(Error::OptionOutOfRange {
                name: "max_length",
                value: length.to_string(),
                bound: format!(
                    "above the prompt's {prompt} tokens and at most the {limit} that the model reads"
                ),
            }),
            (None, Some(length)) => Ok(length),
            (None, None) => Ok((prompt + DEFAULT_NEW_TOKENS).min(limit)),
        }
    }
}

/// Draws tokens: the rules that change the distribution, and a source of chance.
pub struct Sampler {
    processors: Vec<Processor>,
    chance: LogitsProcessor,
    seed: u64,
}

impl Sampler {
    /// A sampler with the given seed, or with one that differs each time.
    pub fn new(options: &SamplingOptions) -> Sampler {
        let seed = options.seed.unwrap_or_else(|| RandomState::new().build_hasher().finish() >> 1);
        let chance = LogitsProcessor::from_sampling(seed, Sampling::All { temperature: 1.0 });
        Sampler { processors: Processor::all(options), chance, seed }
    }

    /// What the rules leave of a distribution.
    pub fn process(&self, distribution: &Distribution) -> Result<Distribution> {
        if self.processors.is_empty() {
            return Ok(distribution.clone());
        }
        let mut logits = distribution.logits().to_vec();
        self.processors.iter().for_each(|processor| processor.apply(&mut logits));
        Distribution::from_logits(logits)
    }

    /// Draws one token.
    pub fn draw(&mut self, distribution: &Distribution) -> Result<u32> {
        let processed = self.process(distribution)?;
        let logits = Tensor::new(processed.logits(), &Device::Cpu)?;
        Ok(self.chance.sample(&logits)?)
    }

    /// The seed that makes these draws again.
    pub fn seed(&self) -> u64 {
        self.seed
    }
}

/// A text with what a model appended to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Generation {
    pub prompt: Tokens,
    /// The prompt and what follows.
    pub tokens: Tokens,
    pub steps: Vec<Step>,
    /// The seed of the draws; none if the likeliest token was taken at each step.
    pub seed: Option<u64>,
    pub stopped: Stopped,
}

/// One appended token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    pub id: u32,
    /// Its probability before any rule changed it.
    pub p: f32,
}

/// Why the text ends where it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// As long as asked for.
    Length,
    /// The model wrote the token that ends a text.
    EndOfText,
    Interrupted,
}

/// Continues a text. `on_step` hears of each token when it has been chosen. When interrupted, it returns what there
/// is; before the first token that is an error.
pub fn generate(
    context: &mut Context,
    prompt: &Tokens,
    options: &GenerateOptions,
    interrupt: &Interrupt,
    mut on_step: impl FnMut(&Step, usize),
) -> Result<Generation> {
    let model = context.model().clone();
    model.check_prompt(prompt.ids())?;
    let length = options.length(prompt.len(), model.config().n_positions)?;
    let mut sampler =
        (options.sampling != SamplingOptions::default()).then(|| Sampler::new(&options.sampling));
    let seed = sampler.as_ref().map(Sampler::seed);
    let end_of_text = model.config().eos_token_id.or(model.tokenizer().end_of_text());
    let mut tokens = prompt.clone();
    let mut steps = Vec::new();
    let mut stopped = Stopped::Length;
    while tokens.len() < length {
        let distribution = match context.read(tokens.ids(), interrupt) {
            Err(Error::Interrupted) if !steps.is_empty() => {
                stopped = Stopped::Interrupted;
                break;
            }
            distribution => distribution?,
        };
        let id = match &mut sampler {
            Some(sampler) => sampler.draw(&distribution)?,
            None => distribution.argmax(),
        };
        tokens = tokens.with(id)?;
        let step = Step { id, p: distribution.p(id)? };
        steps.push(step);
        on_step(&step, length - prompt.len());
        if Some(id) == end_of_text {
            stopped = Stopped::EndOfText;
            break;
        }
    }
    Ok(Generation { prompt: prompt.clone(), tokens, steps, seed, stopped })
}

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Stopped::Length => "length",
            Stopped::EndOfText => "end of text",
            Stopped::Interrupted => "interrupted",
        })
    }
}
