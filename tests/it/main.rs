//! What tokenscope promises, one module a subject.

mod hub;
mod inside;
mod mirror;
mod parity;
mod structure;
