"""Lowering of a Caffe net to ONNX: the pass that makes a net run without Caffe."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from subcut.compiler.errors import UserError, user_error
from subcut.compiler.formats.caffe.caffemodel import Blob
from subcut.compiler.formats.caffe.layer import Dims, Layer, Unknown, text
from subcut.compiler.formats.caffe.lowering import REASONS, RULES, SOURCES
from subcut.compiler.formats.caffe.lowering.program import Array, Lowered, Program, f32, to_proto
from subcut.compiler.formats.caffe.shapes import infer_layer, required_blobs
from subcut.compiler.formats.caffe.weights import blobs_of, holds_integers, refused, source_of
from subcut.compiler.ir.graph import Model, Op, Value, topological
from subcut.compiler.ir.types import TensorType
from subcut.compiler.storage.files import SourceFile

Result = TypeVar("Result")


class UnknownShape(UserError):
    """A layer depends on the shape of `tensors`, which only a run can tell."""

    def __init__(self, op: Op, tensors: Sequence[str]) -> None:
        names = " or ".join(f"`%{name}`" for name in tensors) or "its top"
        super().__init__(_refusal(op, f"the whole shape of {names} is not known").diagnostics)
        self.tensors = tensors


def lower(model: Model, fetch: Sequence[str] | None = None, shapes: Mapping[str, Dims] | None = None) -> Any:
    """`model` as an `onnx.ModelProto` that does what Caffe does while testing (float32, opset 18).

    Every tensor keeps its name. `fetch` names the outputs (all outputs, or all tensors that nobody reads, when None)
    and with them what is lowered; `shapes` gives tensors that are to be inputs. Raises UserError `not-lowerable`
    with the layer and the reason, `missing-weights` where a layer lacks its weights, `unknown-tensor` for `fetch`.
    """
    program = build(model, fetch, shapes or {})
    return to_proto(program, model.name)


def build(
    model: Model,
    fetch: Sequence[str] | None,
    shapes: Mapping[str, Dims],
    blobs: Mapping[Op, Sequence[Array]] | None = None,
) -> Program:
    """The lowered net as plain data; see `lower`. `blobs` take the place of what layers store."""
    values = _values(model)
    wanted = _wanted(model, values, fetch)
    inside = set(model.main.ops)
    # What is given, and blobs that only layers of another phase make, come from outside.
    cut = {v for v in values.values() if v.name in shapes or (v.producer and v.producer not in inside)}
    order = _needed(wanted, cut)
    program = Program(set(values))
    state = _State(program, {}, shapes, blobs or {})
    for value in values.values():
        if value in cut or value.producer is None:
            state.known[value] = shapes.get(value.name, _stated(value))
    for op in order:
        state.lower(op, cut)
    program.outputs = {value.name: state.known.get(value) for value in wanted}
    return _with_inputs(program, state, values)


def _values(model: Model) -> dict[str, Value]:
    """Every tensor by name; those that only layers of another phase make are tensors too."""
    found = {value.name: value for value in model.main.values()}
    for op in model.main.ops:
        for value in op.operands:
            if value is not None:
                found.setdefault(value.name, value)
    return found


def _wanted(model: Model, values: Mapping[str, Value], fetch: Sequence[str] | None) -> list[Value]:
    if fetch is None:
        unread = [v for op in model.main.ops if op.type not in SOURCES for v in op.results if not v.uses]
        return model.main.outputs or unread
    for name in fetch:
        if name not in values:
            raise user_error("unknown-tensor", f"the net has no tensor `%{name}`")
    return [values[name] for name in fetch]


def _needed(wanted: Sequence[Value], cut: set[Value]) -> list[Op]:
    """The layers that make `wanted` from `cut`, in order."""
    found: dict[Op, None] = {}
    todo = [v for v in wanted if v not in cut]
    while todo:
        op = todo.pop().producer
        if op is not None and op not in found:
            found[op] = None
            todo += [v for v in op.operands if v is not None and v not in cut]
    place = {op: i for graph in {op.graph: None for op in found} if graph for i, op in enumerate(graph.ops)}
    return topological(sorted(found, key=lambda op: place.get(op, -1)))


def _stated(value: Value) -> Dims | None:
    return value.type.shape if isinstance(value.type, TensorType) else None


def _with_inputs(program: Program, state: _State, values: Mapping[str, Value]) -> Program:
    """Declare what is read and not computed as inputs."""
    made = {name for node in program.nodes for name in node.outputs} | set(program.constants)
    read = [name for node in program.nodes for name in node.inputs]
    for name in dict.fromkeys([*read, *program.outputs]):
        if name and name not in made and name in values:
            program.inputs[name] = state.known.get(values[name])
    return program


class _State:
    """What is lowered so far."""

    def __init__(
        self,
        program: Program,
        known: dict[Value, Dims | None],
        shapes: Mapping[str, Dims],
        blobs: Mapping[Op, Sequence[Array]],
    ) -> None:
        self.program, self.known, self.shapes, self.blobs = program, known, shapes, blobs

    def lower(self, op: Op, cut: set[Value]) -> None:
        """Append what `op` becomes, and note the shapes of its results."""
        bottoms = [self.known.get(v) if v is not None else None for v in op.operands]
        vague = [v.name for v, d in zip(op.operands, bottoms, strict=True) if v is not None and not _whole(d)]
        tops = _guarded(op, vague, lambda: self._tops(op, bottoms))
        for value, dims in zip(op.results, tops, strict=True):
            if value not in cut:
                self.known[value] = dims
        rule = _dummy if op.type == "DummyData" else RULES.get(op.type)
        if op.type in SOURCES and not (rule and _filled(op)):
            return
        if rule is None:
            raise _refusal(op, REASONS.get(op.type, "subcut does not know what a layer of this type computes"))
        layer = Layer(op.type, op.attributes, bottoms, (), len(op.results))
        inputs = [v.name for v in op.operands if v is not None]
        # A fed tensor is not overwritten: what its maker computes goes nowhere.
        outputs = [v.name if v not in cut else self.program.fresh(f"{v.name}/unused") for v in op.results]
        blobs = self.blobs[op] if op in self.blobs else stored_blobs(op)
        at = Lowered(self.program, layer, op.label, inputs, outputs, tops, blobs)
        _guarded(op, vague, lambda: rule(at))

    def _tops(self, op: Op, bottoms: Sequence[Dims | None]) -> list[Dims | None]:
        if op.type in SOURCES:
            stated = [_stated(value) for value in op.results]
            if all(dims is not None for dims in stated):
                return stated
        return infer_layer(op.type, op.attributes, bottoms, (), len(op.results))


def _whole(dims: Dims | None) -> bool:
    return dims is not None and all(isinstance(d, int) for d in dims)


def _guarded(op: Op, vague: Sequence[str], act: Callable[[], Result]) -> Result:
    """`act()`, its refusals as errors that name the layer; `vague` are the bottoms without a whole shape."""
    try:
        return act()
    except Unknown:
        raise UnknownShape(op, vague) from None
    except ValueError as error:
        raise _refusal(op, str(error)) from None


def _refusal(op: Op, reason: str) -> UserError:
    return user_error("not-lowerable", f"layer `{op.label}` ({op.type}) cannot be run: {reason}")


def stored_blobs(op: Op) -> list[Array]:
    """The layer's blobs as float32. Raises UserError `missing-weights`."""
    if holds_integers(op):
        raise _refusal(op, "its weights are whole numbers for the device; run the net that simulates quantisation")
    if op.type == "InfogainLoss" and len(op.operands) < 3:
        return [f32(_matrix(op).numpy())]
    if op.type == "DetectionEvaluate":
        return _image_sizes(op)
    blobs = [f32(constant.numpy()) for constant in blobs_of(op)]
    needed = required_blobs(op.type, op.attributes, len(op.operands))
    if len(blobs) >= needed:
        return blobs
    raise missing(op, needed, len(blobs))


def _matrix(op: Op) -> Blob:
    """The `BlobProto` in the file that an InfogainLoss names."""
    name = Layer(op.type, op.attributes, []).param("infogain_loss_param").string("source")
    if not name:
        raise _refusal(op, "it has neither a third bottom nor a `source`")
    file = SourceFile(_beside(op, name, "its matrix is"))
    return Blob(file, 0, file.size)


def _image_sizes(op: Op) -> list[Array]:
    """Height and width of each image, by the lines (name, height, width) of the file that a DetectionEvaluate names."""
    name = Layer(op.type, op.attributes, []).param("detection_evaluate_param").string("name_size_file")
    if not name:
        return []
    words = _beside(op, name, "the sizes of its images are").read_text(errors="replace").split()
    lines = [words[i + 1 : i + 3] for i in range(0, len(words), 3)]
    if not all(len(line) == 2 and all(size.isdecimal() and int(size) for size in line) for line in lines):
        raise _refusal(op, f"`{name}` must have lines of name, height and width")
    return [f32([[int(size) for size in line] for line in lines])] if lines else []


def _beside(op: Op, name: str, what: str) -> Path:
    """The file that a layer names: beside the net, else where Caffe looks for it."""
    source = source_of(op)
    folders = [source.net.file.path.parent, source.beside] if source is not None else []
    for path in [*(folder / name for folder in folders if folder is not None), Path(name)]:
        if path.is_file():
            return path
    raise _refusal(op, f"{what} in `{name}`, which is neither beside the net nor in the current folder")


def check_stored(ops: Iterable[Op]) -> None:
    """Raise UserError `missing-weights` for the first layer that lacks blobs which it would need to run."""
    for op in ops:
        try:
            needed = required_blobs(op.type, op.attributes, len(op.operands))
        except ValueError as error:
            raise refused(op, str(error)) from None
        found = len(blobs_of(op)) if needed else 0
        if found < needed:
            raise missing(op, needed, found)


def missing(op: Op, needed: int, found: int) -> UserError:
    """The error of a layer that lacks weights."""
    return user_error(
        "missing-weights",
        f"layer `{op.label}` ({op.type}) needs {needed} stored blobs to run and has {found}",
        help="give the file that has them with `-w FILE.caffemodel`",
    )


def _filled(op: Op) -> bool:
    """Whether a DummyData layer fills its tops with one number; any other filler is random."""
    fillers = Layer(op.type, op.attributes, []).param("dummy_data_param").messages("data_filler")
    return all(filler.fields.get("type", "constant") == "constant" for filler in fillers)


def _dummy(at: Lowered) -> None:
    """A blob of one number, for each top."""
    import numpy as np

    fillers = at.layer.param("dummy_data_param").messages("data_filler")
    for i, out in enumerate(at.outputs):
        filler = fillers[min(i, len(fillers) - 1)] if fillers else None
        value = filler.real("value") if filler else 0.0
        shape = at.top(i)
        sizes = [d for d in shape if isinstance(d, int)]
        if len(sizes) != len(shape):
            raise ValueError(f"its top {text(shape)} has no fixed size")
        at.emit("Identity", np.full(sizes, value, np.float32), out=out)
