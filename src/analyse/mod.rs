//! What can be asked about a text and a model: one question a file, each a pure function, its result, its table and
//! its chart.

pub mod next_token;
pub mod tokenization;
