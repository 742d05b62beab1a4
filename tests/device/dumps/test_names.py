"""Names of dump files, as the runtime and older products wrote them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subcut.compiler.device.dumps.names import (
    Ffts,
    FileName,
    TruthName,
    escape,
    make_name,
    ordinary_operator,
    parse_name,
    parse_truth,
)

STAMP = 1670205071724946
CASES = {
    f"Conv2D.conv1.3.7.{STAMP}": FileName("Conv2D", "conv1", 3, 7, STAMP),
    # A name without the stream, and the timestamp of a small device.
    "Conv2D.res2a_branch2cres2ares2a_relu.151.1585884515795667": FileName(
        "Conv2D", "res2a_branch2cres2ares2a_relu", 151, None, 1585884515795667
    ),
    "ConcatV2D.concatv2.0.0.550288648": FileName("ConcatV2D", "concatv2", 0, 0, 550288648),
    f"Conv2D.conv1.3.7.{STAMP}.csv": FileName("Conv2D", "conv1", 3, 7, STAMP, suffix=".csv"),
    # Hardware threads, with and without the stream and the device.
    f"Add.x.0.3.{STAMP}.4.1.2.5": FileName("Add", "x", 0, 3, STAMP, Ffts(4, 1, 2, 5)),
    f"Add.x.0.3.{STAMP}.4.1.2": FileName("Add", "x", 0, 3, STAMP, Ffts(4, 1, 2, None)),
    f"Add.x.0.{STAMP}.4.1.2.5": FileName("Add", "x", 0, None, STAMP, Ffts(4, 1, 2, 5)),
    f"Add.x.0.{STAMP}.4.1.2": FileName("Add", "x", 0, None, STAMP, Ffts(4, 1, 2, None)),
    f"Conv2D.a_lxslice12.2.9.{STAMP}.4.487.0.0": FileName("Conv2D", "a_lxslice12", 2, 9, STAMP, Ffts(4, 487, 0, 0), 12),
    f"Opdebug.Node_OpDebug.0.3.{STAMP}": FileName("Opdebug", "Node_OpDebug", 0, 3, STAMP),
    "exception_info.3.5.20261123153932123": FileName("exception_info", "", 5, 3, 20261123153932123),
    f"Cast.größe:0(x).1.2.{STAMP}": FileName("Cast", "größe:0(x)", 1, 2, STAMP),
}
NONE = [
    "", "mapping.csv", "README.md", "12345", "a.b", f"a.b.{STAMP}", "a.b.c.1.2",
    f"Conv2D.conv1.3.7.{STAMP}.output.0.npy",
    f"conv1.0.{STAMP}.npy", f"a.b.0.{STAMP}.npy", "a.b.1.2.3.4", "a.b.1.2.3.4.5.6.7.8", "a/b.c.1.2", "a.b.١.٢",
    f"a.b.{'9' * 300}.1", "conv1.0.1.quant",
]  # fmt: skip


@pytest.mark.parametrize(("text", "name"), CASES.items())
def test_names_are_taken_apart(text: str, name: FileName) -> None:
    assert parse_name(text) == name
    assert name.text == text


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_dump(text: str) -> None:
    assert parse_name(text) is None


def test_an_exception_that_names_its_core() -> None:
    name = parse_name("te_matmul_ab12.3.5.0.7.20261123153932123")
    assert name is not None
    assert (name.op_type, name.op_name, name.stream, name.task) == ("te_matmul_ab12", "", 3, 5)


def test_slices_and_partitions_are_told_from_the_name() -> None:
    text = f"Conv2D.partition0_rank2_new_sub_graph15_sgt_graph_0_fp32_vars_conv2d_39_Conv2D_lxslice0.2.9.{STAMP}"
    name = parse_name(text)
    assert name is not None
    assert name.base == "partition0_rank2_new_sub_graph15_sgt_graph_0_fp32_vars_conv2d_39_Conv2D"
    assert name.unpartitioned == "fp32_vars_conv2d_39_Conv2D"
    assert name.lxslice == 0


def test_the_newest_is_last_and_an_odd_time_first() -> None:
    times = [f"A.x.1.2.{t}" for t in (1600000000000002, 999999999999999999, 1600000000000010, 5)]
    names = sorted((parse_name(text) for text in times), key=lambda n: n.order)  # type: ignore[union-attr]
    assert [n.time for n in names if n] == [5, 999999999999999999, 1600000000000002, 1600000000000010]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (f"conv1.0.{STAMP}.npy", TruthName("conv1", 0, STAMP, ".npy")),
        (f"a.b.12.{STAMP}.npy", TruthName("a.b", 12, STAMP, ".npy")),
        (f"conv1.0.{STAMP}.quant", TruthName("conv1", 0, STAMP, ".quant")),
        (f"a_b.0.{STAMP}.3.npy", TruthName("a_b", 0, STAMP, ".npy")),
        (f"conv1.0.{STAMP}", None),
        ("conv1.npy", None),
        (f"Conv2D.conv1.3.7.{STAMP}.output.0.npy", None),
    ],
)
def test_ground_truth(text: str, name: TruthName | None) -> None:
    assert parse_truth(text) == name


WORDS = st.text(st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=20)
NUMBERS = st.integers(0, 1 << 32)


@given(WORDS, WORDS, NUMBERS, st.none() | NUMBERS, st.integers(10**15, 10**16 - 1), st.booleans(), st.booleans())
def test_what_is_made_is_read(
    kind: str, op: str, task: int, stream: int | None, time: int, sliced: bool, threads: bool
) -> None:
    ffts = Ffts(4, 1, 2, 0) if threads else None
    text = make_name(kind, op, task, time, stream=stream, ffts=ffts, lxslice=3 if sliced else None)
    name = parse_name(text)
    assert name is not None
    assert (name.op_type, name.task, name.stream, name.time, name.ffts) == (escape(kind), task, stream, time, ffts)
    assert name.op_name == escape(op) + ("_lxslice3" if sliced else "")
    assert name.text == text


PIECES = st.sampled_from(
    ["a", "conv1", "_lxslice2", "sgt_graph_1_", ".", "..", "1", "42", "-", "x.1", "/", ".csv", ".npy"]
)


@given(st.lists(PIECES, max_size=9).map("".join) | st.sampled_from([*CASES, *NONE]))
def test_the_fast_way_says_the_same(text: str) -> None:
    operator, name = ordinary_operator(text), parse_name(text)
    if operator is not None:
        assert name is not None
        assert (name.base, name.unpartitioned, name.op_name, name.ffts, name.suffix) == (*[operator] * 3, None, "")


@given(st.text(max_size=40))
def test_no_text_breaks_the_parser(text: str) -> None:
    name, truth = parse_name(text), parse_truth(text)
    assert name is None or truth is None
