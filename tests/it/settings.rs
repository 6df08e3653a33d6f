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

/// What a shell offers behind `words`, if that shell is here; the folder holds `story.rhai`.
fn offered(shell: &str, words: &[&str]) -> Option<Vec<String>> {
    let home = home("");
    std::fs::write(home.path().join("story.rhai"), "").unwrap();
    let script = finish(at(home.path()).args(["completions", shell])).succeeded();
    std::fs::write(home.path().join("completions"), script).unwrap();
    let [.., before, last] = words else { panic!("a command and its words") };
    let asked = match shell {
        // The function is the one that completes; the files that bash offers itself are not heard of here.
        "bash" => format!(
            "source ./completions; COMP_WORDS=({}); COMP_CWORD={}; offer=$(complete -p tokenscope)
            offer=${{offer#*-F }}; ${{offer%% *}} tokenscope '{last}' {before}
            printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            words.iter().map(|word| format!("'{word}' ")).collect::<String>(),
            words.len() - 1,
        ),
        _ => format!("source ./completions; complete -C '{}'", words.join(" ")),
    };
    let output =
        std::process::Command::new(shell).args(["-c", &asked]).current_dir(home.path()).output().ok()?;
    assert!(output.status.success(), "{output:?}");
    let lines = String::from_utf8(output.stdout).unwrap();
    Some(
        lines
            .lines()
            .map(|line| line.split('\t').next().unwrap().to_owned())
            .filter(|word| !word.is_empty())
            .collect(),
    )
}

#[test]
fn shells_offer_commands_values_and_files() {
    for shell in ["bash", "fish"] {
        let Some(commands) = offered(shell, &["tokenscope", ""]) else {
            eprintln!("skipped: no {shell} here");
            continue;
        };
        assert!(commands.contains(&"run".to_owned()), "{shell}: {commands:?}");
        assert!(commands.iter().all(|word| !word.starts_with('-')), "{shell}: {commands:?}");
        let mut values = offered(shell, &["tokenscope", "--precision", ""]).unwrap();
        values.sort();
        assert_eq!(values, ["bf16", "f32", "int8"], "{shell}");
        assert_eq!(offered(shell, &["tokenscope", "--prec"]).unwrap(), ["--precision"], "{shell}");
        let files = offered(shell, &["tokenscope", "run", ""]).unwrap();
        match shell {
            // It offers files itself where it is given nothing.
            "bash" => assert!(files.is_empty(), "{files:?}"),
            _ => assert!(files.contains(&"story.rhai".to_owned()), "{shell}: {files:?}"),
        }
    }
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
