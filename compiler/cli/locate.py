"""Find the smallest piece of a model that a device or a backend gets wrong.

subcut locate net.prototxt --om net.om --dump dumps -o found        # told from one dump: no device is needed
subcut locate model.onnx --inputs x.npz --candidate "./run {model} {inputs} {outputs}" -o found
subcut locate model.onnx --candidate onnxruntime:O3
subcut locate net.prototxt --candidate float16 --tolerance 1e-2
subcut locate model.onnx --inputs x.npz --plan DIR                  # another machine has the device: see DIR/run.sh
subcut locate --ingest DIR -o found

With a dump every operator is run in the original's framework on the device's own inputs, and compared with what the
device stored. With a candidate pieces of the model are run by it, and compared with the original. In a command {model},
{weights}, {inputs} and {outputs} stand for paths: inputs and outputs are folders with a .npy a tensor, {inputs_npz}
and {outputs_npz} the same as one file. A command that has no outputs in it is judged by its exit code.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subcut.compiler.cli import locate_dump, locate_plan, options
from subcut.compiler.cli.locate_told import told
from subcut.compiler.cli.progress import Bar
from subcut.compiler.errors import user_error
from subcut.compiler.storage.interrupts import Interrupts, Terminated

if TYPE_CHECKING:
    from subcut.analysis.locate import Settings, State

DONE, UNPROVEN = 0, 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_model(parser, optional=True)
    group = parser.add_argument_group("candidate")
    group.add_argument(
        "--candidate", metavar="CMD", help="a shell command, or a word such as onnxruntime:O3; `help` lists them"
    )
    group.add_argument("--timeout", type=float, metavar="SECONDS", help="how long a run may take (default: for ever)")
    group.add_argument(
        "--tolerance", type=float, default=1e-3, help="of a tensor's largest magnitude (default: %(default)s)"
    )
    group.add_argument("--absolute", type=float, default=1e-6, help="added to the tolerance (default: %(default)s)")
    group.add_argument(
        "--repeats", type=int, default=2, metavar="K", help="runs of the answer, to know it is not chance (default: 2)"
    )
    options.add_device(parser)
    locate_dump.add_arguments(parser)
    locate_plan.add_arguments(parser)
    options.add_inputs(parser)
    options.add_output(parser, "the result folder (default: located)")
    parser.add_argument("--state", type=Path, metavar="DIR", help="where to remember runs (default: beside the result)")


def run(args: argparse.Namespace) -> int:
    """Search, write the result folder, and say what was found."""
    if locate_plan.is_asked(args):
        return locate_plan.run(args)
    options.named_model(args)
    if args.om is not None and args.candidate is None:
        return locate_dump.run(args)
    return _run_candidate(args)


def _run_candidate(args: argparse.Namespace) -> int:
    from subcut.analysis.locate import Settings, Source, State, Tolerance, locate
    from subcut.analysis.locate.backends import candidate
    from subcut.analysis.locate.result import facts, write_result
    from subcut.compiler.storage.folder import ResultFolder

    settings = Settings(Tolerance(args.tolerance, args.absolute), args.repeats)
    _check(args, settings)
    source = Source(Path(args.model), options.read_options(args), args.inputs, args.seed)
    model = source.load()
    backend = candidate(args.candidate, model.dialect.name, args.timeout)
    folder: Path = args.output or Path("located")
    ResultFolder(folder, force=args.force, sources=[file.path for file in model.sources]).check()
    state = State(args.state or folder.with_name(f".{folder.name}.locate"))
    quiet = args.quiet or args.json
    with _resumable(state), Bar(quiet, counts=True) as bar:
        found = locate(
            source,
            backend,
            state,
            settings,
            announce=None if quiet else lambda text: bar.print(text[0].upper() + text[1:]),
            progress=lambda what, done, left: bar.reach(f"{what}; {left} runs left at most", done, done + left),
        )
        manifest: dict[str, Any] | None = None
        if found.operators:
            tolerance = settings.tolerance
            manifest = write_result(found, backend, state, folder, tolerance, force=args.force, link=args.link)
    if args.state is None:
        state.discard()
    if args.json:
        content = manifest["locate"] if manifest else facts(found)
        print(json.dumps(content, indent=2, ensure_ascii=False))
    elif not args.quiet:
        print("\n".join(told(found, folder, manifest)))
    return DONE if found.certificate is None or found.certificate.holds else UNPROVEN


@contextmanager
def _resumable(state: State) -> Generator[None]:
    """Whatever ends the search, the command that runs ends with it; what is known stays, if it is anything."""
    interrupts = Interrupts()
    interrupts.install()
    try:
        yield
    except BaseException as error:
        stopped = isinstance(error, (KeyboardInterrupt, Terminated))
        if state.is_empty and not stopped:
            state.discard()
        elif stopped:
            print("what was run is remembered: the same command goes on from here", file=sys.stderr)
        raise
    finally:
        interrupts.restore()


def _check(args: argparse.Namespace, settings: Settings) -> None:
    from subcut.analysis.locate.backends import KNOWN

    settings.check()
    device = [name for name in ("om", "dump", "answer", "fed", "golden", "precision") if getattr(args, name)]
    if args.candidate is not None and device:
        message = f"`--candidate` runs pieces of the model, and `--{device[0]}` is of a device that ran all of it"
        raise user_error("bad-arguments", message, help="give one or the other")
    if args.timeout is not None and not args.timeout > 0:
        raise user_error("bad-arguments", f"a time limit of {args.timeout:g} s leaves no time")
    if args.candidate is None or args.candidate.strip() in ("", "help"):
        raise user_error(
            "no-candidate",
            "nothing is named that gets the model wrong",
            help=[
                "`--om F --dump DIR`: a device, told from its dumps",
                "`--candidate 'CMD {model} {inputs} {outputs}'`, any shell command",
                *(f"`{name}`: {what}" for name, what in KNOWN.items()),
            ],
        )
