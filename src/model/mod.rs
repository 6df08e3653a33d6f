//! A GPT-2 model: its configuration, weights and tokenizer behind a cheap handle.

pub mod cache;
pub mod config;
pub mod context;
pub mod device;
mod gguf;
pub mod gpt2;
pub mod gradient;
pub mod hook;
mod kernels;
mod linear;
pub mod precision;
pub mod readout;
mod tensors;
pub mod trace;
pub mod weights;

use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::hub::{Source, TokenizerFiles};
use crate::interrupt::Interrupt;
use crate::tokenizer::Tokenizer;
use cache::Cache;
use config::Config;
pub use context::Context;
use device::Backend;
use gguf::Gguf;
use gpt2::Gpt2;
use weights::Checkpoint;

/// A loaded model. Clones share everything.
#[derive(Clone)]
pub struct Model(Arc<Inner>);

struct Inner {
    name: String,
    config: Config,
    backend: Backend,
    gpt2: Gpt2,
    tokenizer: Tokenizer,
    bytes: u64,
}

impl Model {
    /// Loads what a name was resolved to, exactly.
    pub fn load(name: &str, source: &Source) -> Result<Model> {
        Model::load_in(Backend::default(), name, source)
    }

    /// Loads what a name was resolved to, for a device and in a precision.
    pub fn load_in(backend: Backend, name: &str, source: &Source) -> Result<Model> {
        let files = match source {
            Source::BuiltIn(_) => return Model::pocket_in(backend),
            Source::Gguf(path) => {
                let file = Gguf::open(path)?;
                let (config, tokenizer) = (file.config()?, file.tokenizer()?);
                return Model::new(name, config, &file.checkpoint()?, backend, || Ok(tokenizer));
            }
            Source::Files(files) => files,
        };
        let text = std::fs::read_to_string(&files.config).map_err(Error::io("read", &files.config))?;
        let config = Config::parse(&text, &files.config)?;
        Model::new(name, config, &Checkpoint::open(&files.weights)?, backend, || match &files.tokenizer {
            TokenizerFiles::Json(path) => Tokenizer::from_json(path),
            TokenizerFiles::VocabAndMerges { vocab, merges } => {
                Tokenizer::from_vocab_and_merges(vocab, merges)
            }
        })
    }

    /// The model that is part of the program: small, trained from scratch, offline.
    pub fn pocket() -> Result<Model> {
        Model::pocket_in(Backend::default())
    }

    fn pocket_in(backend: Backend) -> Result<Model> {
        let config = include_str!("../../assets/pocket/config.json");
        let weights = include_bytes!("../../assets/pocket/model.safetensors");
        let config = Config::parse(config, Path::new("pocket/config.json"))?;
        let checkpoint = Checkpoint::built_in("pocket/model.safetensors", weights)?;
        Model::new("pocket", config, &checkpoint, backend, || Ok(Tokenizer::gpt2()))
    }

    /// Weights and tokenizer take about as long as each other: they are made at the same time.
    fn new(
        name: &str,
        config: Config,
        checkpoint: &Checkpoint,
        backend: Backend,
        tokenizer: impl FnOnce() -> Result<Tokenizer> + Send,
    ) -> Result<Model> {
        let device = backend.open()?;
        let (tokenizer, gpt2) = std::thread::scope(|scope| {
            let tokenizer = scope.spawn(tokenizer);
            let gpt2 = Gpt2::new(&config, checkpoint, backend.precision, device.as_ref());
            (tokenizer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), gpt2)
        });
        let (tokenizer, gpt2) = (tokenizer?, gpt2?);
        if tokenizer.vocabulary_size() > config.vocab_size {
            let (tokens, rows) = (tokenizer.vocabulary_size(), config.vocab_size);
            return Err(Error::ForeignTokenizer { tokens, rows });
        }
        let bytes = checkpoint.bytes();
        Ok(Model(Arc::new(Inner { name: name.to_owned(), config, backend, gpt2, tokenizer, bytes })))
    }

    /// The name it was loaded by.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// What its weights are multiplied in, and where.
    pub fn backend(&self) -> Backend {
        self.0.backend
    }

    pub fn tokenizer(&self) -> &Tokenizer {
        &self.0.tokenizer
    }

    /// The size of its weights' files.
    pub fn bytes(&self) -> u64 {
        self.0.bytes
    }

    /// For a text that is read from its start.
    pub fn empty_cache(&self) -> Cache {
        self.gpt2().empty_cache(self.config())
    }

    pub fn gpt2(&self) -> &Gpt2 {
        &self.0.gpt2
    }

    /// The logits at every position of a text: [positions][vocab_size].
    pub fn logits(&self, ids: &[u32], interrupt: &Interrupt) -> Result<Vec<Vec<f32>>> {
        self.check_prompt(ids)?;
        let x = self.gpt2().forward(ids, &mut self.empty_cache(), interrupt, None)?; // [positions, n_embd]
        Ok(self.gpt2().logits(&x)?.to_vec2()?)
    }
}

impl PartialEq for Model {
    fn eq(&self, other: &Model) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
