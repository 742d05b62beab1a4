"""From a model and a backend that gets it wrong to the smallest piece that it still gets wrong, with a certificate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from subcut.analysis.locate.command import Backend
from subcut.analysis.locate.judge import OF_OUTPUTS, PASSED, Outcome, Tolerance
from subcut.analysis.locate.reference import Reference, Source
from subcut.analysis.locate.search import ANSWER, WHOLE, Progress, Runs, Search, worst_case
from subcut.analysis.locate.state import State
from subcut.analysis.locate.steps import Piece
from subcut.compiler.errors import user_error

Announce = Callable[[str], None]
"""Told what is about to happen, a sentence at a time."""


@dataclass(frozen=True)
class Settings:
    """How to search."""

    tolerance: Tolerance = field(default_factory=Tolerance)
    repeats: int = 2
    """How often the answer and its two shrinks are run, to know whether the candidate always says the same."""

    def check(self) -> None:
        """Raise UserError `bad-arguments` for numbers that make no sense."""
        if self.repeats < 1:
            raise user_error("bad-arguments", f"{self.repeats} repeats are too few", help="1 is the least")
        if not (self.tolerance.relative >= 0 and self.tolerance.absolute >= 0):
            raise user_error("bad-arguments", "a tolerance is negative or no number")


@dataclass(frozen=True)
class Certificate:
    """Why the answer is one: runs by whether they failed alike."""

    answer: tuple[bool, ...]
    without_last: tuple[bool, ...] | None
    """None where nothing is left to run."""
    without_first: tuple[bool, ...] | None
    reference_agrees: bool
    """Whether the reference, run on the answer, gives what it gave as part of the whole model."""

    @property
    def agrees(self) -> bool:
        """Whether all repeats of each say the same."""
        return all(len(set(runs)) < 2 for runs in (self.answer, self.without_last or (), self.without_first or ()))

    @property
    def holds(self) -> bool:
        """Whether the answer fails, both shrinks pass, and the reference stands by its numbers."""
        shrinks = [*(self.without_last or ()), *(self.without_first or ())]
        return any(self.answer) and not any(shrinks) and self.reference_agrees


@dataclass(frozen=True)
class Located:
    """What a search found."""

    piece: Piece
    operators: list[str]
    """Empty where the candidate does nothing wrong."""
    constants: list[str]
    """What the piece computes from stored numbers alone: part of it, as a fault there shows in its operators."""
    failure: Outcome
    certificate: Certificate | None
    count: int
    """Operators of the model that were searched."""
    runs: int
    reused: int
    bound: int
    """The most runs that were to be expected, as told before the first."""
    kinds: Mapping[str, int]
    """How many runs ended in which way."""
    others: Mapping[str, str]
    """Ways to fail that are not the failure that was looked for, and what the first of each said."""
    flaky: str
    """How a candidate that does not always say the same was dealt with; empty for one that does."""
    unlinked: str
    """What the candidate said of a model whose weights stay in the original file, where it takes none."""
    random: list[str]
    """Operators that differ between two runs of the reference itself."""
    inherited: int
    """How many tensors differ because of these."""
    reference: Reference = field(repr=False, compare=False)


def locate(
    source: Source,
    backend: Backend,
    state: State,
    settings: Settings | None = None,
    *,
    announce: Announce | None = None,
    progress: Progress | None = None,
) -> Located:
    """Search the model in `source` for the smallest piece that fails in `backend` as the whole does.

    What was run is remembered in `state`, and not run again. Raises UserError for what is asked for, ModelError for a
    damaged model, MissingExtra without the original's framework.
    """
    settings = settings or Settings()
    settings.check()
    say = announce or _say_nothing
    say("the reference is run")
    reference = Reference(source, state)
    count = len(reference.steps.ops)
    if not count or not reference.can_run(tuple(range(count))):
        raise user_error("nothing-to-search", "the model computes nothing that a candidate could get wrong")
    bound = worst_case(count, settings.repeats)
    for text in random_told(reference):
        say(text)
    flaky_bound = bound * settings.repeats
    more = f", {flaky_bound} if it does not always say the same" if settings.repeats > 1 else ""
    say(f"{count} operators: the candidate is run {bound} times at most{more}")
    runs = Runs(reference, backend, state, settings.tolerance, bound, progress)
    return searched(runs, settings)


def _say_nothing(text: str) -> None:
    del text


def random_told(reference: Reference) -> list[str]:
    """What there is to say of operators that never repeat themselves."""
    if not reference.random:
        return []
    names = ", ".join(f"`{op.label}` ({op.type})" for op in reference.random)
    return [
        f"nondeterministic: {names} differ between two runs of the reference itself, "
        f"and {reference.inherited} tensors inherit it; candidates are fed what the first run drew"
    ]


def searched(runs: Runs, settings: Settings) -> Located:
    """What `runs` lead to, all outcomes that are known included."""
    whole = tuple(range(len(runs.reference.steps.ops)))
    failure = _first_failure(runs, whole, settings.repeats)
    if failure.passed:
        return _located(runs, (), failure, None, "")
    flaky = ""
    if not all(runs.outcome(whole, WHOLE, n).kind == failure.kind for n in range(_tried(runs, whole, settings))):
        flaky = "the whole model"
        runs.bound *= settings.repeats
    piece, found, certificate = _certified(Search(runs, failure, settings.repeats if flaky else 1), settings.repeats)
    if not flaky and not certificate.agrees:
        flaky = "the answer, or a piece one operator shorter,"
        runs.bound *= settings.repeats
        piece, found, certificate = _certified(Search(runs, failure, settings.repeats), settings.repeats)
    if flaky:
        flaky = (
            f"the candidate is flaky: {flaky} did not end alike in {settings.repeats} runs; "
            f"so every piece was run {settings.repeats} times, and failed when one of its runs did"
        )
    return _located(runs, piece, found, certificate, flaky)


def _first_failure(runs: Runs, whole: Piece, repeats: int) -> Outcome:
    """How the whole model fails; it passes when none of the repeats fails."""
    outcome = _without_links(runs, whole)
    for number in range(repeats):
        if outcome.passed:
            outcome = runs.outcome(whole, WHOLE, number)
    return outcome


def _without_links(runs: Runs, whole: Piece) -> Outcome:
    """The first run. Where it dies, and would not with its own weights beside it, no candidate is linked."""
    cutter = runs.reference.cutter
    linked = runs.outcome(whole, WHOLE)
    if linked.passed or linked.kind in OF_OUTPUTS or not cutter.links:
        return linked
    cutter.links = False
    alone = runs.outcome(whole, f"{WHOLE}, with its own weights")
    if alone.kind == linked.kind and alone.note and _words(alone.note) == _words(linked.note):
        cutter.links = True
        return linked
    runs.unlinked = str(linked)
    return alone


def _words(note: str) -> list[str]:
    """What a dying command said, without what is of one run alone: paths, numbers, addresses."""
    return [word for word in note.split() if word.isalpha()]


def _tried(runs: Runs, whole: Piece, settings: Settings) -> int:
    """How many runs of the whole it took to see it fail."""
    return next((n + 1 for n in range(settings.repeats) if not runs.outcome(whole, WHOLE, n).passed), settings.repeats)


def _certified(search: Search, repeats: int) -> tuple[Piece, Outcome, Certificate]:
    piece, failure = search.find()
    tensor = failure.tensors[0] if failure.tensors else ""
    certificate = Certificate(
        _repeated(search, piece, ANSWER, tensor, repeats) or (),
        _repeated(search, piece[:-1], f"{ANSWER} without its last operator", "", repeats),
        _repeated(search, piece[1:], f"{ANSWER} without its first operator", tensor, repeats),
        search.runs.reference_agrees(piece),
    )
    return piece, failure, certificate


def _repeated(search: Search, piece: Piece, what: str, tensor: str, repeats: int) -> tuple[bool, ...] | None:
    if not piece or not search.can_run(piece):
        return None
    return tuple(search.fails_in(piece, what, tensor, number) for number in range(repeats))


def _located(runs: Runs, piece: Piece, failure: Outcome, certificate: Certificate | None, flaky: str) -> Located:
    reference = runs.reference
    others = {kind: note for kind, note in runs.notes.items() if kind not in (PASSED, failure.kind)}
    return Located(
        piece,
        reference.steps.labels(piece),
        [op.label for op in reference.steps.constants(piece) if not reference.model.dialect.is_stored(op)],
        failure,
        certificate,
        len(reference.steps.ops),
        runs.made,
        runs.reused,
        runs.bound,
        dict(sorted(runs.kinds.items())),
        others,
        flaky,
        runs.unlinked,
        [op.label for op in reference.random],
        reference.inherited,
        reference,
    )
