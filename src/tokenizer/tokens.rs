//! Tokens of a text, in their order.

use std::fmt;
use std::ops::Range;

use super::Tokenizer;
use crate::error::Result;
use crate::interrupt::Interrupt;

/// A run of tokens: ids that know their pieces.
#[derive(Clone)]
pub struct Tokens {
    ids: Vec<u32>,
    tokenizer: Tokenizer,
}

impl Tokens {
    /// All ids are in the tokenizer's vocabulary.
    pub(super) fn new(ids: Vec<u32>, tokenizer: &Tokenizer) -> Tokens {
        Tokens { ids, tokenizer: tokenizer.clone() }
    }

    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    pub fn len(&self) -> usize {
        self.ids.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The bytes of each token.
    pub fn pieces(&self) -> impl Iterator<Item = Vec<u8>> {
        self.ids.iter().map(|id| self.tokenizer.piece(*id))
    }

    /// The bytes of all tokens together: exactly those that were tokenized.
    pub fn bytes(&self) -> Vec<u8> {
        self.pieces().flatten().collect()
    }

    /// The text; bytes that are no valid UTF-8 become U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    /// The same. Fails where somebody asks to stop.
    pub fn text_watched(&self, interrupt: &Interrupt) -> Result<String> {
        let mut bytes = Vec::new();
        for piece in interrupt.watch(self.pieces()) {
            bytes.extend(piece?);
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// With one token appended. Fails on an id outside the vocabulary.
    pub fn with(&self, id: u32) -> Result<Tokens> {
        self.concat(&self.tokenizer.tokens([id])?)
    }

    /// These tokens and then the others; the text is not cut anew, so pieces at the seam stay as they are.
    pub fn concat(&self, other: &Tokens) -> Result<Tokens> {
        let mut ids = self.ids.clone();
        ids.extend_from_slice(&other.ids);
        self.tokenizer.tokens(ids)
    }

    /// The tokens in a range of positions, cut to what there is.
    pub fn slice(&self, range: Range<usize>) -> Tokens {
        let end = range.end.min(self.len());
        Tokens::new(self.ids[range.start.min(end)..end].to_vec(), &self.tokenizer)
    }
}

impl PartialEq for Tokens {
    fn eq(&self, other: &Tokens) -> bool {
        self.ids == other.ids
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({:?})", self.ids)
    }
}
