//! What tokenscope promises, one module a subject.

mod causes;
mod check;
mod checkpoints;
mod generate;
mod gguf;
mod helpers;
mod hub;
mod inside;
mod interrupts;
mod kernel;
mod lessons;
mod mirror;
mod parity;
mod precision;
mod reference;
mod repl;
mod safety;
mod screen;
mod scripts;
mod settings;
mod structure;
mod terminals;
mod tokens;
