"""A NetworkSpec as flat YAML: every node named and wired, every default written out.

The text loads to the same network. `resolved: true` at its top allows the dotted names that groups give.
"""

from __future__ import annotations

from typing import Any

import yaml

from netcalc.spec.network import InputSpec, NetworkSpec, NodeSpec

_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def dump_spec(spec: NetworkSpec) -> str:
    """Return the resolved spec as YAML."""
    text: str = yaml.dump(
        spec_document(spec), Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=100, allow_unicode=True
    )
    return text


def spec_document(spec: NetworkSpec) -> dict[str, Any]:
    """Return the resolved spec as the mappings and lists of its YAML."""
    document: dict[str, Any] = {"resolved": True, "name": spec.name}
    if [item.name for item in spec.inputs] == ["input"]:
        document["input"] = _input(spec.inputs[0])
    else:
        document["inputs"] = {item.name: _input(item) for item in spec.inputs}
    document["layers"] = [_node(node) for node in spec.nodes]
    document["outputs"] = [
        {"name": output.node, "train_only": True} if output.train_only else output.node for output in spec.outputs
    ]
    if spec.train is not None:
        document["train"] = spec.train.model_dump(mode="json", exclude_none=True)
    budgets = spec.budgets.model_dump(mode="json", exclude_none=True)
    if budgets:
        document["budgets"] = budgets
    return document


def _input(item: InputSpec) -> dict[str, Any]:
    return {"shape": list(item.type.shape), "dtype": item.type.dtype}


def _node(node: NodeSpec) -> dict[str, Any]:
    fields = node.layer.model_dump(mode="json", exclude_none=True)
    entry: dict[str, Any] = {node.layer.kind: fields, "name": node.name}
    entry["from"] = node.inputs[0] if len(node.inputs) == 1 else list(node.inputs)
    if node.share is not None:
        entry["share"] = node.share
    if not node.trainable:
        entry["trainable"] = False
    return entry
