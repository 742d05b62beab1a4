"""One emulation from the first operator to the files: what runs in which order, what is kept, what is written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subcut.compiler.export import FORMAT_OF
from subcut.compiler.formats import open_pieces
from subcut.compiler.formats.ascend import json_form
from subcut.compiler.formats.ascend.container import write_om
from subcut.compiler.ir.graph import Model, Value
from subcut.compiler.storage.files import SourceFile, Span
from subcut.compiler.storage.folder import MANIFEST
from subcut.emulator.definition import About, definition, description
from subcut.emulator.device import Device
from subcut.emulator.fusion import Fusion, Group
from subcut.emulator.machine import Machine
from subcut.emulator.numerics import PRECISIONS
from subcut.emulator.offline import Held, Node
from subcut.emulator.plan import Plan
from subcut.emulator.quantise import Quantised, names_file
from subcut.emulator.recorder import Recorder
from subcut.emulator.request import Request, chosen_faults, fed
from subcut.emulator.statics import Statics

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

BLOCK = 512
"""Bytes that weights are aligned to."""
FRAMEWORKS = {"caffe": ("Caffe", 0), "tf": ("TensorFlow", 3), "onnx": ("Onnx", 5)}
"""What the offline model calls the format, and atc's number for it."""


class Execution:
    """One emulation that is going on, in a folder that appears when it is over."""

    def __init__(self, model: Model, path: Path, request: Request, folder: Path) -> None:
        self.model, self.path, self.request, self.folder = model, path, request, folder
        self.framework, self.number = FRAMEWORKS[model.dialect.name]
        self.plan = Plan(model, request.outputs)
        self.pieces = open_pieces(FORMAT_OF[model.dialect.name], model)
        self.recorder = Recorder(folder / "dumps", request.name, request.dump, request.seed)
        self.spool = open(folder / ".weights", "w+b")  # noqa: SIM115 - closed by close()
        self.device = Device(PRECISIONS[request.precision], self.plan.image, self._ran, self._stored)
        self.outputs: dict[str, Array] = {}
        self.groups: dict[str, list[str]] = {}
        self.command = ""
        self.quantised: list[Quantised] = []
        self.weights = 0
        """Bytes of all constants."""

    def run(self, inputs: Mapping[str, Array]) -> None:
        """Compute everything, dumping on the way."""
        plan = self.plan
        feeds = fed(self.model, plan, inputs, self.request.seed)
        self.command = self._command(feeds)
        statics = Statics(plan.ops, self.pieces)
        ops = [op for op in plan.ops if op not in statics.ops and op not in plan.makers]
        groups = Fusion(ops, plan.outputs, statics).groups()
        faults = chosen_faults(self.request.faults, groups, plan.names)
        machine = Machine(self.pieces, statics, self.device, plan.names, plan.outputs, faults, self.request.seed)
        for value, array in feeds.items():
            machine.feed(value, plan.input_name(value), array)
        machine.plan(groups)
        self._run(machine, groups, statics)
        for value in plan.outputs:
            if statics.is_static(value):
                machine.give_out(value)
        self.outputs = {value.name: machine.values[value] for value in plan.outputs}
        self.device.output(plan.outputs)
        self.quantised = machine.quantised

    def _run(self, machine: Machine, groups: Sequence[Group], statics: Statics) -> None:
        """Group after group; what nobody reads any more is forgotten."""
        left = dict.fromkeys(self.plan.outputs, 1)
        for group in groups:
            for value in group.inputs(statics):
                left[value] = left.get(value, 0) + 1
        for group in groups:
            first = len(self.device.nodes)
            machine.run(group)
            covered = [self.plan.names[op] for op in group.ops]
            made = [node for node in self.device.nodes[first:] if node.is_run and node.originals != []]
            self.groups |= {node.name: covered for node in made}
            if group in machine.faults and machine.faults[group].kind == "overflow":
                self.recorder.overflow(made[-1])
            for value in group.inputs(statics):
                left[value] -= 1
            for value in [*group.inputs(statics), *group.last.results]:
                if not left.get(value):
                    machine.drop(value)

    def _ran(self, node: Node, inputs: Sequence[Held], outputs: Sequence[Held]) -> None:
        """A task of the device is over."""
        numbers = self.device.numbers
        read, made = ([(held.desc, numbers(held)) for held in side] for side in (inputs, outputs))
        self.recorder.record(node, read, made)

    def _stored(self, array: Array) -> tuple[int, int]:
        """Put a constant's bytes aside; where they will be in the weights."""
        at = self.spool.tell()
        start = -(-at // BLOCK) * BLOCK
        raw = array.tobytes()
        self.spool.write(bytes(start - at) + raw)
        return start, len(raw)

    def _command(self, feeds: Mapping[Value, Array]) -> str:
        """The conversion as atc would have been asked for it."""
        name = self.plan.input_name
        shapes = ";".join(f"{name(value)}:{','.join(map(str, array.shape))}" for value, array in feeds.items())
        weights = [f"--weight={one.path.name}" for one in self.model.sources[1:2]] if self.number == 0 else []
        words = ["atc", f"--model={self.path.resolve().name}", *weights, f"--framework={self.number}"]
        words += [f"--output={self.request.name}", f"--soc_version={self.request.soc}", f"--input_shape={shapes}"]
        return " ".join(words)

    def close(self) -> None:
        """No more is computed."""
        self.pieces.close()
        self.weights = self.spool.tell()
        self.spool.close()

    def write(self) -> dict[str, list[str]]:
        """Write offline model, JSON and manifest; returns the groups by the names of the device's operators."""
        request = self.request
        outputs = [self.plan.output_name(value) for value in self.plan.outputs]
        about = About(request.name, self.framework, self.command, request.soc, outputs, self.weights)
        made = definition(self.device.nodes, about)
        spool = self.folder / ".weights"
        weights = [Span(SourceFile(spool), 0, self.weights)] if self.weights else []
        raw = made.SerializeToString(deterministic=True)
        write_om(
            self.folder / f"{request.name}.om",
            name=request.name,
            definition=raw,
            weights=weights,
            description=description(self.device.nodes, outputs),
        )
        spool.unlink()
        (self.folder / f"{request.name}.json").write_text(json_form.dumps(made), encoding="utf-8")
        if self.quantised:
            listed = names_file(self.quantised, self.plan.ops, self.plan.names, self.plan.image)
            self._write_json(f"{request.name}_quant.json", listed)
        self._manifest()
        return self.groups

    def _manifest(self) -> None:
        import subcut

        content = {
            "subcut": subcut.__version__,
            "emulated": self.path.resolve().name,
            "precision": self.request.precision,
            "faults": list(self.request.faults),
            "groups": self.groups,
        }
        self._write_json(MANIFEST, content)

    def _write_json(self, name: str, content: Mapping[str, Any]) -> None:
        (self.folder / name).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
