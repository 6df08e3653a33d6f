//! tokenscope: watch a GPT-2 language model write, one token at a time.

pub mod distribution;
pub mod error;
pub mod interrupt;
pub mod model;
pub mod suggest;
pub mod tokenizer;
