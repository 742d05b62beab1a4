"""The table of operators is TensorFlow's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from subcut.compiler.formats.tensorflow import make_ops
from subcut.compiler.formats.tensorflow.framework import SETTINGS
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


def test_tensorflow_is_imported_with_our_settings(tmp_path: Path) -> None:
    (tmp_path / "tensorflow.py").write_text("import os\nseen = os.environ['TF_ENABLE_ONEDNN_OPTS']\n")
    code = "from subcut.compiler.formats.tensorflow.framework import tensorflow; print(tensorflow('test').seen)"
    bare = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**bare, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "0"
