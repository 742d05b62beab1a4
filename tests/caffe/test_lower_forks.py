"""Layers that no Caffe at hand has, against their definitions written out in numpy, loop by loop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.caffe_models import read_net

from subcut.compiler.errors import UserError
from subcut.compiler.formats.caffe.run import run


def numbers(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def compute(
    folder: Path, layer: str, feeds: dict[str, np.ndarray], *blobs: np.ndarray, tops: str = "y"
) -> list[np.ndarray]:
    """Run one layer named `l`, given without its bottoms and tops."""
    kind = layer.split('"')[1]
    heads = "".join(
        f'layer {{ name: "in_{n}" type: "Input" top: "{n}" input_param {{ shape {{ '
        + " ".join(f"dim: {d}" for d in a.shape)
        + " } } }\n"
        for n, a in feeds.items()
    )
    names = [f'bottom: "{n}"' for n in feeds] + [f'top: "{t}"' for t in tops.split()]
    text = f'{heads}layer {{ name: "l" {" ".join(names)} type: {layer} }}\n'
    model = read_net(folder, text, {"l": (kind, blobs)} if blobs else None)
    return list(run(model, feeds, tops.split()).values())


def close(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=2e-6, atol=2e-6 * float(np.abs(theirs).max(initial=1e-9)))


def test_batch_norm_by_the_statistics_of_the_batch(tmp_path: Path) -> None:
    x = numbers(2, 3, 5, 4) * 3 + 1
    stored = [np.zeros(3), np.zeros(3), np.zeros(1)]
    layer = '"BatchNorm" batch_norm_param { use_global_stats: false eps: 0.01 }'
    mean, variance = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
    close(compute(tmp_path, layer, {"x": x}, *stored)[0], (x - mean) / np.sqrt(variance + 0.01))


def test_batch_norm_without_statistics_yet(tmp_path: Path) -> None:
    x, stored = numbers(2, 3), [numbers(3), numbers(3), np.zeros(1)]
    close(compute(tmp_path, '"BatchNorm" batch_norm_param { eps: 0.25 }', {"x": x}, *stored)[0], x / 0.5)


def test_clip(tmp_path: Path) -> None:
    x = numbers(3, 4)
    close(compute(tmp_path, '"Clip" clip_param { min: -0.5 max: 0.25 }', {"x": x})[0], np.clip(x, -0.5, 0.25))


def test_relu6(tmp_path: Path) -> None:
    x = numbers(3, 4) * 8
    close(compute(tmp_path, '"ReLU6"', {"x": x})[0], np.clip(x, 0, 6))


def test_dropout_that_scales_while_testing(tmp_path: Path) -> None:
    x = numbers(3, 4)
    layer = '"Dropout" dropout_param { dropout_ratio: 0.4 scale_train: false }'
    close(compute(tmp_path, layer, {"x": x})[0], x * np.float32(0.6))


def test_stochastic_pooling_while_testing(tmp_path: Path) -> None:
    x = np.maximum(numbers(2, 3, 7, 6), 0)
    expected = np.zeros((2, 3, 3, 3), np.float32)
    for n, c, h, w in np.ndindex(expected.shape):
        window = x[n, c, h * 2 : h * 2 + 3, w * 2 : w * 2 + 3].astype(np.float64)
        expected[n, c, h, w] = (window**2).sum() / window.sum() if window.sum() > 0 else 0
    x[:, :, :3, :3], expected[:, :, 0, 0] = 0, 0
    for n, c, h, w in np.ndindex(expected.shape):
        window = x[n, c, h * 2 : h * 2 + 3, w * 2 : w * 2 + 3].astype(np.float64)
        expected[n, c, h, w] = (window**2).sum() / window.sum() if window.sum() > 0 else 0
    layer = '"Pooling" pooling_param { pool: STOCHASTIC kernel_size: 3 stride: 2 }'
    close(compute(tmp_path, layer, {"x": x})[0], expected)


@pytest.mark.parametrize("mode", ["round_mode: FLOOR", "ceil_mode: false"])
def test_pooling_that_rounds_down(mode: str, tmp_path: Path) -> None:
    x = numbers(1, 2, 6, 8)
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (2, 3))[:, :, ::2, ::2]
    layer = f'"Pooling" pooling_param {{ kernel_size: 3 stride: 2 {mode} }}'
    close(compute(tmp_path, layer, {"x": x})[0], windows.max((-1, -2)))


@pytest.mark.parametrize("across", [True, False])
@pytest.mark.parametrize("shared", [True, False])
def test_normalize(across: bool, shared: bool, tmp_path: Path) -> None:
    x, scale = numbers(2, 3, 4, 5), numbers(1 if shared else 3, seed=2)
    total = (x.astype(np.float64) ** 2).sum((1, 2, 3) if across else 1, keepdims=True)
    expected = x / np.sqrt(total + 0.5) * scale.reshape(1, -1, 1, 1)
    layer = f'"Normalize" norm_param {{ across_spatial: {across} channel_shared: {shared} eps: 0.5 }}'.lower()
    layer = layer.replace('"normalize"', '"Normalize"')
    close(compute(tmp_path, layer, {"x": x}, scale)[0], expected.astype(np.float32))


def test_normalize_of_next_to_nothing(tmp_path: Path) -> None:
    """Where the length is about as small as the `eps` that a layer has unless told otherwise."""
    x = numbers(2, 3, 4, 5) * np.float32(1e-6)
    total = (x.astype(np.float64) ** 2).sum((1, 2, 3), keepdims=True)
    expected = x / np.sqrt(total + 1e-10)
    close(compute(tmp_path, '"Normalize"', {"x": x}, np.ones(1))[0], expected.astype(np.float32))


def test_padding(tmp_path: Path) -> None:
    x = numbers(2, 3, 4, 5)
    expected = np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)))
    close(compute(tmp_path, '"Padding" padding_param { pad: 2 }', {"x": x})[0], expected)


@pytest.mark.parametrize("weighted", [True, False])
def test_smooth_l1_loss(weighted: bool, tmp_path: Path) -> None:
    x, label, weight = numbers(3, 4) * 2, numbers(3, 4, seed=2), numbers(3, 4, seed=3)
    difference = ((x - label) * (weight if weighted else 1)).astype(np.float64)
    small = np.abs(difference) < 1
    expected = np.where(small, difference**2 / 2, np.abs(difference) - 0.5).sum() / 3
    feeds = {"x": x, "label": label} | ({"w": weight} if weighted else {})
    close(compute(tmp_path, '"SmoothL1Loss"', feeds)[0], np.array(expected, np.float32))


@pytest.mark.parametrize("kind", ["ConvolutionDepthwise", "DepthwiseConvolution"])
def test_depthwise_convolution(kind: str, tmp_path: Path) -> None:
    x, weights, bias = numbers(2, 3, 6, 5), numbers(3, 1, 3, 3, seed=2), numbers(3, seed=3)
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (2, 3)).astype(np.float64)
    expected = np.einsum("nchwij,cij->nchw", windows, weights[:, 0]) + bias.reshape(1, 3, 1, 1)
    layer = f'"{kind}" convolution_param {{ num_output: 3 kernel_size: 3 }}'
    close(compute(tmp_path, layer, {"x": x}, weights, bias)[0], expected.astype(np.float32))


def test_axpy(tmp_path: Path) -> None:
    a, x, y = numbers(2, 3, 1, 1), numbers(2, 3, 4, 2), numbers(2, 3, 4, 2, seed=2)
    close(compute(tmp_path, '"Axpy"', {"a": a, "x": x, "b": y})[0], a * x + y)
    close(compute(tmp_path, '"Axpy"', {"a": a[:, :, 0, 0], "x": x, "b": y})[0], a * x + y)


def test_shuffle_channel(tmp_path: Path) -> None:
    x = numbers(2, 6, 2, 3)
    expected = x[:, [0, 3, 1, 4, 2, 5]]
    close(compute(tmp_path, '"ShuffleChannel" shuffle_channel_param { group: 2 }', {"x": x})[0], expected)


def test_channels_of_one_group_stay(tmp_path: Path) -> None:
    x = numbers(2, 6, 2, 3)
    close(compute(tmp_path, '"ShuffleChannel"', {"x": x})[0], x)


def reorg(x: np.ndarray, stride: int, forward: bool) -> np.ndarray:
    """Darknet's `reorg_cpu`, index by index."""
    batch, c, h, w = x.shape
    out_c = c // (stride * stride)
    flat, out = x.ravel(), np.zeros(x.size, np.float32)
    for b, k, j, i in np.ndindex(batch, c, h, w):
        near = i + w * (j + h * (k + c * b))
        c2, offset = k % out_c, k // out_c
        w2, h2 = i * stride + offset % stride, j * stride + offset // stride
        far = w2 + w * stride * (h2 + h * stride * (c2 + out_c * b))
        if forward:
            out[far] = flat[near]
        else:
            out[near] = flat[far]
    return out


def test_reorg(tmp_path: Path) -> None:
    x = numbers(2, 8, 4, 6)
    expected = reorg(x, 2, False).reshape(2, 32, 2, 3)
    close(compute(tmp_path, '"Reorg" reorg_param { stride: 2 }', {"x": x})[0], expected)


def test_reorg_reversed(tmp_path: Path) -> None:
    x = numbers(2, 8, 3, 5)
    expected = reorg(x, 2, True).reshape(2, 2, 6, 10)
    close(compute(tmp_path, '"Reorg" reorg_param { stride: 2 reverse: true }', {"x": x})[0], expected)


def interpolated(x: np.ndarray, height: int, width: int) -> np.ndarray:
    """DeepLab's `caffe_cpu_interp2`: corners on corners."""
    _, _, h, w = x.shape
    out = np.zeros((*x.shape[:2], height, width))
    for i, j in np.ndindex(height, width):
        y = i * (h - 1) / (height - 1) if height > 1 else 0.0
        z = j * (w - 1) / (width - 1) if width > 1 else 0.0
        top, left = int(y), int(z)
        down, right = min(top + 1, h - 1), min(left + 1, w - 1)
        a, b = y - top, z - left
        upper = (1 - b) * x[:, :, top, left] + b * x[:, :, top, right]
        lower = (1 - b) * x[:, :, down, left] + b * x[:, :, down, right]
        out[:, :, i, j] = (1 - a) * upper + a * lower
    return out.astype(np.float32)


@pytest.mark.parametrize(
    ("params", "crop", "size"),
    [
        ("height: 9 width: 4", (0, 0), (9, 4)),
        ("zoom_factor: 3", (0, 0), (13, 16)),
        ("shrink_factor: 2", (0, 0), (3, 3)),
        ("shrink_factor: 2 zoom_factor: 2", (0, 0), (5, 5)),
        ("height: 7 width: 1 pad_beg: -1 pad_end: -1", (1, 1), (7, 1)),
    ],
)
def test_interp(params: str, crop: tuple[int, int], size: tuple[int, int], tmp_path: Path) -> None:
    x = numbers(2, 2, 5, 6)
    kept = x[:, :, crop[0] : 5 - crop[1], crop[0] : 6 - crop[1]]
    found = compute(tmp_path, f'"Interp" interp_param {{ {params} }}', {"x": x})[0]
    assert found.shape[2:] == size
    np.testing.assert_allclose(found, interpolated(kept, *size), atol=2e-5)


@pytest.mark.parametrize("side", ["pad_beg", "pad_end"])
def test_interp_only_cuts_off(side: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="must not be positive"):
        compute(tmp_path, f'"Interp" interp_param {{ height: 7 width: 7 {side}: 1 }}', {"x": numbers(2, 2, 5, 6)})


def test_upsample_repeats(tmp_path: Path) -> None:
    x = numbers(2, 3, 2, 4)
    expected = x.repeat(3, axis=2).repeat(3, axis=3)
    close(compute(tmp_path, '"Upsample" upsample_param { scale: 3 }', {"x": x})[0], expected)


def test_upsample_undoes_pooling(tmp_path: Path) -> None:
    x = numbers(1, 2, 2, 3)
    mask = np.zeros((1, 2, 2, 3), np.float32)
    random = np.random.default_rng(4)
    expected = np.zeros((1, 2, 3, 5), np.float32)
    for c in range(2):
        places = random.choice(15, 6, replace=False)
        mask[0, c] = places.reshape(2, 3)
        expected[0, c].ravel()[places] = x[0, c].ravel()
    layer = '"Upsample" upsample_param { scale: 2 pad_out_h: true pad_out_w: true }'
    close(compute(tmp_path, layer, {"x": x, "m": mask})[0], expected)


REGIONS = np.array(
    [[0, 0, 0, 60, 40], [1, 10, 5, 33, 70], [0, 16, 16, 16, 16], [1, 90, 90, 200, 300], [0, -9, -7, 20, 11]], np.float32
)


def c_round(x: float) -> int:
    return int(np.floor(abs(x) + 0.5) * np.sign(x))


def test_roi_pooling(tmp_path: Path) -> None:
    x, scale = numbers(2, 3, 7, 6), 0.0625
    expected = np.zeros((5, 3, 3, 2), np.float32)
    for r, region in enumerate(REGIONS):
        x1, y1, x2, y2 = (c_round(v * scale) for v in region[1:])
        high, wide = max(y2 - y1 + 1, 1) / 3, max(x2 - x1 + 1, 1) / 2
        for h, w in np.ndindex(3, 2):
            rows = np.clip([np.floor(h * high) + y1, np.ceil((h + 1) * high) + y1], 0, 7).astype(int)
            columns = np.clip([np.floor(w * wide) + x1, np.ceil((w + 1) * wide) + x1], 0, 6).astype(int)
            part = x[int(region[0]), :, rows[0] : rows[1], columns[0] : columns[1]]
            expected[r, :, h, w] = part.max((1, 2)) if part.size else 0
    layer = f'"ROIPooling" roi_pooling_param {{ pooled_h: 3 pooled_w: 2 spatial_scale: {scale} }}'
    close(compute(tmp_path, layer, {"x": x, "r": REGIONS})[0], expected)


def test_psroi_pooling(tmp_path: Path) -> None:
    x, scale, group = numbers(2, 2 * 9, 7, 6), 0.0625, 3
    expected = np.zeros((5, 2, 3, 3), np.float32)
    for r, region in enumerate(REGIONS):
        x1, y1 = (c_round(v) * scale for v in region[1:3])
        x2, y2 = ((c_round(v) + 1) * scale for v in region[3:])
        high, wide = max(y2 - y1, 0.1) / group, max(x2 - x1, 0.1) / group
        for o, h, w in np.ndindex(2, group, group):
            rows = np.clip([np.floor(h * high + y1), np.ceil((h + 1) * high + y1)], 0, 7).astype(int)
            columns = np.clip([np.floor(w * wide + x1), np.ceil((w + 1) * wide + x1)], 0, 6).astype(int)
            channel = (o * group + h) * group + w
            part = x[int(region[0]), channel, rows[0] : rows[1], columns[0] : columns[1]]
            expected[r, o, h, w] = part.mean(dtype=np.float64) if part.size else 0
    params = f"output_dim: 2 group_size: 3 spatial_scale: {scale}"
    found = compute(tmp_path, f'"PSROIPooling" psroi_pooling_param {{ {params} }}', {"x": x, "r": REGIONS})[0]
    close(found, expected)
