"""A `.prototxt` as a net: its header and its layers, each with the place in the text that it came from."""

from __future__ import annotations

from dataclasses import dataclass, field

from subcut.compiler.errors import ModelError
from subcut.compiler.formats.caffe.generations import V0_TYPES, V1_TYPES, decode
from subcut.compiler.formats.caffe.rules import NetState, included
from subcut.compiler.formats.caffe.text import Field, Message, Node, Scalar, line_of, parse, raw_string, scalar, shown
from subcut.compiler.storage.files import SourceFile


class LayerText:
    """A layer's record: the message, and the parts of it that make the graph."""

    __slots__ = ("body", "bottoms", "field", "generation", "name", "rules", "shared", "tops", "type")

    def __init__(self, field: Field, body: Message, generation: int) -> None:
        self.field, self.body, self.generation = field, body, generation
        self.name = b""
        self.type = ""
        self.bottoms: list[Node] = []
        self.tops: list[Node] = []
        self.rules: list[Field] = []
        self.shared: list[Field] = []
        """The `param` fields, which may share blobs with other layers."""


@dataclass
class HeaderInput:
    """An input that the net's header declares with `input: "data"`."""

    name: bytes
    shape: tuple[int, ...] | None


@dataclass
class NetText:
    """A parsed `.prototxt`."""

    file: SourceFile
    root: Message
    generation: int = 2
    """Of the layers: 1 stands for V0 too, whose records are `layers` as well."""
    has_v0: bool = False
    newline: bytes = b"\n"
    name: str = ""
    stages: tuple[str, ...] = ()
    """Stages of the state that the net was read in and that its own text does not give."""
    inputs: list[HeaderInput] = field(default_factory=list[HeaderInput])
    shape_form: bool = False
    """Whether the header gives shapes as `input_shape`, not as `input_dim`."""
    layers: list[LayerText] = field(default_factory=list[LayerText])
    """Those of the net's state."""
    left_out: list[LayerText] = field(default_factory=list[LayerText])
    """Those that the rules leave out."""


def read_net(file: SourceFile, state: NetState) -> NetText:
    """Parse a `.prototxt` and evaluate its rules. Raises ModelError where it is no net."""
    net = NetText(file, parse(file))
    ending = file.data.find(b"\n")
    net.newline = b"\r\n" if ending > 0 and file.data[ending - 1] == 13 else b"\n"
    seen = {f.name: f for f in net.root.fields}
    if "layer" in seen and "layers" in seen:
        at = seen["layers"].start
        raise ModelError(
            file.path,
            "the net has both `layer` and `layers` records, which Caffe refuses",
            offset=at,
            where=line_of(file, at),
            expected="records of one generation",
        )
    net.generation = 1 if "layers" in seen else 2
    _read_header(net)
    own = _own_stages(net)
    net.stages = tuple(stage for stage in dict.fromkeys(state.stages) if stage not in own)
    state = NetState(state.phase, state.level, (*own, *net.stages))
    for field_ in net.root.fields:
        if field_.name in ("layer", "layers"):
            for node in field_.values:
                _add_layer(net, field_, node, state)
    if not net.layers and not net.left_out and not net.inputs:
        raise ModelError(file.path, "the net has no layers", offset=0, expected="`layer { … }` records")
    return net


def _read_header(net: NetText) -> None:
    names: list[Node] = []
    dims: list[Node] = []
    shapes: list[Node] = []
    wanted = {"input": names, "input_dim": dims, "input_shape": shapes}
    for field_ in net.root.fields:
        if field_.name in wanted:
            wanted[field_.name].extend(field_.values)
        elif field_.name == "name" and field_.values:
            net.name = shown(string_of(net.file, field_.values[0]))
    net.shape_form = bool(shapes)
    for i, node in enumerate(names):
        shape = _shape(net.file, shapes, i) if shapes else _legacy_shape(net.file, dims, i)
        net.inputs.append(HeaderInput(string_of(net.file, node), shape))


def _shape(file: SourceFile, shapes: list[Node], index: int) -> tuple[int, ...] | None:
    if index >= len(shapes):
        return None
    message = shapes[index]
    if not isinstance(message, Message):
        raise _wrong(file, message.start, "`input_shape` is no message", "`input_shape { dim: 1 … }`")
    dims = [node for f in message.fields if f.name == "dim" for node in f.values]
    return tuple(_dim(file, node) for node in dims)


def _legacy_shape(file: SourceFile, dims: list[Node], index: int) -> tuple[int, ...] | None:
    four = dims[4 * index : 4 * index + 4]
    return tuple(_dim(file, node) for node in four) if len(four) == 4 else None


def _dim(file: SourceFile, node: Node) -> int:
    value = scalar(file, node) if isinstance(node, Scalar) else None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _wrong(file, node.start, "a dimension that is no whole number", "a number such as 224")
    return value


def _own_stages(net: NetText) -> tuple[str, ...]:
    """Stages that the file's own `state` adds; its phase and level give way to those asked for."""
    found: list[str] = []
    for field_ in net.root.fields:
        for node in field_.values if field_.name == "state" else ():
            stages = decode(net.file, node).get("stage", []) if isinstance(node, Message) else []
            found += [str(s) for s in (stages if isinstance(stages, list) else [stages])]
    return tuple(found)


def _add_layer(net: NetText, field_: Field, node: Node, state: NetState) -> None:
    if not isinstance(node, Message):
        raise _wrong(net.file, node.start, f"`{field_.name}` is no message", f"`{field_.name} {{ … }}`")
    layer = _read_layer(net, field_, node)
    try:
        inside = not layer.rules or included(
            state,
            *([decode(net.file, n) for f in layer.rules if f.name == name for n in f.values if isinstance(n, Message)]
              for name in ("include", "exclude")),
        )  # fmt: skip
    except ValueError as error:
        raise _wrong(net.file, node.start, f"layer `{shown(layer.name)}` {error}", "one kind") from None
    (net.layers if inside else net.left_out).append(layer)


def _read_layer(net: NetText, field_: Field, body: Message) -> LayerText:
    file = net.file
    layer = LayerText(field_, body, net.generation)
    kind: Node | None = None
    for inner in body.fields:
        name = inner.name
        if name == "bottom":
            layer.bottoms.extend(inner.values)
        elif name == "top":
            layer.tops.extend(inner.values)
        elif name == "name":
            layer.name = _single(file, inner)
        elif name == "type" and inner.values:
            kind = inner.values[0]
        elif name in ("include", "exclude"):
            layer.rules.append(inner)
        elif name == "param":
            layer.shared.append(inner)
        elif name == "layer" and net.generation == 1 and inner.values and isinstance(inner.values[0], Message):
            layer.generation, net.has_v0 = 0, True
            kind = _read_v0(file, layer, inner.values[0])
    if kind is not None:
        word = shown(string_of(file, kind))
        layer.type = (V0_TYPES, V1_TYPES, {word: word})[layer.generation].get(word, word)
    return layer


def _read_v0(file: SourceFile, layer: LayerText, inner: Message) -> Node | None:
    """Take the name from the inner message of a V0 layer; returns the node of its type."""
    kind: Node | None = None
    for field_ in inner.fields:
        if field_.name == "name":
            layer.name = _single(file, field_)
        elif field_.name == "type" and field_.values:
            kind = field_.values[0]
    return kind


def _single(file: SourceFile, field_: Field) -> bytes:
    if len(field_.values) != 1:
        raise _wrong(file, field_.start, f"`{field_.name}` must have one value", "one string")
    return string_of(file, field_.values[0])


def string_of(file: SourceFile, node: Node) -> bytes:
    """The bytes of a string or the letters of a word. Raises ModelError for a message."""
    if isinstance(node, Message):
        raise _wrong(file, node.start, "a message where a string should stand", "a string")
    return raw_string(file, node)


def _wrong(file: SourceFile, at: int, message: str, expected: str) -> ModelError:
    return ModelError(file.path, message, offset=at, expected=expected, where=line_of(file, at))
