"""The error that a piece of the model adds itself: computed by the reference from the device's own numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from subcut.analysis.locate.dump.distance import Distance, distance
from subcut.analysis.locate.dump.hints import hint
from subcut.analysis.locate.dump.rounding import CUBE, LEAST, Rounding
from subcut.analysis.locate.dump.tensors import DeviceTensors, Truth
from subcut.analysis.locate.dump.units import Unit
from subcut.compiler.errors import UserError, user_error
from subcut.compiler.formats import Pieces
from subcut.compiler.ir.graph import Op, Value
from subcut.emulator.kinds import role

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

OK, CULPRIT, RANDOM, UNKNOWN = "ok", "culprit", "nondeterministic", "not judged"
FACTOR = 4.0
"""How many times what a precision must cost is allowed: a device adds in another order."""
DRAWS = 4
"""Runs in the precision, rounded another way each, before a tensor is said to be beyond what that costs: where little
is left of large numbers, a single one may come out near by chance."""
FALLBACK = Distance(0.05, float("inf"))
"""The limit where what the precision must cost cannot be computed: the one of the accuracy tool's documents."""
PRECISIONS = ("fp16", "bf16", "int8")


@dataclass
class Judged:
    """What is known of one stored tensor."""

    unit: Unit
    value: Value
    verdict: str = UNKNOWN
    own: Distance | None = None
    """Between what the device stored and what the reference computes from the device's own inputs of the unit."""
    limit: Distance | None = None
    """What `own` must stay below."""
    total: Distance | None = None
    """Between what the device stored and what the original computes."""
    inherited: Distance | None = None
    """Between what the reference computes from the device's inputs and what the original computes."""
    entering: float | None = None
    """The largest total error of the unit's inputs."""
    note: str = ""
    """What kind of wrong it is, or why it is not judged."""

    @property
    def amplification(self) -> float | None:
        """How many times larger the inherited error leaves the unit than it enters; None where none enters."""
        if self.inherited is None or not self.entering:
            return None
        return self.inherited.euclidean / self.entering


@dataclass(frozen=True)
class Tested:
    """A piece of the model that was run by the reference from the device's numbers."""

    right: list[Array] = field(repr=False)
    """What the reference computes, an array an output."""
    own: list[Distance]
    limit: list[Distance]

    @property
    def fails(self) -> bool:
        """Whether an output is farther off than the precision must cost."""
        return any(own.beyond(limit) for own, limit in zip(self.own, self.limit, strict=True))


@dataclass
class Feeds:
    """What a unit was fed."""

    made: dict[Value, Array] = field(default_factory=dict["Value", "Array"])
    """As whoever made it stored it."""
    read: dict[Value, Array] = field(default_factory=dict["Value", "Array"])
    """As the unit's own dump has it; as it was made, where that has no inputs."""
    moved: str = ""
    """What is different, where the two are not the same."""


class Judge:
    """Runs pieces in the reference, on what the device stored."""

    def __init__(
        self, pieces: Pieces, rounding: Rounding, device: DeviceTensors, truth: Truth, precision: str, factor: float
    ) -> None:
        self.pieces, self.rounding, self.device, self.truth = pieces, rounding, device, truth
        self.precision, self.factor = precision, factor
        self.least = LEAST["bf16" if precision == "bf16" else "fp16"]
        self._totals: dict[Value, float] = {}

    def test(self, unit: Unit, feeds: Mapping[Value, Array]) -> Tested:
        """Run a unit. Raises UserError where the framework does not, or a stored tensor is none of it."""
        right = self.pieces.run(feeds, unit.outputs, {})
        own, limit = list[Distance](), list[Distance]()
        rounded: list[list[Array]] = []
        for place, value in enumerate(unit.outputs):
            self.device.made(value, right[place])
            got = self.device.read(value)
            if got.shape != right[place].shape:
                raise user_error(
                    "not-aligned", f"`%{value.name}`: {got.shape} is stored, {right[place].shape} comes out"
                )
            found = distance(got, right[place])
            least = Distance(self.least, self.least).times(self.factor, 0.0)
            for seed in range(DRAWS):
                if not found.beyond(least):
                    break
                while len(rounded) <= seed:
                    rounded.append(self._rounded(unit, feeds, len(rounded)))
                coarse = rounded[seed][place] if rounded[seed] else None
                found, least = self._weighed(found, least, got, right[place], coarse)
            own.append(found)
            limit.append(least)
        return Tested(right, own, limit)

    def _rounded(self, unit: Unit, feeds: Mapping[Value, Array], seed: int) -> list[Array]:
        coarse = self.precision == "int8" and any(role(op) in CUBE for op in unit.ops)
        try:
            return self.rounding.run(unit.ops, feeds, unit.outputs, coarse=coarse, seed=seed)
        except UserError:
            return []  # an operator that cannot stand alone

    def _weighed(
        self, own: Distance, known: Distance, got: Array, right: Array, rounded: Array | None
    ) -> tuple[Distance, Distance]:
        """The own error, and its limit: the larger of a known one, and what a run in the precision says.

        Where the precision itself overflows, or loses what is no number, a device that does the same is right.
        """
        if rounded is None:
            return own, FALLBACK
        cost = distance(rounded, right)
        if not cost.is_finite:
            return min(own, distance(got, rounded), key=lambda one: one.euclidean), FALLBACK
        found = cost.times(self.factor, self.least)
        return own, Distance(max(known.euclidean, found.euclidean), max(known.largest, found.largest))

    def feeds(self, unit: Unit) -> Feeds:
        """What the device fed a unit. Raises UserError where a stored tensor is none of it."""
        readers = dict.fromkeys(unit.ops)
        found = Feeds()
        for value in unit.inputs:
            made = found.made[value] = self.device.read(value)
            own = self.device.read_by(value, readers)
            found.read[value] = made if own is None else own.array
            if own is None:
                continue
            apart = distance(own.array, made)
            if apart.euclidean <= self.factor * self.least:
                found.made[value] = own.array  # the same but for a cast
            elif not found.moved:
                where = f"`{own.between}` is between them" if own.between else "nothing is between them"
                what = hint(own.array, made) or f"{apart.euclidean:.3g} apart"
                found.moved = f"`{own.reader}` read something else than was stored of `%{value.name}`; {where}: {what}"
        return found

    def judge(self, unit: Unit) -> list[Judged]:
        """Judge every tensor that a unit stores."""
        rows = [Judged(unit, value) for value in unit.outputs]
        for row in rows:
            self._total(row)
        random = [op for op in unit.ops if op in self.truth.random]
        if random:
            return [_unjudged(row, RANDOM, _drawing(random)) for row in rows]
        try:
            feeds = self.feeds(unit)
            tested = self.test(unit, feeds.made)
            moved = self._moved(unit, feeds, tested)
        except UserError as error:
            return [_unjudged(row, UNKNOWN, error.diagnostics[0].message) for row in rows]
        entering = [self._totals[value] for value in unit.inputs if value in self._totals]
        for place, row in enumerate(rows):
            row.own, row.limit = tested.own[place], tested.limit[place]
            row.entering = max(entering, default=None)
            right = self.truth.find(row.value)
            if right is not None and right.shape == tested.right[place].shape:
                row.inherited = distance(tested.right[place], right)
            bad = row.own.beyond(row.limit)
            row.verdict = CULPRIT if bad else OK
            row.note = moved or (hint(self.device.read(row.value), tested.right[place]) if bad else "")
        return rows

    def _moved(self, unit: Unit, feeds: Feeds, tested: Tested) -> str:
        """What changed between the maker of an input and this unit; empty where that explains nothing.

        Where the unit is right by what was made, its own dump of an input was overwritten later; where it is right by
        what it read, what lies between is to blame; where it is wrong by both, it is itself.
        """
        if not feeds.moved:
            return ""
        if not tested.fails:
            return f"{feeds.moved}; it computed with the right numbers, so that was written over later"
        return feeds.moved if not self.test(unit, feeds.read).fails else ""

    def _total(self, row: Judged) -> None:
        """How far the device's tensor is from the original's."""
        right = self.truth.find(row.value)
        if right is None:
            return
        try:
            got = self.device.read(row.value)
        except UserError:
            return
        if got.shape == right.shape:
            row.total = distance(got, right)
            self._totals[row.value] = row.total.euclidean


def _unjudged(row: Judged, verdict: str, note: str) -> Judged:
    row.verdict, row.note = verdict, note
    return row


def _drawing(ops: Sequence[Op]) -> str:
    names = ", ".join(f"`{op.label}` ({op.type})" for op in ops)
    return f"{names} draws random numbers: what the device drew is not known"
