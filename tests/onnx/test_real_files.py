"""Models that others made: what is read is written as it was, and every cut is right and valid."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.cuts import random_selections
from support.onnx_corpus import checker_says, light_models, node_tests, stored_inputs

from subcut.compiler.errors import SubcutError
from subcut.compiler.export import load, save
from subcut.compiler.formats.onnx.run import run
from subcut.compiler.numbers import same
from subcut.compiler.pipeline import standard

CUTS = 4
"""Random cuts of each model, besides that of everything."""


def make_cuts(path: Path, folder: Path) -> dict[str, tuple[Path, dict]]:
    """Cuts of everything and at random, by selection."""
    model = load(path)
    count = sum(not model.dialect.is_stored(op) for op in model.main.ops)
    selections = ["all", *(random_selections(model, CUTS, seed=count) if count > 1 else [])]
    cuts = {}
    for i, selection in enumerate(dict.fromkeys(selections)):
        passes = standard(selection)
        passes.verify_each = True
        manifest = save(passes.run(load(path)), folder / str(i))
        cuts[selection] = (folder / str(i) / manifest["files"][0], manifest)
    return cuts


def wrong_outputs(path: Path, cuts: dict[str, tuple[Path, dict]]) -> list[str]:
    """Outputs of cuts that are not, bit for bit, what the original computes; needs inputs that come with the model."""
    feeds = stored_inputs(path)
    if feeds is None:
        return []
    edges = [edge for _, manifest in cuts.values() for edge in [*manifest["inputs"], *manifest["outputs"]]]
    try:
        golden = run(load(path), feeds, list(dict.fromkeys(edge["tensor"] for edge in edges)))
    except SubcutError:
        return []  # an operator or a type that onnxruntime does not have
    wrong = []
    for selection, (cut, manifest) in cuts.items():
        given = {edge["name"]: golden[edge["tensor"]] for edge in manifest["inputs"]}
        got = run(load(cut), given, [edge["name"] for edge in manifest["outputs"]])
        wrong += [
            f"{path}: {selection}: {edge['tensor']}"
            for edge in manifest["outputs"]
            if not same(golden.get(edge["tensor"]), got.get(edge["name"]))
        ]
    return wrong


@pytest.mark.parametrize("part", range(8))
def test_node_tests(part: int, tmp_path: Path) -> None:
    invalid, changed, wrong = [], [], []
    for number, path in enumerate(node_tests()[part::8]):
        cuts = make_cuts(path, tmp_path / str(number))
        if cuts["all"][0].read_bytes() != path.read_bytes():
            changed.append(str(path))
        if not checker_says(path):
            invalid += [f"{path}: {text}: {said}" for text, (cut, _) in cuts.items() if (said := checker_says(cut))]
        wrong += wrong_outputs(path, cuts)
    assert changed == []
    assert invalid == []
    assert wrong == []


@pytest.mark.parametrize("path", light_models(), ids=lambda path: path.stem)
def test_networks_with_generated_weights(path: Path, tmp_path: Path) -> None:
    cuts = make_cuts(path, tmp_path)
    assert cuts["all"][0].read_bytes() == path.read_bytes()
    assert checker_says(path) == ""
    assert {text: said for text, (cut, _) in cuts.items() if (said := checker_says(cut))} == {}
