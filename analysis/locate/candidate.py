"""Candidates: pieces of a model in its own format, with the inputs that the reference has there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subcut.analysis.locate.steps import Piece, Steps
from subcut.compiler.alignment.twin import TwinOptions, attach
from subcut.compiler.errors import UserError
from subcut.compiler.export import FORMAT_OF, load
from subcut.compiler.formats import ReadOptions, WriteOptions, package, runner
from subcut.compiler.ir.graph import Model, Value
from subcut.compiler.ir.selection import CutOptions, Selection
from subcut.compiler.ir.types import TensorType, Type, compatible, element_of
from subcut.compiler.pipeline import Pipeline, cutting

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Job:
    """A candidate to be run: its files in a folder, what to feed it, and what it must give out."""

    folder: Path
    files: tuple[Path, ...]
    """The model first."""
    inputs: Mapping[str, Array] = field(repr=False)
    outputs: tuple[str, ...]
    """Names of the model's outputs that are looked at, in order of computation."""

    @property
    def model(self) -> Path:
        """The model's file."""
        return self.files[0]

    @property
    def weights(self) -> Path | None:
        """The `.caffemodel`."""
        return next((path for path in self.files if path.suffix == ".caffemodel"), None)


@dataclass(frozen=True)
class Cut:
    """A piece that was cut out of a model that was read anew."""

    model: Model
    inputs: Mapping[str, str]
    """The original's tensor by the name of the input that stands for it."""
    outputs: Mapping[str, str]
    """The original's tensor by the name of the output."""

    def run(self, golden: Mapping[str, Any]) -> dict[str, Any]:
        """What the reference's framework computes of it, by the original's tensors."""
        report = self.model.report
        assert report is not None
        feeds = {(edge.new or edge.value).name: golden[edge.value.name] for edge in (*report.inputs, *report.kept)}
        names = [edge.value.name for edge in report.outputs]
        return runner(FORMAT_OF[self.model.dialect.name]).run(self.model, feeds, names)


class Cutter:
    """Cuts pieces out of one model, with the types that the reference's tensors have."""

    def __init__(self, path: Path, options: ReadOptions, steps: Steps) -> None:
        self.path, self.options, self.steps = path, options, steps
        self._types = {value.name: value.type for value in steps.model.main.values()}
        self._places = {op: place for place, op in enumerate(steps.model.main.ops)}
        self.links = FORMAT_OF[steps.model.dialect.name] == "onnx"
        """Whether weights can stay where they are; not, where the model lies on another file system."""

    def cut(
        self,
        piece: Piece,
        golden: Mapping[str, Any],
        *,
        tapped: Sequence[str] = (),
        device: TwinOptions | None = None,
    ) -> Cut:
        """Read the model anew and cut it; `tapped` are tensors to give out besides those that leave.

        With `device` the cut is aligned, and brings along what the device stored.
        """
        model = load(self.path, self.options)
        model.dialect.annotate(model)
        if device is not None:
            attach(model, device)
        graph = model.main
        chosen = sorted(self._places[op] for op in self.steps.chosen(piece))
        values = {value.name: value for value in graph.values()}
        edges = self.steps.edges(piece)
        for name in [*(value.name for value in (*edges.inputs, *edges.outputs)), *tapped]:
            _set_type(model, values[name], self._types.get(name), golden.get(name))
        ops = dict.fromkeys(graph.ops[place] for place in chosen)
        ends = dict.fromkeys(values[value.name] for value in edges.outputs)
        model.selection = Selection(graph, ops, ends=ends, text=self.steps.selection(piece))
        taps = dict.fromkeys(values[name] for name in tapped)
        model.options = CutOptions(taps=taps)
        Pipeline(*cutting(infer=False, align=device is not None)).run(model)
        return _named(model)

    def write(self, cut: Cut, folder: Path) -> tuple[Path, ...]:
        """Write a cut as cheaply as can be: the weights of ONNX models stay in the original file."""
        files = package(FORMAT_OF[cut.model.dialect.name])
        if self.links:
            try:
                return tuple(files.write(cut.model, folder, WriteOptions(link=True, final=folder)))
            except UserError as error:
                if error.code != "cannot-link":
                    raise
                self.links = False
                for path in folder.iterdir():
                    path.unlink()
        return tuple(files.write(cut.model, folder, WriteOptions(final=folder)))


def _named(model: Model) -> Cut:
    report = model.report
    assert report is not None
    written = model.dialect.written_names(model)
    entering = [(edge.new or edge.value, edge.value) for edge in (*report.inputs, *report.kept)]
    return Cut(
        model,
        {written.get(new, new.name): old.name for new, old in entering},
        {written.get(edge.value, edge.value.name): edge.value.name for edge in report.outputs},
    )


def _set_type(model: Model, value: Value, inferred: Type | None, array: Any) -> None:
    """An edge whose type the model does not say has the inferred one, or that of the reference's tensor."""
    if not hasattr(array, "dtype"):
        return
    known = value.type if isinstance(value.type, TensorType) else TensorType()
    try:
        seen = TensorType(known.element or element_of(array.dtype), tuple(array.shape), known.layout)
    except KeyError:
        return
    needs_shape = model.dialect.needs_type(value)[1]
    if needs_shape or known.element is None or known.shape is None:
        whole = isinstance(inferred, TensorType) and inferred.element is not None and inferred.shape is not None
        value.type = inferred if whole and not needs_shape and compatible(inferred, seen) else seen
