"""Devices: memory, bandwidth and peak rates, as vendors publish them, and how they are found by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from netcalc.diagnostics import CannotRunError, did_you_mean

Kind = Literal["gpu", "tpu", "cpu"]
Precision = Literal["float32", "float32_matrix", "tensorfloat32", "bfloat16", "float16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

USABLE_SHARE = (15, 16)
"""Share of the memory that a process is taken to get where no report is known.

A CUDA context and the driver keep 0.5 to 2.5 % of it, error correction in GDDR memory about 6 % more.
"""

LAUNCH_SECONDS: Mapping[Kind, float] = {"gpu": 1e-6}
"""The least time of a kernel on the device. An assumption: XLA's own cost model of GPUs takes one microsecond
(`kKernelLaunchOverhead` in gpu_performance_model_base.h). None is documented for the other kinds.
"""


@dataclass(frozen=True, slots=True)
class Peak:
    """Dense peak rates in FLOP/s; None where the hardware lacks the precision or the vendor gives no figure.

    `float32` is of the vector units, which do elementwise work too; the others are of the matrix units.
    """

    float32: int | None = None
    float32_matrix: int | None = None
    tensorfloat32: int | None = None
    bfloat16: int | None = None
    float16: int | None = None

    def of(self, precision: Precision) -> int | None:
        """Return the rate at a precision, in FLOP/s."""
        rate: int | None = getattr(self, precision)
        return rate


@dataclass(frozen=True, slots=True)
class Publication:
    """The document that figures are from."""

    title: str
    address: str | None


@dataclass(frozen=True, slots=True)
class Device:
    """What JAX sees as one device.

    `usable_bytes` is what a process can allocate of its memory; `usable_is_estimate` tells that no report of it is
    known. `float32_products` is how JAX multiplies float32 in convolutions and matrix products by default.
    """

    key: str
    name: str
    kind: Kind
    memory_bytes: int
    usable_bytes: int
    usable_is_estimate: bool
    bandwidth_bytes_per_second: int
    peak: Peak
    float32_products: Precision
    source: Publication
    aliases: tuple[str, ...] = ()
    note: str = ""
    price_per_hour: float | None = None
    currency: str | None = None

    @property
    def launch_seconds(self) -> float | None:
        """The least time of a kernel, None where nothing is assumed."""
        return LAUNCH_SECONDS.get(self.kind)


Devices = Mapping[str, Device]
"""Devices by their keys."""


def find_device(name: str, devices: Devices) -> Device:
    """Return the device of a key, or else of an alias; case, spaces, hyphens and underscores do not matter.

    Raises CannotRunError, with the nearest names, where there is none.
    """
    if (found := _named(name, devices)) is not None:
        return found
    known = [name for device in devices.values() for name in (device.key, *device.aliases)]
    hint = did_you_mean(name.lower(), known)
    help = f"{hint} `netcalc devices` lists all" if hint.startswith("did") else "`netcalc devices` lists all"
    raise CannotRunError(f"unknown device `{name}`", help)


def matching_devices(text: str, devices: Devices) -> tuple[Device, ...]:
    """Return the one device that a text names, else all whose key, alias or name holds it.

    Raises CannotRunError where there is none.
    """
    if (found := _named(text, devices)) is not None:
        return (found,)
    wanted = _plain(text)
    holding = tuple(
        device
        for device in devices.values()
        if any(wanted in _plain(name) for name in (device.key, device.name, *device.aliases))
    )
    return holding or (find_device(text, devices),)


def _named(name: str, devices: Devices) -> Device | None:
    wanted = _plain(name)
    by_key = (device for device in devices.values() if _plain(device.key) == wanted)
    by_alias = (device for device in devices.values() if wanted in map(_plain, device.aliases))
    return next(by_key, None) or next(by_alias, None)


def _plain(name: str) -> str:
    return name.casefold().translate(_SEPARATORS)


_SEPARATORS = str.maketrans("", "", " -_")
