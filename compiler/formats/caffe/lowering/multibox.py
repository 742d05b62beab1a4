"""Lowering of SSD's `MultiBoxLoss`: how wrong locations and classes of the predicted boxes are.

Source: weiliu89/caffe, branch ssd, src/caffe/layers/multibox_loss_layer.cpp and util/bbox_util.cpp. The layer forgets
the matches of one run only in a backward pass; what is lowered is a run that none came before.
"""

from __future__ import annotations

import numpy as np

from subcut.compiler.formats.caffe.layer import Message, legacy
from subcut.compiler.formats.caffe.lowering.boxes import code_type, encode
from subcut.compiler.formats.caffe.lowering.losses import mode, normalizer, sigmoid_terms, smooth_l1_terms
from subcut.compiler.formats.caffe.lowering.matching import Task, candidates, matches
from subcut.compiler.formats.caffe.lowering.mining import Examples, by_image, mine
from subcut.compiler.formats.caffe.lowering.program import Lowered, f32, i64
from subcut.compiler.formats.caffe.lowering.truth import Truth, read_truth

LOSSES = ("SOFTMAX", "LOGISTIC")
MINING = ("NONE", "MAX_NEGATIVE", "HARD_EXAMPLE")


def multibox_loss(at: Lowered) -> None:
    """The loss of the locations of matched boxes, weighed, plus that of the classes of matched and chosen boxes."""
    task = _task(at)
    found = matches(at, task)
    wrong = _location_loss(at, task)
    matched, examples = found.matched, None
    if _mined(task.p):
        loss = _class_loss(at, task, _target(at, task, found.matched, agnostic=False))
        if task.p.enum("mining_type", MINING, "MAX_NEGATIVE") == "HARD_EXAMPLE":
            loss = at.emit("Add", loss, by_image(at, task, _where(at, matched, wrong), "max"))
        examples = mine(at, task, found, loss)
        own = at.emit("Where", task.truth.valid, task.truth.image, i64(0))
        matched = at.emit("Mul", matched, at.emit("Gather", examples.positive, own, axis=0))
    parts = [at.emit("Mul", _sum(at, _where(at, matched, wrong)), f32(task.p.real("loc_weight", 1.0)))]
    parts.append(_confidence_loss(at, task, matched, examples))
    divisor = normalizer(at, mode(at.layer.param("loss_param"), "VALID"), task.images, task.priors, matched)
    parts = [part for part, counts in zip(parts, _propagated(at), strict=True) if counts]
    total = at.emit("Sum", f32(0), *(at.emit("Div", part, divisor) for part in parts))
    at.emit("Identity", total, out=at.outputs[0])


def _mined(p: Message) -> bool:
    return p.enum("mining_type", MINING, "MAX_NEGATIVE") != "NONE"


def _propagated(at: Lowered) -> list[bool]:
    """Whether the loss of locations and that of classes count: those without a gradient do not."""
    stated = at.layer.root.fields.get("propagate_down", [])
    stated = stated if isinstance(stated, list) else [stated]
    flags = [Message({"flag": flag}, "propagate_down.").flag("flag") for flag in stated]
    return [*flags[:2], True, True][:2] if flags else [True, True]


def _sum(at: Lowered, values: str) -> str:
    return at.emit("ReduceSum", values, keepdims=0)


def _where(at: Lowered, mask: str, values: str) -> str:
    """`values` where `mask` is not 0, else 0: what is left out need not be a number."""
    return at.emit("Where", at.cast(mask, np.bool_), values, f32(0))


def _task(at: Lowered) -> Task:
    p = at.layer.param("multibox_loss_param")
    classes, background = p.integer("num_classes"), p.integer("background_label_id")
    images, priors = at.layer.bottom()[0], legacy(at.layer.bottom(2))[2] // 4
    shared = p.flag("share_location", True)
    groups = 1 if shared else classes
    _check(at, p, priors * groups * 4, priors * classes)
    location = at.emit("Transpose", at.reshape(at.inputs[0], (images, priors, groups, 4)), perm=[0, 2, 1, 3])
    prior = at.reshape(at.inputs[2], (2, priors, 4))
    corners, variance = (at.emit("Gather", prior, i64(i), axis=0) for i in (0, 1))
    truth = _counted(at, p, read_truth(at, at.inputs[3], ends=False), images)
    usable = _between(at, truth.label, classes)
    usable = at.emit("And", usable, at.emit("Not", at.emit("Equal", truth.label, i64(background))))
    usable = at.emit("And", truth.valid, truth.valid if shared else usable)
    own = truth.image if shared else at.emit("Add", at.emit("Mul", truth.image, i64(classes)), truth.label)
    return Task(
        p=p,
        images=images,
        priors=priors,
        classes=classes,
        background=background,
        prior=corners,
        variance=variance,
        location=at.reshape(location, (images * groups, priors, 4)),
        confidence=at.reshape(at.inputs[1], (images, priors, classes)),
        truth=truth,
        own=at.emit("Where", usable, own, i64(0)),
        usable=usable,
    )


def _check(at: Lowered, p: Message, locations: int, confidences: int) -> None:
    """What Caffe checks."""
    classes, background = p.integer("num_classes"), p.integer("background_label_id")
    if classes < 1:
        raise ValueError("`num_classes` must be positive")
    if not locations:
        raise ValueError("it has no priors")
    if _mined(p) and not p.flag("share_location", True):
        raise ValueError("`mining_type` other than NONE needs `share_location`")
    if (legacy(at.layer.bottom())[1], legacy(at.layer.bottom(1))[1]) != (locations, confidences):
        raise ValueError(f"its priors need {locations} locations and {confidences} confidences for each image")
    if p.flag("map_object_to_agnostic") and classes != 2:
        raise ValueError("`map_object_to_agnostic` needs 2 classes")
    softmax = p.enum("conf_loss_type", LOSSES, "SOFTMAX") == "SOFTMAX"
    if not 0 <= background < classes and (softmax or _mined(p)):
        raise ValueError(f"`background_label_id` is none of {classes} classes")


def _between(at: Lowered, value: str, end: int) -> str:
    """Whether whole numbers are at least 0 and less than `end`."""
    return at.emit("And", at.emit("GreaterOrEqual", value, i64(0)), at.emit("Less", value, i64(end)))


def _counted(at: Lowered, p: Message, truth: Truth, images: int) -> Truth:
    """The labelled boxes, those of no image and, if so wanted, the difficult ones no longer valid."""
    valid = at.emit("And", truth.valid, _between(at, truth.image, images))
    if not p.flag("use_difficult_gt", True):
        valid = at.emit("And", valid, at.emit("Not", truth.difficult))
    return Truth(truth.image, truth.label, truth.corners, valid, truth.difficult)


def _location_loss(at: Lowered, task: Task) -> str:
    """What each labelled box costs with each predicted one: boxes x priors."""
    p = task.p
    truth = at.emit("Unsqueeze", task.truth.corners, i64([1]))
    wanted = encode(at, code_type(p), task.prior, truth)
    given = at.emit("Gather", task.location, task.own, axis=0)
    in_target = p.flag("encode_variance_in_target")
    wanted = wanted if in_target else at.emit("Div", wanted, task.variance)
    difference = at.emit("Sub", given, wanted)
    if in_target:
        difference = at.emit("Sub", *(at.emit("Div", side, task.variance) for side in (given, wanted)))
    if p.flag("bp_inside"):
        box = candidates(at, task)
        outside = at.emit("Or", at.emit("Less", box, f32(0)), at.emit("Greater", box, f32(1)))
        difference = at.emit("Where", outside, f32(0), difference)
    if p.enum("loc_loss_type", ("L2", "SMOOTH_L1"), "SMOOTH_L1") == "L2":
        terms = at.emit("Mul", f32(0.5), at.emit("Mul", difference, difference))
    else:
        terms = smooth_l1_terms(at, difference)
    return at.emit("ReduceSum", terms, i64([-1]), keepdims=0)


def _labels(at: Lowered, task: Task, agnostic: bool) -> str:
    """The class that a labelled box stands for: one of all objects, or its own."""
    one = at.emit("Expand", i64(task.background + 1), at.emit("Shape", task.truth.label))
    return one if agnostic else task.truth.label


def _target(at: Lowered, task: Task, matched: str, agnostic: bool) -> str:
    """The class that each box should have (images x priors); of several the last, as Caffe writes them in order."""
    after = at.cast(at.emit("Add", _labels(at, task, agnostic), i64(1)), np.float32)
    best = by_image(at, task, at.emit("Mul", matched, at.emit("Unsqueeze", after, i64([1]))), "max")
    some = at.emit("Greater", best, f32(0))
    return at.emit("Where", some, at.emit("Sub", at.cast(best, np.int64), i64(1)), i64(task.background))


def _class_loss(at: Lowered, task: Task, target: str) -> str:
    """How wrong the confidences of each box are when `target` is its one class: images x priors."""
    if task.p.enum("conf_loss_type", LOSSES, "SOFTMAX") == "LOGISTIC":
        return _logistic(at, task, at.cast(_chosen(at, task, target), np.float32))
    likely = at.emit("Max", at.emit("Softmax", task.confidence, axis=2), f32(np.finfo(np.float32).tiny))
    own = at.emit("GatherElements", likely, at.emit("Unsqueeze", target, i64([2])), axis=2)
    return at.reshape(at.emit("Neg", at.emit("Log", own)), (task.images, task.priors))


def _logistic(at: Lowered, task: Task, target: str) -> str:
    return at.emit("ReduceSum", sigmoid_terms(at, task.confidence, target), i64([2]), keepdims=0)


def _chosen(at: Lowered, task: Task, target: str) -> str:
    """Whether a class is the target: images x priors x classes (bool)."""
    return at.emit("Equal", at.emit("Unsqueeze", target, i64([2])), i64([[range(task.classes)]]))


def _confidence_loss(at: Lowered, task: Task, matched: str, examples: Examples | None) -> str:
    """The sum over the examples, or over all boxes."""
    agnostic = task.p.flag("map_object_to_agnostic")
    target = _target(at, task, matched, agnostic)
    if task.p.enum("conf_loss_type", LOSSES, "SOFTMAX") == "SOFTMAX":
        loss = _class_loss(at, task, target)
    else:
        hits = _chosen(at, task, target) if examples else _scattered(at, task, matched, agnostic)
        # Caffe fills the targets with the number of the background class, whatever that means.
        loss = _logistic(at, task, at.emit("Where", hits, f32(1), f32(task.background)))
    if examples is None:
        return _sum(at, loss)
    return _sum(at, at.emit("Mul", loss, at.emit("Max", examples.positive, examples.negative)))


def _scattered(at: Lowered, task: Task, matched: str, agnostic: bool) -> str:
    """Whether a class is a target of a box, when no boxes are chosen: images x priors x classes (bool).

    From one image to the next Caffe goes `priors` numbers on, not `priors` times `classes`.
    """
    shape = (task.images, task.priors, task.classes)
    labels = at.emit("Where", task.usable, _labels(at, task, agnostic), i64(0))
    images = at.emit("Where", task.usable, task.truth.image, i64(0))
    start = at.emit("Add", at.emit("Mul", images, i64(task.priors)), labels)
    steps = i64([[i * task.classes for i in range(task.priors)]])
    places = at.reshape(at.emit("Add", at.emit("Unsqueeze", start, i64([1])), steps), (-1,))
    zeros = np.zeros(task.images * task.priors * task.classes, np.float32)
    hits = at.emit("ScatterElements", zeros, places, at.reshape(matched, (-1,)), axis=0, reduction="max")
    return at.cast(at.reshape(hits, shape), np.bool_)
