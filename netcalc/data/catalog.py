"""What is known of the data sets that ship with netcalc without reading them: no array library is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A data set of `builtin/`: images of [height, width, channels], a byte a value, and their classes.

    `max_value` is the pixel value that stands for 1.0.
    """

    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    train_images: int
    test_images: int
    max_value: int


_DIGITS = tuple("0123456789")

BUILT_INS: Mapping[str, BuiltIn] = MappingProxyType(
    {
        "mnist5k": BuiltIn((28, 28, 1), _DIGITS, train_images=4000, test_images=1000, max_value=255),
        "digits": BuiltIn((8, 8, 1), _DIGITS, train_images=1347, test_images=450, max_value=16),
    }
)
"""Every data set of `builtin/`, by the name that specs use."""
