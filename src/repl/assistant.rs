//! What the line editor asks while somebody types: completions, hints, colours, whether a line is complete.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::atomic::Ordering;

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};
use unicode_width::UnicodeWidthStr;

use super::editor::{Asking, GUTTER, Ghosts, Pending, Replacement, without_gutters};
use super::highlight::Theme;
use super::hint::{self, Hint};
use super::{completion, highlight, input};
use crate::script::assist::Knowledge;

pub struct Assistant {
    pub knowledge: Knowledge,
    /// Columns of the terminal.
    pub width: usize,
    /// What is drawn before the further lines of a cell.
    pub continuation: String,
    /// Columns of the prompt.
    pub prompt_width: usize,
    pub ghosts: Ghosts,
    pub theme: Theme,
    pending: Pending,
    asking: Asking,
    /// Whether the line is drawn for the last time, without a mark for where the cursor was.
    is_last: Cell<bool>,
}

impl Assistant {
    pub fn new(theme: Theme, pending: Pending, asking: Asking) -> Assistant {
        Assistant {
            knowledge: Knowledge::default(),
            width: 80,
            continuation: String::new(),
            prompt_width: 0,
            ghosts: Ghosts::default(),
            theme,
            pending,
            asking,
            is_last: Cell::new(false),
        }
    }
}

impl Assistant {
    /// Whether the line is the answer to a script's question, and no code.
    fn is_asking(&self) -> bool {
        self.asking.load(Ordering::Relaxed)
    }

    /// How the model would go on with the text that is being typed, in what is left of the line.
    fn ghost(&self, line: &str, pos: usize) -> Option<Hint> {
        let ghosts = self.ghosts.lock().ok()?;
        let ghost = ghosts.as_ref().filter(|_| pos == line.len())?;
        let in_line = line.rsplit('\n').next().unwrap_or(line).trim_start_matches(GUTTER);
        let column = (self.prompt_width + in_line.width()) % self.width.max(1);
        ghost.continuation(&without_gutters(line), self.width - column).map(Hint::Ghost)
    }
}

impl Helper for Assistant {}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        if let Some(Replacement { start, text }) = self.pending.lock().ok().and_then(|mut edit| edit.take()) {
            return Ok((start, vec![Pair { display: text.clone(), replacement: text }]));
        }
        if self.is_asking() {
            return Ok((pos, Vec::new()));
        }
        Ok(completion::complete(line, pos, &self.knowledge, self.width))
    }
}

impl Hinter for Assistant {
    type Hint = Hint;

    fn hint(&self, line: &str, pos: usize, context: &Context<'_>) -> Option<Hint> {
        // Without colour nobody could tell a hint from what is typed.
        if self.theme == Theme::None || self.is_asking() {
            return None;
        }
        let ghost = self.ghost(line, pos);
        ghost.or_else(|| hint::hint(line, pos, context, &self.knowledge))
    }
}

impl Highlighter for Assistant {
    fn highlight<'l>(&self, line: &'l str, pos: usize) -> Cow<'l, str> {
        if self.is_asking() {
            return Cow::Borrowed(line);
        }
        Cow::Owned(highlight::line(
            line,
            Some(pos).filter(|_| !self.is_last.get()),
            &self.continuation,
            self.theme,
        ))
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        Cow::Borrowed(prompt)
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(highlight::hint(hint, &self.continuation))
    }

    fn highlight_candidate<'c>(&self, candidate: &'c str, _: rustyline::CompletionType) -> Cow<'c, str> {
        if self.theme != Theme::None {
            Cow::Owned(highlight::candidate(candidate))
        } else {
            Cow::Borrowed(candidate)
        }
    }

    fn highlight_char(&self, _: &str, _: usize, kind: CmdKind) -> bool {
        self.is_last.set(kind == CmdKind::ForcedRefresh);
        self.theme != Theme::None && kind != CmdKind::ForcedRefresh
    }
}

/// Only a terminal without cursor movement (`TERM=dumb`) asks this; elsewhere the Enter key decides.
impl Validator for Assistant {
    fn validate(&self, context: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        let text = context.input().trim_end_matches(['\r', '\n']);
        let ends_blank = context.input().ends_with("\n\n");
        Ok(match self.is_asking() || ends_blank || input::is_finished(text) {
            true => ValidationResult::Valid(None),
            false => ValidationResult::Incomplete,
        })
    }
}
