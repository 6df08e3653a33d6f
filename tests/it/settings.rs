//! The user's own settings, and what is made of the command line's declarations.

use std::path::Path;
use std::process::Command;

use crate::helpers::{finish, program};
use crate::repl::Repl;

/// A folder whose `config.toml` says this.
fn home(config: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("tokenscope")).unwrap();
    std::fs::write(home.path().join("tokenscope/config.toml"), config).unwrap();
    home
}

fn at(home: &Path) -> Command {
    let mut command = program(home);
    command.env("XDG_CONFIG_HOME", home).env("HOME", home);
    command
}

#[test]
fn settings_hold_unless_the_command_line_says_otherwise() {
    let home = home("plots = \"none\"\nmax_memory = 1.5\n");
    let code = "chart(next_probs(\"Once\"), 3)";
    let out = finish(at(home.path()).args(["eval", code])).succeeded();
    assert!(out.starts_with("Chart “"), "{out}");
    let out = finish(at(home.path()).args(["--plots", "file", "eval", code])).succeeded();
    assert_eq!(out, "chart saved as ./chart-1.png\n");
    let shown = finish(at(home.path()).args(["config", "--threads", "2"])).succeeded();
    assert!(shown.contains("tokenscope/config.toml: settings\n"), "{shown}");
    assert!(shown.contains("startup.rhai: runs whenever the REPL opens (not there yet)"), "{shown}");
    for (name, row) in [("plots", ["none", "config.toml"]), ("threads", ["2", "command line"])] {
        let line = shown.lines().find(|line| line.contains(name)).unwrap();
        assert!(row.iter().all(|part| line.contains(part)), "{line}");
    }
}

#[test]
fn a_wrong_setting_is_told_with_its_file() {
    let said = |config: &str| finish(at(home(config).path()).args(["eval", "1"])).failed(2);
    let stderr = said("modle = \"gpt2\"\n");
    assert!(stderr.contains("tokenscope/config.toml`: unknown key `modle`"), "{stderr}");
    assert!(stderr.contains("hint: did you mean `model`?"), "{stderr}");
    let stderr = said("plots = \"everywhere\"\n");
    assert!(stderr.contains("everywhere") && stderr.contains("inline, file, both, none"), "{stderr}");
    assert!(said("plots = \n").contains("line 1"));
}

#[test]
fn the_startup_script_runs_before_the_first_prompt() {
    let home = home("");
    std::fs::write(home.path().join("tokenscope/startup.rhai"), "let mine = 6; print(\"good day\");")
        .unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tokenscope"));
    command.env("TERM", "xterm").env("NO_COLOR", "1").env("XDG_CONFIG_HOME", home.path());
    let mut repl = Repl::of(command, home);
    repl.expect("good day");
    repl.prompt(2);
    repl.line("mine * 7");
    repl.expect("Out[2]: 42");
    repl.prompt(3);
    repl.leave(":q\r");
}

#[test]
fn shells_and_man_know_every_command_and_option() {
    let home = home("");
    let page = finish(at(home.path()).arg("man")).succeeded();
    assert!(page.contains(".TH tokenscope 1") && page.contains("allow\\-read"), "{page}");
    for shell in ["bash", "zsh", "fish"] {
        let script = finish(at(home.path()).args(["completions", shell])).succeeded();
        for name in ["models", "export", "max-memory", "plots"] {
            assert!(script.contains(name), "{shell}: {name}");
        }
    }
    finish(at(home.path()).args(["man", "--dir", "pages"])).succeeded();
    let pages = std::fs::read_dir(home.path().join("pages")).unwrap().count();
    assert!(pages > 8, "{pages}");
}
