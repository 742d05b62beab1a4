"""Run a model in its own framework, and write every tensor of it: ground truth for comparing.

subcut run model.onnx --inputs x.npz -o golden
subcut run net.prototxt --inputs data=picture.npy --only "res2*" -o golden
subcut run frozen.pb --om net.om --dump dumps -o golden

A file is called <operator>.<output>.<timestamp>.npy, as other tools look it up; manifest.json says which tensor it is.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from subcut.compiler.cli import options
from subcut.compiler.cli.progress import Bar


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    options.add_model(parser)
    group = parser.add_argument_group("running")
    group.add_argument(
        "--inputs",
        action="append",
        default=[],
        metavar="[NAME=]FILE",
        help="numbers of an input: .npy, raw .bin, or an .npz of several; may be repeated (default: random)",
    )
    group.add_argument("--seed", type=int, default=0, help="the seed of random inputs")
    group.add_argument("--framework", default="", help="onnxruntime, tensorflow or pycaffe (default: by the format)")
    group.add_argument("--memory", metavar="SIZE", help="stay below, such as 800M (default: half of what is free)")
    group.add_argument(
        "--only", action="append", default=[], metavar="GLOB", help="operators or tensors; may be repeated"
    )
    group.add_argument("--constants", action="store_true", help="write what the model stores, too")
    options.add_device(parser)
    group = parser.add_argument_group("output")
    group.add_argument("-o", "--output", type=Path, metavar="DIR", required=True, help="the folder to make")
    group.add_argument("--force", action="store_true", help="replace an existing result folder")
    group.add_argument(
        "--timestamp", type=int, metavar="N", help="microseconds for the names (default: SOURCE_DATE_EPOCH, else now)"
    )
    talk = group.add_mutually_exclusive_group()
    talk.add_argument("--json", action="store_true", help="print the manifest")
    talk.add_argument("-q", "--quiet", action="store_true", help="print nothing")


def run(args: argparse.Namespace) -> int:
    """Run, and print what was written."""
    from subcut.analysis.golden import Request, golden
    from subcut.analysis.golden_slices import parse_memory

    request = Request(
        args.seed,
        parse_memory(args.memory) if args.memory else None,
        tuple(args.only),
        args.framework,
        args.timestamp,
        options.twin_options(args),
        args.constants,
    )
    with Bar(args.quiet) as bar:
        bar.stage("running")
        made = golden(
            args.model,
            args.inputs,
            args.output,
            request=request,
            read=options.read_options(args),
            force=args.force,
            progress=bar.advance,
        )
    content = made.manifest
    if args.json:
        print(json.dumps(content, indent=2, ensure_ascii=False))
    elif not args.quiet:
        for entry in content["inputs"]:
            print(f"Input:{entry['name']} ({entry['from']})")
        for entry in [*content["absent"], *content["bodies"]]:
            print(f"Left out:{entry.get('tensor') or entry['graph']}: {entry['reason']}")
        print(f"Tensors:{len(content['tensors'])} by {content['framework']}\nOutput Path:{args.output}")
    if not args.quiet:
        for warning in made.warnings:
            print(f"warning: {warning}", file=sys.stderr)
    return 0
