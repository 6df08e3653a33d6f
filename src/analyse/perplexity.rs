//! How well does the model predict a whole text, however long?
//!
//! A text longer than the context is read in windows that overlap, and each token is scored once: the first window
//! scores all it predicts, each later one only what is new in it (the sliding window of transformers' documentation).

use super::surprisal::{Start, bits};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::model::Model;
use crate::render::{Cell, Column, Table};
use crate::tokenizer::Tokens;

/// How a text is cut into windows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Windows {
    /// Tokens in a window; the model's context if none is given.
    pub window: Option<usize>,
    /// Tokens from one window's start to the next; half a window if none is given.
    pub stride: Option<usize>,
    pub start: Start,
}

/// What came out, and of what.
#[derive(Clone, Debug, PartialEq)]
pub struct Perplexity {
    /// The sum of all surprisals, in bits.
    pub bits: f64,
    /// How many tokens were predicted.
    pub scored: usize,
    pub tokens: usize,
    /// Of the text, for a measure that does not depend on the tokenizer.
    pub bytes: usize,
    pub windows: usize,
    pub window: usize,
    pub stride: usize,
    pub start: Start,
}

impl Windows {
    /// Window and stride for a model. Fails on a window that it cannot read, and on a stride that skips tokens.
    fn sizes(&self, context: usize) -> Result<(usize, usize)> {
        let refuse =
            |name, value: usize, bound| Error::OptionOutOfRange { name, value: value.to_string(), bound };
        let window = self.window.unwrap_or(context);
        if !(2..=context).contains(&window) {
            return Err(refuse("window", window, format!("at least 2 and at most the model's {context}")));
        }
        let stride = self.stride.unwrap_or(window / 2);
        if !(1..=window).contains(&stride) {
            return Err(refuse("stride", stride, format!("at least 1 and at most the window's {window}")));
        }
        Ok((window, stride))
    }
}

/// Reads a text window by window; `advance` hears how many tokens have been dealt with.
pub fn perplexity(
    model: &Model,
    tokens: &Tokens,
    windows: &Windows,
    interrupt: &Interrupt,
    mut advance: impl FnMut(usize),
) -> Result<Perplexity> {
    let (window, stride) = windows.sizes(model.config().n_positions)?;
    if tokens.is_empty() {
        return Err(Error::EmptyPrompt);
    }
    let (ids, _) = windows.start.before(model, tokens.ids())?;
    if ids.len() < 2 {
        return Err(Error::NothingPredicted { tokens: ids.len() });
    }
    let mut result = Perplexity {
        bits: 0.0,
        scored: 0,
        tokens: tokens.len(),
        bytes: tokens.bytes().len(),
        windows: 0,
        window,
        stride,
        start: windows.start,
    };
    let mut done = 0;
    for begin in (0..ids.len()).step_by(stride) {
        let end = (begin + window).min(ids.len());
        let read = &ids[begin..end];
        // The first token of a window has nothing before it there.
        let first = done.max(begin + 1) - begin;
        model.each_logits(read, first - 1, None, interrupt, |position, logits| {
            if let Some(next) = read.get(position + 1) {
                result.bits += bits(&logits, *next);
                result.scored += 1;
            }
            Ok(())
        })?;
        result.windows += 1;
        advance(end - done);
        done = end;
        if end == ids.len() {
            break;
        }
    }
    Ok(result)
}

impl Perplexity {
    pub fn bits_per_token(&self) -> f64 {
        self.bits / self.scored as f64
    }

    /// 2 to the mean surprisal: among how many equally likely tokens the model was as unsure.
    pub fn perplexity(&self) -> f64 {
        self.bits_per_token().exp2()
    }

    pub fn bits_per_byte(&self) -> f64 {
        self.bits / self.bytes as f64
    }

    pub fn table(&self) -> Table {
        let columns = [
            "perplexity",
            "bits per token",
            "bits per byte",
            "tokens",
            "scored",
            "windows",
            "window",
            "stride",
        ];
        let note = match self.start {
            Start::Bare => "the first token is read but not scored, as transformers does it",
            Start::AfterEndOfText => "read after <|endoftext|>, so that the first token is scored too",
        };
        Table::new(columns.map(Column::right))
            .row([
                Cell::Number(self.perplexity()),
                self.bits_per_token().into(),
                self.bits_per_byte().into(),
                self.tokens.into(),
                self.scored.into(),
                self.windows.into(),
                self.window.into(),
                self.stride.into(),
            ])
            .note(note)
    }
}
