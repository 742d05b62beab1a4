"""Measure subcut, its peers and the physical limit in one run, and write `docs/benchmarks.md`.

    python benchmarks/run.py                          # everything: an hour, 27 GB of models in build/bench/
    python benchmarks/run.py chain-10k --no-report    # a few models, printed only
    python benchmarks/run.py onnx --no-peers
    python benchmarks/run.py --locating               # how many runs a search takes: counts and no times, minutes
    python benchmarks/run.py --viewing                # how long until a model is seen in a browser: half an hour

Every figure is the median of at least five runs, contenders taking turns; memory is the peak of one more run. The
limit is `cp` of the files that the cut consists of.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import locating
import report
import viewers
import viewing
from measure import Failed, Memory, memory, wall
from models import FOLDER, Case, select
from peers import PACKAGES, TOOLS

HERE = Path(__file__).resolve().parent
PEERS = FOLDER / "peers"
OUT = FOLDER / "out"
LINKED = FOLDER / "linked"
KEPT = FOLDER / "kept"
"""The files that the cut consists of, for the limit to copy."""
SUBCUT = str(Path(sys.executable).with_name("subcut"))
STARTS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import subcut": [sys.executable, "-c", "import subcut"],
    "subcut --help": [SUBCUT, "--help"],
}
TOO_BIG = {("sne4onnx", "onnx-transformer-6gb"): "needs over 20 GB"}
"""Not tried: it would take the machine down."""


@dataclass
class Contender:
    """A command that makes a cut in the folder it is given, and what it cost."""

    name: str
    command: Callable[[Path], list[str]]
    fresh: bool = False
    """Whether subcut has never seen the model, so that its digest has to be computed."""
    links: bool = False
    """Whether the cut shares the model's file, so that making and removing it touches the model's times."""
    times: list[float] = field(default_factory=list)
    memory: Memory = field(default_factory=lambda: Memory(0, 0))
    failure: str = ""

    @property
    def seconds(self) -> float:
        """The median."""
        return median(self.times)


def contenders(case: Case, peers: bool) -> list[Contender]:
    """subcut in its ways, then the peers; the limit comes later, when there is something to copy."""
    selection = f"from %{case.start} to %{case.end}"
    options = ["--quiet", *(["--no-infer"] if case.file.endswith(".pb") else [])]
    if case.weights:
        options += ["-w", str(case.weights)]

    def cut(*more: str) -> Callable[[Path], list[str]]:
        return lambda out: [SUBCUT, str(case.path), selection, "-o", str(out / "cut"), *options, *more]

    def other(tool: str) -> Callable[[Path], list[str]]:
        python, script = str(PEERS / "bin" / "python"), str(HERE / "peers.py")
        return lambda out: [python, script, tool, str(case.path), case.start, case.end, str(out / "cut.onnx")]

    found = [Contender("subcut", cut()), Contender("subcut, first time", cut(), fresh=True)]
    if not case.file.endswith(".onnx"):
        return found
    found.append(Contender("subcut --link", cut("--link"), links=True))
    for tool in TOOLS if peers else ():
        found.append(Contender(tool, other(tool), failure=TOO_BIG.get((tool, case.name), "")))
    return found


def environment(fresh: bool) -> dict[str, str]:
    """Digests are remembered beside the models, or nowhere."""
    cache = FOLDER / ("no-cache" if fresh else "cache")
    if fresh:
        shutil.rmtree(cache, ignore_errors=True)
    return {**os.environ, "XDG_CACHE_HOME": str(cache)}


def room(contender: Contender) -> Path:
    """An empty folder for the next cut; linked ones stay until their contest is over."""
    if contender.links:
        LINKED.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=LINKED))
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    return OUT


def attempt(contender: Contender, once: Callable[[list[str], dict[str, str]], None]) -> Path | None:
    """Run a contender one time; one that fails is out of the contest, and the reason is told."""
    if contender.failure:
        return None
    out = room(contender)
    try:
        once(contender.command(out), environment(contender.fresh))
        if not any(out.iterdir()):
            raise Failed("wrote nothing")
    except Failed as failure:
        contender.failure = str(failure)
        print(f"    {contender.name}: {contender.failure}", file=sys.stderr, flush=True)
        return None
    return out


def take_peak(contender: Contender) -> Path | None:
    """Measure the memory of one run."""

    def once(command: list[str], env: dict[str, str]) -> None:
        contender.memory = memory(command, env)

    return attempt(contender, once)


def take_time(contender: Contender) -> None:
    """Measure the time of one run."""
    attempt(contender, lambda command, env: contender.times.append(wall(command, env)))


def contest(case: Case, runs: int, peers: bool) -> list[Contender]:
    """Memory of each in turn, which also warms the page cache; then the times, taking turns; linked cuts at the end."""
    for folder in (KEPT, LINKED):
        shutil.rmtree(folder, ignore_errors=True)
    KEPT.mkdir()
    limit = Contender("limit", lambda out: ["cp", *map(str, sorted(KEPT.iterdir())), str(out)])
    everyone = [*contenders(case, peers), limit]
    for group in (False, True):
        turn = [contender for contender in everyone if contender.links == group]
        for contender in turn:
            out = take_peak(contender)
            if contender.name == "subcut" and out:
                for file in (out / "cut").glob("dump*"):
                    file.replace(KEPT / file.name)
        for _ in range(runs):
            for contender in turn:
                take_time(contender)
    shutil.rmtree(LINKED, ignore_errors=True)
    return everyone


def start_times(runs: int) -> dict[str, float]:
    """Seconds of an empty Python, of the import, and of the help."""
    times: dict[str, list[float]] = {name: [] for name in STARTS}
    for _ in range(max(runs, 20) + 1):
        for name, command in STARTS.items():
            times[name].append(wall(command, dict(os.environ)))
    return {name: median(taken[1:]) for name, taken in times.items()}


def make_peers(folder: Path, packages: Sequence[str]) -> None:
    """A virtual environment with other tools, made once for each list of them."""
    ready, wanted = folder / "ready", "\n".join(packages)
    if ready.exists() and ready.read_text() == wanted:
        return
    venv.create(folder, with_pip=True, clear=True)
    subprocess.run([str(folder / "bin" / "python"), "-m", "pip", "install", "-q", *packages], check=True)
    ready.write_text(wanted)


def count_runs(peers: bool, every: int) -> str:
    """The section on searching for a wrong operator."""
    other = next(package for package in PACKAGES if package.startswith("polygraphy"))
    tool = PEERS / "bin" / "polygraphy" if peers else None
    return report.locating(locating.table(tool, every), other.replace("==", " ") if peers else "not run")


def time_viewing(sizes: Sequence[str], peers: Sequence[str], runs: int) -> str:
    """The section on looking at a model."""
    if peers:
        make_peers(viewers.ENVIRONMENT, viewers.PACKAGES)
    versions = ", ".join(package.replace("==", " ") for package in viewers.PACKAGES)
    load = os.getloadavg()[0]
    return report.viewing(viewing.table(sizes, peers, runs), runs, versions, load)


def measure_cuts(cases: list[Case], runs: int, peers: bool) -> str:
    """The page on cutting."""
    starts = start_times(runs)
    results: dict[Case, list[Contender]] = {}
    for case in cases:
        print(case.name, file=sys.stderr, flush=True)
        case.build()
        results[case] = contest(case, runs, peers)
        print(report.row(case, results[case], starts), flush=True)
    return report.document(results, starts, runs)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Measure subcut, its peers and the physical limit in one run.")
    parser.add_argument("names", nargs="*", help="parts of names of models (default: all, and locating)")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--locating", action="store_true", help="count the runs of searches, and measure nothing else")
    parser.add_argument("--viewing", action="store_true", help="time looking at models, and measure nothing else")
    sizes = list(viewing.SIZES)
    parser.add_argument("--sizes", nargs="+", choices=sizes, default=sizes, help="of models that are looked at")
    parser.add_argument("--peer-sizes", nargs="*", choices=sizes, default=sizes, help="the same, for other viewers")
    parser.add_argument("--every", type=int, default=1, help="of searches: try every so many positions")
    parser.add_argument("--no-peers", action="store_true", help="subcut and the limit only")
    parser.add_argument("--no-report", action="store_true", help="print, and leave docs/benchmarks.md as it is")
    options = parser.parse_args()
    peers = not options.no_peers
    page = HERE.parent / "docs" / "benchmarks.md"
    before = page.read_text()
    alone = options.locating or options.viewing
    if peers and not options.viewing:
        make_peers(PEERS, PACKAGES)
    text = before if alone else measure_cuts(select(options.names), options.runs, peers)
    sections = {heading: report.section(before, heading) for heading in report.SECTIONS}
    everything = not alone and not options.names
    if options.locating or everything:
        sections[report.LOCATING] = count_runs(peers, options.every)
    if options.viewing or everything:
        sections[report.VIEWING] = time_viewing(options.sizes, options.peer_sizes if peers else [], options.runs)
    for counted in filter(None, sections.values()):
        text = report.with_section(text, counted)
    if options.no_report:
        print(text)
    else:
        page.write_text(text)


if __name__ == "__main__":
    main()
