//! The REPL as somebody at a terminal meets it: a real pseudo-terminal, keys in, screen out.

use std::path::Path;
use std::process::Command;

use rexpect::process::wait::WaitStatus;
use rexpect::session::{Options, PtySession, spawn_with_options};

/// Machines may be busy: what comes late is not missing.
const PATIENCE: u64 = 60_000;

pub const CTRL_C: char = 'c';
const CTRL_D: char = 'd';

/// A REPL with its own home, and the number of the cell that its prompt asks for.
pub struct Repl {
    pub terminal: PtySession,
    pub home: tempfile::TempDir,
    /// Without cursor movement.
    is_dumb: bool,
}

impl Repl {
    pub fn start() -> Repl {
        Repl::start_with(tempfile::tempdir().unwrap(), |_| {})
    }

    pub fn start_with(home: tempfile::TempDir, set_up: impl FnOnce(&mut Command)) -> Repl {
        let mut repl = Repl::begin_with(home, set_up);
        repl.prompt(1);
        repl
    }

    /// Before its first prompt.
    pub fn begin_with(home: tempfile::TempDir, set_up: impl FnOnce(&mut Command)) -> Repl {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tokenscope"));
        command
            .current_dir(home.path())
            .env_remove("NO_COLOR")
            .env_remove("TOKENSCOPE_MODEL")
            .env("TERM", "xterm")
            .env("HOME", home.path())
            .env("XDG_DATA_HOME", home.path())
            .env("XDG_CONFIG_HOME", home.path())
            .env("HF_HOME", home.path().join("hub"));
        // What says which terminal this is: none that anybody knows.
        for name in
            ["TMUX", "TERM_PROGRAM", "KITTY_WINDOW_ID", "LC_TERMINAL", "COLORFGBG", "TOKENSCOPE_GRAPHICS"]
        {
            command.env_remove(name);
        }
        set_up(&mut command);
        Repl::of(command, home)
    }

    /// What this command starts, before its first prompt.
    pub fn of(mut command: Command, home: tempfile::TempDir) -> Repl {
        if !command.get_envs().any(|(name, _)| name == "TOKENSCOPE_HISTORY") {
            command.env("TOKENSCOPE_HISTORY", home.path().join("history"));
        }
        command.env_remove("TOKENSCOPE_MODEL");
        let is_dumb =
            command.get_envs().any(|(name, value)| name == "TERM" && value == Some("dumb".as_ref()));
        let options = Options::new().timeout_ms(Some(PATIENCE)).strip_ansi_escape_codes(false);
        let terminal = spawn_with_options(command, options).unwrap();
        Repl { terminal, home, is_dumb }
    }

    /// Without colour: what is drawn is what is there.
    pub fn plain() -> Repl {
        Repl::start_with(tempfile::tempdir().unwrap(), |command| {
            command.env("NO_COLOR", "1");
        })
    }

    /// Waits for the prompt of a cell; answers what stood before it. A prompt is drawn again with each key: only
    /// the first time it follows the sequence that makes pasted text known as such.
    pub fn prompt(&mut self, number: usize) -> String {
        let before = if self.is_dumb { String::new() } else { self.expect("\x1b[?2004h") };
        let drawn = self.expect(&format!("[{number}]>"));
        format!("{before}{drawn}")
    }

    /// Waits for a text; answers what stood before it.
    pub fn expect(&mut self, text: &str) -> String {
        self.terminal.exp_string(text).unwrap_or_else(|error| panic!("no `{text}`: {error}"))
    }

    pub fn keys(&mut self, keys: &str) {
        self.terminal.send(keys).unwrap();
        self.terminal.flush().unwrap();
    }

    /// Types a line and Enter.
    pub fn line(&mut self, line: &str) {
        self.keys(&format!("{line}\r"));
    }

    pub fn control(&mut self, key: char) {
        self.terminal.send_control(key).unwrap();
        self.terminal.flush().unwrap();
    }

    /// Leaves, and answers the home with what was written into it.
    pub fn leave(mut self, keys: &str) -> tempfile::TempDir {
        self.keys(keys);
        self.terminal.exp_eof().unwrap();
        let status = self.terminal.process().wait().unwrap();
        assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
        self.home
    }
}

#[test]
fn it_says_what_it_is_and_how_to_get_help() {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tokenscope"));
    command.env("TERM", "xterm").env("NO_COLOR", "1").env("TOKENSCOPE_HISTORY", home.path().join("history"));
    command.env_remove("TOKENSCOPE_MODEL");
    let options = Options::new().timeout_ms(Some(PATIENCE));
    let mut terminal = spawn_with_options(command, options).unwrap();
    let banner = terminal.exp_string("[1]>").unwrap();
    for part in [env!("CARGO_PKG_VERSION"), "pocket", "not GPT-2", "help()", ":help"] {
        assert!(banner.contains(part), "no `{part}` in {banner}");
    }
    terminal.send_control(CTRL_D).unwrap();
    terminal.flush().unwrap();
    terminal.exp_eof().unwrap();
    assert!(matches!(terminal.process().wait().unwrap(), WaitStatus::Exited(_, 0)));
}

#[test]
fn results_are_shown_and_kept() {
    let mut repl = Repl::plain();
    repl.line("1 + 2");
    repl.expect("Out[1]: 3");
    repl.prompt(2);
    repl.line("_ * 10 + Out[1]");
    repl.expect("Out[2]: 33");
    repl.prompt(3);
    repl.line("let silent = 5;");
    let shown = repl.prompt(4);
    assert!(!shown.contains("Out[3]"), "{shown}");
    repl.line("tokenize(\"Hello\")");
    repl.expect("Out[4]:");
    repl.expect("15496");
    repl.prompt(5);
    repl.leave(":quit\r");
}

#[test]
fn a_function_is_typed_over_several_lines() {
    let mut repl = Repl::plain();
    repl.line("fn double(x) {");
    repl.expect("...>");
    repl.line("x * 2");
    repl.expect("...>");
    repl.line("}");
    repl.prompt(2);
    repl.line("double(21)");
    repl.expect("Out[2]: 42");
    repl.prompt(3);
    repl.line("double??");
    repl.expect(" fn double(x) {");
    repl.expect("Written in this session");
    repl.prompt(3);
    repl.leave(":q\r");
}

#[test]
fn a_blank_line_ends_what_is_unfinished() {
    let mut repl = Repl::plain();
    repl.line("let x = [1,");
    repl.expect("...>");
    repl.line("");
    repl.expect("error:");
    repl.prompt(1);
    repl.line("1");
    repl.expect("Out[1]: 1");
    repl.prompt(2);
    repl.leave("\u{4}");
}

#[test]
fn pasted_lines_run_as_one_cell() {
    let mut repl = Repl::plain();
    repl.keys("\x1b[200~let a = 1;\n\nlet b = 2;\na + b\x1b[201~");
    repl.expect("a + b");
    repl.line("");
    repl.expect("Out[1]: 3");
    repl.prompt(2);
    repl.leave(":q\r");
}

#[test]
fn tab_completes_what_the_place_asks_for() {
    let mut repl = Repl::plain();
    let mut completes = |typed: &str, completed: &str| {
        repl.keys(&format!("{typed}\t"));
        repl.expect(completed);
        repl.control(CTRL_C);
        repl.prompt(1);
    };
    completes("next_p", "next_probs(");
    completes("load(\"gpt2-med", "gpt2-medium\"");
    completes(":mod", ":model");
    completes(":model gpt2-la", "gpt2-large");
    completes("generate(\"a\", #{ temp", "temperature: ");
    completes(":hist", ":history");
    completes("next_probs(\"a\").entr", "entropy");
    repl.line("let story = tokenize(\"Once\");");
    repl.prompt(2);
    repl.keys("stor\t");
    repl.expect("story");
    repl.keys(".pie\t");
    repl.expect("pieces");
    repl.line("");
    repl.expect("Out[2]: [\"Once\"]");
    repl.prompt(3);
    // Two list: with what each is.
    repl.keys("story.\t\t");
    repl.expect("Tokens.ids -> array");
    repl.control(CTRL_C);
    repl.prompt(3);
    // Numbers have methods too.
    repl.line("let count = 5;");
    repl.prompt(4);
    repl.keys("count.is_ev\t");
    repl.expect("is_even()");
    repl.control(CTRL_C);
    repl.prompt(4);
    repl.leave(":q\r");
}

#[test]
fn history_goes_from_one_run_to_the_next() {
    let mut repl = Repl::plain();
    repl.line("fn triple(x) {");
    repl.expect("...>");
    repl.line("x * 3 }");
    repl.prompt(2);
    repl.line("let last = 40 + 2");
    repl.prompt(3);
    let home = repl.leave(":q\r");

    let mut repl = Repl::start_with(home, |command| {
        command.env("NO_COLOR", "1");
    });
    // Up thrice: past `:q` and the line to the whole block.
    repl.keys("\x1b[A");
    repl.expect(":q");
    repl.keys("\x1b[A");
    repl.expect("let last = 40 + 2");
    repl.keys("\x1b[A");
    repl.expect("x * 3 }");
    repl.line("");
    repl.prompt(2);
    repl.line("triple(2)");
    repl.expect("Out[2]: 6");
    repl.prompt(3);
    // A prefix finds what began so.
    repl.keys("let\x1b[A");
    repl.expect("last = 40 + 2");
    repl.line("");
    repl.prompt(4);
    // Ctrl-R finds what contains it.
    repl.keys("\x12triple(");
    repl.expect("triple(2)");
    repl.line("");
    repl.expect("Out[4]: 6");
    repl.prompt(5);
    repl.leave("\u{4}");
}

#[test]
fn a_history_that_cannot_be_read_is_a_warning() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("history")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tokenscope"));
    command.env("TERM", "xterm").env("NO_COLOR", "1").env("TOKENSCOPE_HISTORY", home.path().join("history"));
    let mut terminal = spawn_with_options(command, Options::new().timeout_ms(Some(PATIENCE))).unwrap();
    terminal.exp_string("warning: cannot read the history").unwrap();
    terminal.exp_string("[1]>").unwrap();
    terminal.send("1 + 1\r").unwrap();
    terminal.flush().unwrap();
    terminal.exp_string("Out[1]: 2").unwrap();
    terminal.exp_string("[2]>").unwrap();
    terminal.send_control(CTRL_D).unwrap();
    terminal.flush().unwrap();
    terminal.exp_eof().unwrap();
}

#[test]
fn ctrl_c_stops_what_runs_and_keeps_the_variables() {
    let mut repl = Repl::plain();
    repl.line("let kept = 7;");
    repl.prompt(2);
    repl.line("print(\"running\"); loop {}");
    repl.expect("running\r\n");
    repl.control(CTRL_C);
    repl.expect("interrupted");
    repl.prompt(3);
    repl.line("let part = generate(\"Once upon a time\", #{ max_new_tokens: 200 });");
    repl.expect("generating");
    repl.control(CTRL_C);
    repl.prompt(4);
    repl.line("kept * 6");
    repl.expect("Out[4]: 42");
    repl.prompt(5);
    // What was written up to then is the answer.
    repl.line("part.tokens.len() > 4");
    repl.expect("Out[5]: true");
    repl.prompt(6);
    // One press ends a loop of texts, not only the text that is being written.
    repl.line("loop { generate(\"Once upon a time\", #{ max_new_tokens: 200 }); }");
    repl.expect("generating");
    repl.control(CTRL_C);
    repl.expect("interrupted");
    repl.prompt(7);
    repl.leave(":q\r");
}

#[test]
fn ctrl_c_at_the_prompt_clears_the_line() {
    let mut repl = Repl::plain();
    repl.keys("let x = 1");
    repl.expect("let x = 1");
    repl.control(CTRL_C);
    repl.prompt(1);
    repl.line("2");
    repl.expect("Out[1]: 2");
    repl.prompt(2);
    repl.leave("\u{4}");
}

#[test]
fn an_error_does_not_end_it() {
    let mut repl = Repl::plain();
    for (wrong, said) in [
        ("let = 1", "error:"),
        ("\"open", "a string is not closed"),
        ("n = 3", "hint: `let n = \u{e2}\u{80}\u{a6}` makes a variable"),
        ("table([#{ a: 1 }])[0]", "a Table cannot be indexed with `int`"),
        ("tokenise(\"a\")", "did you mean `tokenize"),
        ("load(\"gpt2-meduim\")", "did you mean `gpt2-medium`"),
        (":modle", "did you mean `:model`?"),
        (":time", "`:time` needs CODE"),
        (":run nowhere.rhai", "nowhere.rhai"),
        ("nothing_like_it?", "nothing is known about"),
        ("fn deep(n) { deep(n + 1) } deep(0)", "too deeply"),
        ("next_probs(\"\")", "the prompt is empty"),
    ] {
        repl.line(wrong);
        repl.expect(said);
        repl.expect("\x1b[?2004h");
    }
    repl.line("let alive = \"al\" + \"ive\"; alive");
    repl.expect("\"alive\"");
    repl.expect("\x1b[?2004h");
    repl.leave(":quit\r");
}

#[test]
fn an_error_shows_the_line_of_the_function_that_failed() {
    let mut repl = Repl::plain();
    repl.line("fn inner(x) { x + nope }");
    repl.prompt(2);
    repl.line("fn outer(x) { inner(x) }");
    repl.prompt(3);
    repl.line("outer(1)");
    repl.expect("--> [1]:1:19");
    repl.expect("in `inner`, called at [2]:1");
    repl.expect("in `outer`, called at [3]:1");
    repl.prompt(4);
    repl.leave(":q\r");
}

#[test]
fn help_is_at_hand() {
    let mut repl = Repl::plain();
    repl.line("next_probs?");
    repl.expect("next_probs(text) -> Distribution");
    repl.prompt(1);
    repl.line("?next_probs");
    repl.expect("next_probs(text) -> Distribution");
    repl.prompt(1);
    repl.line(":help");
    repl.expect(":timeit CODE");
    repl.prompt(1);
    repl.line("help(\"tokenize\")");
    repl.expect("tokenize(text: string) -> Tokens");
    repl.prompt(2);
    repl.line("let ids = [1, 2];");
    repl.prompt(3);
    repl.line("ids?");
    repl.expect("ids: array = [1, 2]");
    repl.prompt(3);
    repl.leave(":q\r");
}

#[test]
fn a_session_is_saved_and_run_again() {
    let mut repl = Repl::plain();
    repl.line("let x = 20;");
    repl.prompt(2);
    repl.line("wrong here");
    repl.prompt(2);
    repl.line("x + 1");
    repl.prompt(3);
    repl.line(":save session.rhai");
    repl.expect("2 cells saved");
    repl.prompt(3);
    assert_eq!(read(repl.home.path(), "session.rhai"), "// %%\nlet x = 20;\n\n// %%\nx + 1\n");
    repl.line(":reset");
    repl.prompt(1);
    repl.line(":run session.rhai");
    repl.expect("Out[2]: 21");
    repl.prompt(3);
    repl.line(":history 2");
    repl.expect("[2]> x + 1");
    repl.prompt(3);
    repl.line(":vars");
    repl.expect("20");
    repl.prompt(3);
    repl.line(":timeit x * 2");
    repl.expect("median");
    repl.prompt(3);
    repl.leave(":q\r");
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn without_colour_results_hold_no_escape_sequences() {
    let mut repl = Repl::plain();
    repl.line("next_probs(\"Once upon a time\")");
    repl.expect("Out[1]:");
    let table = repl.expect("entropy");
    assert!(table.contains(" % ") && !table.contains('\x1b'), "{table:?}");
    repl.prompt(2);
    repl.leave(":q\r");

    let mut repl = Repl::start();
    repl.line("next_probs(\"Once upon a time\")");
    repl.expect("Out[1]:");
    assert!(repl.expect("entropy").contains("\x1b["));
    repl.prompt(2);
    repl.leave(":q\r");
}

#[test]
fn a_dumb_terminal_gets_plain_lines() {
    let mut repl = Repl::start_with(tempfile::tempdir().unwrap(), |command| {
        command.env("TERM", "dumb");
    });
    repl.line("fn half(x) {\r  x / 2\r}");
    repl.prompt(2);
    repl.line("half(8)");
    let before = repl.expect("Out[2]: 4");
    assert!(!before.contains('\x1b'), "{before:?}");
    repl.prompt(3);
    repl.leave(":q\r");
}

#[test]
fn a_wrong_model_is_told_at_once() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tokenscope"));
    command.args(["--model", "gpt2-meduim"]).env("TERM", "xterm").env("NO_COLOR", "1");
    let mut terminal = spawn_with_options(command, Options::new().timeout_ms(Some(PATIENCE))).unwrap();
    terminal.exp_string("unknown model `gpt2-meduim`").unwrap();
    terminal.exp_eof().unwrap();
    assert!(matches!(terminal.process().wait().unwrap(), WaitStatus::Exited(_, 2)));
}

#[test]
fn a_script_runs_before_the_first_prompt_and_may_leave() {
    let home = tempfile::tempdir().unwrap();
    let script = home.path().join("start.rhai");
    std::fs::write(&script, "let start = 6;\nprint(\"from the script\");\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tokenscope"));
    command.arg("-i").arg(script).env("TERM", "xterm").env("NO_COLOR", "1");
    command.env("TOKENSCOPE_HISTORY", home.path().join("history")).env_remove("TOKENSCOPE_MODEL");
    let terminal = spawn_with_options(command, Options::new().timeout_ms(Some(PATIENCE))).unwrap();
    let mut repl = Repl { terminal, home, is_dumb: false };
    repl.expect("from the script");
    repl.prompt(2);
    repl.line("start * 7");
    repl.expect("Out[2]: 42");
    repl.prompt(3);
    repl.line("exit(3)");
    repl.terminal.exp_eof().unwrap();
    assert!(matches!(repl.terminal.process().wait().unwrap(), WaitStatus::Exited(_, 3)));
}

#[test]
fn what_is_typed_reads_the_working_folder_and_a_script_does_not() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("story.txt"), "Once upon a time").unwrap();
    std::fs::write(home.path().join("stranger.rhai"), "read_text(\"story.txt\")").unwrap();
    let mut repl = Repl::start_with(home, |command| {
        command.env("NO_COLOR", "1");
    });
    repl.line("read_text(\"story.txt\")");
    repl.expect("Out[1]: \"Once upon a time\"");
    repl.prompt(2);
    repl.line("read_text(\"/etc/hostname\")");
    repl.expect("lies outside the folders that may be read");
    repl.prompt(3);
    repl.line(":run stranger.rhai");
    repl.expect("lies outside the folders that may be read");
    repl.prompt(4);
    repl.leave(":q\r");
}

#[test]
fn what_is_typed_ahead_is_not_lost() {
    let mut repl = Repl::plain();
    repl.keys("let a = 1;\rlet b = 2;\ra + b\r");
    repl.expect("Out[3]: 3");
    repl.prompt(4);
    repl.leave(":q\r");
}

#[test]
fn a_script_asks_and_ctrl_c_leaves_the_question() {
    let mut repl = Repl::plain();
    repl.line("let name = input(\"Who? \"); `Hello, ${name}`");
    repl.expect("\x1b[?2004h");
    repl.expect("Who? ");
    repl.keys("Ada\r");
    repl.expect("Out[1]: \"Hello, Ada\"");
    repl.prompt(2);
    repl.line("input(\"Again? \")");
    repl.expect("\x1b[?2004h");
    repl.expect("Again? ");
    repl.control(CTRL_C);
    repl.expect("interrupted at [2]:1:1; variables are kept");
    repl.prompt(3);
    repl.leave(":q\r");
}

#[test]
fn what_was_typed_ahead_answers_a_question() {
    let mut repl = Repl::plain();
    repl.keys("let name = input(\"Who? \");\rAda \u{1b}[D!\r`Hello, ${name}`\r");
    repl.expect("Out[2]: \"Hello, Ada! \"");
    repl.prompt(3);
    // An answer is no code: it is not completed, not remembered, and needs no end.
    repl.line("input(\"Code? \")");
    repl.expect("Code? ");
    repl.line("fn open(\t {");
    repl.expect("Out[3]: \"fn open( {\"");
    repl.prompt(4);
    repl.keys("\x1b[A");
    repl.expect("input(\"Code? \")");
    repl.control(CTRL_C);
    repl.prompt(4);
    repl.leave(":q\r");
}

#[test]
fn a_text_is_seen_as_it_grows_and_leaves_what_the_cell_shows() {
    let mut repl = Repl::plain();
    // The line as it is typed must not be taken for the text.
    repl.line("let story = generate(\"On\" + \"ce upon a time\", #{ max_new_tokens: 60 });");
    repl.expect("Once upon a time");
    repl.expect("/60 tokens");
    repl.prompt(2);
    repl.line("story.steps.len()");
    repl.expect("Out[2]: 60");
    repl.leave(":quit\r");
}

#[test]
fn a_text_is_stepped_through_with_keys_and_is_the_result() {
    let mut repl = Repl::plain();
    repl.line(":step \"Once upon a\"");
    repl.expect("\x1b[?1049h");
    repl.expect("temperature off");
    // The second candidate; then the rule answers before it is kept.
    repl.keys("\x1b[B\r");
    repl.expect("Once upon a ");
    repl.keys("t0.5");
    repl.expect("temperature 0.5 ");
    repl.keys("\r and then\r");
    repl.expect("text to append:  and then");
    repl.keys("q");
    repl.expect("\x1b[?1049l");
    repl.expect("Out[1]:");
    repl.expect("processed by temperature 0.5, 3 steps from the start");
    repl.prompt(2);
    repl.line("_.text.ends_with(\" and then\")");
    repl.expect("Out[2]: true");
    repl.prompt(3);
    // On with that one; Ctrl-C leaves too.
    repl.line(":step Out[1]");
    repl.expect("temperature 0.5 ");
    repl.keys("u\x03");
    repl.expect("\x1b[?1049l");
    repl.expect("2 steps from the start");
    repl.prompt(4);
    repl.line("1 + 1");
    repl.expect("Out[4]: 2");
    repl.prompt(5);
    // What was saved comes to the same text without keys.
    repl.line(":save steps.rhai");
    repl.expect("4 cells saved");
    repl.prompt(5);
    let saved = std::fs::read_to_string(repl.home.path().join("steps.rhai")).unwrap();
    let code = format!("{saved}\n// %%\nprint(Out[3].text + \"|\" + Out[1].text + Out[2]);\n");
    std::fs::write(repl.home.path().join("again.rhai"), code).unwrap();
    let mut again = Command::new(env!("CARGO_BIN_EXE_tokenscope"));
    again.args(["run", "again.rhai"]).current_dir(repl.home.path()).env("HOME", repl.home.path());
    let output = again.env_remove("TOKENSCOPE_MODEL").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = text.lines().last().unwrap_or_default().to_owned();
    assert!(last.ends_with(" and thentrue"), "{text} {}", String::from_utf8_lossy(&output.stderr));
    let (shorter, longer) = last.split_once('|').unwrap();
    assert_eq!(format!("{shorter} thentrue"), longer);
    repl.leave(":quit\r");
}

#[test]
fn a_terminal_without_cursor_movement_is_told_what_else_there_is() {
    let mut repl = Repl::start_with(tempfile::tempdir().unwrap(), |command| {
        command.env("TERM", "dumb");
    });
    repl.line(":step \"Once upon a\"");
    repl.expect("`stepper(text)` does\r\nthe same without keys");
    repl.leave(":quit\r");
}
