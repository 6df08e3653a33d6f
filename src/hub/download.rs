//! A repository's files, from the hub into the cache, whole or not at all.
//!
//! A file grows as `blobs/<etag>.tokenscope-part` under the lock that Python takes, too. It becomes a blob
//! when its length is right, gets its link in the snapshot, and the revision's ref comes last: until then
//! the cache has no such model, and the next try continues with what is there.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Progress;
use super::cache::{self, CachedRepository};
use super::fetch::{Answer, Client, Follow};
use super::files::{self, CONFIG, MERGES, PYTORCH_WEIGHTS, TOKENIZER, VOCABULARY, WEIGHTS, WEIGHTS_INDEX};
use super::header;
use super::known::RepositoryName;
use crate::error::{Error, Result};

const LOCK_POLL: Duration = Duration::from_millis(50);

/// One repository on its way into the cache.
pub(super) struct Download<'a> {
    client: Client,
    name: &'a RepositoryName,
    cached: CachedRepository,
    /// Of the first file; all the others must be of it, too.
    commit: Option<String>,
    progress: &'a mut dyn Progress,
}

/// What the hub says about a file.
struct Description {
    commit: String,
    etag: String,
    /// Bytes, unless only the storage knows.
    size: Option<u64>,
}

impl<'a> Download<'a> {
    pub fn new(
        client: Client,
        name: &'a RepositoryName,
        cached: CachedRepository,
        progress: &'a mut dyn Progress,
    ) -> Download<'a> {
        Download { client, name, cached, commit: None, progress }
    }

    /// Fetches what the cache lacks of the model, and returns the commit.
    pub fn run(mut self) -> Result<String> {
        let place = format!("{}/{}", self.client.endpoint, self.name.repository);
        let config = self.fetch(CONFIG)?.ok_or_else(|| files::missing_config(&place))?;
        files::check_architecture(&config, &place)?;
        self.fetch_tokenizer(&place)?;
        self.fetch_weights(&place)?;
        let commit = self.commit.expect("the first file came with its commit");
        self.cached.note_commit(&commit)?;
        Ok(commit)
    }

    fn fetch_tokenizer(&mut self, place: &str) -> Result<()> {
        if self.fetch(TOKENIZER)?.is_some() {
            return Ok(());
        }
        for file in [VOCABULARY, MERGES] {
            self.fetch(file)?.ok_or_else(|| files::missing_tokenizer(place))?;
        }
        Ok(())
    }

    fn fetch_weights(&mut self, place: &str) -> Result<()> {
        if self.fetch(WEIGHTS)?.is_some() {
            return Ok(());
        }
        let Some(index) = self.fetch(WEIGHTS_INDEX)? else {
            return Err(match self.describe(PYTORCH_WEIGHTS)? {
                Some(_) => Error::OnlyPytorchWeights { place: place.to_owned() },
                None => files::missing_weights(place),
            });
        };
        for shard in files::shards(&index)? {
            self.fetch(&shard)?.ok_or_else(|| Error::Damaged {
                file: format!("{place}/{WEIGHTS_INDEX}"),
                reason: format!("it names `{shard}`, which is not there"),
            })?;
        }
        Ok(())
    }

    /// The file's path in the snapshot, or `None` if the repository has no such file.
    fn fetch(&mut self, file: &str) -> Result<Option<PathBuf>> {
        if let Some(path) = self.commit.as_ref().map(|commit| self.cached.snapshot(commit).join(file))
            && is_whole(&path, None)
        {
            return Ok(Some(path));
        }
        let Some(description) = self.describe(file)? else { return Ok(None) };
        let pointer = self.cached.snapshot(&description.commit).join(file);
        if !is_whole(&pointer, description.size) {
            let blob = self.fetch_blob(file, &description)?;
            cache::link(&blob, &pointer)?;
        }
        Ok(Some(pointer))
    }

    /// Asks for one byte, as hf-hub does, for the headers that come with it.
    fn describe(&mut self, file: &str) -> Result<Option<Description>> {
        let answer = self.client.get(&self.url(file), (0, Some(0)), Follow::WithinTheHub, file)?;
        let found = matches!(answer.status, 200 | 206 | 301 | 302 | 303 | 307 | 308);
        if !found {
            return self.refusal(&answer, file).map_or(Ok(None), Err);
        }
        let description = self.description(&answer, file)?;
        match &self.commit {
            Some(first) if *first != description.commit => {
                return Err(Error::ChangedMeanwhile { repository: self.name.repository.clone() });
            }
            _ => self.commit = Some(description.commit.clone()),
        }
        Ok(Some(description))
    }

    fn description(&self, answer: &Answer, file: &str) -> Result<Description> {
        let missing = |header: &str| self.not_a_hub(format!("it sends no `{header}` with `{file}`"));
        let etag = answer.header("X-Linked-Etag").or(answer.header("ETag")).ok_or_else(|| missing("ETag"))?;
        let commit = answer.header("X-Repo-Commit").ok_or_else(|| missing("X-Repo-Commit"))?;
        let etag = etag.trim_start_matches("W/").trim_matches('"');
        // Both become file names.
        for (header, value) in [("ETag", etag), ("X-Repo-Commit", commit)] {
            if !files::is_file_name(value) {
                return Err(self.not_a_hub(format!("its `{header}` is `{value}`")));
            }
        }
        let linked_size = answer.header("X-Linked-Size").and_then(|size| size.parse().ok());
        Ok(Description {
            commit: commit.to_owned(),
            etag: etag.to_owned(),
            size: linked_size.or_else(|| announced_size(answer)),
        })
    }

    /// The error that a status means; none if only this file is not there.
    fn refusal(&self, answer: &Answer, file: &str) -> Option<Error> {
        let (endpoint, with_token) = (self.client.endpoint.clone(), self.client.has_token());
        let repository = self.name.repository.clone();
        let status = answer.status;
        match (status, answer.header("X-Error-Code")) {
            (404, Some("RepoNotFound" | "RevisionNotFound")) => {}
            // Without the hub's own code, a repository that never answered is one that does not exist.
            (404, Some("EntryNotFound")) => return None,
            (404, _) if self.commit.is_some() => return None,
            (404, _) => {}
            (401 | 403, _) => return Some(Error::Refused { endpoint, repository, status, with_token }),
            _ => return Some(Error::ServerTrouble { endpoint, file: file.to_owned(), status }),
        }
        let revision = self.name.revision.clone();
        Some(Error::NotOnHub { endpoint, repository, revision, with_token })
    }

    /// The blob's path, once its bytes are there and whole.
    fn fetch_blob(&mut self, file: &str, description: &Description) -> Result<PathBuf> {
        let blob = self.cached.blob(&description.etag);
        let _lock = self.lock(&self.cached.lock(&description.etag), file)?;
        let folder = blob.parent().expect("a blob lies in a folder");
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        if is_whole_as(&blob, file, description.size) {
            return Ok(blob);
        }
        cache::remove(&blob)?;
        let part = folder.join(format!("{}.tokenscope-part", description.etag));
        self.fill(&part, file, description.size)?;
        if let Err(error) = check(&part, file) {
            cache::remove(&part)?;
            return Err(error);
        }
        std::fs::rename(&part, &blob).map_err(Error::io("write", &blob))?;
        Ok(blob)
    }

    /// Appends to `part` what is missing.
    fn fill(&mut self, part: &Path, file: &str, size: Option<u64>) -> Result<()> {
        let writing = |error| Error::io("write", part)(error);
        let mut output = OpenOptions::new().append(true).create(true).open(part).map_err(writing)?;
        let mut received = output.seek(std::io::SeekFrom::End(0)).map_err(writing)?;
        if size.is_none_or(|size| received > size) {
            output.set_len(0).map_err(writing)?;
            received = 0;
        }
        if size == Some(received) && received > 0 {
            return Ok(());
        }
        let mut answer = self.client.get(&self.url(file), (received, None), Follow::Everywhere, file)?;
        if answer.status == 416 && received > 0 {
            output.set_len(0).map_err(writing)?;
            received = 0;
            answer = self.client.get(&self.url(file), (0, None), Follow::Everywhere, file)?;
        }
        if received > 0 && (answer.status != 206 || first_byte(&answer) != Some(received)) {
            // The server starts over, so we do.
            output.set_len(0).map_err(writing)?;
            received = 0;
        }
        if !matches!(answer.status, 200 | 206) {
            let place = format!("{}/{}", self.client.endpoint, self.name.repository);
            return Err(self.refusal(&answer, file).unwrap_or_else(|| Error::Damaged {
                file: format!("{place}/{file}"),
                reason: "it is listed, but not there".to_owned(),
            }));
        }
        self.copy(&answer, &mut output, file, part, received, size)
    }

    fn copy(
        &mut self,
        answer: &Answer,
        output: &mut File,
        file: &str,
        part: &Path,
        mut received: u64,
        size: Option<u64>,
    ) -> Result<()> {
        let announced = announced_size(answer);
        let expected = size.or(announced);
        let wrong_size = |found: u64, wanted: u64| {
            cache::remove(part)?;
            let reason = format!("the hub announced {wanted} bytes, but sent {found}");
            Err(Error::Damaged { file: file.to_owned(), reason })
        };
        if let (Some(wanted), Some(found)) = (size, announced)
            && wanted != found
        {
            return wrong_size(found, wanted);
        }
        self.progress.started(file, expected.unwrap_or(0));
        self.progress.advanced(received);
        while let Some(bytes) = self.client.read(answer, file, received, expected.unwrap_or(0))? {
            received += bytes.len() as u64;
            if let Some(wanted) = expected.filter(|&expected| received > expected) {
                return wrong_size(received, wanted);
            }
            output.write_all(&bytes).map_err(Error::io("write", part))?;
            self.progress.advanced(bytes.len() as u64);
        }
        if let Some(expected) = expected.filter(|&expected| received < expected) {
            return Err(Error::Cut { file: file.to_owned(), received, expected });
        }
        self.progress.finished();
        Ok(())
    }

    /// Waits while another program downloads the same file. A file system without locks has none to wait for.
    fn lock(&mut self, path: &Path, file: &str) -> Result<Option<File>> {
        let folder = path.parent().expect("a lock lies in a folder");
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(Error::io("write", path))?;
        let mut waiting = false;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(Some(lock)),
                Err(TryLockError::Error(_)) => return Ok(None),
                Err(TryLockError::WouldBlock) => {}
            }
            if !std::mem::replace(&mut waiting, true) {
                self.progress.waiting(file);
            }
            self.client.interrupt().check()?;
            std::thread::sleep(LOCK_POLL);
        }
    }

    fn url(&self, file: &str) -> String {
        let revision = self.name.revision.replace('/', "%2F");
        format!("{}/{}/resolve/{revision}/{file}", self.client.endpoint, self.name.repository)
    }

    fn not_a_hub(&self, reason: String) -> Error {
        Error::NotAHub { endpoint: self.client.endpoint.clone(), reason }
    }
}

/// The whole file's length, from `Content-Range` or from the length of an answer without range.
fn announced_size(answer: &Answer) -> Option<u64> {
    match answer.status {
        206 => answer.header("Content-Range")?.rsplit_once('/')?.1.parse().ok(),
        200 => answer.header("Content-Length")?.parse().ok(),
        _ => None,
    }
}

/// Of `Content-Range: bytes 10-99/100`, the 10.
fn first_byte(answer: &Answer) -> Option<u64> {
    let range = answer.header("Content-Range")?.strip_prefix("bytes ")?;
    range.split_once('-')?.0.trim().parse().ok()
}

fn is_whole(path: &Path, size: Option<u64>) -> bool {
    let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    is_whole_as(path, file, size)
}

/// Whether `path` is `file` of that size: a blob's own name does not tell what it is.
fn is_whole_as(path: &Path, file: &str, size: Option<u64>) -> bool {
    let length = std::fs::metadata(path).ok().filter(|found| found.is_file()).map(|found| found.len());
    length.is_some_and(|length| length > 0 && size.is_none_or(|size| size == length))
        && check(path, file).is_ok()
}

/// Whether weights have the length that their header declares; other files say nothing about theirs.
fn check(path: &Path, file: &str) -> Result<()> {
    let damaged = |error: Error| match error {
        Error::Damaged { reason, .. } => Error::Damaged { file: file.to_owned(), reason },
        other => other,
    };
    if file.ends_with(".safetensors") {
        return header::read(path).map(drop).map_err(damaged);
    }
    Ok(())
}
