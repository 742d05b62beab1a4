"""A search on two machines, round by round: what came back is judged, and what is needed next is sent."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subcut.analysis.locate.candidate import Cut
from subcut.analysis.locate.command import Answer
from subcut.analysis.locate.judge import PASSED, Outcome, compare
from subcut.analysis.locate.locating import Announce, Located, random_told
from subcut.analysis.locate.plan import STATE, Asked, Plan, Request, described, new_plan
from subcut.analysis.locate.plan_answers import KEPT, LOG, STATUS, Unusable, Wanted, read_answer
from subcut.analysis.locate.plan_batch import SUMS, Sent, appearing, intact, remove_others, write_batch, write_script
from subcut.analysis.locate.plan_search import Known, Run, next_runs, worst_flaky, worst_rounds
from subcut.analysis.locate.reference import Reference, Source
from subcut.analysis.locate.tensors import write_folder
from subcut.compiler.errors import user_error
from subcut.compiler.formats import ReadOptions

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

FORMS = {"onnx": "dump.onnx", "tf": "dump.pb", "caffe": "dump.prototxt"}


@dataclass
class Came:
    """What a round brought back."""

    kinds: Counter[str] = field(default_factory=Counter[str])
    """How the runs ended."""
    problems: dict[str, str] = field(default_factory=dict[str, str])
    """By candidate, why what came back of it cannot be used."""
    absent: list[str] = field(default_factory=list[str])
    """Candidates of which nothing came back."""
    strangers: list[str] = field(default_factory=list[str])
    """Folders of no candidate that was ever sent."""


@dataclass
class Round:
    """Where a search stands."""

    plan: Plan
    reference: Reference = field(repr=False)
    sent: list[Sent]
    """Candidates that are asked for; none where the search is over."""
    left: int
    """Rounds that are left at most."""
    found: Located | None = None


def plan_search(source: Source, folder: Path, request: Request, announce: Announce | None = None) -> Round:
    """Write the first batch of a search into `folder`, or go on with the same search there.

    Raises UserError for what is asked for, ModelError for a damaged model.
    """
    request.check()
    say = announce or _say_nothing
    source.load()
    fresh = not folder.exists()
    try:
        plan = _begun(source, folder, request)
        reference = _reference(plan, plan.source(source.path, source.options.weights), say)
        for text in random_told(reference):
            say(text)
        count, repeats = len(reference.steps.ops), request.settings.repeats
        if not count or not reference.can_run(tuple(range(count))):
            raise user_error("nothing-to-search", "the model computes nothing that a candidate could get wrong")
        plan.at_most = worst_rounds(count, request.batch, repeats)
        flaky = worst_flaky(count, request.batch, repeats)
        more = f", {flaky} if it does not always say the same" if repeats > 1 else ""
        say(f"{count} operators, {request.batch} candidates a round: {plan.at_most} rounds at most{more}")
        return _next(plan, reference)
    except Exception:
        if fresh:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def ingest(plan: Plan, source: Source, announce: Announce | None = None) -> tuple[Came, Round]:
    """Judge what came back, and write the next batch, or find what is looked for.

    Raises UserError `other-model` where the model is not the plan's.
    """
    reference = _reference(plan, source, announce or _say_nothing)
    came = Came()
    known = {one.name for one in plan.candidates}
    folder = plan.folder / "candidates"
    there = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    came.strangers = [name for name in there if name not in known and not name.startswith(".")]
    for name in list(plan.asked):
        _take(plan, plan.named(name), reference, came)
    return came, _next(plan, reference)


def _say_nothing(text: str) -> None:
    del text


def _begun(source: Source, folder: Path, request: Request) -> Plan:
    """The plan in a folder, new or the same one as before; the inputs are copied into it."""
    fed = "inputs.npz" if source.inputs is not None else ""
    plan = Plan(folder, request, described(source.path, source.options, folder), "", source.seed, fed)
    if source.inputs is not None:
        source.given()
    portable = dataclasses.replace(plan.source(source.path, source.options.weights), inputs=source.inputs)
    plan.digest = portable.digest(portable.load())
    begun = new_plan(plan)
    if source.inputs is not None:
        target = folder / STATE / fed
        part = target.with_name(f".{os.urandom(6).hex()}.tmp")
        shutil.copyfile(source.inputs, part)
        os.replace(part, target)
    if begun is plan:
        plan.save()
    return begun


def _reference(plan: Plan, source: Source, say: Callable[[str], None]) -> Reference:
    """The reference of a plan. Raises UserError `other-model`."""
    if source.digest(source.load()) != plan.digest:
        help = "name the model that the plan was made of, as it was then; or plan again, in another folder"
        raise user_error(
            "other-model", f"`{source.path}`, or what it is fed, is not what the plan was made for", help=help
        )
    state = plan.state()
    say("the reference is run" if state.reference(plan.digest[:32]) is None else "the reference is known")
    reference = Reference(source, state)
    reference.cutter.links = False  # candidates travel
    return reference


def _take(plan: Plan, asked: Asked, reference: Reference, came: Came) -> None:
    """Judge what came back of one candidate; what cannot be used is taken away, and asked for once more."""
    folder, state = plan.candidate(asked.name), plan.state()
    outcome = state.outcome(asked.key)
    if outcome is None:
        try:
            judged = _judged(plan, asked, reference)
        except Unusable as reason:
            came.problems[asked.name] = str(reason)
            plan.candidates[plan.candidates.index(asked)] = dataclasses.replace(asked, attempt=asked.attempt + 1)
            plan.save()
            _remove(folder, KEPT)
            return
        if judged is None:
            came.absent.append(asked.name)
            return
        outcome, outputs = judged
        _keep(folder, plan.judged(asked.name), outputs)
        state.remember(asked.key, outcome)
    plan.answered += 1
    plan.asked.remove(asked.name)
    came.kinds[outcome.kind] += 1
    plan.save()


def _judged(plan: Plan, asked: Asked, reference: Reference) -> tuple[Outcome, Mapping[str, Array]] | None:
    """How a candidate ended, and its outputs; None where nothing came back. Raises Unusable."""
    folder = plan.candidate(asked.name)
    if not folder.is_dir():
        return None
    cut = reference.cutter.cut(asked.piece, reference.golden)
    wanted = _wanted(cut, reference)
    answer = _read(folder, wanted, reference, plan)
    if answer is None:
        return None
    if answer.kind != PASSED or not plan.request.compares:
        return Outcome(answer.kind, (), answer.note), answer.outputs
    found = compare({one.name: one.array for one in wanted}, answer.outputs, plan.request.settings.tolerance)
    told = Outcome(found.kind, tuple(cut.outputs[name] for name in found.tensors), found.note)
    return told, {one.name: answer.outputs[one.name] for one in wanted if one.name in answer.outputs}


def _wanted(cut: Cut, reference: Reference) -> list[Wanted]:
    return [
        Wanted(name, place, intact(reference, tensor))
        for place, (name, tensor) in enumerate(cut.outputs.items())
        if tensor in reference.golden
    ]


def _read(folder: Path, wanted: list[Wanted], reference: Reference, plan: Plan) -> Answer | None:
    model = folder / FORMS[reference.model.dialect.name]
    weights = model.with_suffix(".caffemodel")
    options = ReadOptions(weights=weights if weights.is_file() else None)
    return read_answer(folder, wanted, model, options, compares=plan.request.compares)


def _keep(folder: Path, kept: Path, outputs: Mapping[str, Array]) -> None:
    """Keep the outputs of a candidate, its log, and the sums of its files: it may be the answer."""
    shutil.rmtree(kept, ignore_errors=True)
    kept.parent.mkdir(exist_ok=True)
    with appearing(kept) as part:
        write_folder(part / "outputs", outputs)
        for name in (STATUS, LOG, SUMS):
            if (folder / name).is_file():
                shutil.copyfile(folder / name, part / name)


def _remove(folder: Path, names: tuple[str, ...]) -> None:
    for name in names:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _next(plan: Plan, reference: Reference) -> Round:
    """Ask for what the search needs next; what was asked for before and is still out stays."""
    tried = [one.piece for one in plan.candidates]
    known = Known(reference, plan.state(), plan.request, tried)
    runs = next_runs(known)
    if isinstance(runs, Located):
        plan.asked = []
        plan.save()
        remove_others(plan)
        found = dataclasses.replace(runs, runs=plan.answered, reused=0, bound=plan.at_most * plan.request.batch)
        return Round(plan, reference, [], 0, found)
    wanted, left = runs
    asked = [_asked(plan, known, run, what) for run, what in wanted.items()]
    sent = write_batch(plan, reference, asked)
    if {one.name for one in asked} - set(plan.asked):
        plan.round += 1
    plan.candidates += [one for one in asked if one not in plan.candidates]
    plan.asked = [one.name for one in asked]
    plan.save()
    write_script(plan)
    remove_others(plan)
    return Round(plan, reference, sent, left)


def _asked(plan: Plan, known: Known, run: Run, what: str) -> Asked:
    key = known.key(run)
    found = next((one for one in plan.candidates if one.key == key), None)
    return found or Asked(key[:12], key, run[0], run[1], what)
