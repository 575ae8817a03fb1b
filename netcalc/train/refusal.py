"""The sizes in a compiler's message that a program does not fit its device."""

from __future__ import annotations

import re
from dataclasses import dataclass

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_SIZE = r"([\d.]+)([KMGT]?)"
_MESSAGES = (
    re.compile(rf"Used {_SIZE}i?B? of {_SIZE}i?B? hbm"),
    re.compile(rf"\({_SIZE}i?B?\) exceeds available HBM \({_SIZE}i?B?\)"),
)


@dataclass(frozen=True, slots=True)
class RefusedSizes:
    """What a program needs and what the device has, as precise as the message; None where it names none."""

    needed_bytes: int | None
    memory_bytes: int | None


def refused_sizes(message: str) -> RefusedSizes:
    """Return the sizes that the message of a TPU's compiler names, its G being 2³⁰ bytes.

    Known are `Used 20.67G of 15.75G hbm` and `the total memory required for HLO temporaries (91.49G) exceeds
    available HBM (15.75G)`.
    """
    for known in _MESSAGES:
        if found := known.search(message):
            return RefusedSizes(_bytes(found[1], found[2]), _bytes(found[3], found[4]))
    return RefusedSizes(None, None)


def _bytes(number: str, unit: str) -> int:
    return round(float(number) * _UNITS[unit])
