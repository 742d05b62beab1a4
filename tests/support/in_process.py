"""The command line without a process of its own, where what it says and leaves is all that matters."""

from __future__ import annotations

import io
import subprocess
from contextlib import redirect_stderr, redirect_stdout

from subcut.compiler.cli.main import main


def subcut(*arguments: object, code: int | None = 0) -> subprocess.CompletedProcess[str]:
    """Run `subcut` here and check its exit code (None: any)."""
    words = [str(argument) for argument in arguments]
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        found = main(words)
    done = subprocess.CompletedProcess(words, found, out.getvalue(), err.getvalue())
    assert code is None or found == code, f"exit code {found}\n{done.stdout}\n{done.stderr}"
    return done
