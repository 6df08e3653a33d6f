//! The `tokenscope` program.

use std::process::ExitCode;
use std::thread;

/// Scripts recurse, and each level of theirs takes several of ours.
const STACK: usize = 256 << 20;

fn main() -> ExitCode {
    tokenscope::memory::keep();
    let program = thread::Builder::new().stack_size(STACK).spawn(tokenscope::cli::run);
    program.expect("a thread can be started").join().unwrap_or(ExitCode::FAILURE)
}
