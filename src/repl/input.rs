//! What was typed: a command, a question, or code; and whether more of it is to come.

use super::commands::{self, Argument};
use crate::script::assist::Question;
use crate::script::{Completeness, completeness};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input<'a> {
    Empty,
    /// `:name argument`
    Command {
        name: &'a str,
        argument: &'a str,
    },
    Question(Question<'a>),
    Code(&'a str),
}

impl<'a> Input<'a> {
    pub fn parse(text: &'a str) -> Input<'a> {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Input::Empty;
        }
        if let Some(command) = trimmed.strip_prefix(':') {
            let end = command.find(|c: char| !is_name(c)).unwrap_or(command.len());
            // `:?` is a command too.
            let end = if end == 0 { command.chars().next().map_or(0, char::len_utf8) } else { end };
            return Input::Command { name: &command[..end], argument: command[end..].trim() };
        }
        Question::parse(trimmed).map_or(Input::Code(text), Input::Question)
    }
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether Enter at the end of this text runs it. A blank line ends what would otherwise go on.
pub fn is_finished(text: &str) -> bool {
    let code = match Input::parse(text) {
        Input::Empty | Input::Question(_) => return true,
        Input::Code(code) => code,
        Input::Command { name, argument } => match commands::find(name) {
            Some(command) if command.argument == Argument::Code => argument,
            _ => return true,
        },
    };
    let ends_blank = text.rsplit_once('\n').is_some_and(|(_, last)| last.trim().is_empty());
    ends_blank || completeness(code) != Completeness::Incomplete
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_questions_and_code_are_told_apart() {
        assert_eq!(Input::parse(" :model gpt2 "), Input::Command { name: "model", argument: "gpt2" });
        assert_eq!(
            Input::parse("next_probs?"),
            Input::Question(Question { name: "next_probs", deep: false })
        );
        assert_eq!(
            Input::parse("?next_probs()"),
            Input::Question(Question { name: "next_probs", deep: false })
        );
        assert_eq!(
            Input::parse("Tokens.ids??"),
            Input::Question(Question { name: "Tokens.ids", deep: true })
        );
        assert_eq!(Input::parse("\"why?\""), Input::Code("\"why?\""));
        assert_eq!(Input::parse("  \n"), Input::Empty);
    }

    #[test]
    fn a_blank_line_ends_what_is_unfinished() {
        assert!(!is_finished("fn f() {"));
        assert!(!is_finished("fn f() {\n    1"));
        assert!(is_finished("fn f() {\n"));
        assert!(is_finished("fn f() {\n    1\n}"));
        assert!(is_finished(":model") && !is_finished(":time loop {"));
    }
}
