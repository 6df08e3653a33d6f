//! A text that a model writes, told as it grows.

use super::state::State;
use super::{Event, Unit};
use crate::error::Result;
use crate::generate::stream::WholeCharacters;
use crate::generate::{self, GenerateOptions, Generation, Stopped};
use crate::render::Output;
use crate::tokenizer::Tokens;

/// Continues a text. A front end may show the text meanwhile; what is left of it is what the script makes of the
/// result. `what` says what is being done.
pub fn watched(state: &State, what: &str, prompt: &Tokens, options: &GenerateOptions) -> Result<Generation> {
    let mut begun = false;
    let generation = written(state, prompt, options, &mut WholeCharacters::default(), |text, total| {
        if !std::mem::replace(&mut begun, true) {
            let what = what.to_owned();
            state.emit(Event::Started { what, total: total as u64, unit: Unit::Tokens });
        }
        if !text.is_empty() {
            state.emit(Event::Wrote(text));
        }
        state.emit(Event::Advanced(1));
    });
    if begun {
        state.emit(Event::Finished);
    }
    generation
}

/// Continues a text and prints it as it grows.
pub fn printed(state: &State, prompt: &Tokens, options: &GenerateOptions) -> Result<Generation> {
    let mut begun = false;
    let mut whole = WholeCharacters::default();
    let generation = written(state, prompt, options, &mut whole, |text, _| {
        begun = true;
        state.output(Output::Stream(text));
    });
    if begun {
        state.output(Output::Stream(whole.finish() + "\n"));
    }
    generation
}

/// `tell` hears at each step of the characters that have become whole, first those of the prompt, and of how many
/// steps there may be; `whole` is left with the bytes that became none. A search tells of none: its text is known only at the end.
fn written(
    state: &State,
    prompt: &Tokens,
    options: &GenerateOptions,
    whole: &mut WholeCharacters,
    mut tell: impl FnMut(String, usize),
) -> Result<Generation> {
    let mut unread = prompt.bytes();
    let generation = state.with_context(|context| {
        generate::generate(context, prompt, options, &state.interrupt, |step, total| {
            let mut bytes = std::mem::take(&mut unread);
            bytes.extend(step.map(|step| prompt.tokenizer().piece(step.id)).unwrap_or_default());
            tell(whole.push(&bytes), total);
        })
    })?;
    if generation.stopped == Stopped::Interrupted {
        state.hand_out();
    }
    Ok(generation)
}
