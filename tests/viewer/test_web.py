"""The page itself: its types by TypeScript's checker, its logic by node's own test runner. Neither ships."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support.models import ROOT

from subcut.viewer.web_files import modules, page, web_files

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


def test_the_page_names_every_module_that_it_is_made_of(tmp_path: Path) -> None:
    """Asked for at once: one that is missing is found late, one too many is fetched for nothing."""
    files = web_files()
    linked = re.findall(r'<link rel="modulepreload" href="([^"]+)" />', page(files).decode())
    assert linked == modules(files)
    assert {"/web/main.js", "/web/app/app.js", "/web/engine/layouter.js"} <= set(linked)
    assert "/web/engine/worker.js" not in linked  # it has modules of its own
    (tmp_path / "a.js").write_text(
        "import {\n  b,\n} from './deep/b.js';\n// from './no.js'\nconst c = import('./no.js');\n"
    )
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/b.js").write_text("export { d } from '../d.js';\nexport const b = 'from ./no.js';\n")
    (tmp_path / "d.js").write_text("export const d = 1;\n")
    (tmp_path / "no.js").write_text("")
    found = modules({f"/web/{name}": tmp_path / name for name in ("a.js", "deep/b.js", "d.js", "no.js")}, "/web/a.js")
    assert found == ["/web/a.js", "/web/d.js", "/web/deep/b.js"]
