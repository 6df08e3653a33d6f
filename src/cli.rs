//! The command line: what to run, with which model, and with which exit code it ends.

mod arguments;
mod completions;
mod config;
mod lessons;
mod scripts;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, CommandFactory, FromArgMatches};

use crate::analyse::rounding::{self, rounding};
use crate::check;
use crate::error::Error;
use crate::hub::{self, Hub};
use crate::interrupt::Interrupt;
use crate::kernel;
use crate::kernel::install;
use crate::model::Model;
use crate::model::device::{Backend, Device};
use crate::model::precision::Precision;
use crate::parallel;
use crate::render::{Output, TextStyle};
use crate::repl::{self, Habits};
use crate::script::report::Report;
use crate::script::{Event, Origin, Session, Settings, Unit, registry};
use crate::terminal::{self, Terminal};
use arguments::{Cli, Command, Common, KernelCommand, ModelsCommand};
use config::Config;
use scripts::{run_cell, run_files};

/// Exit codes: a script that failed, wrong usage (as clap's), interrupted (as a shell's).
const FAILED: u8 = 1;
const USAGE: u8 = 2;
const INTERRUPTED: u8 = 130;

/// Parses the arguments and does what they say.
pub fn run() -> ExitCode {
    let (arguments, config, matches) = match parse() {
        Ok(parsed) => parsed,
        Err(error) => {
            eprint!("{}", Report::of_error(&error).text(&TextStyle::unbroken(false)));
            return ExitCode::from(USAGE);
        }
    };
    let Cli { command, interactive, common } = arguments;
    let terminal = Terminal::new(common.look());
    if let Some(threads) = common.threads {
        parallel::use_threads(threads.into());
    }
    let done = match (interactive, command) {
        (Some(script), None) => converse(&common, &terminal, Some(&script)),
        (_, Some(Command::Config)) => {
            show_config(&config, &matches, &terminal);
            Ok(())
        }
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

/// The arguments, with the user's own defaults for what they leave out.
fn parse() -> Result<(Cli, Config, ArgMatches), Error> {
    let command = Cli::command();
    let config = Config::read(&command)?;
    let matches = config.applied(command).try_get_matches().unwrap_or_else(|error| hinted(error).exit());
    let arguments = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    Ok((arguments, config, matches))
}

/// Who names a script that is there, where a command is expected, means to run it.
fn hinted(mut error: clap::Error) -> clap::Error {
    let script = match (error.kind(), error.get(ContextKind::InvalidSubcommand)) {
        (ErrorKind::InvalidSubcommand, Some(ContextValue::String(name))) => name.clone(),
        _ => return error,
    };
    if Path::new(&script).is_file() {
        let hint =
            format!("`tokenscope run {script}` runs it; with `-i` in place of `run` you can go on from it");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![hint.into()]));
        error.remove(ContextKind::SuggestedSubcommand);
    }
    error
}

/// Where the settings are, and which are in force.
fn show_config(config: &Config, matches: &ArgMatches, terminal: &Terminal) {
    if let Some(folder) = config::folder() {
        for (name, about) in [("config.toml", "settings"), ("startup.rhai", "runs whenever the REPL opens")] {
            let path = folder.join(name);
            let state = if path.is_file() { "" } else { " (not there yet)" };
            terminal.write(&format!("{}: {about}{state}\n", path.display()));
        }
    }
    terminal.show(&Output::Table(config.table(&Cli::command(), matches)), "");
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
        Some(Command::Precision) => precision(common, terminal),
        Some(Command::Export { file, to }) => lessons::export(&file, to, common, terminal),
        Some(Command::Kernel { command }) => run_kernel(command, common, terminal),
        Some(Command::Config) => unreachable!("it is shown before a terminal is needed"),
        Some(Command::Completions { shell }) => {
            terminal.write(&completions::script(shell));
            Ok(())
        }
        Some(Command::Man { dir }) => print_manual(dir.as_deref(), terminal),
        Some(Command::Doc) => {
            terminal.write(&registry::reference());
            Ok(())
        }
    }
}

fn print_manual(folder: Option<&Path>, terminal: &Terminal) -> Result<(), Failure> {
    match folder {
        Some(folder) => {
            terminal::output_folder(folder)?;
            clap_mangen::generate_to(Cli::command(), folder).map_err(Error::io("write into", folder))?;
            terminal.write(&format!("wrote the pages into {}\n", folder.display()));
        }
        None => {
            let mut text = Vec::new();
            let page = clap_mangen::Man::new(Cli::command()).render(&mut text);
            page.map_err(Error::io("write", "the manual page"))?;
            terminal.write(&String::from_utf8_lossy(&text));
        }
    }
    Ok(())
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
    let scripts: Vec<PathBuf> = config::startup().into_iter().chain(script.map(Path::to_owned)).collect();
    let habits = Habits { keys: common.keys, ghost: common.ghost };
    match repl::run(session, terminal, &habits, &scripts) {
        0 => Ok(()),
        code => Err(Failure::Exit(code)),
    }
}

fn run_kernel(command: KernelCommand, common: &Common, terminal: &Terminal) -> Result<(), Failure> {
    match command {
        KernelCommand::Run { connection_file } => {
            terminal::output_folder(&common.out)?;
            kernel::run(&connection_file, common.settings())?;
        }
        KernelCommand::Install(at) => {
            let start = common.start_of_kernels().map_err(Failure::Usage)?;
            let folder = install::install(&at.place(), &at.name, &start)?;
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
    terminal::output_folder(&common.look().plot_folder)?;
    let interrupt = interrupt();
    terminal.obey(&interrupt);
    let session = Session::new(common.settings(), interrupt, terminal.sink());
    session.ask_with(repl::asker(terminal));
    Ok(session)
}

/// What Ctrl-C requests.
fn interrupt() -> Interrupt {
    let interrupt = Interrupt::default();
    let requested = interrupt.clone();
    // A second handler cannot be set; the first then serves.
    let _ = ctrlc::set_handler(move || {
        if requested.is_requested() {
            eprint!("{}", still_running(&requested.running()));
        }
        requested.request();
    });
    interrupt
}

/// A text that the built-in model was never trained on.
const HELD_OUT: &str = include_str!("../assets/heldout/old-granny-fox.txt");

fn precision(common: &Common, terminal: &Terminal) -> Result<(), Failure> {
    let interrupt = interrupt();
    let model = |precision| -> Result<Model, Failure> {
        let backend = Backend { precision, device: common.device };
        let settings = Settings { backend, ..common.settings() };
        Ok(Session::new(settings, interrupt.clone(), terminal.sink()).model()?)
    };
    let exact = model(Precision::F32)?;
    let possible = |precision: &Precision| common.device == Device::Cpu || *precision != Precision::Int8;
    let models = Precision::ALL.into_iter().filter(possible).map(model).collect::<Result<Vec<_>, _>>()?;
    let tokens = exact.tokenizer().tokenize(HELD_OUT);
    let mut progress = terminal.sink();
    let what = format!("reading {} tokens with `{}`", tokens.len(), exact.name());
    progress(Event::Started { what, total: tokens.len() as u64, unit: Unit::Tokens });
    let advance = |tokens| progress(Event::Advanced(tokens as u64));
    let results = rounding(&exact, &models, tokens.ids(), &interrupt, advance)?;
    progress(Event::Finished);
    let note = format!(
        "{} tokens of *Old Granny Fox* (T. W. Burgess, 1920), which the built-in model was not trained on",
        tokens.len()
    );
    terminal.show(&Output::Table(rounding::table(&results).note(note)), "");
    Ok(())
}

/// What a second Ctrl-C is told while the first has not stopped anything yet.
fn still_running(running: &[String]) -> String {
    match running {
        [] => String::new(),
        [cell] => format!("\nstill stopping: a call in {cell} has not come back\n"),
        [cell, .., innermost] => format!("\nstill stopping: {innermost}, in {cell}, has not come back\n"),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_request_to_stop_is_told_what_runs() {
        let told = |running: &[&str]| {
            still_running(&running.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(
            told(&["[2]:1", "generating"]),
            "\nstill stopping: generating, in [2]:1, has not come back\n"
        );
        assert_eq!(told(&["[2]:1"]), "\nstill stopping: a call in [2]:1 has not come back\n");
        assert_eq!(told(&[]), "");
    }
}
