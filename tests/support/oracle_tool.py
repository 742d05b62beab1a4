"""Runs in a process of its own, with the folder of the vendor's accuracy tool as argument: asks it for conversions.

    python oracle_tool.py FOLDER layouts JOBS.npz RESULTS.npz   # each job: pair of layouts, shapes, group, flat array
    python oracle_tool.py FOLDER convert HEADERS.json ARGUMENTS…  # its command `convert`, for each dump in the headers
    python oracle_tool.py FOLDER fusion OM.json[,QUANT.json]…     # its fusion rules: what it holds each output for

The tool leaves the header of the ordinary dump form to a library that only its product has: HEADERS.json has what that
library would say of each dump, and stands in for it. Everything else is the tool's own work.
"""

from __future__ import annotations

import importlib
import io
import json
import sys
from contextlib import redirect_stdout
from types import SimpleNamespace

import numpy as np


def convert_layouts(jobs_file: str, results_file: str) -> None:
    with np.load(jobs_file) as jobs:
        results = {}
        for key in (name.removesuffix(".job") for name in jobs.files if name.endswith(".job")):
            job = json.loads(str(jobs[f"{key}.job"]))
            name = f"format_manager.builtin_format_convert.convert_{job['from']}_to_{job['to']}"
            group = [job["group"]] if job["group"] > 1 else []
            convert = importlib.import_module(name).convert
            results[key] = convert(job["shape_from"], job["shape_to"], jobs[f"{key}.array"].reshape(-1), *group)
    np.savez(results_file, **results)


def convert_dumps(headers_file: str, arguments: list[str]) -> None:
    import msaccucmp
    from cmp_utils.multi_process import multi_convert_process
    from dump_parse.big_dump_data import BigDumpDataParser

    with open(headers_file, encoding="utf-8") as file:
        headers = json.load(file)

    def stand_in(parser: BigDumpDataParser) -> None:
        parser.dump_json_data = headers[parser.dump_file_path]

    BigDumpDataParser._parse_dump_to_json = stand_in
    room = SimpleNamespace(available=1 << 40)
    multi_convert_process.psutil = SimpleNamespace(virtual_memory=lambda: room)
    codes = {}
    for dump in headers:
        sys.argv = ["msaccucmp.py", "convert", "-d", dump, *arguments]
        try:
            with redirect_stdout(io.StringIO()) as said:
                msaccucmp.main()
            codes[dump] = [0, said.getvalue()]
        except SystemExit as stop:
            codes[dump] = [stop.code or 0, said.getvalue()]
    print(json.dumps(codes))


def fusion_rules(files: list[str]) -> list[dict[str, object]]:
    from vector_cmp.fusion_manager import fusion_rule_parser as rules

    parsed = []
    with redirect_stdout(io.StringIO()):
        for name in files:
            parsed.append(rules.FusionRuleParser(name))
            parsed[-1].analysis_fusion_rule()
        merged = rules.merge_fusion_rule(*parsed) if len(parsed) > 1 else parsed[0]
        found = []
        for group, ops in merged.fusion_op_name_to_op_map.items():
            relation = rules.get_relation_for_fusion(ops).name
            for op in ops:
                outputs = [[desc.origin_name, desc.origin_output_index] for desc in op.output_desc]
                about = {"op": op.op_name, "group": str(group), "relation": relation, "outputs": outputs}
                skipped = bool(op.attr.quant_filter) or op.is_inner_node()
                found.append({**about, "originals": op.attr.original_op_names, "skipped": skipped})
    return found


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    if sys.argv[2] == "layouts":
        convert_layouts(sys.argv[3], sys.argv[4])
    elif sys.argv[2] == "fusion":
        print(json.dumps([fusion_rules(files.split(",")) for files in sys.argv[3:]]))
    else:
        convert_dumps(sys.argv[3], sys.argv[4:])
