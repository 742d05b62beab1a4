"""Weights that the vendor's compiler stored in a real offline model, against the original model's constants."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from support.models import shared

from subcut.compiler.device.layouts import from_origin, nonzero_padding, to_origin
from subcut.compiler.export import load
from subcut.compiler.ir.graph import Model, Op

STORED = {
    "FRACTAL_Z": ["generation/g_h1/w", "generation/g_h2/w", "recognition/d_h1/w", "recognition/d_h2/w"],
    "FRACTAL_NZ": ["generation/z_matrix/Matrix", "recognition/w_mean/Matrix", "recognition/w_stddev/Matrix"],
}
"""Constants of the original that the offline model has, in a device's layout."""


def constants(path: Path) -> tuple[Model, list[Op]]:
    model = load(path)
    return model, [op for op in model.main.ops if model.dialect.is_stored(op)]


def value(op: Op) -> np.ndarray[Any, Any]:
    return np.asarray(op.attributes["value"].numpy())


def test_weights_of_a_real_model_are_the_originals() -> None:
    """Bit by bit after rounding to float16, both ways, and with zeros in the padding."""
    _, stored = constants(shared("ascend/hh/hh_om.om"))
    _, originals = constants(shared("ascend/hh/hh.pb"))
    wanted = {op.name: value(op).astype("float16") for op in originals}
    found: dict[str, list[str]] = {layout: [] for layout in STORED}
    for op in stored:
        type = op.results[0].type
        if type.layout not in STORED:
            continue
        described = op.attributes["output_desc"][0]["attr"]
        origin, shape = described["origin_format"], tuple(described["origin_shape"])
        device = value(op)
        read = to_origin(device, type.layout, origin, shape)
        assert nonzero_padding(device, type.layout, origin, shape) == 0
        assert from_origin(np.ascontiguousarray(read), origin, type.layout).tobytes() == device.tobytes()
        same = [name for name, array in wanted.items() if array.shape == shape and array.tobytes() == read.tobytes()]
        assert len(same) == 1
        found[type.layout] += same
    assert {layout: sorted(names) for layout, names in found.items()} == STORED
