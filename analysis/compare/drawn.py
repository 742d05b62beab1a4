"""Tensors that no two runs agree on: those that random operators draw, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from subcut.analysis.compare.rows import Row
from subcut.analysis.compare.sides import told
from subcut.compiler.device.dumps.names import escape
from subcut.compiler.export import load
from subcut.compiler.formats import ReadOptions
from subcut.compiler.ir.graph import Op
from subcut.compiler.storage.places import place_of


def random_operators(golden: str | Path) -> list[str]:
    """The operators that draw numbers, as the manifest of ground truth says that `subcut run` wrote; none elsewhere."""
    try:
        return [str(name) for name in told(*place_of(golden))["random"]]
    except (KeyError, TypeError):
        return []


def note_random(rows: Sequence[Row], operators: Sequence[str], model: Path, weights: Path | None = None) -> int:
    """Say in the notes of rows whose tensors are drawn, or follow from what is, that they are; returns how many."""
    sources = _followers(operators, model, weights)
    count = 0
    for row in rows:
        name, _, _ = row.original.rpartition(":")
        source = sources.get(escape(name))
        if not row.was_compared or source is None:
            continue
        count += 1
        said = "nondeterministic: it draws random numbers"
        if escape(source) != escape(name):
            said = f"inherited: it follows from `{source}`, which draws random numbers"
        row.note = "; ".join(filter(None, (row.note, said)))
    return count


def _outward(op: Op) -> Iterator[Op]:
    """An operator, and those whose bodies it is in."""
    current: Op | None = op
    while current is not None:
        yield current
        current = current.graph.owner if current.graph is not None else None


def _followers(operators: Sequence[str], model: Path, weights: Path | None) -> dict[str, str]:
    """By escaped name, every operator that draws or follows from one that does, and one that draws."""
    loaded = load(model, ReadOptions(weights=weights))
    names = loaded.dialect.compiled_names(loaded.main)
    wanted = set(operators)
    waiting = [op for op in loaded.main.ops if names.get(op, op.label) in wanted]
    found: dict[Op, str] = {op: names.get(op, op.label) for op in waiting}
    while waiting:
        op = waiting.pop(0)
        for result in op.results:
            readers = [one for reader, _ in result.uses for one in _outward(reader)]
            waiting += [one for one in dict.fromkeys(readers) if one not in found]
            found |= {one: found[op] for one in readers if one not in found}
    return {escape(names.get(op, op.label)): name for op, name in found.items()}
