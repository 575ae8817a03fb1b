"""Counts, sizes and shapes as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcalc.units import (
    BINARY_BYTE_UNITS,
    BYTE_UNITS,
    COUNT_UNITS,
    DECIMAL_BYTE_UNITS,
    format_bytes,
    format_shape,
    parse_bytes,
    parse_count,
    plural,
)


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
    ("written", "size_bytes"),
    [
        (0, 0),
        (84_942_979_072, 84_942_979_072),
        (8e9, 8_000_000_000),
        ("123", 123),
        ("123 B", 123),
        ("80GB", 80_000_000_000),
        ("80 GiB", 85_899_345_920),
        ("1.5MiB", 1_572_864),
        ("0.5KiB", 512),
        ("4.8TB", 4_800_000_000_000),
        ("1TiB", 2**40),
        ("7kB", 7_000),
    ],
)
def test_sizes(written, size_bytes):
    assert parse_bytes(written) == size_bytes


@pytest.mark.parametrize(
    "written",
    [
        *("", "GB", "80G", "80gb", "80Gib", "80KB", "80 kiB", "0.1B", "0.3KiB", "-1GB", "1e3MB", "1,000B", "٣GB"),
        *("80 G B", "80GB ", "9" * 50, -1, 1.5, True, None, [1], float("inf"), float("nan")),
    ],
)
def test_what_is_no_size(written):
    with pytest.raises(ValueError, match="should be"):
        parse_bytes(written)


@given(st.integers(0, 10**12), st.sampled_from(sorted(BYTE_UNITS)))
def test_a_byte_unit_multiplies_exactly(number, unit):
    prefix, is_binary = unit[:1].strip("B").upper(), "i" in unit
    exponent = " KMGT".index(prefix or " ")
    assert parse_bytes(f"{number}{unit}") == number * (1024 if is_binary else 1000) ** exponent


@pytest.mark.parametrize(
    ("size_bytes", "decimal", "binary"),
    [
        (0, "0 B", "0 B"),
        (999, "999 B", "999 B"),
        (1000, "1.00 kB", "1,000 B"),
        (1023, "1.02 kB", "1,023 B"),
        (1024, "1.02 kB", "1.00 KiB"),
        (99_994, "99.99 kB", "97.65 KiB"),
        (99_996, "100.0 kB", "97.65 KiB"),
        (999_949, "999.9 kB", "976.5 KiB"),
        (999_951, "1.00 MB", "976.5 KiB"),
        (2**20 - 1, "1.05 MB", "1.00 MiB"),
        (267_882_912, "267.9 MB", "255.5 MiB"),
        (2_624_800, "2.62 MB", "2.50 MiB"),
        (5_249_600, "5.25 MB", "5.01 MiB"),
        (85_899_345_920, "85.90 GB", "80.00 GiB"),
        (5 * 10**15, "5,000.0 TB", "4,547.5 TiB"),
    ],
)
def test_sizes_are_labelled(size_bytes, decimal, binary):
    assert format_bytes(size_bytes) == decimal
    assert format_bytes(size_bytes, BINARY_BYTE_UNITS) == binary


@given(st.integers(0, 10**18), st.sampled_from([DECIMAL_BYTE_UNITS, BINARY_BYTE_UNITS]))
def test_a_formatted_size_reads_back_within_its_rounding(size_bytes, units):
    number, unit = format_bytes(size_bytes, units).replace(",", "").split()
    assert abs(float(number) * units[unit] - size_bytes) <= 0.0051 * max(size_bytes, 1)
    assert float(number) >= 1 or size_bytes == 0
