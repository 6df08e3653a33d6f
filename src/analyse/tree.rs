//! Which texts may follow, and where do they part?

use crate::error::Result;
use crate::generate::Generation;
use crate::generate::options::Bound::From;
use crate::generate::options::options;
use crate::generate::tree::Tree;
use crate::interrupt::Interrupt;
use crate::model::Context;
use crate::render::number::percent;
use crate::render::{TreeChart, Twig, label};
use crate::tokenizer::Tokens;

options! {
    /// How large a tree of likely continuations grows.
    pub struct TreeOptions {
        /// branches at each fork (3 if not given)
        width: usize, From(1.0, 10.0);
        /// tokens from the text to the end of a branch (3 if not given)
        depth: usize, From(1.0, 10.0);
    }
}

/// Branches that a tree may have: each costs one reading of the model.
const MOST: usize = 2000;

/// The likeliest tokens after a text, the likeliest after each of those, and so on.
pub fn likely(
    context: &mut Context,
    text: &Tokens,
    options: &TreeOptions,
    interrupt: &Interrupt,
) -> Result<Tree> {
    let (width, depth) = (options.width.unwrap_or(3), options.depth.unwrap_or(3));
    let branches: usize = (1..=depth as u32).map(|level| width.saturating_pow(level)).sum();
    if branches > MOST {
        return Err(crate::error::Error::OptionOutOfRange {
            name: "depth",
            value: depth.to_string(),
            bound: format!("less with a `width` of {width}: {branches} branches are more than {MOST}"),
        });
    }
    let mut tree = Tree::new(text.text());
    grow(context, &mut tree, text.ids(), None, width, depth, interrupt)?;
    // The path of the likeliest token at each fork is what greedy search writes.
    let mut greedy = None;
    while let Some(child) = tree.children(greedy).next() {
        greedy = Some(child);
    }
    tree.choose(greedy);
    Ok(tree)
}

fn grow(
    context: &mut Context,
    tree: &mut Tree,
    ids: &[u32],
    parent: Option<usize>,
    width: usize,
    depth: usize,
    interrupt: &Interrupt,
) -> Result<()> {
    if depth == 0 || ids.len() > context.model().config().n_positions {
        return Ok(());
    }
    // Depth first, so that siblings share what the context has read.
    for (id, p) in context.read(ids, interrupt)?.top(width) {
        let piece = context.model().tokenizer().piece(id);
        let branch = tree.grow(parent, id, piece, f64::from(p));
        let longer: Vec<u32> = ids.iter().copied().chain([id]).collect();
        grow(context, tree, &longer, Some(branch), width, depth - 1, interrupt)?;
    }
    Ok(())
}

/// Where several texts with one beginning part, and how many go each way.
pub fn of_samples(runs: &[Generation]) -> Tree {
    let mut tree = Tree::new(runs.first().map_or(String::new(), |run| run.prompt.text()));
    for run in runs {
        let tokenizer = run.tokens.tokenizer();
        tree.count(run.steps.iter().map(|step| (step.id, tokenizer.piece(step.id), f64::from(step.p))));
    }
    tree
}

/// As a picture. A run of tokens that nothing branches off is one branch.
pub fn chart(tree: &Tree, title: &str) -> TreeChart {
    TreeChart { title: title.to_owned(), root: tree.text.clone(), twigs: twigs(tree, None) }
}

fn twigs(tree: &Tree, parent: Option<usize>) -> Vec<Twig> {
    tree.children(parent).map(|branch| twig(tree, branch)).collect()
}

fn twig(tree: &Tree, branch: usize) -> Twig {
    let start = &tree.branches[branch];
    let mut name = label(&start.piece);
    let mut end = branch;
    // Counted texts are long and part seldom: their runs are joined.
    while let (Some(_), [only]) = (start.count, tree.children(Some(end)).collect::<Vec<_>>().as_slice()) {
        if tree.branches[*only].count != start.count {
            break;
        }
        end = *only;
        name.push_str(&label(&tree.branches[end].piece));
    }
    let value = match start.count {
        Some(count) => format!("{count}×"),
        None if start.parent.is_some() => format!("{}, path {}", percent(start.p), percent(start.path)),
        None => percent(start.p),
    };
    let weight = match start.count {
        Some(count) => count as f64 / tree.branches.iter().filter_map(|b| b.count).max().unwrap_or(1) as f64,
        None => start.p,
    };
    Twig { label: name, value, weight, highlighted: start.chosen, twigs: twigs(tree, Some(end)) }
}
