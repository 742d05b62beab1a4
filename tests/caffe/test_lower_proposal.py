"""Faster R-CNN's `Proposal` against its definition written out box by box, and against OpenCV's layer."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.caffe_boxes import heads
from support.caffe_models import caffemodel, read_net

from subcut.compiler.errors import UserError
from subcut.compiler.formats.caffe.run import run


@dataclass(frozen=True)
class Settings:
    ratios: tuple[float, ...] = (0.5, 1, 2)
    scales: tuple[float, ...] = (1, 2)
    stride: int = 16
    base: int = 16
    least: int = 16
    before: int = 6000
    after: int = 300
    limit: float = 0.7
    grid: tuple[int, int] = (3, 4)
    image: tuple[float, ...] = (48, 64, 1)

    @property
    def anchors(self) -> int:
        return len(self.ratios) * len(self.scales)

    def text(self) -> str:
        lists = [f"ratio: {r}" for r in self.ratios] + [f"scale: {s}" for s in self.scales]
        return (
            f"feat_stride: {self.stride} base_size: {self.base} min_size: {self.least} {' '.join(lists)} "
            f"pre_nms_topn: {self.before} post_nms_topn: {self.after} nms_thresh: {self.limit}"
        )

    def net(self, params: str | None = None, tops: str = 'top: "rois" top: "scores"', images: int = 1) -> str:
        shapes = {
            "s": (images, 2 * self.anchors, *self.grid),
            "d": (images, 4 * self.anchors, *self.grid),
            "i": (1, len(self.image)),
        }
        tail = f'layer {{ name: "p" type: "Proposal" bottom: "s" bottom: "d" bottom: "i" {tops} '
        return "\n".join(
            [*heads(shapes), f"{tail} proposal_param {{ {self.text() if params is None else params} }} }}"]
        )


SETTINGS = st.builds(
    Settings,
    ratios=st.sampled_from([(1.0,), (0.5, 1, 2), (0.333, 3)]),
    scales=st.sampled_from([(1.0,), (0.5, 2), (8, 16, 32)]),
    stride=st.sampled_from([8, 16]),
    base=st.sampled_from([4, 16]),
    least=st.sampled_from([0, 7, 16]),
    before=st.sampled_from([1, 6, 6000]),
    after=st.sampled_from([1, 5, 300]),
    limit=st.sampled_from([0.0, 0.01, 0.3, 0.7, 1.0]),
    grid=st.sampled_from([(1, 1), (3, 4), (2, 5)]),
    image=st.sampled_from([(48, 64, 1), (40.5, 33, 1.3), (60, 50, 0.5, 2)]),
)


def anchor(s: Settings, ratio: float, scale: float) -> np.ndarray:
    wide = np.floor(np.sqrt(np.float32(s.base**2) / np.float32(ratio)) + np.float32(0.5))
    high = np.floor(wide * np.float32(ratio) + np.float32(0.5))
    half = np.array([wide * np.float32(scale) - 1, high * np.float32(scale) - 1], np.float32) / 2
    centre = np.float32((s.base - 1) / 2)
    return np.concatenate([centre - half, centre + half]).astype(np.float32)


def moved(s: Settings, box: np.ndarray, delta: np.ndarray) -> tuple[np.ndarray, bool]:
    size = box[2:] - box[:2] + 1
    centre = box[:2] + np.float32(0.5) * size + delta[:2] * size
    half = np.float32(0.5) * np.exp(delta[2:]) * size
    edge = np.array([s.image[1], s.image[0]] * 2, np.float32) - 1
    box = np.maximum(0, np.minimum(np.concatenate([centre - half, centre + half]), edge))
    scale = np.array([s.image[3], s.image[2]] if len(s.image) > 3 else [s.image[2]] * 2, np.float32)
    return box, bool((box[2:] - box[:2] + 1 >= s.least * scale).all())


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    if (high < low).any():
        return 0.0
    inside = np.prod(high - low + 1)
    areas = [np.prod(box[2:] - box[:2] + 1) for box in (a, b)]
    return float(inside / (areas[0] + areas[1] - inside))


def proposals(s: Settings, scores: np.ndarray, deltas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    base = [anchor(s, ratio, scale) for ratio in s.ratios for scale in s.scales]
    boxes: list[tuple[float, np.ndarray]] = []
    for y, x in np.ndindex(*s.grid):
        for k, box in enumerate(base):
            shifted = box + np.array([x, y, x, y], np.float32) * s.stride
            found, big = moved(s, shifted, deltas[0, 4 * k : 4 * k + 4, y, x])
            boxes.append((float(scores[0, s.anchors + k, y, x]) * big, found))
    boxes.sort(key=lambda pair: -pair[0])
    kept: list[tuple[float, np.ndarray]] = []
    for score, box in boxes[: s.before]:
        if len(kept) < s.after and all(overlap(other, box) <= np.float32(s.limit) for _, other in kept):
            kept.append((score, box))
    rows = [[0, *box] for _, box in kept]
    return np.array(rows, np.float32), np.array([score for score, _ in kept], np.float32)


def inputs(s: Settings, seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    number = 2 * s.anchors * s.grid[0] * s.grid[1]
    scores = (random.permutation(number) + 1) / (number + 1)
    deltas = random.standard_normal((1, 4 * s.anchors, *s.grid)) * 0.4
    arrays = {"s": scores.reshape(1, -1, *s.grid), "d": deltas, "i": np.array([s.image])}
    return {name: array.astype(np.float32) for name, array in arrays.items()}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(s=SETTINGS, seed=st.integers(0, 2**32 - 1))
def test_proposal(s: Settings, seed: int) -> None:
    feeds = inputs(s, seed)
    with tempfile.TemporaryDirectory() as folder:
        found = run(read_net(Path(folder), s.net()), feeds, ["rois", "scores"])
    rois, scores = proposals(s, feeds["s"], feeds["d"])
    assert found["rois"].shape == rois.shape
    assert found["scores"].shape == scores.shape
    np.testing.assert_allclose(found["rois"], rois, rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(found["scores"], scores)


WEIGHTS = caffemodel("net", {"p": ("Proposal", [])})


@pytest.mark.parametrize("limit", [0.1, 0.5, 0.7, 0.95])
@pytest.mark.parametrize("after", [7, 300])
def test_opencv(limit: float, after: int, tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2", reason="needs opencv-python-headless")
    # OpenCV leaves out the check of `min_size`, and fills up with rows of zeros.
    s = Settings(least=0, limit=limit, after=after, grid=(5, 6), image=(80, 96, 1), scales=(1, 2, 4))
    net = cv2.dnn.readNetFromCaffe(np.frombuffer(s.net().encode(), np.uint8), np.frombuffer(WEIGHTS, np.uint8))
    feeds = inputs(s, 11)
    for name, array in feeds.items():
        net.setInput(array, name)
    rois, scores = net.forwardAndRetrieve(["p"])[0]
    found = run(read_net(tmp_path, s.net()), feeds, ["rois", "scores"])
    number = len(found["rois"])
    assert 2 < number <= after
    assert not rois[number:].any()
    np.testing.assert_allclose(found["rois"], rois[:number], rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(found["scores"], scores[:number, 0])


WRONG = {
    "ratio: 1 scale: 8 iou_threshold: 0.7": "`iou_threshold` belongs to a Proposal",
    "feat_stride: 16 anchor_base_size: 16 max_rois: 300": "`anchor_base_size` belongs to a Proposal",
    "ratio: 1": "`ratio` and `scale` must be given",
    "ratio: 1 scale: [8, 16]": "2 anchors need bottoms of 4 and 8 channels",
    "ratio: 1 scale: 8 post_nms_topn: 0": "must be positive",
}


@pytest.mark.parametrize("params", WRONG)
def test_what_is_refused(params: str, tmp_path: Path) -> None:
    s = Settings(ratios=(1,), scales=(8,))
    with pytest.raises(UserError, match=WRONG[params]) as caught:
        run(read_net(tmp_path, s.net(params)), inputs(s, 1), ["rois"])
    assert caught.value.code == "not-lowerable"


def test_one_image_at_a_time(tmp_path: Path) -> None:
    s = Settings()
    with pytest.raises(UserError, match="takes one image at a time, not 2"):
        run(read_net(tmp_path, s.net(images=2)), {"i": np.ones((1, 3), np.float32)}, ["rois"])
