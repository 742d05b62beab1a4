"""The command `subcut`: finds the subcommand, runs it, and turns errors into messages and exit codes.

Exit codes: 0 done; 1 the user's mistake, or a verification that failed; 2 a bad model file; 3 a bug of ours.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import io
import os
import re
import sys
import traceback
from collections.abc import Sequence

from subcut.compiler.errors import ModelError, SubcutError

COMMANDS = {
    "cut": "cut a piece out of a model (the default)",
    "apply": "make every cut of a selection file",
    "check": "check a selection file against its model, or pin it anew",
    "fmt": "bring selection files into canonical form",
    "align": "say where an offline model and a device's dumps have each tensor",
    "convert": "convert dump files of a device: their tensors as .npy or .bin in any layout",
    "list": "list operators and tensors",
    "show": "print the model, or a selection of it, as MLIR text",
    "explain": "say why each edge of a cut is an edge",
    "verify": "prove that a cut computes what the original computes",
    "emulate": "run a model as a device does: offline model and dumps",
    "compare": "compare every tensor of a device with what the original computes",
    "run": "run a model in its own framework: every tensor as a file",
    "view": "look at a model in a browser, select in it and cut",
    "locate": "find the smallest piece of a model that a backend gets wrong",
}
"""Every subcommand, and its line in `subcut --help`; each is the module of its name."""

DONE, MISTAKE, BAD_MODEL, BUG = 0, 1, 2, 3
_OUTPUT_FAILS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
"""What a write to standard output fails with where it is a file; where it is a pipe, that is a BrokenPipeError."""


def entry() -> None:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that the terminal's encoding lacks is shown escaped, and is no reason to stop.
            stream.reconfigure(errors="backslashreplace")
    code = main(sys.argv[1:])
    if code != DONE:
        sys.exit(code)
    # Taking a model of a million operators apart costs as much as reading it; the system forgets it at once.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main(arguments: Sequence[str]) -> int:
    """Run `subcut` with these arguments; returns the exit code."""
    try:
        code = _run(list(arguments))
        sys.stdout.flush()
    except ModelError as error:
        return _say(str(error), BAD_MODEL)
    except SubcutError as error:
        return _say(str(error), MISTAKE)
    except BrokenPipeError:
        _give_up_output()
        return MISTAKE
    except OSError as error:
        if error.errno not in _OUTPUT_FAILS or error.filename is not None:
            return _bug()
        _give_up_output()
        return _say(f"error[cannot-write]: standard output cannot be written: {error.strerror}", MISTAKE)
    except KeyboardInterrupt:
        return _say("interrupted", 130)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else MISTAKE
    except BaseException:
        return _bug()
    return code


def _bug() -> int:
    traceback.print_exc()
    return _say("this is a bug in subcut, not in your model: please report it with the text above", BUG)


def _give_up_output() -> None:
    """Whoever read our output has seen enough, or has no room: the interpreter shall not complain when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(text: str, code: int) -> int:
    print(_coloured(text) if sys.stderr.isatty() and "NO_COLOR" not in os.environ else text, file=sys.stderr)
    return code


def _coloured(text: str) -> str:
    lines = text.split("\n")
    for i, line in enumerate(lines):
        if line.startswith(("error[", "warning[")):
            head, colon, rest = line.partition(": ")
            lines[i] = f"\x1b[1;31m{head}\x1b[0m{colon}\x1b[1m{rest}\x1b[0m"
        elif line.lstrip().startswith("|") and set(line.strip()) <= set("|^ "):
            lines[i] = line.replace("^", "\x1b[31m^\x1b[0m")
    return "\n".join(lines)


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        _help().print_help()
        return DONE if arguments else MISTAKE
    if arguments[0] in ("-V", "--version"):
        import subcut

        print(f"subcut {subcut.__version__}")
        return DONE
    name = arguments.pop(0) if arguments[0] in COMMANDS else "cut"
    module = importlib.import_module(f"subcut.compiler.cli.{name}")
    parser = _Parser(
        prog=f"subcut {name}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    return int(module.run(parser.parse_intermixed_args(arguments)))


class _Parser(argparse.ArgumentParser):
    """An argument parser whose mistakes are the user's: exit code 1, in the style of every other message."""

    def error(self, message: str) -> None:  # type: ignore[override]
        from subcut.compiler.diagnostics import did_you_mean
        from subcut.compiler.errors import user_error

        wrong = re.search(r"unrecognized arguments: (-[^\s=]+)", message)
        near = did_you_mean(wrong[1], self._option_string_actions) if wrong else []
        raise user_error("bad-arguments", message, help=[*near, f"`{self.prog} --help` says what it takes"])


def _help() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS)) + 2
    parser = argparse.ArgumentParser(
        prog="subcut",
        usage='subcut MODEL "SELECTION" [options]   |   subcut COMMAND …',
        description="Cut a piece out of a Caffe, TensorFlow or ONNX model, in its own format, and prove it right.",
        epilog="commands:\n"
        + "\n".join(f"  {name:{width}}{text}" for name, text in COMMANDS.items())
        + "\n\n`subcut COMMAND --help` says more. Exit codes: 0 done, 1 your mistake or a failed verification,\n"
        "2 a bad model file, 3 a bug of ours.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-V", "--version", action="store_true", help="print the version and exit")
    return parser
