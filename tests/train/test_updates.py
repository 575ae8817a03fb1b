"""What a spec adds to an update: bounds on gradients, an average, a layout, a precision, what is computed anew."""

import functools
from collections import Counter
from dataclasses import replace
from itertools import islice

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from netcalc.data.pipeline import training_batches
from netcalc.spec.dump import dump_spec
from netcalc.spec.load import parse_spec
from netcalc.spec.training import UpdateSpec
from netcalc.train.layout import KernelLayout, layout_for
from netcalc.train.optimizers import make_updater
from netcalc.train.plan import make_plan
from netcalc.train.step import evaluated_params, initial_train_state, make_train_step
from tests.train.specs import CONVNET, SHORT, graph_of

KERNELS = """
name: kernels
input: [8, 8, 1]
layers:
  - {conv: {filters: 6, kernel: 3, padding: same, bias: false}, name: first}
  - batch_norm
  - relu
  - {depthwise_conv: {kernel: [3, 2], multiplier: 2, padding: same}, name: depthwise}
  - {conv: {filters: 8, kernel: [1, 3], groups: 4}, name: grouped}
  - tanh
  - {max_pool: 2}
  - {conv_transpose: {filters: 5, kernel: 3, stride: 2}, name: transposed}
  - relu
  - flatten
  - {dense: 10, name: scores}
train: {data: digits, batch_size: 32, optimizer: {nesterov: {learning_rate: 0.02, momentum: 0.9}}}
"""


# Bounds and averages, against NumPy


def run_updates(update, gradients, start):
    """Return the parameters that are kept and those that are evaluated, after each update."""
    optimizer = make_updater(UpdateSpec.model_validate(update))
    params = {name: jnp.asarray(value) for name, value in start.items()}
    state = optimizer.transform.init(params)
    seen = []
    for gradient in gradients:
        updates, state = optimizer.transform.update(
            {name: jnp.asarray(value) for name, value in gradient.items()}, state, params
        )
        params = optax.apply_updates(params, updates)
        seen.append((params, optimizer.eval_params(state, params)))
    return seen


@pytest.fixture
def start():
    random = np.random.default_rng(1)
    return {"w": random.normal(size=(3, 4)).astype("float32"), "b": random.normal(size=4).astype("float32")}


@pytest.fixture
def gradients(start):
    """Of norms from far below to far above 1."""
    random = np.random.default_rng(2)
    return [
        {name: (scale * random.normal(size=value.shape)).astype("float32") for name, value in start.items()}
        for scale in (0.01, 0.1, 1.0, 10.0, 0.2)
    ]


def assert_close(found, expected):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), found, expected)


def by_norm(gradient, most):
    norm = np.sqrt(sum(np.sum(np.square(value)) for value in gradient.values()))
    return {name: value * min(1.0, most / norm) for name, value in gradient.items()}


def by_value(gradient, most):
    return {name: np.clip(value, -most, most) for name, value in gradient.items()}


@pytest.mark.parametrize(("what", "most", "bound"), [("norm", 0.7, by_norm), ("value", 0.3, by_value)])
def test_gradients_are_bounded_before_the_optimizer(what, most, bound, start, gradients):
    momentum = {"momentum": {"learning_rate": 0.1, "momentum": 0.8}}
    found = run_updates({"clip": {what: most}, "optimizer": momentum}, gradients, start)
    theta, v = dict(start), {name: np.zeros_like(value) for name, value in start.items()}
    for gradient, (params, evaluated) in zip(gradients, found, strict=True):
        g = bound(gradient, most)
        v = {name: 0.8 * v[name] - 0.1 * g[name] for name in v}
        theta = {name: theta[name] + v[name] for name in v}
        assert_close(params, theta)
        assert_close(evaluated, theta)


def test_the_norm_is_that_of_all_gradients_together(start):
    gradient = {"w": np.full((3, 4), 1.0, "float32"), "b": np.full(4, 1.0, "float32")}  # of norm 4
    ((params, _),) = run_updates({"clip": {"norm": 2.0}, "optimizer": {"sgd": 1.0}}, [gradient], start)
    assert_close(params, {name: start[name] - 0.5 * gradient[name] for name in start})


def test_what_is_evaluated_is_a_moving_average_that_starts_at_the_initial_parameters(start, gradients):
    found = run_updates({"ema": 0.75, "optimizer": {"sgd": 0.1}}, gradients, start)
    theta, average = dict(start), dict(start)
    for gradient, (params, evaluated) in zip(gradients, found, strict=True):
        theta = {name: theta[name] - 0.1 * gradient[name] for name in theta}
        average = {name: 0.75 * average[name] + 0.25 * theta[name] for name in theta}
        assert_close(params, theta)
        assert_close(evaluated, average)


def test_the_average_is_of_the_points_that_an_optimizer_hands_out(start, gradients):
    nesterov = {"nesterov": {"learning_rate": 0.1, "momentum": 0.8}}
    found = run_updates({"ema": 0.6, "optimizer": nesterov}, gradients, start)
    plain = run_updates({"optimizer": nesterov}, gradients, start)
    average = dict(start)
    for (_, evaluated), (_, theta) in zip(found, plain, strict=True):
        average = {name: 0.6 * average[name] + 0.4 * np.asarray(theta[name]) for name in average}
        assert_close(evaluated, average)


def test_a_decay_of_zero_averages_nothing(start, gradients):
    found = run_updates({"ema": 0, "optimizer": {"sgd": 0.1}}, gradients, start)
    for params, evaluated in found:
        assert_close(evaluated, params)


def test_an_average_of_bfloat16_parameters_follows_them_in_small_steps():
    start = {"w": jnp.full(3, 0.5, "bfloat16")}
    # Steps of 1/16 are exact in bfloat16; beside 0.5 it rounds 0.001 · 0.5 to nothing, and a decay of 0.999 to 1.
    gradients = [{"w": np.full(3, 1 / 16, "float32").astype(start["w"].dtype)}] * 4
    found = run_updates({"ema": 0.999, "optimizer": {"sgd": 1.0}}, gradients, start)
    theta = average = 0.5
    for params, evaluated in found:
        theta -= 1 / 16
        average = 0.999 * average + 0.001 * theta
        assert params["w"].dtype == jnp.bfloat16
        np.testing.assert_array_equal(params["w"].astype("float32"), theta)
        np.testing.assert_allclose(evaluated["w"], average, rtol=1e-6)


def test_bounds_and_average_together(start, gradients):
    found = run_updates({"ema": 0.5, "clip": {"norm": 1.0}, "optimizer": {"sgd": 0.1}}, gradients, start)
    theta, average = dict(start), dict(start)
    for gradient, (_, evaluated) in zip(gradients, found, strict=True):
        g = by_norm(gradient, 1.0)
        theta = {name: theta[name] - 0.1 * g[name] for name in theta}
        average = {name: 0.5 * (average[name] + theta[name]) for name in theta}
        assert_close(evaluated, average)


# Whole steps


@functools.cache
def trained(text, *overrides, steps=3, filters_first=None):
    """Return the mean loss of each step, what is evaluated before the first and after the last, and the state."""
    plan = make_plan(graph_of(text, *overrides))
    recipe = plan.recipe
    if filters_first is not None:
        recipe = replace(recipe, layout=KernelLayout(plan.graph, filters_first))
    optimizer = make_updater(plan.spec)
    step, current = make_train_step(recipe, optimizer), initial_train_state(recipe, optimizer)
    # A copy: the step takes over the arrays of the state that it is given.
    start, losses = jax.tree.map(np.array, evaluated_params(recipe, optimizer, current)), []
    for images, labels in islice(training_batches(plan.dataset.train, plan.spec.batch_size, 0, 1), steps):
        current, sums = step(current, plan.recipe.meter.zero(), images, labels)
        losses.append(sums.means()["loss"])
    return losses, start, evaluated_params(recipe, optimizer, current), current


def length(tree):
    return float(np.sqrt(sum(np.sum(np.square(leaf)) for leaf in jax.tree.leaves(tree))))


def distance(found, expected, start):
    """Return how far two trainings from one start lie apart, as a share of the way that the second went."""
    apart, way = (jax.tree.map(lambda a, b: a - b, expected, other) for other in (found, start))
    return length(apart) / length(way)


def test_kernels_in_another_order_train_the_same_network():
    losses, start, params, current = trained(KERNELS)
    turned_losses, _, turned_params, turned = trained(KERNELS, filters_first=True)
    np.testing.assert_allclose(turned_losses, losses, rtol=1e-5)
    assert jax.tree.map(jnp.shape, turned_params) == jax.tree.map(jnp.shape, params)
    assert distance(turned_params, params, start) < 1e-3
    assert_close(turned.state, current.state)
    # The kept kernels and the optimizer's values are indeed in the other order.
    shapes = {name: (current.params[name]["kernel"].shape, turned.params[name]["kernel"].shape)
              for name in ("first", "depthwise", "grouped", "transposed", "scores")}  # fmt: skip
    assert shapes == {
        "first": ((3, 3, 1, 6), (6, 3, 3, 1)),
        "depthwise": ((3, 2, 1, 12), (12, 3, 2, 1)),
        "grouped": ((1, 3, 3, 8), (8, 1, 3, 3)),
        "transposed": ((3, 3, 8, 5), (5, 3, 3, 8)),
        "scores": ((315, 10), (315, 10)),
    }
    traces = [leaf.shape for leaf in jax.tree.leaves(turned.optimizer)]
    assert (12, 3, 2, 1) in traces
    assert (3, 2, 1, 12) not in traces


def test_the_order_of_kernels_is_the_device_s():
    graph = graph_of(KERNELS)
    for platform, filters_first in (("cpu", False), ("tpu", False), ("gpu", True), ("cuda", True), ("rocm", True)):
        assert layout_for(graph, platform).filters_first == filters_first
    layout = KernelLayout(graph, filters_first=True)
    params = make_plan(graph).network.init(jax.random.key(0))[0]
    jax.tree.map(np.testing.assert_array_equal, layout.logical(layout.stored(params)), params)


@pytest.mark.parametrize("text", [KERNELS, SHORT], ids=["kernels", "short"])
def test_what_is_computed_anew_gives_the_same_gradients(text):
    losses, start, params, current = trained(text)
    again_losses, _, again_params, again = trained(text, "train.remat=conv_outputs")
    np.testing.assert_allclose(again_losses, losses, rtol=1e-5)
    assert distance(again_params, params, start) < 1e-3
    assert_close(again.state, current.state)


def primitives(jaxpr):
    """Count the primitives of a jaxpr and of those inside it, by name."""
    counts = Counter(equation.primitive.name for equation in jaxpr.eqns)
    for equation in jaxpr.eqns:
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            counts += primitives(inner) if hasattr(inner, "eqns") else Counter()
    return counts


def test_convolutions_are_not_computed_anew():
    def step_of(remat):
        plan = make_plan(graph_of(KERNELS, f"train.remat={remat}"))
        optimizer = make_updater(plan.spec)
        current = initial_train_state(plan.recipe, optimizer)
        images, labels = next(iter(training_batches(plan.dataset.train, 4, 0, 1)))
        step = make_train_step(plan.recipe, optimizer)
        return primitives(jax.make_jaxpr(step)(current, plan.recipe.meter.zero(), images, labels).jaxpr)

    plain, anew = step_of("none"), step_of("conv_outputs")
    for product in ("conv_general_dilated", "dot_general"):
        assert anew[product] == plain[product] > 0
    # Statistics of the batch norm and the tanh are.
    assert anew["reduce_sum"] > plain["reduce_sum"]
    assert anew["tanh"] > plain["tanh"]


@pytest.mark.parametrize(
    ("precision", "kept", "computed"),
    [("float32", "float32", "float32"), ("mixed", "float32", "bfloat16"), ("bfloat16", "bfloat16", "bfloat16")],
)
@pytest.mark.parametrize("optimizer", ["nesterov: 0.01", "adam: 1e-3"])
def test_precision(precision, kept, computed, optimizer):
    overrides = f"train.optimizer={{{optimizer}}}", "train.ema=0.9"
    losses, _, params, current = trained(SHORT, *overrides, f"train.precision={precision}")
    exact, start, exact_params, _ = trained(SHORT, *overrides)
    assert {leaf.dtype for leaf in jax.tree.leaves(current.params)} == {jnp.dtype(kept)}
    values = [leaf for leaf in jax.tree.leaves(current.optimizer.inner) if leaf.ndim]
    assert {leaf.dtype for leaf in values} == {jnp.dtype("float32")}
    assert {leaf.dtype for leaf in jax.tree.leaves(current.optimizer.average)} == {jnp.dtype("float32")}
    # Statistics, and what is evaluated and saved, are float32 in any case.
    assert {leaf.dtype for leaf in jax.tree.leaves((current.state, params))} == {jnp.dtype("float32")}
    np.testing.assert_allclose(losses, exact, rtol=0.03)
    if precision != "bfloat16":  # whose rounding of the initial parameters is a longer way than three steps
        assert distance(params, exact_params, start) < (1e-6 if precision == "float32" else 0.5)
    plan = make_plan(graph_of(SHORT, *overrides, f"train.precision={precision}"))
    x = jnp.zeros((2, 8, 8, 1))
    outputs, _ = plan.network.apply(params, current.state, x, train=True, key=jax.random.key(0))
    assert outputs.dtype == jnp.dtype(computed)


def test_adams_second_moment_falls_with_parameters_in_bfloat16():
    """bfloat16 rounds a decay of 0.999 to 1: kept in it, the moment would stay as large as it ever was."""
    updater = make_updater(UpdateSpec.model_validate({"optimizer": "adam", "precision": "bfloat16"}))
    params = {"w": jnp.ones(3, "bfloat16")}
    state = updater.transform.init(params)
    moments = []
    for gradient in [10.0] * 10 + [0.0] * 1000:
        _, state = updater.transform.update({"w": jnp.full(3, gradient, "bfloat16")}, state, params)
        moments.append(float(optax.tree_utils.tree_get(state, "nu")["w"][0]))
    assert moments[-1] == pytest.approx(moments[9] * 0.999**1000, rel=1e-3)


def test_a_step_changes_the_parameters_in_bfloat16():
    _, start, exact, _ = trained(CONVNET, "train.optimizer={sgd: 0.5}", steps=1)
    _, _, after, _ = trained(CONVNET, "train.optimizer={sgd: 0.5}", "train.precision=bfloat16", steps=1)
    assert distance(after, exact, start) < 0.2


# Specs


def test_the_resolved_spec_keeps_what_is_new():
    text = KERNELS.replace("batch_size: 32", "clip: {norm: 1.5}, ema: 0.99, precision: mixed, remat: conv_outputs")
    graph = graph_of(text)
    again = parse_spec(dump_spec(graph.spec), "again.yaml")
    assert again.train == graph.spec.train
    assert (again.train.clip.norm, again.train.clip.value) == (1.5, None)
    assert (again.train.ema, again.train.precision, again.train.remat) == (0.99, "mixed", "conv_outputs")
    bare = parse_spec(dump_spec(graph_of(KERNELS).spec), "again.yaml").train
    assert (bare.clip, bare.ema, bare.precision, bare.remat) == (None, None, "float32", "none")
