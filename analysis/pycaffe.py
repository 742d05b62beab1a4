"""The real Caffe as the framework: its Python interface, in a process of its own that writes each tensor when it is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subcut.compiler.errors import MissingExtra, user_error
from subcut.compiler.formats import ReadOptions
from subcut.compiler.formats.caffe.lower import check_stored
from subcut.compiler.ir.graph import Model, Op, Value
from subcut.compiler.storage.files import SourceFile

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

PYTHON = "SUBCUT_PYCAFFE"
"""The variable of the environment that names the Python that has Caffe; else it is this one."""
_WORKER = Path(__file__).with_name("pycaffe_worker.py")
_NO_CAFFE, _BROKEN = 3, 5
"""Exit codes of the worker."""
_FATAL = re.compile(r"F\d+ \S+ +\d+ (?P<place>\S+)\] (?P<said>.+)")
"""What Caffe's log says before it aborts the process."""
_TEXT = re.compile(r"Error parsing text-format \S+ (?P<said>.+)")


class PyCaffe:
    """A net ready to be run in Caffe; see `subcut.compiler.formats.Prepared`.

    Layers run one by one, and what a layer wrote is saved before the next one may write over it: so every version of
    a blob that layers work on in place is had. Raises MissingExtra without Caffe, UserError `missing-weights`.
    """

    def __init__(self, model: Model, feeds: Mapping[str, Array], scratch: Path, options: ReadOptions) -> None:
        check_stored(model.main.ops)  # Caffe would make up what is missing
        self.drawn = list[Op]()
        self.version = ""
        self._model, self._feeds, self._options = model, feeds, options
        self._values = {value.name: value for value in model.main.values()}
        self._folder = tempfile.TemporaryDirectory(dir=scratch, prefix=".caffe-")
        self._files: dict[str, Path] = {}

    def files(self) -> list[SourceFile]:
        """The model's own."""
        return list(self._model.sources)

    def sizes(self, fetch: Sequence[str]) -> dict[str, int | None]:
        """Nothing of it is in this process: the numbers wait in files."""
        self._run(fetch)
        return {name: path.stat().st_size for name, path in self._files.items()}

    def overhead(self) -> int:
        """Caffe has its own process."""
        return 0

    def run(self, fetch: Sequence[str]) -> Iterator[tuple[str, Any]]:
        """What the process wrote."""
        from subcut.compiler.number_files import read_npy

        for name in fetch:
            path = self._files.pop(name)
            yield name, read_npy(path)
            path.unlink()

    def close(self) -> None:
        """Delete what is left of its files."""
        self._folder.cleanup()

    def _run(self, fetch: Sequence[str]) -> None:
        folder = Path(self._folder.name)
        job = folder / "job.json"
        job.write_text(json.dumps(self._job(fetch, folder)))
        python = os.environ.get(PYTHON) or sys.executable
        try:
            done = subprocess.run([python, str(_WORKER), str(job)], capture_output=True, text=True, check=False)
        except OSError as error:
            raise user_error("run-failed", f"`{python}` ({PYTHON}) cannot be started: {error.strerror}") from None
        said, *why = _said(done)
        if done.returncode == _NO_CAFFE:
            help = f"set {PYTHON} to a Python that has it, or leave out `--framework`: the net is lowered to ONNX"
            raise MissingExtra("caffe", "", "run the net in Caffe itself", help)
        if done.returncode == _BROKEN:
            raise user_error("run-failed", f"`{python}` has a Caffe that cannot be imported: {said}")
        if done.returncode:
            raise user_error("run-failed", f"Caffe does not run the net: {said}", help=why)
        self.version = f"caffe {done.stdout.strip().splitlines()[-1]}"

    def _job(self, fetch: Sequence[str], folder: Path) -> dict[str, Any]:
        """What the process is to do: files, inputs by blob, and for each layer (name, occurrence) its tops' files."""
        import numpy as np

        inputs: dict[str, str] = {}
        for number, (name, array) in enumerate(self._feeds.items()):
            path = folder / f"input{number}.npy"
            np.save(path, np.asarray(array, np.float32))
            inputs[_blob(self._values[name])] = str(path)
        layers: dict[Op, list[tuple[int, str]]] = {}
        for number, name in enumerate(fetch):
            value, file = self._values[name], f"{number}.npy"
            if value.producer is None:
                continue
            layers.setdefault(value.producer, []).append((value.index, file))
            self._files[name] = folder / file
        files = [source.path for source in self._model.sources]
        weights = next((str(path) for path in files[1:] if path.suffix == ".caffemodel"), None)
        return {
            "net": str(files[0]),
            "weights": weights or (str(self._options.weights) if self._options.weights else None),
            "phase": self._options.phase,
            "state": self._state(),
            "inputs": inputs,
            "folder": str(folder),
            "layers": [[op.name, number, layers[op]] for op, number in self._occurrences() if op in layers],
        }

    def _state(self) -> dict[str, Any]:
        """What else rules of layers ask for; a fork from before there was such a thing runs without."""
        level, stages = self._options.level, list(self._options.stages)
        return {**({"level": level} if level else {}), **({"stages": stages} if stages else {})}

    def _occurrences(self) -> Iterator[tuple[Op, int]]:
        """Every layer, and how many of its name are before it."""
        seen: dict[str, int] = {}
        for op in self._model.main.ops:
            number = seen.get(op.name, 0)
            seen[op.name] = number + 1
            yield op, number


def _said(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Why a run failed, and what is wrong in the text of the net, if that is why.

    Caffe aborts the process where a check of its own fails, which its log tells.
    """
    fatal, text = _FATAL.search(done.stderr), _TEXT.search(done.stderr)
    if fatal is not None:
        return [f"{fatal['said']} ({fatal['place']})", *([text["said"]] if text is not None else [])]
    ended = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
    lines = done.stderr.strip().splitlines() if done.returncode > 0 else []
    return [lines[-1] if lines else f"it ended with {ended}"]


def _blob(value: Value) -> str:
    """Caffe's name of the blob of an input."""
    return os.fsdecode(value.origin) if isinstance(value.origin, bytes) else value.name
