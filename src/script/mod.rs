//! A session: cells of Rhai in, outputs out. What every front end (terminal, runner, notebook) talks to.

pub mod bindings;
pub mod cells;
mod findings;
pub mod lexer;
pub mod registry;
pub mod report;
pub mod show;
mod state;

use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;

use rhai::{AST, Dynamic, Engine, LexError, ParseErrorType, Position, Scope};

use crate::error::Result;
use crate::hub::Hub;
use crate::interrupt::Interrupt;
use crate::model::Model;
use crate::render::Output;
use report::{Known, Report, Sources};
pub use state::Sink;
use state::State;

/// What a session tells while a cell runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Something to show.
    Output(Output),
    /// Long work begins: how much there is to do.
    Started {
        what: String,
        total: u64,
        unit: Unit,
    },
    /// That much more of it is done.
    Advanced(u64),
    Finished,
}

/// What the amounts of long work count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Bytes,
    Tokens,
}

/// How a session is set up.
pub struct Settings {
    /// The name of the model to load when one is first needed.
    pub model: String,
    /// Where models come from; as the environment says if none is given.
    pub hub: Option<Hub>,
    /// Files that scripts write lie below this folder.
    pub out: PathBuf,
}

/// An engine with its variables, functions, model and results.
pub struct Session {
    engine: Engine,
    scope: Scope<'static>,
    /// The functions of all cells so far; no statements.
    functions: AST,
    state: Rc<State>,
    sources: Texts,
    results: Vec<Dynamic>,
    inputs: Vec<Dynamic>,
}

/// Where code comes from: the name that errors show, and the line (from 1) on which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub name: String,
    pub line: usize,
}

/// Whether code can run as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completeness {
    Complete,
    /// More is to come: a bracket, a string or a comment is open, or an operator lacks its right side.
    Incomplete,
    Invalid,
}

/// Names for results that a session keeps itself.
const RESULTS: [&str; 4] = ["In", "Out", "ans", "_"];

impl Session {
    pub fn new(settings: Settings, interrupt: Interrupt, sink: Sink) -> Session {
        let Settings { model, hub, out } = settings;
        let state = Rc::new(State::new(hub, model, out, interrupt, sink));
        Session {
            engine: engine(&state),
            scope: Scope::new(),
            functions: AST::empty(),
            state,
            sources: Texts::default(),
            // Cells count from 1.
            results: vec![Dynamic::UNIT],
            inputs: vec![Dynamic::UNIT],
        }
    }

    /// Runs one cell. What it prints or shows goes to the sink; the value of its last expression is returned as it is
    /// to be shown, unless the cell ends with `;`. Variables and functions live on, also after an error.
    pub fn eval(&mut self, code: &str, origin: &Origin) -> Result<Option<Output>, Box<Report>> {
        self.state.interrupt.clear();
        self.sources.add(origin, code);
        let ast = self.compile(code, origin)?;
        self.inputs.push(code.to_owned().into());
        self.results.push(Dynamic::UNIT);
        self.define_results();
        let program = self.functions.merge(&ast);
        let mut functions = program.clone();
        functions.clear_statements();
        self.functions = functions;
        let value = match self.engine.eval_ast_with_scope::<Dynamic>(&mut self.scope, &program) {
            Ok(value) => value,
            Err(error) => return Err(Box::new(self.report(*error, origin))),
        };
        let is_silent = ends_with_semicolon(code);
        if !value.is_unit() {
            *self.results.last_mut().expect("a result was just added") = value.clone();
            self.define_results();
        }
        Ok(if is_silent { None } else { show::output(&value) })
    }

    /// Whether this code can run as it is.
    pub fn completeness(&self, code: &str) -> Completeness {
        let spans = lexer::spans(code);
        let is_open = |(kind, range): &(lexer::Kind, std::ops::Range<usize>)| match kind {
            lexer::Kind::Comment { open } => *open,
            lexer::Kind::Text { open } => *open && code[range.clone()].starts_with('`'),
            _ => false,
        };
        if spans.iter().any(is_open) {
            return Completeness::Incomplete;
        }
        match self.engine.compile(underscore_to_ans(code)) {
            Ok(_) => Completeness::Complete,
            Err(error) => match (&error.0.as_ref(), error.1) {
                (ParseErrorType::UnexpectedEOF, _) => Completeness::Incomplete,
                (ParseErrorType::BadInput(LexError::UnterminatedString), _) => Completeness::Invalid,
                (_, position) if is_at_end(code, position) => Completeness::Incomplete,
                _ => Completeness::Invalid,
            },
        }
    }

    /// The number of the next cell.
    pub fn next_cell(&self) -> usize {
        self.results.len()
    }

    /// The user's variables with their values, each name once.
    pub fn variables(&self) -> Vec<(String, Dynamic)> {
        let mut variables: Vec<(String, Dynamic)> = Vec::new();
        // A name that was declared again stands in the scope twice; the later one counts.
        let all: Vec<_> = self.scope.iter().collect();
        for (name, _, value) in all.into_iter().rev() {
            if !RESULTS.contains(&name) && !variables.iter().any(|(known, _)| known == name) {
                variables.push((name.to_owned(), value));
            }
        }
        variables.reverse();
        variables
    }

    /// The user's functions, as `name(parameters)`.
    pub fn functions(&self) -> Vec<String> {
        let mut functions: Vec<String> =
            self.functions.iter_functions().map(|f| format!("{}({})", f.name, f.params.join(", "))).collect();
        functions.sort();
        functions
    }

    /// How a variable's value would be shown.
    pub fn show(&self, value: &Dynamic) -> Option<Output> {
        show::output(value)
    }

    /// What a variable holds, by the name that scripts know.
    pub fn type_name(&self, value: &Dynamic) -> String {
        self.engine.map_type_name(value.type_name()).to_owned()
    }

    pub fn interrupt(&self) -> &Interrupt {
        &self.state.interrupt
    }

    /// The name of the model in use, loaded or not.
    pub fn model_name(&self) -> String {
        self.state.model_name()
    }

    /// The model in use; loads it if nothing has needed it yet.
    pub fn model(&self) -> Result<Model> {
        self.state.interrupt.clear();
        self.state.model()
    }

    /// Loads a model and uses it from now on.
    pub fn load(&self, name: &str) -> Result<Model> {
        self.state.interrupt.clear();
        self.state.load(name)
    }

    /// Forgets all variables, functions and results; the model stays.
    pub fn reset(&mut self) {
        self.scope.clear();
        self.functions = AST::empty();
        self.results.truncate(1);
        self.inputs.truncate(1);
    }

    fn compile(&self, code: &str, origin: &Origin) -> Result<AST, Box<Report>> {
        // Blank lines in front make the engine's positions those of the whole file.
        let padded = format!("{}{}", "\n".repeat(origin.line - 1), underscore_to_ans(code));
        match self.engine.compile(padded) {
            Ok(mut ast) => {
                ast.set_source(origin.name.as_str());
                Ok(ast)
            }
            Err(error) => Err(Box::new(Report::of_parse(&error, &origin.name, &self.sources))),
        }
    }

    fn report(&self, error: rhai::EvalAltResult, origin: &Origin) -> Report {
        let variables = self.variables().into_iter().map(|(name, _)| name).collect();
        let functions = self.functions.iter_functions().map(|function| function.name.to_owned()).collect();
        Report::of_run(error, &origin.name, &self.sources, &Known { variables, functions })
    }

    /// `In`, `Out`, and the last result as `ans` (and `_`, see [`underscore_to_ans`]).
    fn define_results(&mut self) {
        let last = self.results.iter().rev().find(|value| !value.is_unit()).cloned().unwrap_or(Dynamic::UNIT);
        self.scope.set_value("In", rhai::Array::from(self.inputs.as_slice()));
        self.scope.set_value("Out", rhai::Array::from(self.results.as_slice()));
        self.scope.set_value("ans", last);
    }
}

fn engine(state: &Rc<State>) -> Engine {
    let mut engine = Engine::new();
    engine.set_default_tag(state.tag());
    // A stranger's script must not read files as modules.
    engine.set_module_resolver(rhai::module_resolvers::DummyModuleResolver::new());
    engine.set_max_call_levels(limits::CALLS).set_max_expr_depths(limits::DEPTH, limits::DEPTH);
    engine
        .set_max_string_size(limits::TEXT)
        .set_max_array_size(limits::ITEMS)
        .set_max_map_size(limits::ITEMS);
    let interrupt = state.interrupt.clone();
    engine.on_progress(move |_| interrupt.is_requested().then_some(Dynamic::UNIT));
    let printing = state.clone();
    engine.on_print(move |text| printing.output(Output::Stream(format!("{text}\n"))));
    let debugging = state.clone();
    engine.on_debug(move |text, _, position| {
        let place = if position.is_none() { String::new() } else { format!("[{position:?}] ") };
        debugging.output(Output::Stream(format!("{place}{text}\n")));
    });
    bindings::register(&mut engine);
    engine
}

/// What a script may use up: far more than a lesson needs, less than would harm the machine.
mod limits {
    pub const CALLS: usize = 200;
    pub const DEPTH: usize = 128;
    pub const TEXT: usize = 64 << 20;
    pub const ITEMS: usize = 1 << 20;
}

/// `_` is the last result, but no legal name: it becomes `ans`, which is.
fn underscore_to_ans(code: &str) -> String {
    let word = |(kind, range): (lexer::Kind, std::ops::Range<usize>)| match (kind, &code[range]) {
        (lexer::Kind::Name, "_") => "ans",
        (_, word) => word,
    };
    lexer::spans(code).into_iter().map(word).collect()
}

fn ends_with_semicolon(code: &str) -> bool {
    let spans = lexer::spans(code);
    let says_something =
        |kind: lexer::Kind| !matches!(kind, lexer::Kind::Space | lexer::Kind::Comment { .. });
    spans
        .into_iter()
        .rev()
        .find(|(kind, _)| says_something(*kind))
        .is_some_and(|(_, range)| &code[range] == ";")
}

/// Whether nothing but blanks and comments follows a position.
fn is_at_end(code: &str, position: Position) -> bool {
    let Some(line) = position.line() else { return true };
    let column = position.position().unwrap_or(1);
    let before: usize = code.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let in_line = code[before..].char_indices().nth(column - 1).map_or(code.len() - before, |(at, _)| at);
    let rest = &code[before + in_line..];
    let says_nothing = |kind: lexer::Kind| matches!(kind, lexer::Kind::Space | lexer::Kind::Comment { .. });
    lexer::spans(rest).into_iter().all(|(kind, _)| says_nothing(kind))
}

/// The text of each source, to show the lines that errors name.
#[derive(Default)]
struct Texts(HashMap<String, String>);

impl Texts {
    fn add(&mut self, origin: &Origin, code: &str) {
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
