//! Ghost text: while a string is typed, how the model would go on with it. It is computed on a thread with a context of
//! its own, so that no key waits for it; what was not asked for any more is given up.

use std::cell::OnceCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use unicode_width::UnicodeWidthChar;

use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::model::{Context, Model};
use crate::script::assist::open_call;
use crate::script::lexer::{Kind, spans};

/// How many continuations there are to choose from, and of how many tokens each.
const CONTINUATIONS: usize = 5;
const TOKENS: usize = 6;
/// Tokens of the text that are read: the last ones say enough.
const READ: usize = 128;

/// The prompt's end of the thread.
#[derive(Clone)]
pub struct Ghost {
    shared: Arc<Shared>,
    texts: Sender<String>,
}

#[derive(Default)]
struct Shared {
    latest: Mutex<Latest>,
    /// Which of the continuations is shown.
    choice: AtomicUsize,
    interrupt: Interrupt,
}

/// The text that was asked for last, and what has been found for it so far, the likeliest first.
#[derive(Default)]
struct Latest {
    text: String,
    continuations: Vec<String>,
}

impl Ghost {
    /// Starts the thread. It calls `redraw` whenever there is something new to show, and ends with the last clone.
    pub fn start(model: &Model, redraw: impl FnMut() + Send + 'static) -> Result<Ghost> {
        let shared: Arc<Shared> = Arc::default();
        let (texts, asked) = mpsc::channel();
        let (model, serving) = (model.clone(), shared.clone());
        let worker = thread::Builder::new().name("ghost".to_owned());
        let worker = worker.spawn(move || serve(&model, &serving, &asked, redraw));
        worker.map_err(Error::io("start a thread for", "ghost text"))?;
        Ok(Ghost { shared, texts })
    }

    /// How the string at the end of this code goes on, in at most `room` columns; nothing outside of strings.
    pub fn continuation(&self, code: &str, room: usize) -> Option<Continuation> {
        let Some(text) = open_text(code) else {
            self.stop();
            return None;
        };
        let mut latest = self.shared.latest();
        if latest.text != text {
            *latest = Latest { text: text.clone(), continuations: Vec::new() };
            self.shared.choice.store(0, Ordering::Relaxed);
            self.shared.interrupt.request();
            // A thread that is gone answers nothing.
            let _ = self.texts.send(text.clone());
        }
        let shown = Default::default();
        Some(Continuation { shared: self.shared.clone(), text, room, shown })
    }

    /// Shows the next continuation from now on.
    pub fn turn(&self) {
        let count = self.shared.latest().continuations.len().max(1);
        let next = (self.shared.choice.load(Ordering::Relaxed) + 1) % count;
        self.shared.choice.store(next, Ordering::Relaxed);
    }

    /// Nothing is asked for any more: what runs now has the machine to itself.
    pub fn stop(&self) {
        *self.shared.latest() = Latest::default();
        self.shared.interrupt.request();
    }
}

impl Shared {
    fn latest(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A hint that may still be on its way: it is looked for whenever the line is drawn.
pub struct Continuation {
    shared: Arc<Shared>,
    text: String,
    room: usize,
    shown: [OnceCell<String>; CONTINUATIONS],
}

impl Continuation {
    pub fn text(&self) -> &str {
        let choice = self.shared.choice.load(Ordering::Relaxed).min(CONTINUATIONS - 1);
        let latest = self.shared.latest();
        match latest.continuations.get(choice).filter(|_| latest.text == self.text) {
            Some(found) => self.shown[choice].get_or_init(|| fitting(found, self.room)),
            None => "",
        }
    }
}

/// As many characters as fit into a line: where it would wrap, the editor would lose its place.
fn fitting(text: &str, room: usize) -> String {
    let mut width = 0;
    let fits = |c: &char| {
        width += c.width().unwrap_or(0);
        width < room
    };
    text.chars().take_while(fits).collect()
}

/// The text of the string that is open at the end of this code, unless it names a model or a file.
fn open_text(code: &str) -> Option<String> {
    let (kind, range) = spans(code).pop()?;
    let names =
        matches!(open_call(&code[..range.start]), Some(("load" | "help" | "read_text", _) | ("save", 2)));
    let text =
        code[range].strip_prefix(['"', '`']).filter(|_| kind == Kind::Text { open: true } && !names)?;
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        plain.push(match c {
            '\\' => match chars.next()? {
                'n' => '\n',
                't' => '\t',
                other => other,
            },
            c => c,
        });
    }
    (!plain.trim().is_empty()).then_some(plain)
}

fn serve(model: &Model, shared: &Shared, asked: &Receiver<String>, mut redraw: impl FnMut()) {
    let mut context = Context::new(model);
    while let Ok(text) = asked.recv() {
        let text = asked.try_iter().last().unwrap_or(text);
        shared.interrupt.clear();
        if shared.latest().text != text {
            continue;
        }
        // What cannot be continued has no ghost.
        let _ = go_on(&mut context, &text, &shared.interrupt, |continuation| {
            let mut latest = shared.latest();
            if latest.text == text && !latest.continuations.contains(&continuation) {
                latest.continuations.push(continuation);
                drop(latest);
                redraw();
            }
        });
    }
}

/// The likeliest tokens after a text, each with what the model would write behind it, as far as that may stand in a
/// string.
fn go_on(
    context: &mut Context,
    text: &str,
    interrupt: &Interrupt,
    mut found: impl FnMut(String),
) -> Result<()> {
    let tokenizer = context.model().tokenizer().clone();
    let tokens = tokenizer.tokenize(text);
    let ids = &tokens.ids()[tokens.len().saturating_sub(READ)..];
    let firsts = context.read(ids, interrupt)?.top(CONTINUATIONS);
    for (first, _) in firsts {
        let mut longer = [ids, &[first]].concat();
        for _ in 1..TOKENS {
            longer.push(context.read(&longer, interrupt)?.argmax());
        }
        let text = tokenizer.tokens(&longer[ids.len()..])?.text();
        let ends = |c: char| c.is_control() || "\"`\\$\u{fffd}".contains(c);
        let text = &text[..text.find(ends).unwrap_or(text.len())];
        if !text.trim().is_empty() {
            found(text.to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_texts_have_ghosts() {
        assert_eq!(open_text("next_probs(\"Once upon a").as_deref(), Some("Once upon a"));
        assert_eq!(open_text("f(\"a\\n\\\"b\\\"").as_deref(), Some("a\n\"b\""));
        assert_eq!(open_text("let x = `one").as_deref(), Some("one"));
        for code in ["next_probs(\"a\")", "load(\"gp", "read_text(\"a", "save(x, \"a", "\"", "\"a\\", "1 + 1"]
        {
            assert_eq!(open_text(code), None, "{code}");
        }
    }

    #[test]
    fn a_ghost_fits_into_its_line() {
        assert_eq!(fitting(" time there", 6), " time");
        assert_eq!(fitting("中文", 4), "中");
        assert_eq!(fitting(" time", 0), "");
    }
}
