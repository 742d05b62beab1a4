"""What came back from the device host: outputs in any of the forms that tools leave them in, or why there are none.

What the script took down, with sums that hold, is what the candidate did, be it nonsense. Anything else that cannot be
used may have been lost on its way, and is asked for again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subcut.analysis.locate.command import Answer, last_line
from subcut.analysis.locate.judge import MISSING, NONSENSE, SHAPE, TIMEOUT
from subcut.analysis.locate.plan_batch import digest
from subcut.analysis.locate.tensors import file_name, read_archive, read_folder
from subcut.compiler.alignment.numbers import read_numbers
from subcut.compiler.alignment.twin import TwinOptions, attach
from subcut.compiler.device.layouts import LayoutError
from subcut.compiler.errors import SubcutError, UserError
from subcut.compiler.export import load
from subcut.compiler.formats import ReadOptions

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

STATUS, SUMS, LOG = "status", "answer.sha256", "log.txt"
KEPT = (STATUS, SUMS, LOG, "outputs", "dumps", "stage")
"""What a candidate's folder may hold of an answer."""
OFFLINE = ("model.om", "model.json", "dump.om", "dump.json")
"""The offline model that a candidate's dumps are of, one of these."""
_STATUS = re.compile(
    r"exit (?P<code>\d{1,3})\n(?:attempt \d+\n)?(?:stage (?P<stage>\w+)\n)?(?:late (?P<late>[\d.]+)\n)?"
)
_PLACE = re.compile(r"(\d+)\.bin$")
_SUM = re.compile(r"(?P<sum>[0-9a-f]{64})  (?P<name>.+)")


class Unusable(Exception):
    """Raised for an answer that may not be what the candidate did; says why."""


@dataclass(frozen=True)
class Wanted:
    """An output that is looked at."""

    name: str
    place: int
    """Among all outputs of the candidate."""
    array: Array
    """The reference's numbers: of them, type and shape are used."""


def read_answer(
    folder: Path, wanted: list[Wanted], model: Path, options: ReadOptions, *, compares: bool
) -> Answer | None:
    """The answer in a candidate's folder; None where there is none yet. `model` and `options` are the candidate's.

    Raises Unusable for what cannot be told from what was lost on its way.
    """
    status = read_status(folder)
    if status is not None and status["code"] != "0":
        return failed(status, folder)
    if not compares:
        return Answer() if status is not None else None
    outputs, dumps = folder / "outputs", folder / "dumps"
    proven = status is not None and _sums_hold(folder)
    if not outputs.is_dir() and not dumps.is_dir():
        if status is None:
            return None
        raise Unusable(f"it ended well, and there is no folder `outputs`{_said(folder)}")
    try:
        found = read_outputs(outputs, wanted) if _any_file(outputs) or not dumps.is_dir() else None
        return Answer(outputs=found if found is not None else _dumped(folder, wanted, model, options))
    except Wrong as wrong:
        if not proven:
            raise Unusable(f"{wrong.note}{_said(folder)}") from None
        return Answer(wrong.kind, wrong.note)


class Wrong(Exception):
    """Raised for outputs that are not as they must be: how, and in which words."""

    def __init__(self, kind: str, note: str) -> None:
        super().__init__(note)
        self.kind, self.note = kind, note


def read_status(folder: Path) -> Mapping[str, str | None] | None:
    """What the script took down. Raises Unusable."""
    try:
        text = (folder / STATUS).read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        raise Unusable(f"`{STATUS}` cannot be read") from None
    match = _STATUS.fullmatch(text if text.endswith("\n") else f"{text}\n")
    if match is None:
        raise Unusable(f"`{STATUS}` is damaged")
    return match.groupdict()


def failed(status: Mapping[str, str | None], folder: Path) -> Answer:
    """How a candidate ended that did not end well. Raises Unusable where it did not even begin."""
    code = int(status["code"] or 0)
    if code in (126, 127):
        raise Unusable(f"the command could not be started{_said(folder)}")
    stage = f"{status['stage']}: " if status["stage"] else ""
    if status["late"]:
        return Answer(f"{stage}{TIMEOUT}", f"no end after {status['late']} s")
    kind = f"signal {code - 128}" if code > 128 else f"exit {code}"
    return Answer(stage + kind, _last(folder))


def _last(folder: Path) -> str:
    try:
        return last_line(folder / LOG)
    except OSError:
        return ""


def _said(folder: Path) -> str:
    line = _last(folder)
    return f"; its log ends: {line}" if line else ""


def _sums_hold(folder: Path) -> bool:
    """Whether the files of the outputs are those that the script saw. Raises Unusable where they are not."""
    try:
        lines = (folder / SUMS).read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    listed = {match["name"]: match["sum"] for line in lines if (match := _SUM.fullmatch(line))}
    if len(listed) < len(lines):
        return False
    here = {path.relative_to(folder).as_posix() for path in (folder / "outputs").rglob("*") if path.is_file()}
    lost = sorted(listed.keys() - here)
    if lost:
        raise Unusable(f"{len(lost)} of {len(listed)} files are missing, such as `{lost[0]}`")
    changed = [name for name, sum in listed.items() if digest(folder / name) != sum]
    if changed:
        raise Unusable(f"`{changed[0]}` was damaged on its way")
    return listed.keys() == here


def _any_file(folder: Path) -> bool:
    return folder.is_dir() and any(path.is_file() for path in folder.rglob("*"))


def read_outputs(folder: Path, wanted: list[Wanted]) -> dict[str, Array]:
    """The outputs by name, from `.npy`, `.npz` or `.bin` files. Raises Wrong."""
    raw = [path for path in folder.rglob("*.bin") if path.is_file()]
    if (folder / "outputs.npz").is_file():
        found, problem = read_archive(folder / "outputs.npz")
    elif raw and not any((folder / file_name(one.name)).is_file() for one in wanted):
        return _raw(raw, wanted)
    else:
        found, problem = read_folder(folder, [one.name for one in wanted])
    if problem:
        raise Wrong(NONSENSE, problem)
    _none_missing([one for one in wanted if one.name not in found], wanted)
    return found


def _none_missing(missing: list[Wanted], wanted: list[Wanted]) -> None:
    if missing:
        raise Wrong(MISSING, f"{len(missing)} of {len(wanted)} outputs are missing, such as `{missing[0].name}`")


def _raw(files: Iterable[Path], wanted: list[Wanted]) -> dict[str, Array]:
    """The outputs in numbered files: `NAME_output_0.bin` as msame writes them, `NAME_0.bin` as ais_bench does.

    Both make a folder of the time for every run; the newest one counts.
    """
    newest = max(path.parent for path in files)
    places = {int(match[1]): path for path in files if path.parent == newest and (match := _PLACE.search(path.name))}
    _none_missing([one for one in wanted if one.place not in places and one.array.size], wanted)
    return {one.name: _numbers(places.get(one.place), one) for one in wanted}


def _numbers(path: Path | None, wanted: Wanted) -> Array:
    """The numbers in a raw file, of the reference's type or another that a device gives out, told by the size."""
    import numpy as np

    like, dtype = wanted.array, wanted.array.dtype
    size = path.stat().st_size if path is not None else 0
    if path is None or not like.size:
        if size:
            raise Wrong(SHAPE, f"`{wanted.name}` has {size} bytes, and is empty")
        return np.zeros(like.shape, dtype)
    for one in _types(dtype):
        if size == like.size * one.itemsize:
            numbers: Any = np.fromfile(path, one)
            whole: Array = numbers.reshape(like.shape)
            return whole if one == dtype else whole.astype(dtype)
    sizes = " or ".join(str(like.size * one.itemsize) for one in _types(dtype))
    raise Wrong(SHAPE, f"`{wanted.name}` has {size} bytes, and {sizes or 'text'} is right")


def _types(dtype: np.dtype[Any]) -> list[np.dtype[Any]]:
    """What a device may give out for a type: halves or floats for any real one, 32 bits for 64, its own type first."""
    import numpy as np

    if dtype.kind in "OSU":
        return []
    kind, name = dtype.kind, str(dtype)
    more: tuple[str, ...] = ("f4", "f2") if kind == "f" else ("f4",) if "float" in name else ()
    if kind in "iu" and dtype.itemsize == 8:
        more = (f"{kind}4",)
    return list(dict.fromkeys([dtype, *(np.dtype(one) for one in more)]))


def _dumped(folder: Path, wanted: list[Wanted], path: Path, options: ReadOptions) -> dict[str, Array]:
    """The outputs as the dumps of the candidate's offline model have them."""
    offline = next((folder / name for name in OFFLINE if (folder / name).is_file()), None)
    if offline is None:
        raise Unusable(f"`dumps` has come back without its offline model: one of {', '.join(OFFLINE)}")
    try:
        model = load(path, options)
        model.dialect.annotate(model)
        twin = attach(model, TwinOptions(offline, folder / "dumps"))
        written = model.dialect.written_names(model)
        values = {written.get(value, value.name): value for value in model.main.values()}
        found: dict[str, Array] = {}
        for one in wanted:
            row = twin.row(values[one.name])
            if row is None or row.stored is None:
                why = (row.missing or row.reason) if row is not None else "it has no row"
                raise Unusable(f"the dumps have no numbers of `%{one.name}`: {why}")
            found[one.name] = read_numbers(row, twin.dumps)
    except UserError as error:
        raise Unusable(error.diagnostics[0].message) from None
    except (SubcutError, LayoutError) as error:
        raise Unusable(str(error).splitlines()[0]) from None
    return found
