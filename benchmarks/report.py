"""The measurements as Markdown."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Protocol

import goals
from measure import Memory, machine
from models import COUNTS, Case


class Result(Protocol):
    """What a contender cost."""

    name: str
    memory: Memory
    failure: str

    @property
    def seconds(self) -> float:
        """The median."""
        ...


HEAD = """\
# Benchmarks

Made by `python benchmarks/run.py` on {date}.
Machine: {machine}.

Whole processes, medians of {runs} runs in turn, files in the page cache. A middle slice is kept of each model. *Limit*
is `cp` of the cut's own files. Memory is *anonymous / resident*, peaks of one more run: resident counts mapped pages of
the model file, which the kernel may drop at will.

"""
TABLE = """\
| model | limit | subcut | over limit + empty Python | memory | `--link` | first time |
|---|---|---|---|---|---|---|
"""
NOTES = """\

*First time*: the manifest names the model's SHA-256, which is computed beside the cut and then remembered for a file
that does not change. TensorFlow is cut with `--no-infer`: importing TensorFlow to infer the type of an edge costs
some seconds more.

"""


def document(results: Mapping[Case, Sequence[Result]], starts: Mapping[str, float], runs: int) -> str:
    """The whole page."""
    date = datetime.date.today().isoformat()
    rows = "".join(row(case, all_, starts) + "\n" for case, all_ in results.items())
    head = HEAD.format(date=date, machine=machine(), runs=runs) + TABLE + rows + NOTES
    parts = [head, goals.table(_figures(results, starts)), _peers(results), _growth(results), _starts(starts)]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts if part)


LOCATING = "## Locating a wrong operator\n"
VIEWING = "## Looking at a model\n"
SECTIONS = (LOCATING, VIEWING)
"""What is measured by itself, and stays on the page when something else is."""

_LOCATING = f"""\
{LOCATING}
Made by `python benchmarks/run.py --locating` on {{date}}. One wrong operator, at every position in turn; the same shell
command is the judge for `subcut locate --repeats 1` and for `polygraphy debug reduce --mode bisect` ({{version}}).
*Exact*: how often nothing but that operator is left. One of subcut's runs is there because a command that says nothing
as it fails is given the whole model once more without links.

"""
_VIEWING = f"""\
{VIEWING}
Made by `python benchmarks/run.py --viewing` on {{date}}. Headless Chromium without a GPU, a window of 1280 × 800.
*Drawn*: from the command to the picture, reading, serving and layout included; median of {{runs}} in fresh browsers.
*Drag*: frames per second while the mouse drags the graph; 60 is the screen's own.
*Frame*: while panning, and of a canvas of that size that is only filled, in the same page. *Blue*: from the key that
sets the end, with nearly all operators between, to the next frame; *key*: the same from a key in the search field.
*Memory*: resident, the page's process. Netron opens the same file; Model Explorer, which does not read ONNX, the same
graph in its own format, every block and layer folded. Versions: {{versions}}.
Other work on the machine as it began: a load of {{load:.1f}}.

"""


def locating(table: str, version: str) -> str:
    """The section on how many runs a search takes."""
    return _LOCATING.format(date=datetime.date.today().isoformat(), version=version) + table


def viewing(table: str, runs: int, versions: str, load: float) -> str:
    """The section on how long it takes until a model is seen."""
    return _VIEWING.format(date=datetime.date.today().isoformat(), runs=runs, versions=versions, load=load) + table


def section(page: str, heading: str) -> str:
    """The page's section under a heading; empty where it has none."""
    start = page.find(heading)
    end = page.find("\n## ", start)
    return "" if start < 0 else page[start:] if end < 0 else page[start:end]


def with_section(page: str, counted: str) -> str:
    """The page with a section, in the place of the one that it has under the same heading, or at the end."""
    counted = counted.strip("\n") + "\n"
    before = section(page, counted[: counted.index("\n") + 1])
    return page.replace(before, counted) if before else f"{page.rstrip()}\n\n{counted}"


def _figures(results: Mapping[Case, Sequence[Result]], starts: Mapping[str, float]) -> dict[str, float]:
    """What the goals are held against."""
    seen = dict(starts)
    for case, all_ in results.items():
        for result in all_:
            if not result.failure:
                seen[f"{case.name}/{result.name}"] = result.seconds
                seen[f"{case.name}/{result.name}/anonymous"] = result.memory.anonymous
    return seen


def row(case: Case, results: Sequence[Result], starts: Mapping[str, float]) -> str:
    """One model: the limit, subcut, and how far one is from the other."""
    by_name = {result.name: result for result in results}
    own, limit = by_name["subcut"], by_name["limit"]
    if own.failure or limit.failure:
        return f"| {_title(case)} | | {own.failure or limit.failure} | | | | |"
    ratio = own.seconds / (limit.seconds + starts["python -c pass"])
    linked = _cell(by_name.get("subcut --link"))
    first = _cell(by_name["subcut, first time"])
    cost = f"{_seconds(own.seconds)} | {ratio:.1f} × | {_memory(own.memory)}"
    return f"| {_title(case)} | {_seconds(limit.seconds)} | {cost} | {linked} | {first} |"


def _title(case: Case) -> str:
    return f"{case.name.partition('-')[0]}: {case.about}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f} s" if seconds < 1 else f"{seconds:.2f} s"


def _memory(memory: Memory) -> str:
    return f"{memory.anonymous / 1e6:,.0f} / {memory.resident / 1e6:,.0f} MB"


def _cell(result: Result | None) -> str:
    if result is None:
        return ""
    return result.failure or _seconds(result.seconds)


def _peers(results: Mapping[Case, Sequence[Result]]) -> str:
    """The other tools: time, times subcut's, memory."""
    tools = [r.name for all_ in results.values() for r in all_ if not r.name.startswith(("subcut", "limit"))]
    tools = list(dict.fromkeys(tools))
    if not tools:
        return ""
    lines = ["## Other tools", "", "Seconds, times subcut's, anonymous and resident memory.", ""]
    lines += [f"| model | {' | '.join(tools)} |", "|---" * (len(tools) + 1) + "|"]
    for case, all_ in results.items():
        by_name = {result.name: result for result in all_}
        if any(tool in by_name for tool in tools):
            cells = [_against(by_name.get(tool), by_name["subcut"]) for tool in tools]
            lines.append(f"| {_title(case)} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _against(result: Result | None, own: Result) -> str:
    if result is None or result.failure or own.failure:
        return result.failure if result else ""
    return f"{_seconds(result.seconds)}, {result.seconds / own.seconds:.1f} ×, {_memory(result.memory)}"


def _growth(results: Mapping[Case, Sequence[Result]]) -> str:
    """Microseconds an operator, between each two lengths of a chain."""
    lines = []
    for format in ("onnx", "tf", "caffe"):
        times = {
            case.name.rpartition("-")[2]: all_[0].seconds
            for case, all_ in results.items()
            if case.name.startswith(f"{format}-chain") and not all_[0].failure
        }
        known = [label for label in COUNTS if label in times]
        for small, big in pairwise(known):
            cost = (times[big] - times[small]) / (COUNTS[big] - COUNTS[small]) * 1e6
            lines.append(f"| {format} | {COUNTS[small]:,} to {COUNTS[big]:,} | {cost:.1f} µs |")
    if not lines:
        return ""
    head = ["## Growth", "", "What one more operator of the model costs, half of them kept.", ""]
    return "\n".join([*head, "| format | operators | each |", "|---|---|---|", *lines, ""])


def _starts(starts: Mapping[str, float]) -> str:
    lines = [f"| `{name}` | {seconds * 1000:.0f} ms |" for name, seconds in starts.items()]
    return "\n".join(["## Start", "", "| command | time |", "|---|---|", *lines, ""])
