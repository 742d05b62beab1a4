"""The table of requests, and what answers each: everything behind the guard."""

from __future__ import annotations

import json
import traceback
from collections.abc import Awaitable, Callable, Collection
from typing import Any, cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from subcut.compiler.errors import ModelError, SubcutError, UserError
from subcut.viewer.session import Session, Shown
from subcut.viewer.web_files import TYPES, web_files

Answer = Callable[[Request], Awaitable[Response]]


class App:
    """Answers requests that the guard let through. Paths are literals: nothing of a path is ever taken as a name."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.files = web_files()
        self.answers: dict[str, Answer] = {
            "/api/session": self._get(lambda _: session.about()),
            "/api/graph": self._post(self._graph),
        }
        self._gets = {"/api/session", "/api/events", "/api/report"}

    @property
    def methods(self) -> dict[str, Collection[str]]:
        """Every path that exists, and how it is asked."""
        apis = {path: ("GET",) if path in self._gets else ("POST",) for path in self.answers}
        return {**dict.fromkeys(self.files, ("GET",)), **apis}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        path = request.scope["path"]
        response = self._file(path) if path in self.files else await self.answers[path](request)
        await response(scope, receive, send)

    def _file(self, path: str) -> Response:
        file = self.files[path]
        try:
            content = file.read_bytes()
        except OSError:
            return PlainTextResponse("no such page\n", 404)
        return Response(content, media_type=TYPES[file.suffix])

    def _get(self, work: Callable[[dict[str, Any]], Any]) -> Answer:
        async def answer(request: Request) -> Response:
            return await run_in_threadpool(self._worked, work, {})

        return answer

    def _post(self, work: Callable[[dict[str, Any]], Any]) -> Answer:
        async def answer(request: Request) -> Response:
            body = await request.body()
            try:
                asked = json.loads(body)
            except (ValueError, RecursionError):
                return _json({"error": "the request is no JSON"}, 400)
            if not isinstance(asked, dict):
                return _json({"error": "the request is no JSON object"}, 400)
            return await run_in_threadpool(self._worked, work, cast("dict[str, Any]", asked))

        return answer

    def _worked(self, work: Callable[[dict[str, Any]], Any], asked: dict[str, Any]) -> Response:
        try:
            with self.session.lock:
                return _json(work(asked))
        except BadRequest as error:
            return _json({"error": str(error)}, 400)
        except SubcutError as error:
            return _json({"ok": False, "diagnostics": diagnostics(error)}, 400)
        except Exception:
            traceback.print_exc()
            return _json({"error": "this is a bug in subcut: the terminal has the details"}, 500)

    def _shown(self, asked: dict[str, Any]) -> Shown:
        number = asked.get("model", 0)
        if not isinstance(number, int) or not 0 <= number < len(self.session.models):
            raise BadRequest("there is no such model")
        return self.session.models[number]

    def _graph(self, asked: dict[str, Any]) -> dict[str, Any]:
        shown, key = self._shown(asked), asked.get("graph", "")
        if key not in shown.graphs:
            raise BadRequest("there is no such graph")
        return {"model": asked.get("model", 0), "graph": key, **shown.columns(key)}


class BadRequest(Exception):
    """The page asked for what is not there: its mistake, not the user's."""


def diagnostics(error: SubcutError) -> list[dict[str, Any]]:
    """An error as the page shows it: places are characters of the text that was sent."""
    if isinstance(error, UserError):
        return [
            {
                "code": one.code,
                "message": one.message,
                "start": one.at.start if one.at else None,
                "end": one.at.stop if one.at else None,
                "help": list(one.help),
            }
            for one in error.diagnostics
        ]
    help = [error.expected] if isinstance(error, ModelError) and error.expected else []
    return [{"code": "bad-model", "message": str(error), "start": None, "end": None, "help": help}]


def _json(content: Any, status: int = 200) -> Response:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return Response(text.encode("utf-8", "surrogatepass"), status, media_type="application/json")
