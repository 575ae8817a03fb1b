"""Into how many parts XLA splits a matrix product along the axis that it sums over.

A product with few outputs keeps few of a GPU's processors busy. XLA's split-K rewrite then computes sums over parts
of the axis at once, in float32, and adds them up in whatever reads them. The number of parts is the power of two
that a cost model finds fastest; the constants are those of XLA for an H100 (its splitk_rewriter.cc).
"""

from __future__ import annotations

from dataclasses import dataclass

PROCESSORS = 132
TILE = 128
"""Rows, and columns, of the outputs that one processor computes at a time."""

MOST_PARTS = 2048
SUM_BYTES = 4
"""Bytes of a partial sum, whatever the precision of the operands."""

PER_FLOP = 100.0
PER_BYTE = 0.194136
PER_BYTE_ADDED_UP = 193.1384
PER_SECOND_KERNEL = 4.36e7


@dataclass(frozen=True, slots=True)
class ProductShape:
    """A product of rows × terms and terms × columns, with the bytes of an element of each and of the result.

    An operand that is converted from another type counts with the bytes of that type.
    """

    rows: int
    columns: int
    terms: int
    left_bytes: int
    right_bytes: int
    result_bytes: int


def parts_of(product: ProductShape) -> int:
    """Return the number of parts that the terms are split into; 1 where the product stays whole."""
    candidates = (1 << power for power in range(MOST_PARTS.bit_length()))
    return min(candidates, key=lambda parts: _cost(product, parts))  # of equals the fewest parts


def padded_terms(product: ProductShape, parts: int) -> int:
    """Return the terms after padding: each part starts at a multiple of 16 bytes in both operands."""
    multiple = parts * (16 // min(product.left_bytes, product.right_bytes)) if parts > 1 else 1
    return -(-product.terms // multiple) * multiple


def _cost(product: ProductShape, parts: int) -> float:
    """Return XLA's estimate for a split: of compute and memory the dearer, and a second kernel that adds up."""
    rows, columns, terms = product.rows, product.columns, product.terms
    outputs = parts * rows * columns
    tile = min(rows, TILE) * min(columns, TILE)
    tiles = parts * -(-rows // TILE) * -(-columns // TILE)
    waves = max(1.0, tiles * tile / (PROCESSORS * TILE * TILE))
    compute = 2 * tile * -(-terms // parts) * waves * PER_FLOP
    read = terms * (rows * product.left_bytes + columns * product.right_bytes)
    if parts == 1:
        return max(compute, (read + outputs * product.result_bytes) * PER_BYTE)
    added_up = outputs * SUM_BYTES + rows * columns * product.result_bytes
    product_cost = max(compute, (read + outputs * SUM_BYTES) * PER_BYTE)
    return product_cost + PER_SECOND_KERNEL + added_up * PER_BYTE_ADDED_UP
