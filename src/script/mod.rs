//! A session: cells of Rhai in, outputs out. What every front end (terminal, runner, notebook) talks to.

mod aside;
pub mod assist;
pub mod bindings;
pub mod cells;
mod completeness;
mod engine;
mod files;
mod findings;
mod json;
pub mod lexer;
pub mod limits;
pub mod registry;
pub mod report;
mod results;
mod saving;
pub mod show;
mod sources;
mod state;
mod variables;
mod writing;

use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;

use rhai::{AST, Dynamic, Engine, Scope};

use crate::analyse::next_token::NextToken;
use crate::analyse::stepper::Stepper;
use crate::error::Result;
use crate::hub::Hub;
use crate::interrupt::Interrupt;
use crate::model::Model;
use crate::model::device::Backend;
use crate::render::Output;
use crate::tokenizer::Tokens;
pub use bindings::values::quoted;
pub use completeness::{Completeness, completeness};
use engine::engine;
pub use files::Allowed;
use report::{Known, Report};
use results::{RESULTS, underscore_to_ans};
use sources::Texts;
use state::State;
pub use state::{Asker, Sink};
pub use variables::Variable;

/// A value of a script.
pub type Value = Dynamic;

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
    /// The work writes a text, and these whole characters come next. A front end may show it until the work is
    /// finished, no longer: what stays is what the script makes of the result.
    Wrote(String),
    Finished,
}

/// What the amounts of long work count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Bytes,
    Tokens,
    Facts,
    /// Layers and positions.
    Places,
}

/// How a session is set up.
pub struct Settings {
    /// The name of the model to load when one is first needed.
    pub model: String,
    /// What the weights of the models are multiplied in.
    pub backend: Backend,
    /// Where models come from; as the environment says if none is given.
    pub hub: Option<Hub>,
    /// Files that scripts write lie below this folder.
    pub out: PathBuf,
    pub allowed: Allowed,
}

/// An engine with its variables, functions, model and results.
pub struct Session {
    engine: Engine,
    scope: Scope<'static>,
    /// The functions of all cells so far; no statements.
    functions: AST,
    state: Rc<State>,
    sources: Texts,
    /// The source that each of the user's functions was written in.
    written_in: HashMap<String, String>,
    results: Vec<Dynamic>,
    inputs: Vec<Dynamic>,
}

/// Where code comes from: the name that errors show, and the line (from 1) on which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub name: String,
    pub line: usize,
}

impl Session {
    pub fn new(settings: Settings, interrupt: Interrupt, sink: Sink) -> Session {
        let state = Rc::new(State::new(settings, interrupt, sink));
        let mut session = Session {
            engine: engine(&state),
            scope: Scope::new(),
            functions: AST::empty(),
            state,
            sources: Texts::default(),
            written_in: HashMap::new(),
            // Cells count from 1.
            results: vec![Dynamic::UNIT],
            inputs: vec![Dynamic::UNIT],
        };
        session.begin_results();
        session
    }

    /// Runs one cell. What it prints or shows goes to the sink; the value of its last expression is returned as it is
    /// to be shown, unless the cell ends with `;`. Variables and functions live on, also after an error.
    pub fn eval(&mut self, code: &str, origin: &Origin) -> Result<Option<Output>, Box<Report>> {
        self.state.begin();
        self.sources.add(origin, code);
        let ast = self.compile(code, origin)?;
        self.keep_input(code);
        let value = self.run(&ast, origin)?;
        self.keep_result(&value);
        Ok(shown(code, &value))
    }

    /// Runs code that is no cell: it sees and changes the same variables, but its result is not kept.
    pub fn evaluate(&mut self, code: &str, origin: &Origin) -> Result<Dynamic, Box<Report>> {
        self.state.begin();
        self.sources.add(origin, code);
        let ast = self.compile(code, origin)?;
        self.run(&ast, origin)
    }

    fn run(&mut self, ast: &AST, origin: &Origin) -> Result<Dynamic, Box<Report>> {
        let written = ast.iter_functions().map(|function| (function.name.to_owned(), origin.name.clone()));
        self.written_in.extend(written);
        let program = self.functions.merge(ast);
        let mut functions = program.clone();
        functions.clear_statements();
        self.functions = functions;
        self.state.interrupt.begin(&format!("{}:{}", origin.name, origin.line));
        let value = self.engine.eval_ast_with_scope::<Dynamic>(&mut self.scope, &program);
        self.state.interrupt.end_all();
        value.map_err(|error| Box::new(self.report(*error, origin)))
    }

    /// A text to be continued by hand: a stepper as it is, or a new one after a text, `Tokens` or a generation.
    pub fn stepper(&self, value: Dynamic) -> Result<Stepper> {
        self.state.begin();
        if let Some(stepper) = value.read_lock::<Stepper>() {
            return Ok(stepper.clone());
        }
        let text = bindings::convert::tokens(&self.state, value, "step")?;
        Stepper::new(text, Default::default(), |tokens| self.state.next(tokens))
    }

    /// What follows a text.
    pub fn next(&self, tokens: &Tokens) -> Result<NextToken> {
        self.state.begin();
        self.state.next(tokens)
    }

    /// Whom `input()` asks from now on; without it, nobody is there.
    pub fn ask_with(&self, asker: Asker) {
        self.state.ask_with(asker);
    }

    /// Whether what runs from now on was typed by a person, and so may read the files below the working folder.
    pub fn trust(&self, is_typed: bool) {
        self.state.files.working_folder.set(is_typed);
    }

    pub fn interrupt(&self) -> &Interrupt {
        &self.state.interrupt
    }

    /// The name of the model in use, loaded or not.
    pub fn model_name(&self) -> String {
        self.state.model_name()
    }

    /// What the weights of its models are multiplied in.
    pub fn backend(&self) -> Backend {
        self.state.backend()
    }

    /// The model in use; loads it if nothing has needed it yet.
    pub fn model(&self) -> Result<Model> {
        self.state.begin();
        self.state.model()
    }

    /// Loads a model and uses it from now on.
    pub fn load(&self, name: &str) -> Result<Model> {
        self.state.begin();
        self.state.load(name)
    }

    /// Forgets all variables, functions and results; the model stays.
    pub fn reset(&mut self) {
        self.scope.clear();
        self.functions = AST::empty();
        self.written_in.clear();
        self.results.truncate(1);
        self.inputs.truncate(1);
        self.begin_results();
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
        let names = self.names().into_iter().map(|variable| variable.name);
        let variables = names.filter(|name| !RESULTS.contains(&name.as_str())).collect();
        let functions = self.written_in.clone();
        Report::of_run(error, &origin.name, &self.sources, &Known { variables, functions })
    }
}

/// What a cell's value looks like: nothing if the cell ends with `;`.
fn shown(code: &str, value: &Dynamic) -> Option<Output> {
    if ends_with_semicolon(code) { None } else { show::output(value) }
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
