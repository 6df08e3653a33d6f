//! Which sockets does a kernel offer, and who is on their other ends?
//!
//! A thread accepts connections, one reads each, one writes to each. A peer that does not read loses messages once
//! its queue is full, as with libzmq: it must not hold up the kernel.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::log;
use super::zmtp::{self, Received};

/// Messages that wait for a peer at most.
const QUEUE: usize = 10_000;

/// A peer that connects must say who it is within this time.
const PATIENCE: Duration = Duration::from_secs(10);

/// The other end of a connection. Clones write to the same one.
#[derive(Clone)]
pub struct Peer {
    id: u64,
    /// What it calls itself: the same on all sockets of a client.
    identity: Arc<[u8]>,
    outgoing: SyncSender<Outgoing>,
}

/// What happens on a connection.
pub enum Arrival {
    /// The peer is there.
    Joined,
    Said(Received),
    /// It is gone.
    Left,
}

enum Outgoing {
    Bytes(Vec<u8>),
    /// Says when all before it has been written.
    Flush(mpsc::Sender<()>),
}

impl Peer {
    /// A peer whose messages a thread writes to `stream`.
    fn new(stream: TcpStream, identity: Vec<u8>) -> Peer {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let (outgoing, waiting) = mpsc::sync_channel(QUEUE);
        thread::spawn(move || write(stream, &waiting));
        Peer { id: COUNT.fetch_add(1, Ordering::Relaxed), identity: identity.into(), outgoing }
    }

    pub fn id(&self) -> u64 {
        self.id
    }

    /// Whether both are connections of one client. One without an identity is a client for itself.
    pub fn is_of_same_client(&self, other: &Peer) -> bool {
        self.id == other.id || (!self.identity.is_empty() && self.identity == other.identity)
    }

    /// Sends a message, unless the peer is gone or does not read.
    pub fn send(&self, frames: &[Vec<u8>]) {
        self.send_bytes(zmtp::message(frames));
    }

    /// False if the peer is gone.
    fn send_bytes(&self, bytes: Vec<u8>) -> bool {
        let sent = self.outgoing.try_send(Outgoing::Bytes(bytes));
        if let Err(TrySendError::Full(_)) = sent {
            log("a client does not read: dropped a message to it");
        }
        !matches!(sent, Err(TrySendError::Disconnected(_)))
    }

    /// Waits until what was sent is on its way.
    pub fn flush(&self, limit: Duration) {
        let (done, wait) = mpsc::channel();
        if self.outgoing.try_send(Outgoing::Flush(done)).is_ok() {
            // A writer that failed has dropped its end.
            let _ = wait.recv_timeout(limit);
        }
    }
}

/// Listens, and tells `receive` what happens on each connection, on a thread of its own.
///
/// # Errors
/// When the address cannot be listened on.
pub fn listen(
    address: SocketAddr,
    socket_type: &'static str,
    receive: impl Fn(&Peer, Arrival) + Send + Sync + 'static,
) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    let receive = Arc::new(receive);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let receive = receive.clone();
            thread::spawn(move || {
                // A peer that goes away is nothing to speak of.
                match serve(stream, socket_type, &*receive) {
                    Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                        log(&format!("closed a connection to the {socket_type} socket: {error}"));
                    }
                    _ => {}
                }
            });
        }
    });
    Ok(())
}

fn serve(
    mut stream: TcpStream,
    socket_type: &'static str,
    receive: &impl Fn(&Peer, Arrival),
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let identity = zmtp::greet(&mut stream, socket_type, "")?;
    stream.set_read_timeout(None)?;
    let peer = Peer::new(stream.try_clone()?, identity);
    receive(&peer, Arrival::Joined);
    let ended = read(stream, &peer, receive);
    receive(&peer, Arrival::Left);
    ended
}

fn read(stream: TcpStream, peer: &Peer, receive: &impl Fn(&Peer, Arrival)) -> io::Result<()> {
    let mut reader = io::BufReader::new(stream);
    loop {
        match zmtp::read(&mut reader)? {
            Received::Command { name, data } if name == "PING" => {
                // The first two bytes are how long the answer may take; the rest is to come back.
                peer.send_bytes(zmtp::command("PONG", data.get(2..).unwrap_or_default()));
            }
            received => receive(peer, Arrival::Said(received)),
        }
    }
}

fn write(mut stream: TcpStream, waiting: &Receiver<Outgoing>) {
    for outgoing in waiting {
        match outgoing {
            Outgoing::Bytes(bytes) if stream.write_all(&bytes).is_err() => return,
            Outgoing::Bytes(_) => {}
            // Nobody may be waiting any more.
            Outgoing::Flush(done) => drop(done.send(())),
        }
    }
}

/// The sending end of a PUB socket: who asked for which topics.
#[derive(Clone, Default)]
pub struct Subscribers(Arc<Mutex<Vec<Subscriber>>>);

struct Subscriber {
    peer: Peer,
    topic: Vec<u8>,
}

impl Subscribers {
    /// Takes in what a subscriber says; the topic that it newly asks for comes back.
    pub fn hear(&self, peer: &Peer, arrival: Arrival) -> Option<Vec<u8>> {
        // ZMTP 3.0 subscribes with a message, 3.1 with a command.
        let (subscribes, topic) = match arrival {
            Arrival::Joined => return None,
            Arrival::Said(Received::Message(frames)) => {
                let (kind, topic) = frames.first()?.split_first()?;
                (*kind == 1, topic.to_vec())
            }
            Arrival::Said(Received::Command { name, data }) => (name == "SUBSCRIBE", data),
            Arrival::Left => {
                self.all().retain(|one| one.peer.id != peer.id);
                return None;
            }
        };
        let mut all = self.all();
        if subscribes {
            all.push(Subscriber { peer: peer.clone(), topic: topic.clone() });
            return Some(topic);
        }
        all.retain(|one| one.peer.id != peer.id || one.topic != topic);
        None
    }

    /// Sends a message to all whose topic its first frame begins with.
    pub fn send(&self, frames: &[Vec<u8>]) {
        let bytes = zmtp::message(frames);
        let asked = |one: &Subscriber| frames.first().is_some_and(|first| first.starts_with(&one.topic));
        self.all().retain(|one| !asked(one) || one.peer.send_bytes(bytes.clone()));
    }

    pub fn flush(&self, limit: Duration) {
        let peers: Vec<Peer> = self.all().iter().map(|one| one.peer.clone()).collect();
        peers.iter().for_each(|peer| peer.flush(limit));
    }

    fn all(&self) -> MutexGuard<'_, Vec<Subscriber>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
