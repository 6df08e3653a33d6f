//! The loop: read what is typed, do it, show what comes of it, and again.

mod actions;
mod ask;
mod assistant;
mod banner;
mod commands;
mod completion;
mod editor;
mod highlight;
mod hint;
mod history;
mod input;
mod step;

use std::path::Path;

use rustyline::error::ReadlineError;

use crate::error::Error;
use crate::render::Output;
use crate::script::assist::{self, Knowledge};
use crate::script::report::Report;
use crate::script::{Origin, Session, registry};
use crate::terminal::Terminal;
pub use ask::asker;
use editor::Editor;
pub use highlight::highlighted;
use history::History;
use input::Input;

/// A session with somebody in front of it.
struct Repl {
    session: Session,
    terminal: Terminal,
    editor: Editor,
    /// The cells that ran, for `:save` and `:history`.
    cells: Vec<(usize, String)>,
    /// What stands in the next line before anything is typed.
    prepared: String,
    /// The exit code, once it is time to leave.
    leaving: Option<u8>,
}

/// Why something that was typed was not done.
enum Trouble {
    Error(Error),
    Report(Box<Report>),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        Trouble::Error(error)
    }
}

impl From<Box<Report>> for Trouble {
    fn from(report: Box<Report>) -> Trouble {
        Trouble::Report(report)
    }
}

/// Runs a script, if one is given, then reads and runs cells until the user leaves. Answers the exit code.
pub fn run(session: Session, terminal: &Terminal, script: Option<&Path>) -> u8 {
    let (history, warning) = History::open();
    terminal.write(&banner::banner(&session.model_name(), &terminal.style()));
    if let Some(warning) = warning {
        terminal.write(&format!("warning: {warning}\n"));
    }
    let editor = Editor::new(history, terminal.style().colour);
    let (cells, prepared) = (Vec::new(), String::new());
    session.trust(true);
    let mut repl = Repl { session, terminal: terminal.clone(), editor, cells, prepared, leaving: None };
    if let Some(script) = script {
        repl.settle(|repl| repl.run_script(script));
    }
    loop {
        if let Some(code) = repl.leaving {
            return code;
        }
        repl.turn();
    }
}

impl Repl {
    /// One prompt and what follows from it.
    fn turn(&mut self) {
        self.terminal.start_line();
        self.editor.learn(Knowledge::of(&self.session), self.terminal.style().width);
        let prepared = std::mem::take(&mut self.prepared);
        match self.editor.read(self.session.next_cell(), &prepared) {
            Ok(text) => self.enter(&text),
            Err(ReadlineError::Interrupted) => {}
            // Ctrl-D, or the terminal went away.
            Err(_) => self.leaving = Some(0),
        }
    }

    fn enter(&mut self, text: &str) {
        let input = Input::parse(text);
        if input == Input::Empty {
            return;
        }
        self.settle(|repl| match input {
            Input::Empty => Ok(()),
            Input::Command { name, argument } => commands::run(repl, name, argument),
            Input::Question { name, deep } => repl.describe(name, deep),
            Input::Code(code) => repl.run_cell(code),
        });
        if let Err(error) = self.editor.remember(text) {
            self.terminal.write(&format!("warning: the history cannot be kept: {error}\n"));
        }
    }

    /// Does something, and says so if that fails; a script may also ask to leave.
    fn settle(&mut self, work: impl FnOnce(&mut Repl) -> Result<(), Trouble>) {
        match work(self) {
            Ok(()) => {}
            Err(Trouble::Report(report)) if report.exit.is_some() => self.leaving = report.exit,
            Err(trouble) => self.tell(trouble),
        }
        self.terminal.start_line();
    }

    fn describe(&self, name: &str, deep: bool) -> Result<(), Trouble> {
        let about = match name {
            "" => Output::Markdown(registry::overview()),
            name => assist::describe(&self.session, name, deep)?,
        };
        self.terminal.show(&about, "");
        Ok(())
    }

    /// Runs code as the next cell and shows its value.
    fn run_cell(&mut self, code: &str) -> Result<(), Trouble> {
        let number = self.session.next_cell();
        let output = self.session.eval(code, &origin(number))?;
        self.cells.push((number, code.to_owned()));
        self.show_result(number, output);
        Ok(())
    }

    fn show_result(&self, number: usize, output: Option<Output>) {
        if let Some(output) = output {
            self.terminal.show(&output, &banner::out(number, self.terminal.style().colour));
            self.terminal.write("\n");
        }
    }

    /// Runs the cells of a script as cells of this session. It was not typed here: it reads what it is allowed to.
    fn run_script(&mut self, path: &Path) -> Result<(), Trouble> {
        self.session.trust(false);
        let done = self.run_cells(path);
        self.session.trust(true);
        done
    }

    fn run_cells(&mut self, path: &Path) -> Result<(), Trouble> {
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        for cell in crate::script::cells::parse(&text) {
            match cell.kind {
                crate::script::cells::Kind::Markdown => {
                    self.terminal.start_line();
                    self.terminal.show(&Output::Markdown(cell.source), "");
                    self.terminal.write("\n");
                }
                crate::script::cells::Kind::Raw => {}
                crate::script::cells::Kind::Code => {
                    let number = self.session.next_cell();
                    let origin = Origin { name: path.display().to_string(), line: cell.line };
                    let output = self.session.eval(&cell.source, &origin)?;
                    self.cells.push((number, cell.source));
                    self.show_result(number, output);
                }
            }
        }
        Ok(())
    }

    /// Says what went wrong; that somebody pressed Ctrl-C is no fault, and one line is enough for it.
    fn tell(&self, trouble: Trouble) {
        match trouble {
            Trouble::Error(Error::Interrupted) => self.interrupted(None),
            Trouble::Error(error) => self.terminal.error(&error),
            Trouble::Report(report) if report.interrupted => self.interrupted(Some(&report)),
            Trouble::Report(report) => self.terminal.report(&report),
        }
    }

    fn interrupted(&self, report: Option<&Report>) {
        self.terminal.finish_progress();
        let place = report.and_then(|report| report.place.as_ref());
        let at = place
            .map_or(String::new(), |place| format!(" at {}:{}:{}", place.source, place.line, place.column));
        // The terminal has written `^C` into the line.
        self.terminal.write(&format!("\ninterrupted{at}; variables are kept\n"));
    }
}

/// The name that errors show for a cell.
fn origin(number: usize) -> Origin {
    Origin { name: format!("[{number}]"), line: 1 }
}
