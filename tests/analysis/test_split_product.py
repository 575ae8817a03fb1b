"""Split matrix products: XLA's choices as it compiled them for an H100, and laws of the cost model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcalc.analysis.split_product import ProductShape, padded_terms, parts_of

# (rows, columns, terms), parts and padded terms in programs that XLA of jaxlib 0.10.2 compiled for an H100.
FLOAT32 = [
    ((64, 120, 400), 8, 416),
    ((64, 84, 120), 4, 128),
    ((64, 120, 84), 4, 96),
    ((64, 400, 120), 4, 128),
    ((120, 84, 64), 4, 64),
    ((400, 120, 64), 1, 64),
    ((64, 10, 84), 1, 84),
    ((64, 84, 10), 1, 10),
    ((1568, 384, 1536), 4, 1536),
    ((25088, 384, 96), 1, 96),
    ((64, 4096, 9216), 8, 9216),
    ((64, 1000, 4096), 16, 4096),
    ((64, 4096, 1000), 4, 1008),
    ((4096, 1000, 64), 1, 64),
]
MIXED = [
    ((256, 4096, 9216), 2, 9216),
    ((256, 4096, 4096), 2, 4096),
    ((256, 1000, 4096), 8, 4096),
    ((256, 4096, 1000), 1, 1000),
    ((256, 9216, 4096), 1, 4096),
]
SIDE = st.integers(1, 5000)


def product(rows: int, columns: int, terms: int, left: int = 4, right: int = 4, result: int = 4) -> ProductShape:
    return ProductShape(rows, columns, terms, left, right, result)


@pytest.mark.parametrize(("shape", "parts", "terms"), FLOAT32)
def test_products_in_float32_are_split_as_xla_splits_them(
    shape: tuple[int, int, int], parts: int, terms: int
) -> None:
    assert parts_of(product(*shape)) == parts
    assert padded_terms(product(*shape), parts) == terms


@pytest.mark.parametrize(("shape", "parts", "terms"), MIXED)
def test_products_of_converted_weights_are_split_as_xla_splits_them(
    shape: tuple[int, int, int], parts: int, terms: int
) -> None:
    mixed = product(*shape, left=2, right=4, result=2)
    assert parts_of(mixed) == parts
    assert padded_terms(mixed, parts) == terms


@given(SIDE, SIDE, SIDE)
def test_rows_and_columns_are_alike(rows: int, columns: int, terms: int) -> None:
    assert parts_of(product(rows, columns, terms)) == parts_of(product(columns, rows, terms))


@given(SIDE, SIDE, SIDE)
def test_a_product_with_a_term_each_for_many_outputs_stays_whole(rows: int, columns: int, terms: int) -> None:
    parts = parts_of(product(rows, columns, terms))
    assert parts.bit_count() == 1
    assert parts_of(product(rows, columns, 1)) == 1
    # A second kernel costs more than all the work of so few terms.
    assert parts == 1 or 2 * min(rows, 128) * min(columns, 128) * terms * 100 > 4.36e7


@given(SIDE, st.sampled_from([1, 2, 4, 8, 2048]), st.sampled_from([2, 4]), st.sampled_from([2, 4]))
def test_every_part_of_both_operands_starts_at_a_multiple_of_16_bytes(
    terms: int, parts: int, left: int, right: int
) -> None:
    padded = padded_terms(product(1, 1, terms, left, right), parts)
    assert terms <= padded
    if parts == 1:
        assert padded == terms
    else:
        assert padded % parts == 0
        assert padded // parts * min(left, right) % 16 == 0
        assert padded - terms < parts * 16 // min(left, right)
