//! What several subjects need: fixtures, and the program itself.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tokenscope::error::Result;
use tokenscope::hub::{Hub, Settings};
use tokenscope::interrupt::Interrupt;
use tokenscope::model::Model;

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A checkpoint that transformers wrote.
pub fn fixture(name: &str) -> PathBuf {
    root().join("tests/fixtures").join(name)
}

/// Loads the model in a folder.
pub fn load(folder: &Path) -> Result<Model> {
    let hub = Hub::new(Settings::new(folder));
    let source = hub.resolve(folder.to_str().unwrap(), &mut (), &Interrupt::default())?;
    Model::load("model", &source)
}

/// What a run of the program left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Standard output of a run that must have gone well.
    #[track_caller]
    pub fn succeeded(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{}", self.stdout);
        self.stdout
    }

    /// Standard error of a run that must have ended with this code.
    #[track_caller]
    pub fn failed(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
        self.stderr
    }
}

/// The program, in a folder of its own, without what the environment may say about it.
pub fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tokenscope"));
    command.current_dir(folder).stdin(Stdio::null()).env_remove("NO_COLOR").env_remove("TOKENSCOPE_MODEL");
    command.env("HF_HUB_OFFLINE", "1").env("HF_HUB_CACHE", folder.join("cache"));
    command.env("XDG_CONFIG_HOME", folder.join("config"));
    command
}

pub fn run(folder: &Path, arguments: &[&str]) -> Ran {
    finish(program(folder).args(arguments))
}

pub fn finish(command: &mut Command) -> Ran {
    ran(command.output().unwrap())
}

/// Runs with this text on standard input.
pub fn run_with(folder: &Path, arguments: &[&str], input: &str) -> Ran {
    let mut command = program(folder);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    ran(child.wait_with_output().unwrap())
}

pub fn ran(output: std::process::Output) -> Ran {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}
