"""Train a small ResNet on scikit-learn's handwritten digits; write the same weights in Caffe, TensorFlow and ONNX form.

    python train.py FOLDER      # needs subcut[onnx,tensorflow] and scikit-learn; about a minute

Writes `digits.prototxt`, `digits.caffemodel`, `digits.pb`, `digits.onnx`, and `samples.npz`, one picture of each digit
that training did not see: `data` [10, 1, 8, 8] for Caffe and ONNX. `samples_nhwc.npz` has them for TensorFlow,
[10, 8, 8, 1]. The same machine and versions give the same bytes again.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from network import CLASSES, Weights, initial_weights

SEED, EPOCHS, BATCH, RATE, KEEP = 7, 40, 32, 3e-3, 0.95
HELD_OUT = 400


def data() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pictures [N, 1, 8, 8] from 0 to 1 and labels [N] to train on, then those held out (Alpaydin & Kaynak, UCI)."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    pictures = (digits.images / 16).astype(np.float32)[:, None]
    order = np.random.default_rng(SEED).permutation(len(pictures))
    held, rest = order[:HELD_OUT], order[HELD_OUT:]
    return pictures[rest], digits.target[rest], pictures[held], digits.target[held]


def samples(pictures: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The first picture of each digit, 0 to 9."""
    return pictures[[int(np.flatnonzero(labels == digit)[0]) for digit in range(CLASSES)]]


def _variables(weights: Weights) -> dict[str, list[Any]]:
    import tensorflow as tf
    from tensorflow_net import channels_last

    return {name: [tf.Variable(channels_last(a)) for a in arrays] for name, arrays in weights.items()}


def train(pictures: np.ndarray, labels: np.ndarray) -> Weights:
    """Weights after some epochs of Adam with a cosine schedule; mean and variance as moving averages."""
    import tensorflow as tf
    from tensorflow_net import channels_first, logits

    variables = _variables(initial_weights(SEED))
    trained = [v for name, both in variables.items() if not name.startswith("bn") for v in both]
    steps = len(pictures) // BATCH
    schedule = tf.keras.optimizers.schedules.CosineDecay(RATE, EPOCHS * steps)
    optimizer = tf.keras.optimizers.Adam(schedule)

    @tf.function
    def step(x: Any, y: Any) -> None:
        moments: dict[str, list[Any]] = {}
        with tf.GradientTape() as tape:
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits(x, variables, moments))
            loss = tf.reduce_mean(loss) + 1e-4 * sum(tf.nn.l2_loss(v) for v in trained if len(v.shape) > 1)
        optimizer.apply_gradients(zip(tape.gradient(loss, trained), trained, strict=True))
        for name, now in moments.items():
            for variable, value in zip(variables[name], now, strict=True):
                variable.assign(KEEP * variable + (1 - KEEP) * value)

    random = np.random.default_rng(SEED)
    x = pictures.transpose(0, 2, 3, 1)
    for _ in range(EPOCHS):
        order = random.permutation(len(x))
        for i in range(steps):
            batch = order[i * BATCH : (i + 1) * BATCH]
            step(tf.constant(x[batch]), tf.constant(labels[batch]))
    return {name: [channels_first(v.numpy()) for v in both] for name, both in variables.items()}


def accuracy(weights: Weights, pictures: np.ndarray, labels: np.ndarray) -> float:
    """The share of the pictures that are recognised."""
    from tensorflow_net import logits

    said = logits(pictures.transpose(0, 2, 3, 1), _variables(weights)).numpy()
    return float((said.argmax(1) == labels).mean())


def main(folder: Path) -> None:
    """Train, tell how good it is, and write every file into `folder`."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import caffe_net
    import onnx_net
    import tensorflow as tf
    import tensorflow_net

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    tf.keras.utils.set_random_seed(SEED)
    pictures, labels, held, truth = data()
    weights = train(pictures, labels)
    print(f"recognises {accuracy(weights, held, truth):.2%} of {len(held)} digits that training did not see")
    folder.mkdir(parents=True, exist_ok=True)
    caffe_net.write(weights, folder / "digits.prototxt", folder / "digits.caffemodel")
    tensorflow_net.write(weights, folder / "digits.pb")
    onnx_net.write(weights, folder / "digits.onnx")
    shown = samples(held, truth)
    np.savez(folder / "samples.npz", data=shown)
    np.savez(folder / "samples_nhwc.npz", data=shown.transpose(0, 2, 3, 1))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python train.py FOLDER")
    main(Path(sys.argv[1]))
