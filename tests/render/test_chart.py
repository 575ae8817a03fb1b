"""Curves in braille: every dot where it belongs."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcalc.render.chart import braille_chart

NAN = math.nan
BITS = {(0, 0): 0, (0, 1): 1, (0, 2): 2, (1, 0): 3, (1, 1): 4, (1, 2): 5, (0, 3): 6, (1, 3): 7}
"""The bit of each dot of a character by column and row, as Unicode numbers them."""


def dots(cells) -> set[tuple[int, int]]:
    """Return the dots of cells as (x, y) from the top left."""
    return {
        (2 * column + x, 4 * row + y)
        for row, line in enumerate(cells)
        for column, (character, _) in enumerate(line)
        for (x, y), bit in BITS.items()
        if (ord(character) - 0x2800) >> bit & 1
    }


def drawn(*curves, columns: int = 5, rows: int = 2):
    found = braille_chart(curves, columns, rows)
    assert found is not None
    return found


def test_a_diagonal_goes_from_corner_to_corner() -> None:
    cells, bottom, top = drawn([(0, 0.0), (7, 7.0)], columns=4)
    assert (bottom, top) == (0, 7)
    assert dots(cells) == {(n, 7 - n) for n in range(8)}


def test_points_are_at_their_values() -> None:
    cells, *_ = drawn([(0, 0.0), (1, NAN), (9, 7.0), (10, NAN)])
    assert dots(cells) == {(0, 7), (9, 0)}


def test_a_single_or_constant_value_stands_in_the_middle() -> None:
    assert dots(drawn([(3, 1.5)])[0]) == {(4, 3)}
    assert dots(drawn([(0, 1.5), (9, 1.5)])[0]) == {(x, 3) for x in range(10)}


def test_the_later_curve_is_seen() -> None:
    cells, *_ = drawn([(0, 0.0), (9, 0.0)], [(0, 0.0), (9, 7.0)])
    assert cells[1][0][1] == 1
    assert cells[1][4][1] == 0
    assert {owner for line in cells for _, owner in line} == {-1, 0, 1}


def test_nothing_finite_is_no_chart() -> None:
    assert braille_chart([[(0, NAN), (1, math.inf)], []], 5, 2) is None


numbers = st.floats(allow_nan=True, allow_infinity=True)


@given(
    st.lists(st.lists(numbers, max_size=30), max_size=3),
    st.integers(1, 20),
    st.integers(1, 5),
)
def test_every_chart_is_within_its_size_and_shows_every_end(curves, columns: int, rows: int) -> None:
    points = [list(enumerate(values)) for values in curves]
    found = braille_chart(points, columns, rows)
    finite = [value for values in curves for value in values if math.isfinite(value)]
    assert (found is None) == (not finite)
    if found is None:
        return
    cells, bottom, top = found
    assert (bottom, top) == (min(finite), max(finite))
    assert [len(line) for line in cells] == [columns] * rows
    marked = dots(cells)
    if bottom < top:
        assert {y for _, y in marked} >= {0, 4 * rows - 1}


@pytest.mark.parametrize("values", [(0.0, 5.0, 1.0, 7.0), (7.0, 0.0), (3.0, 3.0, 0.0)])
def test_a_line_has_no_holes(values: tuple[float, ...]) -> None:
    marked = dots(drawn(list(enumerate(values)), columns=8, rows=3)[0])
    assert {x for x, _ in marked} == set(range(16))
    reached, seen = [min(marked)], {min(marked)}
    while reached:
        x, y = reached.pop()
        near = {(x + a, y + b) for a in (-1, 0, 1) for b in (-1, 0, 1)} & marked - seen
        seen |= near
        reached += near
    assert seen == marked
