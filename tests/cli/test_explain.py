"""`subcut explain` says of every edge why it is one."""

from __future__ import annotations

import pytest
from support.models import digits, shared

from subcut.compiler.cli.explain import lines
from subcut.compiler.cli.main import main
from subcut.compiler.ir import report as why
from subcut.compiler.ir.graph import Op, Value
from subcut.compiler.ir.report import Edge, Report
from subcut.compiler.ir.types import TensorType


def explained(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main(["explain", *map(str, arguments)]) == 0
    return " ".join(capsys.readouterr().out.split())


def test_real_net(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "72")
    assert main(["explain", str(shared("caffe/mtcnn/det1.prototxt")), "from pool1 to conv3"]) == 0
    assert (
        capsys.readouterr().out
        == """\
4 operators of graph `main` kept
1 input:
  `%conv1` : 1x10x10x10xf32 enters because `PReLU1` (PReLU), outside,
    makes it and `pool1`, inside, reads it
1 output:
  `%conv3:0` : 1x32x1x1xf32 leaves because the selection names it, or
    what makes it, as an end: `conv3` (Convolution), inside, makes it
    and `PReLU3`, outside, reads it
"""
    )


def test_constants_that_come_along(capsys: pytest.CaptureFixture[str]) -> None:
    text = explained(capsys, digits("onnx"), "from res2a_branch2a to res2a_branch2a_relu")
    assert "enters because `pool1` (MaxPool), outside, makes it and `res2a_branch2a`, inside, reads it" in text
    assert "5 constants come along: `%res2a_branch2a.0`, " in text
    assert " and 2 more: stored, or computed from what is stored alone" in text


def test_open_ends(capsys: pytest.CaptureFixture[str]) -> None:
    text = explained(capsys, shared("caffe/mtcnn/det1.prototxt"), "from conv3")
    assert (
        "`%conv4-2` : 1x4x1x1xf32 leaves because `conv4-2` (Convolution), inside, makes it and nobody reads it" in text
    )
    text = explained(capsys, shared("caffe/mtcnn/det1.prototxt"), "conv3 plus PReLU3")
    assert "leaves because `PReLU3` (PReLU), inside, makes it and `conv4-1` and `conv4-2`, outside, read it" in text


def test_nothing_is_written_and_mistakes_are_told(
    capsys: pytest.CaptureFixture[str], tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(tmp_path))
    assert main(["explain", str(digits("onnx")), "from conv_1 to fc10"]) == 1
    assert "did you mean `conv1`" in capsys.readouterr().err


REASONS = {
    why.MADE_OUTSIDE: "because `mk` (M), outside, makes it and `r0`, inside, reads it",
    why.MODEL_INPUT: "because it is an input of the model and `r0`, inside, reads it",
    why.CAPTURED: "because `r0`, inside, reads it from the graph around, where `mk` (M) makes it",
    why.NAMED_START: "because the selection names it as where to start: `r0`, inside, reads it",
}
ENDS = {
    why.NAMED_END: "because the selection names it, or what makes it, as an end: `mk` (M), inside, makes it and",
    why.TAPPED: "because the selection taps it: `mk` (M), inside, makes it and `r0`, outside, reads it",
    why.LEAVES: "because `mk` (M), inside, makes it and `r0`, outside, reads it",
    why.UNREAD: "because `mk` (M), inside, makes it and nobody reads it",
    why.MODEL_OUTPUT: "because it is an output of the model: `mk` (M), inside, makes it and `r0`, outside, reads it",
}


def edge(reason: str, readers: int = 1) -> Edge:
    value = Op("M", "mk").add_result("x", TensorType("f32", (1,)))
    return Edge(value, reason, value.producer, [Op("R", f"r{i}") for i in range(readers)])


@pytest.mark.parametrize("reason", [*REASONS, *ENDS])
def test_every_reason_has_a_sentence(reason: str) -> None:
    incoming = reason in REASONS
    report = Report(inputs=[edge(reason)] * incoming, outputs=[edge(reason)] * (not incoming))
    sentence = f"  `%x` : 1xf32 {'enters' if incoming else 'leaves'} {(REASONS | ENDS)[reason]}"
    assert any(line.startswith(sentence) for line in lines(report)), list(lines(report))


def test_every_reason_there_is_has_been_tried() -> None:
    known = {value for name, value in vars(why).items() if name.isupper() and isinstance(value, str)} - {
        why.STATIC,
        why.DEAD,
    }
    assert known == {*REASONS, *ENDS}


def test_the_rest_of_a_report() -> None:
    report = Report(
        graph="body",
        folded=[(Value("shape"), TensorType("i64", (4,)), "static shapes")],
        constants=[Op("Const", "c")],
        controls=[(Op("A", "a"), Op("B", "b"))],
    )
    assert list(lines(report)) == [
        "no operators of graph `body` kept",
        "no inputs",
        "no outputs",
        "1 constant folded:",
        "  `%shape` : 4xi64 need not enter because its value is known: static shapes",
        "1 constant comes along:",
        "  `c`: stored, or computed from what is stored alone",
        "1 control dependency dropped:",
        "  `a` no longer waits for `b`, which is left out",
    ]


def test_many_readers_are_counted() -> None:
    text = "\n".join(lines(Report(inputs=[edge(why.MADE_OUTSIDE, 9)])))
    assert "`r0`, `r1`, `r2` and 6 more, inside, read it" in text
