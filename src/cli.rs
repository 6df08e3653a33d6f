//! The command line: what to run, with which model, and with which exit code it ends.

mod lessons;

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::check;
use crate::error::{Error, Result};
use crate::export::{self, Lesson};
use crate::hub::{self, Hub};
use crate::interrupt::Interrupt;
use crate::kernel;
use crate::kernel::install::{self, Place};
use crate::model;
use crate::render::Output;
use crate::repl;
use crate::script::cells::{Cell, Kind};
use crate::script::report::Report;
use crate::script::{Event, Origin, Session, Settings, Unit, registry};
use crate::terminal::{self, Colour, Terminal};

/// Needs no download.
const DEFAULT_MODEL: &str = "pocket";

/// Watch a GPT-2 language model write, one token at a time.
///
/// Without a command it opens the REPL; with a script on standard input it runs that.
#[derive(Parser)]
#[command(name = "tokenscope", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// A script to run before the REPL opens
    #[arg(short, long, value_name = "FILE")]
    interactive: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
struct Common {
    /// The model to ask: `pocket` (built in), `gpt2`, another name from `tokenscope models`, `owner/name[@revision]`
    /// of the Hugging Face hub, or a folder
    #[arg(long, global = true, env = "TOKENSCOPE_MODEL", default_value = DEFAULT_MODEL, value_name = "NAME")]
    model: String,
    /// Where charts and other files that scripts write go
    #[arg(long, global = true, default_value = ".", value_name = "DIR")]
    out: PathBuf,
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    color: Colour,
    /// How many threads compute; one for each core if not given [env: RAYON_NUM_THREADS]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

#[derive(Subcommand)]
enum Command {
    /// Run scripts, one after the other in one session
    Run {
        /// Scripts (`.rhai`) or notebooks (`.ipynb`); `-` is standard input
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Leave out the code of a script that has prose, and show only what it gives
        #[arg(long)]
        no_code: bool,
        /// Write what its cells give into each notebook, instead of showing it
        #[arg(long, conflicts_with = "no_code")]
        inplace: bool,
    },
    /// Run a line of code
    Eval {
        #[arg(value_name = "CODE", allow_hyphen_values = true)]
        code: String,
    },
    /// List the models: which are known, which are on this machine, where, and how large
    Models {
        #[command(subcommand)]
        command: Option<ModelsCommand>,
    },
    /// Compare the model with what the published GPT-2 is known to answer
    ///
    /// Ends with 0 if all facts agree, with 1 if some do not, and with 2 if nothing is known about such a model.
    Check,
    /// Run a lesson or a notebook, and write it with what its cells give into the folder of `--out`
    Export {
        /// A script (`.rhai`) or a notebook (`.ipynb`)
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// What it becomes; a script is written without being run
        #[arg(long, value_enum, value_name = "FORMAT")]
        to: ExportFormat,
    },
    /// A kernel for Jupyter: install it, remove it, or run it
    Kernel {
        #[command(subcommand)]
        command: KernelCommand,
    },
    /// Print the reference of everything that a script can call, in Markdown
    Doc,
}

#[derive(Subcommand)]
enum ModelsCommand {
    /// Download a model, so that it can be used without a network
    Pull {
        #[arg(value_name = "NAME")]
        name: String,
    },
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum ExportFormat {
    Ipynb,
    Html,
    Md,
    Rhai,
}

#[derive(Subcommand)]
enum KernelCommand {
    /// Tell Jupyter of this program; with `--model`, kernels start with that model
    Install(KernelPlace),
    /// Make Jupyter forget it
    Uninstall(KernelPlace),
    /// Serve a client; Jupyter calls this
    Run {
        /// The file in which the client says where it listens
        #[arg(long, value_name = "FILE")]
        connection_file: PathBuf,
    },
}

#[derive(Args)]
struct KernelPlace {
    /// For you alone; this is what happens without another choice
    #[arg(long, conflicts_with_all = ["prefix", "sys_prefix"])]
    user: bool,
    /// Below this folder, in `share/jupyter/kernels`
    #[arg(long, value_name = "DIR", conflicts_with = "sys_prefix")]
    prefix: Option<PathBuf>,
    /// In the active Python environment
    #[arg(long)]
    sys_prefix: bool,
    /// What Jupyter calls the kernel
    #[arg(long, value_name = "NAME", default_value = "tokenscope")]
    name: String,
}

impl KernelPlace {
    fn place(&self) -> Place {
        match (&self.prefix, self.sys_prefix) {
            (Some(prefix), _) => Place::Prefix(prefix.clone()),
            (None, true) => Place::Environment,
            (None, false) => Place::User,
        }
    }
}

/// Exit codes: a script that failed, wrong usage (as clap's), interrupted (as a shell's).
const FAILED: u8 = 1;
const USAGE: u8 = 2;
const INTERRUPTED: u8 = 130;

/// Parses the arguments and does what they say.
pub fn run() -> ExitCode {
    let Cli { command, interactive, common } = Cli::parse();
    let terminal = Terminal::new(common.color, &common.out);
    if let Some(threads) = common.threads {
        model::use_threads(threads.into());
    }
    let done = match (interactive, command) {
        (Some(script), None) => converse(&common, &terminal, Some(&script)),
        (_, command) => dispatch(command, &common, &terminal),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Exit(code)) => ExitCode::from(code),
        Err(Failure::Script(report)) => {
            terminal.report(&report);
            ExitCode::from(if report.interrupted { INTERRUPTED } else { FAILED })
        }
        Err(Failure::Usage(error)) => {
            terminal.error(&error);
            ExitCode::from(USAGE)
        }
        Err(Failure::Other(Error::Interrupted)) => {
            terminal.finish_progress();
            ExitCode::from(INTERRUPTED)
        }
        Err(Failure::Other(error)) => {
            terminal.error(&error);
            ExitCode::from(FAILED)
        }
    }
}

/// Why it ends with another code than 0.
enum Failure {
    Script(Box<Report>),
    Usage(Error),
    /// A script asked to end with this code.
    Exit(u8),
    Other(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Other(error)
    }
}

impl From<Box<Report>> for Failure {
    fn from(report: Box<Report>) -> Failure {
        match report.exit {
            Some(code) => Failure::Exit(code),
            None => Failure::Script(report),
        }
    }
}

fn dispatch(command: Option<Command>, common: &Common, terminal: &Terminal) -> Result<(), Failure> {
    let stdin = Path::new("-").to_owned();
    match command {
        None if std::io::stdin().is_terminal() => converse(common, terminal, None),
        None => run_files(&[stdin], true, common, terminal),
        Some(Command::Run { files, inplace: true, .. }) => lessons::run_in_place(&files, common, terminal),
        Some(Command::Run { files, no_code, .. }) => run_files(&files, no_code, common, terminal),
        Some(Command::Eval { code }) => {
            let mut session = session(common, terminal)?;
            run_cell(&mut session, &code, &Origin { name: "eval".to_owned(), line: 1 }, terminal)
        }
        Some(Command::Models { command: None }) => {
            let listed = Hub::from_env()?.list()?;
            terminal.show(&Output::Table(crate::script::show::models(&listed)), "");
            Ok(())
        }
        Some(Command::Models { command: Some(ModelsCommand::Pull { name }) }) => {
            let model = session(common, terminal)?.load(&name)?;
            let size = model.bytes() as f64 / 1e6;
            terminal.write(&format!("`{name}` is here: {size:.1} MB of weights\n"));
            Ok(())
        }
        Some(Command::Check) => check(common, terminal),
        Some(Command::Export { file, to }) => lessons::export(&file, to, common, terminal),
        Some(Command::Kernel { command }) => run_kernel(command, common, terminal),
        Some(Command::Doc) => {
            terminal.write(&registry::reference());
            Ok(())
        }
    }
}

/// The REPL. A model that is not part of the program is loaded first, so that a wrong name is told at once.
fn converse(common: &Common, terminal: &Terminal, script: Option<&Path>) -> Result<(), Failure> {
    let session = session(common, terminal)?;
    if hub::built_in(&common.model).is_none() {
        session.load(&common.model).map_err(|error| match error {
            Error::Interrupted => Failure::Other(error),
            error => Failure::Usage(error),
        })?;
    }
    match repl::run(session, terminal, script) {
        0 => Ok(()),
        code => Err(Failure::Exit(code)),
    }
}

fn run_kernel(command: KernelCommand, common: &Common, terminal: &Terminal) -> Result<(), Failure> {
    match command {
        KernelCommand::Run { connection_file } => {
            terminal::output_folder(&common.out)?;
            kernel::run(&connection_file, &common.model, common.out.clone())?;
        }
        KernelCommand::Install(at) => {
            // Without a choice the kernel's own environment decides when it starts.
            let model = (common.model != DEFAULT_MODEL).then_some(common.model.as_str());
            let folder = install::install(&at.place(), &at.name, model)?;
            terminal.write(&format!("installed the kernel `{}` in {}\n", at.name, folder.display()));
        }
        KernelCommand::Uninstall(at) => {
            let folder = install::uninstall(&at.place(), &at.name)?;
            terminal.write(&format!("removed {}\n", folder.display()));
        }
    }
    Ok(())
}

/// A session that Ctrl-C interrupts.
fn session(common: &Common, terminal: &Terminal) -> Result<Session, Failure> {
    terminal::output_folder(&common.out)?;
    let settings = Settings { model: common.model.clone(), hub: None, out: common.out.clone() };
    let session = Session::new(settings, interrupt(), terminal.sink());
    session.ask_with(repl::asker(terminal));
    Ok(session)
}

/// What Ctrl-C requests.
fn interrupt() -> Interrupt {
    let interrupt = Interrupt::default();
    let requested = interrupt.clone();
    // A second handler cannot be set; the first then serves.
    let _ = ctrlc::set_handler(move || requested.request());
    interrupt
}

fn check(common: &Common, terminal: &Terminal) -> Result<(), Failure> {
    let session = session(common, terminal)?;
    let model = session.model()?;
    let config = model.config();
    let unknown = || {
        let (layers, width, heads) = (config.n_layer, config.n_embd, config.n_head);
        Failure::Usage(Error::NothingPublished { name: model.name().to_owned(), layers, width, heads })
    };
    let published = check::published_as(config).ok_or_else(unknown)?;
    let records = check::records();
    let mut progress = terminal.sink();
    let (what, total) = (format!("comparing with `{published}`"), records.len() as u64);
    progress(Event::Started { what, total, unit: Unit::Facts });
    let comparison =
        check::compare(&model, published, &records, session.interrupt(), |_| progress(Event::Advanced(1)))?;
    progress(Event::Finished);
    if comparison.facts.is_empty() {
        return Err(unknown());
    }
    terminal.show(&Output::Table(comparison.skipped_table()), "");
    terminal.show(&Output::Table(comparison.table()), "");
    Ok(comparison.verdict()?)
}

fn run_files(files: &[PathBuf], no_code: bool, common: &Common, terminal: &Terminal) -> Result<(), Failure> {
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
fn read(path: &Path) -> Result<(String, String)> {
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
                terminal.write(&repl::highlighted(&cell.source, terminal.style().colour));
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

fn run_cell(session: &mut Session, code: &str, origin: &Origin, terminal: &Terminal) -> Result<(), Failure> {
    if let Some(output) = session.eval(code, origin)? {
        terminal.show(&output, "");
    }
    terminal.start_line();
    Ok(())
}
