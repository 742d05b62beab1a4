"""From an original model and its input to what a device would leave behind: offline model, its JSON, and dumps."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subcut.compiler.export import FORMAT_OF, load
from subcut.compiler.formats import ReadOptions, open_pieces
from subcut.compiler.formats.ascend import json_form
from subcut.compiler.formats.ascend.container import write_om
from subcut.compiler.ir.graph import Model, Op, Value
from subcut.compiler.storage.files import SourceFile, Span
from subcut.compiler.storage.folder import MANIFEST, ResultFolder
from subcut.emulator.definition import About, definition
from subcut.emulator.device import Device
from subcut.emulator.faults import Fault
from subcut.emulator.fusion import Fusion, Group
from subcut.emulator.machine import Machine
from subcut.emulator.numerics import PRECISIONS
from subcut.emulator.offline import Held, Node
from subcut.emulator.plan import Plan
from subcut.emulator.recorder import DumpOptions, Recorder
from subcut.emulator.request import Request, chosen_faults, fed
from subcut.emulator.statics import Statics

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

BLOCK = 512
"""Bytes that weights are aligned to."""
FRAMEWORKS = {"caffe": ("Caffe", 0), "tf": ("TensorFlow", 3), "onnx": ("Onnx", 5)}
"""What the offline model calls the format, and atc's number for it."""


@dataclass(frozen=True)
class Emulated:
    """What an emulation left behind."""

    folder: Path
    om: Path
    json: Path
    dumps: Path
    """The folder with the dump files of the one execution."""
    outputs: dict[str, Any] = field(repr=False)
    """What the device answered, by the names of the original model's tensors, in the original layout."""
    groups: dict[str, list[str]]
    """For each operator of the device that covers original ones, their names."""


def emulate(
    model: str | Path,
    inputs: Mapping[str, Array] | None = None,
    folder: str | Path = "emulated",
    *,
    name: str = "",
    precision: str = "fp16",
    faults: Iterable[str] = (),
    seed: int = 0,
    dump: DumpOptions | None = None,
    soc: str = "Ascend310",
    read: ReadOptions | None = None,
    force: bool = False,
) -> Emulated:
    """Run `model` as a device does, and write `<name>.om`, `<name>.json` and `dumps/` into a new folder.

    `inputs` are by the names of the model's inputs, in the original layout; those that are left out are drawn from
    `seed`. `precision` is `fp16`, `bf16` or `int8`, `faults` are texts such as `conv1:scale`. The same arguments give
    the same bytes. Raises UserError for what is asked for, ModelError for a damaged model, MissingExtra without the
    original's framework.
    """
    path = Path(model)
    request = Request(name or _stem(path), precision, tuple(faults), seed, dump or DumpOptions(), soc)
    request.check()
    loaded = load(path, read)
    with ResultFolder(folder, force=force, sources=[source.path for source in loaded.sources]) as temp:
        run = _Emulation(loaded, path, request, temp)
        try:
            run.go(inputs or {})
        finally:
            run.pieces.close()
        found = run.write()
    final = Path(folder)
    return Emulated(
        final,
        final / found.om.name,
        final / found.json.name,
        final / found.dumps.relative_to(temp),
        found.outputs,
        found.groups,
    )


def _stem(path: Path) -> str:
    return path.resolve().name.partition(".")[0] or "model"


class _Emulation:
    """One emulation that is going on."""

    def __init__(self, model: Model, path: Path, request: Request, folder: Path) -> None:
        self.model, self.path, self.request, self.folder = model, path, request, folder
        self.dialect = model.dialect.name
        self.plan = Plan(model)
        self.pieces = open_pieces(FORMAT_OF[self.dialect], model)
        self.recorder = Recorder(folder / "dumps", request.name, request.dump, request.seed)
        self.overflown: set[Node] = set()
        self.spool = open(folder / ".weights", "w+b")  # noqa: SIM115 - lives as long as the emulation
        self.outputs: dict[str, Array] = {}
        self.device = Device(PRECISIONS[request.precision], self.plan.image, self._ran, self._stored)

    def go(self, inputs: Mapping[str, Array]) -> None:
        """Compute everything, dumping on the way."""
        feeds = fed(self.model, self.plan, inputs, self.request.seed)
        statics = Statics(self.plan.ops, self.pieces)
        ops = [op for op in self.plan.ops if op not in statics.ops and op not in self.plan.makers]
        groups = Fusion(ops, self.plan.outputs, statics).groups()
        self.faults = chosen_faults(self.request.faults, groups, self.plan.names)
        machine = Machine(
            self.pieces, statics, self.device, self.plan.names, self.plan.outputs, self.faults, self.request.seed
        )
        for value, array in feeds.items():
            machine.feed(value, self.plan.input_name(value), array)
        self._run(machine, groups, statics)
        self.device.output(self.plan.outputs, ["f32" for _ in self.plan.outputs])
        self.command = self._command(feeds)

    def _run(self, machine: Machine, groups: Sequence[Group], statics: Statics) -> None:
        left = dict.fromkeys(self.plan.outputs, 1)
        for group in groups:
            for value in group.inputs(statics):
                left[value] = left.get(value, 0) + 1
        self.groups: dict[Node, Group] = {}
        for group in groups:
            first = len(self.device.nodes)
            machine.run(group)
            self.groups |= {node: group for node in self.device.nodes[first:] if node.is_run and node.originals != []}
            for value in [*group.inputs(statics), *(v for v in group.last.results if v not in left)]:
                left[value] = left.get(value, 1) - 1
                if left[value] == 0:
                    machine.drop(value)
            if group in self.faults and self.faults[group].kind == "overflow":
                self.recorder.overflow(self.device.nodes[-1])
        self.outputs = {value.name: machine.values[value] for value in self.plan.outputs}

    def _ran(self, node: Node, inputs: Sequence[Held], outputs: Sequence[Held]) -> None:
        numbers = self.device.numbers
        read, made = ([(held.desc, numbers(held)) for held in side] for side in (inputs, outputs))
        self.recorder.record(node, read, made)

    def _stored(self, array: Array) -> tuple[int, int]:
        at = self.spool.tell()
        start = -(-at // BLOCK) * BLOCK
        raw = array.tobytes()
        self.spool.write(bytes(start - at) + raw)
        return start, len(raw)

    def _command(self, feeds: Mapping[Value, Array]) -> str:
        number = FRAMEWORKS[self.dialect][1]
        shapes = ";".join(
            f"{self.plan.input_name(value)}:{','.join(map(str, array.shape))}" for value, array in feeds.items()
        )
        weights = [source.path.name for source in self.model.sources[1:]] if self.dialect == "caffe" else []
        words = [
            "atc",
            f"--model={self.path.name}",
            *(f"--weight={one}" for one in weights[:1]),
            f"--framework={number}",
            f"--output={self.request.name}",
            f"--soc_version={self.request.soc}",
            f"--input_shape={shapes}",
        ]
        return " ".join(words)

    def write(self) -> Emulated:
        """Write the offline model and its JSON."""
        size = self.spool.tell()
        self.spool.close()
        spool = self.folder / ".weights"
        about = About(
            self.request.name,
            FRAMEWORKS[self.dialect][0],
            self.command,
            self.request.soc,
            [f"{self.plan.output_name(value)}" for value in self.plan.outputs],
            size,
        )
        made = definition(self.device.nodes, about)
        om, text = self.folder / f"{self.request.name}.om", self.folder / f"{self.request.name}.json"
        weights = [Span(SourceFile(spool), 0, size)] if size else []
        write_om(om, name=self.request.name, definition=made.SerializeToString(deterministic=True), weights=weights)
        text.write_text(json_form.dumps(made), encoding="utf-8")
        spool.unlink()
        groups = {node.name: _covered(group, self.plan.names) for node, group in self.groups.items()}
        self._manifest(groups)
        return Emulated(self.folder, om, text, self.recorder.folder, self.outputs, groups)

    def _manifest(self, groups: Mapping[str, Sequence[str]]) -> None:
        import subcut

        content = {
            "subcut": subcut.__version__,
            "emulated": self.path.name,
            "precision": self.request.precision,
            "faults": list(self.request.faults),
            "groups": groups,
        }
        (self.folder / MANIFEST).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _covered(group: Group, names: Mapping[Op, str]) -> list[str]:
    return [names[op] for op in group.ops]


__all__ = ["Emulated", "Fault", "emulate"]
