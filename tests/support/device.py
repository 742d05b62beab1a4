"""What a device would leave behind, without one: dump trees with random numbers for any offline model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from subcut.compiler.device.dumps.names import make_name
from subcut.compiler.device.dumps.writer import NewDump, NewTensor, write_dump
from subcut.compiler.device.layouts import dtype_of, from_origin
from subcut.compiler.formats.ascend.offline import OfflineModel, OfflineTensor

NOT_RUN = frozenset(("Data", "Const", "NetOutput", "Send", "Recv", "AtomicAddrClean"))
TIME = 1_700_000_000_000_000


def dump_random(
    offline: OfflineModel, folder: Path, *, form: str = "big", inputs: bool = True, outputs: bool = True
) -> dict[tuple[str, int], tuple[str, Any, tuple[int, ...]]]:
    """Dump every operator that runs; returns layout, device array and original shape by operator and output.

    What reads a tensor dumps the numbers of who made it. Without `inputs`, or `outputs`, as dump modes leave out.
    """
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    made: dict[tuple[str, int], tuple[NewTensor, Any, tuple[int, ...]]] = {}
    for op in offline.ops:
        for k, tensor in enumerate(op.outputs):
            made[op.name, k] = _random(tensor, rng)
    for number, op in enumerate(offline.ops):
        if op.type in NOT_RUN:
            continue
        edges = [edge.rpartition(":") for edge in op.inputs if edge and not edge.endswith(":-1")]
        read = [made[name, int(index)][0] for name, _, index in edges] if inputs else []
        wrote = [made[op.name, k][0] for k in range(len(op.outputs))] if outputs else []
        dump = NewDump(op.name, read, wrote, TIME + number)
        write_dump(folder / make_name(op.type, op.name, number, TIME + number), dump, form)
    return {port: (tensor.layout, array, shape) for port, (tensor, array, shape) in made.items()}


def _random(tensor: OfflineTensor, rng: np.random.Generator) -> tuple[NewTensor, Any, tuple[int, ...]]:
    dtype = dtype_of(tensor.type_name)
    shape = tensor.origin_shape if tensor.origin_shape is not None else tensor.shape
    plain = rng.integers(-60, 60, shape).astype(dtype)
    layout = tensor.origin_layout if tensor.origin_layout and len(shape) == 4 else "ND"
    array = from_origin(plain, layout, tensor.layout) if tensor.layout != layout and len(shape) else plain
    stored = np.ascontiguousarray(array).reshape(tensor.shape)
    new = NewTensor(stored, tensor.type_name, tensor.layout, tensor.shape, tuple(shape), group=tensor.group)
    return new, stored, tuple(shape)
