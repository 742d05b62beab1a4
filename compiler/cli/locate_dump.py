"""`subcut locate` with a dump: which operator is to blame, told from what the device stored; no device is needed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from subcut.compiler.cli import options, table
from subcut.compiler.cli.progress import Bar
from subcut.compiler.errors import user_error
from subcut.compiler.storage.interrupts import Interrupts

if TYPE_CHECKING:
    from subcut.analysis.locate.dump import Found, Judged
    from subcut.compiler.alignment.twin import TwinOptions

SHOWN = 10
"""Tensors that are printed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What a search in a dump takes besides the device's files."""
    group = parser.add_argument_group("judging a dump")
    group.add_argument(
        "--precision",
        default="",
        metavar="P",
        help="what the device computed in: fp16, bf16 or int8",
    )
    group.add_argument(
        "--factor", type=float, default=4.0, metavar="X", help="how many times its cost is allowed (default: 4)"
    )
    group.add_argument("--memory", metavar="SIZE", help="for the run of the original, such as 800M")


def run(args: argparse.Namespace) -> int:
    """Judge every operator, write the result folder, and say what was found."""
    from subcut.analysis.golden_slices import parse_memory
    from subcut.analysis.locate import Source
    from subcut.analysis.locate.dump import Settings, locate_in_dump
    from subcut.analysis.locate.dump.result import write_result
    from subcut.compiler.storage.folder import ResultFolder

    device = _device(args)
    settings = Settings(args.precision, args.factor, parse_memory(args.memory) if args.memory else None)
    settings.check()
    source = Source(Path(args.model), options.read_options(args), args.inputs, args.seed)
    folder: Path = args.output or Path("located")
    ResultFolder(folder, force=args.force, sources=[source.path, *device.files()]).check()
    quiet = args.quiet or args.json
    with _stoppable(), Bar(quiet, counts=True) as bar:
        found = locate_in_dump(
            source,
            device,
            settings,
            announce=None if quiet else lambda text: bar.print(text[0].upper() + text[1:]),
            progress=bar.reach,
        )
        manifest = write_result(found, source, device, folder, force=args.force, link=args.link)
    if args.json:
        print(json.dumps(manifest["locate"], indent=2, ensure_ascii=False))
    elif not args.quiet:
        print("\n".join(_told(found, folder)))
        for warning in found.warnings:
            print(f"warning: {warning}", file=sys.stderr)
    return 0


def _device(args: argparse.Namespace) -> TwinOptions:
    device = options.twin_options(args)
    if device is None or not (device.dumps or device.answers):
        message = "an offline model alone does not say what the device computed"
        raise user_error("bad-arguments", message, help="give its dumps, or at least its answers: `--dump`, `--answer`")
    return device


@contextmanager
def _stoppable() -> Generator[None]:
    """A process that is asked to end removes its temporary folders first."""
    interrupts = Interrupts()
    interrupts.install()
    try:
        yield
    finally:
        interrupts.restore()


def _told(found: Found, folder: Path) -> list[str]:
    from subcut.analysis.locate.dump.judging import RANDOM, UNKNOWN

    shown = _shown(found)
    head = ("", "operator", "tensor", "own", "may be", "inherited", "times", "total")
    lines = [*table.lines([head, *map(_cells, shown)])]
    judged = sum(row.own is not None for row in found.rows)
    left = [row for row in found.rows if row.verdict == UNKNOWN]
    lines += ["", f"{judged} of {len(found.rows)} stored tensors judged by what {found.precision} may cost"]
    lines += [f"Not judged: {row.note}" for row in left[:SHOWN]]
    lines += [f"Nondeterministic: {row.note}" for row in found.rows if row.verdict == RANDOM]
    lines += _outputs(found)
    if found.answer is None or found.judged is None:
        return [*lines, *_nothing(found), f"Result: {folder}"]
    names = ", ".join(f"`{name}`" for name in found.answer.labels[:12])
    more = f" and {len(found.answer.labels) - 12} more" if len(found.answer.labels) > 12 else ""
    why = f": {found.judged.note}" if found.judged.note else ""
    if found.tests:
        lines += [f"Located: together, and none of them alone: {names}{more} (in {found.tests} tests){why}"]
    else:
        lines += [f"Located: {names}{more}{why}"]
        lines += [f"Culprit too: {row.unit.name}{': ' * bool(row.note)}{row.note}" for row in found.culprits[1:SHOWN]]
    return [*lines, f"Result: {folder} (`repro.sh` shows it)"]


def _shown(found: Found) -> list[Judged]:
    """The rows that matter: culprits, and those before the first of them, and the model's outputs."""
    culprits = found.culprits
    ends = culprits or found.outputs or found.rows
    near = found.rows.index(ends[0])
    chosen = [*found.rows[max(near - 3, 0) : near + 1], *culprits, *found.outputs]
    return list({id(row): row for row in chosen}.values())[: 2 * SHOWN]


def _cells(row: Judged) -> tuple[str, ...]:
    from subcut.analysis.locate.dump.distance import euclidean
    from subcut.analysis.locate.dump.report import number_text

    numbers = [
        euclidean(row.own), euclidean(row.limit), euclidean(row.inherited),
        row.amplification, euclidean(row.total),
    ]  # fmt: skip
    return row.verdict, row.unit.name, f"%{row.value.name}", *map(number_text, numbers)


def _outputs(found: Found) -> list[str]:
    """What is to be known of outputs that follow from random numbers."""
    lines: list[str] = []
    for row in found.outputs:
        spread = found.spread.get(row.value.name)
        if spread is None or row.total is None:
            continue
        apart = f"the device is {row.total.euclidean:.3g} from the reference, two runs of the reference {spread:.3g}"
        follows = f"%{row.value.name} is inherited from {', '.join(f'`{name}`' for name in found.random)}"
        says = "no more than chance" if row.total.euclidean <= 2 * spread else "more than chance"
        lines.append(f"{follows}: {apart}: {says}")
    return lines


def _nothing(found: Found) -> list[str]:
    from subcut.analysis.locate.dump.judging import UNKNOWN

    if found.random and any(row.value.name in found.inherited for row in found.outputs):
        return ["Nothing to locate: what can be judged is as it must be, and the rest follows from random numbers"]
    left = sum(row.verdict == UNKNOWN for row in found.rows)
    if left == len(found.rows):
        return ["Nothing is known: no tensor could be judged"]
    if left:
        return [f"Nothing to locate in what was judged; {left} stored tensors were not"]
    return [f"Nothing to locate: every difference is what {found.precision} must cost"]
