"""The result folder of a search: the smallest faulty cut, its numbers, and a script that shows the fault."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from subcut.analysis.locate.candidate import Cut, Job
from subcut.analysis.locate.command import LIST, Answer, Backend, Command, listed
from subcut.analysis.locate.judge import PASSED, Outcome, Tolerance, compare, same_failure
from subcut.analysis.locate.locating import Certificate, Located
from subcut.analysis.locate.state import State
from subcut.analysis.locate.tensors import write_folder, write_npz
from subcut.compiler import manifest
from subcut.compiler.export import save
from subcut.compiler.formats import WriteOptions
from subcut.compiler.storage.folder import MANIFEST

LOG = 1 << 20
"""Bytes of a command's output that are kept."""


def write_result(
    located: Located,
    backend: Backend,
    state: State,
    folder: Path,
    tolerance: Tolerance,
    *,
    force: bool = False,
    link: bool = False,
    finish: Callable[[Path, Cut], list[dict[str, Any]]] | None = None,
) -> dict[str, Any]:
    """Write the piece that was found into `folder`, run the candidate on these very files, and return the manifest.

    Besides the cut: `inputs/`, `expected/` and `actual/` with a `.npy` a tensor, `repro.sh`, and what the command
    wrote. `finish` writes what a backend needs that was run elsewhere, and returns what else the manifest is to say.
    Raises UserError where the folder cannot be written.
    """
    golden = located.reference.golden
    cut = located.reference.cutter.cut(located.piece, golden)
    located = dataclasses.replace(located, runs=located.runs + (finish is None))
    inputs = {name: golden[tensor] for name, tensor in cut.inputs.items()}
    expected = {name: golden[tensor] for name, tensor in cut.outputs.items() if tensor in golden}

    def complete(temp: Path, content: dict[str, Any]) -> None:
        files = tuple(temp / name for name in content["files"])
        write_folder(temp / "inputs", inputs)
        write_folder(temp / "expected", expected)
        with state.workplace() as work:
            job = Job(work, files, inputs, tuple(expected))
            answer = backend.run(job)
            _keep_log(work / "log.txt", temp / "log.txt")
        actual = {name: array for name, array in answer.outputs.items() if name in expected}
        write_folder(temp / "actual", actual)
        found = _outcome(answer, backend, expected, tolerance)
        seen = Outcome(found.kind, tuple(cut.outputs[name] for name in found.tensors), found.note)
        tensor = located.failure.tensors[0] if located.failure.tensors else ""
        if isinstance(backend, Command):
            (temp / LIST).write_text(listed(job), encoding="utf-8")
            _write_script(temp, backend, files, tolerance)
            if "{inputs_npz}" in backend.text:
                write_npz(temp / "inputs.npz", inputs)
        more = finish(temp, cut) if finish is not None else []
        content["locate"] = [*facts(located), *more, {"reproduced": same_failure(seen, located.failure, tensor)}]
        (temp / MANIFEST).write_text(manifest.text(content) + "\n", encoding="utf-8")

    return save(cut.model, folder, options=WriteOptions(link=link), force=force, check=complete)


def _outcome(answer: Answer, backend: Backend, expected: Mapping[str, Any], tolerance: Tolerance) -> Outcome:
    if answer.kind != PASSED or not backend.compares:
        return Outcome(answer.kind, (), answer.note)
    return compare(expected, answer.outputs, tolerance)


def facts(located: Located) -> list[dict[str, Any]]:
    """What the manifest says of the search, a thing a line."""
    failure = located.failure
    told: list[dict[str, Any]] = [
        {"operators": located.operators, "of": located.count},
        *([{"constants": located.constants}] if located.constants else []),
        {"failure": failure.kind, "tensor": failure.tensors[0] if failure.tensors else None, "note": failure.note},
        {"runs": located.runs, "reused": located.reused, "at_most": located.bound, "ended": dict(located.kinds)},
    ]
    if located.certificate is not None:
        told.append({"certificate": certificate_facts(located.certificate)})
    if located.others:
        told.append({"other_failures": dict(located.others)})
    if located.random:
        told.append({"nondeterministic": located.random, "inherited": located.inherited})
    told += [{"flaky": located.flaky}] if located.flaky else []
    told += [{"unlinked": located.unlinked}] if located.unlinked else []
    return told


def certificate_facts(certificate: Certificate) -> dict[str, Any]:
    """A certificate as JSON has it: runs as true where they failed."""
    return {**dataclasses.asdict(certificate), "holds": certificate.holds}


def _keep_log(written: Path, target: Path) -> None:
    if written.is_file():
        with open(written, "rb") as source, open(target, "xb") as kept:
            kept.write(source.read(LOG))


def _write_script(folder: Path, backend: Command, files: tuple[Path, ...], tolerance: Tolerance) -> None:
    weights = next((path.name for path in files if path.suffix == ".caffemodel"), "")
    names = {"model": files[0].name, "weights": weights, "folder": "", "inputs": "inputs", "outputs": "outputs"}
    names |= {"inputs_npz": "inputs.npz", "outputs_npz": "outputs.npz"}
    command = backend.text
    for word, name in names.items():
        path = '"$here"' if word == "folder" else f'"$here"/{shlex.quote(name)}' if name else "''"
        command = command.replace(f"{{{word}}}", path)
    lines = [
        "#!/bin/sh",
        "# Runs the candidate on this piece of the model: exit code 1 while it is wrong, 0 once it is right.",
        "# Start it where the paths in the command hold.",
        'here=$(cd "$(dirname "$0")" && pwd) || exit 2',
        'rm -rf "$here"/outputs "$here"/outputs.npz && mkdir "$here"/outputs || exit 2',
        command,
        "status=$?",
        '[ "$status" -eq 0 ] || { echo "the candidate ended with exit code $status"; exit 1; }',
    ]
    if backend.compares:
        outputs = "outputs.npz" if "{outputs_npz}" in backend.text else "outputs"
        python = shlex.quote(sys.executable)
        tolerances = f"{tolerance.relative!r} {tolerance.absolute!r}"
        lines.append(f'{python} -m subcut.analysis.locate.check "$here"/expected "$here"/{outputs} {tolerances}')
    script = folder / "repro.sh"
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")
    script.chmod(0o755)
