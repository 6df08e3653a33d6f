//! A Jupyter kernel: clients' messages in, answers out, one session in between.
//!
//! The session runs on a thread of its own and takes the shell's requests one after the other. Control requests
//! (interrupt, shutdown) are answered while it computes. Messaging: <https://jupyter-client.readthedocs.io/en/stable/messaging.html>.

mod assist;
mod clock;
mod connection;
mod control;
mod execute;
mod history;
pub mod install;
mod logo;
pub mod media;
mod message;
mod progress;
mod shell;
mod socket;
mod stdin;
pub mod zmtp;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::script::Settings;
use connection::Connection;
use message::{Request, Wire};
use socket::{Arrival, Peer, Subscribers};
use stdin::Stdin;
use zmtp::Received;

/// Scripts recurse, and each level of theirs takes several of ours.
const STACK: usize = 256 << 20;

/// How long the session may take to stop when the kernel is told to.
const GRACE: Duration = Duration::from_secs(2);

/// How often to look whether the parent process still lives.
const PARENT_CHECK: Duration = Duration::from_secs(1);

/// What all threads of a kernel share.
struct Kernel {
    wire: Wire,
    iopub: Subscribers,
    stdin: Stdin,
    interrupt: Interrupt,
    /// To the session's thread.
    shell: Sender<Work>,
    /// Told once, when the kernel is to end.
    end: Sender<()>,
}

/// What the session's thread has to do next.
enum Work {
    Request(Box<Request>),
    End,
}

/// Serves clients until one of them, or the end of the parent process, ends it.
pub fn run(connection_file: &Path, settings: Settings) -> Result<()> {
    let connection = Connection::read(connection_file)?;
    let (shell, requests) = mpsc::channel();
    let (end, ended) = mpsc::channel();
    let (answer, answers) = mpsc::channel();
    let interrupt = Interrupt::default();
    let kernel = Arc::new(Kernel {
        wire: Wire::new(&connection.key),
        iopub: Subscribers::default(),
        stdin: Stdin::new(answer),
        interrupt,
        shell,
        end,
    });
    listen(&kernel, &connection)?;
    watch_parent(&kernel);
    let serving = kernel.clone();
    let (finished, wait) = mpsc::channel();
    let session = thread::Builder::new().stack_size(STACK).spawn(move || {
        // If the session's thread dies, the kernel ends too, and the client can start another.
        let _ending = Ending(serving.end.clone());
        shell::serve(&serving, settings, &requests, answers);
        let _ = finished.send(());
    });
    session.map_err(Error::io("start a thread for", connection_file))?;
    let _ = ended.recv();
    kernel.interrupt.request();
    let _ = kernel.shell.send(Work::End);
    let _ = wait.recv_timeout(GRACE);
    kernel.iopub.flush(GRACE);
    Ok(())
}

/// Ends the kernel when it goes out of scope.
struct Ending(Sender<()>);

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

fn listen(kernel: &Arc<Kernel>, connection: &Connection) -> Result<()> {
    let bind = |port, kind, receive: Receive| {
        let address = connection.address(port);
        socket::listen(address, kind, receive)
            .map_err(|source| Error::CannotListen { address: address.to_string(), source })
    };
    let [iopub, stdin, shell, control] = [(); 4].map(|()| kernel.clone());
    bind(connection.hb_port, "REP", Box::new(echo))?;
    bind(connection.iopub_port, "PUB", Box::new(move |peer, arrival| iopub.welcome(peer, arrival)))?;
    let hear = move |peer: &Peer, arrival| stdin.stdin.hear(&stdin, peer, arrival);
    bind(connection.stdin_port, "ROUTER", Box::new(hear))?;
    bind(connection.shell_port, "ROUTER", Box::new(move |peer, arrival| shell.queue(peer, arrival)))?;
    bind(connection.control_port, "ROUTER", Box::new(move |peer, arrival| control.answer(peer, arrival)))
}

/// What a socket does with what arrives.
type Receive = Box<dyn Fn(&Peer, Arrival) + Send + Sync>;

/// The heartbeat: whatever comes goes back.
fn echo(peer: &Peer, arrival: Arrival) {
    if let Arrival::Said(Received::Message(frames)) = arrival {
        peer.send(&frames);
    }
}

impl Kernel {
    /// A request, if it is one of a client that knows the key.
    fn open(&self, peer: &Peer, arrival: Arrival) -> Option<Request> {
        let Arrival::Said(Received::Message(frames)) = arrival else { return None };
        let opened = self.wire.open(peer, &frames);
        opened.map_err(|reason| log(&format!("dropped a message: {reason}"))).ok()
    }

    /// Leaves a request to the session's thread.
    fn queue(&self, peer: &Peer, arrival: Arrival) {
        if let Some(request) = self.open(peer, arrival) {
            // That thread ends only with the kernel.
            let _ = self.shell.send(Work::Request(Box::new(request)));
        }
    }

    /// Answers a control request at once.
    fn answer(&self, peer: &Peer, arrival: Arrival) {
        if let Some(request) = self.open(peer, arrival) {
            control::answer(self, &request);
        }
    }

    /// Tells a new subscriber that it hears everything from now on.
    fn welcome(&self, peer: &Peer, arrival: Arrival) {
        if let Some(topic) = self.iopub.hear(peer, arrival) {
            let content = json!({ "subscription": String::from_utf8_lossy(&topic) });
            let mut frames = vec![topic];
            frames.extend(self.wire.seal("iopub_welcome", &json!({}), &json!({}), &content));
            peer.send(&frames);
        }
    }

    /// Tells all subscribers something that belongs to the request with the header `parent`.
    fn publish(&self, kind: &str, parent: &Value, content: &Value) {
        let mut frames = vec![format!("tokenscope.{kind}").into_bytes()];
        frames.extend(self.wire.seal(kind, parent, &json!({}), content));
        self.iopub.send(&frames);
    }

    fn status(&self, state: &str, request: &Request) {
        self.publish("status", &request.header, &json!({ "execution_state": state }));
    }

    /// Ends the kernel, after it has answered.
    fn shut_down(&self, request: &Request) {
        let restart = request.flag("restart", false);
        let content = json!({ "status": "ok", "restart": restart });
        self.wire.reply(request, &content);
        self.publish("shutdown_reply", &request.header, &content);
        self.status("idle", request);
        request.flush(GRACE);
        let _ = self.end.send(());
    }
}

/// Ends the kernel when the process that started it is gone, so that none is left behind.
fn watch_parent(kernel: &Arc<Kernel>) {
    // Set by clients; a kernel that was started by hand may outlive its shell.
    if std::env::var_os("JPY_PARENT_PID").is_none() {
        return;
    }
    #[cfg(unix)]
    {
        let kernel = kernel.clone();
        let parent = std::os::unix::process::parent_id();
        thread::spawn(move || {
            while std::os::unix::process::parent_id() == parent {
                thread::sleep(PARENT_CHECK);
            }
            log("the client's process is gone");
            let _ = kernel.end.send(());
        });
    }
}

/// What a kernel has to say to whoever started it; clients show this in their own logs.
fn log(line: &str) {
    eprintln!("tokenscope kernel: {line}");
}
