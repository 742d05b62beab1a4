"""A pass of one's own between the project's: count what a cut keeps, by type of operator.

python census.py ../digits/digits.prototxt "from pool1 to res2a_relu" cut
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

import subcut
from subcut import AddInputs, Cut, Fold, Model, Pass, Pipeline, Prune, Select


@dataclass(frozen=True)
class Census(Pass):
    """Print how many operators there are of each type, the most frequent first.

    1. The model stays as it is.
    2. Operators inside the bodies of control flow count too.
    """

    title: str = "operators"
    name: ClassVar[str] = "census"

    def apply(self, model: Model) -> bool:
        """Count and print; reports that nothing changed."""
        counts = Counter(inner.type for op in model.main.ops for inner in op.walk())
        print(f"{self.title}: {', '.join(f'{count} {kind}' for kind, count in counts.most_common())}")
        return False


def main(model: str, selection: str, folder: str) -> None:
    """Count before the cut and after it."""
    cutting = [Select(selection), Cut(), Fold(), AddInputs(), Prune()]
    pipeline = Pipeline(Census("in the model"), *cutting, Census("in the cut"))
    subcut.save(pipeline.run(subcut.load(model)), folder)


if __name__ == "__main__":
    main(*sys.argv[1:4])
