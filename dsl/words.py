"""Names and patterns as they are spelled: quotes, escapes, globs.

A *glob* here is a pattern in one normal spelling, whether it stood in quotes or bare: `*`, `?` and `[…]` are wild,
and a backslash stands only before one of `* ? [ ] \\`, which it makes literal.
"""

from __future__ import annotations

import re
from functools import cache

KEYWORDS = frozenset(
    "from after to before through avoiding around by op all plus minus within input freeze tap leaving snap outward "
    "inward as subcut model weights sha256 offline dumps let cut re".split()
)
_BARE = re.compile(r"[\w./\-:$+^=*?\[\]]*[\w./\-$+^*?\[\]]")
_PIECE = re.compile(r'"((?:[^"\\\n]|\\[\s\S])*)"|([^"]+)')
_SPECIAL = "*?[]\\"


def unquote(text: str) -> str:
    """The glob that a bare word, a quoted text or a mix of both spells."""
    return "".join(
        bare if bare else re.sub(r"\\([\s\S])", _kept_escape, quoted) for quoted, bare in _PIECE.findall(text)
    )


def _kept_escape(match: re.Match[str]) -> str:
    return match.group(0) if match.group(1) in _SPECIAL else match.group(1)


def quote(glob: str, reserved: frozenset[str] = frozenset()) -> str:
    """The canonical spelling of a glob: bare where that is possible, else in quotes.

    Keywords are always quoted, and so is what is in `reserved`.
    """
    if _BARE.fullmatch(glob) and glob not in KEYWORDS and glob not in reserved:
        return glob
    return in_quotes(glob)


def sigiled(glob: str) -> str:
    """The canonical spelling behind `%` or `@`, where no word is a keyword."""
    return glob if glob in KEYWORDS else quote(glob)


def in_quotes(glob: str) -> str:
    """A glob between quotes, its own escapes kept."""
    return '"' + re.sub(r'(\\[\s\S])|(["\n])', lambda m: m.group(1) or "\\" + m.group(2), glob) + '"'


def plain_text(quoted: str) -> str:
    """The text between quotes, with every escape taken away: a path or a name that has no globs."""
    return re.sub(r"\\([\s\S])", r"\1", quoted[1:-1])


def quote_text(text: str) -> str:
    """The quoted spelling that `plain_text` reads back."""
    return '"' + re.sub(r'(["\\\n])', r"\\\1", text) + '"'


def literal(glob: str) -> str:
    """The name that a glob is when nothing in it is wild."""
    return re.sub(r"\\([\s\S])", r"\1", glob) if "\\" in glob else glob


def escape(name: str) -> str:
    """The glob that matches `name` alone."""
    return re.sub(r"([*?\[\]\\])", r"\\\1", name)


def is_wild(glob: str) -> bool:
    """Whether a glob can match more than one name."""
    return bool(re.search(r"[*?\[]", re.sub(r"\\[\s\S]", "", glob)))


@cache
def matcher(glob: str) -> re.Pattern[str]:
    """The regular expression that a whole name has to match.

    `*` is any text, slashes included; `?` one character; `[abc]`, `[a-z]`, `[!a]` a class. A `[` without its `]` is
    literal, as in the shell.
    """
    parts: list[str] = []
    position = 0
    while position < len(glob):
        match = re.compile(r"\\[\s\S]|\*|\?|\[!?\]?(?:[^\]\\]|\\[\s\S])*\]|[\s\S]").match(glob, position)
        assert match is not None
        parts.append(_expression(match.group()))
        position = match.end()
    return re.compile("".join(parts), re.DOTALL)


def _expression(piece: str) -> str:
    if piece == "*":
        return ".*"
    if piece == "?":
        return "."
    if piece[0] == "[" and len(piece) > 2:
        return _class(piece[1:-1])
    return re.escape(piece[1:] if piece[0] == "\\" and len(piece) > 1 else piece)


def _class(content: str) -> str:
    """A glob's character class as a regular expression; a range that runs backwards matches nothing."""
    negated = content.startswith("!")
    units = re.findall(r"\\?([\s\S])", content[1:] if negated else content)
    members: list[str] = []
    while units:
        if len(units) > 2 and units[1] == "-":
            if units[0] <= units[2]:
                members.append(f"{re.escape(units[0])}-{re.escape(units[2])}")
            units = units[3:]
        else:
            members.append(re.escape(units.pop(0)))
    if not members:
        return "." if negated else r"(?!)"
    return f"[{'^' if negated else ''}{''.join(members)}]"
