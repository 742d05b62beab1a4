"""The table of operators is TensorFlow's own."""

from __future__ import annotations

import pytest
from support.tensorflow_graphs import tf

from subcut.compiler.formats.tensorflow import make_ops
from subcut.compiler.formats.tensorflow.signatures import Arg, known, signature


def test_the_table_is_what_tensorflow_lists() -> None:
    version, ops = make_ops._registered()
    if not version.startswith("2.21."):
        pytest.skip(f"the table is of TensorFlow 2.21, and {version} is installed")
    assert {op.name: make_ops._line(op) for op in ops} == dict(known())


def test_a_line_says_arguments_results_and_state() -> None:
    split = signature("Split")
    assert split is not None
    assert split.inputs == (Arg("split_dim", element="i32"), Arg("value", attribute="T"))
    assert split.outputs == (Arg("output", attribute="T", number="num_split"),)
    assert not split.stateful
    random = signature("RandomUniform")
    assert random is not None
    assert random.stateful
    loop = signature("While")
    assert loop is not None
    assert loop.outputs == (Arg("output", types="T"),)
    shape = signature("Shape")
    assert shape is not None
    assert shape.defaults == {"out_type": "i32"}
    assert signature("CompanyInternal") is None


def test_tensorflow_is_the_one_with_our_settings() -> None:
    import os

    assert tf().__version__
    assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == "0"
