"""Every code of an error that Caffe's part raises is explained."""

from __future__ import annotations

import re

from support.models import ROOT


def test_every_code_is_documented() -> None:
    sources = "\n".join(f.read_text("utf-8") for f in sorted((ROOT / "compiler/formats/caffe").glob("*.py")))
    raised = set(re.findall(r'user_error\(\s*"([a-z0-9-]+)"', sources))
    documented = "\n".join((ROOT / "docs" / name).read_text("utf-8") for name in ("caffe.md", "diagnostics.md"))
    assert len(raised) > 5
    assert {code for code in raised if f"### `{code}`" not in documented} == set()
