//! A script error → message, place, caret, hint.

use std::fmt::Write as _;
use std::rc::Rc;

use rhai::{EvalAltResult, LexError, ParseError, ParseErrorType, Position};

use super::registry;
use crate::error::Error;
use crate::suggest::did_you_mean;

/// What went wrong in a cell, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub message: String,
    pub place: Option<Place>,
    /// The functions that were being called, innermost first, each with where it was called.
    pub calls: Vec<String>,
    pub hint: Option<String>,
    /// Somebody asked to stop: not a fault of the script.
    pub interrupted: bool,
}

/// Where in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub source: String,
    pub line: usize,
    pub column: usize,
    /// That line, and how many characters of it to mark.
    pub text: String,
    pub length: usize,
}

/// A source by name, so that an error in a function can show the line where it was written.
pub trait Sources {
    fn text(&self, name: &str) -> Option<&str>;
}

impl Report {
    /// From an error while a cell ran.
    pub fn of_run(error: EvalAltResult, source: &str, sources: &dyn Sources, context: &Known) -> Report {
        let mut calls = Vec::new();
        let (mut error, source) = innermost(error, source.to_owned(), &mut calls);
        // The engine would write the position behind its message too.
        let position = error.take_position();
        let (message, hint) = describe(&error, context);
        let interrupted = matches!(&error, EvalAltResult::ErrorTerminated(..))
            || matches!(tokenscope_error(&error), Some(error) if matches!(*error, Error::Interrupted));
        let place = place(&source, position, sources);
        Report { message, place, calls, hint, interrupted }
    }

    /// From source that is no program.
    pub fn of_parse(error: &ParseError, source: &str, sources: &dyn Sources) -> Report {
        let message = parse_message(&error.0);
        let place = place(source, error.1, sources);
        Report { message, place, calls: Vec::new(), hint: parse_hint(&error.0), interrupted: false }
    }

    /// From an error that has no place in a script.
    pub fn of_error(error: &Error) -> Report {
        let interrupted = matches!(error, Error::Interrupted);
        Report { message: error.to_string(), place: None, calls: Vec::new(), hint: error.hint(), interrupted }
    }

    /// The report as text: place before hint, readable without colour.
    pub fn text(&self, colour: bool) -> String {
        let paint = |code: &str, text: &str| match colour {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        };
        let mut text = format!("{}: {}\n", paint("1;31", "error"), self.message);
        if let Some(place) = &self.place {
            let gutter = " ".repeat(place.line.to_string().len());
            let blank: String = place.text.chars().take(place.column - 1).map(blank_of).collect();
            let caret = paint("31", &"^".repeat(place.length.max(1)));
            let at = format!("{}:{}:{}", place.source, place.line, place.column);
            let _ = writeln!(text, "{gutter}{} {at}", paint("34", "-->"));
            let _ = writeln!(text, "{gutter} {}", paint("34", "|"));
            let _ = writeln!(
                text,
                "{} {} {}",
                paint("34", &place.line.to_string()),
                paint("34", "|"),
                place.text
            );
            let _ = writeln!(text, "{gutter} {} {blank}{caret}", paint("34", "|"));
        }
        for call in &self.calls {
            let _ = writeln!(text, "{call}");
        }
        if let Some(hint) = &self.hint {
            let _ = writeln!(text, "{}: {hint}", paint("1;36", "hint"));
        }
        text
    }
}

/// What names there are to suggest.
pub struct Known {
    pub variables: Vec<String>,
    pub functions: Vec<String>,
}

fn blank_of(c: char) -> char {
    if c == '\t' { '\t' } else { ' ' }
}

/// Unwraps the calls around an error: the error itself and the source it happened in.
fn innermost(error: EvalAltResult, source: String, calls: &mut Vec<String>) -> (EvalAltResult, String) {
    match error {
        EvalAltResult::ErrorInFunctionCall(name, defined_in, inner, position) => {
            let line = position.line().map_or(String::new(), |line| format!(", called at {source}:{line}"));
            let inside = if defined_in.is_empty() { source } else { defined_in };
            let found = innermost(*inner, inside, calls);
            calls.push(format!("  in `{name}`{line}"));
            found
        }
        error => (error, source),
    }
}

fn place(source: &str, position: Position, sources: &dyn Sources) -> Option<Place> {
    let (line, column) = (position.line()?, position.position().unwrap_or(1));
    let text = sources.text(source)?.lines().nth(line - 1)?.to_owned();
    let word = text.chars().skip(column - 1).take_while(|c| c.is_alphanumeric() || *c == '_').count();
    Some(Place { source: source.to_owned(), line, column, text, length: word.max(1) })
}

/// The error of ours that a binding raised, if it was one.
pub fn tokenscope_error(error: &EvalAltResult) -> Option<Rc<Error>> {
    match error.unwrap_inner() {
        EvalAltResult::ErrorRuntime(value, _) => value.clone().try_cast::<Rc<Error>>(),
        _ => None,
    }
}

fn describe(error: &EvalAltResult, known: &Known) -> (String, Option<String>) {
    if let Some(error) = tokenscope_error(error) {
        return (error.to_string(), error.hint());
    }
    match error {
        EvalAltResult::ErrorTerminated(..) => (Error::Interrupted.to_string(), None),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => unknown_function(signature, known),
        EvalAltResult::ErrorVariableNotFound(name, _) => {
            let names = known.variables.iter().map(String::as_str);
            let hint = match known.variables.contains(name) {
                true => Some("a function sees only what it is given: pass it as a parameter".to_owned()),
                false => did_you_mean(name, names.chain(registry::names())),
            };
            (format!("unknown variable `{name}`"), hint)
        }
        EvalAltResult::ErrorPropertyNotFound(name, _) | EvalAltResult::ErrorDotExpr(name, _) => {
            (lower_first(error.to_string()), did_you_mean(name, registry::fields()))
        }
        EvalAltResult::ErrorStackOverflow(_) => (
            "the functions call each other too deeply".to_owned(),
            Some("does the recursion end? a loop needs no stack".to_owned()),
        ),
        EvalAltResult::ErrorRuntime(value, _) if value.is_string() => (value.to_string(), None),
        error => (lower_first(error.to_string()), None),
    }
}

/// `f (i64, &str)` is how the engine writes a call that nothing matches.
fn unknown_function(signature: &str, known: &Known) -> (String, Option<String>) {
    let name = signature.split([' ', '(']).next().unwrap_or(signature);
    let field = name.strip_prefix("get$").or(name.strip_prefix("set$"));
    if let Some(field) = field {
        let hint = did_you_mean(field, registry::fields());
        return (format!("no such field: `{field}`"), hint);
    }
    if name.starts_with("index$") {
        return (format!("this cannot be indexed so: `{}`", plain_types(signature)), None);
    }
    let signatures = registry::signatures(name);
    if !signatures.is_empty() {
        let arguments = plain_types(signature.strip_prefix(name).unwrap_or(signature).trim());
        return (
            format!("`{name}` does not take {arguments}"),
            Some(format!(
                "it is {}",
                signatures.iter().map(|s| format!("`{s}`")).collect::<Vec<_>>().join(" or ")
            )),
        );
    }
    if known.functions.iter().any(|function| function == name) {
        return (format!("`{name}` takes another number of arguments"), None);
    }
    let names = registry::names().chain(known.functions.iter().map(String::as_str));
    let hint = crate::suggest::nearest(name, names).map(|near| {
        let signature = registry::signatures(near).first().map_or(near.to_owned(), ToString::to_string);
        format!("did you mean `{signature}`?")
    });
    (format!("unknown function `{name}`"), hint.or_else(|| Some("`help()` lists what there is".to_owned())))
}

/// Types as a script's writer knows them.
fn plain_types(signature: &str) -> String {
    signature
        .replace("&str | ImmutableString | String", "string")
        .replace("i64", "int")
        .replace("f64", "float")
}

fn lower_first(text: String) -> String {
    let mut chars = text.chars();
    let rest_is_lower = text.chars().nth(1).is_some_and(char::is_lowercase);
    match chars.next() {
        Some(first) if rest_is_lower => first.to_lowercase().chain(chars).collect(),
        _ => text,
    }
}

fn parse_message(error: &ParseErrorType) -> String {
    match error {
        ParseErrorType::UnexpectedEOF => "the code ends in the middle".to_owned(),
        ParseErrorType::BadInput(LexError::UnterminatedString) => "a string is not closed".to_owned(),
        ParseErrorType::MissingToken(token, reason) => format!("missing `{token}` {reason}"),
        error => lower_first(error.to_string()),
    }
}

fn parse_hint(error: &ParseErrorType) -> Option<String> {
    match error {
        ParseErrorType::BadInput(LexError::UnexpectedInput(text)) if text == "\u{27}" => {
            Some("strings stand in double quotes".to_owned())
        }
        _ => None,
    }
}
