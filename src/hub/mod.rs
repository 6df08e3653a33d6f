//! A model's name → its files on this machine: built in, a folder, the cache, or a download into the cache.
//!
//! The cache is the one that Python's huggingface_hub keeps, so that a model is on a machine once. What is
//! there as a whole is used without asking the network.

mod cache;
mod download;
mod fetch;
mod files;
mod header;
mod known;
mod list;
mod settings;

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::interrupt::Interrupt;

pub use files::{ModelFiles, TokenizerFiles};
pub use known::{KNOWN_MODELS, KnownModel};
pub use list::{ListedModel, Place};
pub use settings::Settings;

use cache::CachedRepository;
use download::Download;
use fetch::Client;
use known::{Name, RepositoryName};

/// Where a model's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// In this program; whoever loads it knows where.
    BuiltIn(&'static KnownModel),
    Files(ModelFiles),
    /// One GGUF file that holds configuration, weights and tokenizer.
    Gguf(PathBuf),
}

/// Hears how a download goes; the front end draws it. A download that fails ends without `finished`.
pub trait Progress {
    /// A file of `bytes` bytes is about to arrive, 0 if its size is unknown.
    fn started(&mut self, file: &str, bytes: u64);
    /// So many more bytes are here; at first, those that an earlier try left.
    fn advanced(&mut self, bytes: u64);
    /// The file is here.
    fn finished(&mut self);
    /// Another program is downloading the same file; it is waited for.
    fn waiting(&mut self, _file: &str) {}
}

/// Hears and does nothing.
impl Progress for () {
    fn started(&mut self, _file: &str, _bytes: u64) {}
    fn advanced(&mut self, _bytes: u64) {}
    fn finished(&mut self) {}
}

/// The model of this name that is part of the program, which needs neither settings nor a cache.
pub fn built_in(name: &str) -> Option<Source> {
    let known = KNOWN_MODELS.iter().find(|known| known.name == name && known.repository.is_none());
    known.map(Source::BuiltIn)
}

/// Finds models by name.
#[derive(Debug, Clone)]
pub struct Hub {
    settings: Settings,
}

impl Hub {
    pub fn new(settings: Settings) -> Hub {
        Hub { settings }
    }

    /// With the settings that the environment gives.
    pub fn from_env() -> Result<Hub> {
        Settings::from_env().map(Hub::new)
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The model called `name`: a known name, `owner/name`, either with `@revision`, or a folder.
    /// Known names go before folders (`./gpt2` is always a folder), folders before `owner/name`.
    ///
    /// # Errors
    /// If there is no such model, if it is not whole, or if its download fails or is interrupted.
    pub fn resolve(&self, name: &str, progress: &mut dyn Progress, interrupt: &Interrupt) -> Result<Source> {
        match known::parse(name, self.settings.home.as_deref())? {
            Name::BuiltIn(known) => Ok(Source::BuiltIn(known)),
            Name::Folder(path) => in_folder(name, path),
            Name::Repository(repository) => self.in_repository(&repository, progress, interrupt),
        }
    }

    /// The folder or file that a name means, there or not; `None` for models that are built in or from the hub.
    ///
    /// # Errors
    /// If no model can have that name.
    pub fn path_of(&self, name: &str) -> Result<Option<PathBuf>> {
        match known::parse(name, self.settings.home.as_deref())? {
            Name::BuiltIn(_) | Name::Repository(_) => Ok(None),
            Name::Folder(path) => Ok(Some(path)),
        }
    }

    /// A model's name as it holds in every working folder: a folder's is its whole path. Nothing is fetched.
    ///
    /// # Errors
    /// If no model can have that name, or there is no such folder.
    pub fn lasting_name(&self, name: &str) -> Result<String> {
        let Some(path) = self.path_of(name)? else { return Ok(name.to_owned()) };
        let path = path.canonicalize().map_err(Error::io("open", &path))?;
        Ok(path.display().to_string())
    }

    /// The known models, then every other GPT-2 in the cache. Nothing is fetched.
    pub fn list(&self) -> Result<Vec<ListedModel>> {
        list::list(&self.settings.cache)
    }

    fn in_repository(
        &self,
        name: &RepositoryName,
        progress: &mut dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<Source> {
        let cache = &self.settings.cache;
        match cache::look_up(cache, name) {
            Some(Ok(files)) => return Ok(Source::Files(files)),
            Some(Err(error @ Error::NotGpt2 { .. })) => return Err(error),
            Some(Err(error @ (Error::Damaged { .. } | Error::OnlyPytorchWeights { .. })))
                if self.settings.offline =>
            {
                return Err(error);
            }
            _ if self.settings.offline => {
                return Err(Error::NotCached { name: name.typed.clone(), cache: cache.clone() });
            }
            Some(Err(_)) | None => {}
        }
        let client = Client::new(&self.settings, interrupt)?;
        let cached = CachedRepository::new(cache, &name.repository, &name.revision);
        let commit = Download::new(client, name, cached, progress).run()?;
        let snapshot = CachedRepository::new(cache, &name.repository, &name.revision).snapshot(&commit);
        cache::whole(&name.typed, &snapshot, Some(&commit)).map(Source::Files)
    }
}

/// A folder, or a file in llama.cpp's form.
fn in_folder(name: &str, path: PathBuf) -> Result<Source> {
    if known::is_gguf(&path) && !path.is_dir() {
        return if path.is_file() { Ok(Source::Gguf(path)) } else { Err(Error::NoSuchFile { path }) };
    }
    if !path.is_dir() {
        return Err(Error::NoSuchFolder { path });
    }
    cache::whole(name, &path, None).map(Source::Files)
}
