//! A stranger's script: which files it may touch, and how much it may use up.

use crate::helpers::run;
use crate::repl::Repl;

#[test]
fn a_script_reads_only_what_is_allowed() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(folder.path().join("story.txt"), "Once upon a time").unwrap();
    let code = "print(tokenize(read_text(\"story.txt\")).len())";
    let refused = run(folder.path(), &["eval", code]).failed(1);
    assert!(refused.contains("error: `story.txt` lies outside the folders that may be read"), "{refused}");
    assert!(refused.contains("hint: start with `--allow-read .`"), "{refused}");
    assert_eq!(run(folder.path(), &["eval", code, "--allow-read", "."]).succeeded(), "4\n");
    // Several folders, of which one is not there.
    let other = other.path().to_str().unwrap();
    let arguments = ["--allow-read", "nowhere", "--allow-read", other, "eval", code];
    assert!(run(folder.path(), &arguments).failed(1).contains("lies outside"));
}

#[test]
fn a_script_writes_only_where_it_is_allowed() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = other.path().join("numbers.json");
    let code = format!("save([1, 2], {:?});", path.to_str().unwrap());
    let refused = run(folder.path(), &["eval", &code]).failed(1);
    assert!(
        refused.contains("lies outside the output folder") && refused.contains("--allow-write"),
        "{refused}"
    );
    assert!(!path.exists());
    run(folder.path(), &["eval", &code, "--allow-write", other.path().to_str().unwrap()]).succeeded();
    assert_eq!(std::fs::read_to_string(path).unwrap(), "[1,2]\n");
}

#[test]
fn a_script_that_uses_up_memory_or_the_stack_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let said = |code: &str| run(folder.path(), &["--max-memory", "0.2", "eval", code]).failed(1);
    let text = "let x = \"x\"; x.pad(1000000, 'x'); ";
    for (code, message) in [
        ("fn deep(n) { deep(n + 1) } deep(0)", "the functions call each other too deeply"),
        ("let x = \"x\"; loop { x += x; }", "a text becomes longer than 67108864 bytes"),
        ("let x = [1]; loop { x += x; }", "an array becomes larger than 1048576 values"),
        // Each of them is small, all together are not.
        ("let x = []; loop { x.push(next_probs(`${x.len()}`)); }", "but may take at most 0.2 GB"),
        // A script that catches errors does not go on.
        (
            "let x = []; loop { try { x.push(next_probs(`${x.len()}`)); } catch {} }",
            "but may take at most 0.2 GB",
        ),
    ] {
        let stderr = said(code);
        assert!(stderr.contains(message) && stderr.contains("hint: "), "{code}: {stderr}");
    }
    let stderr = said(&format!("{text} let all = []; loop {{ all.push(x + all.len()); }}"));
    assert!(stderr.contains("a text becomes longer than 67108864 bytes"), "{stderr}");
}

#[test]
fn after_too_much_memory_a_session_can_let_go_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut repl = Repl::start_with(folder, |command| {
        command.env("NO_COLOR", "1").args(["--max-memory", "0.1"]);
    });
    repl.line("let x = [];");
    repl.prompt(2);
    repl.line("loop { x.push(next_probs(`${x.len()}`)); }");
    repl.expect("but may take at most 0.1 GB");
    repl.prompt(3);
    repl.line("x = ();");
    repl.prompt(4);
    repl.line("for n in 0..100 { x = next_probs(\"a\"); }");
    let shown = repl.prompt(5);
    assert!(!shown.contains("error"), "{shown}");
    repl.leave(":q\r");
}
