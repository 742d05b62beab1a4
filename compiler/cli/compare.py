"""Compare every tensor of two runs: a device's dumps with what the original computes, or two of a kind.

subcut compare dumps golden --om net.om -o report        # result file, JSON, and a page for a browser
subcut compare dumps golden --om net.om --quant net_quant.json
subcut compare dumps net.onnx --om net.om                # the model is run, on what the device was fed
subcut compare dumps net.onnx --om net.om --precision fp16          # judged by what fp16 must cost
subcut compare dumps other_dumps                         # two devices, by names of operators
subcut compare golden other_golden                       # two folders of .npy
subcut compare net.onnx --om net.om --answer output_0.bin           # what the device answered, without dumps
subcut compare dumps golden --om net.om --executor dask://host:8786 # on a Dask cluster
subcut compare s3://runs/7/dumps s3://runs/7/golden --om net.om     # folders at a URL, by fsspec

Ten metrics a tensor, as the vendor's accuracy tool defines and prints them. What is missing, or does not fit, is said
and counted, and the rest is compared. The exit code is 1 when a tensor is beyond the limits, or nothing was compared.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from subcut.compiler.cli import table
from subcut.compiler.cli.progress import Bar
from subcut.compiler.errors import user_error
from subcut.compiler.storage.folder import ResultFolder
from subcut.compiler.storage.places import fetched, is_url

if TYPE_CHECKING:
    from subcut.analysis.compare import Comparison, Row

_WHICH = "give it with `--model`"
_SHOWN = ("CosineSimilarity", "RelativeEuclideanDistance", "MaxAbsoluteError", "MeanRelativeError")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "left", metavar="LEFT", type=_place, help="what is judged: dumps, .npy files, or a model; not with `--answer`"
    )
    parser.add_argument(
        "right", metavar="RIGHT", type=_place, nargs="?", help="what it is held against: the same kinds"
    )
    device = parser.add_argument_group("device")
    device.add_argument("--om", type=_place, metavar="FILE", help="the offline model, or its JSON: what each tensor is")
    device.add_argument(
        "--answer",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="what the device answered, per output of the whole model: .bin or .npy; it is the left side then",
    )
    device.add_argument("--quant", type=_place, metavar="FILE", help="AMCT's quantisation information, `*_quant.json`")
    model = parser.add_argument_group("running", "where a side is a model")
    model.add_argument(
        "--inputs",
        action="append",
        default=[],
        metavar="[NAME=]FILE",
        help="numbers of an input: .npy, raw .bin, or an .npz of several (default: what the device was fed, or random)",
    )
    model.add_argument("--seed", type=int, default=0, help="the seed of random inputs")
    model.add_argument(
        "--precision",
        metavar="P",
        help="judge each tensor by what fp16, bf16 or int8 costs there: the original is emulated in it",
    )
    model.add_argument(
        "--factor", type=_tolerance, default=4.0, metavar="X", help="how many times that is allowed (default: 4)"
    )
    model.add_argument("--model", type=Path, metavar="FILE", help="the original, where RIGHT is what it computed")
    model.add_argument("-w", "--weights", type=Path, metavar="FILE", help="the .caffemodel (default: beside the model)")
    more = parser.add_argument_group("more numbers")
    more.add_argument(
        "--further", action="store_true", help="also ULP, SNR, mismatches, counts of NaN and Inf, error by channel"
    )
    more.add_argument(
        "--rtol", type=_tolerance, default=1e-3, metavar="R", help="relative tolerance of a mismatch (default: 1e-3)"
    )
    more.add_argument(
        "--atol", type=_tolerance, default=1e-5, metavar="A", help="absolute tolerance of a mismatch (default: 1e-5)"
    )
    _add_output(parser)


def _add_output(parser: argparse.ArgumentParser) -> None:
    result = parser.add_argument_group("output")
    result.add_argument("-o", "--output", type=_here, metavar="DIR", help="the folder to make, with all results")
    result.add_argument("--force", action="store_true", help="replace an existing result folder")
    result.add_argument("--worst", type=_number, default=10, metavar="N", help="tensors to print (default: 10)")
    result.add_argument("-j", "--jobs", type=_number, default=os.cpu_count() or 1, help="processes on this machine")
    result.add_argument(
        "--executor",
        default="processes",
        metavar="WHERE",
        help="who compares: `serial`, `processes` (default), `dask` on this machine, or `dask://host:port`",
    )
    talk = result.add_mutually_exclusive_group()
    talk.add_argument("--json", action="store_true", help="print everything as JSON")
    talk.add_argument("-q", "--quiet", action="store_true", help="print nothing but the exit code says it")


def run(args: argparse.Namespace) -> int:
    """Compare; 1 when a tensor is beyond the limits."""
    if args.answer and args.right is None:
        args.left, args.right = None, args.left
    elif args.answer or args.right is None:
        what = "RIGHT is missing" if args.right is None else "the answer is the left side: give RIGHT only"
        raise user_error("bad-arguments", what, help="`subcut compare LEFT RIGHT`, or `RIGHT --answer FILE`")
    if args.output is None:
        found = _compared(args)
    else:
        given = [*_sides(args), args.om, args.quant, *args.answer]
        sources = [one for one in given if isinstance(one, Path)]
        with ResultFolder(args.output, force=args.force, sources=sources) as temp:
            found = _compared(args)
            _write(temp, args, found)
    _print(args, found)
    counts = found.counts
    return 1 if counts["bad"] or not counts["ok"] else 0


def _sides(args: argparse.Namespace) -> list[str | Path]:
    return [side for side in (args.left, args.right) if side is not None]


def _compared(args: argparse.Namespace) -> Comparison:
    from subcut.analysis.compare import Wanted, compare
    from subcut.analysis.compare.running import Running, run_sides

    wanted = Wanted(args.further, args.output is not None, args.rtol, args.atol)
    jobs = max(args.jobs, 1)
    hidden = args.quiet or args.json
    with ExitStack() as stack:
        om, quantised = (stack.enter_context(fetched(file)) for file in (args.om, args.quant))
        running = Running(args.inputs, args.seed, args.weights, om, quantised)
        with Bar(hidden) as bar:
            bar.stage("running")
            sides = stack.enter_context(run_sides(_sides(args), running, bar.advance))
            left, right = (None, *sides)[-2:]
            assert right is not None
        with Bar(hidden, counts=True) as bar:
            bar.stage("comparing")
            found = compare(
                left,
                right,
                om=om,
                answers=args.answer,
                quantised=quantised,
                wanted=wanted,
                jobs=jobs,
                executor=args.executor,
                done=partial(bar.reach, "comparing"),
            )
            if args.precision is not None:
                bar.stage(f"emulating in {args.precision}")
                _judge(args, found, right)
        _note_random(args, found, right)
        return found


def _judge(args: argparse.Namespace, found: Comparison, golden: str | Path) -> None:
    """Judge every row by what the stated precision costs."""
    from subcut.analysis.compare.expected import expect

    model = _model(args)
    if model is None:
        raise user_error("bad-arguments", "what a precision costs is found by emulating the original", help=_WHICH)
    expected = expect(model, golden, args.precision, factor=args.factor, weights=args.weights, jobs=args.jobs)
    for row in found.rows:
        expected.judge(row)


def _note_random(args: argparse.Namespace, found: Comparison, golden: str | Path) -> None:
    """Say which tensors differ because the original draws random numbers."""
    from subcut.analysis.compare.drawn import note_random, random_operators

    operators = random_operators(golden)
    if not operators:
        return
    problem = f"nondeterministic: the original draws random numbers in {', '.join(f'`{name}`' for name in operators)}"
    model = _model(args)
    if model is None:
        problem += ", and what follows from them differs from run to run; `--model` says what that is"
    else:
        count = note_random(found.rows, operators, model, args.weights)
        problem += f"; {count} of the tensors compared are or follow from these, and differ from run to run"
    found.problems.append(problem)


def _model(args: argparse.Namespace) -> Path | None:
    """The original, where it is given."""
    from subcut.analysis.compare.running import is_model

    model: Path | None = args.model or (args.right if is_model(args.right) else None)
    return model


def _write(folder: Path, args: argparse.Namespace, found: Comparison) -> None:
    from subcut import __version__
    from subcut.analysis.compare.report import write_report
    from subcut.compiler.manifest import text

    left = ", ".join(map(str, args.answer)) if args.left is None else str(args.left)
    about = {"left": left, "right": str(args.right)}
    if args.om is not None:
        about["om"] = str(args.om)
    files = write_report(folder, found, about)
    record = {"subcut": __version__, "comparison": about, "counts": found.counts, "files": files}
    (folder / "manifest.json").write_text(text(record) + "\n", encoding="utf-8")


def _print(args: argparse.Namespace, found: Comparison) -> None:
    if args.json:
        from subcut.analysis.compare.report import as_record

        print(json.dumps(as_record(found), indent=1, ensure_ascii=False, allow_nan=False))
    if args.json or args.quiet:
        return
    worst = found.worst[: args.worst]
    if worst:
        print("\n".join(table.lines([("", "tensor", "original", *_SHOWN), *map(_cells, worst)])), end="\n\n")
    first = next((row for row in found.rows if row.verdict == "bad"), None)
    if first is not None:
        print(f"The first beyond the limits: {first.tensor} ({', '.join(first.broken)})")
    print(", ".join(f"{count} {what}" for what, count in found.counts.items() if count or what == "rows"))
    for problem in found.problems:
        print(f"warning: {problem}", file=sys.stderr)
    if args.output is not None:
        print(f"Report: {args.output / 'report.html'}")


def _cells(row: Row) -> tuple[str, ...]:
    return row.verdict, row.tensor, row.original, *(row.compared.values[metric] for metric in _SHOWN)


def _place(text: str) -> str | Path:
    """A path, or a URL as it is."""
    return text if is_url(text) else Path(text)


def _here(text: str) -> Path:
    if is_url(text):
        raise argparse.ArgumentTypeError(f"`{text}` is a URL, and results are written on this machine")
    return Path(text)


def _tolerance(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (value >= 0 and math.isfinite(value)):
        raise argparse.ArgumentTypeError(f"`{text}` is no tolerance: 1e-3 is one")
    return value


def _number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"`{text}` is no number")
    return int(text)
