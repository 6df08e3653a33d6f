//! A lesson → a notebook, a web page, a page in Markdown, a script: its cells run, and what they give stands below them.

pub mod notebook;
mod page;

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use crate::error::{Error, Result};
use crate::render::Output;
use crate::script::cells::{self, Cell, Kind};
use crate::script::report::Report;
use crate::script::{Event, Origin, Session, Sink};

/// What a lesson can become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Notebook,
    Html,
    Markdown,
    Script,
}

/// The cells of a script or of a notebook.
pub struct Lesson {
    pub cells: Vec<Cell>,
    /// The notebook that they were read from, with all that cells do not hold.
    notebook: Option<serde_json::Value>,
}

/// A cell with what it gave.
pub struct Shown {
    pub cell: Cell,
    pub outputs: Vec<Output>,
    /// The value of its last expression, or why it failed.
    pub result: Result<Option<Output>, Report>,
}

/// A tag of cells that are meant to fail: what follows them runs all the same. nbclient and papermill honour it too.
const MAY_FAIL: &str = "raises-exception";

pub fn may_fail(cell: &Cell) -> bool {
    cell.has_tag(MAY_FAIL)
}

impl Lesson {
    /// A script's cells, or a notebook's.
    ///
    /// # Errors
    /// When the file's name says that it is a notebook, but it is none.
    pub fn read(path: &Path, text: &str) -> Result<Lesson> {
        if path.extension().is_none_or(|ending| ending != "ipynb") {
            return Ok(Lesson { cells: cells::all(text), notebook: None });
        }
        let broken = |reason| Error::BrokenNotebook { path: path.to_owned(), reason };
        let (notebook, cells) = notebook::read(text).map_err(broken)?;
        Ok(Lesson { cells, notebook: Some(notebook) })
    }

    pub fn is_notebook(&self) -> bool {
        self.notebook.is_some()
    }

    /// The file that it becomes. A page and a notebook hold what was shown; a script holds the cells.
    pub fn write(&self, shown: &[Shown], format: Format, title: &str) -> String {
        match format {
            Format::Notebook => notebook::write(shown, self.notebook.as_ref()),
            Format::Html => page::html(shown, title),
            Format::Markdown => page::markdown(shown),
            Format::Script => cells::write(&self.cells),
        }
    }
}

/// Keeps what a session shows.
#[derive(Clone, Default)]
pub struct Recorder(Rc<RefCell<Vec<Output>>>);

impl Recorder {
    /// A sink for a session. What is nothing to show, as the progress of long work, goes on to `others`.
    pub fn sink(&self, mut others: Sink) -> Sink {
        let heard = self.0.clone();
        Box::new(move |event| match event {
            Event::Output(output) => add(&mut heard.borrow_mut(), output),
            event => others(event),
        })
    }
}

/// Runs the cells, one after the other, up to one that fails and is not meant to; that failure comes too.
pub fn run(
    session: &mut Session,
    recorder: &Recorder,
    cells: &[Cell],
    name: &str,
) -> (Vec<Shown>, Option<Box<Report>>) {
    let mut shown = Vec::new();
    for cell in cells {
        let origin = Origin { name: name.to_owned(), line: cell.line };
        let result = match cell.kind {
            Kind::Code if !cell.is_blank() => session.eval(&cell.source, &origin),
            _ => Ok(None),
        };
        let failure = result
            .as_ref()
            .err()
            .filter(|report| report.exit.is_some() || report.interrupted || !may_fail(cell));
        let failure = failure.cloned();
        // To end is no result to keep.
        let result =
            if failure.as_ref().is_some_and(|report| report.exit.is_some()) { Ok(None) } else { result };
        let result = result.map_err(|report| *report);
        shown.push(Shown { cell: cell.clone(), outputs: recorder.0.take(), result });
        if failure.is_some() {
            return (shown, failure);
        }
    }
    (shown, None)
}

/// Text that was written piece by piece is one output.
fn add(outputs: &mut Vec<Output>, output: Output) {
    match (outputs.last_mut(), output) {
        (Some(Output::Stream(text)), Output::Stream(more)) => text.push_str(&more),
        (_, output) => outputs.push(output),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::interrupt::Interrupt;
    use crate::script::Settings;

    const LESSON: &str = "// %% [markdown]\n// # Tokens\n//\n// What are they?\n\n// %% Sums tags=[\"parameters\"]\nlet x = 1;\n\n\
        // a comment\nx + 1\n\n\n\n//%% [md]\n// * an item\n//   that goes on\n";

    fn ran(lesson: &Lesson) -> (Vec<Shown>, Option<Box<Report>>) {
        let settings = Settings {
            model: "pocket".to_owned(),
            backend: Default::default(),
            hub: None,
            out: ".".into(),
            allowed: Default::default(),
        };
        let recorder = Recorder::default();
        let sink = recorder.sink(Box::new(|_| {}));
        let mut session = Session::new(settings, Interrupt::default(), sink);
        run(&mut session, &recorder, &lesson.cells, "lesson")
    }

    fn lesson() -> Lesson {
        Lesson::read(Path::new("lesson.rhai"), LESSON).unwrap()
    }

    fn notebook(text: &str) -> Lesson {
        Lesson::read(Path::new("lesson.ipynb"), text).unwrap()
    }

    #[test]
    fn a_lesson_survives_the_way_to_a_notebook_and_back() {
        let written = lesson().write(&ran(&lesson()).0, Format::Notebook, "Lesson");
        assert_eq!(notebook(&written).write(&[], Format::Script, "Lesson"), LESSON);
        let cells: Value = serde_json::from_str(&written).unwrap();
        assert_eq!(cells["cells"][1]["metadata"]["tags"], json!(["parameters"]));
        assert_eq!(cells["cells"][1]["metadata"]["title"], "Sums");
    }

    #[test]
    fn a_notebook_that_is_written_again_keeps_all_but_its_outputs() {
        let mut before: Value =
            serde_json::from_str(&lesson().write(&ran(&lesson()).0, Format::Notebook, "Lesson")).unwrap();
        before["metadata"]["kernelspec"]["name"] = "mine".into();
        before["cells"][0]["attachments"] = json!({ "a.png": { "image/png": "AAAA" } });
        before["cells"][1]["source"] = "x + 5".into();
        before["cells"][1]["metadata"]["papermill"] = json!({ "duration": 1 });
        let lesson = notebook(&before.to_string());
        let (shown, failure) = ran(&lesson);
        assert_eq!(failure.unwrap().message, "unknown variable `x`");
        let mut after: Value =
            serde_json::from_str(&lesson.write(&shown, Format::Notebook, "Lesson")).unwrap();
        let outputs = after["cells"][1]["outputs"].take();
        assert_eq!(
            (&outputs[0]["output_type"], &outputs[0]["evalue"]),
            (&json!("error"), &json!("unknown variable `x`"))
        );
        before["cells"][1]["outputs"].take();
        assert_eq!(after, before);
    }

    #[test]
    fn a_cell_that_is_meant_to_fail_ends_nothing() {
        let script = "// %% tags=[\"raises-exception\"]\nnope\n\n// %%\n7\n\n// %%\nnope\n\n// %%\n8";
        let lesson = Lesson::read(Path::new("a.rhai"), script).unwrap();
        let (shown, failure) = ran(&lesson);
        assert_eq!((shown.len(), failure.unwrap().message.as_str()), (3, "unknown variable `nope`"));
        let page = lesson.write(&shown, Format::Markdown, "a");
        assert!(page.contains("error: unknown variable `nope`") && page.contains('7'), "{page}");
    }

    #[test]
    fn every_format_holds_prose_code_and_result() {
        for format in [Format::Notebook, Format::Html, Format::Markdown] {
            let text = lesson().write(&ran(&lesson()).0, format, "Lesson");
            for part in ["What are they?", "x + 1", "2"] {
                assert!(text.contains(part), "{format:?}: {text}");
            }
        }
    }

    #[test]
    fn what_is_no_notebook_is_refused() {
        for text in [
            "",
            "{}",
            "{\"cells\": 3}",
            "{\"nbformat\": 3, \"cells\": []}",
            "{\"nbformat\": 4, \"cells\": []}",
        ] {
            assert!(Lesson::read(Path::new("a.ipynb"), text).is_err(), "{text}");
        }
    }
}
