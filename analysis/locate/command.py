"""A shell command as the judge: started in a folder of its own, with a time limit, trusted in nothing."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from subcut.analysis.locate.candidate import Job
from subcut.analysis.locate.judge import NONSENSE, PASSED, TIMEOUT
from subcut.analysis.locate.tensors import file_name, read_archive, read_folder, write_folder, write_npz
from subcut.compiler.errors import user_error

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

TAIL = 4096
"""Bytes of what a command wrote last that are looked at."""
LONGEST = 16 << 20
"""Bytes of a command's output that may lie there; of more, what came last is kept."""
LEAST = 1 << 16
"""Bytes that are free on a disk that is not full."""
WORDS = ("model", "weights", "inputs", "outputs", "inputs_npz", "outputs_npz", "folder")
"""What stands in braces in a command."""
_NOT_FOUND = ("exit 126", "exit 127")
"""What a shell says of a program that is not there, or that may not be run."""
LIST = "tensors.json"
"""Beside the inputs: which file is of which tensor."""
_BRACES = re.compile(r"\{(" + "|".join(WORDS) + r")\}")


@dataclass(frozen=True)
class Answer:
    """What came of a run: how it ended, and what it gave out where it ended well."""

    kind: str = PASSED
    note: str = ""
    outputs: Mapping[str, Array] = field(default_factory=dict[str, "Array"], repr=False)


class Backend(Protocol):
    """Whatever runs a candidate."""

    @property
    def compares(self) -> bool:
        """Whether it gives outputs, which are then compared; else how it ends is all that is known."""
        ...

    @property
    def identity(self) -> str:
        """What tells its outcomes from those of another backend."""
        ...

    def run(self, job: Job) -> Answer:
        """Run a candidate. Whatever goes wrong is an Answer; UserError where nothing can be run at all."""
        ...


@dataclass(frozen=True)
class InProcess:
    """A callable as the backend: it takes the model's path and the inputs, and returns the outputs by name."""

    function: Callable[[Path, Mapping[str, Any]], Mapping[str, Any]]
    name: str = ""

    @property
    def compares(self) -> bool:
        """It always gives outputs."""
        return True

    @property
    def identity(self) -> str:
        """Its name."""
        return self.name or f"{self.function.__module__}.{getattr(self.function, '__qualname__', '')}"

    def run(self, job: Job) -> Answer:
        """Call it."""
        try:
            return Answer(outputs=self.function(job.model, job.inputs))
        except Exception as error:  # whatever a backend raises is its failure, and told as such
            return Answer(f"raised {type(error).__name__}", (str(error).strip().splitlines() or [""])[0])


@dataclass(frozen=True)
class Command:
    """A shell command in which `{model}`, `{inputs}`, `{outputs}` … stand for paths."""

    text: str
    timeout: float | None = None
    """Seconds that a run may take."""

    def __post_init__(self) -> None:
        if "{model}" not in self.text:
            raise user_error(
                "bad-candidate",
                "the command does not say where the model comes in",
                help="such as `--candidate './run {model} {inputs} {outputs}'`",
            )

    @property
    def compares(self) -> bool:
        """Whether it is told where to put outputs; else its exit status alone decides."""
        return "{outputs}" in self.text or "{outputs_npz}" in self.text

    @property
    def identity(self) -> str:
        """The command and its time limit."""
        return f"{self.text}\n{self.timeout}"

    def run(self, job: Job) -> Answer:
        """Start it, wait, and read what it left."""
        paths = lay_out(job, self.text)
        failure = self._start(self.filled(paths), job.folder)
        if failure is not None and failure.kind in _NOT_FOUND:
            raise user_error(
                "bad-candidate",
                f"the shell cannot run the command: {failure.note or failure.kind}",
                help="its paths hold in the folder in which `subcut` is started",
            )
        if failure is not None:
            _refuse_full(job.folder)
        if failure is not None or not self.compares:
            return failure or Answer()
        if "{outputs_npz}" in self.text:
            outputs, problem = read_archive(job.folder / "outputs.npz")
        else:
            outputs, problem = read_folder(job.folder / "outputs", job.outputs)
        if problem or len(outputs) < len(job.outputs):
            _refuse_full(job.folder)
        return Answer(NONSENSE, problem) if problem else Answer(outputs=outputs)

    def filled(self, paths: Mapping[str, Path | None]) -> str:
        """The command for one candidate."""
        return _BRACES.sub(lambda found: shlex.quote(str(paths[found[1]] or "")), self.text)

    def _start(self, command: str, folder: Path) -> Answer | None:
        """Run it in its own process group, all of which ends with it; what is wrong with how it ended."""
        written = folder / "log.txt"
        with open(written, "ab") as log:  # so that it can be cut off while it is written
            process = subprocess.Popen(
                command, shell=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
            try:
                status = _wait(process, self.timeout, written)
            except subprocess.TimeoutExpired:
                return Answer(TIMEOUT, f"no end after {self.timeout:g} s")
            finally:
                _end_group(process)
        if status == 0:
            return None
        kind = f"signal {-status}" if status < 0 else f"signal {status - 128}" if status > 128 else f"exit {status}"
        return Answer(kind, last_line(written))


def lay_out(job: Job, text: str) -> dict[str, Path | None]:
    """Write what a command asks for beside the model; the path of everything that can stand in braces."""
    folder = job.folder
    paths: dict[str, Path | None] = {"model": job.model, "weights": job.weights, "folder": folder}
    paths |= {name: folder / name for name in ("inputs", "outputs")}
    paths |= {f"{name}_npz": folder / f"{name}.npz" for name in ("inputs", "outputs")}
    if "{inputs_npz}" in text:
        write_npz(folder / "inputs.npz", job.inputs)
    if "{inputs}" in text or "{folder}" in text:
        write_folder(folder / "inputs", job.inputs)
    (folder / "outputs").mkdir(exist_ok=True)
    (folder / LIST).write_text(listed(job), encoding="utf-8")
    return paths


def listed(job: Job) -> str:
    """Which file is of which tensor, for programs that need more than the files' names."""
    inputs: list[dict[str, Any]] = [
        {"name": name, "file": file_name(name), "type": str(array.dtype), "shape": list(array.shape)}
        for name, array in job.inputs.items()
    ]
    outputs = [{"name": name, "file": file_name(name)} for name in job.outputs]
    return json.dumps({"inputs": inputs, "outputs": outputs}, indent=1, ensure_ascii=False) + "\n"


def _tail(path: Path) -> str:
    with open(path, "rb") as file:
        file.seek(max(0, file.seek(0, 2) - TAIL))
        return file.read().decode("utf-8", "replace")


def last_line(path: Path) -> str:
    """The last line of a file that says something, cut off where it is long."""
    lines = _tail(path).split("\n")
    said = [line.strip() for line in lines if line.strip()]
    return "".join(c for c in said[-1] if c.isprintable())[:200] if said else ""


def _wait(process: subprocess.Popen[bytes], timeout: float | None, log: Path) -> int:
    """The exit status of a command, which may print for ever. Raises TimeoutExpired."""
    end = None if timeout is None else time.monotonic() + timeout
    while True:
        left = 0.5 if end is None else min(0.5, max(end - time.monotonic(), 0))
        try:
            return process.wait(left)
        except subprocess.TimeoutExpired:
            if end is not None and time.monotonic() >= end:
                raise
        if log.exists() and log.stat().st_size > LONGEST:
            os.truncate(log, 0)


def _refuse_full(folder: Path) -> None:
    """What fails because the disk is full is no fault of the model's. Raises UserError `cannot-write`."""
    full = os.strerror(errno.ENOSPC)
    log = folder / "log.txt"
    if folder.is_dir() and (shutil.disk_usage(folder).free < LEAST or (log.is_file() and full in _tail(log))):
        raise user_error("cannot-write", f"the candidate has no room in `{folder.parent}`: {full}")


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End what a command started, also what it left behind in the background."""
    if os.name == "nt":
        process.kill()
        process.wait()
        return
    deadline = time.monotonic() + 5
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
