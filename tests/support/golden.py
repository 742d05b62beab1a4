"""Ground truth that `golden` wrote, held against what the format's runner computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from subcut.analysis.golden import Golden
from subcut.compiler.device.dumps.tree import DumpTree
from subcut.compiler.export import FORMAT_OF, load
from subcut.compiler.formats import runner
from subcut.compiler.ir.types import numpy_dtype
from subcut.compiler.numbers import same


def read(made: Golden, entry: dict[str, Any]) -> np.ndarray:
    """The numbers of an entry of the manifest, in the type in which the framework has them."""
    array = np.load(made.folder / entry["file"])
    assert list(array.shape) == entry["shape"]
    assert str(array.dtype) == entry["stored_as"]
    return array.astype(numpy_dtype(entry["element"]))


def arrays(made: Golden) -> dict[str, np.ndarray]:
    """The tensors of the main graph, by name."""
    return {entry["tensor"]: read(made, entry) for entry in made.manifest["tensors"] if "body" not in entry}


def check(made: Golden, path: Path) -> dict[str, np.ndarray]:
    """Every tensor equals the runner's, bit by bit, and is found by its name; returns them."""
    found = arrays(made)
    model = load(path)
    feeds = {entry["tensor"]: found[entry["tensor"]] for entry in made.manifest["inputs"]}
    golden = runner(FORMAT_OF[model.dialect.name]).run(model, feeds, list(found))
    different = [name for name in found if not same(found[name], golden[name])]
    assert not different
    tree = DumpTree.open(made.folder)
    for entry in made.manifest["tensors"]:
        files = tree.find_truth(entry["operator"], entry["output"])
        assert entry["file"] in [file.path.name for file in files]
    return found
