"""Dump trees: executions are told apart, one is chosen, and its files are found by operator."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.dumps import TIME, dump, plant
from support.models import ROOT

from subcut.compiler.device.dumps.mapping import writable
from subcut.compiler.device.dumps.names import Ffts, escape, make_name
from subcut.compiler.device.dumps.tree import OVERFLOWS, DumpTree
from subcut.compiler.device.dumps.writer import write_dump
from subcut.compiler.errors import ModelError, UserError

FIRST, SECOND = "20260101120000", "20260102080000"


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """Two times; in the first two devices with two models each, run twice."""
    root = tmp_path / "dump"
    for device in "01":
        for model in ("net", "other"):
            for index in "01":
                plant(root / FIRST / device / model / "1" / index)
    plant(root / SECOND / "0" / "net" / "4" / "9")
    plant(root / SECOND / "0" / "net" / "4" / "10", time=TIME + 5)
    plant(root / SECOND / "0" / "net" / "3" / "11")
    return root


def where(tree: DumpTree) -> str:
    return tree.execution.label


def test_the_newest_execution_is_the_default(full: Path) -> None:
    tree = DumpTree.open(full)
    assert where(tree) == f"{SECOND}/0/net/4/10"
    assert len(tree.executions) == 11
    assert [one.files for one in tree.executions] == [1] * 11
    assert tree.executions[-1] == tree.execution
    (entry,) = tree.find("conv1")
    assert entry.path == full / SECOND / "0" / "net" / "4" / "10" / f"Conv2D.conv1.3.0.{TIME + 5}"
    assert entry.time == TIME + 5


@pytest.mark.parametrize(
    ("below", "label"),
    [
        ("", f"{SECOND}/0/net/4/10"),
        (SECOND, f"{SECOND}/0/net/4/10"),
        (f"{SECOND}/0", f"{SECOND}/0/net/4/10"),
        (f"{SECOND}/0/net", f"{SECOND}/0/net/4/10"),
        (f"{SECOND}/0/net/3", f"{SECOND}/0/net/3/11"),
        (f"{SECOND}/0/net/4/9", f"{SECOND}/0/net/4/9"),
        (f"{FIRST}/1/other/1/0", f"{FIRST}/1/other/1/0"),
        (f"{FIRST}/1/other", f"{FIRST}/1/other/1/1"),
    ],
)
def test_any_level_is_a_root(full: Path, below: str, label: str) -> None:
    tree = DumpTree.open(full / below)
    assert where(tree) == label
    assert len(tree.find("conv1")) == 1


def test_the_working_folder_is_a_root(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(full / SECOND / "0" / "net")
    assert where(DumpTree.open(".")) == f"{SECOND}/0/net/4/10"


def test_roots_above(tmp_path: Path) -> None:
    plant(tmp_path / "pid12" / "device0" / FIRST / "0" / "net" / "1" / "0")
    plant(tmp_path / "pid13" / "device0" / SECOND / "0" / "net" / "1" / "0")
    assert where(DumpTree.open(tmp_path)) == f"{SECOND}/0/net/1/0"
    assert where(DumpTree.open(tmp_path, time=FIRST)) == f"{FIRST}/0/net/1/0"


def test_a_copied_tree_without_times(tmp_path: Path) -> None:
    plant(tmp_path / "0" / "net" / "1" / "7")
    assert where(DumpTree.open(tmp_path)) == "0/net/1/7"
    plant(tmp_path / "device1" / "net" / "1" / "7")
    with pytest.raises(UserError, match="several devices"):
        DumpTree.open(tmp_path)
    assert DumpTree.open(tmp_path, device=1).execution.folder == tmp_path / "device1" / "net" / "1" / "7"


def test_files_of_single_operators_lie_below_the_device(tmp_path: Path) -> None:
    plant(tmp_path / FIRST / "0")
    assert where(DumpTree.open(tmp_path)) == f"{FIRST}/0"


def test_a_folder_of_files_alone(tmp_path: Path) -> None:
    plant(tmp_path / "mine")
    tree = DumpTree.open(tmp_path / "mine")
    assert where(tree) == "."
    assert len(tree.find("conv1")) == 1


def test_several_models_are_listed(full: Path) -> None:
    with pytest.raises(UserError) as caught:
        DumpTree.open(full, time=FIRST)
    assert caught.value.code == "several-executions"
    text = str(caught.value)
    assert "several models ran in it: `net`, `other`" in text
    assert str(full / FIRST / "1" / "other" / "1" / "1") in text
    with pytest.raises(UserError, match="several devices ran in it: `0`, `1`"):
        DumpTree.open(full, time=FIRST, model="net")


def test_options_choose(full: Path) -> None:
    tree = DumpTree.open(full, time=FIRST, device=1, model="other", model_id=1, index=0)
    assert where(tree) == f"{FIRST}/1/other/1/0"
    assert where(DumpTree.open(full, time=FIRST, device="1", model="net")) == f"{FIRST}/1/net/1/1"
    assert where(DumpTree.open(full, index=11)) == f"{SECOND}/0/net/3/11"


def test_a_likely_model_decides(full: Path) -> None:
    assert where(DumpTree.open(full / FIRST / "0", likely=["file", "other"])) == f"{FIRST}/0/other/1/1"
    assert where(DumpTree.open(full, device=0, likely=["other"])) == f"{FIRST}/0/other/1/1"
    # Where no model is called so, nothing is decided.
    assert where(DumpTree.open(full, likely=["nothing"])) == f"{SECOND}/0/net/4/10"


def test_a_model_is_found_by_its_real_name(tmp_path: Path) -> None:
    plant(tmp_path / FIRST / "0" / escape("my net.v1") / "1" / "0")
    plant(tmp_path / FIRST / "0" / "other" / "1" / "0")
    assert DumpTree.open(tmp_path, model="my net.v1").execution.model == "my_net_v1"
    assert DumpTree.open(tmp_path, likely=["my net.v1"]).execution.model == "my_net_v1"


def test_an_unknown_execution_lists_what_there_is(full: Path) -> None:
    with pytest.raises(UserError) as caught:
        DumpTree.open(full, model="nothing", device=3)
    assert caught.value.code == "unknown-execution"
    assert "no execution with device `3`, model `nothing`" in str(caught.value)
    assert f"{SECOND}/0/net/4/10" in str(caught.value)
    assert "and 1 more, older ones" in str(caught.value)


def test_twice_the_same_execution(tmp_path: Path) -> None:
    for pid in ("pid1", "pid2"):
        plant(tmp_path / pid / FIRST / "0" / "net" / "1" / "0")
    with pytest.raises(UserError, match="several folders say"):
        DumpTree.open(tmp_path)


def test_nothing_to_index(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        DumpTree.open(tmp_path / "nowhere")
    (tmp_path / "README.md").write_text("hello")
    with pytest.raises(UserError) as caught:
        DumpTree.open(tmp_path)
    assert caught.value.code == "no-dump-files"
    with pytest.raises(ModelError):
        DumpTree.open(tmp_path / "README.md")


def test_links_that_lead_back_end(tmp_path: Path) -> None:
    plant(tmp_path / FIRST / "0" / "net" / "1" / "0")
    (tmp_path / FIRST / "0" / "net" / "up").symlink_to(tmp_path)
    assert len(DumpTree.open(tmp_path).executions) == 1


def test_what_matches_nothing_is_counted_and_listed(tmp_path: Path) -> None:
    plant(tmp_path)
    for name in ("README.md", "x.y.z", "Conv2D.conv1.3.0.1.bak"):
        (tmp_path / name).write_text("")
    (tmp_path / "folder").mkdir()
    tree = DumpTree.open(tmp_path)
    assert tree.ignored == ["Conv2D.conv1.3.0.1.bak", "README.md", "x.y.z"]
    assert dict(tree.counts) == {"dump": 1, "ignored": 3}


def test_runs_of_an_operator_the_newest_last(tmp_path: Path) -> None:
    for time in (TIME + 3, TIME, TIME + 20, 7):
        plant(tmp_path, time=time)
    assert [one.time for one in DumpTree.open(tmp_path).find("conv1")] == [7, TIME, TIME + 3, TIME + 20]


def test_kinds_of_files(tmp_path: Path) -> None:
    plant(tmp_path)
    plant(tmp_path, suffix=".csv")
    plant(tmp_path, "Node_OpDebug", op_type="Opdebug")
    plant(tmp_path, "Node_Opdebug", op_type="OpDebug")
    (tmp_path / "exception_info.3.5.20261123153932123").write_bytes(b"x")
    (tmp_path / f"scope_conv1.0.{TIME}.npy").write_bytes(b"x")
    (tmp_path / f"scope_conv1.0.{TIME + 1}.npy").write_bytes(b"x")
    tree = DumpTree.open(tmp_path)
    assert dict(tree.counts) == {"dump": 1, "statistics": 1, "overflow": 2, "exception": 1, "truth": 2}
    assert [one.path.suffix for one in tree.statistics("conv1")] == [".csv"]
    assert [one.path.name[:7] for one in tree.overflows()] == ["Opdebug", "OpDebug"]
    assert [one.name.task for one in tree.exceptions()] == [5]
    assert [one.name.time for one in tree.find_truth("scope/conv1", 0)] == [TIME, TIME + 1]
    assert tree.find_truth("scope/conv1", 1) == []
    assert tree.find_truth("scope_conv", 10) == []
    assert len(list(tree.files())) == 5
    assert len(list(tree.truths())) == 2
    assert tree.find("nothing") == []


def test_overflows_of_slices_are_no_slices(tmp_path: Path) -> None:
    for thread in range(2):
        plant(tmp_path, "Node_OpDebug", time=TIME - thread, op_type="Opdebug", ffts=Ffts(4, 1, thread, 0))
    assert [[file.name.part[1] for file in one.files] for one in DumpTree.open(tmp_path).overflows()] == [[1], [0]]


def test_ground_truth_whose_name_holds_dots(tmp_path: Path) -> None:
    (tmp_path / f"a.b.conv.2.{TIME}.npy").write_bytes(b"x")
    tree = DumpTree.open(tmp_path)
    assert len(tree.find_truth("a.b.conv", 2)) == len(tree.find_truth("a/b/conv", 2)) == 1


def test_two_operators_with_one_name_in_files(tmp_path: Path) -> None:
    plant(tmp_path, "a/b", task=3)
    plant(tmp_path, "a.b", task=9, time=TIME + 1)
    tree = DumpTree.open(tmp_path)
    assert [one.name.task for one in tree.find("a/b")] == [3]
    assert [one.name.task for one in tree.find("a.b")] == [9]
    assert tree.problems == [
        "files named like `a/b` are of other operators: `a.b`",
        "files named like `a.b` are of other operators: `a/b`",
    ]
    assert len(tree.find("a/b", exact=False)) == 2
    assert tree.find("a_b") == []


def test_the_type_tells_operators_apart_too(tmp_path: Path) -> None:
    plant(tmp_path, "a/b", op_type="Cast", task=3)
    plant(tmp_path, "a/b", op_type="Conv2D", task=4)
    tree = DumpTree.open(tmp_path)
    assert [one.name.task for one in tree.find("a/b", op_type="Conv2D")] == [4]
    assert len(tree.find("a/b")) == 2


def test_a_damaged_file_among_several_is_said(tmp_path: Path) -> None:
    plant(tmp_path, "a/b", task=3)
    (tmp_path / make_name("Conv2D", "a.b", 4, TIME)).write_bytes(b"\xff" * 20)
    tree = DumpTree.open(tmp_path)
    assert [one.name.task for one in tree.find("a/b")] == [3, 4]
    assert "longer than the file" in tree.problems[0]


def test_slices_are_one_run(tmp_path: Path) -> None:
    for again in range(2):
        for number in (1, 0, 10, 2):
            plant(tmp_path, time=TIME + 100 * again + number, lxslice=number, ffts=Ffts(4, number, 0, 0))
    tree = DumpTree.open(tmp_path)
    runs = tree.find("conv1")
    assert tree.find("conv1_lxslice10") == runs
    assert [[file.name.lxslice for file in run.files] for run in runs] == [[0, 1, 2, 10]] * 2


def test_threads_are_one_run(tmp_path: Path) -> None:
    for time, thread in ((0, 1), (1, 0), (2, 0), (3, 1)):
        plant(tmp_path, time=TIME + time, ffts=Ffts(4, 8, thread, 0))
    runs = DumpTree.open(tmp_path).find("conv1")
    assert [[(f.name.time - TIME, f.name.part[1]) for f in run.files] for run in runs] == [
        [(1, 0), (0, 1)], [(2, 0), (3, 1)]
    ]  # fmt: skip


def test_a_partition_is_found_by_the_name_in_it(tmp_path: Path) -> None:
    plant(tmp_path, "partition0_rank1_new_sub_graph1_sgt_graph_0_scope/Add", task=1)
    tree = DumpTree.open(tmp_path)
    assert len(tree.find("scope/Add")) == 1
    assert len(tree.find("partition0_rank1_new_sub_graph1_sgt_graph_0_scope/Add")) == 1
    assert tree.find("Add") == []


def test_hashed_names(tmp_path: Path) -> None:
    op_name = "scope/" + "x" * 300
    name = make_name("Conv2D", op_name, 3, TIME)
    path = writable(tmp_path, name)
    assert path.name.isdecimal()
    assert (tmp_path / "mapping.csv").read_text() == f"{path.name},{name}\n"
    write_dump(path, dump(op_name))
    (tmp_path / "0123abcd.npy").write_bytes(b"x")
    (tmp_path / "77.npy").write_bytes(b"x")
    (tmp_path / "123").write_bytes(b"x")
    with (tmp_path / "mapping.csv").open("a") as file:
        file.write(f"malformed\n0123abcd.npy,conv1.0.{TIME}.npy\n,\n77.npy,what is this\n")
    tree = DumpTree.open(tmp_path)
    (entry,) = tree.find(op_name)
    assert entry.path == path
    assert entry.name.op_name == escape(op_name)
    assert tree.find_truth("conv1", 0)[0].path == tmp_path / "0123abcd.npy"
    assert tree.ignored == ["123", "77.npy"]
    assert [problem.replace(str(tmp_path), "") for problem in tree.problems] == [
        "/mapping.csv, line 2: not a short and a long name with a comma between",
        "/mapping.csv, line 4: not a short and a long name with a comma between",
        "`123` looks like a hashed name, and mapping.csv does not explain it",
        "`77.npy` stands for `what is this`, which is no name of a dump",
    ]


def test_a_mapping_that_says_two_things(tmp_path: Path) -> None:
    first, second = (f"/full/path/{make_name('Conv2D', name, 3, TIME)}" for name in ("a", "b"))
    (tmp_path / "12").write_bytes(b"x")
    (tmp_path / "mapping.csv").write_text(f"12,{first}\n12,{first}\n12,{second}\n")
    tree = DumpTree.open(tmp_path)
    assert len(tree.find("a")) == 1
    assert tree.problems == [f"{tmp_path / 'mapping.csv'}, line 3: `12` already stands for another name"]


def test_a_mapping_of_nonsense_is_told_in_few_words(tmp_path: Path) -> None:
    plant(tmp_path)
    (tmp_path / "mapping.csv").write_bytes(b"\xff\n" * 5000 + b"\n")
    tree = DumpTree.open(tmp_path)
    assert len(tree.problems) == 101
    assert tree.problems[-1].endswith("mapping.csv: 4900 more lines like that")


def test_a_mapping_that_is_too_long_is_not_read(tmp_path: Path) -> None:
    plant(tmp_path)
    with (tmp_path / "mapping.csv").open("wb") as file:
        file.truncate(200 << 20)
    assert "no name was resolved" in DumpTree.open(tmp_path).problems[0]


def test_the_documents_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path / "dumps" / FIRST / "0" / "net" / "1" / "0", "scope/conv1")
    monkeypatch.chdir(tmp_path)
    example = (ROOT / "docs" / "ascend-dumps.md").read_text("utf-8").split("```python\n")[1].partition("```")[0]
    made: dict[str, Any] = {}
    exec(example, made)
    assert made["dump"].op_name == "scope/conv1"
    assert made["whole"].outputs[0].shape == (1,)


def test_no_file_is_opened_to_index(tmp_path: Path) -> None:
    path = plant(tmp_path / FIRST / "0" / "net" / "1" / "0")
    path.chmod(0)
    os.utime(path, (1, 1))
    tree = DumpTree.open(tmp_path)
    assert len(tree.find("conv1")) == 1
    assert path.stat().st_atime == 1


NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(NAMES, min_size=1, max_size=8, unique_by=escape))
def test_every_operator_is_found(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    folder = tmp_path_factory.mktemp("tree")
    for name in names:
        plant(folder, name)
    tree = DumpTree.open(folder)
    for name in names:
        (entry,) = tree.find(name)
        assert entry.name.op_name == escape(name)
        assert tree.find(escape(name)) == [entry]
    assert tree.counts["dump"] == sum(escape(name) not in OVERFLOWS for name in names)
