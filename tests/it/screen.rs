//! What a terminal shows beyond text: pictures, ghosts, long results.

use crate::repl::Repl;

/// A REPL in colour that knows a protocol for pictures, or none.
fn with_graphics(protocol: &str) -> Repl {
    Repl::start_with(tempfile::tempdir().unwrap(), |command| {
        command.env("TOKENSCOPE_GRAPHICS", protocol);
    })
}

#[test]
fn a_chart_is_a_picture_where_the_terminal_draws_those() {
    for (protocol, begin) in
        [("kitty", "\x1b_Ga=T,f=100"), ("iterm", "\x1b]1337;File=inline=1"), ("sixel", "\x1bP0;1;0q")]
    {
        let mut repl = with_graphics(protocol);
        repl.line("chart(next_probs(\"Once upon a time\"), 3)");
        repl.expect(begin);
        repl.expect("chart saved as ./chart-1.png");
        repl.prompt(2);
        repl.line(":plots inline");
        repl.expect("charts: inline");
        repl.prompt(2);
        repl.line("chart(next_probs(\"Once upon a time\"), 3)");
        let shown = repl.prompt(3);
        assert!(shown.contains(begin) && !shown.contains("chart saved"), "{protocol}");
        assert!(
            repl.home.path().join("chart-1.png").exists() && !repl.home.path().join("chart-2.png").exists()
        );
        repl.leave(":q\r");
    }
}

#[test]
fn charts_go_where_they_are_sent() {
    let mut repl = Repl::start_with(tempfile::tempdir().unwrap(), |command| {
        command.env("NO_COLOR", "1").args(["--plots", "file", "--plot-dir", "pictures"]);
    });
    repl.line("chart(next_probs(\"Once upon a time\"), 3)");
    repl.expect("Out[1]: chart saved as pictures/chart-1.png");
    repl.prompt(2);
    repl.line(":plots none");
    repl.expect("charts: none");
    repl.prompt(2);
    repl.line("chart(next_probs(\"Once upon a time\"), 3)");
    repl.expect("The 3 likeliest next tokens");
    repl.prompt(3);
    repl.line(":plots everywhere");
    repl.expect("takes one of `inline`, `file`, `both`, `none`, not `everywhere`");
    repl.prompt(3);
    assert!(!repl.home.path().join("pictures/chart-2.png").exists());
    repl.leave(":q\r");
}

#[test]
fn a_text_that_is_typed_has_a_ghost() {
    let mut repl = Repl::start();
    repl.line(":ghost on");
    repl.expect("ghost text: on, by pocket");
    repl.prompt(1);
    repl.keys("let x = \"Once upon a");
    // Grey, behind what was typed; drawn again when there is a second one to choose.
    let ghost = repl.expect("\x1b[90m time");
    assert!(ghost.contains("Once upon a"), "{ghost}");
    repl.expect("\x1b[90m time");
    repl.keys("\x1bn");
    repl.expect("\x1b[90m large");
    // Right takes it.
    repl.keys("\x1b[C\";");
    repl.line("");
    repl.prompt(2);
    repl.line("x.starts_with(\"Once upon a large\")");
    repl.expect("true");
    repl.prompt(3);
    repl.line(":ghost off");
    repl.expect("ghost text: off");
    repl.prompt(3);
    repl.leave(":q\r");
}

#[test]
fn a_long_result_is_cut_and_shown_on_demand() {
    let mut repl = Repl::start_with(tempfile::tempdir().unwrap(), |command| {
        command.env("NO_COLOR", "1").env("PAGER", "cat");
    });
    repl.line("let rows = []; for n in 0..90 { rows.push(#{ n: n }); } table(rows)");
    let shown = repl.expect("`:more` shows all");
    assert!(!shown.contains(" 89 "), "{shown}");
    repl.prompt(2);
    repl.line(":more");
    repl.expect(" 89 ");
    repl.prompt(2);
    // A single line may be too long as well.
    repl.line("let word = \"\"; word.pad(9000, \"x\"); word + \"end\"");
    let shown = repl.expect("more characters: `:more` shows all 9005");
    assert!(!shown.contains("xend"), "{shown}");
    repl.prompt(3);
    repl.line(":more");
    repl.expect("xend");
    repl.prompt(3);
    // And nobody waits for a million rows.
    repl.line("word.replace(\"x\", \"a b \"); tokenize(word)");
    repl.expect("more lines: `:more` shows all 10006");
    repl.prompt(4);
    repl.leave(":q\r");
}

#[test]
fn the_folder_and_the_width_are_the_users() {
    let mut repl = Repl::plain();
    std::fs::create_dir(repl.home.path().join("deep")).unwrap();
    repl.line(":cd de\t");
    repl.expect("/deep");
    repl.prompt(1);
    repl.line("save([1], \"numbers.json\");");
    repl.prompt(2);
    assert!(repl.home.path().join("deep/numbers.json").exists());
    repl.line(":cd nowhere");
    repl.expect("error: cannot go to `nowhere`");
    repl.prompt(2);
    repl.line(":width 30");
    repl.expect("30 columns");
    repl.prompt(2);
    repl.line("next_probs(\"Once upon a time\")");
    // The terminal hands out bytes, one in each character.
    let shown: Vec<u8> = repl.prompt(3).chars().map(|byte| byte as u8).collect();
    let shown = String::from_utf8(shown).unwrap();
    let table = shown.lines().filter(|line| line.starts_with(['╭', '│', '╰']));
    assert!(
        table.clone().count() > 3 && table.clone().all(|line| line.trim_end().chars().count() <= 30),
        "{shown}"
    );
    repl.line(":width 3");
    repl.expect("error: `:width` takes `auto`\r\nor a number from 20 to 1000,\r\nnot `3`\r\n");
    repl.prompt(3);
    repl.leave(":q\r");
}

#[test]
fn vi_keys_are_there_for_those_who_have_them_in_their_fingers() {
    let mut repl = Repl::start_with(tempfile::tempdir().unwrap(), |command| {
        command.env("NO_COLOR", "1").args(["--keys", "vi"]);
    });
    // Escape, back to the start, and another digit.
    repl.keys("1 + 1");
    repl.expect("1 + 1");
    repl.keys("\x1b0r4");
    repl.expect("4 + 1");
    repl.line("");
    repl.expect("Out[1]: 5");
    repl.prompt(2);
    repl.leave(":q\r");
}
