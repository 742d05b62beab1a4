"""`subcut locate` on two machines: `--plan` writes what the device host runs, `--ingest` reads what came back."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from subcut.compiler.cli import options
from subcut.compiler.cli.locate_told import concluded
from subcut.compiler.errors import user_error
from subcut.compiler.storage.interrupts import Interrupts, Terminated

if TYPE_CHECKING:
    from subcut.analysis.locate.plan import Request
    from subcut.analysis.locate.plan_rounds import Came, Round

DONE, UNPROVEN = 0, 1
SHOWN = 10
"""Candidates that are told one by one."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What a search on two machines takes."""
    group = parser.add_argument_group("two machines")
    group.add_argument("--plan", type=Path, metavar="DIR", help="write candidates and a run.sh for the device host")
    group.add_argument("--ingest", type=Path, metavar="DIR", help="read what came back, and go on in the same folder")
    group.add_argument("--batch", type=int, default=7, metavar="K", help="candidates a round (default: %(default)s)")
    options.add_bin_type(parser)


def is_asked(args: argparse.Namespace) -> bool:
    """Whether a search on two machines is asked for."""
    return args.plan is not None or args.ingest is not None


def run(args: argparse.Namespace) -> int:
    """Plan, or go on."""
    if args.plan is not None and args.ingest is not None:
        raise user_error("bad-arguments", "`--plan` begins a search, and `--ingest` goes on with one: which is it?")
    for name in ("link", "state", "dump"):
        if getattr(args, name):
            raise user_error("bad-arguments", f"`--{name}` has no meaning on two machines")
    with _resumable():
        return _plan(args) if args.plan is not None else _ingest(args)


def _plan(args: argparse.Namespace) -> int:
    from subcut.analysis.locate import Source
    from subcut.analysis.locate.plan_rounds import plan_search

    if args.output is not None:
        raise user_error("bad-arguments", "there is no result yet", help="`--output` goes with `--ingest`")
    source = Source(options.named_model(args), options.read_options(args), args.inputs, args.seed)
    round = plan_search(source, args.plan, _request(args), None if args.quiet or args.json else _say)
    _tell(args, round, args.plan)
    return DONE


def _request(args: argparse.Namespace) -> Request:
    from subcut.analysis.locate import Settings, Tolerance
    from subcut.analysis.locate.backends import KNOWN
    from subcut.analysis.locate.plan import Request
    from subcut.compiler.alignment.identity import option
    from subcut.compiler.commands import kept_options
    from subcut.compiler.formats.ascend.offline import read_offline

    command = (args.candidate or "").strip()
    if command in KNOWN or command.startswith("onnxruntime:"):
        help = "`subcut locate MODEL --candidate` runs it here; for another machine, give the command that it has"
        raise user_error("bad-candidate", f"`{command}` is part of subcut, which a device host lacks", help=help)
    soc, atc = "Ascend310", tuple[str, ...]()
    if args.om is not None:
        offline = read_offline(args.om)
        stated = option(offline.command, "soc_version") or offline.soc_version
        soc = stated if re.fullmatch(r"[\w.-]+", stated) else soc
        atc = tuple(f"--{name}={value}" for name, value in kept_options(offline.command).items())
    settings = Settings(Tolerance(args.tolerance, args.absolute), args.repeats)
    return Request(settings, command, args.timeout, args.batch, args.bin_dtype, soc, atc)


def _ingest(args: argparse.Namespace) -> int:
    from subcut.analysis.locate.plan import read_plan
    from subcut.analysis.locate.plan_result import told_facts, write_plan_result
    from subcut.analysis.locate.plan_rounds import ingest

    quiet = args.quiet or args.json
    plan = read_plan(args.ingest)
    source = plan.source(Path(args.model) if args.model else None, args.weights)
    asked, number = len(plan.asked), plan.round
    came, round = ingest(plan, source, None if quiet else _say)
    if asked and not quiet:
        print("\n".join(_came(came, asked, number)))
    if round.found is None:
        _tell(args, round, args.ingest)
        return DONE if came.kinds or not asked else UNPROVEN
    found, folder = round.found, args.output or Path("located")
    manifest = write_plan_result(round, folder, force=args.force) if found.operators else None
    if args.json:
        print(json.dumps(manifest["locate"] if manifest else told_facts(round), indent=2, ensure_ascii=False))
    elif not args.quiet:
        ended = ", ".join(f"{count} {kind}" for kind, count in found.kinds.items())
        most = f"{plan.round} of at most {plan.at_most} rounds"
        print(f"{most}, {plan.answered} of {len(plan.candidates)} candidates answered; on the way: {ended}")
        agrees = f"Nothing to locate: the candidate agrees with the reference on all {found.count} operators"
        print("\n".join(concluded(found, folder, manifest)) if manifest else agrees)
    return DONE if found.certificate is None or found.certificate.holds else UNPROVEN


def _came(came: Came, asked: int, number: int) -> list[str]:
    """What a round brought, a sentence a line."""
    ended = ", ".join(f"{count} {kind}" for kind, count in sorted(came.kinds.items()))
    answered = sum(came.kinds.values())
    lines = [f"Round {number}: {answered} of {asked} candidates answered" + (f": {ended}" if ended else "")]
    lines += [f"  {name}: cannot be used: {why}" for name, why in list(came.problems.items())[:SHOWN]]
    lines += [f"  {name}: nothing has come back" for name in came.absent[:SHOWN]]
    more = len(came.problems) + len(came.absent) - len(lines) + 1
    lines += [f"  … and {more} more"] if more > 0 else []
    if came.strangers:
        names = ", ".join(f"`{name}`" for name in came.strangers[:SHOWN])
        lines.append(f"  not of this search, and not looked at: {names}")
    return lines


def _tell(args: argparse.Namespace, round: Round, folder: Path) -> None:
    """What is to be run now."""
    plan = round.plan
    if args.json:
        asked: dict[str, Any] = {one.asked.name: one.asked.what for one in round.sent}
        told = {"round": plan.round, "left_at_most": round.left, "asked": asked}
        print(json.dumps(told, indent=2, ensure_ascii=False))
        return
    if args.quiet:
        return
    if not round.sent:
        print(f"The search is over: `subcut locate --ingest {folder}` writes the result")
        return
    again = [one for one in round.sent if one.asked.attempt > 1]
    repeated = f", {len(again)} of them once more" if again else ""
    size = sum(one.size for one in round.sent)
    left = "this one is the last at most" if round.left <= 1 else f"{round.left} rounds at most are left with it"
    print(f"Round {plan.round}: {len(round.sent)} candidates{repeated}, {size:,} bytes; {left}")
    for one in round.sent[:SHOWN]:
        print(f"  {one.asked.name}: {one.asked.what}")
    if len(round.sent) > SHOWN:
        print(f"  … and {len(round.sent) - SHOWN} more")
    print(f"Copy {folder} (without `state` and `judged`) to the device host, `sh run.sh` there, and copy it back;")
    print(f"then: subcut locate --ingest {folder}")


def _say(text: str) -> None:
    print(text[0].upper() + text[1:], flush=True)


@contextmanager
def _resumable() -> Generator[None]:
    interrupts = Interrupts()
    interrupts.install()
    try:
        yield
    except (KeyboardInterrupt, Terminated):
        print("what is known is kept: the same command goes on from here", file=sys.stderr)
        raise
    finally:
        interrupts.restore()
