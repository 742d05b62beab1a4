"""Show a model in a browser: look at it, select in it, and export cuts.

subcut view model.onnx
subcut view net.prototxt "from pool1 to res2a_relu" --om net.om --dump dumps -o cuts

The page is served to this machine alone; `--no-browser` prints its address.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import webbrowser
from pathlib import Path

from subcut.compiler.cli import options
from subcut.compiler.errors import MissingExtra


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_model(parser)
    parser.add_argument("selection", metavar="SELECTION", nargs="?", default="", help="what is selected at first")
    options.add_device(parser)
    group = parser.add_argument_group("showing")
    group.add_argument("--other", type=Path, metavar="MODEL2", help="a second model, shown beside the first")
    group.add_argument("--report", type=Path, metavar="DIR", help="what `compare` or `locate --dump` found, as colours")
    group.add_argument("--no-browser", action="store_true", help="print the address and open nothing")
    group.add_argument("--port", type=int, default=0, help="the port (default: any that is free)")
    group = parser.add_argument_group("output")
    where = "the folder that exports go to (default: the current one)"
    group.add_argument("-o", "--output", type=Path, metavar="DIR", default=Path(), help=where)


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    for package in ("starlette", "uvicorn"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtra(package, "view", "show a model in a browser")
    from subcut.viewer.opening import Given, open_session
    from subcut.viewer.server import Server

    given = Given(
        Path(args.model),
        args.output,
        args.selection,
        options.read_options(args),
        options.twin_options(args),
        args.other,
        args.report,
    )
    session = open_session(given)
    for warning in session.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    server = Server(session, args.port)
    link = server.link
    opened = not args.no_browser and webbrowser.open(link)
    print(f"{'serving' if opened else 'open'} {link}", flush=True)
    server.run()
    return 0
