"""Channel groups: whether a number of groups divides the channels."""

from __future__ import annotations

import math

from netcalc.layers.base import ShapeError


def check_groups(groups: int, *divided: tuple[int, str]) -> None:
    """Raise ShapeError, with the nearest divisors, unless `groups` divides each number, given with its name."""
    common = math.gcd(*(number for number, _ in divided))
    for number, name in divided:
        if number % groups:
            divisors = _near(groups, [d for d in range(1, min(common, 4096) + 1) if common % d == 0])
            raise ShapeError(
                "NC102",
                "groups",
                f"`groups` ({groups}) does not divide the {number} {name}",
                help=f"use {', '.join(divisors[:-1])} or {divisors[-1]}" if divisors[1:] else "use 1",
            )


def _near(wanted: int, divisors: list[int]) -> list[str]:
    """Return the twelve divisors nearest to the wanted one, in order."""
    return [str(d) for d in sorted(sorted(divisors, key=lambda d: abs(d - wanted))[:12])]
