"""Serves a session on this machine's loopback address, until it is interrupted."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from subcut.compiler.errors import user_error
from subcut.viewer.app import App
from subcut.viewer.guard import Guard, Keys
from subcut.viewer.session import Session

ADDRESS = "127.0.0.1"


class Server:
    """A port that is bound, and the app behind its guard; `say` is told what the terminal shall show."""

    def __init__(self, session: Session, port: int = 0, say: Callable[[str], None] = print) -> None:
        self.socket = _bound(port)
        self.port: int = self.socket.getsockname()[1]
        self.keys = Keys()
        self.say = say
        app = App(session)
        self.app: ASGIApp = Guard(app, port=self.port, keys=self.keys, routes=app.methods, asked=self._asked)
        config = uvicorn.Config(
            self.app,
            http="h11",
            ws="none",
            lifespan="on",
            loop="asyncio",
            log_level="error",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        self._server = _Server(config)
        self._server.ending = app.events.close

    @property
    def link(self) -> str:
        """The address that opens the page, once."""
        return f"http://{ADDRESS}:{self.port}/?once={self.keys.link()}"

    def _asked(self) -> None:
        self.say(f"a browser asked without a link that holds; a new one: {self.link}")

    def run(self) -> None:
        """Answer until interrupted, which is how it ends."""
        with contextlib.suppress(KeyboardInterrupt):
            self._server.run(sockets=[self.socket])

    def stop(self) -> None:
        """End `run`, which another thread is in."""
        self._server.should_exit = True


class _Server(uvicorn.Server):
    """A server that tells when it begins to end: streams that nobody ends would be waited for."""

    ending: Callable[[], None]

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then wait for whatever else is being answered; a second Ctrl+C is no reason to complain."""
        logging.getLogger("uvicorn.error").disabled = True
        self.ending()
        await super().shutdown(sockets)


def _bound(port: int) -> socket.socket:
    """A socket of the loopback address. Raises UserError where the port is taken."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((ADDRESS, port))
        bound.listen()  # a browser that is faster than the server waits
    except (OSError, OverflowError) as error:
        bound.close()
        why = getattr(error, "strerror", None) or str(error)
        raise user_error("port-taken", f"port {port} cannot be had: {why}", help="leave `--port` out") from None
    return bound
