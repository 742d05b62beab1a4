"""The run that is right: every tensor of the original in its framework, and which operators never repeat themselves."""

from __future__ import annotations

import contextlib
import hashlib
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from subcut.analysis.locate.candidate import Cutter
from subcut.analysis.locate.state import Recorded, State
from subcut.analysis.locate.steps import Edges, Piece, Steps, is_tensor
from subcut.compiler.errors import UserError, user_error
from subcut.compiler.export import load
from subcut.compiler.formats import ReadOptions
from subcut.compiler.ir.graph import Model, Op
from subcut.compiler.numbers import same
from subcut.compiler.storage.digest import sha256
from subcut.compiler.verification import Verifier

ROUNDS = 32
"""How many random operators behind each other are looked for."""


@dataclass(frozen=True)
class Source:
    """The original, and what it is fed."""

    path: Path
    options: ReadOptions
    inputs: Path | None = None
    seed: int = 0

    def load(self) -> Model:
        """Read the model, with the types that the file states. Raises UserError for an offline model."""
        model = load(self.path, self.options)
        if model.dialect.name == "ge":
            raise user_error("not-an-original", f"`{self.path}` is an offline model itself", help="give the original")
        model.dialect.annotate(model)
        return model

    def digest(self, model: Model) -> str:
        """What the reference's numbers depend on."""
        content = [sha256(source) for source in model.sources]
        given = self.given()
        return hashlib.sha256("\n".join([*content, repr(self.options), given]).encode()).hexdigest()

    def given(self) -> str:
        """A digest of the inputs. Raises UserError `bad-npz`."""
        if self.inputs is None:
            return str(self.seed)
        try:
            return hashlib.sha256(self.inputs.read_bytes()).hexdigest()
        except OSError as error:
            raise user_error("bad-npz", f"`{self.inputs}` cannot be read: {error.strerror or error}") from None


class Reference:
    """The reference's tensors, from the state where they were recorded before."""

    def __init__(self, source: Source, state: State) -> None:
        self.source = source
        self.model = source.load()
        self.digest = source.digest(self.model)
        self.golden: Recorded = state.reference(self.digest[:32]) or self._run(state)
        ops = self.model.main.ops
        self.random: list[Op] = [ops[place] for place in self.golden.facts["random"]]
        """Operators whose results differ from run to run although they read the same; they are never candidates."""
        self.inherited = int(self.golden.facts["inherited"])
        """How many tensors differ from run to run because of these."""
        self.steps = Steps(self.model, self.random)
        self._infer()
        self.cutter = Cutter(source.path, source.options, self.steps)

    def _infer(self) -> None:
        """Find the types of all tensors where the format writes them down; what cannot be inferred stays unknown."""
        if not self.model.dialect.typed_outputs:
            return
        values = [value for op in self.steps.ops for value in op.results if value.name and value.type is None]
        if values:
            with contextlib.suppress(UserError):
                self.model.dialect.infer(self.model, values)

    def can_run(self, piece: Piece) -> bool:
        """Whether a piece can stand alone: the format allows it, and there are numbers to feed and to compare."""
        return self._has_numbers(self.steps.edges(piece)) and self.steps.can_be_cut(piece)

    def _has_numbers(self, edges: Edges) -> bool:
        """Whether every tensor that enters was recorded, and one that leaves: on a branch not taken there is none.

        What is no tensor, such as a sequence, cannot be fed.
        """
        if not all(map(is_tensor, edges.inputs)):
            return False
        return all(v.name in self.golden for v in edges.inputs) and any(v.name in self.golden for v in edges.outputs)

    def _run(self, state: State) -> Recorded:
        """Run the original twice; where the two differ, find out where that begins."""
        verifier = Verifier(self.source.path, self.source.options, self.source.inputs, self.source.seed)
        known = Steps(self.model)
        names = [v.name for op in known.ops for v in op.results if v.name and self.model.dialect.can_leave(v)]
        golden = verifier.run_original(self.model, names)
        _reseed()
        again = verifier.run_original(self.model, names)
        random, follow = _beginnings(known, golden, again)
        found = dict.fromkeys(random)
        for _ in range(ROUNDS if random else 0):
            random, _ = self._rerun(Steps(self.model, found), golden)
            if not any(op not in found for op in random):
                break
            found |= dict.fromkeys(random)
        places = {op: place for place, op in enumerate(self.model.main.ops)}
        facts = {"random": sorted(places[op] for op in found), "inherited": follow}
        return state.record(self.digest[:32], golden, facts)

    def _rerun(self, steps: Steps, golden: Mapping[str, Any]) -> tuple[list[Op], int]:
        """Run everything but the random operators found so far, fed with what these gave the first time."""
        piece = tuple(range(len(steps.ops)))
        if not piece:
            return [], 0
        names = [v.name for op in steps.ops for v in op.results if v.name in golden]
        cut = Cutter(self.source.path, self.source.options, steps).cut(piece, golden, tapped=names)
        _reseed()
        return _beginnings(steps, golden, {**golden, **cut.run(golden)})


def _reseed() -> None:
    """Let random operators draw other numbers: onnxruntime draws the same ones in every session of a process."""
    runtime: Any = sys.modules.get("onnxruntime")
    if runtime is not None:
        runtime.set_seed(time.time_ns() % (1 << 31))


def _beginnings(steps: Steps, first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[list[Op], int]:
    """The operators that read the same in two runs and gave something else, and how many tensors differ after them."""
    differ = {name for name in first if not same(first[name], second.get(name))}
    random: list[Op] = []
    own: set[str] = set()
    for op in steps.ops:
        wrong = {value.name for value in op.results} & differ
        if wrong and not any(value.name in differ for value in op.reads()):
            random.append(op)
            own |= wrong
    return random, len(differ - own)
