//! What a model has read so far: asking again after a longer text reads only what is new.

use super::Model;
use super::cache::Cache;
use crate::distribution::Distribution;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;

/// The ids that have been read, their keys and values, and what follows the last one.
pub struct Context {
    model: Model,
    ids: Vec<u32>,
    cache: Cache,
    last: Option<Distribution>,
}

impl Context {
    /// Nothing read yet.
    pub fn new(model: &Model) -> Context {
        Context { cache: model.empty_cache(), ids: Vec::new(), last: None, model: model.clone() }
    }

    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The probability of every token to be the next one after `ids`.
    ///
    /// Positions that `ids` shares with what was read before are not computed again. After an error, or when
    /// interrupted, the context holds what both have in common.
    pub fn read(&mut self, ids: &[u32], interrupt: &Interrupt) -> Result<Distribution> {
        self.model.check_prompt(ids)?;
        if let (Some(last), true) = (&self.last, self.ids == ids) {
            return Ok(last.clone());
        }
        // The last position is read in any case: its row is what makes the logits.
        let shared = self.ids.iter().zip(ids).take_while(|(old, new)| old == new).count().min(ids.len() - 1);
        self.last = None;
        self.ids.truncate(shared);
        self.cache.truncate(shared);
        let gpt2 = self.model.gpt2();
        let x = gpt2.forward(&ids[shared..], &mut self.cache, interrupt, None)?; // [new positions, n_embd]
        self.ids.extend_from_slice(&ids[shared..]);
        let last = x.narrow(0, x.dim(0)? - 1, 1)?; // [1, n_embd]
        let logits = gpt2.logits(&last)?.flatten_all()?.to_vec1::<f32>()?; // [vocab_size]
        let distribution = Distribution::from_logits(logits)?;
        self.last = Some(distribution.clone());
        Ok(distribution)
    }

    /// A copy that goes its own way, so that two continuations of a text share what was read before them.
    pub fn fork(&self) -> Context {
        let Context { model, ids, cache, last } = self;
        Context { model: model.clone(), ids: ids.clone(), cache: cache.fork(), last: last.clone() }
    }

    /// Becomes as another context of the same model is. Only what both do not share is copied.
    pub fn follow(&mut self, other: &Context) {
        let shared = self.ids.iter().zip(&other.ids).take_while(|(a, b)| a == b).count();
        self.cache.truncate(shared);
        self.cache.follow(&other.cache);
        self.ids.clone_from(&other.ids);
        self.last.clone_from(&other.last);
    }

    /// How many positions are in the cache.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

impl Model {
    /// Whether the model can read these ids at all.
    pub fn check_prompt(&self, ids: &[u32]) -> Result<()> {
        let config = self.config();
        if ids.is_empty() {
            return Err(Error::EmptyPrompt);
        }
        if ids.len() > config.n_positions {
            return Err(Error::PromptTooLong { tokens: ids.len(), limit: config.n_positions });
        }
        match ids.iter().find(|id| **id as usize >= config.vocab_size) {
            Some(&id) => Err(Error::IdOutsideVocabulary { id: id.into(), size: config.vocab_size }),
            None => Ok(()),
        }
    }
}
