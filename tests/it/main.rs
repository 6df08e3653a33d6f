//! Everything that is tested through the library's public face; one module a subject.

mod hub;
mod mirror;
