"""How long Ctrl-C takes: from the key to the next prompt, through a pseudo-terminal, for everything that may run long.

    cargo build --release && python3 scripts/measure_interrupt.py

Prints the median and the worst of several presses, each at another moment, and ends with 1 if one took over 100 ms.
"""

import os
import pty
import select
import statistics
import sys
import tempfile
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
}


class Repl:
    def __init__(self, folder):
        environment = dict(os.environ, TERM="xterm", NO_COLOR="1", TOKENSCOPE_HISTORY="", XDG_CONFIG_HOME=folder)
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
    with tempfile.TemporaryDirectory() as folder:
        repl = Repl(folder)
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
