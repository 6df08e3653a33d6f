//! The engine as a session sets it up: the bindings, where what it prints goes, and how it waits.

use std::rc::Rc;
use std::time::{Duration, Instant};

use rhai::Engine;

use super::state::State;
use super::{bindings, limits};
use crate::interrupt::Interrupt;
use crate::render::Output;

pub(super) fn engine(state: &Rc<State>) -> Engine {
    let mut engine = Engine::new();
    engine.set_default_tag(state.tag());
    // A stranger's script must not read files as modules.
    engine.set_module_resolver(rhai::module_resolvers::DummyModuleResolver::new());
    limits::set(&mut engine, state);
    let printing = state.clone();
    engine.on_print(move |text| printing.output(Output::Stream(format!("{text}\n"))));
    let debugging = state.clone();
    engine.on_debug(move |text, _, position| {
        let place = if position.is_none() { String::new() } else { format!("[{position:?}] ") };
        debugging.output(Output::Stream(format!("{place}{text}\n")));
    });
    // The engine's own would sleep through an interruption.
    let interrupt = state.interrupt.clone();
    engine.register_fn("sleep", move |seconds: f64| sleep(seconds, &interrupt));
    let interrupt = state.interrupt.clone();
    engine.register_fn("sleep", move |seconds: i64| sleep(seconds as f64, &interrupt));
    bindings::register(&mut engine);
    engine
}

/// Waits, or until interrupted: the engine then stops at the next operation.
fn sleep(seconds: f64, interrupt: &Interrupt) {
    let end = Duration::try_from_secs_f64(seconds).ok().and_then(|wait| Instant::now().checked_add(wait));
    while let (false, Some(left)) =
        (interrupt.is_requested(), end.and_then(|end| end.checked_duration_since(Instant::now())))
    {
        std::thread::sleep(left.min(Duration::from_millis(20)));
    }
}
