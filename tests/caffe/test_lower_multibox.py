"""SSD's loss against its definition written out box by box, over random nets and numbers."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.caffe_boxes import Box, boxes, heads, overlap, size
from support.caffe_models import read_net
from support.models import shared

from subcut.compiler.errors import UserError
from subcut.compiler.formats import ReadOptions, package
from subcut.compiler.formats.caffe.run import run

FLT_MIN = np.finfo(np.float32).tiny


@dataclass(frozen=True)
class Settings:
    images: int = 2
    priors: int = 5
    classes: int = 3
    rows: int = 4
    shared: bool = True
    by_prior: bool = True
    code: str = "CORNER"
    in_target: bool = False
    inside: bool = False
    cross: bool = False
    match: str = "PER_PREDICTION"
    enough: float = 0.5
    mining: str = "MAX_NEGATIVE"
    ratio: float = 3.0
    far: float = 0.5
    sample: int = 4
    nms: tuple[float, int] | None = None
    nms_prior: bool = False
    loss: str = "SOFTMAX"
    loc: str = "SMOOTH_L1"
    background: int = 0
    difficult: bool = True
    weight: float = 1.0
    divisor: str = "VALID"

    @property
    def groups(self) -> int:
        return 1 if self.shared else self.classes

    @property
    def labels(self) -> list[int]:
        """The classes that have locations of their own; -1 for all."""
        return [-1] if self.shared else [c for c in range(self.classes) if c != self.background]

    def net(self, more: str = "") -> str:
        nms = "" if self.nms is None else f"nms_param {{ nms_threshold: {self.nms[0]} top_k: {self.nms[1]} }}"
        flags = {
            "share_location": self.shared,
            "use_prior_for_matching": self.by_prior,
            "encode_variance_in_target": self.in_target,
            "bp_inside": self.inside,
            "ignore_cross_boundary_bbox": self.cross,
            "use_prior_for_nms": self.nms_prior,
            "use_difficult_gt": self.difficult,
        }
        params = [f"{name}: {str(flag).lower()}" for name, flag in flags.items()] + [
            f"num_classes: {self.classes} code_type: {self.code} match_type: {self.match} mining_type: {self.mining}",
            f"overlap_threshold: {self.enough} neg_pos_ratio: {self.ratio} neg_overlap: {self.far} {nms}",
            f"sample_size: {self.sample} conf_loss_type: {self.loss} loc_loss_type: {self.loc}",
            f"background_label_id: {self.background} loc_weight: {self.weight} {more}",
        ]
        shapes = {
            "l": (self.images, self.priors * self.groups * 4),
            "c": (self.images, self.priors * self.classes),
            "p": (1, 2, self.priors * 4),
            "t": (1, 1, self.rows, 8),
        }
        tail = 'layer { name: "m" type: "MultiBoxLoss" bottom: "l" bottom: "c" bottom: "p" bottom: "t" top: "y" '
        loss = f"loss_param {{ normalization: {self.divisor} }}"
        return "\n".join([*heads(shapes), f"{tail} multibox_loss_param {{ {' '.join(params)} }} {loss} }}"])


@st.composite
def drawn(draw: st.DrawFn) -> Settings:
    mining = draw(st.sampled_from(["NONE", "MAX_NEGATIVE", "HARD_EXAMPLE"]))
    classes = draw(st.integers(2, 4))
    return Settings(
        images=draw(st.integers(1, 3)),
        priors=draw(st.integers(1, 10)),
        classes=classes,
        rows=draw(st.integers(1, 7)),
        shared=mining != "NONE" or draw(st.booleans()),
        by_prior=draw(st.booleans()),
        code=draw(st.sampled_from(["CORNER", "CENTER_SIZE", "CORNER_SIZE"])),
        in_target=draw(st.booleans()),
        inside=draw(st.booleans()),
        cross=draw(st.booleans()),
        match=draw(st.sampled_from(["BIPARTITE", "PER_PREDICTION"])),
        enough=draw(st.sampled_from([0.05, 0.2, 0.5])),
        mining=mining,
        ratio=draw(st.sampled_from([0.6, 1.5, 3.0])),
        far=draw(st.sampled_from([0.1, 0.5, 1.0])),
        sample=draw(st.sampled_from([1, 4, 64])),
        nms=draw(st.sampled_from([None, (0.0, 3), (0.3, 4), (0.1, -1), (0.5, 0)])),
        nms_prior=draw(st.booleans()),
        loss=draw(st.sampled_from(["SOFTMAX", "LOGISTIC"])),
        loc=draw(st.sampled_from(["SMOOTH_L1", "L2"])),
        background=draw(st.integers(0, classes - 1)),
        difficult=draw(st.booleans()),
        weight=draw(st.sampled_from([1.0, 0.25])),
        divisor=draw(st.sampled_from(["FULL", "VALID", "BATCH_SIZE", "NONE"])),
    )


def decode(s: Settings, prior: Box, variance: Box, code: Box) -> Box:
    code = code if s.in_target else code * variance
    extent = prior[2:] - prior[:2]
    if s.code == "CORNER":
        return prior + code
    if s.code == "CORNER_SIZE":
        return prior + code * np.concatenate([extent, extent])
    centre = code[:2] * extent + (prior[:2] + prior[2:]) / np.float32(2)
    half = np.exp(code[2:]) * extent / np.float32(2)
    return np.concatenate([centre - half, centre + half])


def encode(s: Settings, prior: Box, variance: Box, box: Box) -> Box:
    extent = prior[2:] - prior[:2]
    if s.code == "CORNER":
        code = box - prior
    elif s.code == "CORNER_SIZE":
        code = (box - prior) / np.concatenate([extent, extent])
    else:
        move = ((box[:2] + box[2:]) - (prior[:2] + prior[2:])) / np.float32(2) / extent
        code = np.concatenate([move, np.log((box[2:] - box[:2]) / extent)])
    return code if s.in_target else code / variance


def outside(box: Box) -> np.ndarray:
    return (box < 0) | (box > 1)


@dataclass
class Image:
    """One image: its labelled boxes (label, box) and the codes of the predicted ones by class."""

    truth: list[tuple[int, Box]]
    codes: dict[int, np.ndarray]
    scores: np.ndarray


class Reference:
    def __init__(self, s: Settings, feeds: dict[str, np.ndarray]) -> None:
        self.s = s
        self.prior, self.variance = feeds["p"].reshape(2, s.priors, 4)
        codes = feeds["l"].reshape(s.images, s.priors, s.groups, 4)
        self.images: list[Image] = []
        for i in range(s.images):
            rows = [r for r in feeds["t"].reshape(-1, 8) if int(r[0]) == i and (s.difficult or not r[7])]
            of_class = {label: codes[i, :, 0 if s.shared else label] for label in s.labels}
            scores = feeds["c"][i].reshape(s.priors, s.classes)
            self.images.append(Image([(int(r[1]), r[3:7]) for r in rows], of_class, scores))

    def decoded(self, code: np.ndarray) -> list[Box]:
        return [decode(self.s, *parts) for parts in zip(self.prior, self.variance, code, strict=True)]

    def match(self, truth: list[tuple[int, Box]], boxes: list[Box], label: int) -> tuple[list[int], list[float]]:
        s = self.s
        mine = [i for i, (other, _) in enumerate(truth) if label in (-1, other)]
        found, most = [-1] * len(boxes), [0.0] * len(boxes)
        if not mine:
            return found, most
        table: dict[tuple[int, int], float] = {}
        for i, box in enumerate(boxes):
            if s.cross and outside(box).any():
                found[i] = -2
                continue
            for j in mine:
                value = overlap(box, truth[j][1])
                if value > 1e-6:
                    table[i, j] = value
                    most[i] = max(most[i], value)
        free = set(mine)
        while True:
            pairs = [(-v, i, j) for (i, j), v in table.items() if found[i] == -1 and j in free]
            if not pairs:
                break
            _, i, j = min(pairs)
            found[i] = j
            most[i] = table[i, j]
            free.remove(j)
        if s.match == "PER_PREDICTION":
            for i in range(len(boxes)):
                pairs = [(-v, i, j) for (k, j), v in table.items() if k == i and v >= np.float32(s.enough)]
                if found[i] == -1 and pairs:
                    found[i] = min(pairs)[2]
        return found, most

    def matches(self, image: Image) -> tuple[dict[int, list[int]], dict[int, list[float]]]:
        s = self.s
        if not image.truth:
            return {}, {}
        if not s.by_prior:
            both = {n: self.match(image.truth, self.decoded(image.codes[n]), n) for n in s.labels}
            return {n: b[0] for n, b in both.items()}, {n: b[1] for n, b in both.items()}
        found, most = self.match(image.truth, list(self.prior), -1)
        if s.shared:
            return {-1: found}, {-1: most}
        own = {n: [m if m > -1 and image.truth[m][0] == n else -1 for m in found] for n in s.labels}
        return own, dict.fromkeys(s.labels, most)

    def class_loss(self, scores: np.ndarray, target: np.ndarray | int) -> float:
        if self.s.loss == "SOFTMAX":
            likely = np.exp(scores - scores.max())
            return float(-np.log(max((likely / likely.sum())[target], FLT_MIN)))
        if isinstance(target, int):
            target = np.arange(self.s.classes) == target
        return float((np.log1p(np.exp(-np.abs(scores))) - scores * (target * 1 - (scores >= 0))).sum())

    def location_loss(self, image: Image, label: int, prior: int, box: Box) -> float:
        s = self.s
        p, v, code = self.prior[prior], self.variance[prior], image.codes[label][prior]
        wanted = encode(s, p, v, box)
        difference = code - wanted
        if s.inside:
            difference = np.where(outside(p if s.by_prior else decode(s, p, v, code)), np.float32(0), difference)
        difference = np.abs(difference / v if s.in_target else difference)
        if s.loc == "L2":
            return float((difference**2 / 2).sum())
        return float(np.where(difference < 1, difference**2 / 2, difference - 0.5).sum())

    def suppressed(self, image: Image, label: int, ranked: list[int]) -> list[int]:
        s = self.s
        assert s.nms is not None
        boxes = list(self.prior) if s.nms_prior else self.decoded(image.codes[label])
        kept: list[int] = []
        for i in ranked if s.nms[1] < 0 else ranked[: s.nms[1]]:
            apart = all(overlap(boxes[k], boxes[i]) <= np.float32(s.nms[0]) for k in kept)
            if size(boxes[i]) >= 1e-5 and apart:
                kept.append(i)
        return kept

    def mine(self, image: Image, found: dict[int, list[int]], most: dict[int, list[float]]) -> list[int]:
        """The negatives; of `found`, what is not chosen is taken away."""
        s, negatives = self.s, list[int]()
        for label, match in found.items():
            loss: list[float] = []
            for i, m in enumerate(match):
                loss.append(self.class_loss(image.scores[i], image.truth[m][0] if m > -1 else s.background))
                if s.mining == "HARD_EXAMPLE" and m > -1:
                    loss[i] += self.location_loss(image, label, i, image.truth[m][1])
            may = [i for i, m in enumerate(match) if s.mining == "HARD_EXAMPLE" or (m == -1 and most[label][i] < s.far)]
            positives = sum(m > -1 for m in match)
            number = s.sample if s.mining == "HARD_EXAMPLE" else int(np.float32(positives) * np.float32(s.ratio))
            number = min(number, len(may))
            ranked = sorted(may, key=lambda i: -loss[i])
            if s.nms is not None and s.nms[0] > 0:
                ranked = self.suppressed(image, label, ranked)
            chosen = set(ranked[:number])
            negatives += [i for i, m in enumerate(match) if m == -1 and i in chosen]
            if s.mining == "HARD_EXAMPLE":
                found[label] = [-1 if m > -1 and i not in chosen else m for i, m in enumerate(match)]
        return negatives

    def value(self) -> float:
        s, matched, location, confidence = self.s, 0, 0.0, 0.0
        targets = np.full(s.images * s.priors * s.classes, s.background, np.float32)
        for number, image in enumerate(self.images):
            found, most = self.matches(image)
            negatives = self.mine(image, found, most) if s.mining != "NONE" else []
            target = [s.background] * s.priors
            for label, match in found.items():
                for i, m in enumerate(match):
                    if m < 0:
                        continue
                    matched += 1
                    location += self.location_loss(image, label, i, image.truth[m][1])
                    target[i] = image.truth[m][0]
                    targets[number * s.priors + i * s.classes + target[i]] = 1
                    if s.mining != "NONE":
                        confidence += self.class_loss(image.scores[i], self.filled(target[i]))
            confidence += sum(self.class_loss(image.scores[i], self.filled(s.background)) for i in negatives)
            if s.mining == "NONE" and s.loss == "SOFTMAX":
                confidence += sum(self.class_loss(row, t) for row, t in zip(image.scores, target, strict=True))
        if s.mining == "NONE" and s.loss == "LOGISTIC":
            table = targets.reshape(s.images, s.priors, s.classes)
            scores = [row for image in self.images for row in image.scores]
            confidence = sum(self.class_loss(r, t) for r, t in zip(scores, table.reshape(-1, s.classes), strict=True))
        divisors = {"FULL": s.images * s.priors, "VALID": matched, "BATCH_SIZE": s.images, "NONE": 1}
        return (s.weight * location + confidence) / max(divisors[s.divisor], 1)

    def filled(self, label: int) -> np.ndarray | int:
        """What the classes should be: the number of the background class where they are not `label`."""
        if self.s.loss == "SOFTMAX":
            return label
        return np.where(np.arange(self.s.classes) == label, 1, self.s.background)


def inputs(s: Settings, seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = np.zeros((1, 1, s.rows, 8))
    truth[..., 0] = random.integers(-1, s.images, s.rows)
    truth[..., 1] = random.choice([c for c in range(s.classes) if c != s.background], s.rows)
    truth[..., 3:7] = boxes(random, s.rows)
    truth[..., 7] = random.integers(0, 4, s.rows) == 0
    variance = random.uniform(0.1, 0.5, s.priors * 4)
    arrays = {
        "l": random.standard_normal((s.images, s.priors * s.groups * 4)) * 0.3,
        "c": random.standard_normal((s.images, s.priors * s.classes)),
        "p": np.stack([boxes(random, s.priors).ravel(), variance])[None],
        "t": truth,
    }
    return {name: array.astype(np.float32) for name, array in arrays.items()}


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(s=drawn(), seed=st.integers(0, 2**32 - 1))
def test_multibox_loss(s: Settings, seed: int) -> None:
    feeds = inputs(s, seed)
    with tempfile.TemporaryDirectory() as folder:
        found = run(read_net(Path(folder), s.net()), feeds, ["y"])["y"]
    assert found.shape == ()
    np.testing.assert_allclose(found, Reference(s, feeds).value(), rtol=2e-5, atol=2e-6)


def test_the_loss_of_a_real_net() -> None:
    net = shared("caffe/prototxt/voc_MobileNetSSD_train.prototxt")
    s = Settings(images=2, priors=1917, classes=21, rows=9, code="CENTER_SIZE")
    feeds = inputs(s, 7)
    names = {"mbox_loc": "l", "mbox_conf": "c", "mbox_priorbox": "p", "label": "t"}
    model = package("caffe").read(net, ReadOptions(phase="TRAIN"))
    found = run(model, {name: feeds[short] for name, short in names.items()}, ["mbox_loss"])["mbox_loss"]
    np.testing.assert_allclose(found, Reference(s, feeds).value(), rtol=2e-5)


WRONG = {
    "mining_type: MAX_NEGATIVE share_location: false": "needs `share_location`",
    "background_label_id: 3": "`background_label_id` is none of 3 classes",
    "map_object_to_agnostic: true": "needs 2 classes",
    "num_classes: 0": "`num_classes` must be positive",
    "num_classes: 4": "need 20 locations and 20 confidences",
}


@pytest.mark.parametrize("params", WRONG)
def test_what_is_refused(params: str, tmp_path: Path) -> None:
    s = Settings()
    with pytest.raises(UserError, match=WRONG[params]) as caught:
        run(read_net(tmp_path, s.net(params)), inputs(s, 1), ["y"])
    assert caught.value.code == "not-lowerable"
