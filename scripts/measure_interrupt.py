"""How long Ctrl-C takes: from the key to the next prompt, through a pseudo-terminal, for everything that may run long.

    cargo build --release && python3 scripts/measure_interrupt.py [--kernel] [WORD …]

With `--kernel` from a notebook's request to the reply of its cell, through Jupyter's client (`pip install
jupyter_client`). Words choose what is measured: what has one of them in its name. Prints the median and the worst of several presses, each at another moment, and ends with 1 if one took over 100 ms.
"""

import argparse
import http.server
import os
import pty
import select
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

PROGRAM = Path(__file__).parent.parent / "target" / "release" / "tokenscope"
PRESSES = 7
BOUND = 0.1

SET_UP = (
    'let text = ""; for n in 0..150 { text += "Once upon a time there was a king. "; } let probs = next_probs("a");'
    'let large = text; for n in 0..9 { large += large; } let word = "a"; word.pad(3000000, "a");'
    "let half = tokenize(text); while half.len() < 250000 { half += half; } let millions = half + half;"
    "millions += millions; millions += millions; millions += millions; let page = report(\"Once upon a time there was a king\");"
)
LONG = {
    "a loop": "loop {}",
    "sleep": "sleep(600)",
    "generate": 'loop { generate("Once", #{ max_new_tokens: 200 }); }',
    "beam search": 'loop { generate("Once", #{ max_new_tokens: 100, num_beams: 8 }); }',
    "reading a long text": "loop { perplexity(text); }",
    "a prompt of 500 tokens": "loop { next_probs(tokenize(text).slice(0, 400 + 1) + (timestamp().elapsed * 1e9).to_int() % 50000); }",
    "attention": 'loop { attention(tokenize(text).slice(0, 200)); }',
    "drawing charts": 'loop { save(chart(probs, 40), "chart.png"); }',
    "showing charts": "loop { show(chart(probs, 40)); }",
    "a download": 'load("me/endless")',
    "cutting a long text": "loop { tokenize(large); }",
    "cutting a long word": "loop { tokenize(word); }",
    "ids of half a million": "loop { half.ids; }",
    "pieces of half a million": "loop { half.pieces; }",
    "the text of millions": "loop { millions.text; }",
    "a table of millions": "loop { table(millions); }",
    "JSON of millions": "loop { json(millions); }",
    "saving millions as CSV": 'loop { save(millions, "t.csv"); }',
    "saving millions in Markdown": 'loop { save(millions, "t.md"); }',
    "saving a report": 'loop { save(page, "t.html"); }',
    "printing a long text": "loop { print(large); }",
    "writing a long array": "let ids = half.ids; loop { let written = `${ids}`; }",
    "sorting a long array": "let texts = half.pieces; loop { let sorted = texts; sorted.sort(); }",
    "copying a long array": "let ids = half.ids; loop { let copy = ids; }",
}


class Hub(http.server.BaseHTTPRequestHandler):
    """A model hub with one model, whose weights come slowly and for ever."""

    FILES = Path(__file__).parent.parent / "tests" / "fixtures" / "default"
    ENDLESS = 1 << 40

    def do_GET(self):
        name = self.path.rsplit("/", 1)[-1]
        if not self.path.startswith("/me/endless/resolve/") or not (self.FILES / name).is_file():
            return self.send_error(404)
        body = (self.FILES / name).read_bytes()
        size = self.ENDLESS if name == "model.safetensors" else len(body)
        asked = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")
        first, last = int(asked[0]), int(asked[1] or size - 1)
        self.send_response(206)
        self.send_header("ETag", f'"{name}"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.send_header("Content-Length", last - first + 1)
        self.end_headers()
        if size < self.ENDLESS or last == 0:
            return self.wfile.write(body[first : last + 1])
        try:
            while True:
                self.wfile.write(bytes(1000))
                time.sleep(0.01)
        except OSError:
            pass

    def log_message(self, *_):
        pass


def environment(folder, hub):
    own = {"TERM": "xterm", "NO_COLOR": "1", "TOKENSCOPE_HISTORY": "", "XDG_CONFIG_HOME": folder, "TOKENSCOPE_STATE": folder}
    return dict(os.environ, HF_HOME=folder, HF_ENDPOINT=hub, HF_HUB_OFFLINE="0", **own)


class Repl:
    def __init__(self, folder, hub):
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            os.chdir(folder)
            os.execve(PROGRAM, [str(PROGRAM)], environment(folder, hub))
        self.seen = b""
        self.wait()

    def send(self, text):
        os.write(self.terminal, text.encode())

    def expect(self, text, patience=60):
        end = time.monotonic() + patience
        while text not in self.seen:
            if not select.select([self.terminal], [], [], max(0, end - time.monotonic()))[0]:
                raise TimeoutError(f"no {text!r} in {self.seen[-300:]!r}")
            # What may be the beginning of the text stays; the rest of a long output is of no use.
            self.seen = self.seen[-len(text) :] + os.read(self.terminal, 65536)
        self.seen = self.seen.split(text, 1)[1]

    def run(self, code):
        self.send(code + "\r")

    def begin(self, code):
        self.run(f'print("g" + "o"); {code}')
        self.expect(b"go\r\n")

    def interrupt(self):
        self.send("\x03")

    def wait(self):
        # The editor asks for pastes to be marked whenever it begins to read.
        self.expect(b"\x1b[?2004h")

    def close(self):
        self.send(":q\r")
        os.waitpid(self.process, 0)


class Kernel:
    def __init__(self, folder, hub):
        from jupyter_client import KernelManager
        from jupyter_client.kernelspec import KernelSpec

        self.manager = KernelManager()
        command = [str(PROGRAM), "kernel", "run", "--connection-file", "{connection_file}", "--out", folder]
        self.manager._kernel_spec = KernelSpec(argv=command, interrupt_mode="message")
        self.manager.start_kernel(env=environment(folder, hub), cwd=folder)
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def run(self, code):
        self.asked = self.client.execute(code)

    def begin(self, code):
        self.run(f'print("go"); {code}')
        while self.client.get_iopub_msg(timeout=60)["msg_type"] != "stream":
            pass

    def interrupt(self):
        self.client.control_channel.send(self.client.session.msg("interrupt_request"))

    def wait(self):
        while self.client.get_shell_msg(timeout=60)["parent_header"].get("msg_id") != self.asked:
            pass

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel()


def presses(front, code):
    """Seconds from each request to stop until the next code can run."""
    for press in range(PRESSES):
        front.begin(code)
        time.sleep(0.3 + 0.037 * press)
        start = time.monotonic()
        front.interrupt()
        front.wait()
        yield time.monotonic() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", metavar="WORD", nargs="*", help="only what has one of them in its name")
    parser.add_argument("--kernel", action="store_true", help="through Jupyter's client")
    arguments = parser.parse_args()
    hub = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    chosen = [name for name in LONG if any(word in name for word in arguments.words or [""])]
    slow = False
    with tempfile.TemporaryDirectory() as folder:
        front = (Kernel if arguments.kernel else Repl)(folder, f"http://127.0.0.1:{hub.server_port}")
        front.run(SET_UP)
        front.wait()
        for name in chosen:
            times = list(presses(front, LONG[name]))
            slow |= max(times) > BOUND
            print(f"{name:28} median {1000 * statistics.median(times):6.1f} ms, worst {1000 * max(times):6.1f} ms")
        front.close()
    sys.exit(slow)


if __name__ == "__main__":
    main()
