"""Move the edges of a selection to tensors that the device stored: to the borders of the offline model's operators."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

from subcut.compiler.errors import user_error
from subcut.compiler.ir.alignment import CONSTANT, INSIDE, Aligner, Row
from subcut.compiler.ir.graph import Model, Op, Value
from subcut.compiler.ir.selection import CutOptions, Selection
from subcut.passes.base import Pass

OUTWARD, INWARD = "outward", "inward"


@dataclass(frozen=True)
class Snap(Pass):
    """Make every edge a tensor that the offline model has, and its dumps where they are given.

    1. `outward` takes in whatever else the fused operator covers that an edge is inside of; where an edge has no
       dump for another reason, the operator on the far side of it. `inward` leaves these out instead.
    2. Without a direction nothing moves, and an input inside a fused operator is refused: the device never stored
       it, so that nobody could feed the cut what the device was fed. The message says where the ways out lead.
    3. Constants come along whatever the device did with them; an input of the model has nothing further out.
    4. Without an offline model nothing is known of borders, and nothing happens: `cut` refuses the direction.
    """

    name: ClassVar[str] = "snap"

    def apply(self, model: Model) -> bool:
        """Change `model.selection`. Raises UserError `inside-fused`, `nothing-left`, `not-aligned`."""
        selection, options = model.selection, model.options or CutOptions()
        if selection is None:
            raise user_error("no-selection", "nothing is selected", help="run the pass `select` before `snap`")
        if model.aligner is None:
            return False
        direction, options.snap = options.snap, ""
        if not direction:
            _refuse_inside(model.aligner, selection)
            return False
        if selection.graph is not model.main:
            message = f"`snap {direction}` knows what a device stored of the main graph only"
            raise user_error("not-aligned", message, help="leave it out, or select operators of the main graph")
        snapped = _Snapping(model.aligner, selection).run(direction)
        if snapped is None:
            message = f"`snap {direction}` leaves nothing of the selection"
            raise user_error("nothing-left", message, help="select more, or `snap outward`")
        _refuse_inside(model.aligner, snapped)
        changed = list(snapped.ops) != list(selection.ops)
        model.selection = snapped
        return changed


def _refuse_inside(aligner: Aligner, selection: Selection) -> None:
    snapping = _Snapping(aligner, selection)
    for value in snapping.entering():
        row = aligner.row(value)
        if row is None or row.kind != INSIDE:
            continue
        reader = next((op for op, _ in value.uses if op in selection.ops), None)
        what = f"the input `%{value.name}`" + (f" of `{reader.label}`" if reader else "")
        help = [text for text in (_way_out(aligner, selection, d) for d in (OUTWARD, INWARD)) if text]
        raise user_error("inside-fused", f"{what} is {row.reason}", help=help or ["choose another start"])


def _way_out(aligner: Aligner, selection: Selection, direction: str) -> str:
    found = _Snapping(aligner, selection).run(direction)
    entering = [] if found is None else _Snapping(aligner, found).entering()
    if found is None or any(row is not None and row.kind == INSIDE for row in map(aligner.row, entering)):
        return ""
    values = [f"`%{value.name}`" for value in entering][:3]
    return f"`; snap {direction}` cuts at {', '.join(values) or 'no input'} instead ({len(found.ops)} operators)"


class _Snapping:
    """A selection on its way to edges that are stored."""

    def __init__(self, aligner: Aligner, selection: Selection) -> None:
        self.aligner = aligner
        self.selection = selection
        self.graph = selection.graph
        self.ops = dict(selection.ops)
        self.entries = dict(selection.entries)
        self.ends = None if selection.ends is None else dict(selection.ends)

    def run(self, direction: str) -> Selection | None:
        """Move edges until all fit, or none can move any more; None where nothing is left.

        Every step takes operators in, or leaves some out, or its edge is not tried again: there is an end to it.
        """
        step = self._outward if direction == OUTWARD else self._inward
        tried: set[tuple[Value, bool]] = set()
        while self.ops:
            edges = [(value, True) for value in self.entering()] + [(value, False) for value in self.leaving()]
            unfit = [edge for edge in edges if edge not in tried and not self._fits(edge[0])]
            if not unfit:
                ordered = dict.fromkeys(op for op in self.graph.ops if op in self.ops)
                return replace(self.selection, ops=ordered, entries=self.entries, ends=self.ends)
            before = len(self.ops)
            step(*unfit[0])
            if len(self.ops) == before:
                tried.add(unfit[0])
        return None

    def entering(self) -> list[Value]:
        """What the selection reads from outside, and what it names as its start."""
        found = dict.fromkeys(value for value in self.entries if any(op in self.ops for op, _ in value.uses))
        for op in self.ops:
            found.update(dict.fromkeys(v for v in op.reads() if v.producer not in self.ops))
        return [v for v in found if not self._is_constant(v)]

    def leaving(self) -> list[Value]:
        """What it names as its end, or what is read outside or by nobody."""
        if self.ends is not None:
            return [v for v in self.ends if v.producer in self.ops]
        outputs = set(self.graph.outputs)
        results = (v for op in self.ops for v in op.results if v.name)
        return [v for v in results if v in outputs or not v.uses or any(op not in self.ops for op, _ in v.uses)]

    def _is_constant(self, value: Value) -> bool:
        row = self.aligner.row(value)
        return row is not None and row.kind == CONSTANT

    def _fits(self, value: Value) -> bool:
        row = self.aligner.row(value)
        return row is None or row.kind == CONSTANT or (row.aligned and not row.missing)

    def _members(self, row: Row | None) -> list[Op]:
        """What the fused operator covers that the tensor of `row` is inside of."""
        return self.aligner.members(row.holder) if row is not None and row.kind == INSIDE else []

    def _outward(self, value: Value, enters: bool) -> None:
        members = self._members(self.aligner.row(value))
        if all(op in self.ops for op in members):
            members = []
        producer = value.producer
        if enters:
            self.entries.pop(value, None)
            self._add(members or ([] if producer is None else [producer]))
            return
        added = members or [op for op in value.consumers() if op.graph is self.graph]
        self._add(added)
        if self.ends is not None:
            further = [v for v in _results(added) if v is not value and self._ends(v, added)]
            if further or (len(self.ends) > 1 and not value.uses):  # else there would be no output
                self.ends.pop(value, None)
                self.ends.update(dict.fromkeys(further))

    def _ends(self, value: Value, added: list[Op]) -> bool:
        """Whether a result of what was taken in is an end: it leaves, or nobody reads it and it is stored."""
        return any(op not in added for op, _ in value.uses) or (not value.uses and self._fits(value))

    def _add(self, ops: Iterable[Op]) -> None:
        self.ops.update(dict.fromkeys(op for op in ops if op.graph is self.graph))

    def _inward(self, value: Value, enters: bool) -> None:
        members = [op for op in self._members(self.aligner.row(value)) if op in self.ops]
        near = value.consumers() if enters else [value.producer]
        gone = members or [op for op in near if op is not None and op in self.ops]
        self.entries.pop(value, None)
        for op in gone:
            del self.ops[op]
        if self.ends is not None:
            ended = [v for v in self.ends if v.producer in gone]
            for v in ended:
                del self.ends[v]
            if ended:
                read = (v for op in gone for v in op.reads() if v.producer in self.ops)
                self.ends.update(dict.fromkeys(v for v in read if not self._is_constant(v)))


def _results(ops: Iterable[Op]) -> list[Value]:
    return [value for op in ops for value in op.results if value.name]
