"""Who may ask: every rule of the guard, on its own over raw ASGI, and on the real server over sockets."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from support.models import digits
from support.viewing import Page, viewing

from subcut.viewer.guard import HEADERS, MAX_BODY, Guard, Keys

PORT = 4321
KEYS = Keys()
COOKIE = ("cookie", f"subcut{PORT}={KEYS.token}")
OWN = ("host", f"127.0.0.1:{PORT}")
JSON = ("content-type", "application/json")
ROUTES = {"/": ("GET",), "/web/main.js": ("GET",), "/api/session": ("GET",), "/api/graph": ("POST",)}


async def served(scope: Any, receive: Any, send: Any) -> None:
    """The app behind the guard: reads the body, and says that it was reached."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"public")]})
    await send({"type": "http.response.body", "body": b"reached"})


def asked(scope: dict[str, Any], pieces: tuple[bytes, ...] = (b"",), keys: Keys = KEYS) -> list[dict[str, Any]]:
    """What the guard sends for a scope."""
    sent: list[dict[str, Any]] = []
    left = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    left[-1]["more_body"] = False
    guard = Guard(served, port=PORT, keys=keys, routes=ROUTES, asked=lambda: None)

    async def receive() -> dict[str, Any]:
        return left.pop(0) if left else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(guard(scope, receive, send))
    return sent


def request(method: str, target: str, *headers: tuple[str, str]) -> dict[str, Any]:
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
    }


CASES: list[tuple[str, str, list[tuple[str, str]], int]] = [
    ("GET", "/", [OWN, COOKIE], 200),
    ("GET", "/web/main.js", [OWN, COOKIE], 200),
    ("GET", "/", [OWN, ("authorization", f"Bearer {KEYS.token}")], 200),
    ("GET", "/", [("host", f"localhost:{PORT}"), COOKIE], 200),
    ("GET", "/", [("host", f"localhost.:{PORT}"), COOKIE], 200),
    ("GET", "/", [("host", f"[::1]:{PORT}"), COOKIE], 200),
    ("GET", "/", [OWN, ("cookie", f"other=1; subcut{PORT}={KEYS.token}; more=2")], 200),
    ("GET", "/", [OWN, COOKIE, ("origin", f"http://127.0.0.1:{PORT}")], 200),
    ("GET", "/", [OWN, COOKIE, ("sec-fetch-site", "same-origin")], 200),
    ("GET", "/", [OWN, COOKIE, ("sec-fetch-site", "none")], 200),
    ("POST", "/api/graph", [OWN, COOKIE, JSON, ("content-length", "0")], 200),
    ("POST", "/api/graph", [OWN, COOKIE, ("content-type", "application/json; charset=utf-8")], 200),
    # nobody, or somebody else
    ("GET", "/", [OWN], 401),
    ("GET", "/web/main.js", [OWN], 401),
    ("GET", "/api/session", [OWN], 401),
    ("POST", "/api/graph", [OWN, JSON], 401),
    ("GET", "/nowhere", [OWN], 401),
    ("GET", "/", [OWN, ("authorization", "Bearer wrong")], 401),
    ("GET", "/", [OWN, ("authorization", "Bearer \xff")], 401),
    ("GET", "/", [OWN, ("authorization", "Bearer ")], 401),
    ("GET", "/", [OWN, ("cookie", f"subcut{PORT + 1}={KEYS.token}")], 401),
    ("GET", "/", [OWN, ("cookie", f"subcut{PORT}=")], 401),
    ("GET", "/?once=wrong", [OWN], 401),
    ("GET", "/?once=", [OWN], 401),
    ("GET", f"/?token={KEYS.token}", [OWN], 401),
    # under another name
    ("GET", "/", [COOKIE], 421),
    ("GET", "/", [OWN, OWN, COOKIE], 421),
    ("GET", "/", [OWN, ("host", "evil.example"), COOKIE], 421),
    ("GET", "/", [("host", "evil.example"), COOKIE], 421),
    ("GET", "/", [("host", f"evil.example:{PORT}"), COOKIE], 421),
    ("GET", "/", [("host", f"127.0.0.1.evil.example:{PORT}"), COOKIE], 421),
    ("GET", "/", [("host", f"localhost@evil.example:{PORT}"), COOKIE], 421),
    ("GET", "/", [("host", f"evil.example@127.0.0.1:{PORT}"), COOKIE], 421),
    ("GET", "/", [("host", f"localhost.evil:{PORT}"), COOKIE], 421),
    ("GET", "/", [("host", f"127.0.0.1:{PORT + 1}"), COOKIE], 421),
    ("GET", "/", [("host", "127.0.0.1"), COOKIE], 421),
    ("GET", "/", [("host", f"0.0.0.0:{PORT}"), COOKIE], 421),
    ("GET", "/", [("host", f"127.0.0.1:{PORT}\n"), COOKIE], 421),
    ("GET", "/", [("host", ""), COOKIE], 421),
    # from another page
    ("GET", "/", [OWN, COOKIE, ("origin", "http://evil.example")], 403),
    ("GET", "/", [OWN, COOKIE, ("origin", "null")], 403),
    ("GET", "/", [OWN, COOKIE, ("origin", f"https://127.0.0.1:{PORT}")], 403),
    ("GET", "/", [OWN, COOKIE, ("origin", f"http://localhost:{PORT}")], 403),
    ("GET", "/", [OWN, COOKIE, ("origin", f"http://127.0.0.1:{PORT + 1}")], 403),
    ("GET", "/", [OWN, COOKIE, ("origin", f"http://127.0.0.1:{PORT}"), ("origin", "http://evil.example")], 403),
    ("GET", "/", [OWN, COOKIE, ("sec-fetch-site", "cross-site")], 403),
    ("GET", "/", [OWN, COOKIE, ("sec-fetch-site", "same-site")], 403),
    ("GET", "/?once=x", [OWN, ("sec-fetch-site", "cross-site")], 403),
    # what there is not
    ("GET", "/nowhere", [OWN, COOKIE], 404),
    ("GET", "/web/../guard.py", [OWN, COOKIE], 404),
    ("GET", "//", [OWN, COOKIE], 404),
    ("POST", "/", [OWN, COOKIE, JSON], 405),
    ("GET", "/api/graph", [OWN, COOKIE], 405),
    ("PUT", "/api/graph", [OWN, COOKIE, JSON], 405),
    ("OPTIONS", "/api/graph", [OWN, COOKIE], 405),
    ("TRACE", "/", [OWN, COOKIE], 405),
    # what is no question of the page's
    ("POST", "/api/graph", [OWN, COOKIE], 415),
    ("POST", "/api/graph", [OWN, COOKIE, ("content-type", "text/plain")], 415),
    ("POST", "/api/graph", [OWN, COOKIE, ("content-type", "application/x-www-form-urlencoded")], 415),
    ("POST", "/api/graph", [OWN, COOKIE, ("content-type", "multipart/form-data; boundary=application/json")], 415),
    ("POST", "/api/graph", [OWN, COOKIE, JSON, ("content-type", "text/plain")], 415),
    ("POST", "/api/graph", [OWN, COOKIE, JSON, ("content-length", str(MAX_BODY + 1))], 413),
    ("POST", "/api/graph", [OWN, COOKIE, JSON, ("content-length", "-1")], 413),
    ("POST", "/api/graph", [OWN, COOKIE, JSON, ("content-length", "many")], 413),
]


@pytest.mark.parametrize(("method", "target", "headers", "status"), CASES, ids=range(len(CASES)))
def test_a_request_is_answered_or_refused(
    method: str, target: str, headers: list[tuple[str, str]], status: int
) -> None:
    start, *bodies = asked(request(method, target, *headers))
    assert start["status"] == status
    assert (b"".join(body["body"] for body in bodies) == b"reached") == (status == 200)
    found = [(name.decode(), value.decode()) for name, value in start["headers"]]
    assert {name: value for name, value in found if name in HEADERS} == HEADERS
    assert len([name for name, _ in found if name == "cache-control"]) == 1
    assert not [name for name, _ in found if name.startswith("access-control")]


def test_a_path_that_is_spelled_another_way_is_another_path() -> None:
    scope = request("GET", "/web/main.js", OWN, COOKIE) | {"raw_path": b"/web/%6dain.js"}
    assert asked(scope)[0]["status"] == 404


def test_a_body_that_is_longer_than_it_says_is_cut_off() -> None:
    scope = request("POST", "/api/graph", OWN, COOKIE, JSON)
    assert asked(scope, (b"x" * (MAX_BODY - 1), b"x"))[0]["status"] == 200
    assert asked(scope, (b"x" * (MAX_BODY - 1), b"xx"))[0]["status"] == 413


def test_a_link_opens_the_page_once() -> None:
    keys = Keys()
    link = f"/?once={keys.link()}"
    assert keys.link() == link.removeprefix("/?once="), "a link that nobody used is not made anew"
    start = asked(request("GET", link, OWN), keys=keys)[0]
    found = {name.decode(): value.decode() for name, value in start["headers"]}
    assert (start["status"], found["location"]) == (303, "/")
    assert found["set-cookie"] == f"subcut{PORT}={keys.token}; HttpOnly; Path=/; SameSite=strict"
    assert asked(request("GET", link, OWN), keys=keys)[0]["status"] == 401
    assert keys.link() != link.removeprefix("/?once=")


@pytest.mark.parametrize(
    "headers",
    [
        [OWN, COOKIE, ("origin", f"http://127.0.0.1:{PORT}")],
        [OWN, COOKIE, ("origin", "http://evil.example")],
        [OWN, COOKIE],
        [OWN],
    ],
)
def test_a_web_socket_is_refused_before_it_is_accepted(headers: list[tuple[str, str]]) -> None:
    scope = {**request("GET", "/api/events", *headers), "type": "websocket"}
    assert asked(scope) == [{"type": "websocket.close", "code": 1008}]


# ---- the real server


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Generator[Page, None, None]:
    with viewing(digits("onnx"), tmp_path_factory.mktemp("out")) as opened:
        yield opened


def raw(page: Page, *lines: str) -> int:
    """The status of a request that is sent as it stands."""
    with socket.create_connection(("127.0.0.1", page.server.port), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode())
        return int(connection.makefile("rb").readline().split()[1])


def test_the_server_refuses_names_that_are_not_its_own(page: Page) -> None:
    own = f"Host: 127.0.0.1:{page.server.port}"
    cookie = f"Cookie: {page.cookie}"
    assert raw(page, "GET /api/session HTTP/1.1", own, cookie) == 200
    assert raw(page, "GET /api/session HTTP/1.1", cookie) == 400  # no Host: HTTP itself forbids it
    assert raw(page, "GET /api/session HTTP/1.1", own, own, cookie) == 400
    assert raw(page, "GET /api/session HTTP/1.0", cookie) == 421
    assert raw(page, "GET /api/session HTTP/1.1", "Host: evil.example", cookie) == 421
    assert raw(page, "GET http://evil.example/api/session HTTP/1.1", own, cookie) == 404
    assert raw(page, "GET /%61pi/session HTTP/1.1", own, cookie) == 404
    assert raw(page, "GET /web/..%2fguard.py HTTP/1.1", own, cookie) == 404
    assert raw(page, "GET /web//main.js HTTP/1.1", own, cookie) == 404
    upgrade = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: eA=="]
    assert raw(page, "GET /api/events HTTP/1.1", own, *upgrade) == 401


def test_the_port_is_open_to_this_machine_only(page: Page) -> None:
    assert page.server.socket.getsockname()[0] == "127.0.0.1"


def test_a_stranger_finds_a_new_link_in_the_terminal_and_nowhere_else(page: Page) -> None:
    stranger = Page(page.server, page.session)
    answer = stranger.ask("GET", "/")
    assert answer.status == 401
    assert page.said[-1].endswith(page.server.link)
    assert page.server.keys.link() not in answer.body.decode()
    assert stranger.open().get("/api/session")["models"]


def test_the_server_says_nothing_of_itself(page: Page) -> None:
    assert "server" not in page.ask("GET", "/").headers


def test_every_file_of_the_page_comes_with_its_type(page: Page) -> None:
    assert page.ask("GET", "/").headers["content-type"] == "text/html; charset=utf-8"
    assert page.ask("GET", "/web/main.js").headers["content-type"] == "text/javascript; charset=utf-8"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"3", b"\xff", b'"x"', b"[" * 100_000])
def test_what_is_no_json_object_is_a_bad_request(page: Page, body: bytes) -> None:
    answer = page.ask("POST", "/api/graph", body, Content_Type="application/json")
    assert (answer.status, answer.json()["error"]["code"]) == (400, "bad-request")


def test_no_file_of_the_package_is_served_but_those_of_the_page(page: Page) -> None:
    folder = Path(__file__).parents[2] / "viewer"
    for path in [*folder.glob("*.py"), *folder.glob("web/**/*")]:
        target = f"/{path.relative_to(folder).as_posix()}"
        served = path.is_file() and path.suffix in (".html", ".js", ".css", ".svg", ".png")
        assert page.ask("GET", target).status == (200 if served else 404), target


def test_errors_are_json_too(page: Page) -> None:
    answer = page.ask("POST", "/api/op", json.dumps({"op": 10**6}).encode(), Content_Type="application/json")
    assert (answer.status, answer.headers["content-type"]) == (400, "application/json")
