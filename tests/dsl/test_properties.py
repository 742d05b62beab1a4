"""What holds for every selection: it is read back from its canonical form, and its paths are what paths are."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.graphs import TextDialect

from subcut.compiler.diagnostics import SourceText
from subcut.compiler.errors import UserError
from subcut.compiler.ir.graph import Model, Op, Value
from subcut.dsl import ast, words
from subcut.dsl.format import format_cut, format_file, format_text
from subcut.dsl.parser import parse, parse_file
from subcut.dsl.resolve import resolve

# ---- random trees

_letters = st.sampled_from([*"abz09_./-:$+^=*?[]é模% \"'\\\n#;,(){}@%&", "from", "to", "input", "leaving", "re", "x"])
_globs = st.lists(_letters, min_size=1, max_size=6).map(lambda parts: words.unquote(_quoted("".join(parts))))
_plain = st.text(st.sampled_from('ab/. "\\'), min_size=1, max_size=6)
_names = st.builds(ast.Name, _globs)
_regexes = st.builds(ast.Regex, st.sampled_from(["a.*", "res[23]a_.*", '"', "(a|b)"]))
_tensors = st.builds(ast.Tensor, _globs)
_scoped = st.builds(ast.Scoped, st.builds("{}/{}".format, _globs, _globs)) | st.builds(ast.Scoped, _globs, _globs)
_items = st.lists(_names | _regexes | _tensors | _scoped, min_size=1, max_size=3).map(tuple)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\\n") + '"'


_paths = st.builds(
    ast.Path,
    starts=_items,
    after=st.booleans(),
    ends=_items,
    before=st.booleans(),
    through=st.lists(_items, max_size=2).map(tuple),
    avoiding=_items | st.just(()),
) | st.builds(ast.Path, ends=_items, before=st.booleans())
_terms = (
    _paths
    | st.builds(ast.Around, _items, st.integers(0, 99))
    | st.builds(ast.OfType, st.lists(_names | _regexes, min_size=1, max_size=2).map(tuple))
    | st.builds(ast.Items, _items)
    | st.just(ast.All())
)
_selections = st.recursive(
    _terms,
    lambda inner: st.builds(
        ast.Combined,
        inner,
        st.lists(st.tuples(st.sampled_from(["plus", "minus", "within"]), inner), min_size=1, max_size=3).map(tuple),
    ),
    max_leaves=6,
)
_edges = _tensors | st.builds(ast.Scoped, _globs, _globs)
_types = st.sampled_from(["f32", "1x?xNxf32", "*xui8", "seq<map<i64,f32>>"])
_named = st.builds(ast.As, st.sampled_from(["a", "two words", "größe"]))
_options = st.lists(
    st.builds(ast.StateType, _edges, _types, st.sampled_from(["input", "output"]))
    | st.builds(ast.Freeze, _edges, _plain)
    | st.builds(ast.Tap, _items | st.just(()))
    | st.builds(ast.Snap, st.sampled_from(["outward", "inward"])),
    max_size=3,
    unique_by=lambda option: (type(option), str(getattr(option, "tensor", None)), getattr(option, "of", None)),
)
_cuts = st.builds(lambda s, name, o: ast.Cut(s, (*name, *o)), _selections, st.lists(_named, max_size=1), _options)
_models = st.builds(ast.ModelLine, _plain, _plain | st.just(""), st.just("") | st.just("ab" * 32))
_offlines = st.builds(ast.OfflineLine, _plain, _plain | st.just(""))
_lets = st.builds(ast.Let, st.sampled_from(["stem", "block", "größe"]), _selections | st.just(ast.Use("stem")))
_files = st.builds(
    ast.File, st.integers(0, 9), st.lists(_models | _offlines | _lets | _cuts, max_size=4).map(tuple)
).filter(lambda file: not _uses(file) or any(let.name == "stem" for let in file.lets))


def _uses(file: ast.File) -> bool:
    return any(isinstance(let.selection, ast.Use) for let in file.lets)


@given(_cuts)
@settings(max_examples=150, deadline=None)
def test_a_cut_is_read_back_from_its_canonical_form(cut: ast.Cut) -> None:
    text = format_cut(cut)
    assert parse(text) == cut
    assert format_cut(parse(text)) == text


@given(_files)
@settings(max_examples=80, deadline=None)
def test_a_file_is_read_back_from_its_canonical_form(file: ast.File) -> None:
    text = format_file(file)
    assert parse_file(text) == file
    assert format_text(text) == text


@given(_files, st.lists(st.tuples(st.integers(0, 400), st.sampled_from(["# a", '# "b" #', "#"])), max_size=4))
@settings(max_examples=60, deadline=None)
def test_no_comment_is_lost(file: ast.File, comments: list[tuple[int, str]]) -> None:
    lines = format_file(file).split("\n")
    assume(not any(line.rstrip().endswith("\\") for line in lines))  # there a name goes on in the next line
    for place, comment in comments:
        lines.insert(place % len(lines), comment)
    text = "\n".join(lines)
    formatted = format_text(text)
    assert parse_file(formatted) == file
    assert formatted.count("#") == text.count("#")
    assert format_text(formatted) == formatted


_pieces = st.sampled_from([*'ab"%@(),;:={}\n\\#*[]re ', " from ", " to ", " plus ", " tap ", " input ", "all"])


@given(st.lists(_pieces, max_size=20).map("".join))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_selection_or_a_mistake_with_a_place(text: str) -> None:
    try:
        cut = parse(text)
    except UserError as error:
        at = error.diagnostics[0].at
        assert at is not None
        assert 0 <= at.start <= len(text)
    else:
        assert parse(format_cut(cut)) == cut


# ---- globs


@given(st.text(st.sampled_from("ab*?[]!-\\"), max_size=8))
def test_an_escaped_name_is_matched_by_itself_alone(name: str) -> None:
    glob = words.escape(name)
    assert words.literal(glob) == name
    assert not words.is_wild(glob)
    assert words.matcher(glob).fullmatch(name)
    assert not words.matcher(glob).fullmatch(name + "a")


@given(st.text(st.sampled_from("ab*?[]!-"), max_size=6), st.text(st.sampled_from("ab[]!-"), max_size=4))
@settings(max_examples=500)
def test_globs_match_what_the_shell_matches(glob: str, name: str) -> None:
    from fnmatch import fnmatchcase

    assume("[!]" not in glob)  # the shell wants another bracket there
    assert bool(words.matcher(glob).fullmatch(name)) == fnmatchcase(name, glob)


# ---- paths, against walking every one of them


@st.composite
def _dags(draw: st.DrawFn) -> Model:
    """A random acyclic graph: operators of one or two results, an input, stored constants."""
    model = Model(TextDialect("onnx"))
    graph = model.main
    values: list[Value] = [graph.add_input("x")]
    for number in range(draw(st.integers(2, 9))):
        if draw(st.integers(0, 5)) == 0:
            values.append(graph.append(Op("initializer", "", (), (), {})).add_result(f"w{number}"))
            continue
        operands = tuple(draw(st.lists(st.sampled_from(values), min_size=1, max_size=3)))
        op = graph.append(Op("F", f"f{number}", operands, (), {}))
        values += [op.add_result(f"v{number}_{i}") for i in range(draw(st.integers(1, 2)))]
    return model


def _walks(model: Model) -> list[list[object]]:
    """Every path of operators and tensors, from any node to any node."""

    def following(node: object) -> list[object]:
        if isinstance(node, Value):
            return [op for op in model.main.ops if node in op.operands]
        assert isinstance(node, Op)
        return list(node.results)

    nodes: list[object] = [*(op for op in model.main.ops if op.operands), *model.main.values()]
    complete: list[list[object]] = []
    todo = [[node] for node in nodes]
    while todo:
        walk = todo.pop()
        complete.append(walk)
        todo += [[*walk, node] for node in following(walk[-1])]
    return complete


def _spelled(node: object) -> str:
    return node.name if isinstance(node, Op) else f"%{node.name}"  # type: ignore[attr-defined]


@given(_dags(), st.data())
@settings(max_examples=250, deadline=None)
def test_from_to_is_every_operator_on_a_walk(model: Model, data: st.DataObject) -> None:
    nodes: list[Op | Value] = [*(op for op in model.main.ops if op.operands), *model.main.values()]
    some = st.lists(st.sampled_from(nodes), min_size=1, max_size=2, unique=True)
    starts, ends = data.draw(some), data.draw(some)
    passes = data.draw(st.lists(some, max_size=2))
    avoided = data.draw(st.just([]) | some)
    walks = [
        walk
        for walk in _walks(model)
        if walk[0] in starts
        and walk[-1] in ends
        and all(any(node in walk for node in group) for group in passes)
        and not any(node in walk for node in avoided)
    ]
    expected = [op for op in model.main.ops if any(op in walk for walk in walks)]
    text = f"from {', '.join(map(_spelled, starts))} to {', '.join(map(_spelled, ends))}"
    text += "".join(f" through {', '.join(map(_spelled, group))}" for group in passes)
    text += f" avoiding {', '.join(map(_spelled, avoided))}" if avoided else ""
    source = SourceText("<selection>", text)
    unreached = any(not any(node in walk for walk in walks) for node in [*starts, *ends])
    unmade = any(isinstance(node, Value) and node.producer not in expected for node in ends)
    if unreached or unmade:
        with pytest.raises(UserError) as caught:
            resolve(parse(text), model, source)
        assert caught.value.code in ("disconnected-selection", "reversed-selection", "empty-selection")
    else:
        selection, _ = resolve(parse(text), model, source)
        assert list(selection.ops) == expected


@given(_dags(), st.data())
@settings(max_examples=80, deadline=None)
def test_one_end_is_everything_beyond_it(model: Model, data: st.DataObject) -> None:
    ops = [op for op in model.main.ops if op.operands]
    assume(ops)
    end = data.draw(st.sampled_from(ops))
    walks = _walks(model)
    for text, place in ((f"to {end.name}", -1), (f"from {end.name}", 0)):
        expected = [op for op in ops if any(op in walk for walk in walks if walk[place] is end)]
        selection, _ = resolve(parse(text), model, SourceText("<selection>", text))
        assert list(selection.ops) == expected


@given(_dags())
@settings(max_examples=40, deadline=None)
def test_set_words_are_the_operations_on_sets(model: Model) -> None:
    ops = [op for op in model.main.ops if op.operands]
    for one, other in product(ops[:3], ops[-3:]):
        left, right = _chosen(model, f"to {one.name}"), _chosen(model, f"from {other.name}")
        for verb, expected in (("plus", left | right), ("minus", left - right), ("within", left & right)):
            if expected:
                assert _chosen(model, f"to {one.name} {verb} from {other.name}") == expected


def _chosen(model: Model, text: str) -> set[Op]:
    return set(resolve(parse(text), model, SourceText("<selection>", text))[0].ops)
