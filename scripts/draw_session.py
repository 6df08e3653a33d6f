"""Draws a session as it really looks: types into the REPL inside tmux, and makes an SVG of its screen.

    cargo build --release && python3 scripts/draw_session.py assets/readme/session.svg

Needs tmux, and `pip install rich`.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

PROGRAM = Path(__file__).parent.parent.resolve() / "target" / "release" / "tokenscope"
COLUMNS, LINES = 88, 46

# What is typed, and what must be on the screen before the next.
SESSION = [
    ('let probs = next_probs("She opened the door and");\r', "[2]>"),
    ("probs.top(4)\r", "[3]>"),
    ("chart(probs, 6)\r", "[4]>"),
    ("surprisal(\"The king and the queen went home.\").mean\r", "[5]>"),
    ("sample(probs, #{ temprature: 0.8 })\r", "did you mean"),
    ("generate(\"Once upon a time\", #{ top_\t\t", "top_p"),
]


def tmux(*arguments):
    return subprocess.run(["tmux", "-L", "tokenscope-draw", *arguments], check=True, capture_output=True, text=True).stdout


def main(path):
    with tempfile.TemporaryDirectory() as folder:
        settings = {"HOME": folder, "XDG_CONFIG_HOME": folder, "TOKENSCOPE_HISTORY": "", "TERM": "xterm-256color"}
        environment = [f"{name}={value}" for name, value in settings.items()]
        command = ["env", *environment, "TOKENSCOPE_GRAPHICS=none", str(PROGRAM), "--plots", "inline"]
        tmux("new-session", "-d", "-x", str(COLUMNS), "-y", str(LINES), "-c", folder, *command)
        try:
            wait("[1]>")
            for keys, shown in SESSION:
                tmux("send-keys", "-l", keys)
                wait(shown)
            time.sleep(0.5)
            screen = tmux("capture-pane", "-e", "-p")
        finally:
            tmux("kill-server")
    console = Console(width=COLUMNS, record=True, file=open(os.devnull, "w"), force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi(screen.rstrip()))
    Path(path).write_text(console.export_svg(title="tokenscope"))


def wait(text):
    end = time.monotonic() + 60
    while text not in tmux("capture-pane", "-p"):
        if time.monotonic() > end:
            sys.exit(f"no {text!r} on the screen:\n" + tmux("capture-pane", "-p"))
        time.sleep(0.05)


if __name__ == "__main__":
    main(sys.argv[1])
