"""Model files nested deeper than any reader may follow by recursion."""

from __future__ import annotations

from subcut.compiler.storage.wire import bytes_field, int_field


def onnx_bodies(depth: int) -> bytes:
    """An `If` in the body of an `If` in the body …; numbers of fields are those of onnx.proto."""
    graph = bytes_field(1, bytes_field(1, "c") + bytes_field(2, "y") + bytes_field(4, "Not"))
    for i in range(depth):
        body = bytes_field(5, bytes_field(1, "then_branch") + bytes_field(6, graph) + int_field(20, 5))
        graph = bytes_field(1, bytes_field(1, "c") + bytes_field(2, f"o{i}") + bytes_field(4, "If") + body)
    graph += bytes_field(2, "g") + bytes_field(11, bytes_field(1, "c"))
    return int_field(1, 8) + bytes_field(7, graph) + bytes_field(8, int_field(2, 17))


def onnx_types(depth: int) -> bytes:
    """A graph input that is a sequence of sequences of …"""
    kind = bytes_field(1, int_field(1, 1))
    for _ in range(depth):
        kind = bytes_field(4, bytes_field(1, kind))
    node = bytes_field(1, "x") + bytes_field(2, "y") + bytes_field(4, "Relu") + bytes_field(3, "relu")
    graph = bytes_field(1, node) + bytes_field(2, "g") + bytes_field(11, bytes_field(1, "x") + bytes_field(2, kind))
    return int_field(1, 8) + bytes_field(7, graph) + bytes_field(8, int_field(2, 17))


def onnx_calls(count: int) -> bytes:
    """Local functions, each of which calls the next one, and the last the first."""
    functions = b""
    for i in range(count):
        node = bytes_field(1, "x") + bytes_field(2, "y") + bytes_field(4, f"f{(i + 1) % count}") + bytes_field(7, "d")
        own = bytes_field(1, f"f{i}") + bytes_field(4, "x") + bytes_field(5, "y") + bytes_field(7, node)
        functions += bytes_field(25, own + bytes_field(9, bytes_field(1, "d") + int_field(2, 1)) + bytes_field(10, "d"))
    node = bytes_field(1, "x") + bytes_field(2, "y") + bytes_field(3, "n") + bytes_field(4, "f0") + bytes_field(7, "d")
    graph = bytes_field(1, node) + bytes_field(2, "g") + bytes_field(11, bytes_field(1, "x"))
    opsets = bytes_field(8, int_field(2, 17)) + bytes_field(8, bytes_field(1, "d") + int_field(2, 1))
    return int_field(1, 8) + bytes_field(7, graph) + functions + opsets


def graphdef_attributes(depth: int) -> bytes:
    """An attribute that is a function with an attribute that is …; numbers of fields are those of attr_value.proto."""
    value = bytes_field(2, "x")
    for _ in range(depth):
        value = bytes_field(10, bytes_field(1, "f") + bytes_field(2, bytes_field(1, "a") + bytes_field(2, value)))
    node = bytes_field(1, "n") + bytes_field(2, "NoOp") + bytes_field(5, bytes_field(1, "a") + bytes_field(2, value))
    return bytes_field(1, node) + bytes_field(4, int_field(1, 27))


def pbtxt_attributes(depth: int) -> bytes:
    """The same as text."""
    opening = "{ func { name: 'f' attr { key: 'a' value " * depth
    return f"node {{ name: 'n' op: 'NoOp' attr {{ key: 'a' value {opening} {{}} {'} } }' * depth} }} }}".encode()


def prototxt_messages(depth: int) -> bytes:
    """A parameter in a parameter in …"""
    return f"layer {{ name: 'a' type: 'X' top: 'a' p {'{ p ' * depth}{{}}{'}' * depth} }}".encode()


def prototxt_lists(depth: int) -> bytes:
    """A list in a list in …"""
    return f"layer {{ name: 'a' type: 'X' top: 'a' p: {'[' * depth}{']' * depth} }}".encode()
