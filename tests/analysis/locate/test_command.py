"""`subcut locate` as a user meets it: commands that are wrong, hang, die or write nonsense, and what it leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.commands import names, subcut
from support.locating import Net
from support.models import DIGITS, ROOT

from subcut.analysis.locate import Command, Settings, Source, State, locate
from subcut.analysis.locate.backends import candidate
from subcut.compiler.formats import ReadOptions

SCRIPT = ROOT / "tests" / "support" / "spoiling.py"
ECHO = ROOT / "tests" / "support" / "echoing.py"
PATHS = {"PYTHONPATH": str(ROOT / "tests")}


def command(how: str) -> str:
    return f"{sys.executable} {SCRIPT} {how} {{model}} {{inputs}} {{outputs}}"


def small(path: Path) -> Path:
    """Five operators, so that few processes find the wrong one."""
    net = Net(1, 4)
    top = net.layer("MatMul", "one", "x", net.weights("w1", 4, 4))
    top = net.layer("Add", "three", net.layer("Tanh", "two", top), net.layer("Neg", "side", top))
    return net.save(path, net.layer("Sigmoid", "last", top))


def unchanging(path: Path, *operators: str) -> Path:
    """A network for the candidate that echoes."""
    net, top = Net(1, 4), "x"
    for name in operators:
        top = net.layer("Identity", name, top)
    return net.save(path, top)


def echoing(how: str) -> str:
    return f"{sys.executable} -I {ECHO} {how} {{model}} {{inputs}} {{outputs}}"


def located(folder: Path) -> dict[str, Any]:
    """What the manifest says of a search."""
    listed: list[dict[str, Any]] = json.loads((folder / "manifest.json").read_text("utf-8"))["locate"]
    return {key: value for entry in listed for key, value in entry.items()}


def test_a_wrong_operator_and_what_is_left_of_it(tmp_path: Path) -> None:
    model = small(tmp_path / "net.onnx")
    np.savez(tmp_path / "x.npz", x=np.arange(4, dtype=np.float32).reshape(1, 4))
    given = ["--inputs", tmp_path / "x.npz", "--candidate", command("two"), "-o", tmp_path / "found"]
    done = subcut("locate", model, *given, env=PATHS)
    assert "5 operators: the candidate is run " in done.stdout
    assert "Located: `two` of 5 operators: numbers differ in `%two`" in done.stdout
    assert names(tmp_path) == ["found", "net.onnx", "x.npz"]
    made = ["actual", "dump.onnx", "expected", "inputs", "log.txt", "manifest.json", "repro.sh", "tensors.json"]
    assert names(tmp_path / "found") == made
    told = located(tmp_path / "found")
    assert told["operators"] == ["two"]
    assert told["reproduced"]
    assert told["runs"] <= told["at_most"]
    assert told["certificate"]["holds"]
    expected = np.load(tmp_path / "found" / "expected" / "two.npy")
    np.testing.assert_allclose(np.load(tmp_path / "found" / "actual" / "two.npy"), expected * 1.5, rtol=1e-6)
    tanh = np.tanh(np.load(tmp_path / "found" / "inputs" / "one.npy"))
    np.testing.assert_allclose(expected, tanh, rtol=1e-6)
    script = tmp_path / "found" / "repro.sh"
    again = subprocess.run([script], env={**os.environ, **PATHS}, capture_output=True, text=True)
    assert again.returncode == 1
    assert again.stdout.startswith("two: numbers differ (by up to ")
    script.write_text(script.read_text().replace("two", "none"))
    again = subprocess.run([script], env={**os.environ, **PATHS}, capture_output=True, text=True)
    assert (again.returncode, again.stdout) == (0, "two: passed\n")


@pytest.mark.parametrize(
    ("how", "failure"),
    [
        ("hang", "time limit"),
        ("die", "signal 9"),
        ("exit", "exit 1"),
        ("nonsense", "unreadable output"),
        ("missing", "output missing"),
        ("shape", "wrong shape"),
        ("type", "wrong type"),
        ("nan", "numbers differ"),
    ],
)
def test_whatever_goes_wrong_is_a_failure_of_its_own_kind(how: str, failure: str, tmp_path: Path) -> None:
    model = unchanging(tmp_path / "net.onnx", "one", "two", "three", "four")
    backend = Command(echoing(f"{how}:three"), timeout=1.5 if how == "hang" else 60)
    found = locate(Source(model, ReadOptions()), backend, State(tmp_path / "state"), Settings(repeats=1))
    assert found.operators == ["three"]
    assert found.failure.kind == failure
    assert found.runs <= found.bound


def test_the_exit_code_alone_may_be_the_judge(tmp_path: Path) -> None:
    model = small(tmp_path / "net.onnx")
    given = ["--candidate", "! grep -q Sigmoid {model}", "-o", tmp_path / "found"]
    done = subcut("locate", model, *given)
    assert "Located: `last` of 5 operators: exit 1" in done.stdout


def test_a_command_that_never_works_is_doubted(tmp_path: Path) -> None:
    model = unchanging(tmp_path / "net.onnx", "a", "b")
    done = subcut("locate", model, "--candidate", "exit 3; : {model}", "-o", tmp_path / "found")
    assert "every run ended so: does the command work on any model?" in done.stdout


def test_a_kill_costs_one_run(tmp_path: Path) -> None:
    model = unchanging(tmp_path / "net.onnx", *"abcdefghijkl")
    log = tmp_path / "runs"
    slow = f"echo run >> {log}; sleep 0.3; {echoing('nan:g')}"
    given = ["locate", model, "--candidate", slow, "-o", tmp_path / "found", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "subcut", *map(str, given)],
        env={**os.environ, **PATHS},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not log.exists() or log.read_text().count("run") < 4:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "found").exists()
    done = subcut(*given, env=PATHS)
    told = {key: value for entry in json.loads(done.stdout) for key, value in entry.items()}
    assert told["operators"] == ["g"]
    assert told["reused"] >= 2
    assert log.read_text().count("run") <= told["runs"] + told["reused"] + 1
    assert names(tmp_path) == ["found", "net.onnx", "runs"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_search_leaves_its_state(number: int, tmp_path: Path) -> None:
    model = small(tmp_path / "net.onnx")
    given = ["locate", model, "--candidate", "sleep 60; : {model}", "-o", tmp_path / "found", "--state", tmp_path / "s"]
    process = subprocess.Popen(
        [sys.executable, "-m", "subcut", *map(str, given)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not list(tmp_path.glob("s/candidate-*/log.txt")):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    assert process.wait(20) == 128 + number
    assert names(tmp_path) == ["net.onnx", "s"]
    assert not list(tmp_path.glob("s/candidate-*"))
    assert list(tmp_path.glob("s/reference-*/index.json"))


def test_a_candidate_that_is_right(tmp_path: Path) -> None:
    given = ["--candidate", "onnxruntime:O3", "--inputs", DIGITS / "samples.npz", "-o", tmp_path / "found"]
    done = subcut("locate", DIGITS / "digits.onnx", *given)
    assert "Nothing to locate: the candidate agrees with the reference on all 17 operators" in done.stdout
    assert names(tmp_path) == []


def test_tensorflow_lite_is_a_candidate(tmp_path: Path) -> None:
    source = Source(DIGITS / "digits.pb", ReadOptions())
    found = locate(source, candidate("tflite", "tf"), State(tmp_path / "state"), Settings(repeats=1))
    assert found.failure.kind == "passed"


def test_half_precision_is_a_candidate_of_every_format(tmp_path: Path) -> None:
    given = ["--candidate", "float16", "--tolerance", "1e-5", "--repeats", 1, "-o", tmp_path / "found"]
    subcut("locate", DIGITS / "digits.prototxt", *given)
    assert located(tmp_path / "found")["operators"] == ["conv1"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], "no-candidate"),
        (["--candidate", "help"], "no-candidate"),
        (["--candidate", "onnxruntime:O9"], "bad-candidate"),
        (["--candidate", "tflite"], "bad-candidate"),
        (["--candidate", "./run it"], "bad-candidate"),
        (["--candidate", "./no-such-program {model}"], "bad-candidate"),
        (["--candidate", "run {model}", "--timeout", "0"], "bad-arguments"),
        (["--candidate", "run {model}", "--repeats", "0"], "bad-arguments"),
        (["--candidate", "run {model}", "--tolerance", "nan"], "bad-arguments"),
        (["--candidate", "run {model}", "--state", "."], "not-a-state-folder"),
        (["--candidate", "run {model}", "-o", "."], "folder-exists"),
        (["--candidate", "run {model}", "--inputs", "none.npz"], "bad-npz"),
        (["--candidate", "run {model}", "--inputs", "net.onnx"], "bad-npz"),
    ],
)
def test_mistakes_are_told_before_anything_runs(arguments: list[str], code: str, tmp_path: Path) -> None:
    model = small(tmp_path / "net.onnx")
    done = subcut("locate", model, *arguments, cwd=tmp_path, code=1)
    assert done.stderr.startswith(f"error[{code}]: ")
    assert names(tmp_path) == ["net.onnx"]
