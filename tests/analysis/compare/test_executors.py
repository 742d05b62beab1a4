"""Processes of this machine that compare: what happens to them is said; and what `--executor` takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.spread_work import Deadly, Unseen

from subcut.analysis.compare.executors import Executor, each, executor_of
from subcut.analysis.compare.work import Work
from subcut.compiler.errors import UserError

KEYS = [str(k) for k in range(100)]


def done(work: Work, keys: list[str]) -> list[str]:
    """The operators, in the order of their rows, that two processes compared."""
    return [row.left for part in each(work, keys, 2, Executor()) for rows in part.rows for row in rows]


def test_the_order_is_kept(tmp_path: Path) -> None:
    assert done(Deadly(tmp_path), KEYS) == KEYS


def test_a_process_that_dies_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"(?s)worker-died.*--executor serial"):
        done(Deadly(tmp_path), [*KEYS, "always"])


def test_a_process_that_cannot_begin_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"(?s)worker-refused.*a process cannot begin.*cannot be read: No such file"):
        done(Unseen(tmp_path), KEYS)


@pytest.mark.parametrize(
    "text", ["dusk", "dask:", "dask://", "dask://host", "dask://host:", "dask://host:x", "tcp://a:1"]
)
def test_no_executor(text: str) -> None:
    with pytest.raises(UserError, match="is no executor"):
        executor_of(text)


def test_executors() -> None:
    assert executor_of("dask://a.b:8786") == Executor("dask", "a.b:8786")
    assert executor_of("dask://[::1]:8786") == Executor("dask", "[::1]:8786")
    assert executor_of("serial") == Executor("serial")
