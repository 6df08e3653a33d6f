//! tokenscope: watch a GPT-2 language model write, one token at a time.
//!
//! ```text
//! &str → Tokens → logits [position, vocabulary] → Distribution → Step … → Table | Chart | Text → Output
//! ```
//!
//! What is on the left knows nothing of what is on its right. A front end (the REPL, the script runner) hands source
//! to a [`script::Session`] and shows the [`render::Output`]s that come back; it never computes, and the core never
//! prints.

pub mod analyse;
pub mod check;
pub mod cli;
pub mod distribution;
pub mod error;
pub mod export;
pub mod generate;
pub mod hub;
pub mod interrupt;
pub mod kernel;
pub mod memory;
pub mod model;
pub mod render;
pub mod repl;
pub mod script;
pub mod suggest;
pub mod terminal;
pub mod tokenizer;
