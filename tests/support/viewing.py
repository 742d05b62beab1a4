"""The viewer's server in a thread, and a browser's side of it: real sockets, no test client that would be kinder."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from subcut.viewer.opening import Given, open_session
from subcut.viewer.server import Server
from subcut.viewer.session import Session


@dataclass
class Answered:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Page:
    """A browser that has opened the link, or has not yet."""

    server: Server
    session: Session
    cookie: str = ""
    said: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answered:
        """One request; a header is given with `_` for `-`. The cookie is sent where there is one."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        sent = {"Cookie": self.cookie} if self.cookie else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answered(answer.status, found, answer.read())
        finally:
            connection.close()

    def open(self) -> Page:
        """Follow the link, as the browser does."""
        answer = self.ask("GET", self.server.link.partition(f":{self.server.port}")[2])
        assert (answer.status, answer.headers["location"]) == (303, "/")
        self.cookie = answer.headers["set-cookie"].partition(";")[0]
        return self

    def get(self, path: str) -> Any:
        """The JSON of a GET that must succeed."""
        answer = self.ask("GET", path)
        assert answer.status == 200, answer
        return answer.json()

    def post(self, path: str, status: int = 200, /, **content: Any) -> Any:
        """The JSON of a POST."""
        answer = self.ask("POST", path, json.dumps(content).encode(), Content_Type="application/json")
        assert answer.status == status, answer
        return answer.json()

    def events(self, after: int | None = None) -> Iterator[dict[str, Any]]:
        """The stream of events, each with its number as `id`; ends with the job."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=120)
        last = {} if after is None else {"Last-Event-ID": str(after)}
        try:
            connection.request("GET", "/api/events", headers={"Cookie": self.cookie, **last})
            answer = connection.getresponse()
            assert answer.headers["content-type"].startswith("text/event-stream")
            number = 0
            while line := answer.fp.readline().decode():
                if line.startswith("id: "):
                    number = int(line[4:])
                if line.startswith("data: "):
                    event = {"id": number, **json.loads(line[6:])}
                    yield event
                    if event["kind"] in ("done", "failed"):
                        return
        finally:
            connection.close()

    def ended(self, job: int) -> dict[str, Any]:
        """The last event of a job."""
        return next(e for e in self.events() if e.get("job") == job and e["kind"] in ("done", "failed"))


@contextmanager
def viewing(model: Path, output: Path, **given: Any) -> Generator[Page, None, None]:
    """A server for a model, running, and a browser that has opened its link."""
    said: list[str] = []
    session = open_session(Given(model, output, **given))
    server = Server(session, say=said.append)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield Page(server, session, said=said).open()
    finally:
        server.stop()
        thread.join(timeout=20)
        assert not thread.is_alive(), "the server ends when it is told to"


def columns_of(page: Page, **asked: Any) -> dict[str, Any]:
    return page.post("/api/graph", **asked)


def check_columns(columns: dict[str, Any], ops: list[Any], inputs: list[Any]) -> None:
    """Every operand of every operator is an edge, and nothing else is."""
    edges = columns["edges"]
    rows = list(zip(*(edges[key] for key in ("from", "output", "to", "slot", "label")), strict=True))
    place = {op: at for at, op in enumerate(ops)}
    expected = {
        (place.get(v.producer), v.index, at, slot, v.name)
        for at, op in enumerate(ops)
        for slot, v in enumerate(op.operands)
        if v is not None
    }
    names = [entry["name"] for entry in columns["inputs"]]
    found = {
        (origin if origin >= 0 else None, index, to, slot, ops[to].operands[slot].name)
        for origin, index, to, slot, _ in rows
        if slot >= 0
    }
    assert found == expected
    assert all(
        names[-1 - origin] == ops[to].operands[slot].name for origin, _, to, slot, _ in rows if origin < 0 <= slot
    )
    assert all(-1 <= label < len(columns["labels"]) for *_, label in rows)
    assert names[: len(inputs)] == [value.name for value in inputs]
    words = columns["types"]["words"]
    assert [words[of] for of in columns["types"]["of"]] == [op.type for op in ops]
    assert columns["count"] == len(columns["names"]) == len(ops)
    tensors = columns["tensors"]
    made = list(zip(tensors["names"], tensors["op"], tensors["output"], strict=True))
    assert [name for name, op, _ in made if op >= 0] == [v.name for op in ops for v in op.results if v.name]
