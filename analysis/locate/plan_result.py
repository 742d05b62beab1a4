"""The result folder of a search on two machines: files that the device has run already, and what it made of them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from subcut.analysis.locate.candidate import Cut, Job
from subcut.analysis.locate.command import Answer
from subcut.analysis.locate.judge import same_failure
from subcut.analysis.locate.locating import Located
from subcut.analysis.locate.plan import Asked, Plan
from subcut.analysis.locate.plan_answers import LOG, STATUS, failed, read_status
from subcut.analysis.locate.plan_batch import SUMS, complete, digest
from subcut.analysis.locate.plan_rounds import Round
from subcut.analysis.locate.plan_scripts import repro_script
from subcut.analysis.locate.plan_search import Elsewhere
from subcut.analysis.locate.result import LOG as KEPT_LOG
from subcut.analysis.locate.result import facts, write_result
from subcut.analysis.locate.tensors import read_folder

CHANGED = "other files"
"""How a result ends whose files are not those that the device ran."""


def write_plan_result(round: Round, folder: Path, *, force: bool = False) -> dict[str, Any]:
    """Write what was found into `folder`, as `write_result` does, with what came back; returns the manifest."""
    plan, located = round.plan, round.found
    assert located is not None
    request, asked = plan.request, _shown(plan, located)

    def answered(job: Job) -> Answer:
        return _answer(plan, asked, job)

    def finish(temp: Path, cut: Cut) -> list[dict[str, Any]]:
        files = tuple(path for path in sorted(temp.iterdir()) if path.name.startswith("dump."))
        model = next(path for path in files if path.suffix != ".caffemodel")
        complete(temp, (model, *files), cut, round.reference, request, asked.what)
        script = temp / "repro.sh"
        script.write_text(repro_script(request.settings.tolerance, compares=request.compares), encoding="utf-8")
        script.chmod(0o755)
        log = plan.judged(asked.name) / LOG
        if log.is_file():
            (temp / "log.txt").write_bytes(log.read_bytes()[:KEPT_LOG])
        return plan_facts(plan)

    backend = Elsewhere(request, answered)
    return write_result(located, backend, plan.state(), folder, request.settings.tolerance, force=force, finish=finish)


def plan_facts(plan: Plan) -> list[dict[str, Any]]:
    """What the manifest says besides: rounds and candidates."""
    rounds = {"rounds": plan.round, "rounds_at_most": plan.at_most, "batch": plan.request.batch}
    return [{**rounds, "candidates": len(plan.candidates), "answered": plan.answered}]


def told_facts(round: Round) -> list[dict[str, Any]]:
    """What is to say of a search that found nothing, a thing a line."""
    assert round.found is not None
    return [*facts(dataclasses.replace(round.found)), *plan_facts(round.plan)]


def _shown(plan: Plan, located: Located) -> Asked:
    """The run of the answer that failed as the whole model did."""
    state, tensor = plan.state(), located.failure.tensors[0] if located.failure.tensors else ""
    runs = [one for one in plan.candidates if one.piece == located.piece]
    for one in runs:
        outcome = state.outcome(one.key)
        if outcome is not None and same_failure(outcome, located.failure, tensor):
            return one
    return runs[0]


def _answer(plan: Plan, asked: Asked, job: Job) -> Answer:
    """What came back of the answer, provided that it was of the very files that are now written."""
    kept = plan.judged(asked.name)
    if not (kept / SUMS).is_file():
        return Answer(CHANGED, "what came back is not kept any more")
    listed = {line[66:]: line[:64] for line in (kept / SUMS).read_text("utf-8").splitlines()}
    changed = [path.name for path in job.files if listed.get(path.name) != digest(path)]
    if changed:
        return Answer(CHANGED, f"`{changed[0]}` is not as the device had it")
    status = read_status(kept) if (kept / STATUS).is_file() else None
    if status is not None and status["code"] != "0":
        return failed(status, kept)
    outputs, _ = read_folder(kept / "outputs", job.outputs)
    return Answer(outputs=outputs)
