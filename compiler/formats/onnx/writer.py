"""A model of the IR as an ONNX file: the records of what is kept, by span, and what had to change."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from subcut.compiler.errors import user_error
from subcut.compiler.formats import WriteOptions
from subcut.compiler.formats.onnx import unranked
from subcut.compiler.formats.onnx.dialect import OnnxDialect
from subcut.compiler.formats.onnx.graphs import GraphWriter, is_whole
from subcut.compiler.formats.onnx.link import Links
from subcut.compiler.formats.onnx.placing import DataFile, InPlace, Placer
from subcut.compiler.formats.onnx.records import ModelRecord, body, model_record_of, reading, record_of
from subcut.compiler.ir.graph import Graph, Model
from subcut.compiler.storage.digest import sha1_of
from subcut.compiler.storage.files import Span
from subcut.compiler.storage.rope import Rope
from subcut.compiler.storage.wire import bytes_field, int_field

GRAPH, OPSET, TRAINING_INFO, FUNCTION = 7, 8, 20, 25
LIMIT = (1 << 31) - 1
"""The longest message that protobuf's libraries read."""


def write_model(model: Model, folder: Path, options: WriteOptions) -> list[Path]:
    """Write `model` as `<stem>.onnx`, with `<stem>.onnx.data` where its weights are external.

    Weights that are external stay so, and embedded ones become so where the model would exceed 2 GiB. Raises
    UserError where `options.link` is not possible or the model is too large even so.
    """
    path = folder / f"{options.stem}.onnx"
    unranked.check(model)
    files = dialect_of(model).files
    if options.link:
        links = Links(folder, options.final or folder, {path.name})
        content = model_rope(model, InPlace(files, links.locate))
        _check_size(content)
        content.write(path, options.progress)
        if links.made:
            model.notes["linked"] = links.notes()
        if "a hard link" in links.how:
            what = "the weights are reached by a hard link: onnxruntime reads it, onnx.checker refuses it since 1.21"
            model.notes.setdefault("limits", []).append({"what": what})
        return [path, *links.made]
    placer = DataFile(f"{path.name}.data", files)
    content = model_rope(model, placer)
    if content.size > LIMIT:
        placer = DataFile(f"{path.name}.data", files, embedded=True)
        content = model_rope(model, placer)
    _check_size(content)
    if not placer.content.size:
        content.write(path, options.progress)
        return [path]
    data = folder / placer.location
    placer.checksum = _checksum_of_copy(model, placer.content) if placer.stated else ""
    if placer.stated and not placer.checksum:
        placer.checksum = _write_hashed(placer.content, data, options)
    else:
        placer.content.write(data, options.progress)
    if placer.stated:
        content = model_rope(model, placer)
    content.write(path, options.progress)
    return [path, data]


def _checksum_of_copy(model: Model, content: Rope) -> str:
    """What the model states of a file that `content` is a copy of; whoever saves compares it with the file."""
    piece = content.pieces[0]
    if isinstance(piece, Span) and len(piece) == content.size == piece.file.size:
        return next(iter(model.checksums.get(piece.file, ())), "")
    return ""


def _write_hashed(content: Rope, path: Path, options: WriteOptions) -> str:
    """Write `content` while its SHA-1, which is returned, is computed: the kernel copies, which leaves us idle."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as beside:
        checksum = beside.submit(sha1_of, content)
        content.write(path, options.progress)
    return checksum.result()


def dialect_of(model: Model) -> OnnxDialect:
    """The dialect of a model that was read from ONNX."""
    assert isinstance(model.dialect, OnnxDialect)
    return model.dialect


def _check_size(content: Rope) -> None:
    if content.size > LIMIT:
        raise user_error(
            "too-large",
            f"the cut is {content.size} bytes long without its weights, more than the 2 GiB that protobuf reads",
            help="select less",
        )


def model_rope(model: Model, placer: Placer, extra_outputs: Sequence[str] = ()) -> Rope:
    """The ModelProto: every field as it was read, but for graph, functions, operator sets and training."""
    with reading(model_record_of(model).file.path):
        return _model_rope(model, placer, extra_outputs)


def _model_rope(model: Model, placer: Placer, extra_outputs: Sequence[str]) -> Rope:
    record = model_record_of(model)
    writer = GraphWriter(model, placer, extra_outputs)
    main = writer.graph(model.main, main=True)
    whole = main is None or (model.main is record.main and is_whole(model.main))
    opsets = None if whole else used_opsets(model)
    functions = {place: key for key, place in record.functions.items()}
    rope, file = Rope(), record.file
    opsets_written = False
    for number, at, stop in record.fields:
        if number == GRAPH and main is not None:
            rope.add_field(GRAPH, main)
        elif number == OPSET and opsets is not None:
            if not opsets_written:
                rope.add(_opset_fields(record, opsets))
                opsets_written = True
        elif number == FUNCTION:
            key = functions[(at, stop)]
            if key in model.functions:
                changed = writer.function(model.functions[key])
                rope.add(Span(file, at, stop)) if changed is None else rope.add_field(FUNCTION, changed)
        elif number != TRAINING_INFO or whole:
            rope.add_range(file, at, stop)
    return rope


def _opset_fields(record: ModelRecord, opsets: dict[str, int]) -> Rope:
    """The operator sets: the record that was read where it says the same."""
    from subcut.compiler.formats.onnx import schema

    rope, left = Rope(), dict(opsets)
    for number, at, stop in record.fields:
        if number != OPSET:
            continue
        one = schema.parse("OperatorSet", record.file.data[body(record.file.data, at, stop) : stop])
        domain = "" if one.domain == "ai.onnx" else one.domain
        if left.get(domain) == one.version:
            rope.add_range(record.file, at, stop)
            del left[domain]
    for domain, version in left.items():
        rope.add(bytes_field(OPSET, bytes_field(1, domain) + int_field(2, version)))
    return rope


def used_opsets(model: Model) -> dict[str, int]:
    """The operator sets that the main graph, its bodies and the kept functions use, in the order they were stated.

    A domain whose spelling is ambiguous (`a` and `a.b` for `a.b.X`) stays.
    """
    record = model_record_of(model)
    own = record_of(model.main)
    stated = {**record.opsets, **own.domains} if own.is_function else record.opsets
    types = {one for graph in (model.main, *model.functions.values()) for one in _types(graph)}
    used = {domain for domain in stated if domain and any(one.startswith(domain + ".") for one in types)}
    prefixes = tuple(domain + "." for domain in stated if domain)
    if not used or any(not one.startswith(prefixes) for one in types):
        used.add("")
    return {domain: version for domain, version in stated.items() if domain in used}


def _types(graph: Graph) -> set[str]:
    found = {op.type for op in graph.ops}
    for op in graph.ops:
        if op.regions:
            found.update(inner.type for inner in op.walk())
    return found - {"initializer", "sparse_initializer"}
