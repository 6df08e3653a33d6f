#!/usr/bin/env python3
"""Starts the class's JupyterHub on this machine, logs a student in, starts their server and runs a cell there.

    pip install jupyterhub jupyterlab
    npm install configurable-http-proxy
    tokenscope kernel install --sys-prefix
    PATH=$PWD/node_modules/.bin:$PATH python scripts/check_jupyterhub.py [KERNEL]
"""

import json
import os
import pathlib
import secrets
import subprocess
import sys
import tempfile
import time
import uuid

import requests
import websocket

from check_jupyterlab import free_port

CONFIG = pathlib.Path(__file__).parent.parent / "docs/classroom/jupyterhub_config.py"
PATIENCE = 90


def main(kernel):
    with tempfile.TemporaryDirectory() as folder:
        url, password = f"http://127.0.0.1:{free_port()}", secrets.token_hex(8)
        environment = os.environ | {"HUB_PASSWORD": password, "HUB_URL": url, "HUB_HOMES": f"{folder}/homes"}
        command = [
            sys.executable, "-m", "jupyterhub", "-f", CONFIG,
            f"--ConfigurableHTTPProxy.api_url=http://127.0.0.1:{free_port()}", f"--JupyterHub.hub_port={free_port()}",
        ]  # fmt: skip
        with open(f"{folder}/hub.log", "w") as log:
            hub = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            until(lambda: requests.get(f"{url}/hub/api", timeout=5).ok, "the hub answers")
            student(url, "ada", password, kernel)
        except BaseException:
            print(pathlib.Path(f"{folder}/hub.log").read_text()[-4000:])
            raise
        finally:
            hub.terminate()
            hub.wait(60)


def student(url, name, password, kernel):
    browser = requests.Session()
    browser.get(f"{url}/hub/login")
    form = {"username": name, "password": password, "_xsrf": browser.cookies["_xsrf"]}
    assert "_xsrf" in form and browser.post(f"{url}/hub/login", data=form).ok
    wrong = requests.Session()
    wrong.get(f"{url}/hub/login")
    refused = wrong.post(f"{url}/hub/login", data=form | {"password": "guess", "_xsrf": wrong.cookies["_xsrf"]})
    assert refused.status_code == 403, refused.status_code
    print(f"JupyterHub: `{name}` is logged in; a wrong password is refused")

    headers = {"X-XSRFToken": browser.cookies.get("_xsrf", path="/hub/")}
    made = browser.post(f"{url}/hub/api/users/{name}/tokens", headers=headers, json={})
    made.raise_for_status()
    authorised = {"Authorization": f"token {made.json()['token']}"}
    requests.post(f"{url}/hub/api/users/{name}/server", headers=authorised).raise_for_status()
    server = f"{url}/user/{name}"
    until(lambda: requests.get(f"{server}/api/status", headers=authorised, timeout=5).ok, "the server answers")
    names = requests.get(f"{server}/api/kernelspecs", headers=authorised).json()["kernelspecs"]
    assert kernel in names, list(names)
    started = requests.post(f"{server}/api/kernels", headers=authorised, json={"name": kernel})
    started.raise_for_status()
    print("JupyterHub: the student's server runs and offers the kernel")

    address = f"{server}/api/kernels/{started.json()['id']}/channels".replace("http", "ws", 1)
    channels = websocket.create_connection(address, header=authorised, timeout=PATIENCE)
    result = execute(channels, 'next_probs("Once upon a time").top(1)')
    assert "<table" in result["text/html"], result
    print(result["text/plain"])
    print("JupyterHub: a cell ran")
    channels.close()
    requests.delete(f"{url}/hub/api/users/{name}/server", headers=authorised).raise_for_status()


def execute(channels, code):
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "session": "s", "username": "", "version": "5.4"}
    content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    channels.send(json.dumps(message))
    while True:
        answer = json.loads(channels.recv())
        if answer["parent_header"].get("msg_id") != header["msg_id"]:
            continue
        if answer["msg_type"] == "error":
            raise SystemExit("\n".join(answer["content"]["traceback"]))
        if answer["msg_type"] == "execute_result":
            return answer["content"]["data"]


def until(holds, what):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if holds():
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.3)
    raise SystemExit(f"waited {PATIENCE} s, but not: {what}")


if __name__ == "__main__":
    os.environ.setdefault("JUPYTER_PLATFORM_DIRS", "1")
    main(sys.argv[1] if len(sys.argv) > 1 else "tokenscope")
