"""How the subcommands for selection files find and read the model that a file names."""

from __future__ import annotations

import hashlib
from pathlib import Path

from subcut.compiler.export import load
from subcut.compiler.formats import ReadOptions
from subcut.compiler.ir.graph import Model
from subcut.compiler.storage.digest import sha256


class ModelLoader:
    """Reads models for `subcut.dsl.file`; what was hashed once is not hashed again."""

    def __init__(self) -> None:
        self._digests: dict[tuple[Path, Path | None], str] = {}

    def digest(self, model: Path, weights: Path | None) -> str:
        """The SHA-256 of the model file; where it is of several, that of their digests, a line each.

        So it is `sha256sum` for one file, and `sha256sum FILES | cut -c1-64 | sha256sum` for several, in the order
        of `Model.sources`: the model, its weights, external data.
        """
        key = (model, weights)
        if key not in self._digests:
            single = [sha256(source) for source in self.load(model, weights).sources]
            joined = "".join(f"{digest}\n" for digest in single)
            self._digests[key] = single[0] if len(single) == 1 else hashlib.sha256(joined.encode()).hexdigest()
        return self._digests[key]

    def load(self, model: Path, weights: Path | None) -> Model:
        """Read the model anew."""
        return load(model, ReadOptions(weights=weights))
