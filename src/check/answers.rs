//! Puts a claim to a model.

use super::question::{Ask, Claim, Number};
use super::{Fact, Record, Verdict};
use crate::distribution::Distribution;
use crate::error::{Error, Result};
use crate::generate::{self, GenerateOptions};
use crate::interrupt::Interrupt;
use crate::model::{Context, Model};
use crate::render::label::one_line;
use crate::tokenizer::Tokens;

/// A model that is being asked.
pub struct Answers<'a> {
    context: Context,
    interrupt: &'a Interrupt,
}

/// What was expected and what came, as they are shown, and whether they are the same.
struct Answer {
    expected: String,
    got: String,
    agrees: bool,
}

impl Answers<'_> {
    pub fn new<'a>(model: &Model, interrupt: &'a Interrupt) -> Answers<'a> {
        Answers { context: Context::new(model), interrupt }
    }

    /// Compares one claim. A question that the model cannot answer counts as a difference.
    pub fn fact(&mut self, claim: &Claim, record: &Record) -> Result<Fact> {
        let (fact, answer) = match claim {
            Claim::Numbers { what, numbers } => (what.clone(), self.numbers(numbers)),
            Claim::Likeliest { after, ids, expected } => {
                (format!("argmax after {after}"), self.likeliest(ids, *expected))
            }
            Claim::GreedyIds { after, ids, expected } => (
                format!("{} ids after {after}", expected.len().saturating_sub(ids.len())),
                self.greedy_ids(ids, expected),
            ),
            Claim::GreedyText { after, ids, length, expected } => {
                (format!("text after {after}"), self.greedy_text(ids, *length, expected))
            }
            Claim::Reencoded { text, expected } => {
                ("tokens appended as text".to_owned(), self.reencoded(text, expected))
            }
        };
        let Answer { expected, got, agrees } = match answer {
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => Answer { expected: "an answer".to_owned(), got: error.to_string(), agrees: false },
            Ok(answer) => answer,
        };
        let verdict = match (agrees, record.is_certain()) {
            (true, _) => Verdict::Agrees,
            (false, true) => Verdict::Differs,
            (false, false) => Verdict::Doubtful,
        };
        Ok(Fact { fact, source: record.source.clone(), expected, got, verdict })
    }

    fn read(&mut self, ids: &[u32]) -> Result<Distribution> {
        self.context.read(ids, self.interrupt)
    }

    /// The number that is furthest from what was expected speaks for all.
    fn numbers(&mut self, numbers: &[Number]) -> Result<Answer> {
        let mut worst: Option<(&Number, f64, f64)> = None;
        for number in numbers {
            let got = self.number(&number.ask)?;
            let miss = (got - number.expected).abs() / number.tolerance;
            // What is no number is as far away as can be.
            let miss = if miss.is_nan() { f64::INFINITY } else { miss };
            if worst.is_none_or(|(_, _, most)| miss > most) {
                worst = Some((number, got, miss));
            }
        }
        let Some((number, got, miss)) = worst else {
            let none = || "no number".to_owned();
            return Ok(Answer { expected: none(), got: none(), agrees: false });
        };
        let label = if number.label.is_empty() { String::new() } else { format!("{} ", number.label) };
        let written = |value: f64| match value.fract() == 0.0 && number.expected.fract() == 0.0 {
            true => format!("{label}{value}"),
            false => format!("{label}{value:.*}", decimals(number.tolerance)),
        };
        Ok(Answer { expected: written(number.expected), got: written(got), agrees: miss <= 1.0 })
    }

    fn number(&mut self, ask: &Ask) -> Result<f64> {
        Ok(match ask {
            Ask::Probability { ids, id } => self.log_probability(ids, *id)?.exp(),
            Ask::LogProbability { ids, id } => self.log_probability(ids, *id)?,
            Ask::Logit { ids, id } => {
                let next = self.read(ids)?;
                next.p(*id)?;
                f64::from(next.logits()[*id as usize])
            }
            Ask::MeanLogit { ids } => mean(self.read(ids)?.logits()),
            Ask::MeanOfAllLogits { ids } => {
                let mut sum = 0.0;
                for end in 1..=ids.len() {
                    sum += mean(self.read(&ids[..end])?.logits());
                }
                sum / ids.len() as f64
            }
            Ask::MeanLoss { ids } => self.mean_loss(ids)?,
            Ask::Perplexity { texts } => {
                let mut sum = 0.0;
                for ids in texts {
                    sum += self.mean_loss(ids)?.exp();
                }
                sum / texts.len() as f64
            }
            Ask::Embedding { id, index } => {
                let model = self.context.model();
                model.check_prompt(&[*id])?;
                model.gpt2().token_embedding(*id).get(*index).map_or(f64::NAN, |value| f64::from(*value))
            }
            Ask::Config(field) => self.config(field),
        })
    }

    fn config(&self, field: &str) -> f64 {
        let config = self.context.model().config();
        match field {
            "vocab_size" => config.vocab_size as f64,
            "n_positions" => config.n_positions as f64,
            "n_embd" => config.n_embd as f64,
            "n_layer" => config.n_layer as f64,
            "n_head" => config.n_head as f64,
            "parameters" => config.parameters() as f64,
            "layer_norm_epsilon" => f64::from(config.layer_norm_epsilon),
            "eos_token_id" => config
                .eos_token_id
                .or(self.context.model().tokenizer().end_of_text())
                .map_or(f64::NAN, f64::from),
            _ => f64::NAN,
        }
    }

    /// ln p(id | ids), summed in `f64`.
    fn log_probability(&mut self, ids: &[u32], id: u32) -> Result<f64> {
        let next = self.read(ids)?;
        next.p(id)?;
        let logits = next.logits();
        let highest = f64::from(logits[next.argmax() as usize]);
        let sum: f64 = logits.iter().map(|logit| (f64::from(*logit) - highest).exp()).sum();
        Ok(f64::from(logits[id as usize]) - highest - sum.ln())
    }

    fn mean_loss(&mut self, ids: &[u32]) -> Result<f64> {
        let mut sum = 0.0;
        for end in 1..ids.len() {
            sum -= self.log_probability(&ids[..end], ids[end])?;
        }
        // Of a text without a second token there is no loss: that is no number.
        Ok(sum / ids.len().saturating_sub(1) as f64)
    }

    fn tokens(&self, ids: &[u32]) -> Result<Tokens> {
        self.context.model().tokenizer().tokens(ids)
    }

    fn likeliest(&mut self, ids: &[u32], expected: u32) -> Result<Answer> {
        let got = self.read(ids)?.argmax();
        let written = |id: u32| {
            let piece = crate::render::label(&self.context.model().tokenizer().piece(id));
            format!("{id} {piece}")
        };
        Ok(Answer { expected: written(expected), got: written(got), agrees: got == expected })
    }

    /// The text that grows to `length` tokens when the likeliest is always taken.
    fn greedy(&mut self, ids: &[u32], length: usize) -> Result<Tokens> {
        let options = GenerateOptions { max_length: Some(length), ..GenerateOptions::default() };
        let prompt = self.tokens(ids)?;
        let generation = generate::generate(&mut self.context, &prompt, &options, self.interrupt, |_, _| {})?;
        match generation.stopped {
            generate::Stopped::Interrupted => Err(Error::Interrupted),
            _ => Ok(generation.tokens),
        }
    }

    fn greedy_ids(&mut self, ids: &[u32], expected: &[u32]) -> Result<Answer> {
        let got = self.greedy(ids, expected.len())?;
        let agrees = got.ids() == expected;
        // An id that only the record has is shown by the ids; else the text says more.
        let expected = self.tokens(expected)?.text();
        Ok(texts(&expected, &got.text(), agrees))
    }

    fn greedy_text(&mut self, ids: &[u32], length: usize, expected: &str) -> Result<Answer> {
        let got = self.greedy(ids, length)?.text();
        // What was printed often lacks the blanks at its end.
        let agrees = got.trim_end().starts_with(expected.trim_end());
        Ok(texts(expected, &got, agrees))
    }

    fn reencoded(&mut self, text: &str, expected: &[String]) -> Result<Answer> {
        let tokenizer = self.context.model().tokenizer().clone();
        let mut grown = text.to_owned();
        for _ in expected {
            let next = self.read(tokenizer.tokenize(&grown).ids())?.argmax();
            grown.push_str(&self.tokens(&[next])?.text());
        }
        let expected = format!("{text}{}", expected.concat());
        Ok(texts(&expected, &grown, grown == expected))
    }
}

/// Two texts from a little before the place where they part; their ends if they do not.
fn texts(expected: &str, got: &str, agrees: bool) -> Answer {
    const ROOM: usize = 22;
    const BEFORE: usize = 6;
    let same = expected.chars().zip(got.chars()).take_while(|(a, b)| a == b).count();
    let part = |text: &str| {
        let from =
            if agrees { text.chars().count().saturating_sub(ROOM) } else { same.saturating_sub(BEFORE) };
        let shown: String = text.chars().skip(from).take(ROOM).collect();
        let dots = if from > 0 { "…" } else { "" };
        format!("{dots}{}", one_line(&shown))
    };
    let got = if agrees { part(expected) } else { part(got) };
    Answer { expected: part(expected), got, agrees }
}

fn mean(numbers: &[f32]) -> f64 {
    numbers.iter().map(|number| f64::from(*number)).sum::<f64>() / numbers.len() as f64
}

/// Decimals that show a difference as small as the tolerance.
fn decimals(tolerance: f64) -> usize {
    (1 - tolerance.log10().floor() as i32).clamp(0, 10) as usize
}
