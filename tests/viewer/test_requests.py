"""Every request of the page, on networks of the three formats, our own and those that others made."""

from __future__ import annotations

import itertools
import json
import os
import shutil
from collections.abc import Generator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from support.commands import contents, untimed
from support.in_process import subcut
from support.models import digits
from support.onnx_graphs import save
from support.viewing import Page, check_columns, columns_of, viewing

from subcut.compiler.export import load

SELECTION = "from pool1 to res2a_relu"


@pytest.fixture(scope="module", params=["prototxt", "pb", "onnx"])
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[Page, None, None]:
    with viewing(digits(request.param), tmp_path_factory.mktemp("out") / "new", selection=SELECTION) as opened:
        yield opened


def path_of(page: Page) -> Path:
    return page.session.models[0].path


def output(page: Page) -> Path:
    return page.session.output


# ---- graph


def test_a_graph_is_all_of_the_model(page: Page) -> None:
    model = load(path_of(page))
    columns = columns_of(page, model=0, graph="")
    check_columns(columns, model.main.ops, model.main.inputs)
    stored = [model.main.ops[place] for place in columns["stored"]]
    assert stored == [op for op in model.main.ops if model.dialect.is_stored(op)]
    assert [entry["name"] for entry in columns["outputs"]] == [value.name for value in model.main.outputs]


def test_edges_have_types_and_shapes_as_soon_as_they_are_known(page: Page) -> None:
    columns_of(page)
    for event in itertools.islice(page.events(), 20) if not page.get("/api/session")["typed"] else ():
        if event["kind"] == "types":
            break
    columns = columns_of(page)
    assert columns["typed"]
    edges = columns["edges"]
    labels = {columns["names"][to]: columns["labels"][at] for to, at in zip(edges["to"], edges["label"], strict=True)}
    assert -1 not in edges["label"]
    shapes = {".pb": "f32 NHWC ?,4,4,32", ".onnx": "f32 NCHW N,32,4,4", ".prototxt": "f32 NCHW 10,32,4,4"}
    assert labels["res2a_relu"] == shapes[path_of(page).suffix]
    assert labels["prob"].split()[-1].endswith("10")


def test_the_session_says_what_there_is(page: Page) -> None:
    told = page.get("/api/session")
    (model,) = told["models"]
    assert (model["name"], model["side"]) == (path_of(page).name, "original")
    assert model["count"] == columns_of(page)["count"]
    assert (told["output"], told["selection"]) == (str(output(page)), SELECTION)
    assert (told["offline"], told["dumps"], told["report"], "question" in told) == (False, False, False, False)


# ---- operators


def test_an_operator_is_told_in_full(page: Page) -> None:
    columns = columns_of(page)
    model = load(path_of(page))
    for place, op in enumerate(model.main.ops):
        info = page.post("/api/op", op=place)
        assert (info["name"], info["type"], info["problems"]) == (columns["names"][place], op.type, [])
        assert [entry["tensor"] for entry in info["operands"]] == [v.name if v else "" for v in op.operands]
        readers = [[columns["names"][at] for at in result["readers"]] for result in info["results"]]
        assert readers == [[reader.label for reader in value.consumers()] for value in op.results]
        assert [entry["name"] for entry in info["attributes"]] == list(op.attributes)
        assert not op.name or op.name in info["record"]


def test_constants_are_shown_as_numbers(page: Page) -> None:
    place = columns_of(page)["names"].index("conv1")
    (weights, *_) = page.post("/api/op", op=place)["constants"]
    kernel = numpy_helper.to_array(onnx.load(str(digits("onnx"))).graph.initializer[0])
    preview = weights["preview"]
    assert preview["min"] == pytest.approx(kernel.min())
    assert preview["mean"] == pytest.approx(kernel.mean())
    histogram = preview["histogram"]
    assert sum(histogram["counts"]) == kernel.size
    assert histogram["edges"][-1] == pytest.approx(kernel.max())
    layout = kernel.transpose(2, 3, 1, 0) if path_of(page).suffix == ".pb" else kernel
    assert np.allclose(preview["first"], layout.reshape(-1)[: len(preview["first"])])


def test_attributes_are_searched(page: Page) -> None:
    model = load(path_of(page))
    for query in ("KERNEL", "/ker.el.*[:=] ?\\W*3/", "pad"):
        found = page.post("/api/search", query=query, kind="attr")["ids"]
        assert found == sorted(found)
        assert all(model.main.ops[place].attributes for place in found)
    assert page.post("/api/search", query="nothing has this")["ids"] == []
    page.post("/api/search", 400, query="/(/")


# ---- selecting


def test_a_text_and_what_it_selects(page: Page) -> None:
    names = columns_of(page)["names"]
    found = page.post("/api/select", text="from  pool1  to res2a_relu")
    assert (found["ok"], found["text"], found["graph"]) == (True, SELECTION, "")
    assert ([names[at] for at in found["starts"]], [names[at] for at in found["ends"]]) == (["pool1"], ["res2a_relu"])
    assert {"pool1", "res2a", "res2a_relu"} <= {names[at] for at in found["ops"]}
    (edge,) = found["inputs"]
    assert (names[edge["producer"]], [names[at] for at in edge["consumers"]]) == ("conv1_relu", ["pool1"])
    assert (edge["reason"], edge["side"]) == ("made outside the selection", False)
    (edge,) = found["outputs"]
    assert ([names[at] for at in edge["consumers"]], edge["reason"]) == (["pool5"], "named as the end")


def test_a_side_input_is_marked(page: Page) -> None:
    found = page.post("/api/select", text="from res2a_branch2a to res2a_relu")
    assert sorted(edge["side"] for edge in found["inputs"]) == [False, True]


def test_what_is_selected_is_what_the_command_cuts(page: Page, tmp_path: Path) -> None:
    names = columns_of(page)["names"]
    for number, text in enumerate([SELECTION, "to conv1_relu", "from res2a", "all", "res2a_* plus pool5", "op R*"]):
        found = page.post("/api/select", text=text)
        subcut(path_of(page), text, "-o", tmp_path / str(number))
        manifest = json.loads((tmp_path / str(number) / "manifest.json").read_text())
        stored = set(columns_of(page)["stored"])
        assert {names[at] for at in found["ops"] if at not in stored} == {op["name"] for op in manifest["operators"]}
        assert [e["tensor"] for e in found["outputs"]] == [e["tensor"] for e in manifest["outputs"]]
        own = {entry["name"] for entry in manifest["inputs"] if entry["reason"] == "an input of the model"}
        assert {e["tensor"] for e in found["inputs"]} | own == {e["tensor"] for e in manifest["inputs"]}


@pytest.mark.parametrize(
    ("text", "code", "marked"),
    [
        ("", "empty-selection", None),
        ("from pool1 to", "unfinished", None),
        ("from pool9 to res2a_relu", "unknown-operator", "pool9"),
        ("from res2a_relu to pool1", "reversed-selection", "res2a_relu"),
        ("to pool1; freeze %data = \"/etc/passwd\"", "freeze-in-page", 'freeze %data = "/etc/passwd"'),
    ],
)  # fmt: skip
def test_a_mistake_is_shown_where_it_stands(page: Page, text: str, code: str, marked: str | None) -> None:
    found = page.post("/api/select", text=text)
    assert found["ok"] is False
    first = found["diagnostics"][0]
    assert code in (first["code"], "unfinished")
    if marked is not None:
        assert text[first["start"] : first["end"]] == marked


def test_starts_and_ends_become_a_text(page: Page) -> None:
    names = columns_of(page)["names"]
    at = {name: place for place, name in enumerate(names)}
    composed = page.post("/api/compose", starts=[at["pool1"]], ends=[at["res2a_relu"]])
    assert composed == {"text": SELECTION}
    several = page.post("/api/compose", starts=[at["res2a_branch1"], at["res2a_branch2a"]], ends=[at["res2a"]])["text"]
    assert several == "from res2a_branch1, res2a_branch2a to res2a"
    assert page.post("/api/compose", starts=[], ends=[at["pool1"]])["text"] == "to pool1"
    assert page.post("/api/compose", starts=[at["pool1"]], ends=[])["text"] == "from pool1"
    page.post("/api/compose", 400, starts=[], ends=[])
    page.post("/api/compose", 400, starts=[len(names)], ends=[])
    page.post("/api/compose", 400, starts=["pool1"], ends=[])


# ---- export


def test_an_export_is_the_folder_of_the_command(page: Page, tmp_path: Path) -> None:
    job = page.post("/api/export", text=SELECTION, options={})["job"]
    events = [event for event in page.events() if event.get("job") == job]
    done = events[-1]
    assert done["kind"] == "done", done
    folder = Path(done["folder"])
    assert (folder.parent, folder.name[:12]) == (output(page), "dump_result_")
    told = subcut(path_of(page), SELECTION, "-o", tmp_path / "command").stdout
    assert contents(folder) == contents(tmp_path / "command")
    entries = [f"{event['time']} {event['text']}" for event in events if event["kind"] == "log"]
    lines = untimed("\n".join(entries)).splitlines()
    assert lines[:-1] == untimed(told).splitlines()[:-1]
    assert lines[-1] == f"<time> Output Path:{folder}"
    assert {file["name"]: file["size"] for file in done["files"]} == {n: len(c) for n, c in contents(folder).items()}
    stages = [event["stage"] for event in events if event["kind"] == "progress"]
    assert {"reading", "cutting", "writing"} <= set(stages) | {"reading", "cutting"}
    assert [event["id"] for event in events] == sorted(event["id"] for event in events)
    again = [event["id"] for event in page.events(after=events[-3]["id"]) if event.get("job") == job]
    assert again == [event["id"] for event in events[-2:]]


def test_the_cut_that_was_exported_is_verified(page: Page) -> None:
    page.ended(page.post("/api/export", text=SELECTION, options={"verify": True})["job"])
    before = contents(output(page))
    done = page.ended(page.post("/api/verify")["job"])
    assert (done["kind"], done["good"]) == ("done", True), done
    assert [row["verdict"] for row in done["rows"]] == ["equal"]
    other = page.ended(page.post("/api/verify", text="to conv1_relu")["job"])
    assert (other["good"], other["folder"]) == (True, "")
    assert contents(output(page)) == before, "what is verified only is not kept"


def test_a_name_is_a_folder_in_the_output_folder(page: Page, tmp_path: Path) -> None:
    done = page.ended(page.post("/api/export", text=f'{SELECTION}; as "block"', options={})["job"])
    assert Path(done["folder"]) == output(page) / "block"
    again = page.ended(page.post("/api/export", text=f'{SELECTION}; as "block"', options={})["job"])
    assert (again["kind"], again["code"]) == ("failed", "folder-exists")
    once_more = page.ended(page.post("/api/export", text='to pool1; as "block"', options={"confirm": True})["job"])
    assert once_more["kind"] == "done"
    for name in ("../elsewhere", "/tmp/elsewhere", "a/b", "..", "a\\\\b"):
        refused = page.post("/api/export", 400, text=f'{SELECTION}; as "{name}"', options={})
        assert refused["error"]["code"] == "bad-name", name
    (output(page) / "link").symlink_to(tmp_path)
    refused = page.ended(page.post("/api/export", text=f'{SELECTION}; as "link"', options={})["job"])
    assert (refused["kind"], refused["code"]) == ("failed", "bad-name")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_cut_is_refused_before_it_starts(page: Page) -> None:
    assert page.post("/api/export", 400, text="from nowhere", options={})["error"]["code"] == "unknown-operator"
    assert page.post("/api/export", 400, text=SELECTION, options={"link": 1})["error"]["code"] == "bad-request"
    page.post("/api/export", 400, text=SELECTION, options={"bin_type": "float8"})
    page.post("/api/export", 400, text=SELECTION, options=[])
    page.post("/api/export", 400, text=7)


def test_a_job_is_alone_and_can_be_cancelled(page: Page) -> None:
    left = sorted(output(page).iterdir())
    job = page.post("/api/export", text="all", options={"verify": True})["job"]
    assert page.post("/api/export", 409, text=SELECTION, options={})["error"]["code"] == "busy"
    assert page.post("/api/cancel") == {"ok": True}
    ended = page.ended(job)
    assert (ended["kind"], ended["code"]) == ("failed", "cancelled")
    assert sorted(output(page).iterdir()) == left, "nothing is left of a job that was cancelled"
    assert page.post("/api/cancel") == {"ok": False}


# ---- selection files


def test_a_saved_selection_makes_the_same_cut(page: Page, tmp_path: Path) -> None:
    name = f"block-{path_of(page).suffix[1:]}"
    saved = page.post("/api/save", text=SELECTION, name=name)
    file = Path(saved["file"])
    assert (file, saved["warnings"]) == (output(page) / f"{name}.subcut", [])
    subcut("check", file)
    assert subcut("fmt", "--check", file, code=None).returncode in (0, 1)
    subcut("apply", file, "-o", tmp_path)
    subcut(path_of(page), SELECTION, "-o", tmp_path / "command")
    ours, theirs = contents(tmp_path / name), contents(tmp_path / "command")
    manifests = [json.loads(side.pop("manifest.json")) for side in (ours, theirs)]
    assert ours == theirs
    assert [{**m, "name": "", "selection": "", "passes": ""} for m in manifests[:1]] == [
        {**m, "name": "", "selection": "", "passes": ""} for m in manifests[1:]
    ]
    assert page.post("/api/save", 409, text=SELECTION, name=name)["error"]["code"] == "file-exists"
    page.post("/api/save", text="to pool1", name=name, confirm=True)
    assert "cut to pool1" in file.read_text()


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../up", "/etc/cron", "a/b", "a\\b", "x\0y", "a\nb", "a:b", "m" * 300, "\ud800"]
)
def test_a_selection_is_saved_in_the_output_folder_only(page: Page, name: str) -> None:
    assert page.post("/api/save", 400, text=SELECTION, name=name)["error"]["code"] == "bad-name"


def test_a_name_that_the_disk_has_no_room_for_is_refused(page: Page) -> None:
    output(page).mkdir(exist_ok=True)
    assert page.post("/api/save", 400, text=SELECTION, name="é" * 130)["error"]["code"] == "cannot-write"


def test_a_link_in_the_output_folder_is_not_followed(page: Page, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("kept")
    output(page).mkdir(exist_ok=True)
    (output(page) / "out.subcut").symlink_to(target)
    try:
        page.post("/api/save", 400, text=SELECTION, name="out", confirm=True)
    finally:
        (output(page) / "out.subcut").unlink()
    assert target.read_text() == "kept"


def test_what_cannot_be_cut_is_not_saved(page: Page) -> None:
    assert page.post("/api/save", 400, text="from nowhere", name="no")["error"]["code"] == "unknown-operator"


def test_without_a_report_there_is_none(page: Page) -> None:
    assert page.ask("GET", "/api/report").status == 400


# ---- graphs inside


def test_bodies_are_searched_too(tmp_path: Path) -> None:
    with viewing(save("captured", tmp_path), tmp_path / "out") as page:
        for kind, text in (("op", "t2"), ("type", "mul"), ("tensor", "t2"), ("", "MUL")):
            found = page.post("/api/search", query=text, kind=kind)["elsewhere"]
            assert {one["type"] for one in found} <= {"Add", "Mul"}, kind
            assert found, kind
            for one in found:
                assert page.post("/api/op", graph=one["graph"], op=one["op"])["type"] == one["type"]
        assert page.post("/api/search", query="relu", kind="")["elsewhere"] == []
        inside = page.post("/api/search", query="mul", kind="type")["elsewhere"][0]["graph"]
        back = page.post("/api/search", query="relu", kind="type", graph=inside)["elsewhere"]
        assert [one["graph"] for one in back] == [""]
        page.post("/api/search", 400, query="x", kind="colour")


# ---- files that change


@pytest.mark.parametrize("ending", ["prototxt", "pb", "onnx"])
@pytest.mark.parametrize("how", ["shorter", "longer", "other"])
def test_a_model_that_is_written_again_is_told(tmp_path: Path, ending: str, how: str) -> None:
    """What is shown is no longer what an export would read; one that became shorter must not end the server."""
    source = digits(ending)
    for file in source.parent.glob(f"{source.stem}.*"):
        shutil.copy(file, tmp_path / file.name)
    path = tmp_path / source.name
    with viewing(path, tmp_path / "out") as page:
        place = page.post("/api/graph", model=0, graph="")["names"].index("pool1")
        page.post("/api/search", model=0, graph="", query="x")  # all that is read beside questions is read by then
        if how == "shorter":
            os.truncate(path, 100)
        elif how == "longer":
            with path.open("ab") as file:
                file.write(b"\n")
        else:
            shutil.copy(path, tmp_path / "new")
            os.replace(tmp_path / "new", path)
        asked = {"/api/op": {"model": 0, "graph": "", "op": place}, "/api/export": {"text": "pool1", "options": {}}}
        asked["/api/save"] = {"text": "pool1", "name": "it", "confirm": False}
        for question, body in asked.items():
            error = page.post(question, 400, **body)["error"]
            assert "is another file than when it was opened" in error["message"], question
            assert path.name in error["message"]
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
