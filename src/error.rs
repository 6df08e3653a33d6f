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

    /// A file or folder that could not be read or written.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },

    /// A name that is neither built in, known, `owner/name`, nor a folder.
    #[error("unknown model `{name}`")]
    UnknownModel {
        name: String,
        /// "did you mean `…`?", if some known name is near.
        suggestion: Option<String>,
    },

    /// A name that looks like a model's but cannot be one.
    #[error("`{name}` cannot be a model's name: {reason}")]
    BadModelName { name: String, reason: String },

    /// A path that leads to no folder.
    #[error("there is no folder `{}`", path.display())]
    NoSuchFolder { path: PathBuf },

    /// A folder or repository that holds only a part of a model.
    #[error("`{place}` has no {what} (looked for {looked_for})")]
    MissingModelFile {
        place: String,
        what: &'static str,
        /// The file names, each in backticks.
        looked_for: &'static str,
    },

    /// Weights in Python's pickle format, which can run code when read.
    #[error("`{place}` has only `pytorch_model.bin`, but weights are read from safetensors files")]
    OnlyPytorchWeights { place: String },

    /// A model of another kind.
    #[error("`{place}` is a `{found}` model, but only `gpt2` models can be read")]
    NotGpt2 { place: String, found: String },

    /// An environment variable with a value that means nothing.
    #[error("`{variable}` is `{value}`, but {bound}")]
    BadSetting { variable: &'static str, value: String, bound: String },

    /// Offline, and the cache lacks the model or a part of it.
    #[error("the cache `{}` holds no whole `{name}`, and offline mode allows no download", cache.display())]
    NotCached { name: String, cache: PathBuf },

    /// 404: the hub knows no such repository or revision.
    #[error("{endpoint} has no model `{repository}` at revision `{revision}`")]
    NotOnHub { endpoint: String, repository: String, revision: String, with_token: bool },

    /// 401 or 403: the hub will not hand the model out.
    #[error("{endpoint} refused `{repository}` (HTTP {status})")]
    Refused { endpoint: String, repository: String, status: u16, with_token: bool },

    /// 429, 5xx, or another status that is not an answer.
    #[error("{endpoint} could not deliver `{file}` (HTTP {status})")]
    ServerTrouble { endpoint: String, file: String, status: u16 },

    /// No connection at all.
    #[error("cannot reach {endpoint}: {reason}")]
    Unreachable { endpoint: String, reason: String },

    /// A connection that ended before the file did.
    #[error("the connection was cut while downloading `{file}`: {received} of {expected} bytes arrived")]
    Cut { file: String, received: u64, expected: u64 },

    /// A connection on which nothing arrives any more.
    #[error("the download of `{file}` stalled: nothing arrived for {seconds} s")]
    Stalled { file: String, seconds: f64 },

    /// A downloaded or local file that cannot be whole.
    #[error("`{file}` is damaged: {reason}")]
    Damaged { file: String, reason: String },

    /// An answer that does not follow the hub's protocol.
    #[error("{endpoint} does not answer like a model hub: {reason}")]
    NotAHub { endpoint: String, reason: String },

    /// The repository got a new commit between two of its files.
    #[error("`{repository}` changed on the hub while it was being downloaded")]
    ChangedMeanwhile { repository: String },
}

impl Error {
    /// What to do about it, where there is something to say.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Interrupted | Error::Io { .. } => None,
            Error::UnknownModel { suggestion, .. } => Some(match suggestion {
                Some(suggestion) => {
                    format!("{suggestion} `tokenscope models` lists the names; a folder works too")
                }
                None => "`tokenscope models` lists the names; a folder or `owner/name` works too".into(),
            }),
            Error::BadModelName { .. } => {
                Some("a model is a known name, `owner/name`, either with `@revision`, or a folder".into())
            }
            Error::NoSuchFolder { .. } => {
                Some("the folder must hold `config.json`, `model.safetensors` and `tokenizer.json`".into())
            }
            Error::MissingModelFile { .. } => Some(
                "a model is `config.json`, weights as safetensors, and `tokenizer.json` \
                 or `vocab.json` with `merges.txt`"
                    .into(),
            ),
            Error::OnlyPytorchWeights { .. } => Some(
                "in Python, `from_pretrained(…).save_pretrained(folder)` writes safetensors; \
                 then name that folder"
                    .into(),
            ),
            Error::NotGpt2 { .. } => Some("`tokenscope models` lists some that can".into()),
            Error::BadSetting { variable, .. } => Some(format!("correct or unset `{variable}`")),
            Error::NotCached { .. } => Some(
                "unset `HF_HUB_OFFLINE` to download it once; `pocket` is built in and needs no network"
                    .into(),
            ),
            Error::NotOnHub { with_token: false, .. } => {
                Some("check the name; if the model is private, set `HF_TOKEN`".into())
            }
            Error::NotOnHub { with_token: true, .. } => {
                Some("check the name, and that your token may see the model if it is private".into())
            }
            Error::Refused { with_token: false, .. } => {
                Some("the name may be wrong, or the model private or gated: for those set `HF_TOKEN`".into())
            }
            Error::Refused { endpoint, repository, with_token: true, .. } => Some(format!(
                "check `HF_TOKEN`; a gated model's terms are accepted at {endpoint}/{repository}"
            )),
            Error::ServerTrouble { status: 429, .. } => {
                Some("the server limits how often it is asked: wait some minutes and try again".into())
            }
            Error::ServerTrouble { status: 500.., .. } => {
                Some("the trouble is the server's: try again later".into())
            }
            Error::ServerTrouble { .. } => None,
            Error::Unreachable { .. } => {
                Some("is there a connection? `pocket` is built in and needs none".into())
            }
            Error::Cut { .. } | Error::Stalled { .. } => {
                Some("try again: the download continues where it stopped".into())
            }
            Error::Damaged { .. } => Some("fetch the file again: a damaged download is not kept".into()),
            Error::NotAHub { .. } => Some("check `HF_ENDPOINT`; a login page may also be in the way".into()),
            Error::ChangedMeanwhile { .. } => Some("try again to get the new version".into()),
        }
    }

    /// For `map_err` after an operation on `path`: `Error::io("read", &path)`.
    pub fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { action, path, source }
    }
}
