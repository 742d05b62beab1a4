"""The one gate in front of everything: who may ask at all. What is not allowed here is refused.

A page of another site can make the browser of this machine send requests to a local server, also under a host name
of its own that leads here (DNS rebinding), and any user of the machine can reach the port. So a request must name
this server, come from its own page, and carry the token that only the terminal has given out. Order of the checks:
Host, Origin, Sec-Fetch-Site, path, method, token, content type, size.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Collection

from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 1 << 20
"""Bytes of a request: selections are short, and nothing else is sent."""
_HOST = re.compile(r"(?P<name>127(?:\.\d{1,3}){3}|localhost\.?|\[::1\])(?::(?P<port>[0-9]{1,5}))?", re.I)
POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
"""On every answer, refusals included."""


class Keys:
    """The token of this run, kept in memory only, and the links that give it to a browser, each once."""

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(32)
        self._link = ""

    def link(self) -> str:
        """The word of a link that was not used yet; there is one at any time."""
        if not self._link:
            self._link = secrets.token_urlsafe(32)
        return self._link

    def use(self, word: str) -> bool:
        """Whether `word` is that of the unused link; if so, it is used now."""
        good = bool(self._link) and secrets.compare_digest(word.encode(), self._link.encode())
        if good:
            self._link = ""
        return good

    def fits(self, token: str) -> bool:
        """Whether `token` is that of this run."""
        return secrets.compare_digest(token.encode(), self.token.encode())


class Guard:
    """Lets requests through to `app` that may be answered.

    `routes` are the paths that exist, with the methods they take; `port` is the server's own. `asked` is called when
    a browser opened the page without a link.
    """

    def __init__(
        self, app: ASGIApp, *, port: int, keys: Keys, routes: dict[str, Collection[str]], asked: Callable[[], None]
    ) -> None:
        self.app = app
        self.port = port
        self.keys = keys
        self.routes = routes
        self.asked = asked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer an ASGI scope of any type."""
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})  # before it is accepted: the browser sees a 403
            return
        if scope["type"] == "lifespan":  # the server itself, that begins or ends
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await _with_headers(refusal)(scope, receive, send)
            return
        try:
            await self.app(scope, _limited(receive), _adding_headers(send))
        except TooLong:  # which is found while the body is read, before any answer
            await _with_headers(_refused(413, "too long"))(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        """The answer that stands in place of the app's; None where the request is good."""
        found = _Headers(scope)
        if not self._is_ours(found.only("host")):
            return _refused(421, "this is another server's name")
        origins = found.all("origin")
        if origins and not (len(origins) == 1 and self._is_own_origin(origins[0], found.only("host"))):
            return _refused(403, "a page of another site asks")
        if any(site not in ("same-origin", "none") for site in found.all("sec-fetch-site")):
            return _refused(403, "a page of another site asks")
        path, method = scope["path"], scope["method"]
        if scope.get("raw_path", path.encode()) != path.encode() or path not in self.routes:
            return self._unknown(found)
        if method not in self.routes[path]:
            return _refused(405, "not this way")
        if path == "/" and scope["query_string"].startswith(b"once="):
            return self._enter(scope["query_string"].decode("latin-1"))
        if not self._has_token(found):
            return self._stranger(path)
        return _bad_body(found) if method == "POST" else None

    def _unknown(self, found: _Headers) -> Response:
        return _refused(404, "no such page") if self._has_token(found) else _refused(401, "open the link first")

    def _is_ours(self, host: str | None) -> bool:
        match = _HOST.fullmatch(host or "")
        return match is not None and int(match["port"] or 80) == self.port

    def _is_own_origin(self, origin: str, host: str | None) -> bool:
        return host is not None and origin.lower() == f"http://{host.lower()}"

    def _has_token(self, found: _Headers) -> bool:
        given = found.only("authorization") or ""
        if given.startswith("Bearer ") and self.keys.fits(given[len("Bearer ") :]):
            return True
        return any(self.keys.fits(token) for token in found.cookies(self.cookie))

    @property
    def cookie(self) -> str:
        """The name of the cookie; cookies know no ports, so the port is in the name."""
        return f"subcut{self.port}"

    def _enter(self, query: str) -> Response:
        if not self.keys.use(query.removeprefix("once=")):
            return self._stranger("/")
        answer = RedirectResponse("/", 303)
        answer.set_cookie(self.cookie, self.keys.token, httponly=True, samesite="strict", path="/")
        return answer

    def _stranger(self, path: str) -> Response:
        if path != "/":
            return _refused(401, "open the link first")
        self.asked()
        return _refused(
            401, "This link was used already, or is none.\nA new one stands in the terminal of `subcut view`."
        )


class _Headers:
    """The headers of a request."""

    def __init__(self, scope: Scope) -> None:
        self._found: list[tuple[bytes, bytes]] = scope["headers"]

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value.decode("latin-1") for key, value in self._found if key.lower() == name.encode()]

    def only(self, name: str) -> str | None:
        """The value of a header that is there once; None otherwise."""
        found = self.all(name)
        return found[0] if len(found) == 1 else None

    def cookies(self, name: str) -> list[str]:
        """Every value of a cookie."""
        found: list[str] = []
        for text in self.all("cookie"):
            pairs = (part.strip().partition("=") for part in text.split(";"))
            found += [value for key, _, value in pairs if key == name]
        return found


def _refused(status: int, why: str) -> Response:
    return PlainTextResponse(why + "\n", status)


def _bad_body(found: _Headers) -> Response | None:
    kind = (found.only("content-type") or "").lower().replace(" ", "")
    if kind not in ("application/json", "application/json;charset=utf-8"):
        return _refused(415, "only application/json")
    length = found.only("content-length") or "0"
    if not (length.isascii() and length.isdigit()) or int(length) > MAX_BODY:
        return _refused(413, "too long")
    return None


class TooLong(Exception):
    """A request without a stated length went beyond the limit."""


def _limited(receive: Receive) -> Receive:
    """Receives a body of `MAX_BODY` bytes at most, whatever its length was said to be."""
    left = MAX_BODY

    async def receiving() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise TooLong
        return message

    return receiving


def _with_headers(response: Response) -> ASGIApp:
    response.headers.update(HEADERS)
    return response


def _adding_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = [(key.encode(), value.encode()) for key, value in HEADERS.items()]
            names = {key for key, _ in own}
            message["headers"] = [*(h for h in message.get("headers", []) if h[0].lower() not in names), *own]
        await send(message)

    return sending
