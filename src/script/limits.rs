//! What a script may use up: far more than a lesson needs, less than would harm the machine.

use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, Position};

use super::state::State;
use crate::error::{Error, Result};
use crate::memory;

/// Calls of a script's functions inside each other.
pub const CALLS: usize = 200;
/// Brackets and blocks inside each other.
pub const DEPTH: usize = 128;
/// Bytes of a text, or of all texts in one array or map.
pub const TEXT: usize = 64 << 20;
/// Values in an array or a map, those inside it included. The engine counts them at each change, so that a `push` takes
/// the longer the more there are; but memory alone would not do as a limit: a text in a thousand places of an array
/// takes its memory once, and a thousand times when the array is written.
pub const ITEMS: usize = 1 << 19;
/// Bytes of a file that is read.
pub const FILE: u64 = 16 << 20;
/// Bytes that a session's values take, unless asked otherwise.
pub const MEMORY: usize = 4_000_000_000;

/// Holds an engine to the limits, and stops it when its session is interrupted.
pub fn set(engine: &mut Engine, state: &Rc<State>) {
    engine.set_max_call_levels(CALLS).set_max_expr_depths(DEPTH, DEPTH);
    engine.set_max_string_size(TEXT).set_max_array_size(ITEMS).set_max_map_size(ITEMS);
    engine.register_fn("replace", replace);
    engine.register_fn("replace", |text: &mut ImmutableString, found: char, with: &str| {
        replace(text, found.encode_utf8(&mut [0; 4]), with)
    });
    let state = state.clone();
    let memory = state.memory.clone();
    state.interrupt.bound(move || memory.check());
    engine.on_progress(move |_| match state.interrupt.is_requested() {
        true => Some(Dynamic::UNIT),
        false => state.memory.check().err().map(|error| Dynamic::from(Rc::new(error))),
    });
}

/// Fails as the engine does where an array becomes larger than it may be, but before it is made.
pub fn check_items(count: usize) -> Result<(), Box<EvalAltResult>> {
    if count <= ITEMS { Ok(()) } else { Err(too_large("Size of array")) }
}

/// The engine's own `replace` measures the text that it has made: a million letters, each replaced by a million, would
/// end the program before that.
fn replace(text: &mut ImmutableString, found: &str, with: &str) -> Result<(), Box<EvalAltResult>> {
    let places = text.matches(found).count();
    let length = (text.len() - places * found.len()).saturating_add(places.saturating_mul(with.len()));
    if length > TEXT {
        return Err(too_large("Length of string"));
    }
    *text = text.replace(found, with).into();
    Ok(())
}

/// What the engine says where a value outgrows its limit.
fn too_large(what: &str) -> Box<EvalAltResult> {
    EvalAltResult::ErrorDataTooLarge(what.to_owned(), Position::NONE).into()
}

/// How much memory a session's values take, and may take. Threads that compute ask it too.
pub struct Memory {
    limit: usize,
    /// What the program held without them: itself, and models.
    base: AtomicUsize,
    /// What it may hold while the current cell runs.
    ceiling: AtomicUsize,
}

impl Memory {
    pub fn new(limit: usize) -> Memory {
        let base = memory::held();
        Memory { limit, base: base.into(), ceiling: base.saturating_add(limit).into() }
    }

    /// A cell begins. Where the limit is passed already it gets a little more, so that it can let go of something.
    pub fn begin(&self) {
        let least = memory::held().saturating_add(self.limit / 16);
        let usual = self.base.load(Relaxed).saturating_add(self.limit);
        self.ceiling.store(usual.max(least), Relaxed);
    }

    /// Does something whose memory is no value's: loading a model.
    pub fn apart<T>(&self, work: impl FnOnce() -> T) -> T {
        let before = memory::held();
        let done = work();
        let after = memory::held();
        for mark in [&self.base, &self.ceiling] {
            mark.store(mark.load(Relaxed).saturating_add(after).saturating_sub(before), Relaxed);
        }
        done
    }

    /// Fails where more is held than may be.
    pub fn check(&self) -> Result<()> {
        let held = memory::held();
        if held <= self.ceiling.load(Relaxed) {
            return Ok(());
        }
        Err(Error::TooMuchMemory { taken: held.saturating_sub(self.base.load(Relaxed)), limit: self.limit })
    }
}
