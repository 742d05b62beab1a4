"""Which dump file has a tensor: that of the operator that made it, else that of one that read it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from subcut.compiler.alignment.holders import Holders, Port
from subcut.compiler.device.dumps.slices import WholeDump, WholeTensor, combine
from subcut.compiler.device.dumps.tree import DumpTree, Entry
from subcut.compiler.errors import ModelError
from subcut.compiler.ir.alignment import Stored


class _Has(NamedTuple):
    """What a run of an operator left numbers of, by the number of the input or output."""

    inputs: frozenset[int]
    outputs: frozenset[int]


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

    def has(self, entry: Entry) -> _Has | None:
        """What a run left; None where its files are damaged, which `problems` then tells."""
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
            self._has[entry.path] = _Has(_stored(whole.inputs), _stored(whole.outputs))
        return self._has[entry.path]

    def _read(self, entry: Entry) -> WholeDump:
        if self._open is None or self._open[0] != entry.path:
            self._open = entry.path, combine(entry)
        return self._open[1]

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
            has = self.has(entry)
            if has is not None and index in (has.inputs if direction == "input" else has.outputs):
                if len(entries) > 1:
                    note = ", ".join(filter(None, [note, f"the last of {len(entries)} runs of `{operator}`"]))
                return Stored(entry.path, direction, index, note)
        return None

    def _why_not(self, port: Port) -> str:
        operator = port[0]
        entries = self.files(operator)
        left = [self.has(entry) for entry in entries]
        if None in left:
            return f"the dump file of `{operator}` is damaged"
        if any(has.inputs and not has.outputs for has in left if has is not None):
            return f"the dump of `{operator}` has inputs only: dump mode was input"
        if entries:
            return f"the dump of `{operator}` has no output {port[1]}"
        if any(self.files(reader) for reader, _ in self._readers(port)):
            return f"no dump file of `{operator}`, and those that read it have no inputs: dump mode was output"
        return f"no dump file of `{operator}`, nor of who reads it"


def _stored(tensors: list[WholeTensor]) -> frozenset[int]:
    return frozenset(tensor.like.index for tensor in tensors if len(tensor.like.data))
