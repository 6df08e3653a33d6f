//! A session: cells of Rhai in, outputs out. What every front end (terminal, runner, notebook) talks to.

mod aside;
pub mod assist;
pub mod bindings;
pub mod cells;
mod completeness;
mod files;
mod findings;
mod json;
pub mod lexer;
pub mod limits;
pub mod registry;
pub mod report;
mod saving;
pub mod show;
mod state;
mod writing;

use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

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
pub use files::Allowed;
use report::{Known, Report, Sources};
pub use state::{Asker, Sink};

/// A value of a script.
pub type Value = Dynamic;
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

/// A variable as completion and listings need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    /// The type by the name that scripts know.
    pub kind: String,
    /// What a map holds; empty for other values.
    pub keys: Vec<String>,
}

/// Characters of a value in a list of values.
const SHORT: usize = 60;

/// Names for results that a session keeps itself.
const RESULTS: [&str; 4] = ["In", "Out", "ans", "_"];

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

    /// Keeps what came of something that is no code as the result of a cell. Returns it as it is to be shown.
    pub fn keep(&mut self, input: &str, value: Dynamic) -> Option<Output> {
        self.keep_input(input);
        self.keep_result(&value);
        show::output(&value)
    }

    /// A new cell, without a result so far.
    fn keep_input(&mut self, input: &str) {
        self.inputs.push(input.to_owned().into());
        self.results.push(Dynamic::UNIT);
        self.define_results();
    }

    fn keep_result(&mut self, value: &Dynamic) {
        if !value.is_unit() {
            *self.results.last_mut().expect("a result was just added") = value.clone();
            self.define_results();
            self.scope.set_value("ans", value.clone());
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

    /// Everything that a name stands for now, the results included, without touching the values.
    pub fn names(&self) -> Vec<Variable> {
        let mut names: Vec<Variable> = Vec::new();
        let all: Vec<_> = self.scope.iter_raw().collect();
        for (name, _, value) in all.into_iter().rev() {
            if !names.iter().any(|known| known.name == name) {
                let keys =
                    value.read_lock::<rhai::Map>().map(|map| map.keys().map(ToString::to_string).collect());
                let (name, kind) = (name.to_owned(), self.type_name(value));
                names.push(Variable { name, kind, keys: keys.unwrap_or_default() });
            }
        }
        names
    }

    /// What a variable holds.
    pub fn value(&self, name: &str) -> Option<Dynamic> {
        self.scope.get_value::<Dynamic>(if name == "_" { "ans" } else { name })
    }

    /// A value in a line, as one would write it in a script.
    pub fn write(&self, value: &Dynamic) -> String {
        bindings::values::format(value)
    }

    /// The same in at most 60 characters.
    pub fn short(&self, value: &Dynamic) -> String {
        let text = crate::render::label::one_line(&self.write(value)).into_owned();
        match text.chars().count() > SHORT {
            true => text.chars().take(SHORT - 1).chain(['…']).collect(),
            false => text,
        }
    }

    /// The code of all cells so far.
    pub fn inputs(&self) -> impl DoubleEndedIterator<Item = String> {
        self.inputs.iter().map(ToString::to_string)
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
        let variables = self.variables().into_iter().map(|(name, _)| name).collect();
        let functions = self.written_in.clone();
        Report::of_run(error, &origin.name, &self.sources, &Known { variables, functions })
    }

    /// `In` and `Out`, where only the last value may be new.
    fn define_results(&mut self) {
        keep(&mut self.scope, "In", &self.inputs);
        keep(&mut self.scope, "Out", &self.results);
    }

    /// Nothing was computed yet.
    fn begin_results(&mut self) {
        self.define_results();
        // The last result, also as `_`: see `underscore_to_ans`.
        self.scope.set_value("ans", Dynamic::UNIT);
    }
}

/// Makes a variable an array of these values. It is changed in place, because copying all of them would cost more with
/// each cell; only where a script made something else of it is it made anew.
fn keep(scope: &mut Scope, name: &str, values: &[Dynamic]) {
    let Some((last, before)) = values.split_last() else { return };
    if let Some(mut kept) = scope.get_mut(name).and_then(|kept| kept.write_lock::<rhai::Array>())
        && kept.len() >= before.len()
    {
        kept.truncate(before.len());
        kept.push(last.clone());
        return;
    }
    scope.set_value(name, rhai::Array::from(values));
}

fn engine(state: &Rc<State>) -> Engine {
    let mut engine = Engine::new();
    engine.set_default_tag(state.tag());
    // A stranger's script must not read files as modules.
    engine.set_module_resolver(rhai::module_resolvers::DummyModuleResolver::new());
    limits::set(&mut engine, state);
    let printing = state.clone();
    engine.on_print(move |text| printing.output(Output::Stream(format!("{text}\n"))));
    let debugging = state.clone();
    engine.on_debug(move |text, _, position| {
        let place = if position.is_none() { String::new() } else { format!("[{position:?}] ") };
        debugging.output(Output::Stream(format!("{place}{text}\n")));
    });
    // The engine's own would sleep through an interruption.
    let interrupt = state.interrupt.clone();
    engine.register_fn("sleep", move |seconds: f64| sleep(seconds, &interrupt));
    let interrupt = state.interrupt.clone();
    engine.register_fn("sleep", move |seconds: i64| sleep(seconds as f64, &interrupt));
    bindings::register(&mut engine);
    engine
}

/// Waits, or until interrupted: the engine then stops at the next operation.
fn sleep(seconds: f64, interrupt: &Interrupt) {
    let end = Duration::try_from_secs_f64(seconds).ok().and_then(|wait| Instant::now().checked_add(wait));
    while let (false, Some(left)) =
        (interrupt.is_requested(), end.and_then(|end| end.checked_duration_since(Instant::now())))
    {
        std::thread::sleep(left.min(Duration::from_millis(20)));
    }
}

/// `_` is the last result, but no legal name: it becomes `ans`, which is.
fn underscore_to_ans(code: &str) -> String {
    let word = |(kind, range): (lexer::Kind, std::ops::Range<usize>)| match (kind, &code[range]) {
        (lexer::Kind::Name, "_") => "ans",
        (_, word) => word,
    };
    lexer::spans(code).into_iter().map(word).collect()
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
