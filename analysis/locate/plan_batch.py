"""What the device host is sent: candidates with everything in them, and the script that runs them."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subcut.analysis.locate.candidate import Cut
from subcut.analysis.locate.command import LIST
from subcut.analysis.locate.plan import CANDIDATES, Asked, Plan, Request
from subcut.analysis.locate.plan_scripts import Tools, command_script, run_script
from subcut.analysis.locate.reference import Reference
from subcut.analysis.locate.state import write_text
from subcut.analysis.locate.tensors import file_name, plain, write_npy, write_npz
from subcut.compiler.commands import atc_words, inference_command
from subcut.compiler.device_data import BIN_TYPES, Exported
from subcut.compiler.errors import user_error
from subcut.compiler.ir.types import numpy_dtype

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

SUMS = "sums.sha256"
"""In a candidate: what `sha256sum -c` checks before it is run."""
RUN = "run.sh"


@dataclass(frozen=True)
class Sent:
    """A candidate that was written."""

    asked: Asked
    size: int
    """Bytes."""


def write_batch(plan: Plan, reference: Reference, asked: list[Asked]) -> list[Sent]:
    """Write the candidates that are not there yet, and take away those that nobody asks for any more."""
    folder = plan.folder / CANDIDATES
    folder.mkdir(exist_ok=True)
    for left in sorted(folder.glob(".*.part")):
        shutil.rmtree(left, ignore_errors=True)
    for one in asked:
        if not plan.candidate(one.name).is_dir():
            write_candidate(plan, reference, one)
    return [Sent(one, _size(plan.candidate(one.name))) for one in asked]


def write_script(plan: Plan) -> None:
    """Write `run.sh` for the candidates that are asked for."""
    path = plan.folder / RUN
    asked = {name: plan.named(name).attempt for name in plan.asked}
    write_text(path, run_script(plan.round, asked, plan.request.timeout))
    path.chmod(0o755)


def remove_others(plan: Plan) -> None:
    """Take away the candidates that are not asked for."""
    folder = plan.folder / CANDIDATES
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.name not in plan.asked:
            shutil.rmtree(path, ignore_errors=True)


def write_candidate(plan: Plan, reference: Reference, asked: Asked) -> None:
    """Write one candidate, whole or not at all: model, weights, inputs, what comes out, and the commands."""
    cut = reference.cutter.cut(asked.piece, reference.golden)
    with appearing(plan.candidate(asked.name)) as folder:
        files = reference.cutter.write(cut, folder)
        complete(folder, files, cut, reference, plan.request, asked.what)
        names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        sums = "".join(f"{digest(folder / name)}  {name}\n" for name in names)
        (folder / SUMS).write_text(sums, encoding="utf-8")


def complete(
    folder: Path, files: tuple[Path, ...], cut: Cut, reference: Reference, request: Request, what: str
) -> None:
    """Write what a device needs beside a model: inputs, what they and the outputs are, and the commands."""
    golden = reference.golden
    feeds = {name: intact(reference, cut.inputs[name]) for name in _input_order(cut)}
    inputs = _write_inputs(folder, feeds, cut, request)
    told = {"what": what, "inputs": inputs, "outputs": listed_outputs(cut, golden)}
    (folder / LIST).write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "command.sh").write_text(command_script(what, _command(cut, inputs, request, files)), encoding="utf-8")


def intact(reference: Reference, tensor: str) -> Array:
    """The reference's numbers of a tensor. Raises UserError `bad-plan` where their file has changed."""
    golden = reference.golden
    if not golden.is_intact(tensor):
        help = "delete that folder: the reference is then run again"
        raise user_error("bad-plan", f"the numbers of `%{tensor}` in `{golden.folder}` are damaged", help=help)
    found: Array = golden[tensor]
    return found


def listed_outputs(cut: Cut, golden: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The outputs of a candidate in the order of its file; those that the reference has no numbers of have no shape."""
    found: list[dict[str, Any]] = []
    for name, tensor in cut.outputs.items():
        array = golden.get(tensor)
        type = {"type": str(array.dtype), "shape": list(array.shape)} if array is not None else {}
        found.append({"name": name, "tensor": tensor, "file": file_name(name), **type})
    return found


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            found.update(piece)
    return found.hexdigest()


def _input_order(cut: Cut) -> list[str]:
    """The inputs of a cut in the order in which a device is fed them: that of its file."""
    model = cut.model
    written = model.dialect.written_names(model)
    places = {written.get(value, value.name): place for place, value in enumerate(model.dialect.feeds(model))}
    return sorted(cut.inputs, key=lambda name: places.get(name, len(places)))


def _write_inputs(folder: Path, feeds: Mapping[str, Array], cut: Cut, request: Request) -> list[dict[str, Any]]:
    """A `.npy` and, but for texts, a `.bin` a tensor; these are numbered, as tools divide lists of them at commas."""
    (folder / "inputs").mkdir(exist_ok=True)
    told: list[dict[str, Any]] = []
    for place, (name, array) in enumerate(feeds.items()):
        write_npy(folder / "inputs" / file_name(name), array)
        entry: dict[str, Any] = {"name": name, "tensor": cut.inputs[name], "file": file_name(name)}
        entry |= {"type": str(array.dtype), "shape": list(array.shape)}
        if plain(array).dtype.kind != "U":
            raw = _raw(array, request.bin_type)
            raw.tofile(folder / "inputs" / f"input_{place}.bin")
            entry |= {"bin": f"input_{place}.bin", "bin_type": raw.dtype.name}
        told.append(entry)
    if "{inputs_npz}" in request.command:
        write_npz(folder / "inputs.npz", feeds)
    return told


def _raw(array: Array, bin_type: str) -> Array:
    import numpy as np

    element = BIN_TYPES[bin_type]
    real = array.dtype.kind == "f" or "float" in array.dtype.name
    if not element or not real:
        return np.ascontiguousarray(array)
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array.astype(numpy_dtype(element)))


def _command(cut: Cut, inputs: list[dict[str, Any]], request: Request, files: tuple[Path, ...]) -> str | Tools:
    """The user's command with paths in the shell's words, or what `atc` and an inference tool are told."""
    if request.command:
        return _filled(request.command, files)
    records = [
        {
            "tensor": entry["tensor"],
            "npy": f"inputs/{entry['file']}",
            "bin": f"inputs/{entry.get('bin', '')}",
            "npy_type": entry["type"],
            "bin_type": entry.get("bin_type", ""),
            "shape": entry["shape"],
        }
        for entry in inputs
    ]
    exported = Exported(numbers=records)
    if inputs and inference_command(cut.model, exported) is None:
        types = ", ".join(f"`%{entry['tensor']}` ({entry['type']})" for entry in inputs)
        help = ["`--bin-dtype float16`, or `original`", "`--candidate CMD`, which reads the .npy files"]
        raise user_error("cannot-feed", f"a device cannot be fed {types} in files of {request.bin_type}", help=help)
    words = [word for word in atc_words(cut.model, exported, "")[1:] if not word.startswith("--soc_version")]
    bins = tuple(f"inputs/{entry['bin']}" for entry in inputs)
    return Tools((*words, *request.atc), request.soc, bins)


def _filled(command: str, files: tuple[Path, ...]) -> str:
    """A command of the user's in a script that knows `$here`, the candidate's folder, and `$outputs`."""
    weights = next((path.name for path in files if path.suffix == ".caffemodel"), "")
    names = {"model": files[0].name, "weights": weights, "inputs": "inputs", "inputs_npz": "inputs.npz"}
    words = {word: f'"$here"/{shlex.quote(name)}' if name else "''" for word, name in names.items()}
    words |= {"folder": '"$here"', "outputs": '"$outputs"', "outputs_npz": '"$outputs"/outputs.npz'}
    for word, text in words.items():
        command = command.replace(f"{{{word}}}", text)
    return command


@contextmanager
def appearing(target: Path) -> Generator[Path]:
    """A folder to write into, which is `target` when all went well and nothing otherwise."""
    part = target.with_name(f".{os.urandom(6).hex()}.part")
    try:
        part.mkdir()
        yield part
        os.replace(part, target)
    except OSError as error:
        raise user_error("cannot-write", f"`{target}` cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
