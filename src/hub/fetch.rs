//! One request to the hub, its answer and its body, all of it stoppable.
//!
//! The network is read on a thread of its own, because a blocked read cannot be interrupted: the caller
//! waits on a channel and may leave at any moment, and the thread ends at its next read or time-out.

use std::io::Read;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use ureq::Agent;
use ureq::http::{HeaderMap, Uri};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use super::settings::Settings;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;

/// How long an interrupt may stay unnoticed.
const POLL: Duration = Duration::from_millis(50);
const CHUNK: usize = 64 * 1024;
const MOST_REDIRECTS: usize = 10;

/// Asks one endpoint.
pub(super) struct Client {
    agent: Agent,
    pub endpoint: String,
    token: Option<String>,
    patience: Duration,
    interrupt: Interrupt,
}

/// How far to follow the hub's redirects.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Follow {
    /// To where the hub itself describes the file: its headers are wanted, not the storage's.
    WithinTheHub,
    /// To the bytes.
    Everywhere,
}

/// A status, headers, and a body still to be read.
pub(super) struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    events: Receiver<Event>,
}

impl Answer {
    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

enum Event {
    Answered(u16, HeaderMap),
    Bytes(Vec<u8>),
    End,
    Failed(ureq::Error),
}

impl Client {
    pub fn new(settings: &Settings, interrupt: &Interrupt) -> Result<Client> {
        let patience = Some(settings.patience);
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .accept_encoding("identity")
            .user_agent(concat!("tokenscope/", env!("CARGO_PKG_VERSION"), "; rust"))
            .tls_config(TlsConfig::builder().root_certs(root_certificates(settings)?).build())
            .timeout_resolve(patience)
            .timeout_connect(patience)
            .timeout_per_read(patience)
            .timeout_per_write(patience)
            .build();
        Ok(Client {
            agent: agent.into(),
            endpoint: settings.endpoint.clone(),
            token: settings.token.clone(),
            patience: settings.patience,
            interrupt: interrupt.clone(),
        })
    }

    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    pub fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// GETs `url` from byte `range.0` to `range.1`, and waits for the headers. `file` is for messages.
    pub fn get(&self, url: &str, range: (u64, Option<u64>), follow: Follow, file: &str) -> Result<Answer> {
        let (sender, events) = sync_channel(4);
        let request = Request {
            agent: self.agent.clone(),
            url: url.to_owned(),
            range: match range {
                (first, Some(last)) => format!("bytes={first}-{last}"),
                (first, None) => format!("bytes={first}-"),
            },
            follow,
            hub: origin(&self.endpoint).to_owned(),
            token: self.token.clone(),
        };
        std::thread::Builder::new()
            .name("download".to_owned())
            .spawn(move || request.run(&sender))
            .map_err(Error::io("start a download of", file))?;
        match self.next(&events)? {
            Event::Answered(status, headers) => Ok(Answer { status, headers, events }),
            Event::Failed(error) => Err(self.not_answered(error, file)),
            Event::Bytes(_) | Event::End => unreachable!("a body follows its headers"),
        }
    }

    /// The next bytes of a body, or `None` at its end.
    pub fn read(&self, answer: &Answer, file: &str, received: u64, expected: u64) -> Result<Option<Vec<u8>>> {
        match self.next(&answer.events)? {
            Event::Bytes(bytes) => Ok(Some(bytes)),
            Event::End => Ok(None),
            Event::Failed(error) if is_timeout(&error) => Err(self.stalled(file)),
            Event::Failed(_) => Err(Error::Cut { file: file.to_owned(), received, expected }),
            Event::Answered(..) => unreachable!("headers come once"),
        }
    }

    fn next(&self, events: &Receiver<Event>) -> Result<Event> {
        loop {
            self.interrupt.check()?;
            match events.recv_timeout(POLL) {
                Ok(event) => return Ok(event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Ok(Event::Failed(ureq::Error::ConnectionFailed));
                }
            }
        }
    }

    fn stalled(&self, file: &str) -> Error {
        Error::Stalled { file: file.to_owned(), seconds: self.patience.as_secs_f64() }
    }

    fn not_answered(&self, error: ureq::Error, file: &str) -> Error {
        use ureq::Timeout::{Connect, Resolve};
        let endpoint = self.endpoint.clone();
        let reason = match error {
            ureq::Error::HostNotFound => "its name is unknown".to_owned(),
            ureq::Error::Timeout(Connect | Resolve) => {
                format!("no connection within {} s", self.patience.as_secs_f64())
            }
            error if is_timeout(&error) => return self.stalled(file),
            ureq::Error::Protocol(error) => return Error::NotAHub { endpoint, reason: error.to_string() },
            ureq::Error::TooManyRedirects => {
                return Error::NotAHub { endpoint, reason: "it redirects for ever".to_owned() };
            }
            ureq::Error::BadUri(location) => {
                return Error::NotAHub { endpoint, reason: format!("it redirects to `{location}`") };
            }
            ureq::Error::Io(error) => error.to_string(),
            error => error.to_string(),
        };
        Error::Unreachable { endpoint, reason }
    }
}

/// Everything the thread needs.
struct Request {
    agent: Agent,
    url: String,
    range: String,
    follow: Follow,
    /// Where the token may go: a storage elsewhere has its own signature in the address.
    hub: String,
    token: Option<String>,
}

impl Request {
    /// Sends what happens until the body ends or nobody listens any more.
    fn run(mut self, events: &SyncSender<Event>) {
        let mut body = match self.answer() {
            Ok(answer) => {
                let (head, body) = answer.into_parts();
                if events.send(Event::Answered(head.status.as_u16(), head.headers)).is_err() {
                    return;
                }
                body.into_reader()
            }
            Err(error) => return drop(events.send(Event::Failed(error))),
        };
        loop {
            let mut chunk = vec![0; CHUNK];
            let event = match body.read(&mut chunk) {
                Ok(0) => Event::End,
                Ok(length) => {
                    chunk.truncate(length);
                    Event::Bytes(chunk)
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => Event::Failed(ureq::Error::from(error)),
            };
            let more = matches!(event, Event::Bytes(_));
            if events.send(event).is_err() || !more {
                return;
            }
        }
    }

    fn answer(&mut self) -> std::result::Result<ureq::http::Response<ureq::Body>, ureq::Error> {
        for _ in 0..MOST_REDIRECTS {
            let at_the_hub = origin(&self.url) == self.hub;
            let mut request = self.agent.get(&self.url).header("Range", &self.range);
            if let (Some(token), true) = (&self.token, at_the_hub) {
                request = request.header("Authorization", format!("Bearer {token}"));
            }
            let answer = request.call()?;
            let location = answer.headers().get("Location").and_then(|location| location.to_str().ok());
            let Some(location) = location.filter(|_| answer.status().is_redirection()) else {
                return Ok(answer);
            };
            let next = join(&self.url, location).ok_or_else(|| ureq::Error::BadUri(location.to_owned()))?;
            if self.follow == Follow::WithinTheHub && origin(&next) != self.hub {
                return Ok(answer);
            }
            self.url = next;
        }
        Err(ureq::Error::TooManyRedirects)
    }
}

fn root_certificates(settings: &Settings) -> Result<RootCerts> {
    let Some(path) = &settings.certificates else {
        return Ok(RootCerts::WebPki);
    };
    let text = std::fs::read(path).map_err(Error::io("read", path))?;
    let certificates: Vec<_> = parse_pem(&text)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    Ok(if certificates.is_empty() { RootCerts::WebPki } else { RootCerts::from(certificates) })
}

/// A time-out, also where it comes wrapped in an error of a read.
fn is_timeout(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Timeout(_) => true,
        ureq::Error::Io(error) => {
            matches!(error.kind(), std::io::ErrorKind::TimedOut | std::io::ErrorKind::WouldBlock)
                || error.get_ref().and_then(|inner| inner.downcast_ref()).is_some_and(is_timeout)
        }
        _ => false,
    }
}

/// Scheme, host and port of an address.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    url[host..].find(['/', '?', '#']).map_or(url, |end| &url[..host + end])
}

/// Where a redirect from `url` leads.
fn join(url: &str, location: &str) -> Option<String> {
    let joined = if location.starts_with("https://") || location.starts_with("http://") {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{}{location}", &url[..=url.find(':')?])
    } else if location.starts_with('/') {
        format!("{}{location}", origin(url))
    } else {
        format!("{}{location}", &url[..=url.rfind('/')?])
    };
    joined.parse::<Uri>().is_ok().then_some(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        assert_eq!(origin("https://hub.co/a/b?c"), "https://hub.co");
        assert_eq!(origin("http://127.0.0.1:80"), "http://127.0.0.1:80");
        assert_ne!(origin("http://hub.co/a"), origin("http://hub.co.evil.org/a"));
    }

    #[test]
    fn a_redirect_may_be_absolute_or_relative() {
        let url = "https://hub.co/gpt2/resolve/main/config.json";
        assert_eq!(join(url, "https://cdn.co/x").as_deref(), Some("https://cdn.co/x"));
        assert_eq!(join(url, "/other/config.json").as_deref(), Some("https://hub.co/other/config.json"));
        assert_eq!(join(url, "//cdn.co/x").as_deref(), Some("https://cdn.co/x"));
        assert_eq!(join(url, "x.json").as_deref(), Some("https://hub.co/gpt2/resolve/main/x.json"));
        assert_eq!(join(url, "/a b"), None);
    }
}
