//! The Jupyter kernel, spoken to as its clients speak to it.

mod client;
mod strangers;

use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use client::{Client, Message, connect, connect_as, read};
use serde_json::json;
use tokenscope::kernel::zmtp::{self, Received};

use crate::helpers::fixture;
use crate::mirror::{Fault, Mirror};

fn kinds(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.kind.as_str()).collect()
}

#[test]
fn a_cell_prints_shows_and_gives_a_value() {
    let mut client = Client::start();
    let (reply, published) = client.execute("print(\"hello\"); show(tokenize(\"The cat\")); 6 * 7");
    assert_eq!((&reply.content["status"], &reply.content["execution_count"]), (&json!("ok"), &json!(1)));
    assert_eq!(kinds(&published), ["execute_input", "stream", "display_data", "execute_result"]);
    assert_eq!(published[1].content, json!({ "name": "stdout", "text": "hello\n" }));
    let table = &published[2].content["data"];
    assert!(table["text/html"].as_str().unwrap().contains("<table"));
    assert!(table["text/plain"].is_string() && table["text/markdown"].is_string());
    assert_eq!(published[3].content["data"]["text/plain"], "42");

    let (_, published) = client.execute("chart(next_probs(\"Once upon a time\"))");
    assert_eq!(published[1].metadata["image/png"]["width"], 800);
    assert!(published[1].content["data"]["image/svg+xml"].as_str().unwrap().contains("<svg"));

    for code in ["help(\"next_probs\")", "next_probs?"] {
        let (_, published) = client.execute(code);
        assert!(published[1].content["data"]["text/markdown"].as_str().unwrap().contains("vocabulary"));
    }
    let (reply, _) = client.execute("nothing_like_it?");
    assert_eq!((&reply.content["status"], &reply.content["execution_count"]), (&json!("error"), &json!(5)));
}

#[test]
fn failures_are_told_and_every_cell_has_its_own_number() {
    let mut client = Client::start();
    let (reply, published) = client.execute("let x = 1; nope");
    assert_eq!(kinds(&published), ["execute_input", "error"]);
    assert_eq!(reply.content["evalue"], "unknown variable `nope`");
    let (reply, _) = client.execute("let = ;");
    assert_eq!((&reply.content["status"], &reply.content["execution_count"]), (&json!("error"), &json!(2)));
    let (reply, published) = client.execute("x");
    assert_eq!(reply.content["execution_count"], 3);
    assert_eq!(published[1].content["data"]["text/plain"], "1");
    let (_, published) = client.execute("Out[3] + In.len");
    assert_eq!(published[1].content["data"]["text/plain"], "6");
}

#[test]
fn what_is_silent_or_not_stored_takes_no_number() {
    let mut client = Client::start();
    let (reply, published) = client.ask("execute_request", json!({ "code": "print(1); 2", "silent": true }));
    assert!(published.is_empty(), "{published:?}");
    assert_eq!(reply.content["execution_count"], 0);
    let expressions = json!({ "sum": "1 + y", "bad": "nope" });
    let content = json!({ "code": "let y = 2; y", "store_history": false, "user_expressions": expressions });
    let (reply, published) = client.ask("execute_request", content);
    assert_eq!(kinds(&published), ["execute_input", "execute_result"]);
    let answers = &reply.content["user_expressions"];
    assert_eq!(answers["sum"]["data"]["text/plain"], "3");
    assert_eq!(answers["bad"]["ename"], "Error");
    assert_eq!(client.execute("y").0.content["execution_count"], 1);
    let (reply, _) = client.ask("history_request", json!({ "hist_access_type": "tail", "n": 10 }));
    assert_eq!(reply.content["history"], json!([[1, 1, "y"]]));
}

#[test]
fn cells_behind_one_that_fails_do_not_run() {
    let mut client = Client::start();
    let first = client.send("execute_request", json!({ "code": "sleep(0.3); nope" }));
    let second = client.send("execute_request", json!({ "code": "let z = 1;" }));
    let replies = [read(&mut client.shell), read(&mut client.shell)];
    assert_eq!([&replies[0].parent, &replies[1].parent], [&first, &second]);
    assert_eq!(replies[1].content["status"], "aborted");
    client.until_idle(&second);

    client.send("execute_request", json!({ "code": "sleep(0.3); nope", "stop_on_error": false }));
    client.send("execute_request", json!({ "code": "5" }));
    assert_eq!(read(&mut client.shell).content["status"], "error");
    assert_eq!(read(&mut client.shell).content["status"], "ok");
}

#[test]
fn questions_about_code_are_answered() {
    let mut client = Client::start();
    client.execute("let tokens = tokenize(\"a\"); fn twice(x) { x * 2 }");
    let mut complete = |code: &str| {
        let cursor = code.chars().count();
        client.ask("complete_request", json!({ "code": code, "cursor_pos": cursor })).0.content
    };
    let answer = complete("/*é😀*/ next_pr");
    assert_eq!(answer["matches"], json!(["next_probs"]));
    assert_eq!((&answer["cursor_start"], &answer["cursor_end"]), (&json!(7), &json!(14)));
    assert_eq!(complete("tok")["matches"], json!(["tokenize", "tokens"]));
    assert_eq!(complete("twi")["matches"], json!(["twice"]));
    assert_eq!(complete("tokens.id")["matches"], json!(["ids"]));
    assert_eq!(complete("print(\"tok")["matches"], json!([]));

    let content = json!({ "code": "next_probs(", "cursor_pos": 11, "detail_level": 0 });
    let answer = client.ask("inspect_request", content).0.content;
    assert!(answer["data"]["text/markdown"].as_str().unwrap().contains("vocabulary"));
    let answer = client.ask("inspect_request", json!({ "code": "??", "cursor_pos": 1 })).0.content;
    assert_eq!((&answer["found"], &answer["status"]), (&json!(false), &json!("ok")));

    let mut is_complete =
        |code: &str| client.ask("is_complete_request", json!({ "code": code })).0.content["status"].clone();
    assert_eq!(is_complete("if x {"), "incomplete");
    assert_eq!(is_complete("x + 1"), "complete");
    assert_eq!(is_complete("let = ;"), "invalid");

    let answer = client.ask("kernel_info_request", json!({})).0.content;
    assert_eq!(answer["language_info"]["file_extension"], ".rhai");
    assert_eq!((&answer["protocol_version"], &answer["supported_features"]), (&json!("5.5"), &json!([])));
    assert_eq!(client.ask("comm_info_request", json!({})).0.content["comms"], json!({}));
}

#[test]
fn a_forged_or_broken_message_changes_nothing() {
    let mut client = Client::start();
    let code = json!({ "code": "print(\"heard\")" });
    let (id, good) = client.request("execute_request", code);
    let mut forged = good.clone();
    forged[5] = b"{\"code\":\"print(666)\"}".to_vec();
    let no_json = [&good[..2], &[b"{".to_vec(), vec![0xFF], Vec::new(), Vec::new()]].concat();
    for frames in [forged, no_json, vec![Vec::new()], good[..3].to_vec()] {
        client.shell.write_all(&zmtp::message(&frames)).unwrap();
    }
    // The same message twice: the second is a replay.
    client.shell.write_all(&zmtp::message(&good)).unwrap();
    client.shell.write_all(&zmtp::message(&good)).unwrap();
    // Somebody who speaks another protocol.
    let mut stranger = TcpStream::connect(("127.0.0.1", client.ports[0])).unwrap();
    stranger.write_all(&[b'x'; 100]).unwrap();

    assert_eq!(read(&mut client.shell).parent, id);
    let published = client.until_idle(&id);
    assert_eq!(published[1].content["text"], "heard\n");
    let (reply, published) = client.execute("1");
    assert_eq!(reply.content["execution_count"], 2);
    assert_eq!(kinds(&published), ["execute_input", "execute_result"]);
}

#[test]
fn an_interrupt_stops_a_script_and_keeps_its_variables() {
    let mut client = Client::start();
    client.execute("let kept = 5;");
    let id = client.send("execute_request", json!({ "code": "print(\"now\"); loop {}" }));
    while client.published().kind != "stream" {}
    assert_eq!(client.ask_control("interrupt_request", json!({})).content["status"], "ok");
    let reply = read(&mut client.shell);
    assert_eq!((reply.parent, &reply.content["ename"]), (id, &json!("Interrupted")));
    assert_eq!(client.execute("kept").1[1].content["data"]["text/plain"], "5");
}

#[test]
fn an_interrupt_stops_pictures_and_tables_that_are_shown() {
    let mut client = Client::start();
    client.execute(
        "let probs = next_probs(\"a\"); let rows = tokenize(\"a cat \"); for n in 0..12 { rows += rows; }",
    );
    for code in
        ["loop { show(chart(probs, 40)); }", "loop { show(rows); }", "loop { show(report(\"a cat\")); }"]
    {
        client.send("execute_request", json!({ "code": format!("print(\"now\"); {code}") }));
        while client.published().kind != "stream" {}
        // What is shown first is drawn already.
        while client.published().kind != "display_data" {}
        client.ask_control("interrupt_request", json!({}));
        assert_eq!(read(&mut client.shell).content["ename"], "Interrupted", "{code}");
    }
    assert_eq!(client.execute("rows.len()").1[1].content["data"]["text/plain"], "12288");
}

#[test]
fn an_interrupted_generation_keeps_its_text() {
    let mut client = Client::start();
    // One generation may end before it is interrupted.
    let code = "let last = (); print(\"now\");
        loop {
            last = generate(\"Once upon a time\", #{ max_new_tokens: 500 });
            if last.stopped == \"interrupted\" { break; }
        }";
    client.execute("next_probs(\"Load the model\");");
    // It may also be interrupted before its first token, which leaves no text.
    for attempt in 0.. {
        assert!(attempt < 20, "no generation was interrupted");
        client.send("execute_request", json!({ "code": code }));
        while client.published().kind != "stream" {}
        std::thread::sleep(Duration::from_millis(10 * attempt));
        client.ask_control("interrupt_request", json!({}));
        if read(&mut client.shell).content["status"] == "ok" {
            break;
        }
    }
    let (_, published) = client.execute("last.text");
    let text = published[1].content["data"]["text/plain"].as_str().unwrap().to_owned();
    assert!(text.contains("Once upon a time"), "{text}");
}

#[test]
fn the_heart_beats_while_a_script_runs() {
    let mut client = Client::start();
    client.send("execute_request", json!({ "code": "print(\"now\"); loop {}" }));
    while client.published().kind != "stream" {}
    let beat = vec![Vec::new(), b"ping".to_vec()];
    client.heartbeat.write_all(&zmtp::message(&beat)).unwrap();
    assert_eq!(zmtp::read(&mut client.heartbeat).unwrap(), Received::Message(beat));
}

#[test]
fn shutdown_ends_even_a_kernel_that_computes() {
    for restart in [false, true] {
        let mut client = Client::start();
        client.send("execute_request", json!({ "code": "print(\"now\"); loop {}" }));
        while client.published().kind != "stream" {}
        let reply = client.ask_control("shutdown_request", json!({ "restart": restart }));
        assert_eq!(reply.content, json!({ "status": "ok", "restart": restart }));
        client.wait();
        assert!(TcpStream::connect(("127.0.0.1", client.ports[0])).is_err());
    }
    let mut client = Client::start();
    let id = client.send("shutdown_request", json!({ "restart": false }));
    assert_eq!(read(&mut client.shell).parent, id);
    client.wait();
}

#[test]
fn a_second_client_hears_what_the_first_one_does() {
    let mut client = Client::start();
    let mut other = connect(client.ports[2], "SUB");
    // A command, as ZMTP 3.1 subscribes.
    other.write_all(&zmtp::command("SUBSCRIBE", b"tokenscope.stream")).unwrap();
    assert_eq!(read(&mut other).kind, "iopub_welcome");
    client.execute("print(1)");
    assert_eq!(read(&mut other).content["text"], "1\n");
}

/// A cell that asks, and what the client is asked.
fn ask_in_cell(client: &mut Client, code: &str) -> (String, Message) {
    let id = client.send("execute_request", json!({ "code": code, "allow_stdin": true }));
    let question = read(&mut client.stdin);
    assert_eq!((question.kind.as_str(), &question.parent), ("input_request", &id));
    (id, question)
}

#[test]
fn a_script_asks_the_client_that_runs_it() {
    let mut client = Client::start();
    // Somebody else listens too, and is not asked.
    let mut other = connect_as(client.ports[3], "DEALER", "another");
    let (id, question) = ask_in_cell(&mut client, "let name = input(\"Who? \"); `Hello, ${name}`");
    assert_eq!(question.content, json!({ "prompt": "Who? ", "password": false }));
    let (_, wrong) = client.request("input_reply", json!({ "value": "the wrong one" }));
    other.write_all(&zmtp::message(&wrong)).unwrap();
    let (_, answer) = client.request("input_reply", json!({ "value": "Ada" }));
    client.stdin.write_all(&zmtp::message(&answer)).unwrap();
    assert_eq!(read(&mut client.shell).content["status"], "ok");
    assert_eq!(client.until_idle(&id)[1].content["data"]["text/plain"], "\"Hello, Ada\"");
}

#[test]
fn a_question_that_nobody_answers_can_be_interrupted() {
    let mut client = Client::start();
    let (_, question) = ask_in_cell(&mut client, "let kept = 3; input()");
    client.ask_control("interrupt_request", json!({}));
    assert_eq!(read(&mut client.shell).content["ename"], "Interrupted");
    // What was answered too late answers nothing else, also where the next question is asked already.
    let (id, _) = ask_in_cell(&mut client, "input() + kept");
    let (_, late) = client.request_about(question.header, "input_reply", json!({ "value": "late" }));
    client.stdin.write_all(&zmtp::message(&late)).unwrap();
    let (_, answer) = client.request("input_reply", json!({ "value": "now" }));
    client.stdin.write_all(&zmtp::message(&answer)).unwrap();
    read(&mut client.shell);
    assert_eq!(client.until_idle(&id)[1].content["data"]["text/plain"], "\"now3\"");
}

#[test]
fn a_client_that_takes_no_input_is_not_asked() {
    let mut client = Client::start();
    let (reply, _) = client.ask("execute_request", json!({ "code": "input()", "allow_stdin": false }));
    assert!(reply.content["evalue"].as_str().unwrap().contains("allow_stdin"), "{reply:?}");
    // One that goes away does not hold up the kernel.
    ask_in_cell(&mut client, "input()");
    client.stdin.shutdown(std::net::Shutdown::Both).unwrap();
    let reply = read(&mut client.shell);
    assert!(reply.content["evalue"].as_str().unwrap().contains("gone"), "{reply:?}");
}

#[test]
fn a_download_shows_as_one_bar_that_fills() {
    let mirror = Mirror::start();
    let files = ["config.json", "tokenizer.json", "model.safetensors"];
    let bytes = |file: &str| std::fs::read(fixture("default").join(file)).unwrap();
    let files: Vec<(&str, Vec<u8>)> = files.into_iter().map(|file| (file, bytes(file))).collect();
    mirror.publish("me/tiny", &"0".repeat(40), &files);
    // Slow enough to be shown: what takes less than a second is not.
    mirror.break_file("model.safetensors", Fault::Slow);
    let cache = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tokenscope"));
    command.env("HF_ENDPOINT", &mirror.endpoint).env("HF_HUB_CACHE", cache.path());
    command.env_remove("HF_HUB_OFFLINE").env_remove("HF_TOKEN");
    let mut client = Client::start_by(command);
    let id = client.send("execute_request", json!({ "code": "load(\"me/tiny\")" }));
    let mut bars = Vec::new();
    while bars.len() < 3 {
        let message = client.published();
        match message.kind.as_str() {
            "display_data" | "update_display_data" => bars.push(message),
            kind => assert!(["status", "execute_input"].contains(&kind), "{message:?}"),
        }
    }
    client.ask_control("interrupt_request", json!({}));
    assert_eq!(read(&mut client.shell).content["ename"], "Interrupted");
    bars.extend(client.until_idle(&id).into_iter().filter(|message| message.kind == "update_display_data"));
    assert_eq!(bars[0].kind, "display_data");
    assert!(bars[1..].iter().all(|bar| bar.kind == "update_display_data"));
    assert!(bars.iter().all(|bar| bar.content["transient"] == bars[0].content["transient"]));
    let done = |bar: &Message| {
        let html = bar.content["data"]["text/html"].as_str().unwrap();
        html.split('"').nth(1).unwrap().parse::<u64>().unwrap()
    };
    assert!(done(&bars[0]) < done(&bars[2]), "{bars:?}");
}
