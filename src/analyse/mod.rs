//! What can be asked about a text and a model: one question a file, each a pure function, its result, its table and
//! its chart.

pub mod ablation;
pub mod attention;
pub mod attribution;
pub mod comparison;
pub mod contributions;
pub mod embeddings;
pub mod lens;
pub mod measure;
pub mod neighbours;
pub mod next_token;
pub mod patching;
pub mod perplexity;
pub mod report;
pub mod samples;
pub mod stepper;
pub mod steps;
pub mod surprisal;
pub mod tokenization;
pub mod tree;
pub mod xray;
