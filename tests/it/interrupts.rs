//! Ctrl-C: what runs stops, and what does not is named.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::helpers::fixture;
use crate::mirror::{Fault, Mirror};
use crate::repl::{CTRL_C, Repl};

/// From Ctrl-C to the next prompt. Machines may be busy: the bound that a person would notice is measured by
/// `scripts/measure_interrupt.py`; here it is enough that nothing runs to its end.
#[test]
fn whatever_runs_is_stopped() {
    const LONG: Duration = Duration::from_secs(30);
    let mut repl = Repl::plain();
    let long = "let text = \"\"; for n in 0..150 { text += \"Once upon a time there was a king. \"; }";
    repl.line(&format!("{long} print(\"ready\");"));
    repl.expect("ready");
    repl.prompt(2);
    let mut number = 2;
    for code in [
        "print(\"go\"); loop {}",
        "print(\"go\"); sleep(600)",
        "print(\"go\"); loop { generate(\"Once\", #{ max_new_tokens: 200 }); }",
        "print(\"go\"); loop { perplexity(text); }",
        "let probs = next_probs(\"a\"); print(\"go\"); loop { json(chart(probs, 40)); }",
        "let large = text; for n in 0..9 { large += large; } print(\"go\"); loop { tokenize(large); }",
        "let word = \"a\"; word.pad(3000000, \"a\"); print(\"go\"); loop { tokenize(word); }",
        "let many = tokenize(text); for n in 0..8 { many += many; } print(\"go\"); loop { many.pieces; many.text; }",
        "print(\"go\"); loop { many.table(); json(many); save(many, \"many.csv\"); save(many, \"many.md\"); }",
        "let page = report(\"Once upon a time\"); print(\"go\"); loop { save(page, \"page.html\"); }",
    ] {
        repl.line(code);
        repl.expect("go\r\n");
        let pressed = Instant::now();
        repl.control(CTRL_C);
        number += 1;
        let shown = repl.prompt(number);
        assert!(pressed.elapsed() < LONG, "{code}: {:?}", pressed.elapsed());
        // The mark would stand in a growing text, or keep a bar on the screen.
        assert!(!shown.contains("^C"), "{code}: {shown}");
    }
    repl.line("text.len() > 5000");
    repl.expect("true");
    repl.prompt(number + 1);
    repl.leave(":q\r");
}

#[test]
fn a_download_is_stopped_and_goes_on_later() {
    let mirror = Mirror::start();
    let files = ["config.json", "tokenizer.json", "model.safetensors"];
    let bytes = |file: &str| std::fs::read(fixture("default").join(file)).unwrap();
    let files: Vec<(&str, Vec<u8>)> = files.into_iter().map(|file| (file, bytes(file))).collect();
    mirror.publish("me/tiny", &"0".repeat(40), &files);
    mirror.break_file("model.safetensors", Fault::StallAfter(100_000));
    let mut repl = Repl::start_with(tempfile::tempdir().unwrap(), |command| {
        command.env("NO_COLOR", "1").env("HF_ENDPOINT", &mirror.endpoint);
        command.env_remove("HF_HUB_OFFLINE").env_remove("HF_TOKEN").env_remove("HF_HUB_CACHE");
    });
    repl.line("load(\"me/tiny\")");
    // The bar; what is left of the file never comes.
    repl.expect("model.safetensors");
    repl.control(CTRL_C);
    repl.expect("interrupted at [1]:1:1; variables are kept");
    repl.prompt(2);
    mirror.mend();
    repl.line("load(\"me/tiny\").name");
    repl.expect("Out[2]: \"me/tiny\"");
    repl.prompt(3);
    repl.leave(":q\r");
}

/// A file that is read without end stands for whatever does not come back: a disk far away, say.
#[cfg(unix)]
#[test]
fn a_second_ctrl_c_says_what_has_not_come_back() {
    let home = tempfile::tempdir().unwrap();
    let token = home.path().join("token");
    assert!(Command::new("mkfifo").arg(&token).status().unwrap().success());
    let mut repl = Repl::start_with(home, |command| {
        command.env("NO_COLOR", "1").env("HF_TOKEN_PATH", &token).env("HF_ENDPOINT", "http://127.0.0.1:9");
        command.env_remove("HF_HUB_OFFLINE").env_remove("HF_TOKEN");
    });
    repl.line("print(\"go\"); load(\"me/tiny\")");
    repl.expect("go\r\n");
    // Two presses at the same moment may count as one.
    let mut shown = String::new();
    while !shown.contains("has not come back") {
        repl.control(CTRL_C);
        std::thread::sleep(Duration::from_millis(20));
        shown.extend(std::iter::from_fn(|| repl.terminal.try_read()));
    }
    assert!(shown.contains("still stopping: a call in [1]:1 has not come back"), "{shown}");
    // It comes back after all.
    std::fs::write(&token, "").unwrap();
    repl.expect("interrupted at [1]:1:14; variables are kept");
    repl.prompt(2);
    repl.line("6 * 7");
    repl.expect("Out[2]: 42");
    repl.prompt(3);
    repl.leave(":q\r");
}
