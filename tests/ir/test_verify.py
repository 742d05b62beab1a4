"""The verifier accepts what is well formed and names each way of being broken."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from ir.random_models import models

from subcut.compiler.ir.graph import Graph, Model, Op, Value
from subcut.compiler.ir.report import MADE_OUTSIDE, Edge, Report
from subcut.compiler.ir.text import print_model
from subcut.compiler.ir.text_parse import TextDialect, parse_model
from subcut.compiler.ir.verify import BrokenIR, verify


def build() -> Model:
    """x -> a -> b -> (body: captures a) -> out; b waits for a."""
    model = Model(TextDialect("onnx"))
    main = model.main
    x = main.add_input("x")
    a = main.append(Op("A", "a", (x,)))
    value = a.add_result("va")
    b = main.append(Op("B", "b", (value, None, value), (a,)))
    loop = main.append(Op("Loop", "loop", (b.add_result("vb"),)))
    body = Graph(model, "body", loop)
    loop.regions.append(body)
    inner = body.append(Op("I", "inner", (body.add_input("i"), value)))
    body.outputs = [inner.add_result("vi"), value]
    main.outputs = [loop.add_result("vloop")]
    model.functions["f"] = Graph(model, "f")
    model.functions["f"].append(Op("F", "in_f")).add_result("vf")
    return model


def op(model: Model, name: str) -> Op:
    return next(op for graph in model.graphs() for op in graph.ops if op.name == name)


def set_operands(op: Op, *operands: Value | None) -> None:
    op.operands = operands


BREAKS: dict[str, tuple[Callable[[Model], object], str, str]] = {
    "dropped producer": (lambda m: m.main.ops.pop(0), r"operand 0 \(%va\) is defined nowhere around", "b"),
    "use not recorded": (lambda m: op(m, "a").results[0].uses.pop(), "%va is 3 operands and records 2 uses", "a"),
    "use recorded twice": (
        lambda m: m.main.inputs[0].uses.append((op(m, "a"), 0)),
        "%x is 1 operands and records 2 uses",
        "",
    ),
    "one use for another": (
        lambda m: op(m, "a").results[0].uses.__setitem__(0, op(m, "a").results[0].uses[1]),
        "%va is 3 operands and records 3 uses",
        "a",
    ),
    "use that is none": (
        lambda m: op(m, "b").results[0].uses.append((op(m, "b"), 1)),
        "%vb is recorded as operand 1 of <B b>, which it is not",
        "b",
    ),
    "use beyond the operands": (
        lambda m: op(m, "b").results[0].uses.append((op(m, "a"), 5)),
        "recorded as operand 5",
        "b",
    ),
    "use by a dropped operator": (
        lambda m: op(m, "a").results[0].uses.append((Op("X", operands=(op(m, "a").results[0],)), 0)),
        "%va is recorded as operand 0",
        "a",
    ),
    "operand of another function": (
        lambda m: op(m, "in_f").set_operand(0, m.main.inputs[0]) if set_operands(op(m, "in_f"), None) is None else 0,
        r"operand 0 \(%x\) is defined nowhere around",
        "in_f",
    ),
    "body's value used outside": (
        lambda m: op(m, "loop").set_operand(0, op(m, "inner").results[0]),
        r"operand 0 \(%vi\) is defined nowhere around",
        "loop",
    ),
    "output of nowhere": (lambda m: m.main.outputs.append(Value("ghost")), "output %ghost is defined nowhere", ""),
    "result's index": (lambda m: setattr(op(m, "a").results[0], "index", 1), r"result 0 \(%va\) does not know", "a"),
    "result's producer": (
        lambda m: setattr(op(m, "a").results[0], "producer", op(m, "b")),
        r"result 0 \(%va\) does not know",
        "a",
    ),
    "result twice": (
        lambda m: op(m, "a").results.append(op(m, "a").results[0]),
        r"result 1 \(%va\) does not know",
        "a",
    ),
    "operator's graph": (lambda m: setattr(op(m, "b"), "graph", m.functions["f"]), "does not know its graph", "b"),
    "operator twice": (lambda m: m.main.ops.append(op(m, "a")), "the operator stands in two places", "a"),
    "control outside": (lambda m: op(m, "in_f").set_controls([op(m, "a")]), "waits for <A a>, which is not", "in_f"),
    "control on a dropped one": (lambda m: op(m, "a").set_controls([Op("X", "x")]), "waits for <X x>", "a"),
    "body's owner": (
        lambda m: setattr(op(m, "loop").regions[0], "owner", op(m, "a")),
        "the operator does not own its body `body`",
        "loop",
    ),
    "owner of a function": (
        lambda m: setattr(m.functions["f"], "owner", op(m, "a")),
        "graph `f` is no body and has an owner",
        "",
    ),
    "body twice": (
        lambda m: op(m, "loop").regions.append(op(m, "loop").regions[0]),
        "graph `body` stands in two places",
        "",
    ),
    "graph of another model": (lambda m: setattr(m.main, "model", build()), "belongs to another model", ""),
    "input with a producer": (
        lambda m: setattr(m.main.inputs[0], "producer", op(m, "a")),
        "input %x does not know its graph",
        "",
    ),
    "input twice": (lambda m: m.main.inputs.append(m.main.inputs[0]), "input %x stands in two places", ""),
    "input of another graph": (
        lambda m: m.main.inputs.append(op(m, "loop").regions[0].inputs[0]),
        "input %i does not know its graph",
        "",
    ),
    "two of one name": (lambda m: setattr(op(m, "b").results[0], "name", "x"), "two values are called %x", ""),
}


@pytest.mark.parametrize("name", BREAKS)
def test_every_way_of_being_broken_is_told(name: str) -> None:
    act, message, place = BREAKS[name]
    model = build()
    verify(model)
    act(model)
    with pytest.raises(BrokenIR, match=message) as caught:
        verify(model, "pass `fold`")
    lines = str(caught.value).split("\n")
    assert lines[0].startswith("the IR is broken after pass `fold`: ")
    marked = [line for line in lines if line.startswith("  >> ")]
    kinds = {"a": ["A"], "b": ["B"], "loop": ["Loop"], "in_f": ["F"], "": []}
    assert [line.partition('"onnx.')[2].partition('"')[0] for line in marked] == kinds[place]


def test_values_without_names_may_be_many() -> None:
    model = build()
    op(model, "a").add_result("")
    op(model, "a").add_result("")
    verify(model)


def test_a_cut_s_inputs_may_be_open_until_they_are_added() -> None:
    model = build()
    value = op(model, "a").results[0]
    model.main.keep([op(model, "loop"), op(model, "b")])
    op(model, "b").set_controls([])
    with pytest.raises(BrokenIR):
        verify(model)
    edge = Edge(value, MADE_OUTSIDE, value.producer, [op(model, "b")])
    model.report = Report(inputs=[edge])
    verify(model)
    edge.new = model.main.add_input("va2")
    with pytest.raises(BrokenIR):
        verify(model)


@given(models())
@settings(max_examples=100, deadline=None)
def test_random_models_and_what_is_read_back_are_well_formed(model: Model) -> None:
    verify(model)
    verify(parse_model(print_model(model)))


def test_time_is_linear() -> None:
    """Ten times the operators, with one value that all of them read, take about ten times as long, not a hundred."""
    seconds = []
    for count in (3_000, 30_000):
        model = Model(TextDialect("onnx"))
        last = first = model.main.add_input("x")
        for i in range(count):
            last = model.main.append(Op("Add", operands=(last, first))).add_result(f"v{i}")
        started = time.process_time()
        verify(model)
        seconds.append(time.process_time() - started)
    assert seconds[1] < 40 * seconds[0] + 0.1
