"""Check a selection file against its model: every stale name and every other mistake at once.

subcut check cuts.subcut
subcut check --pin cuts.subcut      # the model has changed and that is right
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from subcut.compiler.errors import UserError
from subcut.compiler.loading import ModelLoader
from subcut.compiler.storage.replace import replace_text
from subcut.dsl.file import check, open_file, pin, problems


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help="a .subcut file")
    parser.add_argument("--pin", action="store_true", help="write the digest of the model as it is now into the file")


def run(args: argparse.Namespace) -> int:
    """Check every file, and report what is wrong with all of them together."""
    found: list[UserError] = []
    for path in args.files:
        try:
            _check(path, args.pin)
        except UserError as error:
            found.append(error)
    if found:
        raise UserError([diagnostic for error in found for diagnostic in error.diagnostics])
    return 0


def _check(path: Path, pin_anew: bool) -> None:
    loader = ModelLoader()
    file = open_file(path)
    if pin_anew:
        # A digest that is none is what pinning mends.
        if wrong := [d for d in problems(file) if d.code != "bad-digest"]:
            raise UserError(wrong)
        text = pin(file.source.text, loader.digest(file.model, file.weights), str(path))
        if text != file.source.text:
            replace_text(path, text)
            print(f"{path}: pinned", file=sys.stderr)
        file = open_file(path)
    if wrong := check(file, loader):
        raise UserError(wrong)
