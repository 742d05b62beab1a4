"""The page: one file that loads nothing, whose links lead somewhere, and in which names are text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from subcut.analysis.compare.drawing import bars, curve, grid
from subcut.analysis.compare.further import Wanted
from subcut.analysis.compare.groups import fill
from subcut.analysis.compare.page import page
from subcut.analysis.compare.rows import Columns, Row, csv_text
from subcut.analysis.compare.run import Comparison, _worst_pictures
from subcut.analysis.compare.verdicts import judge

EVIL = "</script><script>alert(1)</script>\"'<img src=x onerror=alert(2)>\u202e\x00\ud800&amp;"


class Reader(HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def comparison(name: str, count: int = 3) -> Comparison:
    rows = []
    for k in range(count):
        right = np.random.default_rng(k).standard_normal((1, 4, 5, 6))
        row = Row(k, name, name, name, f"{name}:output:{k}", original=f"{name}:{k}", left_path=name, right_path=name)
        wanted = Wanted(further=True, pictures=True)
        fill(row, (right + k).reshape(-1), right.reshape(-1), right.shape, wanted)
        judge(row)
        rows.append(row)
    lost = Row(count, name, name, name, note=name, missing="left")
    judge(lost)
    return Comparison([*rows, lost], Columns(), [name], [name])


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    return reader


def test_names_are_text() -> None:
    evil, plain = (read(page(comparison(name), {"left": name}, "result.csv")) for name in (EVIL, "plain"))
    assert [tag for tag, _ in evil.tags] == [tag for tag, _ in plain.tags]
    for (_, mine), (_, other) in zip(evil.tags, plain.tags, strict=True):
        assert list(mine) == list(other)
    shown = "".join(evil.text)
    assert "<img src=x onerror=alert(2)>" in shown
    assert "\\u202e\\x00\\ud800" in shown
    assert "\u202e" not in shown
    page(comparison(EVIL), {}, "x").encode("utf-8")


def test_it_loads_nothing_and_links_lead_somewhere() -> None:
    reader = read(page(comparison("net/conv"), {"left": "dumps"}, "result.csv"))
    identifiers = {attributes["id"] for _, attributes in reader.tags if "id" in attributes}
    links = [attributes["href"] for tag, attributes in reader.tags if tag == "a"]
    assert {link for link in links if link and not link.startswith("#")} == {"result.csv"}
    assert {str(link)[1:] for link in links if link != "result.csv"} <= identifiers
    assert not [attributes for _, attributes in reader.tags if "src" in attributes or "onclick" in attributes]
    assert not {tag for tag, _ in reader.tags} & {"link", "img", "iframe", "object"}
    [policy] = [a["content"] for tag, a in reader.tags if tag == "meta" and "http-equiv" in a]
    assert str(policy).startswith("default-src 'none'")


def test_every_row_and_every_metric_is_there() -> None:
    made = comparison("conv", 5)
    text = page(made, {}, "result.csv")
    body = text[text.index("<tbody>") : text.index("</tbody>")]
    assert body.count("<tr ") == len(made.rows)
    assert len(re.findall(r"<th>", text)) == body[: body.index("</tr>")].count("<td")
    assert text.count("<circle") == text.count("<details") == 5


def test_nothing_compared() -> None:
    lost = Row(0, "a", "a", "a")
    judge(lost)
    assert "nothing was compared" in page(Comparison([lost], Columns()), {}, "result.csv")


@pytest.mark.parametrize("values", [[0.0], [1e-9, 1.0, float("inf"), float("nan")], [5.0] * 300])
def test_pictures_are_markup(values: list[float]) -> None:
    points: Any = [(value, value > 1, "#a", "title") for value in values]
    for drawn in (curve(points), grid([values, values]), bars([0, 1, 10**9], ["a", "b", "c"]), bars([0], ["a"])):
        ElementTree.fromstring(drawn)
        assert "nan" not in re.sub(r"<title>.*?</title>", "", drawn)


def test_cells_that_a_spreadsheet_would_compute() -> None:
    row = Row(0, "=1+1", "-a", "@b", "c;=d", "x")
    first = csv_text([row], Columns()).splitlines()[1]
    assert first.startswith("0, =1+1, -a,NaN,NaN, @b,NaN,NaN, c;=d,x,")


def test_the_worst_have_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subcut.analysis.compare.run.PICTURED", 2)
    rows = comparison("conv", 6).rows
    kept = _worst_pictures(rows)
    assert kept == [rows[5], rows[4]]
    assert [bool(row.further and row.further.map) for row in rows] == [False] * 4 + [True] * 2 + [False]
