//! Which files in a folder make a model.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{Error, Result};

pub(super) const CONFIG: &str = "config.json";
pub(super) const WEIGHTS: &str = "model.safetensors";
pub(super) const WEIGHTS_INDEX: &str = "model.safetensors.index.json";
pub(super) const PYTORCH_WEIGHTS: &str = "pytorch_model.bin";
pub(super) const TOKENIZER: &str = "tokenizer.json";
pub(super) const VOCABULARY: &str = "vocab.json";
pub(super) const MERGES: &str = "merges.txt";

/// A model's files on this machine; all of them exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFiles {
    /// As it was called.
    pub name: String,
    /// The folder that holds all of them.
    pub folder: PathBuf,
    /// The commit they are of, if they came from a hub.
    pub commit: Option<String>,
    pub config: PathBuf,
    /// One file, or the shards in the order of their names.
    pub weights: Vec<PathBuf>,
    pub tokenizer: TokenizerFiles,
}

/// The two ways in which GPT-2's tokenizer is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenizerFiles {
    Json(PathBuf),
    VocabAndMerges { vocab: PathBuf, merges: PathBuf },
}

impl ModelFiles {
    /// Every file, the tokenizer's last.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        let tokenizer = match &self.tokenizer {
            TokenizerFiles::Json(path) => vec![path.as_path()],
            TokenizerFiles::VocabAndMerges { vocab, merges } => vec![vocab.as_path(), merges.as_path()],
        };
        std::iter::once(self.config.as_path())
            .chain(self.weights.iter().map(PathBuf::as_path))
            .chain(tokenizer)
    }
}

/// Finds a model's files in `folder`. The weights are not opened.
///
/// # Errors
/// [`Error::MissingModelFile`], [`Error::OnlyPytorchWeights`], [`Error::NotGpt2`], [`Error::Damaged`].
pub(super) fn find(name: &str, folder: &Path, commit: Option<&str>) -> Result<ModelFiles> {
    let place = folder.display().to_string();
    let config = existing(folder, CONFIG).ok_or_else(|| missing_config(&place))?;
    check_architecture(&config, &place)?;
    Ok(ModelFiles {
        name: name.to_owned(),
        weights: find_weights(folder, &place)?,
        tokenizer: find_tokenizer(folder).ok_or_else(|| missing_tokenizer(&place))?,
        folder: folder.to_owned(),
        commit: commit.map(str::to_owned),
        config,
    })
}

fn find_weights(folder: &Path, place: &str) -> Result<Vec<PathBuf>> {
    if let Some(whole) = existing(folder, WEIGHTS) {
        return Ok(vec![whole]);
    }
    let Some(index) = existing(folder, WEIGHTS_INDEX) else {
        return Err(match existing(folder, PYTORCH_WEIGHTS) {
            Some(_) => Error::OnlyPytorchWeights { place: place.to_owned() },
            None => missing_weights(place),
        });
    };
    let shard = |name: String| {
        existing(folder, &name).ok_or_else(|| Error::Damaged {
            file: index.display().to_string(),
            reason: format!("it names `{name}`, which is not there"),
        })
    };
    shards(&index)?.into_iter().map(shard).collect()
}

fn find_tokenizer(folder: &Path) -> Option<TokenizerFiles> {
    existing(folder, TOKENIZER).map(TokenizerFiles::Json).or_else(|| {
        let (vocab, merges) = (existing(folder, VOCABULARY)?, existing(folder, MERGES)?);
        Some(TokenizerFiles::VocabAndMerges { vocab, merges })
    })
}

fn existing(folder: &Path, file: &str) -> Option<PathBuf> {
    Some(folder.join(file)).filter(|path| path.is_file())
}

#[derive(Deserialize)]
struct Index {
    weight_map: std::collections::BTreeMap<String, String>,
}

/// The names of the shards that an index lists, each once, in order.
pub(super) fn shards(index: &Path) -> Result<Vec<String>> {
    let damaged = |reason: String| Error::Damaged { file: index.display().to_string(), reason };
    let text = std::fs::read(index).map_err(Error::io("read", index))?;
    let parsed: Index = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
    let names: BTreeSet<String> = parsed.weight_map.into_values().collect();
    // A repository is somebody else's: its index must not reach outside its own folder.
    if let Some(name) = names.iter().find(|name| !is_file_name(name)) {
        return Err(damaged(format!("`{name}` is no name for a shard")));
    }
    if names.is_empty() {
        return Err(damaged("it names no shard".to_owned()));
    }
    Ok(names.into_iter().collect())
}

/// One part of a path, and not a hidden one.
pub(super) fn is_file_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// A model of another kind is refused before gigabytes of it are downloaded.
pub(super) fn check_architecture(config: &Path, place: &str) -> Result<()> {
    #[derive(Deserialize)]
    struct Kind {
        model_type: Option<String>,
    }
    let text = std::fs::read(config).map_err(Error::io("read", config))?;
    let kind: Kind = serde_json::from_slice(&text)
        .map_err(|error| Error::Damaged { file: config.display().to_string(), reason: error.to_string() })?;
    match kind.model_type {
        Some(found) if found != "gpt2" => Err(Error::NotGpt2 { place: place.to_owned(), found }),
        _ => Ok(()),
    }
}

pub(super) fn missing_config(place: &str) -> Error {
    missing(place, "configuration", "`config.json`")
}

pub(super) fn missing_weights(place: &str) -> Error {
    missing(place, "weights", "`model.safetensors`, `model.safetensors.index.json`")
}

pub(super) fn missing_tokenizer(place: &str) -> Error {
    missing(place, "tokenizer", "`tokenizer.json`, or `vocab.json` with `merges.txt`")
}

fn missing(place: &str, what: &'static str, looked_for: &'static str) -> Error {
    Error::MissingModelFile { place: place.to_owned(), what, looked_for }
}
