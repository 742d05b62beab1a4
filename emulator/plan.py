"""What of a model is emulated: the operators that its outputs need, their names, its inputs."""

from __future__ import annotations

from collections.abc import Sequence

from subcut.compiler.diagnostics import did_you_mean
from subcut.compiler.errors import user_error
from subcut.compiler.ir.graph import Model, Op, Value, topological
from subcut.emulator.kinds import FLOW, INPUT, image_layout, role


class Plan:
    """The main graph, pruned to what its outputs need, or the tensors called `outputs` where some are.

    Raises UserError `not-emulated` for control flow, `unknown-tensor` for an output that there is not.
    """

    def __init__(self, model: Model, outputs: Sequence[str] = ()) -> None:
        self.model = model
        model.dialect.annotate(model)
        self.feeds = model.dialect.feeds(model)
        self.makers = {value.producer for value in self.feeds if value.producer is not None}
        self.outputs = _named(model, outputs) if outputs else _outputs(model)
        self.ops = self._needed()
        for op in self.ops:
            if role(op) == FLOW or (op.symbols and model.dialect.name == "tf"):
                raise user_error(
                    "not-emulated",
                    f"`{op.label}` ({op.type}) decides while it runs what is computed, or calls a function",
                    help="a device's compiler unfolds it; cut out what is before or behind it, and emulate that",
                )
        self.names = model.dialect.compiled_names(model.main)
        self.image = next((image_layout(op) for op in self.ops if op.attributes.get("data_format")), "")
        self.image = self.image or ("NHWC" if model.dialect.name == "tf" else "NCHW")

    def input_name(self, value: Value) -> str:
        """What the device calls an input: the layer, the placeholder, or ONNX's tensor."""
        return value.producer.name if value.producer is not None else value.name

    def output_name(self, value: Value) -> str:
        """An output as the offline model lists it."""
        assert value.producer is not None
        return f"{self.names[value.producer]}:{value.index}"

    def needed_feeds(self) -> list[Value]:
        """The inputs that anything depends on."""
        read = {value for op in self.ops for value in op.reads()} | set(self.outputs)
        return [value for value in self.feeds if value in read]

    def _needed(self) -> list[Op]:
        found: dict[Op, None] = {}
        todo = list(self.outputs)
        fed = set(self.feeds)
        while todo:
            value = todo.pop()
            op = value.producer
            if value not in fed and op is not None and op not in found:
                found[op] = None
                todo += op.reads()
        place = {op: i for i, op in enumerate(self.model.main.ops)}
        return topological(sorted(found, key=lambda op: place[op]))


def _named(model: Model, names: Sequence[str]) -> list[Value]:
    """Tensors that operators make, by their names, or by those that a reader of the file has for them."""
    written = {name: value for value, name in model.dialect.written_names(model).items()}
    values = {value.name: value for op in model.main.ops for value in op.results if value.name}
    found = [values.get(name) or values.get(f"{name}:0") or written.get(name) for name in names]
    missing = next((name for name, value in zip(names, found, strict=True) if value is None), None)
    if missing is not None:
        help = did_you_mean(missing, values)
        raise user_error("unknown-tensor", f"no operator makes a tensor `{missing}`", help=help)
    return [value for value in found if value is not None]


def _outputs(model: Model) -> list[Value]:
    """The model's outputs; where the file names none, what operators that nobody reads from make."""
    if model.main.outputs:
        return [value for value in model.main.outputs if value.producer is not None]
    last = [
        op.results[0]
        for op in model.main.ops
        if op.results and role(op) != INPUT and not model.dialect.is_stored(op) and not any(v.uses for v in op.results)
    ]
    if not last:
        raise user_error("not-emulated", "the model has no output that is computed")
    return last
