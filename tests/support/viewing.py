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
    server = Server(open_session(Given(model, output, **given)), say=said.append)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield Page(server, said=said).open()
    finally:
        server.stop()
        thread.join(timeout=20)
        assert not thread.is_alive(), "the server ends when it is told to"
