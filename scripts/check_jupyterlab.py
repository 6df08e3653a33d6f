"""JupyterLab in a headless Chromium: a lesson runs, a long generation is interrupted, Tab completes a name.

    pip install jupyterlab playwright        (and a `chromium` on the PATH)
    python scripts/check_kernel.py --screenshot docs/jupyterlab.png
"""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import nbformat
from playwright.sync_api import expect, sync_playwright

CHROMIUM = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
LONG = """
let last = ();
loop {
    last = generate("Once upon a time", #{ max_new_tokens: 500, temperature: 1.0, seed: 1 });
    if last.stopped == "interrupted" { break; }
}
"""
MINUTES = 120_000


def browser_path():
    """A Chromium that is installed, or None."""
    return next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)


def check(folder, kernel, lesson, screenshot=None):
    """Opens the notebook `lesson` of `folder` and two of its own with the kernel of that name."""
    spec = {"kernelspec": {"name": kernel, "display_name": kernel, "language": "rhai"}}
    book = nbformat.v4.new_notebook(metadata=spec)
    book.cells = [nbformat.v4.new_code_cell(LONG), nbformat.v4.new_code_cell("last.text"), nbformat.v4.new_code_cell("")]
    root = folder / "jupyterlab"
    root.mkdir()
    nbformat.write(book, root / "long.ipynb")
    shutil.copy(folder / lesson, root)
    port, token = free_port(), secrets.token_hex(16)
    command = [
        sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}",
        f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={root}",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    with open(folder / "jupyterlab.log", "w") as log:
        # Its settings are its own, so that nobody's workspace is touched.
        environment = os.environ | {"JUPYTER_CONFIG_DIR": str(folder / "config")}
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environment)
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for(f"{url}/api/status?token={token}", server)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=browser_path(), args=CHROMIUM)
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                page.set_default_timeout(MINUTES)
                launcher(page, f"{url}/lab?token={token}")
                run_all(page, f"{url}/lab/tree/{lesson}?reset", screenshot)
                interrupt_and_complete(page, f"{url}/lab/tree/long.ipynb?reset")
                browser.close()
        finally:
            server.terminate()
            server.wait(30)


def launcher(page, url):
    page.goto(url)
    expect(page.locator(".jp-LauncherCard[title^=tokenscope]").first).to_be_visible(timeout=MINUTES)
    # It offers news; that stands in the picture's way.
    page.get_by_role("button", name="No", exact=True).click()
    print("JupyterLab: the launcher offers the kernel")


def open_notebook(page, url):
    page.goto(url)
    page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    # A cell that is run before the kernel is there makes JupyterLab ask which one is meant.
    expect(page.locator("#jp-main-statusbar")).to_contain_text(re.compile(r"tokenscope.* \| Idle"), timeout=MINUTES)


def menu(page, name, item):
    page.locator(".lm-MenuBar-itemLabel", has_text=name).first.click()
    page.locator(".lm-Menu-itemLabel", has_text=item).first.click()


def run_all(page, url, screenshot):
    open_notebook(page, url)
    menu(page, "Run", "Run All Cells")
    notebook = page.locator(".jp-Notebook").first
    # The last cell of the lesson is the last to get a number.
    page.wait_for_function(
        """() => {
            const prompts = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')];
            return prompts.length && prompts.every(prompt => /\\[\\d+\\]/.test(prompt.textContent));
        }"""
    )
    assert notebook.locator(".jp-RenderedHTMLCommon table").count() > 0, "no table"
    picture = notebook.locator(".jp-RenderedImage img, .jp-RenderedSVG").first
    for _ in range(3):
        # Cells get their heights when they are first seen, which moves those below.
        picture.evaluate("element => element.scrollIntoView({ block: 'end' })")
        page.wait_for_timeout(500)
    assert picture.bounding_box()["height"] > 200, "the chart is no picture"
    assert notebook.locator("[data-mime-type='application/vnd.jupyter.stderr'], .jp-RenderedText[data-mime-type*=error]").count() == 0
    print("JupyterLab: the lesson ran; tables and the chart show")
    if screenshot:
        page.screenshot(path=screenshot)
        print(f"JupyterLab: wrote {screenshot}")


def interrupt_and_complete(page, url):
    open_notebook(page, url)
    cells = page.locator(".jp-CodeCell")
    page.keyboard.press("Escape")
    cells.nth(0).locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    expect(cells.nth(0).locator(".jp-InputPrompt")).to_have_text("[*]:")
    page.wait_for_timeout(1500)
    menu(page, "Kernel", "Interrupt Kernel")
    expect(cells.nth(0).locator(".jp-InputPrompt")).to_have_text("[1]:")
    cells.nth(1).locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    text = cells.nth(1).locator(".jp-OutputArea-executeResult").inner_text()
    assert "Once upon a time" in text, text
    print("JupyterLab: a long generation was interrupted and its text kept")
    cells.nth(2).locator(".cm-content").click()
    page.keyboard.type("next_pr")
    page.keyboard.press("Tab")
    # The only name that begins so is put in at once; of several, a list offers the first.
    offered, completed = page.locator(".jp-Completer:visible"), cells.nth(2).locator(".cm-content", has_text="next_probs")
    expect(offered.or_(completed).first).to_be_visible(timeout=MINUTES)
    if offered.is_visible():
        page.keyboard.press("Enter")
    expect(completed).to_be_visible(timeout=MINUTES)
    print("JupyterLab: Tab completes a name")


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait_for(url, server):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return json.load(answer)
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise SystemExit("JupyterLab does not answer: see its log")
