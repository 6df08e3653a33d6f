//! What if another token were chosen here? A text that grows by hand, with branches to come back to.

use crate::analyse::next_token::{Candidate, NextToken, end_of};
use crate::error::{Error, Result};
use crate::generate::SamplingOptions;
use crate::generate::tree::Tree;
use crate::render::Table;
use crate::tokenizer::Tokens;

/// A text, every way in which it was continued, where one is now, and what may come next.
///
/// It asks no model: what takes it elsewhere is given how to read what follows a text there.
#[derive(Clone)]
pub struct Stepper {
    start: Tokens,
    tree: Tree,
    at: Option<usize>,
    /// Where one was before each step.
    before: Vec<Option<usize>>,
    names: Vec<(String, Option<usize>)>,
    options: SamplingOptions,
    /// What follows the text up to here, before any rule.
    next: NextToken,
}

impl Stepper {
    /// Fails on options that do not fit the vocabulary.
    pub fn new(
        start: Tokens,
        options: SamplingOptions,
        read: impl FnOnce(&Tokens) -> Result<NextToken>,
    ) -> Result<Stepper> {
        let (tree, next) = (Tree::new(start.text()), read(&start)?);
        options.processors(next.distribution.len())?;
        Ok(Stepper { start, tree, at: None, before: Vec::new(), names: Vec::new(), options, next })
    }

    /// What was there before the first step.
    pub fn start(&self) -> &Tokens {
        &self.start
    }

    /// The ids that were appended up to here.
    pub fn appended(&self) -> Vec<u32> {
        self.path(self.at)
    }

    fn path(&self, mut at: Option<usize>) -> Vec<u32> {
        let mut ids = Vec::new();
        while let Some(branch) = at {
            ids.push(self.tree.branches[branch].id);
            at = self.tree.branches[branch].parent;
        }
        ids.reverse();
        ids
    }

    /// The ids of the text up to here.
    pub fn ids(&self) -> Vec<u32> {
        self.start.ids().iter().copied().chain(self.appended()).collect()
    }

    /// The text up to here.
    pub fn tokens(&self) -> Result<Tokens> {
        self.start.tokenizer().tokens(self.ids())
    }

    /// The same as it reads.
    pub fn text(&self) -> String {
        self.next.text.clone()
    }

    /// What follows the text, before any rule.
    pub fn raw(&self) -> &NextToken {
        &self.next
    }

    pub fn options(&self) -> &SamplingOptions {
        &self.options
    }

    /// Changes the rules; what may come next follows from what is known. Fails on options that do not fit the
    /// vocabulary.
    pub fn set_options(&mut self, options: SamplingOptions) -> Result<()> {
        options.processors(self.next.distribution.len())?;
        self.options = options;
        Ok(())
    }

    /// What follows the text, after the rules.
    pub fn processed(&self) -> Result<NextToken> {
        self.next.processed(&self.options.processors(self.next.distribution.len())?)
    }

    /// The likeliest next tokens, after the rules.
    pub fn candidates(&self, n: usize) -> Result<Vec<Candidate>> {
        Ok(self.processed()?.candidates(n))
    }

    /// The text, and a row for each of the likeliest next tokens.
    pub fn table(&self, n: usize) -> Result<Table> {
        let processed = self.processed()?;
        let table = processed.table(n);
        let place = match self.appended().len() {
            0 => String::new(),
            1 => ", 1 step from the start".to_owned(),
            steps => format!(", {steps} steps from the start"),
        };
        let rules = match processed.rules.as_slice() {
            [] => "raw probabilities".to_owned(),
            rules => format!("processed by {}", rules.join(", ")),
        };
        let note = format!("{rules}{place}; {}", table.note.as_deref().unwrap_or_default());
        Ok(table.title(format!("after “{}”", end_of(&self.text()))).note(note))
    }

    /// Takes the candidate of a rank from 1.
    pub fn choose(&mut self, rank: usize, read: impl FnOnce(&Tokens) -> Result<NextToken>) -> Result<u32> {
        let candidates = self.candidates(rank)?;
        let candidate = candidates.get(rank - 1).ok_or(Error::OptionOutOfRange {
            name: "k",
            value: rank.to_string(),
            bound: format!("at most {}, as many tokens as are left", candidates.len()),
        })?;
        self.append(candidate.id, read)?;
        Ok(candidate.id)
    }

    /// Appends one token. A token that was appended here before leads to where it led then.
    pub fn append(&mut self, id: u32, read: impl FnOnce(&Tokens) -> Result<NextToken>) -> Result<()> {
        let p = f64::from(self.next.distribution.p(id)?);
        let next = read(&self.tokens()?.with(id)?)?;
        let known = self.tree.children(self.at).find(|branch| self.tree.branches[*branch].id == id);
        self.before.push(self.at);
        self.at = Some(known.unwrap_or_else(|| self.tree.grow(self.at, id, self.next.piece(id), p)));
        self.next = next;
        Ok(())
    }

    /// Takes the last step back.
    pub fn undo(&mut self, read: impl FnOnce(&Tokens) -> Result<NextToken>) -> Result<()> {
        let at = *self.before.last().ok_or(Error::NothingThere { what: "step to take back".into() })?;
        self.go(at, read)?;
        self.before.pop();
        Ok(())
    }

    /// Gives this place a name.
    pub fn branch(&mut self, name: &str) {
        self.names.retain(|(known, _)| known != name);
        self.names.push((name.to_owned(), self.at));
    }

    /// The names of places, the last one given last.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|(name, _)| name.as_str())
    }

    /// Goes to a place that has a name.
    pub fn checkout(&mut self, name: &str, read: impl FnOnce(&Tokens) -> Result<NextToken>) -> Result<()> {
        let found = self.names.iter().find(|(known, _)| known == name);
        let (_, at) = *found.ok_or_else(|| Error::NothingThere { what: format!("branch named `{name}`") })?;
        let from = self.at;
        self.go(at, read)?;
        self.before.push(from);
        Ok(())
    }

    fn go(&mut self, at: Option<usize>, read: impl FnOnce(&Tokens) -> Result<NextToken>) -> Result<()> {
        let path = self.start.tokenizer().tokens(self.path(at))?;
        self.next = read(&self.start.concat(&path)?)?;
        self.at = at;
        Ok(())
    }

    /// Everything that was tried; what leads here is set apart.
    pub fn tree(&self) -> Tree {
        let mut tree = self.tree.clone();
        tree.choose(self.at);
        tree
    }
}
