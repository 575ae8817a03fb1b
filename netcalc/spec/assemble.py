"""A tree and its overrides to a NetworkSpec: every section read, every error collected."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import BeforeValidator, Field

from netcalc.choice import Fields
from netcalc.diagnostics import Diagnostic, Span, SpecError, did_you_mean
from netcalc.layers.base import PositiveInt, TensorType
from netcalc.layers.catalog import LAYERS
from netcalc.spec.budgets import Budgets
from netcalc.spec.compose import FlatNode, flatten, substituted
from netcalc.spec.expressions import Value
from netcalc.spec.network import NAME, InputSpec, NetworkSpec, NodeSpec
from netcalc.spec.overrides import SECTIONS
from netcalc.spec.source import YamlDict, YamlList, YamlScalar, YamlTree, plain
from netcalc.spec.training import TrainingSpec
from netcalc.spec.validation import validate

F = TypeVar("F", bound=Fields)


class InputFields(Fields):
    """One input: the shape of a sample, channels last, and its dtype."""

    principal: ClassVar[str | None] = "shape"

    shape: Annotated[
        tuple[PositiveInt, ...],
        BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value),
        Field(min_length=1, max_length=4),
    ] = Field(description="[height, width, channels], [length, channels] or [depth, height, width, channels]")
    dtype: Literal["float32", "uint8"] = Field(default="float32", description="type of the elements")


def assemble(tree: YamlTree, file: str) -> NetworkSpec:
    """Return the network that a tree describes; raises SpecError with everything that is wrong with it."""
    return _Reader(tree, file).read()


class _Reader:
    """Reads the sections of one spec and collects what is wrong."""

    def __init__(self, tree: YamlTree, file: str) -> None:
        self.file = file
        self.problems: list[Diagnostic] = []
        if not isinstance(tree, YamlDict) or not tree.entries:
            message = "a spec is a mapping with `input` and `layers`"
            raise SpecError([Diagnostic("NC012", message, tree.span)])
        self.tree = tree
        self.params: Mapping[str, Value] = {}

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
        inputs = self._inputs()
        nodes: list[NodeSpec] = []
        outputs: tuple[str, ...] = ()
        layers = self.tree.entries.get("layers")
        if layers is None:
            self._error("NC012", "the spec needs `layers`", self.tree.span, "a list of layers")
        else:
            flat, problems, lookup = flatten(
                layers, tuple(i.name for i in inputs), self.params, resolved=self._resolved()
            )
            self.problems += problems
            nodes = [node for node in map(self._node, flat) if node is not None]
            if not flat and not problems:
                self._error("NC012", "the network has no layers", layers.span)
            outputs = self._outputs({node.name: lookup(node.name) for node in flat}, lookup, flat)
        train = self._model(TrainingSpec, "train")
        budgets = self._model(Budgets, "budgets")
        name = self._name()
        if self.problems:
            raise SpecError(dict.fromkeys(self.problems))
        return NetworkSpec(
            name,
            inputs,
            tuple(nodes),
            outputs,
            self.params,
            train,
            budgets or Budgets(),
            self.file,
            self._places(),
        )

    def _section(self, key: str) -> YamlTree | None:
        tree = self.tree.entries.get(key)
        return None if tree is None else substituted(tree, self.params, self.problems)

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
            elif isinstance(value, YamlDict):
                self._error("NC011", f"the parameter `{key}` should be a value or a list", value.span)
            else:
                params[key] = plain(substituted(value, params, self.problems))
        return params

    def _name(self) -> str:
        tree = self._section("name")
        if tree is None:
            stem = PurePath(self.file).stem
            return stem if NAME.fullmatch(stem) else "network"
        name = plain(tree)
        if isinstance(name, str) and NAME.fullmatch(name):
            return name
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
        found = []
        for name, tree in many.entries.items():
            fields = self._filled(InputFields, tree, name)
            if not NAME.fullmatch(name):
                self._error("NC011", f"`{name}` is no name for an input", many.keys[name])
            elif fields is not None:
                found.append(InputSpec(name, TensorType(fields.shape, fields.dtype)))
        return tuple(found)

    def _node(self, flat: FlatNode) -> NodeSpec | None:
        layer = self._filled(LAYERS[flat.kind], flat.fields, flat.kind, node=flat.name)
        if layer is None:
            return None
        places = flat.fields.entries if isinstance(flat.fields, YamlDict) else {}
        spans = {key: tree.span for key, tree in places.items()}
        if layer.principal is not None and not isinstance(flat.fields, YamlDict):
            spans[layer.principal] = flat.fields.span
        return NodeSpec(flat.name, layer, flat.inputs, flat.span, flat.path, flat.trainable, spans)

    def _outputs(self, names: Mapping[str, object], lookup: object, flat: list[FlatNode]) -> tuple[str, ...]:
        tree = self._section("outputs")
        if tree is None:
            return (flat[-1].name,) if flat else ()
        assert callable(lookup)
        found: list[str] = []
        for item in tree.items if isinstance(tree, YamlList) else (tree,):
            node = lookup(str(plain(item)))
            if node not in names:
                self._error(
                    "NC020",
                    f"no node `{plain(item)}` for an output",
                    item.span,
                    did_you_mean(str(plain(item)), names),
                )
            elif node in found:
                self._error("NC021", f"`{plain(item)}` is already an output", item.span)
            else:
                found.append(node)
        return tuple(found)

    def _model(self, model: type[F], key: str) -> F | None:
        tree = self._section(key)
        return None if tree is None else self._filled(model, tree, key)

    def _filled(self, model: type[F], tree: YamlTree, what: str, node: str = "") -> F | None:
        result = validate(model, tree, what, node)
        if isinstance(result, list):
            self.problems += result
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
        self.problems.append(Diagnostic(code, message, span, help))
