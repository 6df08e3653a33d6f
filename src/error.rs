//! What can go wrong, said so that the reader knows what to do next.
//!
//! Every message names the fact, the value and the bound; [`Error::hint`] says what to try.

mod hint;

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

    /// Two texts that must be compared position by position.
    #[error("the clean text has {clean} tokens, but the corrupted one {corrupted}")]
    UnequalLengths { clean: usize, corrupted: usize },

    /// Predictions that are not over the same tokens.
    #[error("the first prediction is over {a} tokens, but the second over {b}")]
    UnequalVocabularies { a: usize, b: usize },

    /// More than can be read on one page.
    #[error("the text has {tokens} tokens, but a report holds at most {limit}")]
    ReportTooLong { tokens: usize, limit: usize },

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

    #[error("`{}` lies outside the folders that may be read", path.display())]
    NotAllowedToRead { path: PathBuf },

    /// A model that a script names by its path.
    #[error("the model `{}` lies outside the folders that may be read", path.display())]
    NotAllowedToLoad { path: PathBuf },

    #[error("`{}` is no file", path.display())]
    NoFile { path: PathBuf },

    #[error("`{}` has {bytes} bytes, but at most {limit} are read", path.display())]
    FileTooLarge { path: PathBuf, bytes: u64, limit: u64 },

    #[error("`{}` is no text in UTF-8: byte {at} belongs to no character", path.display())]
    NoText { path: PathBuf, at: usize },

    /// The heap beside models.
    #[error("the values take {}, but may take at most {}", amount(*taken), amount(*limit))]
    TooMuchMemory { taken: usize, limit: usize },

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

    /// A device that this program was built without.
    #[error("this program was built without `--device {device}`")]
    DeviceNotBuiltIn { device: &'static str },

    /// A device that the system does not have, or does not let us use.
    #[error("`--device {device}` cannot be used here: {reason}")]
    NoSuchDevice { device: &'static str, reason: String },

    /// The system has no room for the copy of a weight, rounded.
    #[error("the system gives no memory for another {} of weights: {source}", amount(*bytes))]
    NoRoomForWeights { bytes: usize, source: std::io::Error },

    /// Products of whole numbers are made by the loops for the CPU alone.
    #[error("`--precision int8` computes on the CPU, not on `--device {device}`")]
    Int8OnDevice { device: &'static str },

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

    /// A path that leads to no file.
    #[error("there is no file `{}`", path.display())]
    NoSuchFile { path: PathBuf },

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

    /// The user's own `config.toml`.
    #[error("cannot use `{}`: {reason}", path.display())]
    BrokenSettings { path: PathBuf, reason: String, hint: Option<String> },

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

    #[error("the kernel `{name}` in `{}` is another program's", folder.display())]
    ForeignKernel { name: String, folder: PathBuf },

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

/// `4.2 GB`, `20 MB`
fn amount(bytes: usize) -> String {
    match bytes as f64 {
        bytes if bytes < 1e8 => format!("{:.0} MB", bytes / 1e6),
        bytes => format!("{:.1} GB", bytes / 1e9),
    }
}
