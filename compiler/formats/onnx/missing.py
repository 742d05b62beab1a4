"""Shapes that ONNX's inference leaves unknown: what `Loop` carries on, and what `Reshape` and its like are told.

A `Reshape` has the rank that its second operand has elements, and the dimensions that `fold` knows of these.

An `If` whose condition is certain gives what that branch gives; else its readers may tell the rank (see `backward`).

A state variable may change its shape from one iteration to the next, so ONNX takes only its element type for certain.
By induction it has one shape throughout when the body, given the shape that the loop starts with, gives out the same;
where only some dimensions change, the others are certain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from subcut.compiler.formats.onnx import backward, fold
from subcut.compiler.formats.onnx.records import model_record_of
from subcut.compiler.formats.onnx.types import agreed, decode_type, encode_type, is_ranked
from subcut.compiler.ir.graph import Constant, Graph, Op, Value
from subcut.compiler.ir.types import TensorType, Type

Run = Callable[[Any], Any]
Take = Callable[[Graph, Any], None]

Place = tuple[int, ...]
"""Which graph an operator is in, as node and body indices from the main graph, and which of its nodes it is."""
MAX_RANK = 64
ROUNDS = 8
"""How many times the inference is run at most; a loop in a loop needs one more than the one around it."""


@dataclass
class _State:
    """A state variable of a loop: its type throughout, if all is as assumed."""

    result: Value
    type: TensorType
    place: Place
    slot: int
    stated: bytes = b""
    """What the file says of the body's input."""


def settle(main: Graph, proto: Any, run: Run, take: Take) -> Any:
    """Set the types of state variables that keep their shape, and of what follows from these; returns the model.

    `proto` is a model with inferred types, which were taken into `main` already.
    """
    assumed: dict[Value, TensorType | None] = {}
    for _ in range(ROUNDS):
        if any((_state_told_shapes(main, proto), _state_demanded_ranks(main, proto))):
            proto = run(proto) or proto
            take(main, proto.graph)
            continue
        states = list(_states(main, assumed))
        if not states:
            return proto
        for state in states:
            info = _body(proto, state).input[2 + state.slot]
            state.stated = info.type.SerializeToString()
            info.type.ParseFromString(encode_type(state.type))
        found = run(proto)
        if found is None:
            return proto
        given = {state.result: _given_out(found, state) for state in states}
        if any(given[state.result] != state.type for state in states):
            for state in states:
                _body(proto, state).input[2 + state.slot].type.ParseFromString(state.stated)
                common = agreed(state.type, given[state.result])
                assumed[state.result] = common if isinstance(common, TensorType) and common.shape is not None else None
            continue
        for state in states:
            state.result.type = state.type
            _state(proto, state.place, state.result)
        proto = run(proto) or proto
        take(main, proto.graph)
    return proto


def _states(main: Graph, assumed: Mapping[Value, TensorType | None]) -> Iterator[_State]:
    """State variables of unknown shape that start with a known one, unless they turned out not to keep it."""
    for op, place in _operators(main):
        if op.type != "Loop" or len(op.regions) != 1:
            continue
        for slot, (operand, result) in enumerate(zip(op.operands[2:], op.results, strict=False)):
            if operand is None or not result.name or is_ranked(result.type):
                continue
            type = assumed.get(result, operand.type)
            if isinstance(type, TensorType) and is_ranked(type):
                yield _State(result, type, place, slot)


def _operators(main: Graph) -> Iterator[tuple[Op, Place]]:
    """Every operator of the main graph and its bodies, and where it is."""
    graphs: list[tuple[Graph, Place]] = [(main, ())]
    while graphs:
        graph, place = graphs.pop()
        nodes = [op for op in graph.ops if op.operands or op.type not in ("initializer", "sparse_initializer")]
        for index, op in enumerate(nodes):
            graphs += [(region, (*place, index, i)) for i, region in enumerate(op.regions)]
            yield op, (*place, index)


def _graph(proto: Any, place: Place) -> Any:
    """The GraphProto that an operator is in."""
    graph = proto.graph
    for node, body in zip(place[:-1:2], place[1::2], strict=True):
        graph = _bodies(graph.node[node])[body]
    return graph


def _body(proto: Any, state: _State) -> Any:
    """The GraphProto of a loop's body."""
    return _bodies(_graph(proto, state.place).node[state.place[-1]])[0]


def _state(proto: Any, place: Place, value: Value) -> None:
    """Tell the inference the type of `value`, which the operator at `place` makes."""
    _graph(proto, place).value_info.add(name=value.name).type.ParseFromString(encode_type(value.type))


def _state_told_shapes(main: Graph, proto: Any) -> bool:
    """Set the types of unknown rank that an operand decides; whether there were any."""
    told = False
    opset = model_record_of(main.model).opsets.get("", 0)
    for op, place in _operators(main):
        if op.type == "If" and op.operands[0] is not None and not all(is_ranked(one.type) for one in op.results):
            types = _of_taken_branch(op, op.operands[0])
        elif op.type in ("Reshape", "Expand", "ConstantOfShape") and not is_ranked(op.results[0].type):
            types = [_told(op)]
        elif op.type == "Dropout" and opset < 10 and op.operands[0] is not None:
            types = [op.operands[0].type] * 2  # the mask, which opset 10 made boolean, has the type of the data
        else:
            continue
        for result, type in zip(op.results, types, strict=False):
            if is_ranked(type) and not is_ranked(result.type):
                result.type = type
                _state(proto, place, result)
                told = True
    return told


def _state_demanded_ranks(main: Graph, proto: Any) -> bool:
    """Set the types of unknown rank that a reader decides; whether there were any."""
    told = False
    for op, place in reversed(list(_operators(main))):
        for value, shape in backward.demanded(op):
            assert isinstance(value.type, TensorType)
            value.type = TensorType(value.type.element, shape)
            _state(proto, place, value)
            told = True
    return told


def _of_taken_branch(op: Op, condition: Value) -> list[Type | None]:
    """The types of what an `If` gives, where its condition is certain, such as one on the rank of a tensor."""
    value = fold.static_value(condition)
    if value is None or value.size != 1:
        return []
    taken = "then_branch" if value.any() else "else_branch"
    return [one.type for region in op.regions if region.name == taken for one in region.outputs]


def _told(op: Op) -> TensorType | None:
    """The type of what a `Reshape`, an `Expand` or a `ConstantOfShape` gives, as far as it follows."""
    if len(op.operands) != (1 if op.type == "ConstantOfShape" else 2):
        return None
    data, shape = op.operands[0], op.operands[-1]
    filled = op.attributes.get("value")
    element = data.type.element if data is not None and isinstance(data.type, TensorType) else None
    if op.type == "ConstantOfShape":
        element = filled.type.element if isinstance(filled, Constant) else "f32"
    dims = _numbers(shape) if shape is not None else None
    if element is None or dims is None or (op.type == "Expand" and not _is_rank_of(data, len(dims))):
        return None
    if op.type == "Expand":
        dims = [None] * len(dims)
    return TensorType(element, tuple(dim if dim is not None and dim > 0 else None for dim in dims))


def _numbers(shape: Value) -> list[int | None] | None:
    """What is known of the elements of a shape; None where not even their number is."""
    known = fold.follow(shape)
    if known is not None and known.array.ndim == 1:
        pairs = zip(known.array.tolist(), known.mask.tolist(), strict=True)
        return [number if sure else None for number, sure in pairs]
    type = shape.type
    if not isinstance(type, TensorType) or type.shape is None or len(type.shape) != 1:
        return None
    rank = type.shape[0]
    unknown: list[int | None] = [None] * rank if isinstance(rank, int) and rank <= MAX_RANK else []
    return unknown or None


def _is_rank_of(data: Value | None, rank: int) -> bool:
    """Whether broadcasting `data` to `rank` dimensions gives exactly as many."""
    type = data.type if data is not None else None
    return isinstance(type, TensorType) and type.shape is not None and len(type.shape) <= rank


def _bodies(node: Any) -> list[Any]:
    return [body for one in node.attribute for body in ([one.g] if one.HasField("g") else one.graphs)]


def _given_out(found: Any, state: _State) -> Type | None:
    """The type of what the body gives out for the next iteration."""
    body = _body(found, state)
    name = body.output[1 + state.slot].name
    stated = [decode_type(one.type.SerializeToString()) for one in (*body.value_info, *body.output) if one.name == name]
    return next((one for one in stated if is_ranked(one)), None)
