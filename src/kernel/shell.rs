//! The session's thread: takes the shell's requests one after the other.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use serde_json::{Value, json};

use super::execute::{self, Listener};
use super::history::History;
use super::{Kernel, Request, Work, assist, log, message};
use crate::script::assist::Question;
use crate::script::{Completeness, Session, Settings, completeness};

/// What answers need.
pub struct Shell {
    pub kernel: Arc<Kernel>,
    pub session: Session,
    pub listener: Rc<Listener>,
    pub history: History,
    /// The number of the latest cell that counted.
    pub count: usize,
}

/// Answers `requests` until the kernel ends. `answers` are what clients reply when a script asks for input.
pub fn serve(
    kernel: &Arc<Kernel>,
    settings: Settings,
    requests: &Receiver<Work>,
    answers: Receiver<Request>,
) {
    let listener = Rc::new(Listener::new(kernel.clone(), answers));
    let [hearing, asking] = [listener.clone(), listener.clone()];
    let sink = Box::new(move |event| hearing.hear(event));
    let session = Session::new(settings, kernel.interrupt.clone(), sink);
    session.ask_with(Box::new(move |prompt| asking.ask(prompt)));
    let mut shell = Shell { kernel: kernel.clone(), session, listener, history: History::open(), count: 0 };
    let mut queue = Queue { requests, waiting: VecDeque::new(), doomed: 0 };
    while let Some((request, is_doomed)) = queue.next() {
        match is_doomed && request.kind == "execute_request" {
            true => shell.abort(&request),
            false => shell.answer(&request, &mut queue),
        }
    }
}

/// The requests that are still to be answered.
struct Queue<'a> {
    requests: &'a Receiver<Work>,
    waiting: VecDeque<Work>,
    /// How many of those that wait are not to run.
    doomed: usize,
}

impl Queue<'_> {
    /// The next request, and whether it was made before a failure was known. None when the kernel ends.
    fn next(&mut self) -> Option<(Box<Request>, bool)> {
        let is_doomed = self.doomed > 0;
        self.doomed = self.doomed.saturating_sub(1);
        match self.waiting.pop_front().or_else(|| self.requests.recv().ok())? {
            Work::Request(request) => Some((request, is_doomed)),
            Work::End => None,
        }
    }

    /// What has come by now is not to run.
    fn doom(&mut self) {
        self.waiting.extend(self.requests.try_iter());
        self.doomed = self.waiting.len();
    }
}

impl Shell {
    fn answer(&mut self, request: &Request, queue: &mut Queue) {
        self.kernel.status("busy", request);
        let content = match request.kind.as_str() {
            "execute_request" => {
                let content = execute::execute(self, request);
                // Before the reply: what a client asks for when it knows of the failure may run.
                if content["status"] == "error" && request.flag("stop_on_error", true) {
                    queue.doom();
                }
                Some(content)
            }
            "kernel_info_request" => Some(info()),
            "complete_request" => Some(assist::complete(&self.session, &request.content)),
            "inspect_request" => Some(assist::inspect(&self.session, &request.content)),
            "is_complete_request" => Some(self.is_complete(request.text("code"))),
            "history_request" => Some(self.history.answer(&request.content)),
            "comm_info_request" => Some(json!({ "status": "ok", "comms": {} })),
            // There are no widgets: whoever opens one is told that it is closed.
            "comm_open" => {
                let content = json!({ "comm_id": request.content["comm_id"], "data": {} });
                self.kernel.publish("comm_close", &request.header, &content);
                None
            }
            "comm_msg" | "comm_close" => None,
            "shutdown_request" => return self.kernel.shut_down(request),
            other => {
                log(&format!("dropped a `{other}` on the shell socket: not known here"));
                None
            }
        };
        if let Some(content) = content {
            self.kernel.wire.reply(request, &content);
        }
        self.kernel.status("idle", request);
    }

    fn abort(&self, request: &Request) {
        self.kernel.status("busy", request);
        self.kernel.wire.reply(request, &json!({ "status": "aborted", "execution_count": self.count }));
        self.kernel.status("idle", request);
    }

    fn is_complete(&self, code: &str) -> Value {
        if Question::parse(code).is_some() {
            return json!({ "status": "complete" });
        }
        match completeness(code) {
            Completeness::Complete => json!({ "status": "complete" }),
            Completeness::Invalid => json!({ "status": "invalid" }),
            Completeness::Incomplete => json!({ "status": "incomplete", "indent": assist::indent(code) }),
        }
    }
}

/// Who we are, as `kernel_info_reply` says it.
pub fn info() -> Value {
    json!({
        "status": "ok",
        "protocol_version": message::PROTOCOL,
        "implementation": "tokenscope",
        "implementation_version": env!("CARGO_PKG_VERSION"),
        "language_info": {
            "name": "rhai",
            "version": "1.27",
            "mimetype": "text/x-rhai",
            "file_extension": ".rhai",
            // Clients know no Rhai; Rust is its nearest relative.
            "pygments_lexer": "rust",
            "codemirror_mode": "rust",
        },
        "banner": format!("tokenscope {}: watch a GPT-2 language model write, one token at a time", env!("CARGO_PKG_VERSION")),
        "supported_features": [],
        "debugger": false,
        "help_links": [],
    })
}
