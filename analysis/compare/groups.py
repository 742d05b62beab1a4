"""Every tensor of a group of offline operators against the original's: the rows that the accuracy tool makes of it.

Source: msaccucmp's `compare_fusion_op`; which file is whose, `dump_parse/dump.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from subcut.analysis.compare.fitting import Side, fit
from subcut.analysis.compare.further import Wanted, look_further
from subcut.analysis.compare.rows import Columns, Row, shape_text
from subcut.analysis.compare.rules import FusedOp, Fusion, NotComparable
from subcut.analysis.compare.sides import Dumped, explained, read_run, read_truth, side_of, truth_path
from subcut.analysis.compare.work import Work, extra_truth
from subcut.analysis.metrics import NAN, Compared, Names, compare_arrays, is_scalar
from subcut.analysis.sums import Array
from subcut.compiler.device.dumps.names import escape, unsliced
from subcut.compiler.device.dumps.slices import WholeTensor
from subcut.compiler.device.dumps.tree import OVERFLOWS, DumpTree
from subcut.compiler.errors import ModelError

if TYPE_CHECKING:
    from subcut.compiler.device.dumps.tree import Entry


@dataclass
class Groups(Work):
    """A dump tree and ground truth, with the offline model between them."""

    fusion: Fusion
    left: DumpTree
    right: DumpTree
    wanted: Wanted

    @property
    def trees(self) -> list[DumpTree]:
        """The folders of both sides."""
        return [self.left, self.right]

    @property
    def columns(self) -> Columns:
        """A dump has addresses."""
        return Columns(left_address=True, right_address=False)

    def keys(self) -> list[str]:
        """The pieces of work, in the order of the result."""
        return list(self.fusion.groups)

    def rows(self, key: str) -> list[Row]:
        """The rows of a group."""
        ops = self.fusion.groups[key]
        if len(ops) == 1:
            return [] if ops[0].skipped else self._one(ops[0])
        return self._several(self._chosen(ops) if ops[0].l1 else ops, ops)

    def lost(self, key: str) -> Row:
        """The row of a group that could not be compared."""
        ops = self.fusion.groups[key]
        names = ",".join(op.name for op in ops), ",".join(dict.fromkeys(name for op in ops for name in op.originals))
        return Row(ops[0].number, ops[0].type, names[0], names[1] or "*")

    def extra(self, rows: list[Row]) -> tuple[list[str], list[str]]:
        """Dumped operators that the offline model does not have, and ground truth that no row names."""
        known = {unsliced(escape(op.name)) for op in self.fusion.ops}
        files = (file.name for file in self.left.files() if file.name.op_name and not file.name.suffix)
        names = (name for name in files if not {name.base, name.unpartitioned} & known and name.base not in OVERFLOWS)
        return list(dict.fromkeys(name.base for name in names)), extra_truth(self.right, rows)

    def _one(self, op: FusedOp) -> list[Row]:
        right = ",".join(op.originals) or "*"
        try:
            rows = self._operator(op, op.name, right)
        except NotComparable as error:
            return [_empty(op, op.name, right, [error.reason], error.note)]
        return rows or [_empty(op, op.name, right, [], "its dump has no tensor that is compared")]

    def _several(self, chosen: list[FusedOp], ops: list[FusedOp]) -> list[Row]:
        """Operators without a dump are passed over, unless there is none at all."""
        names: dict[str, list[str]] = {}
        for op in ops:
            names.setdefault(",".join(op.originals), []).append(op.name)
        left, right = ",".join(name for members in names.values() for name in members), ",".join(names)
        if not chosen:
            return [_empty(ops[0], left, right, ["The fusion operator list is empty"], "")]
        rows: list[Row] = []
        reasons: list[str] = []
        for op in chosen:
            if op.skipped:
                continue
            if op.is_inner and not op.l1:
                reasons.append(f"[{op.name}] The op is inner node for multi to multi relation.Skip the op.")
                continue
            try:
                found = self._operator(op, left, right)
            except NotComparable as error:
                reasons.append(error.reason)
                continue
            reasons.clear()
            rows += found or [_empty(op, left, right, [], "its dump has no tensor that is compared")]
        return rows or [_empty(ops[0], left, right, reasons, "")]

    def _chosen(self, ops: list[FusedOp]) -> list[FusedOp]:
        """Of an L1 fusion: the last one to run, and the first if it stands for other originals."""
        ran = sorted((entry.time, k) for k, op in enumerate(ops) if (entry := self._entry(op)))
        if not ran:
            return []
        first, last = ops[ran[0][1]], ops[ran[-1][1]]
        return [last] if first.originals == last.originals else [first, last]

    def _entry(self, op: FusedOp) -> Entry | None:
        found = self.left.find(op.name)
        return found[-1] if found else None

    def _operator(self, op: FusedOp, left: str, right: str) -> list[Row]:
        """The rows of one operator. Raises NotComparable where it has no dump."""
        dumped = self._dumped(op)
        rows: list[Row] = []
        if not op.dequantises:
            rows += [self._tensor(op, dumped, k, "input", left, right) for k in range(len(dumped.inputs))]
        if op.type != "AscendQuant":
            rows += [self._tensor(op, dumped, k, "output", left, right) for k in range(len(dumped.outputs))]
        return rows

    def _dumped(self, op: FusedOp) -> Dumped:
        missing = f'[{op.name}] There is no dump file for my output operator "{op.name}". The type is {op.type}.'
        entry = self._entry(op)
        if entry is None:
            raise NotComparable(missing)
        try:
            return read_run(self.left, entry)
        except ModelError as error:
            raise NotComparable(missing, note=explained(error, self.left.place)) from None

    def _tensor(self, op: FusedOp, dumped: Dumped, k: int, direction: str, left: str, right: str) -> Row:
        tensor = dumped.tensors(direction)[k]
        row = Row(op.number, op.type, left, right, f"{op.name}:{direction}:{k}", shape_text(tensor.shape))
        row.left_path, row.left_address = dumped.path, _address(tensor)
        row.note = "; ".join(dumped.problems)
        try:
            self._compare(row, op, tensor, k, direction == "input")
        except NotComparable as error:
            reason = error.reason
            if error.missing:
                reason = f"[{op.name}] There is no the ground truth dump file for {row.tensor}."
                row.missing = "right"
            row.compared.messages.append(reason)
            row.note = "; ".join(filter(None, (row.note, error.note)))
        return row

    def _compare(self, row: Row, op: FusedOp, tensor: WholeTensor, k: int, is_input: bool) -> None:
        source, index = self.fusion.source(op, k, is_input)
        name, number, output = source.origin(index)
        row.original = f"{name}:{number}"
        golden = read_truth(truth_path(self.right, name, number), self.right.place)
        row.right_path = golden.path
        other = Side(golden.array, golden.shape, output.layout, output.shape)
        mine, theirs, shape = fit(op.name, side_of(tensor), other)
        fill(row, mine, theirs, shape, self.wanted)


def fill(row: Row, left: Array, right: Array, shape: tuple[int, ...], wanted: Wanted) -> None:
    """Compare two flat arrays of one length, and write into the row what comes out. Of complex numbers the real part
    counts, as in the tool."""
    row.left_type, row.right_type = str(left.dtype), str(right.dtype)
    left, right = (side.real if side.dtype.kind == "c" else side for side in (left, right))
    row.compared = compare_arrays(left, right, Names(row.left_path, row.right_path), scalar=is_scalar(shape))
    row.shape = shape_text(shape)
    row.further = look_further(left, right, shape, wanted)


def _address(tensor: WholeTensor) -> str:
    return str(tensor.like.address or NAN)


def _empty(op: FusedOp, left: str, right: str, reasons: list[str], note: str) -> Row:
    return Row(op.number, op.type, left, right, note=note, missing="left", compared=Compared(messages=reasons))
