//! The grey text behind the cursor: how an earlier entry went on, or what the call being typed takes.

use rustyline::Context;
use rustyline::history::SearchDirection;

use super::ghost::Continuation;
use crate::script::assist::{Knowledge, open_call};

/// What is shown.
pub enum Hint {
    /// How an earlier entry went on: Right takes it into the line.
    Earlier(String),
    /// How the model would go on: Right takes it too.
    Ghost(Continuation),
    /// What the call takes.
    Signature(String),
}

impl rustyline::hint::Hint for Hint {
    fn display(&self) -> &str {
        match self {
            Hint::Earlier(text) | Hint::Signature(text) => text,
            // The editor forgets a hint that shows nothing; this one may still come.
            Hint::Ghost(continuation) if continuation.text().is_empty() => " ",
            Hint::Ghost(continuation) => continuation.text(),
        }
    }

    fn completion(&self) -> Option<&str> {
        match self {
            Hint::Signature(_) => None,
            Hint::Earlier(text) => Some(text),
            Hint::Ghost(continuation) => Some(continuation.text()).filter(|text| !text.is_empty()),
        }
    }
}

pub fn hint(line: &str, pos: usize, context: &Context<'_>, knowledge: &Knowledge) -> Option<Hint> {
    if line.trim().is_empty() || pos < line.len() {
        return None;
    }
    continuation(line, context).or_else(|| signature(line, knowledge))
}

/// How the latest entry that begins like this one goes on.
fn continuation(line: &str, context: &Context<'_>) -> Option<Hint> {
    let last = context.history().len().checked_sub(1)?;
    let start = context.history_index().min(last);
    let found = context.history().starts_with(line, start, SearchDirection::Reverse).ok()??;
    let text = found.entry[line.len()..].to_owned();
    (!text.is_empty()).then_some(Hint::Earlier(text))
}

/// The ways to call the function whose bracket is open.
fn signature(line: &str, knowledge: &Knowledge) -> Option<Hint> {
    let (name, arguments) = open_call(line)?;
    let signatures = knowledge.signatures(name);
    // The shortest that still has room for the argument being typed.
    let fits = |signature: &&String| parameters(signature) >= arguments;
    let signature = signatures.iter().find(fits).or(signatures.last())?;
    Some(Hint::Signature(format!("   {signature}")))
}

fn parameters(signature: &str) -> usize {
    let inside = signature.split_once('(').map_or("", |(_, rest)| rest.split(')').next().unwrap_or(""));
    if inside.trim().is_empty() { 0 } else { inside.split(',').count() }
}
