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

    /// A row that does not fit its table.
    #[error("row {index} is {found}, but must be an array of {columns} values")]
    BadRow { index: usize, columns: usize, found: String },

    /// A text where a single token is needed.
    #[error("`{text}` is {tokens} tokens, but must be one")]
    NotOneToken { text: String, tokens: usize },

    #[error("nothing is known about `{name}`")]
    NoSuchHelp { name: String, known: Vec<String> },

    /// A `:command` that the REPL does not know.
    #[error("unknown command `:{name}`")]
    UnknownCommand { name: String, known: Vec<&'static str> },

    /// A `:command` without what it needs, or with what it does not take.
    #[error("`:{command}` {what}")]
    BadCommand { command: &'static str, what: String },

    /// Nothing to predict from.
    #[error("the prompt is empty")]
    EmptyPrompt,

    /// A text of which nothing can be predicted.
    #[error("the text has {tokens} token, but at least 2 must be read to predict one")]
    NothingPredicted { tokens: usize },

    #[error("the vocabulary has no `<|endoftext|>` to begin with")]
    NoEndOfText,

    /// A layer, head or position that is not there.
    #[error("`{what}` is {index}, but there are {count}")]
    NoSuchPart { what: &'static str, index: i64, count: usize },

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

    /// An option that says nothing by itself.
    #[error("`{name}` is given, but needs `{other}`")]
    OptionNeedsOther { name: &'static str, other: &'static str },

    /// Options that contradict each other.
    #[error("`{name}` and `{other}` cannot go together: {reason}")]
    OptionsClash { name: &'static str, other: &'static str, reason: &'static str },

    /// A step that is not there.
    #[error("there is no {what}")]
    NothingThere { what: String },

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

    /// A Jupyter client's file that says nothing usable.
    #[error("cannot use the connection file `{}`: {reason}", path.display())]
    BrokenConnection { path: PathBuf, reason: String },

    #[error("cannot listen on {address}: {source}")]
    CannotListen { address: String, source: std::io::Error },

    #[error("`{}` would be overwritten by itself", path.display())]
    WouldOverwrite { path: PathBuf },

    #[error("`{}` is no notebook: {reason}", path.display())]
    BrokenNotebook { path: PathBuf, reason: String },

    #[error("`{}` is no notebook, so it cannot keep what its cells give", path.display())]
    NotInPlace { path: PathBuf },

    #[error("cannot ask for input: {reason}")]
    CannotAsk { reason: &'static str },

    #[error("`{name}` cannot be a kernel's name")]
    BadKernelName { name: String },

    #[error("there is no kernel `{name}` in `{}`", folder.display())]
    NoSuchKernel { name: String, folder: PathBuf },

    /// Neither a Python environment nor a home to install a kernel in.
    #[error("no environment is active to install the kernel in")]
    NoEnvironment,

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

    /// No facts to hold a model against.
    #[error(
        "nothing that was published can be compared with `{name}` ({layers} layers, width {width}, {heads} heads)"
    )]
    NothingPublished { name: String, layers: usize, width: usize, heads: usize },

    /// A model that is not, or does not compute as, the published one.
    #[error("{differing} of {compared} facts differ from what was published")]
    PublishedDiffers { differing: usize, compared: usize },

    /// A chart that has nothing to show.
    #[error("the chart `{title}` has no bars, but needs at least 1")]
    ChartEmpty { title: String },

    /// A chart with more rows than a picture can hold.
    #[error("the chart `{title}` has {count} bars, but at most {limit} fit a picture")]
    ChartCrowded { title: String, count: usize, limit: usize },

    /// A bar whose length is no share of anything.
    #[error("the bar `{label}` is {value}, but must be at least 0 and at most 1")]
    ChartValue { label: String, value: f64 },

    /// A heat map without cells, or with more than a picture can hold.
    #[error("the heat map `{title}` is {rows} × {columns} cells, but must be 1 to {limit} each way")]
    HeatMapSize { title: String, rows: usize, columns: usize, limit: usize },

    /// A quantity that no length or colour stands for.
    #[error("a value of the chart `{title}` is {value}, but must be finite")]
    ChartNotFinite { title: String, value: f64 },

    /// A size at which no picture can be drawn.
    #[error("`scale` is {scale}, but must be at least {least} and at most {most}")]
    ChartScale { scale: f64, least: f64, most: f64 },

    /// The drawing library refused.
    #[error("cannot draw the chart: {reason}")]
    Drawing { reason: String },

    /// A file or folder that could not be read or written.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
}

impl Error {
    /// What to do about it, where there is something to say.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::IdOutsideVocabulary { size, .. } => format!("ids run from 0 to {}", size - 1),
            Error::IndexOutOfRange { .. } => {
                "positions count from 0, or from the end: -1 is the last".to_owned()
            }
            Error::NothingPredicted { .. } => {
                "with `#{ start: true }` the text is read after `<|endoftext|>`".to_owned()
            }
            Error::NoSuchPart { what, count, .. } => {
                format!("each {what} has a number from 0 to {}", count.saturating_sub(1))
            }
            Error::NotOneToken { .. } => {
                "most words are one token only with the space before them; `tokenize` shows how it splits"
                    .to_owned()
            }
            Error::NoSuchHelp { name, known } => did_you_mean(name, known.iter().map(String::as_str))
                .unwrap_or_else(|| "`help()` lists what there is".to_owned()),
            Error::UnknownCommand { name, known } => did_you_mean(name, known.iter().copied())
                .map_or("`:help` lists the commands".to_owned(), |near| near.replacen('`', "`:", 1)),
            Error::BadCommand { command, .. } => format!("`:help {command}` says how it is used"),
            Error::EmptyPrompt => "`\"<|endoftext|>\"` stands for the start of a text".to_owned(),
            Error::PromptTooLong { limit, .. } => {
                format!("`tokenize(text).slice(-{limit})` keeps the last {limit}")
            }
            Error::BadLogit { .. } => {
                "the model's weights may be damaged: delete its files and fetch them again".to_owned()
            }
            Error::UnknownOption { name, known } => {
                let all = format!("the options are {}", code_list(known));
                did_you_mean(name, known.iter().copied()).map_or(all.clone(), |near| format!("{near} {all}"))
            }
            Error::OptionOutOfRange { name: "temperature", .. } => {
                "near 0 only the likeliest token is left: without sampling options it is always taken"
                    .to_owned()
            }
            Error::OptionOutOfRange { name: "top_p", .. } => {
                "1 keeps every token; 0.9 keeps the likeliest tokens that make up 90 %".to_owned()
            }
            Error::WrongArgument { function: "+", .. } => {
                "`tokens.text + \"…\"` is a longer text, `tokens + tokenize(\"…\")` longer tokens".to_owned()
            }
            Error::OptionNeedsOther { name, other } => format!("add `{other}`, or leave `{name}` out"),
            Error::OptionsClash { name, other, .. } => format!("leave `{name}` or `{other}` out"),
            Error::WrongFormat { formats, .. } => format!("the name may end in {formats}"),
            Error::OutsideOutputFolder { .. } => {
                "give a plain file name; `--out DIR` chooses the folder".to_owned()
            }
            Error::ForeignTokenizer { .. } => "are both from the same model?".to_owned(),
            Error::BrokenTokenizer { .. } => {
                "fetch the file again; a GPT-2 tokenizer is `tokenizer.json`, or `vocab.json` with `merges.txt`"
                    .to_owned()
            }
            Error::BrokenConfig { .. } => {
                "it must be the `config.json` of a GPT-2 model: correct the value, or fetch the file again".to_owned()
            }
            Error::UnsupportedDtype { .. } => {
                "in Python, `from_pretrained(…).float().save_pretrained(folder)` writes F32".to_owned()
            }
            Error::BrokenWeights { .. } => {
                "the file may be incomplete: delete it and fetch it again".to_owned()
            }
            Error::MissingTensor { .. } | Error::WrongShape { .. } => {
                "`config.json` and the weights must belong to the same GPT-2 model".to_owned()
            }
            Error::UnknownModel { suggestion, .. } => match suggestion {
                Some(suggestion) => {
                    format!("{suggestion} `tokenscope models` lists the names; a folder works too")
                }
                None => "`tokenscope models` lists the names; a folder or `owner/name` works too".into(),
            },
            Error::BadModelName { .. } => {
                "a model is a known name, `owner/name`, either with `@revision`, or a folder".into()
            }
            Error::NoSuchFolder { .. } => {
                "the folder must hold `config.json`, `model.safetensors` and `tokenizer.json`".into()
            }
            Error::MissingModelFile { .. } => {
                "a model is `config.json`, weights as safetensors, and `tokenizer.json` \
                 or `vocab.json` with `merges.txt`"
                    .into()
            }
            Error::OnlyPytorchWeights { .. } => {
                "in Python, `from_pretrained(…).save_pretrained(folder)` writes safetensors; \
                 then name that folder"
                    .into()
            }
            Error::NotGpt2 { .. } => "`tokenscope models` lists some that can".into(),
            Error::BadSetting { variable, .. } => format!("correct or unset `{variable}`"),
            Error::NotCached { .. } => {
                "unset `HF_HUB_OFFLINE` to download it once; `pocket` is built in and needs no network".into()
            }
            Error::NotOnHub { with_token: false, .. } => {
                "check the name; if the model is private, set `HF_TOKEN`".into()
            }
            Error::NotOnHub { with_token: true, .. } => {
                "check the name, and that your token may see the model if it is private".into()
            }
            Error::Refused { with_token: false, .. } => {
                "the name may be wrong, or the model private or gated: for those set `HF_TOKEN`".into()
            }
            Error::Refused { endpoint, repository, with_token: true, .. } => {
                format!("check `HF_TOKEN`; a gated model's terms are accepted at {endpoint}/{repository}")
            }
            Error::ServerTrouble { status: 429, .. } => {
                "the server limits how often it is asked: wait some minutes and try again".into()
            }
            Error::ServerTrouble { status: 500.., .. } => {
                "the trouble is the server's: try again later".into()
            }
            Error::Unreachable { .. } => "is there a connection? `pocket` is built in and needs none".into(),
            Error::Cut { .. } | Error::Stalled { .. } => {
                "try again: the download continues where it stopped".into()
            }
            Error::Damaged { .. } => "fetch the file again: a damaged download is not kept".into(),
            Error::NotAHub { .. } => "check `HF_ENDPOINT`; a login page may also be in the way".into(),
            Error::ChangedMeanwhile { .. } => "try again to get the new version".into(),
            Error::NothingPublished { .. } => {
                "the outputs of `gpt2` and `distilgpt2` are known: `tokenscope check --model gpt2`, or name a folder \
                 that holds them"
                    .into()
            }
            Error::PublishedDiffers { .. } => {
                "are these the published weights? a model that was trained further answers otherwise".into()
            }
            Error::WouldOverwrite { .. } => "name another folder with `--out DIR`".into(),
            Error::NotInPlace { .. } => "`tokenscope export FILE --to ipynb` makes one of a script".into(),
            Error::CannotAsk { .. } => {
                "run it where somebody can type: the REPL, `tokenscope run` in a terminal, or a notebook".into()
            }
            Error::BadKernelName { .. } => "use letters, digits, `.`, `_` and `-`".into(),
            Error::NoSuchKernel { .. } => "`jupyter kernelspec list` shows which there are, and where".into(),
            Error::NoEnvironment => {
                "activate one, or say where with `--prefix DIR`; `--user` installs for you alone".into()
            }
            Error::ChartEmpty { .. } => "give it one bar for each token to show".into(),
            Error::ChartCrowded { limit, .. } => {
                format!("show only the likeliest, at most {limit}; a table holds any number")
            }
            Error::ChartValue { .. } => "a bar shows a probability: 0.25 is 25 %".into(),
            Error::HeatMapSize { .. } => "`tokenize(text).slice(0, 60)` is a part of a text".into(),
            Error::ChartScale { .. } => "1 is 800 pixels wide, 2 is 1600".into(),
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
pub fn code_list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
