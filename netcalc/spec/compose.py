"""Trees to flat nodes: groups, repetition, conditions, names and wiring.

Order wires nodes: without `from` a node reads the one before it in its list. A group (`sequence`, `residual`,
`parallel`) or block opens a scope for names; its own name stands for its last node.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from netcalc.diagnostics import Span, cut, did_you_mean
from netcalc.spec.arguments import block_arguments
from netcalc.spec.blocks import Block, Defaults, Library, joined, with_defaults
from netcalc.spec.expressions import Value
from netcalc.spec.findings import Findings
from netcalc.spec.items import NOTHING, Item, ItemReader
from netcalc.spec.network import NAME, PATH_NAME
from netcalc.spec.nodes import GROUPS, MERGES, FlatNode
from netcalc.spec.source import YamlDict, YamlList, YamlScalar, YamlTree, plain, size
from netcalc.spec.substitution import Substitution

MAX_REPEAT = 10_000
MAX_NESTING = 100
"""Names on the path of a node: how deep groups and blocks may stand in each other."""
MAX_NAME = 512
"""Characters of the full name of a node."""
MAX_EXPANDED = 100_000
"""Nodes and group instances that one spec may expand to."""


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where a list of nodes stands: the prefix of its names, its parameters, what it inherits.

    `block_input` is what `input` stands for; `blocks` are those around, each with the place of its use.
    """

    prefix: str
    names: ChainMap[str, Value]
    trainable: bool
    block_input: str | None
    library: Library
    defaults: Defaults
    blocks: tuple[tuple[Block, Span], ...] = ()


def flatten(
    layers: YamlTree,
    inputs: tuple[str, ...],
    params: Mapping[str, Value],
    library: Library,
    substitution: Substitution,
    *,
    resolved: bool = False,
) -> tuple[list[FlatNode], Callable[[str], str | None]]:
    """Return the flat nodes of a list of layers and a look-up of names; what is wrong goes to the findings.

    The look-up gives the node that a name at top level stands for, None where there is none. In a `resolved`
    spec nodes have the dotted names that groups gave them. A name that an error leaves without a node stands
    for itself, so that one error is not reported again wherever the name is used.
    """
    reader = ItemReader(PATH_NAME if resolved else NAME, substitution.findings)
    expander = _Expander(reader, substitution, substitution.findings)
    for name in inputs:
        expander.known[name] = name
    only = inputs[0] if len(inputs) == 1 else None
    scope = _Scope("", ChainMap(dict(params)), True, only, library, library.defaults)
    expander.expand_list(layers, scope, only, "/layers", "layers")
    return expander.nodes, expander.known.get


@dataclass(slots=True)
class _Expander:
    reader: ItemReader
    substitution: Substitution
    findings: Findings
    nodes: list[FlatNode] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)
    """Full names of nodes, groups and inputs, with the node that each stands for."""
    spans: dict[str, Span] = field(default_factory=dict)
    unread: set[Span] = field(default_factory=set)
    """Where elements stand that are no nodes, so that repetition does not read them again."""
    expanded: int = 0

    def expand_list(self, tree: YamlTree, scope: _Scope, incoming: str | None, path: str, what: str) -> str | None:
        """Expand a list of nodes and return the name of its last; `incoming` if it has none."""
        if not isinstance(tree, YamlList):
            self._error("NC011", f"`{what}` should be a list of layers", tree.span)
            return incoming
        if scope.prefix.count(".") > MAX_NESTING:
            self._error(
                "NC005", f"groups and blocks stand more than {MAX_NESTING} names deep in each other", tree.span
            )
            return incoming
        counts: dict[str, int] = {}
        for index, element in enumerate(tree.items):
            self.substitution.spend(1, element.span)
            item = None
            if element.span not in self.unread:
                item = self.reader.read(element, counts, f"{path}/{index}", scope.library)
            if item is not None:
                incoming = self._expand(item, scope, incoming)
            else:
                self.unread.add(element.span)
                incoming = self._stand_in(element, scope, incoming)
        return incoming

    def _stand_in(self, tree: YamlTree, scope: _Scope, incoming: str | None) -> str:
        """Let the name of a node that cannot be read stand for itself."""
        match tree:
            case YamlDict({"name": YamlScalar(str(name))}) if len(name) <= MAX_NAME:
                return self.known.setdefault(f"{scope.prefix}{name}", f"{scope.prefix}{name}")
        return incoming or ""

    def _expand(self, item: Item, scope: _Scope, incoming: str | None) -> str | None:
        """Expand one item, as often as `repeat` says, and return the node that comes after it."""
        wiring = self._wiring(item, scope)
        if not wiring.kept:
            return incoming
        full = scope.prefix + item.name
        if full in self.known:
            first = self.spans.get(full)
            where = f" at line {first.line}" if first else " for an input"
            self._error("NC021", f"the name `{full}` is taken{where}", item.span, "give another `name`")
            return incoming
        self.spans[full] = item.span
        inputs = self._inputs(item, scope, incoming)
        inner = replace(scope, trainable=scope.trainable and wiring.trainable)
        if wiring.repeat is None:
            last = self._expand_once(item, full, inner, inputs)
        else:
            last = inputs[0] if inputs else None
            for index in range(wiring.repeat):
                numbered = replace(inner, names=scope.names.new_child({"index": index}))
                last = self._expand_once(item, f"{full}.{index + 1}", numbered, inputs)
                inputs = (last,) if last is not None else ()
        self.known[full] = full if last is None else last
        return self.known[full]

    def _expand_once(self, item: Item, name: str, scope: _Scope, inputs: tuple[str, ...]) -> str | None:
        self.expanded += 1
        if self.expanded > MAX_EXPANDED:
            if self.expanded == MAX_EXPANDED + 1:
                self._error("NC005", f"the spec expands to more than {MAX_EXPANDED:,} nodes", item.span)
            return None
        if len(name) > MAX_NAME:
            message = f"the name of a node with those of the groups around it has more than {MAX_NAME} characters"
            self._error("NC005", message, item.span, "give shorter names")
            return None
        if item.kind in GROUPS:
            return self._group(item, name, scope, inputs[0] if inputs else None)
        if item.kind in scope.library.blocks:
            return self._block(item, name, scope, inputs[0] if inputs else None)
        body = self.substitution.apply(item.body, scope.names)
        body = self._with_defaults(item, item.kind, body, scope)
        self._emit(item, name, item.kind, body, inputs, scope)
        return name

    def _with_defaults(self, item: Item, kind: str, body: YamlTree, scope: _Scope) -> YamlTree:
        if kind in scope.defaults:
            self.substitution.spend(size(scope.defaults[kind]), item.span)
        return with_defaults(kind, body, scope.defaults)

    def _emit(
        self, item: Item, name: str, kind: str, body: YamlTree, inputs: tuple[str, ...], scope: _Scope
    ) -> None:
        tree = item.wiring.get("share")
        share = None if tree is None else self._lookup(self.substitution.apply(tree, scope.names), scope)
        used_at = tuple(span for _, span in reversed(scope.blocks))
        self.nodes.append(FlatNode(name, kind, body, inputs, scope.trainable, item.span, item.path, share, used_at))
        self.known[name] = name

    def _block(self, item: Item, name: str, scope: _Scope, incoming: str | None) -> str | None:
        """Expand a block's layers with its own parameters; it sees nothing of its user's."""
        block = scope.library.blocks[item.kind]
        if any(block is around for around, _ in scope.blocks):
            self._error("NC018", f"the block `{block.name}` uses itself", item.span)
            return None
        names = ChainMap(block_arguments(block, item, scope.names, self.substitution))
        own = {kind: self.substitution.apply(fields, names) for kind, fields in block.defaults.items()}
        for kind in own.keys() & block.library.defaults.keys():
            self.substitution.spend(len(block.library.defaults[kind].entries), item.span)
        inner = _Scope(
            prefix=f"{name}.",
            names=names,
            trainable=scope.trainable,
            block_input=incoming,
            library=block.library,
            defaults=joined(block.library.defaults, {k: v for k, v in own.items() if isinstance(v, YamlDict)}),
            blocks=(*scope.blocks, (block, item.span)),
        )
        return self.expand_list(block.layers, inner, incoming, block.path, block.name)

    def _group(self, item: Item, name: str, scope: _Scope, incoming: str | None) -> str | None:
        inner = replace(scope, prefix=f"{name}.")
        path = f"{item.path}/{item.kind}"
        if item.kind == "sequence":
            return self.expand_list(item.body, inner, incoming, path, "sequence")
        if item.kind == "residual":
            return self._residual(item, name, inner, incoming, path)
        return self._parallel(item, name, inner, incoming, path)

    def _residual(self, item: Item, name: str, scope: _Scope, incoming: str | None, path: str) -> str | None:
        """F(x) + x, or F(x) + shortcut(x) (He et al. 2015)."""
        if isinstance(item.body, YamlList):
            entries: Mapping[str, YamlTree] = {"body": item.body}
            paths = {"body": path}
        else:
            entries = self._group_fields(item, ("body", "shortcut"), "body")
            paths = {part: f"{path}/{part}" for part in entries}
        ends = []
        for part in ("body", "shortcut"):
            within = replace(scope, prefix=f"{name}.{part}.")
            tree = entries.get(part)
            end = incoming if tree is None else self.expand_list(tree, within, incoming, paths[part], part)
            ends.append(end)
            if end is not None:
                self.known[f"{name}.{part}"] = end
        return self._merge(item, "add", f"{name}.add", ends, scope)

    def _parallel(self, item: Item, name: str, scope: _Scope, incoming: str | None, path: str) -> str | None:
        if isinstance(item.body, YamlList):
            entries: Mapping[str, YamlTree] = {"branches": item.body}
        else:
            entries = self._group_fields(item, ("branches", "merge"), "branches")
            path = f"{path}/branches"
        kind = self._merge_kind(entries.get("merge"), scope)
        branches = entries.get("branches")
        if isinstance(branches, YamlScalar):
            self._error("NC011", "`branches` should be lists of layers", branches.span)
        if kind is None or not isinstance(branches, YamlList | YamlDict):
            return None
        ends = []
        for branch, tree, where in self._branches(branches):
            within = replace(scope, prefix=f"{name}.{branch}.")
            end = self.expand_list(tree, within, incoming, f"{path}/{where}", branch)
            ends.append(end)
            if end is not None:
                self.known[f"{name}.{branch}"] = end
        return self._merge(item, kind, f"{name}.{kind}", ends, scope)

    def _merge_kind(self, tree: YamlTree | None, scope: _Scope) -> str | None:
        if tree is None:
            return "concat"
        tree = self.substitution.apply(tree, scope.names)
        if isinstance(tree, YamlScalar) and tree.value in MERGES:
            return str(tree.value)
        known = ", ".join(f"`{merge}`" for merge in MERGES)
        self._error("NC011", f"`merge` should be one of {known}", tree.span)
        return None

    def _branches(self, tree: YamlList | YamlDict) -> Iterator[tuple[str, YamlTree, str]]:
        match tree:
            case YamlList(items):
                for index, branch in enumerate(items):
                    yield f"branch{index + 1}", branch, str(index)
            case YamlDict(entries, keys):
                for name, branch in entries.items():
                    if not NAME.fullmatch(name) or name == "input":
                        self._error("NC011", f"`{name}` is no name for a branch", keys[name])
                    yield name, branch, name

    def _group_fields(self, item: Item, known: tuple[str, ...], needed: str) -> Mapping[str, YamlTree]:
        entries: Mapping[str, YamlTree] = {}
        if isinstance(item.body, YamlDict):
            entries = item.body.entries
            for key in entries:
                if key not in known:
                    message = f"unknown field `{key}` of `{item.kind}`"
                    self._error("NC010", message, item.body.keys[key], did_you_mean(key, known))
        if needed not in entries:
            self._error("NC012", f"`{item.kind}` needs `{needed}`", item.span, "a list of layers")
        return entries

    def _merge(self, item: Item, kind: str, name: str, ends: list[str | None], scope: _Scope) -> str | None:
        inputs = tuple(end for end in ends if end is not None)
        if len(inputs) < 2:
            if len(ends) < 2:
                self._error("NC022", f"`{item.kind}` needs at least two branches", item.span)
            return None
        if name in self.known:
            self._error("NC021", f"the name `{name}` is taken", item.span, "rename the branch")
            return None
        body = self._with_defaults(item, kind, replace(NOTHING, span=item.span), scope)
        self._emit(item, name, kind, body, inputs, scope)
        return name

    def _inputs(self, item: Item, scope: _Scope, incoming: str | None) -> tuple[str, ...]:
        """Return the nodes that an item reads, by `from` or by order."""
        tree = item.wiring.get("from")
        merges = item.kind in MERGES
        if tree is None:
            if merges:
                help = f"for example `{{{item.kind}: , from: [a, b]}}`, or a `parallel` group"
                self._error("NC022", f"`{item.kind}` merges several nodes; name them with `from`", item.span, help)
            elif incoming is None:
                help = "name one with `from`"
                self._error(
                    "NC022",
                    f"`{item.name}` follows no node and the network has several inputs",
                    item.span,
                    help,
                )
            return () if incoming is None else (incoming,)
        if merges and "repeat" in item.wiring:
            span = item.wiring["repeat"].span
            self._error("NC022", f"`{item.kind}` merges several nodes and cannot repeat on its own output", span)
        tree = self.substitution.apply(tree, scope.names)
        if not self.substitution.is_known(tree):
            return ()
        names = tree.items if isinstance(tree, YamlList) else (tree,)
        found = [self._lookup(name, scope) for name in names]
        if merges and len(names) < 2:
            self._error("NC022", f"`{item.kind}` merges several nodes, `from` names {len(names)}", tree.span)
        if not merges and len(names) != 1:
            help = f"merge them first: {', '.join(MERGES)}"
            self._error("NC022", f"`{item.kind}` reads one node, `from` names {len(names)}", tree.span, help)
        return tuple(name for name in found if name is not None)

    def _lookup(self, tree: YamlTree, scope: _Scope) -> str | None:
        """Return the node that a name stands for, seen from the innermost scope outward."""
        if not self.substitution.is_known(tree):
            return None
        if not isinstance(tree, YamlScalar) or not isinstance(tree.value, str):
            self._error("NC011", "`from` should be a node's name or a list of names", tree.span)
            return None
        name = tree.value
        if name == "input":
            if scope.block_input is None:
                self._error("NC020", "the network has several inputs, none is called `input`", tree.span)
            return scope.block_input
        prefix = scope.prefix if len(name) <= MAX_NAME else ""
        while True:
            if (full := f"{prefix}{name}") in self.known:
                return self.known[full]
            if not prefix:
                break
            prefix = prefix[: prefix.rfind(".", 0, -1) + 1]
        inside = [known.removeprefix(scope.prefix) for known in self.known if known.startswith(scope.prefix)]
        visible = [n for n in inside if "." not in n] or inside
        help = did_you_mean(name, visible) or "a node can read nodes that stand before it"
        self._error("NC020", f"no node `{cut(name)}` before this one", tree.span, help)
        self.findings.unknown.add(tree.span)
        return None

    def _wiring(self, item: Item, scope: _Scope) -> _Wiring:
        values = {
            key: self.substitution.apply(item.wiring[key], scope.names)
            for key in ("repeat", "when", "trainable")
            if key in item.wiring
        }
        values = {key: tree for key, tree in values.items() if self.substitution.is_known(tree)}
        for key in ("when", "trainable"):
            if key in values and not isinstance(plain(values[key]), bool):
                self._error("NC011", f"`{key}` should be true or false", values[key].span)
        repeat = plain(values["repeat"]) if "repeat" in values else None
        if "repeat" in values and not (type(repeat) is int and 0 <= repeat <= MAX_REPEAT):
            message = f"`repeat` should be a whole number from 0 to {MAX_REPEAT:,}"
            self._error("NC011", message, values["repeat"].span)
            repeat = None
        return _Wiring(
            kept="when" not in values or plain(values["when"]) is not False,
            trainable="trainable" not in values or plain(values["trainable"]) is not False,
            repeat=repeat,
        )

    def _error(self, code: str, message: str, span: Span, help: str = "") -> None:
        self.findings.report(code, message, span, help)


@dataclass(frozen=True, slots=True)
class _Wiring:
    kept: bool
    trainable: bool
    repeat: int | None
