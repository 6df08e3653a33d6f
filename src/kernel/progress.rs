//! How a notebook shows that long work goes on, and the text that it writes: one display that is updated in place.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::message;
use crate::render::html;
use crate::script::Unit;

/// Work that ends sooner shows nothing: most does, and a notebook keeps what it was shown.
const LONG: Duration = Duration::from_secs(1);

/// How often the display changes.
const STEP: Duration = Duration::from_millis(250);

pub struct Progress {
    what: String,
    total: u64,
    unit: Unit,
    done: u64,
    /// What the work has written so far.
    text: String,
    begun: Instant,
    /// Under which id, and when, it was last shown.
    shown: Option<(String, Instant)>,
}

impl Progress {
    pub fn new(what: String, total: u64, unit: Unit) -> Progress {
        Progress { what, total, unit, done: 0, text: String::new(), begun: Instant::now(), shown: None }
    }

    pub fn advance(&mut self, amount: u64, tell: impl Fn(&str, &Value)) {
        self.done += amount;
        let is_due = match &self.shown {
            Some((_, last)) => last.elapsed() >= STEP,
            None => self.begun.elapsed() >= LONG,
        };
        if is_due {
            self.show(tell);
        }
    }

    /// The next characters of the text that the work writes.
    pub fn write(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// How far it came stays, if anything was shown; the text is left to what the cell makes of it.
    pub fn finish(mut self, tell: impl Fn(&str, &Value)) {
        self.text.clear();
        if self.shown.is_some() {
            self.show(tell);
        }
    }

    fn show(&mut self, tell: impl Fn(&str, &Value)) {
        let kind = if self.shown.is_some() { "update_display_data" } else { "display_data" };
        let id = self.shown.take().map_or_else(message::unique, |(id, _)| id);
        let line = self.line();
        let bar =
            format!("<progress value=\"{}\" max=\"{}\"></progress>", self.done.min(self.total), self.total);
        let html = format!("{bar} {}{}", html::escape(&line), self.text_as_html());
        let plain = if self.text.is_empty() { line } else { format!("{line}\n{}", self.text) };
        let data = json!({ "text/plain": plain, "text/html": html });
        tell(kind, &json!({ "data": data, "metadata": {}, "transient": { "display_id": id } }));
        self.shown = Some((id, Instant::now()));
    }

    fn text_as_html(&self) -> String {
        match self.text.is_empty() {
            true => String::new(),
            false => format!("<pre style=\"white-space:pre-wrap\">{}</pre>", html::escape(&self.text)),
        }
    }

    fn line(&self) -> String {
        let seconds = self.begun.elapsed().as_secs_f64();
        match self.unit {
            Unit::Bytes => {
                let [done, total] = [self.done, self.total].map(|bytes| bytes as f64 / 1e6);
                format!("{}: {done:.1} of {total:.1} MB in {seconds:.0} s", self.what)
            }
            Unit::Tokens | Unit::Facts | Unit::Places => {
                let unit = match self.unit {
                    Unit::Facts => "facts",
                    Unit::Places => "places",
                    _ => "tokens",
                };
                format!("{}: {} of {} {unit} in {seconds:.0} s", self.what, self.done, self.total)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn only_long_work_is_shown_and_then_in_one_place() {
        let told = RefCell::new(Vec::new());
        let tell = |kind: &str, content: &Value| told.borrow_mut().push((kind.to_owned(), content.clone()));
        let mut progress = Progress::new("model.safetensors".into(), 3_000_000, Unit::Bytes);
        progress.advance(1_000_000, tell);
        assert!(told.borrow().is_empty());
        progress.write("Once <upon>");
        progress.begun -= LONG;
        progress.advance(1_000_000, tell);
        progress.advance(1_000_000, tell);
        progress.finish(tell);
        let told = told.into_inner();
        let kinds: Vec<&str> = told.iter().map(|(kind, _)| kind.as_str()).collect();
        assert_eq!(kinds, ["display_data", "update_display_data"]);
        assert_eq!(told[0].1["transient"], told[1].1["transient"]);
        assert!(told[0].1["data"]["text/html"].as_str().unwrap().contains("Once &lt;upon"));
        assert!(!told[1].1["data"]["text/plain"].as_str().unwrap().contains("Once"));
        assert!(told[1].1["data"]["text/plain"].as_str().unwrap().contains("3.0 of 3.0 MB"));
    }
}
