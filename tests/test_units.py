"""Counts and shapes as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcalc.units import COUNT_UNITS, format_bytes, format_shape, parse_count, plural


@pytest.mark.parametrize(
    ("written", "count"),
    [
        (0, 0),
        (62_000, 62_000),
        (10**30, 10**30),
        ("62000", 62_000),
        ("62k", 62_000),
        ("1.5M", 1_500_000),
        ("0.001k", 1),
        ("4.089184256G", 4_089_184_256),
        ("1.1 k", 1_100),
        ("9007199254740993", 9_007_199_254_740_993),
    ],
)
def test_counts(written, count):
    assert parse_count(written) == count


@pytest.mark.parametrize(
    "written",
    [
        *("", "k", "1.5", "1.0001k", "9.007199254740993T", "-1", "+1", "1e3", "1K", "1m", "1kB", "1,000", ".5k"),
        *("1 000", "٣", "0x10", "9" * 50, -1, -1.0, 1.5, True, None, [1], float("nan")),
    ],
)
def test_what_is_no_count(written):
    with pytest.raises(ValueError, match="should be"):
        parse_count(written)


@given(st.integers(0, 10**12), st.sampled_from(sorted(COUNT_UNITS)))
def test_a_unit_multiplies_exactly(number, unit):
    assert parse_count(f"{number}{unit}") == number * 10 ** {"": 0, "k": 3, "M": 6, "G": 9, "T": 12}[unit]


def test_shapes_and_plurals():
    assert format_shape((61, 61, 96)) == "61×61×96"
    assert format_shape((10,)) == "10"
    assert [plural(n, "error") for n in (0, 1, 2, 1200)] == ["0 errors", "1 error", "2 errors", "1,200 errors"]


def test_a_whole_float_is_a_count():
    assert parse_count(1e6) == 1_000_000


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"), (1, "1 B"), (999, "999 B"), (1000, "1 kB"), (1024, "1.024 kB"), (5_249_600, "5.25 MB"),
        (2_624_800, "2.625 MB"), (267_882_912, "267.9 MB"), (999_949, "999.9 kB"), (999_950, "1 MB"),
        (9_999_600, "10 MB"), (8 * 10**9, "8 GB"), (80 * 10**9, "80 GB"), (10**15, "1 PB"), (10**19, "10000 PB"),
    ],
)  # fmt: skip
def test_bytes_are_shown_in_powers_of_ten(count: int, text: str) -> None:
    assert format_bytes(count) == text
