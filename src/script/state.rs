//! What the bindings of one session share: the model and what it has read, where output goes, who may interrupt.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use rhai::{Dynamic, NativeCallContext};

use super::files::Files;
use super::limits::Memory;
use super::{Event, Settings};
use crate::analyse::next_token::NextToken;
use crate::error::{Error, Result};
use crate::hub::{self, Hub};
use crate::interrupt::Interrupt;
use crate::model::device::Backend;
use crate::model::{Context, Model};
use crate::render::Output;
use crate::tokenizer::Tokens;

/// Where a session hands what it has to show.
pub type Sink = Box<dyn FnMut(Event)>;

/// Whom a session asks for a line of text, after showing a prompt.
pub type Asker = Box<dyn FnMut(&str) -> Result<String>>;

/// Bytes of a text that takes so long to cut that somebody may not want to wait.
const LONG_TEXT: usize = 1 << 16;

/// Behind the engine's tag, so that a binding finds its session.
pub struct State {
    hub: OnceCell<Hub>,
    pub interrupt: Interrupt,
    /// The model that the session was set up with: whoever did that may name any.
    given: String,
    /// What is to be loaded when a model is first needed.
    model: RefCell<String>,
    /// In which every model is loaded.
    backend: Backend,
    context: RefCell<Option<Context>>,
    pub files: Files,
    pub memory: Arc<Memory>,
    sink: RefCell<Sink>,
    asker: RefCell<Asker>,
    /// Whether this cell was interrupted and has handed out what there was.
    stopping: Cell<bool>,
}

impl State {
    pub fn new(settings: Settings, interrupt: Interrupt, sink: Sink) -> State {
        let Settings { model, backend, hub, out, allowed } = settings;
        State {
            hub: hub.map_or_else(OnceCell::new, OnceCell::from),
            interrupt,
            given: model.clone(),
            model: RefCell::new(model),
            backend,
            context: RefCell::new(None),
            memory: Arc::new(Memory::new(allowed.memory)),
            files: Files::new(out, allowed),
            sink: RefCell::new(sink),
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
        // Whoever presses Ctrl-C twice wants to know.
        match &event {
            Event::Started { what, .. } => self.interrupt.begin(what),
            Event::Finished => self.interrupt.end(),
            _ => {}
        }
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

    /// Cuts a text into tokens of the model in use. Whoever asks to stop need not wait for the end of a long one.
    pub fn tokenize(&self, text: &str) -> Result<Tokens> {
        let tokenizer = self.model()?.tokenizer().clone();
        if text.len() < LONG_TEXT {
            return Ok(tokenizer.tokenize(text));
        }
        let text = text.to_owned();
        // A word of megabytes is one part.
        self.interrupt.unless_asked(move |given_up| tokenizer.tokenize_watched(&text, given_up))
    }

    /// The name of the model in use, loaded or not.
    pub fn model_name(&self) -> String {
        self.model.borrow().clone()
    }

    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// The model in use; loads it if nothing has needed it yet.
    pub fn model(&self) -> Result<Model> {
        if let Some(context) = &*self.context.borrow() {
            return Ok(context.model().clone());
        }
        self.load(&self.model_name())
    }

    /// A model that a script names; the one in use stays.
    pub fn fetch(&self, name: &str) -> Result<Model> {
        if name == self.model_name()
            && let Some(context) = &*self.context.borrow()
        {
            return Ok(context.model().clone());
        }
        self.check_may_load(name)?;
        self.read(name)
    }

    /// Fails where a script names a model in a folder that it may not read.
    pub fn check_may_load(&self, name: &str) -> Result<()> {
        if hub::built_in(name).is_some() || name == self.given || name == self.model_name() {
            return Ok(());
        }
        match self.hub()?.path_of(name)? {
            Some(path) if !self.files.may_read(&path) => Err(Error::NotAllowedToLoad { path }),
            _ => Ok(()),
        }
    }

    fn read(&self, name: &str) -> Result<Model> {
        let source = match hub::built_in(name) {
            Some(source) => source,
            None => self.hub()?.resolve(name, &mut Downloads(self), &self.interrupt)?,
        };
        self.memory.apart(|| Model::load_in(self.backend, name, &source))
    }

    /// Loads a model and uses it from now on. If it fails, the one in use stays.
    pub fn load(&self, name: &str) -> Result<Model> {
        let model = self.read(name)?;
        self.memory.apart(|| *self.context.borrow_mut() = Some(Context::new(&model)));
        *self.model.borrow_mut() = name.to_owned();
        Ok(model)
    }

    /// A cell begins: what was to stop is over, and what it may take is measured anew.
    pub fn begin(&self) {
        self.interrupt.clear();
        self.stopping.set(false);
        self.memory.begin();
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
