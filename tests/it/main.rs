//! What tokenscope promises, one module a subject.

mod parity;
