"""Which dump file has a tensor: that of the operator that made it, else that of one that read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from subcut.compiler.alignment.holders import Holders, Port
from subcut.compiler.device.dumps.record import DumpTensor
from subcut.compiler.device.dumps.slices import WholeDump, WholeTensor, combine
from subcut.compiler.device.dumps.tree import DumpTree, Entry
from subcut.compiler.errors import ModelError
from subcut.compiler.formats.ascend.offline import OfflineTensor
from subcut.compiler.ir.alignment import Stored


class _Has(NamedTuple):
    """What a run of an operator left numbers of: by the number of the input or output, its number in the file."""

    inputs: dict[int, int]
    outputs: dict[int, int]


class Dumps:
    """The dumps of one execution, looked up by offline operator.

    A file is opened when it is asked for, and closed again: there may be more of them than a process may have open.
    """

    def __init__(self, tree: DumpTree, holders: Holders) -> None:
        self.tree = tree
        self.holders = holders
        self.problems: dict[Path, str] = {}
        """Files that could not be read, and why."""
        self.long_names: dict[Path, str] = {}
        """What files with a hashed name are really called."""
        self._has: dict[Path, _Has | None] = {}
        self._open: tuple[Path, WholeDump] | None = None
        self._entries: dict[str, list[Entry]] = {}
        self._runs: dict[Path, Entry] = {}

    def files(self, operator: str) -> list[Entry]:
        """The runs of an operator in the execution, the newest last; a run has a file, or one a slice."""
        entries = self._entries.get(operator)
        if entries is None:
            entries = self._entries[operator] = self.tree.find(operator)
            for file in (file for entry in entries for file in entry.files):
                if file.path.name != file.name.text:
                    self.long_names[file.path] = file.name.text
        return entries

    def has(self, entry: Entry, operator: str) -> _Has | None:
        """What a run of an operator left; None where its files are damaged, which `problems` then tells."""
        if entry.path not in self._has:
            self._runs[entry.path] = entry
            try:
                whole = self._read(entry)
            except ModelError as error:
                self._has[entry.path] = None
                self.problems[entry.path] = str(error)
                return None
            said = [problem for file in whole.files for problem in file.problems] + whole.problems
            if said:
                self.problems[entry.path] = "; ".join(said)
            op = self.holders.ops[operator]
            self._has[entry.path] = _Has(
                _stored(whole.inputs, whole.files[0].inputs, op.input_tensors),
                _stored(whole.outputs, whole.files[0].outputs, op.outputs),
            )
        return self._has[entry.path]

    def _read(self, entry: Entry) -> WholeDump:
        if self._open is None or self._open[0] != entry.path:
            self._open = entry.path, combine(entry, self.tree.source)
        return self._open[1]

    def files_of(self, stored: Stored) -> list[Path]:
        """The file that `find` found, or all slices of it."""
        return [file.path for file in self._runs[stored.path].files]

    def tensor(self, stored: Stored) -> WholeTensor:
        """The record of a tensor that `find` found."""
        whole = self._read(self._runs[stored.path])
        tensors = whole.inputs if stored.direction == "input" else whole.outputs
        return next(tensor for tensor in tensors if tensor.like.index == stored.index)

    def find(self, port: Port) -> tuple[Stored | None, str]:
        """Where an offline tensor is stored, or why it is not."""
        own = self._of(port[0], "output", port[1], "")
        if own is not None:
            return own, ""
        for reader, slot in self._readers(port):
            found = self._of(reader, "input", slot, f"as the stored input {slot} of `{reader}`, which reads it")
            if found is not None:
                return found, ""
        return None, self._why_not(port)

    def _readers(self, port: Port) -> Iterator[Port]:
        """Who reads a tensor, those first that read it as it is."""
        for current in [port, *self.holders.passed_on(port)]:
            for reader, slot in self.holders.readers.get(current, []):
                yield reader.name, slot

    def _of(self, operator: str, direction: str, index: int, note: str) -> Stored | None:
        entries = self.files(operator)
        for entry in reversed(entries):
            has = self.has(entry, operator)
            place = None if has is None else (has.inputs if direction == "input" else has.outputs).get(index)
            if place is not None:
                if len(entries) > 1:
                    note = ", ".join(filter(None, [note, f"the last of {len(entries)} runs of `{operator}`"]))
                return Stored(entry.path, direction, place, note)
        return None

    def _why_not(self, port: Port) -> str:
        operator = port[0]
        entries = self.files(operator)
        left = [self.has(entry, operator) for entry in entries]
        if None in left:
            return f"the dump file of `{operator}` is damaged"
        group = self.holders.ops[operator].l1_group
        if entries and group:
            return f"the dump of `{operator}` has no output {port[1]}: tensors inside L1 fusion {group} stay in L1"
        if any(has.inputs and not has.outputs for has in left if has is not None):
            return f"the dump of `{operator}` has inputs only: dump mode was input"
        if entries:
            return f"the dump of `{operator}` has no output {port[1]}"
        runs = [self.has(entry, reader) for reader, _ in self._readers(port) for entry in self.files(reader)]
        if not runs:
            return f"no dump file of `{operator}`, nor of who reads it"
        if any(has is None or has.inputs for has in runs):
            return f"no dump file of `{operator}`, and those of who reads it lack that input"
        return f"no dump file of `{operator}`, and those that read it have no inputs: dump mode was output"


def _stored(tensors: list[WholeTensor], dumped: list[DumpTensor], described: Sequence[OfflineTensor]) -> dict[int, int]:
    """By the number of a tensor in the offline model its number in the file, where its numbers are there."""
    there = {tensor.like.index for tensor in tensors if len(tensor.like.data) or 0 in tensor.shape}
    return {number: place for number, place in places(dumped, described).items() if place in there}


def places(dumped: Sequence[DumpTensor], described: Sequence[OfflineTensor]) -> dict[int, int]:
    """By the number of a tensor in the offline model its number in a dump, as far as there is no doubt.

    The runtime leaves out optional outputs that are always empty, what lies in L1, and what the user told it to, and
    numbers the rest in order (`data_dumper.cc` of the graph engine). What was left out, types and shapes tell: a
    tensor's place is known where the first and the last way to pair all that is dumped give it the same.
    """
    if len(dumped) >= len(described) or not described:
        return {tensor.index: tensor.index for tensor in dumped}
    first = _paired(list(dumped), list(enumerate(described)))
    last = _paired(list(reversed(dumped)), list(reversed(list(enumerate(described)))))
    return {number: place for place, number in first.items() if last.get(place) == number}


def _paired(dumped: list[DumpTensor], described: list[tuple[int, OfflineTensor]]) -> dict[int, int]:
    """What is dumped, each with the next description that it fits; nothing where one fits none."""
    found: dict[int, int] = {}
    rest = iter(described)
    for tensor in dumped:
        number = next((number for number, known in rest if _fits(tensor, known)), None)
        if number is None:
            return {}
        found[tensor.index] = number
    return found


def _fits(tensor: DumpTensor, known: OfflineTensor) -> bool:
    """Whether a dumped tensor may be the one described; a size that is not known fits any."""
    if tensor.type_name != known.type_name or known.shape == (-2,):
        return tensor.type_name == known.type_name
    pairs = zip(tensor.shape, known.shape, strict=False)
    return len(tensor.shape) == len(known.shape) and all(want in (have, -1) for have, want in pairs)
