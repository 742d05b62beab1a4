"""Random cuts of a model, each run against the original: the property that matters most."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from subcut.compiler.errors import SubcutError, UserError
from subcut.compiler.export import FORMAT_OF, load, save
from subcut.compiler.formats import ReadOptions, runner
from subcut.compiler.ir.graph import Model, Op
from subcut.compiler.numbers import distance, same
from subcut.compiler.pipeline import standard
from subcut.compiler.verification import Verifier, feeds_of
from subcut.dsl import words
from support.onnx_corpus import checker_says

REFUSALS = {
    "loop-cut",
    "branch-cut",
    "handle-edge",
    "unfrozen-variable",
    "function-attribute",
    "no-output",
    "untyped-edge",
}
"""Reasons for which a random cut may be refused: each says that no runnable cut exists there."""


@dataclass
class Outcome:
    """What became of the cuts of one model."""

    verified: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    random: list[str] = field(default_factory=list)
    wrong: dict[str, str] = field(default_factory=dict)
    invalid: dict[str, str] = field(default_factory=dict)
    """What `onnx.checker` has against a cut of a model that it accepts."""


def quote(name: str) -> str:
    """A name as a selection spells it, every character of it literal."""
    return words.quote(words.escape(name))


def name_of(op: Op) -> str:
    """How a selection calls an operator."""
    return quote(op.name) if op.name else quote(op.results[0].name)


def random_selections(model: Model, count: int, seed: int) -> list[str]:
    """Selections of many shapes on the main graph; most are `from A to B` with A before B."""
    choose = random.Random(seed)
    ops = [op for op in model.main.ops if not model.dialect.is_stored(op) and op.results]
    names = [op.name for op in ops]
    unique = [op for op in ops if not op.name or names.count(op.name) == 1]
    found: list[str] = []
    while len(found) < count:
        start = choose.choice(unique)
        end = _walk(start, choose.randint(0, 40), choose)
        if end not in unique:
            continue
        a, b = name_of(start), name_of(end)
        shapes = [f"from {a} to {b}"] * 6 + [f"to {b}", f"from {a}", f"around {a} by 2", f"{a} plus {b}"]
        shapes += [f"after {a} to {b}", f"from %{quote(start.results[0].name)} to {b}"] if start is not end else []
        found.append(choose.choice(shapes))
    return found


def _walk(op: Op, steps: int, choose: random.Random) -> Op:
    for _ in range(steps):
        readers = [
            user for value in op.results for user in value.consumers() if user.graph is op.graph and user.results
        ]
        if not readers:
            return op
        op = choose.choice(readers)
    return op


def check(
    path: Path,
    selections: Sequence[str],
    folder: Path,
    *,
    options: ReadOptions | None = None,
    inputs: Path | None = None,
) -> Outcome:
    """Make every cut, run the original once with every edge fetched, and every cut on the original's tensors."""
    options = options or ReadOptions()
    outcome, cuts = Outcome(), {}
    valid = path.suffix == ".onnx" and not checker_says(path)
    for i, selection in enumerate(selections):
        try:
            model = load(path, options)
            pipeline = standard(selection)
            pipeline.verify_each = True
            manifest = save(pipeline.run(model), folder / str(i))
        except UserError as error:
            (outcome.refused if error.code in REFUSALS else outcome.wrong)[selection] = str(error)
            continue
        cuts[selection] = (folder / str(i), manifest)
        if valid and (said := checker_says(folder / str(i) / manifest["files"][0])):
            outcome.invalid[selection] = said
    edges = [edge for _, manifest in cuts.values() for edge in [*manifest["inputs"], *manifest["outputs"]]]
    fetch = list(dict.fromkeys(edge["tensor"] for edge in edges))
    golden = Verifier(path, options, inputs).run_original(load(path, options), fetch)
    for selection, (cut, manifest) in cuts.items():
        _compare(selection, cut, manifest, golden, outcome)
    return outcome


def _compare(
    selection: str, folder: Path, manifest: Mapping[str, Any], golden: Mapping[str, Any], outcome: Outcome
) -> None:
    model = load(folder / manifest["files"][0])
    feeds = feeds_of(model, manifest, golden)
    wanted = [edge for edge in manifest["outputs"] if edge["tensor"] in golden]
    if feeds is None or not wanted:
        outcome.absent.append(selection)
        return
    names = [edge["name"] for edge in wanted]
    run = runner(FORMAT_OF[model.dialect.name]).run
    try:
        got = run(model, feeds, names)
    except SubcutError as error:
        outcome.wrong[selection] = str(error)
        return
    bad = [edge for edge in wanted if not same(golden[edge["tensor"]], got.get(edge["name"]))]
    if bad and not all(
        same(got.get(name), again) for name, again in run(load(folder / manifest["files"][0]), feeds, names).items()
    ):
        outcome.random.append(selection)
    elif bad:
        tensor = bad[0]["tensor"]
        outcome.wrong[selection] = f"`{tensor}` differs by {distance(golden[tensor], got.get(bad[0]['name']))[0]}"
    else:
        outcome.verified.append(selection)
