"""Convert dump files of an Ascend device: each tensor becomes a .npy or .bin file in the layout asked for.

subcut convert Conv2D.conv1.3.7.1600000000000000 -f NCHW -o npy
subcut convert DUMPS -f NCHW -o npy                        # the newest execution in a folder
subcut convert DUMP -f NCHW -o bin -t bin --dtype float16  # what an offline model takes as input

Results have the names that the vendor's tools give them. What cannot be converted is said, counted and listed in
convert_failed_file_list.txt, and the rest is converted; the exit code is 1 then.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from subcut.compiler.cli.progress import Bar
from subcut.compiler.conversion import FAILED, Outcome, Request, convert, sources
from subcut.compiler.conversion.request import KINDS
from subcut.compiler.conversion.work import Sources
from subcut.compiler.device.dumps.executions import LEVELS
from subcut.compiler.device.layouts import ORIGINS
from subcut.compiler.errors import user_error
from subcut.compiler.storage.interrupts import Interrupts

TYPES = ("float16", "float32", "float64", "int8", "uint8", "int16", "int32", "int64")
SAID = 20
"""How many failures and problems are printed; all failures are listed in a file."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("dumps", metavar="DUMP", type=Path, nargs="+", help="a dump file, or a folder of them")
    result = parser.add_argument_group("results")
    result.add_argument("-o", "--output-folder", dest="out", type=Path, metavar="DIR", required=True, help="where to")
    result.add_argument("-f", "--format", metavar="LAYOUT", help="such as NCHW (default: as stored)")
    result.add_argument("-t", "--type", choices=KINDS, default="npy", help="kind of file (default: npy)")
    result.add_argument("--dtype", choices=TYPES, help="element type (default: as stored)")
    result.add_argument("--force", action="store_true", help="replace results that exist")
    choice = parser.add_argument_group("tensors")
    one = choice.add_mutually_exclusive_group()
    one.add_argument("--input", type=_number, metavar="N", help="only this input of each operator")
    one.add_argument("--output", type=_number, metavar="N", help="only this output")
    choice.add_argument("-s", "--shape", type=_shape, help="the original shape of a tensor, such as 1,3,224,224")
    folder = parser.add_argument_group("folders")
    for level in LEVELS:
        what = {"model_id": "model's number", "index": "number of the execution"}.get(level, level)
        folder.add_argument(f"--{level.replace('_', '-')}", help=f"choose by {what}")
    folder.add_argument("--all", action="store_true", help="every execution, each into a folder of its own")
    parser.add_argument("-j", "--jobs", type=_number, default=os.cpu_count() or 1, help="files at a time")
    parser.add_argument("-q", "--quiet", action="store_true", help="print failures only")


def run(args: argparse.Namespace) -> int:
    """Convert; 1 when something failed."""
    request = _request(args)
    levels = {level: value for level in LEVELS if (value := getattr(args, level)) is not None}
    found = sources(args.dumps, levels, every=args.all)
    if request.shape is not None and len(found.files) != 1:
        raise user_error("bad-arguments", f"`--shape` is that of one file, and there are {len(found.files)}")
    interrupts = Interrupts()
    interrupts.install()  # a file that is being written is removed, whatever ends the process
    try:
        return _convert(args, found, request)
    finally:
        interrupts.restore()


def _convert(args: argparse.Namespace, found: Sources, request: Request) -> int:
    with Bar(args.quiet) as bar:
        bar.stage("converting")
        bar.advance(0, sum(_size(file.file) for file in found.files))
        report = _Report(args, bar)
        report.problems(found.problems)
        for outcome in convert(
            found.files, args.out, request, jobs=max(args.jobs, 1), done=lambda size: bar.advance(size, 0)
        ):
            report.add(outcome)
    return report.close(found)


class _Report:
    """What is printed as it goes, and in the end."""

    def __init__(self, args: argparse.Namespace, bar: Bar) -> None:
        self.args, self.bar = args, bar
        self.files = self.written = self.failed = self.said = 0

    def problems(self, problems: list[str], where: str = "") -> None:
        """Print what is wrong with the dumps, unless that is too much."""
        for problem in problems:
            self._say(f"warning: {where}{problem}")

    def add(self, outcome: Outcome) -> None:
        """Count a file, and print its failures."""
        self.files += 1
        self.written += len(outcome.written)
        self.failed += len(outcome.failures)
        for failure in outcome.failures:
            where = f"{failure.path}, {failure.tensor}" if failure.tensor else str(failure.path)
            self._say(f"failed: {where}: {failure.reason}")
        if not self.args.quiet:
            self.problems(outcome.problems, f"{outcome.path}: ")

    def close(self, found: Sources) -> int:
        """Print the sums; the exit code."""
        if self.said > SAID:
            print(f"… and {self.said - SAID} more of that kind", file=sys.stderr)
        if not self.args.quiet:
            skipped = ", ".join(f"{count} {kind} skipped" for kind, count in sorted(found.skipped.items()))
            print(f"{self.written} files from {self.files} dumps in {self.args.out}{skipped and ' (' + skipped + ')'}")
        if self.failed:
            print(f"{self.failed} failed: see {self.args.out / FAILED}", file=sys.stderr)
        return 1 if self.failed else 0

    def _say(self, text: str) -> None:
        self.said += 1
        if self.said <= SAID:
            self.bar.print(text, error=True)


def _request(args: argparse.Namespace) -> Request:
    if args.format is not None and args.format not in ORIGINS and args.format != "ND":
        raise user_error(
            "bad-arguments",
            f"`{args.format}` is no layout of an original model",
            help=f"there is ND, {', '.join(sorted(ORIGINS))}",
        )
    direction = "input" if args.input is not None else "output" if args.output is not None else None
    index = args.input if args.input is not None else args.output
    return Request(args.format, args.type, direction, index, args.shape, args.dtype, args.force)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"`{text}` is no number")
    return int(text)


def _shape(text: str) -> tuple[int, ...]:
    sizes = text.split(",")
    if not all(size.isdecimal() and int(size) > 0 for size in sizes):
        raise argparse.ArgumentTypeError(f"`{text}` is no shape: 1,3,224,224 is one")
    return tuple(map(int, sizes))
