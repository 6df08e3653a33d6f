//! The text of what was run, to show the lines that errors name.

use std::collections::HashMap;

use super::Origin;
use super::report::Sources;

/// The text of each source by its name.
#[derive(Default)]
pub(super) struct Texts(HashMap<String, String>);

impl Texts {
    pub(super) fn add(&mut self, origin: &Origin, code: &str) {
        let text = self.0.entry(origin.name.clone()).or_default();
        let lines = text.lines().count();
        if origin.line <= lines {
            // The file begins again: what is known of it may be out of date.
            *text = text.lines().take(origin.line - 1).map(|line| format!("{line}\n")).collect();
        }
        let missing = origin.line.saturating_sub(1 + text.lines().count());
        text.push_str(&"\n".repeat(missing));
        text.push_str(code);
        text.push('\n');
    }
}

impl Sources for Texts {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}
