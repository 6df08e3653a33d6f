//! How a terminal shows what a session tells: outputs as text, charts as files, long work as a bar, and a text as it
//! grows.

mod ask;
mod ground;
pub mod keys;
mod meeting;
mod pictures;
mod progress;

use std::cell::RefCell;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::render::wrap::wrapped;
use crate::render::{self, Chart, Output, TextStyle};
use crate::script::report::Report;
use crate::script::{Event, Sink};
pub use ask::Late;
pub use ground::Background;
use pictures::{CellSize, Graphics};
use progress::Progress;

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Colour {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    Always,
    Never,
}

/// Where charts go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Plots {
    /// Into the terminal, between the text.
    Inline,
    /// Into files below the folder of `--plot-dir`.
    File,
    Both,
    None,
}

impl Plots {
    pub const NAMES: &[&str] = &["inline", "file", "both", "none"];

    fn is_shown(self) -> bool {
        matches!(self, Plots::Inline | Plots::Both)
    }

    fn is_saved(self) -> bool {
        matches!(self, Plots::File | Plots::Both)
    }
}

/// How a terminal is set up.
#[derive(Clone, Debug)]
pub struct Look {
    pub colour: Colour,
    /// Shown and saved on a terminal, saved elsewhere, if nothing is said.
    pub plots: Option<Plots>,
    /// Where charts are saved.
    pub plot_folder: PathBuf,
    /// Columns, if not as many as the terminal has.
    pub width: Option<usize>,
    pub background: Background,
}

/// Writes to standard output and error. Clones write to the same place.
#[derive(Clone)]
pub struct Terminal(Rc<RefCell<Inner>>);

struct Inner {
    colour: bool,
    plots: Plots,
    width: Option<usize>,
    /// Where charts are saved, and what their names begin with.
    folder: PathBuf,
    stem: String,
    charts: usize,
    progress: Option<Progress>,
    /// Whether text stands at the start of a line.
    at_line_start: bool,
    background: Background,
    /// What the terminal said of itself, once it was asked.
    said: Option<String>,
    /// What pictures can be drawn by, once that was found out.
    graphics: Option<Option<Graphics>>,
    /// What somebody typed while the terminal was asked something.
    typed: String,
    /// Asked to stop, it draws no picture to its end.
    interrupt: Interrupt,
}

/// The widest that prose and tables become, however wide the terminal is, and what may be asked for.
const WIDEST: usize = 120;
pub const WIDTHS: std::ops::RangeInclusive<usize> = 20..=1000;
const SIZE_UNKNOWN: (usize, usize) = (80, 24);
const WIDTH_WITHOUT_TERMINAL: usize = 100;

impl Terminal {
    pub fn new(look: Look) -> Terminal {
        let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var("TERM").is_ok_and(|term| term == "dumb");
        let is_terminal = std::io::stdout().is_terminal();
        let colour = match look.colour {
            Colour::Auto => is_terminal && !is_plain,
            Colour::Always => true,
            Colour::Never => false,
        };
        Terminal(Rc::new(RefCell::new(Inner {
            colour,
            plots: look.plots.unwrap_or(if is_terminal { Plots::Both } else { Plots::File }),
            width: look.width,
            folder: look.plot_folder,
            stem: "chart".to_owned(),
            charts: 0,
            progress: None,
            at_line_start: true,
            background: look.background,
            said: None,
            graphics: None,
            typed: String::new(),
            interrupt: Interrupt::default(),
        })))
    }

    /// Whose requests to stop are obeyed while a picture is drawn.
    pub fn obey(&self, interrupt: &Interrupt) {
        self.0.borrow_mut().interrupt = interrupt.clone();
    }

    pub fn plots(&self) -> Plots {
        self.0.borrow().plots
    }

    pub fn set_plots(&self, plots: Plots) {
        self.0.borrow_mut().plots = plots;
    }

    /// As many columns as the terminal has, if none are given.
    pub fn set_width(&self, width: Option<usize>) {
        self.0.borrow_mut().width = width;
    }

    /// A sink for a session.
    pub fn sink(&self) -> Sink {
        let terminal = self.clone();
        Box::new(move |event| terminal.hear(event))
    }

    /// What the names of charts begin with from now on; their numbers begin again.
    pub fn name_charts(&self, stem: &str) {
        let mut inner = self.0.borrow_mut();
        inner.stem = stem.to_owned();
        inner.charts = 0;
    }

    pub fn style(&self) -> TextStyle {
        let inner = self.0.borrow();
        let width = inner.width.unwrap_or_else(|| match std::io::stdout().is_terminal() {
            true => size().0.clamp(*WIDTHS.start(), WIDEST),
            false => WIDTH_WITHOUT_TERMINAL,
        });
        TextStyle { width, colour: inner.colour }
    }

    /// Lines of the screen; as many as one likes where there is none.
    pub fn height(&self) -> usize {
        if std::io::stdout().is_terminal() { size().1 } else { usize::MAX }
    }

    fn hear(&self, event: Event) {
        match event {
            Event::Output(output) => self.show(&output, ""),
            // Where nobody watches, nothing is drawn.
            Event::Started { what, total, unit } => {
                let is_watched = std::io::stderr().is_terminal();
                self.0.borrow_mut().progress = is_watched.then(|| Progress::new(what, total, unit));
            }
            Event::Advanced(amount) => {
                if let Some(progress) = &self.0.borrow().progress {
                    progress.advance(amount);
                }
            }
            Event::Wrote(text) => {
                if let Some(progress) = &mut self.0.borrow_mut().progress {
                    let (width, height) = size();
                    progress.write(&text, width, height);
                }
            }
            Event::Finished => self.finish_progress(),
        }
    }

    /// Columns and rows.
    pub fn size(&self) -> (usize, usize) {
        size()
    }

    /// Whether somebody sits there whose keys come one by one and whose cursor goes where it is told.
    pub fn moves_cursor(&self) -> bool {
        let is_dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        std::io::stdin().is_terminal() && std::io::stdout().is_terminal() && !is_dumb
    }

    /// Takes unfinished work off the screen.
    pub fn finish_progress(&self) {
        if let Some(progress) = self.0.borrow_mut().progress.take() {
            progress.finish();
        }
    }

    /// Shows an output. `prefix` stands before it, on its line if it has only one.
    pub fn show(&self, output: &Output, prefix: &str) {
        if let Output::Stream(text) = output {
            return self.write(text);
        }
        let text = match output {
            Output::Chart(chart) => self.plot(chart),
            output => output.text(&self.style()),
        };
        let is_drawn = matches!(output, Output::Chart(_)) && self.plots().is_shown();
        let between = match prefix {
            "" => "",
            _ if is_drawn || text.contains('\n') => "\n",
            _ => " ",
        };
        self.start_line();
        self.write(&format!("{prefix}{between}{}\n", text.trim_end_matches('\n')));
    }

    /// Shows a chart, saves it, or does both.
    fn plot(&self, chart: &Chart) -> String {
        let plots = self.plots();
        let shown = plots.is_shown().then(|| self.drawn(chart));
        let saved = plots.is_saved().then(|| self.save_chart(chart));
        let parts: Vec<String> = shown.into_iter().chain(saved).collect();
        if parts.is_empty() { format!("Chart “{}”", chart.title()) } else { parts.join("\n") }
    }

    /// A chart as a picture where the terminal draws those, else in block characters.
    fn drawn(&self, chart: &Chart) -> String {
        let style = self.style();
        let picture = self.graphics().and_then(|graphics| {
            let (chart, columns, cell) = (chart.clone(), style.width, ask::cell().unwrap_or(CellSize::USUAL));
            self.unless_asked(move |_| graphics.picture(&chart, columns, cell)).ok()
        });
        picture.unwrap_or_else(|| chart.text(&style))
    }

    /// What comes of drawing a picture, unless somebody asks to stop before.
    fn unless_asked<T: Send + 'static>(
        &self,
        draw: impl FnOnce(&Interrupt) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let interrupt = self.0.borrow().interrupt.clone();
        interrupt.unless_asked(draw)
    }

    /// Saves a chart beside the others and says where.
    fn save_chart(&self, chart: &Chart) -> String {
        let chart = chart.clone();
        let saved = self.unless_asked(move |_| chart.png(render::chart::SCALE)).and_then(|png| {
            let path = self.next_chart();
            render::write(&path, &png).map(|()| path)
        });
        match saved {
            Ok(path) => format!("chart saved as {}", path.display()),
            Err(Error::Interrupted) => "the chart was not saved: interrupted".to_owned(),
            Err(error) => self.with_hint(&error),
        }
    }

    fn next_chart(&self) -> PathBuf {
        let mut inner = self.0.borrow_mut();
        inner.charts += 1;
        inner.folder.join(format!("{}-{}.png", inner.stem, inner.charts))
    }

    /// Writes text as it is.
    pub fn write(&self, text: &str) {
        let (interrupt, colour) = (self.0.borrow().interrupt.clone(), self.0.borrow().colour);
        let write = || {
            let mut stdout = std::io::stdout().lock();
            let mut last = None;
            for part in parts(text) {
                // Whoever asks to stop is told so, but what is very long goes no further.
                if last.is_some() && interrupt.is_requested() {
                    let _ = stdout.write_all(if colour { RESET } else { b"" });
                    break;
                }
                // A reader that went away (`| head`) is no fault of ours.
                let _ = stdout.write_all(part.as_bytes()).and_then(|()| stdout.flush());
                last = part.chars().last();
            }
            last
        };
        let last = match &self.0.borrow().progress {
            Some(progress) => progress.suspend(write),
            None => write(),
        };
        if let Some(last) = last {
            self.0.borrow_mut().at_line_start = last == '\n';
        }
    }

    /// Writes a sentence, its lines broken between words.
    pub fn say(&self, text: &str) {
        self.write(&wrapped(text, self.style().width));
    }

    /// Ends a line that text was written into.
    pub fn start_line(&self) {
        let is_inside = !self.0.borrow().at_line_start;
        if is_inside {
            self.write("\n");
        }
    }

    /// Says what went wrong in a script, on standard error.
    pub fn report(&self, report: &Report) {
        self.finish_progress();
        self.start_line();
        eprint!("{}", report.text(&self.error_style()));
    }

    /// Says what went wrong elsewhere, on standard error.
    pub fn error(&self, error: &crate::error::Error) {
        self.finish_progress();
        self.start_line();
        eprintln!("{}", self.with_hint(error));
    }

    fn with_hint(&self, error: &crate::error::Error) -> String {
        Report::of_error(error).text(&self.error_style()).trim_end().to_owned()
    }

    /// How standard error is written to; where no terminal breaks its lines, neither do we.
    fn error_style(&self) -> TextStyle {
        match std::io::stderr().is_terminal() {
            true => self.style(),
            false => TextStyle::unbroken(false),
        }
    }
}

/// Bytes that are written before somebody may ask to stop again.
const PART: usize = 1 << 16;
const RESET: &[u8] = b"\x1b[0m";

/// A long text in parts that end between words, so that a picture's sequence is never cut.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = rest.bytes().skip(PART).position(|byte| matches!(byte, b' ' | b'\n'));
        let (part, behind) = rest.split_at(end.map_or(rest.len(), |end| PART + end + 1));
        rest = behind;
        (!part.is_empty()).then_some(part)
    })
}

/// Columns and rows of the terminal.
fn size() -> (usize, usize) {
    match termimad::terminal_size() {
        // One that does not know its size says so by none at all.
        (0..5, _) | (_, 0) => SIZE_UNKNOWN,
        (width, height) => (width.into(), height.into()),
    }
}

/// The folder for files that scripts write, made if it is missing.
pub fn output_folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(crate::error::Error::io("create", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_written_in_parts_between_words() {
        let words = "日本語 ".repeat(20_000);
        let written: Vec<&str> = parts(&words).collect();
        assert!(written.len() > 2 && written.iter().all(|part| part.ends_with(' ') && part.len() < 2 * PART));
        assert_eq!(written.concat(), words);
        // A picture's sequence has no words.
        let picture = format!("\x1b_Ga=T,f=100;{}\x1b\\\n", "A".repeat(3 * PART));
        assert_eq!(parts(&picture).count(), 1);
        assert_eq!((parts("").count(), parts("a b").count()), (0, 1));
    }
}
