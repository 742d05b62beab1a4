"""Replace a text file by a new text, whole or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from subcut.compiler.errors import user_error


def replace_text(path: Path, text: str) -> None:
    """Write `text` beside `path`, then rename it there; the mode of the old file is kept.

    Raises UserError `cannot-write`, with the old file untouched.
    """
    target = Path(os.path.realpath(path))
    temp = target.with_name(f".{target.name}.{os.urandom(4).hex()}")
    try:
        with open(temp, "x", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temp, target.stat().st_mode & 0o7777)
        os.replace(temp, target)
    except OSError as error:
        with contextlib.suppress(OSError):
            temp.unlink()
        raise user_error("cannot-write", f"`{path}` cannot be written: {error.strerror or error}") from None
