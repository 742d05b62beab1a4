"""What the passes ask of Caffe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any

from subcut.compiler.errors import user_error
from subcut.compiler.formats.caffe.generations import many, view
from subcut.compiler.formats.caffe.names import assign, blob_of, written_names
from subcut.compiler.formats.caffe.net import LayerText
from subcut.compiler.formats.caffe.render import header_text, input_layer_text
from subcut.compiler.formats.caffe.shapes import STORING, infer_layer
from subcut.compiler.formats.caffe.weights import Frozen, Source, blobs_of, check_weights, refused, source_of
from subcut.compiler.ir.dialect import Dialect
from subcut.compiler.ir.graph import Attribute, Constant, Graph, Model, Op, Value
from subcut.compiler.ir.stated import Contradiction, Stated
from subcut.compiler.ir.types import Dim, TensorType, Type

if TYPE_CHECKING:
    import numpy as np

PURE = frozenset(
    "AbsVal AntiQuant ArgMax BNLL BatchNorm BatchReindex Bias Clip Concat Convolution Crop DeQuant Deconvolution "
    "Dropout ELU Eltwise Embed Exp Flatten Im2col InnerProduct LRN Log MVN Normalize PReLU Padding Permute Pooling "
    "Power PriorBox Quant ReLU ReLU6 Reduction Reshape SPP Scale Sigmoid Slice Softmax Split Swish TanH Threshold "
    "Tile".split()
)
"""Types that are functions of their bottoms and weights in the TEST phase."""

RESHAPING = frozenset("Permute Reshape Parameter PriorBox DetectionOutput ROIPooling Reorg SPP Flatten".split())
"""Types whose four axes need not be num, channels, height and width."""


class AddedInput:
    """Origin of an `Input` layer that a cut added: it has no text yet."""


def blob_type(shape: tuple[Dim, ...] | None) -> TensorType:
    """The type of a net's input: Caffe computes in 32-bit floats, and names four axes N, C, H and W."""
    return TensorType("f32", shape, "NCHW" if shape is not None and len(shape) == 4 else "")


class CaffeDialect(Dialect):
    """Caffe's layers."""

    name = "caffe"
    typed_outputs = True  # no text states them, but the shape rules cost next to nothing
    input_heading = "Add Layer Into Prototxt:"
    forwarding = frozenset(("Reshape", "Flatten", "Split", "Dropout"))

    def __init__(self) -> None:
        self._layers: _Layers | None = None
        self._blobs: tuple[Graph, list[int], dict[Value, bytes]] | None = None

    def attributes(self, op: Op) -> Mapping[str, Attribute]:
        """The layer's fields, with the names of the current generation; not its name, type, bottoms and tops."""
        source = source_of(op)
        if source is None or not isinstance(op.origin, LayerText):
            return {}
        return view(source.net.file, op.origin.body, op.origin.generation)

    def stored_tensors(self, op: Op) -> list[Constant]:
        """The blobs of the `.caffemodel`. Raises UserError `missing-weights` where one of several is missing."""
        return blobs_of(op)

    def record_text(self, op: Op) -> str:
        """The layer's text in the `.prototxt`, comments included."""
        source = source_of(op)
        if source is None or not isinstance(op.origin, LayerText):
            return ""
        field = op.origin.field
        return source.net.file.data[field.start : field.stop].decode(errors="backslashreplace")

    def is_stored(self, op: Op) -> bool:
        """`Parameter` gives out its weights, `DummyData` with constant fillers always the same numbers."""
        if op.type == "Parameter":
            return True
        return op.type == "DummyData" and _is_constant(op)

    def is_pure(self, op: Op) -> bool:
        """Whether the type is known to be a function of its bottoms."""
        return op.type in PURE

    def compiled_names(self, graph: Graph) -> Mapping[Op, str]:
        """Of several layers with one name the later ones get `_same_` and a number.

        Source: `CaffeModelParser::ParseFromMemory` of the graph engine.
        """
        count: dict[str, int] = {}
        names: dict[Op, str] = {}
        for op in graph.ops:
            before = count.get(op.name, 0)
            count[op.name] = before + 1
            names[op] = f"{op.name}_same_{before}" if before else op.name
        return names

    def compiled_input(self, value: Value) -> str:
        """The blob, whoever writes it in place later."""
        return blob_of(value).decode(errors="replace")

    def has_side_effect(self, op: Op) -> bool:
        """`HDF5Output` writes a file."""
        return op.type == "HDF5Output"

    def constant_op(self, graph: Graph, value: Value, array: np.ndarray[Any, Any]) -> Op:
        """A `Parameter` layer whose blob, in the written `.caffemodel`, is `array`."""
        source = graph.model.origin
        if isinstance(source, Source) and source.net.generation != 2:
            raise user_error(
                "cannot-freeze",
                f"`%{value.name}` cannot be frozen: a net of `layers` records has no layer that stores a tensor",
                help="upgrade the net with Caffe's `upgrade_net_proto_text` first",
            )
        type = TensorType("f32", array.shape, blob_type(array.shape).layout)
        shape: dict[str, Attribute] = {"dim": list(array.shape)}
        name = _unique({op.name for op in graph.ops}, f"{value.name}_value")
        op = Op("Parameter", name, attributes={"parameter_param": {"shape": shape}})
        op.origin = Frozen(Constant(type, lambda: array))
        taken = {other.name for other in graph.values()}
        free = next(one for n in count() if (one := f"{value.name}_{n}" if n else value.name) not in taken)
        op.add_result(free, type).origin = blob_of(value)
        return op

    def annotate(self, model: Model) -> None:
        """Follow the shape rules as far as they lead; what stands behind a layer that is wrong has no type."""
        for op in model.main.ops:
            try:
                _infer_op(op, check_blobs=False)
            except ValueError:  # said by whoever needs the type
                continue

    def feeds(self, model: Model) -> list[Value]:
        """Inputs of the header, tops of data layers, and blobs that only layers of another phase make."""
        inside = set(model.main.ops)
        found = dict.fromkeys(model.main.inputs)
        for op in model.main.ops:
            absent = [v for v in op.operands if v is not None and v.producer and v.producer not in inside]
            found.update(dict.fromkeys(absent))
            if not op.operands and not self.is_stored(op):
                found.update(dict.fromkeys(op.results))
        return list(found)

    def infer(self, model: Model, wanted: Sequence[Value], *, framework: bool = True) -> None:
        """Follow the shape rules from what is known to `wanted`. Raises ModelError for a layer Caffe would refuse."""
        needed: set[Op] = set()
        stack = [v for v in wanted if not _known(v)]
        while stack:
            op = stack.pop().producer
            if op is not None and op not in needed:
                needed.add(op)
                stack += [v for v in op.operands if v is not None and not _known(v)]
        chosen = model.selection.ops if model.selection is not None else None
        stated = bool(model.options and model.options.types)
        for op in model.main.ops:
            if op not in needed:
                continue
            try:
                _infer_op(op, check_blobs=chosen is None or op in chosen)
            except ValueError as error:
                if not stated:  # else it may be what is stated that the layer refuses, which `settle` finds out
                    raise refused(op, str(error)) from None

    def bind(self, model: Model, types: Mapping[Value, Type]) -> dict[Value, Type | None]:
        """Take types that the user stated, where the net's own inputs are not of another rank."""
        self.infer(model, [value for value in types if value.producer is not None and not value.producer.operands])
        return super().bind(model, types)

    def settle(self, model: Model, stated: Stated, *, framework: bool = True) -> list[str]:
        """Follow the shape rules from what is stated. Raises Contradiction for a layer that Caffe would refuse then.

        An `Input` layer of one top is written anew with the shape that is stated.
        """
        for value, known in stated.known.items():
            op, type = value.producer, value.type
            if op is not None and op.type == "Input" and len(op.results) == 1 and _known(value) and type != known:
                op.origin = AddedInput()
        stated.forget()
        for op in stated.ops:
            try:
                _infer_op(op)
            except ValueError as error:
                raise Contradiction(op, str(error)) from None
        stated.restore()
        return stated.gaps()

    def needs_type(self, value: Value) -> tuple[bool, bool]:
        """An `Input` layer states a shape; every blob is of floats."""
        return False, not _known(value)

    def check_region(self, graph: Graph, chosen: Mapping[Op, None]) -> None:
        """Raise UserError `missing-weights` when a chosen layer lacks weights that it needs."""
        check_weights(chosen)

    def add_input(self, graph: Graph, value: Value, start: Op, index: int) -> Value:
        """Add the layer `<start>_input_<index>`, or an input of the header to a net of `layers` records.

        Such a net has no `Input` layers, and Caffe refuses one that has both kinds of record.
        """
        type = value.type if isinstance(value.type, TensorType) else blob_type(None)
        type = TensorType(type.element or "f32", type.shape, type.layout)
        if not _known(value):
            raise user_error(
                "untyped-edge",
                f"the shape of `%{value.name}`, which `{start.label}` reads, is only known as {type}",
                help=f"state it in the selection: `; input %{value.name} : 1x3x224x224xf32`, with the real shape",
            )
        source = graph.model.origin
        if isinstance(source, Source) and source.net.generation != 2:
            new = graph.add_input(value.name, type)
        else:
            label = start.name or start.label.lstrip("%")
            shape: dict[str, Attribute] = {"dim": list(type.shape or ())}
            layers = self._layers
            if layers is None or not layers.of(graph):
                layers = self._layers = _Layers(graph)
            name = _unique(layers.names, f"{label}_input_{index}")
            op = Op("Input", name, attributes={"input_param": {"shape": shape}})
            op.origin = AddedInput()
            new = op.add_result(value.name, type)
            layers.insert(op)
            self._blobs = None
        new.origin = blob_of(value)
        graph.absent = [other for other in graph.absent if other is not value]
        return new

    def input_text(self, value: Value) -> str:
        """The added layer as prototxt, or the lines of the header."""
        graph = value.graph
        names = self._assigned(graph) if graph is not None else {}
        blob = names.get(value, blob_of(value))
        shape = value.type.shape if isinstance(value.type, TensorType) else None
        dims = [dim for dim in shape or () if isinstance(dim, int)]
        if value.producer is not None:
            return input_layer_text(value.producer.name.encode(), blob, dims).decode("utf-8", "backslashreplace")
        return header_text([(blob, dims)], len(dims) != 4, b" ").decode("utf-8", "backslashreplace")

    def _assigned(self, graph: Graph) -> dict[Value, bytes]:
        """The blob of each value, looked up once for all that is asked of a graph that stays as it is."""
        state = [len(graph.ops), len(graph.inputs), len(graph.outputs)]
        if self._blobs is None or self._blobs[0] is not graph or self._blobs[1] != state:
            self._blobs = graph, state, assign(graph)
        return self._blobs[2]

    def written_names(self, model: Model) -> Mapping[Value, str]:
        """What a reader of the written file calls each value."""
        return written_names(model.main)


def _is_constant(op: Op) -> bool:
    params = op.attributes.get("dummy_data_param", {})
    fillers = many(params["data_filler"]) if isinstance(params, dict) and "data_filler" in params else []
    return all(isinstance(f, dict) and f.get("type", "constant") == "constant" for f in fillers)


def _known(value: Value) -> bool:
    return isinstance(value.type, TensorType) and value.type.static


class _Layers:
    """The names of a graph's layers and where inputs go, kept up to date while nothing else changes the graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.count = graph, len(graph.ops)
        self.names = {op.name for op in graph.ops}
        self.added = sum(isinstance(op.origin, AddedInput) for op in graph.ops)

    def of(self, graph: Graph) -> bool:
        """Whether `graph` is the one that this tells of, as it was."""
        return self.graph is graph and self.count == len(graph.ops)

    def insert(self, op: Op) -> None:
        """Put an `Input` layer behind those that are there."""
        self.graph.insert(self.added, op)
        self.names.add(op.name)
        self.added, self.count = self.added + 1, self.count + 1


def _unique(taken: set[str], name: str) -> str:
    """`name`, or one like it that no layer has."""
    free, count = name, 1
    while free in taken:
        free, count = f"{name}_{count}", count + 1
    return free


def _infer_op(op: Op, *, check_blobs: bool = True) -> None:
    """Type what a layer makes. Raises ValueError for a layer that Caffe would refuse.

    The blobs of a layer that is left out do not matter.
    """
    bottoms = [v.type.shape if v is not None and isinstance(v.type, TensorType) else None for v in op.operands]
    blobs = _blob_shapes(op) if check_blobs and op.type in STORING else []
    shapes = infer_layer(op.type, op.attributes, bottoms, blobs, len(op.results))
    for value, shape in zip(op.results, shapes, strict=False):
        found = _float_type(shape, _layout(op, shape))
        value.type = value.type.merged(found) if isinstance(value.type, TensorType) else found


def _blob_shapes(op: Op) -> list[tuple[int, ...]]:
    """The shapes of what a layer stores, where the weights file has all of it."""
    source = source_of(op)
    stored = source.blobs(op.origin) if source is not None and isinstance(op.origin, LayerText) else []
    shapes = [blob.shape for blob in stored if blob is not None]
    return shapes if len(shapes) == len(stored) else []


@lru_cache(maxsize=1024)
def _float_type(shape: tuple[Dim, ...] | None, layout: str) -> TensorType:
    """One object for the many tensors of a net that are alike."""
    return TensorType("f32", shape, layout)


def _layout(op: Op, shape: tuple[Dim, ...] | None) -> str:
    """`NCHW` for four axes, unless the layer or what it reads has moved them."""
    if shape is None or len(shape) != 4 or op.type in RESHAPING:
        return ""
    for value in op.operands:
        type = value.type if value is not None else None
        if isinstance(type, TensorType) and type.layout != "NCHW" and type.shape is not None and len(type.shape) == 4:
            return ""
    return "NCHW"
