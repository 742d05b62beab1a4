"""The search: prefixes are halved until one operator decides, then the piece is shrunk from the front the same way.

Prefixes of one order of execution, with all live tensors as outputs, are nested: a fault in an operator fails every
prefix that holds it and none that does not, whatever the branches. So ⌈log2 N⌉ runs find it among N.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from subcut.analysis.locate.candidate import Job
from subcut.analysis.locate.command import Answer, Backend
from subcut.analysis.locate.judge import PASSED, Outcome, Tolerance, compare, same_failure
from subcut.analysis.locate.reference import Reference
from subcut.analysis.locate.state import State
from subcut.analysis.locate.steps import Piece

WHOLE = "all of it"
ALONE = "the last operator alone"
ON_THE_WAY = "operators on the way to the wrong tensor"
ANSWER = "the answer"
"""What is said of runs."""

Progress = Callable[[str, int, int], None]
"""Called before every run with what is run, the runs made, and the most that are left."""


def worst_case(count: int, repeats: int) -> int:
    """The most runs that a search among `count` operators takes while the candidate always says the same.

    All of it, once more where it dies with its weights in another file, then halving; the last operator alone, then
    halving; two narrower pieces; the repeats of the answer and of the two pieces that are one operator shorter; the
    files of the result.
    """
    prefix = 2 + math.ceil(math.log2(max(count, 1)))
    front = 1 + math.ceil(math.log2(max(count - 1, 1)))
    return prefix + front + 2 + (repeats - 1) + 2 * repeats + 1


@dataclass
class Runs:
    """Runs candidates, remembers how they ended, and counts."""

    reference: Reference
    backend: Backend
    state: State
    tolerance: Tolerance
    bound: int
    progress: Progress | None = None
    made: int = 0
    """Runs made now."""
    reused: int = 0
    """Outcomes known from an earlier, interrupted search."""
    kinds: Counter[str] = field(default_factory=Counter[str])
    """How the runs ended."""
    notes: dict[str, str] = field(default_factory=dict[str, str])
    """For each kind, what the first run that ended so said."""
    unlinked: str = ""
    """What the candidate said of a model whose weights stay in the original file, where it takes none."""
    _known: dict[str, Outcome] = field(default_factory=dict[str, Outcome])

    def outcome(self, piece: Piece, what: str, number: int = 0) -> Outcome:
        """How run `number` of a piece ends; what ran before is not run again."""
        key = self.key(piece, number)
        if key in self._known:
            return self._known[key]
        found = self.state.outcome(key)
        if found is None:
            if self.progress is not None:
                self.progress(what, self.made + self.reused, max(self.bound - self.made - self.reused, 1))
            found = self._run(piece)
            self.state.remember(key, found)
            self.made += 1
        else:
            self.reused += 1
        self._known[key] = found
        self.kinds[found.kind] += 1
        self.notes.setdefault(found.kind, str(found))
        return found

    def middle(self, low: int, high: int, piece: Callable[[int], Piece]) -> int | None:
        """The place nearest to the middle between two where the model can be cut; None where there is none left."""
        middle = (low + high) // 2
        for place in sorted(range(low + 1, high), key=lambda place: abs(place - middle)):
            if self.reference.can_run(piece(place)):
                return place
        return None

    def reference_agrees(self, piece: Piece) -> bool:
        """Whether the reference's framework computes from a piece what it computed from the whole model."""
        golden = self.reference.golden
        got = self.reference.cutter.cut(piece, golden).run(golden)
        return compare({name: golden[name] for name in got if name in golden}, got, self.tolerance).passed

    def _run(self, piece: Piece) -> Outcome:
        golden = self.reference.golden
        cut = self.reference.cutter.cut(piece, golden)
        expected = {name: golden[tensor] for name, tensor in cut.outputs.items() if tensor in golden}
        with self.state.workplace() as folder:
            files = self.reference.cutter.write(cut, folder)
            feeds = {name: golden[tensor] for name, tensor in cut.inputs.items()}
            answer: Answer = self.backend.run(Job(folder, files, feeds, tuple(expected)))
            if answer.kind != PASSED:
                return Outcome(answer.kind, (), answer.note)
            if not self.backend.compares:
                return Outcome(PASSED)
            found = compare(expected, answer.outputs, self.tolerance)
        return Outcome(found.kind, tuple(cut.outputs[name] for name in found.tensors), found.note)

    def key(self, piece: Piece, number: int) -> str:
        """What the outcome depends on: the model, the operators, the numbers fed and expected, and the judge."""
        golden, steps = self.reference.golden, self.reference.steps
        edges = steps.edges(piece)
        places = {op: place for place, op in enumerate(self.reference.model.main.ops)}
        links = str(self.reference.cutter.links)
        content = [self.reference.digest, links, *(str(places[steps.ops[place]]) for place in piece)]
        for value in (*edges.inputs, *edges.outputs):
            content.append(f"{value.name} {golden.digest(value.name) if value.name in golden else ''}")
        content += [self.backend.identity, repr(self.tolerance), str(number)]
        return hashlib.sha256("\n".join(content).encode()).hexdigest()


@dataclass
class Search:
    """One search. With `repeats` above 1 every piece is run that often, and fails when one of its runs does."""

    runs: Runs
    failure: Outcome
    """Of the whole model: what is looked for."""
    repeats: int = 1

    def fails(self, piece: Piece, what: str, tensor: str = "") -> Outcome | None:
        """The failure that is looked for, where a piece has it (wrong in `tensor`, where one is told)."""
        for number in range(self.repeats):
            found = self.runs.outcome(piece, what, number)
            if same_failure(found, self.failure, tensor):
                return found
        return None

    def fails_in(self, piece: Piece, what: str, tensor: str, number: int) -> bool:
        """Whether run `number` of a piece shows the failure."""
        return same_failure(self.runs.outcome(piece, what, number), self.failure, tensor)

    def find(self) -> tuple[Piece, Outcome]:
        """The piece that fails and how."""
        count = len(self.runs.reference.steps.ops)
        whole = tuple(range(count))
        stop, failure = self._shortest_prefix(whole)
        prefix = whole[:stop]
        tensor = self._wrong_tensor(prefix[-1], failure)
        piece, failure = self._shortest_suffix(prefix, tensor, failure)
        piece, failure = self._narrowed(piece, tensor, failure)
        return piece, failure.led_by(tensor)

    def _wrong_tensor(self, last: int, failure: Outcome) -> str:
        """Where shorter pieces must be wrong too: in what the last operator makes, if that is; no answer lacks it."""
        made = {value.name for value in self.runs.reference.steps.ops[last].results}
        return next((name for name in failure.tensors if name in made), next(iter(failure.tensors), ""))

    def _shortest_prefix(self, whole: Piece) -> tuple[int, Outcome]:
        passes, fails, failure = 0, len(whole), self.failure
        while (middle := self.runs.middle(passes, fails, lambda stop: whole[:stop])) is not None:
            found = self.fails(whole[:middle], f"the first {middle} of {len(whole)} operators")
            if found is None:
                passes = middle
            else:
                fails, failure = middle, found
        return fails, failure

    def _shortest_suffix(self, prefix: Piece, tensor: str, failure: Outcome) -> tuple[Piece, Outcome]:
        """First the last operator alone, which is the answer for most faults."""
        fails, passes = 0, len(prefix)
        alone = len(prefix) - 1
        if alone > 0 and self.can_run(prefix[alone:]):
            found = self.fails(prefix[alone:], ALONE, tensor)
            if found is not None:
                return prefix[alone:], found
            passes = alone
        while (middle := self.runs.middle(fails, passes, lambda start: prefix[start:])) is not None:
            found = self.fails(prefix[middle:], f"the last {len(prefix) - middle} of {len(prefix)} operators", tensor)
            if found is None:
                passes = middle
            else:
                fails, failure = middle, found
        return prefix[fails:], failure

    def _narrowed(self, piece: Piece, tensor: str, failure: Outcome) -> tuple[Piece, Outcome]:
        """Of a piece of several, only what lies between its first operator and the tensor that is wrong; else all."""
        steps = self.runs.reference.steps
        if len(piece) < 2 or not tensor:
            return piece, failure
        for smaller in (steps.path_to(piece, tensor, piece[0]), steps.path_to(piece, tensor)):
            if smaller and smaller != piece and self.can_run(smaller):
                found = self.fails(smaller, f"{len(smaller)} {ON_THE_WAY}", tensor)
                if found is not None:
                    return smaller, found
        return piece, failure

    def can_run(self, piece: Piece) -> bool:
        """Whether a piece can stand alone: the format allows it, and the reference has its numbers."""
        return self.runs.reference.can_run(piece)
