"""What is held against what, as pieces of work: any of them can be done anywhere, and what it gives is rows."""

from __future__ import annotations

import abc
import os

from subcut.analysis.compare.rows import Columns, Row
from subcut.compiler.device.dumps.tree import DumpTree


class Work(abc.ABC):
    """Two sides, of whatever kind. Pickled, it takes what names the sides along and none of their numbers."""

    right: DumpTree

    @property
    def trees(self) -> list[DumpTree]:
        """The folders of both sides."""
        return [self.right]

    def close(self) -> None:
        """Remove what was fetched."""
        for tree in self.trees:
            tree.place.close()

    @property
    @abc.abstractmethod
    def columns(self) -> Columns:
        """The columns that the result file has."""

    @abc.abstractmethod
    def keys(self) -> list[str]:
        """The pieces of work, in the order of the result."""

    @abc.abstractmethod
    def rows(self, key: str) -> list[Row]:
        """The rows of a piece. What is wrong with single tensors is in them."""

    @abc.abstractmethod
    def lost(self, key: str) -> Row:
        """A row for a piece that could not be done."""

    def extra(self, rows: list[Row]) -> tuple[list[str], list[str]]:
        """What is in the folders of the left and of the right side, and in no row."""
        del rows
        return [], []


def extra_truth(tree: DumpTree, rows: list[Row]) -> list[str]:
    """Files of ground truth that no row names, as `operator.output`."""
    used = {os.path.basename(row.right_path) for row in rows if row.right_path}
    left = (file.name for file in tree.truths() if file.path.name not in used)
    return list(dict.fromkeys(f"{name.op_name}.{name.output}" for name in left))
