"""Quantities as people write and read them: counts in powers of ten, bytes in powers of ten or two."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

COUNT_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
DECIMAL_BYTE_UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
BINARY_BYTE_UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
BYTE_UNITS = {"": 1, **DECIMAL_BYTE_UNITS, **BINARY_BYTE_UNITS}
SECOND_UNITS = {"s": 1, "ms": 10**-3, "us": 10**-6, "µs": 10**-6, "min": 60, "h": 3600}
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*%")
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-zµ]*)")


def parse_count(value: object) -> int:
    """Return the integer that `62k`, `1.5M`, `1e6` or a plain integer stands for (k, M, G, T are powers of ten).

    Raises ValueError for anything else, and for a count that is not whole.
    """
    return _parse(value, COUNT_UNITS, "a count such as 62000, 62k or 1.5M", "a whole number")


def parse_bytes(value: object) -> int:
    """Return the bytes that `80GB` (80 · 10⁹), `80 GiB` (80 · 2³⁰), `1e6` or a plain integer stands for.

    kB, MB, GB, TB are powers of ten, KiB, MiB, GiB, TiB powers of two. Raises ValueError for anything else, and for
    a size that is no whole number of bytes.
    """
    return _parse(value, BYTE_UNITS, "a size such as 80GB (powers of ten) or 80GiB (powers of two)", "whole bytes")


def parse_seconds(value: object) -> float:
    """Return the seconds that `50ms`, `1.5 s`, `2min` or a plain number stands for; raises ValueError."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf:
        return float(value)
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) and len(value) < 40 else None
    if match is None or match[2] not in SECOND_UNITS:
        raise ValueError("should be a time such as 50ms, 1.5s or 2min")
    return float(match[1]) * SECOND_UNITS[match[2]]


def parse_percent(text: str) -> Fraction:
    """Return the share that `2%` or `0.5 %` stands for; raises ValueError."""
    match = _PERCENT.fullmatch(text) if len(text) < 40 else None
    if match is None:
        raise ValueError("should be a share such as 2%")
    return Fraction(match[1]) / 100


def format_seconds(seconds: float) -> str:
    """Return `12.3 µs`, `1.23 ms`, `4.56 s`, `2.10 min` or `3.40 h`: rounded down, as befits a lower bound."""
    for unit, size in (("h", 3600.0), ("min", 60.0), ("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{math.floor(100 * seconds / size) / 100:,.2f} {unit}"
    return f"{math.floor(1e7 * seconds) / 10:,.1f} µs"


def format_bytes(size_bytes: int, units: Mapping[str, int] = DECIMAL_BYTE_UNITS) -> str:
    """Return `267.9 MB`: powers of ten, or of two as `255.5 MiB` with BINARY_BYTE_UNITS.

    Two digits after the point below 100, one from there on; what is below the second unit is exact.
    """
    scale = list(units.items())
    for (unit, factor), (_, larger) in pairwise(scale):
        shown, rounded = _three_digits(size_bytes, factor)
        if rounded * factor < larger:  # what rounds up to the next unit is written in that one
            return f"{size_bytes:,} {unit}" if factor == 1 else f"{shown} {unit}"
    unit, factor = scale[-1]
    return f"{_three_digits(size_bytes, factor)[0]} {unit}"


def format_shape(shape: tuple[int, ...]) -> str:
    """Return `61×61×96`: one sample, channels last."""
    return "×".join(map(str, shape))


def plural(number: int, noun: str) -> str:
    """Return `1 error`, `2 errors`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def finite(value: float) -> float | None:
    """Return a figure for JSON, which has no NaN and no infinity: null."""
    return value if math.isfinite(value) else None


def _three_digits(size_bytes: int, factor: int) -> tuple[str, Decimal]:
    exact = Decimal(size_bytes) / factor
    rounded = round(exact, 2)
    digits = 2 if rounded < 100 else 1
    rounded = round(exact, digits)
    return f"{rounded:,.{digits}f}", rounded


def _parse(value: object, units: Mapping[str, int], form: str, whole: str) -> int:
    """Return the integer that a number with one of the units stands for; raises ValueError."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, float) and value.is_integer() and value >= 0:  # 1e6
        return int(value)
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) and len(value) < 40 else None
    if match is None or match[2] not in units:
        raise ValueError(f"should be {form}")
    exact = Decimal(match[1]) * units[match[2]]
    if exact != int(exact):
        raise ValueError(f"should be {whole}, not {exact}")
    return int(exact)
