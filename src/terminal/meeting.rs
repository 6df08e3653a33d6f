//! What is this terminal? It is asked once, and what it says is kept.

use std::time::Duration;

use super::ask::{self, Answer, Late};
use super::pictures::{self, Graphics};
use super::{Terminal, ground};

/// How long the terminal may take to answer when something is to be drawn: longer than one at the other end of the world
/// takes.
const PATIENCE: Duration = Duration::from_millis(500);

impl Terminal {
    /// What pictures can be drawn by.
    pub(super) fn graphics(&self) -> Option<Graphics> {
        let known = self.0.borrow().graphics;
        known.unwrap_or_else(|| {
            // A plain terminal is one without pictures too.
            let found = match self.style().colour {
                true => pictures::known().unwrap_or_else(|| pictures::told(&self.said())),
                false => None,
            };
            self.0.borrow_mut().graphics = Some(found);
            found
        })
    }

    /// Whether what colours stand on is light.
    pub fn is_light(&self) -> bool {
        let background = self.0.borrow().background;
        background.known().unwrap_or_else(|| ground::told(&self.said()).unwrap_or(false))
    }

    fn said(&self) -> String {
        self.meet(PATIENCE);
        self.0.borrow().said.clone().unwrap_or_default()
    }

    /// Asks the terminal, once, what is not known of it, and waits so long for an answer. What comes later is to be
    /// told to [`Terminal::hear_late`]: `Some` if something may.
    pub fn meet(&self, patience: Duration) -> Option<Late> {
        let questions = [
            pictures::known().is_none().then_some(pictures::QUESTION),
            self.0.borrow().background.known().is_none().then_some(ground::QUESTION),
        ];
        let question: String = questions.into_iter().flatten().collect();
        let is_known = question.is_empty() || self.0.borrow().said.is_some();
        if is_known || !self.style().colour || is_simple() {
            return None;
        }
        let Answer { said, typed } = ask::ask(&(question + ATTRIBUTES), patience)?;
        let late = (!ask::is_complete(&said)).then(|| Late::after(&said));
        let mut inner = self.0.borrow_mut();
        inner.said = Some(said);
        inner.typed.push_str(&typed);
        late
    }

    /// What the terminal answered after all.
    pub fn hear_late(&self, late: &Late) {
        if let Some(said) = late.whole() {
            let mut inner = self.0.borrow_mut();
            (inner.said, inner.graphics) = (Some(said.to_owned()), None);
        }
    }

    /// What somebody typed while the terminal was asked something: it belongs into the next line.
    pub fn take_typed(&self) -> String {
        std::mem::take(&mut self.0.borrow_mut().typed)
    }
}

/// The question for its attributes, which every terminal answers.
const ATTRIBUTES: &str = "\x1b[c";

/// Whether the terminal shows a question instead of answering it, and has nothing to say anyway.
fn is_simple() -> bool {
    std::env::var("TERM").is_ok_and(|term| term == "linux" || term == "dumb")
}
