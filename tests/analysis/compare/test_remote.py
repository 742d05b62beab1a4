"""Sides at URLs: the same file comes out, only what is read is fetched, and nothing of it stays."""

from __future__ import annotations

import pickle
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from support.commands import contents, names, subcut
from support.compared import ground_truth
from support.models import DIGITS, digits

from subcut.analysis.compare import compare
from subcut.compiler.device.dumps.tree import DumpTree
from subcut.compiler.errors import MissingExtra, ModelError, UserError
from subcut.compiler.number_files import read_npz
from subcut.compiler.storage.places import HERE, fetched, is_url, place_of
from subcut.compiler.storage.remote import Copies, Remote
from subcut.emulator import Emulated, emulate


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Emulated, Path]:
    folder = tmp_path_factory.mktemp("run")
    inputs: dict[str, Any] = read_npz(DIGITS / "samples.npz")
    made = emulate(digits("onnx"), inputs, folder / "device", faults=["res2a_branch2a:scale"])
    golden = ground_truth(digits("onnx"), inputs, folder / "golden")
    next(golden.glob("pool1.*")).unlink()  # and so one is missing
    return made, golden


@pytest.fixture
def bucket(run: tuple[Emulated, Path]) -> Iterator[str]:
    """A copy of both sides and the offline model in fsspec's memory, under the paths they have here."""
    made, golden = run
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    memory.pseudo_dirs.clear()
    for folder in (made.dumps, golden):
        memory.put(str(folder), str(folder), recursive=True)
    memory.put_file(str(made.om), str(made.om))
    yield "memory://"
    memory.store.clear()
    memory.pseudo_dirs.clear()


@pytest.fixture
def temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files."""
    folder = tmp_path / "temp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize("scheme", ["memory", "file"])
def test_the_same_file_comes_out(run: tuple[Emulated, Path], bucket: str, temp: Path, scheme: str) -> None:
    made, golden = run
    before, there = f"{scheme}://", {"om": f"{scheme}://{made.om}"}
    sides = [(made.dumps, golden, {"om": made.om}, there), (made.dumps, made.dumps, {}, {}), (golden, golden, {}, {})]
    for left, right, here, how in sides:
        alone, found = compare(left, right, **here), compare(f"{before}{left}", f"{before}{right}", **how)
        assert found.csv.replace(before, "") == alone.csv
        assert found.counts == alone.counts
        assert [row.left_path for row in found.rows] == [row.left_path and before + row.left_path for row in alone.rows]
        # one side here, the other one there
        assert compare(left, f"{before}{right}", **here).csv.replace(before, "") == alone.csv
    assert names(temp) == []


def test_a_level_above_is_searched(run: tuple[Emulated, Path], bucket: str) -> None:
    made, golden = run
    above = f"memory://{made.dumps.parents[3]}"
    alone = compare(made.dumps, golden, om=made.om)
    found = compare(above + "/", f"memory://{golden}/", om=f"memory://{made.om}")
    assert found.csv.replace("memory://", "") == alone.csv
    assert DumpTree.open(above).execution.label == DumpTree.open(made.dumps).execution.label


@pytest.mark.parametrize("executor", ["processes", "dask"])
def test_every_worker_fetches_what_it_reads(
    run: tuple[Emulated, Path], executor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, golden = run
    monkeypatch.setattr("subcut.analysis.compare.executors._FEW", 0)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    sides = f"file://{made.dumps}", f"file://{golden}"
    found = compare(*sides, om=f"file://{made.om}", executor=executor, jobs=2)
    assert found.csv.replace("file://", "") == compare(made.dumps, golden, om=made.om).csv
    assert [name for name in names(tmp_path) if "subcut" in name] == []


def test_the_command(run: tuple[Emulated, Path], tmp_path: Path) -> None:
    made, golden = run
    given = [f"file://{made.dumps}", f"file://{golden}", "--om", f"file://{made.om}"]
    subcut("compare", *given, "-o", tmp_path / "there", code=1)
    subcut("compare", made.dumps, golden, "--om", made.om, "-o", tmp_path / "here", code=1)
    [there], [here] = (list((tmp_path / side).glob("*.csv")) for side in ("there", "here"))
    assert there.read_bytes().replace(b"file://", b"") == here.read_bytes()
    assert b"file:///" in contents(tmp_path / "there")["report.json"]
    done = subcut("compare", *given, "-o", "s3://bucket/report", code=1)
    assert "results are written on this machine" in done.stderr


def test_a_folder_in_an_archive(run: tuple[Emulated, Path], tmp_path: Path) -> None:
    """URLs may be chained, and what is there need not be at the top."""
    made, golden = run
    shutil.make_archive(str(tmp_path / "golden"), "zip", golden.parent, "golden")
    for inside in ("golden", ""):
        found = compare(made.dumps, f"zip://{inside}::file://{tmp_path}/golden.zip", om=made.om)
        assert found.counts == compare(made.dumps, golden, om=made.om).counts
    assert compare(golden, f"zip://golden::file://{tmp_path}/golden.zip").counts["bad"] == 0


def test_a_model_is_run_on_what_the_device_far_away_was_fed(run: tuple[Emulated, Path], tmp_path: Path) -> None:
    made, _ = run
    here = subcut("compare", made.dumps, digits("onnx"), "--om", made.om, "--json", code=1).stdout
    there = subcut(
        "compare", f"file://{made.dumps}", digits("onnx"), "--om", f"file://{made.om}", "--json", code=1
    ).stdout
    assert '"verdict": "bad"' in there
    assert there.count('"verdict": "ok"') == here.count('"verdict": "ok"')


def test_only_what_is_read_is_fetched(run: tuple[Emulated, Path], bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = run
    fetched: list[str] = []
    memory = fsspec.filesystem("memory")
    get = memory.get_file
    monkeypatch.setattr(memory, "get_file", lambda path, to: (fetched.append(path), get(path, to)))
    tree = DumpTree.open(f"memory://{made.dumps}")
    assert len(list(tree.files())) > 10
    assert fetched == []
    [entry] = tree.find("pool1")
    source = tree.source(entry.path)
    assert bytes(source.data) == (made.dumps / entry.path.name).read_bytes()
    tree.source(entry.path)
    assert fetched == [str(made.dumps / entry.path.name)]
    tree.place.close()
    assert bytes(source.data[:4]) == (made.dumps / entry.path.name).read_bytes()[:4]  # what is open can be read


def test_a_damaged_file_and_one_that_goes_away_are_rows(run: tuple[Emulated, Path], bucket: str) -> None:
    made, golden = run
    memory = fsspec.filesystem("memory")
    [pool] = [path for path in memory.store if ".pool1." in path]
    memory.pipe_file(pool, memory.cat_file(pool)[:20])
    [gone] = [path for path in memory.store if path.startswith(f"{golden}/prob.")]
    tree = memory.ls(str(golden), detail=True)
    real = memory.ls
    memory.rm_file(gone)
    try:
        memory.ls = lambda path, detail=True, **more: tree if path == str(golden) else real(path, detail=detail, **more)
        found = compare(f"memory://{made.dumps}", f"memory://{golden}", om=made.om)
    finally:
        del memory.ls
    [row] = [row for row in found.rows if row.left == "pool1"]
    assert row.verdict == "not compared"
    assert f"memory://{pool}" in row.note
    lost = [row for row in found.rows if f"memory://{gone} cannot be read: " in row.note]
    assert lost
    assert all("No such file or directory" in row.note for row in lost)


def test_what_cannot_be_opened(run: tuple[Emulated, Path], bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made, golden = run
    with pytest.raises(ModelError, match=r"cannot be read: No such file or directory\n --> memory://nowhere"):
        compare("memory://nowhere", "memory://nowhere")
    with pytest.raises(ModelError, match="cannot be read: Not a directory"):
        compare(f"memory://{made.om}", f"memory://{golden}")
    with pytest.raises(ModelError, match=r"No such file or directory\n --> memory://no.om"):
        compare(made.dumps, golden, om="memory://no.om")
    fsspec.filesystem("memory").pipe_file("/bad.om", b"this is no model")
    with pytest.raises(ModelError, match=r"--> memory:///bad\.om"):
        compare(made.dumps, golden, om="memory:///bad.om")
    with pytest.raises(UserError, match=r"no-driver.*`nonsense://x`"):
        compare("nonsense://x", golden)
    with pytest.raises(UserError, match=r"(?s)no-driver.*s3fs"):
        compare("s3://bucket/dumps", golden)
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingExtra, match=r"subcut\[remote\]"):
        compare("memory://x", golden)


def test_what_is_a_url() -> None:
    urls = ["s3://b/x", "memory://", "az://c/x", "FILE:///x", "simplecache::s3://b/x", "abfs+x://b"]
    assert all(is_url(url) for url in urls)
    assert not any(
        is_url(path) for path in ["c:/x", "c://x", "/s3://x", "./s3://x", "s3:/x", "x", "", Path("s3://b/x")]
    )
    assert place_of("dumps") == (Path("dumps"), HERE)


def test_paths_of_this_machine_never_touch_fsspec(run: tuple[Emulated, Path]) -> None:
    made, golden = run
    code = "import sys; from subcut.compiler.cli.main import main; main(sys.argv[1:]); print('fsspec' in sys.modules)"
    import subprocess

    command = [sys.executable, "-c", code, "compare", made.dumps, golden, "--om", made.om, "-q"]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


def test_copies_are_bounded_and_go(temp: Path) -> None:
    copies = Copies(limit=20)

    def fetch(to: Path) -> None:
        to.write_bytes(bytes(8))

    for k in range(10):
        with copies.holding(Path(f"{k}.npy"), fetch) as held:
            assert held.suffix == ".npy"
            assert held.stat().st_size == 8
        assert copies.bytes <= 20
    [folder] = temp.iterdir()
    assert len(names(folder)) == 2
    with copies.holding(Path("a"), fetch) as a, copies.holding(Path("b"), fetch), copies.holding(Path("c"), fetch):
        assert a.exists()  # what is being opened stays
        assert copies.bytes == 24
    assert copies.bytes <= 20
    with pytest.raises(OSError, match="no"), copies.holding(Path("d"), failing):
        raise AssertionError
    assert len(names(folder)) == 2
    del copies
    assert names(temp) == []


def failing(to: Path) -> None:
    to.write_bytes(b"half of it")
    raise OSError("no")


def test_a_place_travels_as_its_url() -> None:
    place = Remote("memory://a/b/")
    found = pickle.loads(pickle.dumps(place))
    assert (found.url, found.root) == ("memory://a/b", place.root)
    assert place.shown(place.root / "c/d") == "memory://a/b/c/d"
    assert Remote("memory://").shown(Remote("memory://").root / "c") == "memory://c"


def test_a_file_of_this_machine_is_itself() -> None:
    with fetched(Path("x")) as path, fetched("y") as other, fetched(None) as none:
        assert (path, other, none) == (Path("x"), Path("y"), None)
