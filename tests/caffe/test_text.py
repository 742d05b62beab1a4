"""The text format, compared with protobuf's own parser on every notation and on random documents."""

from __future__ import annotations

import functools
import itertools
import math
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.models import shared

from subcut.compiler.errors import ModelError
from subcut.compiler.formats.caffe.generations import decode
from subcut.compiler.formats.caffe.text import DEPTH, extents, parse, quoted, raw_string
from subcut.compiler.storage.files import SourceFile

KINDS = {"s": "STRING", "b": "BYTES", "i": "INT64", "d": "DOUBLE", "t": "BOOL"}


@functools.cache
def schema() -> Any:
    """A message with one field and one repeated field (`r` and its letter) of each kind, and itself within."""
    file = descriptor_pb2.FileDescriptorProto(name="t.proto", package="t", syntax="proto2")
    message = file.message_type.add(name="M")
    enum = message.enum_type.add(name="E")
    for number, name in enumerate(("MAX", "AVE", "STOCHASTIC")):
        enum.value.add(name=name, number=number)
    fields = [*KINDS.items(), ("e", "ENUM"), ("m", "MESSAGE")]
    number = 0
    for letter, kind in fields:
        for name, label in ((letter, "OPTIONAL"), ("r" + letter, "REPEATED")):
            number += 1
            field = message.field.add(name=name, number=number)
            field.type = getattr(descriptor_pb2.FieldDescriptorProto, f"TYPE_{kind}")
            field.label = getattr(descriptor_pb2.FieldDescriptorProto, f"LABEL_{label}")
            if kind in ("ENUM", "MESSAGE"):
                field.type_name = ".t.M.E" if kind == "ENUM" else ".t.M"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.M"))


def as_dict(message: Any) -> dict[str, Any]:
    """What protobuf read, in the shape of `decode`."""
    out: dict[str, Any] = {}
    for field, value in message.ListFields():
        name = field.name
        many = list(value) if name.startswith("r") else [value]
        values = [plain(field, item) for item in many]
        out[name] = values[0] if len(values) == 1 else values
    return out


def plain(field: Any, item: Any) -> Any:
    if field.message_type is not None:
        return as_dict(item)
    if field.enum_type is not None:
        return field.enum_type.values_by_number[item].name
    return item.decode("utf-8", "backslashreplace") if isinstance(item, bytes) else item


def ours(tmp_path: Path, text: bytes) -> dict[str, Any]:
    path = tmp_path / "doc.prototxt"
    path.write_bytes(text or b" ")
    file = SourceFile(path)
    return decode(file, parse(file))


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float) or isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    return a == b


def check(tmp_path: Path, text: str) -> dict[str, Any]:
    """Both parsers read `text`, and read the same."""
    expected = as_dict(text_format.Parse(text, schema()()))
    found = ours(tmp_path, text.encode())
    assert same(found, expected), (text, found, expected)
    return found


NOTATIONS = [
    's: "x"',
    "s: 'x'",
    'm { s: "x" }',
    'm: { s: "x" }',
    'm < s: "x" >',
    "m: < i: 1 >",
    "m {}",
    "m{m{m<m{}>}}",
    "ri: [1, 2, 3]",
    "ri: [ ]",
    "ri: [7]",
    "ri: 1 ri: [2, 3] ri: 4",
    "rm [ { i: 1 }, < i: 2 > ]",
    "rm: [ { i: 1 } ]",
    'rs: ["a" "b", \'c\']',
    's: "a" "b" \'c\'',
    's: "a"\n  # between\n  "b"',
    "i: 1; d: 2, t: true;",
    "m { i: 1; };",
    "m { i: 1, } i: 2",
    "# only a comment",
    "",
    "i: 1 # behind\n# and more\nd: 2",
    "i: # between\n 1",
    "i: -1",
    "i: 0x1F",
    "i: -0x1f",
    "i: 017",
    "i: 0",
    "i: -9223372036854775808",
    "d: 1",
    "d: 1.5",
    "d: .5",
    "d: 5.",
    "d: 1e3",
    "d: 1E-3",
    "d: 1.5e+3",
    "d: -1.5f",
    "d: 10f",
    "d: inf",
    "d: -inf",
    "d: INF",
    "d: Infinity",
    "d: -infinity",
    "d: nan",
    "rt: [true, false, True, False, t, f]",
    "e: AVE",
    "re: [MAX, AVE] re: STOCHASTIC",
    "m\n{\ni:1}",
    's:"x"m{}i:1',
    "\ti\t:\t1\r\n\v\fd: 2",
    r's: "\n\r\t\a\b\f\v\\\'\""',
    r"s: '\x41\x6\101\7\0a'",
    r's: "\u00e9\U0001F600"',
    's: "naïve 深度 \U0001f600"',
    's: "it\'s" b: \'say "x"\'',
    r'b: "\377\200"',
    's: "# no comment"',
    's: "{ m <"',
]


@pytest.mark.parametrize("text", NOTATIONS)
def test_reads_what_protobuf_reads(tmp_path: Path, text: str) -> None:
    check(tmp_path, text)


def test_names_of_extensions_and_field_numbers(tmp_path: Path) -> None:
    found = ours(tmp_path, b"[caffe.ext . name]: 1 [type.googleapis.com/a.B] { i: 2 } 150 { 1: 3 }")
    assert found == {"[caffe.ext.name]": 1, "[type.googleapis.com/a.B]": {"i": 2}, "150": {"1": 3}}


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    assert ours(tmp_path, b"\xef\xbb\xbfi: 1") == {"i": 1}


BROKEN = [
    ("m {", 3, "the file ends inside a message"),
    ("m { i: 1", 8, "the file ends inside a message"),
    ("m { i: 1 >", 9, "where a field should begin"),
    ("i: 1 }", 5, "where a field should begin"),
    ("i 1", 2, "behind the field name `i`"),
    ('s "x"', 2, "behind the field name `s`"),
    ("ri [1]", 6, "no `:` between `ri` and its list"),
    ("ri: [1", 6, "in a list"),
    ("ri: [1 2]", 7, "in a list"),
    ("ri: [1,]", 7, "where a value should stand"),
    ("i:", 2, "the end of the file"),
    ("i: }", 3, "where a value should stand"),
    ('s: "x', 3, "where a value should stand"),
    ('s: "x\ny"', 3, "where a value should stand"),
    ("i: 089", 3, "where a value should stand"),
    ("i: 12abc", 3, "where a value should stand"),
    ("d: 1.5.5", 3, "where a value should stand"),
    ("i: -x", 3, "a `-` before what is no number"),
    ('i: -"x"', 4, "where a value should stand"),
    ("; i: 1", 0, "a separator without a field"),
    ("m { , }", 4, "a separator without a field"),
    ("i: 1 $", 5, "where a field should begin"),
]


@pytest.mark.parametrize(("text", "offset", "message"), BROKEN)
def test_says_where_a_text_is_broken(tmp_path: Path, text: str, offset: int, message: str) -> None:
    with pytest.raises(text_format.ParseError):
        text_format.Parse(text, schema()())
    with pytest.raises(ModelError, match=r"line \d") as caught:
        ours(tmp_path, text.encode() or b" ")
    assert (caught.value.offset, message in str(caught.value)) == (offset, True), str(caught.value)


def test_reads_what_the_specification_has_and_protobuf_for_python_lacks(tmp_path: Path) -> None:
    assert ours(
        tmp_path,
        rb"""i: - 1  d: -# why
      2.5  s: "\?" """,
    ) == {"i": -1, "d": -2.5, "s": "?"}


@pytest.mark.parametrize("text", ["i: 1;; d: 2", "i: 1,; d: 2"])
def test_one_field_has_one_separator(tmp_path: Path, text: str) -> None:
    with pytest.raises(ModelError, match="`;` where a field should begin") as caught:
        ours(tmp_path, text.encode())
    assert caught.value.offset == 5


def test_an_escape_that_there_is_none_of_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"`.q` is no escape") as caught:
        ours(tmp_path, rb'i: 1 s: "a\q"')
    assert caught.value.offset == 8


@pytest.mark.parametrize("opener", ["m{", "m<", "m: {\n", "m [{", "ri: ["])
def test_a_nesting_bomb_is_refused(tmp_path: Path, opener: str) -> None:
    with pytest.raises(ModelError):
        ours(tmp_path, opener.encode() * 200_000)


def test_nesting_is_allowed_up_to_the_limit(tmp_path: Path) -> None:
    text = b"m{" * DEPTH + b"}" * DEPTH
    found: Any = ours(tmp_path, text)
    for _ in range(DEPTH):
        found = found["m"]
    assert found == {}
    with pytest.raises(ModelError, match="nested more than"):
        ours(tmp_path, b"m{" + text + b"}")


BLANK = st.sampled_from(["", " ", "\n", "\t", '  # a comment { "\n', "\r\n"])
STRINGS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)


@st.composite
def documents(draw: Any, depth: int = 0) -> str:
    """A random text of the schema, every field in a random notation."""
    letters = draw(st.lists(st.sampled_from(["s", "i", "d", "t", "e", *(["m"] if depth < 3 else [])]), max_size=5))
    seen: set[str] = set()
    out = [draw(BLANK)]
    for letter in letters:
        repeated = letter in seen or draw(st.booleans())
        seen.add(letter)
        out.append(draw(a_field("r" + letter if repeated else letter, depth)))
        out.append(draw(st.sampled_from([" ", "\n", ";", " ; ", ", ", " # x\n"])))
    return "".join(out)


@st.composite
def a_field(draw: Any, name: str, depth: int) -> str:
    letter = name[-1]
    gap = f"{draw(BLANK)}:{draw(BLANK)}"
    if letter == "m" and draw(st.booleans()):
        gap = draw(BLANK)
    if name.startswith("r") and draw(st.booleans()):
        items = draw(st.lists(a_value(letter, depth), max_size=3))
        between = f"{draw(BLANK)},{draw(BLANK)}"
        return f"{name}{gap}[{draw(BLANK)}{between.join(items)}{draw(BLANK)}]"
    return f"{name}{gap}{draw(a_value(letter, depth))}"


@st.composite
def a_value(draw: Any, letter: str, depth: int) -> str:
    if letter == "m":
        left, right = draw(st.sampled_from(["{}", "<>"]))
        return f"{left}{draw(documents(depth=depth + 1))}{right}"
    if letter == "s":
        pieces = draw(st.lists(STRINGS, min_size=1, max_size=3))
        return " ".join(quoted(piece.encode()).decode() for piece in pieces)
    if letter == "i":
        return draw(st.integers(-(1 << 63), (1 << 63) - 1).map(str))
    if letter == "d":
        numbers = st.floats(width=32).map(repr)
        return draw(st.one_of(numbers, st.sampled_from(["1e5", ".5", "2.", "3f", "-inf", "nan"])))
    return draw(st.sampled_from(["true", "false", "True"] if letter == "t" else ["MAX", "AVE"]))


@settings(max_examples=400, deadline=None)
@given(text=documents())
def test_random_documents_read_as_protobuf_reads_them(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    check(tmp_path_factory.mktemp("doc"), text)


@settings(max_examples=300, deadline=None)
@given(text=documents(), cut=st.integers(0, 200))
@example(text="d:nan", cut=4)
def test_a_truncated_document_is_refused_where_protobuf_refuses_it(
    tmp_path_factory: pytest.TempPathFactory, text: str, cut: int
) -> None:
    raw = text.encode()[:cut]
    shorter = raw.decode("utf-8", "ignore")
    mine, its = (
        attempt(lambda: ours(tmp_path_factory.mktemp("doc"), shorter.encode()), ModelError),
        attempt(lambda: as_dict(text_format.Parse(shorter, schema()())), text_format.ParseError),
    )
    if isinstance(mine, ModelError):
        assert isinstance(its, text_format.ParseError), str(mine)
        assert mine.offset is not None
        assert 0 <= mine.offset <= max(len(raw), 1)
    elif isinstance(its, text_format.ParseError):  # only the schema can be to blame: a name or a word cut short
        assert any(words in str(its) for words in ("has no field", "Enum", "true", "parse float"))
    else:
        assert same(mine, its)


def attempt(action: Any, error: type[Exception]) -> Any:
    """What `action` gives, or the error it raises."""
    try:
        return action()
    except error as raised:
        return raised


@given(raw=st.binary(max_size=20))
def test_quoted_strings_read_back(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.mktemp("doc") / "doc"
    path.write_bytes(b"b: " + quoted(raw))
    file = SourceFile(path)
    assert raw_string(file, parse(file).fields[0].values[0]) == raw


PROTOTXT = [
    "caffe/prototxt/BVLC_models_bvlc_googlenet_deploy.prototxt",
    "caffe/prototxt/DenseNet_121.prototxt",
    "caffe/prototxt/voc_MobileNetSSD_train.prototxt",
    "caffe/mtcnn/det3.prototxt",
]


@pytest.mark.parametrize("name", PROTOTXT)
def test_extents_divide_a_real_file_without_a_rest(name: str) -> None:
    file = SourceFile(shared(name))
    ranges = list(extents(file, parse(file).fields))
    assert b"".join(file.data[start:stop] for start, stop in ranges) == file.data[:]
    assert all(a[1] == b[0] for a, b in itertools.pairwise(ranges))


def test_comments_belong_to_what_they_stand_by(tmp_path: Path) -> None:
    pieces = [
        "# licence\n\n",
        "# the net\nname: 'n'  # behind the name\n",
        "\n# the first\nlayer { # inside\n} # behind\n",
        "layer {} ",
        "layer {}\n# at the end\n",
    ]
    path = tmp_path / "doc"
    path.write_text("".join(pieces))
    file = SourceFile(path)
    found = [file.data[start:stop].decode() for start, stop in extents(file, parse(file).fields)]
    assert found == [pieces[0], pieces[1], pieces[2], "layer {}", " layer {}\n# at the end\n"]
