"""What bitwise equal results depend on beside spec, data and seed: versions, machine, threads, device."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax

PACKAGES = ("netcalc-nn", "jax", "jaxlib", "numpy", "optax")


def environment(device: jax.Device) -> dict[str, Any]:
    """Return what a training runs on, as JSON has it."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processor": processor(),
        "threads": _threads(),
        "device": {"platform": device.platform, "kind": device.device_kind},
        "packages": {name: version(name) for name in PACKAGES},
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "matmul_precision": str(jax.config.values["jax_default_matmul_precision"]),
        "x64": bool(jax.config.values["jax_enable_x64"]),
    }


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Yield what may change the last bits of results, as `jax 0.6.0 → 0.7.0`.

    The system does not, as long as the processor is the same.
    """
    for name in now:
        if name == "platform":
            continue
        old, new = before.get(name), now[name]
        if isinstance(new, Mapping):
            nested = old if isinstance(old, Mapping) else {}
            for part, value in new.items():
                if nested.get(part) != value:
                    label = part if name == "packages" else f"{name} {part}"
                    yield f"{label} {nested.get(part, 'unknown')} → {value}"
        elif old != new:
            yield f"{name} {_shown(old)} → {_shown(new)}"


def processor() -> str:
    """Return the model of the processor, as far as the system tells."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _threads() -> int | None:
    """Return how many threads XLA computes with on a CPU: the processors that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count()


def _shown(value: object) -> str:
    return "none" if value in (None, "") else str(value)
