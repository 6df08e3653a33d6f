//! A lesson → a notebook, a web page, a page in Markdown, a script: its cells run, and what they give stands below them.

pub mod notebook;
mod page;

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::render::Output;
use crate::script::cells::{self, Cell, Kind};
use crate::script::report::Report;
use crate::script::{Event, Origin, Session, Settings};

/// What a lesson can become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Notebook,
    Html,
    Markdown,
    Script,
}

/// A cell with what it gave.
pub struct Shown {
    pub cell: Cell,
    pub outputs: Vec<Output>,
    /// The value of its last expression.
    pub result: Option<Output>,
}

/// A script's cells, or a notebook's.
///
/// # Errors
/// When the file's name says that it is a notebook, but it is none.
pub fn read(path: &Path, text: &str) -> Result<Vec<Cell>> {
    match path.extension().is_some_and(|ending| ending == "ipynb") {
        true => {
            notebook::read(text).map_err(|reason| Error::BrokenNotebook { path: path.to_owned(), reason })
        }
        false => Ok(cells::parse(text)),
    }
}

/// Runs the cells, one after the other in a session of their own.
///
/// # Errors
/// When one of them fails.
pub fn run(
    cells: Vec<Cell>,
    name: &str,
    settings: Settings,
    interrupt: Interrupt,
) -> Result<Vec<Shown>, Box<Report>> {
    let heard: Rc<RefCell<Vec<Output>>> = Rc::default();
    let hearing = heard.clone();
    let sink = Box::new(move |event| {
        if let Event::Output(output) = event {
            add(&mut hearing.borrow_mut(), output);
        }
    });
    let mut session = Session::new(settings, interrupt, sink);
    let mut shown = Vec::new();
    for cell in cells {
        let result = match cell.kind {
            Kind::Markdown => None,
            Kind::Code => session.eval(&cell.source, &Origin { name: name.to_owned(), line: cell.line })?,
        };
        shown.push(Shown { cell, outputs: heard.take(), result });
    }
    Ok(shown)
}

/// Text that was written piece by piece is one output.
fn add(outputs: &mut Vec<Output>, output: Output) {
    match (outputs.last_mut(), output) {
        (Some(Output::Stream(text)), Output::Stream(more)) => text.push_str(&more),
        (_, output) => outputs.push(output),
    }
}

/// The file that a lesson becomes.
pub fn write(shown: &[Shown], format: Format, title: &str) -> String {
    match format {
        Format::Notebook => notebook::write(shown),
        Format::Html => page::html(shown, title),
        Format::Markdown => page::markdown(shown),
        Format::Script => script(shown.iter().map(|shown| &shown.cell)),
    }
}

/// Cells in percent format.
pub fn script<'a>(cells: impl Iterator<Item = &'a Cell>) -> String {
    let commented = |line: &str| if line.is_empty() { "//\n".to_owned() } else { format!("// {line}\n") };
    let part = |cell: &Cell| match cell.kind {
        Kind::Markdown => {
            format!("// %% [markdown]\n{}", cell.source.lines().map(commented).collect::<String>())
        }
        Kind::Code => format!("// %%\n{}\n", cell.source),
    };
    cells.map(part).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LESSON: &str = "// %% [markdown]\n// # Tokens\n//\n// What are they?\n\n// %%\nlet x = 1;\n\n// a comment\n\
        x + 1\n\n// %% [markdown]\n// * an item\n//   that goes on\n";

    fn run_lesson() -> Vec<Shown> {
        let settings =
            Settings { model: "pocket".to_owned(), hub: None, out: ".".into(), allowed: Default::default() };
        run(cells::parse(LESSON), "lesson", settings, Interrupt::default()).unwrap()
    }

    #[test]
    fn a_lesson_survives_the_way_to_a_notebook_and_back() {
        let notebook = write(&run_lesson(), Format::Notebook, "Lesson");
        let cells = read(Path::new("lesson.ipynb"), &notebook).unwrap();
        assert_eq!(script(cells.iter()), LESSON);
    }

    #[test]
    fn every_format_holds_prose_code_and_result() {
        for format in [Format::Notebook, Format::Html, Format::Markdown] {
            let text = write(&run_lesson(), format, "Lesson");
            for part in ["What are they?", "x + 1", "2"] {
                assert!(text.contains(part), "{format:?}: {text}");
            }
        }
    }

    #[test]
    fn what_is_no_notebook_is_refused() {
        for text in ["", "{}", "{\"cells\": 3}", "{\"nbformat\": 3, \"cells\": []}"] {
            assert!(read(Path::new("a.ipynb"), text).is_err(), "{text}");
        }
    }
}
