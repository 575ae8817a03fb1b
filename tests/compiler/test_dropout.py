import jax
import numpy as np
import pytest

from netcalc.compiler.network import compile_graph
from netcalc.graph import build_complete
from netcalc.spec.load import parse_spec

COUNT = 20_000
KEY = jax.random.key(3)
TWO = """
input: [{count}]
layers: [{{dropout: {rate}}}, {{dropout: {rate}, from: input}}]
outputs: [dropout1, dropout2]
"""


def dropped(rate, key=KEY, train=True, count=COUNT, batch=1):
    """Return what two dropouts make of ones."""
    net = compile_graph(build_complete(parse_spec(TWO.format(rate=rate, count=count))))
    outputs, state = net.apply({}, {}, np.ones((batch, count), "float32"), train=train, key=key)
    assert state == {}
    return np.array(outputs["dropout1"]), np.array(outputs["dropout2"])


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_the_expected_share_is_dropped_and_the_rest_scaled(rate):
    one, _ = dropped(rate)
    share = np.mean(one == 0)
    assert abs(share - rate) < 5 * np.sqrt(rate * (1 - rate) / COUNT)
    np.testing.assert_allclose(one[one != 0], 1 / (1 - rate), rtol=1e-6)


def test_nodes_draw_independent_masks():
    one, two = dropped(0.5)
    assert abs(np.mean((one == 0) & (two == 0)) - 0.25) < 5 * np.sqrt(0.25 * 0.75 / COUNT)


def test_samples_draw_different_masks():
    one, _ = dropped(0.5, batch=2, count=100)
    assert not np.array_equal(one[0], one[1])


def test_the_key_decides():
    one, _ = dropped(0.5)
    assert np.array_equal(one, dropped(0.5)[0])
    assert not np.array_equal(one, dropped(0.5, jax.random.key(4))[0])


def test_inference_drops_nothing():
    one, two = dropped(0.5, key=None, train=False)
    assert np.all(one == 1)
    assert np.all(two == 1)


def test_training_needs_a_key_only_where_something_is_drawn():
    with pytest.raises(ValueError, match="`dropout1` draws random numbers in training: pass `key=` to apply"):
        dropped(0.5, key=None)
    assert np.all(dropped(0, key=None)[0] == 1)


def trained(layer, shape, batch, key=KEY):
    """Return what one layer makes of ones in training."""
    net = compile_graph(build_complete(parse_spec(f"input: {list(shape)}\nlayers: [{layer}]")))
    return np.array(net.apply({}, {}, np.ones((batch, *shape), "float32"), train=True, key=key)[0])


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize(
    ("kind", "shape", "batch", "shared"),
    [
        ("spatial_dropout", (3, 1000), 20, (1,)),
        ("spatial_dropout", (2, 3, 1000), 20, (1, 2)),
        ("spatial_dropout", (2, 1, 2, 1000), 20, (1, 2, 3)),
        ("drop_path", (3,), 20_000, (1,)),
        ("drop_path", (2, 2), 20_000, (1, 2)),
        ("drop_path", (2, 2, 1), 20_000, (1, 2, 3)),
    ],
)
def test_what_is_dropped_together_stands_or_falls_together(kind, shape, batch, shared, rate):
    y = trained(f"{{{kind}: {rate}}}", shape, batch)
    assert np.all(np.ptp(y, axis=shared) == 0)
    draws = np.max(y, axis=shared)
    np.testing.assert_allclose(draws[draws != 0], 1 / (1 - rate), rtol=1e-6)
    assert abs(np.mean(draws == 0) - rate) < 5 * np.sqrt(rate * (1 - rate) / draws.size)
    assert draws.ndim == 1 or np.any(draws[0] != draws[1])


@pytest.mark.parametrize("kind", ["spatial_dropout", "drop_path"])
def test_other_dropouts_need_a_key_in_training_alone(kind):
    net = compile_graph(build_complete(parse_spec(f"input: [4, 3]\nlayers: [{{{kind}: 0.5}}]")))
    x = np.ones((2, 4, 3), "float32")
    assert np.array_equal(net.apply({}, {}, x)[0], x)
    with pytest.raises(ValueError, match=f"`{kind}1` draws random numbers in training"):
        net.apply({}, {}, x, train=True)


def test_gradient_passes_what_was_kept():
    net = compile_graph(build_complete(parse_spec("input: [50]\nlayers: [{dropout: 0.25}]")))

    def total(x):
        y, _ = net.apply({}, {}, x, train=True, key=KEY)
        return y.sum(), y

    gradient, y = jax.grad(total, has_aux=True)(np.ones((1, 50), "float32"))
    assert np.array_equal(gradient, y)
    assert 0 < np.count_nonzero(gradient) < 50
