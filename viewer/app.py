"""The table of requests, and what answers each: everything behind the guard."""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import Any, cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from subcut.compiler.errors import SubcutError
from subcut.viewer.answers import BadRequest, refusal
from subcut.viewer.asked import Asked
from subcut.viewer.events import Event, Events
from subcut.viewer.jobs import Busy, Inference, Jobs
from subcut.viewer.questions import Questions
from subcut.viewer.session import Session
from subcut.viewer.warming import warm
from subcut.viewer.web_files import TYPES, contents, web_files

Answer = Callable[[Request], Awaitable[Response]]
Question = Callable[[Asked], Any]
CONFLICTS = ("file-exists", "busy")
"""Codes of refusals that a second try may turn."""


class App:
    """Answers requests that the guard let through. Paths are literals: nothing of a path is ever taken as a name."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.files = web_files()
        self._contents = contents(self.files)
        self.events = Events()
        self.jobs = Jobs(self.events)
        self._warming: asyncio.Task[None] | None = None
        self.inference = Inference(self._take_types)
        self.questions = questions = Questions(session)
        self._gets: dict[str, Answer] = {
            "/api/session": partial(self._ask, lambda _: session.about()),
            "/api/report": partial(self._ask, questions.report),
            "/api/events": self._follow,
        }
        self._posts: dict[str, Answer] = {
            "/api/graph": self._graph,
            "/api/op": partial(self._ask, questions.op),
            "/api/select": partial(self._ask, questions.select),
            "/api/compose": partial(self._ask, questions.compose),
            "/api/search": partial(self._ask, questions.search),
            "/api/save": partial(self._ask, questions.save),
            "/api/export": partial(self._work, questions.export),
            "/api/verify": partial(self._work, lambda asked: questions.verify(asked, self.jobs.exported)),
            "/api/cancel": self._cancel,
        }
        self._answers = {**self._gets, **self._posts}

    @property
    def methods(self) -> dict[str, Collection[str]]:
        """Every path that exists, and how it is asked."""
        gets = dict.fromkeys([*self.files, *self._gets], ("GET",))
        return {**gets, **dict.fromkeys(self._posts, ("POST",))}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; or, when the server ends, end what it has started."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        request = Request(scope, receive)
        path: str = request.scope["path"]
        response = self._file(path) if path in self.files else await self._answers[path](request)
        await response(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.jobs.cancel()
        await self.inference.close()
        if self._warming is not None:
            await self._warming
        await send({"type": "lifespan.shutdown.complete"})

    def _file(self, path: str) -> Response:
        file = self.files[path]
        try:
            content = self._contents[path] if path in self._contents else file.read_bytes()
        except OSError:
            return PlainTextResponse("no such page\n", 404)
        return Response(content, media_type=TYPES[file.suffix])

    async def _ask(self, question: Question, request: Request) -> Response:
        """The answer to a question about the models, found in a thread: one at a time, for they are filled in."""
        try:
            asked = await _asked(request)
        except BadRequest as error:
            return _refused("bad-request", str(error))
        return await run_in_threadpool(self._found, question, asked)

    def _found(self, question: Question, asked: Asked) -> Response:
        try:
            with self.session.lock:
                self.session.check()
                return _json(question(asked))
        except BadRequest as error:
            return _refused("bad-request", str(error))
        except SubcutError as error:
            told = refusal(error)
            return _json({"ok": False, "error": told}, 409 if told["code"] in CONFLICTS else 400)
        except Exception:
            traceback.print_exc()
            return _refused("bug", "this is a bug in subcut: the terminal has the details", 500)

    async def _graph(self, request: Request) -> Response:
        """A graph; when the first one is on its way, what comes next is made ready, and types are looked for."""
        response = await self._ask(self.questions.graph, request)
        if self._warming is None:
            self._warming = asyncio.create_task(run_in_threadpool(warm, self.session))
        if not self.session.typed:
            self.inference.begin(self.questions.types())
        return response

    async def _take_types(self, event: Event) -> None:
        await run_in_threadpool(self.questions.take_types, event)
        self.events.typed()

    async def _work(self, question: Question, request: Request) -> Response:
        """Start what a question turns out to ask for."""
        works: list[Any] = []
        answer = await self._ask(lambda asked: works.append(question(asked)), request)
        if not works:
            return answer
        try:
            return _json({"job": self.jobs.start(works[0])})
        except Busy:
            return _refused("busy", "another job runs: wait for it, or cancel it", 409)

    async def _cancel(self, request: Request) -> Response:
        return _json({"ok": await self.jobs.cancel()})

    async def _follow(self, request: Request) -> Response:
        last = request.headers.get("last-event-id", "")
        after = int(last) if last.isascii() and last.isdigit() and len(last) < 16 else 0
        return StreamingResponse(self.events.follow(after), media_type="text/event-stream")


async def _asked(request: Request) -> Asked:
    if request.method == "GET":
        return Asked({})
    body = await request.body()
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest("the request is no JSON") from None
    if not isinstance(content, dict):
        raise BadRequest("the request is no JSON object")
    return Asked(cast("dict[str, Any]", content))


def _refused(code: str, message: str, status: int = 400) -> Response:
    return _json({"ok": False, "error": {"code": code, "message": message, "help": []}}, status)


def _json(content: Any, status: int = 200) -> Response:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Response(text.encode("utf-8", "backslashreplace"), status, media_type="application/json")
