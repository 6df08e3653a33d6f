//! tokenscope: watch a GPT-2 language model write, one token at a time.

pub mod error;
pub mod interrupt;
pub mod render;
pub mod suggest;
