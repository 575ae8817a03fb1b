"""Schedules against their closed forms in plain Python, update by update, and how an update takes them."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from netcalc.diagnostics import SpecError
from netcalc.spec.dump import dump_spec
from netcalc.spec.load import parse_spec
from netcalc.spec.schedules import ScheduleSpec
from netcalc.spec.training import UpdateSpec
from netcalc.train.factors import Pace
from netcalc.train.optimizers import make_updater
from netcalc.train.schedules import make_factor
from tests.train.specs import CONVNET, graph_of

PACE = Pace(steps_per_epoch=7, steps=70)


@pytest.fixture(autouse=True)
def _float64():
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


def sgdr(t, first, growth, end):
    length = first
    while t >= length:
        t, length = t - length, length * growth
    return end + (1 - end) * (1 + math.cos(math.pi * t / length)) / 2


def one_cycle(share, start, end, peak):
    if share < peak:
        return start + (1 - start) * (1 - math.cos(math.pi * share / peak)) / 2
    return end + (1 - end) * (1 + math.cos(math.pi * (share - peak) / (1 - peak))) / 2


FORMS = {
    "constant": ("constant", lambda t, total: 1.0),
    "step": ({"step": {"every_steps": 9, "factor": 0.3}}, lambda t, total: 0.3 ** (t // 9)),
    "step in epochs": ({"step": {"every_epochs": 2, "factor": 0.3}}, lambda t, total: 0.3 ** (t // 14)),
    "multistep": (
        {"multistep": {"steps": [5, 20, 21], "factor": 0.5}},
        lambda t, total: 0.5 ** ((t >= 5) + (t >= 20) + (t >= 21)),
    ),
    "multistep in epochs": (
        {"multistep": {"epochs": [1, 2.5]}},
        lambda t, total: 0.1 ** ((t >= 7) + (t >= 18)),  # 17.5 updates, rounded to the even
    ),
    "exponential": ({"exponential": {"every_steps": 1, "factor": 0.97}}, lambda t, total: 0.97**t),
    "exponential in epochs": ({"exponential": {"every_epochs": 1}}, lambda t, total: 0.95 ** (t / 7)),
    "inverse": ({"inverse": {"gamma": 0.01, "power": 0.6}}, lambda t, total: (1 + 0.01 * t) ** -0.6),
    "polynomial": (
        {"polynomial": {"power": 2, "end": 0.1}},
        lambda t, total: 0.1 + 0.9 * (1 - t / total) ** 2,
    ),
    "sigmoid": (
        {"sigmoid": {"gamma": 0.2, "center_steps": 30}},
        lambda t, total: 1 / (1 + math.exp(0.2 * (t - 30))),
    ),
    "sigmoid in epochs": (
        {"sigmoid": {"center_epochs": 3}},
        lambda t, total: 1 / (1 + math.exp(0.01 * (t - 21))),
    ),
    "cosine": ({"cosine": {"end": 0.05}}, lambda t, total: 0.05 + 0.95 * (1 + math.cos(math.pi * t / total)) / 2),
    "one_cycle": (
        {"one_cycle": {"start": 0.1, "end": 0.01, "peak": 0.4}},
        lambda t, total: one_cycle(t / total, 0.1, 0.01, 0.4),
    ),
    "sgdr": ({"sgdr": {"every_steps": 5, "growth": 3, "end": 0.02}}, lambda t, total: sgdr(t, 5, 3, 0.02)),
    "sgdr of one length": ({"sgdr": {"every_epochs": 2, "growth": 1}}, lambda t, total: sgdr(t, 14, 1, 0.0)),
    "warmup_stable_decay": (
        {"warmup_stable_decay": {"decay": 0.3, "end": 0.1}},
        lambda t, total: 1 - 0.9 * max(t / total - 0.7, 0) / 0.3,
    ),
    "plateau": ("plateau", lambda t, total: 1.0),  # what follows the loss comes on top
}


@pytest.mark.parametrize("warmup", [0, 10])
@pytest.mark.parametrize("name", FORMS)
def test_the_factor_of_every_update(name, warmup):
    form, closed = FORMS[name]
    (kind, fields) = (form, {}) if isinstance(form, str) else next(iter(form.items()))
    factor = jax.jit(make_factor(ScheduleSpec.model_validate({kind: {**fields, "warmup_steps": warmup}}), PACE))
    expected = [
        (t + 1) / warmup if t < warmup else closed(t - warmup, PACE.steps - warmup) for t in range(PACE.steps)
    ]
    np.testing.assert_allclose([factor(jnp.asarray(t)) for t in range(PACE.steps)], expected, rtol=1e-6)


def test_every_schedule_has_its_closed_form():
    assert {name.split()[0] for name in FORMS} == set(ScheduleSpec.model_fields)


def test_a_warmup_in_epochs():
    factor = make_factor(ScheduleSpec.model_validate({"constant": {"warmup_epochs": 1.5}}), PACE)
    assert [float(factor(t)) for t in (0, 8, 9, 10)] == pytest.approx([0.1, 0.9, 1, 1])  # 10.5 updates, to the even


@pytest.mark.parametrize("name", ["polynomial", "cosine", "one_cycle", "warmup_stable_decay"])
def test_beyond_the_end_the_rate_stays(name):
    factor = make_factor(ScheduleSpec.model_validate(name), PACE)
    assert float(factor(700)) == pytest.approx(float(factor(70)))


def test_a_warmup_longer_than_the_training_never_ends():
    factor = make_factor(ScheduleSpec.model_validate({"cosine": {"warmup_steps": 100}}), PACE)
    assert [float(factor(t)) for t in (0, 69)] == pytest.approx([0.01, 0.7])


def test_the_thirtieth_million_update_is_told_from_the_one_before():
    """Times are whole numbers: float32 has none between 2²⁴ and 2²⁴ + 2."""
    jax.config.update("jax_enable_x64", False)
    factor = make_factor(
        ScheduleSpec.model_validate({"step": {"every_steps": 30_000_001, "factor": 0.5}}), Pace(1, 10**9)
    )
    assert [float(factor(jnp.asarray(t, jnp.int32))) for t in (30_000_000, 30_000_001)] == [1.0, 0.5]


# In an update


def run(update, gradients, losses, pace=PACE):
    """Return the parameter after each update, from 1."""
    optimizer = make_updater(UpdateSpec.model_validate(update), pace=pace)
    params = {"w": jnp.ones(())}
    state = optimizer.transform.init(params)
    seen = []
    for gradient, loss in zip(gradients, losses, strict=True):
        updates, state = optimizer.transform.update({"w": jnp.asarray(gradient)}, state, params, loss=loss)
        params = optax.apply_updates(params, updates)
        seen.append(float(params["w"]))
    return seen


def test_each_update_has_the_rate_of_its_time():
    update = {"optimizer": {"sgd": 0.5}, "schedule": {"step": {"every_steps": 2, "factor": 0.5}}}
    steps = -np.diff([1.0, *run(update, [1.0] * 6, [0.0] * 6)])
    np.testing.assert_allclose(steps, [0.5, 0.5, 0.25, 0.25, 0.125, 0.125])


def test_a_rate_that_changes_is_inside_the_velocity_of_the_notes_and_outside_torch_s():
    def after(dialect):
        momentum = {"momentum": {"learning_rate": 1.0, "momentum": 0.5, "dialect": dialect}}
        update = {"optimizer": momentum, "schedule": {"multistep": {"steps": [1], "factor": 0.1}}}
        return run(update, [1.0, 0.0], [0.0, 0.0])[-1]

    assert after("notes") == pytest.approx(1 - 1 - 0.5)  # the first step's rate, halved with v
    assert after("torch") == pytest.approx(1 - 1 - 0.05)  # the second step's rate


def test_what_is_evaluated_does_not_depend_on_the_rate():
    """Nesterov's θ is behind the point of the gradient by γv, whatever rate v was made with."""
    nesterov = {"nesterov": {"learning_rate": 0.1, "momentum": 0.9}}
    optimizer = make_updater(
        UpdateSpec.model_validate({"optimizer": nesterov, "schedule": {"exponential": {"every_steps": 1}}}),
        pace=PACE,
    )
    theta, v = 1.0, 0.0
    params = {"w": jnp.ones(())}
    state = optimizer.transform.init(params)
    for t in range(20):
        v = 0.9 * v - 0.1 * 0.95**t * (theta + 0.9 * v)
        theta += v
        updates, state = optimizer.transform.update(params, state, params, loss=0.0)
        params = optax.apply_updates(params, updates)
        assert float(optimizer.eval_params(state, params)["w"]) == pytest.approx(
            theta, abs=1e-7
        )  # rates are float32


def plateau(losses, factor, patience, threshold, cooldown, end):
    """Yield the factor during each epoch, from the mean loss of each."""
    best, bad, calm, scale = math.inf, 0, 0, 1.0
    for loss in losses:
        yield scale
        bad = 0 if loss < (1 - threshold) * best else bad + 1
        best = min(best, loss) if loss < (1 - threshold) * best else best
        if calm > 0:
            calm, bad = calm - 1, 0
        elif bad == patience:
            bad, calm, scale = 0, cooldown, max(scale * factor, end)


@pytest.mark.parametrize("fields", [(0.5, 2, 0.01, 0, 0.0), (0.1, 1, 0.2, 2, 0.05), (0.3, 3, 1e-4, 1, 0.0)])
def test_a_plateau_lowers_the_rate_from_the_epoch_after(fields):
    epochs = np.array([5.0, 4.0, 4.2, 3.999, 4.1, 3.9, 3.9, 3.9, 3.0, 3.1, 3.2, 3.3, 3.4, 3.5, 3.6, 3.7, 3.8])
    within = np.array([0.5, -0.2, -0.3])  # of the three updates of an epoch around its mean
    losses = (epochs[:, None] + within).ravel()
    names = ("factor", "patience", "threshold", "cooldown", "end")
    update = {"optimizer": {"sgd": 1.0}, "schedule": {"plateau": dict(zip(names, fields, strict=True))}}
    steps = -np.diff([1.0, *run(update, [1.0] * len(losses), losses, Pace(3, len(losses)))])
    np.testing.assert_allclose(steps, np.repeat(list(plateau(epochs, *fields)), 3), rtol=1e-12)


def test_a_schedule_goes_on_where_its_state_was_left():
    """All that it needs is in the optimizer's state, a tree of arrays."""
    update = {"optimizer": {"momentum": 0.1}, "schedule": {"plateau": {"patience": 1, "warmup_steps": 5}}}
    optimizer = make_updater(UpdateSpec.model_validate(update), pace=Pace(2, 20))

    def go(params, state, losses):
        for loss in losses:
            updates, state = optimizer.transform.update(params, state, params, loss=loss)
            params = optax.apply_updates(params, updates)
        return params, state

    losses = [1.0] * 12
    start = {"w": jnp.ones(3)}
    whole, _ = go(start, optimizer.transform.init(start), losses)
    params, state = go(start, optimizer.transform.init(start), losses[:7])
    leaves, structure = jax.tree.flatten((params, state))
    assert all(isinstance(leaf, jax.Array) for leaf in leaves)
    stored = [np.asarray(leaf) for leaf in leaves]
    params, state = jax.tree.unflatten(structure, [jnp.asarray(leaf) for leaf in stored])
    np.testing.assert_array_equal(go(params, state, losses[7:])[0]["w"], whole["w"])


# Specs


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("step", "`every_epochs` or `every_steps`"),
        ("{step: {every_epochs: 1, every_steps: 2}}", "not both"),
        ("{multistep: {epochs: [3, 2]}}", "rising order"),
        ("{multistep: {steps: []}}", "at least one"),
        ("{multistep: {steps: [3], epochs: [2]}}", "not both"),
        ("{cosine: {warmup_epochs: 1, warmup_steps: 2}}", "not both"),
        ("{cosine: {end: 1.5}}", "less than or equal to 1"),
        ("{step: {every_steps: 0}}", "greater than 0"),
        ("{one_cycle: {peak: 1.0}}", "less than 1"),
        ("{sigmoid: {}}", "`center_epochs` or `center_steps`"),
        ("cosin", "did you mean"),
        ("{plateau: {factor: 1.0}}", "less than 1"),
        ("{exponential: {every_epochs: .nan}}", "finite"),
    ],
)
def test_what_is_wrong_with_a_schedule_is_said(written, words):
    with pytest.raises(SpecError) as error:
        graph_of(CONVNET, f"train.schedule={written}")
    (found,) = error.value.diagnostics
    assert words in f"{found.message} {found.help}"


def test_the_resolved_spec_keeps_the_schedule():
    graph = graph_of(CONVNET, "train.schedule={multistep: {epochs: [1, 2.5], warmup_epochs: 0.5}}")
    again = parse_spec(dump_spec(graph.spec), "again.yaml").train
    assert again == graph.spec.train
    assert again.schedule.chosen.epochs == (1.0, 2.5)
