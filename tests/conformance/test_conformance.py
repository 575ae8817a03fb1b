import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from netcalc.analysis.cost import forward_macs
from netcalc.compiler.context import Context
from netcalc.compiler.initialize import initial_params, initial_state
from netcalc.compiler.lowering.table import LOWERINGS
from netcalc.layers.catalog import LAYERS
from tests.conformance.jaxpr_macs import count_macs
from tests.conformance.oracle import ORACLES
from tests.conformance.rows import ALL_ROWS, ROWS, Row

BATCH = 2
MODES = pytest.mark.parametrize("train", [False, True], ids=["inference", "training"])
EVERY_ROW = pytest.mark.parametrize("row", ALL_ROWS, ids=str)


def lower(row, train):
    """Return the row's lowering as a function of arrays alone."""
    ctx = Context(train, jax.random.key(0))

    def forward(params, state, inputs):
        return LOWERINGS[type(row.node.spec.layer)](row.node, params, state, *inputs, ctx=ctx)

    return forward


def shapes(row):
    """Return params, state and inputs as shapes alone."""
    facts = row.node.known
    return (
        {name: jax.ShapeDtypeStruct(spec.shape, spec.dtype) for name, spec in facts.params.items()},
        {name: jax.ShapeDtypeStruct(spec.shape, spec.dtype) for name, spec in facts.state.items()},
        [jax.ShapeDtypeStruct((BATCH, *shape), "float32") for shape in row.shapes],
    )


def values(row):
    """Return params, state and inputs; not the initial ones, which would hide a bias of 0 and a scale of 1."""
    random = np.random.default_rng(1)
    params, state, inputs = shapes(row)
    return (
        {name: random.normal(size=spec.shape).astype(spec.dtype) for name, spec in params.items()},
        {name: random.uniform(0.5, 1.5, spec.shape).astype(spec.dtype) for name, spec in state.items()},
        [random.normal(size=spec.shape).astype(spec.dtype) for spec in inputs],
    )


@dataclass(frozen=True)
class Run:
    output: jax.Array
    state: Mapping[str, jax.Array]
    gradients: Any


@functools.cache
def run(row: Row) -> dict[bool, Run]:
    """Apply a row's lowering forward and backward, in inference and in training, as one compiled function."""
    weights = np.random.default_rng(2).normal(size=(BATCH, *row.node.known.output.shape)).astype("float32")

    def both(params, state, inputs):
        def one(train):
            def loss(params, inputs):
                output, kept = lower(row, train)(params, state, inputs)
                return jnp.sum(output * weights), (output, kept)

            gradients, (output, kept) = jax.grad(loss, argnums=(0, 1), has_aux=True)(params, inputs)
            return output, kept, gradients

        return one(False), one(True)

    return dict(zip((False, True), (Run(*parts) for parts in jax.jit(both)(*values(row))), strict=True))


def test_every_layer_has_rows_a_lowering_and_an_oracle():
    assert set(ROWS) == set(LAYERS)
    assert all(ROWS.values())
    assert set(LOWERINGS) == set(LAYERS.values())
    assert set(ORACLES) == set(LAYERS)


@MODES
@EVERY_ROW
def test_output_is_as_inferred(row, train):
    params, state, inputs = shapes(row)
    output, kept = jax.eval_shape(lower(row, train), params, state, inputs)
    inferred = row.node.known.output
    assert (output.shape, output.dtype) == ((BATCH, *inferred.shape), inferred.dtype)
    assert kept == (state if train and state else {})


@EVERY_ROW
def test_initial_values_are_as_inferred(row):
    params, state, _ = shapes(row)
    drawn = jax.eval_shape(lambda key: initial_params(row.graph, key), jax.random.key(0))
    started = jax.eval_shape(lambda: initial_state(row.graph))
    assert drawn.get("node", {}) == params
    assert started.get("node", {}) == state


@EVERY_ROW
def test_state_starts_at_its_constant(row):
    started = initial_state(row.graph).get("node", {})
    assert {name: set(np.ravel(array).tolist()) for name, array in started.items()} == {
        name: {spec.start} for name, spec in row.node.known.state.items()
    }


@MODES
@EVERY_ROW
def test_macs_are_those_of_the_jaxpr(row, train):
    jaxpr = jax.make_jaxpr(lower(row, train))(*shapes(row))
    assert count_macs(jaxpr) == BATCH * forward_macs(row.node.known)


@MODES
@EVERY_ROW
def test_gradients_are_finite_and_reach_everything(row, train):
    by_parameter, by_input = run(row)[train].gradients
    assert set(by_parameter) == set(row.node.known.params)
    for gradient in jax.tree.leaves((by_parameter, by_input)):
        assert np.isfinite(gradient).all()
        assert np.any(gradient)


def is_random(row, train):
    """Tell whether the row draws numbers that matter; tests/compiler has tests of what they do."""
    layer = row.node.spec.layer
    if row.kind in ("dropout", "spatial_dropout", "drop_path"):
        return train and layer.rate > 0
    return train and row.kind == "stochastic_pool" and layer.alpha < 1


@pytest.mark.parametrize(
    ("row", "train"),
    [(row, train) for row in ALL_ROWS for train in (False, True) if not is_random(row, train)],
    ids=lambda value: {False: "inference", True: "training"}.get(value, str(value)),
)
def test_values_are_those_of_the_oracle(row, train):
    got = run(row)[train]
    params, state, inputs = jax.tree.map(np.float64, values(row))
    expected = ORACLES[row.kind](row.node.spec.layer, params, state, train, *inputs)
    np.testing.assert_allclose(got.output, expected.output, rtol=1e-5, atol=1e-5)
    assert set(got.state) == set(expected.state)
    for name, array in expected.state.items():
        np.testing.assert_allclose(got.state[name], array, rtol=1e-5, atol=1e-5)
    assert expected.multiplies == BATCH * forward_macs(row.node.known)
