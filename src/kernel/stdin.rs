//! How does a script ask whoever sits in front of the client? On the stdin socket: an `input_request` to the client
//! that runs the cell, and its `input_reply`
//! (<https://jupyter-client.readthedocs.io/en/stable/messaging.html#messages-on-the-stdin-router-dealer-channel>).

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;

use super::socket::{Arrival, Peer};
use super::{Kernel, Request};
use crate::error::{Error, Result};

/// How long the client may take to connect its stdin socket: it connects all sockets at once.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often to look whether the cell was interrupted.
const STEP: Duration = Duration::from_millis(20);

/// The kernel's end of the stdin socket.
pub struct Stdin {
    peers: Mutex<Vec<Peer>>,
    /// To the session's thread.
    replies: Sender<Request>,
}

impl Stdin {
    pub fn new(replies: Sender<Request>) -> Stdin {
        Stdin { peers: Mutex::default(), replies }
    }

    pub fn hear(&self, kernel: &Kernel, peer: &Peer, arrival: Arrival) {
        match arrival {
            Arrival::Joined => self.peers().push(peer.clone()),
            Arrival::Left => self.peers().retain(|one| one.id() != peer.id()),
            said => {
                if let Some(reply) = kernel.open(peer, said) {
                    // Nobody is waiting once the session has ended.
                    let _ = self.replies.send(reply);
                }
            }
        }
    }

    /// The stdin connection of the client that made a request, the latest if there are several.
    fn of(&self, request: &Request) -> Option<Peer> {
        self.peers().iter().rev().find(|peer| peer.is_of_same_client(&request.peer)).cloned()
    }

    fn peers(&self) -> MutexGuard<'_, Vec<Peer>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks the client that made a request, and waits for what is typed there.
///
/// # Errors
/// When that client takes no input or goes away, or when the cell is interrupted.
pub fn ask(kernel: &Kernel, request: &Request, replies: &Receiver<Request>, prompt: &str) -> Result<String> {
    if !request.flag("allow_stdin", false) {
        return Err(Error::CannotAsk { reason: "this client takes none (`allow_stdin` is false)" });
    }
    let peer = connected(kernel, request)?;
    // Answers to what was asked by a cell that ended meanwhile.
    replies.try_iter().for_each(drop);
    let content = json!({ "prompt": prompt, "password": false });
    let id = kernel.wire.new_id();
    peer.send(&kernel.wire.seal_as(&id, "input_request", &request.header, &json!({}), &content));
    // Clients that name no question answer the last one.
    let answers = |reply: &Request| {
        reply.kind == "input_reply"
            && reply.peer.id() == peer.id()
            && (reply.parent == id || reply.parent.is_empty())
    };
    loop {
        match replies.recv_timeout(STEP) {
            Ok(reply) if answers(&reply) => {
                let value = reply.content["value"].as_str().map(str::to_owned);
                return value.ok_or(Error::CannotAsk { reason: "the client answered without a `value`" });
            }
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(Error::Interrupted),
        }
        kernel.interrupt.check()?;
        if kernel.stdin.of(request).is_none() {
            return Err(Error::CannotAsk { reason: "the client that was asked is gone" });
        }
    }
}

fn connected(kernel: &Kernel, request: &Request) -> Result<Peer> {
    let begun = Instant::now();
    loop {
        if let Some(peer) = kernel.stdin.of(request) {
            return Ok(peer);
        }
        if begun.elapsed() > PATIENCE {
            return Err(Error::CannotAsk { reason: "this client has not connected its stdin socket" });
        }
        kernel.interrupt.check()?;
        std::thread::sleep(STEP);
    }
}
