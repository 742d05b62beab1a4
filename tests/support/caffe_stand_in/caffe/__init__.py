"""A stand-in with the interface of Caffe's Python module, as far as `pycaffe_worker` uses it, for a few layer types.

Blobs are shared between layers and overwritten in place, and copies are inserted where several layers read a blob, as
Caffe does.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from pathlib import Path

import numpy as np

TEST, TRAIN = 1, 0
__version__ = "1.0.0-stand-in"


def set_mode_cpu() -> None:
    """There is nothing else."""


class _Blob:
    def __init__(self, shape: tuple[int, ...]) -> None:
        self.data = np.zeros(shape, np.float32)

    def reshape(self, *shape: int) -> None:
        self.data = np.zeros(shape, np.float32)


class Net:
    """A net of Input, Power, ReLU and Slice layers."""

    def __init__(self, net: str, phase: int) -> None:
        assert phase in (TEST, TRAIN)
        if "BROKEN" in Path(net).read_text():
            raise RuntimeError("Check failed: it is broken")
        layers = [_fields(line) for line in Path(net).read_text().splitlines() if line.startswith("layer")]
        self.blobs: OrderedDict[str, _Blob] = OrderedDict()
        self._layer_names: list[str] = []
        self._layers: list[dict] = []
        for place, layer in enumerate(layers):
            self._add(layer)
            for top in layer["top"]:
                readers = [other for other in layers[place + 1 :] if top in other["bottom"]]
                if len(readers) > 1 and not any(top in other["top"] for other in readers):
                    copy = f"{top}_{layer['name'][0]}_0_split"
                    self._add(
                        {"name": [copy], "type": ["Split"], "bottom": [top], "top": [f"{copy}_{i}" for i in (0, 1)]}
                    )

    def _add(self, layer: dict) -> None:
        self._layers.append(layer)
        self._layer_names.append(layer["name"][0])
        for top in layer["top"]:
            self.blobs.setdefault(top, _Blob(tuple(map(int, layer.get("dim", ())))))

    def reshape(self) -> None:
        """Sizes are known when a layer runs."""

    def _top_ids(self, index: int) -> list[int]:
        names = list(self.blobs)
        return [names.index(top) for top in self._layers[index]["top"]]

    def _forward(self, start: int, stop: int) -> float:
        for layer in self._layers[start : stop + 1]:
            if layer["type"] == ["Input"]:
                continue
            bottoms = [self.blobs[name].data for name in layer["bottom"]]
            for top, array in zip(layer["top"], _run(layer, bottoms), strict=True):
                if self.blobs[top].data.shape != array.shape:
                    self.blobs[top].data = array.copy()
                self.blobs[top].data[...] = array
        return 0.0


def _fields(line: str) -> dict:
    found: dict = {"bottom": [], "top": []}
    counts: Counter[str] = Counter()
    for name, text, number in re.findall(r'(\w+): (?:"([^"]*)"|([-\d.]+))', line):
        counts[name] += 1
        found.setdefault(name, []).append(text or number)
    return found


def _run(layer: dict, bottoms: list[np.ndarray]) -> list[np.ndarray]:
    kind = layer["type"][0]
    x = bottoms[0]
    if kind == "Split":
        return [x, x]
    if kind == "ReLU":
        return [np.maximum(x, 0)]
    if kind == "Slice":
        return np.split(x, [int(layer["slice_point"][0])], 1)
    scale, shift = (np.float32(layer.get(name, [default])[0]) for name, default in (("scale", 1), ("shift", 0)))
    return [x * scale + shift]
