"""`subcut view` as a user starts it: what the terminal shows, and how it ends."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from support.commands import subcut
from support.models import digits


def started(*arguments: object, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "subcut", "view", *map(str, arguments)]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def link_of(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Port and target of the link in the terminal."""
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.fullmatch(r"open http://127\.0\.0\.1:(\d+)(/\?once=[\w-]{40,})\n", line)
    assert found, line
    return int(found[1]), found[2]


class Browser:
    """A few requests of a browser, and the stream that it leaves open."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.port, target = link_of(process)
        self.cookie = ""
        self.cookie = self.ask(target)[1]["set-cookie"].partition(";")[0]

    def ask(self, target: str, body: str | None = None) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Cookie": self.cookie, "Content-Type": "application/json"}
        with closing(connection):
            connection.request("GET" if body is None else "POST", target, body, headers)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()

    @contextmanager
    def listening(self) -> Generator[None, None, None]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            lines = ["GET /api/events HTTP/1.1", f"Host: 127.0.0.1:{self.port}", f"Cookie: {self.cookie}", "", ""]
            connection.sendall("\r\n".join(lines).encode())
            assert connection.recv(12) == b"HTTP/1.1 200"
            yield


@pytest.mark.parametrize("again", [False, True], ids=["once", "twice"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_interrupted(number: signal.Signals, again: bool, tmp_path: Path) -> None:
    process = started(digits("onnx"), "from pool1 to res2a_relu", "--no-browser", folder=tmp_path)
    try:
        browser = Browser(process)
        assert b'"selection":"from pool1 to res2a_relu"' in browser.ask("/api/session")[2]
        assert browser.ask("/api/graph", "{}")[0] == 200
        with browser.listening():  # a page that is open does not hold it up
            begun = time.monotonic()
            process.send_signal(number)
            if again:
                time.sleep(0.02)
                process.send_signal(number)
            out, err = process.communicate(timeout=20)
        assert time.monotonic() - begun < 10
        assert (out, err) == ("", "")
        assert process.returncode in (0, -number)
    finally:
        process.kill()
        process.communicate()
    assert list(tmp_path.iterdir()) == []


def test_an_export_ends_with_the_server(tmp_path: Path) -> None:
    process = started(digits("pb"), "--no-browser", "-o", tmp_path / "out", folder=tmp_path)
    try:
        browser = Browser(process)
        assert browser.ask("/api/export", '{"text": "all", "options": {"verify": true}}')[0] == 200
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30) == ("", "")
    finally:
        process.kill()
        process.communicate()
    assert not list(tmp_path.rglob("*/*")), "no half of a result is left"


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        told = subcut("view", digits("onnx"), "--no-browser", "--port", port, cwd=tmp_path, code=1).stderr
    assert told.startswith(f"error[port-taken]: port {port} cannot be had")


@pytest.mark.parametrize(
    ("arguments", "code", "what"),
    [
        (["nowhere.onnx"], 2, "error[bad-model]: no such file"),
        ([digits("onnx"), "--dump", "d"], 1, "error[no-offline-model]"),
        ([digits("onnx"), "--other", "nowhere.pb"], 2, "error[bad-model]: no such file"),
        ([digits("onnx"), "--report", "nowhere"], 2, "error[bad-model]: no such file"),
        ([digits("onnx"), "--port", "99999"], 1, "error[port-taken]"),
    ],
)
def test_mistakes_are_told_in_the_terminal(arguments: list[object], code: int, what: str, tmp_path: Path) -> None:
    assert subcut("view", *arguments, "--no-browser", cwd=tmp_path, code=code).stderr.startswith(what)


def test_without_its_packages_it_names_the_extra(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'uvicorn' else find(name, *rest)\n"
    )
    env = {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    told = subcut("view", digits("onnx"), "--no-browser", env=env, code=1).stderr
    assert "error[missing-extra]: `uvicorn` is needed" in told
    assert "pip install 'subcut[view]'" in told


def test_nothing_of_the_server_is_imported_by_a_cut() -> None:
    code = "import subcut.compiler.cli.main, subcut.compiler.cli.cut, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"starlette", "uvicorn", "anyio", "subcut.viewer"} & set(loaded)
