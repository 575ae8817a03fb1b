"""The roofline: closed forms, what binds, and laws of a lower bound."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcalc.analysis.device_files import known_devices
from netcalc.analysis.devices import Device, Peak, find_device
from netcalc.analysis.roofline import (
    Work,
    bounds,
    cost_of,
    images_per_second,
    intensity,
    node_bounds,
    product_precision,
    ridge_point,
    seconds_for,
    total_seconds,
)

DEVICES = known_devices()
H100, V100, T4, V5E, MI250X = (find_device(name, DEVICES) for name in ("h100", "v100", "t4", "v5e", "mi250x-gcd"))


def toy(**changes: object) -> Device:
    """A device of 100 and 10 FLOP/s on matrix and vector units and 5 bytes/s, whose kernels take no time."""
    peak = Peak(float32=10, tensorfloat32=100, bfloat16=200)
    made = replace(
        H100,
        kind="tpu",
        bandwidth_bytes_per_second=5,
        peak=peak,
        float32_products="tensorfloat32",
        price_per_hour=None,
    )
    return replace(made, **changes)


@pytest.mark.parametrize(
    ("work", "seconds", "binds"),
    [
        (Work("a", "a", flops=1000, traffic_bytes=5), 10, "compute"),
        (Work("a", "a", flops=100, traffic_bytes=50), 10, "bandwidth"),
        (Work("a", "a", flops=100, traffic_bytes=5), 1, "compute"),  # at the ridge
        (Work("a", "a", flops=100, traffic_bytes=5, unit="vector"), 10, "compute"),
        (Work("a", "a", flops=0, traffic_bytes=5), 1, "bandwidth"),
        (Work("a", "a", flops=100, traffic_bytes=0), 1, "compute"),
        (Work("a", "a", flops=0, traffic_bytes=0), 0, None),
    ],
)
def test_the_larger_term_is_the_least_time(work: Work, seconds: float, binds: str | None) -> None:
    (bound,) = bounds([work], toy(), "float32")
    assert (bound.seconds, bound.binds) == (seconds, binds)


def test_a_product_of_two_matrices_on_an_h100() -> None:
    n = 4096
    (bound,) = bounds([Work("dot", "dense", 2 * n**3, 3 * 4 * n**2)], H100, "float32")
    assert bound.seconds == bound.compute_seconds == 2 * n**3 / 494.7e12
    assert bound.bandwidth_seconds == 12 * n**2 / 3.352e12
    assert intensity(bound.work) == n / 6
    assert ridge_point(H100, "matrix", "float32") == pytest.approx(494.7e12 / 3.352e12)
    assert ridge_point(H100, "vector", "float32") == pytest.approx(66.9e12 / 3.352e12)


def test_small_kernels_are_bound_by_their_launch() -> None:
    small = Work("add", "bias", 10, 120, "vector")
    one, three = bounds([small, replace(small, launches=3)], H100, "float32")
    assert (one.seconds, one.binds) == (1e-6, "launch")
    assert three.seconds == pytest.approx(3e-6)
    assert bounds([small], V5E, "float32")[0].launch_seconds is None


@pytest.mark.parametrize(
    ("device", "dtype", "precision"),
    [
        (H100, "float32", "tensorfloat32"), (H100, "bfloat16", "bfloat16"), (H100, "float16", "float16"),
        (V100, "float32", "float32"), (V100, "bfloat16", "float32"), (V100, "float16", "float16"),
        (T4, "bfloat16", "float32"), (V5E, "float32", "bfloat16"), (V5E, "float16", "bfloat16"),
        (MI250X, "float32", "float32_matrix"),
    ],
    ids=str,
)  # fmt: skip
def test_products_are_computed_as_jax_does_by_default(device: Device, dtype: str, precision: str) -> None:
    assert product_precision(device, dtype) == precision


def test_an_unknown_peak_leaves_the_other_terms() -> None:
    vector = Work("relu", "relu", 10**15, 819, "vector")
    (bound,) = bounds([vector], V5E, "bfloat16")
    assert (bound.compute_seconds, bound.seconds, bound.binds) == (None, 1e-9, "bandwidth")
    assert ridge_point(V5E, "vector", "float32") is None


def test_sums_over_nodes() -> None:
    work = [
        Work("conv", "a", 1000, 5),  # 10 s by compute
        Work("conv", "b", 0, 10),  # 2 s by bandwidth
        Work("bias", "a", 10, 60, "vector"),  # 12 s by bandwidth
        Work("relu", "a", 30, 5, "vector"),  # 3 s by compute
        Work("reshape", "c", 0, 0),
    ]
    found = bounds(work, toy(), "float32")
    nodes = node_bounds(found)
    assert list(nodes) == ["a", "b", "c"]
    assert [(node.seconds, node.binds) for node in nodes.values()] == [(25, "compute"), (2, "bandwidth"), (0, None)]
    assert total_seconds(found) == 27
    assert (node_bounds([]), total_seconds([])) == ({}, 0)


WORK = st.builds(
    Work,
    name=st.just("w"),
    node=st.sampled_from("abc"),
    flops=st.integers(0, 10**15),
    traffic_bytes=st.integers(0, 10**12),
    unit=st.sampled_from(["matrix", "vector"]),
    launches=st.integers(0, 5),
)
DTYPE = st.sampled_from(["float32", "bfloat16", "float16"])


@given(st.lists(WORK), st.sampled_from(list(DEVICES.values())), DTYPE)
def test_no_term_is_above_the_bound_and_nodes_sum_up(work: list[Work], device: Device, dtype: str) -> None:
    found = bounds(work, device, dtype)
    for bound in found:
        terms = (bound.compute_seconds, bound.bandwidth_seconds, bound.launch_seconds)
        assert bound.seconds == max(term for term in terms if term is not None)
        assert (bound.binds is None) == (bound.seconds == 0)
    assert sum(node.seconds for node in node_bounds(found).values()) == pytest.approx(total_seconds(found))


@given(WORK, st.sampled_from(list(DEVICES.values())), st.integers(1, 64))
def test_the_time_grows_at_most_in_proportion_to_the_batch(work: Work, device: Device, batch: int) -> None:
    larger = replace(work, flops=batch * work.flops, traffic_bytes=batch * work.traffic_bytes)
    one, many = (bound.seconds for bound in bounds([work, larger], device, "float32"))
    assert one <= many * (1 + 1e-12)
    assert many <= batch * one * (1 + 1e-12)
    assert seconds_for(1, batch, many) <= one * (1 + 1e-12)


def test_time_and_price_of_an_epoch() -> None:
    assert images_per_second(256, 0.5) == 512
    assert seconds_for(1_281_167, 256, 0.5) == pytest.approx(1_281_167 / 512)
    assert cost_of(7200, toy()) is None
    assert cost_of(7200, toy(price_per_hour=2.5, currency="USD")) == (5, "USD")
