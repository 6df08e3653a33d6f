//! Texts that begin alike and then part.

/// Branches by number; a branch comes after the one that it grows from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tree {
    /// The text before the first branch.
    pub text: String,
    pub branches: Vec<Branch>,
}

/// One token that follows another.
#[derive(Clone, Debug, PartialEq)]
pub struct Branch {
    /// None for one that follows the text.
    pub parent: Option<usize>,
    pub id: u32,
    /// Its bytes.
    pub piece: Vec<u8>,
    /// The token's probability where it stands.
    pub p: f64,
    /// The probability of all tokens from the text to here.
    pub path: f64,
    /// How many texts go through it, where texts were counted.
    pub count: Option<usize>,
    /// Whether it is set apart: part of the result.
    pub chosen: bool,
}

impl Tree {
    pub fn new(text: String) -> Tree {
        Tree { text, branches: Vec::new() }
    }

    /// Adds a branch and returns its number.
    pub fn grow(&mut self, parent: Option<usize>, id: u32, piece: Vec<u8>, p: f64) -> usize {
        let path = p * parent.map_or(1.0, |parent| self.branches[parent].path);
        self.branches.push(Branch { parent, id, piece, p, path, count: None, chosen: false });
        self.branches.len() - 1
    }

    /// The numbers of the branches that grow from one, or from the text.
    pub fn children(&self, parent: Option<usize>) -> impl Iterator<Item = usize> {
        (0..self.branches.len()).filter(move |index| self.branches[*index].parent == parent)
    }

    /// Sets a branch apart, and all that lead to it.
    pub fn choose(&mut self, branch: Option<usize>) {
        let mut next = branch;
        while let Some(index) = next {
            self.branches[index].chosen = true;
            next = self.branches[index].parent;
        }
    }

    /// Counts a text that consists of these tokens with their probabilities.
    pub fn count(&mut self, tokens: impl Iterator<Item = (u32, Vec<u8>, f64)>) {
        let mut parent = None;
        for (id, piece, p) in tokens {
            let known = self.children(parent).find(|child| self.branches[*child].id == id);
            let branch = known.unwrap_or_else(|| self.grow(parent, id, piece, p));
            *self.branches[branch].count.get_or_insert(0) += 1;
            parent = Some(branch);
        }
    }
}
