//! What the options make of the logits before a token is chosen: one small pure function each, in one order.
//!
//! The semantics are those of Hugging Face transformers 5 (`generation/logits_process.py`), in `f32` as there.

pub mod candidates;
pub mod context;
pub mod sampling;

use super::options::Bound::{Above, AboveUpTo, Any, AtLeast, Between, From};
use super::options::{Options, Setting, Value, options};
use super::words::{Biases, Singles, Word, Words};
use crate::error::{Error, Result};
use crate::tokenizer::Tokenizer;
use candidates::Candidates;

options! {
    /// How a token is drawn from a distribution. With none of them, every token can be drawn, with its probability.
    pub struct SamplingOptions {
        /// divides the logits: below 1 sharpens, above 1 flattens
        temperature: f32, Above(0.0);
        /// keeps the k likeliest tokens
        top_k: usize, AtLeast(1.0);
        /// keeps the likeliest tokens that together have this probability
        top_p: f64, AboveUpTo(0.0, 1.0);
        /// keeps tokens at least this share as likely as the likeliest
        min_p: f32, From(0.0, 1.0);
        /// keeps the tokens of the most usual surprisal that together have this probability
        typical_p: f64, AboveUpTo(0.0, 1.0);
        /// leaves out tokens less likely than this
        epsilon_cutoff: f32, Between(0.0, 1.0);
        /// leaves out tokens less likely than this, or than less where the distribution is flat
        eta_cutoff: f32, Between(0.0, 1.0);
        /// the order of the rules above; those not named follow in the usual order
        order: Order, Any;
        /// makes the draws repeatable: the same seed, the same tokens
        seed: u64, AtLeast(0.0);
    }
}

options! {
    /// What changes the logits whether a token is drawn or the likeliest is taken.
    pub struct RuleOptions {
        /// steers away from a second prompt: 1 changes nothing, more steers harder
        guidance_scale: f32, Above(0.0);
        /// the second prompt of guidance; without it, that is the last token alone
        negative_prompt: Word, Any;
        /// adds to the logit of a token or of a sequence's last token
        sequence_bias: Biases, Any;
        /// makes tokens of the text so far less likely (above 1) or likelier (below 1)
        repetition_penalty: f32, Above(0.0);
        /// no run of so many tokens comes twice
        no_repeat_ngram_size: usize, AtLeast(1.0);
        /// words that must not appear
        bad_words: Words, Any;
        /// the text does not end before it has so many tokens, prompt included
        min_length: usize, AtLeast(0.0);
        /// the text does not end before so many tokens were appended
        min_new_tokens: usize, AtLeast(0.0);
        /// the last token that fits must be this one
        forced_eos: Singles, Any;
        /// `[start, factor]`: after so many new tokens the end becomes likelier with each
        exponential_decay_length_penalty: Decay, Any;
        /// tokens that must not appear
        suppress_tokens: Singles, Any;
        /// tokens that must not come first
        begin_suppress_tokens: Singles, Any;
    }
}

/// One rule with what it needs to know.
#[derive(Clone, Debug, PartialEq)]
pub enum Processor {
    GuidanceScale(f32),
    SequenceBias(Vec<(Vec<u32>, f32)>),
    RepetitionPenalty(f32),
    NoRepeatNgramSize(usize),
    BadWords { words: Vec<Vec<u32>>, ends: Vec<u32> },
    MinLength { least: usize, ends: Vec<u32> },
    MinNewTokens { least: usize, ends: Vec<u32> },
    ForcedEos { most: usize, ends: Vec<u32> },
    ExponentialDecay { start: usize, factor: f64, ends: Vec<u32> },
    SuppressTokens(Vec<u32>),
    BeginSuppressTokens { ids: Vec<u32>, prompt: usize },
    Temperature(f32),
    TopK(usize),
    TopP(f64),
    MinP(f32),
    TypicalP(f64),
    EpsilonCutoff(f32),
    EtaCutoff(f32),
}

/// What a rule may look at beside the logits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen<'a> {
    /// All tokens so far.
    pub ids: &'a [u32],
    /// What the second prompt predicts, for guidance.
    pub unconditional: Option<&'a [f32]>,
    /// How many tokens a sampling rule must leave, if more than 1.
    pub least: usize,
}

/// What rules need to know of the text that they are made for.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    pub tokenizer: &'a Tokenizer,
    /// Tokens of the prompt, and of the whole text at most.
    pub prompt: usize,
    pub length: usize,
    pub ends: &'a [u32],
}

impl Processor {
    /// The name of its option.
    pub fn name(&self) -> &'static str {
        match self {
            Processor::GuidanceScale(_) => "guidance_scale",
            Processor::SequenceBias(_) => "sequence_bias",
            Processor::RepetitionPenalty(_) => "repetition_penalty",
            Processor::NoRepeatNgramSize(_) => "no_repeat_ngram_size",
            Processor::BadWords { .. } => "bad_words",
            Processor::MinLength { .. } => "min_length",
            Processor::MinNewTokens { .. } => "min_new_tokens",
            Processor::ForcedEos { .. } => "forced_eos",
            Processor::ExponentialDecay { .. } => "exponential_decay_length_penalty",
            Processor::SuppressTokens(_) => "suppress_tokens",
            Processor::BeginSuppressTokens { .. } => "begin_suppress_tokens",
            Processor::Temperature(_) => "temperature",
            Processor::TopK(_) => "top_k",
            Processor::TopP(_) => "top_p",
            Processor::MinP(_) => "min_p",
            Processor::TypicalP(_) => "typical_p",
            Processor::EpsilonCutoff(_) => "epsilon_cutoff",
            Processor::EtaCutoff(_) => "eta_cutoff",
        }
    }

    /// Name and value, for a table.
    pub fn describe(&self) -> String {
        let name = self.name();
        match self {
            Processor::GuidanceScale(value)
            | Processor::RepetitionPenalty(value)
            | Processor::Temperature(value)
            | Processor::MinP(value)
            | Processor::EpsilonCutoff(value)
            | Processor::EtaCutoff(value) => format!("{name} {value}"),
            Processor::TopP(value) | Processor::TypicalP(value) => format!("{name} {value}"),
            Processor::TopK(value) | Processor::NoRepeatNgramSize(value) => format!("{name} {value}"),
            _ => name.to_owned(),
        }
    }

    /// Changes a row of logits [vocabulary].
    pub fn apply(&self, logits: &mut [f32], seen: &Seen) {
        let (ids, length) = (seen.ids, seen.ids.len());
        match self {
            Processor::GuidanceScale(scale) => match seen.unconditional {
                Some(unconditional) => context::guide(logits, unconditional, *scale),
                None => context::log_softmax(logits),
            },
            Processor::SequenceBias(biases) => context::bias(logits, ids, biases),
            Processor::RepetitionPenalty(penalty) => context::penalise_repetition(logits, ids, *penalty),
            Processor::NoRepeatNgramSize(n) => context::ban_repeated_ngrams(logits, ids, *n),
            Processor::BadWords { words, ends } => context::ban_words(logits, ids, words, ends),
            Processor::MinLength { least, ends } | Processor::MinNewTokens { least, ends } => {
                context::forbid_ends(logits, length, *least, ends);
            }
            Processor::ForcedEos { most, ends } => context::force_ends(logits, length, *most, ends),
            Processor::ExponentialDecay { start, factor, ends } => {
                context::hasten_ends(logits, length, *start, *factor, ends);
            }
            Processor::SuppressTokens(banned) => context::suppress(logits, banned),
            Processor::BeginSuppressTokens { ids: banned, prompt } if length == *prompt => {
                context::suppress(logits, banned);
            }
            Processor::BeginSuppressTokens { .. } => {}
            _ => {
                let mut row = Candidates::from(&*logits);
                self.cut(&mut row, seen);
                row.write(logits);
            }
        }
    }

    /// Changes what is left of a row. Rules that look at more than one row say nothing to it.
    pub fn cut(&self, row: &mut Candidates, seen: &Seen) {
        let keep = seen.least.max(1);
        match self {
            _ if row.is_empty() => {}
            Processor::Temperature(temperature) => sampling::scale(row, *temperature),
            Processor::TopK(k) => sampling::keep_top_k(row, *k, keep),
            Processor::TopP(p) => sampling::keep_top_p(row, *p, keep),
            Processor::MinP(share) => sampling::keep_min_p(row, *share, keep),
            Processor::TypicalP(mass) => sampling::keep_typical(row, *mass, keep),
            Processor::EpsilonCutoff(cutoff) => sampling::cut_epsilon(row, *cutoff, keep),
            Processor::EtaCutoff(cutoff) => sampling::cut_eta(row, *cutoff, keep),
            _ => {}
        }
    }

    /// Whether the order of the tokens makes no difference to it: the rule sees one row, and nothing beside it.
    pub fn is_sampling(&self) -> bool {
        ORDERED.contains(&self.name())
    }
}

impl RuleOptions {
    /// The rules that these options ask for, in the order in which they apply.
    pub fn processors(&self, text: &Text) -> Result<Vec<Processor>> {
        let tokenizer = text.tokenizer;
        if self.negative_prompt.is_some() && self.guidance_scale.is_none() {
            return Err(Error::OptionNeedsOther { name: "negative_prompt", other: "guidance_scale" });
        }
        let ends = || text.ends.to_vec();
        let singles = |name, words: &Option<Singles>| {
            words.as_ref().map(|words| words.ids(name, tokenizer)).transpose()
        };
        let bias =
            |(word, bias): &(Word, f32)| -> Result<_> { Ok((word.ids("sequence_bias", tokenizer)?, *bias)) };
        let biases =
            self.sequence_bias.as_ref().map(|biases| biases.0.iter().map(bias).collect::<Result<Vec<_>>>());
        let words = self.bad_words.as_ref().map(|words| words.ids("bad_words", tokenizer)).transpose()?;
        let decay = self.exponential_decay_length_penalty;
        let all = [
            self.guidance_scale.map(Processor::GuidanceScale),
            biases.transpose()?.map(Processor::SequenceBias),
            self.repetition_penalty.map(Processor::RepetitionPenalty),
            self.no_repeat_ngram_size.map(Processor::NoRepeatNgramSize),
            words.map(|words| Processor::BadWords { words, ends: ends() }),
            self.min_length.map(|least| Processor::MinLength { least, ends: ends() }),
            self.min_new_tokens
                .map(|least| Processor::MinNewTokens { least: text.prompt + least, ends: ends() }),
            singles("forced_eos", &self.forced_eos)?
                .map(|ends| Processor::ForcedEos { most: text.length, ends }),
            decay.map(|Decay { start, factor }| Processor::ExponentialDecay {
                start: text.prompt + start,
                factor,
                ends: ends(),
            }),
            singles("suppress_tokens", &self.suppress_tokens)?.map(Processor::SuppressTokens),
            singles("begin_suppress_tokens", &self.begin_suppress_tokens)?
                .map(|ids| Processor::BeginSuppressTokens { ids, prompt: text.prompt }),
        ];
        Ok(all.into_iter().flatten().collect())
    }
}

impl SamplingOptions {
    /// The rules that these options ask for, in the order in which they apply. Fails on more tokens than there are.
    pub fn processors(&self, vocabulary: usize) -> Result<Vec<Processor>> {
        if let Some(k) = self.top_k.filter(|k| *k > vocabulary) {
            let bound = format!("at most {vocabulary}, the size of the vocabulary");
            return Err(Error::OptionOutOfRange { name: "top_k", value: k.to_string(), bound });
        }
        // 1 keeps every token, whatever the rounding.
        let all = [
            self.temperature.map(Processor::Temperature),
            self.top_k.map(Processor::TopK),
            self.top_p.filter(|p| *p < 1.0).map(Processor::TopP),
            self.min_p.map(Processor::MinP),
            self.typical_p.filter(|p| *p < 1.0).map(Processor::TypicalP),
            self.epsilon_cutoff.map(Processor::EpsilonCutoff),
            self.eta_cutoff.map(Processor::EtaCutoff),
        ];
        let mut all: Vec<Processor> = all.into_iter().flatten().collect();
        if let Some(Order(order)) = &self.order {
            let place = |p: &Processor| order.iter().position(|name| *name == p.name());
            all.sort_by_key(|processor| place(processor).unwrap_or(order.len()));
        }
        Ok(all)
    }

    /// Whether any of them makes a generation draw its tokens.
    pub fn is_given(&self) -> bool {
        !self.given().is_empty()
    }
}

/// The sampling rules, first to last.
const ORDERED: [&str; 7] =
    ["temperature", "top_k", "top_p", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff"];

/// Names of sampling rules, each at most once.
#[derive(Clone, Debug, PartialEq)]
pub struct Order(Vec<&'static str>);

impl Setting for Order {
    fn from_value(value: &Value) -> Result<Order, &'static str> {
        const KIND: &str = "a list of different sampling rules, such as `[\"top_k\", \"temperature\"]`";
        let Value::List(values) = value else { return Err(KIND) };
        let mut order: Vec<&'static str> = Vec::new();
        for value in values {
            let Value::Text(text) = value else { return Err(KIND) };
            let name = ORDERED.iter().copied().find(|name| name == text).ok_or(KIND)?;
            if order.contains(&name) {
                return Err(KIND);
            }
            order.push(name);
        }
        Ok(Order(order))
    }
}

/// When the end becomes likelier, and how fast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decay {
    pub start: usize,
    pub factor: f64,
}

impl Setting for Decay {
    fn from_value(value: &Value) -> Result<Decay, &'static str> {
        const KIND: &str = "a list of a whole number and a factor above 0, such as `[10, 1.2]`";
        match value {
            Value::List(pair) => match pair.as_slice() {
                [start, factor] => Some((usize::from_value(start), f64::from_value(factor))),
                _ => None,
            },
            _ => None,
        }
        .and_then(|(start, factor)| Some(Decay { start: start.ok()?, factor: factor.ok()? }))
        .filter(|decay| decay.factor > 0.0 && decay.factor.is_finite())
        .ok_or(KIND)
    }
}

#[cfg(test)]
mod tests;
