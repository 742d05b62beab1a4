"""subcut: cut a piece out of a trained model, in its own format, and prove it right.

import subcut

model = subcut.load("model.onnx")
subcut.cut(model, "from conv1 to relu3")
subcut.save(model, "out")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from subcut.compiler.alignment.twin import TwinOptions, attach
    from subcut.compiler.errors import MissingExtra, ModelError, SubcutError, UserError
    from subcut.compiler.export import load, save
    from subcut.compiler.formats import ReadOptions, WriteOptions
    from subcut.compiler.ir.graph import Graph, Model, Op, Value
    from subcut.compiler.ir.text import print_model
    from subcut.compiler.ir.types import TensorType
    from subcut.compiler.pipeline import Pipeline, cut, parse_passes, standard
    from subcut.compiler.verification import Verifier
    from subcut.passes import PASSES, AddInputs, Align, Cut, Fold, Pass, Prune, Select, Snap

_HOME = {
    "TwinOptions": "subcut.compiler.alignment.twin",
    "attach": "subcut.compiler.alignment.twin",
    "MissingExtra": "subcut.compiler.errors",
    "ModelError": "subcut.compiler.errors",
    "SubcutError": "subcut.compiler.errors",
    "UserError": "subcut.compiler.errors",
    "load": "subcut.compiler.export",
    "save": "subcut.compiler.export",
    "ReadOptions": "subcut.compiler.formats",
    "WriteOptions": "subcut.compiler.formats",
    "Graph": "subcut.compiler.ir.graph",
    "Model": "subcut.compiler.ir.graph",
    "Op": "subcut.compiler.ir.graph",
    "Value": "subcut.compiler.ir.graph",
    "TensorType": "subcut.compiler.ir.types",
    "print_model": "subcut.compiler.ir.text",
    "Pipeline": "subcut.compiler.pipeline",
    "cut": "subcut.compiler.pipeline",
    "parse_passes": "subcut.compiler.pipeline",
    "standard": "subcut.compiler.pipeline",
    "Verifier": "subcut.compiler.verification",
    "PASSES": "subcut.passes",
    "AddInputs": "subcut.passes",
    "Align": "subcut.passes",
    "Cut": "subcut.passes",
    "Fold": "subcut.passes",
    "Pass": "subcut.passes",
    "Prune": "subcut.passes",
    "Select": "subcut.passes",
    "Snap": "subcut.passes",
}
"""Where each public name lives: imported when it is first asked for, so that `import subcut` costs nothing."""

__all__ = [
    "PASSES",
    "AddInputs",
    "Align",
    "Cut",
    "Fold",
    "Graph",
    "MissingExtra",
    "Model",
    "ModelError",
    "Op",
    "Pass",
    "Pipeline",
    "Prune",
    "ReadOptions",
    "Select",
    "Snap",
    "SubcutError",
    "TensorType",
    "TwinOptions",
    "UserError",
    "Value",
    "Verifier",
    "WriteOptions",
    "__version__",
    "attach",
    "cut",
    "load",
    "parse_passes",
    "print_model",
    "save",
    "standard",
]


def __getattr__(name: str) -> object:
    """Import a public name from where it lives."""
    import importlib

    if name not in _HOME:
        raise AttributeError(f"module `subcut` has no attribute `{name}`")
    value: object = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value
