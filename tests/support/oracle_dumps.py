"""Runs in a process of its own: what the vendor's accuracy tool makes of dump files, folders and overflow records.

    python oracle_dumps.py FOLDER JOBS.json RESULTS.npz

A job is a list: `file PATH`, `find FOLDER OPERATOR`, `slices FOLDER OPERATOR`, `truth FOLDER` (with `OPERATOR OUTPUT`
as often as wanted) or `overflow PATH`. The tool leaves the
header of the ordinary form to a library that only its product has; `_header` stands in for it, with the field numbers
of the vendor's `dump_data.proto` and nothing of the project. Where tensors lie, what their bytes are, which file is an
operator's and how slices make a whole is the tool's own work.
"""

from __future__ import annotations

import io
import json
import struct
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from types import SimpleNamespace

import numpy as np

TENSOR = {"data_type": 1, "format": 2, "shape": 3}
FIELDS = {
    "output": (3, {**TENSOR, "original_op": 4, "size": 6, "original_shape": 7, "sub_format": 8, "address": 9}),
    "input": (4, {**TENSOR, "size": 5, "original_shape": 6, "sub_format": 7, "address": 8}),
    "buffer": (5, {"buffer_type": 1, "size": 3}),
    "attr": (7, {"name": 1, "value": 2}),
    "space": (8, {"type": 1, "size": 3}),
}


def _fields(raw: bytes) -> list[tuple[int, int | bytes]]:
    found, at = [], 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = raw[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(raw):
        key = number()
        value: int | bytes = number()
        if key & 7 == 2:
            value = raw[at : at + value]
            at += len(value)
        found.append((key >> 3, value))
    return found


def _header(raw: bytes) -> dict:
    top = _fields(raw)
    told = dict(top)
    made = {"version": told.get(1, b"").decode(), "dump_time": told.get(2, 0), "op_name": told.get(6, b"").decode()}
    for name, (number, members) in FIELDS.items():
        made[name] = [_message(value, members) for found, value in top if found == number]
    return made


def _message(raw: bytes, members: dict[str, int]) -> dict:
    names = {number: name for name, number in members.items()}
    made = {}
    for number, value in _fields(raw):
        name = names.get(number)
        if name in ("shape", "original_shape"):
            made[name] = {"dim": _dims(value)}
        elif name in ("name", "value"):
            made[name] = value.decode()
        elif name and name != "original_op":
            made[name] = value
    return made


def _dims(raw: bytes) -> list[int]:
    return [value for _, packed in _fields(raw) for value in _unpacked(packed)]


def _unpacked(packed: int | bytes) -> list[int]:
    if isinstance(packed, int):
        return [packed]
    found, value, shift = [], 0, 0
    for byte in packed:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            found.append(value)
            value = shift = 0
    return found


def _stand_in(parser: object) -> None:
    raw = Path(parser.dump_file_path).read_bytes()
    (length,) = struct.unpack_from("<Q", raw)
    parser.dump_json_data = _header(raw[8 : 8 + length])


def _stated(dump: object, results: dict, key: str) -> dict:
    made = {"op_name": dump.op_name, "input": [], "output": []}
    for direction, tensors in (("input", dump.input_data), ("output", dump.output_data)):
        for tensor in tensors:
            results[f"{key}.{direction}.{tensor.index}"] = np.asarray(tensor.data)
            about = [tensor.data_type, tensor.tensor_format, tensor.shape, tensor.sub_format]
            made[direction].append(about)
    return made


def _run(kind: str, arguments: list[str], results: dict, key: str) -> object:
    from dump_parse import dump, dump_utils
    from dump_parse.dump_data_parser import DumpDataParser

    if kind == "file":
        return _stated(dump_utils.parse_dump_file(arguments[0], 2), results, key)
    if kind == "overflow":
        with tempfile.TemporaryDirectory() as out:
            job = SimpleNamespace(dump_path=arguments[0], output_path=out, dump_version=2, output_file_type="npy")
            parser = DumpDataParser(job)
            parser._parse_one_file_exec(arguments[0])
            (made,) = Path(out).iterdir()
            return [made.name, json.loads(made.read_text())]
    folder = dump.DumpInfo(arguments[0], 2, ffts=True)
    folder.check_arguments_valid()
    if kind == "truth":
        pairs = zip(arguments[1::2], arguments[2::2], strict=True)
        return [_truth(folder, name, int(number), results) for name, number in pairs]
    if kind == "find":
        return folder.get_op_dump_file(arguments[1])[0]
    _, found = folder.get_op_dump_data(arguments[1])
    return _stated(found, results, key)


def _truth(folder: object, name: str, number: int, results: dict) -> str:
    path, found = folder.get_op_dump_data(name, number)
    results[f"{name}:{number}"] = np.asarray(found.output_data[0].data)
    return Path(path).name


def main(jobs_file: str, results_file: str) -> None:
    from dump_parse.big_dump_data import BigDumpDataParser

    BigDumpDataParser._parse_dump_to_json = _stand_in
    results: dict = {}
    said = []
    for number, (kind, *arguments) in enumerate(json.loads(Path(jobs_file).read_text())):
        with redirect_stdout(io.StringIO()):
            said.append(_run(kind, arguments, results, str(number)))
    np.savez(results_file, said=json.dumps(said), **results)


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    main(sys.argv[2], sys.argv[3])
