//! The command line, as somebody at a shell sees it.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tokenscope::hub::{Hub, Settings as HubSettings};
use tokenscope::interrupt::Interrupt;
use tokenscope::render::{Output, TextStyle};
use tokenscope::script::registry::bindings;
use tokenscope::script::{Origin, Session, Settings};

use super::helpers::{finish, fixture, program, ran, run, run_with};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

/// What a line of code prints.
#[track_caller]
fn eval(code: &str) -> String {
    run(folder().path(), &["eval", code]).succeeded()
}

/// How a line of code fails.
#[track_caller]
fn fails(code: &str) -> String {
    run(folder().path(), &["eval", code]).failed(1)
}

#[test]
fn a_script_shows_what_its_cells_end_with() {
    let folder = folder();
    write(folder.path(), "a.rhai", "// %%\n1 + 1\n// %%\nlet x = 5;\n// %%\nprint(x);\nx * 2\n");
    assert_eq!(run(folder.path(), &["run", "a.rhai"]).succeeded(), "2\n5\n10\n");
    assert_eq!(eval("40 + 2"), "42\n");
    assert_eq!(eval("40 + 2;"), "");
    assert_eq!(eval("-40 + 2"), "-38\n");
}

#[test]
fn scripts_run_one_after_the_other_in_one_session() {
    let folder = folder();
    write(folder.path(), "a.rhai", "let x = 20;\nfn twice(x) { 2 * x }\n");
    write(folder.path(), "b.rhai", "twice(x) + 2\n");
    assert_eq!(run(folder.path(), &["run", "a.rhai", "b.rhai"]).succeeded(), "42\n");
}

#[test]
fn standard_input_is_a_script_too() {
    let folder = folder();
    assert_eq!(run_with(folder.path(), &["run", "-"], "6 * 7").succeeded(), "42\n");
    assert_eq!(run_with(folder.path(), &[], "print(\"piped\");\n6 * 7").succeeded(), "piped\n42\n");
    let error = run_with(folder.path(), &[], "let x = 1;\nx + y").failed(1);
    assert_eq!(error, "error: unknown variable `y`\n --> <stdin>:2:5\n  |\n2 | x + y\n  |     ^\n");
}

#[test]
fn a_script_in_the_place_of_a_command_is_told_how_to_run() {
    let folder = folder();
    write(folder.path(), "a.rhai", "1 + 1");
    let stderr = run(folder.path(), &["a.rhai"]).failed(2);
    assert!(stderr.contains("unrecognized subcommand 'a.rhai'"), "{stderr}");
    assert!(stderr.contains("tip: `tokenscope run a.rhai` runs it"), "{stderr}");
    // What is no file may be a mistyped command.
    assert!(run(folder.path(), &["rn.rhai"]).failed(2).contains("unrecognized subcommand 'rn.rhai'"));
    assert!(!run(folder.path(), &["b.rhai"]).failed(2).contains("tokenscope run"));
}

#[test]
fn wrong_usage_ends_with_two() {
    let folder = folder();
    assert!(run(folder.path(), &["run"]).failed(2).contains("<FILE>"));
    assert!(run(folder.path(), &["walk"]).failed(2).contains("walk"));
    let error = run(folder.path(), &["run", "missing.rhai"]).failed(2);
    assert!(error.starts_with("error: cannot read `missing.rhai`: "), "{error}");
}

#[test]
fn an_error_names_its_place_in_the_file() {
    let folder = folder();
    let script = "// %% [markdown]\n// # Title\n//\n// Some prose,\n// and more of it.\n\n// %%\nlet a = 1;\n\
                  let b = tokenise(\"a\");\n";
    write(folder.path(), "a.rhai", script);
    let error = run(folder.path(), &["run", "a.rhai"]).failed(1);
    let expected = "error: unknown function `tokenise`\n --> a.rhai:9:9\n  |\n9 | let b = tokenise(\"a\");\n  |         \
                    ^^^^^^^^\nhint: did you mean `tokenize(text: string) -> Tokens`?\n";
    assert_eq!(error, expected);
}

#[test]
fn an_error_inside_an_earlier_function_names_both_places() {
    let folder = folder();
    let script = "// %%\nfn first(list) {\n    list[0].nothing\n}\n// %%\nlet x = 1;\n// %%\n\nfirst([tokenize(\"a\")])\n";
    write(folder.path(), "a.rhai", script);
    let error = run(folder.path(), &["run", "a.rhai"]).failed(1);
    let expected = "error: a Tokens has no field `nothing`\n --> a.rhai:3:13\n  |\n3 |     list[0].nothing\n  |             \
                    ^^^^^^^\n  in `first`, called at a.rhai:9\nhint: it has `ids`, `pieces`, `text`\n";
    assert_eq!(error, expected);
}

#[test]
fn what_ran_before_an_error_stays_on_standard_output() {
    let folder = folder();
    write(folder.path(), "a.rhai", "// %%\n1\n// %%\nnext_probs(\"\")\n// %%\n2\n");
    let ran = run(folder.path(), &["run", "a.rhai"]);
    assert_eq!(ran.stdout, "1\n");
    let expected = "error: the prompt is empty\n --> a.rhai:4:1\n  |\n4 | next_probs(\"\")\n  | ^^^^^^^^^^\n\
                    hint: `\"<|endoftext|>\"` stands for the start of a text\n";
    assert_eq!(ran.failed(1), expected);
}

#[test]
fn errors_speak_of_what_was_typed() {
    let first_and_hint = |code: &str| {
        let error = fails(code);
        let hint = error.lines().find_map(|line| line.strip_prefix("hint: ")).unwrap_or("-");
        format!("{code}\n    {}\n    {hint}\n", error.lines().next().unwrap())
    };
    let codes = [
        "_ + 1",
        "\"a\" - 1",
        "!5",
        "tokenize(\"a\") + \" b\"",
        "tokenize(\"a\").idz",
        "tokenize(\"a\").nothing",
        "let t = tokenize(\"a\"); t.ids = 3;",
        "#{a: 1}.b.c",
        "let x = 5; x()",
        "nxt_probs(\"a\")",
        "tokenize(1)",
        "decode(99999999)",
        "decode(-1)",
        "decode(\"x\")",
        "tokens([1, \"a\"])",
        "tokenize(\"a b\")[7]",
        "next_probs(\"a\").top(0)",
        "next_probs(\"a\").p(\"two words\")",
        "next_probs(\"a\").p(50257)",
        "next_probs(5)",
        "sample(\"a\", #{ topk: 3 })",
        "sample(\"a\", #{ top_p: 1.5 })",
        "sample(\"a\", #{ seed: -1 })",
        "generate(\"a\", #{ max_length: 1 })",
        "generate(\"a\", #{ max_new_tokens: 5000 })",
        "generate(\"a\", #{ temperature: 0 })",
        "generate(\"a\", #{ temperature: \"hot\" })",
        "chart(5)",
        "table(5)",
        "save(1, \"x.png\")",
        "save(tokenize(\"a\"), \"x.txt\")",
        "save(1, \"../x.json\")",
        "save(1, \"/x.json\")",
        "help(\"next_prob\")",
        "load(\"gpt2-meduim\")",
        "import \"x\" as y;",
        "fn f(x) { f(x + 1) } f(0)",
        "tokenize(\"a\"",
        "let x = ;",
        "'abc'",
        "\"abc",
        "throw \"my own\"",
        "1 / 0",
        "[1, 2][9]",
        "next_probs(tokenize(\"a \".to_string()).slice(0, 0))",
    ];
    insta::assert_snapshot!(codes.map(first_and_hint).join("\n"));
}

#[test]
fn charts_go_into_the_output_folder_under_the_scripts_name() {
    let folder = folder();
    write(folder.path(), "my.rhai", "let p = next_probs(\"The\");\nshow(chart(p, 3));\nchart(p)\n");
    let out = run(folder.path(), &["run", "my.rhai", "--out", "charts/new"]).succeeded();
    assert_eq!(out, "chart saved as charts/new/my-1.png\nchart saved as charts/new/my-2.png\n");
    assert!(folder.path().join("charts/new/my-2.png").is_file());
    let out = run(folder.path(), &["eval", "save(chart(next_probs(\"The\")), \"a/b.svg\")", "--out", "x"]);
    assert_eq!(out.succeeded(), "\"x/a/b.svg\"\n");
    assert!(folder.path().join("x/a/b.svg").is_file());
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error_before_anything_runs() {
    let folder = folder();
    write(folder.path(), "file", "");
    let ran = run(folder.path(), &["eval", "print(1)", "--out", "file/below"]);
    assert_eq!(ran.stdout, "");
    let error = ran.failed(1);
    assert!(error.starts_with("error: cannot create `file/below`: "), "{error}");
}

#[test]
fn a_script_cannot_write_outside_its_folder() {
    let folder = folder();
    std::os::unix::fs::symlink("/tmp", folder.path().join("link")).unwrap();
    for name in ["../x.json", "/tmp/x.json", "link/x.json", "a/../../x.json", ""] {
        let ran = run(folder.path(), &["eval", &format!("save(1, \"{name}\")")]);
        assert!(
            ran.failed(1).starts_with(&format!("error: `{name}` lies outside the output folder\n")),
            "{name}"
        );
    }
}

#[test]
fn nothing_is_coloured_unless_asked_for() {
    let folder = folder();
    write(folder.path(), "a.rhai", "// %% [markdown]\n// # A *title*\n// %%\nnext_probs(\"The\")\n");
    let has_escapes = |text: &str| text.contains('\x1b');
    assert!(!has_escapes(&run(folder.path(), &["run", "a.rhai"]).succeeded()));
    assert!(!has_escapes(
        &finish(program(folder.path()).env("NO_COLOR", "1").args(["run", "a.rhai"])).succeeded()
    ));
    assert!(has_escapes(&run(folder.path(), &["run", "a.rhai", "--color", "always"]).succeeded()));
    assert!(!has_escapes(&run(folder.path(), &["eval", "nothing"]).failed(1)));
}

#[test]
fn the_model_is_chosen_by_option_variable_or_script() {
    let folder = folder();
    let model = fixture("default");
    let model = model.to_str().unwrap();
    assert_eq!(eval("model().name"), "\"pocket\"\n");
    assert_eq!(run(folder.path(), &["eval", "model().layers", "--model", model]).succeeded(), "3\n");
    let mut with_variable = program(folder.path());
    with_variable.env("TOKENSCOPE_MODEL", model).args(["eval", "model().width"]);
    assert_eq!(finish(&mut with_variable).succeeded(), "32\n");
    with_variable.args(["--model", "pocket"]);
    assert_eq!(
        finish(&mut with_variable).succeeded(),
        eval("model().width"),
        "an option wins over the variable"
    );
    let code = format!("load(\"{model}\").heads + model().heads");
    assert_eq!(run(folder.path(), &["eval", &code, "--allow-read", model]).succeeded(), "8\n");
}

#[test]
fn a_model_that_cannot_be_loaded_leaves_the_old_one_in_use() {
    let code = "let said = (); try { load(\"gpt2-meduim\"); } catch (error) { said = error.to_string(); } \
                print(said); model().name";
    assert_eq!(eval(code), "unknown model `gpt2-meduim`\n\"pocket\"\n");
    let error = run(folder().path(), &["eval", "tokenize(\"a\")", "--model", "gpt2-meduim"]).failed(1);
    let hint = "hint: did you mean `gpt2-medium`? `tokenscope models` lists the names; a folder works too\n";
    assert!(error.starts_with("error: unknown model `gpt2-meduim`\n") && error.ends_with(hint), "{error}");
}

#[test]
fn models_lists_the_built_in_one_with_its_size() {
    let listed = run(folder().path(), &["models"]).succeeded();
    let pocket = listed.lines().find(|line| line.contains("pocket")).unwrap();
    assert!(pocket.contains("built in") && !pocket.contains(" 0.0 MB"), "{pocket}");
}

#[test]
fn a_runaway_loop_ends_when_it_is_interrupted() {
    let folder = folder();
    let mut command = program(folder.path());
    command.args(["eval", "print(\"started\"); loop { }"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "started\n");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    let error = ran(child.wait_with_output().unwrap()).failed(130);
    assert!(error.starts_with("error: interrupted\n"), "{error}");
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let folder = folder();
    let mut command = program(folder.path());
    command.args(["eval", "for i in 0..100000 { print(i); }"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut String::new()).unwrap();
    drop(stdout);
    let ran = ran(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
}

#[test]
fn json_is_one_line_that_another_program_reads_back() {
    let code = "print(json(#{ tokens: tokenize(\"a\\n🙂\"), p: next_probs(\"The\").top(2), none: (), x: [1, 2.5, true] }));";
    let text = eval(code);
    assert_eq!(text.lines().count(), 1);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["tokens"]["text"], "a\n🙂");
    assert_eq!(value["tokens"]["ids"][1], 198);
    assert_eq!(value["x"], serde_json::json!([1, 2.5, true]));
    assert!(value["none"].is_null());
    assert!(value["p"][0]["p"].as_f64().unwrap() >= value["p"][1]["p"].as_f64().unwrap());
    let whole = eval("print(json(next_probs(\"The\")));");
    let whole: serde_json::Value = serde_json::from_str(&whole).unwrap();
    let sum: f64 = whole["probabilities"].as_array().unwrap().iter().map(|p| p.as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-5, "{sum}");
    assert_eq!(
        eval("let text = json([1, \"a\"]); parse_json(\"{\\\"x\\\":\" + text + \"}\").x == [1, \"a\"]"),
        "true\n"
    );
}

#[test]
fn appending_ids_is_not_appending_text() {
    assert_eq!(eval("(tokenize(\"a\\n\") + 198).ids"), "[64, 198, 198]\n");
    assert_eq!(eval("tokenize((tokenize(\"a\\n\") + 198).text).ids"), "[64, 628]\n");
    assert_eq!(eval("let t = tokenize(\"a\"); t += 198; t += tokenize(\"\\n\"); t.ids"), "[64, 198, 198]\n");
    assert_eq!(eval("tokens([64, 198, 198]) == tokenize(\"a\\n\") + tokenize(\"\\n\")"), "true\n");
    assert_eq!(eval("tokens([64, 198, 198]) == tokenize(\"a\\n\\n\")"), "false\n");
    assert_eq!(eval("tokens([64, 198, 198]).text == tokenize(\"a\\n\\n\").text"), "true\n");
}

#[test]
fn tokens_are_a_list() {
    assert_eq!(eval("let t = tokenize(\"The cat sat\"); [t.len(), t[0], t[-1]]"), "[3, 464, 3332]\n");
    assert_eq!(eval("tokenize(\"The cat sat\").slice(1).text"), "\" cat sat\"\n");
    assert_eq!(eval("tokenize(\"The cat sat\").slice(-1).text"), "\" sat\"\n");
    assert_eq!(eval("tokenize(\"The cat sat\").slice(0, 2).text"), "\"The cat\"\n");
    assert_eq!(eval("tokenize(\"The cat sat\").slice(5, 2).len()"), "0\n");
    assert_eq!(eval("let sum = 0; for id in tokenize(\"The cat\") { sum += id; } sum"), "4261\n");
    assert_eq!(eval("let sum = 0.0; for p in next_probs(\"The cat\") { sum += p; } sum > 0.999"), "true\n");
    assert_eq!(eval("464 in tokenize(\"The cat\")"), "true\n");
    assert_eq!(
        eval("let all = \"\"; for piece in tokenize(\"The cat\").pieces { all += piece + \"|\"; } all"),
        "\"The| cat|\"\n"
    );
}

fn session(folder: &Path) -> Session {
    let hub = Hub::new(HubSettings::new(folder));
    let settings = Settings {
        model: "pocket".to_owned(),
        backend: Default::default(),
        hub: Some(hub),
        out: folder.to_owned(),
        allowed: Default::default(),
    };
    Session::new(settings, Interrupt::default(), Box::new(|_| {}))
}

fn cell(session: &mut Session, code: &str) -> String {
    match session.eval(code, &Origin { name: "cell".to_owned(), line: 1 }) {
        Ok(None) => String::new(),
        Ok(Some(Output::Text(text))) => text,
        Ok(Some(other)) => format!("{other:?}"),
        Err(report) => format!("error: {}", report.message),
    }
}

#[test]
fn results_are_kept_until_they_are_reset() {
    let folder = folder();
    let mut session = session(folder.path());
    assert_eq!(cell(&mut session, "6 * 7"), "42");
    assert_eq!(cell(&mut session, "_ + 1"), "43");
    assert_eq!(cell(&mut session, "let x = ans;"), "");
    assert_eq!(cell(&mut session, "[Out[1], Out[2], x]"), "[42, 43, 43]");
    assert_eq!(cell(&mut session, "unknown"), "error: unknown variable `unknown`");
    assert_eq!(cell(&mut session, "In[1]"), "\"6 * 7\"");
    assert_eq!(cell(&mut session, "fn f() { 1 } f()"), "1");
    // What a script makes of them holds until the next cell.
    assert_eq!(cell(&mut session, "Out = (); In.push(1);"), "");
    assert_eq!(cell(&mut session, "[Out[2], In[2], In.len()]"), "[43, \"_ + 1\", 10]");
    session.reset();
    assert_eq!(session.next_cell(), 1);
    assert_eq!(cell(&mut session, "x"), "error: unknown variable `x`");
    assert_eq!(cell(&mut session, "f()"), "error: unknown function `f`");
    assert_eq!(cell(&mut session, "[ans, Out.len()]"), "[(), 4]");
}

/// In a session of its own; one that gives a boolean must be true.
#[test]
fn every_example_runs() {
    let mut ran = 0;
    for binding in bindings() {
        for example in binding.examples() {
            let folder = folder();
            let mut session = session(folder.path());
            let shown = session.eval(example, &Origin { name: binding.name.clone(), line: 1 });
            let shown = shown
                .unwrap_or_else(|report| panic!("{example}{}", report.text(&TextStyle::unbroken(false))));
            assert_ne!(shown, Some(Output::Text("false".to_owned())), "{example}");
            ran += 1;
        }
    }
    assert!(ran >= 20, "only {ran} examples");
}

#[test]
fn input_is_the_next_line_of_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ask.rhai"), "let a = input(\"a? \"); let b = input(); print(a + b);")
        .unwrap();
    let ran = run_with(folder.path(), &["run", "ask.rhai"], "1\n2\r\n");
    assert_eq!(ran.succeeded(), "a? 1\n2\n12\n");
    let told = run_with(folder.path(), &["run", "ask.rhai"], "1\n").failed(1);
    assert!(told.contains("cannot ask for input: standard input has ended"), "{told}");
}

#[test]
fn a_notebook_is_run_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("book.ipynb");
    let cell = |source: &str| json!({ "cell_type": "code", "id": "a", "metadata": { "tags": ["x"] }, "source": source, "outputs": [], "execution_count": null });
    let book = |cells: &[Value]| json!({ "cells": cells, "metadata": { "mine": 1 }, "nbformat": 4, "nbformat_minor": 5 });
    std::fs::write(&path, book(&[cell("print(1); 2"), cell(""), cell("nope"), cell("3")]).to_string())
        .unwrap();
    let ran = run(folder.path(), &["run", "--inplace", "book.ipynb"]);
    assert!(ran.failed(1).contains("unknown variable `nope`"));
    let after: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(after["metadata"]["mine"], 1);
    assert_eq!(after["cells"][0]["metadata"]["tags"], json!(["x"]));
    let kinds = |index: usize| -> Vec<&str> {
        let outputs = after["cells"][index]["outputs"].as_array().unwrap();
        outputs.iter().map(|output| output["output_type"].as_str().unwrap()).collect()
    };
    assert_eq!(
        [kinds(0), kinds(1), kinds(2), kinds(3)],
        [vec!["stream", "execute_result"], vec![], vec!["error"], vec![]]
    );
    assert_eq!(after["cells"][2]["execution_count"], 2);

    std::fs::write(folder.path().join("a.rhai"), "1").unwrap();
    let told = run(folder.path(), &["run", "--inplace", "a.rhai"]).failed(2);
    assert!(told.contains("is no notebook") && told.contains("export"), "{told}");
}
