//! A script's values as JSON, in full precision, for other programs.

use std::io::{self, Write};

use rhai::{Array, Dynamic, Map};
use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::{Value, json};

use super::findings;
use super::show::ROWS;
use crate::analyse::next_token::{Candidate, NextToken};
use crate::analyse::stepper::Stepper;
use crate::analyse::steps;
use crate::error::{Error, Result};
use crate::generate::Generation;
use crate::interrupt::Interrupt;
use crate::model::Model;
use crate::render::Table;
use crate::render::number::shortest;
use crate::tokenizer::Tokens;

/// A value as one line. Fails where somebody asks to stop.
pub fn written(value: &Dynamic, interrupt: &Interrupt) -> Result<String> {
    let mut line = Line { bytes: Vec::new(), interrupt };
    let written = serde_json::to_writer(&mut line, &Json { value, interrupt });
    // Nothing else can fail: keys are texts, and bytes go into memory.
    written.map_err(|_| interrupt.check().err().unwrap_or(Error::Interrupted))?;
    Ok(String::from_utf8(line.bytes).expect("JSON is text"))
}

/// Takes in what is written until somebody asks to stop.
struct Line<'a> {
    bytes: Vec<u8>,
    interrupt: &'a Interrupt,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.interrupt.is_requested() {
            true => Err(io::Error::other(Error::Interrupted)),
            false => self.bytes.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A value of any size: its parts are written one by one.
struct Json<'a> {
    value: &'a Dynamic,
    interrupt: &'a Interrupt,
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Json { value, interrupt } = *self;
        let json = |value| Json { value, interrupt };
        if let Some(array) = value.read_lock::<Array>() {
            return serializer.collect_seq(array.iter().map(json));
        }
        if let Some(map) = value.read_lock::<Map>() {
            return serializer.collect_map(map.iter().map(|(name, value)| (name.as_str(), json(value))));
        }
        if let Some(tokens) = value.read_lock::<Tokens>() {
            let text = tokens.text_watched(interrupt).map_err(S::Error::custom)?;
            return Run { ids: tokens.ids(), pieces: Pieces(&tokens), text }.serialize(serializer);
        }
        small(value).serialize(serializer)
    }
}

/// A run of tokens.
#[derive(serde::Serialize)]
struct Run<'a> {
    ids: &'a [u32],
    pieces: Pieces<'a>,
    text: String,
}

/// The text of each token; bytes that are no whole character are `�`.
struct Pieces<'a>(&'a Tokens);

impl Serialize for Pieces<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.pieces().map(|piece| String::from_utf8_lossy(&piece).into_owned()))
    }
}

/// What is never very large.
fn small(value: &Dynamic) -> Value {
    if value.is_unit() {
        return Value::Null;
    }
    if let Ok(value) = value.as_bool() {
        return value.into();
    }
    if let Ok(value) = value.as_int() {
        return value.into();
    }
    if let Ok(value) = value.as_float() {
        return value.into();
    }
    if let Some(next) = value.read_lock::<NextToken>() {
        let probabilities: Vec<Value> =
            next.distribution.probabilities().iter().map(|p| shortest(*p).into()).collect();
        return json!({ "text": next.text, "probabilities": probabilities });
    }
    if let Some(candidate) = value.read_lock::<Candidate>() {
        let token = String::from_utf8_lossy(&candidate.piece);
        return json!({ "id": candidate.id, "token": token, "p": shortest(candidate.p), "rank": candidate.rank });
    }
    if let Some(generation) = value.read_lock::<Generation>() {
        let (tokens, text) = (&generation.tokens, generation.tokens.text());
        return json!({
            "text": text,
            "prompt": generation.prompt.text(),
            "tokens": Run { ids: tokens.ids(), pieces: Pieces(tokens), text },
            "seed": generation.seed,
            "stopped": generation.stopped.to_string(),
            "score": generation.score.map(shortest),
            "steps": steps::json(&generation),
        });
    }
    if let Some(stepper) = value.read_lock::<Stepper>() {
        let candidates = stepper.candidates(ROWS).unwrap_or_default();
        let candidates: Vec<Value> = candidates.into_iter().map(|next| small(&Dynamic::from(next))).collect();
        return json!({ "text": stepper.text(), "ids": stepper.ids(), "candidates": candidates });
    }
    if let Some(table) = findings::with(value, |finding| finding.table(None)) {
        return table.map_or(Value::Null, |table| table.json());
    }
    if let Some(table) = value.read_lock::<Table>() {
        return table.json();
    }
    if let Some(model) = value.read_lock::<Model>() {
        let config = model.config();
        return json!({
            "name": model.name(),
            "parameters": config.parameters(),
            "layers": config.n_layer,
            "heads": config.n_head,
            "width": config.n_embd,
            "context": config.n_positions,
            "vocabulary": config.vocab_size,
        });
    }
    value.to_string().into()
}
