"""The viewer on models that others made, on bodies and functions, and on names that are no names."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper
from support.commands import contents
from support.in_process import subcut
from support.models import fetched, shared
from support.onnx_graphs import save as written
from support.viewing import check_columns, columns_of, viewing

OTHERS = {
    "caffe": (lambda: shared("caffe/mtcnn/det1.prototxt"), "from conv2 to conv3"),
    "tensorflow": (lambda: shared("tensorflow/DS_CNN_S.pb"), ""),
    "onnx": (lambda: fetched("silero_vad") / "silero_vad.onnx", ""),
}


@pytest.mark.parametrize("format", OTHERS)
def test_models_that_others_made(format: str, tmp_path: Path) -> None:
    path = OTHERS[format][0]()
    with viewing(path, tmp_path / "out") as page:
        shown = page.session.models[0]
        columns = columns_of(page)
        check_columns(columns, shown.model.main.ops, shown.model.main.inputs)
        for key in shown.graphs:
            inner = columns_of(page, graph=key)
            for place in range(inner["count"]):
                assert page.post("/api/op", graph=key, op=place)["problems"] == []
        ops = [op for op in shown.model.main.ops if op.operands and op.name]
        text = OTHERS[format][1] or f'to "{ops[len(ops) // 2].name}"'
        assert page.post("/api/select", text=text)["ok"]
        done = page.ended(page.post("/api/export", text=text, options={})["job"])
        assert done["kind"] == "done", done
        subcut(path, text, "-o", tmp_path / "command")
        assert contents(Path(done["folder"])) == contents(tmp_path / "command")


def test_bodies_and_functions_are_graphs(tmp_path: Path) -> None:
    for name in ("loops", "captured", "functions"):
        with viewing(written(name, tmp_path), tmp_path / "out") as page:
            shown = page.session.models[0]
            keys = {
                entry["key"]
                for key in shown.graphs
                for held in columns_of(page, graph=key)["bodies"].values()
                for entry in held
            }
            assert keys == set(shown.graphs) - {"", "f:unused.lib::Unused"}
            for key in keys:
                graph = shown.graphs[key]
                columns = columns_of(page, graph=key)
                check_columns(columns, graph.ops, graph.inputs)
                captured = [entry["name"] for entry in columns["inputs"] if entry["captured"]]
                outer = {v.name for op in graph.ops for v in op.reads() if v.graph is not graph}
                assert set(captured) == outer
                place = next(at for at, op in enumerate(graph.ops) if op.operands)
                text = page.post("/api/compose", graph=key, starts=[place], ends=[place])["text"]
                found = page.post("/api/select", text=text)
                if found["ok"]:
                    assert (found["graph"], place in found["ops"]) == (key, True)
                else:
                    assert found["diagnostics"][0]["code"] == "function-attribute", "a caller's attribute: no graph yet"
            page.post("/api/graph", 400, graph="b:999")
            page.post("/api/graph", 400, graph="../main")


NAMES = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    '"; from all',
    "a b\tc\nd",
    "\u202egnp.exe",
    "模型/卷积",
    "from",
    "*",
    "%25 [x]?",
    "../../etc/passwd",
    "x" * 5000,
    "\\",
    "'\"`",
]


def test_names_are_text_whatever_they_are(tmp_path: Path) -> None:
    nodes = []
    before = "x"
    for number, name in enumerate(NAMES):
        nodes.append(helper.make_node("Relu", [before], [f"{name} out"], name=name))
        before = f"{name} out"
        assert number < len(NAMES)
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", before)]
    graph = helper.make_graph(nodes, "hostile", info[:1], info[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "m.onnx")
    with viewing(tmp_path / "m.onnx", tmp_path / "out") as page:
        columns = columns_of(page)
        assert columns["names"] == NAMES
        for place in range(len(NAMES)):
            assert page.post("/api/op", op=place)["name"] == NAMES[place]
            text = page.post("/api/compose", starts=[place], ends=[place])["text"]
            found = page.post("/api/select", text=text)
            assert found["ok"], found
            assert found["ops"] == [place]
        assert page.ask("GET", "/api/session").headers["content-type"] == "application/json"
