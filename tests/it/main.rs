//! What tokenscope promises, one module a subject.

mod generate;
mod hub;
mod mirror;
mod parity;
mod structure;
