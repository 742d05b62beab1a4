"""The passes, by the name that `--passes` spells."""

from __future__ import annotations

from subcut.passes.add_inputs import AddInputs
from subcut.passes.align import Align
from subcut.passes.base import Pass
from subcut.passes.cut import Cut
from subcut.passes.fold import Fold
from subcut.passes.prune import Prune
from subcut.passes.select import Select
from subcut.passes.snap import Snap

PASSES: dict[str, type[Pass]] = {
    "select": Select,
    "snap": Snap,
    "cut": Cut,
    "fold": Fold,
    "add-inputs": AddInputs,
    "prune": Prune,
    "align": Align,
}

__all__ = ["PASSES", "AddInputs", "Align", "Cut", "Fold", "Pass", "Prune", "Select", "Snap"]
