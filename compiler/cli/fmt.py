"""Bring selection files into their one canonical form, in place.

subcut fmt cuts.subcut
subcut fmt --check *.subcut
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from subcut.compiler.storage.replace import replace_text
from subcut.dsl.file import open_file
from subcut.dsl.format import format_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help="a .subcut file")
    parser.add_argument("--check", action="store_true", help="change nothing; exit code 1 when a file would change")


def run(args: argparse.Namespace) -> int:
    """Format every file; says which ones changed, or would."""
    changed: list[Path] = []
    for path in args.files:
        file = open_file(path)
        text = format_file(file.tree, file.source.text)
        if text == file.source.text:
            continue
        changed.append(path)
        if not args.check:
            replace_text(path, text)
    for path in changed:
        print(f"{path}: {'would change' if args.check else 'formatted'}", file=sys.stderr)
    return 1 if changed and args.check else 0
