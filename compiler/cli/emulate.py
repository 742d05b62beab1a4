"""Run a model as an Ascend device does, without one: offline model, its JSON, and a dump tree.

subcut emulate net.prototxt --input picture.npy -o emulated
subcut emulate model.onnx --input data=picture.npy --fault conv2:scale -o emulated
subcut net.prototxt "from pool1 to res2a_relu" --om emulated/net.om --dump emulated/dumps

Operators are fused and rounded to 16 bits as ATC and the device do; what is not given as input is random.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subcut.compiler.cli import options
from subcut.compiler.errors import user_error

if TYPE_CHECKING:
    import numpy as np

    from subcut.emulator import DumpOptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_model(parser)
    group = parser.add_argument_group("running")
    group.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="[NAME=]FILE",
        help="numbers of an input: a .npy, or an .npz of several by name; may be repeated (default: random)",
    )
    group.add_argument("--seed", type=int, default=0, help="the seed of random numbers, and of the time of the dumps")
    group.add_argument("--precision", default="fp16", help="fp16, bf16 or int8 (default: %(default)s)")
    group.add_argument(
        "--fault", action="append", default=[], metavar="OP:KIND", help="let an operator fail; a wrong KIND lists them"
    )
    group.add_argument("--soc", default="Ascend310", help="the device that is written down (default: %(default)s)")
    group = parser.add_argument_group("output")
    group.add_argument("-o", "--output", type=Path, metavar="DIR", required=True, help="the folder to make")
    group.add_argument("--force", action="store_true", help="replace an existing result folder")
    group.add_argument("--name", default="", help="the offline model's name (default: the file's)")
    group.add_argument("--dump-mode", default="all", help="all, input, output or none (default: %(default)s)")
    group.add_argument("--dump-form", default="big", help="big, protobuf or nano (default: %(default)s)")
    group.add_argument("--no-stream", action="store_true", help="name dump files as older devices do")
    group.add_argument(
        "--hash-from", type=int, default=255, metavar="N", help="hash file names of more bytes (default: %(default)s)"
    )
    talk = group.add_mutually_exclusive_group()
    talk.add_argument("--json", action="store_true", help="print what was written, and the groups, as JSON")
    talk.add_argument("-q", "--quiet", action="store_true", help="print nothing")


def run(args: argparse.Namespace) -> int:
    """Emulate, and print a line an operator."""
    from subcut.emulator import emulate

    made = emulate(
        args.model,
        _inputs(args.input),
        args.output,
        name=args.name,
        precision=args.precision,
        faults=args.fault,
        seed=args.seed,
        dump=_dump(args),
        soc=args.soc,
        read=options.read_options(args),
        force=args.force,
    )
    if args.json:
        files = {"om": made.om, "json": made.json, "quantised": made.quantised, "dumps": made.dumps}
        told = {what: str(path) for what, path in files.items() if path is not None}
        print(json.dumps({**told, "groups": made.groups}, indent=2, ensure_ascii=False))
    elif not args.quiet:
        for name, originals in made.groups.items():
            print(name if originals == [name] else f"{name}  <-  {', '.join(originals)}")
        print(f"Offline model: {made.om}\nDumps: {made.dumps}")
    return 0


def _dump(args: argparse.Namespace) -> DumpOptions:
    from subcut.emulator import DumpOptions

    return DumpOptions(args.dump_mode, args.dump_form, not args.no_stream, args.hash_from)


def _inputs(given: list[str]) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays in the files; a file without a name is of the model's only input, which the empty name stands for."""
    from subcut.compiler.number_files import read_npy, read_npz

    found: dict[str, np.ndarray[Any, Any]] = {}
    for text in given:
        name, equals, path = text.rpartition("=")
        arrays = read_npz(path) if path.endswith(".npz") and not equals else {name: read_npy(path)}
        twice = [name for name in arrays if name in found]
        if twice:
            raise user_error("bad-arguments", f"the input `{twice[0]}` is given twice")
        found |= arrays
    return found
