//! A Jupyter client, as small as can be: it starts the kernel and speaks to its five sockets.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tempfile::TempDir;
use tokenscope::kernel::zmtp::{self, Frames, Received};

const KEY: &str = "a key for tests";
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Client {
    pub shell: TcpStream,
    pub control: TcpStream,
    pub iopub: TcpStream,
    pub heartbeat: TcpStream,
    pub stdin: TcpStream,
    pub process: Child,
    pub ports: [u16; 5],
    count: usize,
    _folder: TempDir,
}

/// A message as a client reads it.
#[derive(Debug)]
pub struct Message {
    pub kind: String,
    pub header: Value,
    pub parent: String,
    pub content: Value,
    pub metadata: Value,
}

impl Client {
    pub fn start() -> Client {
        Client::start_by(Command::new(env!("CARGO_BIN_EXE_tokenscope")))
    }

    /// With a command that starts the program when it gets its arguments.
    pub fn start_by(mut command: Command) -> Client {
        let folder = tempfile::tempdir().unwrap();
        let ports = free_ports();
        let [shell_port, control_port, iopub_port, stdin_port, hb_port] = ports;
        let connection = json!({
            "ip": "127.0.0.1", "transport": "tcp", "key": KEY, "signature_scheme": "hmac-sha256",
            "shell_port": shell_port, "control_port": control_port, "iopub_port": iopub_port,
            "stdin_port": stdin_port, "hb_port": hb_port, "kernel_name": "tokenscope",
        });
        let file: PathBuf = folder.path().join("connection.json");
        std::fs::write(&file, connection.to_string()).unwrap();
        let process = command
            .args(["kernel", "run", "--connection-file"])
            .arg(&file)
            .arg("--out")
            .arg(folder.path())
            .env("TOKENSCOPE_STATE", folder.path())
            .env_remove("TOKENSCOPE_MODEL")
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Subscribes first, so that nothing is missed.
        let mut iopub = connect(iopub_port, "SUB");
        iopub.write_all(&zmtp::message(&[vec![1]])).unwrap();
        let mut client = Client {
            shell: connect(shell_port, "DEALER"),
            control: connect(control_port, "DEALER"),
            iopub,
            heartbeat: connect(hb_port, "REQ"),
            stdin: connect(stdin_port, "DEALER"),
            process,
            ports,
            count: 0,
            _folder: folder,
        };
        assert_eq!(client.published().kind, "iopub_welcome");
        client
    }

    /// Sends a request on the shell socket; its id comes back.
    pub fn send(&mut self, kind: &str, content: Value) -> String {
        let (id, frames) = self.request(kind, content);
        self.shell.write_all(&zmtp::message(&frames)).unwrap();
        id
    }

    /// Asks on the shell socket, and waits for the answer and for the end of what is published about it.
    pub fn ask(&mut self, kind: &str, content: Value) -> (Message, Vec<Message>) {
        let id = self.send(kind, content);
        let reply = read(&mut self.shell);
        assert_eq!(reply.parent, id, "{reply:?}");
        (reply, self.until_idle(&id))
    }

    pub fn execute(&mut self, code: &str) -> (Message, Vec<Message>) {
        self.ask("execute_request", json!({ "code": code }))
    }

    pub fn ask_control(&mut self, kind: &str, content: Value) -> Message {
        let (id, frames) = self.request(kind, content);
        self.control.write_all(&zmtp::message(&frames)).unwrap();
        let reply = read(&mut self.control);
        assert_eq!(reply.parent, id);
        reply
    }

    /// A signed request.
    pub fn request(&mut self, kind: &str, content: Value) -> (String, Frames) {
        self.request_about(json!({}), kind, content)
    }

    /// One that belongs to the message with the header `parent`.
    pub fn request_about(&mut self, parent: Value, kind: &str, content: Value) -> (String, Frames) {
        self.count += 1;
        let id = format!("request-{}", self.count);
        let header =
            json!({ "msg_id": id, "msg_type": kind, "session": "s", "username": "u", "version": "5.5" });
        let parts = [header, parent, json!({}), content].map(|part| part.to_string().into_bytes());
        let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
        parts.iter().for_each(|part| mac.update(part));
        let signature: String =
            mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let frames = [b"<IDS|MSG>".to_vec(), signature.into_bytes()].into_iter().chain(parts).collect();
        (id, frames)
    }

    pub fn published(&mut self) -> Message {
        read(&mut self.iopub)
    }

    /// What is published about a request between its `busy` and its `idle`.
    pub fn until_idle(&mut self, id: &str) -> Vec<Message> {
        let mut messages = Vec::new();
        loop {
            let message = self.published();
            if message.parent != id {
                continue;
            }
            match message.content["execution_state"].as_str() {
                Some("busy") => assert!(messages.is_empty(), "busy comes first"),
                Some("idle") => return messages,
                _ => messages.push(message),
            }
        }
    }

    /// Waits for the process to end by itself.
    pub fn wait(&mut self) {
        let begun = Instant::now();
        while self.process.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < PATIENCE, "the kernel does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Five that nobody listens on, below those that systems give to outgoing connections: nobody takes them meanwhile.
fn free_ports() -> [u16; 5] {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = 10_000 + (std::process::id() % 100) as u16 * 100;
    [(); 5].map(|()| {
        let mut ports = (0..).map(|_| start + NEXT.fetch_add(1, Ordering::Relaxed) % 10_000);
        ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
    })
}

/// Connects as soon as the kernel listens.
pub fn connect(port: u16, socket_type: &str) -> TcpStream {
    connect_as(port, socket_type, "the test")
}

pub fn connect_as(port: u16, socket_type: &str, identity: &str) -> TcpStream {
    let begun = Instant::now();
    let mut stream = loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => break stream,
            Err(error) => assert!(begun.elapsed() < PATIENCE, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    zmtp::greet(&mut stream, socket_type, identity).unwrap();
    stream
}

pub fn read(stream: &mut TcpStream) -> Message {
    let Received::Message(frames) = zmtp::read(stream).unwrap() else { panic!("a command") };
    let delimiter = frames.iter().position(|frame| frame == b"<IDS|MSG>").unwrap();
    let parts: Vec<Value> =
        frames[delimiter + 2..].iter().map(|frame| serde_json::from_slice(frame).unwrap()).collect();
    Message {
        kind: parts[0]["msg_type"].as_str().unwrap().to_owned(),
        header: parts[0].clone(),
        parent: parts[1]["msg_id"].as_str().unwrap_or_default().to_owned(),
        metadata: parts[3]["metadata"].clone(),
        content: parts[3].clone(),
    }
}
