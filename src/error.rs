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

    /// A chart that has nothing to show.
    #[error("the chart `{title}` has no bars, but needs at least 1")]
    ChartEmpty { title: String },

    /// A chart with more rows than a picture can hold.
    #[error("the chart `{title}` has {count} bars, but at most {limit} fit a picture")]
    ChartCrowded { title: String, count: usize, limit: usize },

    /// A bar whose length is no share of anything.
    #[error("the bar `{label}` is {value}, but must be at least 0 and at most 1")]
    ChartValue { label: String, value: f64 },

    /// A size at which no picture can be drawn.
    #[error("`scale` is {scale}, but must be at least {least} and at most {most}")]
    ChartScale { scale: f64, least: f64, most: f64 },

    /// The drawing library refused.
    #[error("cannot draw the chart: {reason}")]
    Drawing { reason: String },
}

impl Error {
    /// What to do about it, where there is something to say.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::ChartEmpty { .. } => Some("give it one bar for each token to show".into()),
            Error::ChartCrowded { limit, .. } => {
                Some(format!("show only the likeliest, at most {limit}; a table holds any number"))
            }
            Error::ChartValue { .. } => Some("a bar shows a probability: 0.25 is 25 %".into()),
            Error::ChartScale { .. } => Some("1 is 800 pixels wide, 2 is 1600".into()),
            Error::Interrupted | Error::Io { .. } | Error::Drawing { .. } => None,
        }
    }

    /// For `map_err` after an operation on `path`: `Error::io("read", &path)`.
    pub fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { action, path, source }
    }
}
