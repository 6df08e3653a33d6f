//! Beam search: not the likeliest token at each step, but the likeliest text of several kept side by side.
//!
//! The rules are those of transformers 5 (`generation/utils.py`, `_beam_search`): processors see log-probabilities,
//! nothing is normalised after them, and a finished text is ranked by its score over its length to a power.

use super::options::Bound::{Any, AtLeast};
use super::options::{Options, Setting, Value, options};
use super::plan::Plan;
use super::processors::SamplingOptions;
use super::processors::context::log_softmax;
use super::tree::Tree;
use super::{Generation, Step, Stopped};
use crate::distribution::{Distribution, highest};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::model::Context;
use crate::tokenizer::Tokens;

options! {
    /// How many texts are followed at once, and how they are ranked.
    pub struct BeamOptions {
        /// texts that are followed at once; 1 is greedy
        num_beams: usize, AtLeast(1.0);
        /// the power of the length that a text's score is divided by: above 0 favours long texts (1 if not given)
        length_penalty: f64, Any;
        /// when to stop: true, false or "never" (false if not given)
        early_stopping: EarlyStopping, Any;
        /// how many of the texts are returned (1 if not given)
        num_return_sequences: usize, AtLeast(1.0);
    }
}

/// When a search with enough finished texts ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarlyStopping {
    /// At once.
    Yes,
    /// When the best running text, if it ended now, would not be better.
    No,
    /// When no running text can become better.
    Never,
}

impl Setting for EarlyStopping {
    fn from_value(value: &Value) -> Result<EarlyStopping, &'static str> {
        match value {
            Value::Flag(true) => Ok(EarlyStopping::Yes),
            Value::Flag(false) => Ok(EarlyStopping::No),
            Value::Text(text) if text == "never" => Ok(EarlyStopping::Never),
            _ => Err("`true`, `false` or `\"never\"`"),
        }
    }
}

/// The options of a search, checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beams {
    count: usize,
    length_penalty: f64,
    early_stopping: EarlyStopping,
    returned: usize,
}

impl BeamOptions {
    /// None if one text is written. Fails on options that contradict each other.
    pub fn check(&self, sampling: &SamplingOptions) -> Result<Option<Beams>> {
        let needs = |name| Err(Error::OptionNeedsOther { name, other: "num_beams" });
        let count = self.num_beams.unwrap_or(1);
        let returned = self.num_return_sequences.unwrap_or(1);
        if count == 1 {
            return match self {
                _ if returned > 1 => needs("num_return_sequences"),
                BeamOptions { num_beams: None, length_penalty: Some(_), .. } => needs("length_penalty"),
                BeamOptions { num_beams: None, early_stopping: Some(_), .. } => needs("early_stopping"),
                _ => Ok(None),
            };
        }
        if let Some(other) = sampling.given().first() {
            let reason = "beam search draws no tokens";
            return Err(Error::OptionsClash { name: "num_beams", other, reason });
        }
        if returned > count {
            return Err(Error::OptionOutOfRange {
                name: "num_return_sequences",
                value: returned.to_string(),
                bound: format!("at most {count}, as many as there are beams"),
            });
        }
        Ok(Some(Beams {
            count,
            length_penalty: self.length_penalty.unwrap_or(1.0),
            early_stopping: self.early_stopping.unwrap_or(EarlyStopping::No),
            returned,
        }))
    }
}

/// A text on its way.
struct Beam {
    /// All tokens, those of the prompt included.
    ids: Vec<u32>,
    steps: Vec<Step>,
    /// The sum of the log-probabilities after the rules.
    score: f32,
    /// Its last token in the tree.
    branch: Option<usize>,
    stopped: Option<Stopped>,
}

/// One token that may follow one of the running beams.
struct Candidate {
    score: f32,
    beam: usize,
    id: u32,
    /// Its own log-probability after the rules.
    log: f32,
}

/// Follows several texts; returns the best, which knows the others and the tree of all.
pub(super) fn search(
    context: &mut Context,
    prompt: &Tokens,
    plan: &mut Plan,
    beams: &Beams,
    interrupt: &Interrupt,
    mut on_step: impl FnMut(),
) -> Result<Generation> {
    let mut tree = Tree::new(prompt.text());
    let start = Beam { ids: prompt.ids().to_vec(), steps: vec![], score: 0.0, branch: None, stopped: None };
    context.read(prompt.ids(), interrupt)?;
    let mut running = vec![(start, context.fork())];
    let mut finished: Vec<(f32, Beam)> = Vec::new();
    let mut length = 0;
    let mut is_interrupted = false;
    while !running.is_empty() {
        let (rows, candidates) = match candidates(&mut running, plan, beams, interrupt) {
            Err(Error::Interrupted) if length > 0 => {
                is_interrupted = true;
                break;
            }
            both => both?,
        };
        length += 1;
        let mut open = Vec::new();
        for (rank, candidate) in candidates.iter().enumerate() {
            let mut ids = running[candidate.beam].0.ids.clone();
            ids.push(candidate.id);
            let stopped = plan.ending(&ids);
            // What ends counts only among the best; the ranks behind them keep enough texts running.
            if (stopped.is_some() && rank >= beams.count) || (stopped.is_none() && open.len() == beams.count)
            {
                continue;
            }
            let beam =
                extended(&running[candidate.beam].0, candidate, ids, &rows, stopped, &mut tree, prompt)?;
            match stopped {
                Some(_) => finished.push((beams.ranking(beam.score, length), beam)),
                None => open.push((candidate.beam, beam)),
            }
        }
        finished.sort_by(|a, b| b.0.total_cmp(&a.0));
        finished.truncate(beams.count);
        on_step();
        running = with_contexts(open, running);
        let Some((best, _)) = running.first() else { break };
        if beams.is_over(&finished, best.score, length, plan.length - prompt.len()) {
            break;
        }
    }
    if is_interrupted || finished.is_empty() {
        let unfinished = running.into_iter().map(|(beam, _)| (beams.ranking(beam.score, length), beam));
        finished.extend(unfinished);
        finished.sort_by(|a, b| b.0.total_cmp(&a.0));
    }
    finished.truncate(beams.returned);
    if let Some((_, best)) = finished.first() {
        tree.choose(best.branch);
    }
    let result = |(score, beam): (f32, Beam)| -> Result<Generation> {
        Ok(Generation {
            prompt: prompt.clone(),
            tokens: prompt.tokenizer().tokens(beam.ids)?,
            steps: beam.steps,
            seed: None,
            // A text that was finished in time does not hide that others were not.
            stopped: beam.stopped.filter(|_| !is_interrupted).unwrap_or(Stopped::Interrupted),
            score: Some(score),
            others: Vec::new(),
            tree: None,
        })
    };
    let mut results = finished.into_iter().map(result).collect::<Result<Vec<_>>>()?.into_iter();
    let best = results.next().ok_or(Error::NoTokenLeft { size: context.model().config().vocab_size })?;
    Ok(Generation { others: results.collect(), tree: Some(tree), ..best })
}

impl Beams {
    /// What texts of this score and so many new tokens are ranked by.
    fn ranking(&self, score: f32, length: usize) -> f32 {
        (f64::from(score) / (length as f64).powf(self.length_penalty)) as f32
    }

    /// Whether enough texts are finished and the running ones cannot, or need not, become better.
    fn is_over(&self, finished: &[(f32, Beam)], best: f32, length: usize, longest: usize) -> bool {
        let Some((worst, _)) = finished.last().filter(|_| finished.len() == self.count) else { return false };
        let reachable = match self.early_stopping {
            EarlyStopping::Yes => return true,
            EarlyStopping::Never if self.length_penalty > 0.0 => longest,
            _ => length,
        };
        self.ranking(best, reachable) <= *worst
    }
}

/// The best tokens to follow any of the beams, the best first, and what each beam's row was before the rules.
fn candidates(
    running: &mut [(Beam, Context)],
    plan: &mut Plan,
    beams: &Beams,
    interrupt: &Interrupt,
) -> Result<(Vec<Distribution>, Vec<Candidate>)> {
    let wide = (1 + plan.ends.len()).max(2) * beams.count;
    let mut rows = Vec::new();
    let mut all = Vec::new();
    for (index, (beam, context)) in running.iter_mut().enumerate() {
        let raw = context.read(&beam.ids, interrupt)?;
        let mut logs = raw.logits().to_vec();
        log_softmax(&mut logs);
        plan.rules.apply(&beam.ids, &mut logs, interrupt)?;
        for id in highest(&logs, wide) {
            let log = logs[id as usize];
            all.push(Candidate { score: beam.score + log, beam: index, id, log });
        }
        rows.push(raw);
    }
    all.sort_by(|a, b| b.score.total_cmp(&a.score));
    all.truncate(wide);
    Ok((rows, all))
}

fn extended(
    beam: &Beam,
    candidate: &Candidate,
    ids: Vec<u32>,
    rows: &[Distribution],
    stopped: Option<Stopped>,
    tree: &mut Tree,
    prompt: &Tokens,
) -> Result<Beam> {
    let step = Step::new(candidate.id, &rows[candidate.beam], candidate.log.exp())?;
    let piece = prompt.tokenizer().piece(candidate.id);
    let branch = Some(tree.grow(beam.branch, candidate.id, piece, f64::from(step.p)));
    let steps = beam.steps.iter().cloned().chain([step]).collect();
    Ok(Beam { ids, steps, score: candidate.score, branch, stopped })
}

/// Gives each beam what its parent has read. The first child takes it over; the others take what a beam that ended
/// leaves behind, which shares most of their text, or a copy.
fn with_contexts(open: Vec<(usize, Beam)>, parents: Vec<(Beam, Context)>) -> Vec<(Beam, Context)> {
    let mut contexts: Vec<Option<Context>> = parents.into_iter().map(|(_, context)| Some(context)).collect();
    let has_child = |parent: usize| open.iter().any(|(other, _)| *other == parent);
    let mut spare: Vec<Context> = (0..contexts.len())
        .filter(|parent| !has_child(*parent))
        .filter_map(|parent| contexts[parent].take())
        .collect();
    let mut running: Vec<(Beam, Context)> = Vec::new();
    let mut taken_by: Vec<Option<usize>> = vec![None; contexts.len()];
    for (parent, beam) in open {
        let context = match (contexts[parent].take(), taken_by[parent]) {
            (Some(context), _) => {
                taken_by[parent] = Some(running.len());
                context
            }
            (None, Some(brother)) => {
                let read = &running[brother].1;
                match spare.pop() {
                    Some(mut context) => {
                        context.follow(read);
                        context
                    }
                    None => read.fork(),
                }
            }
            (None, None) => unreachable!("the first child takes its parent's context"),
        };
        running.push((beam, context));
    }
    running
}
