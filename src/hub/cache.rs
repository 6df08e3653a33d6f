//! The cache on disk, laid out as Python's huggingface_hub does it:
//!
//! ```text
//! models--owner--name/
//!   blobs/<etag>                    the bytes
//!   refs/<revision>                 the commit that a revision meant
//!   snapshots/<commit>/<file>       links into blobs
//! .locks/models--owner--name/<etag>.lock
//! ```

use std::path::{Path, PathBuf};

use hf_hub::{Cache, Repo, RepoType};

use super::files::{self, ModelFiles};
use super::header;
use super::known::RepositoryName;
use crate::error::{Error, Result};

/// One repository at one revision in a cache.
pub(super) struct CachedRepository {
    cache: PathBuf,
    repository: Repo,
}

impl CachedRepository {
    pub fn new(cache: &Path, repository: &str, revision: &str) -> CachedRepository {
        let repository = Repo::with_revision(repository.to_owned(), RepoType::Model, revision.to_owned());
        CachedRepository { cache: cache.to_owned(), repository }
    }

    /// The commit that the revision meant when it was last fetched, if its snapshot is here.
    pub fn commit(&self) -> Option<String> {
        let revision = self.repository.revision();
        let noted = std::fs::read_to_string(self.folder().join("refs").join(revision)).ok();
        // Python writes no ref for a commit that was asked for by its hash.
        let commit = noted.map_or_else(|| revision.to_owned(), |noted| noted.trim().to_owned());
        (files::is_file_name(&commit) && self.snapshot(&commit).is_dir()).then_some(commit)
    }

    /// Every revision that was ever fetched by name, `refs/pr/1` and the like included; if there is none,
    /// the commits that are here.
    pub fn revisions(&self) -> Vec<String> {
        let refs = self.folder().join("refs");
        let (mut found, mut folders) = (Vec::new(), vec![refs.clone()]);
        while let Some(folder) = folders.pop() {
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
                match path.strip_prefix(&refs).ok().and_then(Path::to_str) {
                    _ if path.is_dir() => folders.push(path),
                    Some(revision) => found.push(revision.to_owned()),
                    None => {}
                }
            }
        }
        if found.is_empty() { self.commits() } else { found }
    }

    fn commits(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.folder().join("snapshots")) else { return Vec::new() };
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
    }

    pub fn folder(&self) -> PathBuf {
        self.cache.join(self.repository.folder_name())
    }

    pub fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder().join("snapshots").join(commit)
    }

    pub fn blob(&self, etag: &str) -> PathBuf {
        self.folder().join("blobs").join(etag)
    }

    pub fn lock(&self, etag: &str) -> PathBuf {
        self.cache.join(".locks").join(self.repository.folder_name()).join(format!("{etag}.lock"))
    }

    /// Notes which commit the revision means now.
    pub fn note_commit(&self, commit: &str) -> Result<()> {
        if self.repository.revision() == commit {
            return Ok(());
        }
        Cache::new(self.cache.clone())
            .repo(self.repository.clone())
            .create_ref(commit)
            .map_err(Error::io("write", self.folder().join("refs").join(self.repository.revision())))
    }
}

/// The whole model, if the cache has every file of it.
///
/// # Errors
/// As [`files::find`] and [`header::read`]; `None` if nothing of it is here.
pub(super) fn look_up(cache: &Path, name: &RepositoryName) -> Option<Result<ModelFiles>> {
    let mut first_trouble = None;
    for repository in name.names() {
        let cached = CachedRepository::new(cache, repository, &name.revision);
        let Some(commit) = cached.commit() else { continue };
        match whole(&name.typed, &cached.snapshot(&commit), Some(&commit)) {
            Ok(files) => return Some(Ok(files)),
            Err(error) => first_trouble = first_trouble.or(Some(error)),
        }
    }
    first_trouble.map(Err)
}

/// The files of a model whose weights have the length they declare.
pub(super) fn whole(name: &str, folder: &Path, commit: Option<&str>) -> Result<ModelFiles> {
    let files = files::find(name, folder, commit)?;
    files.weights.iter().try_for_each(|path| header::read(path).map(drop))?;
    Ok(files)
}

/// Makes `pointer` lead to `blob`, by a relative link so that the cache can be moved.
pub(super) fn link(blob: &Path, pointer: &Path) -> Result<()> {
    let parent = pointer.parent().expect("a snapshot's file lies in a folder");
    std::fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
    // Under a name of its own first: another download may make the same link now, and whoever is last replaces it.
    let made = tempfile::Builder::new().make_in(parent, |path| point(blob, path));
    let made = made.map_err(Error::io("link", pointer))?;
    made.persist(pointer).map(drop).map_err(|failed| Error::io("link", pointer)(failed.error))
}

/// Removes a file or link, if there is one.
pub(super) fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
        _ => Ok(()),
    }
}

/// `blobs` lies beside `snapshots`, two folders above a snapshot's file.
#[cfg(unix)]
fn point(blob: &Path, pointer: &Path) -> std::io::Result<()> {
    let name = blob.file_name().expect("a blob has a name");
    std::os::unix::fs::symlink(Path::new("../../blobs").join(name), pointer)
}

/// Links need a privilege here: Python, too, then puts the bytes into the snapshot.
#[cfg(not(unix))]
fn point(blob: &Path, pointer: &Path) -> std::io::Result<()> {
    std::fs::rename(blob, pointer)
}
