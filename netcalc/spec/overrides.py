"""`--set PATH=VALUE`: one value of a spec replaced before it is expanded."""

from __future__ import annotations

from dataclasses import replace

from netcalc.choice import Fields, OneOf
from netcalc.diagnostics import SET, Diagnostic, Span, SpecError, did_you_mean
from netcalc.layers.catalog import LAYERS
from netcalc.spec.blocks import BLOCK_KEYS
from netcalc.spec.nodes import GROUPS, WIRING, node_kind
from netcalc.spec.sections import MODELS, SECTIONS
from netcalc.spec.source import YamlDict, YamlList, YamlScalar, YamlTree, parse_yaml
from netcalc.spec.validation import field_model, is_mapping


def override(tree: YamlTree, assignment: str) -> YamlTree:
    """Return the tree with `path.to.key=value` carried out; the value is YAML.

    Parameters and layers must exist; a layer is addressed by its node's name (`layers.c3.filters`). Other keys
    may be new and are checked with the rest of the spec. Raises SpecError for a path that leads nowhere.
    """
    path, equals, text = assignment.partition("=")
    steps = path.strip().split(".")
    origin = Span(f"{SET}{path.strip()}", 1, 1, 1, 1)
    if not equals or not all(steps):
        raise _error("an override is written PATH=VALUE, such as train.epochs=3", origin)
    value = parse_yaml(text, origin.file)
    if not isinstance(tree, YamlDict):
        return tree
    if steps[0] not in SECTIONS:
        raise _error(f"the spec has no `{steps[0]}`", origin, did_you_mean(steps[0], SECTIONS))
    if steps[0] == "layers" and len(steps) > 1:
        layers = tree.entries.get("layers", tree)
        return tree.replaced(
            "layers", _in_layers(layers, steps[1:], value, origin), tree.keys.get("layers", origin)
        )
    if steps[0] == "params" and len(steps) > 1:
        params = tree.entries.get("params")
        known = params.entries if isinstance(params, YamlDict) else {}
        if steps[1] not in known:
            raise _error(f"the spec has no parameter `{steps[1]}`", origin, did_you_mean(steps[1], known))
    _require(tree, steps, origin)
    section = tree.entries.get(steps[0], YamlScalar(None, origin))
    changed = _assign(section, steps[1:], value, origin, MODELS.get(steps[0]))
    return tree.replaced(steps[0], changed, tree.keys.get(steps[0], origin))


def _require(tree: YamlDict, steps: list[str], origin: Span) -> None:
    """Raise SpecError for a block, a block's parameter or a layer with defaults that does not exist."""
    match steps:
        case ["defaults", layer, *_] if layer not in LAYERS:
            raise _error(f"unknown layer `{layer}`", origin, did_you_mean(layer, LAYERS))
        case ["blocks", name, *rest]:
            section = tree.entries.get("blocks")
            blocks = section.entries if isinstance(section, YamlDict) else {}
            if name not in blocks:
                raise _error(f"the spec has no block `{name}`", origin, did_you_mean(name, blocks))
            block = blocks[name]
            if not isinstance(block, YamlDict) or not rest:
                return
            if rest[0] not in BLOCK_KEYS:
                raise _error(f"a block has no `{rest[0]}`", origin, did_you_mean(rest[0], BLOCK_KEYS))
            params = block.entries.get("params")
            known = params.entries if isinstance(params, YamlDict) else {}
            if rest[0] == "params" and len(rest) > 1 and rest[1] not in known:
                message = f"the block `{name}` has no parameter `{rest[1]}`"
                raise _error(message, origin, did_you_mean(rest[1], known))
            if rest[0] == "defaults" and len(rest) > 1 and rest[1] not in LAYERS:
                raise _error(f"unknown layer `{rest[1]}`", origin, did_you_mean(rest[1], LAYERS))


def _assign(
    tree: YamlTree, steps: list[str], value: YamlTree, origin: Span, model: type[Fields] | None
) -> YamlTree:
    """Replace the value below the tree; `model` tells what a short form of it stands for."""
    if not steps:
        return value
    step, *rest = steps
    if isinstance(tree, YamlList) and not (model and step in model.model_fields):
        items = list(tree.items)
        if step not in map(str, range(len(items))):
            raise _error(f"`{step}` is no index of a list of {len(items)}", origin)
        items[int(step)] = _assign(items[int(step)], rest, value, origin, None)
        return replace(tree, items=tuple(items))
    fields = _fields(tree, step, origin, model)
    field = model.model_fields.get(step) if model else None
    inner = fields.entries.get(step, YamlScalar(None, origin))
    of_field = field_model(field.annotation) if field else None
    if rest and field is not None and is_mapping(field.annotation):
        changed = _assign_by_name(inner, rest, value, origin, of_field)
    else:
        changed = _assign(inner, rest, value, origin, of_field)
    return fields.replaced(step, changed, fields.keys.get(step, origin))


def _assign_by_name(
    tree: YamlTree, steps: list[str], value: YamlTree, origin: Span, model: type[Fields] | None
) -> YamlTree:
    """Replace a value in a mapping from names to models, such as `train.losses`."""
    name, *rest = steps
    named = tree if isinstance(tree, YamlDict) else YamlDict({}, {}, tree.span)
    changed = _assign(named.entries.get(name, YamlScalar(None, origin)), rest, value, origin, model)
    return named.replaced(name, changed, named.keys.get(name, origin))


def _fields(tree: YamlTree, step: str, origin: Span, model: type[Fields] | None) -> YamlDict:
    """Return the mapping that the tree is or stands for, ready to take a value for `step`."""
    if model is not None and issubclass(model, OneOf):
        if step not in model.model_fields:
            raise _error(f"`{step}` is no choice here", origin, did_you_mean(step, model.model_fields))
        # Another choice than the written one replaces it.
        chosen = isinstance(tree, YamlDict) and step in tree.entries
        return tree if isinstance(tree, YamlDict) and chosen else YamlDict({}, {}, tree.span)
    if isinstance(tree, YamlDict):
        return tree
    empty = YamlDict({}, {}, tree.span)
    if isinstance(tree, YamlScalar) and tree.value is None:
        return empty
    if model is None or model.principal is None:
        raise _error(f"`{step}` is sought in a value that has no fields", origin)
    return empty.replaced(model.principal, tree, tree.span)


def _in_layers(tree: YamlTree, steps: list[str], value: YamlTree, origin: Span) -> YamlTree:
    """Replace something below a list of nodes; the first step names a node of it."""
    if not isinstance(tree, YamlList):
        raise _error("there is no list of layers here", origin)
    counts: dict[str, int] = {}
    names = []
    for index, item in enumerate(tree.items):
        kind, name = _kind_and_name(item, counts)
        names.append(name)
        if steps[0] in (name, str(index)):
            changed = _in_node(item, kind, steps[1:], value, origin)
            return replace(tree, items=(*tree.items[:index], changed, *tree.items[index + 1 :]))
    raise _error(f"no node `{steps[0]}` in this list", origin, did_you_mean(steps[0], names))


def _kind_and_name(item: YamlTree, counts: dict[str, int]) -> tuple[str, str]:
    entries = item.entries if isinstance(item, YamlDict) else {}
    kinds = node_kind(entries) if entries else [str(item.value)] if isinstance(item, YamlScalar) else []
    kind = kinds[0] if len(kinds) == 1 else ""
    counts[kind] = counts.get(kind, 0) + 1
    match entries.get("name"):
        case YamlScalar(str(name)):
            return kind, name
    return kind, f"{kind}{counts[kind]}"


def _in_node(item: YamlTree, kind: str, steps: list[str], value: YamlTree, origin: Span) -> YamlTree:
    if not steps:
        return value
    if isinstance(item, YamlScalar):
        item = YamlDict({kind: YamlDict({}, {}, item.span)}, {kind: item.span}, item.span)
    if not isinstance(item, YamlDict) or not kind:
        raise _error("this node cannot be read", origin)
    if steps[0] in WIRING:
        wiring = item.entries.get(steps[0], YamlScalar(None, origin))
        changed = _assign(wiring, steps[1:], value, origin, None)
        return item.replaced(steps[0], changed, item.keys.get(steps[0], origin))
    body = item.entries[kind]
    if kind in GROUPS:
        if kind == "parallel" and steps == ["merge"]:
            entries = (
                body if isinstance(body, YamlDict) else YamlDict({"branches": body}, {"branches": origin}, origin)
            )
            return item.replaced(kind, entries.replaced("merge", value, origin), item.keys[kind])
        return item.replaced(kind, _in_group(body, steps, value, origin), item.keys[kind])
    return item.replaced(kind, _assign(body, steps, value, origin, LAYERS.get(kind)), item.keys[kind])


def _in_group(body: YamlTree, steps: list[str], value: YamlTree, origin: Span) -> YamlTree:
    if isinstance(body, YamlList) and not _is_branches(body):
        # `residual: [...]` is its body: residual1.body.conv1, and residual1.conv1 for a sequence.
        return _in_layers(body, steps[1:] if steps[0] == "body" else steps, value, origin)
    step, *rest = steps
    if isinstance(body, YamlDict) and step in body.entries and step not in ("branches",):
        inner = body.entries[step]
        changed = _in_layers(inner, rest, value, origin) if rest and isinstance(inner, YamlList) else value
        return body.replaced(step, changed, body.keys[step])
    branches = body.entries.get("branches") if isinstance(body, YamlDict) else body
    changed = _in_branches(branches, step, rest, value, origin)
    return body.replaced("branches", changed, origin) if isinstance(body, YamlDict) else changed


def _is_branches(tree: YamlList) -> bool:
    return bool(tree.items) and all(isinstance(item, YamlList) for item in tree.items)


def _in_branches(tree: YamlTree | None, step: str, rest: list[str], value: YamlTree, origin: Span) -> YamlTree:
    if isinstance(tree, YamlDict) and step in tree.entries:
        inner = _in_layers(tree.entries[step], rest, value, origin) if rest else value
        return tree.replaced(step, inner, tree.keys[step])
    if isinstance(tree, YamlList):
        names = [f"branch{index + 1}" for index in range(len(tree.items))]
        if step in names:
            index = names.index(step)
            inner = _in_layers(tree.items[index], rest, value, origin) if rest else value
            return replace(tree, items=(*tree.items[:index], inner, *tree.items[index + 1 :]))
        raise _error(f"no branch `{step}`", origin, did_you_mean(step, names))
    known = tree.entries if isinstance(tree, YamlDict) else ()
    raise _error(f"the group has no `{step}`", origin, did_you_mean(step, known))


def _error(message: str, span: Span, help: str = "") -> SpecError:
    return SpecError([Diagnostic("NC016", message, span, help)])
