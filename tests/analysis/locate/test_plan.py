"""A search on two machines: every fault is found in the rounds that were promised, whatever happens on the way."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.commands import contents, names
from support.device_host import DeviceHost, emulated
from support.in_process import subcut
from support.locating import Net
from support.models import DIGITS, ROOT

from subcut.analysis.locate import Located, Settings, Source, Tolerance
from subcut.analysis.locate.plan import Request, read_plan
from subcut.analysis.locate.plan_rounds import ingest, plan_search
from subcut.analysis.locate.plan_search import worst_rounds
from subcut.compiler.export import load
from subcut.compiler.formats import ReadOptions

LOOSE = Settings(Tolerance(1e-2, 1e-3))
"""What halves cost in a small net."""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[DeviceHost]:
    with DeviceHost(tmp_path / "device") as host:
        yield host


def branchy(path: Path) -> Path:
    """Two branches and a way around them."""
    net = Net(1, 3, 4, 4)
    top = net.conv("stem", "x", 3, 4)
    left = net.layer("LeakyRelu", "act", net.conv("left", top, 4, 4, 3), alpha=0.3)
    right = net.layer("AveragePool", "pool", top, kernel_shape=[3, 3], pads=[1] * 4, count_include_pad=1)
    joined = net.layer("Add", "add", left, net.conv("right", right, 4, 4))
    return net.save(path, net.layer("Sigmoid", "prob", net.layer("Add", "around", joined, top)))


def searched(source: Source, plan: Path, host: DeviceHost, request: Request) -> tuple[Located, int]:
    """Plan, then run and ingest until something is found; the rounds that it took."""
    round = plan_search(source, plan, request)
    for number in range(1, 30):
        left = round.left
        assert len(round.sent) <= request.batch
        host.work(plan)
        known = read_plan(plan)
        came, round = ingest(known, known.source())
        assert not came.problems
        assert not came.absent
        assert round.left < left
        if round.found is not None:
            return round.found, number
    raise AssertionError("no end")


def operators(model: Path) -> list[str]:
    """The operators that can fail on a device: those that compute something from what they read."""
    graph = load(model, ReadOptions()).main
    idle = ("Input", "Placeholder", "Const", "Identity", "Reshape", "Flatten", "Shape", "Dropout", "Split")
    return [op.name for op in graph.ops if op.name and op.operands and op.type not in idle]


@pytest.mark.parametrize("batch", [1, 3, 7])
def test_every_position_of_a_net_with_branches(batch: int, host: DeviceHost, tmp_path: Path) -> None:
    model = branchy(tmp_path / "net.onnx")
    names = operators(model)
    for name in names if batch == 3 else names[::3]:
        host.fault = f"{name}:scale"
        plan = tmp_path / name
        found, rounds = searched(Source(model, ReadOptions()), plan, host, Request(LOOSE, batch=batch))
        assert found.operators == [name]
        assert found.certificate is not None
        assert found.certificate.holds
        assert rounds <= read_plan(plan).at_most
        shutil.rmtree(host.folder / "host")


@pytest.mark.parametrize(("file", "inputs"), [("digits.prototxt", "samples.npz"), ("digits.pb", "samples_nhwc.npz")])
def test_every_position_in_the_other_formats(file: str, inputs: str, host: DeviceHost, tmp_path: Path) -> None:
    """Each position in one of the two: they are the same net."""
    source = Source(DIGITS / file, ReadOptions(), DIGITS / inputs)
    for name in operators(source.path)[file.endswith("pb") :: 2]:
        host.fault = f"{name}:scale"
        found, rounds = searched(source, tmp_path / "plan", host, Request(LOOSE, batch=3))
        assert found.operators == [name]
        assert rounds <= read_plan(tmp_path / "plan").at_most
        shutil.rmtree(host.folder / "host")
        shutil.rmtree(tmp_path / "plan")


def test_repeats_and_halving_are_counted(host: DeviceHost, tmp_path: Path) -> None:
    model = branchy(tmp_path / "net.onnx")
    host.fault = "left:scale"
    found, rounds = searched(Source(model, ReadOptions()), tmp_path / "plan", host, Request(LOOSE, batch=1))
    assert found.runs == host.conversions == rounds
    assert worst_rounds(1000, 1, 1) == 1 + 10 + 1 + 10 + 2 + 2
    assert worst_rounds(1000, 9, 2) == 1 + 3 + 1 + 3 + 2 + 1


def planned(tmp_path: Path, *more: object) -> tuple[Path, Path]:
    """A plan, made by the command."""
    model, plan = branchy(tmp_path / "net.onnx"), tmp_path / "plan"
    done = subcut("locate", model, "--plan", plan, "--tolerance", 1e-2, *more)
    assert re.search(r"8 operators, \d candidates a round: \d+ rounds at most", done.stdout)
    return model, plan


def finished(plan: Path, host: DeviceHost, result: Path, *model: Path) -> str:
    """Rounds until there is a result; what was said last."""
    for _ in range(12):
        host.work(plan)
        done = subcut("locate", *model, "--ingest", plan, "-o", result)
        if result.exists():
            return done.stdout
    raise AssertionError("no result")


def test_the_command_and_what_it_leaves(host: DeviceHost, tmp_path: Path) -> None:
    host.fault = "pool:nan"
    _, plan = planned(tmp_path, "--batch", 4)
    assert names(plan) == ["candidates", "plan.json", "run.sh", "state"]
    whole = next(plan.glob("candidates/*"))
    assert names(whole) == ["command.sh", "dump.onnx", "inputs", "sums.sha256", "tensors.json"]
    assert names(whole / "inputs") == ["input_0.bin", "x.npy"]
    assert (whole / "inputs" / "input_0.bin").stat().st_size == 2 * 48
    told = finished(plan, host, tmp_path / "found")
    assert "Located: `pool` of 8 operators: numbers differ in `%pool`" in told
    assert "does so again from the files written" in told
    made = ["actual", "command.sh", "dump.onnx", "expected", "inputs"]
    assert names(tmp_path / "found") == [*made, "log.txt", "manifest.json", "repro.sh", "tensors.json"]
    listed: list[dict[str, Any]] = json.loads((tmp_path / "found" / "manifest.json").read_text())["locate"]
    told_of = {key: value for entry in listed for key, value in entry.items()}
    assert told_of["reproduced"]
    assert told_of["rounds"] <= told_of["rounds_at_most"]
    assert told_of["answered"] == told_of["candidates"] == told_of["runs"]
    assert np.isnan(np.load(tmp_path / "found" / "actual" / "pool.npy")).sum() == 1
    env = {**host.env, "PYTHON": sys.executable}
    script = ["sh", str(tmp_path / "found" / "repro.sh")]
    assert subprocess.run(script, env=env, stdout=subprocess.DEVNULL).returncode == 1
    host.fault = ""
    assert subprocess.run(script, env=env, stdout=subprocess.DEVNULL).returncode == 0


def test_a_device_that_is_right(host: DeviceHost, tmp_path: Path) -> None:
    model, plan = planned(tmp_path)
    host.work(plan)
    done = subcut("locate", "--ingest", plan, "-o", tmp_path / "found")
    assert "Nothing to locate" not in done.stdout, "once more, to know that it is not chance"
    host.work(plan)
    done = subcut("locate", "--ingest", plan, "-o", tmp_path / "found")
    assert "Nothing to locate: the candidate agrees with the reference on all 8 operators" in done.stdout
    again = subcut("locate", model, "--plan", plan, "--tolerance", 1e-2)
    assert "The search is over: " in again.stdout
    assert not (tmp_path / "found").exists()


def test_a_failing_conversion_is_a_failure_of_its_own(host: DeviceHost, tmp_path: Path) -> None:
    _, plan = planned(tmp_path)
    there = host.send(plan)
    assert host.start(there, ATC_FAILS="right").returncode == 0
    host.back(there, plan)
    done = subcut("locate", "--ingest", plan)
    assert "atc: exit 3" in done.stdout
    host.env_more = {"ATC_FAILS": "right"}
    told = finished(plan, host, tmp_path / "found")
    assert "Located: `right` of 8 operators: atc: exit 3 (E10001: right is not supported)" in told


def test_floats_are_told_from_halves(host: DeviceHost, tmp_path: Path) -> None:
    host.element, host.fault = np.float32, "add:zero"
    _, plan = planned(tmp_path, "--bin-dtype", "float32", "--batch", 3)
    assert "Located: `add` of 8 operators" in finished(plan, host, tmp_path / "found")


def test_a_command_of_the_user(host: DeviceHost, tmp_path: Path) -> None:
    net, top = Net(1, 4), "x"
    for name in ("one", "two", "three", "four"):
        top = net.layer("Identity", name, top)
    model, plan = net.save(tmp_path / "net.onnx", top), tmp_path / "plan"
    command = f"{sys.executable} -I {ROOT}/tests/support/echoing.py shape:three {{model}} {{inputs}} {{outputs}}"
    subcut("locate", model, "--plan", plan, "--candidate", command, "--batch", 3)
    assert "Located: `three` of 4 operators: wrong shape" in finished(plan, host, tmp_path / "found")
    assert host.conversions == 0


def test_a_command_that_is_not_there_takes_nothing_down(host: DeviceHost, tmp_path: Path) -> None:
    _, plan = planned(tmp_path, "--candidate", "./no-such-program {model}")
    there = host.send(plan)
    done = host.start(there)
    assert done.returncode == 2
    assert "candidates cannot be run here" in done.stdout
    assert not list(there.glob("candidates/*/status"))


def test_a_hanging_command_is_ended(host: DeviceHost, tmp_path: Path) -> None:
    _, plan = planned(tmp_path, "--candidate", "grep -q pool {model} && sleep 60; true", "--timeout", 0.5, "--batch", 2)
    host.work(plan)
    assert "2 time limit" in subcut("locate", "--ingest", plan).stdout


def test_a_killed_script_goes_on(host: DeviceHost, tmp_path: Path) -> None:
    _, plan = planned(tmp_path, "--candidate", "sleep 0.3; grep -vq pool {model}")
    there = host.send(plan)
    process = subprocess.Popen(["sh", str(there / "run.sh")], stdout=subprocess.DEVNULL)
    while len(list(there.glob("candidates/*/status"))) < 2:
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    done = host.start(there)
    assert done.returncode == 0
    assert re.search(r"5 run now, \d of them failed; 2 had an answer; 0 could not be run", done.stdout)
    assert not list(there.glob("candidates/*/outputs.*"))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_ingest_goes_on(number: int, host: DeviceHost, tmp_path: Path) -> None:
    host.fault = "left:scale"
    _, plan = planned(tmp_path)
    host.work(plan)
    process = subprocess.Popen(
        [sys.executable, "-m", "subcut", "locate", "--ingest", str(plan)], stderr=subprocess.PIPE
    )
    while len(list(plan.glob("state/runs/*.json"))) < 3:
        assert process.poll() is None
        time.sleep(0.002)
    process.send_signal(number)
    process.communicate()
    assert "Located: `left` of 8 operators" in finished(plan, host, tmp_path / "found")


def test_what_came_back_broken_is_told_and_asked_for_again(host: DeviceHost, tmp_path: Path) -> None:
    host.fault = "left:scale"
    _, plan = planned(tmp_path)
    host.work(plan)
    folders = sorted(plan.glob("candidates/*"))
    shutil.rmtree(folders[0])
    raw = [next(folder.glob("outputs/*/*_0.bin")) for folder in folders[1:5]]
    raw[0].unlink()
    raw[1].write_bytes(raw[1].read_bytes()[:-1] + b"\xff")
    (folders[3] / "answer.sha256").unlink()
    raw[2].write_bytes(b"12345")
    (folders[4] / "status").write_text("exit")
    (plan / "candidates" / "somebody").mkdir()
    told = subcut("locate", "--ingest", plan).stdout
    assert "2 of 7 candidates answered" in told
    assert f"{folders[0].name}: nothing has come back" in told
    assert re.search(f"{folders[1].name}: cannot be used: 1 of \\d files are missing, such as `outputs/", told)
    assert re.search(f"{folders[2].name}: cannot be used: `outputs/.*` was damaged on its way", told)
    assert re.search(f"{folders[3].name}: cannot be used: `.*` has 5 bytes, and \\d+ or \\d+ is right", told)
    assert f"{folders[4].name}: cannot be used: `status` is damaged" in told
    assert "not of this search, and not looked at: `somebody`" in told
    assert "of them once more" in told
    assert "Located: `left` of 8 operators" in finished(plan, host, tmp_path / "found")


def test_nothing_came_back(tmp_path: Path) -> None:
    _, plan = planned(tmp_path)
    assert "0 of 7 candidates answered" in subcut("locate", "--ingest", plan, code=1).stdout


def test_outputs_by_name_and_dumps(tmp_path: Path) -> None:
    """By hand, without the script: every second candidate has `.npy` files, and every other a dump tree."""
    _, plan = planned(tmp_path)
    for _ in range(6):
        for number, folder in enumerate(sorted(plan.glob("candidates/*"))):
            feeds = {
                name[:-4]: np.load(folder / "inputs" / name) for name in names(folder / "inputs") if ".npy" in name
            }
            made = emulated(folder / "dump.onnx", feeds, tmp_path / "made", "right:scale", dump="all")
            if number % 2:
                (folder / "outputs").mkdir()
                for name, array in made.outputs.items():
                    np.save(folder / "outputs" / f"{name}.npy", array)
            else:
                shutil.copytree(made.dumps, folder / "dumps")
                shutil.copyfile(
                    made.json if number % 4 else made.om, folder / f"model.{'json' if number % 4 else 'om'}"
                )
            shutil.rmtree(tmp_path / "made")
        done = subcut("locate", "--ingest", plan, "-o", tmp_path / "found")
        assert "cannot be used" not in done.stdout
        if (tmp_path / "found").exists():
            break
    assert "Located: `right` of 8 operators" in done.stdout


def test_a_copied_plan_and_another_model(host: DeviceHost, tmp_path: Path) -> None:
    host.fault = "stem:scale"
    model, plan = planned(tmp_path)
    moved = tmp_path / "far" / "away" / "plan"
    shutil.copytree(plan, moved)
    shutil.rmtree(plan)
    host.work(moved)
    done = subcut("locate", "--ingest", moved, code=1)
    assert done.stderr.startswith("error[bad-plan]: the model is not at ")
    other = branchy(tmp_path / "other.onnx")
    other.write_bytes(other.read_bytes().replace(b"LeakyRelu", b"HardSwish"))
    assert subcut("locate", other, "--ingest", moved, code=1).stderr.startswith("error[other-model]: ")
    assert "Located: `stem` of 8 operators" in finished(moved, host, tmp_path / "found", model)


def test_a_damaged_plan(host: DeviceHost, tmp_path: Path) -> None:
    host.fault = "left:scale"
    model, plan = planned(tmp_path)
    host.work(plan)
    subcut("locate", "--ingest", plan)
    whole = (plan / "plan.json").read_text()
    for text in (whole[:-40], whole.replace("0.01", "0.02"), "", "[]", whole.replace('"version": 1', '"version": 9')):
        (plan / "plan.json").write_text(text)
        assert subcut("locate", "--ingest", plan, code=1).stderr.startswith("error[bad-plan]: ")
    for path in list(plan.glob("state/runs/*.json"))[:3]:
        path.write_text("{")
    done = subcut("locate", model, "--plan", plan, "--tolerance", 1e-2)
    assert "The reference is known" in done.stdout
    assert "Located: `left` of 8 operators" in finished(plan, host, tmp_path / "found")


def test_damaged_numbers_of_the_reference(host: DeviceHost, tmp_path: Path) -> None:
    host.fault = "left:scale"
    _, plan = planned(tmp_path)
    host.work(plan)
    [folder] = plan.glob("state/reference-*")
    for path in folder.glob("*.npy"):
        path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\0")
    assert subcut("locate", "--ingest", plan, code=1).stderr.startswith("error[bad-plan]: the numbers of ")
    shutil.rmtree(folder)
    assert "Located: `left` of 8 operators" in finished(plan, host, tmp_path / "found")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["net.onnx", "--plan", "plan", "--ingest", "plan"], "bad-arguments"),
        (["net.onnx", "--plan", "plan", "--batch", "0"], "bad-arguments"),
        (["net.onnx", "--plan", "plan", "-o", "found"], "bad-arguments"),
        (["net.onnx", "--plan", "plan", "--link"], "bad-arguments"),
        (["net.onnx", "--plan", "plan", "--bin-dtype", "bfloat16"], "cannot-feed"),
        (["net.onnx", "--plan", "plan", "--candidate", "onnxruntime:O3"], "bad-candidate"),
        (["net.onnx", "--plan", "plan", "--candidate", "./run it"], "bad-candidate"),
        (["net.onnx", "--plan", "plan", "--inputs", "none.npz"], "bad-npz"),
        (["net.onnx", "--plan", "."], "not-a-plan"),
        (["--plan", "plan"], "bad-arguments"),
        (["--candidate", "run {model}"], "bad-arguments"),
        (["--ingest", "."], "not-a-plan"),
    ],
)
def test_mistakes_leave_nothing(
    arguments: list[str], code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    branchy(tmp_path / "net.onnx")
    monkeypatch.chdir(tmp_path)
    done = subcut("locate", *arguments, code=1)
    assert done.stderr.startswith(f"error[{code}]: ")
    assert names(tmp_path) == ["net.onnx"]


def test_another_search_has_another_folder(tmp_path: Path) -> None:
    model, plan = planned(tmp_path)
    before = contents(plan)
    subcut("locate", model, "--plan", plan, "--tolerance", 1e-2)
    assert contents(plan) == before
    done = subcut("locate", model, "--plan", plan, "--tolerance", 1e-3, code=1)
    assert done.stderr.startswith("error[other-plan]: ")
    assert contents(plan) == before


def test_a_flaky_device_is_said_to_be(host: DeviceHost, tmp_path: Path) -> None:
    model = branchy(tmp_path / "net.onnx")
    _, plan = planned(tmp_path, "--batch", 1)
    told = ""
    for number in range(60):
        host.fault = "left:scale" if number % 2 else ""
        host.work(plan)
        told = subcut("locate", model, "--ingest", plan, "-o", tmp_path / "found").stdout
        if (tmp_path / "found").exists():
            break
    assert "The candidate is flaky: " in told
    assert "Located: `left` of 8 operators" in told
