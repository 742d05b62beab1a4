"""A GraphDef in protobuf's text format, turned into the binary form that everything else works on."""

from __future__ import annotations

from pathlib import Path

from subcut.compiler.errors import ModelError
from subcut.compiler.formats.tensorflow import schema


def to_binary(path: Path) -> bytes:
    """The bytes of the same GraphDef.

    Raises ModelError for a file that is none; an unknown field is refused, because its text cannot be encoded.
    """
    from google.protobuf import text_format

    try:
        source = path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise ModelError(path, "is not UTF-8", offset=error.start, expected="a GraphDef as text") from None
    except OSError as error:
        raise ModelError(path, f"cannot be read: {error.strerror}") from None
    graph = schema.message("GraphDef")()
    try:
        text_format.Parse(source, graph)
    except text_format.ParseError as error:
        line = error.GetLine()
        place = f"line {line}, column {error.GetColumn()}" if line else ""
        raise ModelError(path, _message(error), where=place, expected="a GraphDef as text") from None
    except RecursionError:
        raise ModelError(path, "messages nested too deep", expected="a GraphDef as text") from None
    binary: bytes = graph.SerializeToString(deterministic=True)
    return binary


def _message(error: Exception) -> str:
    """What is wrong, without the place in front of it."""
    text = str(error).splitlines()[0]
    head, _, tail = text.partition(" : ")
    return tail if tail and head.replace(":", "").isdigit() else text
