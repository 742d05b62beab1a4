"""Small pictures as SVG: a curve, bars, a grid of colours."""

from __future__ import annotations

import math
from collections.abc import Sequence

WIDTH, HEIGHT = 960, 220
_LEFT, _FOOT = 60, 20
_LOWEST, _HIGHEST = 1e-7, 1e2
_CELL = 14


def curve(points: Sequence[tuple[float, bool, str, str]]) -> str:
    """Points on a logarithmic scale, joined by a line: each with whether it is bad, a link and a title, both markup.

    What is no number, or beyond the scale, lies at its upper edge.
    """
    step = (WIDTH - _LEFT - 10) / max(len(points) - 1, 1)
    places = [(_LEFT + k * step, _height(value)) for k, (value, *_) in enumerate(points)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    out = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">']
    for power in range(-7, 3):
        y = _height(10.0**power)
        out.append(f'<line x1="{_LEFT}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#eee"/>')
        out.append(f'<text x="4" y="{y + 4:.1f}" font-size="11" fill="#666">1e{power}</text>')
    out.append(f'<polyline points="{line}" fill="none" stroke="#4878a8"/>')
    for (_, bad, link, title), (x, y) in zip(points, places, strict=True):
        colour = "#e0584f" if bad else "#4878a8"
        dot = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"><title>{title}</title></circle>'
        out.append(f'<a href="{link}">{dot}</a>')
    out.append("</svg>")
    return "".join(out)


def _height(value: float) -> float:
    if math.isnan(value):
        value = _HIGHEST
    value = min(max(value, _LOWEST), _HIGHEST)
    part = (math.log10(value) - math.log10(_LOWEST)) / (math.log10(_HIGHEST) - math.log10(_LOWEST))
    return HEIGHT - _FOOT - part * (HEIGHT - 2 * _FOOT)


def bars(counts: Sequence[int], labels: Sequence[str]) -> str:
    """A bar a count, on a logarithmic scale, so that a single number is seen among a million."""
    wide, high = 16, 100
    most = math.log1p(max(counts, default=0)) or 1
    out = [f'<svg width="{wide * len(counts)}" height="{high}" role="img">']
    for k, (count, label) in enumerate(zip(counts, labels, strict=True)):
        tall = math.log1p(count) / most * (high - 2)
        shape = f'x="{k * wide}" y="{high - tall:.1f}" width="{wide - 2}" height="{tall:.1f}" fill="#4878a8"'
        out.append(f"<rect {shape}><title>{label}: {count}</title></rect>")
    out.append("</svg>")
    return "".join(out)


def grid(rows: Sequence[Sequence[float]]) -> str:
    """A square a number, white for none and the darker the larger; black for what is no number."""
    finite = [value for row in rows for value in row if math.isfinite(value)]
    most = max(finite, default=0) or 1
    out = [f'<svg width="{_CELL * len(rows[0])}" height="{_CELL * len(rows)}" role="img">']
    for y, row in enumerate(rows):
        for x, value in enumerate(row):
            shade = round(255 - 200 * value / most) if math.isfinite(value) else 0
            colour = f"rgb(255,{shade},{shade})" if math.isfinite(value) else "#000"
            place = f'x="{x * _CELL}" y="{y * _CELL}" width="{_CELL}" height="{_CELL}"'
            out.append(f'<rect {place} fill="{colour}"><title>{value:.3g}</title></rect>')
    out.append("</svg>")
    return "".join(out)
