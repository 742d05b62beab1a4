"""Models beyond protobuf's 2 GiB: read, cut and written by span, without their weights in memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.tensorflow_graphs import run_file

from subcut.compiler.errors import UserError
from subcut.compiler.export import load
from subcut.compiler.formats import WriteOptions
from subcut.compiler.formats.tensorflow.run import run
from subcut.compiler.formats.tensorflow.writer import write
from subcut.compiler.storage.wire import bytes_field, int_field, tag, varint

GIB = 1 << 30


def write_big(path: Path, sizes: list[int]) -> Path:
    """A chain of additions of constants of so many bytes, whose numbers are holes in the file."""
    with path.open("wb") as file:
        names = ["x"]
        file.write(node("x", "Placeholder", {"dtype": int_field(6, 4), "shape": bytes_field(7, b"")}))
        for i, size in enumerate(sizes):
            shape = bytes_field(2, bytes_field(2, int_field(1, size)))
            head = int_field(1, 4) + shape + tag(4, 2) + varint(size)
            value = bytes_field(1, "value") + wrapped(2, wrapped(8, head, size), size)
            content = bytes_field(1, f"c{i}") + bytes_field(2, "Const")
            content += bytes_field(5, bytes_field(1, "dtype") + bytes_field(2, int_field(6, 4)))
            file.write(wrapped(1, content + wrapped(5, value, size), size))
            file.seek(size, os.SEEK_CUR)
            file.write(node(f"top{i}", "Max", {"T": int_field(6, 4), "Tidx": int_field(6, 3)}, [f"c{i}", "axis"]))
            file.write(node(f"sum{i}", "AddV2", {"T": int_field(6, 4)}, [names[-1], f"top{i}"]))
            names.append(f"sum{i}")
        zero = int_field(1, 3) + bytes_field(2, b"") + int_field(7, 0)
        file.write(node("axis", "Const", {"dtype": int_field(6, 3), "value": bytes_field(8, zero)}))
    return path


def wrapped(number: int, head: bytes, more: int) -> bytes:
    """The beginning of a field whose content is `head` and `more` bytes that follow."""
    return tag(number, 2) + varint(len(head) + more) + head


def node(name: str, kind: str, attributes: dict[str, bytes], inputs: list[str] | None = None) -> bytes:
    content = bytes_field(1, name) + bytes_field(2, kind)
    content += b"".join(bytes_field(3, text) for text in inputs or [])
    content += b"".join(bytes_field(5, bytes_field(1, k) + bytes_field(2, v)) for k, v in attributes.items())
    return bytes_field(1, content)


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_big(tmp_path_factory.mktemp("big") / "big.pb", [GIB, 1 << 20, GIB, GIB])


def test_a_small_part_of_a_model_beyond_two_gib(big: Path, tmp_path: Path) -> None:
    assert big.stat().st_size > 3 * GIB
    program = (
        "import sys; from subcut.compiler.export import load, save\n"
        "from subcut.compiler.pipeline import standard\n"
        f"model = standard('sum1', infer=False).run(load({str(big)!r}))\n"
        "from subcut.compiler.formats.tensorflow.writer import write\n"
        "from subcut.compiler.formats import WriteOptions; from pathlib import Path\n"
        f"write(model, Path({str(tmp_path)!r}), WriteOptions())\n"
        "status = open('/proc/self/status').read() if sys.platform == 'linux' else 'RssAnon: 0 kB'\n"
        "print(next(line.split()[1] for line in status.splitlines() if line.startswith('RssAnon')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 120 * 1024
    assert 1 << 20 < (tmp_path / "dump.pb").stat().st_size < (1 << 20) + 1000
    assert run_file(tmp_path / "dump.pb", {"sum0": 5}, ["sum1"])["sum1"] == 5


def test_what_tensorflow_will_not_load_is_written_with_a_note(big: Path, tmp_path: Path) -> None:
    model = load(big)
    (path,) = write(model, tmp_path, WriteOptions())
    assert path.stat().st_size == big.stat().st_size
    assert "TensorFlow loads fewer" in model.notes["limits"][0]["what"]
    with pytest.raises(UserError, match="too many"):
        run(model, {}, [])
