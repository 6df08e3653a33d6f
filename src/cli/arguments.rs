//! What can be said on the command line.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::error::Error;
use crate::hub::Hub;
use crate::kernel::install::{self, Place, Start};
use crate::model::device::{Backend, Device};
use crate::model::precision::Precision;
use crate::repl::Keys;
use crate::script::{Allowed, Settings, limits};
use crate::terminal::{Background, Colour, Look, Plots, WIDTHS};

/// Needs no download.
pub const DEFAULT_MODEL: &str = "pocket";

/// Watch a GPT-2 language model write, one token at a time.
///
/// Without a command it opens the REPL; with a script on standard input it runs that.
#[derive(Parser)]
#[command(name = "tokenscope", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    /// A script to run before the REPL opens
    #[arg(short, long, value_name = "FILE")]
    pub interactive: Option<PathBuf>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub struct Common {
    /// The model to ask: `pocket` (built in), `gpt2`, another name from `tokenscope models`, `owner/name[@revision]`
    /// of the Hugging Face hub, or a folder
    #[arg(long, global = true, env = "TOKENSCOPE_MODEL", default_value = DEFAULT_MODEL, value_name = "NAME")]
    pub model: String,
    /// What the weights are multiplied in: fewer bits are faster and less exact (`tokenscope precision` says by how much)
    #[arg(long, global = true, value_name = "PRECISION", default_value = Precision::default().name(),
        value_parser = precision())]
    pub precision: Precision,
    /// What the model computes on; `cuda` and `metal` are in builds with that feature
    #[arg(long, global = true, value_name = "DEVICE", default_value = Device::default().name(), value_parser = device())]
    pub device: Device,
    /// Where charts and other files that scripts write go
    #[arg(long, global = true, default_value = ".", value_name = "DIR")]
    pub out: PathBuf,
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Colour,
    /// A folder whose files and models scripts may read; may be given several times
    #[arg(long, global = true, value_name = "DIR")]
    pub allow_read: Vec<PathBuf>,
    /// A folder that scripts may write into, beside that of `--out`; may be given several times
    #[arg(long, global = true, value_name = "DIR")]
    pub allow_write: Vec<PathBuf>,
    /// How much memory the values of a session may take, in GB, the model not counted
    #[arg(long, global = true, value_name = "GB", default_value_t = DEFAULT_MEMORY, value_parser = memory)]
    pub max_memory: f64,
    /// Where charts go; shown and saved on a terminal, saved elsewhere, if not given
    #[arg(long, global = true, value_enum, value_name = "WHERE")]
    pub plots: Option<Plots>,
    /// Where charts are saved, if not in the folder of `--out`
    #[arg(long, global = true, value_name = "DIR")]
    pub plot_dir: Option<PathBuf>,
    /// How wide results are, in columns, if not as wide as the terminal
    #[arg(long, global = true, value_name = "COLUMNS", value_parser = width)]
    pub width: Option<usize>,
    /// The keys of the REPL's line
    #[arg(long, global = true, value_enum, default_value_t, value_name = "KEYS")]
    pub keys: Keys,
    /// What colours stand on, so that they can be read; the terminal is asked if nothing is said
    #[arg(long, global = true, value_enum, default_value_t, value_name = "GROUND")]
    pub background: Background,
    /// Whether the REPL shows how the model would go on with a text that is being typed
    #[arg(long, global = true, value_name = "BOOL", default_value_t = false, action = clap::ArgAction::Set)]
    pub ghost: bool,
    /// How many threads compute; one for each core if not given [env: RAYON_NUM_THREADS]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

fn width(text: &str) -> Result<usize, String> {
    let columns = text.parse().ok().filter(|columns| WIDTHS.contains(columns));
    columns.ok_or_else(|| format!("it must be at least {} and at most {}", WIDTHS.start(), WIDTHS.end()))
}

/// In GB.
const DEFAULT_MEMORY: f64 = limits::MEMORY as f64 / 1e9;

fn memory(text: &str) -> Result<f64, String> {
    let gigabytes = text.parse().ok().filter(|gigabytes| (0.01..=1e6).contains(gigabytes));
    gigabytes.ok_or_else(|| "it must be at least 0.01 and at most 1000000".to_owned())
}

fn precision() -> impl TypedValueParser<Value = Precision> {
    one_of(Precision::ALL, Precision::name)
}

fn device() -> impl TypedValueParser<Value = Device> {
    one_of(Device::ALL, Device::name)
}

fn one_of<T: Copy + Send + Sync + 'static, const N: usize>(
    all: [T; N],
    name: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(all.map(name))
        .try_map(move |given| all.into_iter().find(|value| name(*value) == given).ok_or("unknown"))
}

impl Common {
    /// How a session is set up.
    pub fn settings(&self) -> Settings {
        let allowed = Allowed {
            read: self.allow_read.clone(),
            write: self.allow_write.clone(),
            memory: (self.max_memory * 1e9) as usize,
        };
        Settings {
            model: self.model.clone(),
            backend: Backend { precision: self.precision, device: self.device },
            hub: None,
            out: self.out.clone(),
            allowed,
        }
    }
}

impl Common {
    /// What of this an installed kernel starts with. A notebook may lie elsewhere, so paths become whole ones, and a
    /// wrong one is better told now.
    pub fn start_of_kernels(&self) -> Result<Start, Error> {
        // Without a choice the kernel's own environment decides when it starts.
        let model = Some(&self.model).filter(|model| *model != DEFAULT_MODEL);
        let model = model.map(|model| Hub::from_env()?.lasting_name(model)).transpose()?;
        let mut arguments = Vec::new();
        let mut add = |option: &str, value: String| arguments.extend([option.to_owned(), value]);
        for (option, folders) in [("--allow-read", &self.allow_read), ("--allow-write", &self.allow_write)] {
            for folder in folders {
                let whole = folder.canonicalize().map_err(Error::io("open", folder))?;
                add(option, whole.display().to_string());
            }
        }
        if self.precision != Precision::default() {
            add("--precision", self.precision.name().to_owned());
        }
        if self.device != Device::default() {
            add("--device", self.device.name().to_owned());
        }
        if self.max_memory != DEFAULT_MEMORY {
            add("--max-memory", self.max_memory.to_string());
        }
        if let Some(threads) = self.threads {
            add("--threads", threads.to_string());
        }
        Ok(Start { model, arguments })
    }

    /// How what comes of it is shown.
    pub fn look(&self) -> Look {
        let plot_folder = self.plot_dir.as_ref().unwrap_or(&self.out).clone();
        Look {
            colour: self.color,
            plots: self.plots,
            plot_folder,
            width: self.width,
            background: self.background,
        }
    }
}

#[derive(Subcommand)]
pub enum Command {
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
    /// Show what `--precision` costs: how far the predictions of a text move, and how much worse they are
    Precision,
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
    /// Say where your own settings are kept, and what is in force
    Config,
    /// Print what makes a shell complete the arguments of this program
    Completions {
        #[arg(value_enum, value_name = "SHELL")]
        shell: Shell,
    },
    /// Print the manual page, or write the pages of all commands into a folder
    Man {
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Print the reference of everything that a script can call, in Markdown
    Doc,
}

#[derive(Subcommand)]
pub enum ModelsCommand {
    /// Download a model, so that it can be used without a network
    Pull {
        #[arg(value_name = "NAME")]
        name: String,
    },
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub enum ExportFormat {
    Ipynb,
    Html,
    Md,
    Rhai,
}

#[derive(Subcommand)]
pub enum KernelCommand {
    /// Tell Jupyter of this program; kernels start with the `--model`, `--allow-read`, `--allow-write`,
    /// `--precision`, `--device`, `--max-memory` and `--threads` that are given here
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
pub struct KernelPlace {
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
    #[arg(long, value_name = "NAME", default_value = install::NAME)]
    pub name: String,
}

impl KernelPlace {
    pub fn place(&self) -> Place {
        match (&self.prefix, self.sys_prefix) {
            (Some(prefix), _) => Place::Prefix(prefix.clone()),
            (None, true) => Place::Environment,
            (None, false) => Place::User,
        }
    }
}
