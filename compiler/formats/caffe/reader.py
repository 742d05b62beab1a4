"""Reading a Caffe net into the IR: every write of a blob is a value of its own."""

from __future__ import annotations

from pathlib import Path

from subcut.compiler.errors import ModelError, user_error
from subcut.compiler.formats import ReadOptions
from subcut.compiler.formats.caffe.caffemodel import WeightFile, looks_like_weights, read_weights
from subcut.compiler.formats.caffe.dialect import CaffeDialect, blob_type
from subcut.compiler.formats.caffe.names import version_names
from subcut.compiler.formats.caffe.net import LayerText, NetText, read_net, string_of
from subcut.compiler.formats.caffe.rules import NetState
from subcut.compiler.formats.caffe.text import line_of, shown
from subcut.compiler.formats.caffe.weights import Source
from subcut.compiler.ir.graph import Model, Op, Value
from subcut.compiler.storage.files import SourceFile


def read(path: Path, options: ReadOptions) -> Model:
    """Read a `.prototxt`, and the weights beside it under the same stem, or those that the options name.

    Raises ModelError for a file that is damaged or no net, UserError for weights given in place of the net.
    """
    file = SourceFile(path)
    if looks_like_weights(file.data[: 1 << 16], file.size):
        raise _weights_alone(path)
    net = read_net(file, NetState(options.phase, options.level, options.stages))
    weights = _find_weights(path, options)
    model = Model(CaffeDialect(), net.name)
    model.sources = [file, weights.file] if weights else [file]
    model.origin = Source(net, weights, options.beside)
    _Builder(model, net).build()
    return model


def _find_weights(path: Path, options: ReadOptions) -> WeightFile | None:
    if options.weights is not None:
        return read_weights(SourceFile(options.weights))
    for net in (path, path.resolve()):  # a link to the net is taken where it leads, when nothing is beside the link
        stem = net.name.split(".proto")[0] if ".proto" in net.name else net.stem
        beside = net.with_name(stem + ".caffemodel")
        if beside.is_file():
            return read_weights(SourceFile(beside))
    return None


def _weights_alone(path: Path) -> Exception:
    """A `.caffemodel` describes the net it was trained as, with its data and loss layers: not the one to cut."""
    net = path.with_suffix(".prototxt")
    name = net.name if net.is_file() else "NET.prototxt"
    return user_error(
        "weights-only",
        f"`{path.name}` holds weights, and the net to cut is in its `.prototxt`",
        help=f'subcut {name} "SELECTION" -w {path.name}',
    )


class _Builder:
    def __init__(self, model: Model, net: NetText) -> None:
        self.model, self.net, self.graph = model, net, model.main
        self.current: dict[bytes, Value] = {}
        self.written: list[Value] = []
        self.elsewhere: dict[bytes, LayerText] = {}
        """Blobs that only layers of another phase, level or stage make."""

    def build(self) -> None:
        net = self.net
        for layer in net.left_out:
            for node in layer.tops:
                self.elsewhere.setdefault(string_of(net.file, node), layer)
        for declared in net.inputs:
            value = self.graph.add_input("", blob_type(declared.shape))
            self.write(declared.name, value)
        for layer in net.layers:
            self.add(layer)
        names = version_names([shown(value.origin) for value in self.written])
        for value, name in zip(self.written, names, strict=True):
            value.name = name

    def write(self, blob: bytes, value: Value) -> None:
        value.origin = blob
        self.current[blob] = value
        self.written.append(value)

    def add(self, layer: LayerText) -> None:
        file = self.net.file
        operands = tuple(self.resolve(layer, string_of(file, node)) for node in layer.bottoms)
        op = Op(layer.type, shown(layer.name), operands)
        op.origin = layer
        self.graph.append(op)
        for node in layer.tops:
            self.write(string_of(file, node), op.add_result(""))

    def resolve(self, layer: LayerText, blob: bytes) -> Value:
        """The latest version of a blob that a layer reads."""
        value = self.current.get(blob)
        if value is not None:
            return value
        absent = self.elsewhere.get(blob)
        if absent is None:
            at = layer.body.start
            raise ModelError(
                self.net.file.path,
                f"layer `{shown(layer.name)}` reads the blob `{shown(blob)}`, which nothing before it makes",
                offset=at,
                where=line_of(self.net.file, at),
                expected="the name of an input or of an earlier layer's top",
            )
        # Its maker is no part of the net in this state: a cut sees the blob as made outside.
        maker = Op(absent.type, shown(absent.name))
        maker.origin, maker.graph = absent, self.graph
        value = maker.add_result("")
        self.graph.absent.append(value)
        self.write(blob, value)
        return value
