"""Computes group after group as the device does, and appends each to the offline model.

Every group is run in the original's framework, in 32-bit floats, with weights and inputs rounded to the device's
type, and its results are rounded: one rounding an operator, sums in 32 bits, as the cube unit does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from subcut.compiler.device.enums import TYPE_NAMES
from subcut.compiler.errors import user_error
from subcut.compiler.formats import Pieces
from subcut.compiler.ir.graph import Op, Value
from subcut.compiler.ir.types import element_of
from subcut.compiler.numbers import is_array
from subcut.emulator.affine import affine
from subcut.emulator.device import IMAGE, MATRIX, Device
from subcut.emulator.draws import drawn
from subcut.emulator.faults import Fault
from subcut.emulator.fusion import ELEMENTWISE, MOST_SETTINGS, Group
from subcut.emulator.kinds import BIAS, DECONV, MATMUL, NORM, NOTHING, POOL, RANDOM, RESHAPE, SCALE, kind_of, role
from subcut.emulator.numerics import Precision, is_real
from subcut.emulator.offline import Held, Node, Original
from subcut.emulator.quantise import Quantised, can_quantise, run_quantised
from subcut.emulator.statics import Statics
from subcut.emulator.weights import Weights, weights_of

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

    Output = tuple[Value | None, Array, str, Original | None]

EXACT = (NORM,)
"""Operators whose stored numbers stay in 32 bits: a variance would be lost in 16."""


class Machine:
    """Runs groups in the order they are given."""

    def __init__(
        self,
        pieces: Pieces,
        statics: Statics,
        device: Device,
        names: Mapping[Op, str],
        outputs: Sequence[Value],
        faults: Mapping[Group, Fault],
        seed: int,
    ) -> None:
        self.pieces, self.statics, self.device = pieces, statics, device
        self.names, self.outputs, self.faults, self.seed = names, set(outputs), faults, seed
        self.values: dict[Value, Array] = {}
        """What is computed and still read: real numbers in 32 bits, rounded."""
        self.quantised: list[Quantised] = []
        self.owners: dict[Op, Group] = {}

    @property
    def precision(self) -> Precision:
        """Of the device."""
        return self.device.precision

    def feed(self, value: Value, name: str, array: Array) -> None:
        """An input: the device has it as it is, and rounds it before it computes with it."""
        self.device.data(value, name, array)
        self.keep(value, self.precision.rounded(array))

    def give_out(self, value: Value) -> None:
        """An output of the model that is stored."""
        array = self.precision.rounded(self.statics.array(value))
        self.values[value] = array
        self.device.held[value] = self.device.vector(array, "", value)

    def plan(self, groups: Sequence[Group]) -> None:
        """Say what is going to be run."""
        self.owners = {op: group for group in groups for op in group.ops}

    def run(self, group: Group) -> None:
        """Compute a group and append its operator."""
        kind = role(group.last)
        if len(group.ops) == 1 and kind in (RESHAPE, NOTHING):
            self._view(group.last)
        elif group.anchor is not None:
            self._weighted(group, group.anchor)
        else:
            self._plain(group)

    def drop(self, value: Value) -> None:
        """Nobody reads a tensor any more."""
        self.values.pop(value, None)
        self.device.forget(value)

    def keep(self, value: Value, array: Array) -> None:
        """A tensor was computed, rounded as the device has it."""
        self.values[value] = array
        self.statics.saw(value, array)

    def _view(self, op: Op) -> None:
        source = next(v for v in op.operands if v is not None and not self.statics.is_static(v))
        [array] = self.framework([op], [op.results[0]], {})
        self.keep(op.results[0], array)
        self.device.view(op.results[0], source, array)

    def framework(
        self,
        ops: Sequence[Op],
        fetch: Sequence[Value],
        feeds: Mapping[Value, Array],
        blobs: Mapping[Op, Sequence[Array]] | None = None,
    ) -> list[Array]:
        """What the framework computes; inputs that `feeds` leaves out are those that were computed before."""
        own, given = set(ops), dict(feeds)
        for op in ops:
            for value in op.reads():
                if value not in given and value.producer not in own:
                    given[value] = self._operand(op, value)
        found = self.pieces.run(given, [value for value in fetch if value.name], blobs or {})
        for array in found:
            check_array(ops[-1], array)
        return found

    def _operand(self, op: Op, value: Value) -> Array:
        if not self.statics.is_static(value):
            return self.values[value]
        array = self.statics.array(value)
        return array if role(op) in EXACT or op in self.statics.ops else self.precision.rounded(array)

    def _weighted(self, group: Group, anchor: Op) -> None:
        """A convolution or matrix product with what is fused into it."""
        weights = weights_of(anchor, self.statics)
        assert weights is not None
        value = anchor.results[0]
        for op in group.ops[1 : 1 + group.folded]:
            found = affine(op, value, weights, self.statics)
            assert found is not None
            weights, value = weights.followed_by(*found), op.results[0]
        fault, data = self.faults.get(group), self.values[weights.data]
        if fault is not None:
            weights, data = replace(weights, kernel=fault.weights(weights)), fault.read(data)
        if (self.precision.quantise or (fault and fault.kind == "int8")) and can_quantise(group):
            self.quantised.append(run_quantised(self, group, weights, data))
            return
        bias = None if weights.bias is None else self.precision.rounded(weights.bias)
        weights = replace(weights, kernel=self.precision.rounded(weights.kernel), bias=bias)
        fed, blobs = weights.feeds(weights.kernel)
        [array] = self.framework([anchor], [anchor.results[0]], {**fed, weights.data: data}, blobs)
        if bias is not None:
            array = array + weights.across(bias)
        if group.tail:
            [array] = self.framework(group.tail, [group.last.results[0]], {value: array})
        self._append_weighted(group, weights, self.result(group, array))

    def result(self, group: Group, array: Array) -> Array:
        """What a group gives out: rounded, and spoilt where it has a fault."""
        fault = self.faults.get(group)
        array = self.precision.rounded(array)
        if fault is not None:
            array = fault.written(array, self.precision)
        return array

    def _append_weighted(self, group: Group, weights: Weights, array: Array) -> None:
        layout = MATRIX if role(weights.op) == MATMUL else IMAGE
        data = self.matrix(weights.data) if layout == MATRIX else self.device.demand(weights.data, layout)
        stored = self.device.constant(weights.stored(), weights.layout, weights.device, weights.group)
        added = None if weights.bias is None else self.device.vector(weights.bias, layout)
        inputs: list[Held | None] = [data, stored, added, None]
        if role(weights.op) == DECONV and kind_of(weights.op).device.endswith("InputD"):
            inputs = [stored, data, *([added] if added else [])]
        if group.tail:
            inputs = [held for held in inputs if held is not None]
            inside = {v for op in group.ops for v in op.results}
            others = [v for op in group.tail for v in op.reads() if v not in inside]
            inputs += [self.other(v, layout, array) for v in others]
        fits = array.ndim == 4 if layout == IMAGE else array.ndim > 1
        outputs = [self._output(group, group.last.results[0], array, layout if fits else "")]
        node = self._node(group)
        node.attributes |= {"groups": weights.group, "has_bias": added is not None}
        self.device.operator(node, inputs, outputs)

    def matrix(self, value: Value) -> Held:
        """What a matrix product reads: images are flattened."""
        import numpy as np

        held = self.device.demand(value)
        array = held.array
        if array.ndim > 2 and role(value.consumers()[0]) == MATMUL and not self._is_batched(value):
            held = self.device.reshaped(held, np.reshape(array, (array.shape[0], -1)))
        return self.device.laid_out(held, MATRIX) if held.array.ndim >= 2 else held

    def _is_batched(self, value: Value) -> bool:
        """Whether several matrices are multiplied, as ONNX does; Caffe flattens."""
        graph = value.graph
        return graph is None or graph.model.dialect.name != "caffe"

    def other(self, value: Value, layout: str, array: Array) -> Held:
        """What a fused operator reads besides: in the layout of the result where it has the rank for it."""
        if self.statics.is_static(value):
            found = self.precision.rounded(self.statics.array(value))
            return self.device.vector(found, layout, value)
        return self.device.demand(value, layout if self.values[value].ndim == array.ndim else "")

    def _plain(self, group: Group) -> None:
        """Operators without weights, run as they are."""
        import numpy as np

        fault = self.faults.get(group)
        results = self._results(group)
        read = {} if fault is None else self._misread(group, fault)
        made = iter(self.framework(group.ops, results, read))
        # ONNX leaves out results by not naming them: nobody reads these.
        arrays = [next(made) if value.name else np.zeros(0, np.float32) for value in results]
        if role(group.last) == RANDOM:
            arrays = [drawn(group.last, array, self.seed) for array in arrays]
        arrays = [self.result(group, array) for array in arrays]
        layout = self._layout(group, arrays[0])
        inputs: list[Held | None] = []
        inside = {v for op in group.ops for v in op.results}
        for op in group.ops:
            for value in op.operands:
                if value is not None and value not in inside and not self._is_setting(group, value):
                    inputs.append(self.other(value, layout, arrays[0]))
        outputs = [self._output(group, v, a, layout) for v, a in zip(results, arrays, strict=True)]
        self.device.operator(self._node(group), inputs, outputs, "f32" if role(group.last) == RANDOM else "")

    def _is_setting(self, group: Group, value: Value) -> bool:
        """Whether a tensor became an attribute: few whole numbers that are known."""
        if role(group.last) == RANDOM or not self.statics.is_static(value):
            return False
        array = self.statics.array(value)
        return not is_real(array) and array.size <= MOST_SETTINGS

    def _misread(self, group: Group, fault: Fault) -> dict[Value, Array]:
        inputs = group.inputs(self.statics)
        return {inputs[0]: fault.read(self.values[inputs[0]])} if inputs else {}

    def _results(self, group: Group) -> list[Value]:
        """The results that are read or given out, and those before them."""
        last = [v.index for v in group.last.results if v.uses or v in self.outputs]
        return group.last.results[: max(last, default=0) + 1]

    def _layout(self, group: Group, array: Array) -> str:
        """The device layout in which an operator without weights works."""
        inputs = group.inputs(self.statics)
        kind = role(group.last)
        if kind == POOL and array.ndim == 4:
            return IMAGE
        if kind not in (*ELEMENTWISE, NORM, SCALE, BIAS):
            return ""
        ranks = {self.values[value].ndim for value in inputs}
        layouts = [self.device.held[value].desc.layout for value in inputs]
        for layout in (IMAGE, MATRIX):
            if layout in layouts and ranks == {array.ndim}:
                return layout
        return self._wanted(group, array) if ranks == {array.ndim} else ""

    def _wanted(self, group: Group, array: Array) -> str:
        """The layout in which everybody reads what a group makes, where that is one."""
        readers = {self.owners.get(op) for op in group.last.results[0].consumers()}
        wants = {_layout_of(reader, array) for reader in readers if reader is not None}
        return wants.pop() if len(wants) == 1 and group.last.results[0] not in self.outputs else ""

    def _output(self, group: Group, value: Value, array: Array, layout: str) -> Output:
        self.keep(value, array)
        original = None
        if group.is_changed:
            element = "FLOAT" if is_real(array) else ""
            original = Original(self.names[group.last], value.index, element, from_ub=bool(group.tail))
        return value, array, layout or self.device.linear(array), original

    def _node(self, group: Group) -> Node:
        originals = [self.names[op] for op in group.ops if self.names[op]] if group.is_changed else None
        if originals is not None:
            originals = _ordered(group, self.names)
        first = group.anchor or group.ops[0]
        tail = group.tail
        name = self.names[first] + "".join(self.names[op] for op in tail)
        return Node(name, kind_of(first).device, originals=originals)


def check_array(op: Op, array: object) -> None:
    """Raise UserError `not-emulated` for what is no tensor of numbers that a device has."""
    if not is_array(array) or array.dtype.kind in "OSU" or element_of(array.dtype) not in TYPE_NAMES:
        raise user_error("not-emulated", f"`{op.label}` ({op.type}) makes what is no tensor of numbers on a device")


def _layout_of(group: Group, array: Array) -> str:
    """The layout in which the cube unit, or a pooling, reads a tensor."""
    kind = role(group.anchor or group.last)
    if kind == MATMUL and group.anchor is not None:
        return MATRIX if array.ndim == 2 else ""
    image = kind == POOL or group.anchor is not None
    return IMAGE if image and array.ndim == 4 else ""


def _ordered(group: Group, names: Mapping[Op, str]) -> list[str]:
    """The original operators as the graph engine lists them: first folded constants, then a bias, then the rest."""
    ops = list(group.ops)
    if group.anchor is not None:
        folded = ops[1 : 1 + group.folded]
        front = [op for op in folded if kind_of(op).device in ("Add", "BiasAdd")]
        ops = [*front, group.anchor, *(op for op in folded if op not in front), *group.tail]
    return [names[op] for op in [*group.folded_constants, *ops] if names[op]]
