"""From a path to a model, whichever of the four forms the file is in."""

from __future__ import annotations

from pathlib import Path

from subcut.compiler.errors import ModelError
from subcut.compiler.formats.ascend import header as h
from subcut.compiler.formats.ascend.definition import Definition
from subcut.compiler.formats.ascend.origin import ModelOrigin
from subcut.compiler.formats.ascend.partitions import Container, find, read_container
from subcut.compiler.formats.ascend.recognise import AIR, JSON, OFFLINE, TEXT, form_of
from subcut.compiler.ir.graph import Model
from subcut.compiler.storage.files import SourceFile


def load(path: Path) -> Model:
    """The IR of a model. Raises ModelError."""
    from subcut.compiler.formats.ascend.reader import read_model

    return read_model(open_model(path))


def definitions(path: Path) -> list[Definition]:
    """The definitions in a file, the main one first. Raises ModelError."""
    return open_model(path).definitions


def open_model(path: Path) -> ModelOrigin:
    """A file, taken apart down to its definitions."""
    file = SourceFile(path)
    form = form_of(file.data[: 1 << 16], path.suffix.lower())
    if form == JSON:
        return ModelOrigin(file, form, [_of_text(file, _from_json(file))])
    if form == TEXT:
        from subcut.compiler.formats.ascend.text_form import parse

        raw, whole = parse(path, file.data[:])
        return ModelOrigin(file, form, [_of_text(file, raw)], broken_off=not whole)
    if form == AIR:
        return ModelOrigin(file, form, [Definition(path, file.data, 0, file.size, file=file)])
    container = read_container(file)
    return ModelOrigin(file, OFFLINE, _of_container(file, container), container)


def _of_text(file: SourceFile, raw: bytes) -> Definition:
    return Definition(file.path, raw, 0, len(raw))


def _from_json(file: SourceFile) -> bytes:
    from subcut.compiler.formats.ascend.json_form import loads

    try:
        raw: bytes = loads(file.data[:]).SerializeToString()
    except ValueError as error:
        raise ModelError(file.path, str(error), expected="the JSON of `atc --mode=1`") from None
    return raw


def _of_container(file: SourceFile, container: Container) -> list[Definition]:
    """The definitions of a container's models, each with its weights; then of those nested in it."""
    found: list[Definition] = []
    for partitions in container.models:
        place = find(partitions, h.MODEL_DEF)
        if place is None:
            continue
        weights = find(partitions, h.WEIGHTS_DATA)
        root = found[0] if found else None
        one = Definition(file.path, file.data, place.start, place.stop, file=file, weights=weights, root=root)
        found.append(one)
    for _, inner in container.nested:
        found += _of_container(file, inner)
    if not found:
        names = ", ".join(part.name for partitions in container.models for part in partitions)
        message = "the container has no model definition"
        raise ModelError(file.path, message, offset=h.SIZE, expected="a partition MODEL_DEF", where=names)
    return found
