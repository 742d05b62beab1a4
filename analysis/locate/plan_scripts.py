"""The shell scripts that a device host runs: plain POSIX `sh`, with what is found there."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from subcut.analysis.locate.judge import Tolerance


@dataclass(frozen=True)
class Tools:
    """A candidate that `atc` converts and an inference tool runs."""

    atc: tuple[str, ...]
    """Options of `atc`, but for the chip."""
    soc: str
    """The chip, unless the environment names another."""
    inputs: tuple[str, ...]
    """The `.bin` files, in the order of the model's inputs."""


_HEAD = """\
#!/bin/sh
# @WHAT@. `sh command.sh FOLDER` runs it, and leaves its outputs in FOLDER.
outputs=$(cd "$1" && pwd) || exit 2
here=$(cd "$(dirname "$0")" && pwd) || exit 2
"""

_TOOLS = """\
: "${SOC_VERSION:=@SOC@}" "${ATC:=atc}" "${MSAME:=msame}"
cd "$here" || exit 2
command -v "$ATC" >/dev/null 2>&1 || { echo "$ATC is not here: set ATC, or source set_env.sh" >&2; exit 127; }
if command -v "$MSAME" >/dev/null 2>&1; then
    infer() { "$MSAME" "$@"; }
elif command -v ais_bench >/dev/null 2>&1; then
    infer() { ais_bench "$@"; }
elif python3 -c 'import ais_bench' >/dev/null 2>&1; then
    infer() { python3 -m ais_bench "$@"; }
else
    echo "neither msame nor ais_bench is here: set MSAME" >&2
    exit 127
fi
echo atc >stage
rm -f dump.om
"$ATC" @ATC@ --soc_version="$SOC_VERSION" || exit
[ -s dump.om ] || { echo "atc has made no dump.om"; exit 1; }
echo inference >stage
infer --model dump.om@INPUT@ --output "$outputs" --outfmt BIN
"""

_RUN = r"""#!/bin/sh
# Round @ROUND@: runs every candidate that has no answer yet. Killed half way, it goes on when started again.
# From the environment: SOC_VERSION, ATC, MSAME, and TIME_LIMIT in seconds for one candidate, 0 for none.
here=$(cd "$(dirname "$0")" && pwd) || exit 2
limit=${TIME_LIMIT:-@LIMIT@}
guard=
if [ "$limit" != 0 ] && timeout -k 1 5 true >/dev/null 2>&1; then
    guard="timeout -k 10 $limit"
fi
whole=${limit%%.*}
child= made=0 known=0 failed=0 lost=0

stopped() {
    [ -z "$child" ] || kill "$child" 2>/dev/null
    echo "stopped: start it again to go on"
    exit 130
}
trap stopped INT TERM HUP

answered() { # folder attempt
    if [ -f "$1/status" ]; then
        grep -q "^attempt $2\$" "$1/status"
    else
        [ "$2" = 1 ] && { [ -d "$1/outputs" ] || [ -d "$1/dumps" ]; }
    fi
}

intact() { # folder
    command -v sha256sum >/dev/null 2>&1 || return 0
    (cd "$1" && sha256sum -c sums.sha256) >/dev/null 2>&1
}

execute() { # folder
    part=$1/outputs.$$
    mkdir "$part" || exit 2
    started=$(date +%s)
    $guard sh "$1/command.sh" "$part" >"$1/log.txt" 2>&1 </dev/null &
    child=$!
    wait "$child"
    code=$?
    child= late=
    if [ -n "$guard" ] && [ "$code" -ge 124 ] && [ $(($(date +%s) - started)) -ge "${whole:-0}" ]; then
        late=yes
    fi
}

take_down() { # folder attempt
    if [ "$code" -eq 0 ]; then
        mv "$part" "$1/outputs" || exit 2
        if command -v sha256sum >/dev/null 2>&1; then
            (cd "$1" && find outputs -type f -exec sha256sum {} +) >"$1/answer.sha256"
        fi
    else
        rm -rf "$part"
        failed=$((failed + 1))
    fi
    {
        echo "exit $code"
        echo "attempt $2"
        [ ! -f "$1/stage" ] || echo "stage $(cat "$1/stage")"
        [ -z "$late" ] || echo "late $limit"
    } >"$1/status.$$" && mv "$1/status.$$" "$1/status" || exit 2
}

run() { # candidate attempt
    folder=$here/candidates/$1
    if [ ! -f "$folder/command.sh" ]; then
        echo "$1: is not here: copy it again"
        lost=$((lost + 1))
    elif answered "$folder" "$2"; then
        known=$((known + 1))
    elif ! intact "$folder"; then
        echo "$1: was damaged on its way: copy it again"
        lost=$((lost + 1))
    else
        rm -rf "$folder"/status* "$folder"/outputs* "$folder"/answer.sha256 "$folder"/stage
        execute "$folder"
        if [ "$code" -eq 126 ] || [ "$code" -eq 127 ]; then
            rm -rf "$part"
            tail -n 3 "$folder/log.txt"
            echo "candidates cannot be run here"
            exit 2
        fi
        take_down "$folder" "$2"
        made=$((made + 1))
        echo "$1: exit $code${late:+, out of time}"
    fi
}

@RUNS@
echo "$made run now, $failed of them failed; $known had an answer; $lost could not be run"
echo "copy back $here, or of candidates/*/ only status, log.txt, answer.sha256 and outputs/;"
echo "then: subcut locate --ingest DIR"
[ "$lost" -eq 0 ]
"""


def command_script(what: str, command: str | Tools) -> str:
    """The script of one candidate. A command of the user's knows `$here`, the candidate's folder, and `$outputs`."""
    head = _HEAD.replace("@WHAT@", what[0].upper() + what[1:])
    if isinstance(command, str):
        return f"{head}{command}\n"
    inputs = f" --input {shlex.quote(','.join(command.inputs))}" if command.inputs else ""
    body = _TOOLS.replace("@SOC@", command.soc).replace("@INPUT@", inputs)
    return head + body.replace("@ATC@", shlex.join(command.atc))


_REPRO = """\
#!/bin/sh
# Runs the candidate on this piece of the model: exit code 1 while it is wrong, 0 once it is right.
# On a device host without subcut: copy `outputs/` back and run the last line here.
here=$(cd "$(dirname "$0")" && pwd) || exit 2
rm -rf "$here"/outputs && mkdir "$here"/outputs || exit 2
sh "$here"/command.sh "$here"/outputs
status=$?
[ "$status" -eq 0 ] || { echo "the candidate ended with exit code $status"; exit 1; }
"""


def repro_script(tolerance: Tolerance, *, compares: bool) -> str:
    """The script of the result: it runs the candidate, and compares where subcut is installed."""
    if not compares:
        return _REPRO
    tolerances = f"{tolerance.relative!r} {tolerance.absolute!r}"
    here = '"$here"/expected "$here"/outputs'
    return f"{_REPRO}python=${{PYTHON:-python3}}\n\"$python\" -c 'import subcut' || exit 2\n" + (
        f'"$python" -m subcut.analysis.locate.check {here} {tolerances}\n'
    )


def run_script(round: int, asked: Mapping[str, int], timeout: float | None) -> str:
    """`run.sh` for the candidates that are asked for, each with the attempt at it."""
    limit = f"{timeout:.3f}".rstrip("0").rstrip(".") if timeout else "0"
    runs = "\n".join(f"run {name} {attempt}" for name, attempt in asked.items())
    return _RUN.replace("@ROUND@", str(round)).replace("@LIMIT@", limit).replace("@RUNS@", runs)
