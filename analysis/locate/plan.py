"""The folder of a search on two machines: what is asked for, in a file that appears whole or not at all.

Every path in it is relative, so the folder goes on wherever it is copied to.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from subcut.analysis.locate.judge import Tolerance
from subcut.analysis.locate.locating import Settings
from subcut.analysis.locate.reference import Source
from subcut.analysis.locate.state import State, write_text
from subcut.analysis.locate.steps import Piece
from subcut.compiler.errors import UserError, user_error
from subcut.compiler.formats import ReadOptions
from subcut.compiler.ir.graph import Model
from subcut.compiler.storage.digest import sha256

PLAN = "plan.json"
"""The file by which a plan is recognised."""
VERSION = 1
CANDIDATES, JUDGED, STATE = "candidates", "judged", "state"
"""Folders: what the device host needs, what came back and was judged, and what it does not need."""


@dataclass(frozen=True)
class Asked:
    """A candidate that was sent."""

    name: str
    """Of its folder."""
    key: str
    """Of its outcome in the state."""
    piece: Piece
    number: int
    """Which repeat of the run it is."""
    what: str
    attempt: int = 1
    """One more whenever what came back could not be used."""

    def to_json(self) -> dict[str, Any]:
        """As the plan's file has it."""
        return {**dataclasses.asdict(self), "piece": _runs(self.piece)}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Asked:
        """What `to_json` gave."""
        told = dict(content)
        piece = tuple(place for start, stop in told.pop("piece") for place in range(start, stop))
        return cls(piece=piece, **told)


@dataclass(frozen=True)
class Request:
    """What a plan is made for: all of it decides what an answer means."""

    settings: Settings = field(default_factory=Settings)
    command: str = ""
    """The user's, run on the device host; empty for `atc` and an inference tool."""
    timeout: float | None = None
    batch: int = 7
    """Candidates a round."""
    bin_type: str = "float16"
    """The type of floats in `.bin` files, a key of `device_data.BIN_TYPES`."""
    soc: str = "Ascend310"
    atc: tuple[str, ...] = ()
    """Options of `atc` that are the same for every candidate."""

    def check(self) -> None:
        """Raise UserError for what makes no sense."""
        self.settings.check()
        if self.batch < 1:
            raise user_error("bad-arguments", f"{self.batch} candidates a round are too few", help="1 is the least")
        if self.timeout is not None and not self.timeout > 0:
            raise user_error("bad-arguments", f"a time limit of {self.timeout:g} s leaves no time")
        if self.command and "{model}" not in self.command:
            raise user_error(
                "bad-candidate",
                "the device host runs a command, and this one does not say where the model comes in",
                help=["`--candidate './run {model} {inputs} {outputs}'`", "leave it out for `atc` and `msame`"],
            )

    @property
    def compares(self) -> bool:
        """Whether there are outputs to compare; else the exit code alone decides."""
        return not self.command or "{outputs}" in self.command or "{outputs_npz}" in self.command

    @property
    def identity(self) -> str:
        """What tells its outcomes from those of other requests."""
        told = (self.command, self.timeout, self.bin_type, *(() if self.command else (self.soc, *self.atc)))
        return "\n".join(["another machine", *map(str, told)])


@dataclass(frozen=True)
class PlanSource(Source):
    """The original of a plan: its digest does not depend on where its files lie."""

    def digest(self, model: Model) -> str:
        """What the reference's numbers depend on."""
        content = [sha256(source) for source in model.sources]
        options = repr(dataclasses.replace(self.options, weights=None, beside=None))
        return hashlib.sha256("\n".join([*content, options, self.given()]).encode()).hexdigest()


@dataclass
class Plan:
    """A plan's folder, and what its file says."""

    folder: Path
    request: Request
    read: dict[str, Any]
    """How to read the model: paths relative to the folder, and the options."""
    digest: str
    """Of the model and of what it is fed."""
    seed: int = 0
    fed: str = ""
    """The name of the copy of the inputs, in the state folder."""
    round: int = 0
    """Batches written so far."""
    at_most: int = 0
    """Rounds, as told before the first."""
    answered: int = 0
    candidates: list[Asked] = field(default_factory=list[Asked])
    """All that were ever sent."""
    asked: list[str] = field(default_factory=list[str])
    """Names of those of the present round that have no outcome yet."""

    def state(self) -> State:
        """What is known so far."""
        return State(self.folder / STATE)

    def source(self, model: Path | None = None, weights: Path | None = None) -> PlanSource:
        """The original, where the plan saw it last, or where the user says that it is."""
        read = self.read
        stated = weights or (self.folder / read["weights"] if read["weights"] else None)
        options = ReadOptions(
            weights=None if model is not None and weights is None else stated,
            phase=read["phase"],
            level=read["level"],
            stages=tuple(read["stages"]),
            signature=read["signature"],
        )
        path = model or Path(os.path.normpath(self.folder / read["model"]))
        if model is None and not path.exists():
            help = f"name it: `subcut locate MODEL --ingest {self.folder}`"
            raise user_error("bad-plan", f"the model is not at `{path}` any more, seen from the plan", help=help)
        return PlanSource(path, options, self.folder / STATE / self.fed if self.fed else None, self.seed)

    def candidate(self, name: str) -> Path:
        """The folder of a candidate that is out."""
        return self.folder / CANDIDATES / name

    def judged(self, name: str) -> Path:
        """The folder of what came back of one."""
        return self.folder / JUDGED / name

    def named(self, name: str) -> Asked:
        """A candidate that was sent."""
        return next(one for one in self.candidates if one.name == name)

    def save(self) -> None:
        """Write the file. Raises UserError `cannot-write`."""
        content = {
            "subcut": "plan of a search on two machines",
            "version": VERSION,
            "model": self.read,
            "digest": self.digest,
            "seed": self.seed,
            "fed": self.fed,
            "request": _request_json(self.request),
            "round": self.round,
            "at_most": self.at_most,
            "answered": self.answered,
            "asked": self.asked,
            "candidates": [one.to_json() for one in self.candidates],
        }
        write_text(self.folder / PLAN, _signed(content))


def described(path: Path, options: ReadOptions, folder: Path) -> dict[str, Any]:
    """How to read a model, seen from a plan's folder."""
    weights = options.weights
    return {
        "model": _relative(path, folder),
        "weights": _relative(weights, folder) if weights is not None else None,
        "phase": options.phase,
        "level": options.level,
        "stages": list(options.stages),
        "signature": options.signature,
    }


def read_plan(folder: Path) -> Plan:
    """The plan in a folder. Raises UserError `not-a-plan` and `bad-plan`."""
    path = folder / PLAN
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        help = "`subcut locate MODEL --plan DIR` makes one"
        raise user_error("not-a-plan", f"`{path}` cannot be read: {reason}", help=help) from None
    try:
        content = cast("dict[str, Any]", json.loads(text))
        if content["version"] != VERSION:
            message = f"`{path}` is of version {content['version']}, and this subcut knows version {VERSION}"
            raise user_error("bad-plan", message, help="go on with the subcut that wrote it")
        if _signed({key: value for key, value in content.items() if key != "sha256"}) != text:
            raise ValueError("its checksum is of something else")
        return _plan(folder, content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        help = f"plan again; what was answered is in `{folder / STATE}`, and is not asked again of the same search"
        raise user_error("bad-plan", f"`{path}` is damaged: {error}", help=help) from None


def new_plan(plan: Plan) -> Plan:
    """Make the folder of a plan, or go on with the one that is there.

    Raises UserError `not-a-plan` where something else is there, `other-plan` where it is of another search.
    """
    folder = plan.folder
    if (folder / PLAN).is_file():
        try:
            known = read_plan(folder)
        except UserError as error:
            if error.code != "bad-plan":
                raise
            known = None
        if known is not None:
            if (known.digest, _request_json(known.request)) != (plan.digest, _request_json(plan.request)):
                help = "the same arguments go on with it; name another folder for another search"
                raise user_error("other-plan", f"`{folder}` is the plan of another search", help=help)
            return known
        shutil.rmtree(folder / CANDIDATES, ignore_errors=True)
    elif folder.exists() and (not folder.is_dir() or any(name.name != STATE for name in folder.iterdir())):
        raise user_error("not-a-plan", f"`{folder}` holds something else than a plan", help="name another folder")
    plan.state()
    return plan


def _plan(folder: Path, content: dict[str, Any]) -> Plan:
    request: dict[str, Any] = dict(content["request"])
    settings = Settings(Tolerance(*request.pop("tolerance")), request.pop("repeats"))
    atc = tuple(str(word) for word in request.pop("atc"))
    plan = Plan(folder, Request(settings, atc=atc, **request), content["model"], content["digest"])
    for name in ("seed", "fed", "round", "at_most", "answered", "asked"):
        setattr(plan, name, content[name])
    plan.candidates = [Asked.from_json(one) for one in content["candidates"]]
    return plan


def _request_json(request: Request) -> dict[str, Any]:
    content = {key: value for key, value in vars(request).items() if key != "settings"}
    tolerance = request.settings.tolerance
    told = {"tolerance": [tolerance.relative, tolerance.absolute], "repeats": request.settings.repeats}
    return {**content, **told, "atc": list(request.atc)}


def _signed(content: dict[str, Any]) -> str:
    body = json.dumps(content, indent=1, ensure_ascii=False)
    whole = {**content, "sha256": hashlib.sha256(body.encode()).hexdigest()}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _relative(path: Path, folder: Path) -> str:
    """Where a file lies, seen from a folder; whole where there is no way from one to the other."""
    try:
        return os.path.relpath(os.path.abspath(path), os.path.abspath(folder))
    except ValueError:  # another drive
        return os.path.abspath(path)


def _runs(piece: Sequence[int]) -> list[list[int]]:
    """Ascending numbers as ranges: start, and one behind the last."""
    found: list[list[int]] = []
    for place in piece:
        if found and found[-1][1] == place:
            found[-1][1] += 1
        else:
            found.append([place, place + 1])
    return found
