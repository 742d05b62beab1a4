"""Say of every tensor where the offline model and the device's dumps have it, or why they do not; writes nothing.

subcut align net.prototxt --om net.om
subcut align model.pb "from A to B" --om model.om --dump dumps/20261123120000
"""

from __future__ import annotations

import argparse
import sys

from subcut.compiler.alignment.twin import attach
from subcut.compiler.cli import options, table
from subcut.compiler.device_data import coverage, few, row_record
from subcut.compiler.errors import user_error
from subcut.compiler.export import load
from subcut.compiler.ir.alignment import Alignment, Row
from subcut.compiler.manifest import text
from subcut.compiler.pipeline import Pipeline
from subcut.passes import Align, Cut, Select


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_model(parser)
    parser.add_argument("selection", metavar="SELECTION", nargs="?", help="only this part of it (default: all)")
    options.add_device(parser)
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> int:
    """Align, and print a row for every tensor."""
    device = options.twin_options(args)
    if device is None:
        raise user_error("no-offline-model", "there is nothing to align with", help="give an offline model: `--om`")
    model = load(args.model, options.read_options(args))
    twin = attach(model, device)
    if args.selection is None and not args.strict:
        alignment = Alignment(inner=[row for value in twin.rows if (row := twin.row(value))], warnings=twin.warnings())
    else:
        Pipeline(Select(args.selection or "all"), Cut(infer=False), Align(args.strict)).run(model)
        assert model.alignment is not None
        alignment = model.alignment
    if args.json:
        print(text([row_record(row) for row in alignment.rows]))
        return 0
    for line in table.lines([_cells(row) for row in alignment.rows]):
        print(line)
    print(f"\n{coverage(alignment.rows)}")
    unclear = few(twin.dumps.tree.problems) if twin.dumps is not None else []
    for warning in [*alignment.warnings, *unclear]:
        print(f"warning: {warning}", file=sys.stderr)
    return 0


def _cells(row: Row) -> tuple[str, str, str, str]:
    where = f"{row.holder}:{row.output}" if row.aligned else ""
    file = f"{row.stored.path.name} ({row.stored.direction} {row.stored.index})" if row.stored else row.missing
    return f"%{row.value.name}", where, file, row.reason
