//! Terminals as they differ: what they answer and when, how wide they are and become, whether they have colours.

use std::process::Command;

use rustix::termios::{Winsize, tcsetwinsize};

use crate::repl::{CTRL_C, Repl};

/// What a terminal is asked before the first prompt: whether it draws pictures, its background, its attributes.
const QUESTION: [&str; 3] = ["\x1b_Gi=31", "\x1b]11;?\x1b\\", "\x1b[c"];

/// A REPL in colour that has just asked.
fn asking() -> Repl {
    let mut repl = Repl::begin_with(tempfile::tempdir().unwrap(), |_| {});
    for part in QUESTION {
        repl.expect(part);
    }
    repl
}

/// A number as it is drawn while it is typed: yellow on dark, red on light.
fn colour_of_a_number(repl: &mut Repl) -> &'static str {
    repl.keys("789");
    let drawn = repl.expect("m789\x1b[0m");
    repl.control(CTRL_C);
    match () {
        () if drawn.ends_with("\x1b[33") => "yellow",
        () if drawn.ends_with("\x1b[31") => "red",
        () => panic!("{drawn:?}"),
    }
}

#[test]
fn colours_are_those_for_the_background_that_the_terminal_says_it_has() {
    for (answer, colour) in [
        ("\x1b]11;rgb:ffff/ffff/ffff\x1b\\", "red"),
        ("\x1b]11;rgb:1e1e/1e1e/2e2e\x07", "yellow"),
        // It does not know the question.
        ("", "yellow"),
    ] {
        let mut repl = asking();
        repl.keys(&format!("{answer}\x1b[?62;22c"));
        repl.prompt(1);
        assert_eq!(colour_of_a_number(&mut repl), colour, "{answer:?}");
        repl.prompt(1);
        repl.leave(":q\r");
    }
}

#[test]
fn an_answer_that_comes_late_is_heard_and_leaves_nothing_in_the_line() {
    let mut repl = asking();
    // It does not answer, and is not waited for.
    repl.prompt(1);
    repl.keys("40 + \x1b_Gi=31;OK\x1b\\\x1b]11;rgb:ffff/ffff/ffff\x1b\\\x1b[?62;");
    repl.keys("22c2\r");
    repl.expect("Out[1]:");
    repl.expect("42\r\n");
    repl.prompt(2);
    assert_eq!(colour_of_a_number(&mut repl), "red");
    repl.prompt(2);
    repl.line("chart(next_probs(\"Once upon a time\"), 3)");
    repl.expect("\x1b_Ga=T,f=100");
    repl.prompt(3);
    repl.leave(":q\r");
}

#[test]
fn a_terminal_that_is_asked_answers_or_gets_blocks() {
    // One that answers that it draws sixels, in pieces, while somebody types.
    let mut repl = asking();
    repl.keys("1 + \x1b[?62;");
    repl.keys("4;22c");
    repl.prompt(1);
    // What was typed meanwhile is in the line, the answer is not.
    repl.line("1");
    repl.expect("Out[1]:");
    repl.expect("2\r\n");
    repl.prompt(2);
    repl.line("chart(next_probs(\"Once upon a time\"), 3)");
    repl.expect("\x1bP0;1;0q");
    repl.prompt(3);
    repl.leave(":q\r");

    // One that says nothing.
    let mut repl = Repl::start();
    repl.line("chart(next_probs(\"Once upon a time\"), 3)");
    repl.expect("The 3 likeliest next tokens");
    repl.expect("chart saved as");
    repl.prompt(2);
    repl.leave(":q\r");
}

#[test]
fn who_says_what_the_terminal_is_like_is_believed() {
    let mut repl = Repl::begin_with(tempfile::tempdir().unwrap(), |command| {
        command.env("TOKENSCOPE_GRAPHICS", "none").args(["--background", "light"]);
    });
    let shown = repl.prompt(1);
    assert!(QUESTION.iter().all(|part| !shown.contains(part)), "{shown:?}");
    assert_eq!(colour_of_a_number(&mut repl), "red");
    repl.prompt(1);
    repl.leave(":q\r");
}

#[test]
fn colour_is_there_when_it_is_wanted() {
    for (options, variable, coloured) in [
        (["--color", "auto"], "", true),
        (["--color", "auto"], "1", false),
        (["--color", "never"], "", false),
        (["--color", "always"], "1", true),
    ] {
        let mut repl = Repl::start_with(tempfile::tempdir().unwrap(), |command| {
            command.env("NO_COLOR", variable).args(options);
        });
        repl.line("next_probs(\"Once upon a time\")");
        repl.expect("Out[1]:");
        let table = repl.expect("entropy");
        assert_eq!(table.contains("\x1b["), coloured, "{options:?} {variable:?}: {table:?}");
        repl.prompt(2);
        repl.leave(":q\r");
    }
}

/// Columns of the widest line that begins like a table's.
fn width_of_table(shown: &str) -> usize {
    // The terminal hands out bytes, one in each character.
    let bytes: Vec<u8> = shown.chars().map(|byte| byte as u8).collect();
    let shown = String::from_utf8(bytes).unwrap();
    let lines = shown.lines().filter(|line| line.starts_with(['╭', '│', '╰']));
    lines.map(|line| line.trim_end().chars().count()).max().unwrap()
}

fn resize(repl: &Repl, columns: u16) {
    let terminal = repl.terminal.process().get_file_handle().unwrap();
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).unwrap();
}

#[test]
fn what_is_shown_and_typed_follows_the_width_of_the_terminal() {
    let mut repl = Repl::plain();
    let table = "next_probs(\"Once upon a time there was a\").top(3)";
    for (number, columns) in [(1, 60), (2, 28), (3, 44)] {
        resize(&repl, columns);
        // The line is longer than the narrow terminal is wide: it goes on below.
        repl.line(table);
        let shown = repl.prompt(number + 1);
        let width = width_of_table(&shown);
        assert!(width <= columns.into() && width > usize::from(columns) / 2, "{columns}: {width}\n{shown}");
    }
    // A line is drawn anew where the terminal changes while it is typed.
    repl.keys("let number = 1000 + 200 + 30 + 4");
    repl.expect("+ 4");
    resize(&repl, 20);
    repl.expect("let number = 1");
    repl.keys("; number\r");
    repl.expect("Out[4]: 1234");
    repl.prompt(5);
    repl.leave(":q\r");
}

#[test]
fn a_narrow_terminal_gets_whole_words() {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "stty cols 40 rows 24; exec \"$0\"", env!("CARGO_BIN_EXE_tokenscope")]);
    command.env("TERM", "xterm").env("NO_COLOR", "1").env("XDG_CONFIG_HOME", home.path());
    let mut repl = Repl::of(command, home);
    let banner = repl.prompt(1);
    let lines: Vec<&str> = banner.lines().take_while(|line| !line.is_empty()).collect();
    assert!(lines.len() > 5 && lines.iter().all(|line| line.chars().count() <= 41), "{banner}");
    repl.line("load(\"gpt2-meduim\")");
    repl.expect(
        "hint: did you mean `gpt2-medium`?\r\n`tokenscope models` lists the names; a\r\nfolder works too\r\n",
    );
    repl.prompt(2);
    repl.leave(":q\r");
}

#[test]
fn two_sessions_share_a_history() {
    let home = tempfile::tempdir().unwrap();
    let history = home.path().join("history");
    let start = || {
        Repl::start_with(tempfile::tempdir().unwrap(), |command| {
            command.env("NO_COLOR", "1").env("TOKENSCOPE_HISTORY", &history);
        })
    };
    let mut first = start();
    first.line("let mine = 1");
    first.prompt(2);
    let mut second = start();
    // It knows what the first has run so far.
    second.keys("\x1b[A");
    second.expect("let mine = 1");
    second.line("");
    second.prompt(2);
    second.line("let theirs = 2");
    second.prompt(3);
    first.line("let last = 3");
    first.prompt(3);
    // Each goes back through its own.
    first.keys("\x1b[A");
    first.expect("let last = 3");
    first.keys("\x1b[A");
    first.expect("let mine = 1");
    first.control(CTRL_C);
    first.prompt(3);
    first.leave(":q\r");
    second.leave(":q\r");
    // Nothing of either is lost, and who comes next knows all of it.
    let written = std::fs::read_to_string(&history).unwrap();
    assert_eq!(written, "let mine = 1\nlet mine = 1\nlet theirs = 2\nlet last = 3\n:q\n:q\n");
    let mut third = start();
    for entry in [":q", "let last = 3", "let theirs = 2", "let mine = 1"] {
        third.keys("\x1b[A");
        third.expect(entry);
    }
    third.control(CTRL_C);
    third.prompt(1);
    third.leave(":q\r");
}
