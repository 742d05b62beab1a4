"""The shapes that `Loop` carries from one iteration to the next, which ONNX's inference leaves unknown.

A state variable may change its shape from one iteration to the next, so ONNX takes only its element type for certain.
By induction it has one shape throughout when the body, given the shape that the loop starts with, gives out the same;
where only some dimensions change, the others are certain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from subcut.compiler.formats.onnx.types import agreed, decode_type, encode_type, is_ranked
from subcut.compiler.ir.graph import Graph, Value
from subcut.compiler.ir.types import TensorType, Type

Run = Callable[[Any], Any]
Take = Callable[[Graph, Any], None]

ROUNDS = 8
"""How many times the inference is run at most; a loop in a loop needs one more than the one around it."""


@dataclass
class _State:
    """A state variable of a loop: its type throughout, if all is as assumed."""

    result: Value
    type: TensorType
    place: tuple[int, ...]
    """Which graph the loop is in, as node and body indices from the main graph, and which of its nodes it is."""
    slot: int
    stated: bytes = b""
    """What the file says of the body's input."""


def settle(main: Graph, proto: Any, run: Run, take: Take) -> Any:
    """Set the types of state variables that keep their shape, and of what follows from these; returns the model.

    `proto` is a model with inferred types, which were taken into `main` already.
    """
    assumed: dict[Value, TensorType | None] = {}
    for _ in range(ROUNDS):
        states = list(_states(main, assumed))
        if not states:
            return proto
        for state in states:
            info = _loop(proto, state)[1].input[2 + state.slot]
            state.stated = info.type.SerializeToString()
            info.type.ParseFromString(encode_type(state.type))
        found = run(proto)
        if found is None:
            return proto
        given = {state.result: _given_out(found, state) for state in states}
        if any(given[state.result] != state.type for state in states):
            for state in states:
                _loop(proto, state)[1].input[2 + state.slot].type.ParseFromString(state.stated)
                common = agreed(state.type, given[state.result])
                assumed[state.result] = common if isinstance(common, TensorType) and common.shape is not None else None
            continue
        for state in states:
            state.result.type = state.type
            info = _loop(proto, state)[0].value_info.add(name=state.result.name)
            info.type.ParseFromString(encode_type(state.type))
        proto = run(proto) or proto
        take(main, proto.graph)
    return proto


def _states(main: Graph, assumed: Mapping[Value, TensorType | None]) -> Iterator[_State]:
    """State variables of unknown shape that start with a known one, unless they turned out not to keep it."""
    graphs: list[tuple[Graph, tuple[int, ...]]] = [(main, ())]
    while graphs:
        graph, place = graphs.pop()
        nodes = [op for op in graph.ops if op.operands or op.type not in ("initializer", "sparse_initializer")]
        for index, op in enumerate(nodes):
            graphs += [(region, (*place, index, i)) for i, region in enumerate(op.regions)]
            if op.type != "Loop" or len(op.regions) != 1:
                continue
            for slot, (operand, result) in enumerate(zip(op.operands[2:], op.results, strict=False)):
                if operand is None or not result.name or is_ranked(result.type):
                    continue
                type = assumed.get(result, operand.type)
                if isinstance(type, TensorType) and is_ranked(type):
                    yield _State(result, type, (*place, index), slot)


def _loop(proto: Any, state: _State) -> tuple[Any, Any]:
    """The GraphProto that a loop is in, and its body."""
    graph = proto.graph
    for node, body in zip(state.place[:-1:2], state.place[1::2], strict=True):
        graph = _bodies(graph.node[node])[body]
    return graph, _bodies(graph.node[state.place[-1]])[0]


def _bodies(node: Any) -> list[Any]:
    return [body for one in node.attribute for body in ([one.g] if one.HasField("g") else one.graphs)]


def _given_out(found: Any, state: _State) -> Type | None:
    """The type of what the body gives out for the next iteration."""
    body = _loop(found, state)[1]
    name = body.output[1 + state.slot].name
    stated = [decode_type(one.type.SerializeToString()) for one in (*body.value_info, *body.output) if one.name == name]
    return next((one for one in stated if is_ranked(one)), None)
