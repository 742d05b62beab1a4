"""SSD's layers against their definition written out in numpy, box by box, over random nets and numbers."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.caffe_boxes import heads, overlap
from support.caffe_models import read_net

from subcut.compiler.formats.caffe.run import run


@dataclass(frozen=True)
class Settings:
    images: int
    priors: int
    classes: int
    share: bool
    background: int
    code: str
    in_target: bool
    top_k: int
    keep: int
    threshold: float | None
    overlap: float
    eta: float = 1.0

    def text(self) -> str:
        limit = "" if self.threshold is None else f"confidence_threshold: {self.threshold}"
        top_k = "" if self.top_k < 0 else f"top_k: {self.top_k}"
        return (
            f"num_classes: {self.classes} share_location: {str(self.share).lower()} "
            f"background_label_id: {self.background} code_type: {self.code} keep_top_k: {self.keep} {limit} "
            f"variance_encoded_in_target: {str(self.in_target).lower()} "
            f"nms_param {{ nms_threshold: {self.overlap} eta: {self.eta} {top_k} }}"
        )

    @property
    def groups(self) -> int:
        return 1 if self.share else self.classes


SETTINGS = st.builds(
    Settings,
    images=st.integers(1, 3),
    priors=st.integers(1, 12),
    classes=st.integers(2, 4),
    share=st.booleans(),
    background=st.sampled_from([-1, 0, 1]),
    code=st.sampled_from(["CORNER", "CENTER_SIZE", "CORNER_SIZE"]),
    in_target=st.booleans(),
    top_k=st.sampled_from([-1, 0, 1, 5, 400]),
    keep=st.sampled_from([-1, 0, 1, 4, 200]),
    threshold=st.sampled_from([None, 0.3, 0.9, 2.0]),
    overlap=st.sampled_from([0.0, 0.3, 0.5, 0.7, 0.95]),
    eta=st.sampled_from([1.0, 0.95, 0.6]),
)


def decode(s: Settings, prior: np.ndarray, variance: np.ndarray, offset: np.ndarray) -> np.ndarray:
    offset = offset if s.in_target else offset * variance
    low, high = prior[:2], prior[2:]
    if s.code == "CORNER":
        return prior + offset
    if s.code == "CORNER_SIZE":
        return prior + offset * np.concatenate([high - low, high - low])
    centre = offset[:2] * (high - low) + (low + high) / np.float32(2)
    half = np.exp(offset[2:]) * (high - low) / np.float32(2)
    return np.concatenate([centre - half, centre + half])


def suppress(s: Settings, boxes: list[np.ndarray], scores: np.ndarray) -> list[int]:
    best = [i for i in np.argsort(-scores, kind="stable") if s.threshold is None or scores[i] > s.threshold]
    kept: list[int] = []
    limit = np.float32(s.overlap)
    for i in best if s.top_k < 0 else best[: s.top_k]:
        if all(overlap(boxes[i], boxes[j]) <= limit for j in kept):
            kept.append(int(i))
            limit *= np.float32(s.eta) if s.eta < 1 and limit > 0.5 else np.float32(1)
    return kept


def detections(s: Settings, location: np.ndarray, confidence: np.ndarray, priors: np.ndarray) -> np.ndarray:
    prior, variance = priors[0].reshape(2, -1, 4)
    rows: list[list[float]] = []
    for image in range(s.images):
        offsets = location[image].reshape(s.priors, s.groups, 4)
        scores = confidence[image].reshape(s.priors, s.classes)
        found: list[list[float]] = []
        for label in range(s.classes):
            if label == s.background:
                continue
            group = 0 if s.share else label
            boxes = [decode(s, prior[i], variance[i], offsets[i, group]) for i in range(s.priors)]
            for i in suppress(s, boxes, scores[:, label]):
                found.append([image, label, scores[i, label], *boxes[i]])
        if 0 <= s.keep < len(found):
            limit = sorted((row[2] for row in found), reverse=True)[: s.keep]
            found = [row for row in found if limit and row[2] >= limit[-1]]
        rows += found
    return np.array(rows or [[i, *[-1] * 6] for i in range(s.images)], np.float32)[None, None]


def net(s: Settings, params: str) -> str:
    shapes = {
        "l": (s.images, s.priors * s.groups * 4),
        "c": (s.images, s.priors * s.classes),
        "p": (1, 2, s.priors * 4),
    }
    tail = 'layer { name: "d" type: "DetectionOutput" bottom: "l" bottom: "c" bottom: "p" top: "d" '
    return "\n".join([*heads(shapes), f"{tail} detection_output_param {{ {params} }} }}"])


def inputs(s: Settings, seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    corners = np.sort(random.uniform(0, 1, (s.priors, 2, 2)), axis=1)
    corners[:, 1] += 0.01
    variance = random.uniform(0.05, 0.3, (s.priors, 4))
    priors = np.stack([corners.reshape(-1), variance.ravel()])[None]
    location = random.standard_normal((s.images, s.priors * s.groups * 4))
    # Scores that are all different: Caffe does not say in which order it takes those that are not.
    confidence = random.permutation(s.images * s.priors * s.classes) / (s.images * s.priors * s.classes)
    arrays = {"l": location, "c": confidence.reshape(s.images, -1), "p": priors}
    return {name: array.astype(np.float32) for name, array in arrays.items()}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(s=SETTINGS, seed=st.integers(0, 2**32 - 1))
def test_detection_output(s: Settings, seed: int) -> None:
    feeds = inputs(s, seed)
    with tempfile.TemporaryDirectory() as folder:
        found = run(read_net(Path(folder), net(s, s.text())), feeds, ["d"])["d"]
    expected = detections(s, feeds["l"], feeds["c"], feeds["p"])
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6)


def priors(
    sizes: list[tuple[float, float]],
    grid: tuple[int, int],
    image: tuple[int, int],
    step: tuple[float, float],
    offset: float,
) -> list[float]:
    out: list[float] = []
    for h, w in np.ndindex(*grid):
        x, y = (w + offset) * step[1], (h + offset) * step[0]
        for wide, high in sizes:
            corners = [x - wide / 2, y - high / 2, x + wide / 2, y + high / 2]
            out += [c / image[1 - i % 2] for i, c in enumerate(corners)]
    return out


R2, R3 = math.sqrt(2), math.sqrt(3)
PRIORS = {
    "min_size: 30": ([(30, 30)], (75, 60), 0.5, [0.1]),
    "min_size: 30 max_size: 60 aspect_ratio: 2": (
        [(30, 30), (math.sqrt(1800),) * 2, (30 * R2, 30 / R2), (30 / R2, 30 * R2)],
        (75, 60),
        0.5,
        [0.1],
    ),
    "min_size: 20.9 flip: false aspect_ratio: [3, 1, 3] variance: [0.1, 0.1, 0.2, 0.2]": (
        [(20, 20), (20 * R3, 20 / R3)],
        (75, 60),
        0.5,
        [0.1, 0.1, 0.2, 0.2],
    ),
    "min_size: [10, 20] max_size: [15, 30] step: 16 offset: 0.25 variance: 0.3": (
        [(10, 10), (math.sqrt(150),) * 2, (20, 20), (math.sqrt(600),) * 2],
        (16, 16),
        0.25,
        [0.3],
    ),
    "min_size: 40 step_h: 8 step_w: 4 clip: true": ([(40, 40)], (8, 4), 0.5, [0.1]),
    "min_size: 40 img_h: 300 img_w: 120": ([(40, 40)], (100, 40), 0.5, [0.1]),
    "min_size: 40 img_size: 90": ([(40, 40)], (30, 30), 0.5, [0.1]),
}


@pytest.mark.parametrize("params", PRIORS)
def test_prior_box(params: str, tmp_path: Path) -> None:
    sizes, step, offset, variance = PRIORS[params]
    text = (
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 dim: 3 dim: 3 } } }'
        'layer { name: "i" type: "Input" top: "i" input_param { shape { dim: 1 dim: 3 dim: 225 dim: 180 } } }'
        f'layer {{ name: "l" type: "PriorBox" bottom: "x" bottom: "i" top: "y" prior_box_param {{ {params} }} }}'
    )
    image = {"img_h": (300, 120), "img_size": (90, 90)}
    size = next((image[key] for key in image if key in params), (225, 180))
    expected = np.array(priors(sizes, (3, 3), size, step, offset))
    expected = np.clip(expected, 0, 1) if "clip: true" in params else expected
    found = run(read_net(tmp_path, text), {}, ["y"])["y"]
    assert found.shape == (1, 2, expected.size)
    np.testing.assert_allclose(found[0, 0], expected, rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(
        found[0, 1].reshape(-1, 4), np.broadcast_to(np.float32(variance), (expected.size // 4, 4))
    )
