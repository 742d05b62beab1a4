"""Every tensor of an original model, computed in its own framework, as ground truth in a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import subcut
from subcut.analysis.golden_bodies import Bodies
from subcut.analysis.golden_feeds import Fed, feeds, given_arrays, given_files
from subcut.analysis.golden_files import TruthWriter, element, storable, timestamp
from subcut.analysis.golden_slices import budget, check_room, slices
from subcut.analysis.pycaffe import PyCaffe
from subcut.compiler import manifest
from subcut.compiler.alignment.twin import TwinOptions, attach
from subcut.compiler.diagnostics import did_you_mean
from subcut.compiler.errors import user_error
from subcut.compiler.export import FORMAT_OF, load
from subcut.compiler.formats import Prepared, ReadOptions, open_pieces, open_prepared
from subcut.compiler.ir.graph import Model, Op, Value
from subcut.compiler.ir.types import TensorType
from subcut.compiler.storage.digest import sha256
from subcut.compiler.storage.folder import MANIFEST, ResultFolder

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

PYCAFFE = "pycaffe"
FRAMEWORKS = {"onnx": ("onnxruntime",), "tf": ("tensorflow",), "caffe": ("onnxruntime", PYCAFFE)}
"""What can run a format; the first does unless another one is asked for."""

Progress = Callable[[int, int], None]
"""Called with the number of bytes that came to the folder, and the number that will."""


@dataclass(frozen=True)
class Golden:
    """A folder of ground truth."""

    folder: Path
    manifest: dict[str, Any] = field(repr=False)
    """`tensors` has an entry for each file, `absent` for each tensor that has none, `inputs` for what was fed."""

    @property
    def warnings(self) -> list[str]:
        """What to know before trusting names."""
        return list(self.manifest["warnings"])


@dataclass(frozen=True)
class Request:
    """How a model is run."""

    seed: int = 0
    """Of random inputs."""
    memory: int | None = None
    """Bytes that the process may have at most; None leaves half of what is free to others."""
    only: tuple[str, ...] = ()
    """Patterns of operators or tensors, one of which must fit; inputs are always written."""
    framework: str = ""
    time: int | None = None
    """In the names of the files: microseconds since 1970, 16 digits."""
    device: TwinOptions | None = None
    """An offline model and its dumps, whose input is to be fed."""
    constants: bool = False
    """Whether stored tensors are written too."""


def golden(
    model: str | Path,
    inputs: Mapping[str, Array | Path] | Sequence[str] | str | Path | None = None,
    folder: str | Path = "golden",
    *,
    request: Request | None = None,
    read: ReadOptions | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Golden:
    """Run `model` in its framework, and write every tensor of it into a new folder, which appears whole or not at all.

    `inputs` are arrays by the names of the model's inputs, or files as `--inputs` takes them: `.npz`, `.npy`, `.bin`;
    without any they come from the dumps in `request.device`, or are random. What is computed is what
    `subcut.compiler.formats.Runner` gives, bit by bit. Raises UserError for what is asked for and what does not run,
    ModelError for a damaged model, MissingExtra without the framework.
    """
    path, request = Path(model), request or Request()
    time = timestamp(request.time)
    options = read or ReadOptions()
    loaded = load(path, options)
    _check(loaded, path, request)
    texts = [str(inputs)] if isinstance(inputs, (str, Path)) else inputs
    given = given_arrays(texts) if isinstance(texts, Mapping) else given_files(texts or ())
    twin = attach(loaded, request.device) if request.device is not None else None
    fed = feeds(loaded, given, twin, request.seed)
    sources = [*(source.path for source in loaded.sources), *(request.device.files() if request.device else ())]
    with ResultFolder(folder, force=force, sources=sources) as temp:
        run = _Run(loaded, path, request, fed, TruthWriter(temp, time), options)
        content = run.run(temp, progress)
        (temp / MANIFEST).write_text(manifest.text(content) + "\n", encoding="utf-8")
    return Golden(Path(folder), content)


def _check(model: Model, path: Path, request: Request) -> None:
    if model.dialect.name not in FRAMEWORKS:
        help = "give the original; what the device computed is in its dumps"
        raise user_error("not-an-original", f"`{path}` was compiled for the device, and runs nowhere else", help=help)
    known = FRAMEWORKS[model.dialect.name]
    if request.framework and request.framework not in known:
        names = " or ".join(f"`{name}`" for name in known)
        raise user_error("bad-arguments", f"`{path}` runs in {names}, not in `{request.framework}`")
    device = request.device
    if device is not None and device.dumps is None and not device.fed:
        message = "an offline model alone does not have the input"
        raise user_error("bad-arguments", message, help="give what the device was fed: `--dump DIR` or `--fed F`")
    if request.seed < 0:
        raise user_error("bad-arguments", f"the seed {request.seed} is negative")


@dataclass(frozen=True)
class _Tensor:
    """A tensor of the main graph, by what tools call it."""

    value: Value
    operator: str
    output: int
    type: str


class _Run:
    def __init__(
        self,
        model: Model,
        path: Path,
        request: Request,
        fed: Mapping[Value, Fed],
        writer: TruthWriter,
        options: ReadOptions,
    ) -> None:
        self.model, self.path, self.request, self.fed, self.options = model, path, request, fed, options
        self.writer = writer
        self.names = model.dialect.compiled_names(model.main)
        self.all = list(self._all())
        self.wanted = [one for one in self.all if self._is_wanted(one)]
        if request.only and not self.wanted:
            known = [name for one in self.all for name in (one.operator, one.value.name)]
            pattern = request.only[0]
            help = did_you_mean(pattern, known)
            raise user_error("no-match", f"no operator or tensor is called `{pattern}`", help=help)
        self.tensors: list[dict[str, Any]] = []
        self.absent: list[dict[str, Any]] = []

    def _all(self) -> Iterator[_Tensor]:
        """Every tensor of the main graph, inputs first, then in topological order."""
        for value in self.fed:
            producer = value.producer
            name = value.name if producer is None else self.names.get(producer, producer.name)
            yield _Tensor(value, name, value.index, producer.type if producer is not None else "input")
        for op in self.model.main.topological():
            if self.model.dialect.is_stored(op) and not self.request.constants:
                continue
            for value in op.results:
                if value.name and value not in self.fed:
                    name = self.names.get(op) or value.name
                    yield _Tensor(value, name, value.index, op.type)

    def _is_wanted(self, tensor: _Tensor) -> bool:
        names = tensor.operator, tensor.value.name
        patterns = self.request.only
        return not patterns or any(fnmatchcase(name, pattern) for name in names for pattern in patterns)

    def run(self, scratch: Path, progress: Progress | None) -> dict[str, Any]:
        """Compute and write everything; returns the manifest."""
        for one in self.all:
            if one.value in self.fed:
                self._write(one, self.fed[one.value].array)
        wanted = {one.value.name: one for one in self.wanted if one.value not in self.fed}
        memory = budget(self.request.memory)
        fed = sum(getattr(fed.array, "nbytes", 0) for fed in self.fed.values())
        prepared = self._open(scratch)
        try:
            check_room(memory, prepared.overhead())
            everything = wanted if self.request.framework == PYCAFFE else [one.value.name for one in self.all]
            sizes = prepared.sizes(list(everything))
            self._absent(wanted, sizes)
            rest = [name for name in wanted if name in sizes]
            total = sum(sizes[name] or 0 for name in rest)
            for names in slices(self.model.main, rest, sizes, memory, prepared.overhead() + fed):
                for name, array in prepared.run(names):
                    self._write(wanted[name], array)
                    del array  # or it would still be there when the next one is made
                    if progress is not None:
                        progress(sizes[name] or 0, total)
            bodies = self._bodies(prepared)
            return self._manifest(prepared, bodies)
        finally:
            prepared.close()

    def _open(self, scratch: Path) -> Prepared:
        arrays = {value.name: fed.array for value, fed in self.fed.items()}
        if self.request.framework == PYCAFFE:
            return PyCaffe(self.model, arrays, scratch, self.options)
        return open_prepared(FORMAT_OF[self.model.dialect.name], self.model, arrays, scratch)

    def _absent(self, wanted: Mapping[str, _Tensor], sizes: Mapping[str, int | None]) -> None:
        """Say of each tensor that is not computed why not."""
        for name, one in wanted.items():
            if name in sizes:
                continue
            type = one.value.type
            reason = "on a branch that was not taken"
            if type is not None and not isinstance(type, TensorType):
                reason = f"it is {type}, and no array"
            elif not self.model.dialect.can_leave(one.value):
                reason = "inside a loop, where it exists once an iteration, or a handle"
            self._leave_out(one, reason)

    def _leave_out(self, one: _Tensor, reason: str) -> None:
        self.absent.append({"tensor": one.value.name, "operator": one.operator, "output": one.output, "reason": reason})

    def _write(self, one: _Tensor, array: object) -> None:
        kept = storable(array)
        if kept is None:
            self._leave_out(one, "no array that a .npy holds: text, a sequence, packed 4-bit numbers, or nothing")
            return
        self._note(one, array, kept, self.writer.write(one.operator, one.output, kept))

    def _note(self, one: _Tensor, array: Any, kept: Array, file: str, body: str = "") -> None:
        entry = {
            "tensor": one.value.name,
            "operator": one.operator,
            "output": one.output,
            "type": one.type,
            "file": file,
            "element": element(array),
            "stored_as": str(kept.dtype),
            "shape": list(kept.shape),
        }
        self.tensors.append({**entry, "body": body} if body else entry)

    def _bodies(self, prepared: Prepared) -> Bodies:
        """Write what is inside the branches that were taken."""
        bodies = Bodies(self.model)
        if self.model.dialect.name != "onnx":
            bodies.functions()
            return bodies
        pieces = open_pieces("onnx", self.model)
        names: dict[Any, Mapping[Op, str]] = {}
        for op, body, value, array in bodies.run(prepared, pieces):
            own = names.setdefault(op.graph, self.model.dialect.compiled_names(op.graph) if op.graph else {})
            one = _Tensor(value, f"{body}/{own[op]}", value.index, op.type)
            kept = storable(array)
            if kept is not None and self._is_wanted(one):
                self._note(one, array, kept, self.writer.write(one.operator, one.output, kept), body)
        return bodies

    def _manifest(self, prepared: Prepared, bodies: Bodies) -> dict[str, Any]:
        files = {entry["tensor"]: entry for entry in self.tensors}
        inputs = [
            {"name": value.name.removesuffix(":0"), "tensor": value.name, "from": fed.source}
            | {key: files[value.name][key] for key in ("file", "element", "shape") if value.name in files}
            for value, fed in self.fed.items()
        ]
        return {
            "subcut": subcut.__version__,
            "golden": self.path.resolve().name,
            "format": self.model.dialect.name,
            "framework": prepared.version,
            "model": [{"file": one.path.name, "bytes": one.size, "sha256": sha256(one)} for one in prepared.files()],
            "seed": self.request.seed,
            "timestamp": self.writer.time,
            "only": list(self.request.only),
            "inputs": inputs,
            "tensors": self.tensors,
            "absent": self.absent,
            "bodies": bodies.absent,
            "random": [self.names.get(op, op.label) for op in prepared.drawn],
            "warnings": self.writer.clashes,
        }
