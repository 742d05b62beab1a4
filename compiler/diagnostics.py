"""A message about a mistake: code, place, caret and the way out, laid out for a narrow terminal."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class SourceText:
    """A text that a user wrote, and the name to call it by (`<selection>` or a path)."""

    name: str
    text: str

    def line_of(self, offset: int) -> tuple[int, int, str]:
        """1-based line, 1-based column and the text of the line that holds character `offset`."""
        offset = min(max(offset, 0), len(self.text))
        start = self.text.rfind("\n", 0, offset) + 1
        end = self.text.find("\n", offset)
        line = self.text[start : len(self.text) if end < 0 else end]
        return self.text.count("\n", 0, start) + 1, offset - start + 1, line


@dataclass(frozen=True)
class Location:
    """Characters `start` to `stop` of a text."""

    source: SourceText
    start: int
    stop: int


@dataclass(frozen=True)
class Diagnostic:
    """One mistake (or, with `severity="warning"`, one doubt). The message is terse, lower case, without a full stop."""

    code: str
    message: str
    at: Location | None = None
    help: Sequence[str] = field(default_factory=tuple)
    severity: str = "error"

    def render(self) -> str:
        """The text a terminal shows, without colour and without a final newline."""
        lines = [f"{self.severity}[{self.code}]: {self.message}"]
        gutter = " "
        if self.at is not None:
            number, column, line = self.at.source.line_of(self.at.start)
            gutter = " " * len(str(number))
            lines += [f"{gutter}--> {self.at.source.name}:{number}:{column}", f"{gutter} |"]
            lines += [f"{number} | {line}", f"{gutter} | {_caret(line, column, self.at)}"]
            lines += [f"{gutter} |"] if self.help else []
        lines += [f"{gutter} = help: {text}" for text in self.help]
        return "\n".join(lines)


def _caret(line: str, column: int, at: Location) -> str:
    """Blanks and carets that stand below the marked part of `line`, whatever the width of its characters."""
    marked = line[column - 1 : column - 1 + max(at.stop - at.start, 1)]
    lead = "".join("\t" if c == "\t" else " " * _width(c) for c in line[: column - 1])
    return lead + "^" * max(display_width(marked), 1)


def display_width(text: str) -> int:
    """How many columns of a terminal `text` takes: East Asian characters take two, combining ones none."""
    return len(text) if text.isascii() else sum(map(_width, text))


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def nearest(name: str, names: Iterable[str], count: int = 3) -> list[str]:
    """Up to `count` of `names` that look most like `name`, best first (deterministic)."""
    unique = list(dict.fromkeys(names))
    if len(unique) > 5_000:  # difflib is quadratic in the text: narrow a big model down by shared pieces first
        pieces = {name.lower()[i : i + 3] for i in range(max(len(name) - 2, 1))}
        unique.sort(key=lambda n: (-sum(p in n.lower() for p in pieces), abs(len(n) - len(name)), n))
        unique = unique[:500]
    lowered = {n: n.lower() for n in unique}
    scores = {n: difflib.SequenceMatcher(None, name.lower(), low).ratio() for n, low in lowered.items()}
    close = [n for n in unique if scores[n] >= 0.55 or (len(name) >= 3 and name.lower() in lowered[n])]
    return sorted(close, key=lambda n: (-scores[n], n))[:count]


def did_you_mean(name: str, names: Iterable[str], sigil: str = "") -> list[str]:
    """The help line for a name that does not exist, or no line when nothing is near."""
    near = [f"`{sigil}{n}`" for n in nearest(name, names)]
    if not near:
        return []
    return ["did you mean " + (near[0] if len(near) == 1 else ", ".join(near[:-1]) + " or " + near[-1]) + "?"]
