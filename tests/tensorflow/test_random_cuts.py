"""Random cuts of awkward graphs made by hand, each run and compared bit by bit with the original."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.cuts import check, random_selections
from support.tensorflow_graphs import built, calls, normal

from subcut.compiler.export import load


def tangled(tf: Any) -> None:
    """Many ports, control inputs everywhere, shapes computed, constants of constants, one tensor read twice."""
    x = tf.compat.v1.placeholder(tf.float32, [2, 6], name="x")
    y = x
    for i in range(8):
        a, b, c = tf.split(y, 3, axis=1, name=f"parts{i}")
        with tf.control_dependencies([a, y]):
            d = tf.add(b, tf.square(c, name=f"square{i}"), name=f"sum{i}")
        weight = tf.identity(tf.constant(np.full((2, 2), i + 0.5, np.float32), name=f"w{i}"), name=f"w{i}/read")
        e = tf.matmul(d, tf.transpose(weight, name=f"turned{i}"), name=f"product{i}")
        shape = tf.raw_ops.Shape(input=e, name=f"shape{i}")
        joined = tf.concat([a, tf.reshape(e, shape, name=f"same{i}"), e - e], 1, name=f"joined{i}")
        values, places = tf.math.top_k(joined, 6, name=f"top{i}")
        y = tf.tanh(values + tf.cast(places, tf.float32), name=f"out{i}")
    with tf.control_dependencies([y]):
        tf.no_op(name="done")


def branching(tf: Any) -> None:
    """Conditionals one after the other, the second inside a branch of a third."""
    x = tf.compat.v1.placeholder(tf.float32, [3], name="x")
    y = tf.nn.relu(x, name="start")
    y = tf.compat.v1.cond(y[0] > 0.1, lambda: tf.square(y), lambda: tf.constant([1.0, 2.0, 3.0]), name="first")
    z = tf.exp(y, name="between")

    def inner() -> Any:
        return tf.compat.v1.cond(z[1] > 1.0, lambda: z + y, lambda: z - y, name="deep")

    end = tf.compat.v1.cond(z[2] > 0.0, inner, lambda: tf.sqrt(z), name="second")
    tf.add(end, y, name="end")


def looping(tf: Any) -> None:
    """A loop before and a loop behind other things."""
    x = tf.compat.v1.placeholder(tf.float32, [3], name="x")
    a = tf.nn.relu(x, name="a")
    _, b = tf.while_loop(lambda i, _: i < 2, lambda i, y: (i + 1, y * 1.5), [tf.constant(0), a], name="one")
    c = tf.exp(b, name="c")
    d = tf.add(c, a, name="d")
    total, _ = tf.while_loop(lambda s, _: tf.reduce_sum(s) < 90.0, lambda s, t: (s + t, t), [d, c], name="two")
    tf.tanh(total, name="end")


GRAPHS: dict[str, tuple[Callable[[Any], None], bool, tuple[int, ...], float]] = {
    "tangled": (tangled, False, (2, 6), 0.95),
    "branching": (branching, False, (3,), 0.2),
    "looping": (looping, False, (3,), 0.05),
    "calls": (calls, True, (4,), 0.9),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_random_cuts_equal_the_original(name: str, tmp_path: Path) -> None:
    build, newer, shape, least = GRAPHS[name]
    path = built(build, tmp_path / "m.pb", control_flow_v2=newer)
    np.savez(tmp_path / "inputs.npz", x=np.abs(normal(*shape)))
    selections = random_selections(load(path), 50, seed=3)
    outcome = check(path, selections, tmp_path, inputs=tmp_path / "inputs.npz")
    assert not outcome.wrong
    assert not outcome.random
    assert len(outcome.verified) >= len(set(selections)) * least, outcome.refused
