//! How does a model write? One step at a time: read, choose a token, append it, and again.

pub mod options;
mod plan;
pub mod processors;
mod sampler;
pub mod search;
pub mod stream;
pub mod tree;
pub mod words;

use std::fmt;

use crate::distribution::Distribution;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::model::Context;
use crate::tokenizer::Tokens;
use options::Bound::{Any, AtLeast};
use plan::Plan;
use processors::RuleOptions;
pub use processors::SamplingOptions;
pub use sampler::{Rules, Sampler};
use search::BeamOptions;
use tree::Tree;
use words::{Singles, Texts};

options::options! {
    /// How a text is continued. With none of the sampling options, the likeliest token is taken at each step.
    pub struct GenerateOptions {
        /// tokens in the whole text, prompt included
        max_length: usize, AtLeast(1.0);
        /// tokens to append; wins over max_length (20 if neither is given)
        max_new_tokens: usize, AtLeast(1.0);
        /// texts that end the generation once they are written
        stop: Texts, Any;
        /// tokens that end the text, instead of the model's own
        eos: Singles, Any;
        include rules: RuleOptions;
        include beams: BeamOptions;
        include sampling: SamplingOptions;
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
    /// What a beam search ranks by: the sum of the log-probabilities, by the length to the power of the penalty.
    pub score: Option<f32>,
    /// The next best texts of a beam search.
    pub others: Vec<Generation>,
    /// Every beam of a search.
    pub tree: Option<Tree>,
}

/// One appended token.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub id: u32,
    /// Its probability before any rule changed it.
    pub p: f32,
    /// Its probability after the rules: what it was chosen by.
    pub processed: f32,
    /// Its rank before the rules, 1 for the likeliest.
    pub rank: usize,
    /// The likeliest tokens before the rules.
    pub choices: Vec<(u32, f32)>,
}

/// How many choices a step remembers.
pub const CHOICES: usize = 5;

impl Step {
    fn new(id: u32, raw: &Distribution, processed: f32) -> Result<Step> {
        Ok(Step { id, p: raw.p(id)?, processed, rank: raw.rank(id)?, choices: raw.top(CHOICES) })
    }
}

/// Why the text ends where it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// As long as asked for.
    Length,
    /// The model wrote the token that ends a text.
    EndOfText,
    /// One of the texts that were to stop it is written.
    StopText,
    Interrupted,
}

/// Continues a text. `on_step` hears of each token when it has been chosen, or of none when a search took a step;
/// and of how many steps there may be. When interrupted, it returns what there is; before the first token that is
/// an error.
pub fn generate(
    context: &mut Context,
    prompt: &Tokens,
    options: &GenerateOptions,
    interrupt: &Interrupt,
    mut on_step: impl FnMut(Option<&Step>, usize),
) -> Result<Generation> {
    let mut plan = Plan::new(context.model(), prompt, options)?;
    if let Some(beams) = plan.beams {
        let total = plan.length - prompt.len();
        return search::search(context, prompt, &mut plan, &beams, interrupt, || on_step(None, total));
    }
    let mut sampler = options.sampling.is_given().then(|| Sampler::new(&options.sampling));
    let seed = sampler.as_ref().map(Sampler::seed);
    let total = plan.length - prompt.len();
    let mut ids = prompt.ids().to_vec();
    let mut steps: Vec<Step> = Vec::new();
    let stopped = loop {
        let step = match plan.choose(context, &ids, sampler.as_mut(), interrupt) {
            Err(Error::Interrupted) if !steps.is_empty() => break Stopped::Interrupted,
            step => step?,
        };
        ids.push(step.id);
        on_step(Some(&step), total);
        steps.push(step);
        if let Some(stopped) = plan.ending(&ids) {
            break stopped;
        }
    };
    let tokens = prompt.tokenizer().tokens(ids)?;
    Ok(Generation {
        prompt: prompt.clone(),
        tokens,
        steps,
        seed,
        stopped,
        score: None,
        others: vec![],
        tree: None,
    })
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stopped::Length => "length",
            Stopped::EndOfText => "end of text",
            Stopped::StopText => "stop text",
            Stopped::Interrupted => "interrupted",
        })
    }
}
