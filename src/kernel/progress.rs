//! How a notebook shows that long work goes on: one display that is updated in place.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::message;
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
    begun: Instant,
    /// Under which id, and when, it was last shown.
    shown: Option<(String, Instant)>,
}

impl Progress {
    pub fn new(what: String, total: u64, unit: Unit) -> Progress {
        Progress { what, total, unit, done: 0, begun: Instant::now(), shown: None }
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

    /// The last state stays, if any was shown.
    pub fn finish(mut self, tell: impl Fn(&str, &Value)) {
        if self.shown.is_some() {
            self.show(tell);
        }
    }

    fn show(&mut self, tell: impl Fn(&str, &Value)) {
        let kind = if self.shown.is_some() { "update_display_data" } else { "display_data" };
        let id = self.shown.take().map_or_else(message::unique, |(id, _)| id);
        let text = self.text();
        let html = format!(
            "<progress value=\"{}\" max=\"{}\"></progress> {}",
            self.done.min(self.total),
            self.total,
            text.replace('&', "&amp;").replace('<', "&lt;")
        );
        let data = json!({ "text/plain": text, "text/html": html });
        tell(kind, &json!({ "data": data, "metadata": {}, "transient": { "display_id": id } }));
        self.shown = Some((id, Instant::now()));
    }

    fn text(&self) -> String {
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
        progress.begun -= LONG;
        progress.advance(1_000_000, tell);
        progress.advance(1_000_000, tell);
        progress.finish(tell);
        let told = told.into_inner();
        let kinds: Vec<&str> = told.iter().map(|(kind, _)| kind.as_str()).collect();
        assert_eq!(kinds, ["display_data", "update_display_data"]);
        assert_eq!(told[0].1["transient"], told[1].1["transient"]);
        assert!(told[1].1["data"]["text/plain"].as_str().unwrap().contains("3.0 of 3.0 MB"));
    }
}
