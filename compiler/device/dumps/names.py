"""What a dump file's name says: operator, task, stream, time, slice.

Source: the runtime's `dump_task.cpp` (`DumpPath`, `ReplaceStringElem`) and `dump_args.cpp` (exception dumps), and the
accuracy tool's patterns for the names that older products wrote, without the stream's number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

EXCEPTION = "exception_info"
"""The first word of the name of an exception dump, which names no operator."""
FFTS_PLUS = 4
"""The task type of an operator that ran in slices."""
NATURAL = 16
"""Digits of a time in microseconds, in this century and the next."""
_OTHERS = (".npy", ".pb", ".quant")
"""What ground truth ends in: its names look similar and mean something else."""

_ESCAPES = str.maketrans(" ./\\", "____")
_NAME = re.compile(r"([^./]+)\.([^./]+)((?:\.[0-9]{1,20}){2,7})(\.[A-Za-z_]\w*)?", re.ASCII)
_ORDINARY = re.compile(r"[^./]+\.([^./]*[^./0-9][^./]*)(?:\.[0-9]{1,20}){2,3}", re.ASCII)
_EXCEPTION = re.compile(r"([^./]+)\.([0-9]{1,20})\.([0-9]{1,20})(?:\.[0-9]+\.[0-9]+)?\.([0-9]{1,20})", re.ASCII)
_TRUTH = re.compile(r"(.+)\.([0-9]{1,9})\.(?:([0-9]{16})\.[0-9]{1,4}|([0-9]{1,255}))(\.npy|\.pb|\.quant)", re.ASCII)
_SLICE = re.compile(r"_lxslice([0-9]{1,9})", re.ASCII)
_PARTITION = re.compile(r"^.*sgt_graph_[0-9]+_(?=.)", re.ASCII)


class Ffts(NamedTuple):
    """Which slice of an operator a task was, on hardware that cuts operators into threads."""

    task_type: int
    context: int
    thread: int
    device: int | None


@dataclass(frozen=True, slots=True)
class FileName:
    """The name of a dump file, taken apart."""

    op_type: str
    op_name: str
    """Escaped, with its `_lxslice<N>`; empty for an exception dump."""
    task: int
    stream: int | None
    time: int
    """Microseconds since 1970, where it has 16 digits; of an exception dump the digits of date and time."""
    ffts: Ffts | None = None
    lxslice: int | None = None
    suffix: str = ""
    """What follows, such as `.csv` for statistics."""

    @property
    def base(self) -> str:
        """The escaped operator name without `_lxslice<N>`."""
        return unsliced(self.op_name) if self.lxslice is not None else self.op_name

    @property
    def unpartitioned(self) -> str:
        """`base` without the partition that a slicing compiler puts in front (`…sgt_graph_<N>_`)."""
        return _PARTITION.sub("", self.base)

    @property
    def order(self) -> tuple[bool, int, int, int]:
        """Sorts the newest last; a time that has not 16 digits is older than any other, as the tools have it."""
        return len(str(self.time)) == NATURAL, self.time, *self.part

    @property
    def part(self) -> tuple[int, int]:
        """Which slice it is: by the compiler, by the hardware."""
        return self.lxslice or 0, self.ffts.thread if self.ffts else 0

    @property
    def text(self) -> str:
        """The name put together again."""
        if not self.op_name:
            return f"{self.op_type}.{self.stream}.{self.task}.{self.time}{self.suffix}"
        parts = [self.op_type, self.op_name, self.task, self.stream, self.time, *(self.ffts or ())]
        return ".".join(str(part) for part in parts if part is not None) + self.suffix


class TruthName(NamedTuple):
    """The name of a ground-truth file: `<op>.<output>.<time>.npy`."""

    op_name: str
    """Escaped by the one who wrote it: `/` and `.` became `_`."""
    output: int
    time: int
    suffix: str


def escape(name: str) -> str:
    """A name as the runtime puts it into a file or folder name: space, `.`, `/` and `\\` become `_`."""
    return name.translate(_ESCAPES)


def unsliced(name: str) -> str:
    """A name without `_lxslice<N>`."""
    return _SLICE.sub("", name)


def plain_name(name: str) -> str:
    """An operator's name without slice and partition, to compare what a file says with what was asked for."""
    return _PARTITION.sub("", unsliced(name))


def make_name(
    op_type: str,
    op_name: str,
    task: int,
    time: int,
    *,
    stream: int | None = 0,
    ffts: Ffts | None = None,
    lxslice: int | None = None,
    suffix: str = "",
) -> str:
    """The name of a dump file, from the operator's real type and name."""
    name = escape(op_name) + (f"_lxslice{lxslice}" if lxslice is not None else "")
    return FileName(escape(op_type), name, task, stream, time, ffts, lxslice, suffix).text


def parse_name(text: str) -> FileName | None:
    """Take a dump file's name apart; None for what is no such name."""
    if text.endswith(_OTHERS):
        return None
    found = _EXCEPTION.fullmatch(text)
    if found and (found[1] == EXCEPTION or len(found[4]) == NATURAL + 1):
        return FileName(found[1], "", int(found[3]), int(found[2]), int(found[4]))
    found = _NAME.fullmatch(text)
    if found is None:
        return None
    numbers = found[3][1:].split(".")
    first = _first_of_ffts(numbers)
    if first is None:
        return None
    task, *stream, time = map(int, numbers[:first])
    rest = [int(number) for number in numbers[first:]]
    ffts = Ffts(rest[0], rest[1], rest[2], rest[3] if len(rest) > 3 else None) if rest else None
    part = _SLICE.search(found[2]) if "_lxslice" in found[2] else None
    slice_number = int(part[1]) if part else None
    return FileName(found[1], found[2], task, stream[0] if stream else None, time, ffts, slice_number, found[4] or "")


def ordinary_operator(text: str) -> str | None:
    """The escaped operator of a dump file's name that has neither slices nor an ending; None for any other name.

    It says what `parse_name` says, a few times faster: a tree may have a million names.
    """
    found = _ORDINARY.fullmatch(text)
    if found is None or "_lxslice" in text or "sgt_graph_" in text:
        return None
    return found[1]


def _first_of_ffts(numbers: list[str]) -> int | None:
    """How many numbers stand before those of FFTS+: task, perhaps stream, and time; None where no writer counts so.

    Six numbers mean either a missing stream or a missing device; the time is the longer one of the two candidates.
    """
    count = len(numbers)
    if count == 6:
        return 2 if len(numbers[1]) > len(numbers[2]) else 3
    return {2: 2, 3: 3, 5: 2, 7: 3}.get(count)


def parse_truth(text: str) -> TruthName | None:
    """Take the name of a ground-truth file (`.npy`, `.pb`, `.quant`) apart; None for what is no such name.

    TensorFlow's debugger puts a counter behind the time, which means nothing here.
    """
    found = _TRUTH.fullmatch(text)
    if found is None or "/" in found[1]:
        return None
    return TruthName(found[1], int(found[2]), int((found[3] or found[4])[:20]), found[5])
