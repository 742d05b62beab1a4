"""The text form: encoded as protobuf would, and read as far as it goes where a dump ends too early."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from ascend.om.test_json import definition, models
from google.protobuf import text_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.models import shared
from support.offline_models import SAMPLES, small_model

from subcut.compiler.errors import ModelError
from subcut.compiler.export import load
from subcut.compiler.formats.ascend import schema
from subcut.compiler.formats.ascend.text_form import parse

HERE = Path("ge_proto_00000000_graph_0_Build.txt")


def parsed(text: str | bytes) -> Any:
    raw, whole = parse(HERE, text.encode() if isinstance(text, str) else text)
    assert whole
    return schema.decode("ModelDef", raw)


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("as_utf8", [False, True])
def test_a_sample_printed_by_protobuf(name: str, as_utf8: bool) -> None:
    model = definition(name)
    assert parsed(text_format.MessageToString(model, as_utf8=as_utf8)) == model


@pytest.mark.parametrize(
    "options",
    [{"as_one_line": True}, {"pointy_brackets": True}, {"use_short_repeated_primitives": True}, {"indent": 7}],
    ids=str,
)
def test_other_ways_to_print(options: dict[str, Any]) -> None:
    model = small_model()
    assert parsed(text_format.MessageToString(model, **options)) == model


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(models())
def test_any_model(model: Any) -> None:
    text = text_format.MessageToString(model)
    assert text_format.MessageToString(parsed(text)) == text, "a NaN prints as another"


def test_a_text_is_read_as_a_model(tmp_path: Path) -> None:
    path = tmp_path / HERE
    path.write_text(text_format.MessageToString(small_model()))
    model = load(path)
    assert [op.name for op in model.main.ops][:2] == ["x", "trans_TransData_0"]
    assert list(model.functions) == ["then"]


def test_what_a_person_may_write() -> None:
    text = """# a comment
    graph: < name: 'a' "b" op { name: "x"; id: 0x10, is_input_const: [true, false] src_index: [1,2] src_index: 3
      output_desc { dtype: 2 shape { dim: -1 } attr { key: "k" value { f: 1.5f } } } # }
      attr { key: "o" value { f: -inf } } attr { key: "p" value { i: 017 } } attr { key: "q" value { f: nan } } } >
    newer: 7 newer { deep < x: "}" > more: [1, "a"] } [ext.name] { a: 1 } version: 3
    """
    model = parsed(text)
    op = model.graph[0].op[0]
    assert (model.graph[0].name, op.id, list(op.src_index), model.version) == ("ab", 16, [1, 2, 3], 3)
    assert list(op.is_input_const) == [True, False]
    assert (op.output_desc[0].dtype, list(op.output_desc[0].shape.dim)) == (2, [-1])
    assert op.attr[0].value.f == float("-inf")
    assert op.attr[1].value.i == 15


@pytest.mark.parametrize("name", ["ascend/hh/hh_om.om"])
def test_a_dump_that_ends_too_early(name: str, tmp_path: Path) -> None:
    """Whole operators stay; what they read and nobody makes is absent, and the model is listed all the same."""
    shared(name)
    text = text_format.MessageToString(definition(name))
    whole = [op.name for op in definition(name).graph[0].op]
    path = tmp_path / HERE
    for part in (0.3, 0.5, 0.77, 0.999):
        path.write_text(text[: int(len(text) * part)])
        names = [op.name for op in load(path).main.ops]
        assert names == whole[: len(names)]
        assert len(names) >= len(whole) * part * 0.6
        assert "ends before the model does" in str(load(path).notes)
        verify_text(path)


def verify_text(path: Path) -> None:
    from subcut.compiler.ir.text import print_model
    from subcut.compiler.ir.text_parse import parse_model
    from subcut.compiler.ir.verify import verify

    model = load(path)
    verify(model)
    text = print_model(model)
    assert print_model(parse_model(text)) == text


@settings(max_examples=300, deadline=None)
@given(part=st.floats(0, 1, exclude_max=True))
def test_every_end_is_a_model_that_is_known_not_to_be_whole(part: float) -> None:
    """But for an end between two fields of the model itself, which could be all of it."""
    text = text_format.MessageToString(small_model())
    text = text[: int(len(text) * part)]
    raw, whole = parse(HERE, text.encode())
    schema.decode("ModelDef", raw)
    opened = text.count("{") - text.count("}")  # none of its texts has a brace
    assert not (whole and opened)


@pytest.mark.parametrize("text", ['name: "a"', "version: 7", 'name: "a" graph { name: "b" }'])
def test_the_last_line_needs_no_end(text: str) -> None:
    assert parsed(text).ListFields()


def test_an_edge_to_nowhere_in_a_whole_text(tmp_path: Path) -> None:
    model = small_model()
    model.graph[0].op[1].input[0] = "nobody:0"
    path = tmp_path / HERE
    path.write_text(text_format.MessageToString(model))
    with pytest.raises(ModelError, match="which nothing makes"):
        load(path)


@settings(max_examples=400, deadline=None)
@given(at=st.floats(0, 1, exclude_max=True), what=st.binary(min_size=0, max_size=3), drop=st.integers(0, 9))
def test_damage_is_told_or_harmless(at: float, what: bytes, drop: int) -> None:
    raw = text_format.MessageToString(small_model()).encode()
    place = int(at * len(raw))
    told = str(HERE)
    try:
        schema.decode("ModelDef", parse(HERE, raw[:place] + what + raw[place + drop :])[0])
    except ModelError as error:
        told = str(error)
    assert str(HERE) in told


@pytest.mark.parametrize(
    ("text", "message", "where"),
    [
        ("graph { op { id: one } }", "`one` is no int64", "line 1, column 18"),
        ("graph {\n op { id: 9999999999999999999 }", "is no int64", "line 2, column 11"),
        ("version: -1 ", "`-1` is no uint32", "line 1, column 10"),
        ("name: 7 ", "a string is expected", "line 1, column 7"),
        ("version: 'a' ", "a uint32 is expected", "line 1, column 10"),
        ("version { }", "a message where a uint32 is expected", "line 1"),
        ("graph { op { output_desc { dtype: DT_ODD } } }", "`DT_ODD` is no DataType", "line 1, column 35"),
        ("graph { } }", "`}` where a field", "line 1, column 11"),
        ("graph { >", "`>` where a field", "line 1, column 9"),
        ("name = 1", "without a value", "line 1"),
        ("graph: 1 ", "is expected", "line 1"),
        ("name: '\\377' ", "is no string", "line 1"),
        ("a {" * 200, "nested deeper", "line 1"),
        ("%", "where a field", "line 1, column 1"),
        ("a: [a: [", "where a field|value is expected", "line 1, column 8"),
    ],
)
def test_text_that_is_no_model(text: str, message: str, where: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        parse(HERE, text.encode())
    assert caught.value.where.startswith(where)


def test_a_long_text_takes_its_length_in_time() -> None:
    model = small_model()
    fused = next(op for op in model.graph[0].op if op.name == "conv1relu1")
    for number in range(1500):
        again = model.graph[0].op.add()
        again.CopyFrom(fused)
        again.name = f"conv{number}"
    text = text_format.MessageToString(model).encode()
    assert len(text) > 3_000_000
    start = time.process_time()
    assert len(parsed(text).graph[0].op) == 1506
    assert time.process_time() - start < 10


def test_huge_data_is_passed_through_quickly() -> None:
    """A dump with weights has them as escapes: four characters a byte, hundreds of megabytes of them."""
    data = "\\377\\n" * 200_000
    start = time.process_time()
    model = parsed(f'graph {{ op {{ attr {{ key: "value" value {{ t {{ data: "{data}" }} }} }} }} }}')
    assert model.graph[0].op[0].attr[0].value.t.data == b"\xff\n" * 200_000
    assert time.process_time() - start < 5


@pytest.mark.parametrize("text", ['name: "' + "\\" * 300_001, 'name: "' + 'a\\"' * 300_000, "# " * 300_000])
def test_what_never_ends_ends_soon(text: str) -> None:
    start = time.process_time()
    parse(HERE, text.encode())
    assert time.process_time() - start < 5
