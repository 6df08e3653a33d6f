//! What can be asked about a text and a model: one question a file, each a pure function, its result, its table and
//! its chart.

pub mod next_token;
pub mod samples;
pub mod stepper;
pub mod steps;
pub mod tokenization;
pub mod tree;
pub mod xray;
