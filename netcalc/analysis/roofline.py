"""The roofline (Williams, Waterman & Patterson 2009): the least time that work takes on a device.

    seconds = max(flops / peak, bytes / bandwidth, launches · time of an empty kernel)

It is a lower bound for the algorithm whose FLOPs are counted: real kernels reach neither the peak nor the
bandwidth, and no efficiency is made up for them. A term that is not known is left out, which keeps the bound true.
Winograd's convolution multiplies less than the direct form that is counted and can undercut its compute term.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from netcalc.analysis.devices import Device, Precision

Dtype = Literal["float32", "bfloat16", "float16"]
Unit = Literal["matrix", "vector"]
Limit = Literal["compute", "bandwidth", "launch"]


@dataclass(frozen=True, slots=True)
class Work:
    """One operation of a schedule, for a whole batch: what it computes and what it moves to and from memory.

    `unit` is where it computes: convolutions and matrix products on matrix units, all else on vector units.
    `launches` is how many kernels it starts.
    """

    name: str
    node: str
    flops: int
    traffic_bytes: int
    unit: Unit = "matrix"
    launches: int = 1


@dataclass(frozen=True, slots=True)
class Bound:
    """The least time of one piece of work, and what sets it.

    A term is None where the device has no figure for it; `binds` is None where no term is above zero.
    """

    work: Work
    compute_seconds: float | None
    bandwidth_seconds: float
    launch_seconds: float | None

    @property
    def seconds(self) -> float:
        """The largest of the terms that are known."""
        return max(self._terms().values())

    @property
    def binds(self) -> Limit | None:
        """The term that is largest; of equal ones compute before bandwidth before launch."""
        terms = self._terms()
        largest = max(terms, key=lambda limit: terms[limit])
        return largest if terms[largest] else None

    def _terms(self) -> dict[Limit, float]:
        return {
            "compute": self.compute_seconds or 0.0,
            "bandwidth": self.bandwidth_seconds,
            "launch": self.launch_seconds or 0.0,
        }


@dataclass(frozen=True, slots=True)
class NodeBound:
    """The least time of a node's work, one piece after the other, and what sets most of it."""

    seconds: float
    binds: Limit | None


def product_precision(device: Device, dtype: Dtype) -> Precision:
    """Return the precision in which XLA multiplies matrices of a type on a device, by JAX's defaults.

    float32 is TF32 on NVIDIA GPUs from Ampere on and bfloat16 on TPUs (`jax_default_matmul_precision`). A type that
    the matrix units lack is widened, and computed as float32 is.
    """
    if dtype == "float32" or device.peak.of(dtype) is None:
        return device.float32_products
    return dtype


def peak_flops_per_second(device: Device, unit: Unit, dtype: Dtype) -> int | None:
    """Return the dense peak of a unit for operands of a type, None where it is not known.

    XLA widens the operands of vector units to float32, so that they are taken at its rate whatever the type.
    """
    return device.peak.of("float32" if unit == "vector" else product_precision(device, dtype))


def ridge_point(device: Device, unit: Unit, dtype: Dtype) -> float | None:
    """Return the FLOPs per byte from which on work is bound by compute instead of bandwidth."""
    peak = peak_flops_per_second(device, unit, dtype)
    return None if peak is None else peak / device.bandwidth_bytes_per_second


def intensity(work: Work) -> float | None:
    """Return the FLOPs per byte of memory traffic, None where nothing is moved."""
    return work.flops / work.traffic_bytes if work.traffic_bytes else None


def bounds(works: Iterable[Work], device: Device, dtype: Dtype) -> tuple[Bound, ...]:
    """Return the bound of each piece of work, for operands of a type."""
    return tuple(_bound(work, device, dtype) for work in works)


def node_bounds(found: Sequence[Bound]) -> Mapping[str, NodeBound]:
    """Return the sums over the work of each node, in order of first appearance."""
    seconds: dict[str, dict[Limit | None, float]] = {}
    for bound in found:
        by_limit = seconds.setdefault(bound.work.node, {})
        by_limit[bound.binds] = by_limit.get(bound.binds, 0.0) + bound.seconds
    return {
        node: NodeBound(sum(by_limit.values()), max(by_limit, key=lambda limit: by_limit[limit]))
        for node, by_limit in seconds.items()
    }


def total_seconds(found: Iterable[Bound]) -> float:
    """Return the least time of all the work, one piece after the other."""
    return sum(bound.seconds for bound in found)


def images_per_second(batch: int, step_seconds: float) -> float | None:
    """Return the rate of steps that take so long each: the highest, where that is their least time.

    None where the least time is none, as of a step that runs nothing: no rate is too high then.
    """
    return batch / step_seconds if step_seconds else None


def seconds_for(images: int, batch: int, step_seconds: float) -> float:
    """Return the time of so many samples in batches.

    A smaller last batch counts in proportion: the least time grows less than in proportion to the batch, so that
    this stays a lower bound.
    """
    return images / batch * step_seconds


def cost_of(seconds: float, device: Device) -> tuple[float, str] | None:
    """Return the price of so much time with its currency, None where the device has no price."""
    if device.price_per_hour is None or device.currency is None:
        return None
    return seconds / 3600 * device.price_per_hour, device.currency


def _bound(work: Work, device: Device, dtype: Dtype) -> Bound:
    peak = peak_flops_per_second(device, work.unit, dtype)
    launch = device.launch_seconds
    return Bound(
        work,
        compute_seconds=None if peak is None else work.flops / peak,
        bandwidth_seconds=work.traffic_bytes / device.bandwidth_bytes_per_second,
        launch_seconds=None if launch is None else work.launches * launch,
    )
