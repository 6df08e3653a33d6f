//! What can go wrong, said so that the reader knows what to do next.
//!
//! Every message names the fact, the value and the bound; [`Error::hint`] says what to try.

use std::path::PathBuf;

use crate::suggest::did_you_mean;


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

    #[error("the index is {index}, but there are {length} tokens")]
    IndexOutOfRange { index: i64, length: usize },

    /// A text where a single token is needed.
    #[error("`{text}` is {tokens} tokens, but must be one")]
    NotOneToken { text: String, tokens: usize },

    #[error("nothing is known about `{name}`")]
    NoSuchHelp { name: String, known: Vec<String> },

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

    /// An option that is not there.
    #[error("unknown option `{name}`")]
    UnknownOption { name: String, known: Vec<&'static str> },

    #[error("`{name}` is {value}, but must be {bound}")]
    OptionOutOfRange { name: &'static str, value: String, bound: String },

    #[error("`{name}` is {value}, but must be {kind}")]
    OptionOfWrongKind { name: &'static str, value: String, kind: &'static str },

    /// An argument of a binding that it can do nothing with.
    #[error("`{function}` takes {expected}, not {found}")]
    WrongArgument { function: &'static str, expected: &'static str, found: String },

    #[error("cannot save {what} as `{name}`")]
    WrongFormat { what: &'static str, name: String, formats: &'static str },

    #[error("`{name}` lies outside the output folder")]
    OutsideOutputFolder { name: String },

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
            Error::IndexOutOfRange { .. } => "positions count from 0, or from the end: -1 is the last".to_owned(),
            Error::NotOneToken { .. } => {
                "most words are one token only with the space before them; `tokenize` shows how it splits".to_owned()
            }
            Error::NoSuchHelp { name, known } => did_you_mean(name, known.iter().map(String::as_str))
                .unwrap_or_else(|| "`help()` lists what there is".to_owned()),
            Error::EmptyPrompt => {
                "`\"<|endoftext|>\"` stands for the start of a text".to_owned()
            }
            Error::PromptTooLong { limit, .. } => {
                format!("`tokenize(text).slice(-{limit})` keeps the last {limit}")
            }
            Error::BadLogit { .. } => "the model's weights may be damaged".to_owned(),
            Error::UnknownOption { name, known } => {
                let all = format!("the options are {}", code_list(known));
                did_you_mean(name, known.iter().copied()).map_or(all.clone(), |near| format!("{near} {all}"))
            }
            Error::OptionOutOfRange { name: "temperature", .. } => {
                "near 0 only the likeliest token is left: without sampling options it is always taken".to_owned()
            }
            Error::OptionOutOfRange { name: "top_p", .. } => {
                "1 keeps every token; 0.9 keeps the likeliest tokens that make up 90 %".to_owned()
            }
            Error::WrongFormat { formats, .. } => format!("the name may end in {formats}"),
            Error::OutsideOutputFolder { .. } => "give a plain file name; `--out DIR` chooses the folder".to_owned(),
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

/// `a`, `b`, `c`
fn code_list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
