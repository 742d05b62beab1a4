"""Written cuts have the very dataflow of the original, whatever was left out."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.caffe_nets import by_name, net
from support.models import SHARED, shared

from subcut.compiler.formats import ReadOptions, WriteOptions, package
from subcut.compiler.ir.graph import Model, Op, Value
from subcut.compiler.ir.selection import CutOptions, Selection
from subcut.compiler.ir.types import TensorType
from subcut.passes import AddInputs, Cut, Fold, Prune

CAFFE = package("caffe")
REAL = sorted(p.relative_to(SHARED).as_posix() for p in SHARED.glob("caffe/*/*.prototxt")) or [
    "caffe/mtcnn/det1.prototxt"
]


def chosen(model: Model, ops: set[Op], outputs: set[Value] | None = None) -> Model:
    """Cut `model` to `ops` by the passes; a shape that is not known is made up, and `outputs` are tapped."""
    graph = model.main
    model.selection = Selection(graph, {op: None for op in graph.ops if op in ops})
    model.options = CutOptions(taps={v: None for v in graph.values() if v in (outputs or ())})
    model.dialect.infer(model, list(graph.values()))
    for op in graph.ops:
        for value in [*op.operands, *op.results]:
            if value is not None and not (isinstance(value.type, TensorType) and value.type.static):
                value.type = TensorType("f32", (1, 2, 3, 4))
    for step in (Cut(infer=False), Fold(), AddInputs(), Prune()):
        step.apply(model)
    return model


def check_dataflow(original: Model, ops: set[Op], written: Model, names: dict[Value, str]) -> None:
    """Every kept layer reads the same layers' tops, or an input that stands for what was left out."""
    kept = [op for op in original.main.ops if op in ops]
    layers = [op for op in written.main.ops if not op.name.partition("_input_")[1] or op.name in {o.name for o in kept}]
    assert [op.name for op in layers] == [op.name for op in kept]
    counterpart = {v: w for a, b in zip(kept, layers, strict=True) for v, w in zip(a.results, b.results, strict=True)}
    stands_for: dict[Value, Value] = {}
    for old, new in zip(kept, layers, strict=True):
        assert (old.type, dict(old.attributes)) == (new.type, dict(new.attributes))
        for before, after in zip(old.operands, new.operands, strict=True):
            assert before is not None
            assert after is not None
            if before in counterpart:
                assert after is counterpart[before], f"{old.name} reads another version of {before.name}"
                continue
            assert after.producer is None or after.producer.type == "Input"
            assert stands_for.setdefault(before, after) is after
    assert len(set(stands_for.values())) == len(stands_for), "two tensors came to one input"
    for before, after in counterpart.items():
        assert names[before] == after.name


def check_caffe_accepts(written: Model) -> None:
    """`Net::AppendTop`: a blob is written again only by a layer that works in place on it, top by top."""
    seen = {v.origin for v in written.main.inputs}
    assert len(seen) == len(written.main.inputs)
    for op in written.main.ops:
        for value in op.results:
            in_place = value.index < len(op.operands) and op.operands[value.index].origin == value.origin  # type: ignore[union-attr]
            assert in_place or value.origin not in seen, f"{op.name} writes {value.origin!r} again"
            seen.add(value.origin)


def check_outputs_survive(written: Model, names: list[str]) -> None:
    """What the cut gives out is the last that its blob holds."""
    values = {v.name: v for v in written.main.values()}
    for name in names:
        assert values[name].name == values[name].origin.decode("utf-8", "backslashreplace")


def random_choice(model: Model, rng: random.Random) -> tuple[set[Op], set[Value]]:
    ops = model.main.ops
    if rng.random() < 0.5:
        start = rng.randrange(len(ops))
        found = set(ops[start : start + rng.randint(1, 30)])
    else:
        found = {op for op in ops if rng.random() < rng.choice([0.1, 0.5, 0.9])}
    found = found or {ops[0]}
    return found, {v for op in found for v in op.results if rng.random() < 0.2}


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("seed", range(6))
def test_random_cuts_of_real_nets_keep_the_dataflow(name: str, seed: int, tmp_path: Path) -> None:
    path = shared(name)
    rng = random.Random(seed)
    for _ in range(3):
        original, model = CAFFE.read(path, ReadOptions()), CAFFE.read(path, ReadOptions())
        ops, outputs = random_choice(model, rng)
        places = {i for i, op in enumerate(model.main.ops) if op in ops}
        tapped = [(op.name, v.index) for op in model.main.ops for v in op.results if v in outputs]
        before = {v: v for op in original.main.ops for v in op.results}
        cut_model = chosen(model, ops, outputs)
        names = cut_model.dialect.written_names(cut_model)
        CAFFE.write(cut_model, tmp_path, WriteOptions(stem=f"s{rng.random()}"))
        written = CAFFE.read(sorted(tmp_path.glob("*.prototxt"))[0], ReadOptions(weights=None))
        for file in tmp_path.iterdir():
            file.unlink()
        same_place = {i: op for i, op in enumerate(original.main.ops) if i in places}
        pairs = zip(same_place.values(), (op for op in cut_model.main.ops if op in ops), strict=True)
        by_original = {a: names[b] for x, y in pairs for a, b in zip(x.results, y.results, strict=True)}
        assert before.keys() >= by_original.keys()
        check_dataflow(original, set(same_place.values()), written, by_original)
        check_caffe_accepts(written)
        kept = by_name(cut_model)
        check_outputs_survive(written, [names[kept[op].results[i]] for op, i in tapped if op in kept])


@st.composite
def wild_nets(draw: Any) -> str:
    """Nets that write few blobs again and again, in place and not."""
    blobs = ["a", "b", "c"]
    text = 'input: "a" input_shape { dim: 2 }\n'
    have = ["a"]
    for i in range(draw(st.integers(1, 10))):
        bottoms = draw(st.lists(st.sampled_from(have), min_size=1, max_size=3))
        fresh = [blob for blob in blobs if blob not in have]
        tops = [draw(st.sampled_from([bottoms[0], *(fresh or [f"d{i}"])]))]
        if draw(st.booleans()):
            tops.append(f"e{i}")
        have += [top for top in tops if top not in have]
        wires = "".join(f'bottom: "{b}" ' for b in bottoms) + "".join(f'top: "{t}" ' for t in tops)
        text += f'layer {{ name: "l{i}" type: "Any" {wires}}}\n'
    return text


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=wild_nets(), seed=st.integers(0, 1 << 30))
def test_cuts_of_wild_nets_keep_the_dataflow(tmp_path_factory: pytest.TempPathFactory, text: str, seed: int) -> None:
    folder = tmp_path_factory.mktemp("wild")
    original, model = net(folder, text), net(folder, text)
    rng = random.Random(seed)
    ops = {op for op in model.main.ops if rng.random() < 0.6} or {model.main.ops[0]}
    outputs = {v for op in ops for v in op.results if rng.random() < 0.4}
    names_kept = {op.name for op in ops}
    tapped = [(op.name, v.index) for op in model.main.ops for v in op.results if v in outputs]
    cut_model = chosen(model, ops, outputs)
    names = cut_model.dialect.written_names(cut_model)
    CAFFE.write(cut_model, folder, WriteOptions())
    written = CAFFE.read(folder / "dump.prototxt", ReadOptions())
    kept, twins = by_name(cut_model), by_name(original)
    by_original = {twins[n].results[i]: names[v] for n in names_kept for i, v in enumerate(kept[n].results)}
    check_dataflow(original, {twins[n] for n in names_kept}, written, by_original)
    check_caffe_accepts(written)
    check_outputs_survive(written, [names[kept[op].results[i]] for op, i in tapped])
