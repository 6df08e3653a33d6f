//! What tokenscope promises, one module a subject.

mod hub;
mod mirror;
mod parity;
mod repl;
mod structure;
