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


def test_gradient_passes_what_was_kept():
    net = compile_graph(build_complete(parse_spec("input: [50]\nlayers: [{dropout: 0.25}]")))

    def total(x):
        y, _ = net.apply({}, {}, x, train=True, key=KEY)
        return y.sum(), y

    gradient, y = jax.grad(total, has_aux=True)(np.ones((1, 50), "float32"))
    assert np.array_equal(gradient, y)
    assert 0 < np.count_nonzero(gradient) < 50
