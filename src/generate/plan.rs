//! Options, checked against a model and a prompt: how long the text may be, what ends it, which rules apply.

use super::processors::Text;
use super::sampler::{Rules, Sampler, Unconditional};
use super::search::Beams;
use super::{GenerateOptions, Step, Stopped};
use crate::distribution::{Distribution, argmax};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::model::{Context, Model};
use crate::tokenizer::{Tokenizer, Tokens};

/// Tokens appended when nothing else is said, as in transformers.
const DEFAULT_NEW_TOKENS: usize = 20;

pub(super) struct Plan {
    /// How many tokens the text may have at the end.
    pub length: usize,
    /// The tokens that end a text.
    pub ends: Vec<u32>,
    /// The texts that end it.
    stop: Vec<Vec<u8>>,
    pub rules: Rules,
    /// None where one text is written.
    pub beams: Option<Beams>,
    tokenizer: Tokenizer,
}

impl Plan {
    pub fn new(model: &Model, prompt: &Tokens, options: &GenerateOptions) -> Result<Plan> {
        model.check_prompt(prompt.ids())?;
        let tokenizer = model.tokenizer();
        let length = options.length(prompt.len(), model.config().n_positions)?;
        options.check_least(prompt.len(), length)?;
        let ends = match &options.eos {
            Some(ends) => ends.ids("eos", tokenizer)?,
            None => model.config().eos_token_id.or(tokenizer.end_of_text()).into_iter().collect(),
        };
        let text = Text { tokenizer, prompt: prompt.len(), length, ends: &ends };
        let mut processors = options.rules.processors(&text)?;
        processors.extend(options.sampling.processors(model.config().vocab_size)?);
        let beams = options.beams.check(&options.sampling)?;
        let rules = Rules::new(processors, unconditional(model, prompt, options)?);
        let stop = options.stop_texts()?;
        Ok(Plan { length, rules, beams, stop, tokenizer: tokenizer.clone(), ends })
    }

    /// Reads, applies the rules, and takes the likeliest token or draws one.
    pub fn choose(
        &mut self,
        context: &mut Context,
        ids: &[u32],
        sampler: Option<&mut Sampler>,
        interrupt: &Interrupt,
    ) -> Result<Step> {
        let raw = context.read(ids, interrupt)?;
        let place = |logits: &[f32], probabilities: &[f32]| match sampler {
            Some(sampler) => sampler.draw(probabilities),
            None => argmax(logits),
        };
        let (id, processed) = match self.rules.processors.is_empty() {
            true => {
                let id = place(raw.logits(), raw.probabilities());
                (id as u32, raw.probabilities()[id])
            }
            false => self.rules.candidates(ids, &raw, interrupt)?.choose(place)?,
        };
        Step::new(id, &raw, processed)
    }

    /// Why the text ends with its last token, if it does.
    pub fn ending(&self, ids: &[u32]) -> Option<Stopped> {
        let last = ids.last()?;
        if self.ends.contains(last) {
            return Some(Stopped::EndOfText);
        }
        if self.stop.iter().any(|stop| self.ends_within_last_token(stop, ids)) {
            return Some(Stopped::StopText);
        }
        (ids.len() >= self.length).then_some(Stopped::Length)
    }

    /// Whether the last token completes a text. It may have begun in any token before.
    fn ends_within_last_token(&self, stop: &[u8], ids: &[u32]) -> bool {
        let mut tail = self.tokenizer.piece(ids[ids.len() - 1]);
        let new = tail.len();
        for id in ids[..ids.len() - 1].iter().rev() {
            if tail.len() >= stop.len() - 1 + new {
                break;
            }
            let mut piece = self.tokenizer.piece(*id);
            piece.append(&mut tail);
            tail = piece;
        }
        let before = tail.len() - new;
        tail.windows(stop.len()).enumerate().any(|(at, window)| window == stop && at + stop.len() > before)
    }
}

/// The second prompt, if there is guidance.
fn unconditional(model: &Model, prompt: &Tokens, options: &GenerateOptions) -> Result<Option<Unconditional>> {
    if options.rules.guidance_scale.is_none() {
        return Ok(None);
    }
    let start = match &options.rules.negative_prompt {
        Some(negative) => negative.ids("negative_prompt", model.tokenizer())?,
        None => prompt.ids()[prompt.len() - 1..].to_vec(),
    };
    model.check_prompt(&start)?;
    Ok(Some(Unconditional::new(Context::new(model), start, prompt.len())))
}

impl GenerateOptions {
    /// How many tokens the text may have at the end.
    fn length(&self, prompt: usize, limit: usize) -> Result<usize> {
        let refused = |name, value: usize, bound| {
            Err(Error::OptionOutOfRange { name, value: value.to_string(), bound })
        };
        match (self.max_new_tokens, self.max_length) {
            (Some(new), _) if prompt.saturating_add(new) > limit => refused(
                "max_new_tokens",
                new,
                format!(
                    "at most {}: the prompt has {prompt} tokens and the model reads {limit}",
                    limit - prompt
                ),
            ),
            (Some(new), _) => Ok(prompt + new),
            (None, Some(length)) if length <= prompt || length > limit => refused(
                "max_length",
                length,
                format!("above {prompt}, the length of the prompt, and at most {limit}, the model's context"),
            ),
            (None, Some(length)) => Ok(length),
            (None, None) if prompt == limit => Err(Error::PromptTooLong { tokens: prompt, limit: limit - 1 }),
            (None, None) => Ok((prompt + DEFAULT_NEW_TOKENS).min(limit)),
        }
    }

    /// A text cannot be longer at least than it may be at most.
    fn check_least(&self, prompt: usize, length: usize) -> Result<()> {
        let refused = |name, value: usize, bound| {
            Err(Error::OptionOutOfRange { name, value: value.to_string(), bound })
        };
        match (self.rules.min_length, self.rules.min_new_tokens) {
            (Some(least), _) if least > length => {
                refused("min_length", least, format!("at most {length}, the longest that the text may be"))
            }
            (_, Some(least)) if least > length - prompt => {
                let most = length - prompt;
                refused("min_new_tokens", least, format!("at most {most}, as many as may be appended"))
            }
            _ => Ok(()),
        }
    }

    fn stop_texts(&self) -> Result<Vec<Vec<u8>>> {
        let texts = self.stop.iter().flat_map(|texts| &texts.0);
        let checked = |text: &String| match text.is_empty() {
            true => Err(Error::OptionOutOfRange {
                name: "stop",
                value: "\"\"".to_owned(),
                bound: "a text that is not empty".to_owned(),
            }),
            false => Ok(text.as_bytes().to_vec()),
        };
        texts.map(checked).collect()
    }

    /// What the second prompt of guidance predicts where a text has only its prompt, if there is guidance.
    pub fn unconditional(
        &self,
        model: &Model,
        prompt: &Tokens,
        interrupt: &Interrupt,
    ) -> Result<Option<Distribution>> {
        let second = unconditional(model, prompt, self)?;
        second.map(|mut second| second.read(prompt.ids(), interrupt)).transpose()
    }
}
