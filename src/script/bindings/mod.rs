//! What a script can call, one file per help topic. Everything that is said about a binding is said in its comment.

mod asking;
mod causes;
pub mod convert;
mod embeddings;
mod generating;
mod helping;
mod inside;
mod loading;
mod parts;
mod predicting;
mod showing;
mod stepping;
mod surprise;
mod tokenizing;
pub mod values;

use std::rc::Rc;

use rhai::{Dynamic, Engine, EvalAltResult, Module, Position, exported_module};

use crate::error::Error;

/// A group of bindings.
pub struct Topic {
    pub name: &'static str,
    /// What it is about, for `help()`.
    pub about: &'static str,
    pub module: fn() -> Module,
}

/// All topics, in the order in which a lesson needs them.
pub const TOPICS: &[Topic] = &[
    Topic {
        name: "tokenizing",
        about: "text into tokens and back",
        module: || exported_module!(tokenizing::bindings),
    },
    Topic {
        name: "predicting",
        about: "what comes next, and how likely it is",
        module: || exported_module!(predicting::bindings),
    },
    Topic {
        name: "generating",
        about: "continuing a text",
        module: || exported_module!(generating::bindings),
    },
    Topic {
        name: "stepping",
        about: "looking into a choice, many texts at once, writing by hand",
        module: || exported_module!(stepping::bindings),
    },
    Topic {
        name: "surprise",
        about: "how well a text is predicted",
        module: || exported_module!(surprise::bindings),
    },
    Topic {
        name: "inside",
        about: "what happens between a text and its next token",
        module: || exported_module!(inside::bindings),
    },
    Topic {
        name: "parts",
        about: "what a prediction is made of",
        module: || exported_module!(parts::bindings),
    },
    Topic {
        name: "causes",
        about: "what a prediction depends on, and how two differ",
        module: || exported_module!(causes::bindings),
    },
    Topic {
        name: "embeddings",
        about: "the vectors that tokens and positions start with",
        module: || exported_module!(embeddings::bindings),
    },
    Topic {
        name: "showing",
        about: "tables, charts and files",
        module: || exported_module!(showing::bindings),
    },
    Topic {
        name: "asking",
        about: "input from whoever runs it",
        module: || exported_module!(asking::bindings),
    },
    Topic { name: "loading", about: "which model is asked", module: || exported_module!(loading::bindings) },
    Topic {
        name: "helping",
        about: "finding out what there is",
        module: || exported_module!(helping::bindings),
    },
];

/// Makes all bindings known to an engine.
pub fn register(engine: &mut Engine) {
    values::register(engine);
    engine.register_global_module(values::iterable().into());
    for topic in TOPICS {
        engine.register_global_module((topic.module)().into());
    }
}

/// What a binding returns.
type Answer<T> = Result<T, Box<EvalAltResult>>;

/// An error on its way through the engine: the call's position is filled in, and `try … catch` works.
fn raise(error: Error) -> Box<EvalAltResult> {
    EvalAltResult::ErrorRuntime(Dynamic::from(Rc::new(error)), Position::NONE).into()
}
