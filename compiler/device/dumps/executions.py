"""Which executions a dump folder holds, and which one is meant.

The runtime writes `<time>/<device>/<model>/<model id>/<index of the execution>/<files>` (`dump_manager.cc`,
`dump_task.cpp`); dumps of single operators end at the device. Any folder on that way may be given, or one above it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from subcut.compiler.device.dumps.names import escape, parse_name, parse_truth
from subcut.compiler.errors import ModelError, UserError, user_error
from subcut.compiler.storage.places import HERE, Place

LEVELS = ("time", "device", "model", "model_id", "index")
_TIME = re.compile(r"[0-9]{14}")
_DEVICE = re.compile(r"(?:device)?[0-9]{1,3}")
_LISTED = 10


@dataclass(frozen=True, slots=True)
class Execution:
    """A folder that holds dump files: one execution of one model on one device. A level that is not there is empty."""

    folder: Path
    time: str
    device: str
    model: str
    """Escaped, as the folder is called."""
    model_id: str
    index: str
    files: int

    @property
    def label(self) -> str:
        """The levels that are there, as the runtime orders them."""
        return "/".join(filter(None, (self.time, self.device, self.model, self.model_id, self.index))) or "."

    @property
    def age(self) -> tuple[str, int, int]:
        """Sorts the newest last."""
        return self.time, _number(self.model_id), _number(self.index)


def discover(root: Path, place: Place = HERE) -> tuple[list[Execution], list[str]]:
    """Every execution in and below a folder, sorted by its label, and what could not be looked into.

    Raises ModelError where `root` is no folder that can be read.
    """
    found: list[Execution] = []
    problems: list[str] = []
    seen: set[object] = set()
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            folders, files, holds = _look(folder, place, seen)
        except OSError as error:
            if folder == root:
                what = f"cannot be read: {error.strerror}"
                raise ModelError(place.shown(root), what, expected="a folder of dump files") from None
            problems.append(f"{place.shown(folder)} cannot be read: {error.strerror}")
            continue
        waiting += [folder / name for name in folders]
        if holds:
            levels = labels(Path(os.path.abspath(folder)).parts)
            found.append(Execution(folder, *levels, files))
    return sorted(found, key=lambda one: (one.age, one.label, str(one.folder))), problems


def _look(folder: Path, place: Place, seen: set[object]) -> tuple[list[str], int, bool]:
    """The sub-folders of a folder, its number of files, and whether one of them is called like a dump.

    A folder that was seen before, through a link that leads back, is empty.
    """
    mark = place.mark(folder)
    if mark in seen:
        return [], 0, False
    seen.add(mark)
    folders: list[str] = []
    files, holds = 0, False
    with place.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                folders.append(entry.name)
                continue
            files += 1
            holds = holds or _is_dump(entry.name)
    return folders, files, holds


def _is_dump(name: str) -> bool:
    return name.removesuffix(".npy").isdecimal() or parse_name(name) is not None or parse_truth(name) is not None


def labels(parts: Sequence[str]) -> tuple[str, str, str, str, str]:
    """Time, device, model, model id and index of the folder with that path; empty where it does not say."""
    for back in range(1, min(len(LEVELS), len(parts)) + 1):
        if _TIME.fullmatch(parts[-back]):
            time, device, model, model_id, index = [*parts[-back:], *[""] * (len(LEVELS) - back)]
            return time, device, model, model_id, index
    if len(parts) > 3 and parts[-1].isdecimal() and parts[-2].isdecimal():
        device = parts[-4] if _DEVICE.fullmatch(parts[-4]) else ""
        return "", device, parts[-3], parts[-2], parts[-1]
    return "", "", "", "", ""


def choose(found: Sequence[Execution], wanted: Mapping[str, str], likely: Sequence[str], root: str) -> Execution:
    """The newest execution that has every level `wanted`, of a model that is one of the `likely` ones if any is.

    Raises UserError where there is none, or where several models or devices ran in it.
    """
    left = [one for one in found if all(_has(one, level, value) for level, value in wanted.items())]
    if not left:
        raise _unknown(found, wanted, root)
    if "model" not in wanted:
        names = {escape(name) for name in likely}
        left = [one for one in left if one.model in names] or left
    newest = max(one.time for one in left)
    left = [one for one in left if one.time == newest]
    for level in ("model", "device"):
        values = sorted({str(getattr(one, level)) for one in left})
        if len(values) > 1:
            raise _several(left, f"several {level}s ran in it: " + ", ".join(f"`{value}`" for value in values), root)
    best = max(one.age for one in left)
    left = [one for one in left if one.age == best]
    if len(left) > 1:
        raise _several(left, "several folders say they are the newest execution", root)
    return left[0]


def _has(one: Execution, level: str, value: str) -> bool:
    said: str = getattr(one, level)
    return said in (value, escape(value)) or (level == "device" and said == f"device{value}")


def _unknown(found: Sequence[Execution], wanted: Mapping[str, str], root: str) -> UserError:
    asked = ", ".join(f"{level.replace('_', ' ')} `{value}`" for level, value in wanted.items())
    return user_error("unknown-execution", f"`{root}` holds no execution with {asked}", help=list(_list(found)))


def _several(found: Sequence[Execution], what: str, root: str) -> UserError:
    help = ["choose by time, device, model, model id or index, or give the folder of one:", *_list(found)]
    return user_error("several-executions", f"`{root}` is not one execution: {what}", help=help)


def _list(found: Sequence[Execution]) -> Iterator[str]:
    for one in found[-_LISTED:]:
        yield f"{one.label}: {one.files} files in {one.folder}"
    if len(found) > _LISTED:
        yield f"and {len(found) - _LISTED} more, older ones"


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 20 else -1
