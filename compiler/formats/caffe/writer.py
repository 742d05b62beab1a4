"""Writing a cut: the text of each kept layer as it stood, its weights as they lie in the file."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from subcut.compiler.errors import user_error
from subcut.compiler.formats import WriteOptions
from subcut.compiler.formats.caffe.dialect import AddedInput
from subcut.compiler.formats.caffe.names import assign
from subcut.compiler.formats.caffe.net import LayerText, string_of
from subcut.compiler.formats.caffe.render import header_text, input_layer, parameter_layer
from subcut.compiler.formats.caffe.shapes import infer_layer, required_blobs
from subcut.compiler.formats.caffe.text import Field, Message, Node, extents, quoted, shown
from subcut.compiler.formats.caffe.weights import Frozen, Source, refused
from subcut.compiler.formats.caffe.weights_writer import write_weights
from subcut.compiler.ir.graph import Model, Op, Value
from subcut.compiler.ir.types import TensorType
from subcut.compiler.storage.rope import Rope

_HEADER = ("input", "input_dim", "input_shape")
_LAYERS = ("layer", "layers")


def write(model: Model, folder: Path, options: WriteOptions) -> list[Path]:
    """Write `<stem>.prototxt`, and `<stem>.caffemodel` where there are weights; returns the files, the net first."""
    _check_edges(model)
    writer = _TextWriter(model)
    text = writer.text()
    net_path, weights_path = folder / f"{options.stem}.prototxt", folder / f"{options.stem}.caffemodel"
    if writer.rewired:
        model.notes["rewired"] = writer.rewired
    text.write(net_path, options.progress)
    weights = write_weights(model)
    if weights is None:
        _note_missing(model)
        return [net_path]
    weights.write(weights_path, options.progress)
    return [net_path, weights_path]


def _note_missing(model: Model) -> None:
    """Say in the log and the manifest when Caffe will fill blobs of this cut by their fillers."""
    needy = next((op for op in model.main.ops if _needs_weights(op)), None)
    if needy is not None:
        what = f"no weights: layer `{needy.label}` needs some; no .caffemodel is beside the net or given with `-w`"
        model.notes.setdefault("limits", []).append({"what": what})


def _needs_weights(op: Op) -> bool:
    try:
        return required_blobs(op.type, op.attributes, len(op.operands)) > 0
    except ValueError:  # a layer that Caffe would refuse, weights or not
        return False


def _check_edges(model: Model) -> None:
    """Raise UserError for an output that Caffe would not make, and a stated type that the net contradicts."""
    for value in model.main.outputs:
        op = value.producer
        if op is not None and isinstance(op.origin, LayerText) and (op.origin.generation, op.type) == (0, "Padding"):
            raise user_error(
                "cannot-write",
                f"`%{value.name}` cannot be given out: Caffe joins the padding layer `{op.label}` to the one behind it",
                help="select the layer behind it too, and do not tap its bottom",
            )
    for value, type in (model.options.types if model.options else {}).items():
        op, shape = value.producer, None
        if op in model.main.ops and isinstance(op.origin, LayerText) and not op.operands:
            try:
                shape = infer_layer(op.type, op.attributes, [], [], len(op.results))[value.index]
            except ValueError as error:
                raise refused(op, str(error)) from None
        own = TensorType("f32", shape)
        if not isinstance(type, TensorType) or str(type.merged(own)) != str(own.merged(type)):
            raise user_error(
                "type-mismatch",
                f"`%{value.name}` is {own} in the net, and the selection states {type}",
                help="leave the `input` clause out, or cut behind the layer that makes the tensor",
            )


class _TextWriter:
    def __init__(self, model: Model) -> None:
        self.graph, self.net = model.main, cast(Source, model.origin).net
        self.file = self.net.file
        self.names = assign(self.graph)
        self.kept = {op.origin.body: op for op in self.graph.ops if isinstance(op.origin, LayerText)}
        self.rewired: list[dict[str, str]] = []
        self.stages = self.needed_stages()
        self.rope = Rope()
        self.last = b"\n"
        self.behind = -1
        """Where the range that was added last ends."""

    def text(self) -> Rope:
        """The prototxt."""
        net = self.net
        verbatim = self.header_stays()
        new = self.new_text(verbatim)
        fields = net.root.fields
        first_layer = next((f for f in fields if f.name in _LAYERS), None)
        ranges = extents(self.file, fields)
        self.add_range(*next(ranges))
        for field, (start, stop) in zip(fields, ranges, strict=True):
            if field is first_layer:
                self.add_new(new)
            if field.name in _LAYERS:
                self.add_layers(field, start, stop)
            elif field.name == "state" and self.stages and isinstance(field.values[0], Message):
                end = field.values[0].stop - 1
                self.add_range(start, end)
                self.add_new(b" %s " % _stages(self.stages))
                self.behind = end
                self.add_range(end, stop)
            elif field.name not in _HEADER or verbatim:
                self.add_range(start, stop)
        if first_layer is None:
            self.add_new(new)
        return self.rope

    def add_new(self, new: bytes) -> None:
        if new:
            self.seam()
            self.rope.add(new)
            self.last, self.behind = new[-1:], -1

    def add_range(self, start: int, stop: int) -> None:
        if stop <= start:
            return
        if start != self.behind:
            self.seam()
        self.rope.add_range(self.file, start, stop)
        self.last, self.behind = self.file.data[stop - 1 : stop], stop

    def seam(self) -> None:
        """What was left out may have held the line end between two pieces."""
        if self.last != b"\n":
            self.rope.add(self.net.newline)

    def add_layers(self, field: Field, start: int, stop: int) -> None:
        """A record, or the several of `layer [{ … }, { … }]`."""
        kept = [(node, self.kept[node]) for node in field.values if isinstance(node, Message) and node in self.kept]
        edits = [edit for _, op in kept for edit in self.edits(op)]
        if len(kept) == len(field.values):
            self.add_edited(start, stop, edits)
            return
        for node, op in kept:
            self.seam()
            self.rope.add(field.name.encode() + b" ")
            self.last, self.behind = b" ", node.start
            self.add_edited(node.start, node.stop, self.edits(op))

    def add_edited(self, start: int, stop: int, edits: list[tuple[Node, bytes]]) -> None:
        at = start
        for node, new in sorted(edits, key=lambda edit: edit[0].start):
            self.add_range(at, node.start)
            self.rope.add(new)
            at = self.behind = node.stop
        self.add_range(at, stop)

    def needed_stages(self) -> tuple[str, ...]:
        """Stages to write into the net's state, so that kept layers with rules on them are read again.

        Caffe takes phase and level from its caller, and adds the caller's stages to those of the file.
        """
        rules = [field for op in self.kept.values() for field in op.origin.rules]
        asks = any(
            inner.name in ("stage", "not_stage")
            for field in rules
            for node in field.values
            if isinstance(node, Message)
            for inner in node.fields
        )
        return self.net.stages if asks else ()

    def edits(self, op: Op) -> list[tuple[Node, bytes]]:
        """The bottoms and tops of a layer whose blobs have other names in the cut."""
        layer, names = op.origin, self.names
        # What was read and not changed since is in the text as its blob: most layers need no look at it.
        if not op.changed and all(v in names and names[v] == v.origin for v in (*op.operands, *op.results) if v):
            return []
        found: list[tuple[Node, bytes]] = []
        for kind, nodes, values in (("bottom", layer.bottoms, op.operands), ("top", layer.tops, op.results)):
            for i, (node, value) in enumerate(zip(nodes, values, strict=True)):
                if value is None:
                    continue
                if value not in self.names:
                    raise user_error(
                        "undefined-tensor",
                        f"`{op.label}` reads `%{value.name}`, which nothing in the net that is written makes",
                        help="run the pass `add-inputs` after `cut`, or read the net in another phase or stage",
                    )
                old, new = string_of(self.file, node), self.names[value]
                if old != new:
                    found.append((node, quoted(new)))
                    note = {"operator": op.label, "operand": f"{kind} {i}", "from": shown(old), "to": shown(new)}
                    if note not in self.rewired:
                        self.rewired.append(note)
        return found

    def header_stays(self) -> bool:
        """Whether the header's inputs are written as they stand: all kept, as declared, before the new ones."""
        declared, inputs = self.net.inputs, self.graph.inputs
        if len(inputs) < len(declared):
            return False
        for old, value in zip(declared, inputs, strict=False):
            if self.names[value] != old.name or (_dims(value) or None) != (old.shape or None):
                return False
        added = inputs[len(declared) :]
        if not added:
            return True
        late = False
        for field in self.net.root.fields:
            late = late or field.name in _LAYERS
            if late and field.name in _HEADER:
                return False
        complete = all(old.shape is not None for old in declared)
        return complete and (not declared or self.net.shape_form == self.shape_form(added))

    def new_text(self, verbatim: bool) -> bytes:
        """The inputs that the text lacks, and the layers that store frozen tensors."""
        skip = len(self.net.inputs) if verbatim else 0
        inputs = self.graph.inputs[skip:]
        pieces: list[bytes] = []
        if self.stages and not any(field.name == "state" for field in self.net.root.fields):
            pieces.append(b"state { %s }" % _stages(self.stages) + self.net.newline)
        if inputs:
            shape_form = self.shape_form(inputs)
            rows = [(self.names[value], self.header_dims(value, shape_form)) for value in inputs]
            pieces.append(header_text(rows, shape_form, self.net.newline))
        for op in self.graph.ops:
            if isinstance(op.origin, (AddedInput, Frozen)):
                build = input_layer if isinstance(op.origin, AddedInput) else parameter_layer
                dims = _dims(op.results[0]) or ()
                pieces.append(build(op.name.encode(), self.names[op.results[0]], dims, self.net.newline))
        return b"".join(pieces)

    def shape_form(self, inputs: list[Value]) -> bool:
        """Whether to write `input_shape`: `input_dim` has four dimensions, and Caffe's upgrade of V0 nets only that."""
        if self.net.has_v0:
            return False
        return self.net.shape_form or any(len(_dims(value) or ()) != 4 for value in inputs)

    def header_dims(self, value: Value, shape_form: bool) -> tuple[int, ...]:
        dims = _dims(value)
        if dims is None:
            raise user_error(
                "untyped-edge",
                f"the header does not say the shape of the input `%{value.name}`",
                help=f"state it in the selection: `; input %{value.name} : 1x3x224x224xf32`, with the real shape",
            )
        if shape_form:
            return dims
        if len(dims) > 4:
            raise user_error(
                "cannot-write",
                f"`%{value.name}` has {len(dims)} dimensions, and a net of this generation takes inputs of four",
                help="upgrade the net with Caffe's `upgrade_net_proto_text` first",
            )
        return (*dims, 1, 1, 1, 1)[:4]


def _stages(stages: tuple[str, ...]) -> bytes:
    return b" ".join(b"stage: " + quoted(stage.encode()) for stage in stages)


def _dims(value: Value) -> tuple[int, ...] | None:
    shape = value.type.shape if isinstance(value.type, TensorType) else None
    if shape is None or not all(isinstance(dim, int) for dim in shape):
        return None
    return tuple(dim for dim in shape if isinstance(dim, int))
