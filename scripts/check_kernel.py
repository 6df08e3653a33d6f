#!/usr/bin/env python3
"""Drives an installed tokenscope kernel with Jupyter's own clients, those that are installed, and says what it saw.

    pip install jupyter_client nbclient nbformat                                     # at the least
    pip install papermill jupyter-console nbconvert ./scripts/papermill_tokenscope   # more clients
    pip install jupyterlab playwright                                                # and a `chromium` on the PATH
    tokenscope kernel install --sys-prefix
    python scripts/check_kernel.py [--kernel NAME] [--screenshot FILE]
"""

import argparse
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import nbclient
import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

LESSON = pathlib.Path(__file__).parent.parent / "lessons/01-one-token-at-a-time.rhai"

# One generation may end before it is interrupted.
GENERATIONS = """
let last = ();
loop {
    last = generate("Once upon a time", #{ max_new_tokens: 500 });
    if last.stopped == "interrupted" { break; }
}
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kernel", default="tokenscope")
    parser.add_argument("--screenshot", help="where JupyterLab's picture goes")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        # Histories and the like of this check are nobody's.
        os.environ["TOKENSCOPE_STATE"] = str(folder)
        lesson = exported(arguments.kernel, folder)
        client_library(arguments.kernel)
        notebook(arguments.kernel)
        checks = {
            "nbconvert": ("nbconvert", nbconvert),
            "papermill": ("papermill_tokenscope", papermill),
            "jupyter console": ("jupyter_console", console),
        }
        for name, (module, check) in checks.items():
            if importlib.util.find_spec(module):
                check(arguments.kernel, folder, lesson)
            else:
                print(f"skipped {name}: `{module}` is not installed")
        if not (importlib.util.find_spec("jupyterlab") and importlib.util.find_spec("playwright")):
            print("skipped JupyterLab: `jupyterlab` or `playwright` is not installed")
            return
        import check_jupyterlab

        if check_jupyterlab.browser_path():
            check_jupyterlab.check(folder, arguments.kernel, lesson.name, arguments.screenshot)
        else:
            print("skipped JupyterLab: there is no `chromium`")


def exported(kernel, folder):
    """The first lesson as a notebook without outputs; what comes back from it is the lesson."""
    program = KernelSpecManager().get_kernel_spec(kernel).argv[0]
    subprocess.run([program, "export", LESSON, "--to", "ipynb", "--out", folder], check=True)
    path = folder / LESSON.with_suffix(".ipynb").name
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    book.metadata.kernelspec.name = kernel
    for cell in book.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(book, path)
    subprocess.run([program, "export", path, "--to", "rhai", "--out", folder], check=True)
    assert (folder / LESSON.name).read_text() == LESSON.read_text(), "the lesson came back changed"
    return path


def client_library(name):
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


def nbconvert(name, folder, lesson):
    command = ["nbconvert", "--to", "html", "--execute", lesson, "--output", "page.html"]
    jupyter(command, folder)
    page = (folder / "page.html").read_text()
    assert page.count("<table") > 2 and ("data:image/png" in page or "<svg" in page), "no table or no picture"
    print("nbconvert: the lesson ran and is a page")


def papermill(name, folder, lesson):
    cells = [
        nbformat.v4.new_code_cell("let place = \"?\"; let options = #{ n: 1 };", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("print(json([place, options, missing, share]))"),
    ]
    kernel = {"kernelspec": {"name": name, "display_name": name, "language": "rhai"}, "language_info": {"name": "rhai"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / "given.ipynb")
    given = {"place": "a \"b\"\n\u2028é\\ $ {x} \x01", "options": {"n": [1, -2.5, True], "top k": 3}, "missing": None, "share": 1e-7}
    run = "import json, papermill, sys; papermill.execute_notebook('given.ipynb', 'ran.ipynb', json.loads(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", run, json.dumps(given)], cwd=folder, check=True, capture_output=True)
    output = nbformat.read(folder / "ran.ipynb", as_version=4).cells[-1].outputs[0]
    seen = json.loads(output.text)
    assert seen == list(given.values()), (seen, given)
    command = ["papermill", "given.ipynb", "-", "-p", "place", "Paris", "-p", "missing", "1", "-p", "share", "0.5"]
    shown = subprocess.run([sys.executable, "-m", *command], cwd=folder, check=True, capture_output=True, text=True)
    assert '[\\"Paris\\",{\\"n\\":1},1,0.5]' in shown.stdout, shown.stdout
    print("papermill: parameters arrived as they were given")


def console(name, folder, lesson):
    typed = 'let who = input("who? ");\nAda\n`Hello, ${who}`\n6 * 7\n'
    command = ["console", f"--kernel={name}", "--simple-prompt"]
    shown = jupyter(command, folder, input=typed)
    assert "who? " in shown and "Hello, Ada" in shown and "42" in shown, shown
    print("jupyter console: cells ran, and a script asked for input")


def jupyter(command, folder, input=None):
    ran = subprocess.run([sys.executable, "-m", "jupyter", *command], cwd=folder, input=input, text=True, capture_output=True, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


if __name__ == "__main__":
    os.environ.setdefault("JUPYTER_PLATFORM_DIRS", "1")
    main()
