"""Runs in a process of its own: the vendor's accuracy tool compares a dump tree with ground truth, network-wide.

    python oracle_compare.py FOLDER DUMPS TRUTH MODEL.json OUT [QUANT.json]

The header of a dump is read by a stand-in, see oracle_dumps.py; the comparison is all the tool's own.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace


def main(dumps: str, truth: str, rules: str, out: str, quantised: str = "") -> None:
    import msaccucmp
    from dump_parse.big_dump_data import BigDumpDataParser
    from oracle_dumps import _stand_in
    from vector_cmp import vector_comparison

    BigDumpDataParser._parse_dump_to_json = _stand_in
    if hasattr(vector_comparison, "psutil"):
        vector_comparison.psutil = SimpleNamespace(virtual_memory=lambda: SimpleNamespace(available=1 << 40))
    more = ["-q", quantised] if quantised else []
    sys.argv = ["msaccucmp.py", "compare", "-m", dumps, "-g", truth, "-f", rules, "-out", out, *more]
    msaccucmp.main()


if __name__ == "__main__":
    sys.path.insert(1, sys.argv[1])
    main(*sys.argv[2:])
