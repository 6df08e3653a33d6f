//! The loop: read a cell, run it, show its value, and again.

use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use crate::error::Result;
use crate::script::{Origin, Session};
use crate::terminal::Terminal;

/// Reads cells until the user leaves.
pub fn run(mut session: Session, terminal: &Terminal) -> Result<()> {
    let mut editor = DefaultEditor::new().expect("a terminal can be edited on");
    terminal.write(&format!("tokenscope {} · model {}\n", env!("CARGO_PKG_VERSION"), session.model_name()));
    loop {
        let number = session.next_cell();
        match editor.readline(&format!("[{number}]> ")) {
            Ok(code) => match session.eval(&code, &Origin { name: format!("[{number}]"), line: 1 }) {
                Ok(Some(output)) => terminal.show(&output, &format!("Out[{number}]:")),
                Ok(None) => {}
                Err(report) => terminal.report(&report),
            },
            Err(ReadlineError::Interrupted) => {}
            Err(_) => return Ok(()),
        }
    }
}

/// Code as it is typed, each line behind a bar.
pub fn highlighted(code: &str, _colour: bool) -> String {
    code.lines().map(|line| format!("    {line}\n")).collect()
}
