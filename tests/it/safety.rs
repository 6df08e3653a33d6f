//! A stranger's script: which files it may touch, and how much it may use up.

use crate::helpers::{fixture, run};
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
fn a_script_loads_only_models_that_it_may_read() {
    let folder = tempfile::tempdir().unwrap();
    let model = fixture("default");
    let model = model.to_str().unwrap();
    for code in [
        format!("load({model:?}).name.len() > 0"),
        format!("compare({model:?}, {model:?}, \"the river\").js < 0.1"),
    ] {
        let refused = run(folder.path(), &["eval", &code]).failed(1);
        let fact = format!("error: the model `{model}` lies outside the folders that may be read");
        assert!(refused.contains(&fact), "{refused}");
        assert!(
            refused.contains(&format!("hint: start with `--allow-read {model}` or `--model {model}`")),
            "{refused}"
        );
        for option in ["--allow-read", "--model"] {
            assert_eq!(run(folder.path(), &[option, model, "eval", &code]).succeeded(), "true\n", "{option}");
        }
    }
    // Whether it is there is nobody's business.
    let refused = run(folder.path(), &["eval", "load(\"/nowhere/model.gguf\")"]).failed(1);
    assert!(refused.contains("lies outside"), "{refused}");
    assert_eq!(run(folder.path(), &["eval", "load(\"pocket\").name"]).succeeded(), "\"pocket\"\n");
}

#[test]
fn what_a_kernel_may_read_is_written_into_its_kernelspec() {
    let (folder, prefix) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let prefix = prefix.path().to_str().unwrap();
    std::fs::create_dir(folder.path().join("texts")).unwrap();
    let install = ["kernel", "install", "--prefix", prefix];
    let options = ["--allow-read", "texts", "--allow-write", ".", "--threads", "2"];
    run(folder.path(), &[&install[..], &options].concat()).succeeded();
    let spec = std::fs::read(format!("{prefix}/share/jupyter/kernels/tokenscope/kernel.json")).unwrap();
    let spec: serde_json::Value = serde_json::from_slice(&spec).unwrap();
    let here = folder.path().canonicalize().unwrap();
    let (texts, here) = (here.join("texts").display().to_string(), here.display().to_string());
    let said: Vec<&str> =
        spec["argv"].as_array().unwrap()[5..].iter().map(|word| word.as_str().unwrap()).collect();
    assert_eq!(said, ["--allow-read", &texts, "--allow-write", &here, "--threads", "2"]);
    let refused = run(folder.path(), &[&install[..], &["--allow-read", "nowhere"]].concat()).failed(2);
    assert!(refused.contains("cannot open `nowhere`"), "{refused}");
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
        ("let x = [1]; loop { x += x; }", "an array becomes larger than 524288 values"),
        (
            "let x = \"x\"; x.pad(1000000, 'x'); let y = x; y.replace(\"x\", x);",
            "a text becomes longer than 67108864 bytes",
        ),
        (
            "let x = \"x\"; x.pad(1000000, 'x'); let y = x; y.replace('x', x);",
            "a text becomes longer than 67108864 bytes",
        ),
        // In the memory it is there once.
        (
            "let x = \"x\"; x.pad(1000000, 'x'); let all = []; loop { all.push(x); }",
            "a text becomes longer than 67108864 bytes",
        ),
        (
            "let x = tokens(1); loop { x += x; if x.len() > 2000000 { x.ids } }",
            "an array becomes larger than 524288 values",
        ),
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
fn a_text_that_stays_short_is_replaced_in() {
    let folder = tempfile::tempdir().unwrap();
    let code = "let x = \"a cat, a hat\"; x.replace(\"a \", \"the \"); x.replace('t', \"tt\"); x.replace(\"the\", 'a');
        x.replace('c', 'b'); x.replace(\"no\", \"yes\"); x";
    assert_eq!(run(folder.path(), &["eval", code]).succeeded(), "\"ta batt, ta hatt\"\n");
}

#[test]
fn a_call_that_takes_too_much_memory_ends_before_it_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let code = "let kept = 40; let text = \"\"; for n in 0..100 { text += \"Once upon a time \"; }
        try { attention(text); print(\"done\"); } catch (error) { print(error); }
        print(kept + 2);";
    let shown = run(folder.path(), &["--max-memory", "0.01", "eval", code]).succeeded();
    assert!(
        shown.starts_with("the values take ") && shown.ends_with("but may take at most 10 MB\n42\n"),
        "{shown}"
    );
    assert_eq!(run(folder.path(), &["eval", code]).succeeded(), "done\n42\n");
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
