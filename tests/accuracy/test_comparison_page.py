"""The page on other tools: its figures are those that the tools printed, and netcalc's."""

from __future__ import annotations

import json

from netcalc.analysis.peer_tools import CONVENTIONS, VERSIONS
from tests.accuracy.cases import LAYER_CASES, NETWORKS, PEERS, predicted
from tests.conftest import ROOT

WHY = {
    "alexnet": "torchvision pools 6×6 to 6×6 before `flatten`",
    "vgg11": "torchvision pools 7×7 to 7×7 before `flatten`",
    "vgg16": "torchvision pools 7×7 to 7×7 before `flatten`",
    "googlenet": "`--written relu=function`",
    "inception_v3": "`--written relu=function`, and so the pooling in branches",
    "densenet121": "`--written relu2=function --written global_avg_pool=function`",
    "mobilenet_v2": "`--written global_avg_pool=function`",
    "shufflenet_v2_x1_0": "`--written global_avg_pool=method`",
    "convnext_tiny": "`--written layer_norm1=function` to `layer_norm5`: a class of torchvision's own",
}
"""What the spec does not tell of torchvision's code."""


def test_the_page_has_the_figures(golden) -> None:
    measured = json.loads(PEERS.read_text(encoding="utf-8"))
    tools = [convention.tool for convention in CONVENTIONS if convention.tool in measured["resnet50"]]
    printed, differing = [], []
    for name, network in NETWORKS.items():
        graph = network.graph()
        assert {tool: predicted(graph, network.written)[tool] for tool in tools} == measured[name]
        figures = [f"{measured[name][tool]['printed']:,}" for tool in tools]
        printed.append(f"| {name} | {' | '.join(figures)} |")
        plain = predicted(type(network)(name if name == "vgg11" else network.config).graph(), {})
        for tool in tools:
            ours, theirs = plain[tool]["printed"], measured[name][tool]["printed"]
            if ours != theirs:
                assert ours is not None
                figures = " | ".join((f"{theirs:,}", f"{ours:,}", f"{ours - theirs:+,}"))
                differing.append(f"| {name} | {tool} | {figures} | {WHY[name]} |")
        assert (name in WHY) == any(line.startswith(f"| {name} ") for line in differing)
    notes = [f"| {c.tool} | {c.unit or 'no figure'} | {c.note} |" for c in CONVENTIONS]
    versions = ", ".join(f"{tool} {version}" for tool, version in VERSIONS.items())
    page = f"""# Other tools

Two tools that agree on a network rarely print the same figure for it. `netcalc compare-tools SPEC` prints
what each of them would, without running it, and what makes the difference to netcalc's own
[MACs](counting.md):

```sh
netcalc compare-tools configs/resnet50.yaml
netcalc compare-tools configs/mobilenet_v2.yaml --written global_avg_pool=function --format json
```

A tool's convention is a rule for each kind of layer over its facts: input, output, parameters, kernels. No
rule knows a network. All figures are for batch 1 at inference.

| tool | unit | what it counts |
|---|---|---|
{chr(10).join(notes)}

## What a spec does not tell

Tools that hook modules see `nn.ReLU()` and not `F.relu(x)`; tools that trace see both, and neither sees
`x.mean(...)` as pooling. A spec says what a network computes, not how PyTorch code is written, so netcalc
takes every layer for a module of `torch.nn`, and sums for `+`. `--written LAYER=function` says that a layer,
or all of a kind, is called as a function, or by a class of its own, which hooks do not know either;
`--written LAYER=method` that it is a method or operator of the tensor. A layer that does nothing at
inference, such as adaptive pooling to the size that the map already has, can still be counted: it has to be
in the spec.

## Measured

Printed by the tools themselves for torchvision's networks at 224×224 (inception_v3 at 299×299), with
{versions}. netcalc's figures are the same in all {len(tools)} columns of all {len(NETWORKS)} networks, and so
are the parameters that each tool prints, once it is told what the next table names; so they are for
{len(LAYER_CASES)} single layers.

| network | {" | ".join(tools)} |
|---|{"--:|" * len(tools)}
{chr(10).join(printed)}

Where netcalc differs without being told, everything a module:

| network | tool | printed | netcalc | difference | what the spec does not tell |
|---|---|--:|--:|--:|---|
{chr(10).join(differing)}

`pip install -e '.[dev,peers]' && pytest -m slow tests/accuracy` measures again.

## Limits

- thop rounds the share of adaptive pooling down from floating point; where a window is no whole number it may
  print one less.
- A tool's figure for a layer that PyTorch does not have (`maxout`, `crelu`, `stochastic_pool`, `layer_scale`)
  depends on how it is written there; netcalc takes it for operators that no tool counts.
- XLA's own figure has elementwise work beside convolutions and dots, which depends on the compiler's version
  and device.
- timm's benchmark script takes DeepSpeed's figure instead of fvcore's where that is installed.
- Keras's PReLU has a slope for each element unless told otherwise, netcalc's one a channel.
"""
    golden(ROOT / "docs" / "comparison.md", page)
