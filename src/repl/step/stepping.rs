//! What each key does: a text, its candidates, which of them is meant, and what is being typed.

use termimad::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::field::{Field, with_option};
use crate::analyse::next_token::{Candidate, NextToken};
use crate::analyse::stepper::Stepper;
use crate::error::{Error, Result};
use crate::generate::{Sampler, SamplingOptions};
use crate::render::label;
use crate::script::quoted;
use crate::tokenizer::Tokens;

/// How what follows a text is read.
type Read<'a> = dyn Fn(&Tokens) -> Result<NextToken> + 'a;

/// A stepper under somebody's hands.
pub struct Stepping<'a> {
    pub stepper: Stepper,
    /// What may come next, after the rules.
    pub next: NextToken,
    /// Its likeliest tokens, as many as anybody would look through.
    pub candidates: Vec<Candidate>,
    /// Which of them is meant, from 0.
    pub selected: usize,
    pub mode: Mode,
    /// What the last key led to, where that cannot be seen otherwise.
    pub message: Option<String>,
    /// What was done, as a script does it.
    done: Vec<String>,
    /// The rules at the beginning.
    before: SamplingOptions,
    chance: Sampler,
    read: Box<Read<'a>>,
}

/// What keys mean.
#[derive(Clone, Debug, PartialEq)]
pub enum Mode {
    Choosing,
    /// The list of keys is shown; any key ends that.
    Help,
    Typing(Entry),
}

/// A line that is being typed.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub field: Field,
    pub text: String,
    /// Whether the text is an offer: the first letter typed replaces it.
    pub is_offer: bool,
    /// The rules before it, to come back to.
    before: SamplingOptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    Stay,
    Leave,
}

/// More candidates than this nobody looks through.
const MOST: usize = 500;
const PAGE: usize = 10;

impl<'a> Stepping<'a> {
    pub fn new(stepper: Stepper, read: impl Fn(&Tokens) -> Result<NextToken> + 'a) -> Result<Stepping<'a>> {
        let (next, chance) = (stepper.processed()?, Sampler::new(stepper.options()));
        let candidates = next.candidates(MOST);
        let (before, read) = (stepper.options().clone(), Box::new(read));
        Ok(Stepping {
            stepper,
            next,
            candidates,
            selected: 0,
            mode: Mode::Choosing,
            message: None,
            done: Vec::new(),
            before,
            chance,
            read,
        })
    }

    /// A script that comes to the same stepper, where `beginning` is the code that this one began with.
    pub fn script(&self, beginning: &str) -> String {
        let beginning = match beginning.trim() {
            "" => "_".to_owned(),
            // Of several statements the last one counts.
            several if several.contains(';') => format!("{{ {several} }}"),
            one => one.to_owned(),
        };
        let changed = [Field::Temperature, Field::TopK, Field::TopP].into_iter().filter_map(|field| {
            let now = field.value(self.stepper.options());
            let dial = field.dial().filter(|_| now != field.value(&self.before))?;
            let off = || if dial.off.is_finite() { dial.off } else { self.next.distribution.len() as f64 };
            Some(format!("{}: {}", dial.name, now.unwrap_or_else(|| off().to_string())))
        });
        let changed: Vec<String> = changed.collect();
        let start = match changed.as_slice() {
            [] => format!("stepper({beginning})"),
            changed => format!("stepper({beginning}, #{{ {} }})", changed.join(", ")),
        };
        match self.done.as_slice() {
            [] => start,
            done => {
                let done: String = done.iter().map(|call| format!("    hand.{call}\n")).collect();
                format!("{{\n    let hand = {start};\n{done}    hand\n}}")
            }
        }
    }

    pub fn into_stepper(self) -> Stepper {
        self.stepper
    }

    /// Does what a key stands for.
    pub fn press(&mut self, key: KeyEvent) -> Flow {
        self.message = None;
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match (&self.mode, key.code) {
            (Mode::Help, _) => self.mode = Mode::Choosing,
            (Mode::Typing(_), code) => self.edit(code, control),
            (Mode::Choosing, KeyCode::Char('c' | 'd')) if control => return Flow::Leave,
            (Mode::Choosing, KeyCode::Char('q') | KeyCode::Esc) => return Flow::Leave,
            (Mode::Choosing, code) if !control => self.choose(code),
            (Mode::Choosing, _) => {}
        }
        Flow::Stay
    }

    /// Text that is pasted is text to append.
    pub fn paste(&mut self, text: &str) -> Flow {
        if !matches!(self.mode, Mode::Typing(_)) {
            self.begin(Field::Text, String::new());
        }
        let text: String = text.replace("\r\n", "\n").replace('\r', "\n");
        self.change(|entry| entry.write(&text));
        Flow::Stay
    }

    fn choose(&mut self, code: KeyCode) {
        let last = self.candidates.len().saturating_sub(1);
        match code {
            KeyCode::Up => self.selected = self.selected.saturating_sub(1),
            KeyCode::Down => self.selected = (self.selected + 1).min(last),
            KeyCode::PageUp => self.selected = self.selected.saturating_sub(PAGE),
            KeyCode::PageDown => self.selected = (self.selected + PAGE).min(last),
            KeyCode::Home => self.selected = 0,
            KeyCode::End => self.selected = last,
            KeyCode::Enter | KeyCode::Right => {
                if let Some(id) = self.candidates.get(self.selected).map(|candidate| candidate.id) {
                    self.append(&[id]);
                }
            }
            KeyCode::Char('u') | KeyCode::Left | KeyCode::Backspace => {
                let undone = self.stepper.undo(&self.read);
                self.settle_call(undone, "undo();".to_owned());
            }
            KeyCode::Char('s') => {
                let drawn = self.chance.draw(self.next.distribution.probabilities());
                self.append(&[drawn as u32]);
            }
            KeyCode::Char('t') => self.dial(Field::Temperature),
            KeyCode::Char('k') => self.dial(Field::TopK),
            KeyCode::Char('p') => self.dial(Field::TopP),
            KeyCode::Char('i' | '/') => self.begin(Field::Text, String::new()),
            // Most tokens begin with a space.
            KeyCode::Char(' ') => self.begin(Field::Text, " ".to_owned()),
            KeyCode::Char('b') => {
                let number = self.stepper.names().count() + 1;
                self.begin(Field::Branch, format!("place {number}"));
            }
            KeyCode::Char('g') => match self.stepper.names().last().map(str::to_owned) {
                Some(name) => self.begin(Field::GoTo, name),
                None => self.message = Some("no place is marked yet; b marks one".to_owned()),
            },
            KeyCode::Char('?' | 'h') => self.mode = Mode::Help,
            _ => {}
        }
    }

    fn dial(&mut self, field: Field) {
        self.begin(field, field.value(self.stepper.options()).unwrap_or_default());
    }

    fn begin(&mut self, field: Field, text: String) {
        let before = self.stepper.options().clone();
        let is_offer = field != Field::Text && !text.is_empty();
        self.mode = Mode::Typing(Entry { field, text, is_offer, before });
    }

    fn edit(&mut self, code: KeyCode, control: bool) {
        match code {
            KeyCode::Esc => self.cancel(),
            KeyCode::Char('c' | 'd') if control => self.cancel(),
            KeyCode::Char('u') if control => self.change(|entry| entry.text.clear()),
            KeyCode::Enter => self.accept(),
            KeyCode::Backspace => self.change(Entry::take_back),
            KeyCode::Up => self.turn(1),
            KeyCode::Down => self.turn(-1),
            KeyCode::Char(character) if !control => {
                self.change(|entry| entry.write(character.encode_utf8(&mut [0; 4])));
            }
            _ => {}
        }
    }

    /// Changes the typed line. A rule answers at once, unless it is only begun: `0.`
    fn change(&mut self, change: impl FnOnce(&mut Entry)) {
        let Mode::Typing(entry) = &mut self.mode else { return };
        change(entry);
        let is_begun = !entry.text.is_empty() && entry.text.chars().all(|c| matches!(c, '0' | '.'));
        if let Some(dial) = entry.field.dial().filter(|_| !is_begun) {
            let options = with_option(&entry.before, entry.field, dial.name, &entry.text);
            let set = options.and_then(|options| self.stepper.set_options(options));
            self.settle(set);
        }
    }

    /// To the next or the previous value of a rule, or name of a place.
    fn turn(&mut self, by: i32) {
        let Mode::Typing(Entry { field, text, .. }) = &self.mode else { return };
        let turned = match field.dial() {
            Some(dial) => dial.turned(text.trim().parse().ok(), by),
            None if *field == Field::GoTo => {
                let names: Vec<&str> = self.stepper.names().collect();
                let at = names.iter().position(|name| name == text).unwrap_or(0) as i32;
                // The last one that was marked is the first that comes to mind.
                names[(at - by).rem_euclid(names.len().max(1) as i32) as usize].to_owned()
            }
            None => return,
        };
        self.change(|entry| entry.offer(turned));
    }

    fn cancel(&mut self) {
        if let Mode::Typing(Entry { before, .. }) = std::mem::replace(&mut self.mode, Mode::Choosing) {
            let set = self.stepper.set_options(before);
            self.settle(set);
        }
    }

    fn accept(&mut self) {
        let Mode::Typing(Entry { field, text, before, .. }) = self.mode.clone() else { return };
        if let Some(dial) = field.dial() {
            // What cannot be is told, and stays to be mended.
            match with_option(&before, field, dial.name, &text) {
                Ok(_) => self.mode = Mode::Choosing,
                Err(error) => self.settle(Err(error)),
            }
            return;
        }
        self.mode = Mode::Choosing;
        match field {
            Field::Text => {
                let appended = self.stepper.start().tokenizer().tokenize(&text);
                self.append(appended.ids());
            }
            Field::Branch if text.trim().is_empty() => {}
            Field::Branch => {
                self.stepper.branch(text.trim());
                self.done.push(format!("branch({});", quoted(text.trim())));
                self.message = Some(format!("this place is `{}` now; g goes back to it", text.trim()));
            }
            _ => {
                let gone = self.stepper.checkout(text.trim(), &self.read);
                self.settle_call(gone, format!("checkout({});", quoted(text.trim())));
            }
        }
    }

    /// Appends tokens, up to the first that does not fit.
    fn append(&mut self, ids: &[u32]) {
        let appended = ids.iter().try_for_each(|id| {
            self.stepper.append(*id, &self.read)?;
            let piece = self.stepper.start().tokenizer().piece(*id);
            self.done.push(format!("append({id}); // {}", label(&piece)));
            Ok(())
        });
        self.settle(appended);
    }

    /// Settles what a script does by this call.
    fn settle_call(&mut self, done: Result<()>, call: String) {
        if done.is_ok() {
            self.done.push(call);
        }
        self.settle(done);
    }

    /// Sees what may come next after something was done, or says why it was not.
    fn settle(&mut self, done: Result<()>) {
        let changed = done.and_then(|()| self.stepper.processed());
        match changed {
            Ok(next) => {
                self.candidates = next.candidates(MOST);
                self.next = next;
                self.selected = 0;
            }
            Err(error) => self.message = Some(told(&error)),
        }
    }
}

impl Entry {
    /// Text behind what was typed, or in the place of what was offered.
    fn write(&mut self, text: &str) {
        if std::mem::take(&mut self.is_offer) {
            self.text.clear();
        }
        self.text.push_str(text);
    }

    /// Takes back a letter, or all that was offered.
    fn take_back(&mut self) {
        match std::mem::take(&mut self.is_offer) {
            true => self.text.clear(),
            false => _ = self.text.pop(),
        }
    }

    fn offer(&mut self, text: String) {
        self.is_offer = !text.is_empty();
        self.text = text;
    }
}

/// An error in a line.
fn told(error: &Error) -> String {
    match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
