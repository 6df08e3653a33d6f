//! Lessons as files: exported with what their cells give, and notebooks run in place.

use std::path::{Path, PathBuf};

use super::arguments::{Common, ExportFormat};
use super::scripts::read;
use super::{Failure, interrupt};
use crate::error::{Error, Result};
use crate::export::{self, Format, Lesson, Recorder};
use crate::script::Session;
use crate::terminal::{self, Terminal};

/// Writes a lesson into the folder of `--out`, in another form.
pub fn export(file: &Path, to: ExportFormat, common: &Common, terminal: &Terminal) -> Result<(), Failure> {
    let (format, ending) = match to {
        ExportFormat::Ipynb => (Format::Notebook, "ipynb"),
        ExportFormat::Html => (Format::Html, "html"),
        ExportFormat::Md => (Format::Markdown, "md"),
        ExportFormat::Rhai => (Format::Script, "rhai"),
    };
    let (name, text) = read(file).map_err(Failure::Usage)?;
    let lesson = Lesson::read(file, &text).map_err(Failure::Usage)?;
    terminal::output_folder(&common.out)?;
    let title = title(file);
    let path = common.out.join(format!("{title}.{ending}"));
    if path.canonicalize().is_ok_and(|path| file.canonicalize().is_ok_and(|file| file == path)) {
        return Err(Failure::Usage(Error::WouldOverwrite { path }));
    }
    let shown = match format {
        Format::Script => Vec::new(),
        _ => {
            let (mut session, recorder) = recorded(common, terminal);
            match export::run(&mut session, &recorder, &lesson.cells, &name) {
                (_, Some(failure)) => return Err(failure.into()),
                (shown, None) => shown,
            }
        }
    };
    crate::render::write(&path, lesson.write(&shown, format, &title).as_bytes())?;
    terminal.write(&format!("wrote {}\n", path.display()));
    Ok(())
}

/// Runs notebooks, one after the other in one session, and writes into each what its cells give; also one that fails,
/// up to there.
pub fn run_in_place(files: &[PathBuf], common: &Common, terminal: &Terminal) -> Result<(), Failure> {
    let open = |path: &PathBuf| {
        let (name, text) = read(path)?;
        let lesson = Lesson::read(path, &text)?;
        if lesson.is_notebook() { Ok((name, lesson)) } else { Err(Error::NotInPlace { path: path.clone() }) }
    };
    let notebooks: Vec<(String, Lesson)> =
        files.iter().map(open).collect::<Result<_>>().map_err(Failure::Usage)?;
    terminal::output_folder(&common.out)?;
    let (mut session, recorder) = recorded(common, terminal);
    for (path, (name, notebook)) in files.iter().zip(notebooks) {
        let (shown, failure) = export::run(&mut session, &recorder, &notebook.cells, &name);
        crate::render::write(path, notebook.write(&shown, Format::Notebook, &title(path)).as_bytes())?;
        terminal.write(&format!("wrote {name}\n"));
        if let Some(failure) = failure {
            return Err(failure.into());
        }
    }
    Ok(())
}

/// A session whose outputs are kept, and whose long work shows in the terminal.
fn recorded(common: &Common, terminal: &Terminal) -> (Session, Recorder) {
    let recorder = Recorder::default();
    let session = Session::new(common.settings(), interrupt(), recorder.sink(terminal.sink()));
    (session, recorder)
}

fn title(file: &Path) -> String {
    file.file_stem().map_or("lesson".into(), |stem| stem.to_string_lossy().into_owned())
}
