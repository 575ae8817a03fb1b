"""The search for the largest batch, against trying every batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from netcalc.analysis.largest_batch import MOST, largest_batch

Line = tuple[int, int]
LINES = st.tuples(st.integers(1, 1_000), st.integers(0, 100_000))


def by_trying(bytes_of: Callable[[int], int], limit: int, most: int) -> int:
    """Return the batch below the first that is too large."""
    return next((batch - 1 for batch in range(1, most + 1) if bytes_of(batch) > limit), most)


def stepped(before: Line, behind: Line, step: int) -> Callable[[int], int]:
    """Return bytes that change from one line to another at a batch."""

    def bytes_of(batch: int) -> int:
        slope, constant = before if batch < step else behind
        return slope * batch + constant

    return bytes_of


@given(before=LINES, behind=LINES, step=st.integers(1, 400), limit=st.integers(0, 300_000))
@example(before=(100, 0), behind=(1, 0), step=300, limit=20_000)
@example(before=(1, 0), behind=(1, 100_000), step=300, limit=300)
def test_one_step_anywhere_hides_no_batch_that_is_too_large(
    before: Line, behind: Line, step: int, limit: int
) -> None:
    bytes_of = stepped(before, behind, step)
    assert largest_batch(bytes_of, limit, 400) == by_trying(bytes_of, limit, 400)


@given(
    slopes=st.lists(st.integers(900, 1_000), min_size=1, max_size=40),
    constant=st.integers(0, 20_000),
    limit=st.integers(0, 400_000),
)
def test_many_small_steps_close_together(slopes: Sequence[int], constant: int, limit: int) -> None:
    # Packing whose waste depends on the batch: up to a tenth, differently for each of several batches in a row.
    def bytes_of(batch: int) -> int:
        return constant + slopes[batch % len(slopes)] * batch

    found = largest_batch(bytes_of, limit, 400)
    assert found == 400 or (bytes_of(max(found, 1)) <= limit) == (found > 0)
    assert found >= by_trying(bytes_of, limit, 400)


def test_a_saw_near_the_limit_is_seen() -> None:
    # Every other batch takes a little more: the first that is too large is followed by one that fits.
    def bytes_of(batch: int) -> int:
        return 1_000 * batch + (2_500 if batch % 2 else 0)

    for limit in range(100_000, 300_000, 777):
        assert largest_batch(bytes_of, limit, 400) == by_trying(bytes_of, limit, 400)


@pytest.mark.parametrize("low", [37, 100, 253, 380])
@pytest.mark.parametrize("width", [1, 2, 5])
def test_a_rise_that_soon_falls_again_is_seen(low: int, width: int) -> None:
    # Two steps within a few batches, as where one schedule is worse than its neighbours: a hundredth more.
    def bytes_of(batch: int) -> int:
        return 1_000 * batch + (10 * low + 5_000 if low <= batch < low + width else 0)

    for limit in range(bytes_of(low - 1), bytes_of(low), 100):
        assert largest_batch(bytes_of, limit, 400) == by_trying(bytes_of, limit, 400), limit


@pytest.mark.parametrize("most", [1, 2, 3, 100, MOST])
def test_it_stops_at_the_most(most: int) -> None:
    assert largest_batch(lambda batch: 7 * batch, 7 * MOST, most) == most
    assert largest_batch(lambda batch: 7 * batch, 7 * most - 1, most) == most - 1


def test_not_even_one() -> None:
    assert largest_batch(lambda batch: 7 * batch, 6) == 0
    assert largest_batch(lambda batch: 7 * batch, -1) == 0


@given(slope=st.integers(1, 10**9), constant=st.integers(0, 10**10), batch=st.integers(1, MOST - 1))
def test_few_batches_are_computed(slope: int, constant: int, batch: int) -> None:
    asked = set()

    def bytes_of(size: int) -> int:
        asked.add(size)
        return slope * size + slope * min(constant, 1_000)

    assert largest_batch(bytes_of, bytes_of(batch)) == batch
    assert len(asked) < 120


def test_memory_that_hardly_grows_is_searched_too() -> None:
    # A gradient of weights that outweighs thousands of samples: every batch is close to the limit.
    def bytes_of(batch: int) -> int:
        return 10**10 + 100 * batch

    for batch in (1, 1_000, 9_999, 10_000):
        assert largest_batch(bytes_of, bytes_of(batch)) == batch
