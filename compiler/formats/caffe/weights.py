"""The blobs of a layer: found by the layer's name, and through shared parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from subcut.compiler.errors import ModelError, UserError, user_error
from subcut.compiler.formats.caffe.caffemodel import Blob, Record, WeightFile
from subcut.compiler.formats.caffe.net import LayerText, NetText, string_of
from subcut.compiler.formats.caffe.text import Message, line_of, shown
from subcut.compiler.ir.graph import Constant, Op
from subcut.compiler.ir.types import TensorType


@dataclass(eq=False)
class Source:
    """What a Caffe model was read from: the text and the weights (`Model.origin`)."""

    net: NetText
    weights: WeightFile | None
    beside: Path | None = None
    """Where files that layers name may lie, if not beside the net."""

    @cached_property
    def shared(self) -> dict[bytes, list[tuple[LayerText, int]]]:
        """Who shares a blob, by the blob's parameter name: layer and number of its blob, in the order of the net."""
        members: dict[bytes, list[tuple[LayerText, int]]] = {}
        for layer in self.net.layers:
            if layer.shared:
                for i, name in enumerate(param_names(self.net, layer)):
                    if name:
                        members.setdefault(name, []).append((layer, i))
        return {name: sharers for name, sharers in members.items() if len(sharers) > 1}

    @cached_property
    def first(self) -> dict[bytes, LayerText]:
        """The first layer of each name."""
        return {layer.name: layer for layer in reversed(self.net.layers)}

    def record(self, layer: LayerText) -> Record | None:
        """The layer's record in the weights file. Of several layers of a name the first has it.

        `Net::CopyTrainedLayersFrom` stops at the first match, and the others keep what their fillers made.
        """
        if self.weights is None or self.first.get(layer.name) is not layer:
            return None
        return self.weights.by_name.get(layer.name)

    def blobs(self, layer: LayerText) -> list[Blob | None]:
        """The blobs that the layer computes with; None for one that the weights file lacks.

        Caffe copies the records in the order of the file, so of several that share a blob the last one counts.
        """
        own = self.record(layer)
        found: list[Blob | None] = [*own.blobs] if own else []
        if self.weights is None or not layer.shared or not self.shared:
            return found
        for i, name in enumerate(param_names(self.net, layer)):
            holder = self.holder(name)
            if holder is not None:
                found += [None] * (i + 1 - len(found))
                found[i] = holder[0].blobs[holder[1]]
        return found

    def holder(self, name: bytes) -> tuple[Record, int] | None:
        """The record, and the number of the blob in it, whose numbers count for a shared parameter."""
        held = [(self.record(layer), i) for layer, i in self.shared.get(name, [])]
        stored = [(record, i) for record, i in held if record is not None and i < len(record.blobs)]
        return max(stored, key=lambda pair: pair[0].index) if stored else None


def param_names(net: NetText, layer: LayerText) -> list[bytes]:
    """The name of each of the layer's parameters, empty for one that is not shared."""
    names: list[bytes] = []
    for field in layer.shared:
        for node in field.values:
            if not isinstance(node, Message):
                names.append(string_of(net.file, node))  # V1's `param: "name"`
                continue
            own = [string_of(net.file, f.values[0]) for f in node.fields if f.name == "name" and f.values]
            names.append(own[-1] if own else b"")
    return names


def source_of(op: Op) -> Source | None:
    """What the model of `op` was read from."""
    origin = op.graph.model.origin if op.graph is not None else None
    return origin if isinstance(origin, Source) else None


def blobs_of(op: Op) -> list[Constant]:
    """The stored blobs of a layer, in order; none without a weights file. Numbers are read when asked for.

    A blob that the layer shares is its owner's. Raises UserError `missing-weights` where one of several is missing.
    """
    if isinstance(op.origin, Frozen):
        return [op.origin.constant]
    source = source_of(op)
    if source is None or not isinstance(op.origin, LayerText):
        return []
    blobs: list[Constant] = []
    for blob in source.blobs(op.origin):
        if blob is None:
            raise missing(op, source)
        blobs.append(Constant(TensorType(blob.element, blob.shape), blob.numpy))
    return blobs


def holds_integers(op: Op) -> bool:
    """Whether what the layer stores is whole numbers, as in a net that AMCT wrote for the device."""
    source = source_of(op)
    found = source.blobs(op.origin) if source is not None and isinstance(op.origin, LayerText) else []
    return any(blob is not None and blob.integers for blob in found)


@dataclass(eq=False)
class Frozen:
    """Origin of a `Parameter` layer that stores the numbers a tensor was frozen to."""

    constant: Constant


def check_weights(chosen: Mapping[Op, None]) -> None:
    """Raise UserError `missing-weights` when a chosen layer needs blobs that its weights file lacks."""
    from subcut.compiler.formats.caffe.shapes import STORING, required_blobs

    for op in chosen:
        source = source_of(op)
        if source is None or source.weights is None or not isinstance(op.origin, LayerText):
            continue
        if op.type not in STORING and not op.origin.shared:
            continue
        try:
            needed = required_blobs(op.type, op.attributes, len(op.operands))
        except ValueError as error:
            raise refused(op, str(error)) from None
        found = source.blobs(op.origin)
        if None in found or len(found) < needed:
            raise missing(op, source)


def refused(op: Op, reason: str) -> ModelError:
    """The error of a layer that Caffe would refuse, with its place in the text."""
    source = source_of(op)
    if source is None or not isinstance(op.origin, LayerText):
        return ModelError("", reason, where=f"layer `{op.label}`")
    file, at = source.net.file, op.origin.body.start
    return ModelError(file.path, reason, offset=at, where=f"layer `{op.label}`, {line_of(file, at)}")


def missing(op: Op, source: Source) -> UserError:
    """The error of a layer whose blobs are not in the weights file."""
    assert source.weights is not None
    have = sum(blob is not None for blob in source.blobs(op.origin))
    amount = f"only {have} of the" if have else "no"
    names = [shown(record.name) for record in source.weights.records if record.blobs]
    twin = source.first.get(op.origin.name) is not op.origin
    rest = f" and {len(names) - 3} more" if len(names) > 3 else ""
    stored = "it has those of " + ", ".join(f"`{name}`" for name in names[:3]) + rest if names else "it has none at all"
    return user_error(
        "missing-weights",
        f"`{source.weights.file.path.name}` has {amount} weights of layer `{op.label}`",
        help=[
            "weights are matched by layer name; "
            + ("Caffe gives them to the first layer of this name" if twin else stored),
            "give the right file with `-w FILE.caffemodel`",
        ],
    )
