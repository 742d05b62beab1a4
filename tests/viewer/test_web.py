"""The page itself: its types by TypeScript's checker, its logic by node's own test runner. Neither ships."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support.models import ROOT

from subcut.viewer.linking import ENTRIES, joined
from subcut.viewer.web_files import contents, web_files

WEB = ROOT / "viewer" / "web"
CHECKS = ROOT / "tests" / "viewer"


def program(name: str) -> str:
    """A program of node's; a machine without it cannot check the page."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"needs {name} (Node.js 20 or later), which is not installed")
    return found


def ran(*command: str | Path, cwd: Path = ROOT) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"


def test_the_logic_of_the_page() -> None:
    tests = sorted((CHECKS / "web").rglob("*.test.js"))
    assert tests
    ran(program("node"), "--test", *tests)


def test_the_types_of_the_page() -> None:
    node, npm = program("node"), program("npm")
    checker = CHECKS / "node_modules" / "typescript" / "bin" / "tsc"
    if not checker.exists():
        fetched = subprocess.run(
            [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=CHECKS, capture_output=True, timeout=120
        )
        if fetched.returncode != 0:
            pytest.skip("needs typescript, which npm could not fetch")
    ran(node, checker, "-p", WEB)


def test_the_page_is_small_files_without_anything_of_others() -> None:
    files = [path for path in sorted(WEB.rglob("*")) if path.is_file()]
    assert not [path for path in files if path.suffix not in (".html", ".css", ".js", ".json", ".svg", ".ts")]
    for path in files:
        text = path.read_text("utf-8")
        assert text.count("\n") <= 400, path
        assert "://" not in text.replace("http://www.w3.org/", ""), f"{path} names an address"


def test_the_joined_scripts_are_made_of_every_module_that_is_imported(tmp_path: Path) -> None:
    """And of no other: the worker has a script of its own, and only that one has its first module."""
    sent = contents(web_files())
    for entry in ENTRIES:
        assert sent[entry].count(b"return {") > 5
        script = tmp_path / "script.mjs"
        script.write_bytes(sent[entry])
        ran(program("node"), "--check", script)
    assert b"$engine$2fworker$2ejs" not in sent["/web/main.js"]
    assert sent["/web/main.js"].count(b"const $engine$2flayout$2ejs = ") == 1
    assert not re.search(rb"^import ", sent["/web/main.js"], re.MULTILINE)  # a page that is saved has one in a string


def write(folder: Path, **sources: str) -> dict[str, Path]:
    """Modules in a folder, as the page's are."""
    for name, source in sources.items():
        (folder / f"{name}.js").write_text(source)
    return {f"/web/{name}.js": folder / f"{name}.js" for name in sources}


def test_joined_modules_do_what_the_modules_do(tmp_path: Path) -> None:
    sources = {
        "a": "import {\n  b,\n  twice as two,\n} from './b.js';\nimport { d } from './d.js';\n"
        "// from './no.js'\nconst c = 'own';\nconsole.log(b, two(d), c, import.meta.url.pathname);\n",
        "b": "export { d } from './d.js';\nexport const b = `from ./no.js`;\nconst c = 2;\n"
        "export function twice(x) {\n  return c * x;\n}\n",
        "d": "const [d, rest] = [4, 5];\nconsole.log('once');\nexport class E {}\nexport { d, rest };\n",
        "no": "throw new Error('not imported');\n",
    }
    script = joined(write(tmp_path, **sources), "/web/a.js").decode()
    place = "globalThis.location = new URL('http://here/');\n"
    done = subprocess.run(
        [program("node"), "--input-type=module", "-e", place + script], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "once\nfrom ./no.js 8 own /web/a.js\n", done.stderr


@pytest.mark.parametrize(
    ("sources", "why"),
    [
        ({"a": "import { b } from './b.js';\n", "b": "import { a } from './a.js';\n"}, "imports itself by way of"),
        ({"a": "import * as b from './b.js';\n", "b": ""}, "cannot be joined: import"),
        ({"a": "export let b = 1;\n"}, "cannot be joined: export let"),
        ({"a": "export default 1;\n"}, "cannot be joined: export default"),
        ({"a": "const b = await import('./b.js');\n", "b": ""}, "cannot be joined: await import"),
        ({"a": "const b = 1;\nexport { b as c };\n"}, "cannot be joined: b as c"),
    ],
    ids=["circle", "all", "let", "default", "late", "renamed"],
)
def test_modules_that_cannot_be_joined_are_told(tmp_path: Path, sources: dict[str, str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        joined(write(tmp_path, **sources), "/web/a.js")
