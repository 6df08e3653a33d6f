//! The loop: read what is typed, do it, show what comes of it, and again.

mod actions;
mod ask;
mod assistant;
mod banner;
mod commands;
mod completion;
mod editor;
mod ghost;
mod highlight;
mod hint;
mod history;
mod input;
mod late;
mod step;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustyline::error::ReadlineError;
use unicode_width::UnicodeWidthChar;

use crate::error::Error;
use crate::render::Output;
use crate::script::assist::{Knowledge, Question};
use crate::script::report::Report;
use crate::script::{Origin, Session};
use crate::terminal::Terminal;
use crate::terminal::keys::unmarked;
pub use ask::asker;
use editor::Editor;
pub use highlight::{Theme, highlighted};
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
    /// The model that makes ghost text, if it is on.
    ghost: Option<String>,
    /// A result that was too long for the screen, for `:more`.
    long: String,
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

/// The keys of the line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Keys {
    #[default]
    Emacs,
    Vi,
}

/// How long the terminal may take to say what it is before the first prompt; what it says later is heard too.
const PATIENCE: Duration = Duration::from_millis(100);

/// How somebody likes to type.
#[derive(Clone, Copy, Debug, Default)]
pub struct Habits {
    pub keys: Keys,
    /// Whether ghost text is on from the start.
    pub ghost: bool,
}

/// Runs scripts, if some are given, then reads and runs cells until the user leaves. Answers the exit code.
pub fn run(session: Session, terminal: &Terminal, habits: &Habits, scripts: &[PathBuf]) -> u8 {
    let (history, warning) = History::open();
    terminal.write(&banner::banner(&session.model_name(), session.backend(), &terminal.style()));
    if let Some(warning) = warning {
        terminal.say(&format!("warning: {warning}\n"));
    }
    let late = terminal.meet(PATIENCE);
    let editor = Editor::new(history, Theme::of(terminal), habits, late);
    session.ask_with(ask::asker_by(terminal, editor.reader()));
    let (cells, prepared) = (Vec::new(), String::new());
    session.trust(true);
    let mut repl = Repl {
        session,
        terminal: terminal.clone(),
        editor,
        cells,
        prepared,
        ghost: None,
        long: String::new(),
        leaving: None,
    };
    for script in scripts {
        repl.settle(|repl| repl.run_script(script));
    }
    if habits.ghost {
        repl.settle(|repl| repl.set_ghost(true));
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
        if let Some(late) = self.editor.take_late() {
            self.terminal.hear_late(&late);
            self.editor.recolour(Theme::of(&self.terminal));
        }
        self.editor.learn(Knowledge::of(&self.session), self.terminal.style().width);
        self.follow_model();
        let prepared = std::mem::take(&mut self.prepared) + self.terminal.take_typed().trim_end();
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
            Input::Question(question) => repl.answer(&question),
            Input::Code(code) => repl.run_cell(code),
        });
        if let Err(error) = self.editor.remember(text) {
            self.terminal.say(&format!("warning: the history cannot be kept: {error}\n"));
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

    fn answer(&self, question: &Question) -> Result<(), Trouble> {
        self.terminal.show(&question.answer(&self.session)?, "");
        Ok(())
    }

    /// Ghost text on or off.
    fn set_ghost(&mut self, is_on: bool) -> Result<(), Trouble> {
        self.ghost = match is_on {
            true => {
                let model = self.session.model()?;
                self.editor.show_ghosts(Some(&model))?;
                Some(self.session.model_name())
            }
            false => {
                self.editor.show_ghosts(None)?;
                None
            }
        };
        Ok(())
    }

    /// Ghosts are those of the model that is asked.
    fn follow_model(&mut self) {
        if self.ghost.as_ref().is_some_and(|name| *name != self.session.model_name()) {
            self.settle(|repl| repl.set_ghost(true));
        }
    }

    /// Runs code as the next cell and shows its value.
    fn run_cell(&mut self, code: &str) -> Result<(), Trouble> {
        self.run_cell_of(code, &origin(self.session.next_cell()))
    }

    fn run_cell_of(&mut self, code: &str, origin: &Origin) -> Result<(), Trouble> {
        let number = self.session.next_cell();
        let output = {
            let _unmarked = unmarked();
            self.session.eval(code, origin)?
        };
        self.cells.push((number, code.to_owned()));
        self.show_result(number, output);
        Ok(())
    }

    fn show_result(&mut self, number: usize, output: Option<Output>) {
        let Some(output) = output else { return };
        let style = self.terminal.style();
        let prefix = banner::out(number, style.colour);
        let text = match output {
            // A picture scrolls by, but shows all.
            Output::Chart(_) => String::new(),
            _ => output.text(&style),
        };
        let room = self.terminal.height().saturating_sub(ROUND_A_RESULT).max(LEAST_SHOWN);
        // The lines of all others fit already.
        let columns = if matches!(output, Output::Text(_)) { self.terminal.size().0 } else { usize::MAX };
        let shown = beginning(&text, room, columns);
        if shown.len() == text.len() {
            self.terminal.show(&output, &prefix);
        } else {
            self.terminal.show(&Output::Text(shown.to_owned()), &prefix);
            let (rest, unit, count) = match (text.lines().count(), shown.lines().count()) {
                (count, some) if count > some => (count - some, "lines", count),
                _ => (text[shown.len()..].chars().count(), "characters", text.chars().count()),
            };
            self.terminal.say(&format!("… {rest} more {unit}: `:more` shows all {count}\n"));
            self.long = text;
        }
        self.terminal.write("\n");
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
                    let origin = Origin { name: path.display().to_string(), line: cell.line };
                    self.run_cell_of(&cell.source, &origin)?;
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
        self.terminal.say(&format!("\ninterrupted{at}; variables are kept\n"));
    }
}

/// Lines of the screen that are not the result's: its number, what is said of the rest, and the prompt.
const ROUND_A_RESULT: usize = 4;
/// However low the screen is, so many lines of a result are shown.
const LEAST_SHOWN: usize = 20;

/// As much of a text as so many rows of the screen hold; a line that is too long for one takes several.
fn beginning(text: &str, rows: usize, columns: usize) -> &str {
    let (mut row, mut column) = (0, 0);
    for (at, character) in text.char_indices() {
        let width = character.width().unwrap_or(0);
        column += width;
        if character == '\n' || column > columns {
            (row, column) = (row + 1, width);
        }
        if row == rows {
            return &text[..at];
        }
    }
    text
}

/// The name that errors show for a cell.
fn origin(number: usize) -> Origin {
    Origin { name: format!("[{number}]"), line: 1 }
}
