//! Which models there are: those with a name of their own, and whatever else the cache holds.

use std::path::{Path, PathBuf};

use super::cache::{self, CachedRepository};
use super::files::ModelFiles;
use super::header;
use super::known::{self, KNOWN_MODELS, KnownModel, Name};
use crate::error::Result;

/// One row of `tokenscope models`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedModel {
    /// What to call it by.
    pub name: String,
    /// How many numbers it learnt, where that can be told.
    pub parameters: Option<u64>,
    pub description: String,
    pub place: Place,
    /// What its files take on disk, or in this program; 0 for what is not here.
    pub bytes: u64,
}

/// Where a model is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    BuiltIn,
    /// The folder with its files.
    Here(PathBuf),
    /// It would have to be downloaded.
    NotHere,
}

/// The weights of the built-in model.
const BUILT_IN_BYTES: u64 = include_bytes!("../../assets/pocket/model.safetensors").len() as u64;

/// The known models in their order, then the cache's others by name. Nothing is fetched.
pub(super) fn list(cache: &Path) -> Result<Vec<ListedModel>> {
    let known = KNOWN_MODELS.iter().map(|known| listed_known(cache, known));
    let mut others: Vec<ListedModel> =
        repositories(cache).iter().flat_map(|repository| listed_revisions(cache, repository)).collect();
    others.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(known.chain(others).collect())
}

fn listed_known(cache: &Path, known: &KnownModel) -> ListedModel {
    let files = match known::parse(known.name, None) {
        Ok(Name::Repository(name)) => cache::look_up(cache, &name).and_then(Result::ok),
        _ => None,
    };
    ListedModel {
        name: known.name.to_owned(),
        parameters: Some(known.parameters),
        description: known.what_it_is(),
        bytes: match known.repository {
            None => BUILT_IN_BYTES,
            Some(_) => files.as_ref().map_or(0, bytes),
        },
        place: match (known.repository, files) {
            (None, _) => Place::BuiltIn,
            (Some(_), Some(files)) => Place::Here(files.folder),
            (Some(_), None) => Place::NotHere,
        },
    }
}

/// The `owner/name` of every repository in the cache.
fn repositories(cache: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(cache) else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|folder| Some(folder.strip_prefix("models--")?.replacen("--", "/", 1)))
        .filter(|repository| repository.contains('/'))
        .collect()
}

/// One row for each revision of `repository` that is here as a whole, without the ones listed by a known name.
fn listed_revisions(cache: &Path, repository: &str) -> Vec<ListedModel> {
    let is_known = KNOWN_MODELS.iter().any(|known| known.repository == Some(repository));
    let revisions = CachedRepository::new(cache, repository, "main").revisions();
    let rows =
        revisions.into_iter().filter(|revision| !(is_known && revision == "main")).filter_map(|revision| {
            let name = match revision.as_str() {
                "main" => repository.to_owned(),
                _ => format!("{repository}@{revision}"),
            };
            let cached = CachedRepository::new(cache, repository, &revision);
            let commit = cached.commit()?;
            let files = cache::whole(&name, &cached.snapshot(&commit), Some(&commit)).ok()?;
            Some(ListedModel {
                parameters: files
                    .weights
                    .iter()
                    .map(|path| header::read(path).ok().map(|header| header.parameters))
                    .sum(),
                description: "in the cache".to_owned(),
                bytes: bytes(&files),
                place: Place::Here(files.folder),
                name,
            })
        });
    rows.collect()
}

fn bytes(files: &ModelFiles) -> u64 {
    files.paths().filter_map(|path| std::fs::metadata(path).ok()).map(|file| file.len()).sum()
}
