//! What tokenscope promises, one module a subject.

mod check;
mod checkpoints;
mod generate;
mod helpers;
mod hub;
mod inside;
mod kernel;
mod lessons;
mod mirror;
mod parity;
mod repl;
mod safety;
mod scripts;
mod structure;
mod tokens;
