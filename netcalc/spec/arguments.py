"""What the parameters of a block are where it is used."""

from __future__ import annotations

from collections.abc import Mapping

from netcalc.diagnostics import did_you_mean
from netcalc.spec.blocks import Block
from netcalc.spec.expressions import UNKNOWN, Value
from netcalc.spec.items import Item
from netcalc.spec.source import YamlDict, YamlScalar, YamlTree, plain
from netcalc.spec.substitution import Substitution


def block_arguments(
    block: Block, item: Item, names: Mapping[str, Value], substitution: Substitution
) -> dict[str, Value]:
    """Return the values of a block's parameters where it is used; `names` are those of its user.

    They are all that the block sees, with the `index` of its repetition.
    """
    given = _given(block, item, names, substitution)
    values: dict[str, Value] = {"index": names["index"]} if "index" in names else {}
    if given is None:
        return values | dict.fromkeys(block.params, UNKNOWN)
    for name, default in block.params.items():
        if name in given:
            tree = given[name]
        elif isinstance(default, YamlScalar) and default.value is None:
            help = f"`{name}` has no default at {block.span.file}:{block.span.line}"
            substitution.findings.report("NC012", f"the block `{block.name}` needs `{name}`", item.span, help)
            values[name] = UNKNOWN
            continue
        else:
            tree = substitution.apply(default, values)
        if isinstance(tree, YamlDict):
            substitution.findings.report("NC011", f"`{name}` should be a value or a list", tree.span)
        known = substitution.is_known(tree) and not isinstance(tree, YamlDict)
        values[name] = plain(tree) if known else UNKNOWN
    return values


def _given(
    block: Block, item: Item, names: Mapping[str, Value], substitution: Substitution
) -> Mapping[str, YamlTree] | None:
    body = item.body
    if isinstance(body, YamlScalar) and body.value is None:
        return {}
    if not isinstance(body, YamlDict):
        message = f"the block `{block.name}` takes its parameters by name"
        help = f"write `{block.name}: {{{', '.join(f'{name}: ...' for name in block.params)}}}`"
        substitution.findings.report("NC011", message, body.span, help)
        return None
    for name in body.entries:
        if name not in block.params:
            message = f"unknown parameter `{name}` of the block `{block.name}`"
            substitution.findings.report("NC010", message, body.keys[name], did_you_mean(name, block.params))
    known = {name: tree for name, tree in body.entries.items() if name in block.params}
    return {name: substitution.apply(tree, names) for name, tree in known.items()}
