"""How a selection file is tied to the model that it names: found, read, and known by its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from subcut.compiler.export import load
from subcut.compiler.formats import ReadOptions
from subcut.compiler.ir.graph import Model
from subcut.compiler.storage.digest import sha256
from subcut.compiler.storage.files import SourceFile


def digest_of(sources: Sequence[SourceFile]) -> str:
    """The SHA-256 of the model file; where it is of several, that of their digests, a line each.

    So it is `sha256sum` for one file, and `sha256sum FILES | cut -c1-64 | sha256sum` for several, in the order
    of `Model.sources`: the model, its weights, external data.
    """
    single = [sha256(source) for source in sources]
    joined = "".join(f"{digest}\n" for digest in single)
    return single[0] if len(single) == 1 else hashlib.sha256(joined.encode()).hexdigest()


class ModelLoader:
    """Reads models for `subcut.dsl.file`; what was hashed once is not hashed again."""

    def __init__(self) -> None:
        self._digests: dict[tuple[Path, Path | None], str] = {}

    def digest(self, model: Path, weights: Path | None) -> str:
        """What `digest_of` says of the model's files."""
        key = (model, weights)
        if key not in self._digests:
            self._digests[key] = digest_of(self.load(model, weights).sources)
        return self._digests[key]

    def load(self, model: Path, weights: Path | None) -> Model:
        """Read the model anew."""
        return load(model, ReadOptions(weights=weights))
