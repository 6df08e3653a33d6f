#!/usr/bin/env python3
"""Drives an installed tokenscope kernel with Jupyter's own clients and says what it saw.

    pip install jupyter_client nbclient nbformat
    tokenscope kernel install --sys-prefix
    python scripts/check_kernel.py [KERNEL]
"""

import os
import sys
import time

import nbclient
import nbformat
from jupyter_client.manager import KernelManager


# One generation may end before it is interrupted.
GENERATIONS = """
let last = ();
loop {
    last = generate("Once upon a time", #{ max_new_tokens: 500 });
    if last.stopped == "interrupted" { break; }
}
"""


def main(name):
    manager = KernelManager(kernel_name=name)
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    begun = time.monotonic()
    client.wait_for_ready(timeout=60)
    print(f"ready after {time.monotonic() - begun:.2f} s")
    try:
        messages(client)
        interrupt(manager, client, "loop {}", "error")
        interrupt(manager, client, GENERATIONS, "ok")
        text = next(content for kind, content in run(client, "last.text")[1] if kind == "execute_result")
        print("generated until then:", repr(text["data"]["text/plain"][:60]))
        restart(manager, client)
    finally:
        process = manager.provisioner.process
        client.stop_channels()
        manager.shutdown_kernel()
    assert process.poll() is not None, "the kernel is still there"
    notebook(name)


def run(client, code, **options):
    """The reply's content and what was published, by message type."""
    published = []
    def hear(message):
        published.append((message["msg_type"], message["content"]))

    reply = client.execute_interactive(code, output_hook=hear, timeout=60, **options)
    return reply["content"], published


def messages(client):
    reply, published = run(client, "let x = 20 + 1; x * 2", user_expressions={"y": "x + 1", "bad": "nope"})
    assert reply["status"] == "ok" and reply["execution_count"] == 1, reply
    assert ("execute_result", "42") in [(kind, c.get("data", {}).get("text/plain")) for kind, c in published]
    assert reply["user_expressions"]["y"]["data"]["text/plain"] == "22", reply
    assert reply["user_expressions"]["bad"]["status"] == "error", reply

    reply, published = run(client, 'print("hello"); next_probs("Once upon a time")')
    kinds = dict(published)
    assert kinds["stream"]["text"] == "hello\n", published
    assert "<table" in kinds["execute_result"]["data"]["text/html"], published
    print(kinds["execute_result"]["data"]["text/plain"])

    reply, published = run(client, 'chart(next_probs("Once upon a time"))')
    result = dict(published)["execute_result"]
    assert set(result["data"]) == {"text/plain", "image/png", "image/svg+xml"}, result["data"].keys()
    print("picture:", result["metadata"])

    reply, published = run(client, "let a = nope;")
    assert reply["status"] == "error" and reply["execution_count"] == 4, reply
    print("\n".join(dict(published)["error"]["traceback"]))
    reply, published = run(client, "let = ;")
    assert reply["status"] == "error" and reply["execution_count"] == 5, reply

    def ask(kind, *arguments, **options):
        request = getattr(client, kind)(*arguments, **options)
        while True:
            reply = client.get_shell_msg(timeout=30)
            if reply["parent_header"].get("msg_id") == request:
                return reply["content"]

    assert ask("complete", "/*é😀*/ next_pr", 14)["matches"] == ["next_probs"]
    assert "vocabulary" in ask("inspect", "next_probs(", 11)["data"]["text/markdown"]
    assert ask("is_complete", "if x {") == {"status": "incomplete", "indent": "    "}
    assert ask("is_complete", "x + 1")["status"] == "complete"
    assert ask("comm_info")["comms"] == {}
    assert ask("history", hist_access_type="tail", n=1)["history"][0][1:] == [5, "let = ;"]
    print("messages: all answered")


def interrupt(manager, client, code, expected):
    begun = time.monotonic()
    request = client.execute(code)
    time.sleep(1.5)
    manager.interrupt_kernel()
    while True:
        reply = client.get_shell_msg(timeout=30)
        if reply["parent_header"].get("msg_id") == request:
            break
    assert reply["content"]["status"] == expected, reply["content"]
    after = run(client, "x")[0]
    assert after["status"] == "ok", after
    print(f"interrupted `{code.strip()[:20]}…` after {time.monotonic() - begun:.2f} s (asked after 1.5 s); variables stay")


def restart(manager, client):
    manager.restart_kernel()
    client.wait_for_ready(timeout=60)
    reply = run(client, "x")[0]
    assert reply["status"] == "error" and reply["execution_count"] == 1, reply
    print("restarted: variables gone, cells count from 1")


def notebook(name):
    cells = ['print("a");', 'tokenize("The cat")', 'chart(next_probs("The cat"))']
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(book, kernel_name=name, timeout=60).execute()
    nbformat.validate(book)
    kinds = [cell.outputs[0].output_type for cell in book.cells]
    assert kinds == ["stream", "execute_result", "execute_result"], kinds
    print("nbclient: a notebook ran and is valid")


if __name__ == "__main__":
    os.environ.setdefault("JUPYTER_PLATFORM_DIRS", "1")
    main(sys.argv[1] if len(sys.argv) > 1 else "tokenscope")
