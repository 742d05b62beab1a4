"""Show a model in a browser: look at it, select in it, and export cuts.

subcut view model.onnx
subcut view net.prototxt "from pool1 to res2a_relu" --om net.om --dump dumps -o cuts

The page is served to this machine alone; `--no-browser` prints its address.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import webbrowser
from pathlib import Path

from subcut.compiler.cli import options
from subcut.compiler.errors import MissingExtra
from subcut.compiler.export import load
from subcut.compiler.pipeline import no_collection


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_model(parser)
    parser.add_argument("selection", metavar="SELECTION", nargs="?", default="", help="what is selected at first")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", default=Path(), help="where exports go")
    parser.add_argument("--no-browser", action="store_true", help="print the address and open nothing")
    parser.add_argument("--port", type=int, default=0, help="the port (default: any that is free)")


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    for package in ("starlette", "uvicorn"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtra(package, "view", "show a model in a browser")
    from subcut.viewer.server import Server
    from subcut.viewer.session import ORIGINAL, Session, Shown

    with no_collection():
        model = load(args.model, options.read_options(args))
        model.dialect.annotate(model)
        gc.freeze()
    server = Server(Session([Shown(model, Path(args.model), ORIGINAL)], args.output, args.selection), args.port)
    link = server.link
    print(f"open {link}" if args.no_browser or not webbrowser.open(link) else f"serving {link}", flush=True)
    server.run()
    return 0
