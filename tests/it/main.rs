//! What tokenscope promises, one module a subject.

mod causes;
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
mod reference;
mod repl;
mod safety;
mod screen;
mod scripts;
mod settings;
mod structure;
mod tokens;
