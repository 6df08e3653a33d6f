//! Asking a terminal something, without an answer that comes late or never doing harm.

use std::time::Duration;

use super::pictures::CellSize;

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The terminal's own sequences; empty if it said nothing in time.
    pub said: String,
    /// What somebody typed meanwhile.
    pub typed: String,
}

/// Asks a question to whose end every terminal answers with its attributes (`ESC [ ? … c`), and waits for that.
/// `None` where nothing was asked: somebody is typing already, or there is no terminal.
#[cfg(unix)]
pub fn ask(question: &str, patience: Duration) -> Option<Answer> {
    unix::ask(question, patience)
}

#[cfg(not(unix))]
pub fn ask(_: &str, _: Duration) -> Option<Answer> {
    None
}

impl Answer {
    /// What of a text a terminal says, and what a person types: sequences against everything else.
    fn of(text: &str) -> Answer {
        let mut answer = Answer::default();
        let mut rest = text;
        while let Some(start) = BEGINNINGS.iter().filter_map(|begin| rest.find(begin)).min() {
            answer.typed.push_str(&rest[..start]);
            let (sequence, after) = rest[start..].split_at(end(&rest[start..]).unwrap_or(rest.len() - start));
            answer.said.push_str(sequence);
            rest = after;
        }
        answer.typed.push_str(rest);
        answer
    }
}

/// How a terminal's answers begin: of kitty's kind, about colours, about itself.
const BEGINNINGS: [&str; 3] = ["\x1b_", "\x1b]", "\x1b[?"];

/// Where the sequence ends that a text begins with, if it does.
fn end(sequence: &str) -> Option<usize> {
    if sequence.starts_with(BEGINNINGS[2]) {
        return sequence[3..].find(|c: char| c.is_ascii_alphabetic()).map(|end| end + 4);
    }
    let ends = ["\x1b\\", "\x07"].map(|end| sequence[2..].find(end).map(|at| at + 2 + end.len()));
    ends.into_iter().flatten().min()
}

/// An answer that comes too late for whoever asked, between the keys that somebody presses.
#[derive(Clone, Debug, Default)]
pub struct Late {
    said: String,
}

impl Late {
    /// With what has come of it so far.
    pub fn after(said: &str) -> Late {
        Late { said: said.to_owned() }
    }

    /// Takes what belongs to the answer. What does not is somebody's.
    pub fn takes(&mut self, piece: &str) -> bool {
        let is_inside = self.last().is_some_and(|sequence| end(sequence).is_none());
        let belongs = is_inside || BEGINNINGS.contains(&piece);
        if belongs {
            self.said.push_str(piece);
        }
        belongs
    }

    /// The whole answer, once it is there.
    pub fn whole(&self) -> Option<&str> {
        is_complete(&self.said).then_some(&self.said)
    }

    fn last(&self) -> Option<&str> {
        let start = BEGINNINGS.iter().filter_map(|begin| self.said.rfind(begin)).max()?;
        Some(&self.said[start..])
    }
}

/// Whether the attributes, which come last, are there.
pub fn is_complete(said: &str) -> bool {
    said.rsplit_once(BEGINNINGS[2]).is_some_and(|(_, end)| end.ends_with('c'))
}

#[cfg(unix)]
mod unix {
    use std::io::{IsTerminal, Write, stdin, stdout};
    use std::time::{Duration, Instant};

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

    use super::{Answer, is_complete};

    pub fn ask(question: &str, patience: Duration) -> Option<Answer> {
        if !stdin().is_terminal() || !stdout().is_terminal() {
            return None;
        }
        let _quiet = Quiet::new()?;
        if is_readable(Duration::ZERO) {
            return None;
        }
        let mut out = stdout().lock();
        out.write_all(question.as_bytes()).and_then(|()| out.flush()).ok()?;
        let end = Instant::now() + patience;
        let (mut bytes, mut answer) = (Vec::new(), Answer::default());
        while !is_complete(&answer.said) && is_readable(end.saturating_duration_since(Instant::now())) {
            let mut buffer = [0; 256];
            match rustix::io::read(stdin(), &mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            }
            answer = Answer::of(&String::from_utf8_lossy(&bytes));
        }
        Some(answer)
    }

    /// Whether something can be read within this time.
    fn is_readable(time: Duration) -> bool {
        let time = Timespec::try_from(time).ok();
        let stdin = stdin();
        poll(&mut [PollFd::new(&stdin, PollFlags::IN)], time.as_ref()).is_ok_and(|ready| ready > 0)
    }

    /// The terminal neither shows what it answers nor waits for the end of a line; Ctrl-C still works.
    struct Quiet(Termios);

    impl Quiet {
        fn new() -> Option<Quiet> {
            let before = tcgetattr(stdin()).ok()?;
            let mut quiet = before.clone();
            quiet.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
            quiet.special_codes[SpecialCodeIndex::VMIN] = 0;
            quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
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

/// How large the place of a character is, where the terminal knows.
#[cfg(unix)]
pub fn cell() -> Option<CellSize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    let share =
        |pixels: u16, cells: u16| (pixels > 0 && cells > 0).then(|| f64::from(pixels) / f64::from(cells));
    Some(CellSize { width: share(size.ws_xpixel, size.ws_col)?, height: share(size.ws_ypixel, size.ws_row)? })
}

#[cfg(not(unix))]
pub fn cell() -> Option<CellSize> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_and_what_is_typed_are_told_apart() {
        let answer = Answer::of("le\x1b_Gi=31;OK\x1b\\t x\x1b]11;rgb:ff/ff/ff\x07 =\x1b[?62;4c 1");
        assert_eq!(answer.said, "\x1b_Gi=31;OK\x1b\\\x1b]11;rgb:ff/ff/ff\x07\x1b[?62;4c");
        assert_eq!(answer.typed, "let x = 1");
        assert!(is_complete(&answer.said));
        assert_eq!(Answer::of(""), Answer::default());
        // An answer that is cut off is nothing that was typed.
        let cut = Answer::of("\x1b[?62;");
        assert!(cut.typed.is_empty() && !is_complete(&cut.said));
    }

    #[test]
    fn a_late_answer_is_taken_from_between_the_keys() {
        let mut late = Late::after("\x1b]11;rgb:f");
        let pieces = ["f", "f", "/", "0", "/", "0", "\x1b\\", "x", "\x1b[?", "6", "c", "y"];
        let typed: String = pieces.into_iter().filter(|piece| !late.takes(piece)).collect();
        assert_eq!(typed, "xy");
        assert_eq!(late.whole(), Some("\x1b]11;rgb:fff/0/0\x1b\\\x1b[?6c"));
    }
}
