"""Prove that a cut computes what the original computes.

The original is run in its framework with every edge tensor fetched; the cut is fed with them; results are compared
bit by bit, then within the tolerance. Exit code 1 when they differ.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from subcut.compiler.cli import options
from subcut.compiler.verification import CLOSE, DIFFERENT, Verifier, read_manifest, summary


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_model(parser)
    parser.add_argument("cut", metavar="CUT", type=Path, help="the result folder of a cut of MODEL")
    options.add_inputs(parser)
    parser.add_argument("--tolerance", type=float, default=1e-5, help="of the largest magnitude (default: 1e-5)")
    parser.add_argument("--bitwise", action="store_true", help="fail on anything but equal bits")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")


def run(args: argparse.Namespace) -> int:
    """Compare and print a row per output."""
    manifest = read_manifest(args.cut)
    verifier = Verifier(Path(args.model), options.read_options(args), args.inputs, args.seed, args.tolerance)
    rows = verifier.compare(args.cut, manifest)
    failed = [row for row in rows if row.verdict == DIFFERENT or (args.bitwise and row.verdict == CLOSE)]
    if args.json:
        print(json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False))
        return 1 if failed else 0
    for row in rows:
        print(row)
    print(summary(rows, args.tolerance))
    return 1 if failed else 0
