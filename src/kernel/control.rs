//! What is answered while the session computes: interrupt, shutdown, and who we are.

use serde_json::json;

use super::{Kernel, Request, log, shell};

pub fn answer(kernel: &Kernel, request: &Request) {
    kernel.status("busy", request);
    match request.kind.as_str() {
        "kernel_info_request" => kernel.wire.reply(request, &shell::info()),
        "interrupt_request" => {
            kernel.interrupt.request();
            kernel.wire.reply(request, &json!({ "status": "ok" }));
        }
        "shutdown_request" => return kernel.shut_down(request),
        other => log(&format!("dropped a `{other}` on the control socket: not known here")),
    }
    kernel.status("idle", request);
}
