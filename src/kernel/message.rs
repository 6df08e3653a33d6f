//! Jupyter's messages on the wire: who signed them, what they say, and to which one an answer belongs.
//!
//! <https://jupyter-client.readthedocs.io/en/stable/messaging.html#the-wire-protocol>

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::clock;
use super::socket::Peer;
use super::zmtp::Frames;

/// The messaging protocol that is spoken.
pub const PROTOCOL: &str = "5.5";

const DELIMITER: &[u8] = b"<IDS|MSG>";

/// Signatures that are remembered, to tell a message that comes a second time.
const REMEMBERED: usize = 1 << 16;

/// What a client asks.
#[derive(Clone)]
pub struct Request {
    pub kind: String,
    pub header: Value,
    /// The id of the message that it answers; empty if it names none.
    pub parent: String,
    pub content: Value,
    pub peer: Peer,
    /// What stands before the delimiter goes back with the answer.
    prefix: Frames,
}

impl Request {
    /// Waits until answers are on their way.
    pub fn flush(&self, limit: std::time::Duration) {
        self.peer.flush(limit);
    }

    /// An option of the request that is true or false.
    pub fn flag(&self, name: &str, default: bool) -> bool {
        self.content[name].as_bool().unwrap_or(default)
    }

    pub fn text(&self, name: &str) -> &str {
        self.content[name].as_str().unwrap_or_default()
    }
}

/// Why a message is dropped.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    #[error("it lacks parts")]
    Short,
    #[error("its signature is not ours")]
    Forged,
    #[error("it came before")]
    Replayed,
    #[error("its {0} is no JSON object")]
    NotJson(&'static str),
    #[error("its header names no type")]
    NoType,
}

/// Signs, reads and numbers messages.
pub struct Wire {
    key: Option<Hmac<Sha256>>,
    session: String,
    count: AtomicU64,
    seen: Mutex<Seen>,
}

impl Wire {
    /// With the connection file's key; an empty one means that nothing is signed.
    pub fn new(key: &str) -> Wire {
        let mac = || Hmac::new_from_slice(key.as_bytes()).expect("a key may have any length");
        let key = (!key.is_empty()).then(mac);
        Wire { key, session: unique(), count: AtomicU64::new(0), seen: Mutex::default() }
    }

    /// Reads a message that a client sent.
    pub fn open(&self, peer: &Peer, frames: &[Vec<u8>]) -> Result<Request, Rejected> {
        let delimiter = frames.iter().position(|frame| frame == DELIMITER).ok_or(Rejected::Short)?;
        let (prefix, rest) = (&frames[..delimiter], &frames[delimiter + 1..]);
        let [signature, header, parent, metadata, content, ..] = rest else { return Err(Rejected::Short) };
        self.check(signature, [header, parent, metadata, content])?;
        let header = object(header, "header")?;
        let parent = object(parent, "parent header")?;
        let parent = parent["msg_id"].as_str().unwrap_or_default().to_owned();
        object(metadata, "metadata")?;
        let kind = header["msg_type"].as_str().ok_or(Rejected::NoType)?.to_owned();
        let content = object(content, "content")?;
        Ok(Request { kind, header, parent, content, peer: peer.clone(), prefix: prefix.to_vec() })
    }

    fn check(&self, signature: &[u8], parts: [&Vec<u8>; 4]) -> Result<(), Rejected> {
        let Some(key) = &self.key else { return Ok(()) };
        let mut mac = key.clone();
        parts.iter().for_each(|part| mac.update(part));
        let bytes = from_hex(signature).ok_or(Rejected::Forged)?;
        mac.verify_slice(&bytes).map_err(|_| Rejected::Forged)?;
        let is_new = self.seen.lock().unwrap_or_else(PoisonError::into_inner).add(bytes);
        if is_new { Ok(()) } else { Err(Rejected::Replayed) }
    }

    /// Answers a request to the client that made it.
    pub fn reply(&self, request: &Request, content: &Value) {
        let kind = request.kind.replace("_request", "_reply");
        self.send(request, &kind, content);
    }

    /// Sends a message to the client that made a request, on the connection where it made it.
    fn send(&self, request: &Request, kind: &str, content: &Value) {
        let mut frames = request.prefix.clone();
        frames.extend(self.seal(kind, &request.header, &json!({}), content));
        request.peer.send(&frames);
    }

    /// A signed message that belongs to the one with the header `parent`.
    pub fn seal(&self, kind: &str, parent: &Value, metadata: &Value, content: &Value) -> Frames {
        self.seal_as(&self.new_id(), kind, parent, metadata, content)
    }

    /// An id that no other message has.
    pub fn new_id(&self) -> String {
        format!("{}_{}", self.session, self.count.fetch_add(1, Ordering::Relaxed))
    }

    /// The same with an id, for whoever must know the answer to it.
    pub fn seal_as(&self, id: &str, kind: &str, parent: &Value, metadata: &Value, content: &Value) -> Frames {
        let header = json!({
            "msg_id": id,
            "session": self.session,
            "username": "tokenscope",
            "date": clock::now(),
            "msg_type": kind,
            "version": PROTOCOL,
        });
        let parts = [&header, parent, metadata, content].map(|part| part.to_string().into_bytes());
        let signature = self.key.as_ref().map_or(String::new(), |key| {
            let mut mac = key.clone();
            parts.iter().for_each(|part| mac.update(part));
            to_hex(&mac.finalize().into_bytes())
        });
        [DELIMITER.to_vec(), signature.into_bytes()].into_iter().chain(parts).collect()
    }
}

/// The signatures of the latest messages.
#[derive(Default)]
struct Seen {
    all: HashSet<Vec<u8>>,
    order: VecDeque<Vec<u8>>,
}

impl Seen {
    /// False if it was there.
    fn add(&mut self, signature: Vec<u8>) -> bool {
        if !self.all.insert(signature.clone()) {
            return false;
        }
        self.order.push_back(signature);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.all.remove(&oldest);
        }
        true
    }
}

fn object(bytes: &[u8], what: &'static str) -> Result<Value, Rejected> {
    serde_json::from_slice(bytes).ok().filter(Value::is_object).ok_or(Rejected::NotJson(what))
}

/// 32 digits that no other kernel has: the standard library's hasher is seeded by the system.
pub fn unique() -> String {
    let part = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", part(), part())
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.len() % 2 == 0 && text.is_ascii())?;
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_standard() {
        // RFC 4231, test case 2.
        let wire = Wire::new("Jefe");
        let parts = ["what do ya ", "want ", "for ", "nothing?"].map(|part| part.as_bytes().to_vec());
        let [a, b, c, d] = &parts;
        let signature = b"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(wire.check(signature, [a, b, c, d]), Ok(()));
        assert_eq!(wire.check(signature, [a, b, c, d]), Err(Rejected::Replayed));
        assert_eq!(wire.check(signature, [a, b, c, a]), Err(Rejected::Forged));
        assert_eq!(wire.check("zz é".as_bytes(), [a, b, c, d]), Err(Rejected::Forged));
    }

    #[test]
    fn only_the_latest_signatures_are_remembered() {
        let mut seen = Seen::default();
        for number in 0..=REMEMBERED {
            assert!(seen.add(number.to_be_bytes().to_vec()));
        }
        assert_eq!(seen.all.len(), REMEMBERED);
        assert!(!seen.add(7usize.to_be_bytes().to_vec()));
        assert!(seen.add(0usize.to_be_bytes().to_vec()));
    }
}
