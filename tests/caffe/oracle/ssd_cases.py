"""Small nets of SSD's and Faster R-CNN's layers, and numbers to feed them: boxes, labels, scores that make sense.

Read like `layer_cases.py`, from which it takes the text of layers. No two scores of a case are the same: Caffe's sorts
do not say in which order they leave such. (A `Proposal` gives boxes below `min_size` a score of 0.)
"""

import itertools
import zlib

import layer_cases
import numpy as np
from layer_cases import layer, net_of, parsed

IMAGES, PRIORS, CLASSES, BOXES = 3, 12, 4, 7


def multibox(params="", more="", classes=CLASSES, groups=1, images=IMAGES):
    """A `MultiBoxLoss` and its inputs: locations, confidences, priors, labelled boxes."""
    inputs = (
        f"loc {images}x{PRIORS * groups * 4} small; conf {images}x{PRIORS * classes}; "
        f"prior 1x2x{PRIORS * 4} priors; truth 1x1x{BOXES}x8 truth{images}.{classes}"
    )
    text = f"multibox_loss_param {{ num_classes: {classes} {params} }} {more}"
    return inputs, layer("MultiBoxLoss", text, "loc conf prior truth", "y")


def evaluate(params="", rows=20):
    """A `DetectionEvaluate` and its inputs: detections, labelled boxes."""
    inputs = f"found 1x1x{rows}x7 found; truth 1x1x{BOXES * 2}x8 truth{IMAGES}.{CLASSES}"
    text = f"detection_evaluate_param {{ num_classes: {CLASSES} {params} }}"
    return inputs, layer("DetectionEvaluate", text, "found truth", "y")


def sized(params="", resize="", file="sizes.txt"):
    """A `DetectionEvaluate` that is told the sizes of images by a file beside this one."""
    resize = f"resize_param {{ height: 30 width: 40 resize_mode: {resize} }}" if resize else ""
    return evaluate(f'name_size_file: "{file}" {params} {resize}', 60)


def detect(params="", nms=""):
    """A `DetectionOutput` and its inputs."""
    inputs = f"loc {IMAGES}x{PRIORS * 4} small; conf {IMAGES}x{PRIORS * CLASSES} scores; prior 1x2x{PRIORS * 4} priors"
    text = f"detection_output_param {{ num_classes: {CLASSES} {params} nms_param {{ {nms} }} }}"
    return inputs, layer("DetectionOutput", text, "loc conf prior", "y")


def propose(params, image="64, 80, 1, 1.5"):
    """A `Proposal` of 6 anchors and its inputs."""
    inputs = f"s 1x12x4x5 scores; d 1x24x4x5 small; i 1x4 ={image.replace(' ', '')}"
    text = f"proposal_param {{ ratio: 0.5 ratio: 1 ratio: 2 scale: 1 scale: 2 {params} }}"
    return inputs, layer("Proposal", text, "s d i", "y z")


CODES = ("CORNER", "CENTER_SIZE", "CORNER_SIZE")
CASES = {
    "multibox": multibox(),
    "multibox-bipartite": multibox("match_type: BIPARTITE overlap_threshold: 0.05"),
    "multibox-few": multibox("neg_pos_ratio: 0.7 neg_overlap: 0.2 overlap_threshold: 0.3"),
    "multibox-l2": multibox("loc_loss_type: L2 loc_weight: 2.5"),
    "multibox-logistic": multibox("conf_loss_type: LOGISTIC"),
    "multibox-predicted": multibox("use_prior_for_matching: false overlap_threshold: 0.2"),
    "multibox-cross": multibox("ignore_cross_boundary_bbox: true neg_overlap: 0.9 neg_pos_ratio: 9"),
    "multibox-cross-predicted": multibox("ignore_cross_boundary_bbox: true use_prior_for_matching: false"),
    "multibox-inside": multibox("bp_inside: true"),
    "multibox-inside-predicted": multibox("bp_inside: true use_prior_for_matching: false code_type: CENTER_SIZE"),
    "multibox-easy": multibox("use_difficult_gt: false overlap_threshold: 0.1"),
    "multibox-agnostic": multibox("map_object_to_agnostic: true", classes=2),
    "multibox-background": multibox("background_label_id: 3"),
    "multibox-all": multibox("mining_type: NONE"),
    "multibox-all-logistic": multibox("mining_type: NONE conf_loss_type: LOGISTIC"),
    "multibox-all-agnostic": multibox("mining_type: NONE map_object_to_agnostic: true", classes=2),
    "multibox-apart": multibox("mining_type: NONE share_location: false", groups=CLASSES),
    "multibox-apart-predicted": multibox(
        "mining_type: NONE share_location: false use_prior_for_matching: false overlap_threshold: 0.2", groups=CLASSES
    ),
    "multibox-apart-logistic": multibox(
        "mining_type: NONE share_location: false use_prior_for_matching: false conf_loss_type: LOGISTIC"
        " overlap_threshold: 0.1 background_label_id: 3",
        groups=CLASSES,
    ),
    "multibox-hard": multibox("mining_type: HARD_EXAMPLE sample_size: 5"),
    "multibox-hard-all": multibox("mining_type: HARD_EXAMPLE"),
    "multibox-hard-cross": multibox("mining_type: HARD_EXAMPLE sample_size: 6 ignore_cross_boundary_bbox: true"),
    "multibox-hard-logistic": multibox("mining_type: HARD_EXAMPLE sample_size: 4 conf_loss_type: LOGISTIC"),
    "multibox-nms": multibox("neg_overlap: 1 nms_param { nms_threshold: 0.2 top_k: 8 }"),
    "multibox-nms-none": multibox("nms_param { nms_threshold: 0.4 }"),
    "multibox-nms-prior": multibox(
        "mining_type: HARD_EXAMPLE sample_size: 4 use_prior_for_nms: true nms_param { nms_threshold: 0.1 top_k: -1 }"
    ),
    "multibox-no-locations": multibox(
        "", "propagate_down: false propagate_down: true propagate_down: false propagate_down: false"
    ),
    "multibox-one": multibox("code_type: CENTER_SIZE", images=1),
} | {
    f"multibox-{code}-{target}".lower(): multibox(f"code_type: {code} encode_variance_in_target: {target}")
    for code, target in itertools.product(CODES, ("true", "false"))
} | {
    f"multibox-{how}".lower(): multibox("", f"loss_param {{ normalization: {how} }}")
    for how in ("FULL", "BATCH_SIZE", "NONE")
} | {
    "evaluate": evaluate(),
    "evaluate-easy": evaluate("evaluate_difficult_gt: false"),
    "evaluate-low": evaluate("overlap_threshold: 0.1"),
    "evaluate-low-easy": evaluate("overlap_threshold: 0.1 evaluate_difficult_gt: false", 40),
    "evaluate-background": evaluate("background_label_id: 3 overlap_threshold: 0.2"),
    "evaluate-sizes": sized(),
    "evaluate-sizes-low": sized("overlap_threshold: 0.1 evaluate_difficult_gt: false"),
    "evaluate-sizes-lowest": sized("overlap_threshold: 0.001"),
    "evaluate-sizes-dot": sized(file="dot.txt"),
    "evaluate-sizes-warp": sized(resize="WARP"),
    "evaluate-sizes-pad": sized("overlap_threshold: 0.4", "FIT_LARGE_SIZE_AND_PAD"),
    "evaluate-sizes-small": sized(resize="FIT_SMALL_SIZE"),
    "evaluate-sizes-cut": sized("overlap_threshold: 0.4", "FIT_SMALL_SIZE height_scale: 50 width_scale: 45"),
    "detect-adaptive": detect("", "nms_threshold: 0.9 eta: 0.8"),
    "detect-adaptive-top": detect("keep_top_k: 9 confidence_threshold: 0.3", "nms_threshold: 0.7 eta: 0.6 top_k: 7"),
    "detect-adaptive-size": detect("code_type: CENTER_SIZE", "nms_threshold: 0.8 eta: 0.9"),
    "detect": detect("keep_top_k: 20", "nms_threshold: 0.3 top_k: 10"),
    "proposal": propose("min_size: 0"),
    "proposal-small": propose(""),
    "proposal-few": propose("min_size: 0 pre_nms_topn: 40 post_nms_topn: 9 nms_thresh: 0.3"),
    "proposal-apart": propose("nms_thresh: 0.01 min_size: 9 feat_stride: 13"),
    "proposal-base": propose("base_size: 9 min_size: 3", "40, 30.5, 0.5, 2"),
}  # fmt: skip


def inputs(case):
    """The inputs of a case: name, shape and kind of numbers."""
    return parsed(CASES[case][0])


def net_text(case):
    """The prototxt of a case."""
    return net_of(case, *CASES[case])


def boxes(random, number):
    """Corners of boxes that lie in the image for the most part, and overlap often."""
    centre, half = random.uniform(0.1, 0.9, (number, 2)), random.uniform(0.05, 0.35, (number, 2))
    return np.concatenate([centre - half, centre + half], axis=1)


def numbers(seed, shape, kind):
    """Numbers that depend on the text `seed` alone: the same under every version of numpy."""
    random = np.random.RandomState(zlib.crc32(seed.encode()))
    size = int(np.prod(shape))
    if kind.startswith("="):
        values = np.array([float(v) for v in kind[1:].split(",")])
    elif kind == "small":
        values = random.standard_normal(size) * 0.3
    elif kind == "scores":
        values = (random.permutation(size) + 1) / (size + 1)
    elif kind == "priors":
        number = size // 8
        values = np.concatenate([boxes(random, number).ravel(), random.uniform(0.1, 0.5, number * 4)])
    elif kind.startswith("truth"):
        values = truth(random, shape[2], *(int(n) for n in kind[5:].split(".")))
    elif kind == "found":
        values = found(random, shape[2])
    else:
        return layer_cases.numbers(seed, shape, kind)
    return np.asarray(values).astype(np.float32).reshape(shape)


def truth(random, rows, images, classes):
    """Labelled boxes; one row is none, and with several images the last of them has no boxes."""
    table = np.zeros((rows, 8))
    table[:, 0] = np.sort(random.randint(0, max(images - 1, 1), rows))
    table[:, 1] = random.randint(1, classes, rows) if classes < 4 else random.randint(1, 3, rows)
    table[:, 3:7] = np.clip(boxes(random, rows), 0, 1)
    table[:, 7] = random.randint(0, 3, rows) == 0
    table[-1, 0] = -1
    return table


def found(random, rows):
    """Detections, some of them without a class or an image."""
    table = np.zeros((rows, 7))
    table[:, 0], table[:, 1] = random.randint(0, IMAGES, rows), random.randint(1, 3, rows)
    table[:, 2] = (random.permutation(rows) + 1) / (rows + 1)
    table[:, 3:7] = np.clip(boxes(random, rows), 0, 1)
    table[1, 1], table[2, 0] = -1, -1
    return table


def feeds(case):
    """What to feed."""
    return {name: numbers(f"{case}/{name}", shape, kind) for name, shape, kind in inputs(case)}


def weights(case, layer_name, layer_type, index, shape):
    """What a layer stores; none of these does."""
    raise AssertionError(f"{case}: {layer_name} stores nothing")
