"""How long Ctrl-C takes: from the key to the next prompt, through a pseudo-terminal, for everything that may run long.

    cargo build --release && python3 scripts/measure_interrupt.py

Prints the median and the worst of several presses, each at another moment, and ends with 1 if one took over 100 ms.
"""

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

SET_UP = 'let text = ""; for n in 0..150 { text += "Once upon a time there was a king. "; } let probs = next_probs("a");'
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


class Repl:
    def __init__(self, folder, hub):
        environment = dict(os.environ, TERM="xterm", NO_COLOR="1", TOKENSCOPE_HISTORY="", XDG_CONFIG_HOME=folder)
        environment |= {"HF_HOME": folder, "HF_ENDPOINT": hub, "HF_HUB_OFFLINE": "0"}
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            os.chdir(folder)
            os.execve(PROGRAM, [str(PROGRAM)], environment)
        self.seen = b""

    def send(self, text):
        os.write(self.terminal, text.encode())

    def expect(self, text, patience=60):
        end = time.monotonic() + patience
        while text not in self.seen:
            if not select.select([self.terminal], [], [], max(0, end - time.monotonic()))[0]:
                raise TimeoutError(f"no {text!r} in {self.seen[-300:]!r}")
            self.seen += os.read(self.terminal, 65536)
        self.seen = self.seen.split(text, 1)[1]

    def prompt(self):
        # The editor asks for pastes to be marked whenever it begins to read.
        self.expect(b"\x1b[?2004h")


def main():
    slow = False
    hub = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        repl = Repl(folder, f"http://127.0.0.1:{hub.server_port}")
        repl.prompt()
        repl.send(SET_UP + "\r")
        repl.prompt()
        for name, code in LONG.items():
            times = []
            for press in range(PRESSES):
                repl.send(f'print("g" + "o"); {code}\r')
                repl.expect(b"go\r\n")
                time.sleep(0.3 + 0.037 * press)
                start = time.monotonic()
                repl.send("\x03")
                repl.prompt()
                times.append(time.monotonic() - start)
            slow |= max(times) > BOUND
            print(f"{name:24} median {1000 * statistics.median(times):6.1f} ms, worst {1000 * max(times):6.1f} ms")
        repl.send(":q\r")
        os.waitpid(repl.process, 0)
    sys.exit(slow)


if __name__ == "__main__":
    main()
