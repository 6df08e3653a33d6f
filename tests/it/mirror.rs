//! A model hub on this machine: as much of the protocol of huggingface.co as hf-hub and Python's
//! huggingface_hub use, with faults to order and a list of what was asked.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::json;

/// What goes wrong with a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// Another status than 200, for every request.
    Status(u16),
    /// The connection ends after so many bytes of the body; the next time all is well.
    CutOnceAfter(usize),
    /// So many bytes of the body are missing, whatever `Content-Length` says.
    Truncated(usize),
    /// The description announces so many bytes more than the file has.
    AnnouncedLonger(usize),
    /// The body comes from the start, whatever range was asked for.
    NoRanges,
    /// So many bytes of the body, and then nothing, with the connection open.
    StallAfter(usize),
    /// Nothing at all, with the connection open.
    Silent,
    /// A small piece of the body every few milliseconds.
    Slow,
}

/// One request, as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub range: Option<String>,
    pub authorization: Option<String>,
}

#[derive(Default)]
struct Repository {
    /// Of the branch `main`; a commit may be asked for by its hash, too.
    commit: String,
    files: BTreeMap<String, Vec<u8>>,
}

#[derive(Default)]
struct State {
    repositories: BTreeMap<String, Repository>,
    faults: BTreeMap<String, Fault>,
    token: Option<String>,
    storage: Option<String>,
    asked: Vec<Asked>,
}

pub struct Mirror {
    pub endpoint: String,
    state: Arc<Mutex<State>>,
}

impl Mirror {
    /// Serves until the test process ends.
    pub fn start() -> Mirror {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = shared.clone();
                std::thread::spawn(move || serve(&state, stream));
            }
        });
        Mirror { endpoint, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn publish(&self, repository: &str, commit: &str, files: &[(&str, Vec<u8>)]) {
        let files = files.iter().map(|(name, bytes)| (name.to_string(), bytes.clone())).collect();
        self.state()
            .repositories
            .insert(repository.to_owned(), Repository { commit: commit.to_owned(), files });
    }

    pub fn break_file(&self, file: &str, fault: Fault) {
        self.state().faults.insert(file.to_owned(), fault);
    }

    pub fn mend(&self) {
        self.state().faults.clear();
    }

    /// Answers 401 to whoever does not bring this token.
    pub fn require_token(&self, token: &str) {
        self.state().token = Some(token.to_owned());
    }

    /// Sends whoever wants weights to another mirror, as the hub does to its storage.
    pub fn keep_weights_at(&self, storage: &Mirror) {
        self.state().storage = Some(storage.endpoint.clone());
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.state().asked.clone()
    }
}

/// A file's name among the blobs.
pub fn etag(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn serve(state: &Mutex<State>, mut stream: TcpStream) {
    let Some(asked) = read_request(&stream) else { return };
    let answer = {
        let mut state = state.lock().unwrap();
        state.asked.push(asked.clone());
        answer(&mut state, &asked)
    };
    // Whoever asked may be gone: that is their right.
    let _ = answer.send(&mut stream, asked.method == "HEAD");
}

fn read_request(stream: &TcpStream) -> Option<Asked> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let (method, rest) = first.split_once(' ')?;
    let path = rest.split(' ').next()?.replace("%2F", "/");
    let mut asked = Asked { method: method.into(), path, range: None, authorization: None };
    for line in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        match name.to_lowercase().as_str() {
            "range" => asked.range = Some(value.trim().to_owned()),
            "authorization" => asked.authorization = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    Some(asked)
}

struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    fault: Option<Fault>,
}

impl Answer {
    fn status(status: u16) -> Answer {
        Answer { status, headers: vec![("Content-Length", "0".into())], body: Vec::new(), fault: None }
    }

    fn send(&self, stream: &mut TcpStream, head_only: bool) -> std::io::Result<()> {
        if self.fault == Some(Fault::Silent) {
            return wait_for_the_other_end(stream);
        }
        write!(stream, "HTTP/1.1 {} Whatever\r\nConnection: close\r\n", self.status)?;
        for (name, value) in &self.headers {
            write!(stream, "{name}: {value}\r\n")?;
        }
        stream.write_all(b"\r\n")?;
        if head_only {
            return Ok(());
        }
        match self.fault {
            Some(Fault::StallAfter(length)) => {
                stream.write_all(&self.body[..length.min(self.body.len())])?;
                wait_for_the_other_end(stream)
            }
            Some(Fault::Slow) => self.body.chunks(64).try_for_each(|piece| {
                std::thread::sleep(Duration::from_millis(10));
                stream.write_all(piece)
            }),
            _ => stream.write_all(&self.body),
        }
    }
}

/// Holds the connection until the client closes it.
fn wait_for_the_other_end(stream: &mut TcpStream) -> std::io::Result<()> {
    std::io::copy(stream, &mut std::io::sink()).map(drop)
}

fn answer(state: &mut State, asked: &Asked) -> Answer {
    if state.token.as_ref().is_some_and(|token| asked.authorization != Some(format!("Bearer {token}"))) {
        return Answer::status(401);
    }
    if let Some(repository) = asked.path.strip_prefix("/api/models/") {
        return describe_repository(state, repository);
    }
    let Some((repository, rest)) = asked.path[1..].split_once("/resolve/") else {
        return Answer::status(404);
    };
    let Some(found) = state.repositories.get(repository) else { return not_found("RepoNotFound") };
    let revision_and_file =
        ["main", &found.commit].into_iter().find_map(|known| rest.strip_prefix(known)?.strip_prefix('/'));
    let Some(file) = revision_and_file else { return not_found("RevisionNotFound") };
    let Some(bytes) = found.files.get(file) else { return not_found("EntryNotFound") };
    let mut headers = vec![("ETag", format!("\"{}\"", etag(bytes))), ("X-Repo-Commit", found.commit.clone())];
    if let Some(storage) = state.storage.as_ref().filter(|_| file.ends_with(".safetensors")) {
        headers[0].0 = "X-Linked-ETag";
        headers.push(("X-Linked-Size", bytes.len().to_string()));
        headers.push(("Location", format!("{storage}{}", asked.path)));
        headers.push(("Content-Length", "0".to_owned()));
        return Answer { status: 302, headers, body: Vec::new(), fault: None };
    }
    let fault = state.faults.get(file).copied();
    let describes = asked.method == "HEAD" || asked.range.as_deref() == Some("bytes=0-0");
    if matches!(fault, Some(Fault::CutOnceAfter(_))) && !describes {
        state.faults.remove(file);
    }
    let bytes = state.repositories[repository].files[file].clone();
    deliver(bytes, headers, asked, fault, describes)
}

/// The whole file or a range of it, with what goes wrong.
fn deliver(
    bytes: Vec<u8>,
    mut headers: Vec<(&'static str, String)>,
    asked: &Asked,
    fault: Option<Fault>,
    describes: bool,
) -> Answer {
    let size = match fault {
        Some(Fault::AnnouncedLonger(more)) if describes => bytes.len() + more,
        _ => bytes.len(),
    };
    let range = asked.range.as_deref().filter(|_| fault != Some(Fault::NoRanges) || describes);
    let (status, mut body) = match range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-')) {
        Some((first, last)) => {
            let first: usize = first.parse().unwrap();
            let end = last.parse().map_or(bytes.len(), |last: usize| last + 1).min(bytes.len());
            if first >= end {
                return Answer::status(416);
            }
            headers.push(("Content-Range", format!("bytes {first}-{}/{size}", end - 1)));
            (206, bytes[first..end].to_vec())
        }
        None => (200, bytes),
    };
    headers.push(("Content-Length", body.len().to_string()));
    match fault {
        Some(Fault::Status(status)) => return Answer::status(status),
        Some(Fault::CutOnceAfter(length)) if !describes => body.truncate(length),
        Some(Fault::Truncated(missing)) if !describes => body.truncate(body.len().saturating_sub(missing)),
        _ => {}
    }
    let fault = fault.filter(|fault| !describes || *fault == Fault::Silent);
    Answer { status, headers, body, fault }
}

fn not_found(code: &str) -> Answer {
    let mut answer = Answer::status(404);
    answer.headers.push(("X-Error-Code", code.to_owned()));
    answer
}

/// `owner/name`, `owner/name/revision/main`, and `owner/name/tree/main?recursive=true`.
fn describe_repository(state: &State, path: &str) -> Answer {
    let tree = path.split_once("/tree/").map(|(name, _)| name);
    let name = tree.unwrap_or_else(|| path.split("/revision/").next().unwrap());
    let Some(repository) = state.repositories.get(name) else { return not_found("RepoNotFound") };
    let entry = |(file, bytes): (&String, &Vec<u8>)| {
        let (size, oid) = (bytes.len(), etag(bytes));
        json!({ "type": "file", "path": file, "rfilename": file, "size": size, "oid": oid })
    };
    let files: Vec<_> = repository.files.iter().map(entry).collect();
    let body = match tree {
        Some(_) => json!(files),
        None => json!({ "id": name, "sha": repository.commit, "siblings": files }),
    };
    let body = body.to_string();
    let headers =
        vec![("Content-Type", "application/json".into()), ("Content-Length", body.len().to_string())];
    Answer { status: 200, headers, body: body.into_bytes(), fault: None }
}
