//! The line editor and its keys.
//!
//! A cell of several lines is edited as one text. The prompt's further lines stand in that text as a tab behind
//! each line's end, the gutter: tabs are as wide as the prompt, and the highlighter draws `...> ` in their place.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustyline::config::{BellStyle, Configurer};
use rustyline::{
    CharSearch, Cmd, ColorMode, CompletionType, ConditionalEventHandler, Config, EditMode, Event,
    EventContext, EventHandler, ExternalPrinter, KeyCode, KeyEvent, Modifiers, Movement, RepeatCount, Word,
};

use super::assistant::Assistant;
use super::banner;
use super::ghost::Ghost;
use super::highlight::Theme;
use super::history::History;
use super::input;
use super::late::Expected;
use super::{Habits, Keys};
use crate::error::Result;
use crate::model::Model;
use crate::script::assist::{self, INDENT, Knowledge};
use crate::terminal::Late;

pub const GUTTER: char = '\t';

pub struct Editor {
    /// Shared with what asks on a script's behalf: keys that were pressed ahead are in it.
    line: Rc<RefCell<Line>>,
    asking: Asking,
    late: Expected,
    _printer: Option<Box<dyn ExternalPrinter>>,
    pub theme: Theme,
}

type Line = rustyline::Editor<Assistant, History>;

/// Whether a script asks, and the line is no code.
pub type Asking = Arc<AtomicBool>;

impl Editor {
    /// With an answer of the terminal that may still come.
    pub fn new(history: History, theme: Theme, habits: &Habits, late: Option<Late>) -> Editor {
        let mode = match habits.keys {
            Keys::Emacs => EditMode::Emacs,
            Keys::Vi => EditMode::Vi,
        };
        let config = Config::builder()
            .edit_mode(mode)
            .completion_type(CompletionType::List)
            .bell_style(BellStyle::None)
            // The highlighter draws gutters too, and leaves out colours itself.
            .color_mode(ColorMode::Forced)
            .build();
        let recalled = history.recalled.clone();
        let mut line = Line::with_history(config, history)
            .expect("only an unusable terminal has no editor, and this is one");
        let (pending, asking) = (Pending::default(), Asking::default());
        line.set_helper(Some(Assistant::new(theme, pending.clone(), asking.clone())));
        let ghosts = line.helper().map(|assistant| assistant.ghosts.clone()).unwrap_or_default();
        for (key, gesture) in keys(&recalled, &pending, &ghosts) {
            let key_of_code = KeyOfCode { gesture, asking: asking.clone() };
            line.bind_sequence(Event::from(key), EventHandler::Conditional(Box::new(key_of_code)));
        }
        // As long as there is a printer, the editor waits for more than keys, and so for a new size of the terminal:
        // that signal goes to the program's first thread, and would not wake one that only reads.
        let printer = line.create_external_printer().ok();
        let printer = printer.map(|printer| -> Box<dyn ExternalPrinter> { Box::new(printer) });
        let late = Expected::new(late);
        line.bind_sequence(Event::Any, EventHandler::Conditional(Box::new(late.clone())));
        Editor { line: Rc::new(RefCell::new(line)), asking, late, _printer: printer, theme }
    }

    /// What completion and hints should know from now on.
    pub fn learn(&mut self, knowledge: Knowledge, width: usize) {
        self.assist(|assistant| (assistant.knowledge, assistant.width) = (knowledge, width));
    }

    /// What the terminal answered while somebody typed.
    pub fn take_late(&self) -> Option<Late> {
        self.late.take()
    }

    /// Other colours from now on.
    pub fn recolour(&mut self, theme: Theme) {
        self.theme = theme;
        self.assist(|assistant| assistant.theme = theme);
    }

    /// Reads one input, which begins as `prepared`.
    pub fn read(&mut self, number: usize, prepared: &str) -> rustyline::Result<String> {
        let prompt = banner::prompt(number, self.theme != Theme::None);
        let width = prompt.0.len();
        self.assist(|assistant| {
            assistant.continuation = banner::continuation(width);
            assistant.prompt_width = width;
        });
        let mut line = self.line.borrow_mut();
        line.set_tab_stop(u8::try_from(width).unwrap_or(u8::MAX));
        let text = line.readline_with_initial(&prompt, (&with_gutters(prepared), ""));
        drop(line);
        self.assist(|assistant| {
            if let Some(ghost) = assistant.ghosts.lock().ok().as_ref().and_then(|ghost| ghost.as_ref()) {
                ghost.stop();
            }
        });
        Ok(without_gutters(&text?))
    }

    /// Asks in the same line on a script's behalf: what is typed there is no code, and not remembered.
    pub fn reader(&self) -> impl FnMut(&str) -> rustyline::Result<String> + use<> {
        let (line, asking) = (self.line.clone(), self.asking.clone());
        move |prompt| {
            asking.store(true, Ordering::Relaxed);
            let typed = line.borrow_mut().readline(prompt);
            asking.store(false, Ordering::Relaxed);
            typed
        }
    }

    /// Shows ghost text of a model from now on, or none.
    pub fn show_ghosts(&mut self, model: Option<&Model>) -> Result<()> {
        let ghost = match model {
            Some(model) => {
                let mut printer = self.line.borrow_mut().create_external_printer().ok();
                // What it prints steps up a line and down again: the line is drawn anew where it was.
                let redraw = move || {
                    if let Some(printer) = &mut printer {
                        let _ = printer.print("\x1bM\n".to_owned());
                    }
                };
                Some(Ghost::start(model, redraw)?)
            }
            None => None,
        };
        self.assist(|assistant| {
            *assistant.ghosts.lock().unwrap_or_else(PoisonError::into_inner) = ghost;
        });
        Ok(())
    }

    /// Adds an input to the history.
    pub fn remember(&mut self, text: &str) -> std::io::Result<()> {
        self.line.borrow_mut().history_mut().remember(text)
    }

    fn assist(&mut self, change: impl FnOnce(&mut Assistant)) {
        change(self.line.borrow_mut().helper_mut().expect("it was set when the editor was made"));
    }
}

pub fn with_gutters(text: &str) -> String {
    text.replace('\n', &format!("\n{GUTTER}"))
}

pub fn without_gutters(text: &str) -> String {
    text.replace(&format!("\n{GUTTER}"), "\n")
}

/// What is to stand in the line from `start` up to the cursor. The editor's own way to replace text leaves the cursor
/// before it; a completion leaves it behind. So a key that replaces text asks for a completion, which finds this.
#[derive(Debug, PartialEq, Eq)]
pub struct Replacement {
    pub start: usize,
    pub text: String,
}

pub type Pending = Arc<Mutex<Option<Replacement>>>;

/// What a key does where the editor's own answer does not fit lines with gutters.
enum Gesture {
    /// Runs what is complete; else begins a line.
    Enter,
    BeginLine,
    Tab,
    /// Steps over a gutter, and out of an indentation.
    Backspace(Pending),
    Delete,
    Left,
    Right,
    Home,
    KillToStart,
    KillWord,
    /// Closes a block one step further left.
    Brace(Pending),
    /// The previous entry that begins like the line up to the cursor; the entry that was fetched last.
    Up(Arc<Mutex<String>>),
    Down(Arc<Mutex<String>>),
    /// Another continuation of the text that is being typed.
    NextGhost(Ghosts),
}

/// The ghost text, if it is on.
pub type Ghosts = Arc<Mutex<Option<Ghost>>>;

fn keys(recalled: &Arc<Mutex<String>>, pending: &Pending, ghosts: &Ghosts) -> Vec<(KeyEvent, Gesture)> {
    let key = |code| KeyEvent(code, Modifiers::NONE);
    vec![
        (key(KeyCode::Enter), Gesture::Enter),
        (KeyEvent::ctrl('J'), Gesture::Enter),
        (KeyEvent(KeyCode::Enter, Modifiers::ALT), Gesture::BeginLine),
        (key(KeyCode::Tab), Gesture::Tab),
        (key(KeyCode::Backspace), Gesture::Backspace(pending.clone())),
        (KeyEvent::ctrl('H'), Gesture::Backspace(pending.clone())),
        (key(KeyCode::Delete), Gesture::Delete),
        (key(KeyCode::Left), Gesture::Left),
        (KeyEvent::ctrl('B'), Gesture::Left),
        (key(KeyCode::Right), Gesture::Right),
        (key(KeyCode::Home), Gesture::Home),
        (KeyEvent::ctrl('A'), Gesture::Home),
        (KeyEvent::ctrl('U'), Gesture::KillToStart),
        (KeyEvent::ctrl('W'), Gesture::KillWord),
        (key(KeyCode::Char('}')), Gesture::Brace(pending.clone())),
        (key(KeyCode::Up), Gesture::Up(recalled.clone())),
        (KeyEvent::ctrl('P'), Gesture::Up(recalled.clone())),
        (key(KeyCode::Down), Gesture::Down(recalled.clone())),
        (KeyEvent::ctrl('N'), Gesture::Down(recalled.clone())),
        (KeyEvent::alt('n'), Gesture::NextGhost(ghosts.clone())),
    ]
}

/// Counts in commands are replaced by the key's own; a search for a character keeps its place.
const TO_LINE_START: Movement = Movement::ViCharSearch(1, CharSearch::BackwardAfter(GUTTER));
const OVER_GUTTER_BACK: Movement = Movement::ViCharSearch(1, CharSearch::Backward('\n'));
const OVER_GUTTER: Movement = Movement::ViCharSearch(1, CharSearch::Forward(GUTTER));

/// A key that means something else where a script asks.
struct KeyOfCode {
    gesture: Gesture,
    asking: Asking,
}

impl ConditionalEventHandler for KeyOfCode {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, context: &EventContext) -> Option<Cmd> {
        match (self.asking.load(Ordering::Relaxed), &self.gesture) {
            (false, gesture) => gesture.command(context),
            (true, Gesture::Enter) => Some(Cmd::AcceptLine),
            // There is nothing to complete, and earlier cells are no answers.
            (true, Gesture::Tab | Gesture::Up(_) | Gesture::Down(_) | Gesture::BeginLine) => Some(Cmd::Noop),
            (true, _) => None,
        }
    }
}

impl Gesture {
    fn command(&self, context: &EventContext) -> Option<Cmd> {
        let (before, after) = context.line().split_at(context.pos());
        // What stands in the line before the cursor, if the line has a gutter.
        let in_line = before.rsplit('\n').next().and_then(|line| line.strip_prefix(GUTTER));
        let is_blank = |text: &str| text.chars().all(|c| c == ' ');
        match self {
            Gesture::Enter => Some(enter(before, after)),
            Gesture::BeginLine => Some(new_line(before)),
            Gesture::Tab => {
                let indents = in_line.is_some_and(is_blank);
                indents.then(|| Cmd::Insert(1, " ".repeat(INDENT)))
            }
            Gesture::Backspace(pending) => match in_line? {
                "" => Some(Cmd::Kill(OVER_GUTTER_BACK)),
                blanks if is_blank(blanks) => {
                    replace(pending, context.pos() - blanks.len(), outdented(blanks))
                }
                _ => None,
            },
            Gesture::Delete => after.starts_with("\n\t").then_some(Cmd::Kill(OVER_GUTTER)),
            Gesture::Left => in_line?.is_empty().then_some(Cmd::Move(OVER_GUTTER_BACK)),
            Gesture::Right => {
                let next = after.strip_prefix("\n\t")?;
                let has_word = next.starts_with(|c: char| !c.is_whitespace()) || next.starts_with(' ');
                let to_word = Movement::ForwardWord(1, rustyline::At::Start, Word::Big);
                has_word.then_some(Cmd::Move(to_word))
            }
            Gesture::Home => in_line.map(|line| match line {
                "" => Cmd::Noop,
                _ => Cmd::Move(TO_LINE_START),
            }),
            Gesture::KillToStart => in_line.map(|line| match line {
                "" => Cmd::Kill(OVER_GUTTER_BACK),
                _ => Cmd::Kill(TO_LINE_START),
            }),
            Gesture::KillWord => (is_blank(in_line?)).then_some(Cmd::Kill(OVER_GUTTER_BACK)),
            Gesture::Brace(pending) => {
                let blanks = in_line.filter(|line| !line.is_empty() && is_blank(line))?;
                replace(pending, context.pos() - blanks.len(), outdented(blanks) + "}")
            }
            Gesture::NextGhost(ghosts) => {
                ghosts.lock().ok()?.as_ref()?.turn();
                Some(Cmd::Repaint)
            }
            Gesture::Up(recalled) => {
                let searches = is_prefix(before, context.line(), recalled);
                searches.then_some(Cmd::HistorySearchBackward)
            }
            Gesture::Down(recalled) => {
                let searches = is_prefix(before, context.line(), recalled) && !after.contains('\n');
                searches.then_some(Cmd::HistorySearchForward)
            }
        }
    }
}

fn enter(before: &str, after: &str) -> Cmd {
    // In the middle of a block Enter opens a line.
    let is_inside = after.contains('\n');
    match !is_inside && input::is_finished(&without_gutters(&format!("{before}{after}"))) {
        true => Cmd::AcceptLine,
        false => new_line(before),
    }
}

fn new_line(before: &str) -> Cmd {
    let indent = " ".repeat(assist::indent(&without_gutters(before)));
    Cmd::Insert(1, format!("\n{GUTTER}{indent}"))
}

fn replace(pending: &Pending, start: usize, text: String) -> Option<Cmd> {
    *pending.lock().ok()? = Some(Replacement { start, text });
    Some(Cmd::Complete)
}

fn outdented(blanks: &str) -> String {
    " ".repeat(blanks.len().saturating_sub(INDENT))
}

/// Whether what stands before the cursor was typed, in one line, and is more than nothing.
fn is_prefix(before: &str, line: &str, recalled: &Mutex<String>) -> bool {
    let is_recalled = recalled.lock().is_ok_and(|recalled| *recalled == line && before == line);
    !before.trim().is_empty() && !before.contains('\n') && !is_recalled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enter_runs_what_is_complete_and_indents_what_is_not() {
        assert_eq!(enter("1 + 1", ""), Cmd::AcceptLine);
        assert_eq!(enter("fn f() {", ""), Cmd::Insert(1, "\n\t    ".to_owned()));
        assert_eq!(enter("fn f() {\n\t    1", ""), Cmd::Insert(1, "\n\t    ".to_owned()));
        assert_eq!(enter("fn f() {\n\t    1\n\t}", ""), Cmd::AcceptLine);
        assert_eq!(enter("fn f() {\n\t    ", ""), Cmd::AcceptLine);
        assert_eq!(enter("fn f() {", "\n\t}"), Cmd::Insert(1, "\n\t    ".to_owned()));
    }

    #[test]
    fn gutters_come_and_go() {
        let block = "fn f() {\n    1\n}";
        assert_eq!(without_gutters(&with_gutters(block)), block);
    }
}
