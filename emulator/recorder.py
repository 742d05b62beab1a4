"""The dump tree of an emulated execution, written while it goes on, with times and numbers that do not change."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subcut.compiler.device.dumps.mapping import LONGEST, writable
from subcut.compiler.device.dumps.names import escape, make_name
from subcut.compiler.device.dumps.record import Origin
from subcut.compiler.device.dumps.writer import NewDump, NewTensor, write_dump
from subcut.compiler.device.enums import ELEMENTS, TYPE_NAMES
from subcut.emulator.offline import Desc, Node

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

BEGIN = 1_700_000_000_000_000
"""Microseconds since 1970 of the first execution of seed 0: 2023-11-14 22:13:20 UTC."""
SEEDS = 1_000_000
"""Seeds that begin at a minute of their own."""
STEP = 1_000
"""Microseconds that a task takes."""
MODES = ("all", "input", "output", "none")


@dataclass(frozen=True)
class DumpOptions:
    """What is dumped, and in which form."""

    mode: str = "all"
    form: str = "big"
    """`big`, `protobuf` or `nano`."""
    stream: bool = True
    """Whether file names hold the stream, as those of newer products do."""
    hashed: int = LONGEST
    """File names of more bytes are hashed, and written down in `mapping.csv`."""


class Recorder:
    """Writes one file for each task, under `<folder>/<time>/0/<model>/1/0`."""

    def __init__(self, folder: Path, model: str, options: DumpOptions, seed: int) -> None:
        self.begin = BEGIN + seed % SEEDS * 60_000_000
        self.options = options
        moment = datetime.datetime.fromtimestamp(self.begin / 1e6, datetime.timezone.utc)
        self.folder = folder / moment.strftime("%Y%m%d%H%M%S") / "0" / escape(model) / "1" / "0"
        self.tasks: dict[Node, int] = {}

    def record(self, node: Node, inputs: Sequence[tuple[Desc, Array]], outputs: Sequence[tuple[Desc, Array]]) -> None:
        """A task ran: count it, and dump what is asked for."""
        self.tasks[node] = task = len(self.tasks) + 1
        if self.options.mode == "none":
            return
        dump = NewDump(
            node.name,
            [_tensor(*one) for one in inputs] if self.options.mode != "output" else [],
            [_tensor(*one) for one in outputs] if self.options.mode != "input" else [],
            self.begin + task * STEP,
            version="0" if self.options.form == "nano" else "2.0",
        )
        self._write(node.type, node.name, task, dump)

    def overflow(self, node: Node) -> None:
        """The device's report that a task left the range of its numbers."""
        import numpy as np

        if self.options.mode == "none":
            return
        # The old layout: of three units the third, the cube's and vectors' core, has a status that is not zero.
        status = np.zeros(2048 // 8, "<u8")
        status[256 // 8 :][:4] = 1, 0, self.tasks[node], 0
        status[1024 // 8 :][:3] = 0, 0, 1
        dump = NewDump("Node_OpDebug", [], [NewTensor(status, "UINT8", "ND", (2048,))], self._time())
        self._write("Opdebug", "Node_OpDebug", len(self.tasks) + 1, dump)

    def _time(self) -> int:
        return self.begin + (len(self.tasks) + 1) * STEP

    def _write(self, type: str, name: str, task: int, dump: NewDump) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        file = make_name(type, name, task, dump.time, stream=0 if self.options.stream else None)
        write_dump(writable(self.folder, file, self.options.hashed), dump, self.options.form)


def _tensor(desc: Desc, numbers: Array) -> NewTensor:
    told = desc.original
    origin = None
    if told is not None:
        origin = Origin(told.name, told.index, ELEMENTS.get(told.element), desc.origin_layout)
    return NewTensor(
        numbers,
        TYPE_NAMES[desc.element],
        desc.layout,
        desc.shape,
        desc.origin_shape,
        group=desc.group if desc.group > 1 else 0,
        origin=origin,
    )
