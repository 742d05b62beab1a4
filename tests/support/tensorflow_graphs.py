"""GraphDefs made with TensorFlow for tests, and what TensorFlow says of one."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from subcut.compiler.export import load, save
from subcut.compiler.formats.tensorflow.framework import tensorflow
from subcut.compiler.ir.graph import Model
from subcut.compiler.pipeline import standard


def tf() -> Any:
    """TensorFlow, with the settings that subcut runs it with."""
    return tensorflow("test")


def built(build: Callable[[Any], object], path: Path, *, control_flow_v2: bool = False) -> Path:
    """The graph that `build` makes, given TensorFlow, as a GraphDef in `path`."""
    framework = tf()
    switch = framework.compat.v1
    (switch.enable_control_flow_v2 if control_flow_v2 else switch.disable_control_flow_v2)()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with framework.Graph().as_default() as graph:
                build(framework)
            path.write_bytes(graph.as_graph_def().SerializeToString(deterministic=True))
    finally:
        switch.enable_control_flow_v2()
    return path


def written(graph: Any, path: Path) -> Path:
    """A GraphDef message in a file."""
    path.write_bytes(graph.SerializeToString(deterministic=True))
    return path


def definition(path: Path) -> Any:
    """What TensorFlow reads in a file."""
    return tf().compat.v1.GraphDef.FromString(path.read_bytes())


def imported(path: Path) -> Any:
    """The graph that TensorFlow makes of a file."""
    graph = tf().Graph()
    with graph.as_default():
        tf().graph_util.import_graph_def(definition(path), name="")
    return graph


def cut(path: Path, selection: str, folder: Path) -> tuple[Model, dict[str, Any]]:
    """Make a cut; the model that was written, read again, and its manifest."""
    pipeline = standard(selection)
    pipeline.verify_each = True
    manifest = save(pipeline.run(load(path)), folder)
    return load(folder / "dump.pb"), manifest


def records(path: Path) -> dict[str, bytes]:
    """The bytes of every node of a file, by name."""
    return {node.name: node.SerializeToString(deterministic=True) for node in definition(path).node}


def normal(*shape: int, seed: int = 0) -> np.ndarray[Any, Any]:
    """Standard normal numbers."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def wave(samples: int = 16_000) -> bytes:
    """A mono sound of random samples at 16 kHz, as a `.wav` file that ends in no zero byte."""
    import io
    import wave as format

    file = io.BytesIO()
    with format.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(np.random.default_rng(0).integers(257, 4000, samples).astype("<i2").tobytes())
    return file.getvalue()


def run_file(path: Path, feeds: dict[str, Any], fetch: Sequence[str]) -> dict[str, Any]:
    """Run a file with subcut's runner."""
    from subcut.compiler.formats.tensorflow.run import run

    return run(load(path), feeds, fetch)


def calls(framework: Any) -> None:
    """`If`, `While` and a plain call, each through functions; one function calls another."""

    @framework.function
    def inner(x: Any) -> Any:
        return framework.nn.relu(x) * 2.0

    @framework.function
    def outer(x: Any) -> Any:
        a, b = framework.split(x, 2, name="halves")
        return inner(a) + b

    x = framework.compat.v1.placeholder(framework.float32, [4], name="x")
    called = framework.identity(outer(x), name="called")
    chosen = framework.cond(called[0] > 0.0, lambda: called + 1.0, lambda: called - 1.0)
    chosen = framework.identity(chosen, name="chosen")
    looped = framework.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, y * 1.5), [framework.constant(0), chosen])
    framework.identity(looped[1], name="end")
