"""Operators that multiply 8-bit numbers: AscendQuant before them, AscendDequant behind, and AMCT's file of names.

The names are those that AMCT gives the layers it inserts into a model before ATC reads it; the offline model therefore
knows only them, and the file says what they stand for. Source: ascendquant's operators as the TensorFlow adapter
registers them, and the accuracy tool's filter of such names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from subcut.compiler.ir.graph import Op
from subcut.emulator.device import IMAGE, MATRIX
from subcut.emulator.fusion import Group
from subcut.emulator.kinds import CONV, MATMUL, kind_of, role
from subcut.emulator.numerics import quantised, scale_of
from subcut.emulator.offline import Held, Node, Original
from subcut.emulator.weights import Weights

if TYPE_CHECKING:
    import numpy as np

    from subcut.emulator.machine import Machine

    Array = np.ndarray[Any, Any]

SUFFIXES = {
    "caffe": ("_quant_layer", "_dequant_layer"),
    "onnx": (".quant", ".dequant"),
    "tf": ("/act_quant/AscendQuant", "/AscendDequant"),
}
"""What AMCT appends to the name of the layer it quantises."""
TYPES = {
    "caffe": ("Quant", "DeQuant"),
    "onnx": ("AscendQuant", "AscendDequant"),
    "tf": ("AscendQuant", "AscendDequant"),
}
"""What it calls the inserted layers' types."""
LARGEST_SUM = float(1 << 30)
"""Of sums, which have 32 bits: beyond it a bias would leave no room for products."""


@dataclass(frozen=True)
class Quantised:
    """A layer that was quantised: the operators that took its place, and what they stand for."""

    quant: str
    layer: str
    dequant: str
    layer_type: str
    types: tuple[str, str]
    source: str
    """The operator that it reads from."""
    originals: list[str]
    """The layer, and what AMCT folded into its weights."""
    layout: str

    def entries(self) -> list[dict[str, Any]]:
        """The three operators as AMCT's file lists them."""
        names = {"key": "_datadump_original_op_names", "value": {"list": {"s": self.originals, "val_type": 1}}}
        origin = _origin(self.originals[-1], 0, self.layout)
        return [
            {"name": name, "type": kind, "input": [f"{source}:0"], "attr": [names], "output_desc": [{"attr": told}]}
            for name, kind, source, told in (
                (self.quant, self.types[0], self.source, []),
                (self.layer, self.layer_type, self.quant, []),
                (self.dequant, self.types[1], self.layer, origin),
            )
        ]


def can_quantise(group: Group) -> bool:
    """Whether AMCT quantises such a layer."""
    return group.anchor is not None and role(group.anchor) in (CONV, MATMUL)


def run_quantised(machine: Machine, group: Group, weights: Weights, data: Array) -> Quantised:
    """Compute a group of `data` in 8-bit numbers, and append its three operators."""
    import numpy as np

    op, value = weights.op, (group.ops[group.folded]).results[0]
    scale = scale_of(data)
    steps = np.reshape(scale_of(_by_channel(weights), 0), (-1,))
    if weights.bias is not None:  # which must fit into the sums
        steps = np.maximum(steps, np.abs(weights.bias) / (scale * LARGEST_SUM)).astype(np.float32)
    whole = quantised(weights.kernel, weights.along(steps))
    factor = steps * scale
    bias = None if weights.bias is None else np.rint(weights.bias / factor).astype(np.int32)
    small = quantised(data, scale)
    fed, blobs = weights.feeds(whole.astype(weights.kernel.dtype))
    fed[weights.data] = small.astype(data.dtype)
    [product] = machine.framework([op], [op.results[0]], fed, blobs)
    sums = np.rint(product).astype(np.int32)
    if bias is not None:
        sums = sums + weights.across(bias)
    array = (sums * weights.across(factor)).astype(product.dtype)
    if group.tail:
        [array] = machine.framework(group.tail, [group.last.results[0]], {value: array})
    return _append(
        machine, group, weights, (small, whole, bias, sums, factor), float(scale), machine.result(group, array)
    )


def _by_channel(weights: Weights) -> Array:
    """The kernel with its output channels in front."""
    import numpy as np

    kernel = weights.stored()
    axis = 3 if kernel is not weights.kernel else weights.axis
    return np.reshape(np.moveaxis(kernel, axis, 0), (weights.channels, -1))


def _append(
    machine: Machine,
    group: Group,
    weights: Weights,
    numbers: tuple[Array, Array, Array | None, Array, Array],
    scale: float,
    array: Array,
) -> Quantised:
    import numpy as np

    small, whole, bias, sums, factor = numbers
    device, op, names = machine.device, weights.op, machine.names
    assert op.graph is not None
    dialect = op.graph.model.dialect.name
    layout = MATRIX if role(op) == MATMUL else IMAGE
    before, behind = (f"{names[op]}{suffix}" for suffix in SUFFIXES[dialect])
    data = machine.matrix(weights.data) if layout == MATRIX else device.demand(weights.data, layout)
    quant = Node(before, "AscendQuant", attributes={"scale": 1 / scale, "offset": 0.0, "round_mode": "Round"})
    quant.attributes |= {"sqrt_mode": False}
    [read] = device.operator(quant, [data], [(None, np.reshape(small, data.array.shape), layout, None)])
    kernel = device.constant(replace(weights, kernel=whole).stored(), weights.layout, weights.device, weights.group)
    added = None if bias is None else device.vector(bias, layout)
    layer = Node(names[op], kind_of(op).device, attributes={"groups": weights.group, "has_bias": bias is not None})
    [held] = device.operator(layer, [read, kernel, added, None], [(None, sums, layout, None)])
    bits = np.frombuffer(factor.astype(np.float32).tobytes(), np.uint32)
    packed = device.vector(bits.astype(np.uint64), layout)
    tail = [names[one] for one in group.tail]
    inside = {result for one in group.ops for result in one.results}
    others = [v for one in group.tail for v in one.reads() if v not in inside]
    inputs: list[Held | None] = [held, packed, *(machine.other(v, layout, array) for v in others)]
    node = Node(behind + "".join(tail), "AscendDequant", originals=[behind, *tail] if tail else None)
    result = group.last.results[0]
    machine.keep(result, array)
    original = Original(tail[-1], 0, "FLOAT", from_ub=True) if tail else None
    device.operator(node, inputs, [(result, array, layout, original)])
    folded = [names[one] for one in group.ops[: 1 + group.folded]]
    types = TYPES[dialect]
    origin = "ND" if layout == MATRIX else device.image
    maker = weights.data.producer
    source = names.get(maker, weights.data.name) if maker is not None else weights.data.name
    return Quantised(before, names[op], behind, op.type, types, source, folded, origin)


def names_file(layers: Sequence[Quantised], ops: Iterable[Op], names: Mapping[Op, str], layout: str) -> dict[str, Any]:
    """The content of AMCT's file: the quantised layers, and the other operators as they were."""
    taken = {layer.layer: layer for layer in layers}
    folded = {name for layer in layers for name in layer.originals}
    entries: list[dict[str, Any]] = []
    for op in ops:
        name = names.get(op, "")
        if name in taken:
            entries += taken[name].entries()
        elif name and name not in folded:
            told = [{"attr": _origin(name, index, layout)} for index in range(len(op.results))]
            entries.append({"name": name, "type": op.type, "output_desc": told})
    return {"graph": [{"op": entries}]}


def _origin(name: str, index: int, layout: str) -> list[dict[str, Any]]:
    """Which tensor of the original an output is."""
    return [
        {"key": "_datadump_origin_name", "value": {"s": name}},
        {"key": "_datadump_origin_output_index", "value": {"i": index}},
        {"key": "_datadump_origin_format", "value": {"s": layout}},
    ]
