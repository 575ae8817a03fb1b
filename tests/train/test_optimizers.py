"""Each optimizer against its equations: 50 steps on a random quadratic in float64."""

import typing
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from netcalc.analysis.optimizers import OPTIMIZERS, kept_elements, update_flops
from netcalc.layers.base import ParamSpec
from netcalc.layers.initializer import initializer
from netcalc.spec.training import OptimizerSpec, UpdateSpec
from netcalc.train.methods import make_method
from tests.train.update_equations import EQUATIONS

STEPS = 50
SHAPE = (2, 3)


@pytest.fixture
def _float64():
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


def param(shape, axes, role):
    return ParamSpec(shape, axes, role, initializer("zeros"))


KINDS = {"kernel": param((2, 3), "io", "weight"), "bias": param((3,), "o", "bias")}


def facts(params):
    """Tell by its name what each parameter is."""
    return jax.tree_util.tree_map_with_path(lambda path, leaf: KINDS[path[-1].key], params)


@pytest.fixture
def quadratic():
    rng = np.random.default_rng(3)
    root = rng.normal(size=(6, 6))
    hessian = root @ root.T / 6 + 0.1 * np.eye(6)
    target, start = rng.normal(size=SHAPE), rng.normal(size=SHAPE)
    return lambda theta: (hessian @ (theta - target).ravel()).reshape(SHAPE), start


FIELDS = {
    "gd": {"learning_rate": 0.07},
    "sgd": {"learning_rate": 0.07},
    "momentum": {"learning_rate": 0.03, "momentum": 0.8},
    "nesterov": {"learning_rate": 0.03, "momentum": 0.8},
    "rud": {"learning_rate": 0.03, "momentum": 0.8},
    "adagrad": {"learning_rate": 0.1, "epsilon": 1e-3, "initial_accumulator": 0.02},
    "adadelta": {"learning_rate": 0.7, "rho": 0.8, "epsilon": 1e-3},
    "rmsprop": {"learning_rate": 0.02, "decay": 0.8, "epsilon": 1e-3},
    "adam": {"learning_rate": 0.05, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3},
    "adamax": {"learning_rate": 0.05, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3},
    "adamw": {"learning_rate": 0.05, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3, "weight_decay": 0.03},
    "nadam": {"learning_rate": 0.05, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3},
    "radam": {"learning_rate": 0.05, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3},
    "lion": {"learning_rate": 0.02, "beta1": 0.8, "beta2": 0.95, "weight_decay": 0.03},
    "lars": {"learning_rate": 0.5, "momentum": 0.8, "trust": 0.01, "weight_decay": 0.03},
    "lamb": {"learning_rate": 0.02, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3, "weight_decay": 0.03},
    "muon": {"learning_rate": 0.02, "momentum": 0.8, "epsilon": 1e-3, "weight_decay": 0.03},
    "schedule_free": {"learning_rate": 0.1, "momentum": 0.8},
}
"""Values that no default has, so that one that is not read shows."""

DECAYING = ("adamw", "lion", "lars", "lamb", "muon")

CHANGING = 1 + 0.5 * np.cos(np.arange(STEPS))
RATES = {"constant": np.ones(STEPS), "changing": CHANGING}


def spec_of(name, dialect):
    fields = dict(FIELDS[name])
    if name == "adamax" and dialect in ("notes", "paper"):
        del fields["epsilon"]
    return OptimizerSpec.model_validate({name: fields | ({} if dialect is None else {"dialect": dialect})})


def run(spec, gradient, start, rates):
    """Return the point that is handed out after as many updates as there are rates."""
    method = make_method(spec, facts)

    @jax.jit
    def update(params, state, gradients, rate):
        updates, state = method.at(rate).update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    params = {"kernel": jnp.array(start)}
    state = method.at(rates[0]).init(params)
    for rate in rates:
        params, state = update(params, state, {"kernel": gradient(params["kernel"])}, rate)
    return np.asarray(method.eval_params(state, params)["kernel"])


def of_equations(name, dialect, quadratic, rates):
    gradient, start = quadratic
    return EQUATIONS[name, dialect](gradient, start, rates, spec_of(name, dialect).chosen)


@pytest.mark.usefixtures("_float64")
@pytest.mark.parametrize("kind", RATES)
@pytest.mark.parametrize(("name", "dialect"), EQUATIONS)
def test_fifty_steps_agree_with_the_equations(name, dialect, kind, quadratic):
    spec = spec_of(name, dialect)
    rates = spec.chosen.learning_rate * RATES[kind]
    found = run(spec, *quadratic, rates)
    np.testing.assert_allclose(found, of_equations(name, dialect, quadratic, rates), rtol=0, atol=1e-10)


def dialects(name):
    """Return the dialects of an optimizer, None where it has none."""
    field = OptimizerSpec.model_fields[name].annotation.__args__[0].model_fields.get("dialect")
    return (None,) if field is None else typing.get_args(field.annotation)


def test_every_optimizer_and_dialect_has_its_equation():
    assert {
        (name, dialect) for name in OptimizerSpec.model_fields for dialect in dialects(name)
    } == EQUATIONS.keys()


@pytest.mark.parametrize("name", [name for name in OptimizerSpec.model_fields if dialects(name) != (None,)])
def test_dialects_differ(name, quadratic):
    """Of the equations themselves: what the test above tells apart."""
    rates = FIELDS[name]["learning_rate"] * CHANGING
    points = [of_equations(name, dialect, quadratic, rates) for dialect in dialects(name)]
    distinct = {tuple(np.round(point.ravel(), 8)) for point in points}
    equal_by_design = {"nesterov": 3, "adam": 3, "adamax": 3, "adamw": 3, "nadam": 3}
    assert len(distinct) == equal_by_design.get(name, 2)


def test_the_default_dialect_is_the_notes_where_they_have_the_method():
    own = {name: OptimizerSpec.model_validate(name).chosen.dialect for name in FIELDS if dialects(name) != (None,)}
    assert {name for name, dialect in own.items() if dialect == "notes"} == {
        "momentum", "nesterov", "adagrad", "rmsprop", "adamax"
    }  # fmt: skip
    assert own["adam"] == "paper"
    assert {own[name] for name in ("adamw", "nadam", "radam", "lars")} == {"optax"}


@pytest.mark.usefixtures("_float64")
@pytest.mark.parametrize(
    ("name", "matrix", "radius"),
    [
        ("momentum", [[0.7, 0.9], [-0.3, 0.9]], 0.9487),
        ("nesterov", [[0.7, 0.63], [-0.3, 0.63]], 0.7937),
        ("rud", [[0.7, 0.6], [-0.3, 0.6]], 0.7746),
    ],
)
def test_the_iteration_matrix_on_a_parabola(name, matrix, radius):
    """Of (θ, v) for J = ½hθ² at α = 0.3, h = 1, γ = 0.9, seen through two updates from a start at rest."""
    method = make_method(OptimizerSpec.model_validate({name: {"learning_rate": 0.3, "momentum": 0.9}}))
    params = {"w": jnp.ones(())}
    state = method.at(0.3).init(params)
    seen = [np.array([1.0, 0.0])]
    for _ in range(12):
        updates, state = method.at(0.3).update(params, state, params)  # the gradient is the point itself
        params = optax.apply_updates(params, updates)
        seen.append(np.array([method.eval_params(state, params)["w"], state.v["w"]]))
    for before, after in pairwise(seen):
        np.testing.assert_allclose(np.array(matrix) @ before, after, atol=1e-12)
    assert max(abs(np.linalg.eigvals(np.array(matrix)))) == pytest.approx(radius, abs=5e-5)
    # The points shrink as the radius says: over many steps, by its power.
    tail = np.linalg.norm(np.linalg.matrix_power(np.array(matrix), 400) @ seen[0]) ** (1 / 400)
    assert tail == pytest.approx(radius, rel=0.01)


@pytest.mark.parametrize("name", ["nesterov", "rud", "schedule_free"])
def test_some_hand_out_another_point_than_they_keep(name, quadratic):
    gradient, start = quadratic
    method = make_method(OptimizerSpec.model_validate(name))
    params = {"w": jnp.array(start)}
    state = method.at(0.1).init(params)
    for _ in range(2):
        updates, state = method.at(0.1).update({"w": gradient(params["w"])}, state, params)
        params = optax.apply_updates(params, updates)
    assert not np.allclose(method.eval_params(state, params)["w"], params["w"], rtol=1e-3)


def test_adadelta_goes_down():
    """With optax's own default it would climb: the sign is turned with the rate."""
    method = make_method(OptimizerSpec.model_validate("adadelta"))
    params = {"w": jnp.ones(3)}
    updates, _ = method.at(1.0).update({"w": jnp.ones(3)}, method.at(1.0).init(params), params)
    assert (updates["w"] < 0).all()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_never_had_a_gradient_stays_where_it_is(name):
    """Such as the weight of a pixel that is black in every image."""
    method = make_method(OptimizerSpec.model_validate(name), facts)
    params = {"kernel": jnp.ones((2, 3)), "bias": jnp.ones(3)}
    state = method.at(0.1).init(params)
    for _ in range(3):
        gradients = {"kernel": jnp.zeros((2, 3)), "bias": jnp.array([0.0, 1.0, -1.0])}
        updates, state = method.at(0.1).update(gradients, state, params)
        params = optax.apply_updates(params, updates)
    decayed = name == "adamw"  # the one that decays weights unless told otherwise
    kernel = method.eval_params(state, params)["kernel"]
    np.testing.assert_allclose(kernel, (1 - 0.1 * 0.01) ** 3 if decayed else 1, rtol=1e-6)
    bias = method.eval_params(state, params)["bias"]
    assert np.isfinite(bias).all()
    assert bias[0] == pytest.approx(1, rel=1e-6)
    assert bias[1] < 1 < bias[2]


@pytest.mark.parametrize("name", DECAYING)
def test_decay_is_of_weights_alone(name):
    def step(decay):
        method = make_method(OptimizerSpec.model_validate({name: {"weight_decay": decay}}), facts)
        params = {"kernel": jnp.arange(6.0).reshape(2, 3), "bias": jnp.ones(3)}
        gradients = {"kernel": jnp.full((2, 3), 0.1).at[0].set(0.2), "bias": jnp.full(3, 0.1)}
        updates, _ = method.at(0.1).update(gradients, method.at(0.1).init(params), params)
        return jax.tree.map(np.asarray, updates)

    none, much = step(0.0), step(0.5)
    np.testing.assert_array_equal(none["bias"], much["bias"])
    assert not np.allclose(none["kernel"], much["kernel"], rtol=1e-3)


@pytest.mark.parametrize("name", ["lars", "lamb"])
def test_the_ratio_of_norms_is_of_weights_alone(name):
    """A bias takes the step that the method without the ratio takes."""
    plain = {"lars": {"momentum": 0.1}, "lamb": {"adam": {"learning_rate": 0.1, "epsilon": 1e-6}}}[name]
    gradients = {"kernel": jnp.full((2, 3), 0.1), "bias": jnp.full(3, 0.1)}
    params = {"kernel": jnp.full((2, 3), 5.0), "bias": jnp.full(3, 5.0)}
    steps = []
    for spec in ({name: 0.1}, plain):
        method = make_method(OptimizerSpec.model_validate(spec), facts)
        steps.append(method.at(0.1).update(gradients, method.at(0.1).init(params), params)[0])
    np.testing.assert_allclose(steps[0]["bias"], steps[1]["bias"], rtol=1e-6)
    assert not np.allclose(steps[0]["kernel"], steps[1]["kernel"], rtol=0.1)


@pytest.mark.parametrize(
    ("shape", "axes", "flat"),
    [
        ((3, 3, 4, 8), "hwio", lambda k: k.reshape(1, 36, 8)),
        ((8, 3, 3, 4), "ohwi", lambda k: np.moveaxis(k, 0, -1).reshape(1, 36, 8)),
        ((5, 4, 6), "igo", lambda k: np.moveaxis(k, 1, 0)),
    ],
)
def test_muon_takes_kernels_as_matrices_of_inputs_by_outputs(shape, axes, flat):
    spec = param(shape, axes, "weight")
    method = make_method(OptimizerSpec.model_validate("muon"), lambda tree: jax.tree.map(lambda _: spec, tree))
    gradient = np.random.default_rng(0).normal(size=shape)
    params = {"kernel": jnp.zeros(shape)}
    updates, _ = method.at(1.0).update({"kernel": jnp.array(gradient)}, method.at(1.0).init(params), params)
    for found, start in zip(flat(np.asarray(updates["kernel"])), flat(gradient), strict=True):
        u, _, vt = np.linalg.svd(start, full_matrices=False)
        scale = np.sqrt(max(1, found.shape[1] / found.shape[0]))
        # Five iterations bring singular values near 1, no nearer: the subspaces are the gradient's own.
        values = np.diag(-u.T @ found @ vt.T) / scale
        assert (values > 0.6).all()
        assert (values < 1.3).all()
        np.testing.assert_allclose(-u @ np.diag(values * scale) @ vt, found, atol=1e-4)


ARITHMETIC = {
    "add", "sub", "mul", "div", "neg", "integer_pow", "square", "sqrt", "rsqrt", "pow", "max", "abs", "sign"
}  # fmt: skip


def arithmetic(jaxpr, matrices=1):
    """Count the arithmetic operations of a jaxpr on arrays, in their sums and in products.

    Those on numbers are left out, a number for each of several matrices too.
    """
    count = 0
    for equation in jaxpr.eqns:
        name, inputs, given = equation.primitive.name, equation.invars, equation.outvars[0].aval
        repeats = equation.params.get("length", 1) if name == "scan" else 1
        # optax raises g to the first power and adds an ε of zero inside Adam's root.
        is_identity = equation.params.get("y") == 1 or (name == "add" and getattr(inputs[-1], "val", None) == 0)
        if name in ARITHMETIC and not is_identity:
            count += given.size if given.size > matrices else 0
        elif name == "reduce_sum":
            count += inputs[0].aval.size
        elif name == "dot_general":
            ((contracted, _), _) = equation.params["dimension_numbers"]
            count += 2 * given.size * inputs[0].aval.shape[contracted[0]]
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", None)
            count += repeats * arithmetic(inner, matrices) if inner is not None else 0
    return count


NORMS_TWICE = {"lars": 4, "lamb": 4}
"""optax takes each norm twice, once of a vector that is never zero, for the sake of its gradient."""


COSTED = {
    "wide": param((2, 5), "io", "weight"),
    "tall": param((3, 5, 2, 7), "hwio", "weight"),
    "gates": param((5, 4, 3), "igo", "weight"),
    "bias": param((7,), "o", "bias"),
}


@pytest.mark.parametrize("kind", COSTED)
@pytest.mark.parametrize(
    ("name", "decay"), [*((name, None) for name in OPTIMIZERS), *((name, 0.1) for name in DECAYING)]
)
def test_the_cost_of_an_update_is_what_optax_keeps_and_computes(name, kind, decay):
    spec = COSTED[kind]
    fields = {} if decay is None else {"weight_decay": decay}
    update = UpdateSpec.model_validate({"optimizer": {name: fields}})
    method = make_method(update.optimizer, lambda tree: jax.tree.map(lambda _: spec, tree))
    params = {"it": jnp.ones(spec.shape)}
    state = method.at(0.1).init(params)
    # Scalars, such as Adam's number of steps, are no slots, nor are Muon's three coefficients.
    kept = sum(leaf.size for leaf in jax.tree.leaves(state) if leaf.shape == spec.shape)
    assert kept == kept_elements(update, [spec])

    def step(gradient, state, params):
        updates, state = method.at(0.1).update(gradient, state, params)
        return optax.apply_updates(params, updates), state

    computed = arithmetic(jax.make_jaxpr(step)(params, state, params).jaxpr, matrices=4 if kind == "gates" else 1)
    twice = NORMS_TWICE.get(name, 0) * spec.size if spec.role == "weight" else 0
    assert computed - twice == update_flops(update, [spec])


def test_an_average_is_kept_and_computed_beside():
    plain, averaged = ({"optimizer": "lamb", **extra} for extra in ({}, {"ema": 0.9}))
    params = list(KINDS.values())
    plain, averaged = (UpdateSpec.model_validate(fields) for fields in (plain, averaged))
    assert kept_elements(averaged, params) - kept_elements(plain, params) == 9
    assert update_flops(averaged, params) - update_flops(plain, params) == 3 * 9
