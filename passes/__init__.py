"""The passes, by the name that `--passes` spells."""

from __future__ import annotations

from subcut.passes.add_inputs import AddInputs
from subcut.passes.base import Pass
from subcut.passes.cut import Cut
from subcut.passes.fold import Fold
from subcut.passes.prune import Prune
from subcut.passes.select import Select

PASSES: dict[str, type[Pass]] = {
    "select": Select,
    "cut": Cut,
    "fold": Fold,
    "add-inputs": AddInputs,
    "prune": Prune,
}

__all__ = ["PASSES", "AddInputs", "Cut", "Fold", "Pass", "Prune", "Select"]
