//! How do two ZeroMQ sockets talk over TCP? ZMTP 3.0 with the NULL mechanism: a greeting, one READY command each,
//! then messages of frames (RFC 23, <https://rfc.zeromq.org/spec/23/>).
//!
//! Every Jupyter client speaks through libzmq, which falls back to 3.0 when its peer names that version.

use std::io::{self, Read, Write};

/// A message: its frames in order.
pub type Frames = Vec<Vec<u8>>;

/// What arrives on a connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    Message(Frames),
    Command { name: String, data: Vec<u8> },
}

/// Frames of one message and bytes of one frame that are believed; beyond that the peer is no Jupyter client.
const MOST_FRAMES: usize = 1024;
const MOST_BYTES: u64 = 256 << 20;

const SIGNATURE: [u8; 10] = [0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0x7F];
const GREETING: usize = 64;

mod flag {
    pub const MORE: u8 = 1;
    pub const LONG: u8 = 2;
    pub const COMMAND: u8 = 4;
}

/// Greets a peer, learns that it speaks ZMTP 3 without a password, and which identity it gives itself. `identity` is
/// ours; it may be empty.
///
/// # Errors
/// When the peer goes away, or speaks something else.
pub fn greet(stream: &mut (impl Read + Write), socket_type: &str, identity: &str) -> io::Result<Vec<u8>> {
    let mut ours = [0; GREETING];
    ours[..10].copy_from_slice(&SIGNATURE);
    ours[10] = 3;
    ours[12..16].copy_from_slice(b"NULL");
    stream.write_all(&ours)?;
    let mut theirs = [0; GREETING];
    stream.read_exact(&mut theirs)?;
    if theirs[0] != 0xFF || theirs[9] != 0x7F || theirs[10] < 3 {
        return Err(wrong("the peer does not speak ZMTP 3"));
    }
    if &theirs[12..17] != b"NULL\0" {
        return Err(wrong("the peer wants another security mechanism than NULL"));
    }
    let ready = [property("Socket-Type", socket_type), property("Identity", identity)].concat();
    stream.write_all(&command("READY", &ready))?;
    match read(stream)? {
        Received::Command { name, data } if name == "READY" => {
            property_of(&data, "Identity").ok_or_else(|| wrong("READY is cut"))
        }
        _ => Err(wrong("the peer does not say READY")),
    }
}

/// The next message or command.
pub fn read(stream: &mut impl Read) -> io::Result<Received> {
    let mut frames = Vec::new();
    loop {
        let (flags, body) = read_frame(stream)?;
        if flags & flag::COMMAND != 0 {
            return parse_command(&body);
        }
        frames.push(body);
        if flags & flag::MORE == 0 {
            return Ok(Received::Message(frames));
        }
        if frames.len() == MOST_FRAMES {
            return Err(wrong("a message has too many frames"));
        }
    }
}

fn read_frame(stream: &mut impl Read) -> io::Result<(u8, Vec<u8>)> {
    let mut flags = [0; 1];
    stream.read_exact(&mut flags)?;
    let length = match flags[0] & flag::LONG {
        0 => {
            let mut length = [0; 1];
            stream.read_exact(&mut length)?;
            u64::from(length[0])
        }
        _ => {
            let mut length = [0; 8];
            stream.read_exact(&mut length)?;
            u64::from_be_bytes(length)
        }
    };
    if length > MOST_BYTES {
        return Err(wrong("a frame is too long"));
    }
    // Grows as bytes arrive: a length alone takes no memory.
    let mut body = Vec::new();
    if stream.take(length).read_to_end(&mut body)? as u64 != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok((flags[0], body))
}

/// A command is its name behind the name's length, then what it says.
fn parse_command(body: &[u8]) -> io::Result<Received> {
    let split = body.split_first().and_then(|(length, rest)| rest.split_at_checked(usize::from(*length)));
    let (name, data) = split.ok_or_else(|| wrong("a command has no name"))?;
    Ok(Received::Command { name: String::from_utf8_lossy(name).into_owned(), data: data.to_vec() })
}

/// A message as its bytes.
pub fn message(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, frame) in frames.iter().enumerate() {
        let more = if index + 1 < frames.len() { flag::MORE } else { 0 };
        push_frame(&mut bytes, more, frame);
    }
    bytes
}

/// A command as its bytes.
pub fn command(name: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let body = [&[name.len() as u8], name.as_bytes(), data].concat();
    push_frame(&mut bytes, flag::COMMAND, &body);
    bytes
}

fn push_frame(bytes: &mut Vec<u8>, flags: u8, body: &[u8]) {
    match u8::try_from(body.len()) {
        Ok(length) => bytes.extend([flags, length]),
        Err(_) => {
            bytes.push(flags | flag::LONG);
            bytes.extend((body.len() as u64).to_be_bytes());
        }
    }
    bytes.extend(body);
}

fn property(name: &str, value: &str) -> Vec<u8> {
    let length = (value.len() as u32).to_be_bytes();
    [&[name.len() as u8], name.as_bytes(), &length, value.as_bytes()].concat()
}

/// The value of one property, whose name may be in any case; empty if it is not there. None if the bytes are none.
fn property_of(mut bytes: &[u8], wanted: &str) -> Option<Vec<u8>> {
    let mut found = Vec::new();
    while let Some((length, rest)) = bytes.split_first() {
        let (name, rest) = rest.split_at_checked(usize::from(*length))?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (value, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        if name.eq_ignore_ascii_case(wanted.as_bytes()) {
            found = value.to_vec();
        }
        bytes = rest;
    }
    Some(found)
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let frames = vec![b"topic".to_vec(), Vec::new(), vec![7; 300]];
        assert_eq!(read(&mut message(&frames).as_slice()).unwrap(), Received::Message(frames));
        let ping = command("PING", b"\0\0abc");
        let expected = Received::Command { name: "PING".to_owned(), data: b"\0\0abc".to_vec() };
        assert_eq!(read(&mut ping.as_slice()).unwrap(), expected);
    }

    #[test]
    fn properties_are_found_by_name() {
        let data = [property("Socket-Type", "DEALER"), property("identity", "me")].concat();
        assert_eq!(property_of(&data, "Identity"), Some(b"me".to_vec()));
        assert_eq!(property_of(&data, "Resource"), Some(Vec::new()));
        assert_eq!(property_of(&data[..data.len() - 1], "Identity"), None);
    }

    #[test]
    fn nonsense_is_an_error_and_takes_no_memory() {
        let absurd = [&[flag::LONG][..], &u64::MAX.to_be_bytes()].concat();
        assert_eq!(read(&mut absurd.as_slice()).unwrap_err().to_string(), "a frame is too long");
        let cut = [&[flag::LONG][..], &1_000_000u64.to_be_bytes(), b"few"].concat();
        assert_eq!(read(&mut cut.as_slice()).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert!(read(&mut [flag::COMMAND, 2, 9, 9].as_slice()).is_err());
    }
}
