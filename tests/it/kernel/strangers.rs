//! What others send changes nothing, and no kernel is left behind when its client dies.

use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use tokenscope::kernel::zmtp;

use super::client::{Client, PATIENCE, connect};

/// Numbers that look random and are the same in each run (xorshift64*).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn bytes(&mut self) -> Vec<u8> {
        (0..self.below(40)).map(|_| self.next() as u8).collect()
    }
}

#[test]
fn random_messages_and_bytes_end_nothing() {
    let mut client = Client::start();
    let mut noise = Noise(7);
    let (_, good) = client.request("execute_request", json!({ "code": "print(666)" }));
    for port in client.ports {
        for _ in 0..40 {
            // A peer that greets well, then sends a good message with some frames spoilt, cut or doubled.
            let mut stream = connect(port, "DEALER");
            let mut frames = good.clone();
            match noise.below(4) {
                0 => frames = (0..noise.below(9)).map(|_| noise.bytes()).collect(),
                1 => frames.truncate(noise.below(6)),
                2 => frames.insert(noise.below(6), noise.bytes()),
                _ => frames[2 + noise.below(4)] = noise.bytes(),
            }
            // The kernel may close the connection before all is written.
            let _ = stream.write_all(&zmtp::message(&frames));
            let mut bytes = zmtp::message(&good);
            let at = noise.below(bytes.len());
            bytes[at] ^= 1 << noise.below(8);
            bytes.truncate(noise.below(bytes.len()));
            let _ = stream.write_all(&bytes);
            // One that does not greet.
            let _ = TcpStream::connect(("127.0.0.1", port)).unwrap().write_all(&noise.bytes());
        }
    }
    // What was signed well has run at most; nothing else has, and the kernel answers.
    let (reply, published) = client.execute("6 * 7");
    assert_eq!(reply.content["status"], "ok");
    let result = published.iter().find(|message| message.kind == "execute_result").unwrap();
    assert_eq!(result.content["data"]["text/plain"], "42");
    assert_eq!(client.ask_control("interrupt_request", json!({})).content["status"], "ok");
}

#[test]
fn requests_with_strange_contents_are_answered() {
    let mut client = Client::start();
    let strange =
        [json!({}), json!({ "code": 3, "cursor_pos": "x" }), json!({ "code": "é", "cursor_pos": -1 })];
    let kinds = ["complete", "inspect", "is_complete", "history", "comm_info", "kernel_info", "execute"];
    for kind in kinds {
        for content in &strange {
            let (reply, _) = client.ask(&format!("{kind}_request"), content.clone());
            assert_eq!(reply.kind, format!("{kind}_reply"));
            assert!(reply.content["status"].is_string(), "{reply:?}");
        }
    }
    let far = json!({ "code": "next_probs", "cursor_pos": u64::MAX, "detail_level": 7 });
    assert_eq!(client.ask("inspect_request", far).0.content["status"], "ok");
    let search = json!({ "hist_access_type": "search", "n": -3, "pattern": "*", "unique": 1 });
    assert_eq!(client.ask("history_request", search).0.content["status"], "ok");
    let range = json!({ "hist_access_type": "range", "session": i64::MIN, "start": 9, "stop": -9 });
    assert_eq!(client.ask("history_request", range).0.content["history"], json!([]));
    client.send("nonsense_request", json!({}));
    assert_eq!(client.execute("1").0.content["status"], "ok");
}

#[cfg(unix)]
#[test]
fn a_kernel_whose_client_was_killed_ends_also_while_it_computes() {
    for code in ["1", "print(1); loop {}"] {
        // The shell stands for the client: it starts the kernel and is then killed.
        let mut command = Command::new("sh");
        command.args(["-c", "\"$0\" \"$@\" & wait", env!("CARGO_BIN_EXE_tokenscope")]);
        command.env("JPY_PARENT_PID", "1");
        let mut client = Client::start_by(command);
        client.send("execute_request", json!({ "code": code }));
        while client.published().kind == "status" {}
        client.process.kill().unwrap();
        let begun = Instant::now();
        while client.ports.iter().any(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok()) {
            assert!(begun.elapsed() < PATIENCE, "the kernel is still there");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
