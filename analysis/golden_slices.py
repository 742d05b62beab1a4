"""How much is computed at once: slices of tensors that fit into a budget of memory."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from subcut.compiler.errors import user_error
from subcut.compiler.ir.graph import Graph

SHARE = 2
"""The part of free memory, as a divisor, that is taken unless the user says more or less."""
MARGIN = 48 << 20
"""Bytes that a framework takes when it first runs: code, threads, buffers."""
_UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}


def parse_memory(text: str) -> int:
    """Bytes of such as `800M` or `1.5G`. Raises UserError `bad-arguments`."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if found is None:
        raise user_error("bad-arguments", f"`{text}` is no amount of memory", help="write it as `800M` or `2G`")
    return int(float(found[1]) * (1 << _UNITS[found[2].upper()]))


def free_memory() -> int:
    """Bytes that this process may still take without pushing anybody out."""
    found = re.search(r"MemAvailable: +([0-9]+) kB", _text("/proc/meminfo"))
    free = int(found[1]) << 10 if found else os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit, used = (_text(f"/sys/fs/cgroup/memory.{name}").strip() for name in ("max", "current"))
    return min(free, int(limit) - int(used)) if limit.isdecimal() and used.isdecimal() else free


def taken_memory() -> int:
    """Bytes that this process has in memory; where the system does not say, a guess of a framework's size."""
    words = _text("/proc/self/statm").split()
    return int(words[1]) * os.sysconf("SC_PAGE_SIZE") if len(words) > 1 else 400 << 20


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def give_back() -> None:
    """Let the system have what was freed: C libraries keep it for the next time."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)


def budget(memory: int | None) -> int:
    """The bytes that the process may have in memory in all."""
    return memory if memory is not None else taken_memory() + free_memory() // SHARE


def check_room(memory: int, overhead: int) -> None:
    """Raise UserError `too-little-memory` where a framework with its `overhead` alone is more than `memory` bytes."""
    needed = taken_memory() + MARGIN + overhead
    if needed > memory:
        raise user_error(
            "too-little-memory",
            f"{memory >> 20} MB of memory are too few: the framework and the weights alone take about {needed >> 20}",
            help="give more with `--memory`",
        )


def slices(
    graph: Graph, fetch: Sequence[str], sizes: Mapping[str, int | None], memory: int, overhead: int
) -> Iterator[list[str]]:
    """Names of `fetch`, in order, so many at a time that a run that gives them out stays within `memory` bytes.

    One of unknown size is alone. Raises UserError `too-little-memory` where the largest tensor does not fit.
    """
    known = {name: sizes[name] or 0 for name in fetch}
    largest = max(known, key=lambda name: known[name], default="")
    give_back()
    # While the graph runs, what it still needs is there; after that, the tensor that is copied out is there twice.
    beside = max(live_peak(graph, sizes), known.get(largest, 0))
    room = memory - taken_memory() - MARGIN - overhead - beside
    if largest and known[largest] > room:
        needed = memory - room + known[largest]
        raise user_error(
            "too-little-memory",
            f"{memory >> 20} MB of memory are too few: to give out `%{largest}`, about {(needed >> 20) + 1} are needed",
            help=f"`--memory {(needed >> 20) + 64}M`, or leave it out with `--only`",
        )
    taken, now = 0, list[str]()
    for name in fetch:
        alone = sizes[name] is None
        if now and (alone or taken + known[name] > room):
            yield now
            give_back()
            taken, now = 0, []
        now.append(name)
        taken += room if alone else known[name]
    if now:
        yield now


def live_peak(graph: Graph, sizes: Mapping[str, int | None]) -> int:
    """The most bytes of tensors that are computed and still read, when operators run one after another."""
    left = {value: len(value.uses) for value in graph.values()}
    live = sum(sizes.get(value.name) or 0 for value in graph.inputs)
    most = live
    for op in graph.topological():
        live += sum(sizes.get(value.name) or 0 for value in op.results)
        most = max(most, live)
        for value in [v for v in op.operands if v is not None]:
            left[value] = left.get(value, 0) - 1
            if left[value] == 0:
                live -= sizes.get(value.name) or 0
        live -= sum(sizes.get(value.name) or 0 for value in op.results if not value.uses)
    return most
