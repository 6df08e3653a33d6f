//! A script asks for a line: who answers, and how it is typed.

use std::io::{BufRead, IsTerminal};

use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{Config, Editor};

use crate::error::{Error, Result};
use crate::script::Asker;
use crate::terminal::Terminal;

/// Asks in the terminal. Where standard input is none, its next line is the answer, and is shown as if typed.
pub fn asker(terminal: &Terminal) -> Asker {
    let fresh = |prompt: &str| {
        let editor = Editor::<(), MemHistory>::with_history(Config::default(), MemHistory::new());
        editor.and_then(|mut editor| editor.readline(prompt))
    };
    asker_by(terminal, fresh)
}

/// The same, with a line editor that is there: what was typed ahead answers too.
pub fn asker_by(
    terminal: &Terminal,
    mut readline: impl FnMut(&str) -> rustyline::Result<String> + 'static,
) -> Asker {
    let terminal = terminal.clone();
    Box::new(move |prompt| {
        terminal.start_line();
        match std::io::stdin().is_terminal() {
            true => typed(readline(prompt)),
            false => {
                let line = piped()?;
                terminal.write(&format!("{prompt}{line}\n"));
                Ok(line)
            }
        }
    })
}

/// Ctrl-C interrupts the script, and Ctrl-D ends the input.
fn typed(line: rustyline::Result<String>) -> Result<String> {
    match line {
        Ok(line) => Ok(line),
        Err(ReadlineError::Interrupted) => Err(Error::Interrupted),
        Err(ReadlineError::Eof) => Err(ended()),
        Err(ReadlineError::Io(source)) => Err(Error::io("read", "<stdin>")(source)),
        Err(_) => Err(Error::CannotAsk { reason: "the terminal cannot be read" }),
    }
}

fn piped() -> Result<String> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line).map_err(Error::io("read", "<stdin>"))?;
    if read == 0 {
        return Err(ended());
    }
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

fn ended() -> Error {
    Error::CannotAsk { reason: "standard input has ended" }
}
