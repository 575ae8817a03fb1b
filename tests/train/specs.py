"""Small networks for training tests."""

from netcalc.graph import Graph, build_complete
from netcalc.spec.load import parse_spec

CONVNET = """
name: small
input: [8, 8, 1]
layers:
  - conv: {filters: 16, kernel: 3, padding: same}
  - relu
  - max_pool: 2
  - flatten
  - dense: 10
train:
  data: digits
  batch_size: 32
  epochs: 4
  optimizer: {adam: {learning_rate: 3e-3}}
"""

BRANCHING = """
name: branching
input: [8, 8, 1]
layers:
  - {conv: {filters: 8, kernel: 3, padding: same, bias: false}, name: stem}
  - {batch_norm: , name: shared}
  - relu
  - parallel:
      branches:
        wide: [{conv: {filters: 8, kernel: 3, padding: same}}, relu]
        narrow: [{conv: {filters: 8, kernel: 1}}, relu]
  - {residual: {body: [{conv: {filters: 16, kernel: 3, padding: same}}, {dropout: 0.2}]}, name: mixed}
  - {concat: , from: [mixed, shared]}
  - global_avg_pool
  - {dense: 10, name: scores}
  - softmax
train:
  data: {source: digits}
  batch_size: 64
  epochs: 2
  optimizer: {nesterov: {learning_rate: 0.01, momentum: 0.9}}
"""

SHORT = """
name: short
input: [8, 8, 1]
layers:
  - {conv: {filters: 4, kernel: 3, stride: 2, bias: false}, name: stem}
  - {batch_norm: , name: shared}
  - relu
  - {dropout: 0.2}
  - flatten
  - {dense: 10, name: scores}
train:
  data: digits
  batch_size: 64
  steps: 5
  optimizer: nesterov
"""
"""State, dropout and an update, compiled in little time; the first five batches have one size."""

DENSE = """
name: dense
input: [8, 8, 1]
layers: [flatten, {dense: 32}, relu, {dense: 10}]
train: {data: digits, batch_size: 32, epochs: 1}
"""


def graph_of(text: str, *overrides: str) -> Graph:
    """Return the complete graph of a spec."""
    return build_complete(parse_spec(text, "small.yaml", overrides))
