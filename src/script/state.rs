//! What the bindings of one session share: the model and what it has read, where output goes, who may interrupt.

use std::cell::{Cell, OnceCell, RefCell};
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use rhai::{Dynamic, NativeCallContext};

use super::Event;
use crate::analyse::next_token::NextToken;
use crate::error::{Error, Result};
use crate::hub::{self, Hub};
use crate::interrupt::Interrupt;
use crate::model::{Context, Model};
use crate::render::Output;
use crate::tokenizer::Tokens;

/// Where a session hands what it has to show.
pub type Sink = Box<dyn FnMut(Event)>;

/// Whom a session asks for a line of text, after showing a prompt.
pub type Asker = Box<dyn FnMut(&str) -> Result<String>>;

/// Behind the engine's tag, so that a binding finds its session.
pub struct State {
    hub: OnceCell<Hub>,
    pub interrupt: Interrupt,
    /// What is to be loaded when a model is first needed.
    model: RefCell<String>,
    context: RefCell<Option<Context>>,
    out: PathBuf,
    sink: RefCell<Sink>,
    asker: RefCell<Asker>,
    /// Whether this cell was interrupted and has handed out what there was.
    stopping: Cell<bool>,
}

impl State {
    pub fn new(hub: Option<Hub>, model: String, out: PathBuf, interrupt: Interrupt, sink: Sink) -> State {
        let (model, context, sink) = (RefCell::new(model), RefCell::new(None), RefCell::new(sink));
        let hub = hub.map_or_else(OnceCell::new, OnceCell::from);
        State {
            hub,
            interrupt,
            model,
            context,
            out,
            sink,
            asker: RefCell::new(nobody()),
            stopping: Cell::new(false),
        }
    }

    /// The session behind a call.
    pub fn of(context: &NativeCallContext) -> Rc<State> {
        let tag = context.tag().and_then(|tag| tag.clone().try_cast::<Rc<State>>());
        tag.expect("every engine is tagged with its session")
    }

    pub fn tag(self: &Rc<State>) -> Dynamic {
        Dynamic::from(self.clone())
    }

    pub fn emit(&self, event: Event) {
        (self.sink.borrow_mut())(event);
    }

    pub fn ask_with(&self, asker: Asker) {
        *self.asker.borrow_mut() = asker;
    }

    /// A line of text from whoever runs the script.
    pub fn ask(&self, prompt: &str) -> Result<String> {
        self.interrupt.check()?;
        (self.asker.borrow_mut())(prompt)
    }

    pub fn output(&self, output: Output) {
        self.emit(Event::Output(output));
    }

    /// Where models come from. The environment is asked only when something is to be found.
    pub fn hub(&self) -> Result<&Hub> {
        if let Some(hub) = self.hub.get() {
            return Ok(hub);
        }
        let hub = Hub::from_env()?;
        Ok(self.hub.get_or_init(|| hub))
    }

    /// The name of the model in use, loaded or not.
    pub fn model_name(&self) -> String {
        self.model.borrow().clone()
    }

    /// The model in use; loads it if nothing has needed it yet.
    pub fn model(&self) -> Result<Model> {
        if let Some(context) = &*self.context.borrow() {
            return Ok(context.model().clone());
        }
        self.load(&self.model_name())
    }

    /// Loads a model and uses it from now on. If it fails, the one in use stays.
    pub fn load(&self, name: &str) -> Result<Model> {
        let source = match hub::built_in(name) {
            Some(source) => source,
            None => self.hub()?.resolve(name, &mut Downloads(self), &self.interrupt)?,
        };
        let model = Model::load(name, &source)?;
        *self.context.borrow_mut() = Some(Context::new(&model));
        *self.model.borrow_mut() = name.to_owned();
        Ok(model)
    }

    /// A cell begins: what was to stop is over.
    pub fn begin(&self) {
        self.interrupt.clear();
        self.stopping.set(false);
    }

    /// An interrupted text is handed out as far as it goes. The cell may still use and show it, but the model reads
    /// nothing more for it: a loop of such texts ends too.
    pub fn hand_out(&self) {
        self.interrupt.clear();
        self.stopping.set(true);
    }

    /// Works with what the model has read so far. Fails if the cell was interrupted before.
    pub fn with_context<T>(&self, work: impl FnOnce(&mut Context) -> Result<T>) -> Result<T> {
        if self.stopping.get() {
            return Err(Error::Interrupted);
        }
        self.model()?;
        work(self.context.borrow_mut().as_mut().expect("a model was just loaded"))
    }

    /// What comes after these tokens.
    pub fn next(&self, tokens: &Tokens) -> Result<NextToken> {
        let distribution = self.with_context(|context| context.read(tokens.ids(), &self.interrupt))?;
        let tokenizer = Some(tokens.tokenizer().clone());
        Ok(NextToken { distribution, tokenizer, text: tokens.text(), rules: Vec::new() })
    }

    /// The place for a file that a script writes: a plain path below the output folder.
    pub fn output_path(&self, name: &str) -> Result<PathBuf> {
        let is_inside = |part: Component| matches!(part, Component::Normal(_) | Component::CurDir);
        let path = Path::new(name);
        if path.file_name().is_none() || !path.components().all(is_inside) {
            return Err(Error::OutsideOutputFolder { name: name.to_owned() });
        }
        let path = self.out.join(path);
        let folder = path.parent().unwrap_or(&self.out);
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        // A link inside the folder may lead out of it.
        let resolve = |path: &Path| path.canonicalize().map_err(Error::io("open", path));
        if !resolve(folder)?.starts_with(resolve(&self.out)?) || path.is_symlink() {
            return Err(Error::OutsideOutputFolder { name: name.to_owned() });
        }
        Ok(path)
    }
}

/// Where nobody sits in front of it.
fn nobody() -> Asker {
    Box::new(|_| Err(Error::CannotAsk { reason: "nobody is there to answer" }))
}

/// Hands a download's progress to the front end.
struct Downloads<'a>(&'a State);

impl crate::hub::Progress for Downloads<'_> {
    fn started(&mut self, file: &str, bytes: u64) {
        self.0.emit(Event::Started { what: file.to_owned(), total: bytes, unit: super::Unit::Bytes });
    }

    fn advanced(&mut self, bytes: u64) {
        self.0.emit(Event::Advanced(bytes));
    }

    fn finished(&mut self) {
        self.0.emit(Event::Finished);
    }
}
