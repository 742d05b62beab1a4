"""A page for a browser: one file that loads nothing from anywhere, and shows names of a model as text alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from subcut.analysis.compare.drawing import bars, curve, grid
from subcut.analysis.compare.further import Further, bin_label
from subcut.analysis.compare.rows import Row
from subcut.analysis.compare.run import PICTURED, Comparison
from subcut.analysis.metrics import METRICS

_CHANNELS = 8
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"

_STYLE = """
body{font:14px/1.4 system-ui,sans-serif;margin:1.5em;color:#222;background:#fff}
table{border-collapse:collapse;font-size:12px}th,td{padding:2px 6px;border-bottom:1px solid #ddd;text-align:left;
white-space:nowrap;max-width:28em;overflow:hidden;text-overflow:ellipsis}
th{cursor:pointer;background:#f3f3f3;position:sticky;top:0}
tr.bad td:first-child{background:#e0584f;color:#fff}tr.ok td:first-child{background:#cdeccb}
tr.not td{color:#888}.scroll{overflow:auto;max-height:75vh;border:1px solid #ddd}
details{margin:.3em 0}details[open]{border-left:3px solid #888;padding-left:.8em}
svg{display:block;margin:.4em 0}figure{display:inline-block;margin:0 2em 0 0;vertical-align:top}
.counts b{font-size:18px}.counts span{margin-right:1.5em}
"""

_SCRIPT = """
'use strict';
const body = document.querySelector('#rows tbody');
document.querySelectorAll('#rows th').forEach((head, place) => head.addEventListener('click', () => {
  const down = head.dataset.down === '1' ? -1 : 1;
  head.dataset.down = down === 1 ? '1' : '0';
  const rows = Array.from(body.rows).map((row) => [row.cells[place].dataset.v ?? row.cells[place].textContent, row]);
  rows.sort(([a], [b]) => {
    const x = Number(a), y = Number(b);
    if (a !== '' && b !== '' && !Number.isNaN(x) && !Number.isNaN(y)) return down * (x - y);
    if (!Number.isNaN(x) && a !== '') return -1;
    if (!Number.isNaN(y) && b !== '') return 1;
    return down * a.localeCompare(b);
  });
  body.append(...rows.map(([, row]) => row));
}));
document.querySelector('#find').addEventListener('input', (event) => {
  const text = event.target.value.toLowerCase();
  for (const row of body.rows) row.hidden = !row.textContent.toLowerCase().includes(text);
});
const open = () => { const at = location.hash && document.getElementById(location.hash.slice(1));
  if (at && at.tagName === 'DETAILS') at.open = true; };
addEventListener('hashchange', open);
open();
"""


def page(comparison: Comparison, about: dict[str, str], table: str) -> str:
    """The whole page. `about` names the two sides, `table` the result file beside it."""
    numbers = {id(row): k for k, row in enumerate(comparison.rows)}
    pictured = [row for row in comparison.worst if row.further is not None and row.further.map][:PICTURED]
    shown = {numbers[id(row)] for row in pictured}
    parts = [
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8>",
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">',
        f"<title>Comparison</title><style>{_STYLE}</style></head><body><h1>Comparison</h1>",
        *(f"<div>{escape(what)}: <code>{_text(said)}</code></div>" for what, said in about.items()),
        f'<p class=counts>{_counts(comparison)} <a href="{escape(table)}">{escape(table)}</a></p>',
        _problems(comparison),
        "<h2>Error over the depth of the network</h2>",
        _curve(comparison, numbers, shown),
        "<h2>Tensors</h2><p><input id=find placeholder='find a name'> a click on a heading sorts</p>",
        "<div class=scroll><table id=rows><thead><tr>",
        *(f"<th>{escape(name)}</th>" for name in _HEADINGS),
        "</tr></thead><tbody>",
        *(_line(k, row, k in shown) for k, row in enumerate(comparison.rows)),
        "</tbody></table></div>",
        f"<h2>Pictures of the worst {len(pictured)}</h2>" if pictured else "",
        *_details(comparison.rows, sorted(shown)),
        f"<script>{_SCRIPT}</script></body></html>\n",
    ]
    return "\n".join(parts)


_HEADINGS = ("verdict", "index", "type", "tensor", "original", "shape", "limit", *METRICS, "reason")


def _text(text: str) -> str:
    """A name as text, whatever characters it has: those that nobody sees are spelled out."""
    return escape("".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text))


def _counts(comparison: Comparison) -> str:
    return " ".join(f"<span><b>{count}</b> {escape(what)}</span>" for what, count in comparison.counts.items())


def _problems(comparison: Comparison) -> str:
    said = [*comparison.problems]
    if comparison.extra:
        said.append(f"ground truth that nothing was compared with: {', '.join(comparison.extra)}")
    if comparison.extra_left:
        said.append(f"dumped operators that the offline model does not have: {', '.join(comparison.extra_left)}")
    lines = "".join(f"<li>{_text(problem)}</li>" for problem in said)
    return f"<ul>{lines}</ul>" if lines else ""


def _curve(comparison: Comparison, numbers: dict[int, int], shown: set[int]) -> str:
    """The distance of every output from the original's, in the order of the file; a point leads to its tensor."""
    points: list[tuple[float, bool, str, str]] = []
    for row in comparison.rows:
        distance = row.value("RelativeEuclideanDistance")
        if distance is not None and ":input:" not in row.tensor:
            k = numbers[id(row)]
            link = f"#t{k}" if k in shown else f"#r{k}"
            points.append((distance, row.verdict == "bad", link, f"{_text(row.tensor)}: {distance:.6f}"))
    return curve(points) if points else "<p>nothing was compared</p>"


def _line(k: int, row: Row, pictured: bool) -> str:
    verdict = row.verdict
    name = _text(row.left if row.tensor == "NaN" else row.tensor)
    linked = f'<a href="#t{k}">{name}</a>' if pictured else name
    limit = "" if row.limit is None else f"{row.limit:.6f}"
    cells = [
        f"<td>{escape(verdict)}</td><td>{row.index}</td><td>{_text(row.op_type)}</td>",
        f'<td title="{name}">{linked}</td><td>{_text(row.original or row.right)}</td>',
        f"<td>{_text(row.shape)}</td><td>{limit}</td>",
    ]
    cells += [_cell(value, name in row.broken) for name, value in row.compared.values.items()]
    reason = _text(" ".join(filter(None, (row.reason, row.note))))
    cells.append(f'<td title="{reason}">{reason}</td>')
    kind = verdict.split()[0] if verdict else ""
    return f'<tr id=r{k} class="{escape(kind)}">{"".join(cells)}</tr>'


def _cell(value: str, broken: bool) -> str:
    text = f"<b>{escape(value)}</b>" if broken else escape(value)
    return f'<td data-v="{"" if value in ("NaN", "nan") else escape(value)}">{text}</td>'


def _details(rows: Sequence[Row], shown: Sequence[int]) -> Iterator[str]:
    """What is known of each pictured tensor, with ways to its row and to the ones before and after."""
    for place, k in enumerate(shown):
        row = rows[k]
        assert row.further is not None
        ways = [f'<a href="#r{k}">its row</a>']
        if place:
            ways.append(f'<a href="#t{shown[place - 1]}">before</a>')
        if place + 1 < len(shown):
            ways.append(f'<a href="#t{shown[place + 1]}">after</a>')
        yield f"<details id=t{k}><summary>{_text(row.tensor)} {escape(row.verdict)}</summary>"
        yield f"<div>{' · '.join(ways)} · {_text(row.original)} · {_text(row.shape)}</div>"
        files = (("left", row.left_path), ("right", row.right_path))
        yield "".join(f"<div>{side}: <code>{_text(path)}</code></div>" for side, path in files)
        yield from _pictures(row.further)
        yield "</details>"


def _pictures(found: Further) -> Iterator[str]:
    labels = [bin_label(k) for k in range(len(found.histogram))]
    if found.histogram:
        drawn = bars(found.histogram, labels)
        yield f"<figure><figcaption>numbers by their absolute error</figcaption>{drawn}</figure>"
    if found.map:
        caption = "largest absolute error over the last two axes"
        yield f"<figure><figcaption>{caption}</figcaption>{grid(found.map)}</figure>"
    if found.left:
        yield f"<div>{escape(_said(found))}</div>"
    if found.channels:
        worst = sorted(range(len(found.channels)), key=lambda c: _order(found.channels[c]), reverse=True)
        said = ", ".join(f"{c}: {found.channels[c]:.3g}" for c in worst[:_CHANNELS])
        yield f"<div>mean absolute error of the worst channels: {escape(said)}</div>"


def _order(error: float) -> float:
    return math.inf if math.isnan(error) else error


def _said(found: Further) -> str:
    """The numbers beyond the ten metrics, in one line."""
    snr = "none" if found.snr is None else f"{found.snr:.1f} dB"
    counts = [f"{side} {', '.join(f'{n} {what}' for what, n in said.items())}" for side, said in
              (("left:", found.left), ("right:", found.right))]  # fmt: skip
    ulp = "none" if found.max_ulp is None else str(found.max_ulp)
    return f"max ULP {ulp} · SNR {snr} · mismatches {found.mismatch_ratio:.4%} · {' · '.join(counts)}"
