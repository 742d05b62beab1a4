"""Statistics files, as the runtime prints them."""

from __future__ import annotations

from pathlib import Path

import pytest

from subcut.compiler.device.dumps.statistics import StatisticsRow, read_statistics
from subcut.compiler.errors import ModelError

HEADER = (
    "Input/Output,Index,Data Size,Data Type,Format,Shape,Max Value,Min Value,Avg Value,Count,Nan Count,"
    "Negative Inf Count,Positive Inf Count\n"
)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "Conv2D.x.1.2.1600000000000000.csv"
    path.write_text(text)
    return path


def test_rows_have_types(tmp_path: Path) -> None:
    rows = (
        "Input,0,1568,DT_FLOAT16,NC1HWC0,1x1x7x7x16,3.5,-2,0.125,784,0,1,2\n"
        "Input,1,4,DT_INT64,ND,-,9223372036854775807,-5,1e+06,1,0,0,0\n"
        "Output,0,8,-,FRACTAL_Z,2x2,,,,,,,\n"
        "Output,1,8,DT_FLOAT,ND,2,nan,-inf,nan,2,1,1,0\n"
    )
    read = read_statistics(written(tmp_path, HEADER + rows))
    assert read.problems == []
    first, second, third, fourth = read.rows
    assert first == StatisticsRow(
        "input", 0, 1568, "FLOAT16", "NC1HWC0", (1, 1, 7, 7, 16), 3.5, -2, 0.125, 784, 0, 1, 2
    )
    assert (second.maximum, second.shape, second.average) == (9223372036854775807, (), 1e6)
    assert (third.type_name, third.shape, third.maximum, third.positive_infinite) == ("", (2, 2), None, None)
    assert (str(fourth.maximum), fourth.minimum, fourth.nan) == ("nan", float("-inf"), 1)


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    read = read_statistics(written(tmp_path, "Index,Input/Output,L2Norm\n3,Output,7.5\n"))
    (row,) = read.rows
    assert (row.index, row.direction, row.size, row.maximum, row.more) == (3, "output", None, None, {"L2Norm": "7.5"})


def test_bad_lines_are_said_and_left_out(tmp_path: Path) -> None:
    path = written(
        tmp_path, HEADER + "Input,0,4\nMiddle,0,4,DT_FLOAT,ND,1,1,1,1,1,0,0,0\nInput,x,4,DT_FLOAT,ND,1,1,1,1,1,0,0,0\n"
        "\nInput,0,4,DT_FLOAT,ND,1xx,1,1,1,1,0,0,0\nInput,0,4,DT_FLOAT,ND,1,1,1,1,1,0,0,0\n"
    )  # fmt: skip
    read = read_statistics(path)
    assert len(read.rows) == 1
    assert [problem.removeprefix(f"{path}, ")[:12] for problem in read.problems] == [
        "line 2: 3 ce", "line 3: `Mid", "line 4: inva", "line 6: inva"
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["x", "a,b,c\n1,2,3\n", "\0" * 50])
def test_no_statistics_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(ModelError, match="no statistics file"):
        read_statistics(written(tmp_path, text))


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER)
    with path.open("r+b") as file:
        file.truncate(1 << 25)
    with pytest.raises(ModelError, match="statistics of 33554432 bytes"):
        read_statistics(path)
