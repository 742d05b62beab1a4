"""What aligning asks of an offline model: its operators as the device numbers them, and where their tensors came from.

    model = read_offline("net.om")          # also net.json, ge_proto_*.txt, net.air
    for op in model.ops:
        for output in op.outputs:
            print(op.name, op.original_names, output.origin_name, output.layout, output.shape)

The same from every form of a model. Of an operator's record only what is told here is decoded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from subcut.compiler.device.enums import type_name
from subcut.compiler.formats.ascend import schema
from subcut.compiler.formats.ascend.compression import Tables, decoded, encode_number, resolve
from subcut.compiler.formats.ascend.definition import Definition, Place
from subcut.compiler.formats.ascend.groups import FUSION_MODEL, GROUP, group_name, group_scopes
from subcut.compiler.ir.graph import Model


@dataclass(frozen=True, slots=True)
class OfflineTensor:
    """An input or output of an offline operator, as its descriptor says. None means that the attribute is absent."""

    type_name: str
    """Ascend's name of the element type, such as `FLOAT16`."""
    layout: str
    """The device layout without its group, such as `NC1HWC0`."""
    group: int
    """Of a grouped layout (`FRACTAL_Z:96`); 1 where it says none."""
    shape: tuple[int, ...]
    """The device shape; -1 for a size and (-2,) for a rank that nobody knows."""
    origin_layout: str | None = None
    """`origin_format`: the layout in the original network."""
    origin_shape: tuple[int, ...] | None = None
    """`origin_shape`: the shape in that layout."""
    origin_name: str | None = None
    """`_datadump_origin_name`: the original operator that makes this tensor."""
    origin_index: int | None = None
    """`_datadump_origin_output_index`: as which of its outputs."""
    dump_layout: str | None = None
    """`_datadump_origin_format`: may be `RESERVED`."""
    dump_type_name: str | None = None
    """`_datadump_origin_data_type`, such as `FLOAT`; `RESERVED` where it was not known."""
    fusion_name: str | None = None
    """`_fusion_origin_name`: the same as `origin_name`, told by UB fusion."""
    fusion_index: int | None = None


@dataclass(frozen=True, slots=True)
class OfflineOp:
    """An operator of the offline model. None means that the attribute is absent."""

    name: str
    type: str
    graph: str
    """The name of the graph that holds it."""
    id: int
    """The order of execution."""
    stream_id: int
    inputs: tuple[str, ...]
    """As in the file: `producer:index`, `producer:-1` to wait for it, empty for a missing optional input."""
    input_tensors: tuple[OfflineTensor, ...]
    """One each for what of `inputs` is a tensor, in most files."""
    outputs: tuple[OfflineTensor, ...]
    original_names: tuple[str, ...] | None = None
    """`_datadump_original_op_names`: the original operators in this one, () for one that the compiler inserted."""
    original_types: tuple[str, ...] | None = None
    is_multiop: bool = False
    """`_datadump_is_multiop`: one of several that several originals became."""
    l1_group: str | None = None
    """`_L1_fusion_sub_graph_no`."""
    group_name: str | None = None
    """`group_op_name`: the group of UB or L1 fusion, as atc's JSON has it."""
    dump_reference: str | None = None
    """`_datadump_ref`: the tensor that is dumped for this operator's, as `node:input|output:index`."""
    subgraphs: tuple[str, ...] = ()
    """Names of the graphs that it runs."""


@dataclass
class OfflineModel:
    """An offline model: what it says of itself, and its operators in the order of the file, graph after graph."""

    path: Path
    name: str
    graphs: tuple[str, ...]
    ops: list[OfflineOp] = field(default_factory=list[OfflineOp], repr=False)
    command: str = ""
    """`atc_cmdline`: the whole command that made it."""
    soc_version: str = ""
    framework: str = ""
    """`framework_type`, such as `TensorFlow`, `Onnx`, `Caffe`."""
    opp_version: str = ""
    atc_version: str = ""
    output_names: tuple[str, ...] = ()
    """`attr_model_out_nodes_name`: `node:index`, in newer files `node:index:tensor`."""


def read_offline(path: str | Path) -> OfflineModel:
    """The offline model in a file of any of the four forms. Raises ModelError."""
    from subcut.compiler.formats.ascend.load import definitions

    return view(definitions(Path(path)))


def offline_model(model: Model) -> OfflineModel:
    """The offline model that `model` was read from. Raises TypeError where it was read from anything else."""
    from subcut.compiler.formats.ascend.origin import ModelOrigin

    if not isinstance(model.origin, ModelOrigin):
        raise TypeError(f"{model.name} is no offline model")
    return view(model.origin.definitions)


def view(definitions: list[Definition]) -> OfflineModel:
    """The model that one file holds: the first definition's facts, everybody's operators.

    A graph that a file holds several times, under one name, is told once.
    """
    first = definitions[0]
    found = OfflineModel(
        first.path,
        first.name,
        tuple(dict.fromkeys(graph.name for one in definitions for graph in one.graphs)),
        command=first.text("atc_cmdline"),
        soc_version=first.text("soc_version"),
        framework=first.text("framework_type"),
        opp_version=first.text("opp_version"),
        atc_version=first.text("atc_version"),
    )
    outputs = first.attribute("attr_model_out_nodes_name")
    if outputs is not None:
        found.output_names = tuple(raw.decode(errors="replace") for raw in outputs.list.s)
    seen: set[str] = set()
    for one in definitions:
        reader = _Viewer(one)
        for graph in one.graphs:
            if graph.name not in seen:
                found.ops += [reader.op(place, graph.name) for place in graph.ops]
        seen.update(graph.name for graph in one.graphs)
    return found


_OP_KEYS = (
    "_datadump_original_op_names", "_datadump_original_op_types", "_datadump_is_multiop", "_L1_fusion_sub_graph_no",
    GROUP, "_datadump_ref",
)  # fmt: skip
_TENSOR_KEYS = (
    "origin_format", "origin_shape", "_datadump_origin_name", "_datadump_origin_output_index",
    "_datadump_origin_format", "_datadump_origin_data_type", "_fusion_origin_name", "_fusion_origin_output_index",
)  # fmt: skip


class _Viewer:
    """Decodes the wanted attributes of the operators of one definition."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.wanted = _spellings(_OP_KEYS + _TENSOR_KEYS, definition.tables)
        self.tensors: dict[bytes, OfflineTensor] = {}
        records = definition.attribute(FUSION_MODEL)
        self.scopes = iter(group_scopes(list(records.list.bt)) if records is not None else [])

    def op(self, place: Place, graph: str) -> OfflineOp:
        """The operator whose record is at `place`."""
        with self.definition.reading(f"graph `{graph}`"):
            record = schema.decode("ViewOp", self.definition.record(place))
            found = self._attributes(record.attr)
            scope = next(self.scopes, None)
            group = _text(found.get(GROUP)) or ("" if scope is None else group_name(scope, record.stream_id))
            return OfflineOp(
                record.name, record.type, graph, record.id, record.stream_id, tuple(record.input),
                tuple(map(self._tensor, record.input_desc)), tuple(map(self._tensor, record.output_desc)),
                _texts(found.get("_datadump_original_op_names", _ABSENT)),
                _texts(found.get("_datadump_original_op_types", _ABSENT)),
                found.get("_datadump_is_multiop") is True,
                _text(found.get("_L1_fusion_sub_graph_no")), group or None, _text(found.get("_datadump_ref")),
                tuple(record.subgraph_name),
            )  # fmt: skip

    def _tensor(self, raw: bytes) -> OfflineTensor:
        """The tensor of a descriptor; many descriptors of a model are the same, byte by byte."""
        known = self.tensors.get(raw)
        if known is None:
            known = self.tensors[raw] = self._described(schema.decode("ViewDesc", raw))
        return known

    def _described(self, desc: Any) -> OfflineTensor:
        found = self._attributes(desc.attr)
        layout, _, group = desc.layout.partition(":")
        kind = _text(found.get("_datadump_origin_data_type"))
        return OfflineTensor(
            type_name(desc.dtype), layout, int(group) if group.isdecimal() else 1, tuple(desc.shape.dim),
            _text(found.get("origin_format")), _numbers(found.get("origin_shape", _ABSENT)),
            _text(found.get("_datadump_origin_name")), _number(found.get("_datadump_origin_output_index")),
            _text(found.get("_datadump_origin_format")), None if kind is None else kind.removeprefix("DT_"),
            _text(found.get("_fusion_origin_name")), _number(found.get("_fusion_origin_output_index")),
        )  # fmt: skip

    def _attributes(self, entries: Any) -> Mapping[str, object]:
        """The wanted ones of these attributes, by their plain names."""
        found: dict[str, object] = {}
        wanted = self.wanted
        for raw in entries:  # a key is short, and comes first: tag, length, text
            key = wanted.get(raw[2 : 2 + raw[1]]) if len(raw) > 1 else None
            if key is not None:
                entry = schema.decode("AttrEntry", raw)
                texts = resolve(entry, self.definition.tables)[1]
                found[key] = _plain(entry.value) if texts is None else texts
        return found


def _spellings(keys: tuple[str, ...], tables: tuple[Tables, ...]) -> dict[bytes, str]:
    """The plain name of each key, by all ways in which a file with these tables may write it."""
    found = {key.encode(): key for key in keys}
    for table in reversed(tables):
        numbered = [(encode_number(number), name.encode()) for number, name in enumerate(table.names)]
        found.update({key.encode(): found[name] for key, name in numbered if name in found})
    return found


def _plain(value: Any) -> object:
    """A text, a number, a truth, or a list of texts or of numbers: what the wanted attributes hold."""
    held = value.WhichOneof("value")
    if held == "list":
        return [decoded(raw) for raw in value.list.s] or list(value.list.i)
    if held == "s":
        return decoded(value.s)
    return getattr(value, held) if held in ("i", "b") else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: object) -> tuple[str, ...] | None:
    """An attribute that is there and holds no list is an empty one: so atc's JSON has it."""
    return None if value is _ABSENT else tuple(one for one in _list(value) if isinstance(one, str))


def _numbers(value: object) -> tuple[int, ...] | None:
    return None if value is _ABSENT else tuple(one for one in _list(value) if isinstance(one, int))


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


_ABSENT = object()
