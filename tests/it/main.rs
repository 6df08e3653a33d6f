//! What tokenscope promises, one module a subject.

mod hub;
mod kernel;
mod mirror;
mod parity;
mod structure;
