"""Cut the selected piece out of a model and write it, in the model's own format, into a result folder.

subcut model.onnx "from conv1 to relu3" -o out
subcut net.prototxt "from pool1 to res2a_relu" -w net.caffemodel
subcut model.pb "from A to B; tap mid/*; input %x:0 : 1x8xf32"
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from subcut.compiler.cli import options
from subcut.compiler.cli.progress import Bar
from subcut.compiler.cutting import Order, make
from subcut.compiler.errors import user_error
from subcut.compiler.formats import WriteOptions
from subcut.compiler.ir.graph import Model
from subcut.compiler.log import log, stamped
from subcut.compiler.manifest import text
from subcut.compiler.pipeline import Pipeline, Timing, parse_passes, standard
from subcut.passes import Pass


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_model(parser)
    parser.add_argument("selection", metavar="SELECTION", nargs="?", help="what to keep, such as 'from conv1 to relu3'")
    options.add_output(parser)
    options.add_device(parser)
    options.add_bin_type(parser)
    options.add_passes(parser)
    group = parser.add_argument_group("verification")
    group.add_argument(
        "--verify", action="store_true", help="run original and cut, and compare, before the folder appears"
    )
    options.add_inputs(parser)


def run(args: argparse.Namespace) -> int:
    """Cut, write, and say what was done."""
    timing = Timing()
    with Bar(hidden=args.quiet or args.json) as bar:
        order = Order(
            args.model,
            _pipeline(args, timing),
            options.read_options(args),
            options.twin_options(args),
            WriteOptions(link=args.link, bin_type=args.bin_dtype),
            folder=args.output,
            force=args.force,
            check=_check(args, bar) if args.verify else None,
        )
        made = make(order, bar, timing)
    if args.timing:
        print(timing, file=sys.stderr)
    if args.json:
        print(text(made.manifest))
    elif not args.quiet:
        print(log(made.model, made.folder, made.manifest))
    return 0


def _check(args: argparse.Namespace, bar: Bar) -> Callable[[Path, dict[str, Any]], None]:
    from subcut.compiler.verification import Verifier, summary

    verifier = Verifier(Path(args.model), options.read_options(args), args.inputs, args.seed)

    def check(folder: Path, manifest: dict[str, Any]) -> None:
        bar.stage("verifying")
        rows = verifier.check(folder, manifest)
        if not args.quiet and not args.json:
            bar.print(stamped("Verified:" + summary(rows, verifier.tolerance)))

    return check


def _pipeline(args: argparse.Namespace, timing: Timing) -> Pipeline:
    if args.passes is not None:
        steps = parse_passes(args.passes)
        if args.selection is not None:
            raise user_error("bad-arguments", "a selection and `--passes` say the same thing twice", help="give one")
        pipeline = Pipeline(*steps)
    elif args.selection is not None:
        align = args.om is not None
        infer, fold = not args.no_infer, not args.no_fold
        pipeline = standard(args.selection, infer=infer, fold=fold, align=align, strict=args.strict)
    else:
        raise user_error("no-selection", "nothing is selected", help="say what to keep: `from A to B`, or `all`")
    _check_name(args.print_ir_after, pipeline)
    pipeline.verify_each = args.verify_each
    pipeline.hook = _hook(args, timing)
    return pipeline


def _check_name(wanted: str | None, pipeline: Pipeline) -> None:
    """`--print-ir-after` names a pass that is run."""
    names = list(dict.fromkeys(step.name for step in pipeline.passes))
    if wanted not in (None, "*", *names):
        runs = ", ".join(f"`{name}`" for name in names)
        raise user_error("unknown-pass", f"no pass `{wanted}` is run", help=f"these are: {runs}")


def _hook(args: argparse.Namespace, timing: Timing) -> Any:
    def after(step: Pass, model: Model, seconds: float, changed: bool) -> None:
        timing(step, model, seconds, changed)
        if args.print_ir_after in ("*", step.name):
            from subcut.compiler.ir.text import print_model

            print(f"// after {step}\n{print_model(model)}", file=sys.stderr)

    return after
