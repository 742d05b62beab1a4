"""Groups of arguments that several subcommands share, so that a flag means the same everywhere."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from subcut.compiler.formats import ReadOptions

if TYPE_CHECKING:
    from subcut.compiler.alignment.twin import TwinOptions


def add_model(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """The model and how to read it. `optional` is for commands of which not all need it named: see `named_model`."""
    files = "a .prototxt, .pb, .pbtxt, .onnx, SavedModel folder, .keras or .h5; to look at also .om, its JSON, .air"
    parser.add_argument("model", metavar="MODEL", nargs="?" if optional else None, help=files)
    group = parser.add_argument_group("reading")
    group.add_argument("-w", "--weights", type=Path, help="the .caffemodel (default: the one beside the .prototxt)")
    group.add_argument(
        "--phase", choices=["TRAIN", "TEST"], default="TEST", help="Caffe: the phase to read the net for"
    )
    group.add_argument("--stage", action="append", default=[], help="Caffe: a stage that holds; may be repeated")
    group.add_argument("--level", type=int, default=0, help="Caffe: the level to read the net for")
    group.add_argument(
        "--signature",
        default="serving_default",
        help="TensorFlow: the signature of a SavedModel (default: %(default)s)",
    )


def named_model(args: argparse.Namespace) -> Path:
    """The model. Raises UserError `bad-arguments` where it may be left out, and is, although it is needed."""
    from subcut.compiler.errors import user_error

    if args.model is None:
        raise user_error("bad-arguments", "the following arguments are required: MODEL")
    return Path(args.model)


def read_options(args: argparse.Namespace) -> ReadOptions:
    """What `add_model` collected."""
    return ReadOptions(
        weights=args.weights, phase=args.phase, level=args.level, stages=tuple(args.stage), signature=args.signature
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """The offline model and what the device did."""
    group = parser.add_argument_group("device")
    group.add_argument("--om", type=Path, metavar="F", help="the offline model: .om, its JSON, or ge_proto_*.txt")
    group.add_argument("--dump", type=Path, metavar="DIR", help="the device's dumps: any level of the dump tree")
    group.add_argument("--quant", type=Path, metavar="F", help="AMCT's quantisation information, *_quant.json")
    group.add_argument(
        "--golden", type=Path, metavar="DIR", help="ground truth .npy files, to guess by where names are gone"
    )
    for name, what in EXECUTION.items():
        group.add_argument(f"--dump-{name.replace('_', '-')}", metavar=name.upper(), help=what)
    for name, what in {"fed": "what the device was fed, per input", "answer": "what it answered, per output"}.items():
        files = f"{what} of the whole model: .bin or .npy"
        group.add_argument(f"--{name}", type=Path, action="append", default=[], metavar="F", help=files)
    group.add_argument("--strict", action="store_true", help="what is not aligned at an edge, or in doubt, is an error")


EXECUTION = {
    "time": "the run: the folder of its time (default: the newest)",
    "device": "the device's number",
    "model": "the folder of the model",
    "model_id": "the folder of the model's number",
    "index": "which execution (default: the newest)",
}
"""The levels of a dump tree, and what choosing one is good for."""


def twin_options(args: argparse.Namespace) -> TwinOptions | None:
    """What `add_device` collected; None without an offline model. Raises UserError for options that need one."""
    from subcut.compiler.errors import user_error

    if args.om is None:
        given = [name for name in ("dump", "quant", "golden", "fed", "answer", "strict") if getattr(args, name)]
        if given:
            raise user_error("no-offline-model", f"`--{given[0]}` needs the offline model too", help="`--om net.om`")
        return None
    execution = {name: value for name in EXECUTION if (value := getattr(args, f"dump_{name}")) is not None}
    if args.dump is None and (execution or args.golden):
        name = "golden" if args.golden else f"dump-{next(iter(execution)).replace('_', '-')}"
        raise user_error("bad-arguments", f"`--{name}` needs the device's dumps too", help="`--dump DIR`")
    from subcut.compiler.alignment.twin import TwinOptions  # a cut without a device imports nothing of it

    return TwinOptions(
        args.om, args.dump, args.quant, execution, fed=tuple(args.fed), golden=args.golden, answers=tuple(args.answer)
    )


def add_bin_type(parser: argparse.ArgumentParser) -> None:
    """The type of the raw files."""
    choices = ["float16", "float32", "bfloat16", "original"]
    parser.add_argument(
        "--bin-dtype", choices=choices, default="float16", help="the type of floats in .bin files (default: float16)"
    )


def add_passes(parser: argparse.ArgumentParser) -> None:
    """The pipeline and what to show of it."""
    group = parser.add_argument_group("passes")
    group.add_argument("--no-infer", action="store_true", help="do not infer the types of edges")
    group.add_argument("--no-fold", action="store_true", help="keep inputs whose value follows from static shapes")
    group.add_argument(
        "--passes", help="the passes to run instead, such as 'select{from=a to=b},cut,fold,add-inputs,prune'"
    )
    group.add_argument(
        "--print-ir-after", nargs="?", const="*", metavar="PASS", help="print the IR after a pass, or each"
    )
    group.add_argument("--verify-each", action="store_true", help="check the IR after every pass")
    group.add_argument("--timing", action="store_true", help="print what each pass cost")


def add_output(
    parser: argparse.ArgumentParser,
    folder: str = "the result folder (default: the name that `as` gives, or dump_result_…)",
) -> None:
    """What is written and what is said."""
    group = parser.add_argument_group("output")
    group.add_argument("-o", "--output", type=Path, metavar="DIR", help=folder)
    group.add_argument("--force", action="store_true", help="replace an existing result folder")
    group.add_argument(
        "--link", action="store_true", help="ONNX: leave the weights in the original file, point at them"
    )
    talk = group.add_mutually_exclusive_group()
    talk.add_argument("--json", action="store_true", help="print the manifest instead of the log")
    talk.add_argument("-q", "--quiet", action="store_true", help="print nothing")


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """What the original is fed when it is run."""
    group = parser.add_argument_group("running")
    group.add_argument("--inputs", type=Path, metavar="X.npz", help="the numbers to feed (default: random)")
    group.add_argument("--seed", type=int, default=0, help="the seed of random numbers")
