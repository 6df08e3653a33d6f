//! A script's values as JSON, in full precision, for other programs.

use std::io::{self, Write};

use rhai::{Array, Dynamic, Map};
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
    let value = json(value, interrupt)?;
    let mut line = Line { bytes: Vec::new(), interrupt };
    // Nothing else can fail: keys are texts, and bytes go into memory.
    serde_json::to_writer(&mut line, &value).map_err(|_| Error::Interrupted)?;
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

/// A value in full precision.
fn json(value: &Dynamic, interrupt: &Interrupt) -> Result<Value> {
    let all = |values: &Array| -> Result<Vec<Value>> {
        interrupt.watch(values).map(|value| json(value?, interrupt)).collect()
    };
    if let Some(array) = value.read_lock::<Array>() {
        return all(&array).map(Value::from);
    }
    if let Some(map) = value.read_lock::<Map>() {
        let entries = map.iter().map(|(name, value)| Ok((name.to_string(), json(value, interrupt)?)));
        return entries.collect::<Result<_>>().map(Value::Object);
    }
    if let Some(tokens) = value.read_lock::<Tokens>() {
        return tokens_json(&tokens, interrupt);
    }
    if let Some(generation) = value.read_lock::<Generation>() {
        return Ok(json!({
            "text": generation.tokens.text(),
            "prompt": generation.prompt.text(),
            "tokens": tokens_json(&generation.tokens, interrupt)?,
            "seed": generation.seed,
            "stopped": generation.stopped.to_string(),
            "score": generation.score.map(shortest),
            "steps": steps::json(&generation),
        }));
    }
    if let Some(stepper) = value.read_lock::<Stepper>() {
        let candidates = stepper.candidates(ROWS).unwrap_or_default();
        let candidates: Array = candidates.into_iter().map(Dynamic::from).collect();
        return Ok(json!({ "text": stepper.text(), "ids": stepper.ids(), "candidates": all(&candidates)? }));
    }
    Ok(small(value))
}

/// The same of what holds no other values.
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

fn tokens_json(tokens: &Tokens, interrupt: &Interrupt) -> Result<Value> {
    let ids = interrupt.watch(tokens.ids()).map(|id| id.map(|id| Value::from(*id))).collect::<Result<_>>()?;
    let text = |piece: Vec<u8>| Value::from(String::from_utf8_lossy(&piece));
    let pieces = interrupt.watch(tokens.pieces()).map(|piece| piece.map(text)).collect::<Result<_>>()?;
    let entries = [
        ("ids", Value::Array(ids)),
        ("pieces", Value::Array(pieces)),
        ("text", tokens.text_watched(interrupt)?.into()),
    ];
    Ok(entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}
