//! What if another token were chosen here? A text that grows by hand, with branches to come back to.

use crate::analyse::next_token::{Candidate, NextToken};
use crate::error::{Error, Result};
use crate::generate::SamplingOptions;
use crate::generate::tree::Tree;
use crate::tokenizer::Tokens;

/// A text, every way in which it was continued, and where one is now.
#[derive(Clone)]
pub struct Stepper {
    start: Tokens,
    tree: Tree,
    at: Option<usize>,
    /// Where one was before each step.
    before: Vec<Option<usize>>,
    names: Vec<(String, Option<usize>)>,
    options: SamplingOptions,
}

impl Stepper {
    pub fn new(start: Tokens, options: SamplingOptions) -> Stepper {
        let tree = Tree::new(start.text());
        Stepper { start, tree, at: None, before: Vec::new(), names: Vec::new(), options }
    }

    /// The text up to here.
    pub fn tokens(&self) -> Result<Tokens> {
        let mut ids = Vec::new();
        let mut next = self.at;
        while let Some(branch) = next {
            ids.push(self.tree.branches[branch].id);
            next = self.tree.branches[branch].parent;
        }
        ids.reverse();
        self.start.concat(&self.start.tokenizer().tokens(ids)?)
    }

    /// The likeliest next tokens, after the rules. `next` is what follows the text.
    pub fn candidates(&self, next: &NextToken, n: usize) -> Result<Vec<Candidate>> {
        let processors = self.options.processors(next.distribution.len())?;
        Ok(next.processed(&processors)?.candidates(n))
    }

    /// Takes the candidate of a rank from 1.
    pub fn choose(&mut self, next: &NextToken, rank: usize) -> Result<u32> {
        let candidates = self.candidates(next, rank)?;
        let candidate = candidates.get(rank - 1).ok_or(Error::OptionOutOfRange {
            name: "k",
            value: rank.to_string(),
            bound: format!("at most {}, as many tokens as are left", candidates.len()),
        })?;
        self.append(next, candidate.id)?;
        Ok(candidate.id)
    }

    /// Appends one token. A token that was appended here before leads to where it led then.
    pub fn append(&mut self, next: &NextToken, id: u32) -> Result<()> {
        let p = f64::from(next.distribution.p(id)?);
        let known = self.tree.children(self.at).find(|branch| self.tree.branches[*branch].id == id);
        self.before.push(self.at);
        self.at = Some(known.unwrap_or_else(|| self.tree.grow(self.at, id, next.piece(id), p)));
        Ok(())
    }

    /// Takes the last step back.
    pub fn undo(&mut self) -> Result<()> {
        self.at = self.before.pop().ok_or(Error::NothingThere { what: "step to take back".into() })?;
        Ok(())
    }

    /// Gives this place a name.
    pub fn branch(&mut self, name: &str) {
        self.names.retain(|(known, _)| known != name);
        self.names.push((name.to_owned(), self.at));
    }

    /// Goes to a place that has a name.
    pub fn checkout(&mut self, name: &str) -> Result<()> {
        let found = self.names.iter().find(|(known, _)| known == name);
        let (_, at) = found.ok_or_else(|| Error::NothingThere { what: format!("branch named `{name}`") })?;
        self.before.push(self.at);
        self.at = *at;
        Ok(())
    }

    /// Everything that was tried; what leads here is set apart.
    pub fn tree(&self) -> Tree {
        let mut tree = self.tree.clone();
        tree.choose(self.at);
        tree
    }
}
