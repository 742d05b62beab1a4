"""Programs that show a model in a browser: how each is started, and how it is seen that the graph is drawn."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import onnx
from measure import Failed
from models import FOLDER

PACKAGES = ("netron==9.3.3", "ai-edge-model-explorer==0.1.34")
ENVIRONMENT = FOLDER / "viewers"
SUBCUT = str(Path(sys.executable).with_name("subcut"))


@dataclass(frozen=True)
class Viewer:
    """A program: the command that serves a model at a port, the page to open, what is true when the graph is there."""

    name: str
    command: Callable[[Path, int], list[str]]
    address: Callable[[Path, int, str], str]
    """From the model, the port and the first line that the command printed."""
    drawn: str
    """JavaScript."""
    says: bool = False
    """Whether the command prints a line when it is ready; else the port is asked."""


def _flat(path: Path) -> Path:
    """The model as Model Explorer's own file, with a scope for each block: it does not read ONNX without more."""
    made = path.with_suffix(".json")
    if made.exists():
        return made
    graph = onnx.load(str(path), load_external_data=False).graph
    makers = {name: str(at) for at, node in enumerate(graph.node) for name in node.output}
    nodes = [
        {
            "id": str(at),
            "label": node.op_type,
            "namespace": node.name.partition("_")[0],
            "incomingEdges": [
                {"sourceNodeId": makers[name], "sourceNodeOutputId": "0", "targetNodeInputId": str(slot)}
                for slot, name in enumerate(node.input)
                if name in makers
            ],
        }
        for at, node in enumerate(graph.node)
    ]
    made.write_text(json.dumps([{"id": "main", "nodes": nodes}]))
    return made


def _explorer_address(path: Path, port: int, line: str) -> str:
    from urllib.parse import quote

    data = json.dumps({"models": [{"url": str(_flat(path)), "adapterId": "builtin_json"}]})
    return f"http://localhost:{port}/?data={quote(data)}"


OURS = Viewer(
    "subcut",
    lambda path, port: [SUBCUT, "view", str(path), "--no-browser", "--port", str(port), "-o", str(FOLDER / "out")],
    lambda path, port, line: line.rpartition(" ")[2],
    "!!document.querySelector('.pane [role=treeitem]')",
    says=True,
)
OTHERS = (
    Viewer(
        "Netron",
        lambda path, port: [str(ENVIRONMENT / "bin" / "netron"), "--port", str(port), str(path)],
        lambda path, port, line: f"http://localhost:{port}/",
        "document.body.classList.contains('default') && document.querySelectorAll('g.node, .node').length > 0",
    ),
    Viewer(
        "Model Explorer",
        lambda path, port: [
            *(str(ENVIRONMENT / "bin" / "model-explorer"), "--host", "localhost", "--port", str(port)),
            *("--no_open_in_browser", "--skip_health_check"),
        ],
        _explorer_address,
        "!!document.querySelector('webgl-renderer canvas') && !document.querySelector('.processing, mat-spinner')",
    ),
)


def prepare(viewer: Viewer, path: Path) -> None:
    """What a program needs beside the model, before its time runs."""
    if viewer.name == "Model Explorer":
        _flat(path)


@contextmanager
def serving(viewer: Viewer, path: Path, limit: float) -> Iterator[str]:
    """The program, running; yields the address of its page. Raises Failed where it does not answer in time."""
    port = _free()
    log = open(os.devnull, "w")  # noqa: SIM115
    process = subprocess.Popen(viewer.command(path, port), stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        line = _line(process, limit) if viewer.says else _answering(process, port, limit)
        yield viewer.address(path, port, line)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def _free() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _line(process: subprocess.Popen[str], limit: float) -> str:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], limit)
    line = process.stdout.readline().strip() if ready else ""
    if not line:
        raise Failed(f"said nothing in {limit:.0f} s")
    return line


def _answering(process: subprocess.Popen[str], port: int, limit: float) -> str:
    end = time.monotonic() + limit
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(f"http://localhost:{port}/", timeout=5).close()
            return ""
        except OSError:
            if process.poll() is not None:
                raise Failed("ended at once") from None
            time.sleep(0.02)
    raise Failed(f"served nothing in {limit:.0f} s")
