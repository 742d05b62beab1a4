"""The JSON of `atc --mode=1`: its spelling rule by rule, and both ways for every sample and for random models."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.models import shared
from support.offline_models import SAMPLES, compress, small_model

from subcut.compiler.errors import ModelError
from subcut.compiler.export import load
from subcut.compiler.formats.ascend import header as h
from subcut.compiler.formats.ascend import schema
from subcut.compiler.formats.ascend.compression import expand
from subcut.compiler.formats.ascend.escapes import escape, unescape
from subcut.compiler.formats.ascend.json_form import dumps, loads
from subcut.compiler.formats.ascend.load import open_model
from subcut.compiler.formats.ascend.partitions import find, read_container
from subcut.compiler.storage.files import SourceFile


def definition(name: str) -> Any:
    span = find(read_container(SourceFile(shared(name))).models[0], h.MODEL_DEF)
    assert span is not None
    return schema.decode("ModelDef", span.bytes())


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_written_as_nlohmann_would_and_read_back(name: str) -> None:
    model = definition(name)
    text = dumps(model)
    tree = json.loads(text)
    assert json.dumps(tree, indent=2, sort_keys=True, ensure_ascii=False) == text
    assert dumps(loads(text)) == text
    assert [op["name"] for op in tree["graph"][0]["op"]] == [op.name for op in model.graph[0].op]


@pytest.mark.parametrize("name", SAMPLES)
def test_what_is_left_out_is_all_that_is_lost(name: str) -> None:
    """Without the fields that atc skips, the model is the same message again."""
    model = definition(name)
    expand(model)
    back = loads(dumps(model))
    for one in (model, back):
        strip(one)
    assert back == model


def strip(message: Any) -> None:
    """Clear the fields that atc skips, and what is empty without them."""
    for field, value in message.ListFields():
        if field.name in {"output", "data_offset", "data", "workspace", "workspace_bytes", "weight_size", "size", "bt"}:
            message.ClearField(field.name)
        elif hasattr(value, "ListFields"):
            strip(value)
            if not value.ListFields():
                message.ClearField(field.name)
        elif hasattr(value, "add"):
            for one in value:
                strip(one)


def attributes(text: str) -> dict[str, Any]:
    """By key, what the JSON says of the attributes of the fused convolution."""
    op = next(op for op in json.loads(text)["graph"][0]["op"] if op["name"] == "conv1relu1")
    return {one["key"]: one.get("value", "absent") for one in op["attr"]}


def test_the_spelling_of_values() -> None:
    text = dumps(small_model())
    found = attributes(text)
    assert found["alpha"] == {"f": "0.1"}
    assert found["strides"] == {"list": {"i": [1, 1, 2, 2], "val_type": "VT_LIST_INT"}}
    assert found["scales"]["list"]["f"] == [0.5, 999999986991104.0, None]
    assert found["raw"] == {"s": '\\"\\377\\n\\\\\\000'}
    assert found["empty"] is None
    assert found["nothing"] == "absent"
    assert found["buffer"] is None, "bytes are left out"
    assert found["nested"] == {"list_list_int": {"list_list_i": [{"list_i": [1, 2]}]}}
    assert found["_datadump_original_op_names"]["list"]["s"] == ["conv1", "relu1"]
    op = json.loads(text)["graph"][0]["op"]
    assert "id" not in op[0], "a zero is the default"
    assert op[0]["input"] == [""]
    assert op[1]["attr"] == [{"key": "_datadump_original_op_names", "value": {"list": {"val_type": "VT_LIST_STRING"}}}]
    assert "size" not in op[0]["output_desc"][0]
    assert op[0]["output_desc"][0]["dtype"] == "DT_FLOAT"
    assert json.loads(text)["attr"][-1] == {"key": "memory_size", "value": {"i": 4096}}, "a key, not a field"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (0.0, "0"),
        (-0.25, "-0.25"),
        (1e20, "1e+20"),
        (123456.0, "123456"),
        (-1e-10, "-1e-10"),
        (math.inf, "inf"),
        (-1.5e-5, "-1.5e-05"),
        (1234567.0, 1234567.0),  # 1.23457e+06 does not fit
        (-12345.678710937500, "-12345.7"),
        (-0.001234559924341738224, -0.001234559924341738224),
    ],
)
def test_floats_are_text_where_nine_characters_suffice(value: float, found: object) -> None:
    model = schema.message("ModelDef")()
    schema.put(model.attr, "f", value)
    assert json.loads(dumps(model))["attr"][0]["value"]["f"] == found


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e15, "9.99999986991104e+14"), (2.0**50, "1.125899906842624e+15"), (-(2.0**53), "-9.007199254740992e+15"),
     (2.0**54, "1.8014398509481984e+16"), (1e-5, "9.999999747378752e-06"), (float(2**49), "562949953421312.0")],
)  # fmt: skip
def test_numbers_have_an_exponent_where_nlohmann_has_one(value: float, text: str) -> None:
    model = schema.message("ModelDef")()
    schema.put(model.attr, "f", [value])
    written = dumps(model)
    assert text.replace("9.99999986991104e+14", "999999986991104.0") in written


def test_messages_nested_too_deep_are_null() -> None:
    model = schema.message("ModelDef")()
    inner = schema.attribute(model.attr, "k")
    for _ in range(12):
        inner = schema.attribute(inner.func.attr, "k")
    inner.i = 1
    text = dumps(model)
    assert "null" in text
    assert '"i"' not in text


def test_groups_of_fusion_are_named() -> None:
    model = small_model()
    records = []
    for scope in (0, 0x20005, 7, None, 1 << 48):
        record = schema.message("OpDef")(name="f")
        if scope is not None:
            schema.put(record.attr, "fusion_scope", scope)
        records.append(record.SerializeToString())
    model.graph[0].op[1].stream_id = 4
    schema.attribute(model.attr, "fm").list.bt.extend([*records, b"", records[1]])
    ops = json.loads(dumps(model))["graph"][0]["op"]
    names = [[one["value"]["s"] for one in op.get("attr", []) if one["key"] == "group_op_name"] for op in ops]
    assert names == [[], ["group_op_l1_2_4"], ["group_op_ub_7_0"], [], [], []]


@pytest.mark.parametrize("name", ["ascend/hh/hh_om.om", "ascend/om/ge_root_model.om"])
def test_compressed_names_are_written_out(name: str) -> None:
    plain, compressed = definition(name), definition(name)
    compress(compressed)
    assert compressed.ByteSize() < plain.ByteSize()
    assert dumps(compressed) == dumps(plain)


def test_a_real_model_with_compressed_names() -> None:
    text = dumps(definition("ascend/om/ge_dynamic_and_static_graph_without_unfold.om"))
    assert "\\u0000" not in text
    assert "om_compress_version" not in text
    assert "attr_name_enum" not in text


@pytest.mark.parametrize("number", [0, 1, 126, 127, 128, 16128, 16129, 2048383])
def test_numbers_of_names(number: int) -> None:
    from subcut.compiler.formats.ascend.compression import decode_number, encode_number

    assert decode_number(encode_number(number)) == number
    assert encode_number(127) == "\0\x01\x02"


@pytest.mark.parametrize(("table", "what"), [("attr_name_enum", "name"), ("attr_value_enum", "value")])
def test_a_number_beyond_the_table(table: str, what: str, tmp_path: Path) -> None:
    model = small_model()
    compress(model)
    del schema.attribute(model.attr, table).list.s[1:]
    with pytest.raises(ValueError, match=f"attribute {what} .* of a table of 1"):
        dumps(model)
    path = tmp_path / "net.air"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="of a table of 1"):
        every_attribute(path)


def every_attribute(path: Path) -> int:
    return sum(len(op.attributes) for op in load(path).main.ops)


@given(st.binary())
def test_escapes(raw: bytes) -> None:
    assert unescape(escape(raw)) == raw
    assert escape(raw).isascii()


@pytest.mark.parametrize(
    ("text", "raw"),
    [(r"a\x41\101\q\"", b'aAA\\q"'), ("é\\n", "é\n".encode()), ("C:\\dir\\", b"C:\\dir\\"), (r"\8", b"\\8")],
)
def test_escapes_of_others(text: str, raw: bytes) -> None:
    assert unescape(text) == raw


LABELS = st.text(st.characters(codec="utf-8"), max_size=8)
FLOATS = st.floats(width=32)
INTS = st.integers(-(1 << 63), (1 << 63) - 1)


@st.composite
def attribute_values(draw: st.DrawFn, depth: int = 0) -> Any:
    value = schema.message("AttrDef")()
    kind = draw(
        st.sampled_from(["s", "i", "f", "b", "dt", "expression", "list", "lists", "floats", "td", "t", "func", ""])
    )
    if kind in ("s", "expression"):
        setattr(value, kind, draw(st.binary(max_size=8)))
    elif kind in ("i", "dt"):
        setattr(value, kind, draw(INTS))
    elif kind == "f":
        value.f = draw(FLOATS)
    elif kind == "b":
        value.b = draw(st.booleans())
    elif kind == "list":
        field, items = draw(
            st.sampled_from([("s", LABELS.map(str.encode)), ("i", INTS), ("f", FLOATS), ("b", st.booleans())])
        )
        value.list.SetInParent()
        getattr(value.list, field).extend(draw(st.lists(items, max_size=3)))
        value.list.val_type = draw(st.integers(0, 10))
    elif kind == "lists":
        value.list_list_int.list_list_i.add(list_i=draw(st.lists(INTS, min_size=1, max_size=2)))
    elif kind == "floats":
        value.list_list_float.list_list_f.add(list_f=draw(st.lists(FLOATS, min_size=1, max_size=2)))
    elif kind == "td":
        fill_descriptor(value.td, draw, depth)
    elif kind == "t":
        fill_descriptor(value.t.desc, draw, depth)
    elif kind == "func":
        value.func.name = "f"
        fill_attributes(value.func.attr, draw, depth)
    return value


def fill_attributes(entries: Any, draw: st.DrawFn, depth: int) -> None:
    for number in range(draw(st.integers(0, 2 if depth < 3 else 0))):
        entries.add(
            key=draw(LABELS.filter(lambda key: not key.startswith("\0"))) + str(number),
            value=draw(attribute_values(depth + 1)),
        )


def fill_descriptor(desc: Any, draw: st.DrawFn, depth: int) -> None:
    desc.dtype = draw(st.integers(0, 41))
    desc.layout = draw(st.sampled_from(["NCHW", "NC1HWC0"]))
    desc.shape.dim.extend(draw(st.lists(st.integers(-2, 99), min_size=1, max_size=4)))
    fill_attributes(desc.attr, draw, depth)


@st.composite
def models(draw: st.DrawFn) -> Any:
    model = schema.message("ModelDef")(name=draw(LABELS), version=draw(st.integers(0, (1 << 32) - 1)))
    fill_attributes(model.attr, draw, 0)
    for _ in range(draw(st.integers(1, 2))):
        graph = model.graph.add(name=draw(LABELS))
        fill_attributes(graph.attr, draw, 0)
        for _ in range(draw(st.integers(0, 3))):
            op = graph.op.add(
                name=draw(LABELS), type=draw(LABELS), input=draw(st.lists(LABELS, max_size=3)), id=draw(INTS)
            )
            op.src_index.extend(draw(st.lists(INTS, max_size=2)))
            op.is_input_const.extend(draw(st.lists(st.booleans(), max_size=2)))
            fill_attributes(op.attr, draw, 0)
            fill_descriptor(op.output_desc.add(), draw, 0)
    return model


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(models())
def test_any_model_is_read_back(model: Any) -> None:
    text = dumps(model)
    json.loads(text)
    assert dumps(loads(text)) == text
    back = loads(text)
    assert [graph.name for graph in back.graph] == [graph.name for graph in model.graph]
    for mine, other in zip(model.graph, back.graph, strict=True):
        assert [(op.name, op.type, list(op.input), op.id) for op in mine.op] == [
            (op.name, op.type, list(op.input), op.id) for op in other.op
        ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "an object is expected"),
        ("{", "Expecting property name"),
        ('{"graph": [' * 2000, "nested too deep"),
        ('{"graph": ' + "[" * 100000, "nested too deep"),
        ('{"graph": [{"op": [{"id": "one"}]}]}', r"graph\[0\].op\[0\].id: a whole number is expected"),
        ('{"graph": [{"op": [{"id": 9223372036854775808}]}]}', r"graph\[0\].op\[0\].id: "),
        ('{"graph": [{"op": 7}]}', r"graph\[0\].op: an object is expected"),
        ('{"attr": [{"key": "a", "value": {"f": "much"}}]}', "attr.0..value.f: could not convert"),
        ('{"name": 1}', "name: a text is expected"),
        ('{"graph": [{"op": [{"output_desc": [{"dtype": "DT_ODD"}]}]}]}', "`DT_ODD` is no DataType"),
        ('{"graph": [{"name": "a"}], "version": 1e400}', "version: "),
    ],
)
def test_text_that_is_no_model(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        loads(text)
    path = tmp_path / "net.json"
    path.write_text(text)
    with pytest.raises(ModelError, match=message):
        open_model(path)


def test_what_others_write_is_read() -> None:
    """Numbers for enums and floats, keys that are no field, nulls."""
    text = """{"unknown": {"a": [1]}, "graph": [{"op": [null, {"name": "a", "odd": 1, "attr": [
        {"key": "_datadump_original_op_names", "value": {"list": {"val_type": 1, "s": ["x", "\\u00e9"]}}},
        {"key": "f", "value": {"f": 0.5}}, {"key": "n", "value": null}, {"key": "e"}],
        "output_desc": [{"dtype": 1}, {"shape": null}]}]}]}"""
    op = loads(text).graph[0].op[1]
    assert list(op.attr[0].value.list.s) == [b"x", "é".encode()]
    assert op.attr[0].value.list.val_type == 1
    assert op.attr[1].value.f == 0.5
    assert op.attr[2].value.WhichOneof("value") == "list"
    assert not op.attr[3].HasField("value")
    assert op.output_desc[0].dtype == 1


def test_unknown_numbers_of_enums_survive() -> None:
    model = small_model()
    model.graph[0].op[0].output_desc[0].dtype = 99
    assert loads(dumps(model)).graph[0].op[0].output_desc[0].dtype == 99
