"""Text in columns that fit the terminal; where the output goes elsewhere, nothing is shortened."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence

from subcut.compiler.diagnostics import display_width

GAP = 2
NARROWEST = 12
"""Columns that even a long cell may have on a narrow terminal."""
WIDEST = 60
"""Columns up to which a file's columns are aligned; longer cells stick out."""


def lines(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Each row as a line, its cells below those of the row before."""
    if not rows:
        return
    terminal = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    widths = _widths(rows, terminal)
    for row in rows:
        cells = [shorten(c, w) for c, w in zip(row, widths, strict=True)] if terminal else row
        padded = [pad(cell, width + GAP) for cell, width in zip(cells[:-1], widths, strict=False)]
        yield ("".join(padded) + cells[-1]).rstrip()


def _widths(rows: Sequence[Sequence[str]], terminal: int | None) -> list[int]:
    """The width of each column. On a terminal the widest give way until all fit; the last takes what is left."""
    widths = [max(map(display_width, column)) for column in zip(*rows, strict=True)]
    if terminal is None:
        return [min(width, WIDEST) for width in widths]
    room = max(terminal - GAP * (len(widths) - 1), NARROWEST * len(widths))
    while sum(widths) > room:
        widest = widths.index(max(widths))
        others = sorted(widths)[-2] if len(widths) > 1 else 0
        widths[widest] = max(room - sum(widths) + widths[widest], min(others, widths[widest] - 1), NARROWEST)
    return widths


def pad(text: str, width: int) -> str:
    """`text` and blanks, `width` columns together; at least one blank."""
    return text + " " * max(width - display_width(text), 1)


def shorten(text: str, width: int) -> str:
    """`text` within `width` columns, its middle left out: the two ends of a long name tell the most."""
    if display_width(text) <= width:
        return text
    head, tail = text, ""
    keep = max(width - 3, 0)
    head = _fitting(text, keep - keep // 2)
    tail = _fitting(text[::-1], keep - display_width(head))[::-1]
    return f"{head}...{tail}"


def _fitting(text: str, width: int) -> str:
    """The longest beginning of `text` that fits."""
    used = 0
    for i, character in enumerate(text):
        used += display_width(character)
        if used > width:
            return text[:i]
    return text
