"""A device host: the script of a plan really runs, with an `atc` and an `msame` that the emulator stands behind.

The two are shell scripts that hand their words to the process of the tests, where the emulator is imported already.
"""

from __future__ import annotations

import json
import os
import shutil
import socketserver
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from subcut.compiler.errors import UserError
from subcut.compiler.formats import ReadOptions
from subcut.emulator import DumpOptions, Emulated, emulate

CLIENT = """\
import json, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect(sys.argv[1])
    server.sendall(json.dumps([__import__("os").getcwd(), *sys.argv[2:]]).encode() + b"\\n")
    answer = json.loads(server.makefile().readline())
print(answer["said"])
sys.exit(answer["code"])
"""
ATC = """\
for word in "$@"; do
    case $word in --output=*) target=${{word#--output=}}.om ;; esac
done
echo run >>{log}
if [ -n "$ATC_FAILS" ] && grep -q "$ATC_FAILS" dump.onnx; then
    echo "E10001: $ATC_FAILS is not supported"
    exit 3
fi
printf '%s\\n' "$@" >"$target"
"""
"""Writes its options down as the offline model."""
DAY = "20261123_120000"
"""The folder that msame makes for a run."""


def options(words: list[str]) -> dict[str, str]:
    """`--name=value` and `--name value`."""
    found: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        name, equals, value = word.removeprefix("--").partition("=")
        found[name] = value if equals else next(rest)
    return found


class DeviceHost:
    """`with DeviceHost(folder) as host: host.work(plan)` copies a plan there, runs its script, and copies it back."""

    def __init__(self, folder: Path, fault: str = "") -> None:
        self.folder = folder
        self.fault = fault
        """As the emulator takes it; a candidate without that operator has none."""
        self.env_more: dict[str, str] = {}
        """What else the script finds in its environment."""
        self.element: Any = np.float16
        """What msame writes floats as."""
        folder.mkdir(parents=True)
        client = f"{sys.executable} -I -S {folder}/client.py {folder}/socket"
        tools = {"atc": ATC.format(log=folder / "atc.log"), "msame": f'exec {client} "$@"'}
        for tool, text in tools.items():
            path = folder / "tools" / tool
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"#!/bin/sh\n{text}\n")
            path.chmod(0o755)
        (folder / "client.py").write_text(CLIENT)

    def __enter__(self) -> DeviceHost:
        host = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                place, *words = json.loads(self.rfile.readline())
                self.wfile.write(json.dumps(host.answer(Path(place), options(words))).encode() + b"\n")

        self.server = socketserver.UnixStreamServer(str(self.folder / "socket"), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True, kwargs={"poll_interval": 0.01}).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def env(self) -> dict[str, str]:
        """The environment of the script: the tools are in its path."""
        return {**os.environ, "PATH": f"{self.folder}/tools:{os.environ['PATH']}"}

    @property
    def conversions(self) -> int:
        """How often `atc` was called."""
        log = self.folder / "atc.log"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def answer(self, place: Path, given: dict[str, str]) -> dict[str, Any]:
        """What msame does with its options, and how it ends."""
        try:
            self.msame(place, given)
        except Exception as error:
            traceback.print_exc()
            return {"said": f"[ERROR] {error}", "code": 1}
        return {"said": "[INFO] model execute success", "code": 0}

    def msame(self, place: Path, given: dict[str, str]) -> None:
        """Run the model in the emulator on what lies in the raw files, and write raw files."""
        made = options((place / given["model"]).read_text().splitlines())
        frameworks = {"0": "prototxt", "3": "pb", "5": "onnx"}
        assert made["model"] == f"dump.{frameworks[made['framework']]}"
        assert made["soc_version"] == "Ascend310"
        assert made.get("weight") == ("dump.caffemodel" if made["framework"] == "0" else None)
        listed = json.loads((place / "tensors.json").read_text())
        shapes = sorted(entry.rpartition(":")[2] for entry in made["input_shape"].split(";"))
        assert shapes == sorted(",".join(map(str, entry["shape"])) for entry in listed["inputs"])
        halves = [name for name in made.get("input_fp16_nodes", "").split(";") if name]
        assert len(halves) == sum(entry["bin_type"] == "float16" for entry in listed["inputs"])
        feeds: dict[str, Any] = {}
        for file, entry in zip(given["input"].split(","), listed["inputs"], strict=True):
            array: Any = np.fromfile(place / file, entry["bin_type"])
            feeds[entry["name"]] = array.reshape(entry["shape"]).astype(entry["type"])
        with tempfile.TemporaryDirectory() as folder:
            model = told_out(place / made["model"], [entry["name"] for entry in listed["outputs"]], made)
            outputs = emulated(model, feeds, Path(folder) / "made", self.fault).outputs
        into = Path(given["output"]) / DAY
        into.mkdir()
        for number, entry in enumerate(listed["outputs"]):
            name = entry["name"]
            array = next(outputs[key] for key in (name, f"{name}:0", told(name), f"{told(name)}:0") if key in outputs)
            raw = array.astype(self.element) if array.dtype.kind == "f" else array
            raw.tofile(into / f"dump_output_{number}.bin")

    def work(self, plan: Path, name: str = "host") -> str:
        """Copy a plan to another place, run its script there, and copy what came of it back; returns what it said."""
        there = self.send(plan, name)
        done = self.start(there)
        assert done.returncode == 0, done.stdout + done.stderr
        self.back(there, plan)
        return done.stdout

    def send(self, plan: Path, name: str = "host") -> Path:
        """Copy what the device host needs; what is there already stays, as rsync leaves it."""
        there = self.folder / name
        shutil.copytree(plan, there, dirs_exist_ok=True, ignore=shutil.ignore_patterns("state", "judged"))
        return there

    def start(self, there: Path, **env: str) -> subprocess.CompletedProcess[str]:
        """Run the script."""
        return subprocess.run(
            ["sh", str(there / "run.sh")],
            env={**self.env, **self.env_more, **env},
            capture_output=True,
            text=True,
            timeout=120,
        )

    def back(self, there: Path, plan: Path) -> None:
        """Copy everything back."""
        shutil.copytree(there / "candidates", plan / "candidates", dirs_exist_ok=True)


def told_out(model: Path, names: list[str], given: dict[str, str]) -> Path:
    """A net whose tensors of `--out_nodes` are outputs, as ATC makes them, although operators of it read them.

    Each is followed by an operator that changes nothing, named as `told` says.
    """
    if "out_nodes" not in given:
        return model
    ends = given["out_nodes"].split(";")
    assert len(ends) == len(names)
    target = model.with_name(f"told_out{model.suffix}")
    if model.suffix == ".prototxt":
        layers = (f'layer {{ name: "{told(n)}" type: "Power" bottom: "{n}" top: "{told(n)}" }}\n' for n in names)
        target.write_text(f"{model.read_text()}\n{''.join(layers)}")
        shutil.copyfile(model.with_suffix(".caffemodel"), target.with_suffix(".caffemodel"))
        return target
    graph = model.read_bytes()
    for name, end in zip(names, ends, strict=True):
        node = part(1, told(name).encode()) + part(2, b"Identity") + part(3, end.encode())
        graph += part(1, node + part(5, part(1, b"T") + part(2, b"\x30\x01")))  # attr T: DT_FLOAT
    target.write_bytes(graph)
    return target


def part(field: int, content: bytes) -> bytes:
    """A field of a protobuf message; a graph that is written behind another one adds its nodes to it."""
    assert len(content) < 128
    return bytes([field << 3 | 2, len(content)]) + content


def told(name: str) -> str:
    """The operator behind an output."""
    return f"{name.replace(':', '_')}_told"


def emulated(model: Path, feeds: dict[str, Any], folder: Path, fault: str = "", *, dump: str = "none") -> Emulated:
    """Emulate a candidate, with the fault where its operator is part of it."""
    weights = model.with_suffix(".caffemodel")
    read = ReadOptions(weights=weights if weights.exists() else None)
    try:
        return emulate(model, feeds, folder, faults=[fault] * bool(fault), dump=DumpOptions(dump), read=read)
    except UserError as error:
        if error.code != "unknown-operator":
            raise
        return emulate(model, feeds, folder, dump=DumpOptions(dump), read=read)
