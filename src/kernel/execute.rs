//! Runs a cell, and tells all clients what it gives while it runs.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use serde_json::{Map, Value, json};

use super::progress::Progress;
use super::shell::Shell;
use super::{Kernel, Request, media, stdin};
use crate::error::{Error, Result};
use crate::render::Output;
use crate::script::assist::Question;
use crate::script::report::Report;
use crate::script::{Event, Origin};

/// Hears the session and passes on what it says, as part of the request that is being answered.
pub struct Listener {
    kernel: Arc<Kernel>,
    /// What clients reply when they are asked for input.
    answers: Receiver<Request>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    request: Option<Request>,
    progress: Option<Progress>,
}

impl Listener {
    pub fn new(kernel: Arc<Kernel>, answers: Receiver<Request>) -> Listener {
        Listener { kernel, answers, state: RefCell::default() }
    }

    /// From now on all is part of this request.
    fn attend(&self, request: &Request) {
        *self.state.borrow_mut() = State { request: Some(request.clone()), progress: None };
    }

    /// The request is answered. Work that failed or was interrupted has not said that it is finished.
    fn leave(&self) {
        self.hear(Event::Finished);
        *self.state.borrow_mut() = State::default();
    }

    /// Asks the client whose cell is running.
    pub fn ask(&self, prompt: &str) -> Result<String> {
        let state = self.state.borrow();
        let request = state.request.as_ref().ok_or(Error::CannotAsk { reason: "no cell is running" })?;
        stdin::ask(&self.kernel, request, &self.answers, prompt)
    }

    pub fn hear(&self, event: Event) {
        let mut state = self.state.borrow_mut();
        let State { request: Some(request), progress } = &mut *state else { return };
        if request.flag("silent", false) {
            return;
        }
        let tell = |kind: &str, content: &Value| self.kernel.publish(kind, &request.header, content);
        match event {
            Event::Output(Output::Stream(text)) => tell("stream", &json!({ "name": "stdout", "text": text })),
            Event::Output(output) => {
                // The cell ends at its next step if somebody asked to stop.
                let Ok(media::Bundle { data, metadata }) = drawn(&self.kernel, output) else { return };
                tell("display_data", &json!({ "data": data, "metadata": metadata, "transient": {} }));
            }
            Event::Started { what, total, unit } => *progress = Some(Progress::new(what, total, unit)),
            Event::Advanced(amount) => {
                if let Some(progress) = progress {
                    progress.advance(amount, tell);
                }
            }
            Event::Wrote(text) => {
                if let Some(progress) = progress {
                    progress.write(&text);
                }
            }
            Event::Finished => {
                if let Some(progress) = progress.take() {
                    progress.finish(tell);
                }
            }
        }
    }
}

/// Runs what the request holds, and returns the content of the reply.
pub fn execute(shell: &mut Shell, request: &Request) -> Value {
    let code = request.text("code");
    let silent = request.flag("silent", false);
    let counts = !silent && request.flag("store_history", true) && !code.trim().is_empty();
    let number = shell.session.next_cell();
    shell.count = if counts { number } else { number - 1 };
    let count = shell.count;
    let parent = &request.header;
    if !silent {
        shell.kernel.publish("execute_input", parent, &json!({ "code": code, "execution_count": count }));
    }
    shell.listener.attend(request);
    let origin = Origin { name: format!("[{number}]"), line: 1 };
    if counts {
        shell.history.add(number, code);
    }
    let result = match (Question::parse(code), counts) {
        (Some(question), _) => {
            if counts {
                shell.session.pass_cell(code);
            }
            question.answer(&shell.session).map(Some).map_err(|error| Box::new(Report::of_error(&error)))
        }
        (None, true) => shell.session.eval_counted(code, &origin),
        (None, false) => shell.session.eval_aside(code, &origin),
    };
    let drawn = |output| drawn(&shell.kernel, output).map_err(|error| Box::new(Report::of_error(&error)));
    let bundle = result.and_then(|value| value.filter(|_| !silent).map(drawn).transpose());
    let content = match bundle {
        Ok(bundle) => {
            if let Some(media::Bundle { data, metadata }) = bundle {
                let content = json!({ "execution_count": count, "data": data, "metadata": metadata });
                shell.kernel.publish("execute_result", parent, &content);
            }
            let expressions = user_expressions(shell, request);
            json!({ "status": "ok", "execution_count": count, "payload": [], "user_expressions": expressions })
        }
        Err(report) => {
            let mut content = media::failure(&report);
            if !silent {
                shell.kernel.publish("error", parent, &content);
            }
            content["status"] = "error".into();
            content["execution_count"] = count.into();
            content
        }
    };
    shell.listener.leave();
    content
}

/// An output in all its media, unless somebody asks to stop while its pictures are drawn.
fn drawn(kernel: &Kernel, output: Output) -> Result<media::Bundle> {
    kernel.interrupt.unless_asked(move |given_up| media::bundle_watched(&output, given_up))
}

/// What each of the named expressions gives, or why it fails.
fn user_expressions(shell: &mut Shell, request: &Request) -> Value {
    let none = Map::new();
    let asked = request.content["user_expressions"].as_object().unwrap_or(&none);
    let mut answers = Map::new();
    for (name, code) in asked {
        let origin = Origin { name: format!("<{name}>"), line: 1 };
        let answer = match shell.session.eval_aside(code.as_str().unwrap_or_default(), &origin) {
            Ok(value) => {
                let media::Bundle { data, metadata } =
                    media::bundle(&value.unwrap_or(Output::Text(String::new())));
                json!({ "status": "ok", "data": data, "metadata": metadata })
            }
            Err(report) => {
                let mut content = media::failure(&report);
                content["status"] = "error".into();
                content
            }
        };
        answers.insert(name.clone(), answer);
    }
    answers.into()
}
