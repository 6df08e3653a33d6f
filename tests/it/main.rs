//! What tokenscope promises, one module a subject.

mod check;
mod checkpoints;
mod generate;
mod helpers;
mod hub;
mod lessons;
mod kernel;
mod mirror;
mod parity;
mod repl;
mod scripts;
mod structure;
mod tokens;
