"""The groups of an offline model: which of its operators stand for which originals, numbered as the result file does.

Source: msaccucmp's `fusion_rule_parser` and `fusion_op`. A group is what originals became: one operator or several.
What aligning makes of the same attributes says where each original tensor is; this says the order and the words of the
accuracy comparison, which its result file has.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from subcut.analysis.compare.quantised import mark_skipped
from subcut.compiler.alignment.holders import plain
from subcut.compiler.formats.ascend.offline import OfflineModel, OfflineOp, OfflineTensor

PASSING = ("Cast", "TransData")
"""Types of operators that pass on what they read."""
_DEQUANT = ("_dequant_layer", "AscendDequant", "_dequant")


class NotComparable(Exception):
    """Why two tensors cannot be compared. `reason` is what the result file says, `note` what else there is to say."""

    def __init__(self, reason: str = "", *, missing: bool = False, note: str = "") -> None:
        super().__init__(reason or note)
        self.reason, self.note = reason, note
        self.missing = missing
        """There is no ground truth, for whatever reason."""


@dataclass
class FusedOutput:
    """An output of an offline operator, and the original tensor that it holds."""

    origin_name: str = ""
    origin_index: int | None = None
    """None stands for the output's own number."""
    layout: str = ""
    shape: tuple[int, ...] = ()
    type_name: str = ""


@dataclass
class FusedOp:
    """An offline operator."""

    name: str
    type: str
    inputs: tuple[str, ...]
    """`producer:index`, without control edges and gaps."""
    outputs: list[FusedOutput]
    originals: tuple[str, ...]
    """Names of the originals; one empty name for an operator that the compiler inserted."""
    multi: bool = False
    l1: str = ""
    sequence: int = 0
    number: int = 0
    """Of its group: the column `Index`."""
    skipped: bool = False
    """It works on quantised numbers, which nothing in the original is like."""

    @property
    def is_inner(self) -> bool:
        """One of several that several originals became, and none of their results."""
        return self.multi and not any(output.origin_name for output in self.outputs)

    @property
    def dequantises(self) -> bool:
        """Its inputs are quantised, and not compared."""
        return self.type == "AscendDequant" or self.name.endswith(_DEQUANT)

    def origin(self, index: int) -> tuple[str, int, FusedOutput]:
        """The original tensor of output `index`: operator, number, and what is known of it. Raises NotComparable."""
        if not self.outputs:
            raise NotComparable(missing=True, note=f"the offline model does not describe the outputs of `{self.name}`")
        output = self.outputs[index if index < len(self.outputs) else 0]
        if not output.origin_name:
            raise NotComparable(missing=True, note=f"the offline model names no original for {self.name}:{index}")
        return output.origin_name, index if output.origin_index is None else output.origin_index, output


@dataclass
class Fusion:
    """All operators of an offline model in their groups."""

    groups: dict[str, list[FusedOp]] = field(default_factory=dict[str, list[FusedOp]])
    """In the order of their numbers."""
    _group_of: dict[str, str] = field(default_factory=dict[str, str])
    """The key of an operator's group."""

    def find(self, name: str) -> FusedOp:
        """The operator of that name. Raises NotComparable."""
        for op in self.groups.get(self._group_of.get(name, ""), []):
            if op.name == name:
                return op
        raise NotComparable(f'There is no "{name}" in the fusion rule file.')

    def group_key(self, name: str) -> str | None:
        """The key of the group of the operator of that name; None where there is none."""
        return self._group_of.get(name)

    def producer(self, op: FusedOp, index: int) -> tuple[FusedOp, int]:
        """Who makes input `index` of an operator, and as which of its outputs. Raises NotComparable."""
        if index >= len(op.inputs):
            raise NotComparable(note=f"`{op.name}` has {len(op.inputs)} inputs, and its dump has more")
        edge = op.inputs[index]
        name, colon, output = edge.rpartition(":")
        wrong = f"The input information ({edge}) is invalid. "
        if not colon or ":" in name:
            raise NotComparable(f"{wrong}It only supports op_name:index.")
        if not name.strip():
            raise NotComparable(f"{wrong}The input operator name is empty.")
        if not (output.strip().isascii() and output.strip().isdigit()):
            raise NotComparable(f"{wrong}The input index only supports numbers.")
        return self.find(name.strip()), int(output)

    def source(self, op: FusedOp, index: int, is_input: bool) -> tuple[FusedOp, int]:
        """Who computes the tensor: what only passes it on is stepped over. Raises NotComparable."""
        if is_input:
            op, index = self.producer(op, index)
        seen: set[tuple[str, int]] = set()
        while op.type in PASSING:
            if (op.name, index) in seen:
                raise NotComparable(note=f"`{op.name}` reads its own result")
            seen.add((op.name, index))
            op, index = self.producer(op, index)
        return op, index

    def add(self, op: FusedOp, l1: str = "") -> None:
        """Put an operator into its group: that of L1 fusion, if there is one."""
        key = self._group_of[op.name] = l1 or _key(op)
        group = self.groups.get(key)
        if group is None:
            op.number = len(self.groups)
            self.groups[key] = [op]
        elif all(other.name != op.name for other in group):
            op.number = group[0].number
            group.append(op)

    def fill_renamed(self) -> None:
        """An operator that alone stands for one original gives its outputs, whatever it is called."""
        for key, ops in self.groups.items():
            if len(ops) == 1 and ops[0].originals == (key,) and self._group_of[ops[0].name] == key:
                _fill(ops[0].outputs, key)

    @property
    def ops(self) -> list[FusedOp]:
        """Every operator, in the order in which they run."""
        found = [op for ops in self.groups.values() for op in ops]
        return sorted(found, key=lambda op: op.sequence)


def fusion_of(model: OfflineModel, quantised: OfflineModel | None = None) -> Fusion:
    """The groups of an offline model; `quantised` is AMCT's quantisation information, if it has one."""
    made = _parsed(model)
    if quantised is None:
        return made
    return _merged(made, _parsed(quantised))


def _parsed(model: OfflineModel) -> Fusion:
    made = Fusion()
    order: list[FusedOp] = []
    for _, ops in itertools.groupby(model.ops, key=lambda op: op.graph):
        for op in ops:
            fused = _fused(op)
            made.add(fused, fused.l1)
            order.append(fused)
        made.fill_renamed()
    kept = {id(op) for op in made.ops}
    mark_skipped(sorted((op for op in order if id(op) in kept), key=lambda op: op.sequence))
    return made


def _fused(op: OfflineOp) -> FusedOp:
    name = plain(op.name)
    edges = tuple(plain(edge) for edge in op.inputs if edge and not edge.endswith(":-1"))
    outputs = [_output(k, output) for k, output in enumerate(op.outputs) if _says_anything(output)]
    if op.original_names is None:
        originals: tuple[str, ...] = (name,)
        if not outputs:
            outputs.append(FusedOutput())
        _fill(outputs, name)
    else:
        originals = op.original_names if op.original_names else ("",)
    return FusedOp(name, op.type, edges, outputs, originals, op.is_multiop, op.l1_group or "", op.id)


def _says_anything(output: OfflineTensor) -> bool:
    told = (output.origin_layout, output.origin_shape, output.origin_name, output.origin_index, output.dump_layout)
    return any(one is not None for one in told)


def _output(k: int, output: OfflineTensor) -> FusedOutput:
    index = k if output.origin_index is None else output.origin_index
    layout = output.dump_layout or output.origin_layout or ""
    return FusedOutput(output.origin_name or "", index, layout, output.origin_shape or (), output.type_name)


def _fill(outputs: list[FusedOutput], name: str) -> None:
    for output in outputs:
        output.origin_name = output.origin_name or name


def _key(op: FusedOp) -> str:
    if len(op.originals) > 1:
        return "\0" + "".join(op.originals)
    return (op.originals[0] if op.originals else "") or op.name


def _merged(offline: Fusion, quantised: Fusion) -> Fusion:
    """The offline model's groups by the names of the original, which the quantised model's groups give."""
    made = Fusion()
    for ops in offline.groups.values():
        for op in ops:
            members = [quantised.groups[key] for name in op.originals if (key := quantised.group_key(name)) is not None]
            names = dict.fromkeys(name for group in members for member in group for name in member.originals)
            outputs = [new for output in op.outputs for new in _before(output, quantised)]
            op.originals = tuple(names) or op.originals
            op.outputs = outputs or op.outputs
            made.add(op)
    return made


def _before(output: FusedOutput, quantised: Fusion) -> list[FusedOutput]:
    """What the quantised model's tensor is in the original."""
    key = quantised.group_key(output.origin_name)
    if not output.origin_name or key is None:
        return []
    group = quantised.groups[key]
    if output.origin_index is None:
        found = [other for op in group for other in op.outputs]
    else:
        k = output.origin_index
        named = [op for op in group if op.name == output.origin_name]
        found = [op.outputs[k] if k < len(op.outputs) else FusedOutput() for op in named]
    if output.layout:
        for other in found:
            other.layout, other.shape = output.layout, output.shape
    return found
