"""Print a model, or a selection of it, as MLIR text: generic operation syntax, weights as stubs.

subcut show model.onnx
subcut show net.prototxt "from pool1 to res2a_relu"
"""

from __future__ import annotations

import argparse

from subcut.compiler.cli import options
from subcut.compiler.export import load
from subcut.compiler.ir.text import model_lines, op_lines
from subcut.passes import Select


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_model(parser)
    parser.add_argument("selection", metavar="SELECTION", nargs="?", help="what to print (default: everything)")


def run(args: argparse.Namespace) -> int:
    """Print the text."""
    model = load(args.model, options.read_options(args))
    model.dialect.annotate(model)
    lines = model_lines(model)
    if args.selection is not None:
        Select(args.selection).apply(model)
        assert model.selection is not None
        lines = op_lines(model.selection.graph, model.selection.ops)
    for line in lines:
        print(line)
    return 0
