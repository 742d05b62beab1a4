"""The same work on a Dask cluster: the same file comes out, and what goes wrong there is said."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.commands import contents, subcut
from support.compared import ground_truth
from support.models import DIGITS, ROOT, digits
from support.spread_work import Deadly, Unseen

from subcut.analysis.compare import compare, on_dask
from subcut.analysis.compare.executors import Done
from subcut.analysis.compare.rows import Row
from subcut.compiler.errors import UserError
from subcut.compiler.number_files import read_npz
from subcut.emulator import Emulated, emulate


@contextmanager
def cluster(folder: Path) -> Generator[str, None, None]:
    """A scheduler with two workers, each a process, that have time to begin on a machine that is busy."""
    import dask
    from distributed import LocalCluster

    told = {
        "distributed.scheduler.allowed-failures": 1,
        "distributed.comm.timeouts.connect": "120s",
        "temporary-directory": str(folder),
    }
    with (
        dask.config.set(told),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50) as made,
    ):
        yield made.scheduler_address.removeprefix("tcp://")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with cluster(tmp_path_factory.mktemp("dask")) as address:
        yield address


@pytest.fixture
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A cluster whose workers are killed, and so is nobody else's."""
    with cluster(tmp_path_factory.mktemp("mortal")) as address:
        yield address


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Emulated, Path]:
    folder = tmp_path_factory.mktemp("run")
    inputs: dict[str, Any] = read_npz(DIGITS / "samples.npz")
    return emulate(digits("onnx"), inputs, folder / "device"), ground_truth(digits("onnx"), inputs, folder / "golden")


def test_the_same_file_comes_out(
    address: str, run: tuple[Emulated, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, golden = run
    [last] = golden.glob("prob.0.*.npy")
    np.load(last).tofile(tmp_path / "answer.bin")
    monkeypatch.chdir(golden.parent)  # a worker has another current folder
    dumps, truth = made.dumps.relative_to(golden.parent), Path("golden")
    works: list[tuple[Path | None, Path, dict[str, Any]]] = [
        (dumps, truth, {"om": made.om}),
        (dumps, dumps, {}),
        (truth, truth, {}),
        (None, truth, {"om": made.om, "answers": [tmp_path / "answer.bin"]}),
    ]
    for left, right, how in works:
        alone = compare(left, right, executor="serial", **how)
        told: list[tuple[int, int]] = []
        done = compare(left, right, executor=f"dask://{address}", done=lambda *n, told=told: told.append(n), **how)
        assert done.csv == alone.csv
        assert done.counts == alone.counts
        assert told[-1] == (len(told), len(told))


def test_a_cluster_of_this_machine(run: tuple[Emulated, Path], tmp_path: Path) -> None:
    made, golden = run
    given = ["compare", made.dumps, golden, "--om", made.om, "--json", "-j", 2, "--executor"]
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    done = subcut(*given, "dask", env={"TMPDIR": str(scratch)})
    assert done.stdout == subcut(*given, "serial").stdout
    assert done.stderr == ""
    assert contents(scratch) == {}


def test_what_a_dying_worker_had_is_done_by_another(mortal: str, tmp_path: Path) -> None:
    parts = [["a", "b"], ["c", "once", "d"], ["e"]]
    done = list(on_dask.each_on_dask(Deadly(tmp_path), parts, mortal, 1))
    assert [row.left for part in done for rows in part.rows for row in rows] == ["a", "b", "c", "once", "d", "e"]
    assert (tmp_path / "once").exists()


def test_what_kills_every_worker_is_one_row(mortal: str, tmp_path: Path) -> None:
    done = list(on_dask.each_on_dask(Deadly(tmp_path), [["a", "always", "b"], ["c"]], mortal, 1))
    rows = [row for part in done for rows in part.rows for row in rows]
    died = "every worker that compared it died"
    assert {row.left: row.note for row in rows} == {"a": "", "always": died, "b": "", "c": ""}


def test_a_worker_that_does_not_see_the_folder_is_quoted(address: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"(?s)worker-refused.*tcp://.*cannot be read: No such file.*every worker sees"):
        list(on_dask.each_on_dask(Unseen(tmp_path), [["a"]], address, 1))


def test_another_version_is_refused(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_dask, "facts", lambda: {"subcut": "0.0", "numpy": "1", "Python": "3"})
    with pytest.raises(UserError, match=r"(?s)version-mismatch.*a worker has subcut .*, and here it is 0\.0"):
        list(on_dask.each_on_dask(Deadly(tmp_path), [["a"]], address, 1))


def test_another_protocol_is_refused() -> None:
    same = {"packages": {"distributed": "2", "msgpack": "1"}}
    other = {"packages": {"distributed": "1", "msgpack": "1"}}
    on_dask._check({"client": same, "scheduler": same, "workers": {"a": same}})
    with pytest.raises(UserError, match="the scheduler has distributed 1, and here it is 2"):
        on_dask._check({"client": same, "scheduler": other, "workers": {}})
    with pytest.raises(UserError, match="a worker has distributed 1"):
        on_dask._check({"client": same, "scheduler": same, "workers": {"a": other}})


def test_nobody_answers(run: tuple[Emulated, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    _, golden = run
    monkeypatch.setattr(on_dask, "CONNECT", 0.5)
    with pytest.raises(UserError, match=r"(?s)no-scheduler.*at `127\.0\.0\.1:1`.*dask scheduler"):
        compare(golden, golden, executor="dask://127.0.0.1:1")
    with pytest.raises(UserError, match="no-scheduler"):
        compare(golden, golden, executor="dask://nobody.invalid:8786")


@pytest.mark.parametrize(("fails", "said"), [(TimeoutError, "had no worker for 60 s"), (CancelledError, "went away")])
def test_nobody_is_left(fails: type[BaseException], said: str, tmp_path: Path) -> None:
    """A cluster without workers is waited for, for a while; one without a scheduler is not."""

    class Future:
        looks = 0

        def result(self, timeout: float) -> object:
            self.looks += 1
            raise fails

        def done(self) -> bool:
            return False

    client: Any = type("Client", (), {"nthreads": staticmethod(dict)})
    future = Future()
    with pytest.raises(UserError, match=rf"(?s)no-scheduler.*{said}"):
        on_dask._Cluster(client, "", Deadly(tmp_path)).result(future, ["a"])
    assert future.looks == (12 if fails is TimeoutError else 1)


def test_ctrl_c_cancels_what_waits(address: str, tmp_path: Path) -> None:
    from distributed import Client

    env = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    command = [sys.executable, "-c", f"from support.spread_work import run; run({str(tmp_path)!r}, {address!r})"]
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE) as process:
        wait_for(lambda: (tmp_path / "slow").exists())
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert b"KeyboardInterrupt" in said
    with Client(f"tcp://{address}", set_as_default=False) as client:
        wait_for(lambda: client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)) == 0)


def wait_for(what: Any) -> None:
    end = time.monotonic() + 30
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_few_wait_at_a_time() -> None:
    flying: list[int] = [0, 0]

    class Cluster:
        client: Any = type("Client", (), {"cancel": staticmethod(lambda futures: None)})

        def ahead(self) -> int:
            return 3

        def submit(self, keys: list[str]) -> object:
            flying[:] = [flying[0] + 1, max(flying[1], flying[0] + 1)]
            return object()

        def result(self, future: object, keys: list[str]) -> Done:
            flying[0] -= 1
            return Done([[Row(0, "", key, key)] for key in keys])

    fake: Any = Cluster()
    done = on_dask._in_order(fake, [[str(k)] for k in range(20)])
    assert [part.rows[0][0].left for part in done] == [str(k) for k in range(20)]
    assert flying == [0, 3]
