//! A script error → message, place, caret, hint.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::rc::Rc;

use rhai::{EvalAltResult, LexError, ParseError, ParseErrorType, Position};

use super::{limits, registry};
use crate::error::{Error, code_list};
use crate::render::TextStyle;
use crate::render::wrap::wrapped;
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
    /// The script asked to end with this code: no fault either.
    pub exit: Option<u8>,
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
        let (mut error, source) = innermost(error, source.to_owned(), context, &mut calls);
        // The engine would write the position behind its message too.
        let position = error.take_position();
        let (message, hint) = describe(&error, context);
        let exit = match &error {
            EvalAltResult::ErrorTerminated(code, _) => {
                code.as_int().ok().and_then(|code| u8::try_from(code).ok())
            }
            _ => None,
        };
        let interrupted = matches!(&error, EvalAltResult::ErrorTerminated(token, _) if token.is_unit())
            || matches!(tokenscope_error(&error), Some(error) if matches!(*error, Error::Interrupted));
        let place = place(&source, position, sources);
        let hint = hint.or_else(|| first_assignment(&error, place.as_ref()?));
        Report { message, place, calls, hint, interrupted, exit }
    }

    /// From source that is no program.
    pub fn of_parse(error: &ParseError, source: &str, sources: &dyn Sources) -> Report {
        let message = parse_message(&error.0);
        let place = place(source, error.1, sources);
        Report {
            message,
            place,
            calls: Vec::new(),
            hint: parse_hint(&error.0),
            interrupted: false,
            exit: None,
        }
    }

    /// From an error that has no place in a script.
    pub fn of_error(error: &Error) -> Report {
        let interrupted = matches!(error, Error::Interrupted);
        Report {
            message: error.to_string(),
            place: None,
            calls: Vec::new(),
            hint: error.hint(),
            interrupted,
            exit: None,
        }
    }

    /// The report as text: place before hint, readable without colour, its lines broken between words.
    pub fn text(&self, style: &TextStyle) -> String {
        let TextStyle { width, colour } = *style;
        let paint = |code: &str, text: &str| match colour {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        };
        // The word in front is painted afterwards: colour takes no columns.
        let said = |code: &str, word: &str, text: &str| {
            let lines = wrapped(&format!("{word}: {text}"), width);
            format!("{}{}\n", paint(code, word), &lines[word.len()..])
        };
        let mut text = said("1;31", "error", &self.message);
        if let Some(place) = &self.place {
            let gutter = " ".repeat(place.line.to_string().len());
            let (line, before) = place.excerpt(width.saturating_sub(gutter.len() + " | ".len()));
            let blank: String = line.chars().take(before).map(blank_of).collect();
            let marked = line.chars().count().saturating_sub(before);
            let caret = paint("31", &"^".repeat(place.length.min(marked).max(1)));
            let at = format!("{}:{}:{}", place.source, place.line, place.column);
            let (number, bar) = (paint("34", &place.line.to_string()), paint("34", "|"));
            let _ = writeln!(text, "{gutter}{} {at}", paint("34", "-->"));
            let _ = writeln!(text, "{gutter} {bar}\n{number} {bar} {line}\n{gutter} {bar} {blank}{caret}");
        }
        for call in &self.calls {
            let _ = writeln!(text, "{}", wrapped(call, width));
        }
        if let Some(hint) = &self.hint {
            text.push_str(&said("1;36", "hint", hint));
        }
        text
    }
}

impl Place {
    /// As much of the line, around what is marked, as there is room for; and how many characters stand before that.
    fn excerpt(&self, room: usize) -> (String, usize) {
        let characters: Vec<char> = self.text.chars().collect();
        let (before, room) = (self.column - 1, room.max(LEAST_EXCERPT));
        if characters.len() <= room {
            return (self.text.clone(), before);
        }
        let is_near_start = before + self.length < room;
        let start = if is_near_start { 0 } else { before.saturating_sub(room / 3) };
        let end = characters.len().min(start + room);
        let cut = |at: usize| (at == start && start > 0) || (at + 1 == end && end < characters.len());
        let line = (start..end).map(|at| if cut(at) { '…' } else { characters[at] }).collect();
        (line, before - start)
    }
}

/// Characters of a line that are shown in the narrowest terminal.
const LEAST_EXCERPT: usize = 12;

/// What names there are to suggest.
pub struct Known {
    pub variables: Vec<String>,
    /// The user's functions, each with the name of the source that it was written in.
    pub functions: HashMap<String, String>,
}

fn blank_of(c: char) -> char {
    if c == '\t' { '\t' } else { ' ' }
}

/// Unwraps the calls around an error: the error itself and the source it happened in.
fn innermost(
    error: EvalAltResult,
    source: String,
    known: &Known,
    calls: &mut Vec<String>,
) -> (EvalAltResult, String) {
    match error {
        EvalAltResult::ErrorInFunctionCall(name, defined_in, inner, position) => {
            let line = position.line().map_or(String::new(), |line| format!(", called at {source}:{line}"));
            // The engine names the cell that runs, not the one that the function was written in.
            let written_in = known.functions.get(name.as_str()).cloned();
            let inside = written_in.unwrap_or(if defined_in.is_empty() { source } else { defined_in });
            let found = innermost(*inner, inside, known, calls);
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

/// A name that is given a value without ever being made.
fn first_assignment(error: &EvalAltResult, place: &Place) -> Option<String> {
    let EvalAltResult::ErrorVariableNotFound(name, _) = error else { return None };
    let after: String = place.text.chars().skip(place.column - 1 + name.chars().count()).collect();
    let is_assigned = after.trim_start().strip_prefix('=').is_some_and(|value| !value.starts_with('='));
    is_assigned.then(|| format!("`let {name} = …` makes a variable"))
}

/// The error of ours that a binding raised, if it was one.
pub fn tokenscope_error(error: &EvalAltResult) -> Option<Rc<Error>> {
    match error.unwrap_inner() {
        EvalAltResult::ErrorRuntime(value, _) | EvalAltResult::ErrorTerminated(value, _) => {
            value.clone().try_cast::<Rc<Error>>()
        }
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
        EvalAltResult::ErrorDotExpr(message, _) => {
            unknown_field(message).unwrap_or_else(|| (lower_first(error.to_string()), None))
        }
        EvalAltResult::ErrorModuleNotFound(name, _) => (
            format!("cannot import `{name}`"),
            Some(
                "a script has no modules; `run` takes several scripts, which share their functions"
                    .to_owned(),
            ),
        ),
        // The engine says `Table [i64]`.
        EvalAltResult::ErrorIndexingType(what, _) => {
            let (kind, index) = what.split_once(" [").unwrap_or((what, ""));
            let (kind, index) = (plain_types(kind), plain_types(index.trim_end_matches(']')));
            (format!("a {kind} cannot be indexed with `{index}`"), None)
        }
        EvalAltResult::ErrorArrayBounds(length, index, _) => out_of_range(*index, *length, "values"),
        EvalAltResult::ErrorStringBounds(length, index, _) => out_of_range(*index, *length, "characters"),
        EvalAltResult::ErrorStackOverflow(_) => (
            "the functions call each other too deeply".to_owned(),
            Some("does the recursion end? a loop needs no stack".to_owned()),
        ),
        EvalAltResult::ErrorDataTooLarge(what, _) => too_large(what),
        EvalAltResult::ErrorRuntime(value, _) if value.is_string() => (value.to_string(), None),
        error => (lower_first(error.to_string()), None),
    }
}

fn out_of_range(index: i64, length: usize, what: &str) -> (String, Option<String>) {
    let hint = "positions count from 0, or from the end: -1 is the last";
    (format!("the index is {index}, but there are {length} {what}"), Some(hint.to_owned()))
}

/// The engine says which kind of value outgrew its limit.
fn too_large(what: &str) -> (String, Option<String>) {
    let message = match what {
        what if what.contains("string") => format!("a text becomes longer than {} bytes", limits::TEXT),
        what if what.contains("map") => format!("a map becomes larger than {} values", limits::ITEMS),
        _ => format!("an array becomes larger than {} values", limits::ITEMS),
    };
    (message, Some("keep less of it at a time; does the loop end?".to_owned()))
}

/// The engine says `Unknown property 'idz' - a getter is not registered for type 'Tokens'`, or the same of a setter.
fn unknown_field(message: &str) -> Option<(String, Option<String>)> {
    let quoted: Vec<&str> = message.split('\'').skip(1).step_by(2).collect();
    let [field, kind, ..] = quoted[..] else { return None };
    if kind == "()" {
        let hint = "what stands before the point is `()`: no value, like a key that a map lacks";
        return Some((format!("nothing has no field `{field}`"), Some(hint.to_owned())));
    }
    let (kind, fields) = (plain_types(kind), registry::fields_of(kind));
    if message.contains("setter") {
        let is_known = fields.contains(&field);
        let hint = is_known.then(|| "fields can be read; a changed value is a new one".to_owned());
        return Some((format!("the field `{field}` of a {kind} cannot be set"), hint));
    }
    let hint = did_you_mean(field, fields.iter().copied()).or_else(|| match fields.is_empty() {
        true => None,
        false => Some(format!("it has {}", code_list(&fields))),
    });
    Some((format!("a {kind} has no field `{field}`"), hint))
}

/// No function of the user's or ours has a name like `+`.
fn unknown_operator(operator: &str, signature: &str) -> (String, Option<String>) {
    let types = signature.strip_prefix(operator).unwrap_or_default().trim();
    let types =
        plain_types(types.strip_prefix('(').and_then(|types| types.strip_suffix(')')).unwrap_or(types));
    let has_nothing = types.split(", ").any(|kind| kind == "()");
    let between = types.replace("()", "nothing").replace(", ", " and ");
    let hint = "`()` is no value: nothing was computed, or a call gave nothing back";
    (format!("there is no `{operator}` for {between}"), has_nothing.then(|| hint.to_owned()))
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
    if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        return unknown_operator(name, signature);
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
    if known.functions.contains_key(name) {
        return (format!("`{name}` takes another number of arguments"), None);
    }
    if known.variables.iter().any(|variable| variable == name) {
        return (format!("`{name}` is a variable, not a function"), None);
    }
    let names = registry::names().chain(known.functions.keys().map(String::as_str));
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
        ParseErrorType::BadInput(LexError::MalformedChar(_)) => Some(
            "a text stands in double quotes, or in backquotes; between single ones stands one character"
                .to_owned(),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(text: &str, column: usize) -> Report {
        let place = Place { source: "[1]".to_owned(), line: 1, column, text: text.to_owned(), length: 4 };
        let calls = vec!["  in `inner_function`, called at [2]:1".to_owned()];
        let hint = Some("did you mean `surprisal(text: string) -> Surprisal`?".to_owned());
        let message = "unknown variable `nope`".to_owned();
        Report { message, place: Some(place), calls, hint, interrupted: false, exit: None }
    }

    #[test]
    fn in_a_narrow_terminal_lines_break_between_words_and_the_mark_stays_where_it_belongs() {
        let near = report("nope + 1", 1);
        assert_eq!(
            near.text(&TextStyle::plain(30)),
            "error: unknown variable `nope`\n --> [1]:1:1\n  |\n1 | nope + 1\n  | ^^^^\n  in `inner_function`, called\n  \
             at [2]:1\nhint: did you mean\n`surprisal(text: string) ->\nSurprisal`?\n"
        );
        assert!(
            near.text(&TextStyle::coloured(30))
                .starts_with("\x1b[1;31merror\x1b[0m: unknown variable `nope`\n")
        );
        let far = report(&format!("{}nope + {}", "x + ".repeat(20), "y + ".repeat(20)), 81);
        let text = far.text(&TextStyle::plain(30));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[3], "1 | … + x + nope + y + y + y …");
        assert_eq!(lines[4], "  |         ^^^^");
    }
}
