"""Passes are spelled as text and read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import subcut
from subcut.compiler.errors import UserError


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("select{from=a},cut", [subcut.Select("from a"), subcut.Cut()]),
        ("select{from=a to=b},cut{infer=false}", [subcut.Select("from a to b"), subcut.Cut(infer=False)]),
        ('select{text="from a to \\"b c\\""}', [subcut.Select('from a to "b c"')]),
        (" fold{static=false} ,\n add-inputs, prune", [subcut.Fold(static=False), subcut.AddInputs(), subcut.Prune()]),
    ],
)
def test_text_becomes_passes(text: str, passes: list[subcut.Pass]) -> None:
    assert subcut.parse_passes(text) == passes


@given(st.text(min_size=1))
def test_every_selection_survives_being_spelled(selection: str) -> None:
    pipeline = subcut.standard(selection, infer=False)
    assert subcut.parse_passes(str(pipeline)) == list(pipeline.passes)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "bad-passes"),
        ("cut,", "bad-passes"),
        ("cut{", "bad-passes"),
        ('select{text="a', "bad-passes"),
        ("cutt", "unknown-pass"),
        ("cut{inferr=true}", "unknown-option"),
        ("cut{infer=yes}", "bad-option"),
    ],
)
def test_mistakes_are_told(text: str, code: str) -> None:
    with pytest.raises(UserError) as error:
        subcut.parse_passes(text)
    assert error.value.code == code
