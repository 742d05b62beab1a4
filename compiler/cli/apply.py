"""Make every cut of a selection file, each into a result folder of its name.

    subcut apply cuts.subcut -o out      # out/stage2/dump.onnx, out/rest/dump.onnx …

All names are resolved before the first cut is written.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from subcut.compiler.cli import options
from subcut.compiler.cli.progress import Bar
from subcut.compiler.cutting import folder_name
from subcut.compiler.export import save
from subcut.compiler.formats import ReadOptions, WriteOptions
from subcut.compiler.ir.graph import Model
from subcut.compiler.loading import ModelLoader
from subcut.compiler.log import log
from subcut.compiler.manifest import text
from subcut.compiler.pipeline import Pipeline, cutting
from subcut.compiler.storage.folder import ResultFolder
from subcut.compiler.verification import Verifier
from subcut.dsl.file import SelectionFile, open_file, resolve_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("file", metavar="FILE", type=Path, help="a .subcut file")
    parser.add_argument("--no-infer", action="store_true", help="do not infer the types of edges")
    parser.add_argument("--no-fold", action="store_true", help="keep inputs whose value follows from static shapes")
    parser.add_argument(
        "--strict", action="store_true", help="what is not aligned at an edge, or in doubt, is an error"
    )
    options.add_bin_type(parser)
    options.add_output(parser, "the folder that the result folders are made in (default: the current one)")
    parser.add_argument(
        "--verify", action="store_true", help="run original and cut, and compare, before a folder appears"
    )
    options.add_inputs(parser)


def run(args: argparse.Namespace) -> int:
    """Make the cuts in the order of the file, when every name is right and every folder free."""
    file = open_file(args.file)
    loader = ModelLoader()
    folders = [_folder(args, chosen.name) for _, chosen in resolve_file(file, loader)[1]]
    manifests: list[dict[str, Any]] = []
    with Bar(hidden=args.quiet or args.json) as bar:
        for at, folder in enumerate(folders):
            model, cuts = resolve_file(file, loader)  # a cut uses its model up
            model.selection, model.options = cuts[at]
            manifests.append(_cut(model, folder, file, args, bar))
            if not args.quiet and not args.json:
                bar.print(log(model, folder, manifests[-1]))
    if args.json:
        print(text(manifests))
    return 0


def _cut(model: Model, folder: Path, file: SelectionFile, args: argparse.Namespace, bar: Bar) -> dict[str, Any]:
    bar.stage(folder.name)
    if file.offline is not None:
        from subcut.compiler.alignment.twin import TwinOptions, attach

        attach(model, TwinOptions(*file.offline))
    align = file.offline is not None
    infer, fold = not args.no_infer, not args.no_fold
    pipeline = Pipeline(*cutting(infer=infer, fold=fold, align=align, strict=args.strict))
    pipeline.run(model)
    check = _verifier(file, args).check if args.verify else None
    written = WriteOptions(link=args.link, progress=bar.advance, bin_type=args.bin_dtype)
    return save(model, folder, options=written, force=args.force, check=check)


def _folder(args: argparse.Namespace, name: str) -> Path:
    """Where a cut goes. Refused here already when it cannot go there, so that no half of the cuts is made."""
    folder: Path = (args.output or Path.cwd()) / folder_name(name)
    ResultFolder(folder, force=args.force).check()
    return folder


def _verifier(file: SelectionFile, args: argparse.Namespace) -> Verifier:
    return Verifier(file.model, ReadOptions(weights=file.weights), args.inputs, args.seed)
