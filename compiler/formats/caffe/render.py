"""New prototxt: the inputs of a cut, as layers or as lines of the header."""

from __future__ import annotations

from collections.abc import Sequence

from subcut.compiler.formats.caffe.text import quoted


def input_layer_text(name: bytes, blob: bytes, dims: Sequence[int]) -> bytes:
    """The fields of an `Input` layer, on one line."""
    shape = b" ".join([b"shape {", *(b"dim: %d" % dim for dim in dims), b"}"])
    return b'name: %s type: "Input" top: %s input_param { %s }' % (quoted(name), quoted(blob), shape)


def input_layer(name: bytes, blob: bytes, dims: Sequence[int], newline: bytes) -> bytes:
    """An `Input` layer as the text of a net has it."""
    shape = b" ".join([b"shape {", *(b"dim: %d" % dim for dim in dims), b"}"])
    lines = [
        b"layer {",
        b"  name: " + quoted(name),
        b'  type: "Input"',
        b"  top: " + quoted(blob),
        b"  input_param { %s }" % shape,
        b"}",
    ]
    return b"".join(line + newline for line in lines)


def parameter_layer(name: bytes, blob: bytes, dims: Sequence[int], newline: bytes) -> bytes:
    """A `Parameter` layer, which gives out its one blob."""
    shape = b" ".join([b"shape {", *(b"dim: %d" % dim for dim in dims), b"}"])
    lines = [
        b"layer {",
        b"  name: " + quoted(name),
        b'  type: "Parameter"',
        b"  top: " + quoted(blob),
        b"  parameter_param { %s }" % shape,
        b"}",
    ]
    return b"".join(line + newline for line in lines)


def header_text(inputs: Sequence[tuple[bytes, Sequence[int]]], shape_form: bool, newline: bytes) -> bytes:
    """Inputs as the header declares them: `input_dim` takes four dimensions of each, `input_shape` any number."""
    lines: list[bytes] = []
    for blob, dims in inputs:
        lines.append(b"input: " + quoted(blob))
        if shape_form:
            lines.append(b" ".join([b"input_shape {", *(b"dim: %d" % dim for dim in dims), b"}"]))
        else:
            lines += [b"input_dim: %d" % dim for dim in dims]
    return newline.join(lines) + newline
