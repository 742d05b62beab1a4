"""The same cut by other tools: `peers.py TOOL MODEL START END OUT`, run in an environment that has them."""

from __future__ import annotations

import sys
from pathlib import Path

PACKAGES = (
    "onnx==1.23.2",
    "onnx-graphsurgeon==0.6.1",
    "polygraphy==0.53.6",
    "onnxruntime==1.32.0",  # polygraphy reduces branches by running them
    "onnx-ir==1.1.0",
    "sne4onnx==2.0.1",
)


def onnx_utils(model: str, start: str, end: str, out: str) -> None:
    """onnx.utils without its checks."""
    from onnx.utils import extract_model

    extract_model(model, out, [start], [end], check_model=False, infer_shapes=False)


def onnx_utils_checked(model: str, start: str, end: str, out: str) -> None:
    """onnx.utils as it is."""
    from onnx.utils import extract_model

    extract_model(model, out, [start], [end])


def graphsurgeon(model: str, start: str, end: str, out: str) -> None:
    """The three lines of its manual."""
    import onnx
    import onnx_graphsurgeon as gs

    graph = gs.import_onnx(onnx.load(model))
    tensors = graph.tensors()
    graph.inputs, graph.outputs = [tensors[start]], [tensors[end]]
    graph.cleanup()
    onnx.save(gs.export_onnx(graph), out)


def polygraphy(model: str, start: str, end: str, out: str) -> None:
    """`polygraphy surgeon extract`."""
    from polygraphy.tools import main

    ends = ["--inputs", f"{start}:auto:auto", "--outputs", f"{end}:auto"]
    sys.argv = ["polygraphy", "surgeon", "extract", model, *ends, "-o", out]
    sys.exit(main())


def onnx_ir(model: str, start: str, end: str, out: str) -> None:
    """Its extractor; weights that were external stay so."""
    import onnx_ir as ir

    loaded = ir.load(model)
    graph = ir.convenience.extract(loaded.graph, [start], [end])
    external = f"{Path(out).stem}.data" if Path(model).with_suffix(".data").exists() else None
    ir.save(ir.Model(graph, ir_version=loaded.ir_version), out, external_data=external)


def sne4onnx(model: str, start: str, end: str, out: str) -> None:
    """Its only function."""
    from sne4onnx import extraction

    extraction([start], [end], input_onnx_file_path=model, output_onnx_file_path=out, non_verbose=True)


TOOLS = {
    "onnx.utils, no check": onnx_utils,
    "onnx.utils": onnx_utils_checked,
    "graphsurgeon": graphsurgeon,
    "polygraphy": polygraphy,
    "onnx_ir": onnx_ir,
    "sne4onnx": sne4onnx,
}

if __name__ == "__main__":
    TOOLS[sys.argv[1]](*sys.argv[2:6])
