"""From one dump to the operator that is to blame, or to the smallest window of operators that are together."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subcut.analysis.golden import Request, golden
from subcut.analysis.locate.dump.distance import Distance, distance
from subcut.analysis.locate.dump.judging import CULPRIT, FACTOR, OK, PRECISIONS, Judge, Judged
from subcut.analysis.locate.dump.rounding import Rounding
from subcut.analysis.locate.dump.tensors import DeviceTensors, Truth
from subcut.analysis.locate.dump.units import Borders, Unit, merged
from subcut.analysis.locate.dump.windows import gallop, worst_case
from subcut.analysis.locate.reference import Source
from subcut.compiler.alignment.twin import Twin, TwinOptions, attach
from subcut.compiler.device_data import few
from subcut.compiler.diagnostics import did_you_mean
from subcut.compiler.errors import UserError, user_error
from subcut.compiler.export import FORMAT_OF
from subcut.compiler.formats import open_pieces
from subcut.compiler.ir.graph import Model, Op, Value

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

MOST_SUSPECTS = 8
"""Tensors before which windows are looked for, at most."""

Announce = Callable[[str], None]
Progress = Callable[[str, int, int], None]
"""Called with what is done, how much of it, and of how much."""


@dataclass(frozen=True)
class Settings:
    """How to judge."""

    precision: str = ""
    """`fp16`, `bf16` or `int8`; by default what the dumps are in, `int8` where AMCT's file is given."""
    factor: float = FACTOR
    """How many times what the precision must cost is allowed."""
    memory: int | None = None
    """Bytes that the run of the original may take."""

    def check(self) -> None:
        """Raise UserError `bad-arguments` for what makes no sense."""
        if self.precision not in ("", *PRECISIONS):
            help = [*did_you_mean(self.precision, PRECISIONS), f"there is {', '.join(PRECISIONS)}"]
            raise user_error("bad-arguments", f"`{self.precision}` is no precision", help=help)
        if not self.factor > 0:
            raise user_error("bad-arguments", f"a factor of {self.factor:g} allows nothing")


@dataclass(frozen=True)
class Evidence:
    """The numbers that show the fault of the answer, by the original's tensors."""

    model: Model
    fed: dict[Value, Array]
    """What the device read, as its maker stored it."""
    stored: dict[Value, Array]
    """What the device made of it."""
    right: dict[Value, Array]
    """What the reference makes of it."""


@dataclass
class Found:
    """What one dump tells."""

    rows: list[Judged]
    """Every stored tensor, in an order of execution."""
    precision: str
    answer: Unit | None = None
    """The first culprit, or the window of operators that are wrong together; None where nothing is to blame."""
    judged: Judged | None = None
    """How the answer is wrong."""
    tests: int = 0
    """Pieces that were run to find the window; none where an operator is to blame alone."""
    bound: int = 0
    """The most that were to be expected for a window of this size."""
    random: list[str] = field(default_factory=list[str])
    """Operators of the original that draw random numbers."""
    spread: dict[str, float] = field(default_factory=dict[str, float])
    """For each output that follows from these, how far two runs of the reference itself are apart."""
    inherited: set[str] = field(default_factory=set[str])
    """Tensors that follow from random ones."""
    outputs: list[Judged] = field(default_factory=list[Judged])
    """The model's own outputs, as far as they are stored."""
    warnings: list[str] = field(default_factory=list[str])
    evidence: Evidence | None = field(default=None, repr=False)

    @property
    def culprits(self) -> list[Judged]:
        """The tensors whose own error is beyond what the precision must cost, in order."""
        return [row for row in self.rows if row.verdict == CULPRIT]


def locate_in_dump(
    source: Source,
    device: TwinOptions,
    settings: Settings | None = None,
    *,
    announce: Announce | None = None,
    progress: Progress | None = None,
) -> Found:
    """Say of every operator what error it adds and what it inherits, from the dumps in `device`; no device is needed.

    Every unit (a fused operator, as a rule) is run in the original's framework on the device's own inputs, and held
    against what the device stored. Ground truth is `device.golden`, or computed: from `source.inputs`, or what the
    device was fed. Raises UserError for what is asked for, ModelError for damaged files, MissingExtra without the
    framework.
    """
    settings = settings or Settings()
    settings.check()
    if device.golden is not None and not device.golden.is_dir():
        raise user_error(
            "bad-arguments", f"`{device.golden}` is no folder of ground truth", help="`subcut run` writes one"
        )
    model = source.load()
    twin = attach(model, device)
    with _explained(twin), _truth(model, source, device, settings, announce or _nothing) as truth:
        locating = _Locating(model, twin, truth, settings, progress or _nothing_done)
        try:
            found = locating.run()
        finally:
            locating.pieces.close()
        if truth.random:
            found.spread = _spread(source, device, settings, truth, found)
    found.warnings += twin.warnings()
    if twin.dumps is not None:
        found.warnings += few([f"{path.name}: {why}" for path, why in twin.dumps.problems.items()])
    return found


def _nothing(text: str) -> None:
    del text


def _nothing_done(what: str, done: int, count: int) -> None:
    del what, done, count


@contextmanager
def _explained(twin: Twin) -> Generator[None]:
    """To what goes wrong with the files of another model it is added that they are."""
    try:
        yield
    except UserError as error:
        told = [replace(one, help=[*one.help, *twin.warnings()]) for one in error.diagnostics]
        raise UserError(told) from None


@contextmanager
def _truth(model: Model, source: Source, device: TwinOptions, settings: Settings, say: Announce) -> Generator[Truth]:
    """Ground truth: the folder that is given, or one that is computed and goes again."""
    if device.golden is not None:
        yield Truth(model, device.golden)
        return
    say("the original is run")
    with tempfile.TemporaryDirectory(prefix="subcut-") as folder:
        yield Truth(model, _run(source, device, settings, Path(folder) / "golden"))


def _run(source: Source, device: TwinOptions, settings: Settings, folder: Path, only: Sequence[str] = ()) -> Path:
    inputs = [str(source.inputs)] if source.inputs is not None else ()
    request = Request(source.seed, settings.memory, tuple(only), device=None if inputs else device)
    return golden(source.path, inputs, folder, request=request, read=source.options).folder


def _spread(source: Source, device: TwinOptions, settings: Settings, truth: Truth, found: Found) -> dict[str, float]:
    """How far apart two runs of the original are, in its outputs that follow from random numbers."""
    names = [row.value.name for row in found.outputs if row.value.name in found.inherited]
    if not names:
        return {}
    with tempfile.TemporaryDirectory(prefix="subcut-") as folder:
        again = Truth(truth.model, _run(source, device, settings, Path(folder) / "golden", names))
        spread: dict[str, float] = {}
        for row in found.outputs:
            one, other = truth.find(row.value), again.find(row.value)
            if row.value.name in names and one is not None and other is not None and one.shape == other.shape:
                spread[row.value.name] = distance(other, one).euclidean
    return spread


class _Locating:
    def __init__(self, model: Model, twin: Twin, truth: Truth, settings: Settings, progress: Progress) -> None:
        self.model, self.truth, self.progress = model, truth, progress
        self.borders = Borders(model, twin)
        self.units = self.borders.units()
        if not self.units:
            raise user_error(
                "nothing-to-search",
                "the dumps have no tensor that this model computes",
                help="`subcut align` says of every tensor why",
            )
        self.precision = settings.precision or _stated(twin)
        self.pieces = open_pieces(FORMAT_OF[model.dialect.name], model)
        self.device = DeviceTensors(twin, truth)
        rounding = Rounding(model, self.pieces, self.precision)
        self.judge = Judge(self.pieces, rounding, self.device, truth, self.precision, settings.factor)

    def run(self) -> Found:
        """Judge every unit; where none is to blame alone, look for those that are together."""
        found = Found([], self.precision, random=[op.label for op in self.truth.random])
        for number, unit in enumerate(self.units):
            self.progress("operators judged", number, len(self.units))
            found.rows += self.judge.judge(unit)
        self.progress("operators judged", len(self.units), len(self.units))
        found.warnings = list(self._other_inputs())
        unknown = sum(row.total is None for row in found.rows)
        if unknown:
            found.warnings.append(f"{unknown} of {len(found.rows)} stored tensors have no ground truth that fits")
        found.inherited = {v.name for v in _following(self.truth.random)}
        ends = set(self.model.main.outputs)
        found.outputs = [row for row in found.rows if row.value in ends or not row.value.uses]
        if found.culprits:
            found.judged = found.culprits[0]
            found.answer = found.judged.unit
        else:
            self._together(found)
        found.evidence = self._evidence(found.answer)
        return found

    def _other_inputs(self) -> Iterator[str]:
        """Inputs of the model that the original was given otherwise than the device: then all is inherited."""
        for value in self.borders.fed:
            right = self.truth.find(value)
            if value not in self.borders.stored or right is None:
                continue
            try:
                got = self.device.read(value)
            except UserError as error:
                yield error.diagnostics[0].message
                continue
            other = f"the device was fed another `%{value.name}` than the original"
            if got.shape != right.shape:
                yield f"{other}: {got.shape}, and {right.shape}"
            elif (apart := distance(got, right).euclidean) > self.judge.factor * self.judge.least:
                yield f"{other}: {apart:.3g} apart"

    def _evidence(self, unit: Unit | None) -> Evidence | None:
        if unit is None:
            return None
        fed = self.judge.feeds(unit).made
        right = self.pieces.run(fed, unit.outputs, {})
        stored = {value: self.device.read(value) for value in unit.outputs}
        return Evidence(self.model, fed, stored, dict(zip(unit.outputs, right, strict=True)))

    def _together(self, found: Found) -> None:
        """The smallest window before a tensor whose error is more than all before it must cost."""
        weights = {row.unit.name: row.own.euclidean for row in found.rows if row.own is not None}
        for row in islice(self._suspects(found), MOST_SUSPECTS):
            before = self.borders.ancestors(row.unit, self.units, weights)
            if self._window(found, row, before):
                return

    def _window(self, found: Found, bad: Judged, before: Sequence[Unit]) -> bool:
        """Look for the smallest number of last units of `before` that are wrong together."""
        tests: dict[int, Judged] = {}

        def fails(count: int) -> bool:
            self.progress(f"the last {count} of {len(before)} units together", 0, 1)
            tests[count] = self._judged(merged(before[-count:], bad.unit, self.borders.order))
            return tests[count].verdict == CULPRIT

        count, found.tests = gallop(len(before), fails)
        if count is None:
            return False
        found.judged, found.bound = tests[count], worst_case(count)
        between = self.borders.between(before[-count], before[-count:])
        if len(between) < count:  # without what lies beside the way from the first to the last
            narrow = self._judged(merged(between, bad.unit, self.borders.order))
            found.tests += 1
            found.judged = narrow if narrow.verdict == CULPRIT else found.judged
        found.answer = found.judged.unit
        return True

    def _judged(self, unit: Unit) -> Judged:
        """The worst tensor of a window."""
        rows = self.judge.judge(unit)
        return next((row for row in rows if row.verdict == CULPRIT), rows[0])

    def _suspects(self, found: Found) -> Iterator[Judged]:
        """Tensors that are farther from the original's than a run in this precision is, all in all.

        First those that are beyond the limit, in order: the window of all before them fails. Then those whose own error
        is beyond half of its limit, and those that are beyond half of the limit all in all, the worst first: roundings
        scatter less than that.
        """
        rows = {row.value: row for row in found.rows}
        less: list[tuple[float, Judged]] = []
        for value, cost in self._costs():
            row = rows[value]
            if row.verdict != OK or row.total is None or value.name in found.inherited or not cost.is_finite:
                continue
            times = row.total.euclidean / max(cost.euclidean, self.judge.least)
            if times > self.judge.factor:
                yield row
            elif times > self.judge.factor / 2:
                less.append((times, row))
        yield from (row for row in found.rows if row.own and row.limit and row.own.euclidean > row.limit.euclidean / 2)
        less.sort(key=lambda pair: pair[0], reverse=True)
        yield from (row for _, row in less)

    def _costs(self) -> Iterator[tuple[Value, Distance]]:
        """What a run in this precision costs, in order: how far each stored tensor of it is from the original's."""
        values: dict[Value, Array] = {}
        left = Counter(value for unit in self.units for value in unit.inputs)
        for number, unit in enumerate(self.units):
            self.progress("what the precision must cost", number, len(self.units))
            for value, array in self._rounded(unit, values):
                values[value] = array
                right = self.truth.find(value)
                if right is not None and right.shape == array.shape:
                    yield value, distance(array, right)
            for value in unit.inputs:
                left[value] -= 1
                if not left[value]:
                    values.pop(value, None)

    def _rounded(self, unit: Unit, values: Mapping[Value, Array]) -> Iterable[tuple[Value, Array]]:
        """A unit in this precision, on what came before it in this precision; on the original's numbers elsewhere."""
        feeds: dict[Value, Array] = {}
        for value in unit.inputs:
            array = values[value] if value in values else self.truth.find(value)
            if array is None:
                return ()
            feeds[value] = array
        coarse = self.precision == "int8"
        try:
            made = self.judge.rounding.run(unit.ops, feeds, unit.outputs, coarse=coarse)
            return list(zip(unit.outputs, made, strict=True))
        except UserError:
            return ()


def _following(random: Iterable[Op]) -> Iterator[Value]:
    """The tensors that random operators draw, and all that follows from them."""
    seen: dict[Op, None] = {}
    todo = list(random)
    while todo:
        op = todo.pop()
        if op in seen:
            continue
        seen[op] = None
        for value in op.results:
            yield value
            todo += value.consumers()


def _stated(twin: Twin) -> str:
    """The precision that a device ran in, as far as its offline model says."""
    if twin.options.quantised is not None:
        return "int8"
    types = Counter(tensor.type_name for op in twin.holders.model.ops for tensor in op.outputs)
    return "bf16" if types["BF16"] > types["FLOAT16"] else "fp16"
