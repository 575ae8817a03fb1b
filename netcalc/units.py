"""Quantities as people write and read them: counts in powers of ten, bytes in powers of ten or two."""

from __future__ import annotations

import math
import re
from decimal import Decimal

COUNT_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_COUNT = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([kMGT]?)")


def parse_count(value: object) -> int:
    """Return the integer that `62k`, `1.5M`, `1e6` or a plain integer stands for (k, M, G, T are powers of ten).

    Raises ValueError for anything else, and for a count that is not whole.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, float) and value.is_integer() and value >= 0:  # 1e6
        return int(value)
    match = _COUNT.fullmatch(value) if isinstance(value, str) and len(value) < 40 else None
    if match is None:
        raise ValueError("should be a count such as 62000, 62k or 1.5M")
    exact = Decimal(match[1]) * COUNT_UNITS[match[2]]
    if exact != int(exact):
        raise ValueError(f"should be a whole number, not {exact}")
    return int(exact)


def format_bytes(n: int) -> str:
    """Return `267.9 MB` or `8 GB`: at most four digits, in powers of ten."""
    unit, size = "B", 1
    for larger in ("kB", "MB", "GB", "TB", "PB"):
        if n < 999.95 * size:
            break
        unit, size = larger, 1000 * size
    value = n / size
    digits = 3 if value < 9.9995 else 2 if value < 99.995 else 1
    return f"{f'{value:.{digits}f}'.rstrip('0').rstrip('.')} {unit}"


def format_shape(shape: tuple[int, ...]) -> str:
    """Return `61×61×96`: one sample, channels last."""
    return "×".join(map(str, shape))


def plural(number: int, noun: str) -> str:
    """Return `1 error`, `2 errors`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def finite(value: float) -> float | None:
    """Return a figure for JSON, which has no NaN and no infinity: null."""
    return value if math.isfinite(value) else None
