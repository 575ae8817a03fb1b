"""Devices that are described and not there, for XLA to compile for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import jax
from jax.experimental import topologies

from netcalc.analysis.targets import Platform, Target

_TARGETS = Path(__file__).with_name("targets")
_PLUGINS: dict[Platform, tuple[str, ...]] = {
    "gpu": ("jax-cuda13-pjrt", "jax-cuda12-pjrt"),
    "tpu": ("libtpu",),
    "cpu": (),
}


@dataclass(frozen=True, slots=True)
class DescribedDevice:
    """A device to compile for, its name, its compiler's, and the memory that this is told of, if it is."""

    device: jax.Device
    name: str
    compiler: str
    memory_bytes: int | None


def describe_device(target: Target) -> DescribedDevice:
    """Return the device of a target; the compiler's plug-in must be installed, no driver is needed.

    Raises what JAX raises where the plug-in cannot start.
    """
    if target.platform == "cpu":
        return DescribedDevice(jax.devices("cpu")[0], "this machine's CPU", _compiler("cpu"), None)
    memory_bytes = None
    if target.platform == "gpu":
        text = (_TARGETS / f"{target.description}.txtpb").read_text(encoding="utf-8")
        memory_bytes = target_memory_bytes(text)
        topology = topologies.get_topology_desc(platform="cuda", target_config=text, topology="1x1x1")
    else:
        topology = topologies.get_topology_desc(target.description, platform="tpu")
    device: jax.Device = topology.devices[0]
    return DescribedDevice(device, device.device_kind, _compiler(target.platform), memory_bytes)


def target_memory_bytes(text: str) -> int:
    """Return the memory of the GPU that a target configuration describes."""
    found = re.search(r"\bdevice_memory_size: (\d+)", text)
    if found is None:
        raise ValueError("the target configuration names no `device_memory_size`")
    return int(found[1])


def _compiler(platform: Platform) -> str:
    """Return `XLA of jaxlib 0.10.2, jax-cuda13-pjrt 0.10.2`."""
    parts = [f"XLA of jaxlib {version('jaxlib')}"]
    for name in _PLUGINS[platform]:
        try:
            parts.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(parts)
