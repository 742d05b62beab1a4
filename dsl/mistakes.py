"""Syntax errors in the words of the language: what stands at the wrong place, what could, and the way out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from subcut.compiler.diagnostics import Location, SourceText, did_you_mean, nearest
from subcut.compiler.errors import UserError, user_error

if TYPE_CHECKING:
    from lark.exceptions import UnexpectedInput

_SPELLED = {
    "NAME": "a name", "TEXT": "a quoted text", "REGEX": "", "TENSOR": "a tensor", "SCOPED": "", "EDGE": "a tensor",
    "LET_NAME": "a name", "TYPE": "a type", "COMMA": "`,`", "LPAR": "`(`", "RPAR": "`)`", "COLON": "`:`",
    "EQUAL": "`=`", "LBRACE": "`{`", "RBRACE": "`}`", "_SEP": "`;`", "$END": "the end",
}  # fmt: skip
_SELECTION_STARTS = (
    "FROM", "AFTER", "TO", "BEFORE", "AROUND", "OP", "ALL", "LPAR", "NAME", "TEXT", "REGEX", "TENSOR", "SCOPED",
)  # fmt: skip
_OPTIONS = ("INPUT", "OUTPUT", "FREEZE", "TAP", "SNAP", "AS")
_STATEMENTS = ("MODEL", "OFFLINE", "LET", "CUT")
_FOREIGN = {
    "and": "plus", "or": "plus", "union": "plus", "except": "minus", "without": "minus", "not": "minus",
    "in": "within", "until": "to", "upto": "to", "via": "through", "excluding": "avoiding",
}  # fmt: skip
_SYMBOLS = {"->": "to", "=>": "to", "→": "to", "+": "plus", "-": "minus", "&": "within", "|": "plus", "..": "to"}


@dataclass(frozen=True)
class Mistake:
    """Where the parser stopped: the text there, the word before it, and the terminals that could have stood there."""

    text: str
    before: str
    expected: frozenset[str]
    start: str
    """The rule that was asked for: `cut_text` or `file`."""
    at_end: bool
    option: str = ""
    """The option or statement that was begun last."""
    begins_line: bool = False
    """Whether it stands first in a line that is not the first."""

    def can(self, *terminals: str) -> bool:
        """Whether one of the terminals could have stood here."""
        return not self.expected.isdisjoint(terminals)


Explanation = tuple[str, str, list[str]]
"""Code, message, help."""


def explain(source: SourceText, error: UnexpectedInput, start: str) -> UserError:
    """The diagnostic for what the parser could not take."""
    place = error.pos_in_stream
    place = len(source.text) if place is None or place < 0 else place
    expected: Iterable[str] = getattr(error, "expected", None) or getattr(error, "allowed", None) or ()
    token = getattr(error, "token", None)
    at_end = token is not None and token.type == "$END"
    if at_end:
        place = len(source.text.rstrip())
    word = "" if at_end else _word_at(source.text, place)
    words = _words(source.text[:place])
    option = next((w for w in reversed(words) if w.upper() in (*_OPTIONS, *_STATEMENTS)), "")
    begins_line = bool(re.search(r"\n[^\S\n]*\Z", source.text[:place]))
    mistake = Mistake(word, words[-1] if words else "", _really(expected), start, at_end, option, begins_line)
    code, message, help = next(found for rule in _RULES if (found := rule(mistake)) is not None)
    return user_error(code, message, at=Location(source, place, place + max(len(word), 1)), help=help)


def _word_at(text: str, place: int) -> str:
    """What a person would call the word at `place`."""
    match = re.compile(r'[%@]?"[^"\n]*"?|[-=]>|[%@]?[\w./\-:$+^=*?\[\]]+|[^\S\n]|\S').match(text, place)
    return match.group().strip() if match else ""


def _words(text: str) -> list[str]:
    return re.findall(r'[%@]?"[^"\n]*"|[\w%@./\-:$+^=*?\[\]]+|\S', text)


def _really(expected: Iterable[str]) -> frozenset[str]:
    """What the parser takes, from what the lexer reports.

    The lexer always takes a name, and where it meets a character of no word it reports no keywords.
    """
    found = frozenset(expected)
    if "COMMA" in found and "NAME" in found:
        found |= {"PLUS", "MINUS", "WITHIN"}
    return found - {"NAME"} if "PLUS" in found or "_SEP" in found else found


# ---- the mistakes people make, the most particular first


def _nothing_at_all(m: Mistake) -> Explanation | None:
    if not m.at_end or m.before:
        return None
    if m.start == "file":
        return "missing-header", "the file is empty", ["a selection file begins with `subcut 1`"]
    return "empty-selection", "the selection is empty", ["`all` is the whole model"]


def _open_quote(m: Mistake) -> Explanation | None:
    if not re.fullmatch(r'[%@]?"[^"]*', m.text):
        return None
    return "unclosed-quote", "this quote is never closed", [f'`{m.text}"`']


def _other_quotes(m: Mistake) -> Explanation | None:
    if not m.text or m.text not in "'‘’“”„«»`":
        return None
    return "bad-character", f"`{m.text}` is no quote here", ['names are quoted with `"`']


def _no_header(m: Mistake) -> Explanation | None:
    if m.start != "file" or not m.can("SUBCUT"):
        return None
    return "missing-header", "a selection file begins with `subcut 1`", []


def _tensor_without_name(m: Mistake) -> Explanation | None:
    if m.text not in ("%", "@"):
        return None
    what = "%" + "conv1" if m.text == "%" else "@loop_body/conv1"
    return "syntax", f"a name must follow `{m.text}` without a blank", [f"`{what}`"]


def _keyword_as_selection(m: Mistake) -> Explanation | None:
    """`from a to b to c`, `from a from b`."""
    if m.text in ("from", "after") and m.can("PLUS") and m.before != ",":
        return (
            "syntax",
            f"`{m.text}` cannot follow here",
            ["two selections are joined by `plus`; several starts by `,`"],
        )
    if m.text in ("to", "before") and m.can("PLUS") and not m.can("TO"):
        return "syntax", f"there is no start for this `{m.text}` to go with", ["several ends are separated by `,`"]
    return None


def _symbol_for_word(m: Mistake) -> Explanation | None:
    word = _SYMBOLS.get(m.text) or _FOREIGN.get(m.text.lower())
    if word is None or not m.can(word.upper(), "PLUS"):
        return None
    return "syntax", f"`{m.text}` is no word of a selection", [f"did you mean `{word}`?"]


def _unclosed_group(m: Mistake) -> Explanation | None:
    if m.at_end and m.can("RPAR") and not m.can("$END"):
        return "syntax", "a parenthesis is never closed", ["add `)`"]
    if m.at_end and m.can("RBRACE"):
        return "syntax", "a brace is never closed", ["add `}`"]
    return None


def _stray_close(m: Mistake) -> Explanation | None:
    if m.text not in (")", "}", "]"):
        return None
    if m.before and m.can(*_SELECTION_STARTS):
        return "syntax", f"something is missing before `{m.text}`", _examples(m)
    return "syntax", f"this `{m.text}` closes nothing", []


def _brace(m: Mistake) -> Explanation | None:
    if m.text != "{" or m.start == "file" or not m.can("PLUS"):
        return None
    return "syntax", "options stand in braces only in a selection file", ["separate them with `;`: `… ; tap conv1`"]


def _unknown_option(m: Mistake) -> Explanation | None:
    options = [t.lower() for t in _OPTIONS if m.can(t)]
    begins_clause = m.begins_line and m.start == "cut_text" and m.can("_SEP")
    if m.at_end or (not begins_clause and (m.can("PLUS", "LET") or len(options) < 4)):
        return None
    options = [t.lower() for t in _OPTIONS]
    help = did_you_mean(m.text, options) or ["the options are " + _listed([f"`{o}`" for o in options])]
    return "unknown-option", f"there is no option `{m.text}`", help


def _option_without_separator(m: Mistake) -> Explanation | None:
    if m.text.upper() not in _OPTIONS or not m.can("_SEP") or m.can("LPAR"):
        return None
    return "syntax", f"`{m.text}` begins an option", [f"separate it with `;`: `… ; {m.text} …`"]


def _unknown_statement(m: Mistake) -> Explanation | None:
    if m.start != "file" or m.at_end or not (m.can("LET") or (m.begins_line and m.can("_SEP") and not m.can("RBRACE"))):
        return None
    words = [t.lower() for t in _STATEMENTS]
    help = did_you_mean(m.text, words) or ["a line begins with " + _listed([f"`{w}`" for w in words], "or")]
    return "unknown-statement", f"no line of a selection file begins with `{m.text}`", help


def _option_needs(m: Mistake) -> Explanation | None:
    if m.can("COLON") and m.option in ("input", "output"):
        return "syntax", f"the type of an {m.option} follows a `:`", [f"`{m.option} %x : 1x64x112x112xf32`"]
    if m.can("TYPE"):
        return "syntax", "a type is missing", [f"`{m.option} %x : 1x64x112x112xf32`"]
    if m.can("EDGE"):
        bare = m.text.strip('"')
        return "syntax", "a tensor is needed here", [f"`%{bare}`" if re.fullmatch(r"[\w./:]+", bare) else "`%conv1`"]
    if m.can("EQUAL", "COLON") and m.option == "freeze":
        return "syntax", "`=` and a file must follow", ['`freeze %x = "x.npy"`']
    if m.can("EQUAL"):
        return "syntax", "`=` and a selection must follow", ["`let stem = from conv1 to pool1`"]
    if m.can("OUTWARD"):
        return "syntax", "edges are snapped `outward` or `inward`", did_you_mean(m.text, ["outward", "inward"])
    return None


def _quoted_text_needed(m: Mistake) -> Explanation | None:
    if m.expected != frozenset({"TEXT"}):
        return None
    shown = f'"{m.text}"' if m.text else '"…"'
    if m.before == "=":
        return "syntax", "a quoted path must follow `=`", [f"`{shown}`"]
    return "syntax", f"a quoted text must follow `{m.before}`", [f"`{m.before} {shown}`"]


def _let_name(m: Mistake) -> Explanation | None:
    if not m.can("LET_NAME"):
        return None
    return "bad-name", "`let` needs a name of letters, digits and `_`", ["`let stem = from conv1 to pool1`"]


def _around_needs_by(m: Mistake) -> Explanation | None:
    if not m.can("BY") or m.can("PLUS", "TO"):
        return None
    return "syntax", "`around` needs a distance", ["`around conv1 by 2`"]


def _number_needed(m: Mistake) -> Explanation | None:
    if m.before != "by" or m.expected != frozenset({"NAME"}):
        return None
    return "bad-number", "a whole number must follow `by`", ["`around conv1 by 2`"]


def _name_needed(m: Mistake) -> Explanation | None:
    """Something else stands where a name must stand."""
    if not m.can("NAME", "TEXT") or m.can("LPAR") or m.can("PLUS"):
        return None
    if m.at_end:
        return "syntax", f"a name must follow `{m.before}`", _examples(m)
    help = [f'anything but letters, digits and `_ . / - : $ + ^ = * ? [ ]` is quoted: `"{m.text}"`']
    return "syntax", f"a name must follow `{m.before}`, not `{m.text}`", help


def _selection_needed(m: Mistake) -> Explanation | None:
    if not m.can("LPAR"):
        return None
    if m.at_end:
        return "syntax", f"a selection must follow `{m.before}`", _examples(m)
    return "syntax", f"a selection cannot begin with `{m.text}`", _examples(m)


def _two_names(m: Mistake) -> Explanation | None:
    """`from a b`, `fromm a`, `from a tto b`."""
    if m.at_end or not m.can("PLUS", "COMMA"):
        return None
    words = [
        t.lower() for t in sorted(m.expected) if t.isalpha() and t.isupper() and t not in ("RPAR", "COMMA", "LBRACE")
    ]
    if len(m.text) > 1 and (near := nearest(m.text, words, 1)):
        return "syntax", f"`{m.text}` cannot follow `{m.before}`", [f"did you mean `{near[0]}`?"]
    if near := nearest(m.before, [t.lower() for t in _SELECTION_STARTS[:7]], 1):
        return "syntax", f"`{m.text}` cannot follow `{m.before}`", [f"did you mean `{near[0]} {m.text}`?"]
    if re.fullmatch(r'[%@]?[\w"].*', m.text):
        help = [f"several names are separated by `,`, selections joined by `plus`: `{m.before}, {m.text}`"]
        return "syntax", f"`{m.text}` cannot follow `{m.before}`", help
    help = ['a name that holds such a character is quoted: `"…"`']
    return "bad-character", f"`{m.text}` cannot stand here", help


def _anything_else(m: Mistake) -> Explanation | None:
    what = "the end comes too early" if m.at_end else f"`{m.text}` cannot stand here"
    spelled = [_SPELLED.get(t, f"`{t.lower()}`") for t in sorted(m.expected)]
    wanted = [text for text in dict.fromkeys(spelled) if text]
    return "syntax", what, [f"expected {_listed(wanted, 'or')}"] if wanted else []


_RULES: tuple[Callable[[Mistake], Explanation | None], ...] = (
    _nothing_at_all, _open_quote, _other_quotes, _no_header, _tensor_without_name, _keyword_as_selection,
    _symbol_for_word, _unclosed_group, _stray_close, _option_without_separator, _brace, _unknown_option,
    _unknown_statement, _quoted_text_needed, _let_name, _around_needs_by, _number_needed, _option_needs, _name_needed,
    _selection_needed, _two_names, _anything_else,
)  # fmt: skip


def _examples(m: Mistake) -> list[str]:
    examples = {
        "from": "`from conv1 to relu5`", "to": "`from conv1 to relu5`", "after": "`after conv1 to relu5`",
        "before": "`from conv1 before relu5`", "through": "`from a to f through d`",
        "avoiding": "`from a to f avoiding d`", "around": "`around conv1 by 2`", "op": "`op Conv`",
        "tap": "`tap conv1`, or `tap leaving`", "plus": "`from a to b plus c`", "minus": "`all minus conv1`",
        "within": '`op Conv within "stage2/*"`', "(": '`(from a to b) minus c`',
    }  # fmt: skip
    return [examples[m.before]] if m.before in examples else []


def _listed(words: list[str], last: str = "and") -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + f" {last} " + words[-1]
