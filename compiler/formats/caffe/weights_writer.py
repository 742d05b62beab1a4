"""The weights of a cut: records of the kept layers, copied as they lie in the file."""

from __future__ import annotations

from typing import cast

from subcut.compiler.errors import user_error
from subcut.compiler.formats.caffe.caffemodel import (
    BLOBS,
    DATA,
    HEADER_INPUT,
    NET_NAME,
    SHAPE,
    V2_LAYER,
    Blob,
    Record,
    WeightFile,
)
from subcut.compiler.formats.caffe.net import LayerText, string_of
from subcut.compiler.formats.caffe.text import Message, shown
from subcut.compiler.formats.caffe.weights import Frozen, Source, missing, param_names
from subcut.compiler.ir.graph import Model, Op
from subcut.compiler.storage.files import Span
from subcut.compiler.storage.rope import Rope
from subcut.compiler.storage.wire import LEN, bytes_field, tag, varint

_LAYER_NAME = {2: 4, V2_LAYER: 1}


def write_weights(model: Model) -> Rope | None:
    """The `.caffemodel` of a cut, or None where there are no weights.

    A layer that shares a blob whose owner is left out gets the owner's numbers in a record of its own.
    """
    source = cast(Source, model.origin)
    frozen = [op for op in model.main.ops if isinstance(op.origin, Frozen)]
    if source.weights is None and not frozen:
        return None
    rope = Rope()
    if source.weights is not None:
        _Kept(model, source, source.weights).write(rope)
    if not rope.size:
        rope.add(bytes_field(NET_NAME, model.name))
    for op in frozen:
        rope.add_field(V2_LAYER, _frozen_record(op))
    return rope


class _Kept:
    def __init__(self, model: Model, source: Source, weights: WeightFile) -> None:
        self.source, self.weights = source, weights
        self.layers: dict[bytes, Op] = {}
        """The first kept layer of each name: Caffe gives a record to none but the first."""
        for op in model.main.ops:
            if isinstance(op.origin, LayerText):
                self.layers.setdefault(op.origin.name, op)
        self.whole = all(layer.name in self.layers for layer in source.net.layers)

    def write(self, rope: Rope) -> None:
        """Append the records in the order of the file, then those that had to be made."""
        self.check_owners()
        rows: list[tuple[int, Record | Span]] = [(record.start, record) for record in self.weights.records]
        for number, span in self.weights.others:
            if self.whole or number not in HEADER_INPUT:
                rows.append((span.start, span))
        for _, row in sorted(rows, key=lambda pair: pair[0]):
            if isinstance(row, Span):
                rope.add(row)
            elif row.name in self.layers and self.source.record(self.layers[row.name].origin) is not None:
                self.add_record(rope, row)
        for op in self.layers.values():
            if self.source.record(op.origin) is None:
                self.add_made(rope, op)

    def add_record(self, rope: Rope, record: Record) -> None:
        """A record of a kept layer, with the numbers of shared blobs whose holder is left out in place of its own."""
        op = self.layers[record.name]
        borrowed = self.borrowed(op) if record is self.weights.by_name[record.name] else {}
        borrowed = {
            i: blob for i, blob in borrowed.items() if i >= len(record.blobs) or not _same(record.blobs[i], blob)
        }
        if not borrowed:
            rope.add_range(record.file, record.start, record.stop)
            return
        body, number, seen = Rope(), BLOBS[record.number], 0
        for field, kind, tag_at, start, stop in record.fields():
            if field == number and kind == LEN:
                if seen in borrowed:
                    body.add_field(number, _with_numbers(Blob(record.file, start, stop), borrowed[seen]))
                else:
                    body.add_range(record.file, tag_at, stop)
                seen += 1
            else:
                body.add_range(record.file, tag_at, stop)
        for i in range(seen, max(borrowed) + 1):
            body.add_field(number, _whole(self.lent(op, borrowed, i)))
        rope.add_field(record.number, body)

    def lent(self, op: Op, borrowed: dict[int, Blob], index: int) -> Blob:
        if index not in borrowed:
            raise missing(op, self.source)
        if self.permissive(op, index):
            raise user_error(
                "shared-shape",
                f"layer `{op.label}` takes blob {index} from a layer that is left out, in a shape that is not known",
                help="keep the layer that owns the blob, or give a weights file that has one for both",
            )
        return borrowed[index]

    def add_made(self, rope: Rope, op: Op) -> None:
        """A record for a layer that the weights file lacks and that lives on blobs of layers left out."""
        borrowed = self.borrowed(op)
        if not borrowed:
            return
        number = self.weights.records[0].number
        body = Rope([bytes_field(_LAYER_NAME[number], op.origin.name)])
        for i in range(max(borrowed) + 1):
            body.add_field(BLOBS[number], _whole(self.lent(op, borrowed, i)))
        rope.add_field(number, body)

    def borrowed(self, op: Op) -> dict[int, Blob]:
        """The blobs that a layer shares and whose numbers lie in a record that is not kept."""
        layer, found = op.origin, dict[int, Blob]()
        if not layer.shared or not self.source.shared:
            return found
        for i, name in enumerate(param_names(self.source.net, layer)):
            holder = self.source.holder(name) if name else None
            if holder is not None and holder[0].name not in self.layers:
                found[i] = holder[0].blobs[holder[1]]
        return found

    def check_owners(self) -> None:
        """Raise UserError `shared-shape` where a blob's next owner may have another shape than those that share it."""
        for sharers in self.source.shared.values():
            kept = [(self.layers[layer.name], i) for layer, i in sharers if layer.name in self.layers]
            if len(kept) > 1 and sharers[0][0].name not in self.layers and self.permissive(*kept[0]):
                op, index = kept[0]
                raise user_error(
                    "shared-shape",
                    f"layer `{op.label}` would lend blob {index} to others, in a shape that need not be theirs",
                    help=f"keep the layer that owns the blob: `{shown(sharers[0][0].name)}`",
                )

    def permissive(self, op: Op, index: int) -> bool:
        """Whether a parameter may have another shape than its owner's."""
        nodes = [node for field in op.origin.shared for node in field.values]
        node = nodes[index] if index < len(nodes) else None
        if not isinstance(node, Message):
            return False
        modes = [string_of(self.source.net.file, f.values[0]) for f in node.fields if f.name == "share_mode"]
        return modes[-1:] in ([b"PERMISSIVE"], [b"1"])


def _same(one: Blob, other: Blob) -> bool:
    """Whether two blobs hold the same numbers, compared as they lie in the file."""
    if one is other:
        return True
    with memoryview(one.file.data) as view:
        mine, its = one.pieces, other.pieces
        if len(mine) != len(its) or any(a.field != b.field for a, b in zip(mine, its, strict=True)):
            return False
        return all(view[a.start : a.stop] == view[b.start : b.stop] for a, b in zip(mine, its, strict=True))


def _with_numbers(shape: Blob, numbers: Blob) -> Rope:
    """A blob with the shape of one and the numbers of another."""
    return Rope([*shape.spans(numbers=False), *numbers.spans(numbers=True)])


def _whole(blob: Blob) -> Rope:
    return Rope([Span(blob.file, blob.start, blob.stop)])


def _frozen_record(op: Op) -> bytes:
    """A record of the current generation with one blob."""
    constant = cast(Frozen, op.origin).constant
    numbers = constant.numpy().astype("<f4").tobytes()
    dims = b"".join(varint(dim) for dim in constant.type.shape or () if isinstance(dim, int))
    shape = bytes_field(SHAPE, bytes_field(1, dims))
    blob = shape + tag(DATA, LEN) + varint(len(numbers)) + numbers
    return bytes_field(1, op.name) + bytes_field(2, "Parameter") + bytes_field(BLOBS[V2_LAYER], blob)
