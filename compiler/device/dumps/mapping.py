"""`mapping.csv`: the real names of files whose names were too long for the file system.

A line is `<short name>,<long name>`, without a header. The runtime (`file.cpp`, `file_utils.cpp`) takes a decimal hash
for the short name and appends a line each time it opens the file; the accuracy tool takes a UUID and the ending.
Neither quotes: what follows the first comma is the name, and a name may hold commas.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

FILE = "mapping.csv"
LONGEST = 255
"""Bytes of a file name, on every file system in use."""
SIZE = 100 << 20
"""The longest mapping that is read, as in the accuracy tool."""
_REPORTED = 100


def read_mapping(path: Path, name: str = "") -> tuple[dict[str, str], list[str]]:
    """Long names by short ones, and a sentence, which calls the file `name`, about each line that says neither."""
    name = name or str(path)
    found: dict[str, str] = {}
    problems: list[str] = []
    bad = 0
    try:
        size = path.stat().st_size
        if size > SIZE:
            return found, [f"{name} has {size} bytes, more than the {SIZE} that are read: no name was resolved"]
        with path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            for number, line in enumerate(file, 1):
                problem = _add(found, line.rstrip("\r\n"))
                bad += bool(problem)
                if problem and bad <= _REPORTED:
                    problems.append(f"{name}, line {number}: {problem}")
    except OSError as error:
        problems.append(f"{name} cannot be read: {error.strerror}")
    if bad > _REPORTED:
        problems.append(f"{name}: {bad - _REPORTED} more lines like that")
    return found, problems


def _add(found: dict[str, str], line: str) -> str:
    if not line.strip():
        return ""
    short, comma, long = (part.strip().strip('"') for part in line.partition(","))
    long = long.rpartition("/")[2]
    if not comma or not short or not long:
        return "not a short and a long name with a comma between"
    if found.get(short, long) != long:
        return f"`{short}` already stands for another name"
    found[short] = long
    return ""


def writable(folder: Path, name: str, longest: int = LONGEST, ending: str = "") -> Path:
    """Where to write a file that is to be called `name`: there, or under a hash that `mapping.csv` then explains.

    The hash has the `ending`, by which tools tell ground truth.
    The runtime's hash is its standard library's; readers only look the number up, and so any other does.
    """
    raw = os.fsencode(name)
    if len(raw) <= longest:
        return folder / name
    short = str(int.from_bytes(hashlib.blake2b(raw, digest_size=8).digest(), "little")) + ending
    with (folder / FILE).open("a", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        file.write(f"{short},{name}\n")
    return folder / short
