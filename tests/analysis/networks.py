"""Networks as YAML text for tests of the report."""

from __future__ import annotations

from netcalc.analysis.report import Report, analyze_graph
from netcalc.graph import build
from netcalc.spec.load import parse_spec

NESTED = """\
name: nested
input: [16, 16, 3]
params: {width: 8}
layers:
  - conv: {filters: $width, kernel: 3, padding: same}
  - residual:
      body:
        - {conv: {filters: $width, kernel: 3, padding: same, bias: false}, name: inner}
        - batch_norm
        - relu
      shortcut: [{conv: {filters: $width, kernel: 1}}]
  - residual: [{conv: {filters: 8, kernel: 3, padding: same}}, tanh]
    name: short
  - parallel:
      branches:
        - [{conv: {filters: 4, kernel: 1}}]
        - [{conv: {filters: 4, kernel: 1}}, {max_pool: {kernel: 3, stride: 1, padding: 1}}]
  - parallel:
      - [sigmoid]
      - [relu, {residual: {body: [{sequence: [{conv: {filters: 8, kernel: 1}}, tanh]}]}}]
  - parallel:
      branches: {left: [tanh], right: [relu, {residual: {body: [{sequence: [sigmoid]}]}}]}
      merge: add
  - {sequence: [{conv: {filters: 4, kernel: 3}}, relu], repeat: 2, name: stage}
  - {dense: 6, trainable: false}
  - global_avg_pool
  - {dense: 10, name: logits}
  - softmax
outputs: [softmax1, stage]
"""

TWO_INPUTS = """\
name: siamese
inputs: {left: [8, 8, 1], right: {shape: [8, 8, 1], dtype: uint8}}
layers:
  - {conv: {filters: 4, kernel: 3}, name: a, from: left}
  - {conv: {filters: 4, kernel: 3}, name: b, from: right}
  - {add: , from: [a, b]}
"""

MISFIT = """\
name: misfit
input: [8, 8, 3]
layers:
  - conv: {filters: 8, kernel: 3}
  - {conv: {filters: 10, kernel: 3, groups: 5}, name: wrong}
  - relu
outputs: [conv1, relu1]
"""


def report_of(text: str, batch: int = 1) -> Report:
    """Return the report of a spec."""
    return analyze_graph(build(parse_spec(text, "spec.yaml")), batch)
