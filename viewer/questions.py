"""What the page can ask of a session: a method a request, each given the request's JSON and giving the answer's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from subcut.compiler.errors import UserError, user_error
from subcut.compiler.ir.graph import Graph
from subcut.viewer.answers import BadRequest, diagnostics
from subcut.viewer.asked import Asked
from subcut.viewer.details import details
from subcut.viewer.inference import lacking, take
from subcut.viewer.saving import save, unsaid
from subcut.viewer.searching import KINDS, by_attribute, elsewhere
from subcut.viewer.selecting import answer, choose, compose, parsed
from subcut.viewer.session import Session, Shown
from subcut.viewer.work import Work


class Questions:
    """Answers about a session. What is wrong with a request is a BadRequest; the user's mistake a UserError."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def graph(self, asked: Asked) -> dict[str, Any]:
        """A graph as columns."""
        shown, graph = self._graph(asked)
        key = shown.key(graph)
        number = self.session.models.index(shown)
        typed = self.session.typed or number > 0
        return {"model": number, "graph": key, "typed": typed, **shown.columns(key)}

    def op(self, asked: Asked) -> dict[str, Any]:
        """Everything about an operator."""
        shown, graph = self._graph(asked)
        place = asked.number("op", len(graph.ops))
        found = details(shown, graph, graph.ops[place])
        overlay = self.session.overlay
        if overlay is not None and overlay.shown is shown and graph is shown.model.main:
            found["report"] = overlay.about(place)
        return found

    def select(self, asked: Asked) -> dict[str, Any]:
        """What a text selects, or what is wrong with it."""
        text, shown = asked.text("text"), self.session.models[0]
        try:
            return answer(shown, choose(shown, parsed(text, self.session.freezes), text))
        except UserError as error:
            return {"ok": False, "diagnostics": diagnostics(error)}

    def compose(self, asked: Asked) -> dict[str, str]:
        """The text for everything between starts and ends."""
        shown, graph = self._graph(asked)
        starts, ends = ([graph.ops[at] for at in asked.numbers(key, len(graph.ops))] for key in ("starts", "ends"))
        return {"text": compose(shown, graph, starts, ends)}

    def search(self, asked: Asked) -> dict[str, Any]:
        """The operators that hold a text: here by their attributes, in other graphs also by what the page has not."""
        shown, graph = self._graph(asked)
        query, kind = asked.text("query"), asked.choice("kind", KINDS, "")
        if not query:
            return {"ids": [], "elsewhere": []}
        ids = by_attribute(shown, graph, query) if kind in ("", "attr") else []
        return {"ids": ids, "elsewhere": elsewhere(shown, graph, query, kind)}

    def report(self, asked: Asked) -> dict[str, Any]:
        """The comparison that was given."""
        if self.session.overlay is None:
            raise BadRequest("no report was given")
        return self.session.overlay.columns()

    def save(self, asked: Asked) -> dict[str, Any]:
        """Write a selection file."""
        shown, text = self.session.models[0], asked.text("text")
        cut = parsed(text, self.session.freezes)
        choose(shown, cut, text)  # what cannot be cut is not saved
        path = save(self.session, cut, asked.text("name"), confirmed=asked.flag("confirm"))
        return {"ok": True, "file": str(path), "warnings": unsaid(self.session.reading)}

    def export(self, asked: Asked) -> Work:
        """The work of an export. What cannot be cut is refused before it starts."""
        from subcut.compiler.device_data import BIN_TYPES

        shown, text = self.session.models[0], asked.text("text")
        choose(shown, parsed(text, self.session.freezes), text)
        options = asked.inner("options")
        link = options.flag("link")
        device = self.session.device if options.flag("device", True) else None  # the answer to S2
        if link and shown.model.dialect.name != "onnx" and device is None:
            raise user_error("cannot-link", "only the weights of an ONNX model can be linked to, and dump files")
        return Work(
            "export",
            shown.path,
            self.session.output,
            self.session.reading,
            device,
            text,
            infer=options.flag("infer", True),
            fold=options.flag("fold", True),
            link=link,
            strict=options.flag("strict"),
            force=options.flag("confirm"),
            verify=options.flag("verify"),
            bin_type=options.choice("bin_type", list(BIN_TYPES), "float16"),
        )

    def verify(self, asked: Asked, exported: Path | None) -> Work:
        """The work of a verification: of the cut that a text selects, else of what was exported last."""
        shown, text = self.session.models[0], asked.text("text", "")
        if text:
            choose(shown, parsed(text, self.session.freezes), text)
            return Work("verify", shown.path, self.session.output, self.session.reading, text=text)
        if exported is None:
            raise user_error("no-cut", "nothing was exported yet", help="select something, or export first")
        return Work("verify", shown.path, exported, self.session.reading)

    def types(self) -> Work:
        """The work of finding the types that the file does not state."""
        return Work("types", self.session.models[0].path, self.session.output, self.session.reading)

    def take_types(self, event: dict[str, Any]) -> None:
        """Take what that work found into the model."""
        with self.session.lock:
            take(lacking(self.session.models[0].model), event["types"], event["of"])
            self.session.models[0].retyped()
            self.session.typed = True

    def _graph(self, asked: Asked) -> tuple[Shown, Graph]:
        shown = self.session.models[asked.number("model", len(self.session.models), 0)]
        graph = shown.graphs.get(asked.text("graph", ""))
        if graph is None:
            raise BadRequest("there is no such graph")
        return shown, graph
