//! Running scripts without anybody in front of them.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::arguments::Common;
use super::{Failure, session};
use crate::error::{Error, Result};
use crate::export::{self, Lesson};
use crate::render::Output;
use crate::repl::{self, Theme};
use crate::script::cells::{Cell, Kind};
use crate::script::{Origin, Session};
use crate::terminal::Terminal;
use crate::terminal::keys::unmarked;

pub fn run_files(
    files: &[PathBuf],
    no_code: bool,
    common: &Common,
    terminal: &Terminal,
) -> Result<(), Failure> {
    let scripts: Vec<(String, String)> =
        files.iter().map(|file| read(file)).collect::<Result<_>>().map_err(Failure::Usage)?;
    let mut session = session(common, terminal)?;
    for (name, text) in scripts {
        let stem = Path::new(&name).file_stem().map_or("chart".into(), |stem| stem.to_string_lossy());
        terminal.name_charts(if name == "<stdin>" { "chart" } else { &stem });
        let Lesson { cells, .. } = Lesson::read(Path::new(&name), &text).map_err(Failure::Usage)?;
        let show_code = !no_code && cells.iter().any(|cell| cell.kind == Kind::Markdown);
        for cell in cells.iter().filter(|cell| !cell.is_blank()) {
            match run_part(&mut session, cell, &name, show_code, terminal) {
                Err(Failure::Script(report)) if export::may_fail(cell) && !report.interrupted => {
                    terminal.report(&report);
                }
                done => done?,
            }
        }
    }
    Ok(())
}

/// A script by its path; its name is what errors show.
pub fn read(path: &Path) -> Result<(String, String)> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(Error::io("read", "<stdin>"))?;
        return Ok(("<stdin>".to_owned(), text));
    }
    let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
    Ok((path.display().to_string(), text))
}

fn run_part(
    session: &mut Session,
    cell: &Cell,
    name: &str,
    show_code: bool,
    terminal: &Terminal,
) -> Result<(), Failure> {
    match cell.kind {
        Kind::Markdown => {
            terminal.start_line();
            terminal.show(&Output::Markdown(cell.source.clone()), "");
            terminal.write("\n");
            Ok(())
        }
        Kind::Raw => Ok(()),
        Kind::Code => {
            if show_code {
                terminal.write(&repl::highlighted(&cell.source, Theme::of(terminal)));
            }
            let result =
                run_cell(session, &cell.source, &Origin { name: name.to_owned(), line: cell.line }, terminal);
            if show_code {
                terminal.write("\n");
            }
            result
        }
    }
}

pub fn run_cell(
    session: &mut Session,
    code: &str,
    origin: &Origin,
    terminal: &Terminal,
) -> Result<(), Failure> {
    let _unmarked = unmarked();
    if let Some(output) = session.eval(code, origin)? {
        terminal.show(&output, "");
    }
    terminal.start_line();
    Ok(())
}
