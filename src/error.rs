//! What can go wrong, said so that the reader knows what to do next.
//!
//! Every message names the fact, the value and the bound; [`Error::hint`] says what to try.

use std::path::PathBuf;


/// The result of everything in tokenscope that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Lower case, no final full stop, backticks around what is typed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Ctrl-C, or a front end's own way of stopping.
    #[error("interrupted")]
    Interrupted,

    /// An id that no token has.
    #[error("id {id} is outside the vocabulary of {size} tokens")]
    IdOutsideVocabulary { id: i64, size: usize },

    /// Nothing to predict from.
    #[error("the prompt is empty")]
    EmptyPrompt,

    /// More tokens than the model has positions.
    #[error("the text has {tokens} tokens, but the model reads at most {limit}")]
    PromptTooLong { tokens: usize, limit: usize },

    /// A row of logits that cannot be made into probabilities.
    #[error("the logit of id {id} is {logit}")]
    BadLogit { id: usize, logit: f32 },

    /// All tokens were excluded.
    #[error("none of {size} tokens is left to choose from")]
    NoTokenLeft { size: usize },

    #[error("cannot use the tokenizer `{}`: {reason}", path.display())]
    BrokenTokenizer { path: PathBuf, reason: String },

    #[error("the tokenizer has {tokens} tokens, but the model only {rows}")]
    ForeignTokenizer { tokens: usize, rows: usize },

    #[error("cannot use `{}`: {reason}", path.display())]
    BrokenConfig { path: PathBuf, reason: String },

    #[error("`{}` describes a `{model_type}` model, not a `gpt2` one", path.display())]
    NotGpt2 { path: PathBuf, model_type: String },

    #[error("`{}` is no safetensors file: {reason}", path.display())]
    BrokenWeights { path: PathBuf, reason: String },

    #[error("`{}` has no tensor `{tensor}`", path.display())]
    MissingTensor { tensor: String, path: PathBuf },

    #[error("`{tensor}` in `{}` has the shape {found:?}, but must have {expected:?}", path.display())]
    WrongShape { tensor: String, found: Vec<usize>, expected: Vec<usize>, path: PathBuf },

    #[error("`{tensor}` in `{}` holds {dtype}, but must hold F32, F16 or BF16", path.display())]
    UnsupportedDtype { tensor: String, dtype: String, path: PathBuf },

    /// From the tensor library; what is known to go wrong has an error of its own.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),

    /// A file or folder that could not be read or written.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
}

impl Error {
    /// What to do about it, where there is something to say.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::IdOutsideVocabulary { size, .. } => format!("ids run from 0 to {}", size - 1),
            Error::EmptyPrompt => {
                "`\"<|endoftext|>\"` stands for the start of a text".to_owned()
            }
            Error::PromptTooLong { limit, .. } => {
                format!("`tokenize(text).slice(-{limit})` keeps the last {limit}")
            }
            Error::BadLogit { .. } => "the model's weights may be damaged".to_owned(),
            Error::ForeignTokenizer { .. } => "are both from the same model?".to_owned(),
            Error::NotGpt2 { .. } => "`tokenscope models` lists models that work".to_owned(),
            Error::BrokenWeights { .. } => "the file may be incomplete: delete it and fetch it again".to_owned(),
            Error::MissingTensor { .. } | Error::WrongShape { .. } => {
                "`config.json` and the weights must belong to the same GPT-2 model".to_owned()
            }
            _ => return None,
        };
        Some(hint)
    }

    /// For `map_err` after an operation on `path`: `Error::io("read", &path)`.
    pub fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { action, path, source }
    }
}
