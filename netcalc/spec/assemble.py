"""A tree and its overrides to a NetworkSpec: every section read, every error collected."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import ClassVar, TypeVar

from pydantic import Field

from netcalc.choice import Fields
from netcalc.diagnostics import Diagnostic, Span, SpecError, did_you_mean
from netcalc.layers.base import Flag, TensorType
from netcalc.layers.catalog import LAYERS
from netcalc.spec.blocks import NO_DEFAULTS, Defaults, Library, add_blocks, import_blocks, read_defaults
from netcalc.spec.budgets import Budgets
from netcalc.spec.compose import flatten
from netcalc.spec.expressions import UNKNOWN, Value
from netcalc.spec.findings import Findings
from netcalc.spec.inputs import InputFields
from netcalc.spec.network import NAME, InputSpec, NetworkSpec, NodeSpec, OutputSpec
from netcalc.spec.nodes import FlatNode
from netcalc.spec.sections import SECTIONS
from netcalc.spec.source import YamlDict, YamlList, YamlScalar, YamlTree, plain
from netcalc.spec.substitution import Substitution
from netcalc.spec.training import TrainingSpec
from netcalc.spec.unused import unused
from netcalc.spec.validation import validate

F = TypeVar("F", bound=Fields)

MAX_IMPORTS = 32
"""How many files may import each other in a row."""
_WORK_OF_IMPORT = 100
"""What finding a file counts as, in values."""

Importer = Callable[[str, Span], YamlTree]
"""Reads a file that a spec names, at the place where it names it; raises SpecError where it may or can not."""


def assemble(tree: YamlTree, file: str, read_file: Importer) -> NetworkSpec:
    """Return the network that a tree describes; raises SpecError with everything that is wrong with it.

    The tree's `extends` is merged and its overrides are carried out; `read_file` reads what it imports.
    """
    return _Reader(tree, file, read_file).read()


class _Reader:
    """Reads the sections of one spec and collects what is wrong."""

    def __init__(self, tree: YamlTree, file: str, read_file: Importer) -> None:
        self.file, self.read_file = file, read_file
        if not isinstance(tree, YamlDict) or not tree.entries:
            message = "a spec is a mapping with `input` and `layers`"
            raise SpecError([Diagnostic("NC012", message, tree.span)])
        if "blocks" in tree.entries and not tree.entries.keys() & {"input", "inputs", "layers"}:
            message = "a file of blocks is no network: it has neither `input` nor `layers`"
            help = "its blocks are checked where a spec imports and uses them"
            raise SpecError([Diagnostic("NC012", message, tree.span, help)])
        self.tree = tree
        self.findings = Findings()
        self.substitution = Substitution(self.findings)
        self.invalid: set[tuple[type[Fields], Span]] = set()
        self.params: Mapping[str, Value] = {}
        self.output_names: dict[str, str | None] = {}
        """The node of each output by the name that it is written with, None where it is left out."""

    def read(self) -> NetworkSpec:
        """Return the spec, or raise SpecError."""
        for key in self.tree.entries:
            if key not in SECTIONS:
                self._error(
                    "NC010",
                    f"unknown field `{key}` of the spec",
                    self.tree.keys[key],
                    did_you_mean(key, SECTIONS),
                )
        self.params = self._read_params()
        library = self._library()
        inputs = self._inputs()
        nodes: list[NodeSpec] = []
        outputs: tuple[OutputSpec, ...] = ()
        layers = self.tree.entries.get("layers")
        if layers is None:
            self._error("NC012", "the spec needs `layers`", self.tree.span, "a list of layers")
        else:
            sources, resolved, known = self._input_names(), self._resolved(), len(self.findings)
            flat, lookup = flatten(layers, sources, self.params, library, self.substitution, resolved=resolved)
            self._check_shares(flat)
            nodes = [node for node in map(self._node, flat) if node is not None]
            if not flat and len(self.findings) == known:
                self._error("NC012", "`layers` leaves no layer", layers.span)
            outputs = self._outputs(flat, lookup, sources)
        train = self._losses_by_node(self._model(TrainingSpec, "train"), outputs)
        budgets = self._model(Budgets, "budgets")
        name = self._name()
        if self.findings:
            raise SpecError(sorted(self.findings, key=_place))
        places = self._places()
        for written, node in self.output_names.items():  # losses are by their nodes from here on
            if node is not None and node != written:
                places |= _renamed(places, f"train.losses.{written}", f"train.losses.{node}")
        if train is not None:
            train = train.model_copy(update={"data": train.data.beside(places)})
        return NetworkSpec(
            name,
            inputs,
            tuple(nodes),
            outputs,
            self.params,
            train,
            budgets or Budgets(),
            self.file,
            places,
            unused(self.tree, self.file),
        )

    def _section(self, key: str) -> YamlTree | None:
        tree = self.tree.entries.get(key)
        return None if tree is None else self.substitution.apply(tree, self.params)

    def _resolved(self) -> bool:
        tree = self.tree.entries.get("resolved", YamlScalar(False, self.tree.span))
        if not isinstance(plain(tree), bool):
            self._error("NC011", "`resolved` should be true or false", tree.span)
        return plain(tree) is True

    def _read_params(self) -> Mapping[str, Value]:
        tree = self.tree.entries.get("params")
        if tree is None or (isinstance(tree, YamlScalar) and tree.value is None):
            return {}
        if not isinstance(tree, YamlDict):
            self._error("NC011", "`params` should be a mapping from names to values", tree.span)
            return {}
        params: dict[str, Value] = {}
        for key, value in tree.entries.items():
            if not NAME.fullmatch(key) or key == "index":
                self._error("NC011", f"`{key}` is no name for a parameter", tree.keys[key])
            elif (mapping := _first_mapping(value)) is not None:
                self._error("NC011", f"the parameter `{key}` should be a value or a list", mapping.span)
                params[key] = UNKNOWN
            else:
                unknown = len(self.findings.unknown)
                params[key] = plain(self.substitution.apply(value, params))
                if len(self.findings.unknown) > unknown or not self.substitution.is_known(value):
                    params[key] = UNKNOWN
        return params

    def _library(self) -> Library:
        """Return the spec's blocks, with the imported ones; its defaults are evaluated, theirs are theirs alone."""
        library = Library({}, self._defaults(self.tree, self.params))
        add_blocks(library, self.tree.entries.get("blocks"), self.findings)
        self._import(library, self.tree.entries.get("imports"), {}, 1)
        return library

    def _defaults(self, tree: YamlDict, names: Mapping[str, Value]) -> Defaults:
        fields = read_defaults(tree.entries.get("defaults"), self.findings)
        evaluated = {kind: self.substitution.apply(found, names) for kind, found in fields.items()}
        return {kind: found for kind, found in evaluated.items() if isinstance(found, YamlDict)}

    def _import(self, library: Library, tree: YamlTree | None, read: dict[str, Library], depth: int) -> None:
        """Add the blocks of the files that an `imports:` section names; `read` holds the files read so far."""
        if tree is None:
            return
        if depth > MAX_IMPORTS:
            self.findings.stop(f"more than {MAX_IMPORTS} files import each other in a row", tree.span)
        for item in tree.items if isinstance(tree, YamlList) else (tree,):
            if not isinstance(item, YamlScalar) or not isinstance(item.value, str):
                self._error("NC011", "`imports` should be a list of YAML files", item.span)
                continue
            self.substitution.spend(_WORK_OF_IMPORT, item.span)
            imported = self.read_file(item.value, item.span)
            key = imported.span.file
            if key not in read:
                read[key] = self._imported(imported, read, depth)
            self.substitution.spend(len(read[key].blocks), item.span)
            import_blocks(library, read[key], item.span, self.findings)

    def _imported(self, tree: YamlTree, read: dict[str, Library], depth: int) -> Library:
        if not isinstance(tree, YamlDict):
            self._error("NC012", "a file of blocks is a mapping with `blocks`", tree.span)
            return Library({}, NO_DEFAULTS)
        for key in tree.entries:
            if key not in _IMPORTED:
                self._error(
                    "NC010",
                    f"unknown field `{key}` of a file of blocks",
                    tree.keys[key],
                    did_you_mean(key, _IMPORTED),
                )
        library = Library({}, self._defaults(tree, {}))
        read[tree.span.file] = library  # a circle of imports ends here
        add_blocks(library, tree.entries.get("blocks"), self.findings)
        self._import(library, tree.entries.get("imports"), read, depth + 1)
        return library

    def _name(self) -> str:
        tree = self._section("name")
        if tree is None:
            stem = PurePath(self.file).stem
            return stem if NAME.fullmatch(stem) else "network"
        name = plain(tree)
        if isinstance(name, str) and NAME.fullmatch(name):
            return name
        if self.substitution.is_known(tree):
            self._error("NC011", "`name` should be a word of letters, digits, `_` and `-`", tree.span)
        return "network"

    def _inputs(self) -> tuple[InputSpec, ...]:
        one, many = self._section("input"), self._section("inputs")
        if (one is None) == (many is None):
            help = "for example `input: [32, 32, 1]`: height, width, channels"
            self._error("NC012", "the spec needs `input` (or `inputs`, not both)", self.tree.span, help)
            return ()
        if one is not None:
            fields = self._filled(InputFields, one, "input")
            return () if fields is None else (InputSpec("input", TensorType(fields.shape, fields.dtype)),)
        if not isinstance(many, YamlDict):
            assert many is not None
            self._error("NC011", "`inputs` should be a mapping from names to shapes", many.span)
            return ()
        if not many.entries:
            self._error("NC012", "`inputs` names no input", many.span)
        found = []
        for name, tree in many.entries.items():
            fields = self._filled(InputFields, tree, name)
            if not NAME.fullmatch(name):
                self._error("NC011", f"`{name}` is no name for an input", many.keys[name])
            elif fields is not None:
                found.append(InputSpec(name, TensorType(fields.shape, fields.dtype)))
        return tuple(found)

    def _input_names(self) -> tuple[str, ...]:
        """Return the names of the inputs as they are written, so that a wrong shape does not lose them."""
        many = self.tree.entries.get("inputs")
        return tuple(many.entries) if isinstance(many, YamlDict) and many.entries else ("input",)

    def _node(self, flat: FlatNode) -> NodeSpec | None:
        layer = self._filled(LAYERS[flat.kind], flat.fields, flat.kind, node=flat.name)
        if layer is None:
            return None
        places: Mapping[str, YamlTree] = {}
        if isinstance(flat.fields, YamlDict):
            places = flat.fields.entries
        elif layer.principal is not None:
            places = {layer.principal: flat.fields}
        return NodeSpec(
            flat.name,
            layer,
            flat.inputs,
            flat.span,
            flat.path,
            flat.trainable,
            {key: tree.span for key, tree in places.items()},
            flat.share,
            flat.used_at,
            frozenset(key for key, tree in places.items() if isinstance(tree, YamlScalar) and tree.computed),
        )

    def _check_shares(self, flat: list[FlatNode]) -> None:
        kinds = {node.name: node.kind for node in flat}
        for node in flat:
            if node.share is not None and kinds.get(node.share) != node.kind:
                message = f"`{node.name}` is a `{node.kind}` and cannot use the parameters of `{node.share}`"
                self._error("NC023", message, node.span, "name a node of the same type under `share`")

    def _outputs(
        self, flat: list[FlatNode], lookup: Callable[[str], str | None], inputs: tuple[str, ...]
    ) -> tuple[OutputSpec, ...]:
        tree = self._section("outputs")
        if tree is None:
            return (OutputSpec(flat[-1].name),) if flat else ()
        items = tree.items if isinstance(tree, YamlList) else (tree,)
        found: dict[str, OutputSpec] = {}
        left_out = False
        for item in items:
            fields = self._filled(OutputFields, item, "outputs") if self.substitution.is_known(item) else None
            if fields and not fields.when:
                left_out = True
                self.output_names[fields.name] = None
                continue
            node = lookup(fields.name) if fields else None
            if fields is None or (node is None and not flat):
                continue
            if node is None or node in inputs:
                help = did_you_mean(fields.name, [node.name for node in flat])
                self._error("NC020", f"no node `{fields.name}` for an output", item.span, help)
            elif node in found:
                self._error("NC021", f"`{fields.name}` is already an output", item.span)
            else:
                found[node] = OutputSpec(node, fields.train_only)
                self.output_names[fields.name] = node
        serves_training_alone = all(output.train_only for output in found.values())
        if not items or (serves_training_alone and (found or left_out)):
            self._error("NC012", "`outputs` names no node for inference", tree.span)
        return tuple(found.values())

    def _losses_by_node(self, train: TrainingSpec | None, outputs: tuple[OutputSpec, ...]) -> TrainingSpec | None:
        """Return the section with the losses of outputs by their nodes; those of outputs left out are dropped."""
        if train is None or not train.losses:
            return train
        known = {**{output.node: output.node for output in outputs}, **self.output_names}
        found = {}
        for name, loss in train.losses.items():
            if name not in known:
                place = self._places().get(f"train.losses.{name}", self.tree.span)
                help = did_you_mean(name, known) or f"the outputs are {', '.join(f'`{n}`' for n in known)}"
                self._error("NC020", f"`losses` names `{name}`, which is no output", place, help)
            elif (node := known[name]) is not None:
                found[node] = loss
        return train.model_copy(update={"losses": found})

    def _model(self, model: type[F], key: str) -> F | None:
        tree = self._section(key)
        return None if tree is None else self._filled(model, tree, key)

    def _filled(self, model: type[F], tree: YamlTree, what: str, node: str = "") -> F | None:
        place = model, tree.span
        if place in self.invalid:  # reported already, for another repetition
            return None
        result = validate(model, tree, what, node)
        if isinstance(result, list):
            self.invalid.add(place)
            # What follows from an expression without a value is reported already, at the expression.
            unknown = self.substitution.unknown_in(tree)
            below = {"NC011": unknown}
            places = self.findings.unknown
            self.findings.add(p for p in result if p.span not in below.get(p.code, places))
            return None
        return result

    def _places(self) -> dict[str, Span]:
        places: dict[str, Span] = {}
        pending: list[tuple[str, YamlTree]] = [
            (key, self.tree.entries[key]) for key in SECTIONS if key != "layers" and key in self.tree.entries
        ]
        while pending:
            path, tree = pending.pop()
            places[path] = tree.span
            if isinstance(tree, YamlDict):
                pending += [(f"{path}.{key}", value) for key, value in tree.entries.items()]
        return places

    def _error(self, code: str, message: str, span: Span, help: str = "") -> None:
        self.findings.report(code, message, span, help)


class OutputFields(Fields):
    """An output: the node, and whether it serves training alone."""

    principal: ClassVar[str | None] = "name"

    name: str = Field(description="the node whose tensor the network returns")
    train_only: Flag = Field(default=False, description="an auxiliary head: no part of inference")
    when: Flag = Field(default=True, description="false leaves the output out")


_IMPORTED = ("imports", "defaults", "blocks")
"""The sections of a file that is imported."""


def _renamed(places: Mapping[str, Span], path: str, to: str) -> dict[str, Span]:
    """Return the places at a path and below it, by another path."""
    below = {name: span for name, span in places.items() if f"{name}.".startswith(f"{path}.")}
    return {to + name[len(path) :]: span for name, span in below.items()}


def _place(finding: Diagnostic) -> tuple[str, int, int]:
    span = finding.span
    return (span.file, span.line, span.column) if span else ("", 0, 0)


def _first_mapping(tree: YamlTree) -> YamlDict | None:
    """Return the tree or the first element below it that is a mapping."""
    match tree:
        case YamlDict():
            return tree
        case YamlList(items):
            return next(filter(None, map(_first_mapping, items)), None)
    return None
