"""Passes one after another, and one hook around them that verifies, times and prints."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NoReturn

from subcut.compiler.diagnostics import Location, SourceText, did_you_mean
from subcut.compiler.errors import user_error
from subcut.compiler.ir.graph import Model
from subcut.passes import PASSES, AddInputs, Align, Cut, Fold, Pass, Prune, Select, Snap

Hook = Callable[[Pass, Model, float, bool], None]
"""Called after every pass with the pass, the model, the seconds it took and whether it changed anything."""


class Pipeline:
    """Passes, applied in order.

    `verify_each` checks the IR before the first and after every pass, and names the culprit.
    """

    def __init__(self, *passes: Pass, verify_each: bool = False, hook: Hook | None = None) -> None:
        self.passes = passes
        self.verify_each = verify_each
        self.hook = hook

    def run(self, model: Model) -> Model:
        """Apply every pass to `model`, in place, and return it."""
        self._verify(model, "reading the model")
        for step in self.passes:
            started = time.perf_counter()
            with no_collection():
                changed = step.apply(model)
            seconds = time.perf_counter() - started
            model.history.append(str(step))
            self._verify(model, f"pass `{step.name}`")
            if self.hook is not None:
                self.hook(step, model, seconds, changed)
        return model

    def _verify(self, model: Model, after: str) -> None:
        if self.verify_each:
            from subcut.compiler.ir.verify import verify

            verify(model, after)

    def __str__(self) -> str:
        """The spelling that `--passes` takes."""
        return ",".join(map(str, self.passes))


@contextmanager
def no_collection() -> Generator[None, None, None]:
    """Work on a model makes a great many objects and no garbage: looking for some would take most of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def standard(
    selection: str,
    *,
    infer: bool = True,
    fold: bool = True,
    align: bool = False,
    strict: bool = False,
    source: str = "<selection>",
) -> Pipeline:
    """The pipeline of `subcut MODEL SELECTION`."""
    return Pipeline(Select(selection, source), *cutting(infer=infer, fold=fold, align=align, strict=strict))


def cutting(*, infer: bool = True, fold: bool = True, align: bool = False, strict: bool = False) -> tuple[Pass, ...]:
    """The passes that cut a model to what is selected; with `align` also those that look at what a device stored."""
    passes: tuple[Pass, ...] = (Cut(infer), Fold(fold), AddInputs(), Prune())
    return (Snap(), *passes, Align(strict)) if align else passes


def cut(model: Model, selection: str, *, infer: bool = True, fold: bool = True) -> Model:
    """Cut `model`, in place, to what `selection` says in the selection language; returns it."""
    return standard(selection, infer=infer, fold=fold).run(model)


@dataclass
class Timing:
    """A hook that collects how long each pass took."""

    rows: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])

    def __call__(self, step: Pass, model: Model, seconds: float, changed: bool) -> None:
        """Take down one pass."""
        self.rows.append((step.name + ("" if changed else " (no change)"), seconds))

    @contextmanager
    def phase(self, name: str) -> Generator[None, None, None]:
        """Take down a phase that is no pass, such as reading."""
        started = time.perf_counter()
        yield
        self.rows.append((name, time.perf_counter() - started))

    def __str__(self) -> str:
        """A table of milliseconds."""
        total = sum(seconds for _, seconds in self.rows)
        return "\n".join(f"{seconds * 1e3:10.1f} ms  {name}" for name, seconds in [*self.rows, ("total", total)])


def parse_passes(text: str) -> list[Pass]:
    """The passes that a text such as `select{from=a to=b},cut{infer=false},prune` spells."""
    return [_build(name, options, text, at) for name, options, at in _Spelling(text).passes()]


def _build(name: str, options: dict[str, str], text: str, at: int) -> Pass:
    if name not in PASSES:
        place = Location(SourceText("<passes>", text), at, at + len(name))
        raise user_error("unknown-pass", f"there is no pass `{name}`", at=place, help=did_you_mean(name, PASSES))
    return PASSES[name].from_options(options)


class _Spelling:
    """A scanner of the spelling of passes: names, and options in braces with bare or JSON-quoted values."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def passes(self) -> Iterator[tuple[str, dict[str, str], int]]:
        while True:
            at = self._blank()
            name = self._word("a pass")
            yield name, self._options(), at
            self._blank()
            if self.at == len(self.text):
                return
            self._expect(",")

    def _options(self) -> dict[str, str]:
        options: dict[str, str] = {}
        if not self._take("{"):
            return options
        while not self._take("}"):
            key = self._word("an option")
            self._expect("=")
            options[key] = self._value()
            self._blank()
            self._take(",")
        return options

    def _value(self) -> str:
        import json

        if self.text[self.at : self.at + 1] != '"':
            return self._word("a value")
        try:
            value, self.at = json.JSONDecoder().raw_decode(self.text, self.at)
        except ValueError:
            self._fail("this quote is never closed")
        return str(value)

    def _word(self, what: str) -> str:
        start = self._blank()
        while self.at < len(self.text) and self.text[self.at] not in ' \t\n{}=,"':
            self.at += 1
        if self.at == start:
            self._fail(f"expected {what}")
        return self.text[start : self.at]

    def _blank(self) -> int:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
        return self.at

    def _take(self, character: str) -> bool:
        self._blank()
        found = self.text[self.at : self.at + 1] == character
        self.at += found
        return found

    def _expect(self, character: str) -> None:
        if not self._take(character):
            self._fail(f"expected `{character}`")

    def _fail(self, message: str) -> NoReturn:
        place = Location(SourceText("<passes>", self.text), self.at, self.at + 1)
        raise user_error(
            "bad-passes", message, at=place, help="such as `select{from=a to=b},cut,fold,add-inputs,prune`"
        )
