//! Asking a terminal something, without an answer that comes late or never doing harm.

/// What came back.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The terminal's own sequences; empty if it said nothing in time.
    pub said: String,
    /// What somebody typed meanwhile.
    pub typed: String,
}

/// Asks a question to whose end every terminal answers with its attributes (`ESC [ ? … c`), and waits for that.
/// Nothing is asked where somebody is typing already, or where there is no terminal.
#[cfg(unix)]
pub fn ask(question: &str) -> Answer {
    unix::ask(question).unwrap_or_default()
}

#[cfg(not(unix))]
pub fn ask(_: &str) -> Answer {
    Answer::default()
}

/// What of the bytes a terminal says, and what a person types: sequences against everything else.
fn apart(bytes: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(bytes);
    let mut answer = Answer::default();
    let mut rest = &*text;
    while let Some(start) = rest.find("\x1b_").into_iter().chain(rest.find("\x1b[?")).min() {
        answer.typed.push_str(&rest[..start]);
        let sequence = &rest[start..];
        let end = match sequence.starts_with("\x1b_") {
            true => sequence.find("\x1b\\").map(|end| end + 2),
            false => sequence[3..].find(|c: char| c.is_ascii_alphabetic()).map(|end| end + 4),
        };
        let end = end.unwrap_or(sequence.len());
        answer.said.push_str(&sequence[..end]);
        rest = &sequence[end..];
    }
    answer.typed.push_str(rest);
    answer
}

#[cfg(unix)]
mod unix {
    use std::io::{IsTerminal, Write, stdin, stdout};
    use std::time::{Duration, Instant};

    use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

    use super::{Answer, apart};

    /// Longer than a terminal at the other end of the world takes.
    const PATIENCE: Duration = Duration::from_millis(1000);

    pub fn ask(question: &str) -> Option<Answer> {
        if !stdin().is_terminal() || !stdout().is_terminal() {
            return None;
        }
        let _quiet = Quiet::new()?;
        let mut bytes = Vec::new();
        read(&mut bytes)?;
        if !bytes.is_empty() {
            return Some(apart(&bytes));
        }
        let mut out = stdout().lock();
        out.write_all(question.as_bytes()).and_then(|()| out.flush()).ok()?;
        let end = Instant::now() + PATIENCE;
        while !is_complete(&bytes) && Instant::now() < end {
            read(&mut bytes)?;
        }
        Some(apart(&bytes))
    }

    /// Whether the attributes, which come last, are there.
    fn is_complete(bytes: &[u8]) -> bool {
        let said = apart(bytes).said;
        said.rsplit_once("\x1b[?").is_some_and(|(_, end)| end.ends_with('c'))
    }

    /// What there is to read within a tenth of a second.
    fn read(bytes: &mut Vec<u8>) -> Option<()> {
        let mut buffer = [0; 256];
        let count = rustix::io::read(stdin(), &mut buffer).ok()?;
        bytes.extend_from_slice(&buffer[..count]);
        Some(())
    }

    /// The terminal neither shows what it answers nor waits for the end of a line, and reading it ends after a tenth of
    /// a second; Ctrl-C still works.
    struct Quiet(Termios);

    impl Quiet {
        fn new() -> Option<Quiet> {
            let before = tcgetattr(stdin()).ok()?;
            let mut quiet = before.clone();
            quiet.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
            quiet.special_codes[SpecialCodeIndex::VMIN] = 0;
            quiet.special_codes[SpecialCodeIndex::VTIME] = 1;
            tcsetattr(stdin(), OptionalActions::Now, &quiet).ok()?;
            Some(Quiet(before))
        }
    }

    impl Drop for Quiet {
        fn drop(&mut self) {
            let _ = tcsetattr(stdin(), OptionalActions::Now, &self.0);
        }
    }
}

/// Pixels in the width of a column, where the terminal knows.
#[cfg(unix)]
pub fn cell_width() -> Option<f64> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_xpixel > 0 && size.ws_col > 0).then(|| f64::from(size.ws_xpixel) / f64::from(size.ws_col))
}

#[cfg(not(unix))]
pub fn cell_width() -> Option<f64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_and_what_is_typed_are_told_apart() {
        let answer = apart(b"le\x1b_Gi=31;OK\x1b\\t x\x1b[?62;4c = 1");
        assert_eq!(answer.said, "\x1b_Gi=31;OK\x1b\\\x1b[?62;4c");
        assert_eq!(answer.typed, "let x = 1");
        assert_eq!(apart(b"").said, "");
        // An answer that is cut off is nothing that was typed.
        assert_eq!(apart(b"\x1b[?62;").typed, "");
    }
}
