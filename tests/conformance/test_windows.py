"""The closed forms of windows against the oracle's sliding one."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from netcalc.layers.base import ShapeError, TensorType
from netcalc.layers.window import valid_taps, windows
from tests.conformance.oracle import place

PADS = st.integers(0, 4)


@settings(deadline=None, max_examples=300)
@given(
    side=st.integers(1, 12),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 5),
    dilation=st.integers(1, 3),
    padding=st.one_of(st.sampled_from(["valid", "same"]), st.tuples(PADS, PADS)),
    rounding=st.sampled_from(["floor", "ceil"]),
)
def test_windows_are_where_a_sliding_one_stops(side, kernel, stride, dilation, padding, rounding):
    total = 0 if isinstance(padding, str) else sum(padding)
    assume(padding == "same" or side + total >= (kernel - 1) * dilation + 1)
    (axis,) = windows(
        TensorType((side, 1)),
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        padding=padding if isinstance(padding, str) else (padding,),
        rounding=rounding,
    )
    places = place(side, kernel=kernel, stride=stride, dilation=dilation, padding=padding, rounding=rounding)
    positions = [[start + tap for tap in places.taps] for start in places.starts]
    assert axis.output == len(places.starts)
    assert axis.padding == places.padding
    assert axis.unused == side + places.padding[1] - 1 - positions[-1][-1]
    for padding_counts, counts in ((False, places.holds), (True, places.pads)):
        assert valid_taps(axis, padding_counts=padding_counts) == tuple(
            sum(map(counts, taps)) for taps in positions
        )


def test_a_kernel_that_fits_nowhere_is_refused():
    with pytest.raises(ShapeError, match=r"`kernel` \(3\), dilated to 5, is larger than the input's length \(4\)"):
        windows(TensorType((4, 1)), kernel=3, stride=1, dilation=2, padding="valid")
