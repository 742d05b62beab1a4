"""Runs an ONNX model again and again on the same feeds, giving out a slice of its tensors each time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subcut.compiler.errors import UserError
from subcut.compiler.formats.onnx.records import model_record_of
from subcut.compiler.formats.onnx.run import (
    Content,
    failed,
    numbers_of,
    onnxruntime_module,
    ort_values,
    session_of,
    stored,
    taken,
)
from subcut.compiler.formats.onnx.schema import NODE, OUTPUT
from subcut.compiler.ir.graph import Model, Value
from subcut.compiler.ir.types import TensorType, numpy_dtype
from subcut.compiler.numbers import is_array
from subcut.compiler.storage.files import SourceFile
from subcut.compiler.storage.wire import bytes_field, int_field

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

GRAPH, OPSET = 7, 8
INLINE = 1 << 22
"""Models up to this many bytes are handed over in memory; others would be there three times."""
SEED = 1
"""Of operators that draw random numbers and state no seed: onnxruntime has one for the process."""


class Prepared:
    """See `subcut.compiler.formats.Prepared`."""

    def __init__(self, model: Model, feeds: Mapping[str, Array], scratch: Path) -> None:
        runtime = onnxruntime_module()
        self.version = f"onnxruntime {runtime.__version__}"
        runtime.set_seed(SEED)
        self.model, self.feeds = model, feeds
        self.values: dict[str, Value] = {value.name: value for value in model.main.values() if value.name}
        self.content = Content(model, scratch, INLINE)
        self.drawn = [op for op in model.main.ops if op.type in RANDOM]

    def files(self) -> list[SourceFile]:
        """The model's own, and those of external data."""
        return list(dict.fromkeys([*self.model.sources, *self.content.files.opened.values()]))

    def sizes(self, fetch: Sequence[str]) -> dict[str, int | None]:
        """From the types where these say everything, else from a run that gives out every tensor's shape."""
        self.model.dialect.infer(self.model, [self.values[name] for name in fetch])
        types = {name: self.values[name].type for name in fetch}
        tensors = {name: t for name, t in types.items() if t is None or isinstance(t, TensorType)}
        counts: Mapping[str, int | None] = self._stated(tensors)
        if None in counts.values():
            counts = self._measured(tensors)
        return {name: _bytes(tensors[name], count) for name, count in counts.items()}

    def _stated(self, types: Mapping[str, TensorType | None]) -> dict[str, int | None]:
        return {name: _count(type.shape) if type is not None and type.static else None for name, type in types.items()}

    def _measured(self, types: Mapping[str, TensorType | None]) -> dict[str, int | None]:
        """How many elements each has, of those whose shape can be had."""
        known = {name: len(self.feeds[name].ravel()) for name in types if name in self.feeds}
        kept = {name: numbers.size for name in types if (numbers := stored(self.values[name])) is not None}
        rest = [name for name in types if name not in known and name not in kept]
        try:
            shapes = self._shapes(rest) if rest else {}  # asked for nothing, onnxruntime gives every output
        except UserError:  # one of them is no tensor, and nobody could say which
            shapes = dict.fromkeys(rest)
        counts = {name: None if shape is None else _count(shape) for name, shape in shapes.items()}
        return {name: {**known, **kept, **counts}[name] for name in types}

    def _shapes(self, names: Sequence[str]) -> dict[str, Any]:
        """Two messages behind each other are one with the fields of both: so `Shape` operators come to the graph."""
        wanted = {name: f"subcut/shape/{name}" for name in names}
        graph = b""
        for name, shape in wanted.items():
            node = bytes_field(1, name) + bytes_field(2, shape) + bytes_field(4, "Shape")
            graph += bytes_field(NODE, node) + bytes_field(OUTPUT, bytes_field(1, shape))
        content = self.content.bytes([]) + bytes_field(GRAPH, graph)
        if "" not in model_record_of(self.model).opsets:
            content += bytes_field(OPSET, int_field(2, 13))
        found = self._run(content, list(wanted.values()))
        return {name: _plain(value) for name, value in zip(names, found, strict=True)}

    def overhead(self) -> int:
        """The weights, mapped or packed by kernels, the largest as both; those handed over in memory some times."""
        if self.content.inline:
            return self.content.size * 4
        stored = [v.type for op in self.model.main.ops if self.model.dialect.is_stored(op) for v in op.results]
        known = [type for type in stored if isinstance(type, TensorType) and type.static]
        return self.content.size + max((_bytes(type, _count(type.shape)) or 0 for type in known), default=0)

    def run(self, fetch: Sequence[str]) -> Iterator[tuple[str, Any]]:
        """Each tensor is copied out of onnxruntime, and let go there before the next one is."""
        computed: list[str] = []
        for name in fetch:
            numbers = self.feeds[name] if name in self.feeds else stored(self.values[name])
            if numbers is None:
                computed.append(name)
            else:
                yield name, numbers
        if not computed:
            return
        found = self._run(self.content.bytes(computed), computed)
        found.reverse()
        for name in computed:
            value = found.pop()
            yield name, _plain(value)

    def _run(self, content: bytes, fetch: list[str]) -> list[Any]:
        session, failures = session_of(content, str(self.content.folder), frugal=True)
        given = taken(session, self.feeds)
        try:
            if all(is_array(array) and not array.dtype.hasobject for array in given.values()):
                return list(session.run_with_ort_values(fetch, ort_values(given)))
            return list(session.run(fetch, given))  # it has no OrtValues of text and sequences
        except failures as error:
            raise failed(error) from None

    def close(self) -> None:
        """Delete the file of weights."""
        if self.content.weights is not None:
            self.content.weights.unlink()
            self.content.weights = None


RANDOM = frozenset("RandomNormal RandomNormalLike RandomUniform RandomUniformLike Multinomial Bernoulli".split())


def _plain(value: Any) -> Any:
    """The array that onnxruntime gave, as one or as an OrtValue; None for what is none."""
    if is_array(value):
        return value
    return numbers_of(value) if hasattr(value, "is_tensor") else None


def _count(shape: Sequence[Any] | None) -> int:
    count = 1
    for size in shape if shape is not None else ():
        count *= int(size)
    return count


def _bytes(type: TensorType | None, count: int | None) -> int | None:
    if count is None:
        return None
    element = type.element if type is not None and type.element is not None else "f64"
    return count * numpy_dtype(element).itemsize
