"""YAML text to trees that remember where each value stands, safe on hostile text.

The trees are built from parser events with an explicit stack: no recursion on the depth of the text, no tags,
no Python objects, and every limit is enforced while reading. Scalars follow the YAML 1.2 core schema, so
`1e-3` is a float, `on` a string and `010` ten.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias

import yaml

from netcalc.diagnostics import Diagnostic, Span, SpecError

MAX_BYTES = 4 * 2**20
MAX_DEPTH = 64
MAX_SCALAR = 10_000
"""Characters of one key or value."""
MAX_NODES = 400_000
"""Values in one document, aliases counted as often as they are used."""

ScalarValue: TypeAlias = int | float | bool | str | None

# Reading many directives takes the square of their number, so they are refused before the text is parsed.
_DIRECTIVE = re.compile("(?:\\A|[\n\r\x85\u2028\u2029])\ufeff?%")

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class YamlScalar:
    """One scalar with its typed value."""

    value: ScalarValue
    span: Span
    computed: bool = False
    """Whether an expression gave the value."""


@dataclass(frozen=True, slots=True)
class YamlList:
    """A sequence."""

    items: tuple[YamlTree, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class YamlDict:
    """A mapping from strings, in order; `keys` tells where each key stands."""

    entries: dict[str, YamlTree]
    keys: dict[str, Span]
    span: Span

    def replaced(self, key: str, value: YamlTree, key_span: Span) -> YamlDict:
        """Return a copy in which `key` holds `value`."""
        return YamlDict({**self.entries, key: value}, {**self.keys, key: key_span}, self.span)


YamlTree: TypeAlias = YamlScalar | YamlList | YamlDict


def parse_yaml(text: str, file: str) -> YamlTree:
    """Return the tree of one YAML document.

    Raises SpecError for text that is not YAML, for duplicate keys, for features outside the spec language
    (tags, several documents) and for text beyond the limits.
    """
    if len(text) > MAX_BYTES:
        _fail("NC005", f"the text has {len(text):,} characters; the limit is {MAX_BYTES:,}", _start(file))
    if match := _DIRECTIVE.search(text):
        line = text.count("\n", 0, match.end()) + 1
        _fail(
            "NC004",
            "YAML directives have no meaning in a spec",
            Span(file, line, 1, line, 2),
            help="remove the line",
        )
    try:
        return _Builder(file).build(yaml.parse(text, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        span = _start(file) if mark is None else _at(file, mark, mark)
        problem = " ".join(filter(None, (error.context, error.problem)))
        _not_yaml(problem, text, span)
    except yaml.YAMLError as error:
        line = _unreadable_line(text)
        _fail("NC002", f"not valid YAML: {str(error).splitlines()[0]}", Span(file, line, 1, line, 1))
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        _fail("NC002", "the text is not UTF-8", Span(file, line, 1, line, 1))


def plain(tree: YamlTree) -> Any:
    """Return the Python value of a tree: dicts, lists and scalars without their places."""
    match tree:
        case YamlScalar(value):
            return value
        case YamlList(items):
            return [plain(item) for item in items]
        case YamlDict(entries):
            return {key: plain(value) for key, value in entries.items()}


def size(tree: YamlTree) -> int:
    """Return the number of values in a tree, itself and collections counted."""
    match tree:
        case YamlList(items):
            return 1 + sum(map(size, items))
        case YamlDict(entries):
            return 1 + sum(map(size, entries.values()))
    return 1


def locate(tree: YamlTree, path: tuple[int | str, ...], *, key: bool = False) -> Span:
    """Return where the value at `path` stands, or the nearest enclosing value that exists.

    With `key`, the place of the last key of the path instead of its value.
    """
    if key and path:
        owner = value_at(tree, path[:-1])
        if isinstance(owner, YamlDict) and path[-1] in owner.keys:
            return owner.keys[str(path[-1])]
    return value_at(tree, path).span


def value_at(tree: YamlTree, path: tuple[int | str, ...]) -> YamlTree:
    """Return the value at `path`, or the nearest enclosing one that exists."""
    for step in path:
        if isinstance(tree, YamlDict) and step in tree.entries:
            tree = tree.entries[str(step)]
        elif isinstance(tree, YamlList) and isinstance(step, int) and 0 <= step < len(tree.items):
            tree = tree.items[step]
    return tree


_INT = re.compile(r"[-+]?[0-9]+")
_OTHER_INT = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INF = re.compile(r"([-+]?)\.(inf|Inf|INF)")
_WORDS: dict[str, ScalarValue] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}


def core_scalar(text: str) -> ScalarValue:
    """Return the value of an unquoted scalar under the YAML 1.2 core schema (section 10.3).

    Integers beyond 64 bits are kept as floats, as JSON readers do.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return _integer(text, 10)
    if _OTHER_INT.fullmatch(text):
        return _integer(text[2:], 8 if text[1] == "o" else 16)
    if _FLOAT.fullmatch(text):
        return float(text)
    if match := _INF.fullmatch(text):
        return -math.inf if match[1] == "-" else math.inf
    return text


def _integer(digits: str, base: int) -> int | float:
    if len(digits) > 64:
        return float(digits) if base == 10 else math.inf
    number = int(digits, base)
    return number if abs(number) < 2**63 else float(number)


@dataclass(slots=True)
class _Open:
    """A collection whose end has not been read yet."""

    span: Span
    is_dict: bool
    anchor: str | None
    items: list[YamlTree] = field(default_factory=list)
    keys: dict[str, Span] = field(default_factory=dict)
    key: tuple[str, Span] | None = None
    size: int = 1
    depth: int = 1


@dataclass(slots=True)
class _Anchored:
    """An anchored tree with its expanded size and depth, so that aliases can be bounded."""

    tree: YamlTree
    size: int
    depth: int


class _Builder:
    """Turns parser events into one tree."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.stack: list[_Open] = []
        self.anchors: dict[str, _Anchored] = {}
        self.root: YamlTree | None = None
        self.documents = 0

    def build(self, events: Iterator[Any]) -> YamlTree:
        """Return the tree that the events describe."""
        for event in events:
            span = _at(self.file, event.start_mark, event.end_mark)
            if isinstance(event, yaml.ScalarEvent):
                self._scalar(event, span)
            elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                self._open(event, span)
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                self._close(span)
            elif isinstance(event, yaml.AliasEvent):
                self._alias(event, span)
            elif isinstance(event, yaml.DocumentStartEvent):
                self.documents += 1
                if self.documents > 1:
                    _fail("NC004", "a spec is one YAML document; a second one starts here", span)
        return YamlScalar(None, _start(self.file)) if self.root is None else self.root

    def _scalar(self, event: Any, span: Span) -> None:
        self._no_tag(event, span)
        if len(event.value) > MAX_SCALAR:
            size = f"{len(event.value):,} characters; the limit is {MAX_SCALAR:,}"
            _fail("NC005", f"a key or a value has {size}", span)
        # An unquoted scalar has no style (None, or the empty string from libyaml).
        value = event.value if event.style else core_scalar(event.value)
        tree = YamlScalar(value, span)
        if event.anchor:
            self.anchors[event.anchor] = _Anchored(tree, 1, 1)
        if self._expects_key():
            self._key(event.value, span)
            return
        self._add(tree, 1, 1)

    def _open(self, event: Any, span: Span) -> None:
        self._no_tag(event, span)
        if self._expects_key():
            _fail("NC004", "a key must be a word, not a list or a mapping", span)
        if len(self.stack) >= MAX_DEPTH:
            _fail("NC005", f"the text is nested more than {MAX_DEPTH} levels deep", span)
        self.stack.append(_Open(span, isinstance(event, yaml.MappingStartEvent), event.anchor))

    def _close(self, end: Span) -> None:
        top = self.stack.pop()
        start = top.span
        span = Span(self.file, start.line, start.column, end.end_line, end.end_column)
        tree: YamlTree
        if top.is_dict:
            tree = YamlDict(dict(zip(top.keys, top.items, strict=True)), top.keys, span)
        else:
            tree = YamlList(tuple(top.items), span)
        if top.anchor:
            self.anchors[top.anchor] = _Anchored(tree, top.size, top.depth)
        self._add(tree, top.size, top.depth)

    def _alias(self, event: Any, span: Span) -> None:
        if self._expects_key():
            _fail("NC004", "an alias cannot be a key", span)
        anchored = self.anchors.get(event.anchor)
        if anchored is None:
            _fail("NC002", f"not valid YAML: the alias *{event.anchor} has no anchor before it", span)
        self._add(anchored.tree, anchored.size, anchored.depth)

    def _key(self, name: str, span: Span) -> None:
        top = self.stack[-1]
        if name in top.keys:
            first = top.keys[name].line
            message = f"`{name}` is written twice in one mapping; first at line {first}"
            _fail("NC003", message, span, help="keep one of the two")
        top.key = (name, span)

    def _add(self, tree: YamlTree, size: int, depth: int) -> None:
        if not self.stack:
            self.root = tree
            return
        top = self.stack[-1]
        top.size += size
        top.depth = max(top.depth, depth + 1)
        if top.size > MAX_NODES:
            _fail("NC005", f"the text has more than {MAX_NODES:,} values, aliases counted", tree.span)
        if len(self.stack) + depth > MAX_DEPTH:
            _fail("NC005", f"the text is nested more than {MAX_DEPTH} levels deep", tree.span)
        top.items.append(tree)
        if top.key is not None:
            name, span = top.key
            top.keys[name] = span
            top.key = None

    def _expects_key(self) -> bool:
        return bool(self.stack) and self.stack[-1].is_dict and self.stack[-1].key is None

    def _no_tag(self, event: Any, span: Span) -> None:
        if event.tag is not None and event.tag != "!":
            _fail("NC004", "YAML tags have no meaning in a spec", span, help="remove the tag")


def _not_yaml(problem: str, text: str, span: Span) -> NoReturn:
    lines = text.splitlines()
    line = lines[span.line - 1] if span.line <= len(lines) else ""
    if "$(" in line and any(c in line for c in "{["):
        help = "quote an expression that stands inside { } or [ ] and holds a comma or a bracket"
        _fail("NC006", f"`$(` breaks the YAML around it: {problem}", span, help=help)
    is_tabbed = "\t" in line[: len(line) - len(line.lstrip())]
    _fail("NC002", f"not valid YAML: {problem}", span, help="indent with spaces, not tabs" if is_tabbed else "")


def _unreadable_line(text: str) -> int:
    """Return the line of the first character that YAML does not allow (section 5.1)."""
    match = re.search(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]", text)
    return text.count("\n", 0, match.start()) + 1 if match else 1


def _at(file: str, start: Any, end: Any) -> Span:
    return Span(file, start.line + 1, start.column + 1, end.line + 1, end.column + 1)


def _start(file: str) -> Span:
    return Span(file, 1, 1, 1, 1)


def _fail(code: str, message: str, span: Span, *, help: str = "") -> NoReturn:
    raise SpecError([Diagnostic(code, message, span, help=help)])
