"""Files of an export: their names, what their type cannot hold, and links."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from subcut.compiler.device_data import Exported, _file_name, _link, _write
from subcut.compiler.ir.alignment import EXACT, Row
from subcut.compiler.ir.graph import Op


@given(st.lists(st.text(max_size=300), max_size=8))
def test_any_names_are_files_of_their_own(names: list[str]) -> None:
    used: set[str] = set()
    files = [_file_name(name, used) for name in names]
    assert len({file.lower() for file in files}) == len(names)
    for file in files:
        assert file not in ("", ".", "..")
        assert not set('/\\:*?"<>|\0') & set(file)
        assert len(f"{file}.npy".encode()) < 255


def test_numbers_beyond_halves_are_told(tmp_path: Path) -> None:
    row = Row(Op("Relu", "a").add_result("a"), "a", 0, EXACT, "")
    done = Exported()
    _write(np.array([1e6, 1, np.inf, -7e4], np.float32), row, "a", tmp_path / "a", "float16", done)
    assert done.problems == ["`%a`: 2 numbers are beyond float16, and infinite in its `.bin`"]
    assert np.load(tmp_path / "a.npy")[0] == 1e6
    _write(np.array([1e6, 1], np.float32), row, "a", tmp_path / "b", "float32", done)
    assert len(done.problems) == 1


def test_a_link_to_a_link_is_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "there/real").write_bytes(b"numbers")
    (tmp_path / "there/link").symlink_to("real")
    _link(tmp_path / "there/link", tmp_path / "out/link")
    assert (tmp_path / "out/link").read_bytes() == b"numbers"
