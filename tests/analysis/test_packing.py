"""The arena: laws that every layout obeys, examples by hand, and a placement of each buffer by brute force."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, permutations

from hypothesis import given
from hypothesis import strategies as st

from netcalc.analysis.packing import Interval, arena_bytes


def live_peak(intervals: Sequence[Interval]) -> int:
    """Return the most bytes that are alive at one operation."""
    moments = {interval.start for interval in intervals}
    return max((sum(i.bytes for i in intervals if i.start <= at <= i.end) for at in moments), default=0)


def together(a: Interval, b: Interval) -> bool:
    return a.start <= b.end and b.start <= a.end


def largest_first(intervals: Sequence[Interval]) -> list[Interval]:
    return sorted(intervals, key=lambda i: (-i.bytes, -(i.end - i.start), i.start))


def longest_first(intervals: Sequence[Interval]) -> list[Interval]:
    return sorted(intervals, key=lambda i: (-(i.end - i.start), -i.bytes, i.start))


def best_fit(intervals: Sequence[Interval]) -> list[tuple[int, Interval]]:
    """Lay buffers out byte by byte, each in the tightest hole for it, of equals the lowest."""
    placed: list[tuple[int, Interval]] = []
    for buffer in intervals:
        taken = {
            byte
            for offset, other in placed
            if together(buffer, other)
            for byte in range(offset, offset + other.bytes)
        }
        holes, start = [], 0
        for byte in range(max(taken, default=-1) + 2):
            if byte in taken:
                holes.append((byte - start, start))
                start = byte + 1
        fitting = [(length, at) for length, at in holes if length >= buffer.bytes]
        placed.append((min(fitting)[1] if fitting else start, buffer))
    return placed


def smallest_arena(intervals: Sequence[Interval]) -> int:
    """Return the least arena over every order in which buffers can be put as low as they go."""
    least = sum(i.bytes for i in intervals)
    for order in permutations(intervals):
        placed: list[tuple[int, Interval]] = []
        for buffer in order:
            others = [(offset, other) for offset, other in placed if together(buffer, other)]
            candidates = sorted({0, *(offset + other.bytes for offset, other in others)})
            fits = (at for at in candidates if all(at + buffer.bytes <= o or o + b.bytes <= at for o, b in others))
            placed.append((next(fits), buffer))
        least = min(least, max(offset + b.bytes for offset, b in placed))
    return least


INTERVAL = st.builds(
    lambda start, length, size: Interval(start, start + length, size),
    st.integers(0, 12),
    st.integers(0, 8),
    st.integers(1, 12),
)


def test_nothing_takes_nothing() -> None:
    assert arena_bytes([]) == 0
    assert arena_bytes([Interval(0, 3, 0)]) == 0


def test_buffers_that_are_never_alive_together_share_their_place() -> None:
    assert arena_bytes([Interval(0, 1, 10), Interval(2, 3, 7), Interval(4, 4, 10)]) == 10


def test_both_ends_of_a_lifetime_count() -> None:
    assert arena_bytes([Interval(0, 1, 10), Interval(1, 3, 7)]) == 17


def test_a_buffer_goes_into_the_smallest_gap_that_holds_it() -> None:
    # When 400 and 310 are gone, the 300 goes into the gap of 310 and leaves the one of 400 to the two of 200.
    # In the first gap that holds it, it would leave no room for one of them.
    gone, stays = [Interval(0, 0, 400), Interval(0, 0, 310)], [Interval(0, 9, 390), Interval(0, 9, 305)]
    later = [Interval(9, 9, size) for size in (300, 200, 200)]
    assert arena_bytes([*gone, *stays, *later]) == 400 + 390 + 310 + 305


def test_gaps_that_hold_nothing_are_wasted() -> None:
    # By size: 4 at 0..4 and, beside it, 3 at 4..7; the other 3 meets only the latter, and 4 bytes below are free.
    # The 2 meets both threes, which leave a byte at 3: the arena is 9, though 8 bytes are the most alive at once.
    intervals = [Interval(0, 1, 4), Interval(1, 2, 3), Interval(2, 3, 3), Interval(2, 2, 2)]
    assert live_peak(intervals) == 8
    assert arena_bytes(intervals) == 9


@given(st.lists(INTERVAL, max_size=12))
def test_no_two_buffers_that_are_alive_together_overlap(intervals: list[Interval]) -> None:
    tops = []
    for order in (largest_first(intervals), longest_first(intervals)):
        placed = best_fit(order)
        for (at, a), (where, b) in combinations(placed, 2):
            assert not together(a, b) or at + a.bytes <= where or where + b.bytes <= at
        tops.append(max((offset + b.bytes for offset, b in placed), default=0))
    assert arena_bytes(intervals) == min(tops)


def test_those_that_live_longest_go_first_where_that_takes_less() -> None:
    # By size both 2s lie lowest, the long 1 upon the first and the other 1 upon that. By lifetime the 1s do.
    intervals = [Interval(0, 0, 2), Interval(0, 4, 1), Interval(4, 5, 1), Interval(5, 6, 2)]
    assert arena_bytes(intervals) == live_peak(intervals) == 3


def test_a_layout_that_nothing_can_beat_is_the_last_one() -> None:
    intervals = [Interval(0, 0, 2), Interval(0, 4, 1), Interval(4, 5, 1), Interval(5, 6, 2)]
    assert arena_bytes(intervals, least_bytes=4) == 4


@given(st.lists(INTERVAL, min_size=1, max_size=40))
def test_the_arena_lies_between_the_live_peak_and_the_sum(intervals: list[Interval]) -> None:
    assert live_peak(intervals) <= arena_bytes(intervals) <= sum(i.bytes for i in intervals)


@given(st.lists(INTERVAL, min_size=1, max_size=5))
def test_no_arena_is_smaller_than_the_best_of_all_orders(intervals: list[Interval]) -> None:
    assert live_peak(intervals) <= smallest_arena(intervals) <= arena_bytes(intervals)


@given(st.lists(INTERVAL, max_size=20), st.randoms())
def test_the_order_of_the_buffers_does_not_matter(intervals: list[Interval], random) -> None:
    shuffled = list(intervals)
    random.shuffle(shuffled)
    assert arena_bytes(shuffled) == arena_bytes(intervals)


@given(st.lists(INTERVAL, max_size=20), st.integers(1, 1000))
def test_sizes_in_proportion_give_an_arena_in_proportion(intervals: list[Interval], factor: int) -> None:
    larger = [Interval(i.start, i.end, i.bytes * factor) for i in intervals]
    assert arena_bytes(larger) == factor * arena_bytes(intervals)


@given(st.lists(INTERVAL, max_size=20))
def test_buffers_that_all_live_at_once_lie_side_by_side(intervals: list[Interval]) -> None:
    all_at_once = [Interval(0, 10 + i.end, i.bytes) for i in intervals]
    assert arena_bytes(all_at_once) == sum(i.bytes for i in intervals)
