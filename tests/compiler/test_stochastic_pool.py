"""What rank-based stochastic pooling draws; its mean is a matter of the conformance tests."""

import jax
import numpy as np
import pytest

from netcalc.compiler.network import compile_graph
from netcalc.graph import build_complete
from netcalc.spec.load import parse_spec

COUNT = 20_000
KEY = jax.random.key(5)


def pool(x, fields, *, key=KEY, train=True):
    """Return one stochastic pooling of x, of shape (batch, length, channels)."""
    net = compile_graph(
        build_complete(parse_spec(f"input: {list(x.shape[1:])}\nlayers: [{{stochastic_pool: {fields}}}]"))
    )
    return np.array(net.apply({}, {}, x.astype("float32"), train=train, key=key)[0])


def check_shares(drawn, shares):
    """Assert how often each value was drawn, within 5 standard errors; no other value is."""
    assert set(np.unique(drawn)) <= set(shares)
    for value, share in shares.items():
        assert abs(np.mean(drawn == value) - share) < 5 * np.sqrt(share * (1 - share) / drawn.size) + 1e-9


@pytest.mark.parametrize("alpha", [0.2, 0.5, 0.9])
def test_ranks_are_drawn_by_their_probability(alpha):
    weights = np.array([alpha * (1 - alpha) ** r for r in range(4)])
    shares = dict(zip((40.0, 30.0, 20.0, -10.0), weights / weights.sum(), strict=True))
    x = np.tile(np.array([20, -10, 40, 30]), COUNT)[np.newaxis, :, np.newaxis]
    check_shares(pool(x, f"{{kernel: 4, alpha: {alpha}}}"), shares)


def test_only_the_input_is_ranked():
    # Windows of 3 with one element of padding: two ranks, of probability 2/3 and 1/3. All values are negative, so
    # that a zero of padding would win.
    x = np.tile([[[-1.0], [-2.0]]], (COUNT, 1, 1))
    check_shares(pool(x, "{kernel: 3, stride: 3, padding: [[1, 0]]}"), {-1.0: 2 / 3, -2.0: 1 / 3})


def test_channels_windows_and_samples_draw_apart():
    x = np.tile([[0.0], [1.0]], (3, 20, 40))
    drawn = pool(x, "2")
    assert drawn.shape == (3, 20, 40)
    assert all(drawn.std(axis).min() > 0 for axis in ((0, 1), (0, 2), (1, 2)))
    assert not np.array_equal(drawn[0], drawn[1])


def test_the_key_decides_and_inference_needs_none():
    x = np.random.default_rng(0).normal(size=(2, 40, 3))
    assert np.array_equal(pool(x, "2"), pool(x, "2"))
    assert not np.array_equal(pool(x, "2"), pool(x, "2", key=jax.random.key(6)))
    with pytest.raises(ValueError, match="`stochastic_pool1` draws random numbers in training"):
        pool(x, "2", key=None)
    assert pool(x, "2", key=None, train=False).shape == (2, 20, 3)


def test_the_mean_of_many_draws_is_the_inference():
    x = np.tile(np.random.default_rng(0).normal(size=(1, 6, 1)), (COUNT, 1, 1))
    draws = pool(x, "{kernel: 3, alpha: 0.3}")
    mean = pool(x[:1], "{kernel: 3, alpha: 0.3}", train=False)
    assert np.all(np.abs(draws.mean(0) - mean[0]) < 5 * draws.std(0) / np.sqrt(COUNT))
