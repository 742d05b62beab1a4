"""The search of two machines: replayed with the outcomes that are known, it says which runs it needs next.

Several at once: a stretch of prefixes is divided evenly, so that K candidates a round need ⌈log_{K+1} N⌉ rounds, and
what room is left in a round goes to the runs that would be needed next, the likeliest first.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from subcut.analysis.locate.candidate import Job
from subcut.analysis.locate.command import Answer
from subcut.analysis.locate.judge import DIFFERS, MISSING, OF_OUTPUTS, PASSED, Outcome
from subcut.analysis.locate.locating import Located, searched
from subcut.analysis.locate.plan import Request
from subcut.analysis.locate.reference import Reference
from subcut.analysis.locate.search import ALONE, ANSWER, ON_THE_WAY, WHOLE, Runs, worst_case
from subcut.analysis.locate.state import State
from subcut.analysis.locate.steps import Piece

Run = tuple[Piece, int]
"""A piece, and which repeat of its run."""
TRIES = 64
"""Replays for one batch, besides eight a candidate."""


def worst_rounds(count: int, batch: int, repeats: int) -> int:
    """The most rounds that a search among `count` operators takes while the candidate always says the same.

    All of it; prefixes, divided by `batch` a round; the last operator alone; suffixes; two narrower pieces; the
    repeats. Nothing is run again for the result: its files are those of a candidate.
    """
    return 1 + halvings(count, batch) + 1 + halvings(count - 1, batch) + 2 + _certifying(3 * repeats - 1, batch)


def worst_flaky(count: int, batch: int, repeats: int) -> int:
    """The most rounds where a candidate turns out not to always say the same: then each piece is run `repeats` times.

    That shows with the whole model or, the search nearly over, with the answer; then it begins again.
    """
    each, batch_of_pieces = max(math.ceil(repeats / batch), 1), max(batch // repeats, 1)
    again = halvings(count, batch_of_pieces) + 1 + halvings(count - 1, batch_of_pieces) + 2
    return worst_rounds(count, batch, repeats) + each * again + _certifying(3 * repeats - 1, batch)


def halvings(count: int, batch: int) -> int:
    """How often a stretch of `count` is divided into `batch` + 1 even parts until one is left."""
    rounds = 0
    while count > 1:
        count = math.ceil(count / (batch + 1))
        rounds += 1
    return rounds


def _certifying(runs: int, batch: int) -> int:
    return math.ceil(runs / batch)


class Wanted(Exception):
    """Raised where the search does not know how a run ended."""

    def __init__(self, runs: list[Run], what: str, left: int) -> None:
        super().__init__(what)
        self.runs = runs
        """Any of which brings it on; they are nested, the shortest first."""
        self.what = what
        self.left = left
        """The rounds that are left at most, this one included."""


class Supposed(Exception):
    """Raised where a search that rests on guesses has come to its end."""


@dataclass(frozen=True)
class Elsewhere:
    """A backend on another machine: what it answered is told afterwards."""

    request: Request
    answered: Callable[[Job], Answer] | None = None
    """What came back of the candidate that is the result."""

    @property
    def compares(self) -> bool:
        """Whether there are outputs to compare."""
        return self.request.compares

    @property
    def identity(self) -> str:
        """What tells its outcomes from those of other requests."""
        return self.request.identity

    def run(self, job: Job) -> Answer:
        """What came back of a candidate."""
        if self.answered is None:
            raise TypeError("candidates of another machine are not run here")
        return self.answered(job)


@dataclass
class Known:
    """What replays share."""

    reference: Reference
    state: State
    request: Request
    tried: list[Piece]
    """Pieces of which at least one run is known, or was asked for."""
    kind: str = ""
    """How the whole model failed, once that is known."""
    keys: dict[Run, str] = field(default_factory=dict[Run, str])

    def key(self, run: Run) -> str:
        """The key of a run's outcome."""
        if run not in self.keys:
            runs = Runs(self.reference, Elsewhere(self.request), self.state, self.request.settings.tolerance, 0)
            self.keys[run] = runs.key(*run)
        return self.keys[run]


@dataclass
class PlannedRuns(Runs):
    """Outcomes that are known, or guessed; what is neither is wanted."""

    known: Known = field(kw_only=True)
    guessed: Mapping[Run, Outcome] = field(default_factory=dict[Run, Outcome], kw_only=True)
    room: int = field(default=1, kw_only=True)
    """Runs that the batch has room for."""
    _together: list[Piece] = field(default_factory=list[Piece])
    _stop: int = 0
    """The length of the shortest prefix that is known to fail."""
    _open: tuple[str, int] = ("", 0)
    """The stretch that is being divided: prefixes or suffixes, and how many."""
    _answered: int = 0
    """Runs for the certificate that are known."""

    def outcome(self, piece: Piece, what: str, number: int = 0) -> Outcome:
        """How a run ended. Raises Wanted where nobody knows."""
        found = self.guessed.get((piece, number)) or self.state.outcome(self.known.key((piece, number)))
        if found is None:
            raise Wanted(self._wanted(piece, number), what, self._left(what))
        if what == WHOLE:
            self._stop = len(piece)
            if (piece, number) not in self.guessed and not found.passed:
                self.known.kind = found.kind
        self._answered += what.startswith(ANSWER)
        key = self.known.key((piece, number))
        if key not in self._known:
            self._known[key] = found
            self.reused += 1
            self.kinds[found.kind] += 1
            self.notes.setdefault(found.kind, str(found))
        return found

    def middle(self, low: int, high: int, piece: Callable[[int], Piece]) -> int | None:
        """A place that is known already, nearest to the middle; else the middle one of several that divide evenly."""
        prefixes = piece(low + 1)[:1] == (0,)
        self._open = ("prefixes" if prefixes else "suffixes", high - low)
        self._answered = 0
        if prefixes:
            self._stop = high
        middle = (low + high) // 2
        tried = {place for run in self._tried() for place in (len(run), run[0]) if low < place < high}
        known = [place for place in tried if self._is_known(piece(place))]
        if known:
            return min(known, key=lambda place: (abs(place - middle), place))
        places = self._spread(low, high, piece)
        self._together = sorted(map(piece, places), key=len)
        return places[len(places) // 2] if places else None

    def reference_agrees(self, piece: Piece) -> bool:
        """As the search asks it; guesses end here."""
        if self.guessed:
            raise Supposed
        return super().reference_agrees(piece)

    def _tried(self) -> list[Piece]:
        return [*self.known.tried, *(piece for piece, _ in self.guessed)]

    def _is_known(self, piece: Piece) -> bool:
        run = (piece, 0)
        return run in self.guessed or self.state.outcome(self.known.key(run)) is not None

    def _spread(self, low: int, high: int, piece: Callable[[int], Piece]) -> list[int]:
        """As many places as there is room for that divide a stretch evenly, each where the model can be cut."""
        found: list[int] = []
        parts = max(self.room // self._numbers, 1) + 1
        for part in range(1, parts):
            start = found[-1] + 1 if found else low + 1
            ideal = max(low + math.ceil((high - low) * part / parts), start)
            choices = sorted(range(start, high), key=lambda place: abs(place - ideal))
            place = next((one for one in choices if self.reference.can_run(piece(one))), None)
            if place is None:
                break
            found.append(place)
        return found

    @property
    def _numbers(self) -> int:
        """How often every piece is run: a candidate that does not always say the same has a larger bound."""
        repeats = self.known.request.settings.repeats
        return repeats if self.bound > worst_case(len(self.reference.steps.ops), repeats) else 1

    def _wanted(self, piece: Piece, number: int) -> list[Run]:
        """The runs to ask for: with a piece, those that divide the same stretch; all repeats where it is flaky."""
        together = self._together if piece in self._together else [piece]
        if self._numbers == 1:
            return [(one, number) for one in together]
        return [(one, n) for one in together for n in range(self._numbers) if not self._is_run((one, n))]

    def _is_run(self, run: Run) -> bool:
        return run in self.guessed or self.state.outcome(self.known.key(run)) is not None

    def _left(self, what: str) -> int:
        """The rounds that are left at most, from the kind of run that is wanted."""
        request, count = self.known.request, len(self.reference.steps.ops)
        batch, repeats = request.batch, request.settings.repeats
        if what.startswith(ANSWER):
            return _certifying(3 * repeats - self._answered, batch)
        each = 1 if batch >= self._numbers else math.ceil(self._numbers / batch)
        batch = max(batch // self._numbers, 1)
        proof = 2 * each + _certifying(3 * repeats - 1, request.batch)
        kind, size = self._open
        if what == WHOLE:
            return worst_rounds(count, batch, repeats)
        if what.endswith(ON_THE_WAY):
            return proof
        alone = each * (1 + halvings(self._stop - 1, batch)) + proof
        if what == ALONE:
            return alone
        return each * halvings(size, batch) + (proof if kind == "suffixes" else alone)


def replay(known: Known, guessed: Mapping[Run, Outcome], room: int) -> Located:
    """Search with what is known and guessed. Raises Wanted or Supposed."""
    request = known.request
    bound = worst_case(len(known.reference.steps.ops), request.settings.repeats)
    backend = Elsewhere(request)
    runs = PlannedRuns(
        known.reference,
        backend,
        known.state,
        request.settings.tolerance,
        bound,
        known=known,
        guessed=guessed,
        room=room,
    )
    return searched(runs, request.settings)


def next_runs(known: Known) -> tuple[dict[Run, str], int] | Located:
    """The runs of the next batch, each with what it is, and the rounds that are left at most; or what was found."""
    asked: dict[Run, str] = {}
    left = 0
    order = itertools.count()
    heap: list[tuple[float, int, dict[Run, Outcome]]] = [(-1.0, next(order), {})]
    batch = known.request.batch
    for _ in range(TRIES + 8 * batch):
        if not heap or len(asked) >= batch:
            break
        weight, _, guessed = heapq.heappop(heap)
        try:
            found = replay(known, guessed, batch - len(asked))
        except Supposed:
            continue
        except Wanted as wanted:
            left = left or wanted.left
            for run in wanted.runs[: batch - len(asked)]:
                asked.setdefault(run, _told(run, known))
            for chance, guess in _guesses(wanted, known):
                heapq.heappush(heap, (weight * chance, next(order), {**guessed, **guess}))
        else:
            return found
    return asked, left


def _told(run: Run, known: Known) -> str:
    """What a run is, for the reader."""
    (piece, number), steps = run, known.reference.steps
    names = [f"`{name}`" for name in steps.labels(piece[:: max(len(piece) - 1, 1)])]
    if len(piece) == len(steps.ops):
        what = WHOLE
    elif piece == tuple(range(len(piece))):
        what = f"the first {len(piece)} of {len(steps.ops)} operators, to {names[-1]}"
    else:
        what = f"{len(piece)} operators, {' to '.join(names)}" if len(piece) > 1 else f"{names[0]} alone"
    return what + (f", run {number + 1}" if number else "")


def _guesses(wanted: Wanted, known: Known) -> list[tuple[float, dict[Run, Outcome]]]:
    """How the wanted runs may end, with the chance of each: what holds a piece that fails, fails."""
    failing = [_failure(run[0], known) for run in wanted.runs]
    if len(wanted.runs) == 1:
        fails = 0.95 if wanted.what == WHOLE else 0.85 if wanted.what in (ALONE, ANSWER) else 0.5
        run = wanted.runs[0]
        return [(fails, {run: failing[0]}), (1 - fails, {run: Outcome(PASSED)})]
    count = len(wanted.runs)
    return [
        (
            1 / (count + 1),
            {run: failing[i] if i >= passing else Outcome(PASSED) for i, run in enumerate(wanted.runs)},
        )
        for passing in range(count + 1)
    ]


def _failure(piece: Piece, known: Known) -> Outcome:
    """A failure as the search would follow it: wrong in what the last operator makes, and wherever else it asks."""
    names = [value.name for value in known.reference.steps.edges(piece).outputs]
    kind = known.kind or (DIFFERS if known.request.compares else "exit 1")
    return Outcome(kind, tuple(reversed(names)) if kind in (*OF_OUTPUTS, MISSING) else ())
