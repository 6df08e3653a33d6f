//! Long work at a terminal: a bar, and above it the end of the text that is being written.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use unicode_width::UnicodeWidthChar;

use crate::render::label::escape;
use crate::script::Unit;

/// What is drawn while work goes on, on standard error, and taken off when it ends.
pub struct Progress {
    bar: ProgressBar,
    /// What was written so far.
    text: String,
}

/// Often enough that each token is seen when it comes.
const REDRAWS_PER_SECOND: u8 = 60;

/// Lines below the text: the bar, and the cursor's own.
const BELOW: usize = 2;

impl Progress {
    pub fn new(what: String, total: u64, unit: Unit) -> Progress {
        let numbers = match unit {
            Unit::Bytes => "{bytes}/{total_bytes} {binary_bytes_per_sec} {eta}",
            Unit::Facts | Unit::Places => "{pos}/{len}",
            Unit::Tokens => "{pos}/{len} tokens {rate} {eta}",
        };
        let template = format!("{{prefix}}{{msg}} {{wide_bar}} {numbers}");
        let style = ProgressStyle::with_template(&template).expect("the template is well-formed");
        // Its own rate has four decimals.
        let rate = |state: &ProgressState, text: &mut dyn std::fmt::Write| {
            // A bar that cannot be written has nobody to tell.
            let _ = write!(text, "{:.0}/s", state.per_sec());
        };
        let target = ProgressDrawTarget::stderr_with_hz(REDRAWS_PER_SECOND);
        let bar = ProgressBar::with_draw_target(Some(total), target);
        let bar = bar.with_style(style.progress_chars("━━╌").with_key("rate", rate)).with_message(what);
        Progress { bar, text: String::new() }
    }

    pub fn advance(&self, amount: u64) {
        self.bar.inc(amount);
    }

    /// Adds to the text that is being written; of a text that does not fit, the end is shown.
    pub fn write(&mut self, text: &str, width: usize, height: usize) {
        self.text.push_str(text);
        let lines = lines(&self.text, width);
        let from = lines.len().saturating_sub(height.saturating_sub(BELOW).max(1));
        self.bar.set_prefix(lines[from..].join("\n") + "\n");
    }

    /// Lets something else be written meanwhile.
    pub fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }

    pub fn finish(self) {
        self.bar.finish_and_clear();
    }
}

/// A text as a terminal breaks it. What would move the cursor is escaped.
fn lines(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut column = 0;
    for character in text.chars() {
        if character == '\n' {
            lines.push(String::new());
            column = 0;
            continue;
        }
        let piece = if character.is_control() { escape(character) } else { character.to_string() };
        let columns = piece.chars().filter_map(UnicodeWidthChar::width).sum::<usize>();
        if column + columns > width {
            lines.push(String::new());
            column = 0;
        }
        column += columns;
        lines.last_mut().expect("there is a line from the start").push_str(&piece);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_where_a_terminal_breaks_them() {
        assert_eq!(lines("abcdef\ng", 4), ["abcd", "ef", "g"]);
        assert_eq!(lines("a中中\n", 3), ["a中", "中", ""]);
        assert_eq!(lines("a\u{1b}[2J", 20), [r"a\x1B[2J"]);
    }
}
