"""Boxes as corners (x, y, x, y) for tests of detection: random ones, their overlap, nets that take them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

Box = np.ndarray


def heads(shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
    """The text of an `Input` layer for each blob."""
    return [
        f'layer {{ name: "{n}" type: "Input" top: "{n}" input_param {{ shape {{ '
        + " ".join(f"dim: {d}" for d in shape)
        + " } } }"
        for n, shape in shapes.items()
    ]


def boxes(random: np.random.Generator, number: int) -> np.ndarray:
    """Boxes that overlap often, some of them across the border of the image."""
    centre, half = random.uniform(0.1, 0.9, (number, 2)), random.uniform(0.05, 0.4, (number, 2))
    return np.concatenate([centre - half, centre + half], axis=1)


def size(box: Box) -> np.float32:
    """The area; none of a box whose sides are the wrong way round."""
    return np.prod(box[2:] - box[:2]) if (box[2:] >= box[:2]).all() else np.float32(0)


def overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    if (high <= low).any():
        return 0.0
    inside = np.prod(high - low)
    return float(inside / (size(a) + size(b) - inside))
