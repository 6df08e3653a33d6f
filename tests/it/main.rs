//! What tokenscope promises, one module a subject.

mod check;
mod checkpoints;
mod helpers;
mod generate;
mod hub;
mod lessons;
mod mirror;
mod parity;
mod scripts;
mod repl;
mod structure;
mod tokens;
